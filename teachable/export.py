"""A trained head and a backbone become one model file, and the file is checked.

It owns the surgery on the ONNX graph: what is appended, and the entries that say what the file is. How those entries
read is in `teachable.metadata`; running a file is the business of `teachable.runtime`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from teachable import __version__
from teachable.errors import ModelFileError
from teachable.familiarity import TINY
from teachable.metadata import ModelMetadata, to_entries
from teachable.runtime import Classifier
from teachable.types import Agreement, Familiarity, Head, Image

if TYPE_CHECKING:
    import onnx

__all__ = ["TOLERANCE", "ModelMetadata", "append_head", "verify", "with_metadata"]

# Largest difference of a probability that still counts as the same answer; the page shows whole per cents.
TOLERANCE = 1e-3
# Photos held in memory at once while a file is verified.
VERIFY_PHOTOS = 16


def append_head(backbone: bytes, head: Head, metadata: ModelMetadata, familiarity: Familiarity | None = None) -> bytes:
    """Write a model file: the backbone's graph with a head behind it.

    The outputs are `probabilities` and `logits`, float32 `[batch, K]`, and `heatmap`, float32 `[batch, K, h, w]`: how
    much each place of the photo speaks for each class (class activation map, Zhou et al. 2016). With one layer it is
    the layer's weights applied at every place. With hidden layers it is the gradient of the logit with respect to the
    embedding, of this very photo, applied at every place. Its mean over the places is the embedding times
    those weights: for one layer, the logit without its bias.

    Where it is known how familiar photos are, there is a fourth output, `familiarity`, float32 `[batch]`, 0 to 1, as
    `teachable.familiarity.score` gives it.

    The embedding stays in the graph under its name, but is no output.

    Args:
        backbone: an ONNX graph with the outputs `features` and `embedding`.
        head: acts on its embeddings.
        metadata: what the file says about itself; one label per output of the head.
        familiarity: how familiar a photo is, from embeddings of this backbone, or None where that is not known.

    Returns:
        The ONNX file.

    Raises:
        ValueError: head, familiarity, labels and backbone do not fit together.
    """
    import onnx

    model = onnx.ModelProto.FromString(backbone)
    channels, height, width = _map_shape(model.graph)
    _check_head(head, channels, len(metadata.labels))
    nodes, weights = _head_nodes(head)
    more, shapes = _heatmap_nodes(len(head.layers), height, width)
    model.graph.node.extend([*nodes, *more])
    model.graph.initializer.extend([*weights, *shapes])
    if familiarity is not None:
        _check_familiarity(familiarity, channels)
        nodes, weights = _familiarity_nodes(familiarity)
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(weights)
    model.graph.name = "classifier"
    _replace_outputs(model.graph, len(metadata.labels), height, width, familiarity is not None)
    _write_entries(model, metadata)
    data = bytes(model.SerializeToString(deterministic=True))
    # A large network is there several times by now, and checking makes one more.
    del model
    onnx.checker.check_model(data)
    return data


def with_metadata(model: bytes, metadata: ModelMetadata) -> bytes:
    """Return a model file with other entries, for a renamed class or a known agreement; the graph stays as it is.

    Args:
        model: a file made by `append_head`.
        metadata: what it says from now on; as many labels as before.

    Raises:
        ModelFileError: the file is damaged.
        ValueError: the number of labels is another one.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto = onnx.ModelProto.FromString(model)
    except DecodeError as error:
        raise ModelFileError("model_unreadable", name=metadata.project) from error
    outputs = {output.name: output for output in proto.graph.output}
    if "probabilities" not in outputs:
        raise ModelFileError("model_foreign", name=metadata.project)
    if outputs["probabilities"].type.tensor_type.shape.dim[1].dim_value != len(metadata.labels):
        raise ValueError("as many labels as outputs are needed")
    _write_entries(proto, metadata)
    return bytes(proto.SerializeToString(deterministic=True))


def verify(model: bytes, photos: Iterable[Image], expected: NDArray[np.float32]) -> Agreement:
    """Run a written model file over photos and compare with what the preview says about them.

    A photo agrees if the file names the same class and no probability differs by more than `TOLERANCE`.

    Args:
        model: the bytes as they were written.
        photos: uint8 `[H, W, 3]` each, of any sizes; only a few are held at a time.
        expected: probabilities of the preview, float32 `[N, K]`, one row per photo.

    Returns:
        How many agree, of how many, and the largest difference of any probability.

    Raises:
        ModelFileError: the file cannot be run.
        ValueError: not as many photos as rows, or not as many columns as classes.
    """
    classifier = Classifier.load(model)
    if expected.shape[1:] != (len(classifier.labels),):
        raise ValueError("expected must have one column per class")
    agreeing = compared = 0
    largest = 0.0
    for chunk in _chunks(photos, VERIFY_PHOTOS):
        found = classifier.probabilities(chunk)
        wanted = expected[compared : compared + len(chunk)]
        if len(wanted) != len(chunk):
            raise ValueError("expected must have one row per photo")
        # A probability that is no number differs as much as one can.
        difference = np.nan_to_num(np.abs(found - wanted), nan=1.0).max(axis=1)
        agreeing += int(np.sum((difference <= TOLERANCE) & (found.argmax(axis=1) == wanted.argmax(axis=1))))
        compared += len(chunk)
        largest = max(largest, float(difference.max()))
    if compared != len(expected):
        raise ValueError("expected must have one row per photo")
    return Agreement(agreeing, compared, largest)


