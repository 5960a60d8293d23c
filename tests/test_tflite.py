"""The TensorFlow Lite archive: what a phone needs, with a program in its README that works as it is shown."""

import io
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from graphing import scene
from phones import needs
from sourcing import HOSTILE, model_that_knows, source_of, watch

from teachable import backbones
from teachable.errors import InvalidInput, ModelFileError
from teachable.exporting import bundle
from teachable.exporting.exporter import Variant
from teachable.exporting.formats.tflite import EXPORTER, FILES
from teachable.metadata import ModelMetadata
from teachable.runtime import Classifier

PHOTOS = [scene(90, 120, 3), scene(240, 180, 4), scene(33, 200, 5)]


@pytest.fixture(scope="module")
def made() -> tuple[ModelMetadata, bytes]:
    needs(EXPORTER.extra)
    # Half as bright, for the second class.
    photos = [scene(96, 128, seed) for seed in range(12)]
    return model_that_knows(HOSTILE, [photos, [photo // 2 for photo in photos]])


@pytest.fixture(scope="module", params=EXPORTER.variants, ids=lambda variant: str(variant.id))
def variant(request: pytest.FixtureRequest) -> Variant:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def archive(made: tuple[ModelMetadata, bytes], variant: Variant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("tflite") / variant.file
    EXPORTER.write(source_of(*made), variant, target, watch())
    return target


def test_the_file_says_what_the_preview_says(
    made: tuple[ModelMetadata, bytes], variant: Variant, archive: Path
) -> None:
    found = EXPORTER.open(archive, variant)(PHOTOS)
    wanted = Classifier.load(made[1]).probabilities(PHOTOS)
    assert np.abs(found.probabilities - wanted).max() < (1e-5 if variant.id == "float" else 0.1)
    assert found.probabilities.dtype == np.float32
    if variant.id == "int8":
        assert found.embeddings is not None
        assert found.embeddings.shape == (3, backbones.builtin().embedding_width)
    else:
        assert found.embeddings is None


def test_nothing_is_printed_into_the_terminal(
    archive: Path, variant: Variant, capfd: pytest.CaptureFixture[str]
) -> None:
    EXPORTER.open(archive, variant)(PHOTOS)
    assert tuple(capfd.readouterr()) == ("", "")


def test_the_archive_holds_what_its_signature_says(
    made: tuple[ModelMetadata, bytes], variant: Variant, archive: Path
) -> None:
    held = {"README.md", "labels.txt", "prepare.onnx", "signature.json", FILES[variant.id]}
    assert bundle.read_files(archive).keys() == held
    assert bundle.read_archive(archive, "labels.txt") == bundle.labels_text(made[0].labels)
    described = json.loads(bundle.read_archive(archive, "signature.json"))
    (source,), (result,) = described["inputs"], described["outputs"]
    kind = "float32" if variant.id == "float" else "uint8"
    assert (source["type"], source["shape"], source["range"]) == (
        kind,
        [1, 160, 160, 3],
        [-1, 1] if kind == "float32" else [0, 255],
    )
    assert (result["type"], result["shape"]) == (kind, [1, len(HOSTILE)])
    assert made[0].unknown_below is not None
    assert "familiarity" not in described
    assert "files for phones cannot" in bundle.read_archive(archive, "README.md").decode()


def test_the_program_of_the_readme_works_as_it_is_shown(
    made: tuple[ModelMetadata, bytes], variant: Variant, archive: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    folder = tmp_path / Path(variant.file).stem
    PIL.Image.fromarray(PHOTOS[0]).save(folder / "photo.jpg", quality=95)
    text = (folder / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program], cwd=folder, capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.split("\n") if line]
    assert len(lines) == len(HOSTILE)
    stream = io.BytesIO()
    PIL.Image.fromarray(PHOTOS[0]).save(stream, "JPEG", quality=95)
    (wanted,) = Classifier.load(made[1]).probabilities([stream.getvalue()])
    best = lines[0].split("% ", 1)
    assert abs(float(best[0]) / 100 - wanted.max()) < 0.1


def test_the_same_model_gives_the_same_bytes(
    made: tuple[ModelMetadata, bytes], variant: Variant, archive: Path, tmp_path: Path
) -> None:
    again = tmp_path / variant.file
    EXPORTER.write(source_of(*made), variant, again, watch())
    assert again.read_bytes() == archive.read_bytes()


def test_a_damaged_archive_is_refused(variant: Variant, archive: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(archive.read_bytes()[:1000])
    with pytest.raises(ModelFileError):
        EXPORTER.open(broken, variant)
    with zipfile.ZipFile(broken, "w") as opened:
        opened.writestr("folder/prepare.onnx", bundle.read_archive(archive, "prepare.onnx"))
        opened.writestr(f"folder/{FILES[variant.id]}", b"TFL3 is not in here" * 9)
    with pytest.raises(ModelFileError):
        EXPORTER.open(broken, variant)


def test_whole_numbers_need_photos(made: tuple[ModelMetadata, bytes], tmp_path: Path) -> None:
    source = replace(source_of(*made), photos=lambda: iter(()))
    with pytest.raises(InvalidInput) as caught:
        EXPORTER.write(source, EXPORTER.variants[1], tmp_path / "none.zip", watch())
    assert caught.value.key == "export_no_photos"
