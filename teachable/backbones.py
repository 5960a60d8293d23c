"""The networks that turn photos into embeddings: their records, their bytes, and how a torch module becomes one.

It owns `assets/backbones/`: one JSON file per backbone, beside it the ONNX graph and, for those of ours, the weights it
is made from. The graph takes photos of any size and does everything inside, so no size, mean or crop is repeated
anywhere else. It does not run the graphs (`teachable.embeddings`) or append heads (`teachable.export`).

`python -m teachable.backbones build assets/backbones/NAME.safetensors` writes NAME.onnx again and brings the size, the
width and the fingerprint in NAME.json up to date.
"""

import copy
import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable.errors import InstallationError, NotFound
from teachable.resources import assets
from teachable.types import BackboneRecord

if TYPE_CHECKING:
    import onnx
    import torch

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
OPSET = 18
# The newest that onnxruntime-web and onnxruntime of two years ago both read.
IR_VERSION = 10


@dataclass(frozen=True)
class Preprocessing:
    """What the graph does to a photo before the network sees it, after cropping the centre square.

    Attributes:
        size: pixels of the square the network sees.
        mean: of each of R, G, B, on the scale 0 to 1; subtracted.
        std: of each of R, G, B, on the scale 0 to 1; divided by.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def registry() -> tuple[BackboneRecord, ...]:
    """Return all backbones of this installation, the built-in one first.

    Raises:
        InstallationError: a record is damaged, or there is no built-in backbone.
    """
    return tuple(_record(entry) for entry in _entries(_folder()))


def builtin() -> BackboneRecord:
    """Return the backbone a new project uses.

    Raises:
        InstallationError: a record is damaged, or there is no built-in backbone.
    """
    return registry()[0]


def find(id_or_fingerprint: str) -> BackboneRecord:
    """Return the backbone with this id or fingerprint.

    Raises:
        NotFound: this installation has no such backbone.
        InstallationError: a record is damaged.
    """
    for record in registry():
        if id_or_fingerprint in (record.id, record.fingerprint):
            return record
    raise NotFound("backbone_unknown", backbone=id_or_fingerprint)


def read(record: BackboneRecord) -> bytes:
    """Return the ONNX graph of a backbone.

    Raises:
        InstallationError: the file is missing, or is not the one the record was written for.
    """
    try:
        data = (_folder() / record.file).read_bytes()
    except OSError as error:
        raise InstallationError("backbone_missing", file=record.file) from error
    if hashlib.sha256(data).hexdigest() != record.fingerprint:
        raise InstallationError("backbone_damaged", file=record.file)
    return data


def build(module: "torch.nn.Module", preprocessing: Preprocessing) -> "onnx.ModelProto":
    """Turn a torch module into a backbone graph.

    The graph takes `image`, uint8 `[batch, height, width, 3]`, RGB, any size, and gives `features`, float32
    `[batch, C, h, w]`, and `embedding`, float32 `[batch, C]`, their spatial mean.

    Args:
        module: maps float32 `[N, 3, size, size]`, scaled as `preprocessing` says, to the last map `[N, C, h, w]`.
        preprocessing: what it was trained with.

    Returns:
        A checked model, opset 18, that names neither files nor source lines of the computer it was made on.

    Raises:
        ValueError: the module does not give one map per photo, or uses operators outside standard ONNX.
    """
    import onnx
    from onnx import TensorProto, helper

    network = _export(module, preprocessing.size)
    before, constants = _preprocess(preprocessing)
    nodes, weights = _canonical(network.graph)
    axes = _constant("spatial_axes", [2, 3], "int64")
    mean = helper.make_node("ReduceMean", ["features", axes.name], ["embedding"], "embedding", keepdims=0)
    channels, height, width = _map_shape(network)
    graph = helper.make_graph(
        [*before, *nodes, mean],
        "backbone",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", channels, height, width]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", channels]),
        ],
        [*constants, *weights, axes],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="teachable"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def rebuild(weights: Path) -> BackboneRecord:
    """Write the ONNX graph of a weights file again, and its size, width and fingerprint into the record beside it.

    Args:
        weights: a safetensors file; the record of the same name says which network it belongs to.

    Returns:
        The new record.

    Raises:
        InstallationError: there is no sound record beside the weights.
        ValueError: the weights do not fit the network of the record.
    """
    path = weights.with_suffix(".json")
    entry = _entry(path)
    model = build_entry(entry, weights)
    data = model.SerializeToString(deterministic=True)
    width = model.graph.output[1].type.tensor_type.shape.dim[1].dim_value
    record = replace(
        _record(entry),
        file=weights.with_suffix(".onnx").name,
        size_bytes=len(data),
        embedding_width=width,
        input_size=_preprocessing(entry).size,
        fingerprint=hashlib.sha256(data).hexdigest(),
    )
    recipe = {**entry["build"], "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    written = {**entry, "record": {field.name: getattr(record, field.name) for field in fields(record)}}
    _write(path.with_name(record.file), data)
    _write(path, (json.dumps({**written, "build": recipe}, indent=2, ensure_ascii=False) + "\n").encode())
    return record


def build_entry(entry: Mapping[str, Any], weights: Path) -> "onnx.ModelProto":
    """Return the graph that the build part of a record file describes.

    Args:
        entry: contents of a record file.
        weights: the safetensors file.

    Raises:
        ValueError: the weights do not fit the network of the record.
    """
    from teachable import networks

    return build(networks.load(entry["build"]["architecture"], weights), _preprocessing(entry))


def main(arguments: Sequence[str]) -> int:
    """Run the command of this module and return its exit code."""
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    if len(arguments) != 2 or arguments[0] != "build":
        log.error("usage: python -m teachable.backbones build WEIGHTS.safetensors")
        return 2
    record = rebuild(Path(arguments[1]))
    log.info("%s: %d bytes, width %d, fingerprint %s", *_facts(record))
    return 0


def _facts(record: BackboneRecord) -> tuple[str, int, int, str]:
    return record.file, record.size_bytes, record.embedding_width, record.fingerprint


def _write(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _folder() -> Path:
    return assets() / "backbones"


def _entries(folder: Path) -> list[dict[str, Any]]:
    """Return the contents of all record files, the built-in one first, then by name."""
    entries = [_entry(path) for path in sorted(folder.glob("*.json"))]
    entries.sort(key=lambda entry: not entry.get("builtin", False))
    if sum(bool(entry.get("builtin")) for entry in entries) != 1:
        raise InstallationError("backbone_none")
    return entries


def _entry(path: Path) -> dict[str, Any]:
    """Return the contents of one record file after checking that it is one."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        if entry["format_version"] == FORMAT_VERSION and _record(entry):
            return dict(entry)
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise InstallationError("backbone_record", file=path.name) from error
    raise InstallationError("backbone_record", file=path.name)


