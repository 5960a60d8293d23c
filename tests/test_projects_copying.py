"""Second projects with the same contents, what a project takes on the disk, and clearing away what is not needed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import photos
from test_projects import record

from teachable.embeddings import EmbeddingCache
from teachable.errors import InvalidInput, NotFound, StorageFull
from teachable.projects import Project, ProjectStore
from teachable.types import ProjectNetwork, TrainSettings


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    with closing(ProjectStore(tmp_path)) as opened:
        yield opened


@pytest.fixture
def project(store: ProjectStore) -> Project:
    """Three classes, seven photos of which one is deleted and two are for testing, two models and a report."""
    project = store.create("Fruit", ProjectNetwork("slim-v1", "f" * 64, builtin=True))
    one, two = (info.id for info in project.info().classes)
    project.add_class("Empty")
    project.update_class(one, name="Apple", color="#123456")
    added = project.add_photos(one, "press", photos(range(4))).added
    project.add_photos(two, "test", photos(range(10, 12)), test=True)
    project.delete_samples([added[0].id])
    project.save_settings(TrainSettings(epochs=7))
    project.save_model(record("a" * 32), b"first", outcomes=b"o")
    project.save_model(record("b" * 32), b"second")
    project.reports.write("b" * 32, "study", b"{}")
    return project


def stored(project: Project) -> set[str]:
    return {path.stem for path in (project.folder / "samples").rglob("*.jpg")}


def test_a_duplicate_has_everything_but_what_was_deleted(store: ProjectStore, project: Project) -> None:
    copy = store.duplicate(project.id)
    old, new = project.info(), copy.info()
    assert (new.name, new.undo, new.redo) == ("Fruit (2)", None, None)
    assert new.created > old.created
    assert replace(new, id=old.id, name=old.name, created=old.created, updated=old.updated, undo=old.undo) == old
    assert copy.all_samples() == project.all_samples()
    assert stored(copy) == {sample.sha256 for sample in copy.all_samples()}
    assert copy.latest_model() == project.latest_model()
    assert copy.model_file("a" * 32).read_bytes() == b"first"
    outcomes = copy.outcomes("a" * 32)
    assert outcomes is not None
    assert outcomes.read_bytes() == b"o"
    assert copy.reports.read("b" * 32, "study") == b"{}"
    with copy._database.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT COUNT(*) FROM actions").fetchone() == (0,)


def test_a_duplicate_and_its_original_go_their_own_ways(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create("Fruit")
        project.add_photos(project.info().classes[0].id, "g", photos(range(3)))
        copy = store.duplicate(project.id, "Mine")
        before = copy.info()
        copy_photos = {copy.photo_file(sample.sha256).read_bytes() for sample in copy.all_samples()}
        project.clear_class(project.info().classes[0].id)
        project.forget_removed()
        store.empty_bin(store.delete(project.id))
        assert copy.info() == before
        copy.add_class("New")
    with closing(ProjectStore(tmp_path)) as store:
        copy = store.open(copy.id)
        assert {copy.photo_file(sample.sha256).read_bytes() for sample in copy.all_samples()} == copy_photos
        assert store.duplicate(copy.id).info().name == "Mine (2)"
        assert store.duplicate(copy.id).info().name == "Mine (3)"


def test_embeddings_come_along(store: ProjectStore, project: Project) -> None:
    sha = project.all_samples()[0].sha256
    cache = EmbeddingCache(project.folder, "f" * 64)
    cache.put({sha: np.ones(4, np.float32)})
    copy = store.duplicate(project.id)  # while the cache is open
    copied = EmbeddingCache(copy.folder, "f" * 64)
    assert copied.missing([sha]) == []
    cache.close()
    copied.close()


@pytest.mark.parametrize("links", [True, False])
def test_photos_are_copied_where_the_disk_gives_a_file_one_name_only(
    store: ProjectStore, project: Project, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    copy = store.duplicate(project.id)
    for sample in copy.all_samples():
        ours, theirs = copy.photo_file(sample.sha256), project.photo_file(sample.sha256)
        assert ours.read_bytes() == theirs.read_bytes()
        assert ours.samefile(theirs) is links


def test_a_lost_photo_is_missing_in_the_copy_too(store: ProjectStore, project: Project) -> None:
    lost, *others = project.all_samples()
    project.photo_file(lost.sha256).unlink()
    copy = store.duplicate(project.id)
    assert copy.all_samples() == project.all_samples()
    assert stored(copy) == {sample.sha256 for sample in others}


def test_a_full_disk_leaves_no_half_copy(
    store: ProjectStore, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", no_space)
        with pytest.raises(StorageFull):
            store.duplicate(project.id)
    assert [path.name for path in project.folder.parent.iterdir()] == [project.id]
    with pytest.raises(InvalidInput):
        store.duplicate(project.id, "")
    with pytest.raises(NotFound):
        store.duplicate("0" * 32)


CHILD = """
import os, signal, sys
from pathlib import Path
from teachable.projects import ProjectStore
home, project_id, calls = sys.argv[1:]
original, left = os.link, [int(calls)]
def deadly(*arguments):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)
os.link = deadly
ProjectStore(Path(home)).duplicate(project_id)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is a matter of Unix")
@pytest.mark.parametrize("calls", [1, 6])
def test_a_duplicate_whose_making_was_killed_is_nowhere_to_be_seen(tmp_path: Path, calls: int) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create("Fruit")
        project.add_photos(project.info().classes[0].id, "g", photos(range(8)))
        project.save_model(record("a" * 32), b"first")
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), project.id, str(calls)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "projects").iterdir())) == 2
    with closing(ProjectStore(tmp_path)) as store:
        assert [info.id for info in store.list()] == [project.id]
        assert [path.name for path in (tmp_path / "projects").iterdir()] == [project.id]
        assert len(store.duplicate(project.id).all_samples()) == 8


