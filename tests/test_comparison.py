"""Comparing networks on a project's photos: fair, bounded, cancelled at any moment; one that fails fails alone."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import photos, tiny_network, until

from teachable import comparison, evaluation
from teachable.backlog import Backlog
from teachable.comparison import Comparison
from teachable.comparisons import Comparisons
from teachable.embeddings import Embedder, EmbeddingCache
from teachable.errors import Conflict, TeachableError
from teachable.evaluation import Examination
from teachable.library import Library
from teachable.projects import Project, ProjectStore
from teachable.training import Cancelled, Phase, Task, Trainer
from teachable.types import EpochPoint, ProjectNetwork, TrainSettings
from teachable.verdict import ComparisonRow

COLORS = ((190, 90, 90), (90, 90, 190))
# Equally bright, so that a network that sees brightness alone cannot tell them apart.
assert sum(COLORS[0]) == sum(COLORS[1])
SIGHTED = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
BLIND = np.ones((2, 3), np.float32) * np.array([[0.5], [1]], np.float32)


class HereTrainer:
    """Tests heads in this process, and calls a hook before each."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.stopped: list[threading.Event] = []
        self.before: Callable[[], None] = lambda: None

    def examine(
        self, task: Task, on_epoch: Callable[[Phase, EpochPoint], None], cancelled: threading.Event
    ) -> Examination:
        self.before()
        if cancelled.is_set():
            raise Cancelled
        self.tasks.append(task)

        def report(point: EpochPoint) -> None:
            on_epoch("testing", point)

        return evaluation.examine(task.embeddings, task.labels, task.groups, task.class_count, task.settings, report)

    def stop(self, cancelled: threading.Event) -> None:
        self.stopped.append(cancelled)


