"""Versions of projects: what is told of each, going back, and comparing two on photos that are fair to both."""

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from making import photos, tiny_graph, tiny_network, until

from teachable.errors import Conflict, ModelFileError, NotFound
from teachable.export import append_head
from teachable.images import load
from teachable.metadata import ModelMetadata
from teachable.projects import Project
from teachable.projects.snapshots import Snapshot
from teachable.runtime import Classifier
from teachable.scores import ClassScore, Evaluation
from teachable.types import Head, Image, Layer, TrainSettings
from teachable.versions import Compared, fair
from teachable.workflow import Workspace

RED, BLUE, GREEN = (200, 60, 60), (60, 60, 200), (60, 200, 60)
NOTHING = Evaluation(None, None, None, 0, 0, (ClassScore(0, 0),) * 2, ((0, 0),) * 2, (0, 1), ())


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("versions")
    weights = np.eye(3, dtype=np.float32)
    with Workspace(folder / "home", folder / "networks", offline=True) as made:
        made._library.add(*tiny_network(folder, "tiny", weights))
        yield made


class Desk:
    """A project and what a person does with it."""

    def __init__(self, space: Workspace) -> None:
        self.space = space
        self.id = space.create_project("Colours", network="tiny").id
        self.red, self.blue = (one.id for one in space.project(self.id).classes)

    @property
    def project(self) -> Project:
        return self.space._store.open(self.id)

    def add(self, class_id: str, color: tuple[int, int, int], *recordings: int, test: bool = False) -> None:
        for number in recordings:
            # Each recording in another light, so that none looks like another.
            tint = np.random.default_rng(number).integers(-50, 50, 3)
            lit = tuple(int(x) for x in np.clip(np.array(color) + tint, 0, 255))
            start = 1000 * number
            group = f"press {number}"
            self.space.add_photos(
                self.id, class_id, group, photos(range(start, start + 5), (lit[0], lit[1], lit[2])), test=test
            )

    def train(self, settings: TrainSettings | None = None) -> str:
        self.space.start_training(self.id, settings or TrainSettings(epochs=5))
        status = self.space.wait_for_training(self.id, 60)
        assert status.training.state == "done", status.training
        assert status.model is not None
        return status.model.id

    def compare(self, first: str, second: str) -> Compared:
        return self.space.versions.compare(self.id, first, second)


@pytest.fixture
def desk(space: Workspace) -> Desk:
    made = Desk(space)
    made.add(made.red, RED, 1, 2, 3)
    made.add(made.blue, BLUE, 11, 12, 13)
    return made


# What is told


def test_every_training_is_a_version(desk: Desk) -> None:
    space = desk.space
    assert space.versions.of(desk.id).versions == ()
    assert space.versions.of(desk.id).current is None
    first = desk.train()
    desk.add(desk.red, RED, 4)
    space.update_class(desk.id, desk.red, name="Red")
    second = desk.train(TrainSettings(epochs=6))
    space.versions.rename(desk.id, first, "Before")
    found = space.versions.of(desk.id)
    assert found.current == second
    assert [(one.id, one.number, one.name) for one in found.versions] == [(second, 2, None), (first, 1, "Before")]
    new, old = found.versions
    assert [(one.name, one.photos) for one in new.classes] == [("Red", 20), ("Class 2", 15)]
    assert [(one.name, one.photos) for one in old.classes] == [("Class 1", 15), ("Class 2", 15)]
    assert (new.settings.epochs, old.settings.epochs, new.samples, old.samples) == (6, 5, 35, 30)
    assert (old.restorable, old.network, old.held_out) == (True, "Tiny tiny", 30)
    assert old.bytes > 1000
    assert space.versions.find(desk.id, 1) == old
    with pytest.raises(NotFound):
        space.versions.find(desk.id, 3)


def test_a_version_from_before_snapshots_says_so(desk: Desk) -> None:
    first = desk.train()
    desk.project.versions.files(first)["snapshot.gz"].unlink()
    second = desk.train(TrainSettings(epochs=6))
    (old,) = (one for one in desk.space.versions.of(desk.id).versions if one.id == first)
    assert not old.restorable
    assert [(one.name, one.photos) for one in old.classes] == [("Class 1", None), ("Class 2", None)]
    with pytest.raises(Conflict, match="from before photos were kept"):
        desk.space.versions.restore(desk.id, first)
    assert desk.space.versions.restore(desk.id, first, contents=False).gone == 0
    found = desk.compare(first, second)
    assert (found.way, found.photos, found.difference) == ("none", 0, None)
    assert "Version 1 is from before" in found.about


