"""Frozen records of what a test says about a model: counts, intervals, calibration and the photos one by one.

They hold data and say what it means; measuring is `teachable.evaluation`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Outcomes:
    """What the test of a training said about every photo it tested, each by a head that never saw its recording.

    Attributes:
        rows: of the photos tested, among those trained on, int64 `[M]`, ascending.
        folds: in which fold each was held out, int64 `[M]`.
        logits: before calibration, float32 `[M, K]`.
    """

    rows: NDArray[np.int64]
    folds: NDArray[np.int64]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class EpochPoint:
    """State after one epoch. Held-out values are None where nothing could be held out.

    Attributes:
        epoch: from 1.
        loss: mean cross-entropy on the photos trained on.
        accuracy: share of the photos trained on that are named correctly.
        held_out_loss: mean cross-entropy on photos held out.
        held_out_accuracy: share of the photos held out that are named correctly.
    """

    epoch: int
    loss: float
    accuracy: float
    held_out_loss: float | None = None
    held_out_accuracy: float | None = None


@dataclass(frozen=True)
class ClassScore:
    """Held-out result of one class.

    Attributes:
        correct: photos named correctly.
        total: photos held out; 0 where the class could not be judged.
    """

    correct: int
    total: int


@dataclass(frozen=True)
class CalibrationBin:
    """Tested photos whose most probable class had a probability in one range.

    Attributes:
        low: of the range.
        high: of it.
        confidence: mean probability of the class that was named.
        accuracy: share of them named correctly.
        count: photos.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True)
class Calibration:
    """Whether 80 % means right in 80 of 100 cases.

    Attributes:
        temperature: the logits are divided by it (Guo et al. 2017); folded into the head.
        before: expected calibration error without it, 0 to 1.
        after: the same with it, each fold with a temperature fitted on the others.
        bins: reliability of the probabilities with it, the empty ones left out and those of few photos joined.
    """

    temperature: float
    before: float
    after: float
    bins: tuple[CalibrationBin, ...]


@dataclass(frozen=True)
class TestScore:
    """How the finished model did on photos marked never to be trained on.

    Attributes:
        correct: photos named correctly.
        total: photos.
        low: lower end of the 95 % interval.
        high: upper end of it.
        per_class: one score per class, in the order of the model.
        confusion: counts, row true class, column predicted class.
        leaking: photos left out of all this, because photos of the same recording, or near-duplicates, were trained on.
        ranges: ends of the 95 % interval of the share of each class, None where none of it was tested; empty in models
            of before, which did not keep of which recordings the photos were.
    """

    correct: int
    total: int
    low: float
    high: float
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    leaking: int
    ranges: tuple[tuple[float, float] | None, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """What is honestly known about accuracy.

    Attributes:
        accuracy: share of held-out photos named correctly, or None if no class could be judged.
        low: lower end of the 95 % interval; `teachable.intervals` says by which method.
        high: upper end of it.
        held_out: number of held-out photos; each was named by a head that saw none of its recording.
        correct: how many of them were named correctly.
        per_class: one score per trained class, in the order of the model; total 0 where it could not be judged.
        confusion: counts, row true class, column predicted class.
        unjudged: indices of classes with a single group, which cannot be judged.
        history: one point per epoch of the first model that was tested.
        folds: times a part was held out; 0 in models of before, which held out one part once.
        recordings: groups after near-duplicates were joined, or 0 where that was not done.
        joined: photos that near-duplicates brought into a recording together with those of another.
        calibration: of the probabilities, or None where too little was tested.
        test: how the finished model did on the test set, or None where there is none.
        merged: indices of classes of which a single group was left only by joining near-duplicates.
    """

    accuracy: float | None
    low: float | None
    high: float | None
    held_out: int
    correct: int
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    unjudged: tuple[int, ...]
    history: tuple[EpochPoint, ...]
    folds: int = 0
    recordings: int = 0
    joined: int = 0
    calibration: Calibration | None = None
    test: TestScore | None = None
    merged: tuple[int, ...] = ()
