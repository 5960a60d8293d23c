import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import photos

from teachable import archives, project_zip
from teachable.archives import Entry
from teachable.errors import NotFound
from teachable.types import ProjectInfo
from teachable.workflow import Workspace

RED, BLUE = (220, 60, 60), (60, 60, 220)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace(tmp_path_factory.mktemp("home")) as workspace:
        yield workspace


def filled(space: Workspace, *counts: int) -> ProjectInfo:
    info = space.create_project("Colours")
    for place, (one, count) in enumerate(zip(info.classes, counts, strict=True)):
        space.add_photos(info.id, one.id, f"press {place}", photos(range(100 * place, 100 * place + count), RED))
    return space.project(info.id)


def opened(pieces: Iterator[bytes]) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    return archive


def test_a_class_is_its_photos_in_order(space: Workspace) -> None:
    info = filled(space, 7, 1)
    space.update_class(info.id, info.classes[0].id, name="../../x <b>")
    archive = opened(space.class_archive(info.id, info.classes[0].id))
    assert archive.namelist() == [f"{number:05d}.jpg" for number in range(7)]
    samples = space.samples(info.id, info.classes[0].id).samples
    for name, sample in zip(archive.namelist(), reversed(samples), strict=True):
        assert archive.read(name) == space.photo(info.id, sample.id).read_bytes()


def test_an_empty_class_is_an_empty_zip_and_no_class_is_said(space: Workspace) -> None:
    info = filled(space, 0, 0)
    assert opened(space.class_archive(info.id, info.classes[0].id)).namelist() == []
    with pytest.raises(NotFound) as caught:
        space.class_archive(info.id, "0" * 32)
    assert caught.value.key == "class_unknown"


def test_a_lost_photo_leaves_a_gap_and_the_others_are_there(space: Workspace) -> None:
    info = filled(space, 3, 1)
    newest, middle, oldest = space.samples(info.id, info.classes[0].id).samples
    space.photo(info.id, middle.id).unlink()
    os.utime(space.photo(info.id, oldest.id), (0, 0))
    archive = opened(space.class_archive(info.id, info.classes[0].id))
    assert archive.namelist() == ["00000.jpg", "00002.jpg"]
    assert archive.read("00002.jpg") == space.photo(info.id, newest.id).read_bytes()
    described = archives.describe(space._store.open(info.id))
    assert [one.number for one in described.photos if one.class_id == info.classes[0].id] == [oldest.id, newest.id]
    whole = opened(space.pack(info.id))
    assert "photos/Class 1/00001.jpg" in whole.namelist()


def test_all_photos_lie_in_folders_that_other_programs_read(space: Workspace, tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    info = filled(space, 3, 2)
    for one, name in zip(info.classes, ("Cats: “big”/small", "aux"), strict=True):
        space.update_class(info.id, one.id, name=name)
    space.add_class(info.id, "Nothing yet")
    opened(space.pack_photos(info.id)).extractall(tmp_path / "photos")
    opened(space.pack(info.id)).extractall(tmp_path / "whole")
    for folder in (tmp_path / "photos", tmp_path / "whole" / project_zip.PHOTOS):
        found = ImageFolder(str(folder))
        assert found.classes == ["Cats_ “big”_small", "_aux"]
        assert [label for _, label in found.samples] == [0, 0, 0, 1, 1]
        assert found[0][0].size == (32, 24)
    guide = (tmp_path / "whole" / project_zip.DOCUMENTATION).read_text(encoding="utf-8")
    assert project_zip.DESCRIPTION in guide


def test_the_documentation_names_every_field_there_is() -> None:
    from teachable.resources import assets

    guide = (assets() / "project-zip" / project_zip.DOCUMENTATION).read_text(encoding="utf-8")
    for record in (project_zip.Packed, project_zip.PackedClass, project_zip.PackedPhoto, project_zip.PackedVersion):
        for name in record.__dataclass_fields__:
            assert f"`{name}`" in guide, name
    for name in ("format", "format_version", "teachable_version"):
        assert f"`{name}`" in guide


def test_a_zip_is_given_while_it_is_made_and_little_of_it_is_held() -> None:
    given = []

    def entries() -> Iterator[Entry]:
        for number in range(20):
            given.append(number)
            yield Entry(f"{number}", [b"x" * 2**20] * 2, 1e9 + number)

    pieces = archives.stream(entries())
    first = next(pieces)
    assert len(given) == 1
    assert len(first) <= 2**20
    whole = first + b"".join(pieces)
    assert len(whole) > 40 * 2**20
    archive = opened(iter([whole]))
    assert len(archive.namelist()) == 20
    # Sizes are in the head of each entry, so that programs that read from the start can too.
    assert not any(entry.flag_bits & 8 for entry in archive.infolist())


def test_a_zip_in_a_zip_can_be_made_on_the_way(space: Workspace) -> None:
    info = filled(space, 2, 1)
    outer = opened(archives.stream([Entry("Ann.zip", space.pack(info.id), 0.0), Entry("note.txt", b"hello", -5.0)]))
    with outer.open("Ann.zip") as stream, zipfile.ZipFile(io.BytesIO(stream.read())) as inner:
        assert inner.testzip() is None
        assert project_zip.DESCRIPTION in inner.namelist()
    assert outer.read("note.txt") == b"hello"
