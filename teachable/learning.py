"""What more photos would bring: accuracy with fewer photos, measured, and with more, extrapolated.

It owns the learning curve. Which photos are tested is decided before (`teachable.folds`); intervals of what was
measured are those of `teachable.intervals`.
"""

from dataclasses import dataclass
from typing import Literal

Trend = Literal["rising", "flat", "unclear"]


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
        points: from few photos to many; the last two are extrapolated to twice and four times the photos there are.
        gain: what twice the photos would probably add to the accuracy.
        gain_low: lower end of its 95 % interval.
        gain_high: upper end of it.
        trend: whether that is worth the effort; `unclear` where the interval allows for both.
    """

    points: tuple[CurvePoint, ...]
    gain: float
    gain_low: float
    gain_high: float
    trend: Trend
