"""The main job and everything a person can do to it, with the real network and the real training process."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from making import DEADLINE, photo, photos, until

from teachable import backbones, heads, jobs, runtime, workflow
from teachable.embeddings import Embedder
from teachable.errors import Conflict, InvalidInput, NotFound, PhotoError
from teachable.projects import Project
from teachable.runtime import Classifier
from teachable.training import Outcome, Task, Trainer
from teachable.types import ModelRecord, TrainSettings
from teachable.workflow import Status, Workspace

RED, BLUE, GREEN = (220, 40, 40), (40, 40, 220), (40, 200, 40)
QUICK = TrainSettings(epochs=5)
ENDLESS = TrainSettings(epochs=1000, batch_size=1, hidden_units=1000)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One for all tests: each has its own project, and the training process starts only once."""
    with Workspace(tmp_path_factory.mktemp("home")) as opened:
        yield opened


class Taught:
    """A project whose classes are colours; every class has as many photos as asked, in presses of five."""

    def __init__(self, workspace: Workspace, *counts: int) -> None:
        self.workspace = workspace
        self.id = workspace.create_project("Colours").id
        self.classes = [one.id for one in workspace.project(self.id).classes]
        while len(self.classes) < len(counts):
            self.classes.append(workspace.add_class(self.id).id)
        for place, count in enumerate(counts):
            for start in range(0, count, 5):
                self.add(place, range(start, min(count, start + 5)), f"press {place} {start}")

    def add(self, place: int, seeds: range, group: str = "later") -> list[int]:
        color = (RED, BLUE, GREEN)[place]
        result = self.workspace.add_photos(self.id, self.classes[place], group, photos(seeds, color))
        assert not result.rejected
        return [sample.id for sample in result.added]

    def train(self, settings: TrainSettings = QUICK) -> Status:
        self.workspace.start_training(self.id, settings)
        status = self.workspace.wait_for_training(self.id, 60)
        assert (status.training.state, status.training.message) == ("done", None)
        return status

    @property
    def status(self) -> Status:
        return self.workspace.status(self.id)

    @property
    def stale(self) -> bool:
        model = self.status.model
        assert model is not None
        return model.stale

    @property
    def record(self) -> ModelRecord:
        record = self.workspace.model(self.id)
        assert record is not None
        return record

    @property
    def file(self) -> Path:
        return self.workspace._store.open(self.id).model_file(self.record.id)

    def guess(self, color: tuple[int, int, int]) -> str:
        return self.workspace.predict(self.id, photo(999, color)).label


@pytest.fixture(scope="module")
def trained(workspace: Workspace) -> Taught:
    """A trained project that tests only look at."""
    taught = Taught(workspace, 15, 15)
    taught.train(TrainSettings(epochs=20))
    return taught


# The main job


def test_the_main_job(trained: Taught) -> None:
    status = trained.status
    assert status.embedding.done == status.embedding.total == 30
    assert status.training.state == "done"
    assert status.model is not None
    assert status.model.samples == 30
    assert not status.model.stale
    assert not status.model.checking
    assert status.model.agreement is not None
    assert (status.model.agreement.agreeing, status.model.agreement.total) == (30, 30)
    assert status.model.held_out > 0
    assert status.model.accuracy == status.model.correct / status.model.held_out
    assert status.model.backbone.id == backbones.builtin().id
    assert (trained.guess(RED), trained.guess(BLUE)) == ("Class 1", "Class 2")


def test_the_record_has_the_curves(trained: Taught) -> None:
    history = trained.record.evaluation.history
    assert [point.epoch for point in history] == list(range(1, 21))
    assert history[-1].held_out_accuracy is not None


