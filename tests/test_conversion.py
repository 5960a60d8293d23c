"""The process that reads strangers' files: what it returns, and that nothing it suffers reaches anybody else."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
import torch
from graphing import PREPROCESSING, photo, session, tiny
from making import until
from onnx import TensorProto, helper, numpy_helper
from torchvision.models import get_model_builder

from teachable import backbones, children, conversion, graphs, official
from teachable.conversion import convert, describe
from teachable.errors import Cancelled, ModelFileError, NotFound, TeachableError

SMALL = "mobilenet_v3_small"
NEVER = threading.Event()

# Everything about the process is the same in this child, but it loads nothing heavy and does what the test says.
LIGHT = """
import sys, threading
sys.path.append(sys.argv[1])
from pathlib import Path
from teachable import conversion, weights

def make(kind, source, out, name, architecture):
    Path(out).write_bytes(b"half a graph")
    BODY
    return {"record": {"name": name, "kind": kind, "architecture": architecture}}

weights.make = make
conversion.main()
"""


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Says what the child does after it began to write."""
    return lambda body: monkeypatch.setattr(conversion, "_CHILD", LIGHT.replace("BODY", body))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.onnx"
    path.write_bytes(b"anything")
    return path


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# What comes out


def test_official_weights_become_a_graph_in_a_process_of_their_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights, out = tmp_path / "weights", tmp_path / "graph.onnx"
    torch.save(get_model_builder(SMALL)().state_dict(), weights)
    found = convert(weights, out, architecture=SMALL, cancelled=NEVER)
    assert left(tmp_path) == ["graph.onnx", "weights"]
    assert found.record.id == "mobilenet-v3-small"
    assert (found.record.embedding_width, found.record.input_size) == (576, 224)
    assert found.record.size_bytes == out.stat().st_size
    assert found.entry["build"]["architecture"] == SMALL
    onnx.checker.check_model(onnx.load(out), full_check=True)
    (embedding,) = session(out.read_bytes()).run(["embedding"], {"image": photo(97, 131)[None]})
    assert embedding.shape == (1, found.record.embedding_width)


def test_a_graph_goes_through_unchanged_and_under_the_name_it_had(tmp_path: Path) -> None:
    copy, out = tmp_path / "import-1234.onnx", tmp_path / "graph.onnx"
    copy.write_bytes(graphs.build(tiny(), PREPROCESSING).SerializeToString())
    found = convert(copy, out, architecture=None, cancelled=NEVER, name="My network.onnx")
    assert out.read_bytes() == copy.read_bytes()
    assert found.record.title == "My network"
    assert found.record.origin == "imported"


def test_a_network_is_described_by_its_process() -> None:
    described = describe("resnet-18")
    known = official.find("resnet18")
    assert known is not None
    assert (described.architecture, described.file) == (known.architecture, known.file)
    assert described.url.endswith(known.file)


def test_the_parent_loads_neither_torch_nor_onnx() -> None:
    heavy = {"torch", "torchvision", "onnx", "onnxruntime"}
    code = f"import sys, teachable.conversion; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True)


# Files that were made to do harm


def bomb(*nodes: onnx.NodeProto, **constants: Any) -> bytes:
    """A small graph that keeps every declaration, and asks for a lot of memory when it is run."""
    nodes = (
        *nodes,
        helper.make_node("ReduceMax", ["huge"], ["one"], keepdims=0),
        helper.make_node("Resize", ["image", "", "", "eight"], ["small"], axes=[1, 2], mode="linear"),
        helper.make_node("Transpose", ["small"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["floats", "one"], ["features"]),
        helper.make_node("ReduceMean", ["features", "axes"], ["embedding"], keepdims=0),
    )
    constants = {"axes": [2, 3], "eight": [8, 8], **constants}
    arrays = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(
        nodes,
        "bomb",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3, 8, 8]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3]),
        ],
        arrays,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def zeros(*sides: int) -> bytes:
    return bomb(helper.make_node("ConstantOfShape", ["sides"], ["huge"]), sides=sides)


