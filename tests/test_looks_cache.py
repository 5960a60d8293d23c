"""Looks are measured once, kept on disk, and measured again where they were damaged."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from making import photos

from teachable import looks, looks_cache
from teachable.embeddings import EmbeddingCache
from teachable.errors import Cancelled, NotFound
from teachable.images import load
from teachable.looks_cache import LooksCache
from teachable.projects import Project, ProjectStore
from teachable.types import Image, Looks


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    with closing(ProjectStore(tmp_path)) as opened:
        yield opened


@pytest.fixture
def project(store: ProjectStore) -> Project:
    project = store.create()
    project.add_photos(project.info().classes[0].id, "g", photos(range(5)))
    return project


@pytest.fixture
def cache() -> Iterator[LooksCache]:
    with closing(LooksCache()) as opened:
        yield opened


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """The photos that were measured."""
    seen: list[Image] = []
    measure = looks.measure

    def recording(image: Image) -> Looks:
        seen.append(image)
        return measure(image)

    monkeypatch.setattr(looks, "measure", recording)
    return seen


@pytest.fixture
def readers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def hashes(project: Project) -> list[str]:
    return [sample.sha256 for sample in project.all_samples()]


def test_photos_are_measured_once_and_for_all(
    project: Project, cache: LooksCache, readers: ThreadPoolExecutor, measured: list[Image]
) -> None:
    wanted = hashes(project)
    order = [wanted[3], wanted[0], wanted[3]]
    found = cache.of(project, order, readers)
    assert len(measured) == 2
    expected = [looks.measure(load(project.photo_file(sha))) for sha in order]
    np.testing.assert_array_equal(looks.pack(found), looks.pack(looks.stack(expected)))
    measured.clear()
    cache.of(project, wanted, readers)
    assert len(measured) == 3
    with closing(LooksCache()) as later:
        assert later.missing(project, wanted) == []
        np.testing.assert_array_equal(later.of(project, order, readers).tiles, found.tiles)
    assert len(measured) == 3


def test_whoever_waits_hears_how_far_it_is(
    project: Project, cache: LooksCache, readers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks_cache, "CHUNK", 2)
    wanted = hashes(project)
    cache.of(project, wanted[:1], readers)
    shares: list[float] = []
    cache.of(project, [*wanted, wanted[0]], readers, on_progress=shares.append)
    assert shares == pytest.approx([0.6, 1.0])
    cache.of(project, wanted, readers, on_progress=shares.append)
    assert len(shares) == 2, "nothing was left to measure"


def test_nothing_asked_is_nothing_answered(project: Project, cache: LooksCache, readers: ThreadPoolExecutor) -> None:
    assert len(cache.of(project, [], readers).hashes) == 0


def test_a_lost_photo_is_unseen_and_measured_when_it_is_back(
    project: Project, cache: LooksCache, readers: ThreadPoolExecutor
) -> None:
    wanted = hashes(project)
    path = project.photo_file(wanted[1])
    data = path.read_bytes()
    path.unlink()
    found = cache.of(project, wanted, readers)
    assert np.isnan(found.sharpness).tolist() == [False, True, False, False, False]
    assert found.hashes[1] == looks.unseen(wanted[1]).hashes[0]
    path.write_bytes(data)
    assert not np.isnan(cache.of(project, wanted, readers).sharpness).any()


def test_damaged_looks_are_measured_again(
    project: Project, cache: LooksCache, readers: ThreadPoolExecutor, measured: list[Image]
) -> None:
    wanted = hashes(project)
    before = cache.of(project, wanted, readers)
    kept = cache._cache(project)
    kept._connection.execute("UPDATE embeddings SET vector = x'00' WHERE sha256 = ?", (wanted[2],))
    measured.clear()
    np.testing.assert_array_equal(cache.of(project, wanted, readers).tiles, before.tiles)
    assert len(measured) == 1


def test_measuring_can_be_given_up(
    project: Project, cache: LooksCache, readers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks_cache, "CHUNK", 2)
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        cache.of(project, hashes(project), readers, lambda: next(answers))
    assert len(cache.missing(project, hashes(project))) == 3


def test_nothing_is_opened_for_what_is_gone(
    store: ProjectStore, project: Project, cache: LooksCache, readers: ThreadPoolExecutor
) -> None:
    wanted = hashes(project)
    cache.of(project, wanted, readers)
    cache.forget(project.id)
    token = store.delete(project.id)
    with pytest.raises(NotFound):
        cache.of(project, wanted, readers)
    restored = store.restore(token)
    assert cache.missing(restored, wanted) == []
    cache.close()
    with pytest.raises(NotFound):
        cache.missing(restored, wanted)
    assert EmbeddingCache.file(restored.folder, looks.VERSION).is_file()
