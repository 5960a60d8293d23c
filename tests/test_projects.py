"""Store, classes, names, settings and models. Samples and safety have files of their own."""

import errno
import io
import logging
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from teachable.errors import Conflict, InvalidInput, NotFound, StorageFull, TooLarge
from teachable.projects import Project, ProjectStore, classes, files
from teachable.scores import ClassScore, EpochPoint, Evaluation
from teachable.settings import limits
from teachable.types import Agreement, ModelRecord, TrainSettings


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    with closing(ProjectStore(tmp_path)) as opened:
        yield opened


@pytest.fixture
def project(store: ProjectStore) -> Project:
    return store.create()


def photo(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def class_names(project: Project) -> list[str]:
    return [info.name for info in project.info().classes]


def order(project: Project) -> list[int]:
    return [info.position for info in project.info().classes]


# The store


def test_a_new_project_has_two_empty_classes(project: Project) -> None:
    info = project.info()
    assert info.name == "New project"
    assert [(entry.name, entry.samples, entry.disabled) for entry in info.classes] == [
        ("Class 1", 0, False),
        ("Class 2", 0, False),
    ]
    assert info.settings == TrainSettings()
    assert info.created <= info.updated


def test_a_new_session_finds_everything(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create("Fruit")
        project.add_photos(project.info().classes[0].id, "g", [("a.jpg", photo(1))])
        before = project.info()
    with closing(ProjectStore(tmp_path)) as store:
        assert store.list() == (before,)
        assert store.open(before.id).info() == before


def test_list_is_last_changed_first(store: ProjectStore) -> None:
    first, second, third = (store.create(name) for name in ("one", "two", "three"))
    first.rename("one again")
    assert [info.id for info in store.list()] == [first.id, third.id, second.id]


def test_two_projects_may_share_a_name(store: ProjectStore) -> None:
    assert store.create("Fruit").id != store.create("Fruit").id


def test_open_gives_everyone_the_same_object(store: ProjectStore, project: Project) -> None:
    assert store.open(project.id) is project


@pytest.mark.parametrize(
    "project_id",
    [
        "",
        ".",
        "..",
        "../projects",
        "/etc",
        "a" * 32,
        "A" * 32,
        "a" * 31 + "\n",
        "a\0b",
        "\ud800" * 32,
        "é" * 32,
        "x" * 9999,
    ],
)
def test_unknown_and_malformed_ids_are_not_found(store: ProjectStore, project: Project, project_id: str) -> None:
    for call in (store.open, store.delete):
        with pytest.raises(NotFound):
            call(project_id)
    for call in (project.delete_class, project.clear_class, project.samples, project.update_class):
        with pytest.raises(NotFound):
            call(project_id)
    with pytest.raises(NotFound):
        project.photo_file(project_id)
    with pytest.raises(NotFound):
        project.model_file(project_id)
    with pytest.raises(NotFound):
        project.undo(project_id)
    with pytest.raises(NotFound):
        store.restore(project_id)


def test_a_deleted_project_comes_back_whole(store: ProjectStore, project: Project) -> None:
    class_id = project.info().classes[0].id
    project.add_photos(class_id, "g", [("a", photo(1))])
    taken_back_later = project.clear_class(class_id)
    before = project.info()
    token = store.delete(project.id)
    assert store.list() == ()
    with pytest.raises(NotFound):
        store.open(project.id)
    with pytest.raises(NotFound):
        project.info()
    restored = store.restore(token)
    assert restored.info() == before
    restored.undo(taken_back_later)
    assert restored.info().classes[0].samples == 1
    with pytest.raises(NotFound):
        store.restore(token)


def test_debris_of_an_interrupted_creation_is_removed(tmp_path: Path) -> None:
    debris = tmp_path / "projects" / f".{'a' * 32}.new"
    debris.mkdir(parents=True)
    foreign = tmp_path / "projects" / "holiday photos"
    foreign.mkdir()
    with closing(ProjectStore(tmp_path)) as store:
        assert store.list() == ()
    assert not debris.exists()
    assert foreign.exists()


def test_a_damaged_session_file_does_not_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "session.sqlite").write_bytes(b"no database at all" * 500)
    with closing(ProjectStore(tmp_path)) as store:
        assert store.create().info().name == "New project"


# Damage


def overwrite(folder: Path) -> None:
    for path in folder.glob("project.sqlite*"):
        path.write_bytes(b"damaged" * 1000)


def truncate(folder: Path) -> None:
    (folder / "project.sqlite").write_bytes(b"")


def remove(folder: Path) -> None:
    (folder / "project.sqlite").unlink()


def forget_project(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "project.sqlite", isolation_level=None)) as connection:
        connection.execute("DELETE FROM project")


