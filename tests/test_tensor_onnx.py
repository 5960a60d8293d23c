"""The Hugging Face layout: run by the real transformers.js, on local files, it says what the preview says."""

import ast
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import PIL.Image
import programming
import pytest
from graphing import scene
from making import tiny_graph
from npm import node, packages
from test_export import about, head

from teachable import backbones, export
from teachable.errors import ModelFileError
from teachable.exporting import bundle
from teachable.exporting.exporter import Precision, Source, Watch
from teachable.exporting.formats.tensor_onnx import EXPORTER
from teachable.runtime import Classifier

LABELS = ("it's", 'say "hi"', "two\nlines", "🍎 </script>", "same", "same")
SIZES = [(160, 160), (240, 320), (301, 97), (480, 640)]
TRANSFORMERS = "@huggingface/transformers@4.3.1"


def watch() -> Watch:
    return Watch(lambda part: None, threading.Event())


def source(model: bytes, labels: tuple[str, ...] = LABELS) -> Source:
    def at(precision: Precision, watch: Watch) -> bytes:
        return model

    def photos() -> Iterator[np.ndarray]:
        yield scene(50, 60)

    return Source(about(labels), at, photos)


@pytest.fixture(scope="module")
def model() -> bytes:
    known = programming.everything_is(familiar=True)
    return export.append_head(backbones.read(backbones.builtin()), head(len(LABELS)), about(LABELS), known)


