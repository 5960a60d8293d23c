"""Every kind of file that people bring, sound and hostile: what becomes of it, or what is said about it."""

import hashlib
import json
import os
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from graphing import PREPROCESSING, tiny, write_safetensors
from torchvision.models import get_model_builder

from teachable import backbones, children, graphs, networks, official, weights, zoo
from teachable.errors import ModelFileError, NotFound, StorageFull
from teachable.resources import assets
from teachable.words import say

SMALL = "mobilenet_v3_small"


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What would be allowed: this process must be able to go on."""
    asked: list[int] = []
    monkeypatch.setattr(children, "limit_memory", asked.append)
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    assert torch.get_num_threads() == threads
    return asked


@pytest.fixture(scope="module")
def state() -> "OrderedDict[str, torch.Tensor]":
    """Weights that fit the small MobileNetV3."""
    torch.manual_seed(0)
    made: OrderedDict[str, torch.Tensor] = get_model_builder(SMALL)().state_dict()
    return made


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def make(source: Path, architecture: str | None = None, name: str | None = None) -> dict[str, Any]:
        name = name or source.name
        with weights.reading(name):
            return weights.make(weights.kind_of(source), source, tmp_path / "made.onnx", name, architecture)

    return make


Make = Callable[..., dict[str, Any]]


def instead_of_loading(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Let every classifier be a tiny network; returns which were asked for, with the names of their weights."""
    asked: list[tuple[str, list[str]]] = []

    def load(name: str, state_dict: Any) -> tuple[torch.nn.Module, graphs.Preprocessing]:
        asked.append((name, list(state_dict)))
        return tiny(), PREPROCESSING

    monkeypatch.setattr(zoo, "load", load)
    return asked


def refusal(make: Make, source: Path, architecture: str | None = None, name: str | None = None) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        make(source, architecture, name)
    return caught.value


def saved(path: Path, what: object, *, legacy: bool = False) -> Path:
    torch.save(what, path, _use_new_zipfile_serialization=not legacy)
    return path


# Official weights


def test_official_weights_are_recognised_by_their_hash_whatever_they_are_called(
    make: Make, tmp_path: Path, state: "OrderedDict[str, torch.Tensor]", monkeypatch: pytest.MonkeyPatch
) -> None:
    source = saved(tmp_path / "from a stick.bin", state)
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    known = official.find(SMALL)
    assert known is not None
    monkeypatch.setattr(official, "by_hash", lambda found: known if found == sha256 else None)
    asked = instead_of_loading(monkeypatch)
    entry = make(source)
    assert asked == [(SMALL, list(state))]
    record, data = entry["record"], (tmp_path / "made.onnx").read_bytes()
    assert backbones.BackboneRecord(**record).origin == "official"
    assert (record["id"], record["file"]) == (known.id, f"{known.id}.onnx")
    assert record["title"] == say("network.mobilenet-v3-small.title")
    assert (record["embedding_width"], record["input_size"]) == (8, PREPROCESSING.size)
    assert (record["licence"], record["source"]) == (known.licence, known.source)
    assert (record["size_bytes"], record["fingerprint"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert (entry["format_version"], entry["builtin"]) == (backbones.FORMAT_VERSION, False)
    assert entry["build"]["architecture"] == SMALL
    assert entry["build"]["weights_sha256"] == sha256
    assert graphs.preprocessing_from(entry["build"]["preprocessing"]) == PREPROCESSING
    assert json.loads(json.dumps(entry)) == entry


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "pickle"])
def test_weights_that_are_none_of_the_official_ones_are_refused_unread(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, legacy: bool
) -> None:
    source = saved(tmp_path / "mine.pth", {"weight": torch.zeros(3)}, legacy=legacy)
    monkeypatch.setattr(torch, "load", lambda *arguments, **options: pytest.fail("it was read"))
    error = refusal(make, source)
    assert error.key == "weights_unknown"
    assert "“mine.pth”" in str(error)
    for network in official.catalogue():
        assert network.file in str(error)


@pytest.mark.parametrize("architecture", [SMALL, "resnet101"])
def test_a_damaged_official_file_is_told_by_its_name(make: Make, tmp_path: Path, architecture: str) -> None:
    stem = zoo.describe(architecture).file.removesuffix(".pth")
    source = saved(tmp_path / f"{stem} (1).pth", {"weight": torch.zeros(3)})
    error = refusal(make, source)
    assert error.key == "weights_damaged"
    assert source.name in str(error)


