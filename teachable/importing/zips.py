"""Reading a zip file that may be hostile: its list of files, and the bytes of each, within limits.

It owns limits and names. Nothing is ever written under a name out of an archive; a name is text until `trees` takes it
for a place. What the files are is not known here.
"""

import io
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from teachable.errors import InvalidInput, NotFound, TeachableError, TooLarge
from teachable.settings import limits

MOST_ENTRIES = 200_000
"""Files in one archive."""

LARGEST_LIST = 64 * 2**20
"""Bytes of the list of files; two hundred thousand with long names have about half of it."""

MOST_BYTES = 64 * 2**30
"""All files of an archive unpacked, which is never done."""

LARGEST_RATIO = 100
"""All files of an archive unpacked, as a multiple of the archive. Photos are packed already, at about 1."""

HARMLESS_BYTES = 512 * 2**20
"""What unpacks to less is no danger, whatever the ratio."""

# Deflate makes at most 1,032 bytes of one; what claims more lies.
_MOST_OF_ONE_BYTE = 1032
# What other methods need to unpack is bounded by nothing but the file's own word.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_CENTRAL = b"PK\x01\x02"
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1 | 0x40
_UTF8 = 0x800
# Info-ZIP Unicode Path Extra Field, APPNOTE.TXT 4.6.9.
_UNICODE_PATH = 0x7075

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
"""What `zipfile` raises for damaged archives; text that is no UTF-8 is a ValueError."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in an archive.

    Attributes:
        name: as whoever packed it wrote it; only text, no path.
        size: bytes unpacked, as the list says; reading never gives more.
        info: what `zipfile` knows of it.
    """

    name: str
    size: int
    info: zipfile.ZipInfo

    @property
    def is_link(self) -> bool:
        """Whether it stands for a link to another file."""
        return stat.S_ISLNK(self.info.external_attr >> 16)

    @property
    def is_encrypted(self) -> bool:
        """Whether a password would be needed."""
        return bool(self.info.flag_bits & _ENCRYPTED)


