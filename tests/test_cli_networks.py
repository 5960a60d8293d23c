"""`teachable networks`: the table, fetching with a bar, stopping, importing and removing."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import weights_server as ws
from making import DEADLINE, tiny_graph, tiny_network, until
from typer.testing import CliRunner, Result
from weights_server import WeightsServer

from teachable import conversion, official
from teachable.cli import app
from teachable.library import Library
from teachable.projects import ProjectStore
from teachable.types import ProjectNetwork

SMALL = next(one for one in official.catalogue() if one.id == "mobilenet-v3-small")
BEST = official.recommended()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("TEACHABLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TEACHABLE_OFFLINE", "0")
    return tmp_path / "home"


@pytest.fixture
def library(home: Path) -> Library:
    (home / "networks").mkdir(parents=True)
    return Library(home / "networks")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeightsServer]:
    with WeightsServer() as made:
        monkeypatch.setenv("TEACHABLE_WEIGHTS_URL", made.url)
        yield made


def networks(*arguments: str | Path, input: str | None = None) -> Result:
    return CliRunner().invoke(app, ["networks", *map(str, arguments)], prog_name="teachable", input=input)


def refused(result: Result, words: str) -> None:
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


# The table


def test_the_table_fits_a_terminal_and_says_what_is_here(library: Library, tmp_path: Path) -> None:
    library.add(*tiny_network(tmp_path, SMALL.id, origin="official"))
    library.add(*tiny_network(tmp_path, "mine-" + 10 * "x", np.ones((4, 3), np.float32)))
    for arguments in ([], ["list"]):
        result = networks(*arguments)
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert all(len(line) <= 79 for line in lines[:-1]), max(lines, key=len)
        rows = {line.split()[0]: line for line in lines if line}
        assert lines[0].split() == ["NAME", "TITLE", "MB", "HERE", "ACCURACY", "TIME"]
        assert lines[1] == rows["slim-v1"]
        assert re.search(r" 5  yes +– +× 1\.0$", rows["slim-v1"])
        assert re.search(r" 22  no +75\.3 % +× \d", rows[BEST.id])
        assert re.search(r" yes ", rows[SMALL.id])
        assert [line.split()[0] for line in lines if line[:20].rstrip().endswith("*")] == [BEST.id]
        assert "mine-xxxxxxxxxx" in rows
        assert str(library.folder) in lines[-1]


def test_the_table_is_there_for_programs_too(home: Path) -> None:
    for arguments in (["--json"], ["list", "--json"]):
        found = json.loads(networks(*arguments).stdout)
        assert [one["id"] for one in found] == ["slim-v1", *(one.id for one in official.catalogue())]
        assert found[1]["download_bytes"] == BEST.download_bytes
    assert not home.exists()


def test_help_is_shown_for_the_group_and_every_command() -> None:
    for arguments in (["--help"], ["list", "--help"], ["fetch", "--help"], ["import", "--help"], ["remove", "--help"]):
        result = networks(*arguments)
        assert result.exit_code == 0
        assert "Usage:" in result.stdout
    for wrong in (["nonsense"], ["fetch"], ["import"], ["remove"], ["list", "--nonsense"]):
        assert networks(*wrong).exit_code == 2


# Fetching


@pytest.fixture
def served(server: WeightsServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a weights file that is the official one here."""
    data = random.Random(0).randbytes(3_000_000)
    file = server.add(SMALL.architecture, data)
    small = replace(SMALL, file=file, download_bytes=len(data))
    monkeypatch.setattr(official, "catalogue", lambda: (BEST, small))
    return file


def converted(source: Path, out: Path, **_: object) -> conversion.Converted:
    """Stand in for the conversion, which takes its time; the real one is in the tests of the installer."""
    entry, graph = tiny_network(out.parent, SMALL.id, origin="official")
    graph.replace(out)
    return conversion.Converted(entry)


def test_a_network_is_fetched_with_its_size_first(
    served: str, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "convert", converted)
    result = networks("fetch", SMALL.architecture)
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[0] == "Fetching MobileNetV3 Small: 3.0 MB"
    assert result.stdout == "MobileNetV3 Small is on this computer now, as “mobilenet-v3-small”.\n"
    assert library.find(SMALL.id).origin == "official"
    again = networks("fetch", SMALL.id)
    assert (again.exit_code, again.stderr) == (0, "")
    assert "already" in again.stdout


@pytest.mark.skipif(os.name == "nt", reason="the standard library has no terminals to pretend with there")
def test_a_terminal_shows_a_bar(server: WeightsServer, library: Library) -> None:
    import pty

    server.files[SMALL.file] = bytes(SMALL.download_bytes)
    stall = ws.Stall(SMALL.download_bytes // 2)
    server.faults.append(stall)
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "teachable", "networks", "fetch", SMALL.id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        shown = b""
        while b" 50%" not in shown:
            shown += os.read(terminal, 1000)
        assert b"#" in shown
        process.kill()
    os.close(terminal)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (ws.status(404), "has no file"),
        (ws.cut(0), "broke before"),
        (ws.damaged, "thrown away"),
        (ws.page, "log in"),
    ],
)
def test_what_cannot_be_fetched_is_said_with_both_ways_out(
    served: str, server: WeightsServer, library: Library, fault: ws.Fault, words: str
) -> None:
    server.faults.append(fault)
    result = networks("fetch", SMALL.id)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert "etch again" in result.stderr
    assert f"bring {served} on a stick and import it" in result.stderr
    assert len(library.present()) == 1


