"""What is told about a classroom. What is kept of it is in `teachable.classroom.register`."""

from dataclasses import dataclass
from typing import Literal

from teachable.settings import VisitorLimits

Role = Literal["teacher", "visitor", "guest"]
"""A guest has not joined, and can only use what a link leads to."""

Activity = Literal["idle", "working", "training"]


@dataclass(frozen=True)
class Visit:
    """Who sends a request.

    Attributes:
        role: teacher, visitor or guest.
        visitor: id of the visitor, if they have joined.
        address: of the device, for counting attempts.
        moved: the browser had a place that was given to another.
    """

    role: Role
    visitor: str | None = None
    address: str = ""
    moved: bool = False

    @property
    def teacher(self) -> bool:
        """Whether it is the teacher."""
        return self.role == "teacher"


@dataclass(frozen=True)
class Offered:
    """A project the teacher hands out.

    Attributes:
        name: what it is called.
    """

    name: str


@dataclass(frozen=True)
class Membership:
    """A visitor, as they see it themselves.

    Attributes:
        id: of the visitor.
        name: they joined with.
        project: id of the project that is theirs.
        locked: the teacher has paused their changes.
        hand: they have asked for help.
        starter: a project the teacher hands out and they have not answered to, or None.
        limits: what they may use.
        photos: they have now, in all their projects.
        bytes: they fill now.
    """

    id: str
    name: str
    project: str
    locked: bool
    hand: bool
    starter: Offered | None
    limits: VisitorLimits
    photos: int
    bytes: int


@dataclass(frozen=True)
class Claimed:
    """A place in the class that whoever asks wants back.

    Attributes:
        name: of the visitor they say they are.
        state: the teacher has not answered yet, or has said no.
    """

    name: str
    state: Literal["waiting", "refused"]


@dataclass(frozen=True)
class Wanted:
    """A place in the class that somebody wants back, as the teacher sees it.

    Attributes:
        id: to answer it by.
        name: of the visitor they say they are.
        visitor: id of that visitor.
        asked: when, in seconds since 1970.
    """

    id: str
    name: str
    visitor: str
    asked: float


@dataclass(frozen=True)
class Me:
    """What the classroom is to whoever asks.

    Attributes:
        classroom: this server serves one.
        name: of the classroom.
        open: others can join.
        teacher: whoever asks is logged in as the teacher.
        visitor: whoever asks has joined.
        claim: the place they want back, where the teacher has not said yes, or null.
    """

    classroom: bool
    name: str
    open: bool
    teacher: bool
    visitor: Membership | None
    claim: Claimed | None = None


@dataclass(frozen=True)
class Pupil:
    """A visitor, as the teacher sees them.

    Attributes:
        id: of the visitor.
        name: they joined with.
        project: id of the project that is theirs, or None while all of them are deleted.
        photos: in all their projects.
        classes: of that project.
        accuracy: share of held-out photos its model named correctly, or None.
        judged: how many of the classes of that model could be tested; `accuracy` is of these alone.
        learned: how many classes it has.
        state: idle, working (photos came in, or are being studied) or training.
        last_seen: seconds since 1970.
        online: their page asked within the last seconds.
        covers: numbers of up to four photos, of different classes.
        locked: changes are paused, for them or for all.
        hand: they ask for help.
        problem: what went wrong last, in words, or None.
    """

    id: str
    name: str
    project: str | None
    photos: int
    classes: int
    accuracy: float | None
    judged: int
    learned: int
    state: Activity
    last_seen: float
    online: bool
    covers: tuple[int, ...]
    locked: bool
    hand: bool
    problem: str | None


@dataclass(frozen=True)
class Starter:
    """The project that is handed out.

    Attributes:
        project: id of it.
        name: what it is called.
    """

    project: str
    name: str


@dataclass(frozen=True)
class RoomView:
    """The classroom, as the teacher sees it.

    Attributes:
        name: of the classroom.
        address: to join under, short enough to type.
        qr: the same as a picture to point a camera at, SVG.
        open: others can join.
        locked: changes of all visitors are paused.
        starter: what is handed out, or None.
        limits: what each visitor may use.
        visitors: in the order they joined.
        claims: who wants a place back and has had no answer, the newest last.
    """

    name: str
    address: str
    qr: str
    open: bool
    locked: bool
    starter: Starter | None
    limits: VisitorLimits
    visitors: tuple[Pupil, ...]
    claims: tuple[Wanted, ...]
