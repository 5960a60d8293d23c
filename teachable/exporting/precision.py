"""Smaller files of the same model: weights kept in half as many bytes, or weights and arithmetic in a quarter.

It owns which constants are kept how, and the entries of such a file. Inputs and outputs keep their names and types, so
whatever runs the full file runs these. How the arithmetic becomes one of whole numbers is in `quantising`; how good a
file is, is found out by running it (`checking`).

**Half**: large constants are kept as float16, and a `Cast` behind each makes float32 of it. onnxruntime does that once,
when it loads the file, natively and in WebAssembly, and then computes as fast as with the full file. Computing in
float16 itself takes the built-in network 1.35 times as long natively and 1.15 times in WebAssembly, which have no
kernels for it and convert every layer there and back.

**Quarter**: the layers between the prepared photo and `features` get int8 weights and uint8 activations. What prepares
the photo and the head stay float32, and what tells how familiar a photo is is kept as float16. With the built-in
network it takes 0.8 times as long as the full file natively, and 1.2 times in WebAssembly, where it is worth its size
only.
"""

import math
from collections.abc import Iterable, Iterator, Set
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from teachable import __version__
from teachable.errors import ModelFileError
from teachable.exporting import quantising
from teachable.exporting.exporter import Precision, Variant, Watch
from teachable.runtime import open_session
from teachable.types import Image

if TYPE_CHECKING:
    import onnx

PHOTOS = 120
"""Photos that are usually looked at: with the built-in network they take less than a second. More add nothing, unless
there are more classes than that."""
# Numbers in a constant below which a node more would cost as many bytes as it saves.
_LARGE = 256
# A constant is kept as float16 only if that moves no number by more than this part of the largest.
_ROUNDING = 2.0**-10
# Part of the progress that belongs to looking at photos; the rest is the quantiser's.
_LOOKING = 0.8


def variant(precision: Precision, file: str) -> Variant:
    """Return a choice of a format whose file holds the model at a precision, held to what that precision can do.

    Measured with `tests/benchmarks/exports.py`, the built-in network and the photo sets trashnet, grocery and
    rps_greenscreen, on 570 photos that their heads had not seen:

    - `full` is what the preview runs, so it must say the same.
    - `half` named 99 to 100 % as the full file does, and a probability was off by 0.001 to 0.004 on average and by 0.02
      at most. Two and a half times that is allowed, and one photo in ten may be off by more: where two classes are
      nearly even, the name may change.
    - `quarter` named 94 to 98 %, and a probability was off by 0.01 to 0.04 on average, by 0.27 at most. How sure it is
      therefore does not count, but eight of ten names must be the same. Where they are not, the network does not stand
      this, or the photos did not show what the classes look like. What it costs in accuracy is said in words.

    Args:
        precision: of the model inside, and the id of the choice.
        file: what the download is called.
    """
    if precision == "half":
        return Variant(precision, file, tolerance=0.05, share=0.9)
    if precision == "quarter":
        return Variant(precision, file, quick=False, tolerance=None, share=0.8)
    return Variant(precision, file)


def half(model: bytes) -> bytes:
    """Return a model file with its large constants kept as float16; see the top of this file.

    Args:
        model: a full model file.

    Returns:
        A file about half as large, with the same inputs and outputs.

    Raises:
        ModelFileError: the file is damaged.
    """
    proto = _plain(model)
    _halve(proto.graph, "")
    return _written(proto, "half", {value.name for value in proto.graph.value_info})


