"""How familiar a photo is: how near it lies to the photos trained on, so that a model can say "not sure".

It owns the distance, what is fitted for it and how it is told as a share. Which photos were held out together comes
from the caller; the same distance as nodes of a graph is written by `teachable.export`.

The distance, measured by `tests/benchmarks/unknown.py` against the largest probability of softmax (Hendrycks and Gimpel
2017) and against others, on photos of classes that were left out:

- Embeddings are scaled to length one (Sun et al. 2022, deep nearest neighbours): length follows contrast and lighting.
- A Mahalanobis distance with one covariance for all classes (Lee et al. 2018), shrunk towards a sphere, in the space of
  the strongest principal components, to the nearest of several centres of each class, because a class may hold several
  things.
- What lies outside that space counts, too (as in ViM, Wang et al. 2022): photos of something else altogether lie there.
- It is multiplied by how much nearer the nearest class is than the next one: what lies between two classes is less
  sure than what lies equally far out on the side of one.

Of photos of classes that were left out, 80 of 100 are found stranger than a known photo of a recording never seen, and
of photos of other sets 99 (area under the curve); with the largest probability it is 74 and 84.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from teachable.errors import InvalidInput
from teachable.types import Embeddings, Familiarity, Labels

LEAST = 20
"""Photos held out without which nothing can be said: 5 % of fewer is less than one."""
ENOUGH = 10_000
"""Photos that are learned from, at most: more would cost time and memory and move nothing that can be told."""
SHARES = 101
"""Quantiles that are kept: one for each per cent."""
# In the file, R x D numbers for the space and C x R for the centres: 9 % of the built-in network at most.
_SPACE = 64
_CENTRES = 512
_CENTRES_OF_A_CLASS = 16
_SHRINKAGE = 0.3
_OUTSIDE = 2.0
TINY = 1e-12
"""Squared lengths and distances are never taken for less, so that nothing is divided by zero."""
# Below rounding of float32 there is nothing to tell photos apart by.
_ROUNDING = 1e-10


def fit(embeddings: Embeddings, labels: Labels, folds: NDArray[np.int64]) -> Familiarity | None:
    """Fit the distance on all photos, and learn from photos that were held out how far known photos lie.

    The distances of photos held out are to what was fitted without their fold, so that they are those of recordings
    never seen. Of more than `ENOUGH` photos so many are looked at, of every class alike as far as it has them, and
    evenly spread over it.

    Args:
        embeddings: float32 `[N, D]`, of photos trained on.
        labels: int64 `[N]`, index of the class of each; every class has at least one.
        folds: in which fold each was held out, int64 `[N]`; -1 where it was always trained on.

    Returns:
        What `score` needs, or None where it cannot be known: fewer than `LEAST` photos were held out, or the photos of
        each class are all the same.

    Raises:
        InvalidInput: embeddings that are not finite.
        ValueError: arrays that do not fit together, or fewer than two classes.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1] or folds.shape != labels.shape:
        raise ValueError(f"{embeddings.shape} embeddings, {labels.shape} labels, {folds.shape} folds")
    broken = int((~np.isfinite(embeddings).all(axis=1)).sum())
    if broken:
        raise InvalidInput("embeddings_not_finite", count=broken)
    if len(np.unique(labels)) < 2:
        raise ValueError("familiarity needs two classes")
    if int((folds >= 0).sum()) < LEAST:
        return None
    some = _some(labels)
    # On one core: matrices this small lose more by sharing than they win, and their last bits would depend on it.
    with threadpool_limits(1):
        return _fit(embeddings[some], labels[some], folds[some])


