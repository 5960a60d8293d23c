"""A disk that is really full, or that nobody may write to: that is said, and nothing that was there is lost."""

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from commanding import teachable
from making import photos
from small_disks import read_only, small_disk

from teachable.errors import InstallationError, StorageFull
from teachable.types import TrainSettings
from teachable.workflow import Workspace

FAST = TrainSettings(epochs=3)
FILLER = "filler"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "24m") as folder:
        yield folder


def begun(space: Workspace) -> str:
    """A project with 20 photos."""
    project = space.create_project("Small").id
    for place, one in enumerate(space.project(project).classes):
        space.add_photos(project, one.id, f"g{place}", photos(range(100 * place, 100 * place + 10)))
    return project


def fill(disk: Path, *, but: int = 0) -> None:
    """Fill the disk with something else, but for some bytes."""
    with (disk / FILLER).open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(64 * 1024)):
                pass
        file.truncate(file.tell() - but)
    assert shutil.disk_usage(disk).free < but + 64 * 1024


def shas(space: Workspace, project: str) -> set[str]:
    return {
        sample.sha256
        for one in space.project(project).classes
        for sample in space.samples(project, one.id, 1000).samples
    }


def test_photos_until_the_disk_is_full_and_again_when_it_is_not(disk: Path) -> None:
    home = disk / "home"
    with closing(Workspace(home, offline=True)) as space:
        project = begun(space)
        acknowledged = shas(space, project)
        one = space.project(project).classes[0].id
        fill(disk, but=400 * 1024)
        refused = 0
        for start in range(1000, 3000, 8):
            try:
                added = space.add_photos(project, one, f"r{start}", photos(range(start, start + 8))).added
                acknowledged |= {sample.sha256 for sample in added}
            except StorageFull:
                refused += 1
                if refused == 3:
                    break
        assert refused == 3
        assert acknowledged <= shas(space, project)
    # Even starting and looking is possible on a full disk, or says why it is not.
    try:
        with closing(Workspace(home, offline=True)) as space:
            assert acknowledged <= shas(space, project)
    except StorageFull:
        pass
    (disk / FILLER).unlink()
    with closing(Workspace(home, offline=True)) as space:
        assert acknowledged <= shas(space, project)
        assert len(space.add_photos(project, one, "after", photos(range(5000, 5003))).added) == 3
    assert teachable("doctor", "--home", home).exit_code in {0, 1}  # such a disk is nearly full, which it says


def test_a_training_that_finds_no_room_keeps_the_model_before_it(disk: Path) -> None:
    with closing(Workspace(disk / "home", offline=True)) as space:
        project = begun(space)
        space.start_training(project, FAST)
        assert space.wait_for_training(project, 60).training.state == "done"
        before = space.model(project)
        assert before is not None
        fill(disk, but=200 * 1024)
        space.start_training(project, FAST)
        training = space.wait_for_training(project, 60).training
        assert training.state == "failed"
        assert training.key == "storage_full"
        assert space.model(project) == before
        assert len(space.model_bytes(project)) > 1_000_000
        space.start_export(project, "page", "full")
        made = space.wait_for_export(project, "page", "full", 60)
        assert made.state == "failed"
        (disk / FILLER).unlink()
        space.start_training(project, FAST)
        assert space.wait_for_training(project, 60).training.state == "done"


def test_a_file_for_which_there_is_no_room_is_refused_before_it_is_sent(disk: Path) -> None:
    with closing(Workspace(disk / "home", offline=True)) as space, pytest.raises(StorageFull):
        space.imports.receive(10 * 2**20)


def test_a_home_that_is_read_only_says_so(disk: Path) -> None:
    home = disk / "home"
    with closing(Workspace(home, offline=True)) as space:
        project = begun(space)
        there = shas(space, project)
    with read_only(disk):
        with pytest.raises(InstallationError, match="TEACHABLE_HOME"):
            Workspace(home, offline=True)
        said = teachable("projects", "--home", home)
        assert said.exit_code == 2
        assert str(home) in said.output
        assert "Traceback" not in said.output
    with closing(Workspace(home, offline=True)) as space:
        assert shas(space, project) == there
