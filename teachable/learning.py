"""What more photos would bring: accuracy with fewer photos, measured, and with more, extrapolated.

It owns the learning curve. Which photos are tested is decided before (`teachable.folds`); intervals of what was
measured are those of `teachable.intervals`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from teachable import folds, heads, intervals
from teachable.evidence import Evidence

Trend = Literal["rising", "flat", "unclear"]
Lack = Literal["gone", "untested", "photos", "recordings", "parts"]

PARTS = (0.125, 0.25, 0.5)
"""Parts of the photos of each class that are learned from."""
MULTIPLES = (2, 4)
"""Times the photos there are to which the curve is extrapolated."""

TESTED, RECORDINGS = 20, 4
"""Photos, and recordings, that must have been tested."""
# Photos of a class to learn from, below which a part says nothing.
_FEWEST = 2
# Points that a curve of three parameters needs.
_POINTS = 3
LEARNED = round(_FEWEST / sorted(PARTS)[1 - _POINTS])
"""Photos per class that must have been learned from, on average, so that there are parts enough."""
# Photos up to which a part is chosen twice; with more, one choice is as good as another.
_REPEATED, _REPEATS = 500, 2
# Exponents that are tried. Accuracy usually grows with about the square root (Hestness et al. 2017): the others must be
# better by more than the chance there is in the measurement.
_EXPONENTS, _USUAL = np.geomspace(0.1, 2.0, 20), 0.5
# Part of the variance of a share that comes from which photos were learned from, not from which were tested.
_CHOICE = 0.5
_RESAMPLED = 500
# Gain from twice the photos that is worth the effort, and that is not.
_WORTH, _NOT_WORTH = 0.01, 0.03
# An expectation from one end to the other that is too wide to advise against more photos. Of a few recordings the gain
# may seem sure, because none of them changed its mind; the width of the expectation is what counts them.
_WIDE = 0.3


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy with a number of photos per class.

    Attributes:
        photos: per class, on average.
        share: of held-out photos named correctly.
        low: lower end of the 95 % interval.
        high: upper end of it.
        measured: by leaving photos out; otherwise it is extrapolated.
    """

    photos: float
    share: float
    low: float
    high: float
    measured: bool


@dataclass(frozen=True)
class Curve:
    """Accuracy against photos per class.

    Attributes:
        points: from few photos to many. The last measured one is the test itself, whose heads learned from the photos
            outside their fold, with the interval of the test. The two after it are extrapolated to twice and four times
            the photos there are.
        gain: what twice the photos would probably add to the accuracy.
        gain_low: lower end of its 95 % interval.
        gain_high: upper end of it.
    """

    points: tuple[CurvePoint, ...]
    gain: float
    gain_low: float
    gain_high: float

    @property
    def ahead(self) -> CurvePoint:
        """What twice the photos would probably bring."""
        return next((one for one in self.points if not one.measured), self.points[-1])

    @property
    def trend(self) -> Trend:
        """Whether more photos are worth the effort; `unclear` where the intervals allow for both."""
        if self.gain_high < _NOT_WORTH:
            return "unclear" if self.ahead.high - self.ahead.low > _WIDE else "flat"
        return "rising" if self.gain_low > 0 and self.gain >= _WORTH else "unclear"


def curve(evidence: Evidence, on_progress: Callable[[float], None]) -> Curve | None:
    """Find out how accuracy grows with the photos, by learning from a part of them and testing as before.

    A part is taken as if a person had stopped earlier: whole recordings, the last of them cut short. Accuracy is taken
    to be `a - b n^-c` of n photos per class (Cortes et al. 1993), fitted by least squares. Intervals come from drawing
    recordings (Efron 1979), errors of the measurement and the usual exponent anew, and no extrapolation is taken to be
    surer than the measurement it starts from.

    Args:
        evidence: the photos and what the test said about them.
        on_progress: called with the share that is done, 0 to 1; an exception it raises reaches the caller.

    Returns:
        The curve; None where too few photos or recordings were tested, or where there are too few to leave any out.

    Raises:
        InvalidInput: as `heads.fit`.
    """
    labels, places = evidence.labels, evidence.folds
    tested = evidence.tested
    recordings = [evidence.groups[row] for row in tested.tolist()]
    if lack(labels, tested, places[tested], recordings, evidence.class_count):
        return None
    full = learned(len(labels), places[tested], evidence.class_count)
    parts = [part for part in PARTS if part * full >= _FEWEST]
    answers = [
        *_measure(evidence, tested, parts, on_progress),
        (evidence.logits[tested].argmax(axis=1) == labels[tested])[None],
    ]
    photos = full * np.array([*parts, 1.0])
    # Heads of the others learned from what they learned from: only the test stands for the finished model.
    missing = [0.0] * len(parts) + [float(folds.left_out(labels, tested, places[tested]).mean())]
    points = [_point(*one, recordings) for one in zip(photos, answers, missing, strict=True)]
    now = len(labels) / evidence.class_count
    return _extrapolated(points, photos, np.stack([one.mean(axis=0) for one in answers]), recordings, now)


