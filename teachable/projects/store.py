"""All projects of one home folder. It owns folders, ids and the session; what is inside a project it does not know."""

import logging
import re
import secrets
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from teachable.errors import NotFound, StorageFull, TeachableError
from teachable.projects import about, names, schema
from teachable.projects.files import sync_folder
from teachable.projects.project import Project
from teachable.types import ProjectInfo, ProjectNetwork
from teachable.words import say

log = logging.getLogger(__name__)

_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.new")


class ProjectStore:
    """The projects of one home folder, usable from any thread.

    A store is one session: undo tokens hold as long as it lives, and what was deleted is removed from disk when the
    next one starts. Several processes may have stores on one home; the last one to leave turns out the light.
    """

    def __init__(self, home: Path) -> None:
        """Start a session, and remove what earlier ones deleted unless one of them still runs.

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
        self._deleted: dict[str, Path] = {}
        with schema.in_words(home):
            self._projects.mkdir(parents=True, exist_ok=True)
            self._trash.mkdir(exist_ok=True)
            self._alive = self._begin_session(home / "session.sqlite")

    def list(self) -> tuple[ProjectInfo, ...]:
        """Return all projects, last changed first. One that cannot be read is logged and left out.

        Raises:
            StorageFull: the disk has no room even for reading; better said than shown as missing projects.
        """
        found = []
        for folder in self._projects.iterdir():
            if not names.is_id(folder.name):
                continue
            try:
                found.append(self._peek(folder))
            except StorageFull:
                raise
            except (TeachableError, OSError, sqlite3.Error, ValueError) as error:
                log.warning("Project %s is left out of the list: %s", folder, error)
        return tuple(sorted(found, key=lambda info: info.updated, reverse=True))

    def create(self, name: str | None = None, network: ProjectNetwork | None = None) -> Project:
        """Make a project with two empty classes.

        Args:
            name: what the person calls it; chosen if not given.
            network: it is taught with, if that is decided.

        Raises:
            InvalidInput: the name cannot be used.
            StorageFull: the disk has no room.
        """
        chosen = say("note.project_name") if name is None else names.clean_name(name)
        project_id = names.new_id()
        unfinished = self._projects / f".{project_id}.new"
        try:
            with schema.in_words(self._projects):
                unfinished.mkdir()
                about.create(unfinished, chosen, (None, None), network)
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
                project = self._open[project_id] = Project(self._folder(project_id), self._session)
            return project

    def delete(self, project_id: str) -> str:
        """Delete a project, a damaged one too, and return the undo token.

        Raises:
            NotFound: there is none with this id.
        """
        with self._lock, schema.in_words(self._projects):
            folder = self._folder(project_id)
            project = self._open.pop(project_id, None)
            if project is not None:
                project.close()
            token = secrets.token_urlsafe(16)
            resting = self._trash / secrets.token_hex(8)
            resting.mkdir()
            folder.replace(resting / project_id)
            sync_folder(self._projects)
            self._deleted[token] = resting / project_id
            return token

    def restore(self, token: str) -> Project:
        """Bring a deleted project back.

        Raises:
            NotFound: no such token, it was used already, or its session is over.
        """
        with self._lock, schema.in_words(self._projects):
            resting = self._deleted.get(token)
            if resting is None:
                raise NotFound("undo_over")
            resting.replace(self._projects / resting.name)
            del self._deleted[token]
            resting.parent.rmdir()
            sync_folder(self._projects)
            return self.open(resting.name)

    def close(self) -> None:
        """End the session. Undo tokens are void from now on."""
        with self._lock:
            for project in self._open.values():
                project.close()
            self._open.clear()
            self._deleted.clear()
            self._alive.close()

    def _folder(self, project_id: str) -> Path:
        folder = self._projects / project_id if names.is_id(project_id) else None
        if folder is None or not folder.is_dir():
            raise NotFound("project_unknown")
        return folder

    def _peek(self, folder: Path) -> ProjectInfo:
        """Read a project without opening it for the session, so that listing never purges anything."""
        with self._lock:
            project = self._open.get(folder.name)
        if project is not None:
            return project.info()
        path = folder / about.DATABASE
        with schema.in_words(path), closing(schema.connect(path)) as connection:
            schema.bring_up_to_date(connection, path)
            return about.read(connection, folder.name, folder)

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
                self._empty_trash()
        connection = schema.connect(path)
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        return connection

    def _empty_trash(self) -> None:
        leftovers = [*self._trash.iterdir()]
        leftovers += [folder for folder in self._projects.iterdir() if _UNFINISHED.fullmatch(folder.name)]
        for folder in leftovers:
            shutil.rmtree(folder, ignore_errors=True)
