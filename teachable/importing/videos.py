"""Frames of a video: what was on the screen at each tick of a chosen rate. It owns containers, decoding and limits.

Which container it is, is decided by its first bytes, and the reader of only that one is used: others follow names in
the file to further files and addresses.
"""

import io
import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from teachable.errors import InvalidInput, TooLarge
from teachable.importing.source import Piece, group_name, stored_size
from teachable.importing.trees import File
from teachable.types import Image

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

MOST_SECONDS = 4 * 3600
"""Of one video."""

MOST_PIXELS = 7680 * 4320
"""Of one frame; larger ones would need gigabytes to decode."""

# Each thread holds frames of its own.
_SMALL_PIXELS = 4096 * 2304

LARGEST_VIDEO = 8 * 2**30
"""Bytes of one video."""

FRAME_QUALITY = 92
START = 400
"""Bytes to tell a container by."""

_SPARE_BYTES = 2**30
_STILL_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"avif"}
)
_QUICKTIME = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_ESTIMATING = frozenset({"mpeg", "mpegts", "mpegvideo"})
_MAGIC = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"FLV\x01", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x00\x00\x01\xb3", "mpegvideo"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", "mxf"),
    (b"DKIF\x00\x00", "ivf"),
    (b"YUV4MPEG2 ", "yuv4mpegpipe"),
    (b"nut/multimedia container\x00", "nut"),
)


def container(start: bytes) -> str | None:
    """Return the reader for a file that begins so, or None where it is no video.

    Args:
        start: the first bytes, as many as `START` where the file has them.
    """
    if start[4:8] in _QUICKTIME:
        return None if start[4:8] == b"ftyp" and start[8:12] in _STILL_BRANDS else "mov"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return "avi"
    # A transport stream has packets of 188 bytes; cameras put four bytes of time before each.
    if start[:1] == start[188:189] == b"G" or start[4:5] == start[196:197] == b"G":
        return "mpegts"
    return next((reader for magic, reader in _MAGIC if start.startswith(magic)), None)


class Video(Piece):
    """One video: a group of its own.

    Args:
        file: with its bytes.
        scratch: folder for its bytes while they are read, if they lie in an archive.

    Raises:
        InvalidInput: no video that can be read.
        TooLarge: too many bytes, pixels or seconds.
        StorageFull: the scratch folder has no room.
    """

    __slots__ = ("_file", "_scratch", "seconds")

    moving = True

    def __init__(self, file: File, scratch: Path, *, test: bool = False) -> None:
        super().__init__(file.name, group_name(file.name), file.size, test=test)
        self._file = file
        self._scratch = scratch
        with self._on_disk() as path, _open(path, self.name) as reader:
            self.seconds = reader.seconds()

    def count(self, rate: float) -> int:
        """Return how often the clock ticks while it runs."""
        return max(1, math.ceil(self.seconds * rate - 1e-6))

    def photos(self, rate: float, start: int) -> Iterator[tuple[int, bytes]]:
        """Give what is on the screen at each tick; not again what was there at the one before."""
        if start >= self.count(rate):
            return
        with self._on_disk() as path, _open(path, self.name) as reader:
            for place, frame in reader.frames(Fraction(rate).limit_denominator(1000), start, self.count(rate)):
                yield place, reader.jpeg(frame)

    def picture(self, share: float) -> bytes:
        """Return what is on the screen after this share of its time."""
        rate = 1.0
        place = min(int(share * self.count(rate)), self.count(rate) - 1)
        with self._on_disk() as path, _open(path, self.name) as reader:
            for _, frame in reader.frames(Fraction(rate), place, place + 1):
                return reader.jpeg(frame)
        raise InvalidInput("video_damaged", name=self.name)

    @contextmanager
    def _on_disk(self) -> Iterator[Path]:
        if self.size > LARGEST_VIDEO:
            raise TooLarge("archive_entry_large", name=self.name, megabytes=LARGEST_VIDEO // 2**20)
        with tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True) as folder:
            room = shutil.disk_usage(folder).free - _SPARE_BYTES
            yield self._file.whole(Path(folder) / "video", LARGEST_VIDEO, room)


@contextmanager
def _open(path: Path, name: str) -> Iterator["_Reader"]:
    """Open a video.

    Raises:
        InvalidInput: none that can be read.
        TooLarge: its frames have too many pixels.
    """
    import av

    with path.open("rb") as file:
        format = container(file.read(START))
        if format is None:
            raise InvalidInput("video_unknown", name=name)
        file.seek(0)
        try:
            opened = av.open(
                file, mode="r", format=format, metadata_errors="ignore", buffer_size=2**18, io_open=_no_further_file
            )
        except (av.FFmpegError, ValueError, OverflowError) as error:
            raise InvalidInput("video_damaged", name=name) from error
        with opened:
            try:
                yield _Reader(opened, name)
            except (av.FFmpegError, ValueError, OverflowError) as error:
                raise InvalidInput("video_damaged", name=name) from error


def _no_further_file(url: str, flags: int, options: dict[str, Any]) -> Any:
    raise OSError("a video is one file")


