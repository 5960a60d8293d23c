"""The processes that decode videos: lent for one pass over one video each, and ended when nobody needs them any more.

Videos come from anywhere and FFmpeg is a large native library. What brings it to a stop, fills its memory or never ends
costs that one video, not the program. What happens in a process is `teachable.importing.frames`.
"""

import atexit
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from teachable import children
from teachable.children import Message
from teachable.errors import Cancelled, InvalidInput, TeachableError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 120.0
"""For a sign of life. A process that reads a long video, to measure it or find a place in it, gives one each second."""

IDLE_SECONDS = 10.0
"""A process costs a quarter of a second to start and some 60 MB to keep."""

_MOST_IDLE = 2
_CHILD = "import sys; sys.path.append(sys.argv[1]); from teachable.importing.frames import main; main()"


class Stop:
    """Gives up what is being read for somebody, from any thread, and whatever a process is doing at the moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._at_work: list[_Decoder] = []

    def set(self) -> None:
        """Give it up; nothing is read any more."""
        with self._lock:
            self._set = True
            for decoder in self._at_work:
                decoder.kill()

    def require_wanted(self) -> None:
        """Go on only while nobody has given it up.

        Raises:
            Cancelled: somebody has.
        """
        if self._set:
            raise Cancelled

    @contextmanager
    def over(self, decoder: "_Decoder") -> Iterator[None]:
        """Kill a process if it is given up while it works in the block."""
        with self._lock:
            self.require_wanted()
            self._at_work.append(decoder)
        try:
            yield
        finally:
            with self._lock:
                self._at_work.remove(decoder)


class Player:
    """A video that is open in a process, for one pass over its frames."""

    def __init__(self, decoder: "_Decoder", name: str, stop: Stop) -> None:
        self._decoder = decoder
        self._name = name
        self._stop = stop

    def open(self, path: Path, most_pixels: int) -> None:
        """Let go of the video before, and open this one; see `opened`."""
        self._ask(task="open", path=str(path.resolve()), name=self._name, most_pixels=most_pixels)

    def seconds(self, most: float) -> float:
        """Return how long it runs, once it is sure that something can be seen.

        Args:
            most: seconds it may run.

        Raises:
            InvalidInput: nothing can be seen.
            TooLarge: it runs for too long.
            Cancelled: it was given up.
        """
        return float(self._ask(task="seconds", most_seconds=most)[0]["seconds"])

    def frames(self, rate: Fraction, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Give the frame on the screen at each tick from `start` on, before `end`, if it was not given already.

        Args:
            rate: ticks in a second.
            start: the first tick.
            end: one more than the last.

        Yields:
            The tick, and the frame as a JPEG: upright, its pixels square, of the size photos are stored in.

        Raises:
            InvalidInput: it is damaged; what could be read was given before.
            Cancelled: it was given up.
        """
        answer, arrays = self._ask(task="frames", rate=str(rate), start=start, end=end)
        while answer["kind"] == "frame":
            yield answer["place"], arrays["jpeg"].tobytes()
            answer, arrays = self._ask(task="next")

    def _ask(self, **task: Any) -> Message:
        with self._stop.over(self._decoder):
            try:
                return self._decoder.ask(self._name, task)
            except InvalidInput:
                self._stop.require_wanted()
                raise


@contextmanager
def opened(path: Path, name: str, most_pixels: int, stop: Stop) -> Iterator[Player]:
    """Open a video in a process that is lent for it.

    Args:
        path: of the video.
        name: what the person calls it.
        most_pixels: one frame may have.
        stop: what gives it up.

    Raises:
        InvalidInput: none that can be read, or it stopped the process that did.
        TooLarge: its frames have too many pixels.
        Cancelled: it was given up.
        TeachableError: no process can be started.
    """
    stop.require_wanted()
    decoder = _SPARE.take() or _Decoder()
    try:
        player = Player(decoder, name, stop)
        player.open(path, most_pixels)
        yield player
    finally:
        decoder.close_video()
        _SPARE.give(decoder)


class _Decoder:
    """One process."""

    def __init__(self) -> None:
        self._killed = False
        try:
            self._child = children.start(_CHILD)
        except OSError as error:
            log.warning("the process that reads videos could not be started", exc_info=True)
            raise TeachableError("video_process") from error

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def ask(self, name: str, task: dict[str, Any]) -> Message:
        late = threading.Event()
        try:
            if self._child.stdin is None or self._child.stdin.closed:
                raise EOFError
            children.send(self._child.stdin, task)
            while (message := self._received(late))[0]["kind"] == "busy":
                pass
        except (EOFError, OSError) as error:
            self.end()
            if late.is_set():
                raise InvalidInput("video_slow", name=name, minutes=f"{PATIENCE_SECONDS / 60:.3g}") from error
            if not self._killed:
                log.warning("the process that reads videos ended with status %s at %s", self._child.returncode, name)
            raise InvalidInput("video_stopped", name=name) from error
        answer, arrays = message
        if answer["kind"] == "refused":
            raise children.refused(answer)
        if answer["kind"] == "crashed":
            log.error("a video could not be read:\n%s", answer["trace"])
            raise InvalidInput("video_stopped", name=name)
        return answer, arrays

    def _received(self, late: threading.Event) -> Message:
        if self._child.stdout is None:
            raise EOFError

        def give_up() -> None:
            late.set()
            self.kill()

        limit = threading.Timer(PATIENCE_SECONDS, give_up)
        limit.daemon = True
        limit.start()
        try:
            return children.receive(self._child.stdout)
        finally:
            limit.cancel()

    def close_video(self) -> None:
        """Let go of the video. Nothing is answered, since a pass may be given up while the program ends."""
        if self._child.stdin is not None and not self._child.stdin.closed:
            with suppress(OSError):
                children.send(self._child.stdin, {"task": "close"})

    def kill(self) -> None:
        """Let whoever waits for an answer get none."""
        self._killed = True
        self._child.kill()

    def end(self) -> None:
        children.end(self._child)


class _Spare:
    """Processes that wait a moment for the next video."""

    def __init__(self) -> None:
        # A pass that was forgotten is given back when its memory is, which can be in the middle of the lines below.
        self._lock = threading.RLock()
        self._idle: list[_Decoder] = []
        self._timer: threading.Timer | None = None
        self._closed = False

    def take(self) -> _Decoder | None:
        """Return one, or None if none waits."""
        with self._lock:
            while self._idle:
                decoder = self._idle.pop()
                if decoder.alive:
                    return decoder
                decoder.end()
        return None

    def give(self, decoder: _Decoder) -> None:
        """Let one wait."""
        with self._lock:
            if self._closed or not decoder.alive or len(self._idle) >= _MOST_IDLE:
                decoder.end()
                return
            self._idle.append(decoder)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(IDLE_SECONDS, self.end)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """End all that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
            if self._timer is not None:
                self._timer.cancel()
        for decoder in idle:
            decoder.end()

    def close(self) -> None:
        """End all that wait, and let none wait any more: the program ends."""
        self._closed = True
        self.end()


_SPARE = _Spare()
atexit.register(_SPARE.close)
