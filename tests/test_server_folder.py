"""The folder with a server in it: unpacked elsewhere and started as its README says, it answers as the preview does."""

import contextlib
import io
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import pytest
from graphing import scene
from making import until
from sourcing import HOSTILE, model_of, source_of, watch

from teachable.errors import ModelFileError
from teachable.exporting import bundle
from teachable.exporting.formats.server_folder import EXPORTER, package_files
from teachable.metadata import ModelMetadata
from teachable.resources import assets
from teachable.runtime import Classifier
from teachable.words import say

ROOT = Path(__file__).resolve().parent.parent
FULL = EXPORTER.variants[0]


@pytest.fixture(scope="module")
def made() -> tuple[ModelMetadata, bytes]:
    return model_of(HOSTILE)


@pytest.fixture(scope="module")
def archive(made: tuple[ModelMetadata, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("server") / "model-server.zip"
    EXPORTER.write(source_of(*made), FULL, target, watch())
    return target


@pytest.fixture(scope="module")
def folder(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(archive).extractall(unpacked)
    return unpacked / "model-server"


@contextlib.contextmanager
def started(command: list[str], folder: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Start a server and wait until it says where it is."""
    process = subprocess.Popen(command, cwd=folder, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stderr is not None
    try:
        first = process.stderr.readline()
        found = re.search(r"http://\S+", first)
        assert found, first + process.stderr.read()
        with httpx.Client(base_url=found[0], timeout=60) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


def png(seed: int) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(scene(60, 80, seed)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[httpx.Client]:
    # Isolated: neither the folder it is started in nor the variables of the environment are looked at.
    with started([sys.executable, "-I", str(folder / "server.py"), "--port", "0"], folder.parent) as (_, client):
        yield client


def test_it_answers_as_the_preview_does(made: tuple[ModelMetadata, bytes], running: httpx.Client) -> None:
    classifier = Classifier.load(made[1])
    for seed in range(3):
        said = running.post("/v1/predict", files={"image": ("a.png", png(seed))}).json()["predictions"]
        (wanted,) = classifier.predict(png(seed))
        assert {one["label"]: one["confidence"] for one in said} == pytest.approx(wanted.probabilities, abs=1e-6)
        assert said[0]["label"] == wanted.label
    assert running.get("/labels").json()["labels"] == list(dict.fromkeys(HOSTILE))
    assert running.get("/health").json()["status"] == "ok"
    assert running.get("/openapi.json").json()["openapi"].startswith("3.")
    assert running.get("/").status_code == 200
    assert running.get("/page.mjs").status_code == 200


def test_many_requests_at_once_are_all_answered(running: httpx.Client) -> None:
    def ask(seed: int) -> int:
        return running.post("/v1/predict", content=png(seed), headers={"Content-Type": "image/png"}).status_code

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(24))) == {200}


def test_refusals_are_in_words(running: httpx.Client) -> None:
    answer = running.post("/v1/predict", content=b"no photo", headers={"Content-Type": "image/png"})
    assert answer.status_code == 422
    assert "JPEG" in answer.json()["error"]["message"]


def test_its_own_modules_are_used(folder: Path) -> None:
    """What is installed is not looked at: the folder must do without."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import teachable.model_server as server"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{code}; print(server.__file__, *sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    file, *modules = done.stdout.split()
    assert file.startswith(str(folder))
    assert not {"torch", "gradio", "fastapi", "onnx", "typer"} & set(modules)
    ours = {name for name in modules if name.startswith("teachable.")}
    packed = {f"teachable.{Path(name).stem}" for name in package_files() if re.fullmatch(r"teachable/\w+\.py", name)}
    assert ours == packed - {"teachable.__init__"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(folder: Path, number: signal.Signals) -> None:
    with started([sys.executable, "server.py", "--port", "0"], folder) as (process, client):
        assert client.get("/health").status_code == 200
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_damaged_model_is_said_and_not_served(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    command = [sys.executable, str(folder / "server.py"), str(tmp_path / "bad.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "bad.onnx" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, str(folder / "server.py"), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert done.stderr == f"{say('cli.serve_model.port_taken', port=port)}\n"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--host", "no.such.host.invalid", "no.such.host.invalid"), ("--port", "70000", "70000")],
)
def test_an_address_that_cannot_be_had_is_said(folder: Path, option: str, value: str, said: str) -> None:
    command = [sys.executable, str(folder / "server.py"), option, value]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_said_of_formats_is_one_thing(archive: Path) -> None:
    described = json.loads((assets() / "server" / "openapi.json").read_text(encoding="utf-8"))["info"]["description"]
    readme = bundle.read_archive(archive, "README.md").decode()
    for text in (described, readme):
        assert "JPEG, PNG, WebP, GIF or BMP files" in text
        assert "HEIC" in text
        assert "pillow-heif" in text
    assert "pillow-heif" in say("error.photo_heic", name="x")


# The Dockerfile: Docker is not at hand, but what it would run is


def instructions(folder: Path) -> list[tuple[str, str]]:
    text = (folder / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_container_does_not_run_as_root_and_names_no_registry(folder: Path) -> None:
    found = instructions(folder)
    assert found[0] == ("FROM", "python:3.13-slim")
    names = [name for name, _ in found]
    assert names.index("USER") < names.index("CMD")
    assert dict(found)["USER"] == "model"
    copied = [text.split()[0] for name, text in found if name == "COPY"]
    assert all((folder / name).exists() for name in copied)


def test_the_command_and_the_health_check_of_the_container_work(folder: Path) -> None:
    found = dict(instructions(folder))

    def at(port: int, name: str) -> list[str]:
        text = found[name]
        return [sys.executable, *json.loads(text[text.index("[") :].replace("38101", str(port)))[1:]]

    def healthy(port: int) -> bool:
        return subprocess.run(at(port, "HEALTHCHECK"), capture_output=True, check=False).returncode == 0

    # It is held, so that nobody else gets it, but nothing listens there.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert not healthy(held.getsockname()[1])
    with started(at(0, "CMD"), folder) as (_, client):
        port = client.base_url.port
        assert port
        until(lambda: healthy(port), "the health check")


def test_the_requirements_are_those_of_the_modules() -> None:
    asked = {}
    for line in (assets() / "server" / "requirements.txt").read_text().splitlines():
        name, _, version = line.partition(">=")
        asked[name] = version
    assert set(asked) == {"numpy", "onnxruntime", "pillow", "python-multipart", "starlette", "uvicorn"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = dict(one.split(">=") for one in project["dependencies"] if "," not in one)
    assert all(ours[name] == version for name, version in asked.items() if name in ours)
    assert all(metadata.distribution(name) for name in asked), "these are the names pip knows"


# The archive


def test_the_model_in_it_is_the_model(made: tuple[ModelMetadata, bytes], archive: Path) -> None:
    assert bundle.read_archive(archive, "model.onnx") == made[1]
    photos = [scene(50, 70, seed) for seed in range(5)]
    answers = EXPORTER.open(archive, FULL)(photos)
    np.testing.assert_allclose(answers.probabilities, Classifier.load(made[1]).probabilities(photos), atol=1e-6)
    assert answers.embeddings is not None
    assert [one.file for one in EXPORTER.variants] == [
        "model-server.zip",
        "model-server-half.zip",
        "model-server-quarter.zip",
    ]


def test_the_same_model_gives_the_same_bytes(made: tuple[ModelMetadata, bytes], archive: Path, tmp_path: Path) -> None:
    EXPORTER.write(source_of(*made), FULL, tmp_path / "again.zip", watch())
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_it_needs_little_room_besides_the_model() -> None:
    assert sum(map(len, package_files().values())) < 200_000


def test_the_readme_tells_how_to_start_it(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert shlex.join(["python", "server.py"]) in text
    assert "not run by our tests" in text
    names = set(re.findall(r"^\| `([\w./]+)`", text, re.MULTILINE))
    assert all((folder / name).exists() for name in names)


def test_a_damaged_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.zip").write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(ModelFileError, match="damaged"):
        EXPORTER.open(tmp_path / "cut.zip", FULL)
