"""Every network of the catalogue: converting it, embedding with it, running it in a browser, each against peers.

    python -m tests.benchmarks.networks [NAME…]

The weights are random, because speed does not depend on them; nothing is fetched. All take many short turns, and the
fastest turn of each counts: whatever else the computer does only ever makes a turn slower. A line of JSON has the sizes
and the factors against the built-in network that `assets/backbones/official/networks.json` keeps.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from teachable import backbones, embeddings, official, server, static
from teachable.embeddings import Embedder
from teachable.resources import assets
from teachable.types import Image
from tests.benchmarks import browser, scene, startup
from tests.benchmarks.table import Row, render

if TYPE_CHECKING:
    import torch

    from teachable.graphs import Preprocessing

BUILTIN = "built-in"
ROUNDS, PHOTOS = 15, 16
# A turn lasts at least as long, so that quick networks are not measured by the clock's own error.
TURN_SECONDS = 0.15
FRAMES, FRAME_SECONDS = 25, 20.0


@dataclass(frozen=True)
class Native:
    """What was measured outside the browser.

    Attributes:
        conversion: seconds from torch module to the bytes of the graph, torch being loaded.
        rates: photos per second in each turn, by who took it: `embedder`, `alone`, `eager`, `builtin`.
    """

    conversion: float
    rates: Mapping[str, Sequence[float]]

    def rate(self, name: str) -> float:
        """Return photos per second in the fastest turn."""
        return max(self.rates[name])

    def ratio(self, name: str, peer: str) -> float:
        """Return how many times as fast as a peer."""
        return self.rate(name) / self.rate(peer)


@dataclass(frozen=True)
class Measured:
    """All that is known about one network.

    Attributes:
        id: of the network.
        size: bytes of the ONNX file.
        native: measured here.
        frames: milliseconds of each frame in the browser.
        beside: the same of the built-in network, which took turns with it.
    """

    id: str
    size: int
    native: Native
    frames: Sequence[float]
    beside: Sequence[float]

    @property
    def native_factor(self) -> float:
        """Time per photo in this program, as a multiple of the built-in network's."""
        return self.native.ratio("builtin", "embedder")

    @property
    def browser_factor(self) -> float:
        """Time per frame in the browser, as a multiple of the built-in network's."""
        return min(self.frames) / min(self.beside)


def measure(names: Sequence[str] = ()) -> list[Row]:
    """Measure the built-in network and those named, or the whole catalogue, one after the other.

    Prints the line of JSON.

    Args:
        names: ids of official networks.
    """
    found = list(_measured([BUILTIN, *(names or [network.id for network in official.catalogue()])]))
    factors = {
        one.id: {
            "size_bytes": one.size,
            "native_factor": round(one.native_factor, 2),
            "browser_factor": round(one.browser_factor, 2),
        }
        for one in found
    }
    print(json.dumps(factors))
    return _rows(found)


def _measured(names: Sequence[str]) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory() as folder, browser.chromium() as chromium:
        for name in names:
            print(f"{name} …", end=" ", file=sys.stderr, flush=True)
            graph = Path(folder) / f"{name}.onnx"
            # A process of its own, and a new one each time: torch, and whatever a large network took, end with it.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                native = process.submit(natively, name, graph).result()
            beside, frames = _in_browser(chromium, [backbones.read(backbones.builtin()), graph.read_bytes()])
            print(f"{native.conversion:.0f} s to convert", file=sys.stderr)
            yield Measured(name, graph.stat().st_size, native, frames, beside)
            graph.unlink()


def natively(name: str, out: Path) -> Native:
    """Convert a network, write its graph, and let it take turns with its peers. Loads torch.

    Args:
        name: id of an official network, or `built-in`.
        out: where the graph is written.
    """
    from teachable import graphs

    generator = np.random.default_rng(0)
    photos = [scene.picture(number, generator) for number in range(PHOTOS)]
    module, preprocessing = _module(name, photos)
    began = time.perf_counter()
    graph = graphs.build(module, preprocessing).SerializeToString(deterministic=True)
    conversion = time.perf_counter() - began
    out.write_bytes(graph)
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    batches = [np.stack(photos[start : start + embeddings.BATCH]) for start in range(0, PHOTOS, embeddings.BATCH)]
    turns: dict[str, Callable[[], object]] = {
        "embedder": partial(Embedder(graph).embed, photos),
        "alone": lambda: [session.run(["embedding"], {"image": batch}) for batch in batches],
        "eager": partial(_eager, module, _transforms(preprocessing), batches),
        "builtin": partial(Embedder(backbones.read(backbones.builtin())).embed, photos),
    }
    for turn in turns.values():
        turn()
    rates: dict[str, list[float]] = {turn: [] for turn in turns}
    for _ in range(ROUNDS):
        for turn, run in turns.items():
            rates[turn].append(_rate(run))
    return Native(conversion, rates)


def _rate(turn: Callable[[], object]) -> float:
    """Return photos per second."""
    began, photos = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < TURN_SECONDS:
        turn()
        photos += PHOTOS
    return photos / passed


