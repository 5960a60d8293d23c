"""What two versions say about the same photos, in figures and in words. Which photos these are is decided by `fair`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachable import intervals
from teachable.backlog import Backlog
from teachable.projects import Project
from teachable.projects.models import KeptVersion
from teachable.types import ClassInfo, Sample
from teachable.verdict import CHANCE, mcnemar
from teachable.versions import fair
from teachable.versions.fair import Fair
from teachable.versions.records import Apart, Compared, ComparedClass, Side
from teachable.words import end, say

# Photos that only one named correctly, as many as fit on a page.
_SHOWN = 60


def compare(project: Project, backlog: Backlog, first: KeptVersion, second: KeptVersion) -> Compared:
    """Set two versions side by side.

    Args:
        project: whose versions.
        backlog: keeps the embeddings.
        first: one version.
        second: another.

    Raises:
        NotFound: a model file is gone.
        ModelFileError: a model file is damaged.
    """
    both = (first, second)
    held = [project.versions.snapshot(one.record.id) for one in both]
    without = [str(one.number) for one, snapshot in zip(both, held, strict=True) if snapshot is None]
    if without:
        return _nothing(both, say("note.compared.not_kept", count=len(without), numbers=" and ".join(without)))
    known = set(first.record.class_ids) & set(second.record.class_ids)
    if not known:
        return _nothing(both, say("note.compared.no_class"))

    def hashes(shas: Sequence[str]) -> NDArray[np.uint64]:
        return backlog.looks(project, shas).hashes

    asked = [
        fair.ask(project, one, snapshot, backlog.cache(project, one.record.backbone), hashes)
        for one, snapshot in zip(both, held, strict=True)
        if snapshot is not None
    ]
    everything = project.all_samples()
    samples = [one for one in everything if one.class_id in known]
    found = fair.photos(samples, asked[0], asked[1])
    if found.way == "none":
        return _nothing(both, say("note.compared.no_photo"))
    classes = [one for one in project.info().classes if one.id in known]
    return _compared(both, found, classes, len(everything) - len(samples))


@dataclass(frozen=True)
class _Table:
    """Answers of both versions, photo by photo.

    Attributes:
        samples: the photos.
        groups: recording of each.
        said: class each version named, for each photo.
        hits: whether that is right, two bool `[N]`.
    """

    samples: Sequence[Sample]
    groups: Sequence[str]
    said: tuple[list[str], list[str]]
    hits: tuple[NDArray[np.bool_], NDArray[np.bool_]]


def _table(both: tuple[KeptVersion, KeptVersion], found: Fair) -> _Table:
    said = []
    for version, answers in zip(both, found.answers, strict=True):
        said.append([version.record.class_ids[place] for place in answers.tolist()])
    hits = [
        np.array([name == sample.class_id for name, sample in zip(names, found.samples, strict=True)], np.bool_)
        for names in said
    ]
    return _Table(found.samples, found.groups, (said[0], said[1]), (hits[0], hits[1]))


def _compared(
    both: tuple[KeptVersion, KeptVersion], found: Fair, classes: Sequence[ClassInfo], left_out: int
) -> Compared:
    table = _table(both, found)
    one, other = table.hits
    low, high = intervals.difference(one, other, table.groups)
    chance = mcnemar(one, other)
    gain = float(other.mean() - one.mean())
    told = chance <= CHANCE and (low > 0 or high < 0)
    better = both[gain > 0] if told else None
    recordings = len(set(table.groups))
    only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
    return Compared(
        way=found.way,
        photos=len(one),
        recordings=recordings,
        first=_side(both[0], one, table.groups, found.left_out[0]),
        second=_side(both[1], other, table.groups, found.left_out[1]),
        only_first=only_first,
        only_second=only_second,
        difference=gain,
        low=low,
        high=high,
        chance=chance,
        better=better.record.id if better else None,
        classes=_classes(table, classes),
        apart=_apart(table),
        about=_about(found, recordings),
        verdict=_verdict(both, better, abs(only_second - only_first), low, high),
        notes=_notes(both, found, left_out),
    )


def _side(version: KeptVersion, hits: NDArray[np.bool_], groups: Sequence[str], left_out: NDArray[np.float64]) -> Side:
    low, high = intervals.clustered(hits, groups, float(left_out.mean()))
    return Side(version.record.id, int(hits.sum()), float(hits.mean()), low, high)


def _classes(table: _Table, classes: Sequence[ClassInfo]) -> tuple[ComparedClass, ...]:
    given = np.array([sample.class_id for sample in table.samples])
    found = []
    for one in classes:
        rows = given == one.id
        first, second = (int(hits[rows].sum()) for hits in table.hits)
        found.append(ComparedClass(one.id, one.name, one.color, int(rows.sum()), first, second))
    return tuple(found)


def _apart(table: _Table) -> tuple[Apart, ...]:
    rows = np.flatnonzero(table.hits[0] != table.hits[1])[:_SHOWN].tolist()
    said = table.said
    return tuple(Apart(table.samples[row].id, table.samples[row].class_id, said[0][row], said[1][row]) for row in rows)


def _about(found: Fair, recordings: int) -> str:
    """Say which photos were looked at."""
    photos = say("note.compared.photos", count=len(found.samples))
    come = say("note.compared.recordings", count=recordings)
    if found.way == "test":
        return say("note.compared.test", photos=photos, recordings=come)
    if found.way == "unseen":
        return say("note.compared.unseen", photos=photos, recordings=come)
    return say("note.compared.held_out", photos=photos, recordings=come)


def _verdict(
    both: tuple[KeptVersion, KeptVersion], better: KeptVersion | None, more: int, low: float, high: float
) -> str:
    """Say whether one is better."""
    if better is not None:
        least, most = sorted((abs(low), abs(high)))
        photos = say("note.compared.more", count=more)
        return say("note.compared.better", number=better.number, more=photos, least=end(least), most=end(most))
    if not more:
        return say("note.compared.same", first=both[0].number, second=both[1].number)
    return say("note.compared.chance", count=more)


def _notes(both: tuple[KeptVersion, KeptVersion], found: Fair, left_out: int) -> tuple[str, ...]:
    """Say what else there is to know."""
    notes = []
    if found.thinned:
        notes.append(say("note.compared.some", most=fair.MOST))
    if set(both[0].record.class_ids) != set(both[1].record.class_ids):
        notes.append(say("note.compared.classes"))
    if left_out:
        notes.append(say("note.compared.left_out", count=left_out))
    if len(found.samples) < fair.ENOUGH:
        notes.append(say("note.compared.few"))
    return tuple(notes)


def _nothing(both: tuple[KeptVersion, KeptVersion], about: str) -> Compared:
    """Return that there is no fair way, and why."""
    sides = [Side(one.record.id, 0, None, None, None) for one in both]
    verdict = say("note.compared.none")
    return Compared("none", 0, 0, sides[0], sides[1], 0, 0, None, None, None, None, None, (), (), about, verdict, ())
