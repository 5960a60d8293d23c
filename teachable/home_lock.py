"""One server for each home folder: whoever serves it holds a lock, and the next one is told who does.

The system drops the lock when its process dies, however it dies, so that nothing is left to clear away. Commands that
work on a home without serving it take no part.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from teachable.errors import Conflict, InstallationError, StorageFull

LOCK = "server.lock"
ADDRESS = "server.address"
"""Names of the files in the home: the lock, and where the one who holds it can be reached."""


@contextlib.contextmanager
def held(home: Path, address: str) -> Iterator[None]:
    """Hold the home while serving it.

    Args:
        home: folder with the projects; made if missing.
        address: where the page is, for whoever comes second.

    Raises:
        Conflict: another process serves it.
        InstallationError: the folder cannot be written.
        StorageFull: the disk has no room.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(home / LOCK, timeout=0)
    note = home / ADDRESS
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise Conflict("home_served", home=home, address=_read(note)) from error
    except OSError as error:
        raise _in_words(error, home) from error
    try:
        # Only a hint for people: nothing depends on it, and a full disk keeps nobody from looking at the projects.
        with contextlib.suppress(OSError):
            note.write_text(address, encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink()
        lock.release()


def _read(note: Path) -> str:
    try:
        return note.read_text(encoding="utf-8").strip() or "?"
    except (OSError, UnicodeDecodeError):
        return "?"


def _in_words(error: OSError, home: Path) -> Exception:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull("storage_full")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR}:
        return InstallationError("folder_not_writable", folder=os.fspath(home))
    return error