def scramble_settings(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "project.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE project SET settings = 'not json'")


@pytest.mark.parametrize("damage", [overwrite, truncate, remove, forget_project, scramble_settings])
def test_a_damaged_project_does_not_hide_the_others(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        bad, good = store.create("bad").folder, store.create("good").id
    damage(bad)
    with closing(ProjectStore(tmp_path)) as store:
        with caplog.at_level(logging.WARNING):
            assert [info.id for info in store.list()] == [good]
        assert bad.name in caplog.text
        assert store.open(good).info().name == "good"
        token = store.delete(bad.name)  # it can still be thrown away, and that undone
        assert not bad.exists()
        if damage is not forget_project and damage is not scramble_settings:
            with pytest.raises(Conflict) as caught:
                store.restore(token)
            assert caught.value.key == "project_damaged"
            assert str(bad) in str(caught.value)
            assert bad.exists()


# Names


GOOD_NAMES = [
    "<script>alert(1)</script>",
    "🍎",
    "👩‍👩‍👧",
    "תפוח",
    "تفاحة",
    "../../x",
    "C:\\x",
    "a/b",
    "%s {name} 'x' \"y\"",
    "a" * 100,
    "0",
]
BAD_NAMES = [
    ("", "name_empty"),
    ("   ", "name_empty"),
    ("\u200b\u200f", "name_empty"),
    ("a" * 101, "name_long"),
    ("a" * 10_000, "name_long"),
    ("e\u0301" * 10_000, "name_long"),
    ("a\nb", "name_control"),
    ("a\0b", "name_control"),
    ("a\u2028b", "name_control"),
    ("a\ud800b", "name_control"),
]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_any_writing_is_a_name(store: ProjectStore, name: str) -> None:
    project = store.create(name)
    added = project.add_class(name)
    assert project.info().name == added.name == name
    assert project.folder.parent.name == "projects"
    project.rename("other")
    assert project.update_class(added.id, name="other").name == "other"


@pytest.mark.parametrize(("name", "key"), BAD_NAMES)
def test_bad_names_are_refused_in_words(store: ProjectStore, project: Project, name: str, key: str) -> None:
    before = project.info()
    calls: list[Callable[[], object]] = [
        lambda: store.create(name),
        lambda: project.rename(name),
        lambda: project.add_class(name),
        lambda: project.update_class(before.classes[0].id, name=name),
    ]
    for call in calls:
        with pytest.raises(InvalidInput) as caught:
            call()
        assert caught.value.key == key
        assert len(str(caught.value)) < 200
    assert project.info() == before
    assert len(store.list()) == 1


def test_names_are_stripped_and_composed(project: Project) -> None:
    assert project.add_class("  Cafe\u0301 ").name == unicodedata.normalize("NFC", "Café")


@pytest.mark.parametrize("name", ["CLASS 1", "class 1 ", "Class 1"])
def test_two_classes_cannot_share_a_name(project: Project, name: str) -> None:
    second = project.info().classes[1].id
    with pytest.raises(Conflict) as caught:
        project.add_class(name)
    assert caught.value.key == "class_name_taken"
    with pytest.raises(Conflict):
        project.update_class(second, name=name, color="#000000")
    assert project.info().classes[1].color == classes.COLORS[1]  # nothing of a refused change is kept


def test_a_class_may_change_the_case_of_its_own_name(project: Project) -> None:
    assert project.update_class(project.info().classes[0].id, name="CLASS 1").name == "CLASS 1"


def test_new_names_never_collide(project: Project) -> None:
    first = project.info().classes[0]
    project.update_class(first.id, name="class 4")
    assert project.add_class().name == "Class 3"
    assert project.add_class().name == "Class 5"
    token = project.delete_class(project.info().classes[1].id)
    assert class_names(project) == ["class 4", "Class 3", "Class 5"]
    assert project.add_class().name == "Class 6"
    project.undo(token)
    assert class_names(project) == ["class 4", "Class 2", "Class 3", "Class 5", "Class 6"]


# Classes


def brightness(color: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_stand_out_on_white_and_on_dark() -> None:
    assert classes.COLORS[:4] == ("#E67701", "#D84C6F", "#794AEF", "#1967D2")
    assert len(set(classes.COLORS)) == 12
    for color in classes.COLORS:
        assert round(1.05 / (brightness(color) + 0.05), 2) >= 3
        assert (brightness(color) + 0.05) / (brightness("#111827") + 0.05) >= 3


def test_colours_cycle_and_freed_ones_come_first(project: Project) -> None:
    colors = [info.color for info in project.info().classes] + [project.add_class().color for _ in range(10)]
    assert tuple(colors) == classes.COLORS
    assert project.add_class().color == classes.COLORS[0]
    project.delete_class(project.info().classes[4].id)
    assert project.add_class().color == classes.COLORS[4]


def test_a_class_can_be_recoloured_moved_and_disabled(project: Project) -> None:
    for _ in range(3):
        project.add_class()
    last = project.info().classes[4].id
    changed = project.update_class(last, color="#abcdef", position=1, disabled=True)
    assert (changed.color, changed.position, changed.disabled) == ("#ABCDEF", 1, True)
    assert class_names(project) == ["Class 1", "Class 5", "Class 2", "Class 3", "Class 4"]
    assert order(project) == [0, 1, 2, 3, 4]
    assert project.update_class(last, disabled=False, position=4).disabled is False
    assert class_names(project) == ["Class 1", "Class 2", "Class 3", "Class 4", "Class 5"]


@pytest.mark.parametrize("color", ["", "red", "#12345", "#1234567", "#12345g", "url(x)", "#12345\n", "＃１２３４５６"])
def test_bad_colours_are_refused(project: Project, color: str) -> None:
    with pytest.raises(InvalidInput):
        project.update_class(project.info().classes[0].id, color=color)


@pytest.mark.parametrize("position", [-1, 2, 10**30])
def test_places_that_do_not_exist_are_refused(project: Project, position: int) -> None:
    with pytest.raises(InvalidInput):
        project.update_class(project.info().classes[0].id, position=position)


def test_order_stays_dense_after_delete_and_undo(project: Project) -> None:
    for _ in range(3):
        project.add_class()
    tokens = [project.delete_class(project.info().classes[1].id) for _ in range(2)]
    assert class_names(project) == ["Class 1", "Class 4", "Class 5"]
    assert order(project) == [0, 1, 2]
    for token in tokens:
        project.undo(token)
    assert sorted(class_names(project)) == ["Class 1", "Class 2", "Class 3", "Class 4", "Class 5"]
    assert order(project) == [0, 1, 2, 3, 4]


def test_undo_finds_a_free_name_if_the_old_one_was_taken(project: Project) -> None:
    token = project.delete_class(project.info().classes[0].id)
    project.add_class("CLASS 1")
    project.undo(token)
    assert class_names(project) == ["Class 1 (2)", "Class 2", "CLASS 1"]


def test_there_is_a_largest_number_of_classes(project: Project) -> None:
    for _ in range(limits().classes - 2):
        project.add_class()
    with pytest.raises(TooLarge) as caught:
        project.add_class()
    assert "200" in str(caught.value)


# Settings and time of change


def test_settings_are_kept(project: Project) -> None:
    chosen = TrainSettings(epochs=7, batch_size=32, learning_rate=0.01, hidden_units=100, seed=3)
    project.save_settings(chosen)
    assert project.info().settings == chosen


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"hidden_units": -1},
        {"seed": -1},
        {"epochs": 10**9},
    ],
)
def test_settings_no_training_could_use_are_refused(project: Project, bad: dict[str, float]) -> None:
    with pytest.raises(InvalidInput) as caught:
        project.save_settings(replace(TrainSettings(), **bad))
    assert caught.value.key == f"setting_{next(iter(bad))}"
    assert project.info().settings == TrainSettings()


