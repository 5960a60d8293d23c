"""Models from elsewhere: tried apart, and never one that reads other files or is waiting for a photo to go wild."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from teachable import trial
from teachable.errors import ModelFileError
from tests.sourcing import model_of

Change = Callable[[onnx.GraphProto], None]


def tried(tmp_path: Path, change: Change | None = None) -> tuple[str, ...]:
    model = onnx.ModelProto.FromString(model_of(("Cat", "Dog"))[1])
    if change is not None:
        change(model.graph)
    path = tmp_path / "x.onnx"
    path.write_bytes(model.SerializeToString())
    return trial.labels(path, "x.onnx", threading.Event())


def behind(graph: onnx.GraphProto, nodes: list[onnx.NodeProto], result: str) -> None:
    """Add a number to the answer that takes some nodes to compute."""
    last = next(node for node in graph.node if "probabilities" in node.output)
    last.output[list(last.output).index("probabilities")] = "modest"
    nodes = [
        *nodes,
        helper.make_node("ReduceSum", [result], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["modest", "number"], ["probabilities"]),
    ]
    graph.node.extend(nodes)


def by_what_is_seen(graph: onnx.GraphProto) -> None:
    """A black photo, as it is tried with, needs nothing; a white one 255 GB."""
    graph.initializer.append(numpy_helper.from_array(np.array([250_000_000], np.int64), "times"))
    nodes = [
        helper.make_node("Cast", ["image"], ["long"], to=TensorProto.INT64),
        helper.make_node("ReduceMax", ["long"], ["brightest"], keepdims=0),
        helper.make_node("Mul", ["brightest", "times"], ["much"]),
        helper.make_node("ConstantOfShape", ["much"], ["zeros"]),
    ]
    behind(graph, nodes, "zeros")


def by_what_is_found(graph: onnx.GraphProto) -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["long"], to=TensorProto.INT64),
        helper.make_node("NonZero", ["long"], ["places"]),
    ]
    behind(graph, nodes, "places")


def elsewhere(graph: onnx.GraphProto, file: str) -> None:
    tensor = graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.append(onnx.StringStringEntryProto(key="location", value=file))


def test_a_model_of_ours_passes(tmp_path: Path) -> None:
    assert tried(tmp_path) == ("Cat", "Dog")


@pytest.mark.parametrize("change", [by_what_is_seen, by_what_is_found])
def test_what_is_in_a_photo_never_says_how_much_memory_is_needed(tmp_path: Path, change: Change) -> None:
    with pytest.raises(ModelFileError) as refused:
        tried(tmp_path, change)
    assert refused.value.key == "network_operators"


@pytest.mark.parametrize("file", ["/etc/passwd", "../../secret", "/dev/zero"])
def test_a_model_that_names_another_file_is_refused(tmp_path: Path, file: str) -> None:
    with pytest.raises(ModelFileError) as refused:
        tried(tmp_path, lambda graph: elsewhere(graph, file))
    assert refused.value.key == "network_external"
