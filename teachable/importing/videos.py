"""Videos as pieces of a class: a recording each, with what was on the screen at each tick of a chosen rate.

It owns their limits and where their bytes lie while they are read. They are decoded by a process of its own, which
`teachable.importing.decoding` asks.
"""

import math
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from teachable.errors import InvalidInput, TooLarge
from teachable.importing import decoding
from teachable.importing.decoding import Player, Stop
from teachable.importing.source import Piece, group_name
from teachable.importing.trees import File

MOST_SECONDS = 4 * 3600
"""Of one video."""

MOST_PIXELS = 7680 * 4320
"""Of one frame; larger ones would need gigabytes to decode."""

LARGEST_VIDEO = 8 * 2**30
"""Bytes of one video."""

_SPARE_BYTES = 2**30
# A page asks for all pictures of a plan at once, and each takes a process.
_PICTURES = threading.Semaphore(2)


class Video(Piece):
    """One video: a group of its own.

    Args:
        file: with its bytes.
        scratch: folder for its bytes while they are read, if they lie in an archive.
        stop: what gives up reading it.

    Raises:
        InvalidInput: no video that can be read, or the process that decodes it stopped.
        TooLarge: too many bytes, pixels or seconds.
        StorageFull: the scratch folder has no room.
    """

    __slots__ = ("_file", "_scratch", "_stop", "seconds")

    moving = True

    def __init__(self, file: File, scratch: Path, stop: Stop, *, test: bool = False) -> None:
        super().__init__(file.name, group_name(file.name), file.size, test=test)
        self._file = file
        self._scratch = scratch
        self._stop = stop
        with self._playing() as player:
            self.seconds = player.seconds(MOST_SECONDS)

    def count(self, rate: float) -> int:
        """Return how often the clock ticks while it runs."""
        return max(1, math.ceil(self.seconds * rate - 1e-6))

    def photos(self, rate: float, start: int) -> Iterator[tuple[int, bytes]]:
        """Give what is on the screen at each tick; not again what was there at the one before."""
        if start >= self.count(rate):
            return
        with self._playing() as player:
            yield from player.frames(Fraction(rate).limit_denominator(1000), start, self.count(rate))

    def picture(self, share: float) -> bytes:
        """Return what is on the screen after this share of its time."""
        rate = 1.0
        place = min(int(share * self.count(rate)), self.count(rate) - 1)
        with _PICTURES, self._playing() as player:
            for _, jpeg in player.frames(Fraction(rate), place, place + 1):
                return jpeg
        raise InvalidInput("video_damaged", name=self.name)

    @contextmanager
    def _playing(self) -> Iterator[Player]:
        with self._on_disk() as path, decoding.opened(path, self.name, MOST_PIXELS, self._stop) as player:
            yield player

    @contextmanager
    def _on_disk(self) -> Iterator[Path]:
        if self.size > LARGEST_VIDEO:
            raise TooLarge("archive_entry_large", name=self.name, megabytes=LARGEST_VIDEO // 2**20)
        with tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True) as folder:
            room = shutil.disk_usage(folder).free - _SPARE_BYTES
            yield self._file.whole(Path(folder) / "video", LARGEST_VIDEO, room)
