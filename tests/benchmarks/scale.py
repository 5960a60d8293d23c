"""Cost against size, from a thousand photos to fifty thousand: `python -m tests.benchmarks.scale [photos…]`.

A project of ten classes is filled from a zip through a real server, opened by a fresh one, looked at and trained. The
photos are tiny JPEGs made in code. Their embeddings are not computed, which takes some milliseconds for each on every
computer (`tests.benchmarks.speed embedding`): they lie in the cache before the photos come. Each is a mixture of two
real embeddings of scenes of its class, with noise, so that training has something to tell apart.

The ratio behind a figure is its cost for a photo compared with that of the smallest size: 1 is linear, less is better.
"""

import argparse
import io
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image

from teachable import backbones, images, looks
from teachable.embeddings import Embedder, EmbeddingCache
from teachable.projects import ProjectStore
from teachable.types import BackboneRecord, Embeddings, ProjectNetwork
from tests.benchmarks import scene, server
from tests.benchmarks.memory import Watch

SIZES = (1_000, 5_000, 10_000, 50_000)
CLASSES = 10
RECORDINGS = 25
"""Of each class, in folders of their own."""
_SCENES = 12
_SHOWN = 48
_ASKED = 15
_PATIENCE = 1200.0
_PUT = 500


@dataclass(frozen=True)
class Cost:
    """What one size costs.

    Attributes:
        photos: in the project.
        added: seconds until all photos of a zip are in the project.
        opened: seconds until a fresh server has told everything the page asks for first: the project and its state.
        status: seconds of the state of the project, which pages ask for all the time.
        shown: seconds of the first photos of a class, small, when nobody looked at them before.
        again: the same photos once more.
        far: seconds of a hundred samples from the middle of a class.
        trained: seconds from the click to the model, with the test.
        server: most memory of the server on the way, MB.
        trainer: the same of the process that trains, MB.
    """

    photos: int
    added: float
    opened: float
    status: float
    shown: float
    again: float
    far: float
    trained: float
    server: float
    trainer: float


def tiny(number: int) -> bytes:
    """Return a photo of 32 pixels a side, another one for every number."""
    colours = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(colours).resize((32, 32), PIL.Image.Resampling.BICUBIC).save(stream, "JPEG", quality=80)
    return stream.getvalue()


