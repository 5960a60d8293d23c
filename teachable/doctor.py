"""What is probably wrong with the photos: wrong class, copies, blur, darkness, a background that gives the class away.

It owns the ranking, and what can be told by counting and by the looks of single photos; wrong classes are found by
`teachable.mislabelled`, shortcuts by `teachable.backgrounds`. It needs no training of its own and decides nothing: a
suspect says what was seen, a person says what it is.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from teachable import duplicates
from teachable.backgrounds import backgrounds
from teachable.errors import InvalidInput
from teachable.evidence import Evidence, Suspect, weight
from teachable.mislabelled import mislabelled

FEW = 10
"""Photos below which a class is small."""
WANTED = 30
"""Photos that a small class should have at least; further ones usually bring less than a point each ten."""
LOPSIDED = 4.0
"""Times as many photos as another that make a class lopsided."""

# A photo is blurred where it is less sharp than this, and much less than the sharper photos of its class.
_BLURRED, _LESS_SHARP = 0.26, 0.5
_DARK, _DARKER = 0.12, 0.4
_EMPTY = 0.03
# Copies that are worth a word: so many of a class, and such a share of it.
_COPIES, _COPIED = 3, 0.05


def suspects(evidence: Evidence) -> tuple[Suspect, ...]:
    """Return everything that is suspicious about the photos, the most important first.

    Few and right is better than many: whoever was sent to look at a good photo does not come a second time.

    Raises:
        InvalidInput: embeddings that are not finite.
    """
    broken = int((~np.isfinite(evidence.embeddings).all(axis=1)).sum())
    if broken:
        raise InvalidInput("embeddings_not_finite", count=broken)
    counts = np.bincount(evidence.labels, minlength=evidence.class_count)
    copies = list(_copies(evidence, counts))
    known = {row for suspect in copies if suspect.kind == "repeated" for row in suspect.rows}
    found = [
        *_sizes(evidence, counts),
        *copies,
        *mislabelled(evidence, known),
        *backgrounds(evidence),
        *_unclear(evidence),
    ]
    return tuple(sorted(found, key=lambda suspect: (-suspect.weight, suspect.kind, suspect.classes)))


def _sizes(evidence: Evidence, counts: NDArray[np.int64]) -> Iterator[Suspect]:
    """Find what numbers alone tell."""
    recordings = [len({evidence.groups[row] for row in _of(evidence, index)}) for index in range(len(counts))]
    single = tuple(index for index, number in enumerate(recordings) if number == 1)
    if single:
        yield Suspect("single", single, values={"count": int(counts[list(single)].sum())}, weight=weight("single"))
    present = np.flatnonzero(counts)
    small = tuple(sorted((index for index in present.tolist() if counts[index] < FEW), key=lambda one: counts[one]))
    if small:
        values = {"count": int(counts[list(small)].sum()), "fewest": int(counts[small[0]]), "wanted": WANTED}
        yield Suspect("small", small, values={**values}, weight=weight("small"))
    elif len(present):
        least, most = int(present[counts[present].argmin()]), int(counts.argmax())
        if counts[most] >= LOPSIDED * counts[least]:
            values = {"count": int(counts[least]), "fewest": int(counts[least]), "most": int(counts[most])}
            yield Suspect("lopsided", (least, most), values={**values}, weight=weight("lopsided"))


def _of(evidence: Evidence, index: int) -> list[int]:
    return np.flatnonzero(evidence.labels == index).tolist()


def _copies(evidence: Evidence, counts: NDArray[np.int64]) -> Iterator[Suspect]:
    """Find pictures that are in several classes, and copies across the recordings of a class."""
    contradicting: dict[tuple[tuple[int, ...], int | None], list[list[int]]] = {}
    further: dict[int, list[int]] = {}
    pictures: Counter[int] = Counter()
    alike = duplicates.repeats(evidence.embeddings, evidence.looks.hashes, evidence.labels, evidence.captures)
    for rows in alike:
        of: dict[int, list[int]] = {}
        for row in rows:
            of.setdefault(int(evidence.labels[row]), []).append(row)
        for key, members in _contradictions(of):
            contradicting.setdefault(key, []).append(members)
        for index, members in of.items():
            first = evidence.captures[members[0]]
            others = [row for row in members if evidence.captures[row] != first]
            if others:
                further.setdefault(index, []).extend(others)
                pictures[index] += 1
    for (classes, target), sets in contradicting.items():
        yield _repeated(evidence, classes, target, sets, counts)
    told = sorted(index for index, rows in further.items() if len(rows) >= max(_COPIES, _COPIED * counts[index]))
    if told:
        copies = tuple(sorted(row for index in told for row in further[index]))
        worst = max(len(further[index]) / int(counts[index]) for index in told)
        values = {"count": len(copies), "pictures": sum(pictures[index] for index in told)}
        yield Suspect("duplicates", tuple(told), copies, None, {**values}, weight("duplicates", worst))


def _contradictions(of: Mapping[int, list[int]]) -> Iterator[tuple[tuple[tuple[int, ...], int | None], list[int]]]:
    """Tell which copies of one picture, by class, are in the wrong one: those outside the class that has most of them.

    Yields:
        The classes, the one that the copies belong to or None, and the rows, those outside it first.
    """
    if len(of) < 2:
        return
    most = max(of, key=lambda index: len(of[index]))
    if 2 * len(of[most]) <= sum(map(len, of.values())):
        yield (tuple(sorted(of)), None), [row for rows in of.values() for row in rows]
        return
    for index in sorted(of.keys() - {most}):
        yield ((index, most), most), [*of[index], *of[most]]


def _repeated(
    evidence: Evidence,
    classes: tuple[int, ...],
    target: int | None,
    sets: Sequence[Sequence[int]],
    counts: NDArray[np.int64],
) -> Suspect:
    """Return what is suspicious about pictures that are in all of these classes."""
    rows = sorted((row for members in sets for row in members), key=lambda row: evidence.labels[row] == target)
    within = Counter(int(evidence.labels[row]) for row in rows)
    astray = len(rows) if target is None else len(rows) - within[target]
    share = max(within[index] / int(counts[index]) for index in classes if index != target)
    values: dict[str, float | int | str] = {"count": len(rows), "pictures": len(sets), "astray": astray}
    return Suspect("repeated", classes, tuple(rows), target, values, weight("repeated", share))


def _unclear(evidence: Evidence) -> Iterator[Suspect]:
    """Find photos on which there is little to see, unless that is what their class is like."""
    looks = evidence.looks
    dark = _exceptions(evidence, looks.brightness, _DARK, _DARKER)
    empty = (looks.contrast <= _EMPTY) & _rare(evidence, looks.contrast <= _EMPTY) & ~dark
    blurred = _exceptions(evidence, looks.sharpness, _BLURRED, _LESS_SHARP) & (looks.contrast > _EMPTY) & ~dark
    kinds = (("dark", dark, looks.brightness), ("empty", empty, looks.contrast), ("blurred", blurred, looks.sharpness))
    for kind, found, measure in kinds:
        rows = np.flatnonzero(found)
        if len(rows):
            rows = rows[np.argsort(measure[rows], kind="stable")]
            within = Counter(evidence.labels[rows].tolist())
            worst = max(number / int((evidence.labels == index).sum()) for index, number in within.items())
            classes = tuple(sorted(within))
            ordered = tuple(int(row) for row in rows)
            yield Suspect(kind, classes, ordered, None, {"count": len(rows)}, weight(kind, worst))


def _exceptions(evidence: Evidence, measure: NDArray[np.float32], below: float, part: float) -> NDArray[np.bool_]:
    """Return which photos measure little, and little beside the better photos of their class, bool `[N]`."""
    found = np.zeros(len(measure), np.bool_)
    for index in np.unique(evidence.labels).tolist():
        rows = np.flatnonzero((evidence.labels == index) & np.isfinite(measure))
        if len(rows):
            usual = float(np.quantile(measure[rows], 0.75))
            found[rows] = (measure[rows] <= below) & (measure[rows] < part * usual)
    return found


def _rare(evidence: Evidence, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which photos are of a class where most are not like that, bool `[N]`."""
    shares = np.bincount(evidence.labels, weights=found) / np.maximum(np.bincount(evidence.labels), 1)
    return np.asarray(shares[evidence.labels] < 0.5, np.bool_)
