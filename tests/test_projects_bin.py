"""The bin: deleted projects are kept whole for thirty days, whatever the clock does, and then they are gone."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from making import photos

from teachable.errors import NotFound, StorageFull
from teachable.projects import Project, ProjectStore

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    with closing(ProjectStore(tmp_path)) as opened:
        yield opened


def filled(store: ProjectStore, name: str = "Fruit") -> Project:
    project = store.create(name)
    project.add_photos(project.info().classes[0].id, "g", photos(range(3)))
    return project


def binned(home: Path) -> list[Path]:
    return [path for path in (home / "trash").iterdir() if path.is_dir()]


def test_a_deleted_project_comes_back_after_restarts(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = filled(store)
        before, took = project.info(), store.size(project.id)
        token = store.delete(project.id)
    with closing(ProjectStore(tmp_path)) as store:
        (found,) = store.bin()
        assert (found.id, found.name, found.photos) == (token, "Fruit", 3)
        assert abs(found.deleted - time.time()) < 60
        assert abs(found.bytes - took) < 200_000  # the write-ahead log went into the database
        assert store.list() == ()
    with closing(ProjectStore(tmp_path)) as store:
        assert store.restore(token).info() == before
        assert store.bin() == ()
        assert binned(tmp_path) == []
        for call in (store.restore, store.empty_bin):
            with pytest.raises(NotFound) as caught:
                call(token)
            assert caught.value.key == "bin_gone"


@pytest.mark.parametrize("name", ["", "..", "../projects", "a" * 32, "clock.json", "\ud800" * 32, "A" * 32])
def test_nothing_else_is_ever_taken_for_a_deleted_project(store: ProjectStore, name: str) -> None:
    store.delete(filled(store).id)
    for call in (store.restore, store.empty_bin):
        with pytest.raises(NotFound):
            call(name)
    assert len(store.bin()) == 1


def test_the_bin_is_emptied_one_by_one_or_at_once(tmp_path: Path, store: ProjectStore) -> None:
    tokens = [store.delete(filled(store, f"Project {number}").id) for number in range(3)]
    assert [one.name for one in store.bin()] == ["Project 2", "Project 1", "Project 0"]
    assert store.empty_bin(tokens[1]) > 0
    assert [one.id for one in store.bin()] == [tokens[2], tokens[0]]
    expected = sum(one.bytes for one in store.bin())
    assert store.empty_bin() == expected
    assert store.bin() == ()
    assert binned(tmp_path) == []
    assert store.empty_bin() == 0


@pytest.mark.parametrize(("days", "left"), [(29.9, 1), (30.1, 0)])
def test_after_thirty_days_a_project_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float, left: int
) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        store.delete(filled(store).id)
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: now + days * DAY)
        with closing(ProjectStore(tmp_path)) as store:
            assert len(store.bin()) == left
    assert len(binned(tmp_path)) == left


def test_a_clock_that_was_set_back_never_empties_the_bin_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = filled(store)
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: 1000.0)  # an empty battery
        with closing(ProjectStore(tmp_path)) as store:
            store.delete(project.id)
    for _ in range(2):
        with closing(ProjectStore(tmp_path)) as store:  # the clock is right again
            assert [one.name for one in store.bin()] == ["Fruit"]


def test_nothing_is_emptied_while_another_session_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        token = store.delete(filled(store).id)
        now = time.time()
        monkeypatch.setattr("time.time", lambda: now + 40 * DAY)
        with closing(ProjectStore(tmp_path)) as other:
            assert [one.id for one in other.bin()] == [token]
        assert store.restore(token).info().name == "Fruit"


def test_what_a_killed_process_left_in_the_bin_is_swept(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        token = store.delete(filled(store).id)
    half = tmp_path / "trash" / ("b" * 32)
    half.mkdir()
    (half / "deleted.json").write_text("{}")
    doomed = tmp_path / "trash" / f".{'c' * 32}"
    (doomed / "x").mkdir(parents=True)
    with closing(ProjectStore(tmp_path)) as store:
        assert [one.id for one in store.bin()] == [token]
    assert [path.name for path in binned(tmp_path)] == [token]


@pytest.mark.parametrize("note", [None, "", "[]", "{}", '{"format_version": 9}', '{"format_version": 1, "name": 5}'])
def test_a_project_whose_note_is_lost_can_still_be_brought_back(tmp_path: Path, note: str | None) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        token = store.delete(filled(store).id)
    path = tmp_path / "trash" / token / "deleted.json"
    path.unlink() if note is None else path.write_text(note)
    (tmp_path / "trash" / "clock.json").write_text("damaged")
    with closing(ProjectStore(tmp_path)) as store:
        (found,) = store.bin()
        assert (found.id, found.name) == (token, "A project that cannot be read")
        assert store.restore(token).info().name == "Fruit"


def test_a_project_deleted_by_an_earlier_version_is_found(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = filled(store)
    place = tmp_path / "trash" / "0123456789abcdef"
    place.mkdir()
    project.folder.replace(place / project.id)
    with closing(ProjectStore(tmp_path)) as store:
        assert [one.id for one in store.bin()] == [place.name]
        assert store.restore(place.name).info().name == "Fruit"


def test_a_full_disk_keeps_a_project_where_it_is(
    store: ProjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = filled(store)
    before = project.info()

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("teachable.projects.files._write_synced", no_space)
        with pytest.raises(StorageFull):
            store.delete(project.id)
    assert store.open(project.id).info() == before
    assert binned(tmp_path) == []


def test_notes_say_what_they_are(tmp_path: Path, store: ProjectStore) -> None:
    token = store.delete(filled(store).id)
    note = json.loads((tmp_path / "trash" / token / "deleted.json").read_bytes())
    assert note["format_version"] == 1
    assert {path.name for path in (tmp_path / "trash").iterdir()} == {"clock.json", token}


def test_photos_sent_to_a_project_that_another_process_deleted_are_refused(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store, closing(ProjectStore(tmp_path)) as other:
        project = filled(store)
        before = project.info()
        token = other.delete(project.id)
        with pytest.raises(NotFound) as caught:
            project.add_photos(before.classes[0].id, "g", photos(range(10, 13)))
        assert caught.value.key == "project_unknown"
        assert not project.folder.exists()
        assert [one.samples for one in other.restore(token).info().classes] == [3, 0]


def test_a_project_comes_back_although_a_folder_of_its_name_is_there(store: ProjectStore) -> None:
    project = filled(store)
    token = store.delete(project.id)
    (project.folder / "samples").mkdir(parents=True)
    restored = store.restore(token)
    assert restored.id != project.id
    assert len(restored.all_samples()) == 3


def test_deleting_that_fails_late_takes_nothing_away(store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    project, replace = filled(store), Path.replace

    def replaced(path: Path, target: Path) -> Path:
        found = replace(path, target)
        if path == project.folder:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(Path, "replace", replaced)
    with pytest.raises(KeyboardInterrupt):
        store.delete(project.id)
    monkeypatch.undo()
    (found,) = store.bin()
    assert len(store.restore(found.id).all_samples()) == 3