def test_a_renamed_zip_is_told_by_what_is_inside(make: Make, tmp_path: Path) -> None:
    source = tmp_path / "network.pth"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("holiday/cat.jpg", b"miaow")
    error = refusal(make, source)
    assert error.key == "weights_zip"
    assert "holiday/cat.jpg" in str(error)
    # As a download that was not what it was called.
    assert refusal(make, source, SMALL).key == "weights_damaged"


@pytest.mark.parametrize("data", [b"<html>404</html>", b"", b"\x00" * 100, bytes(range(256))])
def test_what_is_no_network_at_all_is_told_what_would_be(make: Make, tmp_path: Path, data: bytes) -> None:
    source = tmp_path / "network.pth"
    source.write_bytes(data)
    error = refusal(make, source)
    assert error.key == "network_file_kind"
    assert ".onnx" in str(error)
    assert refusal(make, source, SMALL).key == "weights_damaged"


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "pickle"])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.999])
def test_a_truncated_file_is_damaged(
    make: Make, tmp_path: Path, state: "OrderedDict[str, torch.Tensor]", legacy: bool, share: float
) -> None:
    source = saved(tmp_path / "a.pth", state, legacy=legacy)
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * share)])
    assert refusal(make, source, SMALL).key == "weights_damaged"
    assert refusal(make, source).key == "weights_unknown"


def test_weights_of_another_architecture_are_refused(
    make: Make, tmp_path: Path, state: "OrderedDict[str, torch.Tensor]"
) -> None:
    error = refusal(make, saved(tmp_path / "a.pth", state), "resnet18")
    assert error.key == "weights_other"
    assert "conv1.weight" in str(error)
    assert "features.0.0.weight" in str(error)
    assert not (tmp_path / "made.onnx").exists()


@pytest.mark.parametrize("what", [[], "text", None, {"model": 1}, {1: torch.zeros(2)}], ids=repr)
def test_a_file_of_something_else_is_refused(make: Make, tmp_path: Path, what: object) -> None:
    assert refusal(make, saved(tmp_path / "a.pth", what), SMALL).key == "weights_other"


def test_weights_that_are_no_numbers_are_refused(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: "OrderedDict[str, torch.Tensor]"
) -> None:
    broken = tiny()
    broken.get_parameter("0.weight").fill_(torch.nan)
    monkeypatch.setattr(zoo, "load", lambda name, found: (broken, PREPROCESSING))
    assert refusal(make, saved(tmp_path / "a.pth", state), SMALL).key == "network_not_finite"


# Pickles that do more than hold weights


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({os.fspath(self.mark)!r}, 'w').close()",)


def trusting(source: Path) -> None:
    """Read a file as nobody should: it shows that the trap works."""
    if source.name.startswith("plain"):
        pickle.loads(source.read_bytes())
    else:
        torch.load(source, weights_only=False)


