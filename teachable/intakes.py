"""Taking a file in, batch by batch: its photos into classes of a project, or a whole project as a new one.

It owns where a batch ends, what is counted and what belongs together. When the next batch is taken is decided by
`teachable.imports`.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from teachable.errors import Cancelled, Conflict, InvalidInput, NotFound, TeachableError, TooLarge
from teachable.importing import Item, Options, Source
from teachable.importing.packed import PackedSource
from teachable.importing.plan import MOST_TOLD, rejected
from teachable.projects import Project, ProjectStore
from teachable.projects.names import clean_name, name_key
from teachable.settings import limits
from teachable.types import Rejected
from teachable.unpacking import Unpacking

AT_ONCE = 32
"""Photos of one batch: enough to share the cost of a commit, few enough for others to get a turn."""

_BYTES_AT_ONCE = 32 * 2**20
# Words for a project that is full: no photo after the first of these can be taken.
_FULL = frozenset({"too_many_samples", "visitor_photos"})


class Counts:
    """How far taking in has come.

    Attributes:
        done: photos looked at.
        total: photos there are, as far as that can be known.
        added: photos that are in the project now and were not before.
        repeats: photos that were there already.
        left_out: the first files that could not be taken, and why.
        left_out_total: how many there are.
    """

    def __init__(self, total: int) -> None:
        self.done = 0
        self.total = total
        self.added = 0
        self.repeats = 0
        self.left_out: list[Rejected] = []
        self.left_out_total = 0

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 1.0

    def leave_out(self, one: Rejected) -> None:
        """Count a file that could not be taken."""
        self.left_out_total += 1
        if len(self.left_out) < MOST_TOLD:
            self.left_out.append(one)


@dataclass(frozen=True)
class Into:
    """Where the photos of one class of a plan go.

    Attributes:
        key: of the class in the plan.
        name: of the class to make of it.
        into: id of the class of the project to put them in instead, or None.
    """

    key: str
    name: str
    into: str | None = None


class PhotoIntake:
    """Photos of a source on their way into classes.

    Args:
        project: they go to, or None for a new one.
        make: makes the new one, without classes.
        wanted: which classes go where; two of the same name become one.
        source: of the photos.
        options: how it is read.
        digest: tells recordings of this file from those of others.

    Raises:
        InvalidInput: nothing is wanted, or a name cannot be used.
        NotFound: there is no such class.
        Conflict: a class has a name already.
        TooLarge: there would be more classes than a project can have.

    Attributes:
        project: they go to.
        counts: how far it has come.
    """

    def __init__(
        self,
        project: Project | None,
        make: Callable[[], Project],
        wanted: tuple[Into, ...],
        source: Source,
        options: Options,
        digest: str,
    ) -> None:
        self._source = source
        self._options = options
        self._digest = digest
        self._totals = {one.key: source.total(one.key, options) for one in wanted}
        _check(project, wanted)
        self.project: Project = make() if project is None else project
        self._action = self.project.begin("imported")
        self._made = False
        self._waiting = deque((one.key, class_id) for one, class_id in zip(wanted, self._classes(wanted), strict=True))
        self._items = _nothing()
        self._next: Item | None = None
        self._key, self._class_id = "", ""
        self._before = 0
        self.counts = Counts(sum(self._totals.values()))

    @property
    def undo(self) -> str | None:
        """Token that takes all of it back, or None where there is nothing to take back."""
        return self._action if self.counts.added or self._made else None

    def taken_back(self) -> None:
        """Note that everything that was added is gone again: nothing is left to take back."""
        self.counts.added, self._made = 0, False

    def rest(self) -> None:
        """Let go of what is open until the next batch is taken, if there is one. Nothing may be taken meanwhile."""
        # Not left to whoever forgets it: what failed is kept to be shown, and a process and a file with it.
        self._items.close()
        if self._next is not None:
            self._items = self._source.items(self._key, self._options, self._next.index + 1)

    def step(self, cancelled: threading.Event) -> bool:
        """Take the next batch; return whether there may be more.

        Raises:
            NotFound: the project was deleted.
            Conflict: what was added so far was taken back.
            StorageFull: the disk has no room.
            TooLarge: the project is full.
        """
        batch = self._batch(cancelled)
        if not batch:
            return False
        for item in batch:
            if item.error is not None:
                self.counts.leave_out(rejected(item.name, item.error))
        good = [(item.name, item.data) for item in batch if item.error is None]
        if good:
            first = batch[0]
            group = hashlib.sha256(f"{self._digest}/{self._key}/{first.group}".encode()).hexdigest()[:32]
            try:
                result = self.project.add_photos(self._class_id, group, good, test=first.test, action=self._action)
            except NotFound as error:
                # A class that this import made goes when it is taken back: saying so says more.
                self.project.require_begun(self._action)
                if error.key != "class_unknown":
                    raise
                self._leave_class()
                return True
            self.counts.added += len(result.added)
            self.counts.repeats += result.repeats
            for one in result.rejected:
                if one.key in _FULL:
                    raise TooLarge(one.key, **one.values)
                self.counts.leave_out(one)
        self.counts.done = min(self.counts.total, self._before + batch[-1].index + 1)
        return True

    def _batch(self, cancelled: threading.Event) -> list[Item]:
        """Return photos of one class and recording, few enough and small enough; none at the end."""
        while self._next is None:
            if not self._advance():
                return []
        first = self._next
        batch: list[Item] = []
        size = 0
        while self._next is not None and (self._next.group, self._next.test) == (first.group, first.test):
            batch.append(self._next)
            size += len(self._next.data)
            if cancelled.is_set():
                raise Cancelled
            self._next = next(self._items, None)
            if len(batch) == AT_ONCE or size >= _BYTES_AT_ONCE:
                break
        return batch

    def _leave_class(self) -> None:
        """Go on with the other classes: somebody deleted the one that photos were being added to."""
        name = next(one.name for one in self._source.plan.classes if one.key == self._key)
        self.counts.leave_out(rejected(name, NotFound("import_class_gone", name=name)))
        self.counts.done = self._before + self._totals[self._key]
        self._items.close()
        self._next = None

    def _advance(self) -> bool:
        """Go on to the next class; return whether there is one."""
        if self._key:
            self._before += self._totals[self._key]
        if not self._waiting:
            return False
        self._key, self._class_id = self._waiting.popleft()
        self._items = self._source.items(self._key, self._options)
        self._next = next(self._items, None)
        return True

    def _classes(self, wanted: tuple[Into, ...]) -> Iterator[str]:
        """Give the class each goes to, and make those that are new."""
        made: dict[str, str] = {}
        for one in wanted:
            if one.into is not None:
                yield one.into
                continue
            key = name_key(clean_name(one.name))
            if key not in made:
                made[key] = self.project.add_class(one.name, action=self._action).id
                self._made = True
            yield made[key]


def _nothing() -> Generator[Item]:
    yield from ()


class ProjectIntake:
    """A whole project on its way out of a zip; nothing of it is to be seen until all of it is there.

    Args:
        store: the projects.
        source: the zip.
        folder: for the project while it is made, on the disk of the store; not there yet.

    Attributes:
        project: what was made, once it is.
        counts: how far it has come.
    """

    def __init__(self, store: ProjectStore, source: PackedSource, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._source = source
        self._unpacking: Unpacking | None = None
        self._steps: Iterator[list[tuple[str, TeachableError]]] | None = None
        self.project: Project | None = None
        self.undo = None
        self.counts = Counts(len(source.packed.photos))

    def rest(self) -> None:
        """Nothing stays open between two batches."""

    def step(self, cancelled: threading.Event) -> bool:
        """Take the next batch; return whether there may be more.

        Raises:
            StorageFull: the disk has no room.
        """
        if self._unpacking is None or self._steps is None:
            self._folder.mkdir()
            packed = self._source.packed
            # Of two that are called the same, nobody could tell which was deleted.
            packed = replace(packed, name=self._store.free_name(packed.name))
            self._unpacking = Unpacking(self._folder, packed, self._source.read, cancelled)
            self._steps = self._unpacking.steps()
        left_out = next(self._steps, None)
        if cancelled.is_set():
            raise Cancelled
        if left_out is None:
            self.project = self._store.adopt(self._move)
            self.counts.added = self._unpacking.added
            return False
        for name, error in left_out:
            self.counts.leave_out(rejected(name, error))
        self.counts.done = self._unpacking.done
        return True

    def _move(self, folder: Path) -> None:
        for path in self._folder.iterdir():
            path.replace(folder / path.name)


def _check(project: Project | None, wanted: tuple[Into, ...]) -> None:
    """Refuse what could only be done in part."""
    if not wanted:
        raise InvalidInput("import_nothing_chosen")
    present = () if project is None else project.info().classes
    ids = {one.id for one in present}
    fresh = {name_key(clean_name(one.name)): one for one in wanted if one.into is None}
    if any(one.into is not None and one.into not in ids for one in wanted):
        raise NotFound("class_unknown")
    for one in present:
        if name_key(one.name) in fresh:
            raise Conflict("class_name_taken", name=one.name)
    if len(present) + len(fresh) > limits().classes:
        raise TooLarge("too_many_classes", allowed=limits().classes)
