"""Sources for the exports of pages: a model of the built-in network with a head made up here, at any precision."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import onnxruntime as ort

from teachable import backbones, export, familiarity
from teachable.exporting import precision
from teachable.exporting.exporter import Precision, Source, Watch
from teachable.metadata import ModelMetadata
from teachable.types import Image
from tests.graphing import scene
from tests.test_export import about, head

HOSTILE = (
    *('say "hi" & it\'s', "two\nlines", "</script><img src=x onerror=alert(1)>", "<!-- <script>", "=1+1"),
    *("\u2028\u2029 ]]> {{page_model}}", "🐈‍⬛ חתול", "${1} %s \\ `x`", "same", "same"),
)
"""Names that break out of badly made HTML, JavaScript and CSV, and two that are equal."""


def watch() -> Watch:
    return Watch(lambda part: None, threading.Event())


def model_of(labels: Sequence[str], project: str = "A project") -> tuple[ModelMetadata, bytes]:
    """A model whose head says something, if nothing useful."""
    metadata = replace(about(tuple(labels)), project=project)
    return metadata, export.append_head(backbones.read(backbones.builtin()), head(len(labels)), metadata)


def model_that_knows(
    labels: Sequence[str], photos: Sequence[Sequence[Image]], project: str = "A project"
) -> tuple[ModelMetadata, bytes]:
    """A model that says how familiar a picture is.

    Args:
        labels: of its classes; the head is that of `model_of`.
        photos: it knows, of one size, as many of each class; every other one is held out.
        project: name of the project.
    """
    graph = backbones.read(backbones.builtin())
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    batch = np.stack([image for images in photos for image in images])
    (embeddings,) = session.run(["embedding"], {"image": batch})
    of_class = np.repeat(np.arange(len(photos)), len(photos[0]))
    fitted = familiarity.fit(embeddings, of_class, np.arange(len(batch)) % 2)
    assert fitted is not None
    metadata = replace(about(tuple(labels)), project=project, unknown_below=0.05, familiar=fitted.held_out)
    return metadata, export.append_head(graph, head(len(labels)), metadata, fitted)


def source_of(metadata: ModelMetadata, model: bytes) -> Source:
    def photos() -> Iterator[Image]:
        return (scene(90, 120, seed) for seed in range(8))

    def at(kept: Precision, watch: Watch) -> bytes:
        watch.done(0)
        if kept == "quarter":
            return precision.quarter(model, photos(), watch)
        return model if kept == "full" else precision.half(model)

    return Source(metadata, at, photos)