def _some(labels: Labels) -> slice | NDArray[np.int64]:
    """Return which photos are learned from: all, or `ENOUGH` of them."""
    if len(labels) <= ENOUGH:
        return slice(None)
    counts = np.bincount(labels)
    # The largest number of photos a class may keep, such that all together keep no more than enough.
    low, high = 1, int(counts.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if int(np.minimum(counts, middle).sum()) <= ENOUGH else (low, middle - 1)
    kept = []
    for one in np.flatnonzero(counts):
        rows = np.flatnonzero(labels == one)
        kept.append(rows if len(rows) <= low else rows[np.linspace(0, len(rows) - 1, low).round().astype(np.int64)])
    return np.sort(np.concatenate(kept))


def _fit(embeddings: Embeddings, labels: Labels, folds: NDArray[np.int64]) -> Familiarity | None:
    rows = _unit(embeddings)
    distances = []
    for fold in range(int(folds.max()) + 1):
        held, kept = folds == fold, folds != fold
        # A photo of a class that nothing is left of says nothing about known photos.
        held &= np.isin(labels, labels[kept])
        if not held.any() or len(np.unique(labels[kept])) < 2:
            continue
        fitted = _fit_space(rows[kept], labels[kept])
        if fitted is None:
            return None
        distances.append(distance(fitted, embeddings[held]))
    whole = _fit_space(rows, labels)
    held_out = sum(map(len, distances))
    if whole is None or held_out < LEAST:
        return None
    return replace(whole, quantiles=_increasing(np.concatenate(distances)), held_out=held_out)


def score(fitted: Familiarity, embeddings: Embeddings) -> NDArray[np.float32]:
    """Return how familiar photos are: the share of known photos held out that were farther away.

    Args:
        fitted: by `fit`.
        embeddings: float32 `[N, D]`.

    Returns:
        float32 `[N]`, 0 to 1; in between quantiles it is interpolated.
    """
    # As the graph does it, and for the same result: the mean of how much of each step between quantiles is passed.
    steps = np.diff(fitted.quantiles)
    passed = np.clip((distance(fitted, embeddings)[:, None] - fitted.quantiles[:-1]) / steps, 0, 1)
    shares: NDArray[np.float32] = (1 - passed.mean(axis=1)).astype(np.float32)
    return shares


def distance(fitted: Familiarity, embeddings: Embeddings) -> NDArray[np.float32]:
    """Return how far photos lie from those trained on, float32 `[N]`, at least 0; see the top of this file."""
    centred = _unit(embeddings) - fitted.mean
    inside = centred @ fitted.basis.T
    outside = np.maximum((centred**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
    places = inside @ fitted.whitening.T
    flat = fitted.centres.reshape(-1, places.shape[1])
    squares = (flat**2).sum(axis=1) - 2 * places @ flat.T
    nearest: NDArray[np.float32] = squares.reshape(len(places), *fitted.centres.shape[:2]).min(axis=2)
    nearest = np.maximum(nearest + (places**2).sum(axis=1)[:, None], 0) + outside[:, None]
    first, second = np.maximum(np.partition(nearest, 1, axis=1)[:, :2], TINY).T
    found: NDArray[np.float32] = (first * (first / second)).astype(np.float32)
    return found


def _unit(embeddings: Embeddings) -> Embeddings:
    lengths = np.sqrt(np.maximum((embeddings**2).sum(axis=1, keepdims=True), np.float32(TINY)))
    rows: Embeddings = embeddings / lengths
    return rows


def _fit_space(rows: Embeddings, labels: Labels) -> Familiarity | None:
    """Return space and centres of rows of length one, without quantiles; None where they do not differ."""
    from sklearn.utils.extmath import randomized_svd

    classes = np.unique(labels)
    mean = rows.mean(axis=0)
    centred = rows - mean
    width = min(_SPACE, rows.shape[1], len(rows) - 1)
    _, _, basis = randomized_svd(centred, width, n_iter=2, random_state=0)
    inside = centred @ basis.T
    within = np.concatenate([inside[labels == one] - inside[labels == one].mean(axis=0) for one in classes])
    covariance = within.T.astype(np.float64) @ within / max(1, len(rows) - len(classes))
    spread = float(np.trace(covariance)) / width
    if spread < _ROUNDING / width:
        return None
    shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * spread * np.eye(width)
    # Such that a squared length outside the space counts as it is, and one inside by how unusual it is.
    whitening = np.sqrt(spread / _OUTSIDE) * np.linalg.inv(np.linalg.cholesky(shrunk)).astype(np.float32)
    places = inside @ whitening.T
    most = max(1, min(_CENTRES_OF_A_CLASS, _CENTRES // len(classes)))
    centres = [_centres(places[labels == one], most) for one in classes]
    return Familiarity(
        mean=mean.astype(np.float32),
        basis=np.ascontiguousarray(basis, np.float32),
        whitening=whitening.astype(np.float32),
        centres=np.stack([np.resize(one, (max(map(len, centres)), width)) for one in centres]).astype(np.float32),
        quantiles=np.empty(0, np.float32),
        held_out=0,
    )


def _centres(places: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Return centres of the photos of one class, half as many as there are different photos, at most `most`."""
    from sklearn.cluster import KMeans

    count = min(most, -(-len(np.unique(places, axis=0)) // 2))
    centres: NDArray[np.float32] = KMeans(count, n_init=1, random_state=0).fit(places).cluster_centers_
    return centres


def _increasing(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the quantiles of distances, float32 `[SHARES]`, each larger than the one before.

    Equal distances make equal quantiles, and a step of no width could not be divided by.
    """
    quantiles = np.quantile(distances.astype(np.float64), np.linspace(0, 1, SHARES)).astype(np.float32)
    for index in range(1, SHARES):
        before = quantiles[index - 1]
        quantiles[index] = max(quantiles[index], before * np.float32(1 + 1e-6), before + np.float32(TINY))
    return quantiles
