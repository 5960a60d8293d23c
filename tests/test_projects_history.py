"""Undo and redo of every change of classes and photos: in any order, across restarts, for thirty days."""

import itertools
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from making import photos

from teachable.errors import Conflict, NotFound
from teachable.projects import Project, ProjectStore, actions, schema
from teachable.types import Sample, TrainSettings

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    with closing(ProjectStore(tmp_path)) as opened:
        yield opened


@pytest.fixture
def project(store: ProjectStore) -> Project:
    return store.create()


def add(project: Project, seeds: range, group: str = "g", place: int = 0) -> tuple[Sample, ...]:
    return project.add_photos(project.info().classes[place].id, group, photos(seeds)).added


def counts(project: Project) -> list[int]:
    return [info.samples for info in project.info().classes]


def state(project: Project) -> object:
    """All that undo and redo are about."""
    classes = [(one.id, one.name, one.color, one.disabled, one.samples, one.tests) for one in project.info().classes]
    return classes, [(one.id, one.class_id, one.group, one.test, one.sha256) for one in project.all_samples()]


def ids(samples: tuple[Sample, ...]) -> list[int]:
    return [sample.id for sample in samples]


# Every kind of change


def deleted(project: Project) -> None:
    project.delete_samples([sample.id for sample in project.all_samples()][:2])


def first(project: Project) -> str:
    return project.info().classes[0].id


