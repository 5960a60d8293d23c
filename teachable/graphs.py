"""How a torch module becomes a backbone graph: preprocessing in front, the spatial mean behind, names of our own.

It owns what is inside such a graph, so no size, mean or crop is repeated anywhere else: the graph takes photos of any
size and does everything itself. It does not know where weights come from, nor where graphs are kept.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import onnx
    import torch

OPSET = 18
# The newest that onnxruntime-web and onnxruntime of two years ago both read.
IR_VERSION = 10
# Pixels of the largest square that a description of a preprocessing may ask for; networks for photos see 128 to 800.
LARGEST_SIDE = 2048
# Times its width that a photo is long, at most, when it is resized whole.
LONGEST = 4

_Part: TypeAlias = 'tuple[list["onnx.NodeProto"], list["onnx.TensorProto"], str]'
"""Nodes, their constants, and the name of what they give."""


@dataclass(frozen=True)
class Preprocessing:
    """What the graph does to a photo before the network sees it. It sees a square out of the middle either way.

    Attributes:
        size: pixels of the square the network sees.
        mean: of each of R, G, B, on the scale 0 to 1; subtracted.
        std: of each of R, G, B, on the scale 0 to 1; divided by.
        resize: None where the centre square of the photo is cut out and resized to `size`. Otherwise the pixels that
            the shorter side is resized to, before the middle is cut out, as torchvision does it.
        interpolation: of that resize; antialiased in any case.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: int | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"


def preprocessing_from(stated: Mapping[str, Any]) -> Preprocessing:
    """Return the preprocessing that a record file, or the header of a weights file, states.

    Args:
        stated: the fields of `Preprocessing` by name; those with a default may be missing.

    Raises:
        ValueError: a field is missing, unknown, or nothing that can be done to a photo.
    """
    try:
        values = {**stated, "mean": tuple(stated["mean"]), "std": tuple(stated["std"])}
        found = Preprocessing(**values)
    except (KeyError, TypeError) as error:
        raise ValueError(
            "the preprocessing needs a size, a mean and a std, and knows resize and interpolation"
        ) from error
    sides = [found.size, found.size if found.resize is None else found.resize]
    if not all(type(side) is int for side in sides) or not 1 <= found.size <= sides[1] <= LARGEST_SIDE:
        raise ValueError(f"size and resize must be whole numbers up to {LARGEST_SIDE}, and size not the larger one")
    numbers = [*found.mean, *found.std]
    finite = all(type(one) in (int, float) and math.isfinite(one) for one in numbers)
    if len(found.mean) != 3 or len(found.std) != 3 or not finite or min(found.std) <= 0:
        raise ValueError("mean and std must be three numbers each, and those of std positive")
    if found.interpolation not in ("bilinear", "bicubic"):
        raise ValueError("the interpolation must be bilinear or bicubic")
    return found


