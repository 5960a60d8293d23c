import json
import os
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper

from teachable import __version__, backbones, calibration, export, familiarity
from teachable.errors import ModelFileError
from teachable.export import ModelMetadata
from teachable.scores import ClassScore, Evaluation
from teachable.types import Agreement, Familiarity, Head, Layer, TrainSettings
from tests.making import tiny_graph

RECORD = backbones.builtin()
WIDTH = RECORD.embedding_width
HOSTILE = ("it's", 'say "hi"', "{0: 'x'}", "🐈‍⬛", "חתול", "../../x", "日本語", "a\\nb")


def head(classes: int, hidden: tuple[int, ...] = (), width: int = WIDTH, seed: int = 0) -> Head:
    random = np.random.default_rng(seed)
    sides = [width, *hidden, classes]
    layers = []
    for before, after in pairwise(sides):
        weight = random.normal(0, before**-0.5, (after, before)).astype(np.float32)
        layers.append(Layer(weight, random.normal(0, 0.1, after).astype(np.float32)))
    return Head(tuple(layers))


def about(labels: tuple[str, ...]) -> ModelMetadata:
    classes = len(labels)
    scores = (ClassScore(0, 0),) * classes
    evaluation = Evaluation(None, None, None, 0, 0, scores, ((0,) * classes,) * classes, tuple(range(classes)), ())
    return ModelMetadata(labels, "A project", 1.7e9, RECORD.id, RECORD.fingerprint, TrainSettings(), evaluation)


def named(classes: int) -> ModelMetadata:
    return about(tuple(f"class {index}" for index in range(classes)))


def photos(count: int, height: int = 60, width: int = 80, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, -(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return list(coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width])


def run(model: bytes, images: np.ndarray, *names: str) -> list[np.ndarray]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(list(names), {"image": images})


def expected_logits(trained: Head, embeddings: np.ndarray) -> np.ndarray:
    values = embeddings.astype(np.float64)
    for index, layer in enumerate(trained.layers):
        values = (np.maximum(values, 0) if index else values) @ layer.weight.T + layer.bias
    return values


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def weights(model: bytes) -> dict[str, bytes]:
    return {tensor.name: tensor.SerializeToString() for tensor in onnx.load_from_string(model).graph.initializer}


def entries(model: bytes) -> dict[str, str]:
    return {item.key: item.value for item in onnx.load_from_string(model).metadata_props}


@pytest.fixture(scope="module")
def backbone() -> bytes:
    return backbones.read(RECORD)


@pytest.fixture(scope="module", params=[(), (100,), (7, 5)], ids=["linear", "hidden", "two hidden"])
def trained(request: pytest.FixtureRequest) -> Head:
    return head(3, request.param)


# The graph


def test_outputs_are_what_the_head_gives_on_the_embedding(backbone: bytes, trained: Head) -> None:
    batch = np.stack(photos(5))
    model = export.append_head(backbone, trained, named(3))
    probabilities, logits = run(model, batch, "probabilities", "logits")
    expected = expected_logits(trained, run(backbone, batch, "embedding")[0])
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    np.testing.assert_allclose(probabilities, softmax(expected), atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_file_follows_the_contract(backbone: bytes, trained: Head) -> None:
    model = onnx.load_from_string(export.append_head(backbone, trained, named(3)))
    onnx.checker.check_model(model, full_check=True)
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 18)]
    assert model.ir_version <= 10
    assert all(tensor.data_location == TensorProto.DEFAULT for tensor in model.graph.initializer)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [(port.name, port.type, port.shape) for port in session.get_inputs()] == [
        ("image", "tensor(uint8)", ["batch", "height", "width", 3])
    ]
    outputs = {port.name: port.shape for port in session.get_outputs()}
    assert list(outputs) == ["probabilities", "logits", "heatmap"]
    assert outputs["probabilities"] == outputs["logits"] == ["batch", 3]
    assert outputs["heatmap"][:2] == ["batch", 3]
    features = ort.InferenceSession(backbone, providers=["CPUExecutionProvider"]).get_outputs()[0].shape
    assert outputs["heatmap"][2:] == features[2:]


