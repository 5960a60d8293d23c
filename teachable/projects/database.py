"""Transactions of one project. It owns connections and locks; queries belong to the modules that call it."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from teachable.errors import NotFound
from teachable.projects import recording, schema


class Database:
    """One project database, usable from any thread.

    Reading has its own connection, so the page is never kept waiting by photos that are being written.
    """

    def __init__(self, path: Path) -> None:
        """Open the database and bring its schema up to date.

        Raises:
            Conflict: it is damaged or from a newer version.
        """
        self._path = path
        self._open = True
        self._reading = threading.RLock()
        self._writing = threading.RLock()
        with schema.in_words(path):
            self._writer = schema.connect(path)
            try:
                schema.bring_up_to_date(self._writer, path)
                recording.prepare(self._writer)
                self._reader = schema.connect(path)
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which all queries see one state."""
        with self._reading, schema.in_words(self._path):
            self._require_open()
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.rollback()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for a change that is kept whole, or not at all if an error leaves the block.

        The time of the last change is renewed; it always grows, however coarse the clock.
        """
        with self._writing, schema.in_words(self._path):
            self._require_open()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("UPDATE project SET updated = MAX(?, updated + 1e-6)", (time.time(),))
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.rollback()
                raise

    @contextmanager
    def frozen(self) -> Iterator[sqlite3.Connection]:
        """Give a connection while no process can change anything, to compare files with rows."""
        with self._writing, schema.in_words(self._path):
            self._require_open()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            finally:
                self._writer.rollback()

    def close(self) -> bool:
        """Wait for running calls and close; later ones find the project gone. Return whether it was open."""
        with self._writing, self._reading:
            was_open, self._open = self._open, False
            self._reader.close()
            self._writer.close()
            return was_open

    def _require_open(self) -> None:
        if not self._open:
            raise NotFound("project_unknown")