@pytest.fixture(scope="module")
def archive(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("transformers") / "model.zip"
    EXPORTER.write(source(model), EXPORTER.variants[0], target, watch())
    return target


def test_it_answers_as_the_preview_does(model: bytes, archive: Path) -> None:
    photos = [scene(*size, seed) for seed, size in enumerate(SIZES * 3)]
    answers = EXPORTER.open(archive, EXPORTER.variants[0])(photos)
    np.testing.assert_allclose(answers.probabilities, Classifier.load(model).probabilities(photos), atol=1e-6)
    assert answers.embeddings is not None
    assert answers.embeddings.shape == (len(photos), backbones.builtin().embedding_width)
    assert EXPORTER.open(archive, EXPORTER.variants[0])([]).probabilities.shape == (0, len(LABELS))


def test_the_network_gives_nothing_but_scores_and_familiarity(archive: Path) -> None:
    session = ort.InferenceSession(bundle.read_archive(archive, "onnx/model.onnx"))
    assert [port.name for port in session.get_inputs()] == ["pixel_values"]
    assert [port.name for port in session.get_outputs()] == ["probabilities", "logits", "familiarity"]


def test_a_model_that_can_tell_says_how_familiar_a_photo_is(tmp_path: Path) -> None:
    data, said = programming.model(True)
    EXPORTER.write(replace(source(data), metadata=said), EXPORTER.variants[0], tmp_path / "model.zip", watch())
    session = ort.InferenceSession(bundle.read_archive(tmp_path / "model.zip", "onnx/model.onnx"))
    described = json.loads(bundle.read_archive(tmp_path / "model.zip", "signature.json"))
    assert described["familiarity"] == {"below": 0.25, "held_out": 100}
    for port, real in zip(described["outputs"], session.get_outputs(), strict=True):
        assert (port["name"], port["shape"]) == (real.name, real.shape)
    assert described["outputs"][-1]["name"] == "familiarity"


def test_labels_of_any_kind_stand_at_their_number(archive: Path) -> None:
    config = json.loads(bundle.read_archive(archive, "config.json"))
    assert [config["id2label"][str(index)] for index in range(len(LABELS))] == list(LABELS)
    assert config["label2id"] == {label: LABELS.index(label) for label in LABELS}


def test_how_a_photo_is_prepared_is_read_off_the_model(archive: Path) -> None:
    stated = json.loads(bundle.read_archive(archive, "preprocessor_config.json"))
    size = backbones.builtin().input_size
    assert stated["size"] == {"shortest_edge": size}
    assert stated["crop_size"] == {"height": size, "width": size}
    assert (stated["image_mean"], stated["image_std"], stated["resample"]) == ([0.5] * 3, [0.5] * 3, 2)


def test_the_same_model_gives_the_same_bytes(model: bytes, archive: Path, tmp_path: Path) -> None:
    EXPORTER.write(source(model), EXPORTER.variants[0], tmp_path / "again.zip", watch())
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize(
    ("variant", "file", "dtype"),
    [("full", "model.onnx", "fp32"), ("half", "model_fp16.onnx", "fp16"), ("quarter", "model_quantized.onnx", "q8")],
)
def test_files_are_named_as_the_library_looks_for_them(
    model: bytes, tmp_path: Path, variant: str, file: str, dtype: str
) -> None:
    chosen = EXPORTER.variant(variant)
    assert chosen is not None
    EXPORTER.write(source(model), chosen, tmp_path / "x.zip", watch())
    names = bundle.read_files(tmp_path / "x.zip")
    assert {f"onnx/{file}", "onnx/preprocess.onnx", "labels.txt", "signature.json", "README.md"} <= set(names)
    config = json.loads(bundle.read_archive(tmp_path / "x.zip", "config.json"))
    assert config["transformers.js_config"] == {"dtype": dtype}
    program = bundle.read_archive(tmp_path / "x.zip", "classify.py").decode()
    assert f'file_name="{file}"' in program
    ast.parse(program)
    assert EXPORTER.open(tmp_path / "x.zip", chosen)([scene(30, 40)]).probabilities.shape == (1, len(LABELS))


def test_a_network_that_prepares_photos_in_its_own_way_is_refused(tmp_path: Path) -> None:
    tiny = export.append_head(tiny_graph(np.ones((8, 3), np.float32)), head(2, width=8), about(("a", "b")))
    with pytest.raises(ModelFileError, match="way of its own"):
        EXPORTER.write(source(tiny, ("a", "b")), EXPORTER.variants[0], tmp_path / "x.zip", watch())


def test_a_damaged_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.zip").write_bytes(archive.read_bytes()[:5000])
    (tmp_path / "empty.zip").write_bytes(b"")
    for name in ("cut.zip", "empty.zip"):
        with pytest.raises(ModelFileError, match="damaged"):
            EXPORTER.open(tmp_path / name, EXPORTER.variants[0])


# The real library


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    installed = packages(pytestconfig, TRANSFORMERS)
    folder = tmp_path_factory.mktemp("node")
    (folder / "node_modules").symlink_to(installed / "node_modules", target_is_directory=True)
    zipfile.ZipFile(archive).extractall(folder)
    (folder / "model-transformers").rename(folder / "model")
    shutil.copy(Path(__file__).with_name("transformers_pipeline.mjs"), folder)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = []
    for seed, size in enumerate(SIZES):
        picture = PIL.Image.fromarray(scene(*size, seed))
        paths += [folder / f"{seed}.png", folder / f"{seed}.jpg"]
        picture.save(paths[-2])
        picture.save(paths[-1], quality=92)
    return paths


def answers(folder: Path, *command: str) -> np.ndarray:
    """Run a program that prints what is on each photo; probabilities `[N, K]`, classes of one name added up."""
    done = subprocess.run([node(), *command], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = []
    for line in done.stdout.splitlines():
        scores = json.loads(line.split(" ", 1)[1])
        assert len(scores) == len(LABELS)
        rows.append([sum(one["score"] for one in scores if one["label"] == label) for label in dict.fromkeys(LABELS)])
    return np.array(rows)


def expected(model: bytes, photos: list[Path]) -> np.ndarray:
    return np.array([list(found.probabilities.values()) for found in Classifier.load(model).predict(photos)])


def test_the_program_in_the_archive_says_what_the_preview_says(
    model: bytes, unpacked: Path, photos: list[Path]
) -> None:
    found = answers(unpacked, "model/classify.mjs", *map(str, photos))
    difference = np.abs(found - expected(model, photos)).max(axis=1)
    assert difference[::2].max() < 1e-4, "the pixels of a PNG are the same everywhere"
    assert difference.max() < 2e-2, "decoders of JPEG round in their own ways"


def test_the_program_in_the_archive_skips_what_is_no_photo(unpacked: Path, photos: list[Path]) -> None:
    (unpacked / "bad.jpg").write_bytes(b"no photo")
    command = [node(), "model/classify.mjs", "bad.jpg", "missing.jpg", str(photos[0])]
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{photos[0]} [")
    assert done.stderr.splitlines()[-2:] == [
        "Skipped bad.jpg: it is no photo that can be read.",
        "Skipped missing.jpg: there is no such file.",
    ]
    done = subprocess.run(command[:2], cwd=unpacked, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "node classify.mjs photo.jpg" in done.stderr


@pytest.mark.thorough
def test_the_python_program_skips_what_is_no_photo(unpacked: Path, photos: list[Path]) -> None:
    """With a stand-in for optimum, which would bring its own torch: only what becomes of bad files is looked at."""
    stand_in = unpacked / "optimum" / "onnxruntime"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").write_text(OPTIMUM)
    program = unpacked / "model" / "classify.py"
    command = [sys.executable, str(program), "bad.jpg", "missing.jpg", str(photos[0])]
    (unpacked / "bad.jpg").write_bytes(b"no photo")
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=unpacked, env=environment, capture_output=True, text=True, timeout=300)
    assert done.stderr.splitlines() == [
        "Skipped bad.jpg: it is no photo that can be read.",
        "Skipped missing.jpg: there is no such file.",
    ]
    assert done.returncode == 1
    assert done.stdout.count(f"{photos[0]}\t") == 2
    done = subprocess.run(command[:2], cwd=unpacked, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (1, "")
    assert "python classify.py photo.jpg" in done.stderr


OPTIMUM = """from types import SimpleNamespace
import torch

class ORTModelForImageClassification:
    @classmethod
    def from_pretrained(cls, folder, subfolder, file_name):
        assert (folder / subfolder / file_name).is_file()
        return cls()

    config = SimpleNamespace(id2label={0: "no", 1: "yes"})

    def __call__(self, pixel_values):
        assert pixel_values.shape[0] == 1
        return SimpleNamespace(logits=torch.tensor([[0.0, 1.0]]))
"""


def test_the_library_alone_comes_near(model: bytes, unpacked: Path, photos: list[Path]) -> None:
    """It shrinks photos without smoothing, which tells; a photo that needs no shrinking is looked at as it is."""
    found = answers(unpacked, "transformers_pipeline.mjs", str(unpacked / "model"), *map(str, photos))
    difference = np.abs(found - expected(model, photos)).max(axis=1)
    assert difference[0] < 1e-4
    assert difference.max() < 0.25