def quarter(model: bytes, photos: Iterable[Image], watch: Watch) -> bytes:
    """Return a model file that computes with whole numbers of 8 bits; see the top of this file.

    Args:
        model: a full model file.
        photos: of all classes, uint8 `[H, W, 3]`, of any sizes; they are looked at one at a time. Only what they
            show is computed well afterwards.
        watch: hears after every photo.

    Returns:
        A file about a quarter as large, with the same inputs and outputs. The same model and photos give the same
        bytes.

    Raises:
        Cancelled: it was given up.
        ModelFileError: the file is damaged, or holds a network in which nothing can be quantised.
        TeachableError: there are no photos.
    """
    import onnx

    watch.done(0.0)
    proto = _plain(model)
    stated = {value.name for value in proto.graph.value_info}
    try:
        proto = onnx.shape_inference.infer_shapes(proto)
        part = quantising.network(proto.graph)
    except onnx.shape_inference.InferenceError as error:
        raise ModelFileError("export_quarter_fails") from error
    if not any(node.op_type in quantising.WEIGHTED for node in part):
        raise ModelFileError("export_quarter_nothing")
    seen = quantising.look(proto, part, _counted(photos, watch))
    watch.done(_LOOKING)
    quantised = quantising.quantise(proto, part, seen)
    _halve(quantised.graph, "familiarity.")
    made = _written(quantised, "quarter", stated)
    try:
        # With some graphs of strangers onnxruntime stumbles over its own rearrangement of whole numbers.
        open_session(made, "model.onnx")
    except ModelFileError as error:
        raise ModelFileError("export_quarter_fails") from error
    watch.done(1.0)
    return made


def _halve(graph: "onnx.GraphProto", prefix: str) -> None:
    """Keep the large constants whose names begin so as float16, and make float32 of them where they are used."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    taken = quantising.names(graph)
    for tensor in graph.initializer:
        large = tensor.data_type == TensorProto.FLOAT and math.prod(tensor.dims) >= _LARGE
        if not large or not tensor.name.startswith(prefix):
            continue
        values = numpy_helper.to_array(tensor)
        if not _fits_half(values):
            continue
        kept = quantising.free(f"{tensor.name}.half", taken)
        casts.append(helper.make_node("Cast", [kept], [tensor.name], f"{kept}.cast", to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), kept))
    _replace(graph.node, [*casts, *graph.node])


def _counted(photos: Iterable[Image], watch: Watch) -> Iterator[Image]:
    for count, photo in enumerate(photos):
        watch.done(_LOOKING * min(1.0, count / PHOTOS))
        yield photo


def _plain(model: bytes) -> "onnx.ModelProto":
    """Return a model whose constants are all initializers, and nothing else: imported graphs have other ways, too."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto: onnx.ModelProto = onnx.ModelProto.FromString(model)
    except DecodeError as error:
        raise ModelFileError("model_unreadable", name="model.onnx") from error
    graph = proto.graph
    nodes = []
    named: set[str] = set()
    for node in graph.node:
        node.name = quantising.free(node.name or node.op_type, named)
        values = [one for one in node.attribute if node.op_type == "Constant" and one.name == "value"]
        if values:
            graph.initializer.add().CopyFrom(values[0].t)
            graph.initializer[-1].name = node.output[0]
        else:
            nodes.append(node)
    constants = {tensor.name for tensor in graph.initializer}
    ports = [port for port in graph.input if port.name not in constants]
    _replace(graph.node, nodes)
    _replace(graph.input, ports)
    return proto


def _replace(field: Any, messages: Iterable[Any]) -> None:
    """Make a repeated field of a protobuf hold these messages, of which some may be in it."""
    copies = [type(one).FromString(one.SerializeToString()) for one in messages]
    del field[:]
    field.extend(copies)


def _written(proto: "onnx.ModelProto", precision: Precision, stated: Set[str]) -> bytes:
    """Return the bytes of a file that says how it is kept, without what was noted on the way.

    Args:
        proto: the model.
        precision: of it.
        stated: inner values whose shapes the full file states.
    """
    # How well the full file agrees with the preview says nothing about this one.
    entries = {
        one.key: one.value for one in proto.metadata_props if one.key not in ("agreement", quantising.INFERRED[0])
    }
    del proto.metadata_props[:]
    for key, value in {**entries, "precision": precision}.items():
        proto.metadata_props.add(key=key, value=value)
    shapes = [value for value in proto.graph.value_info if value.name in stated & quantising.names(proto.graph)]
    _replace(proto.graph.value_info, shapes)
    proto.producer_name, proto.producer_version = "teachable", __version__
    return bytes(proto.SerializeToString(deterministic=True))


def _fits_half(values: NDArray[np.float32]) -> bool:
    """Say whether float16 can hold these numbers about as they are."""
    with np.errstate(over="ignore"):
        moved = np.abs(values.astype(np.float16).astype(np.float32) - values)
    # Not so for what is no number, or too large, or so small that float16 has no room for it.
    return bool(moved.max() <= _ROUNDING * np.abs(values).max())