def test_heatmap_is_the_gradient_of_the_logit_at_every_place(backbone: bytes, trained: Head) -> None:
    batch = np.stack(photos(4, seed=3))
    (heatmap,) = run(export.append_head(backbone, trained, named(3)), batch, "heatmap")
    features, embeddings = run(backbone, batch, "features", "embedding")
    for index in range(len(batch)):
        embedding = torch.from_numpy(embeddings[index]).double().requires_grad_()
        values = embedding
        for place, layer in enumerate(trained.layers):
            values = torch.relu(values) if place else values
            values = torch.from_numpy(layer.weight).double() @ values + torch.from_numpy(layer.bias).double()
        for label in range(3):
            (gradient,) = torch.autograd.grad(values[label], embedding, retain_graph=True)
            expected = np.einsum("c,chw->hw", gradient.numpy(), features[index].astype(np.float64))
            np.testing.assert_allclose(heatmap[index, label], expected, atol=2e-4)


@pytest.mark.parametrize("temperature", [0.4, 2.5])
def test_heatmap_is_what_autograd_finds_through_the_calibrated_head(
    backbone: bytes, trained: Head, temperature: float
) -> None:
    """From the map itself to the softmax of divided logits: the gradient at each place, times what is there."""
    batch = np.stack(photos(2, seed=5))
    scaled = calibration.scaled(trained, temperature)
    heatmap, probabilities = run(export.append_head(backbone, scaled, named(3)), batch, "heatmap", "probabilities")
    features = torch.from_numpy(run(backbone, batch, "features")[0]).double().requires_grad_()
    values = features.mean((2, 3))
    for place, layer in enumerate(trained.layers):
        values = torch.relu(values) if place else values
        values = values @ torch.from_numpy(layer.weight).double().T + torch.from_numpy(layer.bias).double()
    values = values / temperature
    np.testing.assert_allclose(probabilities, torch.softmax(values, 1).detach().numpy(), atol=1e-5)
    for label in range(3):
        (gradient,) = torch.autograd.grad(values[:, label].sum(), features, retain_graph=True)
        places = features.shape[2] * features.shape[3]
        expected = (gradient * features).sum(1).detach().numpy() * places
        np.testing.assert_allclose(heatmap[:, label], expected, atol=1e-3)


def test_heatmap_of_a_linear_head_averages_to_the_logit(backbone: bytes) -> None:
    linear = head(4)
    heatmap, logits = run(export.append_head(backbone, linear, named(4)), np.stack(photos(3)), "heatmap", "logits")
    np.testing.assert_allclose(heatmap.mean((2, 3)) + linear.layers[0].bias, logits, atol=1e-4)


def test_heatmap_of_a_silent_hidden_layer_is_flat(backbone: bytes) -> None:
    silent = head(2, (6,))
    first = Layer(silent.layers[0].weight, np.full(6, -1e6, np.float32))
    model = export.append_head(backbone, Head((first, silent.layers[1])), named(2))
    heatmap, logits = run(model, np.stack(photos(2)), "heatmap", "logits")
    assert not heatmap.any()
    np.testing.assert_allclose(logits, np.broadcast_to(silent.layers[1].bias, (2, 2)), atol=1e-6)


@pytest.mark.parametrize("classes", [1, 2, 26, 200])
@pytest.mark.parametrize("hidden", [(), (100,)])
def test_any_number_of_classes_works(backbone: bytes, classes: int, hidden: tuple[int, ...]) -> None:
    model = export.append_head(backbone, head(classes, hidden), named(classes))
    probabilities, heatmap = run(model, np.stack(photos(2)), "probabilities", "heatmap")
    assert probabilities.shape == (2, classes)
    assert heatmap.shape[:2] == (2, classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (1, 300), (161, 33), (640, 480)])
def test_photos_of_any_size_are_taken(backbone: bytes, size: tuple[int, int]) -> None:
    model = export.append_head(backbone, head(2), named(2))
    assert np.isfinite(run(model, np.stack(photos(1, *size)), "probabilities")[0]).all()


def test_same_input_gives_the_same_file(backbone: bytes, trained: Head) -> None:
    assert export.append_head(backbone, trained, named(3)) == export.append_head(backbone, trained, named(3))


def test_backbone_is_written_bit_for_bit(backbone: bytes, trained: Head) -> None:
    written, original = weights(export.append_head(backbone, trained, named(3))), weights(backbone)
    assert {name: written[name] for name in original} == original
    kept = onnx.load_from_string(export.append_head(backbone, trained, named(3))).graph.node
    assert list(kept)[: len(onnx.load_from_string(backbone).graph.node)] == list(
        onnx.load_from_string(backbone).graph.node
    )


def test_weights_in_another_memory_order_are_written_right(backbone: bytes) -> None:
    usual = head(3)
    turned = Head((Layer(np.asfortranarray(usual.layers[0].weight), usual.layers[0].bias),))
    assert export.append_head(backbone, turned, named(3)) == export.append_head(backbone, usual, named(3))


