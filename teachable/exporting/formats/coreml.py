"""Core ML, for apps on iPhones, iPads and Macs.

Only a Mac can run such a file. Elsewhere it is read and looked at as far as that goes: its picture, its classes and
where its weights lie.
"""

import json
import threading
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from teachable import __version__, backbones, official
from teachable.errors import ModelFileError
from teachable.exporting import mobile, mobile_square, tensor
from teachable.exporting.bundle import folder_of, read_archive, read_files, readme, write_archive
from teachable.exporting.exporter import Answers, Exporter, Extra, Runner, Source, Variant, Watch
from teachable.exporting.mobile_coreml import INPUT, LABEL, PACKAGE, PROBABILITIES, runs_here
from teachable.exporting.mobile_square import Squares
from teachable.metadata import ModelMetadata
from teachable.words import say


class CoreML(Exporter):
    """A Core ML package with the names of the classes inside."""

    id = "coreml"
    place = 80
    variants = (
        Variant("half", "model-coreml.zip", quick=False, tolerance=2e-2),
        Variant("full", "model-coreml-full.zip", quick=False),
    )
    extra = Extra("coreml", ("coremltools",))

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the archive."""
        metadata = source.metadata
        cut = tensor.cut(source.at("full", watch.part(0, 0.2)))
        about = {
            "labels": distinct(metadata.labels),
            "half": variant.id == "half",
            "name": metadata.project,
            "author": f"Teachable {__version__}",
            "licence": _licence(metadata),
            "version": str(round(metadata.created)),
        }
        made = mobile.convert("coreml", cut, watch.part(0.2, 0.95), about=about)
        text = say("export.coreml.readme", package=PACKAGE, size=cut.size)
        files = {
            **{f"{PACKAGE}/{name}": data for name, data in made.items()},
            mobile_square.FILE: mobile_square.graph(cut),
            "README.md": readme(metadata, text, unsure=False),
        }
        watch.require_wanted()
        write_archive(target, metadata, files, _ports(metadata, cut), folder_of(variant))
        watch.done(1.0)

    def open(self, path: Path, variant: Variant) -> Runner | None:
        """Open the package on a Mac; elsewhere look at it."""
        try:
            inside = read_files(path)
            names = [name for name in inside if name.startswith(f"{PACKAGE}/")]
            files = {name.removeprefix(f"{PACKAGE}/"): inside[name] for name in names}
            squares = Squares(inside[mobile_square.FILE])
            labels = _labels(path)
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ModelFileError("model_unreadable", name=path.name) from error
        if not files:
            raise ModelFileError("model_unreadable", name=PACKAGE)
        package = Packaged(files, labels, squares)
        package.look()
        return package if runs_here() else None


class Packaged:
    """A Core ML package, run in a process of its own.

    Args:
        files: by their paths in the package.
        labels: that are in it.
        squares: cuts photos as the package expects them.
    """

    def __init__(self, files: dict[str, bytes], labels: Sequence[str], squares: Squares) -> None:
        self._files = files
        self._labels = list(labels)
        self._squares = squares

    def look(self) -> None:
        """Read the package without running it.

        Raises:
            ModelFileError: something is missing, or is something else.
        """
        self._ask("coreml-look", {"size": self._squares.size}, {})

    def __call__(self, images: Sequence[Any]) -> Answers:
        """Answer for photos."""
        found = self._ask("coreml-run", {}, {"squares": self._squares(images)})["probabilities"]
        return Answers(np.frombuffer(found, np.float32).reshape(len(images), len(self._labels)))

    def _ask(self, task: str, header: dict[str, Any], arrays: dict[str, Any]) -> dict[str, bytes]:
        given = {str(index): np.frombuffer(data, np.uint8) for index, data in enumerate(self._files.values())}
        whole = {**header, "labels": self._labels, "files": list(self._files)}
        return mobile.ask(task, whole, {**given, **arrays}, Watch(lambda part: None, threading.Event()))


def distinct(labels: Iterable[str]) -> list[str]:
    """Return labels of which no two are alike, as Core ML wants them: the second `cat` becomes `cat (2)`."""
    given = list(labels)
    found: list[str] = []
    for label in given:
        count, name = 1, label
        while name in found or (count > 1 and name in given):
            count += 1
            name = f"{label} ({count})"
        found.append(name)
    return found


def _licence(metadata: ModelMetadata) -> str:
    """Return the licence of the network under the head, as far as this program knows it."""
    builtin = backbones.builtin()
    if metadata.backbone_fingerprint == builtin.fingerprint:
        return builtin.licence
    known = official.find(metadata.backbone_id)
    return known.licence if known else ""


def _labels(path: Path) -> list[str]:
    described = json.loads(read_archive(path, "signature.json"))
    return [str(label) for label in described["inside"]["labels"]]


def _ports(metadata: ModelMetadata, cut: tensor.Cut) -> dict[str, Any]:
    """Return what `signature.json` says about what goes in and comes out."""
    stated = cut.preprocessing
    return {
        "model": PACKAGE,
        "inputs": [{"name": INPUT, "type": "image", "colors": "RGB", "width": cut.size, "height": cut.size}],
        "outputs": [
            {"name": LABEL, "type": "string"},
            {"name": PROBABILITIES, "type": "dictionary from string to double"},
        ],
        "inside": {"labels": distinct(metadata.labels)},
        "photo": {"size": stated.size, "resize": stated.resize, "interpolation": stated.interpolation},
    }


EXPORTER = CoreML()