class Bench:
    """A project, three networks of which one sees no colours, and all that compares them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ProjectStore(folder / "home")
        self.library = Library(folder / "networks")
        self.install("sighted", SIGHTED)
        self.install("blind", BLIND)
        self.project: Project = self.store.create(None, ProjectNetwork.of(self.library.find("blind")))
        self.project.save_settings(TrainSettings(epochs=10))
        self.backlog = Backlog(lambda fingerprint: Embedder(self.library.read(self.library.find(fingerprint))))
        self.here = HereTrainer()
        self.training: set[str] = set()
        self.comparisons = self.made(self.here)

    def made(self, trainer: object) -> Comparisons:
        fits: Trainer = trainer  # type: ignore[assignment]
        return Comparisons(self.library, self.backlog, fits, self.training.__contains__)

    def install(self, id_: str, weights: np.ndarray) -> None:
        self.folder.joinpath("networks").mkdir(exist_ok=True)
        self.library.add(*tiny_network(self.folder, id_, weights))

    def add(self, groups: int = 12, size: int = 5, start: int = 0) -> None:
        for place, one in enumerate(self.project.info().classes):
            for group in range(groups):
                seed = start + 10_000 * place + 100 * group
                self.project.add_photos(one.id, f"{seed}", photos(range(seed, seed + size), COLORS[place]))

    def start(self) -> None:
        self.comparisons.start(self.project)

    @property
    def state(self) -> Comparison:
        return self.comparisons.state(self.project)

    def run(self) -> Comparison:
        self.start()
        until(lambda: self.state.state != "running", "the comparison ended")
        return self.state

    def close(self) -> None:
        for one in self.comparisons.give_up():
            one.join()
        self.backlog.close()
        self.store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as bench:
        yield bench


def row(found: Comparison, id_: str) -> ComparisonRow:
    return next(one for one in found.rows if one.id == id_)


# What comes out


def test_the_better_network_is_found_with_the_real_trainer(bench: Bench) -> None:
    bench.add()
    with closing(Trainer()) as trainer:
        bench.comparisons = bench.made(trainer)
        found = bench.run()
    assert (found.state, found.fraction, found.current) == ("done", 1.0, None), found
    assert (found.photos, found.available, found.held_out, found.unjudged) == (120, 120, 20, ())
    assert {one.id for one in found.rows} == {"slim-v1", "sighted", "blind"}
    assert found.advice == "sighted"
    sighted, blind = row(found, "sighted"), row(found, "blind")
    assert sighted.correct == 20
    assert blind.correct < 15
    assert found.message is not None
    assert "“Tiny sighted”" in found.message
    assert [one.correct for one in found.rows] == sorted((one.correct for one in found.rows), reverse=True)
    assert found.rows[-1] == blind


def test_a_row_says_what_a_network_costs(bench: Bench) -> None:
    bench.add(groups=3)
    bench.library.note_speed("sighted", browser_ms=12.5)
    found = bench.run()
    sighted, slim = row(found, "sighted"), row(found, "slim-v1")
    assert (sighted.title, sighted.browser_ms, slim.browser_ms) == ("Tiny sighted", 12.5, None)
    assert sighted.size_bytes == bench.library.find("sighted").size_bytes
    assert sighted.native_ms is not None
    assert slim.native_ms is not None
    assert 0 < sighted.native_ms < slim.native_ms < 10_000
    assert bench.library.speeds()["slim-v1"].native_ms == slim.native_ms
    low, high = evaluation.wilson(slim.correct, slim.held_out)
    assert (slim.accuracy, slim.low, slim.high) == (slim.correct / slim.held_out, low, high)
    assert [one.id for one in found.rows if one.in_use] == ["blind"]


def test_all_networks_are_tested_alike(bench: Bench) -> None:
    bench.add(groups=3)
    bench.project.save_settings(TrainSettings(epochs=3, seed=7, hidden_units=4))
    found = bench.run()
    first, *others = bench.here.tasks
    assert len(others) == 2
    for task in others:
        assert task.labels.tolist() == first.labels.tolist()
        assert (task.groups, task.settings, task.class_count) == (first.groups, first.settings, 2)
    assert first.settings == TrainSettings(epochs=3, seed=7, hidden_units=4)
    assert len({one.held_out for one in found.rows}) == 1


def test_disabled_classes_are_left_out(bench: Bench) -> None:
    bench.add(groups=2, size=3)
    third = bench.project.add_class("Third")
    bench.project.add_photos(third.id, "g", photos(range(5), (10, 200, 10)))
    bench.project.update_class(third.id, disabled=True)
    found = bench.run()
    assert (found.available, found.photos) == (12, 12)
    assert bench.here.tasks[0].class_count == 2


def test_a_class_that_cannot_be_tested_is_named(bench: Bench) -> None:
    bench.add(groups=3, size=3)
    third = bench.project.add_class("Third")
    bench.project.add_photos(third.id, "g", photos(range(5), (10, 200, 10)))
    assert bench.run().unjudged == (third.id,)


def test_what_was_embedded_is_there_for_a_switch(bench: Bench) -> None:
    bench.add(groups=2, size=4)
    bench.run()
    for record in bench.library.present():
        progress = bench.backlog.progress(bench.project, record.fingerprint)
        assert (progress.done, progress.total) == (16, 16)


def test_nothing_is_embedded_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(groups=2, size=4)
    first = bench.run()
    asked: list[int] = []
    whole = Embedder.embed
    monkeypatch.setattr(Embedder, "embed", lambda self, images: asked.append(len(images)) or whole(self, images))
    second = bench.run()
    assert set(asked) == {1}, "only the time is taken again"
    assert [one.correct for one in second.rows] == [one.correct for one in first.rows]


def test_large_projects_are_drawn_from(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "PHOTOS", 40)
    bench.add(groups=12, size=5)
    found = bench.run()
    assert (found.photos, found.available, found.held_out) == (40, 120, 8)
    assert bench.backlog.progress(bench.project, bench.library.find("sighted").fingerprint).done == 40


def test_in_use_follows_a_switch(bench: Bench) -> None:
    bench.add(groups=2, size=2)
    bench.run()
    bench.project.set_network(ProjectNetwork.of(bench.library.builtin()))
    assert [one.id for one in bench.state.rows if one.in_use] == ["slim-v1"]


# Nothing to test on


def test_one_recording_per_class_gives_speeds_and_says_why_no_more(bench: Bench) -> None:
    bench.add(groups=1, size=6)
    found = bench.run()
    assert (found.state, found.held_out, found.advice) == ("done", 0, None)
    assert bench.here.tasks == []
    assert len(found.unjudged) == 2
    assert found.message is not None
    assert "one recording only" in found.message
    for one in found.rows:
        assert (one.accuracy, one.correct, one.held_out, one.reason) == (None, 0, 0, None)
        assert one.native_ms is not None
    for record in bench.library.present():
        assert not EmbeddingCache.file(bench.project.folder, record.fingerprint).exists(), "nothing to embed for"


# Networks that fail


def test_a_damaged_network_gets_a_reason_and_the_others_a_comparison(bench: Bench) -> None:
    bench.add(groups=3)
    bench.install("worn", SIGHTED[:2])
    path = bench.library.path(bench.library.find("worn"))
    data = path.read_bytes()
    path.write_bytes(b"\0" * len(data))
    found = bench.run()
    assert found.state == "done"
    assert found.rows[-1].id == "worn"
    assert found.rows[-1].reason is not None
    assert "damaged" in found.rows[-1].reason
    assert (found.rows[-1].native_ms, found.rows[-1].accuracy) == (None, None)
    assert [one.reason for one in found.rows[:-1]] == [None] * 3
    assert found.advice is not None


@pytest.mark.parametrize("moment", [1, 30])
def test_a_network_that_breaks_while_it_runs_fails_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, moment: int
) -> None:
    """At the first photo of the timing, or when it embeds."""
    bench.add()
    whole, width, calls = Embedder.embed, len(SIGHTED), []

    def embed(self: Embedder, images: Sequence[np.ndarray]) -> np.ndarray:
        if self.width == width:
            calls.append(len(images))
            if len(calls) >= moment or (moment > 1 and len(images) > 1):
                raise RuntimeError("the network broke")
        return whole(self, images)

    monkeypatch.setattr(Embedder, "embed", embed)
    found = bench.run()
    assert found.state == "done"
    broken = found.rows[-1]
    assert broken.id == "sighted"
    assert broken.reason is not None
    assert "problem inside" in broken.reason
    assert (broken.native_ms is None) == (moment == 1)
    assert found.advice == "slim-v1"
    assert "the network broke" in caplog.text


def test_a_network_of_useless_numbers_fails_alone(bench: Bench) -> None:
    bench.add(groups=3)
    bench.install("nothing", np.full((2, 3), np.inf, np.float32))
    found = bench.run()
    assert found.rows[-1].id == "nothing"
    assert found.rows[-1].reason is not None
    assert [one.reason for one in found.rows[:-1]] == [None] * 3


def test_a_test_that_dies_fails_alone(bench: Bench) -> None:
    bench.add(groups=3)
    turns = iter(range(3))

    def before() -> None:
        if next(turns) == 0:
            raise TeachableError("training_died")

    bench.here.before = before
    found = bench.run()
    assert found.state == "done"
    assert [one.reason is None for one in found.rows] == [True, True, False]


def test_where_every_network_fails_it_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(groups=3)
    monkeypatch.setattr(Embedder, "embed", lambda self, images: 1 / 0)
    found = bench.run()
    assert (found.state, found.advice) == ("done", None)
    assert found.message == "None of the networks could be used. The table says why."


def test_a_full_disk_is_said_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(sqlite3.OperationalError):
        sqlite_errorcode = sqlite3.SQLITE_FULL

    def put(self: EmbeddingCache, vectors: object) -> None:
        raise Full("database or disk is full")

    bench.add(groups=3)
    monkeypatch.setattr(EmbeddingCache, "put", put)
    found = bench.run()
    assert (found.state, found.key) == ("failed", "comparison_not_kept")
    assert found.message is not None
    assert "no room" in found.message


def test_a_speed_that_cannot_be_noted_is_no_failure(bench: Bench) -> None:
    bench.add(groups=2, size=2)
    notes = bench.folder / "networks" / "speeds.json"
    notes.mkdir()
    found = bench.run()
    assert found.state == "done"
    assert all(one.native_ms for one in found.rows)


# Photos


def test_unreadable_photos_are_left_out_for_every_network(bench: Bench) -> None:
    """Also for one that has their embeddings from before."""
    bench.add(groups=3)
    record = bench.library.find("sighted")
    bench.backlog.wait(bench.project, record.fingerprint, lambda progress: None, threading.Event())
    lost = [sample.sha256 for sample in bench.project.all_samples()][::10]
    for sha in lost:
        bench.project.photo_file(sha).write_bytes(b"no photo")
    found = bench.run()
    assert found.state == "done"
    assert (found.photos, found.available) == (27, 30)
    assert {len(task.labels) for task in bench.here.tasks} == {27}


def test_a_class_without_a_readable_photo_ends_it_in_words(bench: Bench) -> None:
    bench.add(groups=3, size=2)
    first = bench.project.info().classes[0].id
    for sample in bench.project.all_samples():
        if sample.class_id == first:
            bench.project.photo_file(sample.sha256).unlink()
    found = bench.run()
    assert (found.state, found.key) == ("failed", "class_unreadable")


def test_damaged_embeddings_are_made_again(bench: Bench) -> None:
    bench.add(groups=3)
    first = bench.run()
    cache = bench.backlog.cache(bench.project, bench.library.find("sighted").fingerprint)
    with closing(sqlite3.connect(cache.path)) as connection, connection:
        connection.execute("UPDATE embeddings SET crc = 0")
    assert [one.correct for one in bench.run().rows] == [one.correct for one in first.rows]


def test_a_project_that_changes_meanwhile_is_compared_as_it_was(bench: Bench) -> None:
    bench.add(groups=3)

    def change() -> None:
        bench.here.before = lambda: None
        bench.add(groups=2, start=5000)
        bench.project.delete_samples([bench.project.all_samples()[0].id])

    bench.here.before = change
    found = bench.run()
    assert (found.state, found.photos) == ("done", 30)
    assert {len(task.labels) for task in bench.here.tasks} == {30}


# States


def test_before_the_first_comparison_there_is_none(bench: Bench) -> None:
    assert bench.state == Comparison()


def test_too_little_is_refused_at_once(bench: Bench) -> None:
    with pytest.raises(Conflict, match="needs at least 1 sample"):
        bench.start()
    bench.project.update_class(bench.project.info().classes[0].id, disabled=True)
    with pytest.raises(Conflict, match="at least two classes"):
        bench.start()


def test_one_comparison_of_a_project_at_a_time(bench: Bench) -> None:
    bench.add(groups=3)
    with held(bench) as enter:
        bench.start()
        enter.wait()
        with pytest.raises(Conflict, match="already"):
            bench.start()
    until(lambda: bench.state.state == "done")
    assert bench.run().state == "done"


def test_progress_rises_and_names_the_network(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(groups=4)
    seen: list[Comparison] = []

    def note(self: comparison.Comparing, value: Comparison) -> None:
        seen.append(value)
        self.__dict__["noted"] = value

    watched = property(lambda self: self.__dict__["noted"], note)
    monkeypatch.setattr(comparison.Comparing, "comparison", watched, raising=False)
    bench.run()
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 20
    titles = list(dict.fromkeys(one.current for one in seen if one.current))
    assert titles == [bench.library.title(one.id) for one in bench.library.present()]
    assert [len(one.rows) for one in seen] == sorted(len(one.rows) for one in seen), "rows come as they are known"


class held:  # noqa: N801 - reads as what it does
    """Hold the comparison in the first test of a head until the end of the block."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.entered, self.go_on = bench, threading.Event(), threading.Event()

    def __enter__(self) -> threading.Event:
        def before() -> None:
            self.entered.set()
            assert self.go_on.wait(30)

        self.bench.here.before = before
        return self.entered

    def __exit__(self, *error: object) -> None:
        self.go_on.set()


