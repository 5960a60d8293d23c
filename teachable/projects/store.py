"""All projects of one home folder. It owns folders, ids and the session; what is inside a project it does not know."""

import logging
import re
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from teachable.errors import Conflict, NotFound, StorageFull, TeachableError
from teachable.projects import about, names, schema, storage
from teachable.projects.bin import Bin, Binned
from teachable.projects.files import sync_folder
from teachable.projects.glance import Glance, Glimpse
from teachable.projects.project import Project
from teachable.types import ProjectInfo, ProjectNetwork
from teachable.words import say

log = logging.getLogger(__name__)

_SESSION = "session.sqlite"
_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.new")


@dataclass(frozen=True)
class Damaged:
    """A project that cannot be read.

    Attributes:
        id: name of its folder.
        message: what is wrong and what to do, in words.
    """

    id: str
    message: str


class ProjectStore:
    """The projects of one home folder, usable from any thread.

    Several processes may have stores on one home; what is too old is removed by one that starts while no other runs.

    Attributes:
        allowed_photos: how many photos a project may have, or None where only the general limit counts; may be set.
    """

    def __init__(self, home: Path) -> None:
        """Start a session, and remove what was deleted too long ago unless another session runs.

        Args:
            home: folder for everything; made if missing.

        Raises:
            InstallationError: it cannot be written.
            StorageFull: the disk has no room.
        """
        self._projects = home / "projects"
        self._trash = home / "trash"
        self._session = secrets.token_hex(16)
        self._lock = threading.RLock()
        self._open: dict[str, Project] = {}
        self._bin = Bin(home / "trash")
        self._glance = Glance()
        self.allowed_photos: Callable[[str], int | None] = lambda project_id: None
        with schema.in_words(home):
            self._projects.mkdir(parents=True, exist_ok=True)
            self._trash.mkdir(exist_ok=True)
            self._alive = self._begin_session(home / _SESSION)

    def list(self) -> tuple[ProjectInfo, ...]:
        """Return all projects, last changed first. One that cannot be read is logged and left out.

        Raises:
            StorageFull: the disk has no room even for reading; better said than shown as missing projects.
        """
        return tuple(one.info for one in self.survey()[0])

    def survey(self) -> tuple[tuple[Glimpse, ...], tuple[Damaged, ...]]:
        """Return all projects, last changed first, and those that cannot be read.

        Raises:
            StorageFull: the disk has no room even for reading.
        """
        found, damaged = [], []
        for folder in self._projects.iterdir():
            if not names.is_id(folder.name):
                continue
            try:
                found.append(self._peek(folder))
            except StorageFull:
                raise
            except (TeachableError, OSError, sqlite3.Error, ValueError) as error:
                if not folder.is_dir():
                    continue  # deleted at this moment
                log.warning("Project %s is left out of the list: %s", folder, error)
                known = error if isinstance(error, TeachableError) else Conflict("project_damaged", folder=folder)
                damaged.append(Damaged(folder.name, str(known)))
        return tuple(sorted(found, key=lambda one: one.info.updated, reverse=True)), tuple(damaged)

    def size(self, project_id: str) -> int:
        """Return the bytes a project takes; 0 for one that is gone."""
        return storage.size_of(self._projects / project_id) if names.is_id(project_id) else 0

    def free(self) -> int:
        """Return the bytes the disk has left."""
        return shutil.disk_usage(self._projects).free

    def create(
        self,
        name: str | None = None,
        network: ProjectNetwork | None = None,
        class_names: Sequence[str | None] = (None, None),
    ) -> Project:
        """Make a project.

        Args:
            name: what the person calls it; chosen if not given, so that several can be told apart.
            network: it is taught with, if that is decided.
            class_names: of its classes, None for a numbered one; two empty ones if not given.

        Raises:
            InvalidInput: the name cannot be used.
            StorageFull: the disk has no room.
        """
        chosen = self._new_name() if name is None else names.clean_name(name)
        return self.adopt(lambda folder: about.create(folder, chosen, class_names, network))

    def duplicate(self, project_id: str, name: str | None = None) -> Project:
        """Make a project with the same contents; see `Project.copy_to`. Until it is whole there is nothing to be seen.

        Args:
            project_id: of the project.
            name: of the new one; that of the old one with a number behind it if not given.

        Raises:
            NotFound: there is none with this id.
            InvalidInput: the name cannot be used.
            StorageFull: the disk has no room.
        """
        project = self.open(project_id)
        chosen = names.free_name(project.info().name, self._taken()) if name is None else names.clean_name(name)
        return self.adopt(lambda folder: project.copy_to(folder, chosen))

    def adopt(self, fill: Callable[[Path], None]) -> Project:
        """Make a project of what is put into its folder, whole or not at all.

        Args:
            fill: called with an empty folder; makes the database and everything else in it.

        Raises:
            StorageFull: the disk has no room.
        """
        project_id = names.new_id()
        unfinished = self._projects / f".{project_id}.new"
        try:
            with schema.in_words(self._projects):
                unfinished.mkdir()
                fill(unfinished)
                unfinished.replace(self._projects / project_id)
                sync_folder(self._projects)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        return self.open(project_id)

    def open(self, project_id: str) -> Project:
        """Return a project, the same object for everyone who asks.

        Raises:
            NotFound: there is none with this id.
            Conflict: it is damaged or from a newer version.
        """
        with self._lock:
            project = self._open.get(project_id)
            if project is None:
                project = Project(self._folder(project_id), self._session, lambda: self.allowed_photos(project_id))
                self._open[project_id] = project
            return project

    def delete(self, project_id: str) -> str:
        """Put a project into the bin, a damaged one too, and return the id that brings it back.

        Raises:
            NotFound: there is none with this id.
        """
        with self._lock, schema.in_words(self._projects):
            folder = self._folder(project_id)
            info = None
            with suppress(TeachableError, sqlite3.Error, ValueError):
                info = self._peek(folder).info
            project = self._open.pop(project_id, None)
            if project is not None:
                project.close()
            photos = 0 if info is None else sum(one.samples for one in info.classes)
            binned = self._bin.put(folder, None if info is None else info.name, photos, storage.size_of(folder))
            sync_folder(self._projects)
            return binned.id

    def bin(self) -> tuple[Binned, ...]:
        """Return the projects that were deleted and can be brought back, deleted last first."""
        with self._lock, schema.in_words(self._trash):
            return self._bin.contents()

    def restore(self, bin_id: str) -> Project:
        """Bring a deleted project back.

        Raises:
            NotFound: it is not in the bin, or not any more.
        """
        with self._lock, schema.in_words(self._projects):
            return self.open(self._bin.take_out(bin_id, self._projects))

    def empty_bin(self, bin_id: str | None = None) -> int:
        """Delete one project of the bin for good, or all of them; return the bytes that were freed.

        Raises:
            NotFound: it is not in the bin, or not any more.
        """
        with self._lock, schema.in_words(self._trash):
            chosen = [binned.id for binned in self._bin.contents()] if bin_id is None else [bin_id]
            return sum(self._bin.remove(one) for one in chosen)

    def close(self) -> None:
        """End the session."""
        with self._lock:
            for project in self._open.values():
                project.close()
            self._open.clear()
            self._alive.close()

    def _folder(self, project_id: str) -> Path:
        folder = self._projects / project_id if names.is_id(project_id) else None
        if folder is None or not folder.is_dir():
            raise NotFound("project_unknown")
        return folder

    def _peek(self, folder: Path) -> Glimpse:
        """Read a project without opening it for the session, so that listing never purges anything."""
        with self._lock:
            project = self._open.get(folder.name)
        if project is not None:
            return project.glimpse()
        return self._glance.at(folder)

    def free_name(self, name: str) -> str:
        """Return a name for a project that comes from elsewhere: numbered where one that is here is called the same.

        Raises:
            InvalidInput: the name cannot be used.
        """
        return names.free_name(names.clean_name(name), self._taken())

    def _taken(self) -> set[str]:
        return {names.name_key(info.name) for info in self.list()}

    def _new_name(self) -> str:
        """Return a name that no project has yet."""
        taken, number, chosen = self._taken(), 1, say("note.project_name")
        while names.name_key(chosen) in taken:
            number += 1
            chosen = say("note.project_name_numbered", number=number)
        return chosen

    def _begin_session(self, path: Path) -> sqlite3.Connection:
        """Return the connection whose lock tells others that this session lives; see `schema.alone`."""
        path.touch()
        try:
            with closing(schema.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
                raise
            # Nothing is kept in this file but its lock, and nobody can hold a lock on a file that is no database.
            path.write_bytes(b"")
            return self._begin_session(path)
        with schema.alone(path) as alone:
            if alone is not None:
                self._clear_away()
        connection = schema.connect(path)
        try:
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _clear_away(self) -> None:
        """Delete what is in the bin for too long, and what a killed process left half made."""
        self._bin.sweep()
        for folder in self._projects.iterdir():
            if _UNFINISHED.fullmatch(folder.name):
                shutil.rmtree(folder, ignore_errors=True)


def in_use(home: Path) -> bool:
    """Say whether a session works on the projects of a home folder in this moment, in this process or another."""
    path = home / _SESSION
    try:
        with schema.alone(path) as alone:
            return alone is None
    except sqlite3.DatabaseError:
        return False  # nobody can hold a lock on a file that is missing or no database
