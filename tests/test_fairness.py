"""Many projects on one computer: whoever does much keeps nobody else waiting for long."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import DEADLINE, FakeEmbedder, photos, until

from teachable import backlog as module
from teachable import training
from teachable.backlog import CHUNK, Backlog
from teachable.embeddings import EmbeddingCache
from teachable.errors import Cancelled
from teachable.orders import Precedence
from teachable.projects import Project, ProjectStore

NETWORK = "f" * 64


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    found = ProjectStore(tmp_path)
    yield found
    found.close()


def filled(store: ProjectStore, name: str, seeds: range) -> Project:
    project = store.create(name)
    project.add_photos(project.info().classes[0].id, "g", photos(seeds))
    return project


class Turns:
    """A network that notes whose photos it was given, and begins when it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.embedder = FakeEmbedder(lambda images: self.wait())

    def wait(self) -> None:
        assert self.go.wait(60)


def test_a_large_import_keeps_no_small_project_waiting(store: ProjectStore) -> None:
    """Somebody trains on 40 chunks of new photos, four others record a few: all of them are done long before."""
    large = filled(store, "Large", range(40 * CHUNK))
    small = [filled(store, f"Small {number}", range(5000 + 10 * number, 5004 + 10 * number)) for number in range(4)]
    turns = Turns()
    backlog = Backlog(lambda fingerprint: turns.embedder)  # type: ignore[arg-type, return-value]
    try:
        trains = threading.Thread(
            target=backlog.wait, args=(large, NETWORK, lambda state: None, threading.Event()), daemon=True
        )
        trains.start()
        until(lambda: backlog._busy, "the first turn")
        for project in small:
            backlog.add(project, NETWORK)
        turns.go.set()
        until(lambda: all(backlog.progress(one, NETWORK).done == 4 for one in small))
        trains.join(60)
        # Of every eight turns one is somebody else's; one more of the large project's came before.
        order = [calls == CHUNK for calls in turns.embedder.calls]
        assert [place for place, is_large in enumerate(order) if not is_large] == [8, 16, 24, 32]
        assert not trains.is_alive()
    finally:
        turns.go.set()
        backlog.close()


def test_photos_that_come_go_before_those_nobody_waits_for(
    store: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waits asks for one more turn when nothing came for so long, and that one comes when nobody waits any more.
    monkeypatch.setattr(module, "_LOOK_SECONDS", DEADLINE)
    project = filled(store, "Recorded", range(3 * CHUNK))
    more_urgent = Precedence()
    asked: list[float] = []

    def give_way(seconds: float) -> None:
        asked.append(seconds)
        more_urgent.give_way(60)

    embedder = FakeEmbedder()
    backlog = Backlog(lambda fingerprint: embedder, give_way)  # type: ignore[arg-type, return-value]
    try:
        with more_urgent.first():
            backlog.add(project, NETWORK)
            until(lambda: asked)
            assert embedder.embedded == 0
        until(lambda: backlog.progress(project, NETWORK).done == 3 * CHUNK)
        # Whoever has pressed Train waits for nobody who records.
        urgent = filled(store, "Trained", range(9000, 9000 + CHUNK))
        before = len(asked)
        with more_urgent.first():
            backlog.wait(urgent, NETWORK, lambda state: None, threading.Event())
        assert len(asked) == before
        assert max(asked) < 1
    finally:
        backlog.close()


def test_all_who_wait_take_turns(store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    several = [filled(store, f"{number}", range(1000 * number, 1000 * number + 3 * CHUNK)) for number in range(3)]
    turns, order = Turns(), []
    put = EmbeddingCache.put

    def recording(self: EmbeddingCache, vectors: dict[str, object]) -> None:
        if NETWORK[:16] in self.path.name:
            order.append(self.path.parent.name)
        put(self, vectors)  # type: ignore[arg-type]

    monkeypatch.setattr(EmbeddingCache, "put", recording)
    backlog = Backlog(lambda fingerprint: turns.embedder)  # type: ignore[arg-type, return-value]
    try:
        finished: list[str] = []

        def wait(project: Project) -> None:
            backlog.wait(project, NETWORK, lambda state: None, threading.Event())
            finished.append(project.id)

        threads = [threading.Thread(target=wait, args=(project,), daemon=True) for project in several]
        for thread in threads:
            thread.start()
        until(lambda: sum(entry.waiting for entry in backlog._entries.values()) == 3)
        turns.go.set()
        for thread in threads:
            thread.join(60)
        assert len(finished) == 3
        assert sorted(order) == sorted(3 * finished)
        # Nobody was through before everybody had begun.
        assert max(map(order.index, finished)) < min(9 - order[::-1].index(one) - 1 for one in finished)
    finally:
        turns.go.set()
        backlog.close()


def test_trainings_have_their_turns_in_the_order_they_came() -> None:
    turns, order = training._Turns(), []
    turns.take(threading.Event())
    threads = []

    def train(number: int) -> None:
        turns.take(threading.Event())
        order.append(number)
        turns.give_back()

    for number in range(12):
        threads.append(threading.Thread(target=train, args=(number,)))
        threads[-1].start()
        until(lambda: len(turns._line) == len(threads))
    turns.give_back()
    for thread in threads:
        thread.join()
    assert order == list(range(12))


def test_who_gives_up_leaves_the_line() -> None:
    turns, gone = training._Turns(), threading.Event()
    turns.take(threading.Event())
    gone.set()
    with pytest.raises(Cancelled):
        turns.take(gone)
    assert not turns._line
    turns.give_back()
    turns.take(threading.Event())
