"""What the tests of programs share: a model of the built-in network with hostile labels, photos, and what it says."""

import os
import re
import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from teachable import backbones, export
from teachable.exporting.programs import Program, programs
from teachable.metadata import ModelMetadata
from teachable.runtime import Classifier
from teachable.scores import Evaluation
from teachable.types import Familiarity, Head, Layer, TrainSettings

LABELS = (
    'a "quoted" \\cat\\',
    "</script><!-- 🐈‍⬛ -->",
    "${process.exit(1)} \\(x) {0} %s `b`",
    "what??/ ?? 'är' \ttab",
    "日本語 \u202eחתול",
)
PHOTO = "photo.jpg"
RUNTIME_WEB = "onnxruntime-web@1.30.0"
RUNTIME_NODE = "onnxruntime-node@1.30.0"
SHARP = "sharp@0.35.5"
P5 = "p5@2.3.4"
VITE = "vite@8.3.8"
# Percentage points. Decoders of JPEG round differently, and programs print one digit behind the point.
TOLERANCE = 0.7


@dataclass(frozen=True)
class Said:
    """What the model says about a photo: the label, and the probability in per cent."""

    label: str
    percent: float


NOT_SURE = "Not sure"


@cache
def model(familiar: bool | None = None) -> tuple[bytes, ModelMetadata]:
    """Return a model file that gives every class a share of every photo, so that agreeing with it says something.

    Args:
        familiar: whether all photos are familiar to it, or none; None for a file that cannot say.
    """
    record = backbones.builtin()
    random = np.random.default_rng(3)
    classes = len(LABELS)
    weight = random.normal(0, 3 * record.embedding_width**-0.5, (classes, record.embedding_width)).astype(np.float32)
    head = Head((Layer(weight, np.zeros(classes, np.float32)),))
    evaluation = Evaluation(None, None, None, 0, 0, (), (), tuple(range(classes)), ())
    about = ModelMetadata(LABELS, "Cats", 1.7e9, record.id, record.fingerprint, TrainSettings(), evaluation)
    if familiar is None:
        return export.append_head(backbones.read(record), head, about), about
    about = replace(about, unknown_below=0.25, familiar=100)
    return export.append_head(backbones.read(record), head, about, everything_is(familiar)), about


def everything_is(familiar: bool, width: int = backbones.builtin().embedding_width, classes: int = 2) -> Familiarity:
    """Return what finds every photo, whatever it shows, familiar or strange."""
    random = np.random.default_rng(4)
    basis = np.linalg.qr(random.normal(size=(width, 4)))[0].T.astype(np.float32)
    quantiles = np.linspace(1, 2, 11, dtype=np.float32) * np.float32(1e6 if familiar else 1e-9)
    centres = random.normal(size=(classes, 3, 4)).astype(np.float32)
    return Familiarity(np.zeros(width, np.float32), basis, np.eye(4, dtype=np.float32), centres, quantiles, 100)


def program(id_: str, labels: tuple[str, ...] = LABELS, familiar: bool | None = None) -> Program:
    """Return one program for the model."""
    found = programs(replace(model(familiar)[1], labels=labels), "model.onnx")
    return next(one for one in found if one.id == id_)


def prepare(id_: str, folder: Path, familiar: bool | None = None) -> Program:
    """Put a program, exactly as it is shown, and the model into a folder."""
    shown = program(id_, familiar=familiar)
    (folder / shown.file).write_text(shown.code, encoding="utf-8")
    (folder / "model.onnx").write_bytes(model(familiar)[0])
    return shown


def picture(seed: int = 0, width: int = 200, height: int = 120) -> Image.Image:
    """Return a photo of coloured patches, another one for every seed, that looks different when it lies on its side."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def upright(path: Path, seed: int = 0) -> Said:
    """Write a photo as it is, and return what the model says about it."""
    picture(seed).save(path, "JPEG", quality=98, subsampling=0)
    return said(path)


def sideways(path: Path, seed: int = 0) -> Said:
    """Write a photo that lies on its side and says so, and return what the model says about it, upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(seed).save(path, "JPEG", quality=98, subsampling=0, exif=exif)
    right = said(path)
    assert ImageOps.exif_transpose(Image.open(path)).size == (120, 200)
    wrong = Classifier.load(model()[0]).predict(np.asarray(Image.open(path)))[0]
    # A program that does not turn photos upright must be found out.
    assert abs(wrong.probabilities[right.label] * 100 - right.percent) > 3 * TOLERANCE
    return right


def said(path: Path) -> Said:
    """Return what the model says about a photo."""
    (prediction,) = Classifier.load(model()[0]).predict(path)
    return Said(prediction.label, 100 * prediction.probability)


def assert_printed(text: str, expected: Said, familiar: bool | None = None) -> None:
    """Demand that a program printed this, or that it is not sure of an unfamiliar photo, and nothing else."""
    if familiar is False:
        assert text.strip() == NOT_SURE
        return
    printed = re.fullmatch(r"(.*) (\d+\.\d)%\s*", text, re.DOTALL)
    assert printed, text
    assert printed[1] == expected.label
    assert abs(float(printed[2]) - expected.percent) <= TOLERANCE, (text, expected)


def bring(packages: Path, folder: Path) -> None:
    """Put the packages that npm installed into the folder of a program, where it finds them."""
    maps = shutil.ignore_patterns("*.map")
    shutil.copytree(packages / "node_modules", folder / "node_modules", ignore=maps, copy_function=_link, symlinks=True)


def _link(source: str, target: str) -> None:
    """Make a file appear at a second place, for nothing where both are on one disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
