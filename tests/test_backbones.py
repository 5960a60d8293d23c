import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from graphing import SIZES, photo, reference, session
from onnx import numpy_helper

from teachable import backbones, graphs, resources
from teachable.errors import InstallationError, NotFound

FOLDER = resources.assets() / "backbones"


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
    preprocessing = graphs.preprocessing_from(recipe["preprocessing"])
    network = networks.load(recipe["architecture"], path.with_name(recipe["weights"]))
    pixels = photo(320, 240)
    image = torch.from_numpy(reference(pixels, preprocessing) / np.float32(255))
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
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


def test_only_the_centre_square_counts(builtin: ort.InferenceSession) -> None:
    wide = photo(64, 200)
    other = wide.copy()
    other[:, :68] = 0
    other[:, 132:] = 255
    runs = [builtin.run(["embedding"], {"image": pixels[None]})[0] for pixels in (wide, other, wide[:, 68:132])]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


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
