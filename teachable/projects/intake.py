"""Taking photos into a project: files that are no good are left out, the others are on disk when the call returns."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice

from teachable.errors import PhotoError, TeachableError, TooLarge
from teachable.images import prepare
from teachable.projects import actions, classes, names, samples
from teachable.projects.database import Database
from teachable.projects.files import PhotoFiles
from teachable.projects.samples import Incoming
from teachable.settings import limits
from teachable.types import AddResult, Rejected, Sample

PHOTOS_AT_ONCE = 32
"""Photos committed together: enough to share the cost of a commit, few enough for other threads to get a turn."""


class Intake:
    """Puts photos and their rows together.

    Args:
        database: of the project.
        photos: its files.
        session: whose actions these are.
        allowed: how many photos the project may have, or None where only the general limit counts.
        on_debris: called when files may be left that no row names.
    """

    def __init__(
        self,
        database: Database,
        photos: PhotoFiles,
        session: str,
        allowed: Callable[[], int | None],
        on_debris: Callable[[], None],
    ) -> None:
        self._database = database
        self._photos = photos
        self._session = session
        self._allowed = allowed
        self._on_debris = on_debris

    def take(
        self, class_id: str, group: str, files: Iterable[tuple[str, bytes]], *, test: bool, action: str | None
    ) -> AddResult:
        """Store photos in a class; see `Project.add_photos`."""
        names.clean_group(group)
        with self._database.read() as connection:
            classes.require(connection, class_id)
        added: list[Sample] = []
        rejected: list[Rejected] = []
        repeats, undo = 0, None
        remaining = iter(files)
        while batch := list(islice(remaining, PHOTOS_AT_ONCE)):
            incoming: list[tuple[str, Incoming]] = []
            seen: set[str] = set()
            for name, data in batch:
                source = hashlib.sha256(data).hexdigest()
                if source in seen or self._has_source(class_id, source):
                    repeats += 1
                    continue
                try:
                    incoming.append((name, Incoming(prepare(data, name), source)))
                    seen.add(source)
                except (PhotoError, TooLarge) as error:
                    rejected.append(_rejected(name, error))
            stored, over, token = self._store(class_id, group, incoming, test, action)
            undo = token or undo
            added.extend(stored)
            rejected.extend(over)
            repeats += len(incoming) - len(stored) - len(over)
        return AddResult(tuple(added), repeats, tuple(rejected), undo)

    def _has_source(self, class_id: str, source: str) -> bool:
        with self._database.read() as connection:
            return samples.has_source(connection, class_id, source)

    def _store(
        self, class_id: str, group: str, incoming: list[tuple[str, Incoming]], test: bool, action: str | None
    ) -> tuple[list[Sample], list[Rejected], str | None]:
        """Write new photos and commit their rows; return what was added, what there is no room for, and the undo token.

        Files are written while this process and others are kept from changing the project, so that no file is removed
        on the way because a row does not name it yet.
        """
        if not incoming:
            return [], [], None
        fresh: tuple[str, ...] = ()
        token: str | None = None
        stored: list[Sample] = []
        try:
            with self._database.change() as connection:
                found = classes.require(connection, class_id)
                new = samples.new_among(connection, class_id, [photo for _, photo in incoming])
                room, full = self._room(connection)
                taken, over = new[:room], {item.source for item in new[room:]}
                fresh = self._photos.write({item.photo.sha256: item.photo.data for item in taken})
                if taken:
                    facts = {"class": class_id, "group": group, "name": found.name}
                    token = action or actions.last_of(connection, self._session, "added", facts)
                    with actions.recorded(connection, self._session, "added", facts, into=token) as current:
                        stored = samples.insert(connection, class_id, group, taken, test=test)
                        current.facts["count"] = current.facts.get("count", 0) + len(taken)
                    token = current.token
        except BaseException:
            self._discard(fresh)
            raise
        return stored, [_rejected(name, full) for name, item in incoming if item.source in over], token

    def room(self) -> int:
        """Return how many more photos there may be."""
        with self._database.read() as connection:
            return self._room(connection)[0]

    def _room(self, connection: sqlite3.Connection) -> tuple[int, TooLarge]:
        """Return how many more photos there may be, and what to say of those beyond."""
        most, given = limits().samples, self._allowed()
        allowed = most if given is None else min(given, most)
        key = "too_many_samples" if allowed == most else "visitor_photos"
        return max(0, allowed - samples.count(connection)), TooLarge(key, allowed=allowed)

    def _discard(self, fresh: tuple[str, ...]) -> None:
        """Remove files whose rows could not be committed, unless somebody else has taken them over."""
        if not fresh:
            return
        # What fails here is debris that the next opening sweeps; the error that brought us here is the one to report.
        self._on_debris()
        with suppress(TeachableError, OSError, sqlite3.Error), self._database.frozen() as connection:
            self._photos.discard(set(fresh) - samples.files_in_use(connection, fresh))


def _rejected(name: str, error: TeachableError) -> Rejected:
    return Rejected(name, str(error), error.key, dict(error.values))
