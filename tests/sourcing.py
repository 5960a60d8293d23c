"""Sources for the exports of pages: a model of the built-in network with a head made up here, and half of it."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import onnx
from onnx import TensorProto, helper, numpy_helper

from teachable import backbones, export
from teachable.exporting.exporter import Precision, Source, Watch
from teachable.metadata import ModelMetadata
from teachable.types import Image
from tests.test_export import about, head

HOSTILE = (
    *('say "hi" & it\'s', "two\nlines", "</script><img src=x onerror=alert(1)>", "<!-- <script>", "=1+1"),
    *("\u2028\u2029 ]]> {{page_model}}", "🐈‍⬛ חתול", "${1} %s \\ `x`", "same", "same"),
)
"""Names that break out of badly made HTML, JavaScript and CSV, and two that are equal."""


def watch() -> Watch:
    return Watch(lambda part: None, threading.Event())


def halved(model: bytes) -> bytes:
    """A model with its large weights as float16."""
    proto = onnx.ModelProto.FromString(model)
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.raw_data) > 4096:
            name, small = tensor.name, f"{tensor.name}.half"
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float16"), small))
            casts.append(helper.make_node("Cast", [small], [name], f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    return bytes(proto.SerializeToString(deterministic=True))


def model_of(labels: Sequence[str], project: str = "A project") -> tuple[ModelMetadata, bytes]:
    """A model whose head says something, if nothing useful."""
    metadata = replace(about(tuple(labels)), project=project)
    return metadata, export.append_head(backbones.read(backbones.builtin()), head(len(labels)), metadata)


def source_of(metadata: ModelMetadata, model: bytes) -> Source:
    def at(precision: Precision, watch: Watch) -> bytes:
        watch.done(1)
        return model if precision == "full" else halved(model)

    def photos() -> Iterator[Image]:
        return iter(())

    return Source(metadata, at, photos)
