"""A real server in a process of its own, as people run it, that a test can stop, kill and start again."""

import functools
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 90
STOP_SECONDS = 20
TRAIN_SECONDS = 60


class Server:
    """`teachable serve` on a free port.

    Args:
        home: folder with its projects.
        log: where its error output goes.
        program: what Python runs.
        environment: settings of its own, added to those of the tests.
    """

    def __init__(
        self,
        home: Path,
        log: Path,
        program: Sequence[str] = ("-m", "teachable"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.log = log
        self.program = program
        # Where it hangs, SIGABRT makes it say where.
        self.environment = {**os.environ, "PYTHONFAULTHANDLER": "1", **(environment or {})}
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, on the same port as before if there was one, and return when it says that it is ready."""
        command = [sys.executable, *self.program, "serve", "--no-browser"]
        command += ["--port", str(self.port), "--home", str(self.home)]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment
            )
        # Reading a line cannot be given a time limit, but a process that takes too long can be ended.
        limit = threading.Timer(START_SECONDS, self._process.kill)
        limit.start()
        try:
            assert self._process.stdout is not None
            for line in self._process.stdout:
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                    self.port = int(found[1])
                    return
        finally:
            limit.cancel()
        self.stop()
        raise AssertionError(f"The server did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it with no chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and see that it does so by itself."""
        ended = self._end(signal.SIGTERM)
        # One that got stuck ends as well, with another status.
        assert ended in {None, 0}, f"The server did not stop cleanly ({ended}):\n{self.log.read_text()}"

    def _end(self, number: signal.Signals) -> int | None:
        """Send a signal, and return the exit status, or None where nothing ran."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            process.wait()
            raise AssertionError(f"The server did not stop:\n{self.log.read_text()}") from None
        finally:
            if process.stdout is not None:
                process.stdout.close()


class Api:
    """The few requests with which tests prepare a project and check what is stored.

    Args:
        server: that answers them.
    """

    def __init__(self, server: Server) -> None:
        self._client = httpx.Client(base_url=f"{server.address}/api/v1", trust_env=False, timeout=30)

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()

    def project(self, *names: str, name: str | None = None) -> dict[str, Any]:
        """Return a new project whose classes have these names; without names, the two it starts with."""
        made = self.ask("POST", "/projects", {} if name is None else {"name": name})
        known = [label["id"] for label in made["classes"]]
        for number, wanted in enumerate(names):
            if number < len(known):
                self.ask("PATCH", f"/projects/{made['id']}/classes/{known[number]}", {"name": wanted})
            else:
                self.ask("POST", f"/projects/{made['id']}/classes", {"name": wanted})
        return dict(self.ask("GET", f"/projects/{made['id']}"))

    def add(self, project: dict[str, Any], number: int, files: Iterable[tuple[str, bytes]], group: str) -> None:
        """Add photos to one class of a project."""
        path = f"/projects/{project['id']}/classes/{project['classes'][number]['id']}/samples"
        parts = [("files", (name, data, "image/jpeg")) for name, data in files]
        answer = self._client.post(path, data={"group": group}, files=parts)
        answer.raise_for_status()

    def stored(self, project: str, number: int) -> dict[int, str]:
        """Return the digests of the stored photos of one class, by id."""
        label = self.ask("GET", f"/projects/{project}")["classes"][number]["id"]
        page = self.ask("GET", f"/projects/{project}/classes/{label}/samples?limit=500")
        assert page["next"] is None
        return {sample["id"]: sample["sha256"] for sample in page["samples"]}

    def counts(self, project: str) -> dict[str, int]:
        """Return how many samples are stored, by class name."""
        return {label["name"]: label["samples"] for label in self.ask("GET", f"/projects/{project}")["classes"]}

    def train(self, project: str) -> dict[str, Any]:
        """Train, and return the status once the model is there and its file has been checked."""
        self.ask("POST", f"/projects/{project}/training", {})
        deadline = time.monotonic() + TRAIN_SECONDS
        while time.monotonic() < deadline:
            status = self.ask("GET", f"/projects/{project}/status")
            assert status["training"]["state"] in {"running", "done"}, status
            if status["training"]["state"] == "done" and status["model"]["agreement"]:
                return dict(status)
        raise AssertionError(f"Training took more than {TRAIN_SECONDS} seconds: {status}")

    def model(self, project: str) -> bytes:
        """Return the bytes of the model file."""
        answer = self._client.get(f"/projects/{project}/model.onnx")
        answer.raise_for_status()
        return answer.content


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server as it comes with Python, that writes nothing on the terminal."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def plain_files(folder: Path) -> Iterator[str]:
    """Serve a folder as any web host does, and give its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
