"""One training: its phases, every moment in which it can be given up, and what happens to the project meanwhile."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import DEADLINE, FakeEmbedder, photos, until

from teachable import backbones, backlog, export, jobs, looks, looks_cache
from teachable.backlog import Backlog
from teachable.embeddings import EmbeddingCache
from teachable.errors import Cancelled, InvalidInput, NotFound, StorageFull
from teachable.jobs import Job
from teachable.lesson import digest
from teachable.projects import Project, ProjectStore
from teachable.scores import EpochPoint, Evaluation, Outcomes
from teachable.training import Outcome, Report, Task, Trainer
from teachable.types import BackboneRecord, Before, Head, Image, Layer, Looks, ProjectNetwork, Sample, TrainSettings

BACKBONE = backbones.builtin()
GRAPH = backbones.read(BACKBONE)
# Another network, as far as a job can tell.
OTHER = replace(BACKBONE, id="other", fingerprint="0" * 64, origin="official")
SETTINGS = TrainSettings(epochs=4)


class WideEmbedder(FakeEmbedder):
    """As wide as the real network, so that its heads fit."""

    width = BACKBONE.embedding_width

    def embed(self, images: Sequence[Image]) -> np.ndarray:
        rows = np.zeros((len(images), self.width), np.float32)
        self._before(images)
        for row, image in zip(rows, images, strict=True):
            row[:3] = image.mean((0, 1))
        return rows


class FakeTrainer:
    """Trains without torch: remembers what it was given, and calls hooks on the way."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.examined: list[Task] = []
        self.score = Evaluation(0.75, 0.3, 0.95, 4, 3, (), (), (), ())
        self.during: Callable[[], None] = lambda: None
        self.stopped: list[threading.Event] = []
        self.waited: list[threading.Event] = []

    def run(self, task: Task, on_epoch: Report, cancelled: threading.Event) -> Outcome:
        self.tasks.append(task)
        for phase in ("testing", "fitting"):
            for epoch in range(1, task.settings.epochs + 1):
                on_epoch(phase, epoch / task.settings.epochs, EpochPoint(epoch, 1.0, 0.5))  # type: ignore[arg-type]
        self.during()
        if cancelled.is_set():
            raise Cancelled
        weight = np.zeros((task.class_count, BACKBONE.embedding_width), np.float32)
        head = Head((Layer(weight, np.zeros(task.class_count, np.float32)),))
        none = np.empty(0, np.int64)
        tests = len(task.test_set.labels) if task.test_set else 0
        return Outcome(
            head,
            Evaluation(None, None, None, 0, 0, (), (), (), ()),
            Outcomes(none, none, np.empty((0, task.class_count), np.float32)),
            tuple(task.groups),
            None,
            np.zeros((tests, task.class_count), np.float32),
        )

    def test(self, task: Task, on_epoch: Report, cancelled: threading.Event) -> Evaluation:
        self.examined.append(task)
        for epoch in range(1, task.settings.epochs + 1):
            on_epoch("testing", epoch / task.settings.epochs, EpochPoint(epoch, 1.0, 0.5))
        self.during()
        if cancelled.is_set():
            raise Cancelled
        return self.score

    @contextmanager
    def spare_turn(self, cancelled: threading.Event) -> Iterator[None]:
        self.waited.append(cancelled)
        yield

    def stop(self, cancelled: threading.Event) -> None:
        self.stopped.append(cancelled)


class Bench:
    """A project with photos and everything a job needs."""

    def __init__(self, store: ProjectStore) -> None:
        self.store = store
        self.project: Project = store.create()
        self.before: Callable[[Sequence[Image]], None] = lambda images: None
        embedder = WideEmbedder(lambda images: self.before(images))
        self.gone: set[str] = set()

        def opened(fingerprint: str) -> WideEmbedder:
            if fingerprint in self.gone:
                raise NotFound("network_absent", network="")
            return embedder

        self.backlog = Backlog(opened)  # type: ignore[arg-type]
        self.trainer = FakeTrainer()
        self.classes = [one.id for one in self.project.info().classes]
        for place, class_id in enumerate(self.classes):
            self.add(class_id, range(100 * place, 100 * place + 5))

    def add(self, class_id: str, seeds: range, group: str = "g") -> None:
        self.project.add_photos(class_id, group, photos(seeds))

    def job(self, settings: TrainSettings = SETTINGS, backbone: BackboneRecord = BACKBONE) -> Job:
        trainer: Trainer = self.trainer  # type: ignore[assignment]
        return Job(self.project, settings, backbone, lambda record: GRAPH, self.backlog, trainer)

    def run(self, backbone: BackboneRecord = BACKBONE) -> Job:
        job = self.job(backbone=backbone)
        job.start()
        job.join()
        assert job.ended.is_set()
        assert job.checked.is_set()
        assert not job.checking
        return job


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(ProjectStore(tmp_path)) as store:
        bench = Bench(store)
        with closing(bench.backlog):
            yield bench


