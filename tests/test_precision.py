"""Smaller files say what the full one says, take the same photos, and are about as small as they are called."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import shrinking
from benchmarks import scene
from onnx import TensorProto, helper, numpy_helper
from shrinking import coloured

from teachable import backbones, export, familiarity
from teachable.embeddings import Embedder
from teachable.errors import Cancelled, ModelFileError, TeachableError
from teachable.exporting import checking, precision, quantising
from teachable.exporting.exporter import Variant, Watch
from teachable.exporting.onnx_runner import OnnxRunner
from teachable.runtime import Classifier
from teachable.types import Head, Image, Layer

LABELS = np.arange(40) % 4
QUARTER = Variant("quarter", "model-quarter.onnx", tolerance=None, share=0.8)


def watch(told: list[float] | None = None) -> Watch:
    return Watch((told if told is not None else []).append, threading.Event())


def embedded(backbone: bytes, photos: list[Image]) -> np.ndarray:
    embedder = Embedder(backbone)
    try:
        return embedder.embed(photos)
    finally:
        embedder.close()


def trained(backbone: bytes, photos: list[Image]) -> bytes:
    return shrinking.model(backbone, shrinking.nearest(embedded(backbone, photos), LABELS, 0.2))


def scenes(seed: int) -> list[Image]:
    random = np.random.default_rng(seed)
    return [scene.picture(int(label), random, 96, 128) for label in LABELS]


@pytest.fixture(scope="module")
def small() -> bytes:
    return trained(shrinking.network(), coloured(40))


@pytest.fixture(scope="module")
def builtin() -> bytes:
    """The built-in network with a head, which says how familiar photos are."""
    backbone, photos = backbones.read(backbones.builtin()), [*scenes(0), *scenes(10)]
    embeddings, labels = embedded(backbone, photos), np.concatenate([LABELS, LABELS])
    known = familiarity.fit(embeddings, labels, np.arange(len(labels)) // len(np.unique(labels)) % 4)
    assert known is not None
    return shrinking.model(backbone, shrinking.nearest(embeddings, labels, 0.2), known)


@pytest.fixture(scope="module", params=["half", "quarter"])
def shrunk(request: pytest.FixtureRequest, builtin: bytes) -> bytes:
    """The built-in network with a head, in fewer bytes."""
    return precision.half(builtin) if request.param == "half" else precision.quarter(builtin, scenes(1), watch())


def graph_of(model: bytes) -> onnx.GraphProto:
    return onnx.load_from_string(model).graph


def constants(model: bytes) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph_of(model).initializer}


def ports(model: bytes) -> list[tuple[str, str, list[object]]]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return [(port.name, port.type, port.shape) for port in (*session.get_inputs(), *session.get_outputs())]


# Both


def test_it_is_about_as_small_as_it_is_called(builtin: bytes) -> None:
    assert len(precision.half(builtin)) / len(builtin) == pytest.approx(0.5, abs=0.02)
    assert len(precision.quarter(builtin, scenes(1), watch())) / len(builtin) == pytest.approx(0.28, abs=0.03)


def test_what_goes_in_and_comes_out_keeps_names_types_and_sizes(builtin: bytes, shrunk: bytes) -> None:
    assert ports(shrunk) == ports(builtin)
    assert onnx.load_from_string(shrunk).ir_version == 10
    onnx.checker.check_model(onnx.load_from_string(shrunk), full_check=True)


def test_photos_of_any_size_get_the_same_name(builtin: bytes, shrunk: bytes) -> None:
    fresh = [*scenes(2), *(photo[:61, 7:] for photo in scenes(3)[:8])]
    wanted, found = (Classifier.load(model).probabilities(fresh) for model in (builtin, shrunk))
    assert np.mean(wanted.argmax(1) == found.argmax(1)) >= 0.95
    assert np.abs(wanted - found).mean() < 0.03


def test_it_says_how_it_is_kept_and_not_what_is_known_of_the_full_file(builtin: bytes, shrunk: bytes) -> None:
    full, found = Classifier.load(builtin).metadata, Classifier.load(shrunk).metadata
    assert full.precision == "full"
    assert full.agreement is not None
    assert found.precision in ("half", "quarter")
    assert found.agreement is None
    assert (found.labels, found.created, found.evaluation) == (full.labels, full.created, full.evaluation)
    assert {item.key for item in onnx.load_from_string(shrunk).metadata_props} == {
        *({item.key for item in onnx.load_from_string(builtin).metadata_props} - {"agreement"}),
        "precision",
    }


def test_the_heatmap_shows_the_same_places(builtin: bytes, shrunk: bytes) -> None:
    photo = scenes(2)[1][None]
    maps = []
    for model in (builtin, shrunk):
        session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        maps.append(session.run(["heatmap"], {"image": photo})[0][0, 1])
    assert maps[0].shape == maps[1].shape
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.9


def test_it_finds_about_the_same_photos_familiar(builtin: bytes, shrunk: bytes) -> None:
    strange = [np.random.default_rng(seed).integers(0, 256, (96, 128, 3), np.uint8) for seed in range(5)]
    photos = [*scenes(2), *strange]
    wanted, found = (Classifier.load(model).answers(photos).familiarity for model in (builtin, shrunk))
    assert wanted is not None
    assert found is not None
    assert (found[:-5] >= 0.05).mean() > 0.8
    assert (found[-5:] < 0.05).all()
    if Classifier.load(shrunk).metadata.precision == "half":
        np.testing.assert_allclose(found, wanted, atol=0.05)


def test_the_browser_finds_the_same_photos_familiar(builtin: bytes, shrunk: bytes, tmp_path: Path) -> None:
    photo = scenes(2)[1]
    natively = Classifier.load(shrunk).answers(photo).familiarity
    assert natively is not None
    np.testing.assert_allclose(shrinking.in_wasm(shrunk, photo, "familiarity", tmp_path), natively, atol=0.05)


def test_the_browser_says_the_same(builtin: bytes, shrunk: bytes, tmp_path: Path) -> None:
    photo = scenes(2)[1]
    natively = Classifier.load(shrunk).probabilities(photo)[0]
    np.testing.assert_allclose(shrinking.in_wasm(shrunk, photo, "probabilities", tmp_path), natively, atol=0.02)


def test_what_prepares_the_photo_is_the_same_to_the_bit(builtin: bytes, shrunk: bytes) -> None:
    seen = []
    for model in (builtin, shrunk):
        proto = onnx.load_from_string(model)
        proto.graph.output.append(helper.make_tensor_value_info("pixels", TensorProto.FLOAT, None))
        session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        seen.append(session.run(["pixels"], {"image": scenes(2)[0][None]})[0])
    np.testing.assert_array_equal(*seen)


def test_a_damaged_file_is_refused_in_words() -> None:
    with pytest.raises(ModelFileError, match=r"model\.onnx"):
        precision.half(b"\xff\xff\xff no model")
    with pytest.raises(ModelFileError, match=r"model\.onnx"):
        precision.quarter(b"\xff\xff\xff no model", coloured(4), watch())


@pytest.mark.parametrize(("opset", "plain"), [(13, True), (13, False), (18, False)])
def test_graphs_that_others_wrote_become_smaller_too(opset: int, plain: bool) -> None:
    backbone = shrinking.network(opset=opset, plain=plain)
    model = trained(backbone, coloured(40))
    photos = coloured(40, seed=5)
    wanted = Classifier.load(model).probabilities(photos)
    half = precision.half(model)
    np.testing.assert_allclose(Classifier.load(half).probabilities(photos), wanted, atol=0.01)
    assert len(half) < 0.6 * len(model)
    quarter = precision.quarter(model, coloured(40, seed=6), watch())
    assert np.mean(Classifier.load(quarter).probabilities(photos).argmax(1) == wanted.argmax(1)) >= 0.95
    assert len(quarter) < 0.4 * len(model)


# Half


def test_half_is_the_same_twice_and_computes_in_float32(small: bytes) -> None:
    half = precision.half(small)
    assert half == precision.half(small)
    casts = [node for node in graph_of(half).node if node.op_type == "Cast" and node.input[0].endswith(".half")]
    assert {node.output[0] for node in casts} == {"w1", "w2", "w3", "head.0.weight"}
    kept = constants(half)
    assert all(kept[node.input[0]].dtype == np.float16 for node in casts)
    np.testing.assert_array_equal(kept["b1"], constants(small)["b1"])
    np.testing.assert_array_equal(kept["w1.half"], constants(small)["w1"].astype(np.float16))


@pytest.mark.parametrize("value", [1e5, 1e-9, 3e38])
def test_numbers_that_do_not_fit_stay_as_they_are(value: float) -> None:
    model = trained(shrinking.network(), coloured(40))
    proto = onnx.load_from_string(model)
    (tensor,) = [one for one in proto.graph.initializer if one.name == "w1"]
    odd = numpy_helper.to_array(tensor).astype(np.float64)
    odd = (odd * (value / np.abs(odd).max())).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(odd, "w1"))
    found = constants(precision.half(proto.SerializeToString()))
    np.testing.assert_array_equal(found["w1"], odd)
    assert "w3.half" in found


def test_a_name_that_is_taken_gets_another(small: bytes) -> None:
    proto = onnx.load_from_string(small)
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = "w1.half" if name == "d" else name
    model = proto.SerializeToString()
    photos = coloured(8, seed=3)
    wanted = Classifier.load(model).probabilities(photos)
    np.testing.assert_allclose(Classifier.load(precision.half(model)).probabilities(photos), wanted, atol=0.01)


# Quarter


def test_the_same_photos_give_the_same_bytes(small: bytes) -> None:
    assert precision.quarter(small, coloured(40), watch()) == precision.quarter(small, coloured(40), watch())


def test_weights_are_whole_numbers_small_enough_for_every_processor_and_the_head_is_not(small: bytes) -> None:
    found = constants(precision.quarter(small, coloured(40), watch()))
    for dense in ("w1_quantized", "w3_quantized"):
        assert found[dense].dtype == np.int8
        assert np.abs(found[dense].astype(int)).max() == 64
    assert found["w2_quantized"].dtype == np.int8
    assert np.abs(found["w2_quantized"].astype(int)).max() == 127
    full = constants(small)
    for name in ("w0", "b0", "head.0.weight", "head.0.bias"):
        np.testing.assert_array_equal(found[name], full[name])


def test_corrected_biases_take_away_most_of_the_mean_error(builtin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    corrected = precision.quarter(builtin, scenes(1), watch())
    monkeypatch.setattr(quantising, "_correct_biases", lambda *given: None)
    plain = precision.quarter(builtin, scenes(1), watch())
    wanted, *found = (OnnxRunner(one, "x").__call__(scenes(2)).embeddings for one in (builtin, corrected, plain))
    assert wanted is not None
    errors = [np.abs((one - wanted).mean(0)).mean() for one in found if one is not None]
    assert errors[0] < 0.6 * errors[1]


def checked(model: bytes, full: bytes, photos: list[Image]) -> checking.Check:
    expected = Classifier.load(full).probabilities(photos)
    return checking.check(OnnxRunner(model, "x"), photos, expected, QUARTER, None, watch())


def test_ranges_of_one_class_alone_are_caught_by_the_check(small: bytes) -> None:
    every = checked(precision.quarter(small, coloured(40, seed=1), watch()), small, coloured(40, seed=2))
    checking.require(every, QUARTER)
    assert every.agreeing == every.total
    dark = checked(precision.quarter(small, coloured(40, [0], seed=1), watch()), small, coloured(40, seed=2))
    with pytest.raises(ModelFileError, match="preview"):
        checking.require(dark, QUARTER)


def test_one_odd_photo_does_not_coarsen_the_steps(small: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = coloured(39, [0])
    odd = [*usual, np.full((4, 4, 3), 255, np.uint8)]
    scales = []
    for within in (quantising.WITHIN, 1.0):
        monkeypatch.setattr(quantising, "WITHIN", within)
        scales.append(float(constants(precision.quarter(small, odd, watch()))["f_scale"]))
    assert scales[0] < 0.5 * scales[1]


def test_photos_are_taken_one_at_a_time_and_all_of_them(small: bytes) -> None:
    """Where there are more classes than usual photos, the last ones show classes that no other does."""
    taken = count()
    told: list[float] = []

    def many() -> Iterator[Image]:
        for _ in range(precision.PHOTOS + 30):
            assert len(told) >= next(taken)
            yield coloured(1)[0]

    precision.quarter(small, many(), watch(told))
    assert next(taken) == precision.PHOTOS + 30
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1
    assert len(set(told)) > precision.PHOTOS


def test_one_photo_is_enough_and_none_is_refused(small: bytes) -> None:
    assert Classifier.load(precision.quarter(small, coloured(1), watch())).labels
    with pytest.raises(TeachableError) as caught:
        precision.quarter(small, [], watch())
    assert caught.value.key == "export_no_photos"


def test_giving_up_between_photos_leaves_nothing(small: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    given_up = threading.Event()
    seen = []

    def photos() -> Iterator[Image]:
        for number, photo in enumerate(coloured(40)):
            seen.append(number)
            if number == 5:
                given_up.set()
            yield photo

    with pytest.raises(Cancelled):
        precision.quarter(small, photos(), Watch(lambda part: None, given_up))
    assert seen == [*range(6)]
    assert not list(tmp_path.iterdir())


def test_files_are_written_nowhere(small: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    monkeypatch.chdir(tmp_path)
    precision.quarter(small, coloured(4), watch())
    precision.half(small)
    assert not list(tmp_path.iterdir())


SILENT = """
import logging, sys, threading
from pathlib import Path
from teachable.exporting import precision
from teachable.exporting.exporter import Watch
import numpy as np

