"""A network as a Core ML package, for apps on iPhones, iPads and Macs.

It owns what the package says about itself: a photo goes in as a picture, the name of a class and the probability of
each come out, so that Apple's Vision framework and a click in Xcode need nothing else. The conversion is that of
Apple's `coremltools`, from torch. It loads torch, so only a child process imports it (`teachable.exporting.mobile`).
"""

import json
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from teachable.errors import ModelFileError
from teachable.exporting.mobile_graph import SOURCE, Network

if TYPE_CHECKING:
    import torch

PACKAGE = "model.mlpackage"
INPUT = "image"
LABEL, PROBABILITIES = "classLabel", "classLabel_probs"
"""What coremltools calls what a classifier gives."""
_MODEL = "Data/com.apple.CoreML/model.mlmodel"
_WEIGHTS = "Data/com.apple.CoreML/weights"
_MANIFEST = "Manifest.json"
_DATE = "com.github.apple.coremltools.conversion_date"
_BLOB, _MARK = struct.Struct("<IIQQ"), 0xDEADBEEF
# Each part of a package has a random identity. Equal models are to have equal packages.
_IDENTITIES = {
    "model.mlmodel": "6C7F0E1A-0000-4000-8000-000000000001",
    "weights": "6C7F0E1A-0000-4000-8000-000000000002",
}


def runs_here() -> bool:
    """Say whether this computer can run such packages: a Mac can."""
    return sys.platform == "darwin"


def write(network: Network, about: Mapping[str, Any], progress: Callable[[float], None]) -> dict[str, bytes]:
    """Return the files of a Core ML package by their paths in it.

    Args:
        network: what to write.
        about: `mean` and `std` of each of R, G, B, on the scale 0 to 1; `labels`, no two alike; `half`, whether numbers
            are kept and computed in float16; texts `name`, `author`, `licence`, `version`.
        progress: called with the part that is done, 0 to 1.

    Raises:
        ModelFileError: torch has nothing here for one of the steps.
    """
    import coremltools as ct
    import torch

    from teachable.exporting.mobile_torch import Module

    size = network.shapes[SOURCE][-1]
    module = _normalised(Module(network), about["mean"], about["std"])
    progress(0.2)
    with torch.no_grad():
        traced = torch.jit.trace(module, torch.zeros(1, 3, size, size))  # type: ignore[no-untyped-call]
    progress(0.4)
    model = ct.convert(
        traced,
        convert_to="mlprogram",
        inputs=[ct.ImageType(INPUT, shape=(1, 3, size, size), color_layout=ct.colorlayout.RGB)],
        classifier_config=ct.ClassifierConfig(list(about["labels"])),
        compute_precision=ct.precision.FLOAT16 if about["half"] else ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS15,
        skip_model_load=True,
    )
    progress(0.9)
    model.short_description, model.author = about["name"], about["author"]
    model.license, model.version = about["licence"], about["version"]
    return _files(model)


def _normalised(network: "torch.nn.Module", mean: Sequence[float], std: Sequence[float]) -> "torch.nn.Module":
    """Return a module that takes bytes, 0 to 255, instead of what the network expects.

    As a convolution of each channel with one number, so that Core ML keeps it in one operator.
    """
    import torch

    stretch = torch.nn.Conv2d(3, 3, 1, groups=3)
    with torch.no_grad():
        stretch.weight.copy_(torch.tensor([1 / (255 * one) for one in std]).reshape(3, 1, 1, 1))
        stretch.bias.copy_(torch.tensor([-one / other for one, other in zip(mean, std, strict=True)]))  # type: ignore[union-attr]
    return torch.nn.Sequential(stretch, network).eval().requires_grad_(False)


def _files(model: Any) -> dict[str, bytes]:
    """Return the files of a package, without the date and the random identities in it."""
    spec = model.get_spec()
    spec.description.metadata.userDefined.pop(_DATE, None)
    files = {_MODEL: bytes(spec.SerializeToString(deterministic=True))}
    folder = Path(model.weights_dir)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files[f"{_WEIGHTS}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    entries = {
        identity: {
            "author": "com.apple.CoreML",
            "description": "CoreML Model Specification" if name == "model.mlmodel" else "CoreML Model Weights",
            "name": name,
            "path": f"com.apple.CoreML/{name}",
        }
        for name, identity in _IDENTITIES.items()
    }
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": entries,
        "rootModelIdentifier": _IDENTITIES["model.mlmodel"],
    }
    files[_MANIFEST] = (json.dumps(manifest, indent=4) + "\n").encode()
    return files


def look(files: Mapping[str, bytes], labels: Sequence[str], size: int) -> None:
    """Read a package as far as that goes without a Mac.

    Args:
        files: of the package, by their paths in it.
        labels: that must be in it, in this order.
        size: of the picture that must go in.

    Raises:
        ModelFileError: something is missing, or is something else.
    """
    from coremltools.proto import Model_pb2
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    damaged = ModelFileError("model_unreadable", name=PACKAGE)
    try:
        spec = Model_pb2.Model.FromString(files[_MODEL])
        listed = {entry["path"] for entry in json.loads(files[_MANIFEST])["itemInfoEntries"].values()}
        (block,) = spec.mlProgram.functions["main"].block_specializations.values()
        (source,) = spec.description.input
    except (DecodeError, KeyError, ValueError) as error:
        raise damaged from error
    picture = source.type.imageType
    outputs = {port.name: port.type.WhichOneof("Type") for port in spec.description.output}
    sound = (
        (source.name, picture.width, picture.height) == (INPUT, size, size)
        and outputs == {LABEL: "stringType", PROBABILITIES: "dictionaryType"}
        and _named(block) == list(labels)
        and all(any(f"Data/{path}" in name for name in files) for path in listed)
        and _whole(block, files)
    )
    if not sound:
        raise damaged


def _named(block: Any) -> list[str]:
    """Return the names of the classes that a program gives."""
    classify = next((one for one in block.operations if one.type == "classify"), None)
    if classify is None:
        return []
    (given,) = classify.inputs["classes"].arguments
    return [text for one in given.value.immediateValue.list.values for text in one.immediateValue.tensor.strings.values]


def _whole(block: Any, files: Mapping[str, bytes]) -> bool:
    """Say whether there are weights, and each lies where the program looks for it.

    The file of weights has a header of 64 bytes before each: a mark, the kind of its numbers, how many bytes and where.
    """
    count = 0
    for operation in block.operations:
        for value in operation.attributes.values():
            if value.WhichOneof("value") != "blobFileValue":
                continue
            place = value.blobFileValue
            data = files.get(place.fileName.replace("@model_path/", "Data/com.apple.CoreML/"), b"")
            if place.offset + _BLOB.size > len(data):
                return False
            mark, _, length, start = _BLOB.unpack_from(data, place.offset)
            if mark != _MARK or start + length > len(data):
                return False
            count += 1
    return count > 0


def run(files: Mapping[str, bytes], labels: Sequence[str], squares: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run a package over pictures, on a Mac.

    Args:
        files: of the package, by their paths in it.
        labels: that are in it.
        squares: uint8 `[N, S, S, 3]`.

    Returns:
        Probabilities, float32 `[N, K]`, in the order of the labels.
    """
    import coremltools as ct
    import PIL.Image

    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / PACKAGE
        for name, data in files.items():
            path = package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        model = ct.models.MLModel(str(package), compute_units=ct.ComputeUnit.CPU_ONLY)
        answers = [model.predict({INPUT: PIL.Image.fromarray(square)})[PROBABILITIES] for square in squares]
    return np.array([[answer[label] for label in labels] for answer in answers], np.float32)
