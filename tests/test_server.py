"""The server: ports, start and stop, and the whole app behind its guards."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from making import DEADLINE, until
from starlette.testclient import TestClient
from weights_server import Stall, WeightsServer

from teachable import home_lock, official, server, static
from teachable import installation as installation_module
from teachable.errors import Conflict, InvalidInput, TeachableError
from teachable.installer import Installer
from teachable.workflow import Workspace

# Ports


def test_the_next_free_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with server.open_socket("127.0.0.1", 0) as first:
        busy = first.getsockname()[1]
        monkeypatch.setattr(server, "FIRST_PORT", busy)
        with server.open_socket("127.0.0.1", None) as second:
            assert busy < second.getsockname()[1] < busy + server.PORTS_TRIED


def test_a_port_that_was_named_and_is_taken_is_an_error() -> None:
    with server.open_socket("127.0.0.1", 0) as first:
        busy = first.getsockname()[1]
        with pytest.raises(Conflict, match=str(busy)):
            server.open_socket("127.0.0.1", busy)


def test_no_free_port_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with server.open_socket("127.0.0.1", 0) as first:
        monkeypatch.setattr(server, "FIRST_PORT", first.getsockname()[1])
        monkeypatch.setattr(server, "PORTS_TRIED", 1)
        with pytest.raises(Conflict):
            server.open_socket("127.0.0.1", None)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "x" * 300, "a..b"])
def test_a_host_that_is_not_this_computer_is_an_error(host: str) -> None:
    with pytest.raises(InvalidInput):
        server.open_socket(host, 0)


def test_a_port_that_may_not_be_used_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", forbid)
    with pytest.raises(InvalidInput, match="80"):
        server.open_socket("127.0.0.1", 80)


# The app


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with Workspace(tmp_path_factory.mktemp("home")) as workspace:

        async def make() -> FastAPI:
            return server.create_app(workspace)

        # Where no event loop runs, Gradio makes some and leaves them behind.
        with TestClient(asyncio.run(make()), base_url="http://127.0.0.1:7860") as client:
            yield client


def test_page_api_and_files_are_served_by_one_app(web: TestClient) -> None:
    page = web.get("/")
    assert page.status_code == 200
    assert static.collect().address in page.text
    assert web.get("/api/v1/health").json()["name"] == "teachable"
    assert web.get(f"{static.collect().address}/locales/en.json").status_code == 200


def test_files_of_an_older_page_are_gone_and_gradios_own_are_there(web: TestClient) -> None:
    assert web.get("/static/0123456789abcdef/studio/main.js").status_code == 404
    assert web.get("/static/js/iframeResizer.contentWindow.min.js").status_code == 200


def test_the_guards_cover_every_part(web: TestClient) -> None:
    for path in ("/", "/api/v1/health", "/gradio_api/info", "/config", "/static/x/y"):
        assert web.get(path, headers={"Host": "evil.example"}).status_code == 403
        assert web.post(path, headers={"Origin": "http://evil.example"}).status_code == 403


def test_the_page_carries_the_headers(web: TestClient) -> None:
    assert web.get("/").headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_there_is_no_other_description(web: TestClient, path: str) -> None:
    assert web.get(path).status_code == 404


def test_no_other_site_may_read_answers(web: TestClient) -> None:
    answer = web.get("/", headers={"Origin": "http://evil.example", "Sec-Fetch-Mode": "navigate"})
    assert answer.headers.get("Access-Control-Allow-Origin") != "http://evil.example"


# Start and stop


@contextmanager
def running(home: Path, *options: str, before: str = "") -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The program in a process of its own; yields it and what it said until it was ready."""
    changed = ["-c", f"from teachable import cli, installer, server; {before}; cli.main()"]
    start = changed if before else ["-m", "teachable"]
    command = [sys.executable, *start, "serve", "--home", str(home), "--no-browser", *options]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, encoding="utf-8"
    )
    assert process.stdout is not None
    try:
        said: list[str] = []
        while not said or "Ctrl-C" not in said[-1]:
            line = process.stdout.readline()
            assert line, process.communicate()
            said.append(line)
        yield process, said
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_starts_answers_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    # What it waits for longer than that counts as stuck.
    with running(tmp_path, "--port", "0", before="server._GRACE_SECONDS = 600") as (process, said):
        assert "starting" in said[0]
        found = re.search(r"http://127\.0\.0\.1:\d+", "".join(said))
        assert found
        with urllib.request.urlopen(f"{found[0]}/api/v1/health", timeout=30) as answer:
            assert json.load(answer)["name"] == "teachable"
        # An open page keeps a connection; stopping must not wait for it.
        request = f"{found[0]}/gradio_api/heartbeat/abc"
        with urllib.request.urlopen(request, timeout=30) as heartbeat:
            assert heartbeat.readline() == b"data: ALIVE\n"
            process.send_signal(number)
            out, err = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, err
        assert "Everything is saved" in out
        assert err == ""


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeightsServer]:
    """A server that begins to send the recommended weights and then falls silent."""
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    best = official.recommended()
    with WeightsServer() as made:
        made.files[best.file] = bytes(best.download_bytes)
        made.faults.append(Stall(1_000_000))
        monkeypatch.setenv("TEACHABLE_WEIGHTS_URL", made.url)
        monkeypatch.setenv("TEACHABLE_OFFLINE", "0")
        yield made