WRAPPINGS: dict[str, Callable[[Path, object], object]] = {
    "plain": lambda path, what: path.write_bytes(pickle.dumps(what, protocol=2)),
    "plain, newer": lambda path, what: path.write_bytes(pickle.dumps(what, protocol=4)),
    "zip": lambda path, what: saved(path, what),
    "legacy": lambda path, what: saved(path, what, legacy=True),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_pickle_that_runs_code_does_not_run_it(make: Make, tmp_path: Path, wrapping: str) -> None:
    mark, source = tmp_path / "it ran", tmp_path / f"{wrapping}.pth"
    WRAPPINGS[wrapping](source, {"weight": Trap(mark)})
    trusting(source)
    assert mark.exists()
    mark.unlink()
    assert refusal(make, source).key == "weights_unknown"
    error = refusal(make, source, SMALL)
    assert not mark.exists()
    assert not (tmp_path / "made.onnx").exists()
    if not wrapping.startswith("plain"):
        assert error.key == "weights_program"
        assert "exec" in str(error)


def test_a_class_of_a_strangers_is_named(make: Make, tmp_path: Path) -> None:
    error = refusal(make, saved(tmp_path / "a.pth", {"weight": tmp_path}), SMALL)
    assert error.key == "weights_program"
    assert "pathlib" in str(error)


def legacy_with(count: int, path: Path) -> Path:
    """A file in the old format whose only tensor claims to have so many numbers."""

    claim = object()

    class Claiming(pickle.Pickler):
        def persistent_id(self, thing: object) -> object:
            return ("storage", torch.FloatStorage, "0", "cpu", count, None) if thing is claim else None

    with path.open("wb") as file:
        for part in (torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {"little_endian": True}):
            pickle.dump(part, file, protocol=2)
        Claiming(file, protocol=2).dump(claim)
        pickle.dump(["0"], file, protocol=2)
    return path


def test_a_tensor_that_claims_more_memory_than_there_is_is_refused(make: Make, tmp_path: Path) -> None:
    assert refusal(make, legacy_with(10**13, tmp_path / "a.pth"), SMALL).key == "network_hungry"


def test_a_tensor_that_claims_more_numbers_than_the_file_has_is_refused(make: Make, tmp_path: Path) -> None:
    whole = saved(tmp_path / "a.pth", {"features.0.0.weight": torch.zeros(16, 3, 3, 3)})
    bent = tmp_path / "b.pth"
    with zipfile.ZipFile(whole) as inside, zipfile.ZipFile(bent, "w") as archive:
        for name in inside.namelist():
            archive.writestr(name, inside.read(name)[: 8 if name.endswith("/data/0") else None])
    assert refusal(make, bent, SMALL).key == "weights_damaged"


def test_memory_is_limited_by_the_size_of_the_file(make: Make, tmp_path: Path, limits: list[int]) -> None:
    source = saved(tmp_path / "a.pth", {})
    refusal(make, source, SMALL)
    assert limits == [weights.TORCH_MEMORY + weights.FILE_TIMES * source.stat().st_size]


# Safetensors


BUILTIN = assets() / "backbones" / f"{backbones.builtin().id}.safetensors"


def test_weights_of_our_own_network_are_known_by_themselves(make: Make, tmp_path: Path) -> None:
    entry = make(BUILTIN, name="My network 2.safetensors")
    record = entry["record"]
    assert record["fingerprint"] == backbones.builtin().fingerprint
    assert record["origin"] == "imported"
    assert (record["id"], record["title"]) == ("my-network-2", "My network 2")
    assert record["description"] == "Brought from the file My network 2.safetensors."
    assert record["licence"] == "not stated"


def test_safetensors_that_name_their_network_and_preprocessing_are_taken(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocessing = graphs.Preprocessing(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 72, "bicubic")
    stated = json.dumps(graphs.preprocessing_fields(preprocessing))
    metadata = {"architecture": "MobileNet-V3-Small", "preprocessing": stated, "licence": "MIT"}
    asked = instead_of_loading(monkeypatch)
    entry = make(write_safetensors(tmp_path / "a.safetensors", {"weight": torch.zeros(2)}, metadata))
    assert asked == [(SMALL, ["weight"])]
    assert entry["build"]["architecture"] == SMALL
    assert graphs.preprocessing_from(entry["build"]["preprocessing"]) == preprocessing
    assert entry["record"]["input_size"] == 64
    assert entry["record"]["licence"] == "MIT"
    assert entry["record"]["origin"] == "imported"


@pytest.mark.parametrize("stated", [None, "resnet-1000", "../x", "a\nb"])
def test_safetensors_that_do_not_say_what_they_are_are_refused(make: Make, tmp_path: Path, stated: str | None) -> None:
    metadata = None if stated is None else {"architecture": stated}
    source = write_safetensors(tmp_path / "a.safetensors", {"weight": torch.zeros(2)}, metadata)
    error = refusal(make, source)
    assert error.key == "weights_architecture"
    assert "\n" not in str(error)


def test_safetensors_of_another_network_than_they_say_are_refused(make: Make, tmp_path: Path) -> None:
    source = write_safetensors(tmp_path / "a.safetensors", {"weight": torch.zeros(2)}, {"architecture": "resnet18"})
    assert refusal(make, source).key == "weights_other"


@pytest.mark.parametrize("stated", ["", "[]", "{", '{"size": 10000000000}', "[" * 100_000])
def test_a_preprocessing_nobody_can_follow_is_refused(make: Make, tmp_path: Path, stated: str) -> None:
    tensors = networks.read_safetensors(BUILTIN)
    source = write_safetensors(tmp_path / "a.safetensors", tensors, {"preprocessing": stated})
    assert refusal(make, source).key == "weights_preprocessing"


def test_truncated_safetensors_are_refused(make: Make, tmp_path: Path) -> None:
    data = BUILTIN.read_bytes()
    source = tmp_path / "a.safetensors"
    for length in (len(data) - 1, len(data) // 2):
        source.write_bytes(data[:length])
        assert refusal(make, source).key == "network_unreadable"


def test_safetensors_where_official_weights_were_expected_are_refused(make: Make) -> None:
    assert refusal(make, BUILTIN, SMALL).key == "weights_damaged"


# Graphs


def test_a_graph_is_taken_byte_for_byte(make: Make, tmp_path: Path) -> None:
    source = tmp_path / "Ünï code (3).ONNX"
    source.write_bytes(graphs.build(tiny(), PREPROCESSING).SerializeToString())
    entry = make(source)
    assert (tmp_path / "made.onnx").read_bytes() == source.read_bytes()
    record = entry["record"]
    assert record["fingerprint"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (record["embedding_width"], record["input_size"]) == (8, PREPROCESSING.size)
    assert (record["id"], record["file"]) == ("n-code-3", "n-code-3.onnx")
    assert record["title"] == "Ünï code (3)"
    assert entry["build"]["weights_sha256"] == record["fingerprint"]


def test_a_name_without_letters_gives_an_id_all_the_same(make: Make, tmp_path: Path) -> None:
    source = tmp_path / "…"
    source.write_bytes(backbones.read(backbones.builtin()))
    assert make(source, name="☃.onnx")["record"]["id"] == "network"


def test_a_graph_where_official_weights_were_expected_is_refused(make: Make, tmp_path: Path) -> None:
    source = tmp_path / "a.pth"
    source.write_bytes(backbones.read(backbones.builtin()))
    assert refusal(make, source, SMALL).key == "weights_damaged"


def test_a_damaged_graph_is_called_so(make: Make, tmp_path: Path) -> None:
    source = tmp_path / "a.onnx"
    source.write_bytes(backbones.read(backbones.builtin())[:-5])
    assert refusal(make, source).key == "network_unreadable"


# What is published


def test_a_network_that_cannot_be_used_is_refused_before_it_is_fetched() -> None:
    with pytest.raises(ModelFileError, match="keeps no map"):
        weights.published("vit-b-16")
    with pytest.raises(ModelFileError, match="larger than any"):
        weights.published("regnet_y_128gf")
    with pytest.raises(NotFound, match="resnet-1000"):
        weights.published("resnet-1000")


@pytest.mark.parametrize("name", ["resnet-18", "regnet-y-400mf"])
def test_a_network_that_can_be_used_is_described(name: str) -> None:
    assert weights.published(name) == zoo.describe(name)


# Trouble with files


def test_a_file_that_is_gone_is_said(make: Make, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="stick"):
        make(tmp_path / "a.onnx")


def test_a_folder_is_no_file(make: Make, tmp_path: Path) -> None:
    assert refusal(make, tmp_path).key == "network_unreadable"


@pytest.mark.skipif(sys.platform != "linux", reason="only there is a device that is always full")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageFull), weights.reading("a.onnx"):
        weights.make("onnx", BUILTIN.with_suffix(".onnx"), Path("/dev/full"), "a.onnx", None)


def test_a_file_larger_than_any_network_is_not_read(make: Make, tmp_path: Path) -> None:
    source = tmp_path / "a.onnx"
    with source.open("wb") as file:
        file.truncate(2**30 + 1)
    assert refusal(make, source).key == "network_file_large"


def test_a_network_that_cannot_become_a_graph_is_said(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: "OrderedDict[str, torch.Tensor]"
) -> None:
    class Odd(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return torch.fft.fft(pixels).real[:, :, :8, :8] if pixels.sum() > 0 else pixels

    monkeypatch.setattr(zoo, "load", lambda name, found: (Odd(), PREPROCESSING))
    error = refusal(make, saved(tmp_path / "a.pth", state), SMALL)
    assert error.key == "network_not_converted"
    assert len(str(error)) < 500
