"""Versions of a project on disk: all are kept, one is in use, and going back is exact and can be undone."""

import random
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from making import photos

from teachable.errors import Conflict, InvalidInput, NotFound
from teachable.projects import Project, ProjectStore, models, snapshots
from teachable.projects.models import KeptVersion
from teachable.projects.snapshots import Snapshot
from teachable.scores import ClassScore, Evaluation
from teachable.types import ModelRecord, ProjectNetwork, TrainSettings

NOTHING = Evaluation(None, None, None, 0, 0, (ClassScore(0, 0),) * 2, ((0, 0),) * 2, (0, 1), ())
NETWORK = ProjectNetwork("then-v1", "f" * 64)


def record(letter: str, **values: Any) -> ModelRecord:
    made = ModelRecord(letter * 16, 1.5, ("a", "b"), ("A", "B"), "f" * 64, "x", TrainSettings(), "d", 4, 0.5, NOTHING)
    return replace(made, **values)


@pytest.fixture
def project(tmp_path: Path) -> Any:
    with closing(ProjectStore(tmp_path)) as store:
        yield store.create()


def keep(project: Project, letter: str, **values: Any) -> Snapshot:
    """Save a model with what the project holds now."""
    held = Snapshot(project.info().classes, project.all_samples())
    project.save_model(record(letter, **values), letter.encode(), outcomes=b"o", snapshot=snapshots.pack(held))
    return held


def state(project: Project) -> tuple[Any, ...]:
    """Everything going back may touch."""
    info = project.info()
    return info.classes, project.all_samples(), info.settings, info.network, project.latest_model()


def fill(project: Project) -> tuple[str, str]:
    """Put two recordings into each class and return the ids of the classes."""
    a, b = (one.id for one in project.info().classes)
    for place, class_id in enumerate((a, b)):
        for group in range(2):
            start = 100 * place + 10 * group
            project.add_photos(class_id, f"g{start}", photos(range(start, start + 3)), test=group == 1)
    return a, b


# Keeping


def test_all_are_kept_and_the_last_trained_is_in_use(project: Project) -> None:
    assert project.versions.every() == ()
    assert project.versions.current() is None
    for letter in "abcd":
        keep(project, letter)
    assert [(one.number, one.record.id[0], one.current) for one in project.versions.every()] == [
        (1, "a", False),
        (2, "b", False),
        (3, "c", False),
        (4, "d", True),
    ]
    assert project.latest_model() == record("d")
    assert set(project.versions.files("a" * 16)) == {"model.onnx", "outcomes.npz", "snapshot.gz"}
    assert project.versions.size() > 4


def test_a_name_is_kept_and_taken_away(project: Project) -> None:
    keep(project, "a")
    project.versions.rename("a" * 16, "  The best\u0301 ")
    assert project.versions.find("a" * 16).name == "The bes\u0074\u0301"
    for nothing in (None, "  "):
        project.versions.rename("a" * 16, "x")
        project.versions.rename("a" * 16, nothing)
        assert project.versions.find("a" * 16).name is None
    with pytest.raises(InvalidInput):
        project.versions.rename("a" * 16, "x" * 1000)
    with pytest.raises(NotFound):
        project.versions.rename("b" * 16, "x")


def test_deleting_leaves_no_file_and_never_takes_the_one_in_use(project: Project) -> None:
    keep(project, "a")
    keep(project, "b")
    with pytest.raises(Conflict):
        project.versions.remove("b" * 16)
    project.versions.remove("a" * 16)
    assert {path.stem for path in (project.folder / "models").iterdir()} == {"b" * 16}
    with pytest.raises(NotFound):
        project.versions.remove("a" * 16)
    keep(project, "c")
    assert [one.number for one in project.versions.every()] == [2, 3]


