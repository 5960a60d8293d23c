"""What must not be lost: killed processes, full disks, many threads and processes, older and newer schemas."""

import errno
import hashlib
import io
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from aging import old_project

from teachable.errors import Conflict, InstallationError, NotFound, StorageFull
from teachable.images import load
from teachable.projects import Project, ProjectStore, files, schema
from teachable.types import TrainSettings


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    with closing(ProjectStore(tmp_path)) as opened:
        yield opened


def photo(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def batch(*seeds: int) -> list[tuple[str, bytes]]:
    return [(f"{seed}.jpg", photo(seed)) for seed in seeds]


def on_disk(project: Project) -> set[str]:
    """Names of all files under samples/ and models/."""
    return {
        path.name for part in ("samples", "models") for path in (project.folder / part).rglob("*") if path.is_file()
    }


def require_sound(project: Project) -> None:
    """Every row has its photo, every file its row, and the database is in order."""
    samples = project.all_samples()
    for sample in samples:
        path = project.photo_file(sample.sha256)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sample.sha256
        assert load(path).shape == (sample.height, sample.width, 3)
    assert {name for name in on_disk(project) if not name.endswith(".onnx")} == {f"{s.sha256}.jpg" for s in samples}
    with project._database.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


# Killed

CHILD = """
import io, json, os, signal, sys
from pathlib import Path
import numpy as np, PIL.Image
import teachable.projects.files, teachable.projects.project, teachable.projects.samples
from teachable.projects import ProjectStore

home, project_id, class_id, target, calls = sys.argv[1:]

if target:  # die by SIGKILL at the given call of one function
    module_name, _, name = target.rpartition(".")
    owner = Path if module_name == "Path" else sys.modules[module_name]
    original, left = getattr(owner, name), [int(calls)]

    def deadly(*args, **named):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **named)

    setattr(owner, name, deadly)

project = ProjectStore(Path(home)).open(project_id)
seed = 0
while True:
    photos = []
    for _ in range(4):
        seed += 1
        pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
        stream = io.BytesIO()
        PIL.Image.fromarray(pixels).save(stream, "JPEG")
        photos.append((f"{seed}.jpg", stream.getvalue()))
    added = project.add_photos(class_id, f"press {seed}", photos).added
    print(json.dumps([sample.sha256 for sample in added]), flush=True)
"""


def run_child(home: Path, project_id: str, class_id: str, *deadly: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD, str(home), project_id, class_id, *(deadly or ("", "0"))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def empty_project(home: Path) -> tuple[str, str]:
    with closing(ProjectStore(home)) as store:
        project = store.create()
        return project.id, project.info().classes[0].id


@pytest.mark.parametrize("lines", random.Random(4).sample(range(1, 40), 4))
def test_sigkill_loses_nothing_that_was_acknowledged(tmp_path: Path, lines: int) -> None:
    project_id, class_id = empty_project(tmp_path)
    with run_child(tmp_path, project_id, class_id) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        told += child.stdout.readlines()
    acknowledged = {sha256 for line in told if line.endswith("\n") for sha256 in json.loads(line)}
    assert len(acknowledged) >= 4 * lines
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project_id)
        assert acknowledged <= {sample.sha256 for sample in project.all_samples()}
        require_sound(project)
        assert project.add_photos(class_id, "after", batch(10**6)).added


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="SIGKILL is a matter of Unix")
@pytest.mark.parametrize(
    ("moment", "calls", "committed"),
    [
        ("teachable.projects.files._write_synced", 3, 0),  # one temporary file is there
        ("Path.replace", 4, 0),  # two photos have their names, no row has been written
        ("teachable.projects.samples.insert", 1, 0),  # all photos, no row
        ("teachable.projects.samples.insert", 4, 12),
        ("teachable.projects.files.sync_folder", 3, 0),
    ],
)
def test_sigkill_at_the_worst_moments_leaves_no_debris(tmp_path: Path, moment: str, calls: int, committed: int) -> None:
    project_id, class_id = empty_project(tmp_path)
    with run_child(tmp_path, project_id, class_id, moment, str(calls)) as child:
        assert child.stdout is not None
        told = [sha256 for line in child.stdout for sha256 in json.loads(line)]
    assert child.returncode == -9
    assert len(told) == committed
    debris = [path for path in (tmp_path / "projects" / project_id / "samples").rglob("*") if path.is_file()]
    assert len(debris) > committed  # there is something to sweep
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project_id)
        assert {sample.sha256 for sample in project.all_samples()} == set(told)
        require_sound(project)