def place(number: int, count: int) -> tuple[int, int]:
    """Return class and recording of a photo, of so many in all."""
    each = -(-count // CLASSES)
    return number // each, number % each * RECORDINGS // each


def mixed(real: Sequence[Embeddings], kinds: Sequence[int], seed: int) -> Embeddings:
    """Return embeddings of photos that were never taken.

    Args:
        real: embeddings of scenes by class, float32 `[n, D]` each.
        kinds: class of each photo.
        seed: of the chance in it.

    Returns:
        float32 `[len(kinds), D]`, never negative.
    """
    rng = np.random.default_rng(seed)
    one, other = (np.stack([real[kind][rng.integers(len(real[kind]))] for kind in kinds]) for _ in range(2))
    part = rng.random((len(kinds), 1), np.float32) / 2
    noise = rng.standard_normal(one.shape, np.float32) * (0.7 * np.concatenate(real).std(axis=0))
    return np.maximum(one * (1 - part) + other * part + noise, 0).astype(np.float32)


def measure(count: int) -> Cost:
    """Fill, open, look at and train one project of so many photos."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        project, archive = _prepare(home, Path(folder), count)
        with server.running(home) as served, served.client() as client, Watch(served.process) as filling:
            added = _import(client, project, archive)
        archive.unlink()
        with server.running(home) as served, served.client() as client, Watch(served.process) as working:
            opened = _timed(lambda: _open(client, project))
            label = client.get(f"/projects/{project}").raise_for_status().json()["classes"][0]["id"]
            status = statistics.median(_timed(lambda: server.status(client, project)) for _ in range(_ASKED))
            shown, again = (_timed(lambda: _look(client, project, label)) for _ in range(2))
            address = f"/projects/{project}/classes/{label}/samples?limit=100&skip={count // CLASSES // 2}"
            far = statistics.median(_timed(lambda: client.get(address).raise_for_status()) for _ in range(_ASKED))
            trained = _train(client, project)
        most = max(filling.server, working.server)
        return Cost(count, added, opened, status, shown, again, far, trained, most, working.training)


def table(costs: Sequence[Cost]) -> Iterator[str]:
    """Yield the lines of a table of costs, each figure with its ratio to linear growth."""
    columns: dict[str, Callable[[Cost], str]] = {
        "photos": lambda cost: f"{cost.photos:,}",
        "import": lambda cost: f"{cost.photos / cost.added:,.0f}/s ({_ratio(costs[0], cost, 'added')})",
        "open": lambda cost: f"{cost.opened * 1000:.0f} ms ({_ratio(costs[0], cost, 'opened')})",
        "status": lambda cost: f"{cost.status * 1000:.1f} ms ({_ratio(costs[0], cost, 'status')})",
        f"{_SHOWN} thumbnails, first": lambda cost: f"{cost.shown * 1000:.0f} ms ({_ratio(costs[0], cost, 'shown')})",
        "again": lambda cost: f"{cost.again * 1000:.0f} ms",
        "100 from the middle": lambda cost: f"{cost.far * 1000:.1f} ms ({_ratio(costs[0], cost, 'far')})",
        "train": lambda cost: f"{cost.trained:.1f} s ({_ratio(costs[0], cost, 'trained')})",
        "server": lambda cost: f"{cost.server:.0f} MB",
        "trainer": lambda cost: f"{cost.trainer:.0f} MB",
    }
    yield f"| {' | '.join(columns)} |"
    yield f"|{'--:|' * len(columns)}"
    for cost in costs:
        yield f"| {' | '.join(column(cost) for column in columns.values())} |"


def _ratio(first: Cost, cost: Cost, name: str) -> str:
    """Return how much a photo costs, compared with the smallest size."""
    one, other = asdict(first)[name] / first.photos, asdict(cost)[name] / cost.photos
    return f"{other / one:.2f}"


def _prepare(home: Path, folder: Path, count: int) -> tuple[str, Path]:
    """Make an empty project whose caches know the photos to come, and a zip with the photos."""
    network = backbones.builtin()
    archive = folder / "photos.zip"
    store = ProjectStore(home)
    try:
        project = store.create("Scale", ProjectNetwork.of(network))
        embeddings = EmbeddingCache(project.folder, network.fingerprint)
        seen = EmbeddingCache(project.folder, looks.VERSION)
        real = _real(network)
        rng = np.random.default_rng(0)
        template = looks.measure(scene.picture(0, rng))
        with zipfile.ZipFile(archive, "w") as packed:
            for start in range(0, count, _PUT):
                numbers = range(start, min(count, start + _PUT))
                shas = []
                for number in numbers:
                    data = tiny(number)
                    kind, recording = place(number, count)
                    packed.writestr(f"Class {kind + 1}/{recording}/{number}.jpg", data)
                    shas.append(images.prepare(data).sha256)
                vectors = mixed(real, [place(number, count)[0] for number in numbers], start)
                embeddings.put(dict(zip(shas, vectors, strict=True)))
                hashes = rng.integers(0, 2**63, len(shas), dtype=np.uint64)
                rows = [replace(template, hashes=hashes[index : index + 1]) for index in range(len(shas))]
                seen.put({sha: looks.pack(row)[0] for sha, row in zip(shas, rows, strict=True)})
        embeddings.close()
        seen.close()
        return project.id, archive
    finally:
        store.close()


def _real(network: BackboneRecord) -> list[Embeddings]:
    """Return real embeddings of scenes of each class."""
    embedder = Embedder(backbones.read(network))
    try:
        rng = np.random.default_rng(1)
        return [embedder.embed([scene.picture(kind, rng) for _ in range(_SCENES)]) for kind in range(CLASSES)]
    finally:
        embedder.close()


def _import(client: httpx.Client, project: str, archive: Path) -> float:
    """Send a zip, take everything in it, and return the seconds that took."""
    began = time.perf_counter()
    with archive.open("rb") as stream:
        sent = client.post(
            "/imports",
            params={"name": archive.name, "project": project},
            content=iter(lambda: stream.read(2**20), b""),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(archive.stat().st_size)},
            timeout=_PATIENCE,
        )
    number = sent.raise_for_status().json()["id"]
    plan = _until(client, number, {"planned"})["plan"]
    present = {one["name"]: one["id"] for one in client.get(f"/projects/{project}").json()["classes"]}
    wanted = [{"key": one["key"], "name": one["name"], "into": present.get(one["name"])} for one in plan["classes"]]
    client.post(f"/imports/{number}/start", json={"project": project, "classes": wanted}).raise_for_status()
    done = _until(client, number, {"done"})
    if done["rejected_total"] or done["repeats"]:
        raise RuntimeError(f"not everything was taken: {done}")
    return time.perf_counter() - began


def _until(client: httpx.Client, number: str, states: set[str]) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.get(f"/imports/{number}").raise_for_status().json()
        if found["state"] in states:
            return found
        if found["state"] in {"failed", "cancelled"}:
            raise RuntimeError(f"the import ended: {found['message']}")
        time.sleep(0.1)
    raise TimeoutError("the import took too long")


def _open(client: httpx.Client, project: str) -> None:
    client.get(f"/projects/{project}").raise_for_status()
    server.status(client, project)


def _look(client: httpx.Client, project: str, label: str) -> None:
    """Ask for the first samples of a class and their small pictures, one after the other."""
    page = client.get(f"/projects/{project}/classes/{label}/samples?limit={_SHOWN}").raise_for_status().json()
    for sample in page["samples"]:
        client.get(f"/projects/{project}/samples/{sample['id']}/thumbnail").raise_for_status()


def _train(client: httpx.Client, project: str) -> float:
    """Train and return the seconds from the click until the model is there, as somebody who waits for it counts."""
    began = time.perf_counter()
    client.post(f"/projects/{project}/training").raise_for_status()
    while True:
        training = server.status(client, project)["training"]
        if training["state"] == "done":
            return time.perf_counter() - began
        if training["state"] != "running":
            raise RuntimeError(f"training {training}")
        time.sleep(0.1)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.scale", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("photos", nargs="*", type=int, help=f"sizes; {', '.join(map(str, SIZES))} if none is given")
    costs = []
    for count in parser.parse_args(arguments).photos or SIZES:
        began = time.perf_counter()
        print(f"{count:,} photos …", end="", file=sys.stderr, flush=True)
        costs.append(measure(count))
        print(f" {time.perf_counter() - began:.0f} s", file=sys.stderr)
    for line in table(costs):
        print(line)


if __name__ == "__main__":
    main()
