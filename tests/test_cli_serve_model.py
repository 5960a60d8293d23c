"""`teachable serve-model`, as it is started in a terminal."""

import re
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from sourcing import model_of

from teachable.exporting import tensor

COMMAND = [sys.executable, "-m", "teachable", "serve-model"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(model_of(("yes", "no"))[1])
    return path


def failing(*arguments: str) -> str:
    """What is said by a command that cannot do it."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_file_of_another_export_is_named_for_what_it_is(model: Path, tmp_path: Path) -> None:
    cut = tensor.cut(model.read_bytes())
    for name, data in (("network.onnx", cut.body), ("preprocess.onnx", cut.front)):
        (tmp_path / name).write_bytes(data)
        assert f"“{name}” is only the network out of a model" in failing(str(tmp_path / name))
    with zipfile.ZipFile(tmp_path / "model-python.zip", "w") as archive:
        archive.write(model, "model-python/model.onnx")
    assert "Unpack it" in failing(str(tmp_path / "model-python.zip"))


def test_it_serves_until_it_is_stopped(model: Path) -> None:
    command = [*COMMAND, str(model), "--port", "0", "--allow-origin", "https://shop.example"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            first = process.stdout.readline()
            found = re.fullmatch(r"model\.onnx is ready: (http://127\.0\.0\.1:\d+)\n", first)
            assert found, first + process.stderr.read()
            origin = {"Origin": "https://shop.example"}
            assert httpx.get(f"{found[1]}/labels", headers=origin).json() == {"labels": ["yes", "no"]}
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert process.stdout.read().splitlines()[-1] == "Stopped."
            assert not process.stderr.read()
        finally:
            process.kill()


def test_open_to_the_network_it_warns(model: Path) -> None:
    command = [*COMMAND, str(model), "--port", "0", "--host", "0.0.0.0"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            assert "every device on your network" in process.stderr.readline()
        finally:
            process.kill()


def test_what_cannot_be_served_is_said(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    assert "bad.onnx" in failing(str(tmp_path / "bad.onnx"))
    assert "missing.onnx" in failing(str(tmp_path / "missing.onnx"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "--port 0 for any" in failing(str(model), "--port", port)