def test_file_names_no_place_on_this_computer(backbone: bytes, trained: Head) -> None:
    data = export.append_head(backbone, trained, named(3))
    for place in (Path.cwd(), Path.home(), Path(export.__file__).parent, tempfile.gettempdir()):
        if len(str(place)) > 3:
            assert os.fsencode(str(place)) not in data
    model = onnx.load_from_string(data)
    assert not model.doc_string
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


@pytest.mark.parametrize(
    ("wrong", "labels"),
    [
        (head(3), 2),
        (head(3, width=WIDTH + 1), 3),
        (Head(()), 1),
        (Head((*head(5).layers, *head(3, width=4).layers)), 3),
        (Head((Layer(head(3).layers[0].weight, np.zeros(2, np.float32)),)), 3),
        (Head((Layer(np.zeros(WIDTH, np.float32), np.zeros(1, np.float32)),)), 1),
    ],
)
def test_head_that_does_not_fit_is_refused(backbone: bytes, wrong: Head, labels: int) -> None:
    with pytest.raises(ValueError, match=r"labels for|a layer for"):
        export.append_head(backbone, wrong, named(labels))


# How familiar a photo is


def known(width: int = WIDTH, classes: int = 3, seed: int = 0) -> Familiarity:
    """What is familiar where photos are like noise around a few embeddings."""
    random = np.random.default_rng(seed)
    middles = random.gamma(1, 1, (classes, width))
    labels = np.arange(20 * classes) % classes
    rows = (middles[labels] + random.normal(0, 0.2, (len(labels), width))).astype(np.float32)
    found = familiarity.fit(rows, labels, np.arange(len(labels)) // classes % 5)
    assert found is not None
    return found


def of_photos(backbone: bytes, count: int = 24) -> tuple[Familiarity, np.ndarray]:
    """What is familiar after seeing photos of two kinds: coarse patterns, and the same faint on grey."""
    bright = photos(count, seed=11)
    faint = [(112 + one // 8).astype(np.uint8) for one in bright]
    (embeddings,) = run(backbone, np.stack([*bright, *faint]), "embedding")
    found = familiarity.fit(embeddings, np.repeat([0, 1], count), np.tile(np.arange(count) % 4, 2))
    assert found is not None
    return found, embeddings


def test_familiarity_of_the_file_is_that_of_the_fit(backbone: bytes) -> None:
    found, embeddings = of_photos(backbone)
    about_it = replace(named(2), unknown_below=0.05, familiar=found.held_out)
    model = export.append_head(backbone, head(2), about_it, found)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    seen = np.stack([*photos(8, seed=11), *photos(8, seed=12)])
    fresh = run(backbone, seen, "embedding")[0]
    expected = familiarity.score(found, fresh)
    (shares,) = run(model, seen, "familiarity")
    assert shares.shape == (16,)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares, expected, atol=1e-3)
    assert expected.min() < expected.max()
    assert len(embeddings) == found.held_out
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    outputs = {port.name: port.shape for port in session.get_outputs()}
    assert list(outputs) == ["probabilities", "logits", "heatmap", "familiarity"]
    assert outputs["familiarity"] == ["batch"]


def test_familiarity_changes_nothing_else(backbone: bytes, trained: Head) -> None:
    batch = np.stack(photos(3))
    names = ("probabilities", "logits", "heatmap")
    without = run(export.append_head(backbone, trained, named(3)), batch, *names)
    with_it = run(export.append_head(backbone, trained, named(3), known()), batch, *names)
    for one, two in zip(without, with_it, strict=True):
        np.testing.assert_array_equal(one, two)


def test_familiarity_takes_a_tenth_of_the_file_at_most(backbone: bytes) -> None:
    plain = export.append_head(backbone, head(60), named(60))
    assert len(export.append_head(backbone, head(60), named(60), known(classes=60))) < 1.1 * len(plain)


@pytest.mark.parametrize("opset", [13, 15, 18, 20])
def test_familiarity_runs_in_graphs_of_any_age(opset: int) -> None:
    """The contract takes graphs from opset 13 on; what is appended must run in all of them."""
    proto = onnx.load_from_string(tiny_graph(np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)))
    for node in list(proto.graph.node):
        if node.op_type == "Resize":
            # Without smoothing, as opset 13 knows no other; all axes are named by their sizes.
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("mode", "linear"))
        if node.op_type == "ReduceMean" and opset < 18:
            node.input[:] = ["features"]
            node.attribute.append(helper.make_attribute("axes", [2, 3]))
    sides = next(one for one in proto.graph.initializer if one.name == "sides")
    sides.CopyFrom(onnx.numpy_helper.from_array(np.array([2, 3, 4, 4], np.int64), "sides"))
    proto.opset_import[0].version = opset
    tiny = proto.SerializeToString()
    batch = np.stack(photos(2))
    model = export.append_head(tiny, head(3, width=8), named(3), known(8))
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    expected = familiarity.score(known(8), run(tiny, batch, "embedding")[0])
    np.testing.assert_allclose(run(model, batch, "familiarity")[0], expected, atol=1e-5)