def test_the_file_and_the_answers_are_one(trained: Taught, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(trained.workspace.model_bytes(trained.id))
    classifier = runtime.Classifier.load(path)
    assert list(classifier.labels) == ["Class 1", "Class 2"]
    (theirs,) = classifier.predict(photo(7, GREEN))
    ours = trained.workspace.predict(trained.id, photo(7, GREEN))
    assert theirs.probabilities == pytest.approx(ours.probabilities, abs=1e-6)


def test_answers_are_those_of_the_head_on_the_embedding(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Outcome] = []
    run = Trainer.run

    def recording(self: Trainer, *args: object) -> Outcome:
        outcomes.append(run(self, *args))  # type: ignore[arg-type]
        return outcomes[-1]

    monkeypatch.setattr(Trainer, "run", recording)
    taught = Taught(workspace, 4, 4)
    taught.train()
    data = photo(5, GREEN)
    image = np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
    embedding = Embedder(backbones.read(backbones.builtin())).embed([image])
    expected = heads.probabilities(outcomes[0].head, embedding)[0]
    found = workspace.predict(taught.id, data).probabilities
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-4)


def test_the_agreement_is_in_the_file_on_disk_and_in_what_is_downloaded(trained: Taught) -> None:
    for data in (trained.file.read_bytes(), trained.workspace.model_bytes(trained.id)):
        metadata = runtime.Classifier.load(data).metadata
        assert metadata.agreement == trained.record.agreement
        assert metadata.agreement is not None
        assert metadata.agreement.total == 30
        assert metadata.project == "Colours"


def test_the_same_photos_and_seed_give_the_same_weights(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Outcome] = []
    run = Trainer.run

    def recording(self: Trainer, *args: object) -> Outcome:
        outcomes.append(run(self, *args))  # type: ignore[arg-type]
        return outcomes[-1]

    monkeypatch.setattr(Trainer, "run", recording)
    taught = Taught(workspace, 6, 6)
    taught.train()
    taught.train()
    one, two = (outcome.head.layers[0] for outcome in outcomes)
    assert one.weight.tobytes() == two.weight.tobytes()
    assert one.bias.tobytes() == two.bias.tobytes()


# Ready or not


def test_one_class_is_not_enough(workspace: Workspace) -> None:
    taught = Taught(workspace, 3, 3)
    workspace.update_class(taught.id, taught.classes[1], disabled=True)
    ready = taught.status.ready
    assert (ready.ok, ready.key) == (False, "training_one_class")
    with pytest.raises(Conflict) as caught:
        workspace.start_training(taught.id)
    assert str(caught.value) == ready.message


def test_an_empty_class_is_named(workspace: Workspace) -> None:
    taught = Taught(workspace, 3, 0)
    ready = taught.status.ready
    assert (ready.ok, ready.key) == (False, "training_class_without_samples")
    assert ready.values == {"name": "Class 2"}
    assert "Class 2" in (ready.message or "")
    with pytest.raises(Conflict, match="Class 2"):
        workspace.start_training(taught.id)


def test_an_empty_class_that_is_disabled_is_in_nobodys_way(workspace: Workspace) -> None:
    taught = Taught(workspace, 3, 3, 0)
    assert not taught.status.ready.ok
    workspace.update_class(taught.id, taught.classes[2], disabled=True)
    assert taught.status.ready.ok
    status = taught.train()
    assert status.model is not None
    assert status.model.class_ids == tuple(taught.classes[:2])


@pytest.mark.parametrize("counts", [(1, 1), (1, 60), (40, 2, 1)])
def test_few_and_unequal_samples_work(workspace: Workspace, counts: tuple[int, ...]) -> None:
    taught = Taught(workspace, *counts)
    status = taught.train(TrainSettings())
    assert status.model is not None
    assert status.model.samples == sum(counts)
    single = {taught.classes[place] for place, count in enumerate(counts) if count <= 5}
    assert set(status.model.unjudged) == single
    assert taught.guess(RED) == "Class 1"
    assert taught.guess(BLUE) == "Class 2"


def test_settings_out_of_range_are_refused_and_not_kept(workspace: Workspace) -> None:
    taught = Taught(workspace, 2, 0)
    with pytest.raises(InvalidInput):
        workspace.start_training(taught.id, TrainSettings(epochs=0))
    assert workspace.project(taught.id).settings == TrainSettings()
    assert taught.status.training.state == "idle"


