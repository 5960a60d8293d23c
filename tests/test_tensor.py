"""A model file in two halves: the very same answers, and what the first half does is told right."""

import threading
from functools import cache

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from graphing import scene
from making import tiny_graph
from onnx import TensorProto, helper, numpy_helper
from test_export import head, named, of_photos

from teachable import backbones, export, graphs
from teachable.errors import ModelFileError
from teachable.exporting import precision, tensor
from teachable.exporting.exporter import Watch
from teachable.graphs import Preprocessing

SIZES = [(1, 1), (7, 3), (97, 131), (160, 160), (481, 320)]


@pytest.fixture(scope="module")
def model() -> bytes:
    return export.append_head(backbones.read(backbones.builtin()), head(3, (5,)), named(3))


@pytest.fixture(scope="module")
def halves(model: bytes) -> tensor.Cut:
    return tensor.cut(model)


def run(model: bytes, names: list[str], **given: np.ndarray) -> list[np.ndarray]:
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(names, given)


@cache
def built(preprocessing: Preprocessing) -> bytes:
    """A model file with a small network behind this preprocessing."""
    side = preprocessing.size // 4
    torch.manual_seed(0)
    backbone = graphs.build(torch.nn.Conv2d(3, 4, side, side), preprocessing)
    return export.append_head(backbone.SerializeToString(), head(2, width=4), named(2))


def changed(model: bytes, *nodes: onnx.NodeProto, after: str, **constants: np.ndarray) -> bytes:
    """A model file with nodes put in behind a value; the last of them gives it its name back."""
    proto = onnx.load_from_string(model)
    place = next(index for index, node in enumerate(proto.graph.node) if after in node.output)
    before = proto.graph.node[place]
    before.output[list(before.output).index(after)] = "found"
    whole = [*proto.graph.node[: place + 1], *nodes, *proto.graph.node[place + 1 :]]
    del proto.graph.node[:]
    proto.graph.node.extend(whole)
    proto.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


@pytest.mark.parametrize("size", SIZES)
def test_the_halves_give_what_the_whole_gives_bit_for_bit(
    model: bytes, halves: tensor.Cut, size: tuple[int, int]
) -> None:
    photos = np.stack([scene(*size, seed) for seed in range(2)])
    whole = run(model, ["probabilities", "logits"], image=photos)
    (pixels,) = run(halves.front, ["pixel_values"], image=photos)
    parts = run(halves.body, ["probabilities", "logits"], pixel_values=pixels)
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))


def test_each_half_is_a_whole_model_with_fixed_sides_and_any_number_of_photos(model: bytes, halves: tensor.Cut) -> None:
    original = onnx.load_from_string(model)
    for data in (halves.front, halves.body):
        half = onnx.load_from_string(data)
        onnx.checker.check_model(half, full_check=True)
        assert (half.ir_version, half.opset_import) == (original.ir_version, original.opset_import)
        used = {name for node in half.graph.node for name in node.input}
        assert {one.name for one in half.graph.initializer} <= used
    front, body = (ort.InferenceSession(data) for data in (halves.front, halves.body))
    described = [(port.name, port.type, port.shape) for port in (*front.get_inputs(), *front.get_outputs())]
    side = halves.size
    tensors = ("pixel_values", "tensor(float)", ["batch", 3, side, side])
    assert described == [("image", "tensor(uint8)", ["batch", "height", "width", 3]), tensors]
    assert [(port.name, port.type, port.shape) for port in body.get_inputs()] == [tensors]
    assert [(port.name, port.shape) for port in body.get_outputs()] == [
        ("probabilities", ["batch", 3]),
        ("logits", ["batch", 3]),
    ]
    assert body.get_modelmeta().custom_metadata_map == ort.InferenceSession(model).get_modelmeta().custom_metadata_map


