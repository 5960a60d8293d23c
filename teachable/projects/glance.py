"""What a list of projects shows, read without opening them. What did not change since is not read again."""

import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from teachable.projects import about, samples, schema
from teachable.types import ProjectInfo

COVERS = 4
"""Photos that stand for a project."""

# A file system tells times apart only so finely: what was written just now may be written again at the same time.
_SETTLED = 2.0

_State = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Glimpse:
    """A project among others.

    Attributes:
        info: what it is.
        covers: ids of up to four samples that stand for it, of different classes as far as there are.
    """

    info: ProjectInfo
    covers: tuple[int, ...]


class Glance:
    """Projects at a glance, by folder; safe to use from any thread. Nothing is purged or swept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[_State, Glimpse]] = {}

    def at(self, folder: Path) -> Glimpse:
        """Look at a project that this session has not opened.

        Raises:
            Conflict: it is damaged or from a newer version.
        """
        state = _state(folder)
        with self._lock:
            known = self._known.get(folder)
        if known is not None and known[0] == state:
            return known[1]
        path = folder / about.DATABASE
        with schema.in_words(path), closing(schema.connect(path)) as connection:
            schema.bring_up_to_date(connection, path)
            found = Glimpse(about.read(connection, folder.name, folder), samples.covers(connection, COVERS))
        if state and max(changed for changed, _ in state) < (time.time() - _SETTLED) * 1e9:
            with self._lock:
                self._known[folder] = (state, found)
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
