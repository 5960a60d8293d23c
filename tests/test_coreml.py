"""The Core ML archive: a package that holds what it should. Only a Mac can run it."""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from graphing import scene
from phones import needs
from sourcing import HOSTILE, model_that_knows, source_of, watch

from teachable.errors import ModelFileError
from teachable.exporting import bundle
from teachable.exporting.formats.coreml import EXPORTER, distinct
from teachable.metadata import ModelMetadata
from teachable.runtime import Classifier

HALF = EXPORTER.variants[0]
MODEL = "model.mlpackage/Data/com.apple.CoreML/model.mlmodel"


@pytest.fixture(scope="module")
def made() -> tuple[ModelMetadata, bytes]:
    needs(EXPORTER.extra)
    # Half as bright, for the second class.
    photos = [scene(96, 128, seed) for seed in range(12)]
    return model_that_knows(HOSTILE, [photos, [photo // 2 for photo in photos]])


@pytest.fixture(scope="module")
def archive(made: tuple[ModelMetadata, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("coreml") / HALF.file
    EXPORTER.write(source_of(*made), HALF, target, watch())
    return target


def test_two_classes_of_one_name_are_told_apart() -> None:
    assert distinct(["cat", "dog", "cat", "cat"]) == ["cat", "dog", "cat (2)", "cat (3)"]
    assert distinct(["cat", "cat", "cat (2)"]) == ["cat", "cat (3)", "cat (2)"]
    assert distinct(["a", "b"]) == ["a", "b"]


def test_the_package_is_run_on_a_mac_and_looked_at_elsewhere(made: tuple[ModelMetadata, bytes], archive: Path) -> None:
    runner = EXPORTER.open(archive, HALF)
    assert (runner is not None) == (sys.platform == "darwin")
    if runner is not None:
        photos = [scene(90, 120, 3), scene(240, 180, 4)]
        wanted = Classifier.load(made[1]).probabilities(photos)
        assert np.abs(runner(photos).probabilities - wanted).max() < 2e-2


def test_the_package_says_what_it_is(archive: Path) -> None:
    data = bundle.read_archive(archive, MODEL)
    assert b"A project" in data
    assert b"conversion_date" not in data
    for label in distinct(HOSTILE):
        assert label.encode() in data
    described = json.loads(bundle.read_archive(archive, "signature.json"))
    assert described["inside"]["labels"] == distinct(HOSTILE)
    assert described["labels"] == list(HOSTILE)
    assert described["inputs"][0]["width"] == 160
    assert "familiarity" not in described
    assert "files for phones cannot" in bundle.read_archive(archive, "README.md").decode()


@pytest.mark.thorough
def test_the_same_model_gives_the_same_bytes(made: tuple[ModelMetadata, bytes], archive: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    EXPORTER.write(source_of(*made), HALF, again, watch())
    assert again.read_bytes() == archive.read_bytes()


def test_an_archive_without_a_package_is_refused(archive: Path, tmp_path: Path) -> None:
    without = tmp_path / "without.zip"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(without, "w") as copy:
        for name in source.namelist():
            if not name.startswith("model-coreml/model.mlpackage"):
                copy.writestr(name, source.read(name))
    with pytest.raises(ModelFileError):
        EXPORTER.open(without, HALF)


def test_no_archive_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nothing.zip"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelFileError):
        EXPORTER.open(path, HALF)
