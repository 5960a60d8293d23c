"""A project as this program packs it opens as what it was."""

import hashlib
import json
from pathlib import Path

import bringing
import pytest

from teachable import project_zip
from teachable.errors import InvalidInput, NotFound, TooLarge
from teachable.importing import open_source
from teachable.importing.packed import PackedSource
from teachable.project_zip import Packed, PackedClass, PackedPhoto
from teachable.types import TrainSettings

PHOTOS = [bringing.jpeg(seed) for seed in range(4)]


def packed(**changed: object) -> Packed:
    classes = (
        PackedClass("a" * 32, "Cats/é", "#123456", False, "photos/Cats_é"),
        PackedClass("b" * 32, "Empty", "#654321", True, "photos/Empty"),
    )
    photos = []
    for at, data in enumerate(PHOTOS):
        sha256 = hashlib.sha256(data).hexdigest()
        file, recording = f"photos/Cats_é/{at:05d}.jpg", f"r{at % 2}"
        photos.append(PackedPhoto(file, at + 1, "a" * 32, sha256, sha256, recording, 32, 32, at, at == 3))
    values = {
        "settings": TrainSettings(epochs=7),
        "network": None,
        "classes": classes,
        "photos": tuple(photos),
        **changed,
    }
    return Packed("My pets", 1.0, 2.0, **values)


def files(around: str = "") -> dict[str, bytes]:
    found = {f"photos/Cats_é/{at:05d}.jpg": data for at, data in enumerate(PHOTOS)}
    found |= {"project.json": project_zip.write(packed(), "1.0"), "README.md": b"about", "models/x.onnx": b"onnx"}
    return {around + name: data for name, data in found.items()}


@pytest.mark.parametrize("around", ["", "My pets/"])
def test_all_it_says_is_there_and_so_are_its_files(tmp_path: Path, around: str) -> None:
    path = bringing.zipped(tmp_path / "x.zip", files(around))
    with open_source(path, "x.zip", tmp_path) as source:
        assert isinstance(source, PackedSource)
        assert source.packed == packed()
        assert (source.plan.kind, source.plan.title, source.plan.options) == ("project", "My pets", ())
        assert source.plan.settings == TrainSettings(epochs=7)
        assert [(one.name, one.photos, one.groups, one.tests) for one in source.plan.classes] == [
            ("Cats/é", 4, 2, 1),
            ("Empty", 0, 0, 0),
        ]
        assert source.plan.skipped_total == 0
        items = list(source.items("c0"))
        assert [item.data for item in items] == PHOTOS
        assert [(item.group, item.test) for item in items] == [
            ("r0", False),
            ("r1", False),
            ("r0", False),
            ("r1", True),
        ]
        assert source.read("models/x.onnx", 100) == b"onnx"
        with pytest.raises(TooLarge):
            source.read("models/x.onnx", 3)
        for outside in ("models/y.onnx", "../x.zip", "/etc/passwd", ""):
            with pytest.raises(NotFound):
                source.read(outside, 100)


def test_photos_that_are_missing_are_told(tmp_path: Path) -> None:
    whole = files()
    del whole["photos/Cats_é/00001.jpg"]
    with open_source(bringing.zipped(tmp_path / "x.zip", whole), "x.zip", tmp_path) as source:
        assert [one.name for one in source.plan.skipped] == ["photos/Cats_é/00001.jpg"]
        assert source.plan.classes[0].photos == 3


def test_what_is_damaged_or_newer_is_said(tmp_path: Path) -> None:
    newer = json.loads(project_zip.write(packed(), "9.0")) | {"format_version": 99}
    for description in (json.dumps(newer).encode(), project_zip.write(packed(), "1")[:-20]):
        path = bringing.zipped(tmp_path / "x.zip", {**files(), "project.json": description})
        with pytest.raises(InvalidInput):
            open_source(path, "x.zip", tmp_path)


def test_a_file_of_the_same_name_that_is_something_else_makes_an_ordinary_zip(tmp_path: Path) -> None:
    path = bringing.zipped(tmp_path / "x.zip", {"project.json": b'{"name": "web page"}', "Cats/1.jpg": PHOTOS[0]})
    with open_source(path, "x.zip", tmp_path) as source:
        assert source.plan.kind == "folder"


def test_the_same_unpacked_is_a_project_too(tmp_path: Path) -> None:
    for name, data in files("My pets/").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with open_source(tmp_path / "My pets", "My pets", tmp_path) as source:
        assert isinstance(source, PackedSource)
        assert [item.data for item in source.items("c0")] == PHOTOS
