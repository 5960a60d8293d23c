"""How long until the page can be used, and how long the commands take."""

import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from teachable import backbones, export
from teachable.scores import Evaluation
from teachable.types import Head, Layer, TrainSettings
from tests.benchmarks import browser, scene, server
from tests.benchmarks.table import Row

RUNS, PAGE_TARGET, HELP_TARGET = 5, 2.0, 0.5


def measure_page() -> list[Row]:
    """Open the page in a browser without a cache, the moment the server says that it is ready."""
    starts, opens, again = [], [], []
    with browser.chromium() as chromium:
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder, server.running(Path(folder)) as served:
                starts.append(served.seconds)
                with browser.context(chromium, served.address) as context:
                    browser.ready(context.new_page(), served.address)
                    opens.append(time.perf_counter() - served.ready)
                with browser.context(chromium, served.address) as context:
                    began = time.perf_counter()
                    browser.ready(context.new_page(), served.address)
                    again.append(time.perf_counter() - began)
    opened = statistics.median(opens)
    every = ", ".join(f"{seconds:.2f}" for seconds in opens)
    return [
        Row(
            "Page interactive after server is up",
            f"< {PAGE_TARGET:.0f} s",
            f"{opened:.2f} s",
            f"second visitor {statistics.median(again):.2f} s",
            f"median of 3 new servers ({every}); from the ready line to all parts [data-ready=true], empty cache",
            met=opened < PAGE_TARGET,
        ),
        Row(
            "Server start",
            "",
            f"{statistics.median(starts):.2f} s",
            f"`import gradio` {_seconds('-c', 'import gradio', runs=3):.2f} s",
            "from starting the program to the ready line, median of 3",
        ),
    ]


def measure_commands() -> list[Row]:
    """Time whole processes."""
    with tempfile.TemporaryDirectory() as folder:
        model, photo = Path(folder) / "model.onnx", Path(folder) / "photo.jpg"
        model.write_bytes(headed(backbones.read(backbones.builtin())))
        photo.write_bytes(next(scene.photos(0, 1))[1])
        python = _seconds("-c", "pass")
        help_ = _seconds("-m", "teachable", "--help")
        package = _seconds("-c", "import teachable")
        runtime = _seconds("-c", "import numpy, PIL.Image, onnxruntime")
        predict = _seconds("-m", "teachable", "predict", str(model), str(photo))
    what = f"whole process, median of {RUNS}"
    compared = f"`python -c pass` {python:.2f} s"
    return [
        Row("teachable --help", f"< {HELP_TARGET} s", f"{help_:.2f} s", compared, what, met=help_ < HELP_TARGET),
        Row("import teachable", "", f"{package:.3f} s", compared, what),
        Row(
            "teachable predict",
            "",
            f"{predict:.2f} s",
            f"importing numpy, Pillow, onnxruntime {runtime:.2f} s",
            f"{what}; one photo",
        ),
    ]


def _seconds(*arguments: str, runs: int = RUNS) -> float:
    """Return the median wall time of a Python process with these arguments."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def headed(graph: bytes) -> bytes:
    """Return a model file of a backbone with a head that was not trained: it takes as long to run.

    Args:
        graph: of the backbone.
    """
    import onnx

    width = onnx.ModelProto.FromString(graph).graph.output[1].type.tensor_type.shape.dim[1].dim_value
    head = Head((Layer(np.zeros((3, width), np.float32), np.zeros(3, np.float32)),))
    metadata = export.ModelMetadata(
        labels=("A", "B", "C"),
        project="Benchmark",
        created=time.time(),
        backbone_id="benchmark",
        backbone_fingerprint=hashlib.sha256(graph).hexdigest(),
        settings=TrainSettings(),
        evaluation=Evaluation(None, None, None, 0, 0, (), (), (), ()),
        agreement=None,
    )
    return export.append_head(graph, head, metadata)
