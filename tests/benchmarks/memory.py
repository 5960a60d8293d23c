"""Resident memory of the server with a large project, after all that a person does with it."""

import os
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psutil

from teachable.projects import ProjectStore
from tests.benchmarks import scene, server
from tests.benchmarks.table import Row

PHOTOS, CLASSES, TARGET = 5000, 5, 700
_PAGE = 24


class Watch:
    """Notes the largest resident memory of a server and of the process it trains in, twenty times a second."""

    def __init__(self, process: psutil.Process) -> None:
        self.server = self.training = 0.0
        self._process = process
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.05):
            self.server = max(self.server, resident(self._process))
            self.training = max([self.training, *map(resident, self._process.children())])


def resident(process: psutil.Process) -> float:
    """Return the resident memory of a process in MB, 0 if it is gone."""
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def measure() -> list[Row]:
    """Prepare a project, then open the page's routes, wait for all embeddings and train."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        project = _project(home)
        with server.running(home) as served, served.client() as client, Watch(served.process) as watch:
            began = time.perf_counter()
            empty = resident(served.process)
            _open_page(served.address, client, project)
            server.wait_until_embedded(client, project)
            embedding = time.perf_counter() - began
            embedded = resident(served.process)
            seconds = _train(client, project)
            _open_page(served.address, client, project)
            trained = resident(served.process)
    what = f"{PHOTOS} photos in {CLASSES} classes"
    return [
        Row(
            "Server memory, most",
            f"< {TARGET} MB",
            f"{watch.server:.0f} MB",
            how=f"resident; {what}: page opened, all embedded ({embedding:.0f} s), trained ({seconds:.1f} s), checked",
            met=watch.server < TARGET,
        ),
        Row(
            "Server memory, on the way",
            "",
            f"{trained:.0f} MB at the end",
            how=f"{empty:.0f} MB when ready, {embedded:.0f} MB when embedded",
        ),
        Row("Training process, most", "", f"{watch.training:.0f} MB", how="resident too, torch, beside the server"),
    ]


def _project(home: Path) -> str:
    store = ProjectStore(home)
    project = store.create()
    ids = [one.id for one in project.info().classes]
    ids += [project.add_class().id for _ in range(CLASSES - len(ids))]
    for kind, class_id in enumerate(ids):
        for group in range(4):
            photos = scene.photos(kind, PHOTOS // CLASSES // 4, seed=group)
            project.add_photos(class_id, f"press-{kind}-{group}", photos)
    # Written to the disk by now, so that the time of embedding is not the time of writing.
    os.sync()
    store.close()
    return project.id


def _open_page(address: str, client: httpx.Client, project: str) -> None:
    """Ask for what the page asks for: itself, the project, and two pages of thumbnails of each class."""
    httpx.get(f"{address}/?project={project}", timeout=60).raise_for_status()
    base = f"/projects/{project}"
    info = client.get(base).raise_for_status().json()
    server.status(client, project)
    for one in info["classes"]:
        before = ""
        for _ in range(2):
            listed = f"{base}/classes/{one['id']}/samples?limit={_PAGE}{before}"
            page = client.get(listed).raise_for_status().json()
            for sample in page["samples"]:
                client.get(f"{base}/samples/{sample['id']}/thumbnail").raise_for_status()
            before = f"&before={page['next']}"


def _train(client: httpx.Client, project: str) -> float:
    """Train, wait until the file is checked, and return the seconds until it was written."""
    client.post(f"/projects/{project}/training").raise_for_status()
    while True:
        status = server.status(client, project)
        if status["training"]["state"] not in {"running", "done"}:
            raise RuntimeError(f"training {status['training']}")
        if status["training"]["state"] == "done" and not status["model"]["checking"]:
            client.get(f"/projects/{project}/model.onnx").raise_for_status()
            return float(status["model"]["seconds"])
        time.sleep(0.1)
