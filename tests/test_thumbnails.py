"""Small versions of photos: made once, kept on the disk, made again whenever what is kept is no good."""

import io
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest

from teachable import images
from teachable.errors import InvalidInput, NotFound
from teachable.projects import Project, ProjectStore
from teachable.thumbnails import thumbnail
from tests.making import photos


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    store = ProjectStore(tmp_path)
    project = store.create()
    project.add_photos(project.info().classes[0].id, "press", photos(range(2)))
    yield project
    store.close()


def kept(project: Project) -> list[Path]:
    return sorted(path for path in (project.folder / "thumbnails").rglob("*") if path.is_file())


def test_it_is_made_once_and_then_read_from_the_disk(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = project.all_samples()[0].sha256
    first = thumbnail(project, sha, 96)
    assert PIL.Image.open(io.BytesIO(first)).size == (96, 96)
    assert [path.name for path in kept(project)] == [f"{sha}-96.jpg"]
    monkeypatch.setattr(images, "thumbnail", lambda *given: pytest.fail("it was made again"))
    assert thumbnail(project, sha, 96) == first


def test_sizes_the_page_does_not_show_are_not_kept(project: Project) -> None:
    thumbnail(project, project.all_samples()[0].sha256, 48)
    assert kept(project) == []


def test_an_empty_file_after_a_power_cut_is_made_again(project: Project) -> None:
    sha = project.all_samples()[0].sha256
    first = thumbnail(project, sha, 192)
    kept(project)[0].write_bytes(b"")
    assert thumbnail(project, sha, 192) == first
    assert kept(project)[0].read_bytes() == first


def test_what_cannot_be_kept_is_shown_all_the_same(project: Project) -> None:
    (project.folder / "thumbnails").write_bytes(b"a file where a folder should be")
    assert thumbnail(project, project.all_samples()[0].sha256, 96).startswith(b"\xff\xd8")


def test_small_photos_go_with_the_photos(project: Project) -> None:
    one, other = (sample.sha256 for sample in project.all_samples())
    for sha in (one, other):
        thumbnail(project, sha, 96)
    project.small.discard([one])
    assert [path.name for path in kept(project)] == [f"{other}-96.jpg"]
    debris = kept(project)[0].with_name(".half.new")
    debris.write_bytes(b"x")
    project.small.sweep({other})
    assert [path.name for path in kept(project)] == [f"{other}-96.jpg"]
    project.small.sweep(set())
    assert kept(project) == []


def test_what_is_no_photo_is_refused(project: Project) -> None:
    with pytest.raises(NotFound):
        thumbnail(project, "0" * 64, 96)
    with pytest.raises(NotFound):
        thumbnail(project, "../project", 96)
    with pytest.raises(InvalidInput):
        thumbnail(project, project.all_samples()[0].sha256, 5000)
