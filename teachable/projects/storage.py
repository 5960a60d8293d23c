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
    removed = versions = 0
    for path, size in _files(folder / SAMPLES):
        if path.stem not in shown:
            removed, versions = (removed, versions + size) if path.stem in named else (removed + size, versions)
    versions += size_of(folder / MODELS)
    caches = sum(size_of(path) for path in caches_of(folder, network))
    total = size_of(folder)
    return Storage(total - removed - versions - caches, removed, versions, caches, total)


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
        if path.is_file():
            return path.stat().st_size
    except FileNotFoundError:
        return 0
    return sum(size for _, size in _files(path))


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield every file below a folder with its size. What others remove meanwhile is left out."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            try:
                yield Path(entry.path), entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