class _Reader:
    """A video that is open; for one pass over its frames."""

    def __init__(self, opened: "InputContainer", name: str) -> None:
        self._opened = opened
        self._name = name
        self._stream = self._shown()
        context = self._stream.codec_context
        if context.width * context.height > MOST_PIXELS:
            raise TooLarge("video_pixels", name=name, width=context.width, height=context.height)
        # A size can change on the way.
        context.options = {**context.options, "max_pixels": str(MOST_PIXELS)}
        context.thread_type = "AUTO"
        context.thread_count = 2 if context.width * context.height <= _SMALL_PIXELS else 1
        self._fresh = True
        self._begin = float((self._stream.start_time or 0) * self._unit())

    def seconds(self) -> float:
        """Return how long it runs, and make sure that something can be seen.

        Raises:
            InvalidInput: nothing can be.
            TooLarge: it runs for too long.
        """
        if next(self._decoded(None), None) is None:
            raise InvalidInput("video_damaged", name=self._name)
        stated = self._stated()
        seconds = self._measured() if stated is None else stated
        if seconds > MOST_SECONDS:
            raise TooLarge("video_long", name=self._name, hours=MOST_SECONDS // 3600)
        return seconds

    def frames(self, rate: Fraction, start: int, end: int) -> Iterator[tuple[int, "VideoFrame"]]:
        """Give the frame on the screen at each tick from `start` on, before `end`, if it was not given already.

        Raises:
            InvalidInput: it is damaged; what could be read was given before.
        """
        tick, shown = start, None
        for frame, time in self._timed(float(start / rate)):
            # What is on the screen stays there until this one comes.
            if shown is not None and time > tick / rate + 1e-6:
                yield tick, shown
                tick = max(tick + 1, math.ceil(time * rate - 1e-6))
                if tick >= end:
                    return
            shown = frame
        if shown is not None and tick < end:
            yield tick, shown

    def _timed(self, start: float) -> Iterator[tuple["VideoFrame", float]]:
        """Give frames with their times in seconds; the first ones may be from before `start`, but not all of them."""
        if start > 0:
            first = None
            for frame, time in self._from(start):
                if first is None and time > start:
                    break  # it cannot be entered there: from the beginning then
                first = time
                yield frame, time
            if first is not None:
                return
        yield from self._from(None)

    def _from(self, start: float | None) -> Iterator[tuple["VideoFrame", float]]:
        step = float(1 / (self._stream.average_rate or 25))
        time = (start or 0.0) - step
        for frame in self._decoded(start):
            time = time + step if frame.time is None else frame.time - self._begin
            if math.isfinite(time):
                yield frame, time

    def _decoded(self, start: float | None) -> Iterator["VideoFrame"]:
        """Decode from a time on, or from the beginning.

        Raises:
            InvalidInput: something on the way could not be read; everything else was given before.
        """
        import av

        if not self._enter(start):
            return
        damaged = False
        packets = self._opened.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                yield from packet.decode()
            except av.EOFError:
                break
            except av.FFmpegError:
                # One part of a video can be damaged and the next whole.
                damaged = True
        if damaged:
            raise InvalidInput("video_part_damaged", name=self._name)

    def _enter(self, start: float | None) -> bool:
        """Go to a time, or to the beginning; return whether that could be done."""
        import av

        fresh, self._fresh = self._fresh, False
        if start is None and fresh:
            return True
        # Some readers come to the first whole picture behind where they are sent, so the beginning is before it.
        time = self._begin - 10.0 if start is None else self._begin + start
        try:
            self._opened.seek(round(time / self._unit()), stream=self._stream)
        except av.FFmpegError:
            return False
        return True

    def _shown(self) -> "VideoStream":
        for stream in self._opened.streams.video:
            # The picture on the cover of a song is a video stream, too.
            if not int(stream.disposition) & 0x400 and stream.codec_context is not None:
                return stream
        raise InvalidInput("video_without_picture", name=self._name)

    def _unit(self) -> Fraction:
        return self._stream.time_base or Fraction(1, 1_000_000)

    def _stated(self) -> float | None:
        """Return how long it says that it runs, or None where it does not say or that is only an estimate."""
        import av

        if self._opened.format.name in _ESTIMATING:
            return None
        if self._stream.duration and self._stream.duration > 0:
            return float(self._stream.duration * self._unit())
        if self._opened.duration and self._opened.duration > 0:
            return self._opened.duration / av.time_base
        return None

    def _measured(self) -> float:
        """Return when the last frame goes; what browsers record does not say how long it runs."""
        import av

        self._enter(None)
        step = float(1 / (self._stream.average_rate or 25))
        last, count = 0.0, 0
        try:
            for packet in self._opened.demux(self._stream):
                count += packet.size > 0
                if packet.pts is not None:
                    last = max(last, float(packet.pts * self._unit()) - self._begin)
        except av.FFmpegError:
            # What comes before is there all the same.
            pass
        return (last or max(0, count - 1) * step) + step

    def jpeg(self, frame: "VideoFrame") -> bytes:
        """Return a frame as a JPEG, upright, its pixels square, of the size photos are stored in."""
        wide = min(max(float(self._stream.sample_aspect_ratio or 1), 0.25), 4.0)
        size = stored_size(frame.width * wide, frame.height)
        rgb: Image = frame.reformat(*size, "rgb24").to_ndarray().astype(np.uint8, copy=False)
        # Counterclockwise, as the file says it.
        turned = np.rot90(rgb, round(frame.rotation / 90) % 4)
        stream = io.BytesIO()
        PIL.Image.fromarray(np.ascontiguousarray(turned)).save(stream, "JPEG", quality=FRAME_QUALITY)
        return stream.getvalue()