def tiled(times: int) -> bytes:
    """Depends on the photo, so that it is not known before it runs."""
    nodes = [
        helper.make_node("Cast", ["image"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Tile", ["wide", "times"], ["huge"]),
    ]
    return bomb(*nodes, times=[1, 1, 1, times])


def squared() -> bytes:
    """Compares every pixel with every other: little for a small photo, terabytes for one out of a camera."""
    nodes = [
        helper.make_node("Cast", ["image"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["wide", "others"], ["pixels"], keepdims=0),
        helper.make_node("Reshape", ["pixels", "column"], ["down"]),
        helper.make_node("Reshape", ["pixels", "row"], ["across"]),
        helper.make_node("Mul", ["down", "across"], ["huge"]),
    ]
    return bomb(*nodes, others=[0, 3], column=[-1, 1], row=[1, -1])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process cannot be kept small")
@pytest.mark.parametrize(
    "data",
    # Three gigabytes would fit into most computers: it is the limit that stops them.
    [zeros(10**4, 10**4, 10**4), zeros(10**3, 10**3, 750), tiled(20_000), squared()],
    ids=["terabytes", "gigabytes", "when it runs", "with a large photo"],
)
def test_a_graph_that_fills_the_memory_is_stopped(tmp_path: Path, data: bytes) -> None:
    theirs = tmp_path / "theirs.onnx"
    theirs.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        convert(theirs, tmp_path / "graph.onnx", architecture=None, cancelled=NEVER)
    assert caught.value.key in {"network_hungry", "network_stopped"}
    assert "“theirs.onnx”" in str(caught.value)
    assert left(tmp_path) == ["theirs.onnx"]


def test_a_bomb_that_asks_for_little_is_a_network(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.onnx"
    theirs.write_bytes(zeros(10, 10))
    assert convert(theirs, tmp_path / "graph.onnx", architecture=None, cancelled=NEVER).record.embedding_width == 3


def test_a_broken_contract_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.onnx"
    model = onnx.load_from_string(backbones.read(backbones.builtin()))
    del model.graph.output[0]
    theirs.write_bytes(model.SerializeToString())
    out = tmp_path / "graph.onnx"
    out.write_bytes(b"what was there before")
    with pytest.raises(ModelFileError) as caught:
        convert(theirs, out, architecture=None, cancelled=NEVER)
    assert caught.value.key == "network_outputs"
    assert out.read_bytes() == b"what was there before"
    assert left(tmp_path) == ["graph.onnx", "theirs.onnx"]


# The process


def test_names_and_kinds_arrive_as_they_are(light: Callable[[str], None], source: Path) -> None:
    light("")
    out = source.with_name("ö “graph”.onnx")
    found = convert(source, out, architecture="x", cancelled=NEVER, name="ä\n.onnx")
    assert found.entry["record"] == {"name": "ä\n.onnx", "kind": "onnx", "architecture": "x"}
    assert out.read_bytes() == b"half a graph"
    assert left(source.parent) == ["theirs.onnx", out.name]


@pytest.mark.parametrize(
    ("body", "key", "kind"),
    [
        ("import os; os._exit(3)", "network_stopped", ModelFileError),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "network_stopped", ModelFileError),
        ("raise ZeroDivisionError", "network_failed", TeachableError),
        ("raise MemoryError", "network_hungry", ModelFileError),
        ("raise RuntimeError('std::bad_alloc')", "network_hungry", ModelFileError),
        ("import errno; raise OSError(errno.EIO, 'the stick was pulled out')", "network_unreadable", ModelFileError),
    ],
)
def test_whatever_happens_to_the_process_is_said_and_nothing_is_left(
    light: Callable[[str], None], source: Path, body: str, key: str, kind: type[TeachableError]
) -> None:
    light(body)
    with pytest.raises(kind) as caught:
        convert(source, source.with_name("graph.onnx"), architecture=None, cancelled=NEVER)
    assert caught.value.key == key
    assert left(source.parent) == ["theirs.onnx"]


def test_a_crash_is_logged_with_its_trace(
    light: Callable[[str], None], source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    light("raise ZeroDivisionError")
    with pytest.raises(TeachableError):
        convert(source, source.with_name("graph.onnx"), architecture=None, cancelled=NEVER)
    assert "ZeroDivisionError" in caplog.text


def test_a_process_that_takes_too_long_is_stopped(
    light: Callable[[str], None], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    light("threading.Event().wait()")
    monkeypatch.setattr(conversion, "GRAPH_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(ModelFileError) as caught:
        convert(source, source.with_name("graph.onnx"), architecture=None, cancelled=NEVER)
    assert caught.value.key == "network_slow"
    assert time.monotonic() - began < 30
    assert left(source.parent) == ["theirs.onnx"]


def test_a_process_that_cannot_be_started_is_said(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(TeachableError) as caught:
        convert(source, source.with_name("graph.onnx"), architecture=None, cancelled=NEVER)
    assert caught.value.key == "network_stopped"


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        convert(tmp_path / "a.onnx", tmp_path / "graph.onnx", architecture=None, cancelled=NEVER)


def test_cancelling_kills_the_process_and_leaves_nothing(
    light: Callable[[str], None], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    light("threading.Event().wait()")
    started: list[subprocess.Popen[bytes]] = []
    start = children.start
    monkeypatch.setattr(children, "start", lambda code: (started.append(start(code)), started[-1])[1])
    cancelled, errors = threading.Event(), []

    def run() -> None:
        try:
            convert(source, source.with_name("graph.onnx"), architecture=None, cancelled=cancelled)
        except Cancelled as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: "graph.onnx.tmp" in left(source.parent), "the beginning of the graph")
    cancelled.set()
    thread.join(30)
    assert len(errors) == 1
    assert started[0].poll() is not None
    assert left(source.parent) == ["theirs.onnx"]


def test_what_is_cancelled_before_it_begins_starts_no_process(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "start", lambda code: pytest.fail("it was started"))
    cancelled = threading.Event()
    cancelled.set()
    for call in (
        lambda: convert(source, source.with_name("graph.onnx"), architecture=None, cancelled=cancelled),
        lambda: describe("resnet18", cancelled),
    ):
        with pytest.raises(Cancelled):
            call()


PARENT = """
import json, sys, threading
from pathlib import Path
from teachable import children, conversion
conversion._CHILD = sys.argv[1]
start = children.start
def told(code):
    child = start(code)
    print(child.pid, flush=True)
    return child
children.start = told
conversion.convert(Path(sys.argv[2]), Path(sys.argv[3]), architecture=None, cancelled=threading.Event())
"""


def test_the_process_ends_when_its_parent_is_killed(source: Path) -> None:
    code = LIGHT.replace("BODY", "threading.Event().wait()")
    command = [sys.executable, "-c", PARENT, code, str(source), str(source.with_name("graph.onnx"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        until(lambda: "graph.onnx.tmp" in left(source.parent), "the beginning of the graph")
        parent.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the end of the child")
    # What the killed process left is no graph, and is written over the next time.
    assert not source.with_name("graph.onnx").exists()


def test_an_entry_is_json_and_makes_a_record() -> None:
    record = {**json.loads(json.dumps(backbones.builtin().__dict__)), "origin": "imported"}
    assert conversion.Converted({"record": record}).record.origin == "imported"