def preprocessing_fields(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return a preprocessing as a record file states it; `preprocessing_from` reads it."""
    return {**asdict(preprocessing), "mean": list(preprocessing.mean), "std": list(preprocessing.std)}


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

    The photo is cut and resized as bytes, before anything becomes a float: measured on a photo of 4000x3000 that takes
    30 MB instead of 135 MB and less time, and it is what Pillow does. Channels stay last until the photo is small, so
    that only `size * size` pixels are transposed.
    """
    from onnx import TensorProto, helper

    nodes, constants, seen = (
        _square_first(preprocessing) if preprocessing.resize is None else _square_last(preprocessing)
    )
    constants += [
        _constant("mean", [[[[255 * value]] for value in preprocessing.mean]], "float32"),
        _constant("std", [[[[255 * value]] for value in preprocessing.std]], "float32"),
    ]
    nodes += [
        helper.make_node("Transpose", [seen], ["planes"], "planes", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["numbers"], "numbers", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["numbers", "mean"], ["centred"], "centred"),
        helper.make_node("Div", ["centred", "std"], ["pixels"], "pixels"),
    ]
    return nodes, constants


def _square_first(preprocessing: Preprocessing) -> _Part:
    """Return the nodes that cut out the centre square and resize it."""
    from onnx import helper

    constants = [
        _constant("two", 2, "int64"),
        _constant("photo_axes", [1, 2], "int64"),
        _constant("size", [preprocessing.size, preprocessing.size], "int64"),
    ]
    nodes = [
        helper.make_node("Shape", ["image"], ["sides"], "sides", start=1, end=3),
        helper.make_node("ReduceMin", ["sides"], ["side"], "side", keepdims=1),
        helper.make_node("Sub", ["sides", "side"], ["margins"], "margins"),
        helper.make_node("Div", ["margins", "two"], ["start"], "start"),
        helper.make_node("Add", ["start", "side"], ["end"], "end"),
        helper.make_node("Slice", ["image", "start", "end", "photo_axes"], ["square"], "square"),
        _resize("square", "size", preprocessing.interpolation),
    ]
    return nodes, constants, "resized"


def _square_last(preprocessing: Preprocessing) -> _Part:
    """Return the nodes that resize the photo by its shorter side and cut out the middle.

    Length and place are rounded as torchvision rounds them (`transforms.functional`: `_compute_resized_output_size`,
    `center_crop`): half a pixel more or less changes what a network makes of fine detail. Only of a photo more than
    four times as long as wide the ends are cut off before, because resized whole it could fill the memory.
    """
    from onnx import TensorProto, helper

    constants = [
        _constant("two", 2, "int64"),
        _constant("photo_axes", [1, 2], "int64"),
        _constant("longest", LONGEST, "int64"),
        _constant("shorter", preprocessing.resize, "int64"),
        _constant("size", preprocessing.size, "int64"),
        _constant("half", 0.5, "float32"),
    ]
    nodes = [
        helper.make_node("Shape", ["image"], ["sides"], "sides", start=1, end=3),
        helper.make_node("ReduceMin", ["sides"], ["side"], "side", keepdims=1),
        helper.make_node("Mul", ["side", "longest"], ["most"], "most"),
        helper.make_node("Min", ["sides", "most"], ["kept"], "kept"),
        helper.make_node("Sub", ["sides", "kept"], ["margins"], "margins"),
        helper.make_node("Div", ["margins", "two"], ["start"], "start"),
        helper.make_node("Add", ["start", "kept"], ["end"], "end"),
        helper.make_node("Slice", ["image", "start", "end", "photo_axes"], ["middle"], "middle"),
        helper.make_node("Mul", ["kept", "shorter"], ["grown"], "grown"),
        helper.make_node("Div", ["grown", "side"], ["resized_sides"], "resized_sides"),
        _resize("middle", "resized_sides", preprocessing.interpolation),
        helper.make_node("Sub", ["resized_sides", "size"], ["over"], "over"),
        helper.make_node("Cast", ["over"], ["over_float"], "over_float", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["over_float", "half"], ["crop_exact"], "crop_exact"),
        # ONNX rounds a half to the even number, as Python does.
        helper.make_node("Round", ["crop_exact"], ["crop_float"], "crop_float"),
        helper.make_node("Cast", ["crop_float"], ["crop_start"], "crop_start", to=TensorProto.INT64),
        helper.make_node("Add", ["crop_start", "size"], ["crop_end"], "crop_end"),
        helper.make_node("Slice", ["resized", "crop_start", "crop_end", "photo_axes"], ["cropped"], "cropped"),
    ]
    return nodes, constants, "cropped"


def _resize(source: str, sizes: str, interpolation: str) -> "onnx.NodeProto":
    """Return the node that gives `resized`.

    With `exclude_outside`, and for bicubic with Pillow's coefficient, it agrees with Pillow's resize in all but a few
    pixels, which differ by one step of 255, or two; without it the border differs visibly. Natively and in WebAssembly
    the bytes are the same.
    """
    from onnx import helper

    how: dict[str, Any] = {"mode": "cubic", "cubic_coeff_a": -0.5} if interpolation == "bicubic" else {"mode": "linear"}
    return helper.make_node(
        "Resize",
        [source, "", "", sizes],
        ["resized"],
        "resized",
        **how,
        antialias=1,
        exclude_outside=1,
        coordinate_transformation_mode="half_pixel",
        axes=[1, 2],
    )


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
        if node.domain or any(attribute.type == onnx.AttributeProto.GRAPH for attribute in node.attribute):
            raise ValueError(f"{node.domain}.{node.op_type} is not a standard operator")
        name = f"{node.op_type.lower()}_{index}"
        for place, source in enumerate(node.input):
            if source not in names:
                names[source] = f"{name}.{place}"
                weights.append(numpy_helper.from_array(numpy_helper.to_array(tensors[source]), names[source]))
        results = [name, *(f"{name}.out{place}" for place in range(1, len(node.output)))]
        for result, ours in zip(node.output, results, strict=True):
            names[result] = "features" if result == graph.output[0].name else ours if result else ""
        made = onnx.NodeProto(op_type=node.op_type, name=name)
        made.input.extend(names[source] for source in node.input)
        made.output.extend(names[result] for result in node.output)
        made.attribute.extend(sorted(node.attribute, key=lambda attribute: attribute.name))
        nodes.append(made)
    return nodes, weights


def _constant(name: str, value: object, dtype: str) -> "onnx.TensorProto":
    import numpy as np
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(value, dtype), name)