def learned(photos: int, places: NDArray[np.int64], class_count: int) -> float:
    """Return how many photos per class the heads of a test learned from, on average.

    Args:
        photos: there are.
        places: fold of each photo tested, int64 `[M]`, at least one.
        class_count: number of classes.
    """
    _, sizes = np.unique(places, return_counts=True)
    return float(np.average(photos - sizes, weights=sizes)) / class_count


def lack(
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
    recordings: Sequence[str],
    class_count: int,
) -> Lack | None:
    """Return what is lacking for a learning curve, or None.

    Args:
        labels: class of each photo, int64 `[N]`.
        rows: of the photos tested, int64 `[M]`.
        places: in which fold each of these was tested, int64 `[M]`.
        recordings: of each of these.
        class_count: number of classes.

    Returns:
        `gone`: photos of a class; `untested`: any test; `photos`, `recordings`: enough of them that were tested;
        `parts`: photos of each class, so that some can be left out.
    """
    if class_count < 2 or not np.bincount(labels, minlength=class_count).all():
        return "gone"
    if not len(rows):
        return "untested"
    if len(rows) < TESTED:
        return "photos"
    if len(set(recordings)) < RECORDINGS:
        return "recordings"
    return "parts" if learned(len(labels), places, class_count) < LEARNED else None


def _measure(
    evidence: Evidence, tested: NDArray[np.int64], parts: Sequence[float], on_progress: Callable[[float], None]
) -> list[NDArray[np.bool_]]:
    """Return, for every part, which of the tested photos were named correctly, bool `[repeats, M]`."""
    labels, places = evidence.labels, evidence.folds
    repeats = _REPEATS if len(labels) <= _REPEATED else 1
    found = [np.zeros((repeats, len(tested)), np.bool_) for _ in parts]
    folds = np.unique(places[tested]).tolist()
    done, total = 0.0, repeats * sum(parts) * len(folds)
    for place in folds:
        held = np.flatnonzero(places[tested] == place)
        rest = np.flatnonzero(places != place)
        for repeat in range(repeats):
            order = _order(evidence, rest, np.random.default_rng([evidence.settings.seed, place, repeat]))
            for index, part in enumerate(parts):
                rows = _part(order, labels, part)
                fitted = heads.fit(evidence.embeddings[rows], labels[rows], evidence.class_count, evidence.settings)
                said = heads.logits(fitted.head, evidence.embeddings[tested[held]]).argmax(axis=1)
                found[index][repeat, held] = said == labels[tested[held]]
                done += part
                on_progress(done / total)
    return found