def installation(said: list[str]) -> dict[str, Any]:
    found = re.search(r"http://127\.0\.0\.1:\d+", "".join(said))
    assert found
    with urllib.request.urlopen(f"{found[0]}/api/v1/networks", timeout=30) as answer:
        now: dict[str, Any] = json.load(answer)["installation"]
        return now


def test_the_recommended_network_comes_while_the_page_works_and_stopping_waits_for_nothing(
    tmp_path: Path, weights: WeightsServer
) -> None:
    best = official.recommended()
    # One that does not hear it is waited for until that counts as stuck.
    with running(tmp_path, "--port", "0", before="installer._PATIENCE_SECONDS = 600") as (process, said):
        assert process.stdout is not None
        assert re.search(r"Fetching the network .* \(22 MB\)", process.stdout.readline())
        until(lambda: installation(said)["done"] == 1_000_000)
        now = installation(said)
        assert (now["state"], now["id"], now["automatic"]) == ("fetching", best.id, True)
        assert now["total"] == best.download_bytes
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE)
        assert (process.returncode, err) == (0, "")
    assert (tmp_path / "networks" / "partial" / f"{best.file}.part").stat().st_size == 1_000_000


def test_a_fetch_that_failed_is_told_and_everything_goes_on(tmp_path: Path, weights: WeightsServer) -> None:
    weights.files.clear()  # the server has no such file
    weights.faults.clear()
    with running(tmp_path, "--port", "0") as (process, said):
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Fetching")
        told = process.stdout.readline()
        assert "could not be fetched" in told
        assert official.recommended().file in told
        assert installation(said)["state"] == "failed"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")


def test_a_fetch_that_ended_before_anybody_looked_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise TeachableError("download_stalled", file="f", host="h")

    fetch = Installer.fetch

    def to_its_end(self: Installer, name: str, automatic: bool = False) -> None:
        fetch(self, name, automatic)
        self.wait()

    monkeypatch.setenv("TEACHABLE_OFFLINE", "0")
    monkeypatch.setattr(installation_module, "fetch", refuse)
    monkeypatch.setattr(Installer, "fetch", to_its_end)
    told: list[str] = []
    with Workspace(tmp_path / "home", tmp_path / "networks") as space:
        server._fetch_recommended(space, told.append)
        until(lambda: len(told) == 2, "the end of it")
    assert told[0].startswith("Fetching")
    assert "could not be fetched" in told[1]


def test_offline_nobody_is_asked_for_anything(tmp_path: Path, weights: WeightsServer) -> None:
    with running(tmp_path, "--port", "0", "--offline") as (process, said):
        assert installation(said)["state"] == "idle"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        assert "Fetching" not in out
    assert weights.asked == []


def test_a_busy_port_is_told_at_once(tmp_path: Path) -> None:
    with server.open_socket("127.0.0.1", 0) as busy:
        port = str(busy.getsockname()[1])
        command = [sys.executable, "-m", "teachable", "--home", str(tmp_path), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert port in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


STUCK = """
import sys, threading
from pathlib import Path
from teachable import server, workflow

def close(self):
    threading.Event().wait()

server._STUCK_SECONDS = 1
workflow.Workspace.close = close
server.serve(Path(sys.argv[1]), "127.0.0.1", 0, False, lambda line: print(line, flush=True), offline=True)
"""


def test_a_server_that_gets_stuck_while_it_stops_ends_and_says_where(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUCK, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("http://" in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "in close" in err


def test_a_home_that_is_served_already_is_told_at_once(tmp_path: Path) -> None:
    lines: list[str] = []
    with (
        home_lock.held(tmp_path, "http://127.0.0.1:7860"),
        pytest.raises(Conflict, match=r"at http://127\.0\.0\.1:7860"),
    ):
        server.serve(tmp_path, "127.0.0.1", 0, False, lines.append)
    assert not lines


def test_opening_to_the_network_comes_with_a_warning(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--host", "0.0.0.0") as (_, said):
        told = "".join(said)
        assert "every device on your network" in told
        assert "From other devices: http://" in told
        assert "https" in told


# Memory

_FREED = """
import ctypes
from pathlib import Path
from teachable import server

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
server.return_memory()
before = resident()
taken = []
for _ in range(2):  # glibc learns from what is freed
    taken += [c.malloc(20 * 2**20) for _ in range(4)]
    for block in taken:
        ctypes.memset(block, 1, 20 * 2**20)
    c.malloc(2**16)  # and what stays above keeps it from giving back what is below
    for block in taken:
        c.free(block)
    taken = []
print((resident() - before) // 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere freed memory is given back anyway")
def test_memory_of_what_was_large_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10