def test_a_deleted_version_is_gone(desk: Desk) -> None:
    first, second = desk.train(), desk.train(TrainSettings(epochs=6))
    with pytest.raises(Conflict):
        desk.space.versions.remove(desk.id, second)
    assert [one.id for one in desk.space.versions.remove(desk.id, first).versions] == [second]
    for call in (desk.space.versions.model, desk.space.versions.restore, desk.space.versions.remove):
        with pytest.raises(NotFound):
            call(desk.id, first)


# Going back


def test_the_model_that_was_gone_back_to_is_the_one_everything_uses(desk: Desk) -> None:
    space = desk.space
    first = desk.train()
    bytes_then = space.model_bytes(desk.id)
    green = space.add_class(desk.id, "Green").id
    desk.add(green, GREEN, 21, 22)
    second = desk.train(TrainSettings(epochs=6))
    assert space.status(desk.id).model.id == second  # type: ignore[union-attr]
    back = space.versions.restore(desk.id, first)
    assert back.text == "The project is as it was at version 1."
    status = space.status(desk.id)
    assert status.model is not None
    assert (status.model.id, status.model.stale, status.ready.ok) == (first, False, True)
    assert space.project(desk.id).settings.epochs == 5
    assert [one.name for one in space.project(desk.id).classes] == ["Class 1", "Class 2"]
    assert space.model_bytes(desk.id) == bytes_then == space.versions.model(desk.id, first)
    assert space.reports.of(desk.id).model == first
    assert space.exports(desk.id).model == first
    assert len(Classifier.load(space.versions.model(desk.id, second)).labels) == 3
    undone = space.undo(desk.id, back.undo)
    assert undone is None or "version 1" in str(undone)
    status = space.status(desk.id)
    assert status.model is not None
    assert (status.model.id, status.model.stale) == (second, False)
    assert len(space.project(desk.id).classes) == 3
    # The next training goes on counting.
    space.versions.restore(desk.id, first)
    third = desk.train(TrainSettings(epochs=7))
    newest = space.versions.of(desk.id).versions[0]
    assert (newest.number, newest.id, space.versions.of(desk.id).current) == (3, third, third)


def test_training_after_going_back_gives_the_very_model_of_then(desk: Desk) -> None:
    """What goes back is whole: the same photos, recordings, settings and seed give the same weights."""
    first = desk.train()
    desk.add(desk.blue, BLUE, 14)
    desk.space.delete_samples(desk.id, [one.id for one in desk.project.all_samples()[:4]])
    desk.train(TrainSettings(epochs=9))
    desk.space.versions.restore(desk.id, first)
    settings = desk.space.project(desk.id).settings
    again = desk.train(settings)
    one, other = (fair.head_of(desk.space.versions.model(desk.id, id_), "x") for id_ in (first, again))
    assert [layer.weight.tobytes() for layer in one.layers] == [layer.weight.tobytes() for layer in other.layers]


def test_nothing_goes_back_while_it_is_trained(desk: Desk) -> None:
    first = desk.train()
    desk.add(desk.red, RED, 5)
    desk.space.start_training(desk.id, TrainSettings(epochs=1000))
    try:
        with pytest.raises(Conflict, match="being trained"):
            desk.space.versions.restore(desk.id, first)
    finally:
        desk.space.cancel_training(desk.id)
    assert desk.space.versions.of(desk.id).current == first


def test_photos_that_are_gone_are_said(desk: Desk) -> None:
    first = desk.train()
    lost = desk.project.all_samples()[0]
    desk.space.delete_samples(desk.id, [lost.id])
    desk.project.photo_file(lost.sha256).unlink()
    back = desk.space.versions.restore(desk.id, first)
    assert back.gone == 1
    assert "1 photo was deleted for good" in back.text
    assert sum(one.samples for one in desk.space.project(desk.id).classes) == 29


# Side by side


def test_the_test_set_is_what_counts_if_there_is_one(desk: Desk) -> None:
    first = desk.train()
    desk.add(desk.red, RED, 6, 7, test=True)
    desk.add(desk.blue, BLUE, 16, test=True)
    desk.add(desk.blue, BLUE, 17)
    second = desk.train(TrainSettings(epochs=6))
    found = desk.compare(first, second)
    assert (found.way, found.photos, found.recordings) == ("test", 15, 3)
    assert [(one.name, one.total) for one in found.classes] == [("Class 1", 10), ("Class 2", 5)]
    assert found.about.startswith("Both looked at your test photos: 15 photos from 3 recordings.")
    assert found.first.correct + found.only_second == found.second.correct + found.only_first
    assert found.difference == pytest.approx((found.second.correct - found.first.correct) / 15)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.difference <= found.high  # type: ignore[operator]
    # It says what the model files say.
    photo_ids = [one.id for one in desk.project.all_samples() if one.test]
    for side in (found.first, found.second):
        classifier = Classifier.load(desk.space.versions.model(desk.id, side.id))
        right = 0
        for one in (one for one in desk.project.all_samples() if one.id in photo_ids):
            said = classifier.predict([_pixels(desk, one.sha256)])[0].label
            right += said == {desk.red: "Class 1", desk.blue: "Class 2"}[one.class_id]
        assert right == side.correct
    # Asked again, it is remembered; the other way round it is the same.
    assert desk.compare(first, second) is found
    turned = desk.compare(second, first)
    assert (turned.first, turned.second) == (found.second, found.first)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def _pixels(desk: Desk, sha256: str) -> Image:
    return load(desk.project.photo_file(sha256))


