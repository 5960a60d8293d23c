"""One file on its way into a project, from its arrival to its end: what is known of it, as a person asks for it.

It owns the records and the file; what is done with it, and when, is `teachable.imports`.
"""

import hashlib
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from teachable.importing import Options, Plan, Source, Stop
from teachable.intakes import Into, PhotoIntake, ProjectIntake
from teachable.orders import Order
from teachable.projects.names import new_id
from teachable.types import Rejected

State = Literal["reading", "planned", "waiting", "running", "paused", "done", "failed", "cancelled"]

ENDED = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True)
class Import:
    """One file on its way into a project.

    Attributes:
        id: unguessable name.
        name: of the file, as sent.
        state: `reading`: being looked into. `planned`: it waits for somebody to say what is to be made of it.
            `waiting`, `running`, `paused`: being taken in. `done`, `failed`, `cancelled`: ended; what was taken in
            until then stays.
        plan: what would be made of it, or None until that is known.
        project: id of the project it goes to, or None until that is there.
        fraction: how much is taken in, 0 to 1.
        done: photos looked at.
        total: photos there are, as far as that can be known before.
        added: photos that are in the project now and were not before.
        repeats: photos that were there already, and were skipped.
        rejected: files that could not be taken, and why; the first twenty.
        rejected_total: how many there are.
        message: why it ended, in words, if it did not end well.
        undo: token that takes back all that was added, or None where nothing can be taken back.
        room: photos the project that it was sent for can still take, while it is planned; None without such a project.
    """

    id: str
    name: str
    state: State
    plan: Plan | None
    project: str | None
    fraction: float
    done: int
    total: int
    added: int
    repeats: int
    rejected: tuple[Rejected, ...]
    rejected_total: int
    message: str | None
    undo: str | None
    room: int | None


@dataclass(frozen=True)
class Choices:
    """What a person wants to be made of a file.

    Attributes:
        project: id of the project it goes to, or None for a new one.
        classes: to take, in this order; the others are left out. Where a whole project is opened as a new one, it comes
            as it is and this says nothing.
        options: how to read it.
        settings: the settings for training that the file has become those of the project.
    """

    project: str | None
    classes: tuple[Into, ...]
    options: Options = field(default_factory=Options)
    settings: bool = False


class Reading(Order):
    """Looking into a file."""

    entry: "Arrival"


class Taking(Order):
    """Taking a file in."""

    entry: "Arrival"


class Arrival:
    """One file from its arrival to its end.

    Args:
        name: what the person calls it.
        path: of the file or folder.
        place: folder for what is made on the way; removed at the end.
        digest: SHA-256 of the file, in hex, if it is known.
        project: it is meant for, if that is known.
    """

    def __init__(self, name: str, path: Path, place: Path, digest: str | None, project: str | None) -> None:
        self.id = new_id()
        self.name = name
        self.path = path
        self.place = place
        self.digest = digest
        self.project = project
        self.asked = time.monotonic()
        self.lock = threading.RLock()
        self.source: Source | None = None
        self.plan: Plan | None = None
        self.intake: PhotoIntake | ProjectIntake | None = None
        self.stop = Stop()
        owner = project or self.id
        self.reading = Reading(owner)
        self.taking: Taking | None = None
        self.reading.entry = self

    @property
    def order(self) -> Order:
        """What is or was being done with it."""
        return self.taking or self.reading

    @property
    def state(self) -> str:
        """As a person sees it."""
        if self.taking is not None:
            return self.taking.state
        return {"done": "planned", "waiting": "reading", "running": "reading"}.get(
            self.reading.state, self.reading.state
        )

    def drop(self) -> None:
        """Let go of the file, and remove it where it was sent."""
        # Pictures of it that somebody is still waiting for.
        self.stop.set()
        with self.lock:
            if self.intake is not None:
                self.intake.rest()
            if self.source is not None:
                self.source.close()
            self.source = None
            shutil.rmtree(self.place, ignore_errors=True)

    def described(self, room: int | None = None) -> Import:
        """Return how it stands, with the `room` there is for it."""
        with self.lock:
            order, intake = self.order, self.intake
            state: State = self.state  # type: ignore[assignment]
            counts = None if intake is None else intake.counts
            undo = None if intake is None else intake.undo
            fraction = order.fraction if self.taking is not None else 0.0
            return Import(
                id=self.id,
                name=self.name,
                state=state,
                plan=self.plan,
                project=self.project,
                fraction=1.0 if state == "done" else fraction,
                done=counts.done if counts else 0,
                total=counts.total if counts else 0,
                added=counts.added if counts else 0,
                repeats=counts.repeats if counts else 0,
                rejected=tuple(counts.left_out) if counts else (),
                rejected_total=counts.left_out_total if counts else 0,
                message=None if order.error is None else str(order.error),
                undo=undo,
                room=room,
            )

    def known_by(self) -> str:
        """Return what tells recordings of this file from those of another, and is the same for the same file."""
        if self.digest is None:
            if self.path.is_file():
                with self.path.open("rb") as stream:
                    self.digest = hashlib.file_digest(stream, "sha256").hexdigest()
            else:
                self.digest = hashlib.sha256(f"{self.name}\n{self.plan!r}".encode()).hexdigest()
        return self.digest