def _chunks(photos: Iterable[Image], length: int) -> Iterator[Sequence[Image]]:
    remaining = iter(photos)
    while chunk := list(islice(remaining, length)):
        yield chunk


def _map_shape(graph: "onnx.GraphProto") -> tuple[int, int, int]:
    """Return channels, height and width of `features`."""
    outputs = {output.name: output for output in graph.output}
    if not {"features", "embedding"} <= set(outputs):
        raise ValueError("a backbone gives features and embedding")
    _, channels, height, width = (side.dim_value for side in outputs["features"].type.tensor_type.shape.dim)
    if not channels or not height or not width:
        raise ValueError("the size of features must be known")
    return channels, height, width


def _check_head(head: Head, channels: int, labels: int) -> None:
    """Refuse layers that do not fit the backbone, each other or the labels."""
    width = channels
    for layer in head.layers:
        if layer.weight.ndim != 2 or layer.weight.shape[1] != width or layer.bias.shape != layer.weight.shape[:1]:
            raise ValueError(f"a layer for {width} values is needed, found weights {layer.weight.shape}")
        width = layer.weight.shape[0]
    if not head.layers or width != labels:
        raise ValueError(f"{labels} labels for {width} outputs")


def _head_nodes(head: Head) -> tuple[list["onnx.NodeProto"], list["onnx.TensorProto"]]:
    """Return the nodes from `embedding` to `probabilities`, and the weights."""
    from onnx import helper, numpy_helper

    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    last = len(head.layers) - 1
    source = "embedding"
    for index, layer in enumerate(head.layers):
        names = [f"head.{index}.weight", f"head.{index}.bias"]
        for name, values in zip(names, (layer.weight, layer.bias), strict=True):
            weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        target = "logits" if index == last else f"head.{index}.sum"
        nodes.append(helper.make_node("Gemm", [source, *names], [target], target, transB=1))
        if index != last:
            source = f"head.{index}.relu"
            nodes.append(helper.make_node("Relu", [target], [source], source))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], "probabilities", axis=1))
    return nodes, weights


def _heatmap_nodes(layers: int, height: int, width: int) -> tuple[list["onnx.NodeProto"], list["onnx.TensorProto"]]:
    """Return the nodes from `features` to `heatmap`, and the shapes they need.

    The gradient of logit k is row k of `W2 · diag(sum > 0) · W1`. Multiplying from the right, features first, gives the
    same map and costs the same for two classes as for two hundred.
    """
    from onnx import helper, numpy_helper

    places = numpy_helper.from_array(np.array([0, 0, height * width], np.int64), "heatmap.places")
    sides = numpy_helper.from_array(np.array([0, 0, height, width], np.int64), "heatmap.sides")
    last_axis = numpy_helper.from_array(np.array([2], np.int64), "heatmap.last_axis")
    nodes = [helper.make_node("Reshape", ["features", places.name], ["heatmap.flat"], "heatmap.flat")]
    source = "heatmap.flat"
    for index in range(layers):
        if index:
            mask = f"heatmap.{index}.mask"
            nodes += [
                helper.make_node("Sign", [f"head.{index - 1}.relu"], [mask], mask),
                helper.make_node("Unsqueeze", [mask, last_axis.name], [f"{mask}.column"], f"{mask}.column"),
                helper.make_node("Mul", [source, f"{mask}.column"], [f"{mask}.active"], f"{mask}.active"),
            ]
            source = f"{mask}.active"
        target = f"heatmap.{index}"
        nodes.append(helper.make_node("MatMul", [f"head.{index}.weight", source], [target], target))
        source = target
    nodes.append(helper.make_node("Reshape", [source, sides.name], ["heatmap"], "heatmap"))
    return nodes, [places, sides, *([last_axis] if layers > 1 else [])]


def _check_familiarity(familiarity: Familiarity, channels: int) -> None:
    """Refuse what was fitted on embeddings of another width, or does not fit together."""
    width = familiarity.basis.shape[0]
    found = [one.shape for one in (familiarity.mean, familiarity.basis, familiarity.whitening)]
    sound = familiarity.centres.ndim == 3 and familiarity.centres.shape[2] == width
    if found != [(channels,), (width, channels), (width, width)] or not sound or len(familiarity.centres) < 2:
        raise ValueError(f"a familiarity for {channels} values is needed, found {found}, {familiarity.centres.shape}")
    quantiles = familiarity.quantiles
    if quantiles.ndim != 1 or len(quantiles) < 2 or not (np.diff(quantiles) > 0).all():
        raise ValueError("a familiarity needs quantiles that increase")