model = Path(sys.argv[1]).read_bytes()
photos = [np.full((4, 4, 3), value, np.uint8) for value in range(0, 250, 50)]
precision.quarter(precision._plain(model).SerializeToString(), photos, Watch(lambda part: None, threading.Event()))
precision.half(model)
assert not logging.getLogger().handlers and not logging.getLogger().filters, logging.getLogger().handlers
loaded = {"torch", "torchvision", "gradio", "scipy", "sklearn"} & set(sys.modules)
assert not loaded, loaded
"""


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_nothing_is_said_on_the_side_and_torch_stays_away(tmp_path: Path, scale: float) -> None:
    # With weights so small, biases are too large for their steps, of which the quantiser would write to the log.
    path = tmp_path / "model.onnx"
    path.write_bytes(trained(shrinking.network(scale=scale), coloured(40)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SILENT, path], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_others_are_still_heard_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    import logging

    with quantising._quiet():
        logging.getLogger().warning("of somebody else")
        logging.getLogger("teachable.x").warning("of ours")
    assert caplog.messages == ["of somebody else", "of ours"]


# What cannot be done


def of_one_step(operator: str, *inputs: str, width: int) -> bytes:
    """A network that does a single thing to the prepared photo."""
    backbone = onnx.load_from_string(shrinking.network())
    kept = [node for node in backbone.graph.node if node.op_type in ("Transpose", "Cast", "Div", "ReduceMean")]
    kept.insert(-1, helper.make_node(operator, ["shares", *inputs], ["features"], "only"))
    del backbone.graph.node[:]
    backbone.graph.node.extend(kept)
    for port in backbone.graph.output:
        port.type.tensor_type.shape.dim[1].dim_value = width
    return bytes(backbone.SerializeToString())


def test_a_network_without_layers_that_can_be_quantised_is_refused_in_words() -> None:
    model = shrinking.model(
        of_one_step("Relu", width=3), Head((Layer(np.eye(3, dtype=np.float32), np.zeros(3, np.float32)),))
    )
    with pytest.raises(ModelFileError, match="half-size model") as caught:
        precision.quarter(model, coloured(4), watch())
    assert caught.value.key == "export_quarter_nothing"


def test_a_file_that_is_no_classifier_of_ours_is_refused_in_words(small: bytes) -> None:
    proto = onnx.load_from_string(small)
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = "other" if name == "features" else name
    with pytest.raises(ModelFileError) as caught:
        precision.quarter(proto.SerializeToString(), coloured(4), watch())
    assert caught.value.key == "export_quarter_nothing"


def test_a_network_of_one_layer_is_quantised_whole() -> None:
    model = trained(of_one_step("Conv", "w0", "b0", width=64), coloured(40))
    quarter = precision.quarter(model, coloured(40), watch())
    assert constants(quarter)["w0_quantized"].dtype == np.int8
    assert checked(quarter, model, coloured(40, seed=9)).agreeing >= 38


def test_a_file_that_the_runtime_does_not_load_is_refused_in_words(
    small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(proto: onnx.ModelProto, *given: object) -> onnx.ModelProto:
        proto.graph.node[0].op_type = "Unheard"
        return proto

    monkeypatch.setattr(quantising, "quantise", odd)
    with pytest.raises(ModelFileError, match="half-size model") as caught:
        precision.quarter(small, coloured(4), watch())
    assert caught.value.key == "export_quarter_fails"


def test_a_network_that_runs_out_of_numbers_is_refused_in_words() -> None:
    model = trained(shrinking.network(), coloured(40))
    proto = onnx.load_from_string(model)
    for tensor in proto.graph.initializer:
        if tensor.name == "w1":
            tensor.CopyFrom(numpy_helper.from_array(np.full((64, 64, 3, 3), 1e38, np.float32), "w1"))
    with pytest.raises(ModelFileError, match="half-size model") as caught:
        precision.quarter(proto.SerializeToString(), coloured(4), watch())
    assert caught.value.key == "export_quarter_fails"


def test_whatever_the_quantiser_meets_is_said_in_words(small: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise RuntimeError("an operator nobody thought of")

    monkeypatch.setattr(quantising, "_correct_biases", broken)
    with pytest.raises(ModelFileError, match="half-size model") as caught:
        precision.quarter(small, coloured(4), watch())
    assert caught.value.key == "export_quarter_fails"


def test_a_network_that_cannot_run_is_refused_in_words(small: bytes) -> None:
    proto = onnx.load_from_string(small)
    for node in proto.graph.node:
        if node.op_type == "Add":
            node.op_type = "MatMul"
    del proto.graph.value_info[:]
    with pytest.raises(ModelFileError):
        precision.quarter(proto.SerializeToString(), [np.zeros((4, 7, 3), np.uint8)], watch())


def test_matrices_are_quantised_like_convolutions() -> None:
    backbone = onnx.load_from_string(shrinking.network())
    graph = backbone.graph
    weight = np.random.default_rng(2).normal(0, 0.1, (4, 4)).astype(np.float32)
    graph.initializer.append(numpy_helper.from_array(weight, "mix"))
    mixed = helper.make_node("MatMul", ["f", "mix"], ["mixed"], "mixed")
    place = next(index for index, node in enumerate(graph.node) if "f" in node.input)
    graph.node[place].input[0] = "mixed"
    graph.node.insert(place, mixed)
    model = trained(backbone.SerializeToString(), coloured(40))
    quarter = precision.quarter(model, coloured(40), watch())
    assert constants(quarter)["mix_quantized"].dtype == np.int8
    assert checked(quarter, model, coloured(40, seed=4)).agreeing >= 38


def test_the_model_with_other_labels_stays_small(small: bytes) -> None:
    quarter = precision.quarter(small, coloured(8), watch())
    metadata = Classifier.load(quarter).metadata
    again = export.with_metadata(quarter, metadata)
    assert Classifier.load(again).metadata.precision == "quarter"
    assert len(again) == len(quarter)


def test_what_a_file_is_held_to_depends_on_its_precision() -> None:
    full, half, quarter = (precision.variant(one, "x.zip") for one in ("full", "half", "quarter"))
    assert (full.tolerance, full.share, full.quick) == (1e-3, 1.0, True)
    assert half.tolerance is not None
    assert half.quick
    assert (quarter.tolerance, quarter.quick) == (None, False)
    assert (full.id, half.id, quarter.id, full.file) == ("full", "half", "quarter", "x.zip")
