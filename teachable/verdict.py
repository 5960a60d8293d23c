"""What a comparison of networks says: a row of figures for each, and which one to use.

It owns the test of whether a lead is more than chance, and the advice. Taking the figures is `teachable.comparison`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachable.words import say

Hits = NDArray[np.bool_]
"""Which of the held-out photos a network named correctly, bool `[M]`; the same photos in the same order for all."""

# A lead that chance alone brings about less often counts as one.
CHANCE = 0.05
# Two times that differ by less count as equal: the next measurement may turn them round.
EQUAL_TIME = 1.25
# With fewer test photos only very large leads pass that test, and failing it says little: then a lead counts as soon as
# it is more likely real than not. A network that names 4 of 8 is not to be advised over one that names all of them.
FEW = 30
EVEN_ODDS = 0.5


@dataclass(frozen=True)
class ComparisonRow:
    """One network in a comparison.

    Attributes:
        id: of the network.
        title: in words.
        accuracy: share of held-out photos named correctly, or None if it was not tested.
        low: lower end of its 95 % interval.
        high: upper end of it.
        correct: held-out photos named correctly.
        held_out: held-out photos, the same ones for every network.
        native_ms: milliseconds for one photo in this program, on one core, as measured now, or None if that failed.
        browser_ms: milliseconds for one photo in a browser of this computer, or None if that was never measured.
        size_bytes: of the ONNX file, and so roughly of every model made with it.
        in_use: the project is taught with it.
        reason: why it could not be compared, in words, or None.
    """

    id: str
    title: str
    accuracy: float | None
    low: float | None
    high: float | None
    correct: int
    held_out: int
    native_ms: float | None
    browser_ms: float | None
    size_bytes: int
    in_use: bool
    reason: str | None


@dataclass(frozen=True)
class Advice:
    """Which network to use.

    Attributes:
        id: of the network, or None where the figures do not say.
        message: the same in words, with the reason and the cost.
    """

    id: str | None
    message: str


def mcnemar(one: Hits, other: Hits) -> float:
    """Return how often chance alone would part two networks at least this far on the same photos.

    The exact two-sided test of McNemar ("Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947): only photos that one of the two named correctly and the other did not tell
    them apart, and if they were equally good each of those would fall to either like a coin. It takes photos as if
    independent, as the interval of the accuracy does; frames of one recording are not, so it errs towards seeing a
    lead.

    Args:
        one: bool `[M]`.
        other: bool `[M]`, of the same photos.

    Returns:
        A probability: at most 0.05 where the lead is more than chance explains.

    Raises:
        ValueError: the two are not about the same photos.
    """
    if one.shape != other.shape:
        raise ValueError(f"{one.shape} photos cannot be compared with {other.shape}")
    wins, losses = int((one & ~other).sum()), int((other & ~one).sum())
    apart = wins + losses
    tail = sum(math.comb(apart, count) for count in range(min(wins, losses) + 1))
    # In whole numbers until the end: thousands of photos would leave the range of a float.
    share: float = 2 * tail / 2**apart
    return min(1.0, share)


def advise(rows: Sequence[ComparisonRow], hits: Mapping[str, Hits]) -> Advice:
    """Answer "which network should I use?" from the figures alone.

    The network that named most photos, unless its lead over a quicker one can be chance (`mcnemar`, two-sided, 5 %,
    with fewer than 30 test photos 50 %): then the quickest of those that chance may have put behind it. Of networks
    about as quick as that one, the one that named more; of those the one in use, then the quicker, then the smaller.

    Args:
        rows: of all networks.
        hits: of those that were tested, by id.
    """
    usable = [row for row in rows if row.reason is None]
    tested = [row for row in usable if row.accuracy is not None]
    if not usable:
        return Advice(None, say("note.comparison.none"))
    if not tested:
        return Advice(None, say("note.comparison.untested"))
    if len(tested) == 1:
        return Advice(None, say("note.comparison.single", **_figures(tested[0])))
    best = min(tested, key=lambda row: (-row.correct, *_weight(row)))
    chance = EVEN_ODDS if best.held_out < FEW else CHANCE
    rivals = [row for row in tested if row is best or mcnemar(hits[best.id], hits[row.id]) > chance]
    within = EQUAL_TIME * _time(min(rivals, key=_weight))
    quick = [row for row in rivals if _time(row) <= within]
    chosen = min(quick, key=lambda row: (-row.correct, not row.in_use, *_weight(row)))
    return Advice(chosen.id, _reason(chosen, best, min(tested, key=_weight), hits))


def _reason(chosen: ComparisonRow, best: ComparisonRow, quickest: ComparisonRow, hits: Mapping[str, Hits]) -> str:
    """Say why a network was chosen, and what it costs."""
    few = chosen.held_out < FEW
    if chosen.correct < best.correct:
        values = {**_figures(chosen), **_figures(best, "other_")}
        return say("note.comparison.quicker_few" if few else "note.comparison.quicker", **values)
    if EQUAL_TIME * _time(quickest) < _time(chosen) and mcnemar(hits[chosen.id], hits[quickest.id]) <= CHANCE:
        return say("note.comparison.better", **_figures(chosen), **_figures(quickest, "other_"))
    return say("note.comparison.most_few" if few else "note.comparison.most", **_figures(chosen))


def _figures(row: ComparisonRow, prefix: str = "") -> dict[str, object]:
    """Return what fills the places of a text about a network."""
    found = {
        "title": row.title,
        "correct": row.correct,
        "total": row.held_out,
        "ms": in_milliseconds(row.native_ms or 0.0),
        "mb": in_megabytes(row.size_bytes),
    }
    return {f"{prefix}{name}": value for name, value in found.items()}


def in_milliseconds(time: float) -> str:
    """Return a time as people read it: two digits at least."""
    return f"{time:.0f}" if time >= 9.95 else f"{time:.1f}"


def in_megabytes(size: int) -> str:
    """Return a size as people read it."""
    return f"{size / 1e6:.0f}" if size >= 9.95e6 else f"{size / 1e6:.1f}"


def _time(row: ComparisonRow) -> float:
    return math.inf if row.native_ms is None else row.native_ms


def _weight(row: ComparisonRow) -> tuple[float, int]:
    return _time(row), row.size_bytes
