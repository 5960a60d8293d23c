"""How much room a project takes on the disk, and for what. It only looks; removing is the business of others."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from teachable.projects.about import EXPORTS, MODELS, SAMPLES, THUMBNAILS


@dataclass(frozen=True)
class Storage:
    """Bytes of a project on disk; the parts add up to the whole.

    Attributes:
        photos: the photos, and what is known about them.
        removed: deleted photos that can still be brought back.
        versions: trained models, and photos that only they still name.
        caches: what can be made again: exported files, small pictures, what networks that are not used any more saw.
        total: all of it.
    """

    photos: int
    removed: int
    versions: int
    caches: int
    total: int


def measure(folder: Path, shown: Collection[str], named: Collection[str], network: str | None) -> Storage:
    """Measure a project.

    Args:
        folder: of the project.
        shown: SHA-256 of the photos that are in its classes.
        named: SHA-256 of the photos that its versions name.
        network: fingerprint of the network it is taught with.
    """
    photos = removed = versions = caches = 0
    for name, size in _files(str(folder / SAMPLES)):
        sha256 = name.removesuffix(".jpg")
        if sha256 in shown:
            photos += size
        elif sha256 in named:
            versions += size
        else:
            removed += size
    again = {path.name for path in caches_of(folder, network)}
    for path in folder.iterdir():
        if path.name == MODELS:
            versions += size_of(path)
        elif path.name in again:
            caches += size_of(path)
        elif path.name != SAMPLES:
            photos += size_of(path)
    return Storage(photos, removed, versions, caches, photos + removed + versions + caches)


def caches_of(folder: Path, network: str | None) -> list[Path]:
    """Return the folders and files of a project that can be made again and are not needed all the time."""
    used = f"embeddings-{(network or '')[:16]}.sqlite"
    looks = "embeddings-looks"
    old = [
        path
        for path in folder.glob("embeddings-*.sqlite*")
        if network is not None and not path.name.startswith((used, looks))
    ]
    return [folder / EXPORTS, folder / THUMBNAILS, *old]


def remove_caches(folder: Path, network: str | None) -> None:
    """Remove what `caches_of` names. What cannot be removed now, because it is being read, stays."""
    for path in caches_of(folder, network):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 where there is nothing."""
    try:
        return path.stat().st_size if path.is_file() else sum(size for _, size in _files(str(path)))
    except FileNotFoundError:
        return 0


def _files(folder: str) -> Iterator[tuple[str, int]]:
    """Yield name and size of every file below a folder. What others remove meanwhile is left out."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        else:
            with suppress(FileNotFoundError):
                yield entry.name, entry.stat(follow_symlinks=False).st_size