def test_settings_of_a_training_are_kept_for_the_next(workspace: Workspace) -> None:
    taught = Taught(workspace, 2, 2)
    taught.train(TrainSettings(epochs=3, hidden_units=5))
    assert workspace.project(taught.id).settings == TrainSettings(epochs=3, hidden_units=5)
    workspace.start_training(taught.id)
    assert workspace.wait_for_training(taught.id, 60).training.epochs == 3
    assert taught.record.settings.hidden_units == 5


# Running


def test_training_twice_at_once_is_a_conflict_without_side_effects(workspace: Workspace) -> None:
    taught = Taught(workspace, 10, 10)
    workspace.start_training(taught.id, ENDLESS)
    with pytest.raises(Conflict) as caught:
        workspace.start_training(taught.id, QUICK)
    assert caught.value.key == "training_running"
    assert workspace.project(taught.id).settings == ENDLESS
    assert taught.status.training.state == "running"
    workspace.cancel_training(taught.id)
    assert taught.status.training.state == "cancelled"


def test_only_one_of_many_clicks_starts_a_training(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = Taught(workspace, 2, 2)
    release = threading.Event()
    run = Trainer.run

    def held(self: Trainer, *args: object) -> Outcome:
        assert release.wait(DEADLINE)
        return run(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "run", held)
    refused = threading.Semaphore(0)
    together = threading.Barrier(6)

    def click() -> None:
        together.wait(DEADLINE)
        try:
            workspace.start_training(taught.id)
        except Conflict:
            refused.release()

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    release.set()
    workspace.wait_for_training(taught.id, 60)
    assert [refused.acquire(blocking=False) for _ in range(6)] == [True] * 5 + [False]


def test_cancelling_is_prompt_keeps_the_older_model_and_allows_the_next(workspace: Workspace) -> None:
    taught = Taught(workspace, 10, 10)
    taught.train(TrainSettings(epochs=1, batch_size=256))
    before = taught.record
    workspace.start_training(taught.id, ENDLESS)
    until(lambda: taught.status.training.epoch > 0, "the first epoch")
    workspace.cancel_training(taught.id)
    training = taught.status.training
    assert (training.state, training.message) == ("cancelled", None)
    assert taught.record == before
    assert taught.guess(RED) == "Class 1"
    workspace.cancel_training(taught.id)
    taught.train()
    assert taught.record != before


def test_the_next_training_may_start_while_the_last_one_is_checked(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = Taught(workspace, 5, 5)
    arrived, go = threading.Event(), threading.Event()
    load = jobs.load

    def slowly(path: Path) -> np.ndarray:
        arrived.set()
        assert go.wait(DEADLINE)
        return load(path)

    monkeypatch.setattr(jobs, "load", slowly)
    workspace.start_training(taught.id, QUICK)
    assert arrived.wait(60)
    status = taught.status
    assert status.training.state == "done"
    assert status.model is not None
    assert status.model.checking
    first = taught.record
    workspace.start_training(taught.id, QUICK)
    until(lambda: taught.record.id != first.id, "the second model")
    go.set()
    status = workspace.wait_for_training(taught.id, 60)
    assert status.model is not None
    assert status.model.agreement is not None
    project = workspace._store.open(taught.id)
    until(lambda: runtime.Classifier.load(project.model_file(first.id)).metadata.agreement, "the first check")


def test_two_projects_train_one_after_the_other(workspace: Workspace) -> None:
    one, two = Taught(workspace, 4, 4), Taught(workspace, 4, 4)
    for taught in (one, two):
        workspace.start_training(taught.id, QUICK)
    for taught in (one, two):
        assert workspace.wait_for_training(taught.id, 60).training.state == "done"


def test_frames_of_one_group_are_never_on_both_sides(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Task, Outcome]] = []
    run = Trainer.run

    def recording(self: Trainer, task: Task, *args: object) -> Outcome:
        asked.append((task, run(self, task, *args)))  # type: ignore[arg-type]
        return asked[-1][1]

    monkeypatch.setattr(Trainer, "run", recording)
    taught = Taught(workspace, 20, 20)
    moved = taught.add(0, range(300, 305), "one press")
    workspace.move_samples(taught.id, moved[:2], taught.classes[1])
    status = taught.train()
    ((task, outcome),) = asked
    pairs = {sample.id: sample.group for sample in workspace._store.open(taught.id).all_samples()}
    assert list(task.groups) == list(pairs.values())
    folds: dict[str, set[int]] = {}
    for row, fold in zip(outcome.outcomes.rows, outcome.outcomes.folds, strict=True):
        folds.setdefault(task.groups[row], set()).add(int(fold))
    assert all(len(of) == 1 for of in folds.values())
    assert status.model is not None
    assert status.model.held_out == len(outcome.outcomes.rows) == len(pairs)


# Test photos


def test_test_photos_are_not_trained_on_and_scored_apart(workspace: Workspace) -> None:
    taught = Taught(workspace, 15, 15)
    for place, color in enumerate((RED, BLUE)):
        shots = photos(range(700, 706), color)
        workspace.add_photos(taught.id, taught.classes[place], "other day", shots, test=True)
    status = taught.train()
    assert status.embedding.total == 42
    assert status.model is not None
    assert (status.model.samples, status.model.held_out) == (30, 30)
    score = taught.record.evaluation.test
    assert score is not None
    assert (score.correct, score.total, score.leaking) == (12, 12, 0)


def test_a_class_with_test_photos_only_cannot_be_trained(workspace: Workspace) -> None:
    taught = Taught(workspace, 5, 5)
    first = workspace.samples(taught.id, taught.classes[0])
    workspace.mark_test(taught.id, [sample.id for sample in first.samples], True)
    ready = taught.status.ready
    assert (ready.ok, ready.key, ready.values) == (False, "training_class_only_tests", {"name": "Class 1"})
    with pytest.raises(Conflict) as caught:
        workspace.start_training(taught.id)
    assert caught.value.key == "training_class_only_tests"


def test_a_model_says_when_it_is_not_sure_as_the_project_does(workspace: Workspace) -> None:
    taught = Taught(workspace, 15, 15)
    taught.train()
    strange = photo(5, (30, 160, 30))
    assert taught.record.familiar > 0
    workspace.set_unknown_below(taught.id, 0.5)
    said = workspace.predict(taught.id, strange)
    assert said.known is False
    assert Classifier.load(workspace.model_bytes(taught.id)).metadata.unknown_below == 0.5
    workspace.set_unknown_below(taught.id, 0.0)
    assert workspace.predict(taught.id, strange).known is True


# Stale or fresh


def test_stale_follows_what_the_model_learned_from(workspace: Workspace) -> None:
    taught = Taught(workspace, 5, 5, 5)
    taught.train()
    project, (first, second, _) = taught.id, taught.classes
    samples = workspace.samples(project, first).samples
    assert not taught.stale

    workspace.rename_project(project, "Other")
    workspace.update_class(project, first, name="red", color="#123456", position=2)
    workspace.save_settings(project, TrainSettings(epochs=7))
    assert not taught.stale

    for change in (
        lambda: workspace.delete_samples(project, [samples[0].id]),
        lambda: workspace.clear_class(project, second),
        lambda: workspace.move_samples(project, [samples[1].id], second),
        lambda: workspace.delete_class(project, second),
    ):
        token = change()
        assert taught.stale
        workspace.undo(project, token)
        assert not taught.stale

    token = workspace.mark_test(project, [samples[1].id], True, whole_recordings=False)
    assert taught.stale
    workspace.undo(project, token)
    assert not taught.stale
    workspace.set_unknown_below(project, 0.1)
    assert not taught.stale

    workspace.update_class(project, second, disabled=True)
    assert taught.stale
    workspace.update_class(project, second, disabled=False)
    assert not taught.stale

    added = taught.add(0, range(50, 52))
    assert taught.stale
    workspace.delete_samples(project, added)
    assert not taught.stale


# Names


def test_a_new_name_is_in_the_file_and_the_answers_without_training(workspace: Workspace) -> None:
    taught = Taught(workspace, 5, 5)
    taught.train()
    before = taught.record
    assert taught.guess(RED) == "Class 1"
    workspace.update_class(taught.id, taught.classes[0], name="rouge 🟥")
    workspace.rename_project(taught.id, "Couleurs")
    assert taught.record == before
    assert taught.guess(RED) == "rouge 🟥"
    classifier = runtime.Classifier.load(workspace.model_bytes(taught.id))
    assert list(classifier.labels) == ["rouge 🟥", "Class 2"]
    assert classifier.metadata.project == "Couleurs"
    assert classifier.metadata.agreement == before.agreement
    workspace.update_class(taught.id, taught.classes[0], position=1)
    assert list(runtime.Classifier.load(workspace.model_bytes(taught.id)).labels) == ["rouge 🟥", "Class 2"]


def test_a_deleted_class_keeps_its_name_in_the_model(workspace: Workspace) -> None:
    taught = Taught(workspace, 5, 5)
    taught.train()
    workspace.delete_class(taught.id, taught.classes[0])
    assert list(runtime.Classifier.load(workspace.model_bytes(taught.id)).labels) == ["Class 1", "Class 2"]


def test_predicting_again_reads_no_file(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, trained: Taught) -> None:
    trained.guess(RED)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    trained.guess(BLUE)


def test_a_renamed_model_is_not_kept_twice(workspace: Workspace) -> None:
    taught = Taught(workspace, 5, 5)
    model = taught.train().model
    assert model is not None
    for name in ("one", "two", "three"):
        workspace.update_class(taught.id, taught.classes[0], name=name)
        taught.guess(RED)
    assert [key[1] for key in workspace._classifiers._things if key[0] == model.id] == [("three", "Class 2")]


# Trouble


def test_without_a_model_there_is_nothing_to_ask_or_download(workspace: Workspace) -> None:
    taught = Taught(workspace, 1, 1)
    assert workspace.model(taught.id) is None
    assert taught.status.model is None
    for call in (lambda: workspace.model_bytes(taught.id), lambda: workspace.predict(taught.id, photo(0))):
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.key == "model_not_trained"


def test_a_photo_that_is_none_is_said(trained: Taught) -> None:
    with pytest.raises(PhotoError):
        trained.workspace.predict(trained.id, b"hello", "hello.jpg")


def test_an_unknown_project_is_said_everywhere(workspace: Workspace) -> None:
    for unknown in ("0" * 32, "../../etc", ""):
        for call in (workspace.status, workspace.project, workspace.start_training, workspace.cancel_training,
                     workspace.wait_for_training, workspace.model, workspace.model_bytes,
                     workspace.delete_project):  # fmt: skip
            with pytest.raises(NotFound):
                call(unknown)


def test_a_full_disk_when_the_model_is_written(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = Taught(workspace, 5, 5)
    taught.train()
    before = taught.record

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("teachable.projects.kept.write_whole", full)
        workspace.start_training(taught.id)
        training = workspace.wait_for_training(taught.id, 60).training
    assert (training.state, training.key) == ("failed", "storage_full")
    assert "full" in (training.message or "")
    assert taught.record == before
    assert taught.guess(RED) == "Class 1"
    taught.train()


# Deleting


def test_deleting_a_project_gives_up_its_training_and_it_can_come_back(workspace: Workspace) -> None:
    taught = Taught(workspace, 10, 10)
    workspace.start_training(taught.id, ENDLESS)
    until(lambda: taught.status.training.epoch > 0, "the first epoch")
    token = workspace.delete_project(taught.id)
    with pytest.raises(NotFound):
        workspace.status(taught.id)
    assert workspace.restore_project(token).id == taught.id
    assert taught.status.training.state == "idle"
    assert taught.status.embedding.done == 20
    taught.train()


def test_deleting_while_photos_are_embedded(workspace: Workspace) -> None:
    taught = Taught(workspace, 60, 60)
    token = workspace.delete_project(taught.id)
    assert taught.id not in {info.id for info in workspace.projects()}
    workspace.restore_project(token)
    until(lambda: taught.status.embedding.done == 120, "embedding")


def test_deleting_while_the_file_is_checked(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = Taught(workspace, 5, 5)
    arrived, go = threading.Event(), threading.Event()
    load = jobs.load

    def slowly(path: Path) -> np.ndarray:
        arrived.set()
        assert go.wait(DEADLINE)
        return load(path)

    monkeypatch.setattr(jobs, "load", slowly)
    workspace.start_training(taught.id, QUICK)
    assert arrived.wait(60)
    thread = threading.Thread(target=workspace.delete_project, args=(taught.id,))
    thread.start()
    go.set()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    with pytest.raises(NotFound):
        workspace.project(taught.id)


# Sessions


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with Workspace(tmp_path) as first:
        taught = Taught(first, 40, 40)
    with Workspace(tmp_path) as second:
        info = second.project(taught.id)
        assert [one.samples for one in info.classes] == [40, 40]
        until(lambda: second.status(taught.id).embedding.done == 80, "the rest of the embeddings")


def test_closing_in_the_middle_of_everything_is_quick_and_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "Trainer", Trainer)
    workspace = Workspace(tmp_path)
    taught = Taught(workspace, 30, 30)
    workspace.start_training(taught.id, ENDLESS)
    pid = workspace._trainer._child.pid if workspace._trainer._child else 0
    workspace.close()
    assert pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(f"train-{taught.id[:8]}")]
    workspace.close()


KILLED = """
import sys, threading
from pathlib import Path
from teachable.types import TrainSettings
from teachable.workflow import Workspace

workspace = Workspace(Path(sys.argv[1]))
workspace.start_training(sys.argv[2], TrainSettings(epochs=1000, batch_size=1, hidden_units=1000))
while workspace.status(sys.argv[2]).training.epoch == 0:
    threading.Event().wait(0.01)
print("training", workspace._trainer._child.pid, flush=True)
threading.Event().wait()
"""


@pytest.mark.thorough
def test_a_kill_in_the_middle_of_training_loses_nothing(tmp_path: Path) -> None:
    with Workspace(tmp_path) as first:
        taught = Taught(first, 10, 10)
        taught.train(TrainSettings(epochs=2, batch_size=64))
        before = taught.record
        samples = first._store.open(taught.id).all_samples()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), taught.id], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = process.stdout.readline().split()
        assert told[:1] == ["training"]
        process.kill()

    def gone() -> bool:
        try:
            return Path(f"/proc/{told[1]}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    until(gone, "the end of the training process")
    with Workspace(tmp_path) as second:
        assert second._store.open(taught.id).all_samples() == samples
        assert second.model(taught.id) == before
        assert second.predict(taught.id, photo(999, RED)).label == "Class 1"
        taught.workspace = second
        assert taught.status.training.state == "idle"
        taught.train()
        assert taught.record != before


def test_status_is_plain_data(trained: Taught) -> None:
    """The page and the API turn it into JSON as it is."""
    from dataclasses import asdict

    json.dumps(asdict(trained.status), allow_nan=False)


def test_a_training_that_ends_in_the_middle_of_a_question_is_not_done_without_a_model(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = Taught(workspace, 5, 5)
    read = Project.latest_model
    here = threading.current_thread()

    def read_and_wait(self: Project) -> ModelRecord | None:
        found = read(self)
        if threading.current_thread() is here:
            until(lambda: workspace.training(taught.id).state != "running")
        return found

    workspace.start_training(taught.id, QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(Project, "latest_model", read_and_wait)
        status = taught.status
    assert (status.training.state, status.model) == ("running", None)
    assert taught.status.training.state == "done"
    assert taught.status.model
