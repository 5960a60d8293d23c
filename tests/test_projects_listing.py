"""Which photos a project has: read again after a change only, and of a large project only those that came."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from teachable.projects import Project, ProjectStore, listing
from teachable.projects.listing import Lister
from tests.making import photos


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    store = ProjectStore(tmp_path)
    project = store.create()
    add(project, range(6))
    yield project
    store.close()


def add(project: Project, seeds: range) -> None:
    project.add_photos(project.info().classes[0].id, "press", photos(seeds))


def remove_first(project: Project) -> str:
    return project.delete_samples([project.all_samples()[0].id])


@pytest.fixture
def asked(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """After which sample photos were listed."""
    found: list[int] = []
    brief = project.brief_samples

    def watched(after: int = 0) -> list[tuple[int, str, str, int]]:
        found.append(after)
        return brief(after)

    monkeypatch.setattr(project, "brief_samples", watched)
    return found


def test_without_a_change_nothing_is_read(project: Project, asked: list[int]) -> None:
    lister = Lister(project)
    first = lister.photos()
    assert list(first.hashes) == [sample.sha256 for sample in project.all_samples()]
    assert lister.photos() is first
    assert lister.photos(whole=True) is first
    assert asked == [0]
    token = remove_first(project)
    assert len(lister.photos().hashes) == 5
    project.undo(token)
    assert list(lister.photos().hashes) == list(first.hashes)


def test_of_photos_that_stream_into_a_large_project_only_the_new_are_read(
    project: Project, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 0.0
    monkeypatch.setattr(listing, "LARGE", 4)
    monkeypatch.setattr(listing, "time", SimpleNamespace(monotonic=lambda: clock))
    lister = Lister(project)
    first = lister.photos()
    last = project.all_samples()[-1].id
    add(project, range(6, 9))
    second = lister.photos()
    assert list(second.hashes) == [sample.sha256 for sample in project.all_samples()]
    assert lister.photos() is second
    assert asked == [0, last]
    assert second.made == first.made
    # What was removed is known a second later, and at once where all must be known.
    remove_first(project)
    assert len(lister.photos().hashes) == 9
    assert len(lister.photos(whole=True).hashes) == 8
    assert len(lister.photos().hashes) == 8
    remove_first(project)
    assert len(lister.photos().hashes) == 8
    clock = 1.5
    assert len(lister.photos().hashes) == 7


def test_what_takes_long_to_list_is_listed_rarely(
    project: Project, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 0.0

    def later() -> float:
        nonlocal clock
        clock += 0.25
        return clock

    monkeypatch.setattr(listing, "LARGE", 4)
    monkeypatch.setattr(listing, "time", SimpleNamespace(monotonic=later))
    lister = Lister(project)
    lister.photos()
    remove_first(project)
    clock = 4.0
    assert len(lister.photos().hashes) == 6
    clock = 6.0
    assert len(lister.photos().hashes) == 5