# The way through


def test_a_job_leaves_a_checked_model(bench: Bench) -> None:
    job = bench.run()
    assert job.training.state == "done"
    assert (job.training.phase, job.training.fraction) == (None, 1.0)
    assert job.training.message is None
    record = bench.project.latest_model()
    assert record is not None
    assert record.class_ids == tuple(bench.classes)
    assert record.samples == 10
    assert record.agreement is not None
    assert record.agreement.total == 10
    assert len(bench.trainer.waited) == 1
    assert 0 < record.seconds <= job.training.seconds + 0.001
    assert record.trained_on == digest(bench.project.info().classes, bench.project.all_samples())


def test_phases_come_in_order_and_the_bar_only_grows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[jobs.Training] = []
    job = bench.job()

    class Recording:
        def __get__(self, owner: Job, kind: type) -> jobs.Training:
            return owner.__dict__["now"]

        def __set__(self, owner: Job, value: jobs.Training) -> None:
            seen.append(value)
            owner.__dict__["now"] = value

    job.__dict__["now"] = job.__dict__["_training"]
    monkeypatch.setattr(Job, "_training", Recording(), raising=False)
    job.start()
    job.join()
    phases = [one.phase for one in seen]
    assert list(dict.fromkeys(phases)) == ["embedding", "testing", "fitting", "writing", None]
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert all(0 <= one.epoch <= one.epochs == SETTINGS.epochs for one in seen)


def test_time_runs_while_training_and_then_stands_still(bench: Bench) -> None:
    hold = threading.Event()
    bench.trainer.during = lambda: hold.wait(DEADLINE) and None
    job = bench.job()
    job.start()
    until(lambda: bench.trainer.tasks)
    first = job.training.seconds
    until(lambda: job.training.seconds > first)
    hold.set()
    job.join()
    assert job.training.seconds == job.training.seconds


def test_labels_and_groups_reach_the_trainer_row_by_row(bench: Bench) -> None:
    bench.add(bench.classes[0], range(50, 53), "second press")
    bench.run()
    (task,) = bench.trainer.tasks
    samples = bench.project.all_samples()
    assert list(task.groups) == [sample.group for sample in samples]
    assert task.labels.tolist() == [bench.classes.index(sample.class_id) for sample in samples]
    assert task.class_count == 2
    np.testing.assert_array_equal(
        task.embeddings,
        bench.backlog.cache(bench.project, BACKBONE.fingerprint).get([sample.sha256 for sample in samples]),
    )


def test_at_most_so_many_photos_are_checked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "CHECKED", 4)
    bench.run()
    record = bench.project.latest_model()
    assert record is not None
    assert record.agreement is not None
    assert 3 <= record.agreement.total <= 4


# What happens meanwhile


def test_photos_added_during_the_wait_are_not_trained_on_and_make_it_stale(bench: Bench) -> None:
    added = threading.Event()

    def capture(images: Sequence[Image]) -> None:
        if not added.is_set():
            added.set()
            bench.add(bench.classes[0], range(500, 540))
            bench.before = lambda images: None

    bench.before = capture
    job = bench.run()
    assert job.training.state == "done"
    record = bench.project.latest_model()
    assert record is not None
    assert record.samples < 50
    assert record.trained_on != digest(bench.project.info().classes, bench.project.all_samples())


def test_photos_added_between_embedding_and_fitting_are_left_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Backlog.wait

    def then_capture(self: Backlog, *args: object) -> set[str]:
        unreadable = wait(self, *args)  # type: ignore[arg-type]
        bench.add(bench.classes[0], range(500, 510))
        return unreadable

    monkeypatch.setattr(Backlog, "wait", then_capture)
    job = bench.run()
    assert (job.training.state, job.training.message) == ("done", None)
    assert len(bench.trainer.tasks[0].labels) == 10


