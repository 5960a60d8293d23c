"""How far a share may be off: 95 % intervals, also for photos that come in recordings.

A hundred photos of one recording are nearly one photo: all of them are named correctly, or none. An interval that
counts photos is then far too narrow, so `clustered` counts what they are worth together.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Z = 1.959963984540054
# 97.5 % points of Student's t by degrees of freedom; between them it is nearly a straight line in 1 / df.
_T = (
    *((1, 12.70620), (2, 4.30265), (3, 3.18245), (4, 2.77645), (5, 2.57058), (6, 2.44691), (7, 2.36462)),
    *((8, 2.30600), (9, 2.26216), (10, 2.22814), (12, 2.17881), (15, 2.13145), (20, 2.08596), (30, 2.04227)),
    *((60, 2.00030), (120, 1.97993), (math.inf, _Z)),
)


def wilson(correct: float, total: float) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a share (Wilson 1927, without continuity correction).

    Args:
        correct: number of successes; need not be whole.
        total: number of trials, more than none.

    Raises:
        ValueError: there are no trials, or more successes than trials.
    """
    if not 0 <= correct <= total or not total:
        raise ValueError(f"{correct} of {total} is no share")
    share = correct / total
    middle = (share + _Z * _Z / (2 * total)) / (1 + _Z * _Z / total)
    reach = _Z / (1 + _Z * _Z / total) * math.sqrt(share * (1 - share) / total + _Z * _Z / (4 * total * total))
    # At the ends the two terms are equal, and rounding must not leave a crumb.
    return middle - reach if correct else 0.0, middle + reach if correct < total else 1.0


# How alike the answers within a recording are taken to be before anything was seen (intraclass correlation), and how
# many recordings with mistakes, or with none but mistakes, outweigh that.
_ALIKE = 0.5
_WEIGHT = 2.0


def clustered(correct: NDArray[np.bool_], groups: Sequence[str]) -> tuple[float, float]:
    """Return the ends of the 95 % interval of the share of photos named correctly, when photos come in recordings.

    Wilson's interval for the effective number of photos: the number tested, divided by the design effect (how much
    more the share varies from recording to recording than it would among unrelated photos; Kish 1965), and reduced by
    the quantile of Student's t for so few recordings (Korn and Graubard 1998; Dean and Pagano 2015 found it the best
    of those around Wilson's). Where hardly a recording has a mistake the design effect cannot be measured; it is drawn
    towards the one of answers that agree by half within a recording. The interval is never narrower than Wilson's for
    the photos counted one by one.

    Args:
        correct: whether each photo was named correctly, bool `[M]`, at least one.
        groups: recording of each.

    Raises:
        ValueError: nothing was tested, or the lengths differ.
    """
    total = len(correct)
    if not total or total != len(groups):
        raise ValueError(f"{total} answers, {len(groups)} groups")
    number: dict[str, int] = {}
    index = np.fromiter((number.setdefault(group, len(number)) for group in groups), np.int64, total)
    sizes = np.bincount(index).astype(np.float64)
    right = np.bincount(index, weights=correct)
    share = float(right.sum()) / total
    effective = min(float(total), _effective(sizes, right, share))
    return wilson(share * effective, effective) if 0 < share < 1 else wilson(effective * round(share), effective)


def _effective(sizes: NDArray[np.float64], right: NDArray[np.float64], share: float) -> float:
    """Return the number of unrelated photos that so many in so many recordings are worth."""
    total = float(sizes.sum())
    # So many recordings of one size would be worth as much as these.
    recordings = total * total / float((sizes * sizes).sum())
    # Of recordings that agree by half, weighed by the photos in them.
    expected = 1 + (total / recordings - 1) * _ALIKE
    informative = float(np.minimum((right > 0).sum(), (right < sizes).sum()))
    count = len(sizes)
    if count > 1 and 0 < share < 1:
        between = float(((right - share * sizes) ** 2).sum()) * count / (count - 1)
        measured = max(1.0, between / (total * share * (1 - share)))
    else:
        measured = expected
    effect = (_WEIGHT * expected + informative * measured) / (_WEIGHT + informative)
    return total / effect * (_Z / _student(recordings - 1)) ** 2


def _student(freedom: float) -> float:
    """Return the 97.5 % point of Student's t."""
    places = [1 / df for df, _ in reversed(_T)]
    return float(np.interp(1 / max(1.0, freedom), places, [value for _, value in reversed(_T)]))
