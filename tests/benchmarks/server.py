"""A real server in its own process, and a project filled through its API."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.benchmarks import scene

# The page sends as many at a time.
BATCH = 8
_PATIENCE = 240.0


@dataclass(frozen=True)
class Server:
    """A server that is ready.

    Attributes:
        address: of its page.
        process: to look at its memory.
        seconds: from starting the program to the line that says it is ready.
        ready: `time.perf_counter()` when that line came.
    """

    address: str
    process: psutil.Process
    seconds: float
    ready: float

    def client(self) -> httpx.Client:
        """Return what asks its API."""
        return httpx.Client(base_url=f"{self.address}/api/v1", timeout=60)


@contextmanager
def running(home: Path) -> Iterator[Server]:
    """Run `teachable serve` on a free port, and stop it at the end.

    Args:
        home: folder with the projects.
    """
    began = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "teachable",
        "serve",
        "--offline",
        "--port",
        "0",
        "--no-browser",
        "--home",
        str(home),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _when_ready(process, began)
        finally:
            process.terminate()
            try:
                process.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()


def _when_ready(process: "subprocess.Popen[str]", began: float) -> Server:
    for line in process.stdout or ():
        if "http://" in line:
            now = time.perf_counter()
            address = line[line.index("http://") :].strip()
            return Server(address, psutil.Process(process.pid), now - began, now)
    raise RuntimeError("the server ended before it was ready")


def fill(client: httpx.Client, classes: int, each: int, groups: int = 4) -> str:
    """Make a project with photos in all classes and wait until they are embedded.

    Args:
        client: of the server.
        classes: how many.
        each: photos of a class.
        groups: presses of the record button they came from.

    Returns:
        The id of the project.
    """
    project: dict[str, Any] = client.post("/projects", json={}).raise_for_status().json()
    base = f"/projects/{project['id']}"
    ids = [one["id"] for one in project["classes"]][:classes]
    while len(ids) < classes:
        ids.append(client.post(f"{base}/classes", json={}).raise_for_status().json()["id"])
    for kind, class_id in enumerate(ids):
        files = list(scene.photos(kind, each))
        for group in range(groups):
            remaining = iter(files[group::groups])
            while batch := list(islice(remaining, BATCH)):
                send(client, f"{base}/classes/{class_id}/samples", f"press-{kind}-{group}", batch)
    wait_until_embedded(client, project["id"])
    return str(project["id"])


def send(client: httpx.Client, address: str, group: str, files: Sequence[tuple[str, bytes]]) -> None:
    """Upload photos as one request."""
    parts = [("files", (name, data, "image/jpeg")) for name, data in files]
    client.post(address, data={"group": group}, files=parts).raise_for_status()


def wait_until_embedded(client: httpx.Client, project: str) -> None:
    """Return when every photo has its embedding."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        embedding = status(client, project)["embedding"]
        if embedding["done"] + embedding["failed"] >= embedding["total"]:
            return
        time.sleep(0.2)
    raise TimeoutError("the photos were not embedded in time")


def status(client: httpx.Client, project: str) -> dict[str, Any]:
    """Return how a project stands."""
    answer: dict[str, Any] = client.get(f"/projects/{project}/status").raise_for_status().json()
    return answer