def _familiarity_nodes(familiarity: Familiarity) -> tuple[list["onnx.NodeProto"], list["onnx.TensorProto"]]:
    """Return the nodes from `embedding` to `familiarity`, and their constants.

    They do what `teachable.familiarity.score` does, with operators that are the same since opset 13, because graphs of
    strangers may be as old.
    """
    from onnx import helper, numpy_helper

    classes, centres, width = familiarity.centres.shape
    flat = familiarity.centres.reshape(-1, width)
    constants: dict[str, NDArray[np.generic]] = {
        "mean": familiarity.mean,
        "basis": familiarity.basis,
        "whitening": familiarity.whitening,
        "centres": -2 * flat,
        "lengths": (flat**2).sum(axis=1),
        "lows": familiarity.quantiles[:-1],
        "steps": np.diff(familiarity.quantiles),
        "count": np.array(len(familiarity.quantiles) - 1, np.float32),
        "tiny": np.array(TINY, np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "axis": np.array([1], np.int64),
        "per_class": np.array([0, classes, centres], np.int64),
        "flat": np.array([0, classes], np.int64),
        "first": np.array([1], np.int64),
        "two": np.array([2], np.int64),
        "halves": np.array([1, 1], np.int64),
    }
    nodes: list[onnx.NodeProto] = []

    def add(operator: str, inputs: Sequence[str], *results: str, **attributes: Any) -> None:
        names = [name if name == "embedding" else f"familiarity.{name}" for name in inputs]
        outputs = ["familiarity" if name == "familiarity" else f"familiarity.{name}" for name in results]
        nodes.append(helper.make_node(operator, names, outputs, f"familiarity.{results[0]}.node", **attributes))

    def squared_length(source: str, target: str) -> None:
        add("Mul", [source, source], f"{target}.squares")
        add("ReduceSum", [f"{target}.squares", "axis"], target, keepdims=1)

    squared_length("embedding", "length2")
    add("Max", ["length2", "tiny"], "length2.some")
    add("Sqrt", ["length2.some"], "length")
    add("Div", ["embedding", "length"], "unit")
    add("Sub", ["unit", "mean"], "centred")
    add("Gemm", ["centred", "basis"], "inside", transB=1)
    squared_length("centred", "centred2")
    squared_length("inside", "inside2")
    add("Sub", ["centred2", "inside2"], "outside.raw")
    add("Max", ["outside.raw", "zero"], "outside")
    add("Gemm", ["inside", "whitening"], "place", transB=1)
    squared_length("place", "place2")
    # |p - c|² = |p|² + (|c|² - 2 p · c), the bracket for all centres in one product, and its smallest of each class.
    add("Gemm", ["place", "centres", "lengths"], "brackets", transB=1)
    add("Reshape", ["brackets", "per_class"], "brackets.of_class")
    add("TopK", ["brackets.of_class", "first"], "smallest", "smallest.index", axis=2, largest=0)
    add("Reshape", ["smallest", "flat"], "bracket")
    add("Add", ["bracket", "place2"], "nearest.raw")
    add("Max", ["nearest.raw", "zero"], "nearest")
    add("Add", ["nearest", "outside"], "nearest.whole")
    add("TopK", ["nearest.whole", "two"], "classes", "classes.index", axis=1, largest=0, sorted=1)
    add("Max", ["classes", "tiny"], "classes.some")
    add("Split", ["classes.some", "halves"], "best", "next", axis=1)
    add("Div", ["best", "next"], "ratio")
    add("Mul", ["best", "ratio"], "distance")
    # How much of each step between quantiles is passed; the mean of that is the share of photos that were nearer.
    add("Sub", ["distance", "lows"], "above")
    add("Div", ["above", "steps"], "passed.raw")
    add("Clip", ["passed.raw", "zero", "one"], "passed")
    add("ReduceSum", ["passed", "axis"], "passed.sum", keepdims=0)
    add("Div", ["passed.sum", "count"], "nearer")
    add("Sub", ["one", "nearer"], "familiarity")
    named = {f"familiarity.{name}": np.ascontiguousarray(value) for name, value in constants.items()}
    return nodes, [numpy_helper.from_array(value, name) for name, value in named.items()]


def _replace_outputs(graph: "onnx.GraphProto", classes: int, height: int, width: int, familiarity: bool) -> None:
    """Declare the classifier's outputs; those of the backbone become inner values."""
    from onnx import TensorProto, helper

    graph.value_info.extend(graph.output)
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes]),
            helper.make_tensor_value_info("heatmap", TensorProto.FLOAT, ["batch", classes, height, width]),
        ]
    )
    if familiarity:
        graph.output.append(helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["batch"]))


def _write_entries(model: "onnx.ModelProto", metadata: ModelMetadata) -> None:
    del model.metadata_props[:]
    for key, value in to_entries(replace(metadata, teachable_version=__version__)).items():
        model.metadata_props.add(key=key, value=value)
    model.producer_name = "teachable"
    model.producer_version = __version__