def test_the_second_half_says_how_familiar_a_photo_is() -> None:
    backbone = backbones.read(backbones.builtin())
    found, _ = of_photos(backbone)
    whole = export.append_head(backbone, head(2), named(2), found)
    parts = tensor.cut(whole)
    image = scene(120, 160)[None]
    (tensors,) = run(parts.front, [tensor.TENSOR], image=image)
    shares, familiar = run(parts.body, ["probabilities", "familiarity"], pixel_values=tensors)
    np.testing.assert_array_equal(shares, run(whole, ["probabilities"], image=image)[0])
    np.testing.assert_array_equal(familiar, run(whole, ["familiarity"], image=image)[0])
    assert familiar.shape == (1,)


def test_the_weights_are_in_the_second_half_only(model: bytes, halves: tensor.Cut) -> None:
    assert len(halves.front) < 5000
    assert len(halves.body) < len(model)


def test_the_same_model_gives_the_same_halves(model: bytes, halves: tensor.Cut) -> None:
    assert tensor.cut(model) == halves


@pytest.mark.parametrize(
    ("resize", "interpolation"), [(None, "bilinear"), (None, "bicubic"), (32, "bilinear"), (37, "bicubic")]
)
def test_what_the_first_half_does_is_told_exactly(resize: int | None, interpolation: str) -> None:
    wanted = Preprocessing(32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), resize, interpolation)
    assert tensor.cut(built(wanted)).preprocessing == wanted


def test_names_of_inner_values_do_not_matter() -> None:
    """A network from elsewhere: a photo becomes 4 x 4 numbers from 0 to 1, and nothing is called as in ours."""
    model = export.append_head(tiny_graph(np.ones((8, 3), np.float32)), head(2, width=8), named(2))
    found = tensor.cut(model)
    assert found.size == 4
    photos = scene(50, 31)[None]
    (pixels,) = run(found.front, ["pixel_values"], image=photos)
    assert 0 <= pixels.min() < pixels.max() <= 1
    (wanted,) = run(model, ["logits"], image=photos)
    assert np.array_equal(run(found.body, ["logits"], pixel_values=pixels)[0], wanted)
    # It squeezes the whole photo into the square, which is none of the ways there are words for.
    assert (found.mean, found.std, found.interpolation) == (None, None, None)
    with pytest.raises(ModelFileError, match="way of its own"):
        _ = found.preprocessing


def test_a_value_that_is_called_like_the_cut_is_renamed() -> None:
    proto = onnx.load_from_string(built(Preprocessing(32, (0.5,) * 3, (0.5,) * 3)))
    for node in proto.graph.node:
        for ports in (node.input, node.output):
            ports[:] = ["pixel_values" if name == "resized" else name for name in ports]
    found = tensor.cut(proto.SerializeToString())
    photos = scene(40, 60)[None]
    (pixels,) = run(found.front, ["pixel_values"], image=photos)
    whole = run(proto.SerializeToString(), ["logits"], image=photos)
    assert np.array_equal(run(found.body, ["logits"], pixel_values=pixels)[0], whole[0])


@pytest.mark.parametrize("kind", ["half", "quarter"])
def test_smaller_models_are_cut_as_well(model: bytes, halves: tensor.Cut, kind: str) -> None:
    watch = Watch(lambda part: None, threading.Event())
    photos = [scene(60, 80, seed) for seed in range(4)]
    smaller = precision.half(model) if kind == "half" else precision.quarter(model, photos, watch)
    found = tensor.cut(smaller)
    assert found.front == halves.front
    assert found.preprocessing == halves.preprocessing
    (wanted,) = run(smaller, ["probabilities"], image=photos[0][None])
    (pixels,) = run(found.front, ["pixel_values"], image=photos[0][None])
    (said,) = run(found.body, ["probabilities"], pixel_values=pixels)
    assert np.array_equal(said, wanted)