def _png(pixels: Image) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_photos_that_are_new_to_both_come_next(desk: Desk) -> None:
    first, second = desk.train(), desk.train(TrainSettings(epochs=6))
    desk.add(desk.red, RED, 6, 8)
    desk.add(desk.blue, BLUE, 18)
    wait_for_embeddings(desk)
    found = desk.compare(first, second)
    assert (found.way, found.photos, found.recordings) == ("unseen", 15, 3)
    assert {one.sample for one in found.apart} <= {one.id for one in desk.project.all_samples()[30:]}


def test_embeddings_that_come_late_or_are_damaged_are_taken_as_they_are_then(desk: Desk) -> None:
    first, second = desk.train(), desk.train(TrainSettings(epochs=6))
    desk.add(desk.red, RED, 6, 8)
    desk.add(desk.blue, BLUE, 18)
    wait_for_embeddings(desk)
    assert desk.compare(first, second).photos == 15
    cache = desk.space._backlog.cache(desk.project, desk.project.versions.find(first).record.backbone)
    shas = [one.sha256 for one in desk.project.all_samples()[30:32]]
    kept = dict(zip(shas, cache.get(shas), strict=True))
    with closing(sqlite3.connect(cache.path)) as connection, connection:
        connection.execute("UPDATE embeddings SET crc = 0 WHERE sha256 IN (?, ?)", shas)
    desk.space.versions._compared.clear()
    assert desk.compare(first, second).photos == 13
    cache.put(kept)
    assert desk.compare(first, second).photos == 15


def wait_for_embeddings(desk: Desk) -> None:
    until(lambda: (now := desk.space.status(desk.id).embedding).done == now.total)


def test_otherwise_what_was_held_out_in_both_trainings_counts(desk: Desk) -> None:
    first = desk.train()
    desk.add(desk.red, RED, 9)
    second = desk.train(TrainSettings(epochs=6))
    found = desk.compare(first, second)
    assert found.way == "held_out"
    # The recording that only the second learned from is new to the first.
    assert found.photos == 35
    assert found.recordings == 7
    kept = desk.project.versions.find(first).record.evaluation
    assert found.first.correct >= kept.correct
    assert "held back" in found.about


def test_the_same_photos_have_the_same_interval_as_in_the_report(desk: Desk) -> None:
    # In the wrong class, so that there are mistakes.
    desk.add(desk.red, BLUE, 21)
    desk.add(desk.blue, RED, 22)
    versions = [desk.train(), desk.train(TrainSettings(epochs=6))]
    found = desk.compare(*versions)
    assert (found.way, found.photos) == ("held_out", 40)
    for version, side in zip(versions, (found.first, found.second), strict=True):
        told = desk.project.versions.find(version).record.evaluation
        assert 0 < told.correct < told.held_out
        assert (side.correct, side.low, side.high) == pytest.approx((told.correct, told.low, told.high))


def test_photos_of_a_recording_that_was_learned_are_never_used(desk: Desk) -> None:
    """New photos of an old recording are not new to a version, and have no answer of a test."""
    first, second = desk.train(), desk.train(TrainSettings(epochs=6))
    start = 1000
    desk.space.add_photos(desk.id, desk.red, "press 1", photos(range(start + 50, start + 70), RED), test=True)
    wait_for_embeddings(desk)
    found = desk.compare(first, second)
    assert found.way == "held_out"
    assert found.photos == 30


def test_nearly_the_same_picture_is_never_used(desk: Desk) -> None:
    first, second = desk.train(), desk.train(TrainSettings(epochs=6))
    pixels = _pixels(desk, desk.project.all_samples()[0].sha256)
    copies = [(f"{n}.png", _png(np.clip(pixels.astype(int) + n, 0, 255).astype(np.uint8))) for n in range(1, 7)]
    assert len(desk.space.add_photos(desk.id, desk.red, "copied", copies, test=True).added) == 6
    desk.add(desk.red, RED, 30, 31, test=True)
    wait_for_embeddings(desk)
    assert desk.compare(first, second).photos == 10