@pytest.mark.parametrize("wrong", ["mean", "basis", "whitening", "centres", "quantiles"])
def test_familiarity_that_does_not_fit_is_refused(backbone: bytes, wrong: str) -> None:
    values = {
        "mean": np.zeros(3, np.float32),
        "basis": np.zeros((5, WIDTH), np.float32),
        "whitening": np.zeros((4, 3), np.float32),
        "centres": known().centres[:1],
        "quantiles": np.zeros(101, np.float32),
    }
    broken = replace(known(), **{wrong: values[wrong]})
    with pytest.raises(ValueError, match="familiarity"):
        export.append_head(backbone, head(3), named(3), broken)


def test_same_familiarity_gives_the_same_file(backbone: bytes) -> None:
    one, two = (export.append_head(backbone, head(3), named(3), known()) for _ in range(2))
    assert one == two


def test_threshold_can_be_changed_in_a_written_file(backbone: bytes) -> None:
    told = replace(named(3), unknown_below=0.05, familiar=60)
    before = export.append_head(backbone, head(3), told, known())
    after = export.with_metadata(before, replace(told, unknown_below=0.2))
    assert json.loads(entries(after)["familiarity"]) == {"below": 0.2, "held_out": 60}
    np.testing.assert_array_equal(
        run(before, np.stack(photos(1)), "familiarity")[0], run(after, np.stack(photos(1)), "familiarity")[0]
    )


def test_model_file_is_no_backbone(backbone: bytes) -> None:
    with pytest.raises(ValueError, match="features and embedding"):
        export.append_head(export.append_head(backbone, head(3), named(3)), head(3), named(3))


# Metadata


def test_hostile_labels_come_back(backbone: bytes) -> None:
    written = entries(export.append_head(backbone, head(len(HOSTILE)), about(HOSTILE)))
    assert json.loads(written["labels"]) == list(HOSTILE)


def test_relabelling_leaves_the_graph_bit_for_bit(backbone: bytes, trained: Head) -> None:
    before = export.append_head(backbone, trained, named(3))
    changed = replace(about(("one", "zwei", "三")), agreement=Agreement(3, 3, 0.0))
    after = export.with_metadata(before, changed)
    assert json.loads(entries(after)["labels"]) == ["one", "zwei", "三"]
    assert json.loads(entries(after)["agreement"])["total"] == 3
    assert onnx.load_from_string(after).graph.SerializeToString(deterministic=True) == onnx.load_from_string(
        before
    ).graph.SerializeToString(deterministic=True)
    assert export.with_metadata(after, named(3)) == before


def test_file_states_the_version_that_wrote_it(backbone: bytes) -> None:
    model = export.append_head(backbone, head(2), replace(named(2), teachable_version="0.0.1"))
    assert entries(model)["teachable_version"] == __version__


def test_relabelling_drops_entries_that_no_longer_hold(backbone: bytes) -> None:
    before = export.append_head(backbone, head(2), replace(named(2), agreement=Agreement(1, 1, 0.0)))
    assert "agreement" not in entries(export.with_metadata(before, named(2)))


def test_relabelling_with_another_number_of_labels_is_refused(backbone: bytes) -> None:
    with pytest.raises(ValueError, match="as many labels"):
        export.with_metadata(export.append_head(backbone, head(3), named(3)), named(2))


@pytest.mark.parametrize("cut", [1000, -1])
def test_relabelling_a_damaged_file_says_so(backbone: bytes, cut: int) -> None:
    with pytest.raises(ModelFileError, match="damaged"):
        export.with_metadata(export.append_head(backbone, head(3), named(3))[:cut], named(3))


def test_relabelling_a_foreign_file_says_so(backbone: bytes) -> None:
    with pytest.raises(ModelFileError, match="not made by Teachable"):
        export.with_metadata(backbone, named(3))


# verify