def _order(evidence: Evidence, rows: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Return rows in a random order in which those of one recording follow each other."""
    numbers: dict[str, int] = {}
    groups = np.array([numbers.setdefault(evidence.groups[row], len(numbers)) for row in rows.tolist()], np.int64)
    return rows[np.lexsort((generator.permutation(len(rows)), generator.permutation(len(numbers))[groups]))]


def _part(order: NDArray[np.int64], labels: NDArray[np.int64], part: float) -> NDArray[np.int64]:
    """Return the first rows of every class, at least one, ascending."""
    taken = []
    for index in np.unique(labels[order]).tolist():
        own = order[labels[order] == index]
        taken.append(own[: max(1, round(part * len(own)))])
    return np.sort(np.concatenate(taken))


def _point(photos: float, correct: NDArray[np.bool_], missing: float, recordings: Sequence[str]) -> CurvePoint:
    """Return what was measured with so many photos, `correct` bool `[repeats, M]`; see `intervals.clustered`."""
    ends = np.array([intervals.clustered(one, recordings, missing) for one in correct]).mean(axis=0)
    return CurvePoint(float(photos), float(correct.mean()), float(ends[0]), float(ends[1]), True)


def _extrapolated(
    points: Sequence[CurvePoint],
    photos: NDArray[np.float64],
    correct: NDArray[np.float64],
    recordings: Sequence[str],
    now: float,
) -> Curve:
    """Go on with the curve.

    Args:
        points: measured.
        photos: per class at each, float64 `[P]`.
        correct: how often each tested photo was named correctly, float64 `[P, M]`.
        recordings: of each tested photo.
        now: photos per class there are.
    """
    sizes = np.array([now, *(multiple * now for multiple in MULTIPLES)])
    numbers: dict[str, int] = {}
    groups = np.array([numbers.setdefault(one, len(numbers)) for one in recordings], np.int64)
    sums = np.stack([np.bincount(groups, weights=one, minlength=len(numbers)) for one in correct])
    # The first row is what was measured; in the others some recordings count several times and some not at all.
    count = len(numbers)
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(count, np.full(count, 1 / count), _RESAMPLED)
    weights = np.vstack([np.ones(count), drawn])
    shares = (weights @ sums.T) / (weights @ np.bincount(groups))[:, None]
    chance = max(1.0, float(len(recordings) * shares[0, -1] * (1 - shares[0, -1]))) / len(recordings) ** 2
    shares[1:] = np.clip(shares[1:] + generator.normal(0, math.sqrt(_CHOICE * chance), shares[1:].shape), 0, 1)
    usual = np.append(_USUAL, _USUAL * 2 ** generator.normal(size=_RESAMPLED))
    steps = _fitted(photos, shares, np.append(photos[-1], sizes), usual, chance)
    # From what was measured last on, so that more photos are never said to be worse than those there are.
    ahead = np.clip(shares[:, -1:] + steps[:, 1:] - steps[:, :1], 0, 1)
    gains = ahead[:, 1] - ahead[:, 0]
    last = points[-1]
    further = []
    for size, values in zip(sizes[1:], ahead[:, 1:].T, strict=True):
        share = float(values[0])
        low, high = np.quantile(values[1:], (0.025, 0.975))
        low = min(float(low), share - (last.share - last.low))
        high = max(float(high), share + (last.high - last.share))
        further.append(CurvePoint(float(size), share, max(0.0, low), min(1.0, high), False))
    gain = float(gains[0])
    low, high = (float(end) for end in np.quantile(gains[1:], (0.025, 0.975)))
    return Curve((*points, *further), gain, min(low, gain), max(high, gain))


def _fitted(
    photos: NDArray[np.float64],
    shares: NDArray[np.float64],
    sizes: NDArray[np.float64],
    usual: NDArray[np.float64],
    chance: float,
) -> NDArray[np.float64]:
    """Fit `a - b n^-c`, b never negative and a at most 1, and return its values.

    Args:
        photos: n, float64 `[P]`.
        shares: what is fitted, one curve per row, float64 `[B, P]`.
        sizes: n of the values wanted, float64 `[S]`.
        usual: exponent to prefer for each curve, float64 `[B]`.
        chance: variance of a share.

    Returns:
        float64 `[B, S]`.
    """
    best = np.full(len(shares), np.inf)
    values = np.zeros((len(shares), len(sizes)))
    for exponent in _EXPONENTS:
        powers = photos**-exponent
        away = powers - powers.mean()
        slope = np.maximum(0, -(shares @ away) / (away @ away))
        top = shares.mean(axis=1) + slope * powers.mean()
        # Nothing is named better than all of it: then the curve ends at 1, and only the slope is free.
        above = top > 1
        slope[above] = (1 - shares[above]) @ powers / (powers @ powers)
        top[above] = 1
        errors = ((shares - top[:, None] + slope[:, None] * powers) ** 2).sum(axis=1)
        errors += chance * np.log2(exponent / usual) ** 2
        better = errors < best
        best[better] = errors[better]
        values[better] = top[better, None] - slope[better, None] * sizes**-exponent
    return values