def test_versions_survive_a_restart_and_debris_does_not(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        keep(project, "a")
        keep(project, "b")
        project.versions.restore("a" * 16, NETWORK, contents=False)
        before = project.versions.every()
        (project.folder / "models" / f"{'e' * 16}.gz").write_bytes(b"debris")
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        assert project.versions.every() == before
        assert project.latest_model() == record("a")
        assert {path.stem[0] for path in (project.folder / "models").iterdir()} == {"a", "b"}


def test_a_version_comes_from_another_project_with_its_number(project: Project) -> None:
    with project._database.change() as connection:
        models.put(connection, KeptVersion(7, "Old", record("a"), current=True))
        models.put(connection, KeptVersion(9, None, record("b"), current=False))
        with pytest.raises(NotFound):
            models.put(connection, KeptVersion(10, None, record("a", id="../x"), current=False))
    assert [(one.number, one.name, one.current) for one in project.versions.every()] == [
        (7, "Old", True),
        (9, None, False),
    ]
    keep(project, "c")
    assert project.versions.every()[-1].number == 10


def test_a_version_without_a_snapshot_has_none(project: Project) -> None:
    project.save_model(record("a"), b"model")
    assert project.versions.snapshot("a" * 16) is None
    with pytest.raises(Conflict) as caught:
        project.versions.restore("a" * 16, NETWORK)
    assert caught.value.key == "version_without_contents"
    for wrong in ("../../x", "a/b"):
        with pytest.raises(NotFound):
            project.versions.snapshot(wrong)


# Going back


def test_everything_becomes_what_it_was_and_again_what_it_is(project: Project) -> None:
    a, b = fill(project)
    settings = TrainSettings(epochs=7)
    keep(project, "a", settings=settings)
    before = state(project)
    first = project.all_samples()
    # Names change hands, a photo moves, others go and come, a class goes and one comes.
    project.update_class(a, name="Middle")
    project.update_class(b, name=before[0][0].name, color="#123456", position=0, disabled=True)
    project.move_samples([first[0].id], b)
    project.delete_samples([first[1].id])
    project.mark_test([first[2].id], test=True)
    fresh = project.add_class("New")
    project.add_photos(fresh.id, "late", photos(range(500, 503)))
    project.move_samples([first[-1].id], fresh.id)
    project.add_photos(a, "late", photos(range(600, 602)))
    keep(project, "b")
    project.delete_class(b)
    after = state(project)
    found = project.versions.restore("a" * 16, NETWORK)
    assert found.gone == 0
    assert state(project) == (before[0], before[1], settings, NETWORK, record("a", settings=settings))
    project.undo(found.undo)
    assert state(project) == after
    project.redo()
    assert state(project)[:2] == before[:2]
    assert project.latest_model() == record("a", settings=settings)


def test_only_the_model_goes_back_if_that_is_all_that_is_wanted(project: Project) -> None:
    fill(project)
    keep(project, "a")
    project.clear_class(project.info().classes[0].id)
    keep(project, "b")
    before = state(project)
    found = project.versions.restore("a" * 16, NETWORK, contents=False)
    assert state(project) == (*before[:-1], record("a"))
    project.undo(found.undo)
    assert state(project) == before


def test_what_was_deleted_for_good_comes_back_as_long_as_its_photo_is_there(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        a, b = fill(project)
        keep(project, "a")
        before = state(project)
        samples = project.all_samples()
        project.delete_samples([one.id for one in samples[:3]])
        project.delete_class(b)
        project.forget_removed()
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        with project._database.read() as connection:
            assert connection.execute("SELECT COUNT(*) FROM samples").fetchone() == (3,)
        # The photos are still there, because a version names them. One is lost.
        project.photo_file(samples[0].sha256).unlink()
        assert project.photo_file(samples[1].sha256).is_file()
        # Another is added again meanwhile, and keeps its new number.
        project.add_photos(a, "again", photos(range(1, 2)))
        found = project.versions.restore("a" * 16, NETWORK)
        assert found.gone == 1
        assert project.info().classes == tuple(replace(one, samples=one.samples - (one.id == a)) for one in before[0])
        now = {one.id: one for one in project.all_samples()}
        assert [now[one.id] for one in samples[2:]] == list(samples[2:])
        again = [one for one in now.values() if one.id > samples[-1].id]
        assert [(one.sha256, one.group, one.class_id) for one in again] == [(samples[1].sha256, "g0", a)]
        project.undo(found.undo)
        assert [(one.id, one.sha256, one.group) for one in project.all_samples()][-1][2] == "again"
        assert len(project.all_samples()) == 4
        project.redo()
        assert len(project.all_samples()) == len(samples) - 1


def test_an_old_number_that_another_photo_has_by_now_is_not_taken(project: Project) -> None:
    fill(project)
    held = Snapshot(project.info().classes, project.all_samples())
    first, *others = held.samples
    strange = replace(others[0], id=first.id)
    project.save_model(record("a"), b"m", snapshot=snapshots.pack(Snapshot(held.classes, (strange, *others[1:]))))
    project.versions.restore("a" * 16, NETWORK)
    found = {one.sha256: one for one in project.all_samples()}
    assert first.sha256 not in found
    assert found[strange.sha256].id == others[0].id
    assert len(found) == len(others)


def test_the_model_in_use_falls_back_to_the_newest_if_the_one_undone_to_is_gone(project: Project) -> None:
    for letter in "abc":
        keep(project, letter)
    found = project.versions.restore("a" * 16, NETWORK, contents=False)
    project.versions.remove("c" * 16)
    project.undo(found.undo)
    assert project.latest_model() == record("b")


def test_a_model_file_that_is_gone_is_not_gone_back_to(project: Project) -> None:
    keep(project, "a")
    keep(project, "b")
    before = state(project)
    project.model_file("a" * 16).unlink()
    with pytest.raises(NotFound):
        project.versions.restore("a" * 16, NETWORK)
    assert state(project) == before


@pytest.mark.parametrize("seed", range(4))
def test_any_way_there_and_back_is_exact(project: Project, seed: int) -> None:
    """Random changes, random versions: each is exactly as it was, and each way back undoes exactly."""
    chance = random.Random(seed)
    fill(project)
    kept = {}

    def change() -> None:
        ids = [one.id for one in project.info().classes]
        some = [one.id for one in chance.sample(project.all_samples(), min(4, len(project.all_samples())))]
        what = chance.randrange(7)
        if what == 0 and len(ids) < 5:
            project.add_class()
        elif what == 1 and len(ids) > 2:
            project.delete_class(chance.choice(ids))
        elif what == 2:
            start = chance.randrange(40)
            project.add_photos(chance.choice(ids), f"c{chance.random()}", photos(range(start, start + 3)))
        elif what == 3 and some:
            project.move_samples(some, chance.choice(ids))
        elif what == 4 and some:
            project.delete_samples(some)
        elif what == 5 and some:
            project.mark_test(some, chance.random() < 0.5, whole_recordings=False)
        elif what == 6:
            project.update_class(chance.choice(ids), position=0, disabled=chance.random() < 0.3)

    for letter in "abcdef":
        for _ in range(6):
            change()
        keep(project, letter)
        kept[letter] = state(project)
    for _ in range(25):
        for _ in range(chance.randrange(3)):
            change()
        here = state(project)
        letter = chance.choice("abcdef")
        found = project.versions.restore(letter * 16, NETWORK)
        assert state(project)[:2] == kept[letter][:2]
        assert project.latest_model() == record(letter)
        if chance.random() < 0.7:
            project.undo()
            assert state(project) == here
        assert found.gone == 0
    with project._database.read() as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
