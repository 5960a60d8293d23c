"""Files that become photos or projects: looked into, agreed to by a person, and taken in, in the background.

It owns what is on its way and the two threads that read and take in, a batch of one after a batch of another. Reading
files is `teachable.importing`, what is known of each `teachable.arrivals`, the places they lie in
`teachable.incoming`. What was taken in is on disk as any photo is; the rest of an import does not outlive the program.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from teachable.arrivals import ENDED, Arrival, Choices, Import, Reading, Taking
from teachable.errors import Cancelled, Conflict, InvalidInput, NotFound
from teachable.importing import open_source
from teachable.importing.packed import PackedSource
from teachable.incoming import Incoming, Receiving
from teachable.intakes import PhotoIntake, ProjectIntake
from teachable.orders import Orders, Precedence
from teachable.projects import Project, ProjectStore

MOST_PLANS = 50
"""Files that wait for a person to say yes, all together."""

LONGEST_WAIT = 6 * 3600.0
"""Seconds after which a file nobody asks about any more is given up."""

MOST_REMEMBERED = 500
_GIVE_WAY_SECONDS = 0.5


class Imports:
    """All imports of one process; safe to use from any thread.

    Args:
        home: folder with the projects.
        store: the projects.
        create: makes a project without classes, of a name if one is given.
        on_photos: called with a project that photos were added to.
        precedence: of what people wait for.
    """

    def __init__(
        self,
        home: Path,
        store: ProjectStore,
        create: Callable[[str | None], Project],
        on_photos: Callable[[Project], None],
        precedence: Precedence,
    ) -> None:
        self._store = store
        self._create = create
        self._on_photos = on_photos
        self._precedence = precedence
        self._incoming = Incoming(home)
        self._lock = threading.Lock()
        self._entries: dict[str, Arrival] = {}
        self._reading = Orders[Reading](
            "read-imports",
            self._read,
            died="import_died",
            closing="import_closing",
            stop=self._stop,
            tidy=self._tidy_reading,
        )
        self._taking = Orders[Taking](
            "take-imports",
            self._take,
            died="import_died",
            closing="import_closing",
            stop=self._stop,
            rest=self._rest,
            tidy=lambda one: one.entry.drop(),
        )

    # Beginning

    def receive(self, size: int | None = None) -> Receiving:
        """Return what takes the bytes of a file that is sent.

        Args:
            size: bytes it says it has, if it does.

        Raises:
            TooLarge: more than is taken at once.
            StorageFull: the disk has no room for it.
            Conflict: too many files wait for somebody to say yes, or everything is being closed.
        """
        self._give_up_forgotten()
        with self._lock:
            waiting = sum(one.state in {"reading", "planned"} for one in self._entries.values())
        if waiting >= MOST_PLANS:
            raise Conflict("import_too_many", count=waiting)
        self._reading.require_open()
        return Receiving(self._incoming, size)

    def begin(self, received: Receiving, name: str, project: str | None = None) -> Import:
        """Have a file looked into that was sent.

        Args:
            received: all of it.
            name: what the person calls it.
            project: it is meant for, if that is known.

        Raises:
            NotFound: there is no such project.
            Conflict: everything is being closed.
        """
        begun = self._begin(Arrival(name, received.path, received.place, received.digest, project))
        received.take_over()
        return begun

    def open(self, path: Path, project: str | None = None) -> Import:
        """Have a file or folder of this computer looked into; it stays where it is and as it is.

        Raises:
            NotFound: there is no such project.
            Conflict: everything is being closed.
        """
        return self._begin(Arrival(path.resolve().name, path, self._incoming.place(), None, project))

    def _begin(self, entry: Arrival) -> Import:
        try:
            if entry.project is not None:
                self._store.open(entry.project)
            with self._lock:
                self._entries[entry.id] = entry
                for old in [one for one in self._entries.values() if one.state in ENDED][:-MOST_REMEMBERED]:
                    del self._entries[old.id]
            self._reading.put(entry.reading)
        except BaseException:
            entry.drop()
            with self._lock:
                self._entries.pop(entry.id, None)
            raise
        return entry.described()

    def start(self, import_id: str, choices: Choices) -> Import:
        """Take a file in, in the background. The classes it goes to are made at once.

        Raises:
            NotFound: there is no such import, project or class.
            InvalidInput: nothing was chosen, or a name cannot be used.
            Conflict: it cannot be begun now, or a class has the name already.
        """
        entry = self._find(import_id)
        with entry.lock:
            source, plan = entry.source, entry.plan
            if entry.state != "planned" or source is None or plan is None:
                raise Conflict("import_not_planned", name=entry.name)
            self._taking.require_open()
            if isinstance(source, PackedSource) and choices.project is None:
                entry.intake = ProjectIntake(self._store, source, entry.place / "project")
            else:
                project = None if choices.project is None else self._store.open(choices.project)
                entry.intake = PhotoIntake(
                    project,
                    lambda: self._create(plan.title),
                    choices.classes,
                    source,
                    choices.options,
                    entry.known_by(),
                )
                if choices.settings and plan.settings is not None:
                    entry.intake.project.save_settings(plan.settings)
                entry.project = entry.intake.project.id
            taking = Taking(entry.project or entry.id)
            taking.entry = entry
            entry.taking = taking
            self._taking.put(taking)
        return entry.described()

    # What there is

    def of(self, import_id: str) -> Import:
        """Return how an import stands.

        Raises:
            NotFound: there is none with this id.
        """
        entry = self._find(import_id)
        room = None
        if entry.state == "planned" and entry.project is not None:
            with suppress(NotFound):
                room = self._store.open(entry.project).room()
        return entry.described(room)

    def preview(self, import_id: str, number: int) -> bytes:
        """Return a small square JPEG of a photo of a plan.

        Raises:
            NotFound: there is no such import or picture, or the import has ended.
            TeachableError: the photo cannot be read.
        """
        entry = self._find(import_id)
        source = entry.source
        if source is None:
            raise NotFound("preview_unknown")
        try:
            return source.preview(number)
        except Cancelled as error:
            raise NotFound("preview_unknown") from error
        except (OSError, ValueError) as error:
            if entry.source is None:  # it ended in this moment, and its file was closed
                raise NotFound("preview_unknown") from error
            raise

    def pause(self, import_id: str) -> Import:
        """Pause an import that is being taken in; the batch in hand is finished. Others stay as they are."""
        entry = self._find(import_id)
        if entry.taking is not None:
            self._taking.hold(entry.taking)
        return entry.described()

    def resume(self, import_id: str) -> Import:
        """Go on with an import that was paused; others stay as they are."""
        entry = self._find(import_id)
        if entry.taking is not None:
            self._taking.release(entry.taking)
        return entry.described()

    def cancel(self, import_id: str) -> Import:
        """Give an import up and wait until it has stopped. What was taken in stays; one undo takes it back."""
        entry = self._find(import_id)
        self._give_up([entry])
        return entry.described()

    def wait(self, import_id: str, timeout: float | None = None) -> Import:
        """Wait until an import waits for an answer or has ended, or for `timeout` seconds; return how it stands."""
        entry = self._find(import_id)
        entry.order.ended.wait(timeout)
        return entry.described()

    def remove(self, project_id: str) -> None:
        """Give up all imports into a project."""
        with self._lock:
            entries = [one for one in self._entries.values() if one.project == project_id]
        self._give_up(entries)

    def require_idle(self, project_id: str) -> None:
        """Look that nothing is being taken in by a project, or is about to be.

        Raises:
            Conflict: something is.
        """
        with self._lock:
            entries = [one for one in self._entries.values() if one.project == project_id and one.taking is not None]
        for entry in entries:
            if entry.state not in ENDED:
                raise Conflict("import_running", name=entry.name)

    def close(self) -> list[Callable[[], None]]:
        """Tell all to stop, let none begin any more, and return what is to be called when the others were told too."""
        with self._lock:
            entries = list(self._entries.values())
        threads = self._reading.close()
        threads += self._taking.close()

        def end() -> None:
            for entry in entries:
                entry.drop()
            self._incoming.close()

        return [*(thread.join for thread in threads), end]

    # Inside

    def _find(self, import_id: str) -> Arrival:
        with self._lock:
            entry = self._entries.get(import_id)
        if entry is None:
            raise NotFound("import_unknown")
        entry.asked = time.monotonic()
        return entry

    def _give_up(self, entries: list[Arrival]) -> None:
        for entry in entries:
            with entry.lock:
                planned = entry.state == "planned"
                if planned:
                    entry.reading.state = "cancelled"
            if planned:
                entry.drop()
            elif entry.taking is not None:
                self._taking.give_up([entry.taking])
            else:
                self._reading.give_up([entry.reading])

    def _give_up_forgotten(self) -> None:
        """Remove files that were sent and looked into, and that no page asks about any more."""
        before = time.monotonic() - LONGEST_WAIT
        with self._lock:
            forgotten = [one for one in self._entries.values() if one.state == "planned" and one.asked < before]
        self._give_up(forgotten)

    def _stop(self, cancelled: threading.Event) -> None:
        """Wake what is being read for somebody who gave it up."""
        with self._lock:
            entries = [one for one in self._entries.values() if one.order.cancelled is cancelled]
        for entry in entries:
            entry.stop.set()

    def _rest(self, order: Taking) -> None:
        """Keep nothing open for an import that is paused, perhaps for hours."""
        if order.entry.intake is not None:
            order.entry.intake.rest()

    # The threads

    def _read(self, order: Reading) -> str:
        entry = order.entry
        scratch = entry.place / "scratch"
        scratch.mkdir()
        source = open_source(entry.path, entry.name, scratch, entry.stop)
        with entry.lock:
            entry.source = source
            entry.plan = source.plan
        if not source.plan.classes and source.plan.kind != "project":
            raise InvalidInput("import_empty", name=entry.name)
        if order.cancelled.is_set():
            raise Cancelled
        return "done"

    def _tidy_reading(self, order: Reading) -> None:
        entry = order.entry
        if entry.plan is None or order.cancelled.is_set() or not (entry.plan.classes or entry.plan.kind == "project"):
            entry.drop()

    def _take(self, order: Taking) -> str | None:
        """Take in one batch."""
        self._precedence.give_way(_GIVE_WAY_SECONDS)
        intake = order.entry.intake
        if intake is None:
            raise NotFound("import_unknown")
        try:
            more = intake.step(order.cancelled)
        except Conflict as error:
            if error.key != "import_undone":
                raise
            if isinstance(intake, PhotoIntake):
                intake.taken_back()
            order.error = error
            return "cancelled"
        order.report(intake.counts.fraction)
        if intake.counts.added and intake.project is not None:
            order.entry.project = intake.project.id
            self._on_photos(intake.project)
        return None if more else "done"
