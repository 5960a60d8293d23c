"""A damaged database: whichever page of it is lost, no photo is."""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from making import photos

from teachable.errors import Conflict
from teachable.projects import Project, ProjectStore, about, salvage
from teachable.words import say

PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a project of 75 photos in three classes, cleanly closed."""
    home = tmp_path_factory.mktemp("whole")
    with closing(ProjectStore(home)) as store:
        project = store.create("Fruit")
        project.add_class("Pears")
        for place, one in enumerate(project.info().classes):
            project.add_photos(one.id, f"g{place}", photos(range(1000 * place, 1000 * place + 25)))
        project.delete_samples([project.all_samples()[0].id])
    return home


def copied(whole: Path, place: Path) -> Path:
    """A copy of the home; return the folder of its project. Nobody writes into a photo, so they can be shared."""
    shutil.copytree(whole, place, copy_function=lambda a, b: os.link(a, b) if a.endswith(".jpg") else shutil.copy(a, b))
    (folder,) = (place / "projects").iterdir()
    return folder


def opened(folder: Path) -> tuple[ProjectStore, Project]:
    store = ProjectStore(folder.parent.parent)
    return store, store.open(folder.name)


def hashes(folder: Path) -> set[str]:
    return {path.stem for path in (folder / about.SAMPLES).rglob("*.jpg")}


def test_a_sound_database_is_left_alone(whole: Path, tmp_path: Path) -> None:
    folder = copied(whole, tmp_path / "home")
    assert salvage.damage(folder / about.DATABASE) is None


def test_whichever_page_is_damaged_no_photo_is_lost(whole: Path, tmp_path: Path) -> None:
    (original,) = (whole / "projects").iterdir()
    pages = (original / about.DATABASE).stat().st_size // PAGE
    assert pages > 15
    there = hashes(original)
    chance = random.Random(0)
    with_names = 0
    for page in range(pages):
        folder = copied(whole, tmp_path / f"page{page}")
        database = folder / about.DATABASE
        data = bytearray(database.read_bytes())
        data[page * PAGE : (page + 1) * PAGE] = chance.randbytes(PAGE)
        database.write_bytes(data)
        if salvage.damage(database) is None:
            continue  # a page that nothing is on
        saved = salvage.rebuild(folder)
        assert salvage.damage(database) is None, page
        assert saved.kept.read_bytes() == data
        store, project = opened(folder)
        with closing(store):
            samples = project.all_samples()
            # The one that was deleted before may have come back with the row that said so.
            assert len({sample.sha256 for sample in samples}) >= 74, page
            assert {sample.sha256 for sample in samples} <= there
            labels = {one.name: one.samples for one in project.info().classes}
            with_names += labels.get("Pears", 0) == 25
            assert labels.get(say("note.recovered_class"), 0) in {saved.unplaced, saved.unplaced + 1}
            # It can be worked with again.
            added = project.add_photos(project.info().classes[0].id, "new", photos(range(9000, 9003)))
            assert len(added.added) == 3
        shutil.rmtree(tmp_path / f"page{page}")
    # Of most pages not even the class of a photo depends.
    assert with_names > pages // 2


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 500], ids=["gone", "empty", "nonsense"])
def test_without_any_database_all_photos_come_into_one_class(
    whole: Path, tmp_path: Path, content: bytes | None
) -> None:
    folder = copied(whole, tmp_path / "home")
    database = folder / about.DATABASE
    database.unlink()
    if content is not None:
        database.write_bytes(content)
    assert salvage.damage(database)
    saved = salvage.rebuild(folder)
    assert saved.photos == saved.unplaced == 75
    store, project = opened(folder)
    with closing(store):
        assert project.info().name == say("note.recovered_project")
        assert [(one.name, one.samples) for one in project.info().classes] == [(say("note.recovered_class"), 75)]


def test_a_disk_that_is_full_leaves_everything_as_it_was(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(whole, tmp_path / "home")
    database = folder / about.DATABASE
    database.write_bytes(b"nonsense")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(salvage, "copy_whole", full)
    with pytest.raises(Exception, match="full"):
        salvage.rebuild(folder)
    assert database.read_bytes() == b"nonsense"
    assert not [path for path in folder.iterdir() if path.name.endswith(".new")]


def test_what_was_only_in_the_log_is_saved_too(whole: Path, tmp_path: Path) -> None:
    """A killed program leaves its last commits in the log beside the database."""
    folder = copied(whole, tmp_path / "home")
    database = folder / about.DATABASE
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE project SET name = 'From the log'")
        connection.commit()
        log = database.with_name(database.name + "-wal").read_bytes()
        data = bytearray(database.read_bytes())
    assert log
    data[-PAGE:] = bytes(PAGE)
    database.write_bytes(data)
    database.with_name(database.name + "-wal").write_bytes(log)
    salvage.rebuild(folder)
    store, project = opened(folder)
    with closing(store):
        assert project.info().name == "From the log"
        assert len(project.all_samples()) >= 74


def test_mending_that_is_killed_on_the_way_is_gone_on_with(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(whole, tmp_path / "home")
    database, replace = folder / about.DATABASE, Path.replace
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE project SET name = 'From the log'")
        connection.commit()
        log = database.with_name(database.name + "-wal").read_bytes()
        data = database.read_bytes()
    database.write_bytes(data)
    database.with_name(database.name + "-wal").write_bytes(log)

    def killed(path: Path, target: Path) -> Path:
        if target == database:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        salvage.rebuild(folder)
    monkeypatch.undo()
    # The damaged one without its log may look sound; with it opened, photos that came last would be swept.
    with pytest.raises(Conflict), closing(ProjectStore(folder.parent.parent)) as store:
        store.open(folder.name)
    assert salvage.damage(database) is not None
    saved = salvage.rebuild(folder)
    assert (saved.photos, saved.unplaced, saved.kept.is_file()) == (75, 0, True)
    assert salvage.damage(database) is None
    store, project = opened(folder)
    with closing(store):
        assert project.info().name == "From the log"
        assert len(project.all_samples()) == 74
