"""Which photos are tested together in cross-validation: whole recordings, every class spread as evenly as they allow.

scikit-learn's StratifiedGroupKFold has the same aim, but may put all recordings of a class with few of them into one
fold, which leaves nothing of it to learn from, and refuses classes with fewer photos than folds.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachable.types import Labels

FOLDS = 5
ALWAYS = -1
"""Fold of the photos that are always learned from and never tested."""
KEPT = 5
"""One of so many photos of a class, at least, is learned from in every fold; a test after less would slander it."""


def assign(labels: Labels, groups: Sequence[str], seed: int = 0, folds: int = FOLDS) -> NDArray[np.int64]:
    """Give every recording the fold in which it is tested.

    A recording is in one fold with all its photos, of whatever class. Every class keeps a fifth of its photos to learn
    from in every fold; a recording without which it would not, the only one of a class for example, is never tested.
    All others are tested exactly once.

    Args:
        labels: int64 `[N]`, index of the class of each row.
        groups: recording of each row; what they are called does not matter.
        seed: of the chance in it.
        folds: how many, at least two.

    Returns:
        Fold of each row, from 0, or `ALWAYS`, int64 `[N]`.

    Raises:
        ValueError: labels and groups differ in length, or fewer than two folds.
    """
    if len(labels) != len(groups):
        raise ValueError(f"{len(labels)} labels, but {len(groups)} groups")
    if folds < 2:
        raise ValueError("there must be at least two folds")
    number: dict[str, int] = {}
    index = np.fromiter((number.setdefault(group, len(number)) for group in groups), np.int64, len(groups))
    sizes: list[Counter[int]] = [Counter() for _ in number]
    for group, label in zip(index.tolist(), labels.tolist(), strict=True):
        sizes[group][label] += 1
    order = np.random.default_rng(seed).permutation(len(sizes)).tolist()
    return np.array(_deal(sizes, order, folds), np.int64)[index] if len(index) else np.empty(0, np.int64)


def left_out(labels: Labels, rows: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return which part of its class the head that named each photo tested had not learned from.

    Args:
        labels: int64 `[N]`, index of the class of each photo.
        rows: of the photos tested, int64 `[M]`.
        places: in which fold each of these was tested, int64 `[M]`.

    Returns:
        0 to 1, float64 `[M]`; the mean over photos is what `intervals.clustered` asks for as `missing`.
    """
    if not len(rows):
        return np.empty(0)
    _, fold = np.unique(places, return_inverse=True)
    own = labels[rows]
    tested = np.zeros((int(own.max()) + 1, int(fold.max()) + 1), np.int64)
    np.add.at(tested, (own, fold), 1)
    return tested[own, fold] / np.bincount(labels)[own]


def _deal(sizes: list[Counter[int]], order: list[int], folds: int) -> list[int]:
    """Return the fold of each recording, from its photos per class, trying them in an order of chance."""
    members: dict[int, list[int]] = {}
    total: Counter[int] = Counter()
    for group, size in enumerate(sizes):
        total.update(size)
        for label in size:
            members.setdefault(label, []).append(group)
    chosen = [ALWAYS] * len(sizes)
    held: list[Counter[int]] = [Counter() for _ in range(folds)]
    filled = [0] * folds
    # Classes with few recordings have the least choice, large recordings the most weight.
    scarce = {group: min(len(members[label]) for label in size) for group, size in enumerate(sizes)}
    for group in sorted(order, key=lambda group: (scarce[group], -sizes[group].total())):
        size = sizes[group]
        open_folds = [
            fold
            for fold in range(folds)
            if all(KEPT * (total[label] - held[fold][label] - size[label]) >= total[label] for label in size)
        ]
        if open_folds:
            fold = min(
                open_folds, key=lambda fold: (sum(held[fold][label] / total[label] for label in size), filled[fold])
            )
            chosen[group] = fold
            held[fold].update(size)
            filled[fold] += size.total()
    return chosen
