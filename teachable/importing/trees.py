"""Files in folders, in a zip file or on this computer: where each lies, and its bytes. Nothing of what they are.

What systems and programs leave behind is not there at all; what has no safe place is left out and told.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from teachable.errors import InvalidInput, NotFound, StorageFull, TooLarge
from teachable.importing.plan import Skipped
from teachable.importing.zips import MOST_ENTRIES, Archive, Entry, write_out
from teachable.settings import limits

LONGEST_PATH = 4096
DEEPEST = 32

_LITTER = frozenset({"thumbs.db", "desktop.ini", "icon\r", "picasa.ini", "ehthumbs.db"})
_DRIVE = re.compile(r"[A-Za-z]:")


class File(ABC):
    """One file.

    Attributes:
        parts: folders it lies in and its name, without anything that leads out of them.
        size: bytes.
    """

    __slots__ = ("parts", "size")

    def __init__(self, parts: tuple[str, ...], size: int) -> None:
        self.parts = parts
        self.size = size

    @property
    def name(self) -> str:
        """Where it lies, as text."""
        return "/".join(self.parts)

    @property
    def ending(self) -> str:
        """Of its name, with the dot, in small letters; empty where there is none."""
        stem, dot, ending = self.parts[-1].rpartition(".")
        return f".{ending.lower()}" if dot and stem else ""

    @abstractmethod
    def read(self, most: int | None = None) -> bytes:
        """Return its bytes.

        Args:
            most: bytes it may have; as many as a photo unless given.

        Raises:
            TeachableError: it has more, is damaged, or not there any more.
        """

    @abstractmethod
    def start(self, size: int) -> bytes:
        """Return its first bytes; none where it cannot be read."""

    @abstractmethod
    def whole(self, path: Path, most: int, room: int) -> Path:
        """Return the path of a file on this computer with its bytes: its own, or `path`, to which it is then written.

        Args:
            path: to write it to.
            most: bytes it may have.
            room: bytes that may be written.

        Raises:
            StorageFull: there is no room.
            TeachableError: it has more than `most` bytes or is damaged.
        """


class PackedFile(File):
    """One in a zip file."""

    __slots__ = ("_archive", "_entry")

    def __init__(self, parts: tuple[str, ...], archive: Archive, entry: Entry) -> None:
        super().__init__(parts, entry.size)
        self._archive = archive
        self._entry = entry

    def read(self, most: int | None = None) -> bytes:
        """Return its bytes."""
        return self._archive.read(self._entry, most)

    def start(self, size: int) -> bytes:
        """Return its first bytes."""
        return self._archive.start(self._entry, size)

    def whole(self, path: Path, most: int, room: int) -> Path:
        """Write it to `path`."""
        if self.size > min(most, room):
            raise _too_large(self.name, most) if self.size > most else StorageFull("storage_full")
        with self._archive.open(self._entry) as stream:
            write_out(stream, path, most, self.name)
        return path


class LocalFile(File):
    """One in a folder on this computer."""

    __slots__ = ("_path",)

    def __init__(self, parts: tuple[str, ...], path: Path, size: int) -> None:
        super().__init__(parts, size)
        self._path = path

    def read(self, most: int | None = None) -> bytes:
        """Return its bytes."""
        bound = limits().photo_bytes if most is None else most
        with self._open() as stream:
            data = stream.read(bound + 1)
        if len(data) > bound:
            raise _too_large(self.name, bound)
        return data

    def start(self, size: int) -> bytes:
        """Return its first bytes."""
        try:
            with self._open() as stream:
                return stream.read(size)
        except NotFound:
            return b""

    def whole(self, path: Path, most: int, room: int) -> Path:
        """Return its own path."""
        if self.size > most:
            raise _too_large(self.name, most)
        return self._path

    def _open(self) -> IO[bytes]:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise NotFound("folder_file_unreadable", name=self.name) from error


def packed_files(archive: Archive, skipped: Skipped) -> list[File]:
    """Return the files of an archive that have a place, in the order a person would give them."""
    found: list[File] = []
    for entry in archive.entries:
        parts = _parts(entry.name)
        if _is_litter(parts):
            continue
        # A part that leads up is no litter: it is told.
        if not _is_safe(entry.name, parts):
            skipped.add(_shown(entry.name), InvalidInput("archive_entry_place", name=_shown(entry.name)))
        elif entry.is_link:
            skipped.add(entry.name, InvalidInput("archive_entry_link", name=entry.name))
        else:
            found.append(PackedFile(parts, archive, entry))
    return in_order(found)


def local_files(folder: Path) -> list[File]:
    """Return the files below a folder on this computer, in the order a person would give them.

    Raises:
        NotFound: a folder cannot be read.
        TooLarge: there are too many.
    """
    found: list[File] = []
    for path, parts in _below(folder, ()):
        try:
            size = path.stat().st_size
        except OSError:
            # A link that leads nowhere, or a file that went a moment ago.
            continue
        found.append(LocalFile(parts, path, size))
        if len(found) > MOST_ENTRIES:
            raise TooLarge("folder_files", allowed=f"{MOST_ENTRIES:,}")
    return in_order(found)


def in_order(files: Iterable[File]) -> list[File]:
    """Return files as a person would sort them: photo 2 before photo 10, and what lies in folders behind the rest."""
    return sorted(files, key=_place)


def _place(file: File) -> list[tuple[int, list[tuple[int, str]]]]:
    return [*((1, natural(part)) for part in file.parts[:-1]), (0, natural(file.parts[-1]))]


def natural(text: str) -> list[tuple[int, str]]:
    """Return what sorts "photo 2" before "photo 10"."""
    # More than 18 digits are no number of anything, and turning a million of them into one takes a while.
    parts = re.split(r"([0-9]{1,18})", text.casefold())
    return [(int(part), "") if part.isdecimal() and part.isascii() else (-1, part) for part in parts]


def _below(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise NotFound("folder_unreadable", folder=folder) from error
    for path in inside:
        here = (*parts, path.name)
        if _is_litter(here[-1:]):
            continue
        # A link to a folder may lead back up and around for ever.
        if path.is_dir():
            if not path.is_symlink() and len(here) < DEEPEST:
                yield from _below(path, here)
        elif path.is_file():
            yield path, here


def _parts(name: str) -> tuple[str, ...]:
    # Older programs on Windows write its own separator, against the rules of the format.
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in {"", "."})


def _is_litter(parts: tuple[str, ...]) -> bool:
    hidden = any(part != ".." and part.startswith((".", "__MACOSX")) for part in parts)
    return hidden or (bool(parts) and parts[-1].lower() in _LITTER)


def _is_safe(name: str, parts: tuple[str, ...]) -> bool:
    whole = 0 < len(name) <= LONGEST_PATH and 0 < len(parts) <= DEEPEST and "\0" not in name
    return whole and not name.startswith(("/", "\\")) and _DRIVE.match(name) is None and ".." not in parts


def _shown(name: str) -> str:
    clean = "".join(letter if letter.isprintable() else "�" for letter in name[:200])
    return clean if len(name) <= 60 else f"{clean[:40]}…"


def _too_large(name: str, most: int) -> TooLarge:
    return TooLarge("archive_entry_large", name=name, megabytes=f"{most / 2**20:.0f}")