def test_numbers_that_are_rounded_for_the_network_belong_to_it() -> None:
    """A network of whole numbers begins where they are rounded, not behind."""
    around = (np.array(0.02, np.float32), np.array(120, np.uint8))
    model = changed(
        built(Preprocessing(32, (0.5,) * 3, (0.5,) * 3)),
        helper.make_node("QuantizeLinear", ["found", "scale", "zero"], ["whole"]),
        helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["pixels"]),
        after="pixels",
        scale=around[0],
        zero=around[1],
    )
    found = tensor.cut(model)
    assert found.mean == (0.5, 0.5, 0.5)
    assert "QuantizeLinear" not in {node.op_type for node in onnx.load_from_string(found.front).graph.node}


def test_nodes_may_stand_in_any_order(model: bytes, halves: tensor.Cut) -> None:
    """What quantises a model leaves them so, and onnxruntime does not mind."""
    proto = onnx.load_from_string(model)
    mixed = [proto.graph.node[index] for index in np.random.default_rng(0).permutation(len(proto.graph.node))]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in mixed]
    del proto.graph.node[:]
    proto.graph.node.extend(copies)
    found = tensor.cut(proto.SerializeToString())
    assert found.preprocessing == halves.preprocessing
    onnx.checker.check_model(onnx.load_from_string(found.body), full_check=True)
    photos = scene(40, 60)[None]
    (pixels,) = run(found.front, ["pixel_values"], image=photos)
    (wanted,) = run(model, ["logits"], image=photos)
    assert np.array_equal(run(found.body, ["logits"], pixel_values=pixels)[0], wanted)


def test_nodes_that_wait_for_each_other_are_refused(model: bytes) -> None:
    proto = onnx.load_from_string(model)
    proto.graph.node[0].input[0] = "logits"
    with pytest.raises(ModelFileError, match="damaged"):
        tensor.cut(proto.SerializeToString())


def test_a_preprocessing_without_words_is_not_guessed() -> None:
    plain = Preprocessing(32, (0.5,) * 3, (0.5,) * 3)
    swapped = changed(
        built(plain),
        helper.make_node("Gather", ["found", "order"], ["pixels"], axis=3),
        after="pixels",
        order=np.arange(31, -1, -1),
    )
    squared = changed(built(plain), helper.make_node("Mul", ["found", "found"], ["pixels"]), after="pixels")
    for model in (swapped, squared):
        with pytest.raises(ModelFileError, match="way of its own"):
            _ = tensor.cut(model).preprocessing


def test_a_network_that_looks_at_the_photo_twice_is_refused_in_words() -> None:
    proto = onnx.load_from_string(
        export.append_head(tiny_graph(np.ones((8, 3), np.float32)), head(2, width=8), named(2))
    )
    nodes = [
        helper.make_node("Cast", ["image"], ["again"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["again", "every"], ["grey"], keepdims=0),
        helper.make_node("Add", ["first", "grey"], ["logits"]),
    ]
    place = next(index for index, node in enumerate(proto.graph.node) if "logits" in node.output)
    proto.graph.node[place].output[0] = "first"
    whole = [*proto.graph.node[: place + 1], *nodes, *proto.graph.node[place + 1 :]]
    del proto.graph.node[:]
    proto.graph.node.extend(whole)
    proto.graph.initializer.append(numpy_helper.from_array(np.array([1, 2, 3]), "every"))
    with pytest.raises(ModelFileError, match="cannot be cut"):
        tensor.cut(proto.SerializeToString())


def test_what_is_no_model_file_is_refused(model: bytes) -> None:
    with pytest.raises(ModelFileError, match="damaged"):
        tensor.cut(model[:1000])
    with pytest.raises(ModelFileError, match="not made by"):
        tensor.cut(backbones.read(backbones.builtin()))


def test_where_the_network_looks_is_measured() -> None:
    assert tensor.view(built(Preprocessing(48, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), resize=64))) == 0.75
    assert tensor.view(built(Preprocessing(48, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)))) == 1
    assert tensor.view(export.append_head(tiny_graph(np.ones((8, 3), np.float32)), head(2, width=8), named(2))) is None
