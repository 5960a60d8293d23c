"""Photos are embedded once each, in the background, in fair turns, through restarts, damage and full disks."""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from making import DEADLINE, FakeEmbedder, photo, photos, until

from teachable import backlog as module
from teachable import looks
from teachable.backlog import CHUNK, Backlog, Progress
from teachable.embeddings import EmbeddingCache
from teachable.errors import InstallationError, NotFound, StorageFull, TeachableError
from teachable.images import load
from teachable.loaded import KEPT_BYTES
from teachable.projects import Project, ProjectStore, listing
from teachable.types import Image, Looks

FINGERPRINT = "f" * 64
GATE_SECONDS = DEADLINE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    with closing(ProjectStore(tmp_path)) as opened:
        yield opened


@pytest.fixture
def project(store: ProjectStore) -> Project:
    return store.create("one")


@contextmanager
def working(embedder: FakeEmbedder) -> Iterator[Backlog]:
    with closing(Backlog(lambda fingerprint: embedder)) as backlog:  # type: ignore[arg-type, return-value]
        yield backlog


def add(project: Project, seeds: range, place: int = 0) -> None:
    result = project.add_photos(project.info().classes[place].id, "group", photos(seeds))
    assert len(result.added) == len(seeds)


def wait(backlog: Backlog, project: Project) -> set[str]:
    return backlog.wait(project, FINGERPRINT, lambda state: None, threading.Event())


def done(backlog: Backlog, project: Project) -> bool:
    state = backlog.progress(project, FINGERPRINT)
    return state.done + state.failed == state.total


