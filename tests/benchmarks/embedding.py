"""Photos per second through the product's own path, against the network alone on photos that are decoded already.

Both take turns within one run, so that whatever else the computer does slows both.
"""

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from teachable import backbones, images
from teachable.backlog import Backlog
from teachable.embeddings import Embedder
from teachable.projects import Project, ProjectStore
from tests.benchmarks import scene
from tests.benchmarks.table import Row

ROUNDS, PHOTOS, SHARE = 7, 96, 0.8
# Photos that the network alone takes at once; it is not faster with more.
BATCH = 8


def measure() -> list[Row]:
    """Take turns: the network alone, the Embedder, the whole path from stored files to the cache."""
    record = backbones.builtin()
    model = backbones.read(record)
    with tempfile.TemporaryDirectory() as folder:
        store = ProjectStore(Path(folder))
        projects = [_project(store, seed) for seed in range(ROUNDS + 1)]
        decoded = [images.load(projects[0].photo_file(one.sha256)) for one in projects[0].all_samples()]
        batches = [np.stack(decoded[start : start + BATCH]) for start in range(0, PHOTOS, BATCH)]
        embedder = Embedder(model)
        backlog = Backlog(lambda fingerprint: embedder)
        polite, plain = _session(model, spinning=False), _session(model, spinning=True)
        single = _session(model, spinning=False, threads=1)
        cores = ThreadPoolExecutor(os.cpu_count())
        _embed(backlog, projects[-1], record.fingerprint)
        found: dict[str, list[float]] = {}
        busy: dict[str, list[float]] = {}
        for project in projects[:-1]:
            turns: dict[str, Callable[[], object]] = {
                "alone": lambda: _run(polite, batches),
                "embedder": lambda: embedder.embed(decoded),
                "path": partial(_embed, backlog, project, record.fingerprint),
                "plain": lambda: _run(plain, batches),
                "cores": lambda: _run_beside(single, batches, cores),
                "decode": lambda: _decode(projects[0]),
            }
            for name, turn in turns.items():
                rate, cost = _timed(turn)
                found.setdefault(name, []).append(rate)
                busy.setdefault(name, []).append(cost)
        cores.shutdown()
        backlog.close()
        store.close()
    return _rows(found, {name: statistics.median(costs) for name, costs in busy.items()})


def _rows(found: dict[str, list[float]], cost: dict[str, float]) -> list[Row]:
    rate = {name: statistics.median(rates) for name, rates in found.items()}

    def ratio(name: str, peer: str) -> float:
        return statistics.median(mine / other for mine, other in zip(found[name], found[peer], strict=True))

    def against(peer: str, name: str = "path") -> str:
        return f"{rate[peer]:.0f}/s, {cost[peer]:.1f} ms: {ratio(name, peer):.0%}"

    def measured(name: str) -> str:
        return f"{rate[name]:.0f} photos/s, {cost[name]:.1f} ms of CPU"

    path = ratio("path", "alone")
    what = (
        f"{PHOTOS} photos of {scene.SIDE} px, median of {ROUNDS} turns; stored JPEGs through the backlog into the cache"
    )
    return [
        Row(
            "Embedding: files to cache",
            f">= {SHARE:.0%} of network alone",
            measured("path"),
            f"network alone {against('alone')}",
            f"{what}; against onnxruntime on decoded arrays, {BATCH} at a time on all cores, without spinning threads",
            met=path >= SHARE,
        ),
        Row(
            "Embedding: as above",
            "",
            measured("path"),
            f"with its defaults {against('plain')}",
            "onnxruntime's defaults: waiting threads spin, and take the cores from whatever else runs",
        ),
        Row(
            "Embedding: as above",
            "",
            measured("path"),
            f"a batch per core {against('cores')}",
            "onnxruntime with one thread for each batch, as many batches at once as there are cores",
        ),
        Row(
            "Embedding: Embedder only",
            "",
            measured("embedder"),
            f"network alone {against('alone', 'embedder')}",
            "decoded arrays in, array out",
        ),
        Row("Decoding stored photos", "", measured("decode"), how="one thread, of the same files"),
    ]


def _project(store: ProjectStore, seed: int) -> Project:
    project = store.create()
    project.add_photos(project.info().classes[0].id, "press", scene.photos(0, PHOTOS, seed))
    return project


def _session(model: bytes, *, spinning: bool, threads: int = 0) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    if not spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _run(session: ort.InferenceSession, batches: Sequence[NDArray[np.uint8]]) -> None:
    for batch in batches:
        session.run(["embedding"], {"image": batch})


def _run_beside(session: ort.InferenceSession, batches: Sequence[NDArray[np.uint8]], cores: Executor) -> None:
    for _ in cores.map(lambda batch: session.run(["embedding"], {"image": batch}), batches):
        pass


def _embed(backlog: Backlog, project: Project, fingerprint: str) -> None:
    unreadable = backlog.wait(project, fingerprint, lambda progress: None, threading.Event())
    if unreadable:
        raise RuntimeError("stored photos cannot be read")


def _decode(project: Project) -> None:
    for one in project.all_samples():
        images.load(project.photo_file(one.sha256))


def _timed(turn: Callable[[], object]) -> tuple[float, float]:
    """Return photos per second, and the milliseconds of CPU that all threads together spent on one."""
    began, worked = time.perf_counter(), time.process_time()
    turn()
    return PHOTOS / (time.perf_counter() - began), 1000 * (time.process_time() - worked) / PHOTOS
