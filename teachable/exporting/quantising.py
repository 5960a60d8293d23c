"""The layers of a network in whole numbers: int8 weights, uint8 activations, ranges taken from photos.

It owns which layers, what is measured on photos, and what onnxruntime's quantiser is told, in its QDQ form. What else
is in a file is the business of `precision`. The choices were measured with the built-in network on three sets of
photos, on photos the head never saw, against the full model; `tests/benchmarks/exports.py` prints the sum of them.

- Every output channel has a scale of its own. With one for a whole layer the network only guesses.
- Weights that are multiplied as matrices use 7 of the 8 bits: the instruction of processors without VNNI adds two
  products in 16 bits, which overflow otherwise, so that the file would say something else there than where it was
  checked. All 8 gained nothing that could be told from chance. Depthwise convolutions are computed another way, and
  lose when they do not use all 8.
- Depthwise convolutions in float32 would be quicker in WebAssembly. But a float32 layer between two of whole numbers is
  quantised by onnxruntime itself, when it loads the file, with one scale for the whole layer: see the first point.
- The mean error that rounding the weights makes in each channel is taken off its bias ("bias correction", Nagel et al.
  2019), given what the channels see on average. That halves how far probabilities are off.
- A range is what 95 % of the photos stay within, so that one odd photo does not coarsen the steps for all others.
  Taking all photos, percentiles of all values or the least entropy does no better.
- The first layer stays as it is: it has few weights and many places, and in int8 the built-in network is slower by a
  quarter.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from teachable.errors import ModelFileError, TeachableError
from teachable.runtime import UNUSABLE, open_session
from teachable.types import Image

if TYPE_CHECKING:
    import onnx

WITHIN = 0.95
"""Share of the photos whose values a range must hold."""
INFERRED = ("onnx.infer", "onnxruntime.quant")
"""Entry that tells the quantiser that shapes are known; otherwise it finds them by way of files."""
WEIGHTED = frozenset({"Conv", "Gemm", "MatMul"})
"""Operators with weights."""
# What these give is quantised along with what they get, so that nothing needs to be float32 in between.
_RIDERS = frozenset({"Add", "Clip", "Relu"})
_FLOAT = 1  # onnx.TensorProto.FLOAT, without importing onnx


def network(graph: "onnx.GraphProto") -> list["onnx.NodeProto"]:
    """Return the nodes to quantise, each with a name: those between the first layer with weights and `features`.

    What prepares the photo lies before the first layer with weights, whatever an imported graph calls things.

    Args:
        graph: of a model file, with the types of its inner values, every node with a name of its own.
    """
    producers = {name: index for index, node in enumerate(graph.node) for name in node.output}
    needed: set[int] = set()
    wanted = ["features"]
    while wanted:
        index = producers.get(wanted.pop())
        if index is not None and index not in needed:
            needed.add(index)
            wanted += graph.node[index].input
    constants = {tensor.name: tensor for tensor in graph.initializer}
    floats = {port.name for port in (*graph.value_info, *graph.output) if port.type.tensor_type.elem_type == _FLOAT}
    behind: set[str] = set()
    first: list[onnx.NodeProto] = []
    rest: list[onnx.NodeProto] = []
    for index in sorted(needed):
        node = graph.node[index]
        weighted = _has_weights(node, constants)
        if not weighted and behind.isdisjoint(node.input):
            continue
        known = all(name in floats for name in (*node.input, *node.output) if name and name not in constants)
        if known and (weighted or node.op_type in _RIDERS):
            (first if behind.isdisjoint(node.input) else rest).append(node)
        behind.update(node.output)
    # A network of one layer has nothing else.
    return rest if any(node.op_type in WEIGHTED for node in rest) else [*first, *rest]


def _has_weights(node: "onnx.NodeProto", constants: Mapping[str, "onnx.TensorProto"]) -> bool:
    """Say whether a node multiplies with constants, as floats, and adds none or a constant."""
    given = [constants.get(name) for name in node.input[1:] if name]
    return (
        node.op_type in WEIGHTED
        and len(given) > 0
        and all(tensor is not None and tensor.data_type == _FLOAT for tensor in given)
        and given[0] is not None
        and len(given[0].dims) >= 2
    )


def _depthwise(node: "onnx.NodeProto", weight: "onnx.TensorProto") -> bool:
    """Say whether a convolution sees every channel alone."""
    return node.op_type == "Conv" and weight.dims[1] == 1 and _groups(node) == weight.dims[0]


def _groups(node: "onnx.NodeProto") -> int:
    return next((int(one.i) for one in node.attribute if one.name == "group"), 1)


@dataclass(frozen=True)
class Seen:
    """What values inside a network were like.

    Attributes:
        ranges: smallest and largest value of each, of most photos.
        means: what each channel is on average, `[C]`, of values that convolutions see.
    """

    ranges: Mapping[str, tuple[np.float32, np.float32]]
    means: Mapping[str, NDArray[np.float64]]


def look(proto: "onnx.ModelProto", part: Sequence["onnx.NodeProto"], photos: Iterable[Image]) -> Seen:
    """Run the full model over photos, one at a time, and note what its inner values are like.

    Args:
        proto: the model.
        part: the nodes to quantise.
        photos: uint8 `[H, W, 3]`, of any sizes.

    Raises:
        ModelFileError: it cannot be run, or gives what is no number.
        TeachableError: there are no photos.
    """
    constants = {tensor.name for tensor in proto.graph.initializer}
    values = sorted({name for node in part for name in (*node.input, *node.output) if name} - constants)
    channels = sorted({node.input[0] for node in part if node.op_type == "Conv"})
    session = open_session(_telling(proto, values, channels), "model.onnx")
    asked = [port.name for port in session.get_outputs()][len(proto.graph.output) :]
    ends: list[NDArray[np.float32]] = []
    sums = [np.zeros(1) for _ in channels]
    for photo in photos:
        try:
            found = session.run(asked, {"image": photo[None]})
        except UNUSABLE as error:
            raise ModelFileError("model_fails", name="model.onnx") from error
        ends.append(np.array([float(one) for one in found[: 2 * len(values)]], np.float32).reshape(-1, 2))
        means = (one.reshape(one.shape[:2]).mean(axis=0, dtype=np.float64) for one in found[2 * len(values) :])
        sums = [before + mean for before, mean in zip(sums, means, strict=True)]
    if not ends:
        raise TeachableError("export_no_photos")
    every = np.stack(ends)
    if not np.isfinite(every).all():
        raise ModelFileError("export_quarter_fails")
    low = np.quantile(every[:, :, 0], 1 - WITHIN, axis=0).astype(np.float32)
    high = np.quantile(every[:, :, 1], WITHIN, axis=0).astype(np.float32)
    return Seen(
        {name: (low[index], high[index]) for index, name in enumerate(values)},
        {name: total / len(ends) for name, total in zip(channels, sums, strict=True)},
    )


def _telling(proto: "onnx.ModelProto", values: Sequence[str], channels: Sequence[str]) -> bytes:
    """Return the graph with more outputs: smallest and largest of some values, and means of the channels of others."""
    import onnx
    from onnx import helper

    telling = onnx.ModelProto()
    telling.CopyFrom(proto)
    taken = names(telling.graph)
    asked = [(kind, name) for name in values for kind in ("ReduceMin", "ReduceMax")]
    for kind, name in [*asked, *(("GlobalAveragePool", name) for name in channels)]:
        given = free(f"{kind}/{name}", taken)
        whole: dict[str, Any] = {} if kind == "GlobalAveragePool" else {"keepdims": 0}
        telling.graph.node.append(helper.make_node(kind, [name], [given], given, **whole))
        telling.graph.output.append(helper.make_tensor_value_info(given, _FLOAT, None))
    return bytes(telling.SerializeToString())


def quantise(proto: "onnx.ModelProto", part: Sequence["onnx.NodeProto"], seen: Seen) -> "onnx.ModelProto":
    """Return the model with some of its nodes in whole numbers.

    Raises:
        ModelFileError: they cannot be.
    """
    import onnx
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import QuantType

    constants = {tensor.name: tensor for tensor in proto.graph.initializer}
    weighted = [node for node in part if node.op_type in WEIGHTED]
    whole: dict[str, Any] = {"quant_type": QuantType.QInt8, "reduce_range": False}
    every_bit = {
        node.input[1]: [{**whole, "axis": 0}, *([whole] * (constants[node.input[1]].dims[0] - 1))]
        for node in weighted
        if _depthwise(node, constants[node.input[1]])
    }
    given = onnx.ModelProto()
    given.CopyFrom(proto)
    # Says that the shapes are known; otherwise the quantiser finds them by way of files.
    given.metadata_props.add(key=INFERRED[0], value=INFERRED[1])
    try:
        with _quiet():
            quantiser = QDQQuantizer(
                given,
                per_channel=True,
                reduce_range=True,
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QUInt8,
                tensors_range=TensorsData(CalibrationMethod.MinMax, dict(seen.ranges)),
                nodes_to_quantize=[node.name for node in part],
                nodes_to_exclude=[],
                op_types_to_quantize=sorted(WEIGHTED | _RIDERS),
                extra_options={"TensorQuantOverrides": every_bit},
            )
            made: onnx.ModelProto = quantiser.quantize_model()
            # What it added stands at the end, which onnxruntime forgives, and other readers need not.
            quantiser.model.topological_sort()
        convolutions = [node for node in weighted if node.op_type == "Conv" and len(node.input) == 3]
        _correct_biases(made.graph, convolutions, constants, seen.means)
    except Exception as error:  # whatever it meets in a graph of a stranger's
        raise ModelFileError("export_quarter_fails") from error
    return made


def _correct_biases(
    graph: "onnx.GraphProto",
    convolutions: Sequence["onnx.NodeProto"],
    constants: Mapping[str, "onnx.TensorProto"],
    means: Mapping[str, NDArray[np.float64]],
) -> None:
    """Take the mean error of the rounded weights of convolutions off their biases, which are whole numbers by now.

    What a channel is wrong by on average is the error of its weights times what it sees on average. At the border of
    the map it sees zeros as well, which is left out of account.
    """
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in graph.initializer}
    floats = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    nodes = {node.name: node for node in graph.node}
    for node in convolutions:
        weight, bias = (floats[name] for name in nodes[node.name].input[1:])
        rounded, scale = (numpy_helper.to_array(tensors[name]).astype(np.float64) for name in weight.input[:2])
        exact = numpy_helper.to_array(constants[node.input[1]])
        wrong = rounded * scale.reshape(-1, *[1] * (exact.ndim - 1)) - exact
        by_channel = wrong.reshape(_groups(node), -1, exact.shape[1], math.prod(exact.shape[2:])).sum(axis=3)
        error = (by_channel @ means[node.input[0]].reshape(_groups(node), -1, 1)).ravel()
        before, step = (numpy_helper.to_array(tensors[name]) for name in bias.input[:2])
        limits = np.iinfo(np.int32)
        after = np.clip(np.round(before - error / step), limits.min, limits.max).astype(np.int32)
        tensors[bias.input[0]].CopyFrom(numpy_helper.from_array(after, bias.input[0]))


def names(graph: "onnx.GraphProto") -> set[str]:
    """Return the names of all values of a graph."""
    inner = {name for node in graph.node for name in (*node.input, *node.output)}
    return inner | {tensor.name for tensor in graph.initializer} | {port.name for port in (*graph.input, *graph.output)}


def free(name: str, taken: set[str]) -> str:
    """Return a name that nothing has yet, and note it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser from writing to the root logger, which it would even set up if nobody has."""
    root = logging.getLogger()
    others = _Others()
    # What stands in for handlers where there are none: nothing changes for anybody else.
    stand_in = logging.lastResort if not root.handlers else None
    root.addFilter(others)
    if stand_in is not None:
        root.addHandler(stand_in)
    try:
        yield
    finally:
        root.removeFilter(others)
        if stand_in is not None:
            root.removeHandler(stand_in)


class _Others(logging.Filter):
    """Lets through what was not written by onnxruntime's quantiser."""

    def filter(self, record: logging.LogRecord) -> bool:
        return Path(record.pathname).parent.name != "quantization"
