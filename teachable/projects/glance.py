"""What a list of projects shows, read without opening them. What did not change since is not read again."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from teachable.projects import about, samples, schema
from teachable.types import ProjectInfo

# A file system tells times apart only so finely: what was written just now may be written again at the same time.
_SETTLED = 2.0

_State = tuple[tuple[int, int], ...]
_Found = TypeVar("_Found")


class Glance:
    """Projects at a glance, by folder; safe to use from any thread. Nothing is purged or swept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Path, str], tuple[_State, Any]] = {}

    def info(self, folder: Path) -> ProjectInfo:
        """Return what a project that this session has not opened is.

        Raises:
            Conflict: it is damaged or from a newer version.
        """
        return self._look(folder, "info", lambda connection: about.read(connection, folder.name, folder))

    def covers(self, folder: Path, count: int) -> tuple[int, ...]:
        """Return the ids of up to `count` samples that stand for such a project.

        Raises:
            Conflict: it is damaged or from a newer version.
        """
        return self._look(folder, f"covers {count}", lambda connection: samples.covers(connection, count))

    def _look(self, folder: Path, what: str, read: Callable[[sqlite3.Connection], _Found]) -> _Found:
        state, key = _state(folder), (folder, what)
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] == state:
            found: _Found = known[1]
            return found
        path = folder / about.DATABASE
        with schema.in_words(path), closing(schema.connect(path)) as connection:
            schema.bring_up_to_date(connection, path)
            found = read(connection)
        if state and max(changed for changed, _ in state) < (time.time() - _SETTLED) * 1e9:
            with self._lock:
                self._known[key] = (state, found)
        return found


def _state(folder: Path) -> _State:
    """Return when the files of the database were written, and how large they are."""
    found = []
    for ending in ("", "-wal"):
        try:
            stat = (folder / f"{about.DATABASE}{ending}").stat()
        except FileNotFoundError:
            continue
        found.append((stat.st_mtime_ns, stat.st_size))
    return tuple(found)