def test_written_file_agrees_with_the_preview_on_photos_of_all_sizes(backbone: bytes, trained: Head) -> None:
    pictures = [*photos(20), *photos(3, 33, 90), *photos(1, 7, 3), *photos(5, 90, 33)]
    pictures = [pictures[index] for index in np.random.default_rng(0).permutation(len(pictures))]
    embeddings = np.concatenate([run(backbone, picture[None], "embedding")[0] for picture in pictures])
    preview = softmax(expected_logits(trained, embeddings)).astype(np.float32)
    found = export.verify(export.append_head(backbone, trained, named(3)), iter(pictures), preview)
    assert (found.agreeing, found.total) == (29, 29)
    assert found.largest_difference < 1e-5


def test_photos_with_another_probability_are_counted_out(backbone: bytes) -> None:
    model = export.append_head(backbone, head(3), named(3))
    pictures = photos(20)
    (preview,) = run(model, np.stack(pictures), "probabilities")
    preview[4, :2] += np.array([0.002, -0.002], np.float32)
    preview[18] = np.roll(preview[18], 1)
    found = export.verify(model, pictures, preview)
    assert (found.agreeing, found.total) == (18, 20)
    assert found.largest_difference >= 0.002 - 1e-6


def test_differences_within_the_tolerance_agree(backbone: bytes) -> None:
    model = export.append_head(backbone, head(3), named(3))
    pictures = photos(4)
    (preview,) = run(model, np.stack(pictures), "probabilities")
    found = export.verify(model, pictures, preview + np.float32(export.TOLERANCE * 0.9))
    assert found.agreeing == 4
    assert found.largest_difference == pytest.approx(export.TOLERANCE * 0.9, rel=1e-2)


def test_probability_that_is_no_number_never_agrees(backbone: bytes) -> None:
    model = export.append_head(backbone, head(2), named(2))
    found = export.verify(model, photos(2), np.full((2, 2), np.nan, np.float32))
    assert found == Agreement(0, 2, 1.0)


def test_nothing_to_verify_is_no_error(backbone: bytes) -> None:
    model = export.append_head(backbone, head(2), named(2))
    assert export.verify(model, [], np.empty((0, 2), np.float32)) == Agreement(0, 0, 0.0)


@pytest.mark.parametrize("rows", [19, 21, 0])
def test_every_photo_needs_its_row(backbone: bytes, rows: int) -> None:
    model = export.append_head(backbone, head(2), named(2))
    with pytest.raises(ValueError, match="one row per photo"):
        export.verify(model, photos(20), np.full((rows, 2), 0.5, np.float32))


def test_every_class_needs_its_column(backbone: bytes) -> None:
    model = export.append_head(backbone, head(2), named(2))
    with pytest.raises(ValueError, match="one column per class"):
        export.verify(model, photos(1), np.full((1, 3), 0.5, np.float32))


def test_photos_are_taken_a_few_at_a_time(backbone: bytes) -> None:
    model = export.append_head(backbone, head(2), named(2))
    pictures = photos(4 * export.VERIFY_PHOTOS)
    (preview,) = run(model, np.stack(pictures), "probabilities")
    made: list[weakref.ref[np.ndarray]] = []
    held: list[int] = []

    def one_by_one() -> Iterator[np.ndarray]:
        for picture in pictures:
            fresh = picture.copy()
            made.append(weakref.ref(fresh))
            held.append(sum(reference() is not None for reference in made))
            yield fresh

    assert export.verify(model, one_by_one(), preview).agreeing == len(pictures)
    assert max(held) <= 2 * export.VERIFY_PHOTOS


def test_any_backbone_will_do() -> None:
    """Nothing of the built-in network is taken for granted: another width, another map, no convolution at all."""
    mean = helper.make_node("ReduceMean", ["features", "axes"], ["embedding"], keepdims=0)
    resize = helper.make_node("Resize", ["planes", "", "", "sides"], ["features"], mode="linear", axes=[2, 3])
    nodes = [
        helper.make_node("Transpose", ["image"], ["bytes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["bytes"], ["planes"], to=TensorProto.FLOAT),
        resize,
        mean,
    ]
    graph = helper.make_graph(
        nodes,
        "other",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3, 2, 4]),
        ],
        [
            onnx.numpy_helper.from_array(np.array([2, 3]), "axes"),
            onnx.numpy_helper.from_array(np.array([2, 4]), "sides"),
        ],
    )
    other = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
    model = export.append_head(other, head(5, (4,), width=3), named(5))
    probabilities, heatmap = run(model, np.stack(photos(2)), "probabilities", "heatmap")
    assert probabilities.shape == (2, 5)
    assert heatmap.shape == (2, 5, 2, 4)