def test_every_change_renews_the_time_even_if_the_clock_stands(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000_000_000.0)
    one, two = (info.id for info in project.info().classes)
    added = project.add_photos(one, "g", [("a", photo(1)), ("b", photo(2))]).added
    seen = {project.info().updated}
    undo: list[str] = []
    changes: list[Callable[[], object]] = [
        lambda: project.rename("x"),
        lambda: project.save_settings(TrainSettings(epochs=3)),
        lambda: project.add_class(),
        lambda: project.update_class(one, disabled=True),
        lambda: project.add_photos(two, "g", [("c", photo(3))]),
        lambda: undo.append(project.move_samples([added[0].id], two)),
        lambda: undo.append(project.delete_samples([added[1].id])),
        lambda: undo.append(project.clear_class(two)),
        lambda: undo.append(project.delete_class(two)),
        *(lambda: project.undo(undo.pop()) for _ in range(4)),
        lambda: project.save_model(record("m" * 8), b"x"),
    ]
    for change in changes:
        change()
        seen.add(project.info().updated)
    assert len(seen) == len(changes) + 1
    assert max(seen) == project.info().updated


# Models


def record(model_id: str) -> ModelRecord:
    evaluation = Evaluation(
        accuracy=0.9,
        low=0.8,
        high=0.95,
        held_out=10,
        correct=9,
        per_class=(ClassScore(4, 5), ClassScore(5, 5)),
        confusion=((4, 1), (0, 5)),
        unjudged=(),
        history=(EpochPoint(1, 0.5, 0.8, 0.6, 0.7), EpochPoint(2, 0.4, 0.9)),
        merged=(1,),
    )
    return ModelRecord(
        id=model_id,
        created=1.5,
        class_ids=("a", "b"),
        labels=("A", "B"),
        backbone="f" * 64,
        backbone_id="slim-v1",
        settings=TrainSettings(epochs=3),
        trained_on="d" * 64,
        samples=50,
        seconds=0.7,
        evaluation=evaluation,
    )


