"""Looking after a home folder: what is found, what is mended, and that nothing is lost on the way."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from commanding import teachable
from making import photos

from teachable import home_lock, repair
from teachable.errors import Conflict
from teachable.projects import ProjectStore, about
from teachable.words import say


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create("Fruit")
        for place, one in enumerate(project.info().classes):
            project.add_photos(one.id, f"g{place}", photos(range(100 * place, 100 * place + 5)))
    return tmp_path


@pytest.fixture
def folder(home: Path) -> Path:
    (found,) = (home / "projects").iterdir()
    return found


def files(folder: Path) -> list[Path]:
    return sorted((folder / about.SAMPLES).rglob("*.jpg"))


def kinds(home: Path, *, mend: bool = False) -> list[tuple[str, bool]]:
    return [(one.kind, one.mended is not None) for one in repair.examine(home, mend=mend)]


def count(home: Path, folder: Path) -> int:
    with closing(ProjectStore(home)) as store:
        return len(store.open(folder.name).all_samples())


def test_a_healthy_home_is_told_so(home: Path) -> None:
    assert kinds(home) == []
    said = teachable("doctor", "--home", home)
    assert said.exit_code == 0
    assert say("cli.doctor.well") in said.output


def test_a_damaged_database_is_found_and_mended(home: Path, folder: Path) -> None:
    (folder / about.DATABASE).write_bytes(b"nonsense" * 1000)
    found = teachable("doctor", "--home", home)
    assert found.exit_code == 1
    assert "--mend" in found.output
    mended = teachable("doctor", "--home", home, "--mend")
    assert mended.exit_code == 0, mended.output
    assert "10 photos" in mended.output
    assert teachable("doctor", "--home", home).exit_code == 0
    assert count(home, folder) == 10


def test_a_photo_that_is_gone_comes_back_from_another_project(home: Path, folder: Path) -> None:
    with closing(ProjectStore(home)) as store:
        other = store.create("Copy")
        other.add_photos(other.info().classes[0].id, "g", photos(range(5)))
    lost = next(path for path in files(folder) if (other.folder / path.relative_to(folder)).exists())
    data = lost.read_bytes()
    lost.unlink()
    assert kinds(home) == [("photos", False)]
    assert kinds(home, mend=True) == [("photos", True)]
    assert lost.read_bytes() == data
    assert kinds(home) == []
    assert count(home, folder) == 10


def test_a_photo_that_is_nowhere_is_taken_off_the_list_and_can_come_back(home: Path, folder: Path) -> None:
    lost = files(folder)[3]
    data = lost.read_bytes()
    lost.unlink()
    with closing(ProjectStore(home)) as store:
        before = store.open(folder.name).info().classes
    (ailment,) = repair.examine(home, mend=True)
    assert any(one.name in ailment.text for one in before)
    assert count(home, folder) == 9
    assert kinds(home) == []
    lost.write_bytes(data)
    with closing(ProjectStore(home)) as store:
        project = store.open(folder.name)
        project.undo(None)
        assert len(project.all_samples()) == 10
    assert kinds(home) == []


def test_a_photo_that_cannot_be_read_is_set_aside(home: Path, folder: Path) -> None:
    broken = files(folder)[0]
    broken.write_bytes(b"\xff\xd8\xff and then nothing")
    assert kinds(home) == [("photos", False)]
    assert kinds(home, mend=True) == [("photos", True)]
    assert (folder / repair.DAMAGED / broken.name).read_bytes() == b"\xff\xd8\xff and then nothing"
    assert kinds(home) == []
    assert count(home, folder) == 9


def test_a_photo_with_other_bytes_that_can_be_seen_stays(home: Path, folder: Path) -> None:
    changed = files(folder)[0]
    changed.write_bytes(changed.read_bytes() + b"\0")
    assert kinds(home, mend=True) == [("altered", False)]
    assert count(home, folder) == 10


def test_a_damaged_cache_is_removed(home: Path, folder: Path) -> None:
    cache = folder / f"embeddings-{'0' * 16}.sqlite"
    cache.write_bytes(b"nonsense" * 1000)
    assert kinds(home) == [("cache", False)]
    assert kinds(home, mend=True) == [("cache", True)]
    assert not cache.exists()


def test_a_clock_that_was_ahead_is_told_and_nothing_is_changed(home: Path, folder: Path) -> None:
    with closing(sqlite3.connect(folder / about.DATABASE)) as connection:
        connection.execute("UPDATE project SET updated = ?", (time.time() + 400 * 86_400,))
        connection.commit()
    assert kinds(home, mend=True) == [("clock", False)]
    assert count(home, folder) == 10


def test_a_project_of_a_newer_version_is_left_alone(home: Path, folder: Path) -> None:
    with closing(sqlite3.connect(folder / about.DATABASE)) as connection:
        connection.execute("PRAGMA user_version = 999")
    data = (folder / about.DATABASE).read_bytes()
    assert kinds(home, mend=True) == [("newer", False)]
    assert (folder / about.DATABASE).read_bytes() == data


def test_little_room_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "LEAST_FREE", 2**60)
    assert kinds(home) == [("disk", False)]


def test_a_running_server_is_not_disturbed(home: Path) -> None:
    with home_lock.held(home, "http://127.0.0.1:7860"):
        said = teachable("doctor", "--home", home, "--mend")
    assert said.exit_code == 2
    assert "7860" in said.output


def test_nothing_is_mended_under_another_program(home: Path, folder: Path) -> None:
    with closing(ProjectStore(home)) as store:
        store.open(folder.name)
        assert kinds(home) == []
        with pytest.raises(Conflict) as caught:
            kinds(home, mend=True)
        assert caught.value.key == "project_busy"
    assert kinds(home, mend=True) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nobody is kept from writing there")
def test_a_home_that_cannot_be_written_is_told(home: Path) -> None:
    home.chmod(0o500)
    try:
        said = teachable("doctor", "--home", home)
    finally:
        home.chmod(0o700)
    assert said.exit_code == 2
    assert str(home) in said.output
