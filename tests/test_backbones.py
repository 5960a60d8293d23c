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
from graphing import SIZES, photo, reference, session, write_safetensors
from onnx import numpy_helper

from teachable import backbones, graphs, networks, resources
from teachable.errors import InstallationError

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


def test_builtin_comes_first() -> None:
    assert backbones.registry()[0] == backbones.builtin()


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


def weights_of(expansion: int, path: Path, **metadata: str) -> Path:
    """Random weights of our own network."""
    torch.manual_seed(expansion)
    return write_safetensors(path, networks.SlimMobileNetV2(expansion).state_dict(), metadata)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_build_command_restores_graph_and_record_and_card(folder: Path) -> None:
    record = backbones.builtin()
    path, card = ((folder / record.file).with_suffix(suffix) for suffix in (".json", ".md"))
    before, told = json.loads(path.read_text(encoding="utf-8")), card.read_text(encoding="utf-8")
    edit(path, record={**before["record"], "fingerprint": "", "size_bytes": 0, "embedding_width": 0, "input_size": 0})
    edit(path, check={}, build={**before["build"], "weights_sha256": ""})
    start, end = (told.index(mark) for mark in backbones.FACTS)
    card.write_text(f"{told[:start]}{backbones.FACTS[0]}\nnonsense\n{told[end:]}", encoding="utf-8")
    (folder / record.file).unlink()
    there = names(folder) | {record.file}
    assert backbones.main(["build", str(folder / before["build"]["weights"])]) == 0
    assert json.loads(path.read_text(encoding="utf-8")) == before
    assert card.read_text(encoding="utf-8") == told
    assert backbones.builtin() == record
    assert len(backbones.read(record)) == record.size_bytes
    assert names(folder) == there


def test_new_weights_become_the_builtin_network(folder: Path, tmp_path: Path) -> None:
    old, kept = backbones.builtin(), backbones.builtin_preprocessing()
    weights = weights_of(2, tmp_path / "slim-v2.safetensors")
    arguments = ["build", str(weights), "--title", "Built-in, new", "--description", "Sees better.", "--size", "96"]
    assert backbones.main(arguments) == 0
    (record,) = backbones.registry()
    assert record.id == "slim-v2"
    assert (record.title, record.description) == ("Built-in, new", "Sees better.")
    assert (record.licence, record.origin) == (old.licence, "builtin")
    assert "slim-v2.md" in record.source
    assert backbones.builtin_preprocessing() == replace(kept, size=96)
    # What was made for the old network is gone; what people made is theirs to keep.
    assert {f"{old.id}.safetensors", f"{old.id}.md"} <= names(folder)
    assert not {old.file, f"{old.id}.json"} & names(folder)
    assert (folder / "slim-v2.safetensors").read_bytes() == weights.read_bytes()
    running = session(backbones.read(record))
    assert running.get_outputs()[1].shape[1] == record.embedding_width
    entry = json.loads((folder / "slim-v2.json").read_text(encoding="utf-8"))
    assert entry["build"]["architecture"] == "slim-mobilenet-v2/2"
    network = networks.load("slim-mobilenet-v2/2", weights)
    noise = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(entry["check"]["seed"])) * 2 - 1
    np.testing.assert_allclose(network(noise).mean((2, 3))[0, :4].numpy(), entry["check"]["first"], atol=1e-4)
    card = (folder / "slim-v2.md").read_text(encoding="utf-8")
    for fact in (
        record.fingerprint,
        f"{record.size_bytes:,} bytes",
        "96 x 96",
        "[batch, 1280, 3, 3]",
        "million parameters",
    ):
        assert fact in card
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in card


def test_new_weights_under_an_old_name_renew_the_network(folder: Path, tmp_path: Path) -> None:
    old = backbones.builtin()
    preprocessing = graphs.Preprocessing(64, (0.4, 0.5, 0.6), (0.3, 0.3, 0.3), 72, "bicubic")
    stated = json.dumps(graphs.preprocessing_fields(preprocessing))
    weights = weights_of(1, tmp_path / "trained.safetensors", preprocessing=stated)
    record = backbones.rebuild(weights, id=old.id)
    assert backbones.registry() == (record,)
    assert record.fingerprint != old.fingerprint
    assert (record.id, record.title, record.input_size) == (old.id, old.title, 64)
    assert backbones.builtin_preprocessing() == preprocessing
    card = (folder / f"{old.id}.md").read_text(encoding="utf-8")
    assert "shorter side to 72" in card
    assert record.fingerprint in card
    assert old.fingerprint not in card
    assert "How good it is" in card


@pytest.mark.parametrize("record", backbones.registry(), ids=lambda record: record.id)
def test_the_facts_of_the_card_are_those_of_the_files(record: backbones.BackboneRecord) -> None:
    entry = json.loads((FOLDER / record.file).with_suffix(".json").read_text(encoding="utf-8"))
    model = onnx.load_from_string(backbones.read(record))
    card = (FOLDER / record.file).with_suffix(".md").read_text(encoding="utf-8")
    assert backbones.facts(entry, model, FOLDER / entry["build"]["weights"]) in card


def test_a_card_without_facts_gets_them_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# Mine\n\nWords.\n", encoding="utf-8")
    for number in (1, 2):
        backbones._write_card(path, backbones.builtin(), f"{backbones.FACTS[0]}\n{number}\n{backbones.FACTS[1]}")
    assert path.read_text(encoding="utf-8") == f"# Mine\n\nWords.\n\n{backbones.FACTS[0]}\n2\n{backbones.FACTS[1]}\n"


@pytest.mark.parametrize("id", ["", "Slim", "../slim", "slim v2", "ü", "x" * 61])
def test_an_id_that_is_no_file_name_is_refused(folder: Path, tmp_path: Path, id: str) -> None:
    before = names(folder)
    with pytest.raises(ValueError, match="small letters"):
        backbones.rebuild(weights_of(1, tmp_path / "Ä.safetensors"), id=id)
    assert names(folder) == before


@pytest.mark.parametrize("what", ["foreign", "damaged", "missing", "preprocessing"])
def test_weights_that_cannot_be_used_change_nothing(folder: Path, tmp_path: Path, what: str) -> None:
    weights = tmp_path / "slim-v2.safetensors"
    if what == "foreign":
        write_safetensors(weights, {"weight": torch.zeros(3)})
    elif what == "damaged":
        weights.write_bytes((FOLDER / f"{backbones.builtin().id}.safetensors").read_bytes()[:-1])
    elif what == "preprocessing":
        weights_of(1, weights, preprocessing="{}")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert backbones.main(["build", str(weights)]) == 1
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    "arguments", [[], ["build"], ["make", "x"], ["build", "x", "y"], ["build", "x", "--size", "big"]]
)
def test_build_command_explains_itself(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        backbones.main(arguments)
    assert caught.value.code == 2