CHANGES: dict[str, tuple[Callable[[Project], object], str]] = {
    "add a class": (lambda project: project.add_class("Fox"), "Class “Fox” added"),
    "rename": (lambda project: project.update_class(first(project), name="Cat"), "“Class 1” renamed to “Cat”"),
    "recolour": (lambda project: project.update_class(first(project), color="#123456"), "Colour of “Class 1” changed"),
    "reorder": (lambda project: project.update_class(first(project), position=2), "“Class 1” moved to another place"),
    "disable": (lambda project: project.update_class(first(project), disabled=True), "“Class 1” left out of training"),
    "several": (lambda project: project.update_class(first(project), name="X", position=1), "Class “Class 1” changed"),
    "delete a class": (lambda project: project.delete_class(first(project)), "Class “Class 1” deleted"),
    "add photos": (lambda project: add(project, range(50, 53), "new"), "3 photos added to “Class 1”"),
    "delete photos": (deleted, "2 photos deleted from “Class 1”"),
    "delete of two": (
        lambda project: project.delete_samples([one.id for one in project.all_samples()][::5]),
        "2 photos deleted",
    ),
    "clear": (lambda project: project.clear_class(first(project)), "4 photos deleted from “Class 1”"),
    "move": (
        lambda project: project.move_samples([1], project.info().classes[1].id),
        "1 photo moved to “Class 2”",
    ),
    "keep for testing": (lambda project: project.mark_test([1], True), "4 photos kept for testing"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_taken_back_and_done_again_after_restarts(tmp_path: Path, change: str) -> None:
    act, text = CHANGES[change]
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        project.add_class()
        add(project, range(4))
        add(project, range(10, 12), "other", 1)
        before = state(project)
        act(project)
        after = state(project)
        told = project.info().undo
        assert told is not None
        assert told.text == text
        assert after != before
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        assert state(project) == after
        assert project.undo() == told
        assert state(project) == before
        assert project.info().redo == told
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        assert state(project) == before
        assert project.redo() == told
        assert state(project) == after
        assert project.info().redo is None
        project.undo(told.token)
        assert state(project) == before


def test_enabling_and_unmarking_have_words_of_their_own(project: Project) -> None:
    add(project, range(2))
    project.update_class(first(project), disabled=True)
    project.update_class(first(project), disabled=False)
    assert project.undo().text == "“Class 1” takes part in training again"
    project.mark_test([1, 2], True)
    project.mark_test([1], False, whole_recordings=False)
    assert project.undo().text == "1 photo used for training again"


def random_change(project: Project, dice: random.Random, seed: int) -> None:
    """Do one of all things, if it can be done."""
    info = project.info()
    every = [sample.id for sample in project.all_samples()]
    some = dice.sample(every, min(len(every), dice.randint(1, 3)))
    one = dice.choice(info.classes).id if info.classes else ""
    changes: list[Callable[[], object]] = [
        lambda: project.add_class(),
        lambda: project.add_photos(one, f"g{seed // 3}", photos(range(seed % 7, seed % 7 + 2))),
        lambda: project.add_photos(one, f"g{seed}", photos(range(seed % 5, seed % 5 + 3))),
        lambda: project.update_class(one, name=dice.choice("ABCDEF")),
        lambda: project.update_class(one, color=f"#{dice.randrange(16**6):06x}", disabled=dice.random() < 0.5),
        lambda: project.update_class(one, position=dice.randrange(max(1, len(info.classes)))),
        lambda: project.delete_class(one),
        lambda: project.delete_samples(some),
        lambda: project.clear_class(one),
        lambda: project.move_samples(some, one),
        lambda: project.mark_test(some, dice.random() < 0.5, whole_recordings=dice.random() < 0.5),
    ]
    with suppress(NotFound, Conflict):  # there is no such class or photo, or the name is taken: nothing was done
        dice.choice(changes)()


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_goes_all_the_way_back_and_forth(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    states: list[tuple[str, object]] = []
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        start = state(project)
        for turn in range(60):
            random_change(project, dice, turn)
            token = project.info().undo
            if token is not None and (not states or states[-1][0] != token.token):
                states.append((token.token, state(project)))
            elif states:
                states[-1] = (states[-1][0], state(project))  # it went on with the last one
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        expected = [start, *(found for _, found in states)]
        assert len(expected) > 10
        for before in reversed(expected[:-1]):
            project.undo()
            assert state(project) == before
        with pytest.raises(NotFound) as nothing:
            project.undo()
        assert nothing.value.key == "undo_nothing"
        for after in expected[1:]:
            project.redo()
            assert state(project) == after
        with pytest.raises(NotFound) as over:
            project.redo()
        assert over.value.key == "redo_nothing"
        with project._database.read() as connection:
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# What belongs together


def test_batches_of_one_recording_are_one_change(project: Project) -> None:
    results = [project.add_photos(first(project), "press", photos(range(start, start + 3))) for start in range(0, 9, 3)]
    assert len({result.undo for result in results}) == 1
    change = project.undo()
    assert (change.text, change.token) == ("9 photos added to “Class 1”", results[0].undo)
    assert counts(project) == [0, 0]
    project.redo()
    assert counts(project) == [9, 0]


@pytest.mark.parametrize("between", ["another group", "another class", "another change", "undo", "restart"])
def test_what_lies_between_keeps_batches_apart(tmp_path: Path, between: str) -> None:
    store = ProjectStore(tmp_path)
    try:
        project = store.create()
        add(project, range(2), "press")
        if between == "restart":
            store.close()
            store = ProjectStore(tmp_path)
            project = store.open(project.id)
        elif between == "another change":
            project.add_class()
        elif between == "undo":
            add(project, range(30, 31), "other")
            add(project, range(32, 34), "press")
            project.undo()
        group, place = ("other", 0) if between == "another group" else ("press", int(between == "another class"))
        add(project, range(4, 6), group, place)
        assert project.undo().text.startswith("2 photos added" if between != "undo" else "2 photos")
        assert sum(counts(project)) == (3 if between == "undo" else 2)
    finally:
        store.close()


def test_nothing_new_is_nothing_to_undo(project: Project) -> None:
    add(project, range(2))
    before = project.info().undo
    assert project.add_photos(first(project), "again", photos(range(2))).undo is None
    project.update_class(first(project), name="Class 1")
    token = project.move_samples([1], first(project))
    assert project.info().undo == before
    project.undo(token)
    with pytest.raises(NotFound):
        project.undo(token)
    assert counts(project) == [2, 0]


def test_a_new_change_ends_what_could_be_done_again(project: Project) -> None:
    add(project, range(2))
    project.clear_class(first(project))
    project.undo()
    project.update_class(first(project), name="Class 1")  # changes nothing, and so ends nothing
    assert project.info().redo is not None
    project.add_class()
    assert project.info().redo is None
    with pytest.raises(NotFound):
        project.redo()


def test_an_import_is_one_change_whatever_happens_in_between(project: Project) -> None:
    before = state(project)
    token = project.begin("imported")
    assert project.info().undo is None
    new = project.add_class("Imported", action=token).id
    project.add_photos(new, "one", photos(range(3)), action=token)
    gone = project.delete_samples([1])
    project.add_photos(first(project), "two", photos(range(3, 5)), action=token)
    project.undo(gone)
    change = project.undo(token)
    assert (change.text, change.token) == ("5 photos imported", token)
    assert state(project) == before
    with pytest.raises(Conflict) as caught:
        project.add_photos(first(project), "three", photos(range(9, 10)), action=token)
    assert caught.value.key == "import_undone"
    assert state(project) == before
    project.redo()
    assert counts(project) == [2, 0, 3]


def test_undoing_an_import_keeps_a_class_with_photos_of_others(project: Project) -> None:
    token = project.begin("imported")
    new = project.add_class("Imported", action=token).id
    project.add_photos(new, "one", photos(range(3)), action=token)
    mine = project.add_photos(new, "mine", photos(range(10, 12))).added
    project.undo(token)
    assert [one.name for one in project.info().classes] == ["Class 1", "Class 2", "Imported"]
    assert project.all_samples() == mine


def test_photos_never_come_back_into_a_class_that_nobody_sees(project: Project) -> None:
    third = project.add_class().id
    told = project.info().undo
    project.add_photos(third, "g", photos(range(2)))
    gone = project.clear_class(third)
    assert told is not None
    project.undo(told.token)
    assert len(project.info().classes) == 2
    with pytest.raises(Conflict) as caught:
        project.undo(gone)
    assert caught.value.key == "undo_class_gone"


@pytest.mark.parametrize("what", ["delete", "move", "mark", "clear"])
def test_many_photos_take_no_more_statements_than_two(project: Project, what: str) -> None:
    one, two = (info.id for info in project.info().classes)
    with project._database.change() as connection:
        query = "INSERT INTO samples (class_id, sha256, source, capture, width, height, created)"
        query += " VALUES (?, ?, ?, ?, 1, 1, 1)"
        connection.executemany(query, [(one, f"{n:064x}", f"{n:064x}", f"g{n // 9}") for n in range(5000)])
    acts: dict[str, Callable[[list[int]], object]] = {
        "delete": project.delete_samples,
        "move": lambda chosen: project.move_samples(chosen, two),
        "mark": lambda chosen: project.mark_test(chosen, True),
        "clear": lambda chosen: project.clear_class(one),
    }
    taken = []
    for chosen in (list(range(1, 3)), list(range(1, 5001))):
        seen: list[str] = []
        project._database._writer.set_trace_callback(seen.append)
        acts[what](chosen)
        project.undo()
        project._database._writer.set_trace_callback(None)
        taken.append(len(set(seen)))  # a statement is told again for each row that a trigger notes down
    assert taken[0] == taken[1] < 80
    assert counts(project) == [5000, 0]


# Names


def test_names_that_were_swapped_are_swapped_back(project: Project) -> None:
    one, two = (info.id for info in project.info().classes)
    with project._database.change() as connection, actions.recorded(connection, "s", "restored", {"number": 2}):
        for class_id, name in ((one, "tmp"), (two, "Class 1"), (one, "Class 2")):
            query = "UPDATE classes SET name = ?, name_key = ? WHERE id = ?"
            connection.execute(query, (name, name.casefold(), class_id))
    after = state(project)
    assert project.undo().text == "Went back to version 2"
    assert [one.name for one in project.info().classes] == ["Class 1", "Class 2"]
    project.redo()
    assert state(project) == after


def test_a_name_taken_meanwhile_gets_a_number(project: Project) -> None:
    one, two = (info.id for info in project.info().classes)
    project.update_class(one, name="Cat")
    told = project.info().undo
    assert told is not None
    project.update_class(two, name="class 1")
    project.undo(told.token)
    assert [info.name for info in project.info().classes] == ["Class 1 (2)", "class 1"]
    project.redo()
    assert [info.name for info in project.info().classes] == ["Cat", "class 1"]


def test_settings_and_what_was_made_by_an_action_go_and_come(project: Project) -> None:
    with project._database.change() as connection, actions.recorded(connection, "s", "restored", {"number": 1}):
        text = json.dumps({"epochs": 7})
        connection.execute("UPDATE project SET settings = ?", (text,))
    project.undo()
    assert project.info().settings == TrainSettings()
    project.redo()
    assert project.info().settings == TrainSettings(epochs=7)
    project.save_settings(TrainSettings(epochs=9))
    project.undo()
    assert project.info().settings == TrainSettings(epochs=9), "what was set since stays"


# For thirty days


def age(project_folder: Path, days: float, where: str = "1") -> None:
    with closing(sqlite3.connect(project_folder / "project.sqlite", isolation_level=None)) as connection:
        connection.execute(f"UPDATE actions SET created = created - ? WHERE {where}", (days * DAY,))


def rows(project: Project) -> dict[str, int]:
    with project._database.read() as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        tables = ("actions", "sample_edits", "class_edits", "samples", "classes")
        return {table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables}


def stored(project: Project) -> set[str]:
    return {path.stem for path in (project.folder / "samples").rglob("*.jpg")}


def test_after_thirty_days_what_was_removed_is_gone_for_good(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        third = project.add_class().id
        old, *_ = add(project, range(5))
        project.add_photos(third, "third", photos(range(20, 23)))
        tokens = [project.delete_samples([old.id]), project.delete_class(third)]
        recent = project.delete_samples([old.id + 1])
    age(project.folder, 31, f"token != '{recent}'")
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        for token in tokens:
            with pytest.raises(NotFound) as caught:
                project.undo(token)
            assert caught.value.key == "undo_over"
        assert len(stored(project)) == 4
        assert rows(project) == {"actions": 1, "sample_edits": 1, "class_edits": 0, "samples": 4, "classes": 2}
        project.undo(recent)
        assert counts(project) == [4, 0]


def test_at_most_five_hundred_changes_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "KEPT", 5)
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        for number in range(9):
            project.update_class(first(project), name=f"Name {number}")
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        assert rows(project)["actions"] == 5
        for _ in range(5):
            project.undo()
        assert project.info().classes[0].name == "Name 3"
        assert project.info().undo is None


def test_what_cannot_be_done_again_goes_when_the_project_is_next_opened(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        add(project, range(3))
        project.undo()
        assert len(stored(project)) == 3
        project.add_class()
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        assert stored(project) == set()
        assert rows(project)["samples"] == 0


def test_a_clock_that_was_set_back_makes_nothing_look_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        add(project, range(3))
        with monkeypatch.context() as patch:
            patch.setattr("time.time", lambda: 1000.0)
            token = project.clear_class(first(project))
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        project.undo(token)
        assert counts(project) == [3, 0]


def test_what_a_forgotten_change_removed_and_a_kept_one_brought_back_stays(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        add(project, range(2))
        token = project.delete_samples([1])
        with project._database.change() as connection, actions.recorded(connection, "s", "restored", {"number": 1}):
            connection.execute("UPDATE samples SET removal = NULL WHERE id = 1")
        project.delete_class(project.info().classes[1].id)
        project.undo()
        project.undo()  # the photo is removed again, by the first
    age(project.folder, 31, f"token = '{token}' OR id < 2")
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project.id)
        assert counts(project) == [1, 0]
        project.redo()
        assert counts(project) == [2, 0]
        project.undo()
        assert counts(project) == [1, 0]


def test_a_photo_that_was_sent_again_meanwhile_is_there_when_both_are_taken_back(project: Project) -> None:
    (sample,) = add(project, range(1))
    token = project.delete_samples([sample.id])
    add(project, range(1), "again")
    project.undo(token)
    assert counts(project) == [1, 0]
    project.update_class(first(project), name="Other")
    project.undo()
    project.undo()  # sending it again is taken back, deleting it was
    assert ids(project.all_samples()) == [sample.id]
    project.redo()
    assert counts(project) == [1, 0]


def test_doing_again_leaves_the_photo_that_was_sent_again(project: Project) -> None:
    (sample,) = add(project, range(1))
    token = project.delete_samples([sample.id])
    (again,) = add(project, range(1), "again")
    project.undo(token)
    project.undo()
    project.redo()
    project.redo()
    assert ids(project.all_samples()) == [again.id]


def test_a_photo_deleted_twice_stays_deleted(project: Project) -> None:
    (sample,) = add(project, range(1))
    token = project.delete_samples([sample.id])
    (again,) = add(project, range(1), "again")
    project.undo(token)
    project.delete_samples([again.id])
    project.undo()
    project.redo()
    assert counts(project) == [0, 0]


def tick(counter: "itertools.count[int]") -> None:
    next(counter)


def test_forgetting_costs_in_step_with_the_photos(tmp_path: Path) -> None:
    steps = {}
    for count in (500, 2000):
        with closing(ProjectStore(tmp_path / str(count))) as store, store.create()._database.change() as connection:
            (class_id,) = connection.execute("SELECT id FROM classes LIMIT 1").fetchone()
            rows = ((class_id, f"{number:064x}", f"{number:064x}", number) for number in range(count))
            connection.executemany(
                "INSERT INTO samples (class_id, sha256, source, capture, width, height, created)"
                " VALUES (?, ?, ?, 'g', 1, 1, ?)",
                rows,
            )
            with actions.recorded(connection, "s", "deleted", {"count": count, "name": None}) as removed:
                connection.execute("UPDATE samples SET removal = ?", (removed.id,))
            with actions.recorded(connection, "s", "restored", {"number": 1}):
                connection.execute("UPDATE samples SET removal = NULL")
            actions.undo(connection)
            connection.execute("UPDATE actions SET created = 0 WHERE id = ?", (removed.id,))
            counter = itertools.count()
            connection.set_progress_handler(partial(tick, counter), 100)
            actions.purge(connection)
            connection.set_progress_handler(None, 0)
            steps[count] = next(counter)
    assert steps[2000] < 6 * steps[500]


# From before there was a history


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_project_of_every_earlier_version_keeps_what_was_removed(tmp_path: Path, version: int) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        folder = store.create().folder
    (folder / "project.sqlite").unlink()
    with closing(sqlite3.connect(folder / "project.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
            " applied TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
        for number, migration in enumerate(schema.MIGRATIONS[:version], 1):
            for statement in migration.statements:
                connection.execute(statement)
            connection.execute("INSERT INTO migrations (number, name) VALUES (?, ?)", (number, migration.name))
        connection.executescript(OLD_ROWS)
        if version == 4:
            connection.executescript(OLD_MARKS)
        connection.execute(f"PRAGMA user_version = {version}")
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(folder.name)
        tests = int(version == 4)
        assert [(one.name, one.samples, one.tests) for one in project.info().classes] == [("Cat", 2, tests)]
        told = project.info().undo
        assert told is not None
        assert told.text == "An earlier change"
        if version == 4:
            project.undo("marked")
        with pytest.raises(Conflict):
            project.undo("moved")  # the class it came from is gone
        for token in ("removed", "gone", "moved"):
            project.undo(token)
        found = {one.name: one for one in project.info().classes}
        assert (found["Cat"].samples, found["Dog"].samples, found["Cat"].tests) == (2, 1, 0)
        assert rows(project)["samples"] == 3


OLD_ROWS = """
INSERT INTO project (only, name, created, updated, settings) VALUES (1, 'Old', 1.0, 2.0, '{}');
INSERT INTO removals VALUES (1, 'removed', 's', 1.0), (2, 'moved', 's', 1.0), (3, 'gone', 's', 1.0);
UPDATE removals SET created = CAST(strftime('%s', 'now') AS REAL);
INSERT INTO classes VALUES ('aaaaaaaaaaaaaaaa', 'Cat', 'cat', '#E67701', 0, 0, NULL),
    ('bbbbbbbbbbbbbbbb', 'Dog', 'dog', '#D84C6F', 1, 0, 3);
INSERT INTO samples (class_id, sha256, source, capture, width, height, created, removal) VALUES
    ('aaaaaaaaaaaaaaaa', 'x', 'x', 'g', 1, 1, 1.0, NULL), ('aaaaaaaaaaaaaaaa', 'y', 'y', 'g', 1, 1, 1.0, 1),
    ('aaaaaaaaaaaaaaaa', 'z', 'z', 'g', 1, 1, 1.0, NULL);
INSERT INTO moves VALUES (2, 3, 'bbbbbbbbbbbbbbbb', 'aaaaaaaaaaaaaaaa');
"""

OLD_MARKS = """
INSERT INTO removals SELECT 4, 'marked', 's', created FROM removals WHERE id = 1;
UPDATE samples SET test = 1 WHERE id = 1;
INSERT INTO marks VALUES (4, 1, 1);
"""