def test_a_comparison_is_given_up_between_photos(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add()
    embedding, go_on = threading.Event(), threading.Event()
    whole, after = Embedder.embed, []

    def embed(self: Embedder, images: Sequence[np.ndarray]) -> np.ndarray:
        if len(images) > 1:
            after.append(len(images))
            embedding.set()
            assert go_on.wait(30)
        return whole(self, images)

    monkeypatch.setattr(Embedder, "embed", embed)
    bench.start()
    assert embedding.wait(30)
    cancelling = threading.Thread(target=bench.comparisons.cancel, args=(bench.project.id,))
    cancelling.start()
    until(lambda: bench.here.stopped)
    go_on.set()
    cancelling.join()
    assert (bench.state.state, bench.state.current, bench.state.message) == ("cancelled", None, None)
    assert after == [comparison.CHUNK], "the photos in hand are the last"
    assert bench.run().state == "done"


def test_a_test_of_a_head_is_stopped_too(bench: Bench) -> None:
    bench.add(groups=3)
    with held(bench) as entered:
        bench.start()
        assert entered.wait(30)
        cancelling = threading.Thread(target=bench.comparisons.cancel, args=(bench.project.id,))
        cancelling.start()
        until(lambda: bench.here.stopped)
    cancelling.join()
    assert bench.state.state == "cancelled"


def test_cancelling_nothing_does_nothing(bench: Bench) -> None:
    bench.comparisons.cancel(bench.project.id)
    bench.add(groups=2, size=2)
    bench.run()
    bench.comparisons.cancel(bench.project.id)
    assert bench.state.state == "done"


def test_a_deleted_project_leaves_nothing_running(bench: Bench) -> None:
    bench.add(groups=3)
    with held(bench) as entered:
        bench.start()
        assert entered.wait(30)
        removing = threading.Thread(target=bench.comparisons.remove, args=(bench.project.id,))
        removing.start()
        until(lambda: bench.here.stopped)
    removing.join()
    assert bench.state == Comparison()
    assert "compare" not in " ".join(one.name for one in threading.enumerate())


def test_nothing_begins_once_all_is_being_closed(bench: Bench) -> None:
    bench.add(groups=2, size=2)
    assert bench.comparisons.give_up() == []
    with pytest.raises(Conflict):
        bench.start()


def test_a_mistake_of_ours_is_said_calmly(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.add(groups=2, size=2)
    monkeypatch.setattr(comparison, "advise", lambda rows, hits: 1 / 0)
    found = bench.run()
    assert (found.state, found.key) == ("failed", "comparison_died")
    assert "ZeroDivisionError" in caplog.text


# Trainings go first


def test_a_running_training_goes_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(groups=3)
    calls: list[int] = []
    whole = Embedder.embed
    monkeypatch.setattr(Embedder, "embed", lambda self, images: calls.append(len(images)) or whole(self, images))
    looked = threading.Event()

    class Looked(set[str]):
        def __contains__(self, id_: object) -> bool:
            looked.set()
            return super().__contains__(id_)

    bench.training = Looked({"slim-v1"})
    bench.comparisons = bench.made(bench.here)
    bench.start()
    assert looked.wait(30)
    assert (bench.state.state, calls) == ("running", [])
    bench.training.clear()
    until(lambda: bench.state.state == "done")


def test_an_endless_training_does_not_hold_it_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "PATIENCE", 0.3)
    bench.add(groups=3)
    bench.training.add("slim-v1")
    assert bench.run().state == "done"


def test_a_waiting_comparison_is_cancelled_at_once(bench: Bench) -> None:
    bench.add(groups=3)
    bench.training.add("slim-v1")
    bench.start()
    bench.comparisons.cancel(bench.project.id)
    assert replace(bench.state, photos=0, available=0).state == "cancelled"
