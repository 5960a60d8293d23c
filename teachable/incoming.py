"""Files on their way in: where an upload lies until it was imported. It owns the folder, its limits and its sweeping.

Each process has a folder of its own with a lock that the system drops when the process dies; what is found in a folder
nobody holds was left behind by a kill and is removed.
"""

import hashlib
import logging
import secrets
import shutil
import threading
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from teachable.errors import StorageFull, TooLarge
from teachable.projects import schema
from teachable.settings import limits

log = logging.getLogger(__name__)

SPARE_BYTES = 10**9
"""Of the disk stay free whatever is sent: a full disk would stop everybody's work."""

_LOCK = ".lock"


class Incoming:
    """Places for uploads of this process, below a home folder.

    Args:
        home: folder with the projects; what killed processes left in it is removed.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "incoming"
        self._own: Path | None = None
        self._held: FileLock | None = None
        self._lock = threading.Lock()
        self._sweep()

    def place(self) -> Path:
        """Return a new empty folder.

        Raises:
            StorageFull: the disk has no room.
            InstallationError: the home cannot be written.
        """
        with self._lock, schema.in_words(self._home):
            if self._own is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                own = self._folder / secrets.token_hex(8)
                own.mkdir()
                self._held = FileLock(own / _LOCK)
                self._held.acquire(timeout=0)
                self._own = own
            place = self._own / secrets.token_hex(16)
            place.mkdir()
            return place

    def room(self) -> int:
        """Return how many bytes may come in now."""
        return max(0, min(limits().archive_bytes, shutil.disk_usage(self._home).free - SPARE_BYTES))

    def require_room(self, size: int) -> None:
        """Go on only if so many bytes may come in.

        Raises:
            TooLarge: more than is taken at once.
            StorageFull: the disk has no room for it.
        """
        allowed = limits().archive_bytes
        if size > allowed:
            raise TooLarge("import_bytes", allowed=f"{allowed / 2**30:g}")
        if size > self.room():
            raise StorageFull("import_room", size=f"{size / 1e9:.1f}", free=f"{self.room() / 1e9:.1f}")

    def close(self) -> None:
        """Remove everything of this process."""
        with self._lock:
            if self._own is not None and self._held is not None:
                self._held.release()
                shutil.rmtree(self._own, ignore_errors=True)
            self._own, self._held = None, None

    def _sweep(self) -> None:
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            if not folder.is_dir() or folder.is_symlink():
                continue
            held = FileLock(folder / _LOCK)
            try:
                held.acquire(timeout=0)
            except (Timeout, OSError):
                continue  # its process lives, or it is not ours to remove
            held.release()
            log.info("removing what was left of an import in %s", folder)
            shutil.rmtree(folder, ignore_errors=True)


class Receiving:
    """A file that is being sent. End it with `finish`, and in any case with `let_go`.

    Args:
        incoming: where it goes.
        size: bytes it says it has, or None.

    Raises:
        TooLarge: more than is taken at once.
        StorageFull: the disk has no room for it.
    """

    # The disk is looked at again after so many bytes: others write too.
    _LOOK = 64 * 2**20

    def __init__(self, incoming: Incoming, size: int | None) -> None:
        self._incoming = incoming
        incoming.require_room(size or 0)
        self.place = incoming.place()
        self.path = self.place / "upload"
        self.size = 0
        self._looked = 0
        self._taken = False
        self._digest = hashlib.sha256()
        self._stream: BinaryIO = self.path.open("xb")

    @property
    def digest(self) -> str:
        """SHA-256 of what came, in hex."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Take some more bytes.

        Raises:
            TooLarge: more than is taken at once.
            StorageFull: the disk has no room.
        """
        self.size += len(data)
        if self.size - self._looked >= self._LOOK or self.size > limits().archive_bytes:
            self._incoming.require_room(self.size if self.size > limits().archive_bytes else len(data))
            self._looked = self.size
        with schema.in_words(self.place):
            self._stream.write(data)
        self._digest.update(data)

    def finish(self, data: bytes = b"") -> None:
        """Take the last bytes.

        Raises:
            TooLarge: more than is taken at once.
            StorageFull: the disk has no room.
        """
        self.write(data)
        with schema.in_words(self.place):
            self._stream.close()

    def take_over(self) -> None:
        """Somebody else removes the file from now on."""
        self._taken = True

    def let_go(self) -> None:
        """Remove what came, unless somebody took it over."""
        self._stream.close()
        if not self._taken:
            shutil.rmtree(self.place, ignore_errors=True)
