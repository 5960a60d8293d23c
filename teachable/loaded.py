"""Networks and models that are loaded: kept for the next question, until another one needs their room.

It owns what is given up and when. What is loaded, and what it is asked, it does not know.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

# Of files that stay loaded when another is loaded; in memory each takes two to three times as much. The built-in
# network, the recommended one and the models made with them fit in together, a large one only while it is in use.
KEPT_BYTES = 64 * 2**20

Key = TypeVar("Key")
Thing = TypeVar("Thing")


class Loaded(Generic[Key, Thing]):
    """Things by key, those used last at the end; safe to use from any thread.

    Args:
        close: called with what is given up.
    """

    def __init__(self, close: Callable[[Thing], None] = lambda thing: None) -> None:
        self._close = close
        self._lock = threading.Lock()
        self._things: dict[Key, tuple[Thing, int]] = {}

    def get(self, key: Key, load: Callable[[], tuple[Thing, int]]) -> Thing:
        """Return a thing, loaded if it is not there. Room is made before, so that both never need it at once.

        Args:
            key: of the thing.
            load: returns it and the bytes of its file.
        """
        with self._lock:
            if key in self._things:
                self._things[key] = self._things.pop(key)
                return self._things[key][0]
        self._make_room()
        found = load()
        with self._lock:
            self._things[key] = found
        return found[0]

    def _make_room(self) -> None:
        """Give up those not used for longest until the rest is small."""
        with self._lock:
            left, unwanted = sum(size for _, size in self._things.values()), set()
            for key, (_, size) in self._things.items():
                if left > KEPT_BYTES:
                    unwanted.add(key)
                    left -= size
        self.drop(unwanted.__contains__)

    def drop(self, unwanted: Callable[[Key], bool]) -> None:
        """Give up all whose key is unwanted."""
        with self._lock:
            dropped = [self._things.pop(key)[0] for key in list(self._things) if unwanted(key)]
        for thing in dropped:
            self._close(thing)