def test_the_latest_model_is_found_again(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        assert project.latest_model() is None
        path = project.save_model(record("a" * 32), b"first")
        assert path == project.model_file("a" * 32)
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        assert project.latest_model() == record("a" * 32)
        assert project.model_file("a" * 32).read_bytes() == b"first"


def test_a_model_is_replaced_under_its_id(project: Project) -> None:
    project.save_model(record("a" * 32), b"first")
    agreed = replace(record("a" * 32), agreement=Agreement(50, 50, 1e-6))
    project.replace_model(agreed, b"second")
    assert project.latest_model() == agreed
    assert project.model_file("a" * 32).read_bytes() == b"second"
    with pytest.raises(NotFound):
        project.replace_model(record("b" * 32), b"third")
    assert [path.name for path in (project.folder / "models").iterdir()] == [f"{'a' * 32}.onnx"]


def test_every_model_is_kept_and_the_latest_is_used(project: Project) -> None:
    for letter in "abcde":
        project.save_model(record(letter * 32), letter.encode())
    assert sorted(path.stem[0] for path in (project.folder / "models").iterdir()) == ["a", "b", "c", "d", "e"]
    assert project.latest_model() == record("e" * 32)
    assert project.model_file("a" * 32).read_bytes() == b"a"


@pytest.mark.parametrize("model_id", ["", "../../x", "a/b", "..", "short", "x" * 65, "a" * 20 + "\n", ".hidden-model"])
def test_a_model_id_never_becomes_another_path(project: Project, model_id: str) -> None:
    with pytest.raises(NotFound):
        project.save_model(record(model_id), b"x")
    with pytest.raises(NotFound):
        project.model_file(model_id)


def test_a_model_id_used_twice_does_not_harm_the_first(project: Project) -> None:
    project.save_model(record("a" * 32), b"first")
    with pytest.raises(sqlite3.IntegrityError):
        project.save_model(record("a" * 32), b"second")
    assert project.model_file("a" * 32).read_bytes() == b"first"


def test_a_full_disk_does_not_harm_models(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    project.save_model(record("a" * 32), b"first")
    for name in ("_write_synced", "sync_folder"):
        with monkeypatch.context() as patch:
            patch.setattr(files, name, no_space)
            with pytest.raises(StorageFull):
                project.save_model(record("b" * 32), b"second")
        assert [path.name for path in (project.folder / "models").iterdir()] == [f"{'a' * 32}.onnx"]
    with monkeypatch.context() as patch:
        patch.setattr(files, "_write_synced", no_space)
        with pytest.raises(StorageFull):
            project.replace_model(replace(record("a" * 32), samples=99), b"other")
    assert project.latest_model() == record("a" * 32)
    assert project.model_file("a" * 32).read_bytes() == b"first"


def test_a_model_whose_row_cannot_be_committed_leaves_no_file(project: Project) -> None:
    def refuse_commit(action: int, name: str | None, *_: object) -> int:
        return sqlite3.SQLITE_DENY if (action, name) == (sqlite3.SQLITE_TRANSACTION, "COMMIT") else sqlite3.SQLITE_OK

    project._database._writer.set_authorizer(refuse_commit)
    with pytest.raises(sqlite3.DatabaseError):
        project.save_model(record("a" * 32), b"first")
    project._database._writer.set_authorizer(None)
    assert list((project.folder / "models").iterdir()) == []
    assert project.latest_model() is None


def test_outcomes_are_kept_beside_a_model_and_go_with_it(project: Project) -> None:
    project.save_model(record("a" * 32), b"model", outcomes=b"outcomes")
    project.save_model(record("b" * 32), b"model")
    kept = project.outcomes("a" * 32)
    assert kept is not None
    assert kept.read_bytes() == b"outcomes"
    assert project.outcomes("b" * 32) is None
    project.replace_model(replace(record("a" * 32), samples=9), b"other")
    assert kept.read_bytes() == b"outcomes"
    project.versions.remove("a" * 32)
    assert not kept.exists()
    assert [path.name for path in (project.folder / "models").iterdir()] == [f"{'b' * 32}.onnx"]
    with pytest.raises(NotFound):
        project.outcomes("../../x")


def test_a_full_disk_leaves_no_outcomes_without_a_model(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write = files._write_synced

    def no_space_for_models(path: Path, data: bytes) -> None:
        if ".onnx" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(files, "_write_synced", no_space_for_models)
    with pytest.raises(StorageFull):
        project.save_model(record("a" * 32), b"model", outcomes=b"outcomes")
    assert list((project.folder / "models").iterdir()) == []


def test_outcomes_of_no_model_are_swept(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        project.save_model(record("a" * 32), b"model", outcomes=b"outcomes")
        (project.folder / "models" / f"{'b' * 32}.npz").write_text("debris")
    with closing(ProjectStore(tmp_path)) as store:
        names = {path.name for path in (store.open(project.id).folder / "models").iterdir()}
        assert names == {f"{'a' * 32}.onnx", f"{'a' * 32}.npz"}
