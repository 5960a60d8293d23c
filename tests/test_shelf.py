"""All projects as things, through the workspace: names, covers, sizes, the bin and clean-up."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import DEADLINE, photos, until

from teachable.errors import Conflict, NotFound
from teachable.projects.sizes import Sizes
from teachable.workflow import Workspace


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path, offline=True) as workspace:
        yield workspace


def fill(space: Workspace, project_id: str, place: int, seeds: range) -> list[int]:
    class_id = space.project(project_id).classes[place].id
    return [one.id for one in space._store.open(project_id).add_photos(class_id, "g", photos(seeds)).added]


def test_new_projects_can_be_told_apart(space: Workspace) -> None:
    assert [space.create_project().name for _ in range(3)] == ["New project", "New project 2", "New project 3"]
    space.rename_project(space.projects()[1].id, "new PROJECT 4")
    assert space.create_project().name == "New project 2"
    assert space.create_project().name == "New project 5"
    assert space.create_project("New project").name == "New project", "what a person chose stays"


def test_the_shelf_shows_what_stands_for_each_project(tmp_path: Path) -> None:
    with Workspace(tmp_path, offline=True) as space:
        first, second = space.create_project("one").id, space.create_project("two").id
        apples, pears = fill(space, first, 0, range(6)), fill(space, first, 1, range(10, 12))
        space.delete_project(space.create_project("gone").id)
        until(lambda: all(one.bytes for one in space.shelf().projects), "measuring")
        found = space.shelf()
        assert [(one.project.name, one.covers) for one in found.projects] == [
            ("one", (apples[5], pears[1], apples[4], pears[0])),
            ("two", ()),
        ]
        assert [one.name for one in found.bin] == ["gone"]
        assert found.bytes == sum(one.bytes or 0 for one in (*found.projects, *found.bin))
        assert found.free > 0
        assert found.days == 30
        (space._store.open(second).folder.parent / ("0" * 32)).mkdir()
        assert [(one.id, "0" * 32 in one.message) for one in space.shelf().damaged] == [("0" * 32, True)]
        third = space.add_class(first).id
        space._store.open(first).move_samples([apples[0]], third)
        assert space.shelf().projects[0].covers == (apples[5], pears[1], apples[0], apples[4])
    with Workspace(tmp_path, offline=True) as space:
        assert space.shelf().projects[0].covers == (apples[5], pears[1], apples[0], apples[4])


def test_a_list_of_projects_is_not_read_again_where_nothing_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workspace(tmp_path, offline=True) as space:
        for number in range(8):
            space.create_project(f"Project {number}")
    later = time.time() + 10  # a file that was written just now may be written again at the same time
    with Workspace(tmp_path, offline=True) as space:
        with monkeypatch.context() as patch:
            patch.setattr("time.time", lambda: later)
            before = space.shelf()
            # Whoever reads a database connects to it first.
            patch.setattr("teachable.projects.schema.connect", None)
            again = space.shelf()
        assert [one.project for one in again.projects] == [one.project for one in before.projects]
        changed = again.projects[-1].project.id
        with Workspace(tmp_path, offline=True) as other:
            other.rename_project(changed, "Another name")
            assert space.shelf().projects[0].project.name == "Another name"


def test_a_duplicate_is_a_project_of_its_own(space: Workspace) -> None:
    project = space.create_project("Fruit").id
    fill(space, project, 0, range(3))
    copy = space.duplicate_project(project)
    assert (copy.name, copy.classes[0].samples) == ("Fruit (2)", 3)
    assert space.duplicate_project(project, "Starter").name == "Starter"
    space.clear_class(copy.id, copy.classes[0].id)
    assert space.project(project).classes[0].samples == 3


def test_a_clean_up_frees_what_it_says(space: Workspace) -> None:
    project = space.create_project().id
    ids = fill(space, project, 0, range(4))
    space.delete_samples(project, ids[:2])
    removed = space.storage(project).removed
    assert removed > 0
    assert space.clean_up(project, removed=False, caches=False) == 0
    assert space.clean_up(project, removed=True, caches=True) >= removed
    assert space.project(project).undo is None
    with pytest.raises(NotFound):
        space.undo(project)


def test_caches_in_use_are_not_removed(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    project = space.create_project().id

    def busy(project_id: str) -> None:
        raise Conflict("training_running")

    monkeypatch.setattr(space._trainings, "require_idle", busy)
    with pytest.raises(Conflict):
        space.clean_up(project, removed=True, caches=True)


def test_the_number_of_photos_can_be_limited_project_by_project(space: Workspace) -> None:
    free, bound = space.create_project().id, space.create_project().id
    space.limit_photos(lambda project_id: 2 if project_id == bound else None)
    assert len(fill(space, free, 0, range(4))) == 4
    assert len(fill(space, bound, 0, range(4))) == 2


# Sizes


def test_sizes_are_measured_behind_the_scenes_and_again_after_a_change() -> None:
    gate, measured = threading.Event(), []

    def measure(project_id: str) -> int:
        gate.wait(DEADLINE)
        measured.append(project_id)
        return len(measured)

    sizes = Sizes(measure)
    assert sizes.of([("a", 1.0), ("b", 1.0)]) == {}
    assert sizes.of([("a", 1.0)]) == {}, "it is not asked for twice"
    gate.set()
    assert sizes.wait(DEADLINE)
    assert sizes.of([("a", 1.0), ("b", 1.0)]) == {"a": 1, "b": 2}
    assert sizes.of([("b", 2.0)]) == {"b": 2}, "what was known is told until it is known better"
    assert sizes.wait(DEADLINE)
    assert sizes.of([("b", 2.0)]) == {"b": 3}
    sizes.close()
    assert sizes.of([("c", 1.0)]) == {}
    assert measured == ["a", "b", "b"]


def test_a_project_that_cannot_be_measured_keeps_nobody_waiting() -> None:
    def measure(project_id: str) -> int:
        if project_id == "a":
            raise PermissionError("not yours")
        return 7

    sizes = Sizes(measure)
    sizes.of([("a", 1.0), ("b", 1.0)])
    assert sizes.wait(DEADLINE)
    assert sizes.of([("b", 1.0)]) == {"b": 7}
    sizes.close()
