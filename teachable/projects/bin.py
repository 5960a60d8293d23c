"""Deleted projects: each is kept whole for 30 days, across restarts. It owns the folder of them and their notes.

A project lies in a folder named by an unguessable id, beside a note that says what it was. Whoever knows the id can
bring it back.
"""

import json
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from teachable.errors import NotFound
from teachable.projects import names
from teachable.projects.files import sync_folder, write_whole
from teachable.words import say

KEPT_DAYS = 30
"""How long a deleted project can be brought back."""

_NOTE = "deleted.json"
_CLOCK = "clock.json"
_FORMAT = 1


@dataclass(frozen=True)
class Binned:
    """A deleted project.

    Attributes:
        id: unguessable name; brings it back.
        name: what the person called it.
        deleted: seconds since 1970.
        photos: how many it has.
        bytes: on disk.
    """

    id: str
    name: str
    deleted: float
    photos: int
    bytes: int


class Bin:
    """Deleted projects of one home folder.

    A clock that is set back must not make anything look old: what counts as now never runs backwards, as far as
    earlier starts and deletions tell.

    Args:
        folder: that holds them; it is there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, project: Path, name: str | None, photos: int, bytes: int) -> Binned:
        """Move a project here.

        Args:
            project: its folder, in which nobody has a file open.
            name: of the project, or None for one that cannot be read.
            photos: how many it has.
            bytes: on disk.
        """
        shown = say("note.project_unreadable") if name is None else name
        binned = Binned(names.new_id(), shown, self._now(), photos, bytes)
        place = self._folder / binned.id
        place.mkdir()
        try:
            write_whole(place / _NOTE, json.dumps({"format_version": _FORMAT, **asdict(binned)}).encode())
            project.replace(place / project.name)
        except BaseException:
            # Never with all that is in it: the project may have arrived.
            with suppress(OSError):
                if _project(place) is None:
                    (place / _NOTE).unlink(missing_ok=True)
                    place.rmdir()
            raise
        sync_folder(place)
        return binned

    def contents(self) -> tuple[Binned, ...]:
        """Return what is here, deleted last first."""
        found = [self._read(place) for place in self._places() if _project(place) is not None]
        return tuple(sorted(found, key=lambda binned: binned.deleted, reverse=True))

    def take_out(self, bin_id: str, projects: Path) -> str:
        """Move a project back and return its id, another one if a folder has taken its place meanwhile.

        Raises:
            NotFound: it is not here, or not any more.
        """
        place = self._find(bin_id)
        project = _project(place)
        if project is None:
            raise NotFound("bin_gone")
        name = names.new_id() if (projects / project.name).exists() else project.name
        project.replace(projects / name)
        sync_folder(projects)
        shutil.rmtree(place, ignore_errors=True)
        return name

    def remove(self, bin_id: str) -> int:
        """Delete a project for good and return the bytes that were freed.

        Raises:
            NotFound: it is not here, or not any more.
        """
        place = self._find(bin_id)
        freed = self._read(place).bytes
        self._discard(place)
        return freed

    def sweep(self) -> None:
        """Delete what has been here for long enough, and what a killed process left. Nobody else may use the folder."""
        now = self._now()
        for place in self._places():
            if _project(place) is None or self._read(place).deleted < now - KEPT_DAYS * 86400:
                self._discard(place)
        for place in self._folder.iterdir():
            if place.name.startswith(".") and place.is_dir():
                shutil.rmtree(place, ignore_errors=True)

    def _now(self) -> float:
        """Return the time, or the latest one that was ever seen here; and note it."""
        path, now = self._folder / _CLOCK, time.time()
        with suppress(OSError, ValueError, TypeError, KeyError):  # it was never noted, or is damaged
            now = max(now, float(json.loads(path.read_bytes())["seen"]))
        write_whole(path, json.dumps({"format_version": _FORMAT, "seen": now}).encode())
        return now

    def _places(self) -> list[Path]:
        return [place for place in self._folder.iterdir() if names.is_id(place.name) and place.is_dir()]

    def _find(self, bin_id: str) -> Path:
        place = self._folder / bin_id if names.is_id(bin_id) else None
        if place is None or not place.is_dir():
            raise NotFound("bin_gone")
        return place

    def _read(self, place: Path) -> Binned:
        """Read a note. What was deleted before there were notes, or has a damaged one, dates from when it came here."""
        try:
            note = json.loads((place / _NOTE).read_bytes())
            if note.pop("format_version") != _FORMAT or note.keys() != {one.name for one in fields(Binned)}:
                raise ValueError("another format")
            name, photos, size = str(note["name"]), int(note["photos"]), int(note["bytes"])
            return Binned(place.name, name, float(note["deleted"]), photos, size)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return Binned(place.name, say("note.project_unreadable"), place.stat().st_mtime, 0, 0)

    def _discard(self, place: Path) -> None:
        """Delete a place; renamed first, so that half of a project is never taken for one."""
        doomed = place.with_name(f".{place.name}")
        place.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _project(place: Path) -> Path | None:
    """Return the project that lies in a place."""
    return next((path for path in place.iterdir() if names.is_id(path.name) and path.is_dir()), None)