@pytest.mark.parametrize("how", ["disable", "delete"])
def test_a_class_that_goes_during_the_wait_is_left_out(bench: Bench, how: str) -> None:
    third = bench.project.add_class().id
    bench.add(third, range(300, 305))

    def go(images: Sequence[Image]) -> None:
        bench.before = lambda images: None
        if how == "disable":
            bench.project.update_class(third, disabled=True)
        else:
            bench.project.delete_class(third)

    bench.before = go
    job = bench.run()
    assert (job.training.state, job.training.message) == ("done", None)
    record = bench.project.latest_model()
    assert record is not None
    assert record.class_ids == tuple(bench.classes)
    assert record.trained_on == digest(bench.project.info().classes, bench.project.all_samples())


def test_a_class_emptied_during_the_wait_is_said(bench: Bench) -> None:
    def clear(images: Sequence[Image]) -> None:
        bench.before = lambda images: None
        bench.project.clear_class(bench.classes[1])

    bench.before = clear
    job = bench.run()
    assert (job.training.state, job.training.key) == ("failed", "training_class_without_samples")


def test_a_class_set_aside_during_the_wait_is_said(bench: Bench) -> None:
    def set_aside(images: Sequence[Image]) -> None:
        bench.before = lambda images: None
        ids = [sample.id for sample in bench.project.all_samples() if sample.class_id == bench.classes[1]]
        bench.project.mark_test(ids, test=True)

    bench.before = set_aside
    job = bench.run()
    assert (job.training.state, job.training.key) == ("failed", "training_class_only_tests")


def test_too_few_classes_left_is_said(bench: Bench) -> None:
    def delete(images: Sequence[Image]) -> None:
        bench.before = lambda images: None
        bench.project.delete_class(bench.classes[1])

    bench.before = delete
    assert bench.run().training.key == "training_one_class"


def test_a_class_without_a_readable_photo_is_said_and_others_are_skipped(bench: Bench) -> None:
    samples = [sample for sample in bench.project.all_samples() if sample.class_id == bench.classes[0]]
    for sample in samples[:-1]:
        bench.project.photo_file(sample.sha256).write_bytes(b"damaged")
    assert bench.run().training.state == "done"
    assert len(bench.trainer.tasks[0].labels) == 6
    bench.project.photo_file(samples[-1].sha256).unlink()
    for path in bench.project.folder.glob("embeddings-*"):
        path.unlink()
    bench.backlog.forget(bench.project.id)
    job = bench.run()
    assert (job.training.state, job.training.key) == ("failed", "class_unreadable")
    assert "Class 1" in (job.training.message or "")


def test_damaged_embeddings_are_made_again_on_the_way(bench: Bench) -> None:
    bench.run()
    cache = bench.backlog.cache(bench.project, BACKBONE.fingerprint)
    cache._connection.execute("UPDATE embeddings SET crc = crc + 1")
    job = bench.run()
    assert (job.training.state, job.training.message) == ("done", None)
    np.testing.assert_array_equal(bench.trainer.tasks[0].embeddings, bench.trainer.tasks[1].embeddings)


