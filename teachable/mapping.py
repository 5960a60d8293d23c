"""Photos as points in a plane, near each other where the network finds them alike.

It owns the two ways to lay them out: principal components, at once, and UMAP, where it is installed.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from teachable.errors import InvalidInput
from teachable.types import Embeddings

Points = NDArray[np.float32]
"""Across and up of each photo, float32 `[N, 2]`, -1 to 1."""

FEWEST_FOR_UMAP = 10
"""Photos below which the method has no neighbourhoods to keep."""


def pca(embeddings: Embeddings) -> tuple[Points, float]:
    """Lay photos out along the two directions in which they differ most (Pearson 1901).

    Args:
        embeddings: float32 `[N, D]`; any number of rows.

    Returns:
        The points, both directions on one scale, and the share of the spread that they hold, 0 to 1.

    Raises:
        InvalidInput: values that are not finite.
    """
    _require_finite(embeddings)
    if len(embeddings) < 2:
        return np.zeros((len(embeddings), 2), np.float32), 0.0
    # Exact, and sooner than iterating: the smaller of the two matrices that have the same spectrum.
    centred = embeddings - embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    wide = centred.shape[1] > centred.shape[0]
    matrix = centred @ centred.T if wide else centred.T @ centred
    spread = float(np.trace(matrix, dtype=np.float64))
    # Below rounding of float32 there is nothing to tell photos apart by.
    if spread <= 1e-12 * float(np.einsum("nd,nd->", embeddings, embeddings, dtype=np.float64)):
        return np.zeros((len(embeddings), 2), np.float32), 0.0
    values, vectors = _largest(matrix)
    points = vectors * np.sqrt(values) if wide else centred @ vectors
    return _scaled(points), min(1.0, float(values.sum()) / spread)


def umap(embeddings: Embeddings, seed: int) -> Points:
    """Lay photos out so that neighbours stay neighbours (McInnes, Healy and Melville 2018); same seed, same points.

    Args:
        embeddings: float32 `[N, D]`.
        seed: of what is left to chance.

    Raises:
        InvalidInput: values that are not finite, or too few photos to have neighbours.
        ImportError: UMAP is not installed.
    """
    _require_finite(embeddings)
    if len(embeddings) < FEWEST_FOR_UMAP:
        raise InvalidInput("map_too_few", needed=FEWEST_FOR_UMAP)
    with warnings.catch_warnings():
        # It says at import which of its own extras are not there; none is needed.
        warnings.simplefilter("ignore", ImportWarning)
        from umap import UMAP
    # One thread, as the seed would ask for it anyway, with a warning.
    reducer = UMAP(n_neighbors=min(15, len(embeddings) - 1), random_state=seed, n_jobs=1)
    points: Points = np.asarray(reducer.fit_transform(embeddings), np.float32)
    return _scaled(points)


def _require_finite(embeddings: Embeddings) -> None:
    broken = int((~np.isfinite(embeddings).all(axis=1)).sum())
    if broken:
        raise InvalidInput("embeddings_not_finite", count=broken)


def _largest(matrix: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the two largest eigenvalues, the larger first, and their vectors `[n, 2]`, the sign of each settled."""
    from scipy.linalg import eigh

    size = len(matrix)
    values, vectors = eigh(matrix, subset_by_index=(max(0, size - 2), size - 1))
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    # An eigenvector and its opposite are the same to the library, but not to somebody who looks at two maps.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    if size == 1:
        values, vectors = np.append(values, 0), np.hstack([vectors, np.zeros_like(vectors)])
    return values.astype(np.float32), vectors.astype(np.float32)


def _scaled(points: NDArray[np.float32]) -> Points:
    """Return points moved and scaled so that they fill -1 to 1, no direction stretched more than the other."""
    low, high = points.min(axis=0), points.max(axis=0)
    reach = float((high - low).max()) / 2
    if not reach:
        return np.zeros_like(points)
    scaled: Points = np.clip((points - (low + high) / 2) / reach, -1, 1).astype(np.float32)
    return scaled