def _module(name: str, photos: Sequence[Image]) -> "tuple[torch.nn.Module, Preprocessing]":
    """Return a network with random weights, and what it wants done to photos."""
    import torch
    import torchvision

    from teachable import graphs, networks, zoo

    torch.manual_seed(0)
    if name == BUILTIN:
        folder = assets() / "backbones"
        entry = json.loads((folder / f"{backbones.builtin().id}.json").read_text(encoding="utf-8"))["build"]
        return (
            networks.load(entry["architecture"], folder / entry["weights"]),
            graphs.preprocessing_from(entry["preprocessing"]),
        )
    network = official.find(name)
    if network is None:
        raise ValueError(f"there is no network {name}")
    model = torchvision.models.get_model(network.architecture, weights=None)
    _settle(model, torch.rand(8, 3, 224, 224) * 4 - 2)
    return zoo.load(network.architecture, model.state_dict())


def _settle(model: "torch.nn.Module", pixels: "torch.Tensor") -> None:
    """Give the batch norms of an untrained network the statistics they would have.

    Otherwise values shrink from layer to layer, and numbers close to zero may take longer to compute with.
    """
    import torch

    norms = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for norm in norms:
        # One pass sets them, instead of moving them a tenth of the way.
        norm.momentum = 1.0
    with torch.inference_mode():
        model.train()(pixels)
    model.eval()


def _transforms(preprocessing: "Preprocessing") -> "torch.nn.Module":
    """Return what torchvision does to photos before this network."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms._presets import ImageClassification

    return ImageClassification(
        crop_size=preprocessing.size,
        resize_size=preprocessing.resize or preprocessing.size,
        mean=preprocessing.mean,
        std=preprocessing.std,
        interpolation=InterpolationMode(preprocessing.interpolation),
    )


def _eager(module: "torch.nn.Module", transforms: "torch.nn.Module", batches: Sequence[np.ndarray]) -> None:
    import torch

    with torch.inference_mode():
        for batch in batches:
            # One by one, as photos come from a data set; all together takes torch longer.
            pixels = [transforms(torch.from_numpy(photo).permute(2, 0, 1)) for photo in batch]
            module(torch.stack(pixels)).mean((2, 3))


def _in_browser(chromium: Browser, graphs: Sequence[bytes]) -> list[list[float]]:
    """Return the milliseconds of camera frames for each graph with a head, all of them in one page in turns."""
    with tempfile.TemporaryDirectory() as folder:
        models = {}
        for number, graph in enumerate(graphs):
            models[f"{number}.onnx"] = path = Path(folder) / f"{number}.onnx"
            path.write_bytes(startup.headed(graph))
        with _serving(models) as (address, script):
            page = chromium.new_page()
            try:
                page.goto(address)
                page.add_script_tag(path=Path(__file__).with_name("frames.js"))
                height, width = scene.CAMERA
                size = {"width": width, "height": height, "rounds": FRAMES, "seconds": FRAME_SECONDS}
                task = {"script": script, "models": [f"models/{name}" for name in models], **size}
                found: list[list[float]] = page.evaluate("takeTurns", task)
            finally:
                page.close()
    return found


@contextmanager
def _serving(models: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Serve an empty page, the files of the real one and some models; yield its address and that of the worker."""
    import uvicorn

    bundle = static.collect()
    app = Starlette(
        routes=[
            Route("/", lambda request: HTMLResponse("<!doctype html><title>Frames</title>")),
            Mount("/models", static.Files(models, static.REVALIDATE)),
            Mount(bundle.address, bundle.app()),
        ]
    )
    with server.open_socket("127.0.0.1", 0) as listening:
        running = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            # The socket listens already: whoever asks before the server is up waits.
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/", f"{bundle.address}/studio/predictor-worker.js"
        finally:
            running.should_exit = True
            thread.join()


def _rows(found: Sequence[Measured]) -> list[Row]:
    """Return the table, one measurement after the other so that networks stand side by side."""
    height, width = scene.CAMERA
    embedded = f"{PHOTOS} photos of {scene.SIDE} px, fastest of {ROUNDS} turns; random weights"
    conversions = [
        Row(
            f"Conversion: {one.id}",
            "",
            f"{one.native.conversion:.1f} s, {one.size / 1e6:.1f} MB",
            how="torch module to the bytes of the ONNX file, with torch loaded",
        )
        for one in found
    ]
    rates = [
        Row(
            f"Embedding: {one.id}",
            "",
            f"{one.native.rate('embedder'):.1f} photos/s",
            f"onnxruntime alone {_against(one.native, 'alone')}; torch {_against(one.native, 'eager')}",
            f"{one.native_factor:.2f} x the time of the built-in; {embedded}",
        )
        for one in found
    ]
    frames = [
        Row(
            f"Browser: {one.id}",
            "",
            f"{min(one.frames):.1f} ms",
            f"the built-in, in turns, {min(one.beside):.1f} ms: {one.browser_factor:.2f} x",
            f"frame of {width}x{height} px, fastest of {len(one.frames)}; the page's own worker in Chromium",
        )
        for one in found
    ]
    return [*conversions, *rates, *frames]


def _against(native: Native, peer: str) -> str:
    return f"{native.rate(peer):.1f}/s: {native.ratio('embedder', peer):.0%}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the networks that were named, or all, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.networks", description=(__doc__ or "").split("\n")[0]
    )
    known = [network.id for network in official.catalogue()]
    parser.add_argument("name", nargs="*", help=f"of a network: {', '.join(known)}; all if none is given")
    names: list[str] = parser.parse_args(arguments).name
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"no such network: {', '.join(unknown)}; there are {', '.join(known)}")
    rows = measure(names)
    print(f"{os.cpu_count()} cores\n\n{render(rows)}")


if __name__ == "__main__":
    main()