def test_files_of_others_are_not_swept(tmp_path: Path) -> None:
    project_id, class_id = empty_project(tmp_path)
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project_id)
        (sample,) = project.add_photos(class_id, "g", batch(1)).added
        folder = project.photo_file(sample.sha256).parent
    (folder / "notes.txt").write_text("mine")
    (folder / f".{sample.sha256}.jpg.0123456789ab.new").write_text("debris")
    (folder / f"{'0' * 64}.jpg").write_text("debris")
    (project.folder / "models" / "orphan-model.onnx").write_text("debris")
    (project.folder / "clean").unlink()  # as a session that was killed leaves it
    with closing(ProjectStore(tmp_path)) as store:
        assert on_disk(store.open(project_id)) == {"notes.txt", f"{sample.sha256}.jpg"}


# Full


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Failing:
    """A connection whose COMMIT, or another statement, finds the disk full."""

    def __init__(self, connection: sqlite3.Connection, start: str) -> None:
        self._connection, self._start = connection, start

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql.startswith(self._start):
            raise sqlite3.OperationalError("database or disk is full")
        return self._connection.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def fail_on_second_call(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, part_first: bool = False) -> None:
    original, calls = getattr(owner, name), [0]

    def limited(*args: Any) -> Any:
        calls[0] += 1
        if calls[0] < 2:
            return original(*args)
        if part_first:
            path, data = args
            path.write_bytes(data[: len(data) // 2])
        return no_space()

    monkeypatch.setattr(owner, name, limited)


FULL_DISKS: dict[str, Callable[[pytest.MonkeyPatch, Project], None]] = {
    "in the middle of a photo": lambda patch, _: fail_on_second_call(patch, files, "_write_synced", part_first=True),
    "while syncing": lambda patch, _: fail_on_second_call(patch, os, "fsync"),
    "making a folder": lambda patch, _: patch.setattr(Path, "mkdir", no_space),
    "renaming": lambda patch, _: fail_on_second_call(patch, Path, "replace"),
    "syncing the folder": lambda patch, _: patch.setattr(files, "sync_folder", no_space),
    "beginning": lambda patch, p: patch.setattr(p._database, "_writer", Failing(p._database._writer, "BEGIN")),
    "writing a row": lambda patch, p: patch.setattr(p._database, "_writer", Failing(p._database._writer, "INSERT")),
    "committing": lambda patch, p: patch.setattr(p._database, "_writer", Failing(p._database._writer, "COMMIT")),
}


@pytest.mark.parametrize("moment", FULL_DISKS)
def test_a_full_disk_loses_nothing_and_leaves_nothing(
    store: ProjectStore, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    project = store.create()
    class_id = project.info().classes[0].id
    project.add_photos(class_id, "g", batch(1, 2, 3))
    before, there = project.info(), on_disk(project)
    with monkeypatch.context() as patch:
        FULL_DISKS[moment](patch, project)
        with pytest.raises(StorageFull) as caught:
            project.add_photos(class_id, "g", batch(3, 4, 5, 6, 7, 8, 9))
    assert "Free some space" in str(caught.value)
    assert project.info() == before
    assert on_disk(project) == there
    require_sound(project)
    assert len(project.add_photos(class_id, "g", batch(3, 4, 5, 6, 7, 8, 9)).added) == 6  # space was freed


def test_a_database_that_cannot_grow_counts_as_a_full_disk(store: ProjectStore) -> None:
    project = store.create()
    class_id = project.info().classes[0].id
    project.add_photos(class_id, "g", batch(0))
    writer = project._database._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    kept = 1
    with pytest.raises(StorageFull):  # noqa: PT012 - how many rows fit into the last page is up to SQLite
        for start in range(1, 200, 8):
            kept += len(project.add_photos(class_id, "g", batch(*range(start, start + 8))).added)
    assert project.info().classes[0].samples == kept > 1
    require_sound(project)


def test_earlier_parts_of_a_long_upload_survive_a_full_disk(
    store: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = store.create()
    class_id = project.info().classes[0].id
    with monkeypatch.context() as patch:
        original, left = files._write_synced, [40]

        def limited(path: Path, data: bytes) -> None:
            left[0] -= 1
            original(path, data) if left[0] > 0 else no_space()

        patch.setattr(files, "_write_synced", limited)
        with pytest.raises(StorageFull):
            project.add_photos(class_id, "g", batch(*range(64)))
    assert project.info().classes[0].samples == 32
    require_sound(project)


def test_a_project_that_cannot_be_made_leaves_nothing(store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in ((schema, "create"), (files, "sync_folder"), (Path, "mkdir"), (Path, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, no_space)
            patch.setattr("teachable.projects.about.sync_folder", files.sync_folder)
            with pytest.raises(StorageFull):
                store.create()
    assert store.list() == ()
    assert list((store.create().folder.parent).iterdir()) == [store.open(store.list()[0].id).folder]


def test_a_full_disk_does_not_make_projects_seem_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty_project(tmp_path)
    with closing(ProjectStore(tmp_path)) as store:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "connect", no_space)
            with pytest.raises(StorageFull):
                store.list()
        assert len(store.list()) == 1


def test_a_folder_that_cannot_be_written_says_so(store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    project = store.create()

    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(files, "_write_synced", forbidden)
    with pytest.raises(InstallationError) as caught:
        project.add_photos(project.info().classes[0].id, "g", batch(1))
    assert str(project.folder) in str(caught.value)


# At once


def run_together(*calls: Callable[[], object]) -> None:
    """Run calls in threads that start together; an error in any of them is raised here."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        gate.wait()
        call()

    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(run, call) for call in calls]:
            done.result()


def test_many_threads_may_add_at_once(store: ProjectStore) -> None:
    project = store.create()
    one, two = (info.id for info in project.info().classes)
    done = threading.Event()

    def add(class_id: str, start: int) -> None:
        for first in range(start, start + 40, 8):
            assert len(project.add_photos(class_id, f"press {first}", batch(*range(first, first + 8))).added) == 8

    def watch() -> None:
        while not done.is_set():
            info = project.info()
            page = project.samples(one, limit=5)
            assert page.total >= info.classes[0].samples
            assert len(page.samples) == min(5, page.total)
            for sample in page.samples:
                project.photo_file(sample.sha256)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run_together(
            *(lambda start=start: add(one, start) for start in (0, 100, 200)),
            lambda: add(two, 300),
            lambda: add(two, 0),
        )
    finally:
        done.set()
        watcher.join()
    assert [info.samples for info in project.info().classes] == [120, 80]
    require_sound(project)


def test_the_same_photos_sent_by_many_threads_are_kept_once(store: ProjectStore) -> None:
    project = store.create()
    class_id = project.info().classes[0].id
    repeats: list[int] = []

    def add() -> None:
        repeats.append(project.add_photos(class_id, "g", batch(*range(20))).repeats)

    run_together(add, add, add, add)
    assert project.info().classes[0].samples == 20
    assert sum(repeats) == 60
    require_sound(project)


def test_two_sessions_may_write_to_one_project(tmp_path: Path) -> None:
    project_id, class_id = empty_project(tmp_path)
    with run_child(tmp_path, project_id, class_id) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with closing(ProjectStore(tmp_path)) as store:
            project = store.open(project_id)
            for start in range(10**6, 10**6 + 80, 8):
                assert len(project.add_photos(class_id, "mine", batch(*range(start, start + 8))).added) == 8
                child.stdout.readline()
            child.kill()
    with closing(ProjectStore(tmp_path)) as store:
        project = store.open(project_id)
        groups = [sample.group for sample in project.all_samples()]
        assert groups.count("mine") == 80
        assert len(groups) - 80 >= 44
        require_sound(project)


def test_classes_added_by_many_threads_have_names_and_places_of_their_own(store: ProjectStore) -> None:
    project = store.create()
    run_together(*(lambda: [project.add_class() for _ in range(5)] for _ in range(4)))
    found = project.info().classes
    assert len({info.name for info in found}) == 22
    assert [info.position for info in found] == list(range(22))


def test_a_project_held_by_another_program_says_so(store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    project = store.create()
    project._database._writer.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(project.folder / "project.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Conflict) as caught:
            project.rename("x")
        assert caught.value.key == "project_busy"
        assert project.info().name == "New project"  # reading goes on
    project.rename("x")


def test_calls_after_close_find_no_project(store: ProjectStore) -> None:
    project = store.create()
    project.close()
    project.close()
    for call in (project.info, project.all_samples, project.add_class, project.latest_model):
        with pytest.raises(NotFound):
            call()


# Schema


@pytest.mark.parametrize("listed_first", [True, False])
def test_a_project_with_the_first_schema_is_brought_up_to_date(tmp_path: Path, listed_first: bool) -> None:
    project_id = old_project(tmp_path, [photo(5)])
    with closing(ProjectStore(tmp_path)) as store:
        if listed_first:
            assert [info.name for info in store.list()] == ["Old project"]
        project = store.open(project_id)
        info = project.info()
        assert (info.name, info.created, info.updated) == ("Old project", 1.0, 2.0)
        assert info.settings == TrainSettings(epochs=9)
        assert [(c.name, c.disabled, c.samples) for c in info.classes] == [("Cat", False, 1), ("Dog", True, 0)]
        assert project.latest_model() is None
        assert project.add_photos(info.classes[0].id, "g", batch(5, 6)).repeats == 1
        require_sound(project)
        with project._database.read() as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY number")]
            assert names == [migration.name for migration in schema.MIGRATIONS]
            assert connection.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)


def test_an_old_project_ends_with_the_same_tables_as_a_new_one(tmp_path: Path) -> None:
    project_id = old_project(tmp_path, [photo(5)])
    shapes = []
    with closing(ProjectStore(tmp_path)) as store:
        for project in (store.open(project_id), store.create()):
            with project._database.read() as connection:
                rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
                shapes.append([(name, " ".join((sql or "").split())) for name, sql in rows])
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    "change",
    [
        f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}",
        "UPDATE migrations SET name = '0002_from_another_branch' WHERE number = 2",
    ],
)
def test_a_project_from_a_newer_version_is_left_alone(tmp_path: Path, change: str) -> None:
    project_id, _ = empty_project(tmp_path)
    with closing(sqlite3.connect(tmp_path / "projects" / project_id / "project.sqlite")) as connection:
        connection.execute(change)
        connection.commit()
    with closing(ProjectStore(tmp_path)) as store:
        good = store.create("good")
        with pytest.raises(Conflict) as caught:
            store.open(project_id)
        assert caught.value.key == "project_newer"
        assert "Update Teachable" in str(caught.value)
        assert [info.id for info in store.list()] == [good.id]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = old_project(tmp_path, [photo(5)])
    path = tmp_path / "projects" / project_id / "project.sqlite"
    broken = schema.Migration("0002_models", ("CREATE TABLE models (id TEXT)", "CREATE TABLE models (id TEXT)"))
    with monkeypatch.context() as patch, closing(schema.connect(path)) as connection:
        patch.setattr(schema, "MIGRATIONS", (schema.MIGRATIONS[0], broken))
        with pytest.raises(sqlite3.OperationalError):
            schema.bring_up_to_date(connection, path)
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    with closing(ProjectStore(tmp_path)) as store:
        assert store.open(project_id).latest_model() is None
