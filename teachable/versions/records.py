"""Frozen records of versions: what is told of each, and what setting two side by side shows. They do nothing."""

from dataclasses import dataclass
from typing import Literal

from teachable.types import TrainSettings


@dataclass(frozen=True)
class ClassThen:
    """A class a version was trained on.

    Attributes:
        name: what it was called then.
        color: `#RRGGBB` it had then; empty where that was not kept.
        photos: how many it was trained on; None where that was not kept.
    """

    name: str
    color: str
    photos: int | None


@dataclass(frozen=True)
class Version:
    """One training of a project that is kept, with all that belongs to it.

    Attributes:
        id: of its model.
        number: from 1, in the order of training; never given twice.
        name: what a person called it, or None.
        created: seconds since 1970.
        network: title of the network it was trained with.
        settings: it was trained with.
        samples: photos it was trained on.
        classes: it tells apart, in order.
        accuracy: share of held-out photos named correctly, or None if it could not be measured.
        low: lower end of its 95 % interval.
        high: upper end of it.
        held_out: held-out photos.
        correct: how many of them were named correctly.
        judged: how many of its classes could be tested; `accuracy` is of these alone.
        bytes: it takes on the disk, without its photos.
        restorable: what the project held then was kept, so that classes and photos can go back too.
    """

    id: str
    number: int
    name: str | None
    created: float
    network: str
    settings: TrainSettings
    samples: int
    classes: tuple[ClassThen, ...]
    accuracy: float | None
    low: float | None
    high: float | None
    held_out: int
    correct: int
    judged: int
    bytes: int
    restorable: bool


@dataclass(frozen=True)
class VersionList:
    """All versions of a project.

    Attributes:
        current: id of the one in use, or None where nothing was trained yet.
        versions: newest first.
    """

    current: str | None
    versions: tuple[Version, ...]


@dataclass(frozen=True)
class WentBack:
    """What came of going back to a version.

    Attributes:
        undo: token to take it back with.
        gone: photos of then that were deleted for good, and are missing.
        text: the same in words.
    """

    undo: str
    gone: int
    text: str


Way = Literal["test", "unseen", "held_out", "none"]


@dataclass(frozen=True)
class Side:
    """How one of two versions did.

    Attributes:
        id: of the version.
        correct: photos named correctly.
        accuracy: share of them, or None without photos.
        low: lower end of its 95 % interval.
        high: upper end of it.
    """

    id: str
    correct: int
    accuracy: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ComparedClass:
    """How two versions did on one class.

    Attributes:
        id: of the class.
        name: of the class.
        color: `#RRGGBB`.
        total: photos.
        first: how many of them the first named correctly.
        second: how many of them the second named correctly.
    """

    id: str
    name: str
    color: str
    total: int
    first: int
    second: int


@dataclass(frozen=True)
class Apart:
    """A photo that only one of two versions named correctly.

    Attributes:
        sample: number of the photo.
        given: id of the class it is in.
        first: id of the class the first named.
        second: id of the class the second named.
    """

    sample: int
    given: str
    first: str
    second: str


@dataclass(frozen=True)
class Compared:
    """Two versions side by side on the same photos, which neither was trained on.

    Attributes:
        way: which photos: `test`, the test set; `unseen`, others that neither was trained on; `held_out`, photos that
            were held out while testing, each named by heads that never saw its recording; `none` where no photo would
            be fair to both.
        photos: how many.
        recordings: how many recordings these come from.
        first: how the first did.
        second: how the second did.
        only_first: photos that only the first named correctly.
        only_second: photos that only the second named correctly.
        difference: accuracy of the second minus that of the first, or None without photos.
        low: lower end of its 95 % interval, which counts recordings.
        high: upper end of it.
        chance: how often chance alone would part them at least this far (McNemar's exact test), or None without photos.
        better: id of the better one, or None where the difference can be chance.
        classes: one by one.
        apart: photos that only one of them named correctly, at most 60.
        about: which photos were looked at and why, in words.
        verdict: what it says, in words.
        notes: what else to know, in words.
    """

    way: Way
    photos: int
    recordings: int
    first: Side
    second: Side
    only_first: int
    only_second: int
    difference: float | None
    low: float | None
    high: float | None
    chance: float | None
    better: str | None
    classes: tuple[ComparedClass, ...]
    apart: tuple[Apart, ...]
    about: str
    verdict: str
    notes: tuple[str, ...]
