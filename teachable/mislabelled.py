"""Photos that are probably in the wrong class.

It owns that judgement. It gives no second chance to photos whose recording was not tested: nothing is known about them.
"""

import math
from collections.abc import Container, Iterator

import numpy as np
from numpy.typing import NDArray

from teachable import calibration
from teachable.evidence import Evidence, Suspect, weight

TESTED_AT_LEAST = 20
"""Photos below which nothing is said."""

# Found by `tests/benchmarks/report.py` on three sets of real photos, in one of which a third of all answers are wrong:
# what is named below finds wrong labels mixed in with few photos that are merely odd.
#
# Head and neighbours together must favour the other class by e^4.3, where one answer in twenty is wrong, and by as many
# times more as wrong answers are more frequent.
_ODDS, _USUAL = 4.3, 0.05
# Share of the other class's own photos that must lie farther from their class than the photo does.
_TYPICAL = 0.2
_NEIGHBOURS, _NEAREST = 20, 5
_CANDIDATES, _REFERENCE, _AT_ONCE = 2000, 300, 256


def mislabelled(evidence: Evidence, known: Container[int]) -> Iterator[Suspect]:
    """Find photos that head and neighbours agree to be of another class, of which they would be no odd member.

    Both give odds: the head those of its probabilities, calibrated and of recordings it never saw, as in confident
    learning (Northcutt, Jiang and Chuang 2021); the photos nearest in other recordings those of their classes.

    Args:
        evidence: the photos.
        known: rows that are suspected already, of something that explains it.
    """
    counts = np.bincount(evidence.labels, minlength=evidence.class_count)
    tested = evidence.tested
    if len(tested) < TESTED_AT_LEAST or evidence.class_count < 2:
        return
    shares = calibration.probabilities(evidence.logits[tested])
    labels = evidence.labels[tested]
    each = np.arange(len(tested))
    given = shares[each, labels].copy()
    shares[each, labels] = -1
    target, sure = shares.argmax(axis=1), shares.max(axis=1)
    wrong = max(float((sure > given).mean()), 1 / len(tested))
    head = np.log(sure + 1e-4) - np.log(given + 1e-4)
    picked = np.flatnonzero((head > 0) & [row not in known for row in tested.tolist()])
    picked = picked[np.argsort(-head[picked], kind="stable")[:_CANDIDATES]]
    around, typical = _surroundings(evidence, tested[picked], target[picked], counts)
    odds = head[picked] + around
    told = (odds > _ODDS + math.log(max(wrong, 0.02) / _USUAL)) & (typical >= _TYPICAL)
    rank = odds + 2 * np.log(typical + 0.05)
    pairs: dict[tuple[int, int], list[int]] = {}
    for at in np.flatnonzero(told)[np.argsort(-rank[told], kind="stable")].tolist():
        pairs.setdefault((int(labels[picked[at]]), int(target[picked[at]])), []).append(at)
    for (one, other), places in pairs.items():
        # As sure as the surest of them: one photo that is certainly wrong matters more than two that may be.
        worst = min(2.0, max(0.1, float(rank[places].max()) / 6))
        yield Suspect(
            "mislabelled",
            (one, other),
            tuple(int(row) for row in tested[picked[places]]),
            other,
            {"count": len(places), "sure": float(sure[picked[places]].mean())},
            worst * weight("mislabelled", len(places) / int(counts[one])),
        )


def _surroundings(
    evidence: Evidence, rows: NDArray[np.int64], target: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Look at the photos nearest to some, recordings of their own left out.

    Returns:
        The logarithm of the odds that these give to the target over the class the photo is in, float64 `[C]`, and the
        share of the target's own photos that are farther from their class than the photo is, float64 `[C]`.
    """
    directions = evidence.embeddings - evidence.embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    numbers: dict[str, int] = {}
    groups = np.array([numbers.setdefault(group, len(numbers)) for group in evidence.groups], np.int64)
    nearest = int(np.clip(np.median(counts[counts > 0]) // 2, _NEAREST, _NEIGHBOURS))
    nearest = min(nearest, len(directions) - 1)
    around, closeness = np.zeros(len(rows)), np.full(len(rows), -np.inf)
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        alike = directions[rows[part]] @ directions.T
        alike[groups[rows[part]][:, None] == groups[None]] = -np.inf
        closest = np.argpartition(-alike, nearest - 1, axis=1)[:, :nearest]
        seen = np.isfinite(np.take_along_axis(alike, closest, axis=1))
        own, others = evidence.labels[rows[part]][:, None], target[part][:, None]
        votes = (((evidence.labels[closest] == one) & seen).sum(axis=1) + 0.5 for one in (others, own))
        around[part] = np.log(next(votes)) - np.log(next(votes))
        for index in np.unique(target[part]).tolist():
            mine = np.flatnonzero(target[part] == index)
            closeness[start + mine] = _closeness(alike[np.ix_(mine, np.flatnonzero(evidence.labels == index))])
    typical = np.zeros(len(rows))
    for index in np.unique(target).tolist():
        members = np.flatnonzero(evidence.labels == index)
        some = members[np.linspace(0, len(members) - 1, min(_REFERENCE, len(members))).astype(np.int64)]
        alike = directions[some] @ directions[members].T
        alike[groups[some][:, None] == groups[members][None]] = -np.inf
        usual = _closeness(alike)
        mine = np.flatnonzero(target == index)
        # A class of one recording has no photos that say what is usual across recordings: then nothing is typical.
        if np.isfinite(usual).any():
            typical[mine] = (usual[None] <= closeness[mine][:, None]).mean(axis=1)
    return around, typical


def _closeness(alike: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean similarity to the nearest few of a class, -inf where it has none, float64 `[C]`."""
    few = min(_NEAREST, alike.shape[1])
    if not few:
        return np.full(len(alike), -np.inf)
    best = -np.partition(-alike, few - 1, axis=1)[:, :few].astype(np.float64)
    found = np.isfinite(best)
    sums = np.where(found, best, 0).sum(axis=1)
    return np.where(found.any(axis=1), sums / np.maximum(found.sum(axis=1), 1), -np.inf)
