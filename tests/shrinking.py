"""What the tests of smaller model files make in code: a small network with a trained head, and photos of classes."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from teachable import export
from teachable.metadata import ModelMetadata
from teachable.resources import assets
from teachable.scores import ClassScore, Evaluation
from teachable.types import Agreement, Embeddings, Familiarity, Head, Image, Labels, Layer, TrainSettings

SIDE = 4
COLOURS = np.array([[30, 25, 20], [230, 60, 60], [60, 230, 70], [230, 220, 230]])
"""What the classes look like; the first is dark."""


def coloured(count: int, classes: Sequence[int] = range(4), seed: int = 0, side: int = SIDE) -> list[Image]:
    """Photos of the classes in turn, each around the colour of its class."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 18, (count, side, side, 3))
    colours = COLOURS[[classes[index % len(classes)] for index in range(count)]]
    return list(np.clip(colours[:, None, None] + noise, 0, 255).astype(np.uint8))


def network(width: int = 64, *, opset: int = 18, plain: bool = True, scale: float = 1.0) -> bytes:
    """A network of four layers, one of them depthwise, and a shortcut, that sees photos of 4 x 4.

    Args:
        width: channels.
        opset: 18, or 13 as in older files.
        plain: constants are initializers and nodes have names; otherwise the way that others write graphs.
        scale: of the weights.
    """
    random = np.random.default_rng(1)

    def weights(*shape: int) -> np.ndarray:
        fan = int(np.prod(shape[1:]))
        return (scale * random.normal(0, (2 / fan) ** 0.5, shape)).astype(np.float32)

    values = {
        "scale": np.array(255, np.float32),
        "w0": weights(width, 3, 1, 1),
        "b0": np.zeros(width, np.float32),
        "w1": weights(width, width, 3, 3),
        "b1": np.full(width, 0.1, np.float32),
        "w2": weights(width, 1, 3, 3),
        "b2": np.full(width, 0.1, np.float32),
        "w3": weights(width, width, 1, 1),
        "b3": np.zeros(width, np.float32),
        "low": np.array(0, np.float32),
        "high": np.array(6, np.float32),
    }
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["numbers", "scale"], ["shares"]),
        helper.make_node("Conv", ["shares", "w0", "b0"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1", "b1"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c", "low", "high"], ["d"]),
        helper.make_node("Conv", ["d", "w2", "b2"], ["e"], pads=[1, 1, 1, 1], group=width),
        helper.make_node("Add", ["e", "b"], ["f"]),
        helper.make_node("Conv", ["f", "w3", "b3"], ["g"]),
        helper.make_node("Relu", ["g"], ["features"]),
    ]
    if opset >= 18:
        values["axes"] = np.array([2, 3])
        nodes.append(helper.make_node("ReduceMean", ["features", "axes"], ["embedding"], keepdims=0))
    else:
        nodes.append(helper.make_node("ReduceMean", ["features"], ["embedding"], keepdims=0, axes=[2, 3]))
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])]
    if plain:
        for index, node in enumerate(nodes):
            node.name = f"{node.op_type}_{index}"
    else:
        # Some constants are nodes, the others are inputs as well, and nodes have no names.
        made = [helper.make_node("Constant", [], [one.name], value=one) for one in constants if one.name != "w1"]
        nodes = [*made, *nodes]
        constants = [one for one in constants if one.name == "w1"]
        inputs += [helper.make_tensor_value_info("w1", TensorProto.FLOAT, [width, width, 3, 3])]
    outputs = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", width, SIDE, SIDE]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", width]),
    ]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def nearest(embeddings: Embeddings, labels: Labels, sharpness: float = 1.0) -> Head:
    """A head that names the class whose mean embedding is nearest."""
    means = np.stack([embeddings[labels == label].mean(0) for label in range(labels.max() + 1)])
    within = float(np.square(embeddings - means[labels]).sum(1).mean())
    factor = sharpness / within
    bias = -factor * np.square(means).sum(1)
    return Head((Layer((2 * factor * means).astype(np.float32), bias.astype(np.float32)),))


def about(labels: Sequence[str], agreement: Agreement | None = None) -> ModelMetadata:
    """What a model file says about itself."""
    count = len(labels)
    score = Evaluation(0.9, 0.8, 0.95, 10, 9, (ClassScore(0, 0),) * count, ((0,) * count,) * count, (), ())
    return ModelMetadata(tuple(labels), "Colours", 1.7e9, "small", "f" * 64, TrainSettings(), score, agreement)


def model(backbone: bytes, head: Head, known: Familiarity | None = None) -> bytes:
    """A full model file of which the agreement is known."""
    labels = [f"class {index}" for index in range(len(head.layers[-1].bias))]
    said = about(labels, Agreement(8, 8, 0.0))
    if known is not None:
        said = replace(said, unknown_below=0.05, familiar=known.held_out)
    return export.append_head(backbone, head, said, known)


def in_wasm(model: bytes, photo: Image, output: str, folder: Path) -> np.ndarray:
    """What a model file says of a photo in WebAssembly, float32, flat."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("node is missing: run the tests with `uv run --group dev pytest`")
    (folder / "model.onnx").write_bytes(model)
    (folder / "photo").write_bytes(photo.tobytes())
    *_, runtime = sorted((assets() / "onnxruntime-web" / "dist").glob("*/ort.wasm.min.mjs"))
    arguments = [runtime.parent, folder / "model.onnx", folder / "photo", *photo.shape[:2], output]
    script = Path(__file__).with_name("wasm.mjs")
    done = subprocess.run([node, script, *map(str, arguments)], capture_output=True, timeout=300, check=True)
    return np.frombuffer(done.stdout, np.float32)
