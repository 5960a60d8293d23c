"""Little stays loaded: what is large goes before the next comes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from teachable import loaded
from teachable.loaded import Loaded


class Shelf:
    """What is loaded at each moment, and in which order things came and went."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.told: list[str] = []
        self.loaded: Loaded[str, str] = Loaded(self._close)

    def get(self, name: str, size: int = 1) -> str:
        def load() -> tuple[str, int]:
            self.told.append(f"+{name}")
            self.open.append(name)
            return name, size

        return self.loaded.get(name, load)

    def _close(self, name: str) -> None:
        self.told.append(f"-{name}")
        self.open.remove(name)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(loaded, "KEPT_BYTES", 10)
    return Shelf()


def test_small_ones_stay_and_are_loaded_once(shelf: Shelf) -> None:
    for _ in range(3):
        assert [shelf.get(name, 3) for name in "abc"] == ["a", "b", "c"]
    assert shelf.told == ["+a", "+b", "+c"]


def test_those_not_used_for_longest_go_first(shelf: Shelf) -> None:
    for name in "abca":
        shelf.get(name, 4)
    shelf.get("d", 4)
    assert shelf.open == ["a", "c", "d"] or shelf.open == ["c", "a", "d"]
    assert shelf.told[-2:] == ["-b", "+d"]


def test_a_large_one_stays_until_another_comes_and_goes_before_it(shelf: Shelf) -> None:
    shelf.get("large", 100)
    shelf.get("large", 100)
    assert shelf.told == ["+large"]
    shelf.get("other", 100)
    assert shelf.told == ["+large", "-large", "+other"]


def test_what_cannot_be_loaded_is_not_kept(shelf: Shelf) -> None:
    def fail() -> tuple[str, int]:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        shelf.loaded.get("a", fail)
    assert shelf.get("a") == "a"


def test_unwanted_ones_are_dropped(shelf: Shelf) -> None:
    for name in ("one 1", "one 2", "two 1"):
        shelf.get(name)
    shelf.loaded.drop(lambda key: key.startswith("one"))
    assert shelf.open == ["two 1"]


def test_many_threads_ask_at_once(shelf: Shelf) -> None:
    together = threading.Barrier(4)

    def ask(number: int) -> str:
        together.wait(30)
        return shelf.get(str(number % 6), 4)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(40))) == [str(number % 6) for number in range(40)]
