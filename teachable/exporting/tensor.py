"""Cuts a model file in two: what happens to a photo first, and the network that sees a tensor of one size.

Other programs often bring their own way of preparing photos, or can take only tensors of a fixed size. It owns where
the cut is and what the first half does, both found by looking at the graph and running it: nothing here knows a size,
a mean or the name of an inner value.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from teachable.errors import ModelFileError
from teachable.graphs import LARGEST_SIDE, Preprocessing
from teachable.types import Image

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort
    import PIL.Image

Interpolation = Literal["bilinear", "bicubic"]

TENSOR = "pixel_values"
KEPT = ("probabilities", "logits", "familiarity")
"""Outputs of the second half, the last where the model has it. The map of places is left out, since nothing that takes
a tensor asks for it."""

_NETWORK = frozenset(
    {
        *("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "ConvInteger", "MatMulInteger", "QLinearConv"),
        *("QLinearMatMul", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
    }
)
"""Where one of these stands, the network has begun."""

# Odd and unlike each other: what depends on the photo cannot have the same size for both.
_SIZES = ((97, 131), (211, 160))
# What float32 arithmetic can add to a plain grey, in standard deviations.
_EVEN = 1e-4
# Mean difference, in steps of 255, up to which two ways of resizing count as one. Ours and Pillow's differ by 0.02,
# bilinear and bicubic on the same photo by 3, a crop one pixel off by 5.
_SAME_RESIZE = 0.5
# Numbers of a mean and std come out of float32 arithmetic to this; between it, they were written with fewer digits.
_RESOLUTION = 5e-7


@dataclass(frozen=True)
class Cut:
    """A model in two halves.

    Attributes:
        front: graph from `image`, uint8 `[batch, height, width, 3]` of any size, to `pixel_values`, float32
            `[batch, 3, size, size]`: the very nodes of the model.
        body: graph from `pixel_values` to `probabilities` and `logits`, float32 `[batch, K]`, and `familiarity`,
            float32 `[batch]`, where the model has it, with the entries of the model.
        size: pixels of the square.
        mean: of R, G, B, on the scale 0 to 1; None where the first half does what `Preprocessing` has no words for.
        std: likewise.
        resize: as in `Preprocessing`.
        interpolation: as in `Preprocessing`; None where `mean` is.
    """

    front: bytes
    body: bytes
    size: int
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None
    resize: int | None
    interpolation: Interpolation | None

    @property
    def preprocessing(self) -> Preprocessing:
        """What the first half does, for formats that have to say so.

        Raises:
            ModelFileError: it cannot be said in these terms.
        """
        if self.mean is None or self.std is None or self.interpolation is None:
            raise ModelFileError("export_tensor_unknown")
        return Preprocessing(self.size, self.mean, self.std, self.resize, self.interpolation)


def cut(model: bytes) -> Cut:
    """Cut a model file where the prepared photo flows into the network.

    That is the last value before the network that is float32 `[batch, 3, S, S]` for photos of every size and that all
    outputs depend on the photo by. Run one after the other, the halves give what the whole gives, bit for bit.

    Args:
        model: an ONNX file that follows the contract of `teachable.export.append_head`, at any precision.

    Raises:
        ModelFileError: the file is damaged, or there is no such value in it.
    """
    proto = _parse(model)
    found_at = _find(proto)
    if found_at is None:
        raise ModelFileError("export_tensor_missing")
    tensor, size = found_at
    _rename(proto, tensor)
    front = _part(proto, "image", [TENSOR], "preprocess", size)
    body = _part(proto, TENSOR, [name for name in KEPT if name in _outputs(proto)], "network", size)
    body.metadata_props.extend(proto.metadata_props)
    data = bytes(front.SerializeToString(deterministic=True))
    network = bytes(body.SerializeToString(deterministic=True))
    found = _read(front, size)
    if found is None:
        return Cut(data, network, size, None, None, None, None)
    return Cut(data, network, size, found.mean, found.std, found.resize, found.interpolation)


def view(model: bytes) -> float | None:
    """Return which part of the shorter side of a photo a model sees: a square of that side, out of the middle.

    It depends on the network alone, and is measured as `cut` measures it.

    Args:
        model: as for `cut`.

    Returns:
        Above 0, at most 1; None where the graph does not tell.

    Raises:
        ModelFileError: the file is damaged.
    """
    proto = _parse(model)
    found = _find(proto)
    if found is None:
        return None
    tensor, size = found
    _rename(proto, tensor)
    way = _read(_part(proto, "image", [TENSOR], "preprocess", size), size)
    if way is None:
        return None
    return 1.0 if way.resize is None else way.size / way.resize


def _parse(model: bytes) -> "onnx.ModelProto":
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto: onnx.ModelProto = onnx.ModelProto.FromString(model)
    except DecodeError as error:
        raise ModelFileError("model_unreadable", name="model.onnx") from error
    if not set(KEPT) & set(_outputs(proto)):
        raise ModelFileError("model_foreign", name="model.onnx")
    _sort(proto.graph)
    return proto


def _sort(graph: "onnx.GraphProto") -> None:
    """Put each node behind those it takes from, as ONNX demands; what quantises a model leaves them in any order."""
    waiting = list(graph.node)
    unmade = {name for node in waiting for name in node.output}
    done: list[onnx.NodeProto] = []
    while waiting:
        later = []
        for node in waiting:
            if unmade.isdisjoint(node.input):
                done.append(node)
                unmade.difference_update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise ModelFileError("model_unreadable", name="model.onnx")
        waiting = later
    copies = [type(node).FromString(node.SerializeToString()) for node in done]
    del graph.node[:]
    graph.node.extend(copies)


def _outputs(proto: "onnx.ModelProto") -> list[str]:
    return [port.name for port in proto.graph.output]


# Where to cut


def _find(proto: "onnx.ModelProto") -> tuple[str, int] | None:
    """Return the name of the value to cut at and its side S, or None if there is none."""
    graph = proto.graph
    candidates = [name for name in _before_network(graph) if _alone(graph, name)]
    sides = _sides(proto, candidates)
    for name in reversed(candidates):
        if sides.get(name):
            return name, sides[name]
    return None


def _before_network(graph: "onnx.GraphProto") -> Iterator[str]:
    """Yield, in order, what is computed from the photo before anything of the network has touched it."""
    prepared, seen = {"image"}, set[str]()
    for node in graph.node:
        if seen.intersection(node.input) or (prepared.intersection(node.input) and node.op_type in _NETWORK):
            seen.update(node.output)
        elif prepared.intersection(node.input):
            prepared.update(node.output)
            yield from (name for name in node.output if name)


def _alone(graph: "onnx.GraphProto", name: str) -> bool:
    """Say whether all that the outputs know of the photo comes by this value."""
    reached = {"image"}
    for node in graph.node:
        if reached.intersection(node.input):
            reached.update(other for other in node.output if other and other != name)
    return not reached.intersection(port.name for port in graph.output)


def _sides(proto: "onnx.ModelProto", names: Sequence[str]) -> dict[str, int]:
    """Return S of those values that are float32 `[batch, 3, S, S]` for photos of every size; 0 of the others."""
    import onnx

    ports = [onnx.ValueInfoProto(name=name) for name in names]
    if not names:
        return {}
    session = _session(_nodes(proto, "image", names, [_photos()], ports))
    found = [session.run(None, {"image": np.zeros((2, *size, 3), np.uint8)}) for size in _SIZES]
    return {name: _side(values) for name, values in zip(names, zip(*found, strict=True), strict=True)}


def _side(values: Sequence[NDArray[Any]]) -> int:
    side = int(values[0].shape[-1]) if values[0].ndim else 0
    sound = all(value.dtype == np.float32 and value.shape == (2, 3, side, side) for value in values)
    return side if sound and side <= LARGEST_SIDE else 0


# The halves


def _rename(proto: "onnx.ModelProto", tensor: str) -> None:
    """Give the value its new name everywhere; should another have that name, it gets one that is free."""
    names = {tensor: TENSOR}
    if tensor != TENSOR:
        taken = {name for node in proto.graph.node for name in (*node.input, *node.output)}
        names[TENSOR] = next(name for index in range(len(taken) + 1) if (name := f"{TENSOR}.{index}") not in taken)
    for node in proto.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for named in (*proto.graph.initializer, *proto.graph.value_info):
        named.name = names.get(named.name, named.name)


def _part(proto: "onnx.ModelProto", source: str, results: Sequence[str], name: str, size: int) -> "onnx.ModelProto":
    """Return a half as a model of its own, without what it does not need."""
    from onnx import TensorProto, helper

    tensor = helper.make_tensor_value_info(TENSOR, TensorProto.FLOAT, ["batch", 3, size, size])
    known = {port.name: port for port in proto.graph.output} | {TENSOR: tensor}
    part = _nodes(proto, source, results, [_photos() if source == "image" else tensor], [known[one] for one in results])
    part.graph.name = name
    return part


def _nodes(
    proto: "onnx.ModelProto",
    source: str,
    results: Sequence[str],
    inputs: "Sequence[onnx.ValueInfoProto]",
    outputs: "Sequence[onnx.ValueInfoProto]",
) -> "onnx.ModelProto":
    """Return a model of those nodes that lie between one value and others."""
    import onnx

    needed = set(results)
    nodes: list[onnx.NodeProto] = []
    for node in reversed(proto.graph.node):
        if needed.intersection(node.output) - {source}:
            nodes.append(node)
            needed.update(node.input)
    ports = {source, *results}
    part = onnx.ModelProto(
        ir_version=proto.ir_version,
        opset_import=proto.opset_import,
        producer_name=proto.producer_name,
        producer_version=proto.producer_version,
    )
    part.graph.CopyFrom(
        onnx.GraphProto(
            name=proto.graph.name,
            node=reversed(nodes),
            input=inputs,
            output=outputs,
            initializer=(one for one in proto.graph.initializer if one.name in needed),
            value_info=(one for one in proto.graph.value_info if one.name in needed - ports),
        )
    )
    return part


def _photos() -> "onnx.ValueInfoProto":
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])


# What the first half does


def _read(front: "onnx.ModelProto", size: int) -> Preprocessing | None:
    """Return what the first half does, or None where it is nothing that can be said so.

    It is measured: plain photos tell mean and std, whatever their size, and how a photo is cut and resized is what
    comes nearest to what Pillow makes of photos full of detail.
    """
    session = _session(front)
    plain = [_answer(session, np.full((5, 9, 3), grey, np.uint8)).astype(np.float64) for grey in (0, 128, 255)]
    black, grey, white = (values.mean((1, 2)) for values in plain)
    scale = white - black
    even = all(np.ptp(values, axis=(1, 2)).max() < _EVEN for values in plain)
    if not even or scale.min() <= 0 or np.abs(black + scale * 128 / 255 - grey).max() > _EVEN:
        return None
    std, mean = 1 / scale, -black / scale
    pictures = [_detailed(size + 37, 2 * size + 11), _detailed(size // 2 + 5, size // 2 + 2)]
    seen = [255 * (_answer(session, one) * std[:, None, None] + mean[:, None, None]) for one in pictures]
    differences = {
        way: max(_difference(one, values, size, *way) for one, values in zip(pictures, seen, strict=True))
        for way in _ways(front.graph, size)
    }
    best = min(differences, key=differences.__getitem__)
    return Preprocessing(size, _three(mean), _three(std), *best) if differences[best] <= _SAME_RESIZE else None


def _ways(graph: "onnx.GraphProto", size: int) -> Iterator[tuple[int | None, Interpolation]]:
    """Yield the ways of resizing that a graph with these constants could go."""
    from onnx import numpy_helper

    tensors = [*graph.initializer, *(one.t for node in graph.node for one in node.attribute if one.name == "value")]
    numbers: set[float] = set()
    for tensor in tensors:
        if np.prod(tensor.dims, dtype=int) <= 4:
            numbers.update(np.ravel(numpy_helper.to_array(tensor)).tolist())
    sides = sorted(int(number) for number in numbers if size <= number <= LARGEST_SIDE and number == int(number))
    for interpolation in ("bilinear", "bicubic"):
        yield None, interpolation
        yield from ((side, interpolation) for side in sides)


def _difference(
    picture: Image, seen: NDArray[np.float64], size: int, resize: int | None, interpolation: Interpolation
) -> float:
    """Return how far what the graph sees, `[3, S, S]`, is from what Pillow makes of the photo, in steps of 255."""
    import PIL.Image

    photo = PIL.Image.fromarray(picture)
    how = {"bilinear": PIL.Image.Resampling.BILINEAR, "bicubic": PIL.Image.Resampling.BICUBIC}[interpolation]
    shorter = min(photo.size)
    if resize is None:
        made = _middle(photo, shorter, math.floor).resize((size, size), how)
    else:
        # As torchvision rounds: `transforms.functional._compute_resized_output_size` and `center_crop`.
        wide, high = (resize * side // shorter for side in photo.size)
        made = _middle(photo.resize((wide, high), how), size, round)
    return float(np.abs(np.asarray(made).transpose(2, 0, 1) - seen).mean())


def _middle(photo: "PIL.Image.Image", side: int, whole: Callable[[float], int]) -> "PIL.Image.Image":
    left, top = (whole((length - side) / 2) for length in photo.size)
    return photo.crop((left, top, left + side, top + side))


def _detailed(height: int, width: int) -> Image:
    """Return a photo of waves and noise, uint8 `[height, width, 3]`."""
    down, across = np.mgrid[:height, :width]
    waves = np.stack([127 + 90 * np.sin(down / (3 + 2 * c) + across / (5 + c)) for c in range(3)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 25, waves.shape)
    return np.clip(waves + noise, 0, 255).astype(np.uint8)


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (_tidy(float(value)) for value in values)
    return red, green, blue


def _tidy(value: float) -> float:
    """Return the number with the fewest digits that this one can be."""
    return next((short for digits in range(1, 7) if abs((short := round(value, digits)) - value) < _RESOLUTION), value)


# Running


def _session(model: "onnx.ModelProto") -> "ort.InferenceSession":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said in our own words
    options.intra_op_num_threads = 1
    try:
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no parent of their own, and none of them is ours
        raise ModelFileError("model_fails", name="model.onnx") from error


def _answer(session: "ort.InferenceSession", photo: Image) -> NDArray[np.float32]:
    """Return what the first half makes of one photo, float32 `[3, S, S]`."""
    (found,) = session.run([TENSOR], {"image": photo[None]})
    return cast(NDArray[np.float32], found[0])
