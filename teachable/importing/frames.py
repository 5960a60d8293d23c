"""Frames of a video: what was on the screen at each tick of a chosen rate, read in a process of its own.

It owns decoding and is the only place where FFmpeg is loaded; `teachable.importing.decoding` starts the process. The
reader of only the container that a file begins as is used: others follow names in the file to further files and
addresses.
"""

import io
import math
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from teachable import children
from teachable.children import Message
from teachable.errors import InvalidInput, TeachableError, TooLarge
from teachable.importing.containers import START, container
from teachable.importing.source import stored_size
from teachable.types import Image

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

FRAME_QUALITY = 92
SIGN_SECONDS = 1.0
"""Between signs of life, while a long video is read without an answer."""
MOST_MEMORY = 4 * 2**30
"""Bytes to decode with; some twenty frames of the largest size, and all that FFmpeg asks for besides."""

# Each thread holds frames of its own.
_SMALL_PIXELS = 4096 * 2304
_ESTIMATING = frozenset({"mpeg", "mpegts", "mpegvideo"})


def main() -> None:
    """Entry point of the process."""
    children.limit_memory(MOST_MEMORY)
    children.serve(_work)


def _work(messages: "queue.SimpleQueue[Message]", answers: IO[bytes]) -> None:
    """Read one video after the other."""
    import traceback

    while True:
        task, _ = messages.get()
        if task["task"] != "open":
            continue  # about a video that could not be read any further
        try:
            busy = _SignOfLife(answers)
            with _open(Path(task["path"]), task["name"], task["most_pixels"], busy) as reader:
                children.send(answers, {"kind": "done"})
                _play(reader, messages, answers)
        except TeachableError as error:
            children.send(answers, children.refusal(error))
        except Exception:  # noqa: BLE001 - the parent logs it and tells the person
            children.send(answers, {"kind": "crashed", "trace": traceback.format_exc()})


class _SignOfLife:
    """Tells the parent each second that this goes on, when it is called often enough."""

    def __init__(self, answers: IO[bytes]) -> None:
        self._answers = answers
        self._last = monotonic()

    def __call__(self) -> None:
        now = monotonic()
        if now - self._last >= SIGN_SECONDS:
            self._last = now
            children.send(self._answers, {"kind": "busy"})


def _play(reader: "_Reader", messages: "queue.SimpleQueue[Message]", answers: IO[bytes]) -> None:
    """Answer what is asked about one video, until it is closed."""
    frames: Iterator[tuple[int, VideoFrame]] = iter(())
    while True:
        task, _ = messages.get()
        match task["task"]:
            case "close":
                return
            case "seconds":
                children.send(answers, {"kind": "done", "seconds": reader.seconds(task["most_seconds"])})
                continue
            case "frames":
                frames = reader.frames(Fraction(task["rate"]), task["start"], task["end"])
        found = next(frames, None)
        if found is None:
            children.send(answers, {"kind": "end"})
        else:
            place, frame = found
            jpeg = np.frombuffer(reader.jpeg(frame), np.uint8)
            children.send(answers, {"kind": "frame", "place": place}, {"jpeg": jpeg})


@contextmanager
def _open(path: Path, name: str, most_pixels: int, busy: Callable[[], None]) -> Iterator["_Reader"]:
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
                yield _Reader(opened, name, most_pixels, busy)
            except (av.FFmpegError, ValueError, OverflowError) as error:
                raise InvalidInput("video_damaged", name=name) from error


def _no_further_file(url: str, flags: int, options: dict[str, Any]) -> Any:
    raise OSError("a video is one file")


class _Reader:
    """A video that is open; for one pass over its frames. `busy` is called again and again while it is read."""

    def __init__(self, opened: "InputContainer", name: str, most_pixels: int, busy: Callable[[], None]) -> None:
        self._opened = opened
        self._name = name
        self._busy = busy
        self._damaged = False
        self._stream = self._shown()
        context = self._stream.codec_context
        if context.width * context.height > most_pixels:
            raise TooLarge("video_pixels", name=name, width=context.width, height=context.height)
        # A size can change on the way.
        context.options = {**context.options, "max_pixels": str(most_pixels)}
        context.thread_type = "AUTO"
        context.thread_count = 2 if context.width * context.height <= _SMALL_PIXELS else 1
        self._fresh = True
        self._begin = float((self._stream.start_time or 0) * self._unit())

    def seconds(self, most: float) -> float:
        """Return how long it runs, and make sure that something can be seen.

        Raises:
            InvalidInput: nothing can be.
            TooLarge: it runs for too long.
        """
        if next(self._decoded(None), None) is None:
            raise InvalidInput("video_damaged", name=self._name)
        stated = self._stated()
        seconds = self._measured() if stated is None else stated
        if seconds > most:
            raise TooLarge("video_long", name=self._name, hours=most // 3600)
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
                    self._require_whole()
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
        self._damaged = False
        packets = self._opened.demux(self._stream)
        while True:
            self._busy()
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                yield from packet.decode()
            except av.EOFError:
                break
            except av.FFmpegError:
                # One part of a video can be damaged and the next whole.
                self._damaged = True
        self._require_whole()

    def _require_whole(self) -> None:
        if self._damaged:
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
                self._busy()
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
