import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import PIL.Image
import pytest
import torch
from onnx import numpy_helper

from teachable import backbones, resources
from teachable.backbones import Preprocessing
from teachable.errors import InstallationError, NotFound

FOLDER = resources.assets() / "backbones"
SIZES = [(1, 1), (7, 3), (3, 7), (1, 500), (500, 1), (31, 32), (32, 32), (33, 32), (97, 101), (240, 320), (481, 641)]
# ImageNet's, to be sure that nothing takes the built-in network's for granted.
PREPROCESSING = Preprocessing(32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Waves and noise: fine detail everywhere, up to the border."""
    y, x = np.mgrid[:height, :width]
    waves = [127 + 100 * np.sin(x / (3 + 2 * c) + y / (5 + c) + seed) for c in range(3)]
    noise = np.random.default_rng(seed).normal(0, 25, (height, width, 3))
    return np.clip(np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8)


def reference(pixels: np.ndarray, size: int) -> np.ndarray:
    """Centre square and antialiased bilinear resize as Pillow does them, uint8 [3, size, size]."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = PIL.Image.fromarray(pixels[top : top + side, left : left + side])
    return np.asarray(square.resize((size, size), PIL.Image.Resampling.BILINEAR)).transpose(2, 0, 1)


def session(model: onnx.ModelProto | bytes) -> ort.InferenceSession:
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return ort.InferenceSession(data, providers=["CPUExecutionProvider"])


def tiny(channels: int = 8) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, channels, 3, 4), torch.nn.BatchNorm2d(channels), torch.nn.ReLU6())
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def see_through() -> ort.InferenceSession:
    """A backbone whose features are the very pixels its network sees."""
    copy = torch.nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        copy.weight.copy_(torch.eye(3).reshape(3, 3, 1, 1))
    return session(backbones.build(copy, PREPROCESSING))