def _record(entry: Mapping[str, Any]) -> BackboneRecord:
    return BackboneRecord(**entry["record"])


def _preprocessing(entry: Mapping[str, Any]) -> Preprocessing:
    stated = entry["build"]["preprocessing"]
    return Preprocessing(int(stated["size"]), tuple(stated["mean"]), tuple(stated["std"]))


def _export(module: "torch.nn.Module", size: int) -> "onnx.ModelProto":
    """Return the network alone, from `pixels` to `features`, batch norm folded into the convolutions."""
    import torch

    batch = torch.export.Dim("batch", min=1)
    program = torch.onnx.export(
        copy.deepcopy(module).eval(),
        (torch.zeros(2, 3, size, size),),
        input_names=["pixels"],
        output_names=["features"],
        opset_version=OPSET,
        dynamic_shapes=({0: batch},),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise ValueError("the exporter gave no graph")
    model: onnx.ModelProto = program.model_proto
    return model


def _map_shape(network: "onnx.ModelProto") -> tuple[int, int, int]:
    """Return channels, height and width of the network's only output."""
    shape = network.graph.output[0].type.tensor_type.shape.dim
    if len(network.graph.output) != 1 or len(shape) != 4 or not all(side.dim_value for side in shape[1:]):
        raise ValueError("the module must return one map [N, C, h, w]")
    return shape[1].dim_value, shape[2].dim_value, shape[3].dim_value


def _preprocess(preprocessing: Preprocessing) -> tuple[list["onnx.NodeProto"], list["onnx.TensorProto"]]:
    """Return the nodes from `image` to `pixels`, and their constants.

    The square is cut and resized as bytes, before anything becomes a float: measured on a photo of 4000x3000 that takes
    30 MB instead of 135 MB and less time, and it is what Pillow does. With `exclude_outside` the resize agrees with
    Pillow's BILINEAR in all but a few pixels, which differ by one step of 255; without it the border differs visibly.
    Channels stay last until the photo is small, so that only `size * size` pixels are transposed.
    """
    from onnx import TensorProto, helper

    constants = [
        _constant("two", 2, "int64"),
        _constant("photo_axes", [1, 2], "int64"),
        _constant("size", [preprocessing.size, preprocessing.size], "int64"),
        _constant("mean", [[[[255 * value]] for value in preprocessing.mean]], "float32"),
        _constant("std", [[[[255 * value]] for value in preprocessing.std]], "float32"),
    ]
    resize: dict[str, Any] = {
        "mode": "linear",
        "antialias": 1,
        "exclude_outside": 1,
        "coordinate_transformation_mode": "half_pixel",
        "axes": [1, 2],
    }
    nodes = [
        helper.make_node("Shape", ["image"], ["sides"], "sides", start=1, end=3),
        helper.make_node("ReduceMin", ["sides"], ["side"], "side", keepdims=1),
        helper.make_node("Sub", ["sides", "side"], ["margins"], "margins"),
        helper.make_node("Div", ["margins", "two"], ["start"], "start"),
        helper.make_node("Add", ["start", "side"], ["end"], "end"),
        helper.make_node("Slice", ["image", "start", "end", "photo_axes"], ["square"], "square"),
        helper.make_node("Resize", ["square", "", "", "size"], ["resized"], "resized", **resize),
        helper.make_node("Transpose", ["resized"], ["planes"], "planes", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["numbers"], "numbers", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["numbers", "mean"], ["centred"], "centred"),
        helper.make_node("Div", ["centred", "std"], ["pixels"], "pixels"),
    ]
    return nodes, constants


def _canonical(graph: "onnx.GraphProto") -> tuple[list["onnx.NodeProto"], list["onnx.TensorProto"]]:
    """Return nodes and weights of an exported graph under names of ours, without notes about where they come from.

    The exporter's names change between its versions, and its notes hold source lines and paths of this computer. Here
    everything is named by its place, `conv_0` and `conv_0.1`, so that equal networks give equal files.
    """
    import onnx
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in graph.initializer}
    names = {"": "", graph.input[0].name: "pixels"}
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    for index, node in enumerate(graph.node):
        if node.domain or len(node.output) != 1:
            raise ValueError(f"{node.domain}.{node.op_type} is not a standard operator with one result")
        name = f"{node.op_type.lower()}_{index}"
        for place, source in enumerate(node.input):
            if source not in names:
                names[source] = f"{name}.{place}"
                weights.append(numpy_helper.from_array(numpy_helper.to_array(tensors[source]), names[source]))
        names[node.output[0]] = "features" if node.output[0] == graph.output[0].name else name
        made = onnx.NodeProto(op_type=node.op_type, name=name)
        made.input.extend(names[source] for source in node.input)
        made.output.append(names[node.output[0]])
        made.attribute.extend(sorted(node.attribute, key=lambda attribute: attribute.name))
        nodes.append(made)
    return nodes, weights


def _constant(name: str, value: object, dtype: str) -> "onnx.TensorProto":
    import numpy as np
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(value, dtype), name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