class Archive:
    """A zip file that is open for reading; safe to use from any thread.

    Args:
        path: of the file.
        name: what to call it in errors.

    Attributes:
        entries: its files, in the order of the list, without folders.

    Raises:
        InvalidInput: it is no zip file, damaged, or built to be none.
        TooLarge: more files or bytes than we take.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._file = _Measured(path)
        try:
            self._zip = zipfile.ZipFile(self._file)
            self._file.opening = False
            # Not `is_dir`, which cannot do with a name of nothing.
            files = [info for info in self._zip.infolist() if not info.orig_filename.endswith("/")]
            self.entries = tuple(Entry(_name(info), info.file_size, info) for info in files)
            self._check()
        except BaseException as error:
            self._file.close()
            if isinstance(error, TeachableError):
                raise
            if isinstance(error, _BROKEN):
                raise InvalidInput("archive_damaged", name=name) from error
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()
        self._file.close()

    def read(self, entry: Entry, most: int | None = None) -> bytes:
        """Return the bytes of a file.

        Args:
            entry: of `entries`.
            most: bytes it may have; as many as a photo unless given.

        Raises:
            TooLarge: it has more.
            InvalidInput: it is damaged, or packed in a way we do not read.
        """
        bound = limits().photo_bytes if most is None else most
        if entry.size > bound:
            raise TooLarge("archive_entry_large", name=entry.name, megabytes=f"{bound / 2**20:.0f}")
        with self.open(entry) as stream:
            try:
                data = stream.read(bound + 1)
            except _BROKEN as error:
                raise InvalidInput("archive_entry_damaged", name=entry.name) from error
        if len(data) != entry.size:
            raise InvalidInput("archive_entry_damaged", name=entry.name)
        return data

    def start(self, entry: Entry, size: int) -> bytes:
        """Return the first bytes of a file; none where it cannot be read."""
        try:
            with self.open(entry) as stream:
                return stream.read(size)
        except (TeachableError, *_BROKEN):
            return b""

    def open(self, entry: Entry) -> IO[bytes]:
        """Open a file for reading.

        Raises:
            InvalidInput: it needs a password, is damaged or packed in a way we do not read.
        """
        if entry.is_encrypted:
            raise InvalidInput("archive_entry_encrypted", name=entry.name)
        if entry.info.compress_type not in _METHODS:
            raise InvalidInput("archive_entry_method", name=entry.name)
        try:
            return self._zip.open(entry.info)
        except _BROKEN as error:
            raise InvalidInput("archive_entry_damaged", name=entry.name) from error

    def find(self, name: str) -> Entry:
        """Return the last file of a name.

        Raises:
            NotFound: there is none.
        """
        for entry in reversed(self.entries):
            if entry.name == name:
                return entry
        raise NotFound("archive_entry_missing", name=name)

    def _check(self) -> None:
        """Refuse archives that are built to harm.

        Raises:
            InvalidInput: files lie over each other, all need a password, or sizes cannot be.
            TooLarge: it would unpack to more than we take.
        """
        if self.entries and all(entry.is_encrypted for entry in self.entries):
            raise InvalidInput("archive_encrypted", name=self._name)
        total = sum(entry.size for entry in self.entries)
        if total > MOST_BYTES or total > max(HARMLESS_BYTES, LARGEST_RATIO * self._file.size):
            raise TooLarge("archive_bomb", name=self._name)
        end = 0
        for info in sorted(self._zip.infolist(), key=lambda info: info.header_offset):
            # The same packed bytes under many names make a small file into a huge one.
            if info.header_offset < end or info.file_size > _MOST_OF_ONE_BYTE * info.compress_size + 64:
                raise InvalidInput("archive_damaged", name=self._name)
            end = info.header_offset + _LOCAL_HEADER.size + info.compress_size
        if end > self._zip.start_dir:
            raise InvalidInput("archive_damaged", name=self._name)


class _Measured(io.FileIO):
    """A file of which no more is read at once than any honest archive needs.

    `zipfile` reads the whole list of files into memory, however long it says it is, and makes a record of each.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.opening = True
        self.size = self.seek(0, io.SEEK_END)
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like any file does, or refuse.

        Raises:
            TooLarge: it would be more than we take.
        """
        wanted = self.size if size is None or size < 0 else size
        at = self.tell()
        if self.opening and min(wanted, self.size - at) > LARGEST_LIST:
            raise TooLarge("archive_entries", allowed=f"{MOST_ENTRIES:,}")
        # One call of the system need not return all that was asked for.
        parts = []
        while wanted > 0 and (part := super().read(min(wanted, LARGEST_LIST))):
            parts.append(part)
            wanted -= len(part)
        data = b"".join(parts)
        if self.opening and data.count(_CENTRAL) > MOST_ENTRIES:
            raise TooLarge("archive_entries", allowed=f"{MOST_ENTRIES:,}")
        return data


def _name(info: zipfile.ZipInfo) -> str:
    """Return what whoever packed a file called it.

    The format knows two writings, of which `zipfile` tries the older where the newer is not announced. Many programs
    write the newer one without saying so, some say it in a field of its own.
    """
    name = info.orig_filename
    if info.flag_bits & _UTF8 or name.isascii():
        return name
    raw = name.encode("cp437")
    stated = _stated_name(info.extra, raw)
    if stated is not None:
        return stated
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return name


def _stated_name(extra: bytes, raw: bytes) -> str | None:
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + size]
        if kind == _UNICODE_PATH and len(field) == size > 5:
            version, checksum = struct.unpack_from("<BL", field)
            if version == 1 and checksum == zlib.crc32(raw):
                return field[5:].decode("utf-8", "replace")
        at += 4 + size
    return None


def is_zip(start: bytes) -> bool:
    """Return whether a file that begins so is a zip file; an empty one has no file to begin with."""
    return start.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def write_out(stream: IO[Any], path: Path, most: int, name: str) -> None:
    """Copy a file out of an archive to a path of the caller's, piece by piece.

    Raises:
        TooLarge: it has more bytes than `most`.
        InvalidInput: it is damaged.
    """
    left = most
    with path.open("wb") as file:
        while True:
            try:
                part = stream.read(2**20)
            except _BROKEN as error:
                raise InvalidInput("archive_entry_damaged", name=name) from error
            if not part:
                return
            left -= len(part)
            if left < 0:
                raise TooLarge("archive_entry_large", name=name, megabytes=f"{most / 2**20:.0f}")
            file.write(part)