def test_classes_that_only_one_knows_are_left_out_and_it_is_said(desk: Desk) -> None:
    first = desk.train()
    green = desk.space.add_class(desk.id, "Green").id
    desk.add(green, GREEN, 21, 22)
    second = desk.train(TrainSettings(epochs=6))
    found = desk.compare(first, second)
    assert [one.name for one in found.classes] == ["Class 1", "Class 2"]
    assert found.photos == 30
    assert "10 photos of other classes were left out." in found.notes
    assert any("do not tell the same classes apart" in note for note in found.notes)


def test_where_nothing_is_fair_that_is_said(desk: Desk) -> None:
    first, second = desk.train(), desk.train(TrainSettings(epochs=6))
    for id_ in (first, second):
        desk.project.versions.files(id_)["outcomes.npz"].unlink()
    found = desk.compare(first, second)
    assert (found.way, found.photos, found.better) == ("none", 0, None)
    assert found.verdict == "These two cannot be compared fairly."
    assert "mark them as test photos" in found.about


def test_a_version_is_not_compared_with_itself_or_with_none(desk: Desk) -> None:
    first = desk.train()
    with pytest.raises(Conflict):
        desk.compare(first, first)
    for strange in ("x" * 16, "../../x"):
        with pytest.raises(NotFound):
            desk.compare(first, strange)


def test_a_clear_lead_is_told_and_a_small_one_is_not(desk: Desk) -> None:
    """The first was trained on colours that were mixed up: it cannot keep up with the second."""
    space, project = desk.space, desk.project
    ids = [one.id for one in project.all_samples()]
    red_ids, blue_ids = ids[:15], ids[15:]
    space.move_samples(desk.id, red_ids, desk.blue)
    space.move_samples(desk.id, blue_ids, desk.red)
    first = desk.train()
    space.undo(desk.id)
    space.undo(desk.id)
    second = desk.train(TrainSettings(epochs=40))
    third = desk.train(TrainSettings(epochs=41))
    desk.add(desk.red, RED, *range(40, 52), test=True)
    desk.add(desk.blue, BLUE, *range(60, 72), test=True)
    wait_for_embeddings(desk)
    found = desk.compare(first, second)
    assert (found.way, found.better) == ("test", second)
    assert found.low is not None
    assert found.low > 0.5
    assert found.verdict.startswith("Version 2 is better")
    assert len(found.apart) == 60
    same = desk.compare(second, third)
    assert same.better is None
    assert "nothing here says" in same.verdict or "Nothing here says" in same.verdict


# Heads


def test_the_head_is_read_out_of_a_model_file_as_it_was_put_in(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = (
        Layer(rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=4).astype(np.float32)),
        Layer(rng.normal(size=(2, 4)).astype(np.float32), rng.normal(size=2).astype(np.float32)),
    )
    graph = tiny_graph(np.eye(3, dtype=np.float32))
    metadata = ModelMetadata(("a", "b"), "P", 0.0, "x", "f", TrainSettings(), NOTHING)
    found = fair.head_of(append_head(graph, Head(layers), metadata), "P")
    for one, other in zip(found.layers, layers, strict=True):
        assert np.array_equal(one.weight, other.weight)
        assert np.array_equal(one.bias, other.bias)
    with pytest.raises(ModelFileError):
        fair.head_of(graph, "P")
    with pytest.raises(ModelFileError):
        fair.head_of(b"no model", "P")


def test_many_photos_are_thinned_evenly(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = desk.train(), desk.train(TrainSettings(epochs=6))
    monkeypatch.setattr(fair, "MOST", 12)
    found = desk.compare(first, second)
    assert found.photos == 10
    assert found.notes[0] == "There are very many photos. At most 12 of them were looked at, spread evenly."
    assert [one.total for one in found.classes] == [5, 5]


def test_a_snapshot_holds_disabled_classes_and_not_what_came_too_late(desk: Desk) -> None:
    green = desk.space.add_class(desk.id, "Green").id
    desk.add(green, GREEN, 21)
    desk.space.update_class(desk.id, green, disabled=True)
    first = desk.train()
    held = desk.project.versions.snapshot(first)
    assert isinstance(held, Snapshot)
    assert held.samples == desk.project.all_samples()
    assert [replace(one, samples=0) for one in held.classes] == [
        replace(one, samples=0) for one in desk.space.project(desk.id).classes
    ]
    assert len(held.learned) == 30
