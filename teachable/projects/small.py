"""Small versions of photos as files: a cache that may be deleted at any time. Making them is `teachable.thumbnails`."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from teachable.errors import NotFound
from teachable.projects.files import temporary_name

SIDES = (96, 192)
"""Pixels of the squares that are kept: what the page shows, and the same on a screen of twice the density."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class SmallPhotos:
    """Small photos by the SHA-256 of the stored photo and by size, in 256 folders by its first two digits.

    Args:
        folder: that holds them; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, sha256: str, side: int) -> bytes | None:
        """Return a small photo, or None if it is not there.

        Raises:
            NotFound: this is no SHA-256.
        """
        try:
            return self._path(sha256, side).read_bytes() or None
        except FileNotFoundError:
            return None

    def write(self, sha256: str, side: int, data: bytes) -> None:
        """Keep a small photo, so that it is whole whenever it is there.

        It is not forced onto the disk: after a power cut it may be empty, which counts as missing.

        Raises:
            FileNotFoundError: the project is gone.
            OSError: there is no room on the disk.
        """
        path = self._path(sha256, side)
        self.folder.mkdir(exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        temporary = temporary_name(path)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def discard(self, names: Iterable[str]) -> None:
        """Remove what is kept of photos, by SHA-256."""
        for sha256 in names:
            for side in SIDES:
                self._path(sha256, side).unlink(missing_ok=True)

    def sweep(self, named: Collection[str]) -> None:
        """Remove whatever does not belong to a photo that is `named`."""
        if not self.folder.is_dir():
            return
        for inner in self.folder.iterdir():
            for path in inner.iterdir() if inner.is_dir() and not inner.is_symlink() else ():
                if path.name.split("-")[0] not in named:
                    path.unlink(missing_ok=True)

    def _path(self, sha256: str, side: int) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise NotFound("photo_file_missing")
        return self.folder / sha256[:2] / f"{sha256}-{side}.jpg"
