"""Photos kept for testing only, how strict "not sure" is, and what is kept beside models."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from making import photos

from teachable.errors import InvalidInput, NotFound
from teachable.projects import Project, ProjectStore, classes, samples
from teachable.types import UNKNOWN_BELOW, Sample


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    with closing(ProjectStore(tmp_path)) as opened:
        yield opened


@pytest.fixture
def project(store: ProjectStore) -> Project:
    return store.create()


def add(project: Project, seeds: range, group: str = "g", *, place: int = 0, test: bool = False) -> tuple[Sample, ...]:
    return project.add_photos(project.info().classes[place].id, group, photos(seeds), test=test).added


def kept(project: Project) -> set[int]:
    """Ids of the photos that are kept for testing."""
    return {sample.id for sample in project.all_samples() if sample.test}


def counts(project: Project) -> list[tuple[int, int]]:
    return [(info.samples, info.tests) for info in project.info().classes]


def ids(samples: tuple[Sample, ...]) -> set[int]:
    return {sample.id for sample in samples}


def test_photos_may_come_as_test_photos(project: Project) -> None:
    add(project, range(3))
    added = add(project, range(3, 5), "other day", test=True)
    assert all(sample.test for sample in added)
    assert kept(project) == ids(added)
    assert counts(project) == [(5, 2), (0, 0)]
    page = project.samples(project.info().classes[0].id)
    assert [sample.test for sample in page.samples] == [True, True, False, False, False]
    assert page.total == 5


def test_a_photo_the_class_has_stays_what_it_is(project: Project) -> None:
    add(project, range(2))
    result = project.add_photos(project.info().classes[0].id, "again", photos(range(3)), test=True)
    assert (result.repeats, len(result.added)) == (2, 1)
    assert kept(project) == ids(result.added)


def test_marking_one_photo_keeps_its_whole_recording(project: Project) -> None:
    first, second = add(project, range(3), "one"), add(project, range(3, 6), "two")
    project.mark_test([first[1].id], True)
    assert kept(project) == ids(first)
    project.mark_test([second[0].id], True, whole_recordings=False)
    assert kept(project) == {*ids(first), second[0].id}
    project.mark_test([first[0].id, second[0].id], False)
    assert kept(project) == set()


def test_a_recording_that_was_moved_apart_is_one_all_the_same(project: Project) -> None:
    first = add(project, range(4), "one")
    other = add(project, range(4, 6), "two", place=1)
    project.move_samples([first[0].id], project.info().classes[1].id)
    project.mark_test([first[3].id], True)
    assert kept(project) == ids(first)
    assert not kept(project) & ids(other)


def test_photos_that_are_gone_are_not_marked_and_none_is_an_error(project: Project) -> None:
    first, *_ = added = add(project, range(3), "one")
    project.delete_samples([first.id])
    with pytest.raises(NotFound):
        project.mark_test([first.id, 999], True)
    token = project.mark_test([added[1].id], True)
    assert kept(project) == ids(added[1:])
    project.undo(token)
    assert kept(project) == set()


def test_marking_is_taken_back_like_a_move(project: Project) -> None:
    already, *others = add(project, range(4), "one")
    project.mark_test([already.id], True, whole_recordings=False)
    token = project.mark_test([others[0].id], True)
    assert len(kept(project)) == 4
    project.undo(token)
    assert kept(project) == {already.id}, "what was kept before is still kept"
    with pytest.raises(NotFound):
        project.undo(token)


def test_undoing_a_mark_leaves_what_happened_since(project: Project) -> None:
    first, second, third = add(project, range(3), "one")
    token = project.mark_test([first.id], True)
    project.mark_test([second.id], False, whole_recordings=False)
    moved = project.move_samples([third.id], project.info().classes[1].id)
    deleted = project.delete_samples([first.id])
    project.undo(token)
    project.undo(deleted)
    project.undo(moved)
    assert kept(project) == set()


def test_a_moved_test_photo_stays_one(project: Project) -> None:
    (sample,) = add(project, range(1), test=True)
    project.move_samples([sample.id], project.info().classes[1].id)
    assert counts(project) == [(0, 0), (1, 1)]


def test_marks_survive_and_so_does_their_undo(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        added = add(project, range(2))
        token = project.mark_test([added[0].id], True)
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        assert kept(project) == ids(added)
        project.undo(token)
        assert kept(project) == set()


def test_counting_test_photos_uses_an_index(project: Project) -> None:
    add(project, range(2))
    seen: list[str] = []
    with project._database.change() as connection:
        connection.set_trace_callback(seen.append)
        try:
            classes.read(connection)
            samples.choose(connection, [1])
            samples.choose_recordings(connection)
        finally:
            connection.set_trace_callback(None)
        plans = [
            str(row)
            for sql in seen
            if "SELECT" in sql and "--" not in sql
            for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]
    assert any("samples_tests" in plan for plan in plans)
    assert any("samples_by_capture" in plan for plan in plans)


# How strict "not sure" is


def test_how_strict_not_sure_is_is_kept(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        assert project.info().unknown_below == UNKNOWN_BELOW
        before = project.info().updated
        project.set_unknown_below(0.2)
        assert project.info().updated > before
    with closing(ProjectStore(tmp_path)) as store:
        assert store.open(project.id).info().unknown_below == 0.2
        for value in (0, 0.5):
            store.open(project.id).set_unknown_below(value)
            assert store.list()[0].unknown_below == value


@pytest.mark.parametrize("value", [-0.01, 0.51, float("nan"), float("inf"), True, "0.1", None])
def test_a_limit_that_makes_no_sense_is_refused(project: Project, value: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        project.set_unknown_below(value)
    assert caught.value.key == "setting_unknown_below"
    assert project.info().unknown_below == UNKNOWN_BELOW


# Reports


def test_reports_are_kept_by_model_and_name(project: Project) -> None:
    reports, model, other = project.reports, "a" * 16, "b" * 16
    assert reports.read(model, "study") is None
    reports.sweep([])
    reports.write(model, "study", b"1")
    reports.write(model, "umap", b"2")
    reports.write(other, "study", b"3")
    assert (reports.read(model, "study"), reports.read(model, "umap")) == (b"1", b"2")
    reports.forget_others(model, ["study"])
    assert (reports.read(model, "study"), reports.read(model, "umap")) == (b"1", None)
    assert reports.read(other, "study") is None


@pytest.mark.parametrize(("model", "key"), [("../../../x", "study"), ("a" * 16, "../x"), ("a" * 16, ""), ("", "study")])
def test_a_report_never_becomes_another_path(project: Project, model: str, key: str) -> None:
    for call in (lambda: project.reports.read(model, key), lambda: project.reports.write(model, key, b"x")):
        with pytest.raises(NotFound):
            call()


def test_reports_about_models_that_are_gone_are_swept(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        project.reports.write("a" * 16, "study", b"debris")
        folder = project.folder / "report"
        (folder / f".{'a' * 16}.study.json.0123456789ab.new").write_text("debris")
        (folder / "notes.txt").write_text("mine")
        (folder / "mine.json").write_text("mine")
        with project._database.change() as connection:
            connection.execute("INSERT INTO models (id, record) VALUES (?, '{}')", ("b" * 16,))
        project.reports.write("b" * 16, "study", b"kept")
    with closing(ProjectStore(tmp_path)) as store:
        folder = store.open(project.id).folder / "report"
        assert {path.name for path in folder.iterdir()} == {"notes.txt", "mine.json", f"{'b' * 16}.study.json"}


def test_a_deleted_project_does_not_come_back_for_a_report(store: ProjectStore, project: Project) -> None:
    store.delete(project.id)
    with pytest.raises(FileNotFoundError):
        project.reports.write("a" * 16, "study", b"late")
    with pytest.raises((NotFound, sqlite3.Error)):
        project.mark_test([1], True)