# Room on the disk


def test_storage_adds_up_and_says_what_for(project: Project) -> None:
    (project.folder / "exports" / ("0" * 32)).mkdir(parents=True)
    (project.folder / "exports" / ("0" * 32) / "model.zip").write_bytes(bytes(1000))
    (project.folder / f"embeddings-{'e' * 16}.sqlite").write_bytes(bytes(500))
    (project.folder / f"embeddings-{'f' * 16}.sqlite").write_bytes(bytes(300))
    sha = project.all_samples()[0].sha256
    project.small.write(sha, 96, bytes(70))
    found = project.storage()
    deleted = stored(project) - {sample.sha256 for sample in project.all_samples()}
    assert found.removed == sum(project._photos.path(sha).stat().st_size for sha in deleted) > 0
    assert found.caches == 1570
    assert found.versions == len(b"firsto" + b"second")
    assert found.photos > 300
    assert found.photos + found.removed + found.versions + found.caches == found.total
    project.forget_caches()
    assert project.storage().caches == 0
    assert project.storage().total == found.total - 1570
    assert (project.folder / f"embeddings-{'f' * 16}.sqlite").exists(), "what the network in use saw is kept"


def test_removed_photos_can_be_deleted_for_good(project: Project) -> None:
    token = project.clear_class(project.info().classes[0].id)
    kept = {sample.sha256 for sample in project.all_samples()}
    assert stored(project) != kept
    project.forget_removed()
    assert stored(project) == kept
    assert project.info().undo is None
    with pytest.raises(NotFound):
        project.undo(token)
    assert project.storage().removed == 0
    with project._database.read() as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


# After a session that did not end well


def debris(project: Project) -> Path:
    path = project.folder / "samples" / "ab" / f"ab{'0' * 62}.jpg"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"debris")
    return path


def test_files_are_only_looked_through_after_an_unclean_end(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
    left = debris(project)
    assert (project.folder / "clean").exists()
    with closing(ProjectStore(tmp_path)) as store:
        store.open(project.id)
        assert not (project.folder / "clean").exists(), "from now on it may end in any way"
        assert left.exists()
    (project.folder / "clean").unlink()
    with closing(ProjectStore(tmp_path)) as store:
        store.open(project.id)
        assert not left.exists()


def test_nobody_can_say_that_all_is_well_for_another_session(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        other = ProjectStore(tmp_path)
        other.open(project.id)._database.close()  # it ends without another word
    assert not (project.folder / "clean").exists()
    left = debris(project)
    with closing(ProjectStore(tmp_path)) as store:
        store.open(project.id)
        assert not left.exists()
    other.close()


def test_photos_of_a_deleted_version_are_swept_at_the_next_opening(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        project.save_model(record("a" * 32), b"model")
        project.save_model(record("b" * 32), b"model")
    with closing(ProjectStore(tmp_path)) as store:
        store.open(project.id).versions.remove("a" * 32)
    assert not (project.folder / "clean").exists()


# Meanwhile


def interrupt(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something in another thread as soon as the first photo is given a second name."""
    link, acting = os.link, threading.Thread(target=act, daemon=True)

    def linked(source: Path, target: Path) -> None:
        if acting.ident is None and source.suffix == ".jpg":
            acting.start()
            acting.join(10)
            assert not acting.is_alive()
        link(source, target)

    monkeypatch.setattr(os, "link", linked)


def test_a_duplicate_has_its_photos_though_the_original_is_cleaned_up_meanwhile(
    store: ProjectStore, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clean_up() -> None:
        project.clear_class(project.info().classes[0].id)
        project.forget_removed()

    interrupt(monkeypatch, clean_up)
    copy = store.duplicate(project.id)
    assert copy.all_samples()
    assert {sample.sha256 for sample in copy.all_samples()} <= stored(copy)


def test_a_project_that_is_deleted_meanwhile_is_not_doubled_without_its_photos(
    store: ProjectStore, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, lambda: store.delete(project.id))
    with pytest.raises(NotFound):
        store.duplicate(project.id)
    assert store.list() == ()
    assert not list(project.folder.parent.iterdir())
