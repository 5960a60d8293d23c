"""How often somebody may try: a password, an address that does not exist, a new name. It keeps counts, in memory."""

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from teachable.errors import TooMany

_MOST_KNOWN = 10_000


class Patience:
    """Counts attempts of each device within a span of time; safe to use from any thread.

    Args:
        attempts: that are free in that time.
        seconds: how long each is remembered.
        clock: seconds of a clock that never goes back.
    """

    def __init__(self, attempts: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempts = attempts
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        # The latest last; who has not tried for the longest time is forgotten first.
        self._known: OrderedDict[str, deque[float]] = OrderedDict()

    def over(self, device: str) -> float:
        """Return for how many seconds a device has to wait, 0 if it may try."""
        with self._lock:
            tried = self._recent(device)
            return 0.0 if len(tried) < self._attempts else tried[-self._attempts] + self._seconds - self._clock()

    def require(self, device: str) -> None:
        """Go on only if a device may try.

        Raises:
            TooMany: it has tried too often.
        """
        wait = self.over(device)
        if wait > 0:
            raise TooMany("room_wait", seconds=math.ceil(wait))

    def count(self, device: str) -> int:
        """Note an attempt and return how many there were lately."""
        with self._lock:
            tried = self._recent(device)
            tried.append(self._clock())
            self._known[device] = tried
            self._known.move_to_end(device)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
            return len(tried)

    def forgive(self, device: str) -> None:
        """Forget the attempts of a device."""
        with self._lock:
            self._known.pop(device, None)

    def _recent(self, device: str) -> "deque[float]":
        tried = self._known.get(device)
        if tried is None:
            return deque(maxlen=10 * self._attempts)
        while tried and tried[0] <= self._clock() - self._seconds:
            tried.popleft()
        return tried
