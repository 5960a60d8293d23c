"""TensorFlow Lite for Android and small computers, drop-in for a file of Teachable Machine.

The two files take and give what Teachable Machine's take and give, so that a program written for one can open the
other: float32 from -1 to 1, or bytes. The normalisation of the network is inside, so that nobody can get it wrong.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachable.errors import InvalidInput, ModelFileError
from teachable.exporting import mobile, mobile_square, tensor
from teachable.exporting.bundle import folder_of, read_archive, readme, write_archive
from teachable.exporting.exporter import Answers, Exporter, Extra, Runner, Source, Variant, Watch
from teachable.exporting.mobile_square import Squares
from teachable.metadata import ModelMetadata
from teachable.types import Image
from teachable.words import say

# Teachable Machine's names.
FILES = {"float": "model_unquant.tflite", "int8": "model.tflite"}
_BYTES = 256


class TensorFlowLite(Exporter):
    """TensorFlow Lite, float32 or whole numbers, with `labels.txt`."""

    id = "tflite"
    place = 70
    variants = (
        Variant("float", "model-tflite.zip"),
        Variant("int8", "model-tflite-int8.zip", quick=False, tolerance=None, share=0.9),
    )
    extra = Extra("tflite", ("ai_edge_litert", "ai_edge_quantizer"))

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the archive."""
        cut = tensor.cut(source.at("full", watch.part(0, 0.2)))
        prepare = mobile_square.graph(cut)
        about = {"name": source.metadata.project}
        if variant.id == "int8":
            squares = _squares(source, prepare, watch)
            made = mobile.convert("tflite-int8", cut, watch.part(0.3, 0.95), squares=squares, about=about)
        else:
            made = mobile.convert("tflite", cut, watch.part(0.3, 0.95), about=about)
        files = {
            FILES[variant.id]: made["model"],
            mobile_square.FILE: prepare,
            "README.md": readme(
                source.metadata, _about(variant, cut), "quarter" if variant.id == "int8" else "full", unsure=False
            ),
        }
        watch.require_wanted()
        write_archive(target, source.metadata, files, _ports(source.metadata, variant, cut), folder_of(variant))
        watch.done(1.0)

    def open(self, path: Path, variant: Variant) -> Runner:
        """Open the file with Google's interpreter."""
        name = FILES[variant.id]
        try:
            prepare, model = read_archive(path, mobile_square.FILE), read_archive(path, name)
        except (KeyError, zipfile.BadZipFile) as error:
            raise ModelFileError("model_unreadable", name=path.name) from error
        return _Interpreted(model, Squares(prepare), name)


class _Interpreted:
    """A TensorFlow Lite file, run in a process of its own.

    Args:
        model: the file.
        squares: cuts photos as the file expects them.
        name: what to call the file in an error.

    Raises:
        ModelFileError: it cannot be opened.
    """

    def __init__(self, model: bytes, squares: Squares, name: str) -> None:
        self._squares = squares
        self._child = mobile.Standing("tflite-run", {"name": name}, {"model": np.frombuffer(model, np.uint8)})

    def __call__(self, images: Sequence[Image]) -> Answers:
        """Answer for photos; with embeddings where the file is of whole numbers."""
        found = self._child.ask({}, {"squares": self._squares(images)})
        return Answers(found["probabilities"], found.get("embedding"))


def _squares(source: Source, prepare: bytes, watch: Watch) -> NDArray[np.uint8]:
    """Return photos of all classes as the network sees them, uint8 `[N, S, S, 3]`."""
    cut = Squares(prepare)
    found = []
    for photo in source.photos():
        watch.require_wanted()
        found.append(cut([photo]))
    if not found:
        raise InvalidInput("export_no_photos")
    watch.part(0.2, 0.3).done(1.0)
    return np.concatenate(found)


def _about(variant: Variant, cut: tensor.Cut) -> str:
    """Return what the README says, with a program that works."""
    preparing = cut.preprocessing
    bleed = 0.0 if preparing.resize is None else (1 - preparing.size / preparing.resize) / 2
    whole = variant.id == "int8"
    return say(
        "export.tflite.readme",
        folder=folder_of(variant),
        file=FILES[variant.id],
        size=cut.size,
        takes=say("export.tflite.takes_bytes" if whole else "export.tflite.takes_numbers", size=cut.size),
        bleed=f"{bleed:.6g}",
        filter=preparing.interpolation.upper(),
        pixels="np.asarray(photo, np.uint8)" if whole else "np.asarray(photo, np.float32) / 127.5 - 1",
        share=f" / {_BYTES}" if whole else "",
    )


def _ports(metadata: ModelMetadata, variant: Variant, cut: tensor.Cut) -> dict[str, Any]:
    """Return what `signature.json` says about what goes in and comes out."""
    classes = len(metadata.labels)
    whole = variant.id == "int8"
    source: dict[str, Any] = {
        "name": "image",
        "type": "uint8" if whole else "float32",
        "shape": [1, cut.size, cut.size, 3],
        "layout": "NHWC",
        "colors": "RGB",
        "range": [0, 255] if whole else [-1, 1],
        "from_bytes": "pixel" if whole else "pixel / 127.5 - 1",
    }
    result: dict[str, Any] = {
        "name": "probabilities",
        "type": "uint8" if whole else "float32",
        "shape": [1, classes],
        "to_probability": f"value / {_BYTES}" if whole else "value",
    }
    stated = cut.preprocessing
    return {
        "model": FILES[variant.id],
        "inputs": [source],
        "outputs": [result],
        "photo": {"size": stated.size, "resize": stated.resize, "interpolation": stated.interpolation},
    }


EXPORTER = TensorFlowLite()