class Gate:
    """Lets batches pass one by one, so that a test decides what happens in between."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.open = threading.Semaphore(0)
        self.free = False

    def __call__(self, images: Sequence[Image]) -> None:
        if not self.free:
            self.arrived.release()
            assert self.open.acquire(timeout=GATE_SECONDS)

    def pass_one(self) -> None:
        assert self.arrived.acquire(timeout=DEADLINE)
        self.open.release()

    def lift(self) -> None:
        self.free = True
        self.open.release(1000)


# In the background


def test_photos_are_embedded_while_more_are_added(project: Project) -> None:
    embedder = FakeEmbedder()
    with working(embedder) as backlog:
        for start in range(0, 60, 6):
            add(project, range(start, start + 6))
            backlog.add(project, FINGERPRINT)
        until(lambda: done(backlog, project), "embedding")
        assert backlog.progress(project, FINGERPRINT) == Progress(60, 60, 0)
        hashes = [sample.sha256 for sample in project.all_samples()]
        assert backlog.cache(project, FINGERPRINT).get(hashes).shape == (60, embedder.width)
    assert embedder.embedded == 60


def test_adding_returns_at_once_even_while_the_network_works(project: Project) -> None:
    gate = Gate()
    with working(FakeEmbedder(gate)) as backlog:
        add(project, range(3))
        backlog.add(project, FINGERPRINT)
        assert gate.arrived.acquire(timeout=DEADLINE)
        backlog.add(project, FINGERPRINT)
        assert backlog.progress(project, FINGERPRINT) == Progress(0, 3, 0)
        gate.lift()
        until(lambda: done(backlog, project))


def test_the_network_is_opened_at_the_first_photo(project: Project) -> None:
    opened = threading.Event()

    def make(fingerprint: str) -> FakeEmbedder:
        opened.set()
        return FakeEmbedder()

    with closing(Backlog(make)) as backlog:  # type: ignore[arg-type]
        backlog.add(project, FINGERPRINT)
        assert wait(backlog, project) == set()
        assert not opened.is_set()
        add(project, range(1))
        wait(backlog, project)
        assert opened.is_set()


def test_embeddings_are_those_of_the_photos(project: Project) -> None:
    class_id = project.info().classes[0].id
    project.add_photos(class_id, "g", [("red", photo(1, (250, 0, 0))), ("blue", photo(2, (0, 0, 250)))])
    with working(FakeEmbedder()) as backlog:
        wait(backlog, project)
        red, blue = backlog.cache(project, FINGERPRINT).get([sample.sha256 for sample in project.all_samples()])
    assert red[0] > 200 > 100 > red[2]
    assert blue[2] > 200 > 100 > blue[0]


# Once each


def test_a_restart_in_the_middle_goes_on_and_embeds_nothing_twice(tmp_path: Path) -> None:
    gate, first, second = Gate(), FakeEmbedder(), FakeEmbedder()
    first._before = gate
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        add(project, range(3 * CHUNK))
        backlog = Backlog(lambda fingerprint: first)  # type: ignore[arg-type, return-value]
        backlog.add(project, FINGERPRINT)
        gate.pass_one()
        assert gate.arrived.acquire(timeout=DEADLINE)  # one chunk is on disk, the second in hand
        closer = threading.Thread(target=backlog.close)
        closer.start()
        until(lambda: backlog._closed)
        gate.lift()
        closer.join()
        identity = project.id
    assert first.calls == [CHUNK, CHUNK]
    with closing(ProjectStore(tmp_path)) as store, working(second) as backlog:
        again = store.open(identity)
        assert backlog.progress(again, FINGERPRINT).done == 2 * CHUNK
        wait(backlog, again)
        assert done(backlog, again)
    assert second.embedded == CHUNK


def test_renaming_reordering_moving_and_disabling_embed_nothing_again(project: Project) -> None:
    embedder = FakeEmbedder()
    with working(embedder) as backlog:
        add(project, range(10))
        wait(backlog, project)
        one, two = project.info().classes
        project.rename("other")
        project.update_class(one.id, name="paper", color="#000000", position=1)
        project.update_class(two.id, disabled=True)
        ids = [sample.id for sample in project.all_samples()]
        token = project.move_samples(ids[:5], two.id)
        backlog.add(project, FINGERPRINT)
        wait(backlog, project)
        project.undo(token)
        project.undo(project.delete_samples(ids[:3]))
        wait(backlog, project)
        assert backlog.progress(project, FINGERPRINT) == Progress(10, 10, 0)
    assert embedder.embedded == 10


def test_the_same_photo_in_two_classes_is_embedded_once(project: Project) -> None:
    embedder = FakeEmbedder()
    with working(embedder) as backlog:
        add(project, range(5), 0)
        add(project, range(5), 1)
        wait(backlog, project)
        assert backlog.progress(project, FINGERPRINT) == Progress(5, 5, 0)
    assert embedder.embedded == 5


def test_five_thousand_photos_do_not_slow_each_other_down(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{number:064x}" for number in range(5000)]
    listed = 0

    def brief(after: int = 0) -> list[tuple[int, str, str, int]]:
        nonlocal listed
        listed += 1
        return [(number, "a", sha, 0) for number, sha in enumerate(rows, 1) if number > after]

    monkeypatch.setattr(project, "brief_samples", brief)
    monkeypatch.setattr(module, "read", lambda project, sha: np.zeros((1, 1, 3), np.uint8))
    looked = 0
    missing = EmbeddingCache.missing

    def counting(self: EmbeddingCache, hashes: Sequence[str]) -> list[str]:
        nonlocal looked
        looked += len(hashes)
        return missing(self, hashes)

    monkeypatch.setattr(EmbeddingCache, "missing", counting)
    embedder = FakeEmbedder()
    with working(embedder) as backlog:
        backlog.add(project, FINGERPRINT)
        until(lambda: embedder.embedded == 5000, "embedding")
        assert listed <= 2
        assert looked <= 6 * 5000
        wait(backlog, project)


def test_of_photos_that_stream_in_each_is_handed_out_once_and_lost_embeddings_are_found(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LARGE", 4)
    monkeypatch.setattr(listing, "time", SimpleNamespace(monotonic=lambda: 0.0))
    add(project, range(6))
    cache = EmbeddingCache(project.folder, FINGERPRINT)
    entry = module._Entry(project, FINGERPRINT, cache)
    looked: list[int] = []
    missing = EmbeddingCache.missing

    def watched(self: EmbeddingCache, hashes: Iterable[str]) -> list[str]:
        given = list(hashes)
        looked.append(len(given))
        return missing(self, given)

    monkeypatch.setattr(EmbeddingCache, "missing", watched)
    first = entry.next_chunk()
    cache.put({sha: np.zeros(4, np.float32) for sha in first})
    add(project, range(6, 9))
    second = entry.next_chunk()
    assert (len(first), len(second), looked) == (6, 3, [6, 3])
    cache.put({sha: np.zeros(4, np.float32) for sha in second})
    assert entry.next_chunk() == []
    # One that is lost later is found without any change of the project.
    cache._known.discard(first[0])
    assert entry.next_chunk() == first[:1]
    cache.close()


# What cannot be read


def test_a_damaged_or_lost_file_is_counted_and_stops_nobody(project: Project) -> None:
    add(project, range(20))
    samples = project.all_samples()
    project.photo_file(samples[3].sha256).write_bytes(b"\xff\xd8 no longer a photo")
    project.photo_file(samples[4].sha256).unlink()
    with working(FakeEmbedder()) as backlog:
        backlog.add(project, FINGERPRINT)
        until(lambda: done(backlog, project))
        assert backlog.progress(project, FINGERPRINT) == Progress(18, 20, 2)
        assert wait(backlog, project) == {samples[3].sha256, samples[4].sha256}


def test_a_photo_that_can_be_read_again_is_embedded_at_the_next_training(project: Project) -> None:
    add(project, range(4))
    path = project.photo_file(project.all_samples()[0].sha256)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with working(FakeEmbedder()) as backlog:
        assert len(wait(backlog, project)) == 1
        path.write_bytes(whole)
        assert wait(backlog, project) == set()
        assert backlog.progress(project, FINGERPRINT) == Progress(4, 4, 0)


def test_only_failures_that_still_matter_are_reported(project: Project) -> None:
    add(project, range(4))
    broken = project.all_samples()[0]
    project.photo_file(broken.sha256).unlink()
    with working(FakeEmbedder()) as backlog:
        assert wait(backlog, project) == {broken.sha256}
        project.delete_samples([broken.id])
        assert wait(backlog, project) == set()


def test_an_error_of_the_network_is_told_and_the_worker_lives_on(
    project: Project, store: ProjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    fail = True

    def trouble(images: Sequence[Image]) -> None:
        if fail:
            raise RuntimeError("the network is ill")

    other = store.create("two")
    add(project, range(3))
    add(other, range(3))
    with working(FakeEmbedder(trouble)) as backlog:
        with pytest.raises(TeachableError) as caught:
            wait(backlog, project)
        assert caught.value.key == "embedding_failed"
        assert "the network is ill" in caplog.text
        fail = False
        assert wait(backlog, other) == set()
        assert wait(backlog, project) == set()


def test_a_missing_network_is_told_to_whoever_waits(project: Project) -> None:
    def make(fingerprint: str) -> FakeEmbedder:
        raise InstallationError("backbone_none")

    add(project, range(3))
    with closing(Backlog(make)) as backlog:  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(InstallationError):
                wait(backlog, project)


def test_a_full_disk_is_told_and_can_be_overcome(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: EmbeddingCache, vectors: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    add(project, range(3))
    with working(FakeEmbedder()) as backlog:
        with monkeypatch.context() as patch:
            patch.setattr(EmbeddingCache, "put", full)
            with pytest.raises(StorageFull) as caught:
                wait(backlog, project)
            assert caught.value.key == "cache_not_written"
        assert wait(backlog, project) == set()
        assert backlog.progress(project, FINGERPRINT) == Progress(3, 3, 0)


def test_trouble_is_logged_once_however_often_the_page_asks(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    attempts = threading.Semaphore(0)

    def trouble(images: Sequence[Image]) -> None:
        attempts.release()
        raise RuntimeError("ill")

    add(project, range(3))
    with working(FakeEmbedder(trouble)) as backlog:
        for _ in range(5):
            backlog.add(project, FINGERPRINT)
            assert attempts.acquire(timeout=DEADLINE)
    assert sum("embedding of project" in record.getMessage() for record in caplog.records) == 1


# Turns


def test_projects_take_turns(project: Project, store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    other = store.create("two")
    for one in (project, other):
        add(one, range(2 * CHUNK))
    turns = record_turns(monkeypatch)
    gate = Gate()
    with working(FakeEmbedder(gate)) as backlog:
        backlog.add(project, FINGERPRINT)
        assert gate.arrived.acquire(timeout=DEADLINE)
        backlog.add(other, FINGERPRINT)
        gate.lift()
        until(lambda: done(backlog, project) and done(backlog, other))
    assert turns == [project.id, other.id, project.id, other.id]


def record_turns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The projects in the order in which embeddings of them are stored."""
    turns: list[str] = []
    put = EmbeddingCache.put

    def recording(self: EmbeddingCache, vectors: dict[str, object]) -> None:
        if FINGERPRINT[:16] in self.path.name:
            turns.append(self.path.parent.name)
        put(self, vectors)  # type: ignore[arg-type]

    monkeypatch.setattr(EmbeddingCache, "put", recording)
    return turns


