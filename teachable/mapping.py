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

# Rows or columns up to which a matrix is decomposed at once; otherwise directions that are turned together, how often
# at most, and the relative change of the spread from which they stand still.
_DIRECT, _BLOCK, _TURNS, _STILL = 256, 12, 30, 1e-5


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
    centred = embeddings - embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = float(np.einsum("nd,nd->", centred, centred, dtype=np.float64))
    # Below rounding of float32 there is nothing to tell photos apart by.
    if spread <= 1e-12 * float(np.einsum("nd,nd->", embeddings, embeddings, dtype=np.float64)):
        return np.zeros((len(embeddings), 2), np.float32), 0.0
    points = centred @ _directions(centred)
    held = float(np.einsum("nd,nd->", points, points, dtype=np.float64))
    return _scaled(points), min(1.0, held / spread)


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


def _directions(centred: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the two directions of largest spread, the larger first, unit columns `[D, 2]`; zeros where there is none.

    Few rows or columns are decomposed as they are. Otherwise a handful of random directions is turned towards the
    largest ones until these stand still (subspace iteration with Rayleigh-Ritz, Stewart 1969; the random start is that
    of Halko, Martinsson and Tropp 2011), which is the same to rounding and takes a fraction of the time.
    """
    count, width = centred.shape
    if min(count, width) <= _DIRECT:
        found = np.linalg.svd(centred, full_matrices=False)[2][:2].T
    else:
        found = np.random.default_rng(0).standard_normal((width, _BLOCK), np.float32)
        before = np.zeros(2)
        for _ in range(_TURNS):
            basis = np.linalg.qr(centred.T @ (centred @ found))[0]
            seen = centred @ basis
            values, vectors = np.linalg.eigh((seen.T @ seen).astype(np.float64))
            found = basis @ vectors[:, ::-1].astype(np.float32)
            if np.abs(values[:-3:-1] - before).max() <= _STILL * values[-1]:
                break
            before = values[:-3:-1]
        found = found[:, :2]
    # A direction and its opposite are the same to the arithmetic, but not to somebody who looks at two maps.
    found = found * np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])])
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1]))).astype(np.float32)


def _scaled(points: NDArray[np.float32]) -> Points:
    """Return points moved and scaled so that they fill -1 to 1, no direction stretched more than the other."""
    low, high = points.min(axis=0), points.max(axis=0)
    reach = float((high - low).max()) / 2
    if not reach:
        return np.zeros_like(points)
    scaled: Points = np.clip((points - (low + high) / 2) / reach, -1, 1).astype(np.float32)
    return scaled
