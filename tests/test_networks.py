import json
from pathlib import Path

import numpy as np
import pytest
import torch

from teachable import backbones, networks
from teachable.resources import assets


def entries() -> list[tuple[Path, dict]]:
    folder = assets() / "backbones"
    read = [(path, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]
    return [(path, entry) for path, entry in read if "build" in entry]


def written(path: Path, header: object, numbers: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + numbers)
    return path


@pytest.mark.parametrize(("path", "entry"), entries(), ids=lambda value: getattr(value, "stem", ""))
def test_committed_weights_give_the_embedding_their_card_states(path: Path, entry: dict) -> None:
    network = networks.load(entry["build"]["architecture"], path.with_name(entry["build"]["weights"]))
    size = entry["build"]["preprocessing"]["size"]
    check = entry["check"]
    noise = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(check["seed"])) * 2 - 1
    embedding = network(noise).mean((2, 3))
    np.testing.assert_allclose(embedding[0, : len(check["first"])].numpy(), check["first"], atol=1e-4)
    assert float(embedding.mean()) == pytest.approx(check["mean"], abs=1e-4)


def test_loaded_network_is_frozen_and_in_evaluation_mode() -> None:
    path, entry = entries()[0]
    network = networks.load(entry["build"]["architecture"], path.with_name(entry["build"]["weights"]))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("expansion", [1, 2, 6])
def test_every_expansion_gives_a_map_a_thirty_second_of_the_photo(expansion: int) -> None:
    network = networks.SlimMobileNetV2(expansion).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 96)).shape == (2, networks.LAST_CHANNELS, 2, 3)


@pytest.mark.parametrize(
    "architecture", ["", "slim-mobilenet-v2", "slim-mobilenet-v2/0", "slim-mobilenet-v2/x", "other/3"]
)
def test_unknown_architecture_is_refused(architecture: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="architecture"):
        networks.load(architecture, tmp_path / "any.safetensors")


@pytest.mark.parametrize("expansion", [1, 3, 6])
def test_an_architecture_is_recognised_by_its_weights(expansion: int) -> None:
    tensors = networks.SlimMobileNetV2(expansion).state_dict()
    assert networks.recognise(tensors) == f"slim-mobilenet-v2/{expansion}"
    # Batch norm's counters are of use in training only, and may be left out.
    few = {name: tensor for name, tensor in tensors.items() if "num_batches" not in name}
    assert networks.recognise(few) == f"slim-mobilenet-v2/{expansion}"
    del few["features.0.conv.weight"]
    assert networks.recognise(few) is None
    assert networks.recognise({**tensors, "more": torch.zeros(1)}) is None


def test_the_weights_of_the_builtin_network_are_recognised() -> None:
    path, entry = entries()[0]
    weights = path.with_name(entry["build"]["weights"])
    assert networks.recognise(networks.read_safetensors(weights)) == entry["build"]["architecture"]


def test_weights_of_another_network_are_refused() -> None:
    path, entry = entries()[0]
    with pytest.raises(ValueError, match="does not hold the weights"):
        networks.load("slim-mobilenet-v2/5", path.with_name(entry["build"]["weights"]))


def test_safetensors_numbers_come_back_exactly(tmp_path: Path) -> None:
    values, count = np.array([[1.5, -2.0, 3e-8]], "<f4"), np.array(7, "<i8")
    header = {
        "__metadata__": {"by": "somebody"},
        "values": {"dtype": "F32", "shape": [1, 3], "data_offsets": [0, 12]},
        "count": {"dtype": "I64", "shape": [], "data_offsets": [12, 20]},
    }
    read = networks.read_safetensors(written(tmp_path / "a.safetensors", header, values.tobytes() + count.tobytes()))
    assert set(read) == {"values", "count"}
    np.testing.assert_array_equal(read["values"].numpy(), values)
    assert read["count"].shape == ()
    assert int(read["count"]) == 7


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        [],
        b"[" * 100_000,
        {"a": 3},
        {"a": {"dtype": "F32", "shape": [2]}},
        {"a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}},
        {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}},
    ],
)
def test_damaged_safetensors_are_refused(header: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a sound safetensors file"):
        networks.read_safetensors(written(tmp_path / "a.safetensors", header, bytes(8)))


def test_what_a_file_says_about_itself_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", {"__metadata__": {"architecture": "x"}})
    assert networks.read_metadata(path) == {"architecture": "x"}
    assert networks.read_metadata(written(path, {})) == {}


@pytest.mark.parametrize("header", [b"", [], {"__metadata__": []}, {"__metadata__": {"a": 1}}, {"__metadata__": "x"}])
def test_what_a_damaged_file_says_about_itself_is_refused(header: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a sound safetensors file"):
        networks.read_metadata(written(tmp_path / "a.safetensors", header))


def test_every_record_names_the_weights_it_was_built_from() -> None:
    import hashlib

    for path, entry in entries():
        weights = path.with_name(entry["build"]["weights"])
        assert hashlib.sha256(weights.read_bytes()).hexdigest() == entry["build"]["weights_sha256"]
        files = {record.id: record.file for record in backbones.registry()}
        assert files[entry["record"]["id"]] == path.with_suffix(".onnx").name
