"""What is inside a backbone graph: photos as Pillow shows them, the network as torch runs it, and nothing else."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from graphing import PREPROCESSING, SIZES, copying, photo, reference, session, tiny

from teachable import graphs
from teachable.graphs import Preprocessing
from teachable.resources import assets

# What torchvision asks for: cut out of a larger square, and bicubic for some; half of 11 is to be rounded as it does.
VARIANTS = {
    "plain": PREPROCESSING,
    "cut": replace(PREPROCESSING, resize=37),
    "bicubic": replace(PREPROCESSING, interpolation="bicubic"),
    "cut and bicubic": replace(PREPROCESSING, resize=43, interpolation="bicubic"),
}


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS.keys())
def seeing(request: pytest.FixtureRequest) -> tuple[Preprocessing, ort.InferenceSession]:
    """A backbone whose features are the very pixels its network sees."""
    return request.param, session(graphs.build(copying(), request.param))


def seen(running: ort.InferenceSession, pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    (found,) = running.run(["features"], {"image": pixels[None]})
    mean, std = (np.array(values).reshape(3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    return np.asarray((found[0] * std + mean) * 255)


# Preprocessing


@pytest.mark.parametrize("size", SIZES)
def test_preprocessing_in_the_graph_is_what_pillow_does(
    seeing: tuple[Preprocessing, ort.InferenceSession], size: tuple[int, int]
) -> None:
    preprocessing, running = seeing
    pixels = photo(*size)
    difference = np.abs(seen(running, pixels, preprocessing) - reference(pixels, preprocessing))
    # One step of 255 where the two round differently, two for bicubic, which must be rare, and never more.
    assert difference.max() < (2.001 if preprocessing.interpolation == "bicubic" else 1.001)
    assert np.mean(difference > 0.5) < 0.02


def test_bicubic_is_another_thing_than_bilinear() -> None:
    pixels = photo(240, 320)
    one, other = (reference(pixels, VARIANTS[name]).astype(int) for name in ("plain", "bicubic"))
    assert np.abs(one - other).max() > 5


def test_photo_of_twelve_megapixels_is_taken_whole(seeing: tuple[Preprocessing, ort.InferenceSession]) -> None:
    preprocessing, running = seeing
    pixels = np.zeros((3000, 4000, 3), np.uint8)
    pixels[:, 500:3500] = (255, 128, 0)
    found = seen(running, pixels, preprocessing)
    np.testing.assert_allclose(
        found,
        np.broadcast_to(
            np.array([[[255]], [[128]], [[0]]]),
            found.shape,
        ),
        atol=1e-3,
    )


@pytest.mark.parametrize("name", ["plain", "cut and bicubic"])
def test_the_browser_sees_the_very_same_bytes(tmp_path: Path, name: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.fail("node is missing: run the tests with `uv run --group dev pytest`")
    graph, pixels = tmp_path / "a.onnx", photo(241, 321)
    graph.write_bytes(graphs.build(copying(), VARIANTS[name]).SerializeToString())
    (tmp_path / "photo").write_bytes(pixels.tobytes())
    *_, runtime = sorted((assets() / "onnxruntime-web" / "dist").glob("*/ort.wasm.min.mjs"))
    arguments = [runtime.parent, graph, tmp_path / "photo", 241, 321, "features"]
    script = Path(__file__).with_name("wasm.mjs")
    done = subprocess.run([node, script, *map(str, arguments)], capture_output=True, timeout=300, check=True)
    (natively,) = session(graph.read_bytes()).run(["features"], {"image": pixels[None]})
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.float32), natively.ravel())


@pytest.mark.parametrize("preprocessing", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_preprocessing_comes_back_from_its_record_as_it_was(preprocessing: Preprocessing) -> None:
    written = json.dumps(graphs.preprocessing_fields(preprocessing))
    assert graphs.preprocessing_from(json.loads(written)) == preprocessing


def test_a_record_may_leave_out_what_has_a_default() -> None:
    found = graphs.preprocessing_from({"size": 32, "mean": [0.5] * 3, "std": [0.5] * 3})
    assert found == Preprocessing(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), None, "bilinear")


@pytest.mark.parametrize(
    "change",
    [
        {"size": 0},
        {"size": 1.5},
        {"size": True},
        {"size": "32"},
        {"size": 10**12},
        {"size": None},
        {"resize": 31},
        {"resize": 10**12},
        {"resize": "a"},
        {"mean": 0.5},
        {"mean": [0.5, 0.5]},
        {"mean": ["a", "b", "c"]},
        {"mean": [float("nan")] * 3},
        {"std": [0.5, 0.5, 0.0]},
        {"std": [0.5, 0.5, float("inf")]},
        {"interpolation": "nearest"},
        {"interpolation": ["bilinear"]},
        {"crop": 5},
    ],
    ids=str,
)
def test_a_preprocessing_nobody_can_do_is_refused(change: dict[str, Any]) -> None:
    fields = graphs.preprocessing_fields(PREPROCESSING)
    with pytest.raises(ValueError, match=r"must be|needs"):
        graphs.preprocessing_from({**fields, **change})


def test_a_preprocessing_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="needs"):
        graphs.preprocessing_from({"mean": [0.5] * 3, "std": [0.5] * 3})


# build


class Branches(torch.nn.Module):
    """Splits its channels, which in ONNX is one node with two results."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, 4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        one, other = self.conv(pixels).chunk(2, dim=1)
        return torch.cat([other.relu(), one], dim=1)