def test_a_training_that_waits_goes_first_every_time(
    project: Project, store: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = store.create("two")
    for one in (project, other):
        add(one, range(4 * CHUNK))
    turns = record_turns(monkeypatch)
    gate = Gate()
    with working(FakeEmbedder(gate)) as backlog:
        backlog.add(project, FINGERPRINT)
        assert gate.arrived.acquire(timeout=DEADLINE)  # the first project is being worked on, four chunks of it
        waiting = threading.Thread(target=wait, args=(backlog, other))
        waiting.start()
        until(lambda: (other.id, FINGERPRINT) in backlog._queue)
        gate.lift()
        waiting.join()
        assert turns[:5] == [project.id, *[other.id] * 4]
        until(lambda: done(backlog, project))


def test_waiting_tells_progress_and_covers_what_was_there_at_the_click(project: Project) -> None:
    gate = Gate()
    add(project, range(2 * CHUNK))
    seen: list[Progress] = []
    with working(FakeEmbedder(gate)) as backlog:

        def on_progress(state: Progress) -> None:
            seen.append(state)
            if state.done == CHUNK:  # somebody goes on capturing
                add(project, range(1000, 1000 + CHUNK))

        gate.free = True
        assert backlog.wait(project, FINGERPRINT, on_progress, threading.Event()) == set()
        assert [state.total for state in seen] == [2 * CHUNK] * len(seen)
        assert [state.done for state in seen] == sorted(state.done for state in seen)


def test_cancelling_ends_the_wait_at_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    # It is woken; by itself it would look only when the network has long been let go on.
    monkeypatch.setattr(module, "_LOOK_SECONDS", 2 * DEADLINE)
    gate, cancelled, over = Gate(), threading.Event(), threading.Event()
    add(project, range(3))
    with working(FakeEmbedder(gate)) as backlog:
        thread = threading.Thread(
            target=lambda: (backlog.wait(project, FINGERPRINT, lambda state: None, cancelled), over.set())
        )
        thread.start()
        assert gate.arrived.acquire(timeout=DEADLINE)
        assert not over.is_set()
        cancelled.set()
        backlog.wake()
        assert over.wait(GATE_SECONDS / 2)
        gate.lift()
        thread.join()


# Coming and going


def test_forgetting_waits_for_the_photos_in_hand(project: Project) -> None:
    gate, forgotten = Gate(), threading.Event()
    add(project, range(2 * CHUNK))
    embedder = FakeEmbedder(gate)
    with working(embedder) as backlog:
        backlog.add(project, FINGERPRINT)
        assert gate.arrived.acquire(timeout=DEADLINE)
        thread = threading.Thread(target=lambda: (backlog.forget(project.id), forgotten.set()))
        thread.start()
        until(lambda: project.id not in backlog._entries)
        assert not forgotten.is_set()
        gate.lift()
        thread.join(DEADLINE)
        assert forgotten.is_set()
    assert embedder.calls == [CHUNK]


def test_a_restored_project_is_embedded_like_any_other(store: ProjectStore, caplog: pytest.LogCaptureFixture) -> None:
    project = store.create()
    add(project, range(4))
    embedder = FakeEmbedder()
    with working(embedder) as backlog:
        wait(backlog, project)
        # A page asks for the state in just the wrong moment: the old entry is back when the project is.
        backlog.forget(project.id)
        backlog.progress(project, FINGERPRINT)
        token = store.delete(project.id)
        with pytest.raises(NotFound):
            backlog.progress(project, FINGERPRINT)
        restored = store.restore(token)
        add(restored, range(10, 14))
        assert wait(backlog, restored) == set()
        assert backlog.progress(restored, FINGERPRINT) == Progress(8, 8, 0)
    assert embedder.embedded == 8


def test_a_closed_project_never_gets_a_new_cache(store: ProjectStore) -> None:
    project = store.create()
    add(project, range(2))
    with working(FakeEmbedder()) as backlog:
        store.delete(project.id)
        calls: list[Callable[[Project, str], object]] = [backlog.add, backlog.cache, backlog.progress]
        for call in calls:
            with pytest.raises(NotFound):
                call(project, FINGERPRINT)
        assert not backlog._entries


def test_deleting_a_project_in_the_middle_leaves_the_others(store: ProjectStore) -> None:
    gate = Gate()
    gone, stays = store.create("gone"), store.create("stays")
    for one in (gone, stays):
        add(one, range(2 * CHUNK))
    with working(FakeEmbedder(gate)) as backlog:
        backlog.add(gone, FINGERPRINT)
        backlog.add(stays, FINGERPRINT)
        assert gate.arrived.acquire(timeout=DEADLINE)
        store.delete(gone.id)  # without a word to the backlog
        gate.lift()
        assert wait(backlog, stays) == set()
        assert done(backlog, stays)


def test_closing_frees_whoever_waits_and_nothing_opens_afterwards(project: Project) -> None:
    gate = Gate()
    add(project, range(3 * CHUNK))
    backlog = Backlog(lambda fingerprint: FakeEmbedder(gate))  # type: ignore[arg-type, return-value]
    over = threading.Event()

    def waiting() -> None:
        with suppress(TeachableError):
            wait(backlog, project)
        over.set()

    thread = threading.Thread(target=waiting)
    thread.start()
    assert gate.arrived.acquire(timeout=DEADLINE)
    closer = threading.Thread(target=backlog.close)
    closer.start()
    until(lambda: backlog._closed)
    gate.lift()
    closer.join(DEADLINE)
    assert over.wait(DEADLINE)
    thread.join()
    with pytest.raises(NotFound):
        backlog.cache(project, FINGERPRINT)
    backlog.close()


def test_a_damaged_cache_on_disk_is_filled_again(tmp_path: Path) -> None:
    first, second = FakeEmbedder(), FakeEmbedder()
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        add(project, range(5))
        with working(first) as backlog:
            wait(backlog, project)
            path = backlog.cache(project, FINGERPRINT).path
        path.write_bytes(b"nonsense" * 1000)
        with working(second) as backlog:
            assert wait(backlog, project) == set()
            assert backlog.progress(project, FINGERPRINT) == Progress(5, 5, 0)
    assert (first.embedded, second.embedded) == (5, 5)


def test_many_threads_add_and_ask_at_once(project: Project) -> None:
    embedder = FakeEmbedder()
    with working(embedder) as backlog:
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                state = backlog.progress(project, FINGERPRINT)
                assert 0 <= state.done <= state.total

        askers = [threading.Thread(target=ask) for _ in range(2)]
        for thread in askers:
            thread.start()
        for start in range(0, 80, 8):
            add(project, range(start, start + 8))
            backlog.add(project, FINGERPRINT)
        until(lambda: backlog.progress(project, FINGERPRINT) == Progress(80, 80, 0))
        stop.set()
        for thread in askers:
            thread.join()
    assert embedder.embedded == 80


# Several networks


class TwiceEmbedder(FakeEmbedder):
    """Another network: everything twice as large."""

    def embed(self, images: Sequence[Image]) -> np.ndarray:
        return 2 * super().embed(images)


def test_a_project_is_embedded_under_two_networks_side_by_side(project: Project) -> None:
    add(project, range(2 * CHUNK))
    networks = {"a" * 64: FakeEmbedder(), "b" * 64: TwiceEmbedder()}
    with closing(Backlog(lambda fingerprint: networks[fingerprint])) as backlog:  # type: ignore[arg-type, return-value]
        for fingerprint in networks:
            backlog.add(project, fingerprint)
        until(lambda: all(backlog.progress(project, one).done == 2 * CHUNK for one in networks))
        hashes = [sample.sha256 for sample in project.all_samples()]
        first, second = (backlog.cache(project, one).get(hashes) for one in networks)
        assert np.array_equal(second, 2 * first)
        assert [one.embedded for one in networks.values()] == [2 * CHUNK, 2 * CHUNK]
        assert all((backlog.seconds_per_photo(one) or 0) > 0 for one in networks)
        assert backlog.seconds_per_photo("c" * 64) is None


def test_a_removed_network_is_let_go_and_its_embeddings_stay(project: Project) -> None:
    gate = Gate()
    add(project, range(3 * CHUNK))
    kept, removed = "a" * 64, "b" * 64
    closed: list[str] = []

    class Closing(FakeEmbedder):
        def __init__(self, fingerprint: str) -> None:
            super().__init__(gate)
            self.fingerprint = fingerprint

        def close(self) -> None:
            closed.append(self.fingerprint)

    with closing(Backlog(Closing)) as backlog:  # type: ignore[arg-type]
        backlog.add(project, removed)
        assert gate.arrived.acquire(timeout=DEADLINE)
        dropping = threading.Thread(target=backlog.forget_network, args=(removed,))
        dropping.start()
        gate.lift()
        dropping.join()
        assert not backlog._entries
        assert closed == [removed]
        assert wait(backlog, project) == set()  # another network is not in the way
        backlog.add(project, kept)
        until(lambda: backlog.progress(project, kept).done == 3 * CHUNK)
        assert backlog.progress(project, removed).done >= CHUNK


def test_large_networks_not_used_lately_are_closed(project: Project) -> None:
    add(project, range(2))
    opened: dict[str, int] = {}
    closed: list[str] = []

    class Closing(FakeEmbedder):
        size = KEPT_BYTES // 2 - 1

        def __init__(self, fingerprint: str) -> None:
            super().__init__()
            opened[fingerprint] = opened.get(fingerprint, 0) + 1
            self.fingerprint = fingerprint

        def close(self) -> None:
            closed.append(self.fingerprint)

    names = [letter * 64 for letter in "abcd"]
    with closing(Backlog(Closing)) as backlog:  # type: ignore[arg-type]
        for name in names:
            assert backlog.wait(project, name, lambda state: None, threading.Event()) == set()
        assert closed == names[:1]
    assert sorted(closed) == names
    assert opened == dict.fromkeys(names, 1)


# What can be seen


def test_what_can_be_seen_is_measured_in_passing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    add(project, range(CHUNK + 3))
    measured = []
    measure = looks.measure

    def recording(image: Image) -> Looks:
        measured.append(image)
        return measure(image)

    monkeypatch.setattr(looks, "measure", recording)
    hashes = [sample.sha256 for sample in project.all_samples()]
    with working(FakeEmbedder()) as backlog:
        wait(backlog, project)
        until(lambda: done(backlog, project))
        found = backlog.looks(project, hashes)
        assert len(measured) == len(hashes)
        assert found.hashes.tolist() == [int(measure(load(project.photo_file(sha))).hashes[0]) for sha in hashes]
        backlog.wait(project, "e" * 64, lambda state: None, threading.Event())
        assert len(measured) == len(hashes), "another network sees the same photos"


def test_photos_embedded_before_they_were_looked_at_are_measured_on_demand(project: Project) -> None:
    add(project, range(4))
    with working(FakeEmbedder()) as backlog:
        wait(backlog, project)
    EmbeddingCache.file(project.folder, looks.VERSION).unlink()
    embedder = FakeEmbedder()
    with working(embedder) as backlog:
        found = backlog.looks(project, [sample.sha256 for sample in project.all_samples()])
        assert len(found.hashes) == 4
    assert embedder.embedded == 0


def test_looks_of_a_project_that_is_gone(store: ProjectStore, project: Project) -> None:
    add(project, range(2))
    hashes = [sample.sha256 for sample in project.all_samples()]
    with working(FakeEmbedder()) as backlog:
        wait(backlog, project)
        backlog.looks(project, hashes)
        backlog.forget(project.id)
        token = store.delete(project.id)
        with pytest.raises(NotFound):
            backlog.looks(project, hashes)
        assert len(backlog.looks(store.restore(token), hashes).hashes) == 2
