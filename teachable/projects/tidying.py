"""Clearing away what was removed too long ago, or left half done by a process that was killed.

Looking through the files of fifty thousand photos takes a while, so it is only done after a session that did not end
well. One that ends well leaves a note that says so; whoever opens the project takes it away.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path

from teachable.errors import Conflict, TeachableError
from teachable.projects import actions, models, samples, schema
from teachable.projects.about import DATABASE, REBUILT
from teachable.projects.exported import ExportFiles
from teachable.projects.files import PhotoFiles
from teachable.projects.kept import ModelFiles, ReportFiles
from teachable.projects.small import SmallPhotos

CLEAN = "clean"
"""Name of the note that every file of the project has its row."""

_SHARED = "shared"


class Tidying:
    """The files of one project, from its opening to its closing.

    Args:
        folder: of the project.
        photos: its photos.
        small: small versions of them.
        models: files of its models.
        exports: files made of these.
        reports: what was found out about these.
    """

    def __init__(
        self,
        folder: Path,
        photos: PhotoFiles,
        small: SmallPhotos,
        models: ModelFiles,
        exports: ExportFiles,
        reports: ReportFiles,
    ) -> None:
        self._folder = folder
        self._photos = photos
        self._small = small
        self._models = models
        self._exports = exports
        self._reports = reports
        # The models there were when this session opened the project for itself, or None if it has not.
        self._began_with: set[str] | None = None

    def begin(self) -> None:
        """Clear away, if no other session has the project open.

        Raises:
            Conflict: it is damaged or from a newer version.
        """
        path = self._folder / DATABASE
        if (self._folder / REBUILT).exists():
            # Mending it was interrupted. What is there as long may lack its last changes, and photos they name.
            raise Conflict("project_damaged", folder=str(self._folder))
        with schema.in_words(path), schema.alone(path) as connection:
            if connection is None:
                # Whatever happens to this session, the other one cannot say that nothing was left.
                (self._folder / _SHARED).touch()
                return
            # It may have been mended by a process that was killed just then.
            connection.execute("PRAGMA journal_mode = WAL")
            schema.bring_up_to_date(connection, path)
            clean = (self._folder / CLEAN).exists() and not (self._folder / _SHARED).exists()
            for name in (CLEAN, _SHARED):
                (self._folder / name).unlink(missing_ok=True)
            connection.execute("BEGIN IMMEDIATE")
            purged = actions.purge(connection)
            connection.execute("COMMIT")
            known = models.ids(connection)
            self._models.sweep(known)
            self._reports.sweep(known)
            self._exports.sweep()
            if purged or not clean:
                # A damaged index would make photos look unknown that rows name all the same.
                if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                    raise Conflict("project_damaged", folder=str(self._folder))
                used = samples.files_in_use(connection) | self._models.photos_named()
                self._photos.sweep(used)
                self._small.sweep(used)
            self._began_with = known

    def end(self) -> None:
        """Note that nothing is left to be cleared away, if that is certain. The database must be closed."""
        path = self._folder / DATABASE
        # Without the note all files are looked through the next time, and that is all.
        with suppress(TeachableError, OSError, sqlite3.Error):
            if self._began_with is None or (self._folder / _SHARED).exists():
                return
            with schema.in_words(path), schema.alone(path) as connection:
                # Photos that only a model named which was deleted are still to be swept.
                if connection is not None and self._began_with <= models.ids(connection):
                    (self._folder / CLEAN).touch()

    def left_something(self) -> None:
        """Have all files looked through when the project is next opened."""
        self._began_with = None
