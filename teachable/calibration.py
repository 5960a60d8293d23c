"""Whether 80 % sure means right in 80 of 100 cases, and the one number that mends it.

It owns the temperature, the calibration error and the reliability curve. They come from photos a head never saw; whose
logits these are is `teachable.evaluation`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from teachable.scores import Calibration, CalibrationBin
from teachable.types import Head, Labels

FEWEST = 20
"""Photos tested, below which nothing is said about probabilities."""
BINS = 10
ENOUGH = 10_000
"""Photos a temperature is found from, at most, evenly spread: one number needs no more."""
SHOWN = 8
"""Photos in a range, below which it is joined to the next: one photo is right or wrong, and its point is noise."""
_COLDEST, _HOTTEST = 0.05, 20.0
_STEPS = 60

Logits = NDArray[np.float32]


def fit(logits: Logits, labels: Labels, folds: NDArray[np.int64]) -> Calibration | None:
    """Find the temperature and say how far probabilities are off with and without it.

    Args:
        logits: of photos held out, float32 `[M, K]`.
        labels: int64 `[M]`, index of the class of each.
        folds: in which fold each was held out, int64 `[M]`.

    Returns:
        None where fewer than `FEWEST` photos were tested, or all in one fold, so that nothing is left to check with.
    """
    parts = np.unique(folds)
    if len(labels) < FEWEST or len(parts) < 2:
        return None
    after = np.empty((len(labels), logits.shape[1]))
    for part in parts:
        tested = folds == part
        after[tested] = probabilities(logits[tested], temperature(logits[~tested], labels[~tested]))
    sure, right = after.max(axis=1), after.argmax(axis=1) == labels
    before = probabilities(logits)
    return Calibration(
        temperature(logits, labels),
        error(before.max(axis=1), before.argmax(axis=1) == labels),
        error(sure, right),
        joined(reliability(sure, right)),
    )


def temperature(logits: Logits, labels: Labels) -> float:
    """Return what to divide logits by so that the true classes are most probable (Guo et al. 2017).

    The true class is to get 1 - 1/(n + 2) instead of 1, with n photos (Platt 1999): otherwise a test without a mistake
    would ask for endless certainty.

    Args:
        logits: float32 `[M, K]`, at least one row.
        labels: int64 `[M]`.
    """
    if len(labels) > ENOUGH:
        rows = np.linspace(0, len(labels) - 1, ENOUGH).round().astype(np.int64)
        logits, labels = logits[rows], labels[rows]
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    missing = 1 / (len(labels) + 2)
    others = (scores.sum(axis=1) - scores[np.arange(len(labels)), labels]) / max(1, scores.shape[1] - 1)
    wanted = float(((1 - missing) * scores[np.arange(len(labels)), labels] + missing * others).mean())
    # The loss is convex in the inverse temperature; its slope is the expected score less the wanted one.
    low, high = 1 / _HOTTEST, 1 / _COLDEST
    for _ in range(_STEPS):
        middle = (low + high) / 2
        powers = np.exp(scores * middle)
        slope = float(((powers * scores).sum(axis=1) / powers.sum(axis=1)).mean()) - wanted
        low, high = (middle, high) if slope < 0 else (low, middle)
    return 2 / (low + high)


def scaled(head: Head, temperature: float) -> Head:
    """Return a head whose logits are those of the given one, divided by a temperature above zero."""
    if not temperature > 0:
        raise ValueError(f"a temperature is above zero, not {temperature}")
    last = head.layers[-1]
    part = np.float32(1 / temperature)
    return Head((*head.layers[:-1], replace(last, weight=last.weight * part, bias=last.bias * part)))


def error(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error (Naeini et al. 2015) over `BINS` ranges of equal width, 0 to 1.

    Args:
        sure: probability of the class each photo was named, `[M]`.
        right: whether that was correct, bool `[M]`.
    """
    return sum(one.count * abs(one.confidence - one.accuracy) for one in reliability(sure, right)) / len(right)


def reliability(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[CalibrationBin, ...]:
    """Return what became of photos that were named about equally surely, ranges without a photo left out."""
    places = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    found = []
    for place in np.unique(places).tolist():
        inside = places == place
        bounds = (place / BINS, (place + 1) / BINS)
        found.append(
            CalibrationBin(*bounds, float(sure[inside].mean()), float(right[inside].mean()), int(inside.sum()))
        )
    return tuple(found)


def joined(bins: Sequence[CalibrationBin], fewest: int = SHOWN) -> tuple[CalibrationBin, ...]:
    """Return ranges, from low to high, joined to their neighbours until each but a single one has enough photos.

    Args:
        bins: ranges with photos.
        fewest: photos that are enough.
    """
    found: list[CalibrationBin] = []
    for one in bins:
        if found and found[-1].count < fewest:
            one = _both(found.pop(), one)
        found.append(one)
    if len(found) > 1 and found[-1].count < fewest:
        last = found.pop()
        found[-1] = _both(found[-1], last)
    return tuple(found)


def _both(low: CalibrationBin, high: CalibrationBin) -> CalibrationBin:
    count = low.count + high.count
    sure = (low.confidence * low.count + high.confidence * high.count) / count
    right = (low.accuracy * low.count + high.accuracy * high.count) / count
    return CalibrationBin(low.low, high.high, sure, right, count)


def probabilities(logits: Logits, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return what a head says in shares, float64 `[M, K]`, of its logits float32 `[M, K]`; there may be none."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)
