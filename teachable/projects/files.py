"""Files of a project, written so that they are whole or not there. It knows names and bytes, nothing about rows."""

import os
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from teachable.errors import NotFound

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.new")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 8


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is complete whenever its name exists, and still there after a power cut."""
    temporary = temporary_name(path)
    path.parent.mkdir(exist_ok=True)
    try:
        _write_synced(temporary, data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def copy_whole(source: Path, path: Path) -> None:
    """Copy a file of any size to a name that is complete whenever it exists."""
    temporary = temporary_name(path)
    try:
        with source.open("rb") as found, temporary.open("xb") as stream:
            shutil.copyfileobj(found, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def temporary_name(path: Path) -> Path:
    """Return a free name beside `path`, which `sweep` recognises should it be left behind."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.new")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path, named: Collection[str], suffix: str) -> None:
    """Remove temporary files, and files with `suffix` whose stem is not in `named`. Anything else is left alone."""
    if not folder.is_dir():
        return
    for entry in os.scandir(folder):
        # Without a `Path` for each: that would take longer than all the rest, and there may be 50,000.
        orphan = entry.name.endswith(suffix) and entry.name.removesuffix(suffix) not in named
        if (orphan or _TEMPORARY.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
            Path(entry.path).unlink(missing_ok=True)


class PhotoFiles:
    """Photos named by the SHA-256 of their bytes, in 256 folders by its first two digits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Return where a photo is.

        Raises:
            NotFound: this is no SHA-256.
        """
        if not _SHA256.fullmatch(sha256):
            raise NotFound("photo_file_missing")
        return self._folder / sha256[:2] / f"{sha256}.jpg"

    def write(self, photos: Mapping[str, bytes]) -> tuple[str, ...]:
        """Write photos by SHA-256, all or none, and sync each folder once.

        Returns:
            Those that were not there before, to be given to `discard` if their rows cannot be committed.

        Raises:
            FileNotFoundError: the project is gone.
            OSError: there is no room on the disk.
        """
        waiting: dict[Path, Path] = {}
        contents: list[bytes] = []
        fresh: list[str] = []
        changed: set[Path] = set()
        try:
            for sha256, data in photos.items():
                path = self.path(sha256)
                if path.exists() and path.stat().st_size == len(data):
                    continue
                if not path.parent.exists():
                    # Not with all parents: a project that another process deleted must not come back as a folder.
                    self._folder.mkdir(exist_ok=True)
                    path.parent.mkdir(exist_ok=True)
                    changed.add(self._folder)
                waiting[temporary_name(path)] = path
                contents.append(data)
            _at_once(_write_synced, waiting, contents)
            for temporary, path in waiting.items():
                if not path.exists():
                    fresh.append(path.stem)
                temporary.replace(path)
            _at_once(sync_folder, changed | {path.parent for path in waiting.values()})
        except BaseException:
            for temporary in waiting:
                temporary.unlink(missing_ok=True)
            self.discard(fresh)
            raise
        return tuple(fresh)

    def discard(self, names: Iterable[str]) -> None:
        """Remove photos; those that are gone already do not matter."""
        for sha256 in names:
            self.path(sha256).unlink(missing_ok=True)

    def sweep(self, named: Collection[str]) -> None:
        """Remove what a killed process left behind: temporary files, and photos that no row names."""
        if not self._folder.is_dir():
            return
        for entry in os.scandir(self._folder):
            if entry.is_dir(follow_symlinks=False) and len(entry.name) == 2:
                sweep(Path(entry.path), named, ".jpg")


def _at_once(act: Callable[..., None], *arguments: Iterable[object]) -> None:
    """Do something with each of several files at the same time, and wait for all, also where one fails.

    A disk takes about as long to make eight files durable as one, if it is not asked for one after the other: they
    share the commits of the file system's journal.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="write-files") as pool:
        for _ in pool.map(act, *arguments):
            pass


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
