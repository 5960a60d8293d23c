"""What a file from elsewhere holds, told before anything is made of it. Records only: they read nothing.

Who reads them: the page shows a plan, the importer turns items into photos. How each kind of file is read is in the
other modules of this package; what becomes of the photos is not known here at all.
"""

from dataclasses import dataclass, field
from typing import Literal

from teachable.errors import InvalidInput, TeachableError
from teachable.types import Rejected, TrainSettings
from teachable.words import say

Kind = Literal["teachable-machine", "folder", "imagefolder", "video", "animation", "project"]
Choice = Literal["unmirror", "rate", "independent"]

USUAL_RATE = 2.0
"""Frames taken from a second of video, unless a person chose another number."""

SLOWEST_RATE = 0.05
FASTEST_RATE = 30.0

MOST_TOLD = 20
"""Files that are left out are named up to this many; all are counted."""

MOST_PREVIEWS = 4
"""Small pictures of one class."""


@dataclass(frozen=True)
class Note:
    """Something a person should know about a plan.

    Attributes:
        key: name of the text in the catalogue.
        values: what fills its places.
    """

    key: str
    values: dict[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The note in words."""
        return say(self.key, **self.values)


@dataclass(frozen=True)
class PlannedClass:
    """One class as it would be made.

    Attributes:
        key: names it in `Source.items`; holds nothing that came from outside.
        name: fit for a class; what the file says, without control characters and cut where it is too long.
        photos: photos it would get, with `seconds` of video at the usual rate among them.
        groups: recordings these come from.
        bytes: of the photos, or None where that is not known before they are made, as of a video.
        previews: numbers for `Source.preview`, at most four.
        tests: photos among them that are only to be tested with.
        seconds: of video, 0 where there is none.
    """

    key: str
    name: str
    photos: int
    groups: int
    bytes: int | None
    previews: tuple[int, ...]
    tests: int = 0
    seconds: float = 0.0

    def photos_at(self, rate: float) -> int:
        """Return about how many photos it would get with so many from each second of video."""
        stills = max(0, self.photos - round(self.seconds * USUAL_RATE))
        return stills + (max(1, round(self.seconds * rate)) if self.seconds else 0)


@dataclass(frozen=True)
class Plan:
    """What would be made of a file.

    Attributes:
        kind: of the file.
        title: what to call a project of it, or None where the file gives no hint.
        classes: in their order; there may be none.
        settings: for training, or None where the file has none.
        skipped: files that are left out and why, the first 20.
        skipped_total: all of them.
        notes: what a person should know.
        options: which of `Options` make a difference.
        seconds: of video altogether, or None where there is none.
    """

    kind: Kind
    title: str | None
    classes: tuple[PlannedClass, ...]
    settings: TrainSettings | None = None
    skipped: tuple[Rejected, ...] = ()
    skipped_total: int = 0
    notes: tuple[Note, ...] = ()
    options: tuple[Choice, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True)
class Options:
    """What a person can choose about a plan.

    Attributes:
        unmirror: keys of the classes whose photos were stored mirrored and are turned back.
        rate: frames from a second of video.
        independent: every photo was taken on its own, so that each is a group; frames of a video never are.
    """

    unmirror: frozenset[str] = frozenset()
    rate: float = USUAL_RATE
    independent: bool = False


@dataclass(frozen=True)
class Item:
    """One photo out of a file.

    Attributes:
        index: its place in the class; `start=index + 1` goes on after it. Numbers may be left out, where a video shows
            the same frame for a while.
        name: of the file it comes from, for messages.
        data: bytes of a photo, not checked any further; empty where there is an error.
        group: what it was taken together with, unlike any other group of this class in this file. At most 60
            characters, but as long as they come in a project of our own.
        test: it is only to be tested with.
        error: why this photo cannot be had; the others can.
    """

    index: int
    name: str
    data: bytes
    group: str
    test: bool = False
    error: TeachableError | None = None


def check_rate(rate: float) -> None:
    """Look whether so many photos can be taken from a second of video.

    Raises:
        InvalidInput: too few, too many, or no number.
    """
    # Not "rate < low": that lets what is no number through.
    if not SLOWEST_RATE <= rate <= FASTEST_RATE:
        raise InvalidInput("import_rate", value=rate, low=f"{SLOWEST_RATE:g}", high=f"{FASTEST_RATE:g}")


def rejected(name: str, error: TeachableError) -> Rejected:
    """Return the record of a file that is left out."""
    return Rejected(name, str(error), error.key, dict(error.values))


class Skipped:
    """Files that are left out: all are counted, the first are kept with their reasons."""

    def __init__(self) -> None:
        self.first: list[Rejected] = []
        self.total = 0

    def add(self, name: str, error: TeachableError) -> None:
        """Count one file."""
        self.total += 1
        if len(self.first) < MOST_TOLD:
            self.first.append(rejected(name, error))