def torch_features(module: torch.nn.Module, pixels: np.ndarray) -> np.ndarray:
    image = torch.from_numpy(reference(pixels, PREPROCESSING) / np.float32(255))
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (PREPROCESSING.mean, PREPROCESSING.std))
    with torch.no_grad():
        return np.asarray(module(((image - mean) / std)[None]).numpy())


def test_build_takes_any_network_and_folds_its_batch_norm() -> None:
    module = tiny()
    model = graphs.build(module, PREPROCESSING)
    assert [node.op_type for node in model.graph.node][-3:] == ["Conv", "Clip", "ReduceMean"]
    pixels = photo(64, 48)
    features, embedding = session(model).run(["features", "embedding"], {"image": np.stack([pixels, pixels[::-1]])})
    assert features.shape == (2, 8, 8, 8)
    np.testing.assert_allclose(features[:1], torch_features(module, pixels), atol=0.02)
    np.testing.assert_allclose(embedding, features.mean((2, 3)), atol=1e-5)


def test_build_takes_operators_with_several_results() -> None:
    module = Branches().eval()
    model = graphs.build(module, PREPROCESSING)
    assert any(len(node.output) == 2 for node in model.graph.node)
    pixels = photo(64, 48)
    (features,) = session(model).run(["features"], {"image": pixels[None]})
    np.testing.assert_allclose(features, torch_features(module, pixels), atol=0.02)


def test_a_built_graph_follows_the_contract() -> None:
    model = graphs.build(tiny(), VARIANTS["cut and bicubic"])
    onnx.checker.check_model(model, full_check=True)
    assert [(item.domain, item.version) for item in model.opset_import] == [("", graphs.OPSET)]
    assert model.ir_version == graphs.IR_VERSION
    running = session(model)
    assert [(port.name, port.type, port.shape) for port in (*running.get_inputs(), *running.get_outputs())] == [
        ("image", "tensor(uint8)", ["batch", "height", "width", 3]),
        ("features", "tensor(float)", ["batch", 8, 8, 8]),
        ("embedding", "tensor(float)", ["batch", 8]),
    ]


def test_a_built_graph_tells_nothing_about_where_it_was_made() -> None:
    model = graphs.build(Branches().eval(), PREPROCESSING)
    assert not model.metadata_props
    assert not model.graph.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert b".py" not in model.SerializeToString()


def test_build_is_deterministic() -> None:
    one, other = (graphs.build(tiny(), PREPROCESSING).SerializeToString(deterministic=True) for _ in range(2))
    assert one == other


def test_build_leaves_a_network_in_training_mode_as_it_was() -> None:
    module = tiny().train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    graphs.build(module, PREPROCESSING)
    assert module.training
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_build_refuses_a_network_that_gives_no_map() -> None:
    flat = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 4))
    with pytest.raises(ValueError, match="one map"):
        graphs.build(flat, PREPROCESSING)