def test_offline_nothing_is_fetched(server: WeightsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHABLE_OFFLINE", "1")
    refused(networks("fetch", SMALL.id), "told to stay offline")
    assert server.asked == []
    assert networks("list").exit_code == 0


def test_a_name_nobody_knows_is_refused() -> None:
    refused(networks("fetch", "no-such-network"), "There is no network called “no-such-network”")


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A program of its own that ends with the test, and hears Ctrl-C even if the tests run in the background."""
    pipe = subprocess.PIPE
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        started = subprocess.Popen([sys.executable, *command], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    finally:
        signal.signal(signal.SIGINT, heard)
    with started as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="a terminal's Ctrl-C cannot be sent to one program alone there")
def test_stopping_keeps_what_came_and_says_so(server: WeightsServer, library: Library) -> None:
    server.files[SMALL.file] = bytes(SMALL.download_bytes)
    server.faults.append(ws.Stall(2_000_000))
    part = library.folder / "partial" / f"{SMALL.file}.part"
    with running("-m", "teachable", "networks", "fetch", SMALL.id) as process:
        until(lambda: process.poll() is not None or (part.exists() and part.stat().st_size == 2_000_000))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out) == (2, ""), err
    assert "Stopped. What came is kept" in err
    assert f"“{SMALL.id}”" in err
    assert "Traceback" not in err
    assert part.stat().st_size == 2_000_000
    assert Library(library.folder).choices().automatic


HOLD = """
import sys
from pathlib import Path
from teachable.library import Library
with Library(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_waiting_for_another_program_is_said(server: WeightsServer, library: Library) -> None:
    with running("-c", HOLD, str(library.folder)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with running("-m", "teachable", "networks", "fetch", SMALL.id) as process:
            assert process.stderr is not None
            said = [process.stderr.readline(), process.stderr.readline()]
            assert "Another Teachable" in said[1]
            holder.communicate("go\n", timeout=DEADLINE)
            out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out) == (2, ""), err
    assert "has no file" in err


# Importing


def test_a_file_from_a_stick_is_imported(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHABLE_OFFLINE", "1")
    path = tmp_path / "My net.onnx"
    path.write_bytes(tiny_graph(np.eye(3, dtype=np.float32)))
    result = networks("import", path)
    assert result.exit_code == 0, result.output
    assert result.stdout == "My net is on this computer now, as “my-net”.\n"
    assert f"Importing {path}" in result.stderr
    assert "Turning the weights" in result.stderr
    assert library.read(library.find("my-net")) == path.read_bytes()


def test_what_is_no_network_is_refused(library: Library, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    (tmp_path / "x.onnx").write_bytes(b"not a network")
    for name, words in (
        ("photo.jpg", "is no file of a network"),
        ("gone.onnx", "There is no file"),
        ("x.onnx", "Error: "),
    ):
        result = networks("import", tmp_path / name)
        assert result.exit_code == 2
        assert words in result.stderr
        assert result.stdout == ""
    assert len(library.present()) == 1


# Removing


def test_removing_asks_first_and_says_who_uses_it(library: Library, home: Path, tmp_path: Path) -> None:
    record = library.add(*tiny_network(tmp_path, SMALL.id, origin="official"))
    store = ProjectStore(home)
    store.create("Fruit 🍎", ProjectNetwork(record.id, record.fingerprint))
    store.create("Birds", ProjectNetwork(library.builtin().id, library.builtin().fingerprint, builtin=True))
    store.close()
    for answer in ("n\n", "", "\n"):
        result = networks("remove", SMALL.architecture, input=answer)
        assert result.exit_code == 2
        assert "MobileNetV3 Small is the network of “Fruit 🍎”." in result.stderr
        assert "Birds" not in result.stderr
        assert "Nothing was removed." in result.stderr
    assert library.find(SMALL.id) == record
    result = networks("remove", SMALL.id, input="y\n")
    assert result.exit_code == 0
    assert result.stdout.endswith("MobileNetV3 Small was removed.\n")
    assert len(library.present()) == 1


def test_removing_without_being_asked(library: Library, home: Path, tmp_path: Path) -> None:
    library.add(*tiny_network(tmp_path, BEST.id, origin="official"))
    result = networks("remove", BEST.id, "--yes")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "MobileNetV3 Large was removed.\n", "")
    assert not library.choices().automatic
    assert sorted(path.name for path in home.iterdir()) == ["networks"] or (home / "projects").is_dir()


def test_what_cannot_be_removed(library: Library, home: Path) -> None:
    store = ProjectStore(home)
    store.create("Birds", ProjectNetwork(library.builtin().id, library.builtin().fingerprint, builtin=True))
    store.close()
    refused(networks("remove", "slim-v1"), "comes with Teachable")
    assert "Birds" not in networks("remove", "slim-v1").stderr
    refused(networks("remove", "slim-v1", "--yes"), "comes with Teachable")
    refused(networks("remove", SMALL.id, "--yes"), "is not on this computer")
    refused(networks("remove", "nonsense"), "There is no network called")
    refused(networks("remove", "../../x", "--yes"), "There is no network called")


def test_the_folder_of_networks_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHABLE_NETWORKS", str(tmp_path / "elsewhere"))
    elsewhere = Library(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.add(*tiny_network(tmp_path, "mine"))
    assert "mine " in networks().stdout
    monkeypatch.delenv("TEACHABLE_NETWORKS")
    assert "mine " not in networks().stdout
    (tmp_path / "other" / "networks").mkdir(parents=True)
    Library(tmp_path / "other" / "networks").add(*tiny_network(tmp_path, "yours"))
    assert "yours " in networks("list", "--home", tmp_path / "other").stdout