@pytest.fixture(scope="module")
def builtin() -> ort.InferenceSession:
    return session(backbones.read(backbones.builtin()))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the backbones that may be damaged."""
    shutil.copytree(FOLDER, tmp_path / "backbones")
    monkeypatch.setattr(backbones, "assets", lambda: tmp_path)
    return tmp_path / "backbones"


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


# The registry


def test_builtin_comes_first_and_is_found_by_id_and_by_fingerprint() -> None:
    record = backbones.builtin()
    assert backbones.registry()[0] == record
    assert backbones.find(record.id) == record
    assert backbones.find(record.fingerprint) == record


@pytest.mark.parametrize("record", backbones.registry(), ids=lambda record: record.id)
def test_every_record_tells_the_truth_about_its_file(record: backbones.BackboneRecord) -> None:
    data = backbones.read(record)
    assert len(data) == record.size_bytes
    assert hashlib.sha256(data).hexdigest() == record.fingerprint
    features, embedding = session(data).get_outputs()
    assert embedding.shape[1] == features.shape[1] == record.embedding_width
    assert record.title
    assert record.description
    assert record.licence
    assert record.source
    assert (FOLDER / record.file).with_suffix(".md").is_file()


def test_unknown_backbone_is_named_in_the_error() -> None:
    with pytest.raises(NotFound, match="no-such-network"):
        backbones.find("no-such-network")


def test_missing_graph_says_to_install_again(folder: Path) -> None:
    record = backbones.builtin()
    (folder / record.file).unlink()
    with pytest.raises(InstallationError, match=record.file):
        backbones.read(record)


def test_changed_graph_is_refused(folder: Path) -> None:
    record = backbones.builtin()
    data = bytearray((folder / record.file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / record.file).write_bytes(data)
    with pytest.raises(InstallationError, match="damaged"):
        backbones.read(record)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format_version": 99}', '{"format_version": 1, "record": {"id": 1}}']
)
def test_damaged_record_is_named(folder: Path, text: str) -> None:
    (folder / "broken.json").write_text(text, encoding="utf-8")
    with pytest.raises(InstallationError, match=r"broken\.json"):
        backbones.registry()


def test_installation_without_a_builtin_backbone_says_so(folder: Path) -> None:
    for path in folder.glob("*.json"):
        edit(path, builtin=False)
    with pytest.raises(InstallationError, match="no built-in network"):
        backbones.builtin()


def test_further_backbones_come_after_the_builtin_one(folder: Path) -> None:
    record = backbones.builtin()
    entry = json.loads((folder / record.file).with_suffix(".json").read_text(encoding="utf-8"))
    further = {**entry, "builtin": False, "record": {**entry["record"], "id": "another", "fingerprint": "0"}}
    (folder / "a.json").write_text(json.dumps(further), encoding="utf-8")
    assert [found.id for found in backbones.registry()] == [record.id, "another"]


# The committed graph


def entries() -> list[Path]:
    return [path for path in sorted(FOLDER.glob("*.json")) if "build" in json.loads(path.read_text(encoding="utf-8"))]


def plan(model: onnx.ModelProto) -> list[tuple[object, ...]]:
    """Operators in order with their attributes, and of each input where it comes from: independent of any name."""
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    origin: dict[str, object] = {"": None, **{port.name: f"input {port.name}" for port in model.graph.input}}
    steps: list[tuple[object, ...]] = []
    for index, node in enumerate(model.graph.node):
        inputs = []
        for name in node.input:
            array = weights.get(name)
            inputs.append(origin[name] if array is None else (array.dtype.str, array.shape, array.tobytes()))
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        steps.append((node.domain, node.op_type, sorted(attributes.items()), inputs))
        origin.update({name: (index, place) for place, name in enumerate(node.output)})
    return [*steps, *((port.name, origin[port.name]) for port in model.graph.output)]


@pytest.mark.parametrize("path", entries(), ids=lambda path: path.stem)
def test_committed_graph_is_what_build_makes_from_the_committed_weights(path: Path) -> None:
    entry = json.loads(path.read_text(encoding="utf-8"))
    made = backbones.build_entry(entry, path.with_name(entry["build"]["weights"]))
    committed = onnx.load(path.with_name(entry["record"]["file"]))
    assert plan(made) == plan(committed)
    image = {"image": np.stack([photo(240, 320, seed) for seed in range(2)])}
    for one, other in zip(session(made).run(None, image), session(committed).run(None, image), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("record", backbones.registry(), ids=lambda record: record.id)
def test_committed_graph_follows_the_contract(record: backbones.BackboneRecord) -> None:
    model = onnx.load_from_string(backbones.read(record))
    onnx.checker.check_model(model, full_check=True)
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 18)]
    assert model.ir_version <= 10
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer)
    assert not [node.op_type for node in model.graph.node if node.op_type == "BatchNormalization"]
    running = session(model.SerializeToString())
    ports = [(port.name, port.type, port.shape) for port in (*running.get_inputs(), *running.get_outputs())]
    assert ports[0] == ("image", "tensor(uint8)", ["batch", "height", "width", 3])
    assert ports[1][:2] == ("features", "tensor(float)")
    assert ports[2] == ("embedding", "tensor(float)", ["batch", record.embedding_width])


@pytest.mark.parametrize("record", backbones.registry(), ids=lambda record: record.id)
def test_committed_graph_tells_nothing_about_where_it_was_made(record: backbones.BackboneRecord) -> None:
    model = onnx.load_from_string(backbones.read(record))
    assert not model.metadata_props
    assert not model.graph.metadata_props
    for node in model.graph.node:
        assert not node.metadata_props
        assert not node.doc_string
    assert b".py" not in model.SerializeToString()


def test_network_is_faithful_to_torch(builtin: ort.InferenceSession) -> None:
    from teachable import networks

    path = entries()[0]
    recipe = json.loads(path.read_text(encoding="utf-8"))["build"]
    stated = recipe["preprocessing"]
    network = networks.load(recipe["architecture"], path.with_name(recipe["weights"]))
    pixels = photo(320, 240)
    image = torch.from_numpy(reference(pixels, stated["size"]) / np.float32(255))
    mean, std = (torch.tensor(stated[name]).reshape(3, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        expected = network(((image - mean) / std)[None]).numpy()
    features, embedding = builtin.run(["features", "embedding"], {"image": pixels[None]})
    np.testing.assert_allclose(features, expected, atol=2e-3)
    np.testing.assert_allclose(embedding, expected.mean((2, 3)), atol=2e-4)


@pytest.mark.parametrize("size", SIZES)
def test_embedding_is_the_spatial_mean_for_any_size(builtin: ort.InferenceSession, size: tuple[int, int]) -> None:
    features, embedding = builtin.run(["features", "embedding"], {"image": photo(*size)[None]})
    assert np.isfinite(embedding).all()
    np.testing.assert_allclose(embedding, features.mean((2, 3), dtype=np.float64), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_batch_gives_what_single_photos_give(builtin: ort.InferenceSession, count: int) -> None:
    batch = np.stack([photo(90, 70, seed) for seed in range(count)])
    (together,) = builtin.run(["embedding"], {"image": batch})
    for row, pixels in zip(together, batch, strict=True):
        np.testing.assert_allclose(builtin.run(["embedding"], {"image": pixels[None]})[0][0], row, atol=1e-5)


def test_same_photo_gives_the_same_bits(builtin: ort.InferenceSession) -> None:
    image = {"image": photo(480, 640)[None]}
    first = builtin.run(["embedding"], image)[0]
    for _ in range(3):
        np.testing.assert_array_equal(builtin.run(["embedding"], image)[0], first)


# build


@pytest.mark.parametrize("size", SIZES)
def test_preprocessing_in_the_graph_is_what_pillow_does(
    see_through: ort.InferenceSession, size: tuple[int, int]
) -> None:
    pixels = photo(*size)
    (seen,) = see_through.run(["features"], {"image": pixels[None]})
    mean, std = (np.array(values).reshape(3, 1, 1) for values in (PREPROCESSING.mean, PREPROCESSING.std))
    bytes_seen = (seen[0] * std + mean) * 255
    difference = np.abs(bytes_seen - reference(pixels, PREPROCESSING.size))
    # One step of 255 where the two round differently, which must be rare, and never more.
    assert difference.max() < 1.001
    assert np.mean(difference > 0.5) < 0.01


def test_photo_of_twelve_megapixels_is_taken_whole(see_through: ort.InferenceSession) -> None:
    pixels = np.zeros((3000, 4000, 3), np.uint8)
    pixels[:, 500:3500] = (255, 128, 0)
    (seen,) = see_through.run(["features"], {"image": pixels[None]})
    expected = (np.array([255, 128, 0]) / 255 - PREPROCESSING.mean) / PREPROCESSING.std
    np.testing.assert_allclose(seen[0], np.broadcast_to(expected[:, None, None], seen[0].shape), atol=1e-5)


def test_only_the_centre_square_counts(builtin: ort.InferenceSession) -> None:
    wide = photo(64, 200)
    other = wide.copy()
    other[:, :68] = 0
    other[:, 132:] = 255
    runs = [builtin.run(["embedding"], {"image": pixels[None]})[0] for pixels in (wide, other, wide[:, 68:132])]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


def test_build_takes_any_network_and_folds_its_batch_norm() -> None:
    module = tiny()
    model = backbones.build(module, PREPROCESSING)
    assert [node.op_type for node in model.graph.node][-3:] == ["Conv", "Clip", "ReduceMean"]
    pixels = photo(64, 48)
    features, embedding = session(model).run(["features", "embedding"], {"image": np.stack([pixels, pixels[::-1]])})
    assert features.shape == (2, 8, 8, 8)
    image = torch.from_numpy(reference(pixels, PREPROCESSING.size) / np.float32(255))
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (PREPROCESSING.mean, PREPROCESSING.std))
    expected = module(((image - mean) / std)[None]).numpy()
    np.testing.assert_allclose(features[:1], expected, atol=0.02)
    np.testing.assert_allclose(embedding, features.mean((2, 3)), atol=1e-5)


def test_build_is_deterministic() -> None:
    one, other = (backbones.build(tiny(), PREPROCESSING).SerializeToString(deterministic=True) for _ in range(2))
    assert one == other


def test_build_leaves_a_network_in_training_mode_as_it_was() -> None:
    module = tiny().train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    backbones.build(module, PREPROCESSING)
    assert module.training
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_build_refuses_a_network_that_gives_no_map() -> None:
    flat = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 4))
    with pytest.raises(ValueError, match="one map"):
        backbones.build(flat, PREPROCESSING)


# The command


def test_build_command_restores_graph_and_record(folder: Path) -> None:
    record = backbones.builtin()
    path = (folder / record.file).with_suffix(".json")
    before = json.loads(path.read_text(encoding="utf-8"))
    stale = replace(record, fingerprint="", size_bytes=0, embedding_width=0, input_size=0)
    edit(path, record={**before["record"], **{name: getattr(stale, name) for name in ("fingerprint", "size_bytes")}})
    (folder / record.file).unlink()
    weights = folder / before["build"]["weights"]
    assert backbones.main(["build", str(weights)]) == 0
    after = json.loads(path.read_text(encoding="utf-8"))
    assert backbones.find(record.id).embedding_width == record.embedding_width
    assert len(backbones.read(backbones.builtin())) == after["record"]["size_bytes"]
    assert {**after, "record": None} == {**before, "record": None}
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize("arguments", [[], ["build"], ["make", "x"], ["build", "x", "y"]])
def test_build_command_explains_itself(arguments: list[str]) -> None:
    assert backbones.main(arguments) == 2