def test_measuring_photos_that_were_embedded_long_ago_moves_the_bar(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks_cache, "CHUNK", 3)
    bench.run()
    for path in bench.project.folder.glob(f"*{looks.VERSION}*"):
        path.unlink()
    bench.backlog.forget(bench.project.id)
    job = bench.job()
    seen: list[tuple[str | None, float]] = []
    measure = looks_cache.LooksCache.put

    def put(*args: object) -> None:
        seen.append((job.training.phase, round(job.training.fraction, 3)))
        measure(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(looks_cache.LooksCache, "put", put)
    job.start()
    job.join()
    assert job.training.state == "done"
    assert seen == [("embedding", share) for share in (0.0, 0.13, 0.16, 0.19)]


# Giving up


def require_kept(bench: Bench, job: Job, before: object) -> None:
    assert job.training.state == "cancelled"
    assert job.training.message is None
    assert bench.project.latest_model() == before


def test_cancelling_while_embedding(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    # It is woken; by itself it would look only when the network has long been let go on.
    monkeypatch.setattr(backlog, "_LOOK_SECONDS", 2 * DEADLINE)
    before = bench.project.latest_model()
    bench.add(bench.classes[0], range(700, 705))
    arrived, go = threading.Event(), threading.Event()
    bench.before = lambda images: arrived.set() or (go.wait(DEADLINE) and None)  # type: ignore[func-returns-value]
    job = bench.job()
    job.start()
    assert arrived.wait(DEADLINE)
    job.cancel()
    assert job.ended.wait(DEADLINE / 2)
    go.set()
    job.join()
    require_kept(bench, job, before)


def test_cancelling_while_measuring(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_cache, "CHUNK", 3)
    bench.run()
    before = bench.project.latest_model()
    for path in bench.project.folder.glob(f"*{looks.VERSION}*"):
        path.unlink()
    bench.backlog.forget(bench.project.id)
    job = bench.job()
    measured = 0
    measure = looks.measure

    def cancelling(image: Image) -> Looks:
        nonlocal measured
        measured += 1
        job.cancel()
        return measure(image)

    monkeypatch.setattr(looks, "measure", cancelling)
    job.start()
    job.join()
    require_kept(bench, job, before)
    assert measured == 3


def test_cancelling_while_fitting(bench: Bench) -> None:
    bench.run()
    before = bench.project.latest_model()
    job = bench.job()
    bench.trainer.during = job.cancel
    job.start()
    job.join()
    require_kept(bench, job, before)
    assert bench.trainer.stopped


def test_cancelling_while_writing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    before = bench.project.latest_model()
    job = bench.job()
    append = export.append_head

    def late(*args: object) -> bytes:
        job.cancel()
        return append(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(export, "append_head", late)
    job.start()
    job.join()
    require_kept(bench, job, before)


def test_giving_up_the_check_keeps_the_model_and_says_unchecked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    job = bench.job()
    load, loaded = jobs.load, 0

    def counting(path: Path) -> Image:
        nonlocal loaded
        loaded += 1
        job.cancel()
        return load(path)

    monkeypatch.setattr(jobs, "load", counting)
    job.start()
    job.join()
    assert loaded == 1
    assert job.training.state == "done"
    record = bench.project.latest_model()
    assert record is not None
    assert record.agreement is None


# Trouble


def test_an_unexpected_error_is_logged_and_told_in_words(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def trouble() -> None:
        raise ZeroDivisionError

    bench.trainer.during = trouble
    job = bench.run()
    assert (job.training.state, job.training.key) == ("failed", "training_died")
    assert "ZeroDivisionError" in caplog.text
    assert bench.project.latest_model() is None


def test_a_refusal_of_the_settings_is_passed_on(bench: Bench) -> None:
    def refuse() -> None:
        raise InvalidInput("setting_epochs", value=0, low=1, high=1000)

    bench.trainer.during = refuse
    job = bench.run()
    assert job.training.key == "setting_epochs"
    assert "1000" in (job.training.message or "")


def test_a_full_disk_at_the_end_keeps_the_older_model(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    before = bench.project.latest_model()
    assert before is not None

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("teachable.projects.kept.write_whole", full)
        job = bench.run()
    assert (job.training.state, job.training.key) == ("failed", StorageFull("storage_full").key)
    assert bench.project.latest_model() == before
    assert bench.project.model_file(before.id).is_file()
    assert bench.run().training.state == "done"


def test_a_full_disk_for_embeddings_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: EmbeddingCache, vectors: object) -> None:
        raise StorageFull("cache_not_written")

    monkeypatch.setattr(EmbeddingCache, "put", full)
    job = bench.run()
    assert (job.training.state, job.training.key) == ("failed", "cache_not_written")


def test_an_error_while_checking_leaves_the_model_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("onnxruntime is ill")

    monkeypatch.setattr(export, "verify", broken)
    job = bench.run()
    assert job.training.state == "done"
    assert "onnxruntime is ill" in caplog.text
    record = bench.project.latest_model()
    assert record is not None
    assert record.agreement is None


def test_a_project_deleted_during_the_check_is_no_crash(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    verify = export.verify

    def then_delete(*args: object) -> object:
        result = verify(*args)  # type: ignore[arg-type]
        bench.store.delete(bench.project.id)
        return result

    monkeypatch.setattr(export, "verify", then_delete)
    assert bench.run().training.state == "done"


def test_a_project_deleted_during_training_is_no_failure(bench: Bench) -> None:
    bench.trainer.during = lambda: bench.store.delete(bench.project.id) and None
    job = bench.run()
    assert (job.training.state, job.training.key) == ("cancelled", None)


@pytest.mark.parametrize("when", ["before it waits", "as the cache is closed under it"])
def test_a_training_begun_as_its_project_is_deleted_is_no_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    def delete() -> None:
        bench.backlog.forget(bench.project.id)
        bench.store.delete(bench.project.id)

    def missing(cache: EmbeddingCache, hashes: object) -> list[str]:
        monkeypatch.undo()
        cache.close()
        delete()
        return cache.missing([])  # type: ignore[arg-type]

    if when == "before it waits":
        delete()
    else:
        monkeypatch.setattr(EmbeddingCache, "missing", missing)
    job = bench.run()
    assert (job.training.state, job.training.key) == ("cancelled", None)
    assert "Traceback" not in caplog.text


def test_samples_are_read_once_for_many(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training reads the list of samples a fixed number of times, not once per photo."""
    read = 0
    everything = bench.project.all_samples

    def counting(*, enabled_only: bool = False) -> tuple[Sample, ...]:
        nonlocal read
        read += 1
        return everything(enabled_only=enabled_only)

    monkeypatch.setattr(bench.project, "all_samples", counting)
    bench.run()
    assert read <= 5


# Another network


def test_a_model_makes_its_network_the_projects(bench: Bench) -> None:
    assert bench.project.info().network is None
    bench.run()
    assert bench.project.info().network == ProjectNetwork(BACKBONE.id, BACKBONE.fingerprint, builtin=True)
    assert bench.trainer.examined == []
    bench.run(OTHER)
    assert bench.project.info().network == ProjectNetwork("other", OTHER.fingerprint)


def test_a_switch_tests_the_network_before_on_the_same_photos(bench: Bench) -> None:
    bench.run()
    bench.run(OTHER)
    [examined] = bench.trainer.examined
    trained = bench.trainer.tasks[-1]
    assert list(examined.groups) == list(trained.groups)
    assert np.array_equal(examined.labels, trained.labels)
    assert examined.settings == trained.settings
    record = bench.project.latest_model()
    assert record is not None
    assert record.before == Before(BACKBONE.fingerprint, BACKBONE.id, 0.75, 0.3, 0.95, 4, 3)
    bench.run(OTHER)
    again = bench.project.latest_model()
    assert again is not None
    assert again.before is None  # that was no switch


def test_photos_that_came_just_before_a_switch_are_shown_to_the_network_before_too(bench: Bench) -> None:
    bench.run()
    bench.add(bench.classes[0], range(50, 55))  # the first network has not seen them yet
    bench.run(OTHER)
    record = bench.project.latest_model()
    assert record is not None
    assert record.before is not None
    assert len(bench.trainer.examined[0].labels) == 15


@pytest.mark.parametrize("why", ["gone", "left earlier"])
def test_without_all_embeddings_of_the_network_before_nothing_is_compared(bench: Bench, why: str) -> None:
    bench.run()
    bench.add(bench.classes[0], range(50, 55))  # never embedded by the first network
    if why == "gone":
        bench.backlog._embedders.drop(lambda fingerprint: True)
        bench.gone.add(BACKBONE.fingerprint)
    else:
        bench.project.set_network(ProjectNetwork.of(OTHER))
    job = bench.run(OTHER)
    assert job.training.state == "done"
    record = bench.project.latest_model()
    assert record is not None
    assert record.before is None
    assert bench.trainer.examined == []


def test_a_switch_survives_embeddings_that_cannot_be_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    closed = bench.backlog.cache(bench.project, BACKBONE.fingerprint)

    def get(cache: EmbeddingCache, hashes: Sequence[str]) -> np.ndarray:
        if cache is closed:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        return read(cache, hashes)

    read = EmbeddingCache.get
    monkeypatch.setattr(EmbeddingCache, "get", get)
    job = bench.run(OTHER)
    assert job.training.state == "done"
    record = bench.project.latest_model()
    assert record is not None
    assert record.before is None


def test_where_nothing_can_be_held_out_there_is_nothing_to_compare(bench: Bench) -> None:
    bench.trainer.score = Evaluation(None, None, None, 0, 0, (), (), (), ())
    bench.run()
    bench.run(OTHER)
    record = bench.project.latest_model()
    assert record is not None
    assert record.before is None


def test_a_cancelled_switch_leaves_network_and_model(bench: Bench) -> None:
    bench.run()
    before = bench.project.latest_model()
    job = bench.job(backbone=OTHER)
    bench.trainer.during = job.cancel
    job.start()
    job.join()
    assert job.training.state == "cancelled"
    assert bench.project.latest_model() == before
    network = bench.project.info().network
    assert network is not None
    assert network.id == BACKBONE.id


def test_the_bar_only_grows_during_a_switch(bench: Bench) -> None:
    bench.run()
    job = bench.job(backbone=OTHER)
    seen: list[jobs.Training] = []
    bench.trainer.during = lambda: seen.append(job.training)
    job.start()
    job.join()
    assert [one.phase for one in seen] == ["fitting", "comparing"]
    assert seen[0].fraction < seen[1].fraction
