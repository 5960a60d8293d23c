"""Files made for taking a model away: in a folder for everything that says the same, and beside each what is known.

It owns names, and that a file is whole or not there. A key is the short name of what the files of a folder say; which
one that is, and what is in files and notes, it does not know.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from teachable.errors import NotFound
from teachable.projects.files import sync_folder, write_whole

_KEY = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,80}")
_WORKSHOP = re.compile(r"\.[0-9a-f]{12}\.new")
_NOTE = ".json"


class ExportFiles:
    """Files by key and name, each with a note; other processes may use the same folder.

    A file without a note is one that others are made from; it is kept until the project is next opened.

    Args:
        folder: that holds them; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: str, name: str) -> Path:
        """Return where a file is or would be.

        Raises:
            NotFound: no file of ours has such a name.
        """
        if not _KEY.fullmatch(key) or not _NAME.fullmatch(name) or name.endswith(_NOTE):
            raise NotFound("export_missing")
        return self._folder / key / name

    def notes(self, key: str) -> dict[str, tuple[int, bytes]]:
        """Return the size of every file that has a note, and the note, by name."""
        if not _KEY.fullmatch(key):
            return {}
        try:
            entries = {entry.name: entry for entry in os.scandir(self._folder / key)}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        found = {}
        for name, entry in entries.items():
            note = entries.get(name + _NOTE)
            if note is not None:
                try:
                    found[name] = (entry.stat().st_size, Path(note.path).read_bytes())
                except FileNotFoundError:
                    continue  # another process removes it at this moment
        return found

    @contextmanager
    def workshop(self, key: str) -> Iterator[Path]:
        """Give an empty folder to make a file in, and remove it afterwards, with all that was left there.

        Raises:
            FileNotFoundError: the project is gone.
        """
        place = self.path(key, "any").parent / f".{secrets.token_hex(6)}.new"
        # Not with all parents: a project that was deleted meanwhile must not come back as an empty folder.
        for folder in (self._folder, place.parent, place):
            folder.mkdir(exist_ok=folder != place)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def keep(self, made: Path, key: str, name: str, note: bytes | None) -> Path:
        """Put a file from the workshop in its place, so that it is there after a power cut, and return the place.

        Args:
            made: the file; gone afterwards.
            key: what it says.
            name: of the file.
            note: what is known about it, or None for one that others are made from.
        """
        path = self.path(key, name)
        with made.open("rb+") as stream:
            os.fsync(stream.fileno())
        made.replace(path)
        sync_folder(path.parent)
        if note is not None:
            write_whole(path.with_name(name + _NOTE), note)
        return path

    def discard(self, key: str, name: str) -> None:
        """Remove a file and its note, if they are there."""
        path = self.path(key, name)
        path.with_name(name + _NOTE).unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def forget_others(self, key: str) -> None:
        """Remove everything with another key. What cannot be removed now, because it is being read, is later."""
        for folder in self._keys():
            if folder.name != key:
                shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a killed process left behind: unfinished files, files without note and notes without file.

        Nobody else may be using the project meanwhile.
        """
        for folder in self._keys():
            entries = {path.name: path for path in folder.iterdir()}
            for name, path in entries.items():
                if _WORKSHOP.fullmatch(name) and path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                    continue
                note = name.endswith(_NOTE)
                other = name.removesuffix(_NOTE) if note else name + _NOTE
                if path.is_file() and other not in entries:
                    path.unlink(missing_ok=True)

    def _keys(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return [path for path in self._folder.iterdir() if _KEY.fullmatch(path.name) and path.is_dir()]
