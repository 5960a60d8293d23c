"""What a network from elsewhere must keep: one test for each way to break it, on real files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from graphing import PREPROCESSING, tiny
from onnx import TensorProto, helper, numpy_helper

from teachable import backbones, contract, graphs
from teachable.contract import check
from teachable.errors import ModelFileError
from teachable.resources import assets

Ports = dict[str, tuple[str, int, list[Any]]]
MEAN = [helper.make_node("ReduceMean", ["features", "axes"], ["embedding"], keepdims=0)]
PORTS: Ports = {
    "image": ("image", TensorProto.UINT8, ["batch", "height", "width", 3]),
    "features": ("features", TensorProto.FLOAT, ["batch", 3, 8, 8]),
    "embedding": ("embedding", TensorProto.FLOAT, ["batch", 3]),
}
# Shrinks a photo of any size to eight by eight and puts the channels first.
SMALL = [
    helper.make_node("Resize", ["image", "", "", "eight"], ["small"], axes=[1, 2], mode="linear", antialias=1),
    helper.make_node("Transpose", ["small"], ["planes"], perm=[0, 3, 1, 2]),
    helper.make_node("Cast", ["planes"], ["features"], to=TensorProto.FLOAT),
]
CONSTANTS: dict[str, Any] = {"axes": [2, 3], "eight": [8, 8]}


def network(nodes: list[onnx.NodeProto] | None = None, ports: Ports | None = None, **constants: Any) -> onnx.ModelProto:
    """A network that keeps the contract, with some of it replaced."""
    taken = {**PORTS, **(ports or {})}
    infos = {key: helper.make_tensor_value_info(*port) for key, port in taken.items()}
    arrays = {name: np.asarray(value) for name, value in {**CONSTANTS, **constants}.items()}
    inputs = [info for key, info in infos.items() if key.startswith("image")]
    outputs = [info for key, info in infos.items() if not key.startswith("image")]
    weights = [numpy_helper.from_array(value, name) for name, value in arrays.items()]
    graph = helper.make_graph([*SMALL, *MEAN] if nodes is None else nodes, "theirs", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[onnx.ModelProto | bytes], ModelFileError]:
    """Writes a file that must be refused, and returns the error."""

    def refuse(model: onnx.ModelProto | bytes) -> ModelFileError:
        path = tmp_path / "theirs.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        with pytest.raises(ModelFileError) as caught:
            check(path)
        assert "“theirs.onnx”" in str(caught.value)
        return caught.value

    return refuse


Refused = Callable[[onnx.ModelProto | bytes], ModelFileError]


# What keeps the contract


def test_the_builtin_network_keeps_its_own_contract() -> None:
    record = backbones.builtin()
    found = check(assets() / "backbones" / record.file)
    assert found.embedding_width == record.embedding_width
    assert found.features == (1280, 5, 5)
    assert found.input_size == record.input_size


@pytest.mark.parametrize("resize", [None, 40])
def test_a_built_graph_keeps_the_contract(tmp_path: Path, resize: int | None) -> None:
    path = tmp_path / "a.onnx"
    preprocessing = graphs.Preprocessing(32, PREPROCESSING.mean, PREPROCESSING.std, resize)
    path.write_bytes(graphs.build(tiny(), preprocessing).SerializeToString())
    assert check(path) == contract.Contract(8, (8, 8, 8), 32)


def test_a_network_by_hand_keeps_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(network().SerializeToString())
    assert check(path) == contract.Contract(3, (3, 8, 8), 8)


@pytest.mark.parametrize("opset", [contract.OLDEST_OPSET, graphs.OPSET])
def test_operators_of_some_years_are_taken(tmp_path: Path, opset: int) -> None:
    shrink = helper.make_node("GlobalAveragePool", ["wide"], ["features"])
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["wide"], to=TensorProto.FLOAT),
        shrink,
        helper.make_node("Flatten", ["features"], ["embedding"]),
    ]
    model = network(nodes, {"features": ("features", TensorProto.FLOAT, ["batch", 3, 1, 1])})
    model.opset_import[0].version = opset
    path = tmp_path / "a.onnx"
    path.write_bytes(model.SerializeToString())
    assert check(path).features == (3, 1, 1)


def test_the_file_is_called_what_the_person_calls_it(tmp_path: Path) -> None:
    path = tmp_path / "import-1234.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"“holiday\.onnx”"):
        check(path, "holiday.onnx")


# No ONNX file


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"PK\x03\x04" + bytes(100), b"\x08\x0a", b"GIF89a", bytes(range(256)), b'{"a": 1}'],
    ids=["empty", "zero", "zip", "one field", "gif", "bytes", "json"],
)
def test_what_is_no_onnx_file_is_said(refused: Refused, data: bytes) -> None:
    assert refused(data).key == "network_unreadable"


def test_a_truncated_file_is_said(refused: Refused) -> None:
    whole = backbones.read(backbones.builtin())
    for length in (1000, len(whole) // 2, len(whole) - 1):
        assert refused(whole[:length]).key == "network_unreadable"


def test_a_file_larger_than_any_network_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(contract.LARGEST_BYTES + 1)
    with pytest.raises(ModelFileError) as caught:
        check(path)
    assert caught.value.key == "network_file_large"


# Declarations


@pytest.mark.parametrize(("opset", "ir"), [(12, 10), (19, 10), (18, 11), (10**9, 10), (18, 10**9)])
def test_other_versions_are_named(refused: Refused, opset: int, ir: int) -> None:
    model = network()
    model.opset_import[0].version = opset
    model.ir_version = ir
    error = refused(model)
    assert error.key == "network_version"
    assert str(opset) in str(error)
    assert str(ir) in str(error)


@pytest.mark.parametrize("where", ["weights", "attribute"])
def test_numbers_in_another_file_are_refused_before_it_is_touched(refused: Refused, tmp_path: Path, where: str) -> None:
    outside = TensorProto(name="axes", dims=[2], data_type=TensorProto.INT64, data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="../../secret.bin")
    model = network()
    if where == "weights":
        model.graph.initializer[0].CopyFrom(outside)
    else:
        del model.graph.initializer[0]
        model.graph.node.insert(0, helper.make_node("Constant", [], ["axes"], value=outside))
    error = refused(model)
    assert error.key == "network_external"
    assert "../../secret.bin" in str(error)


def custom(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.example"
    model.opset_import.add(domain="com.example", version=1)


def function(model: onnx.ModelProto) -> None:
    inner = [helper.make_node("Identity", ["a"], ["b"])]
    made = helper.make_function("local", "Swap", ["a"], ["b"], inner, [helper.make_opsetid("", 18)])
    model.functions.append(made)
    model.opset_import.add(domain="local", version=1)


def condition(model: onnx.ModelProto) -> None:
    branch = helper.make_graph([helper.make_node("Identity", ["planes"], ["out"])], "then", [], [])
    model.graph.node.append(helper.make_node("If", ["yes"], ["other"], then_branch=branch, else_branch=branch))


def loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([helper.make_node("com.hidden", ["planes"], ["out"], domain="com.hidden")], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["n", "yes"], ["other"], body=body))


def training(model: onnx.ModelProto) -> None:
    model.training_info.add()


def sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add(dims=[10**6])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (custom, "com.example.Resize"),
        (function, "local.Swap"),
        (condition, "If"),
        (loop, "Loop"),
        (training, "training"),
        (sparse, "sparse"),
    ],
)
def test_everything_but_plain_standard_operators_is_named(
    refused: Refused, change: Callable[[onnx.ModelProto], None], named: str
) -> None:
    model = network()
    change(model)
    error = refused(model)
    assert error.key == "network_operators"
    assert named in str(error)


@pytest.mark.parametrize("dims", [[10**12], [10**6, 10**6], [2**62, 4], [-1], [0, -5], [10**5] * 40])
def test_constants_larger_than_the_file_are_refused(refused: Refused, dims: list[int]) -> None:
    model = network()
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    error = refused(model)
    assert error.key == "network_constant"
    assert str(dims[0]) in str(error)


@pytest.mark.parametrize(
    "ports",
    [
        {"image": ("input", TensorProto.UINT8, ["batch", "height", "width", 3])},
        {"image": ("image", TensorProto.FLOAT, ["batch", "height", "width", 3])},
        {"image": ("image", TensorProto.UINT8, ["batch", 3, "height", "width"])},
        {"image": ("image", TensorProto.UINT8, ["height", "width", 3])},
        {"image": ("image", TensorProto.UINT8, [1, "height", "width", 3])},
        {"image": ("image", TensorProto.UINT8, ["batch", 224, 224, 3])},
        {"image": ("image", TensorProto.UINT8, [10**12, "height", "width", 3])},
        {"image": ("image", TensorProto.UINT8, None)},
        {"image2": ("scale", TensorProto.FLOAT, [1])},
    ],
    ids=["name", "type", "order", "rank", "one photo", "one size", "absurd", "no shape", "two"],
)
def test_another_input_is_named(refused: Refused, ports: Ports) -> None:
    error = refused(network(ports=ports))
    assert error.key == "network_input"
    (port,) = ports.values()
    assert f"“{port[0]}”" in str(error)
    assert "“image” uint8 [batch, height, width, 3]" in str(error)


def test_a_network_without_an_input_is_refused(refused: Refused) -> None:
    model = network()
    del model.graph.input[:]
    assert refused(model).key == "network_input"


FLOAT = TensorProto.FLOAT


@pytest.mark.parametrize(
    "ports",
    [
        {"features": ("map", FLOAT, ["batch", 3, 8, 8])},
        {"features": ("features", TensorProto.FLOAT16, ["batch", 3, 8, 8])},
        {"features": ("features", FLOAT, ["batch", 3, 64])},
        {"features": ("features", FLOAT, ["batch", "C", 8, 8])},
        {"features": ("features", FLOAT, ["batch", 3, "h", "w"])},
        {"features": ("features", FLOAT, [2, 3, 8, 8])},
        {"features": ("features", FLOAT, None)},
        {"embedding": ("embedding", FLOAT, ["batch", 4])},
        {"embedding": ("embedding", FLOAT, ["batch", 3, 1, 1])},
        {"embedding": ("embedding", FLOAT, ["batch", "C"])},
        {"logits": ("small", TensorProto.UINT8, ["batch", 8, 8, 3])},
    ],
    ids=["name", "type", "rank", "C", "places", "count", "no shape", "width", "rank of it", "open", "three"],
)
def test_other_outputs_are_named(refused: Refused, ports: Ports) -> None:
    error = refused(network(ports=ports))
    assert error.key == "network_outputs"
    (port,) = ports.values()
    assert f"“{port[0]}”" in str(error)


@pytest.mark.parametrize("missing", ["features", "embedding"])
def test_a_missing_output_is_named_by_what_is_there(refused: Refused, missing: str) -> None:
    model = network()
    kept = [port for port in model.graph.output if port.name != missing]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    error = refused(model)
    assert error.key == "network_outputs"
    assert f"gives “{kept[0].name}”" in str(error)


def test_outputs_in_another_order_are_refused(refused: Refused) -> None:
    model = network()
    turned = list(model.graph.output)[::-1]
    del model.graph.output[:]
    model.graph.output.extend(turned)
    assert refused(model).key == "network_outputs"


@pytest.mark.parametrize("shape", [["batch", 10**12, 8, 8], ["batch", 3, 10**6, 10**6], ["batch", 3, 65, 64]])
def test_a_map_of_absurd_size_is_refused(refused: Refused, shape: list[Any]) -> None:
    ports = {
        "features": ("features", TensorProto.FLOAT, shape),
        "embedding": ("embedding", TensorProto.FLOAT, ["batch", shape[1]]),
    }
    error = refused(network(ports=ports))
    assert error.key == "network_map_large"
    assert str(shape[1]) in str(error)


@pytest.mark.parametrize("name", ["logits", "probabilities", "heatmap", "heatmap.0", "head.0.weight", "familiarity"])
def test_names_that_the_head_needs_are_refused(refused: Refused, name: str) -> None:
    nodes = [*SMALL, *MEAN, helper.make_node("Identity", ["planes"], [name])]
    error = refused(network(nodes))
    assert error.key == "network_name_taken"
    assert f"“{name}”" in str(error)


def test_what_breaks_the_rules_of_onnx_is_refused(refused: Refused) -> None:
    assert refused(network([*SMALL, *MEAN, helper.make_node("Nonsense", ["planes"], ["x"])])).key == "network_invalid"
    assert refused(network([*SMALL[1:], *MEAN])).key == "network_invalid"


# Running it


def test_an_embedding_that_is_not_the_mean_is_refused_with_the_difference(refused: Refused) -> None:
    nodes = [*SMALL, helper.make_node("ReduceMax", ["features", "axes"], ["embedding"], keepdims=0)]
    error = refused(network(nodes))
    assert error.key == "network_not_mean"
    assert float(error.values["difference"]) > 10  # type: ignore[arg-type]


def test_an_embedding_that_is_nearly_the_mean_is_refused(refused: Refused) -> None:
    nodes = [
        *SMALL,
        helper.make_node("ReduceMean", ["features", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "bit_more"], ["embedding"]),
    ]
    assert refused(network(nodes, bit_more=np.float32(1.01))).key == "network_not_mean"


def test_a_network_for_one_size_is_refused_although_it_declares_any(refused: Refused) -> None:
    nodes = [
        helper.make_node("Reshape", ["image", "shape"], ["small"]),
        *SMALL[1:],
        *MEAN,
    ]
    error = refused(network(nodes, shape=[-1, 8, 8, 3]))
    assert error.key == "network_fails"


def test_other_shapes_than_declared_are_refused(refused: Refused) -> None:
    nodes = [*SMALL[:-1], helper.make_node("Cast", ["planes"], ["more"], to=FLOAT)]
    nodes += [helper.make_node("Slice", ["more", "zero", "stop", "last"], ["features"]), *MEAN]
    # How much is kept depends on the photo, so no declaration can be told to be wrong.
    nodes = [
        helper.make_node("Shape", ["image"], ["sides"], start=1, end=2),
        helper.make_node("Sub", ["sides", "most"], ["stop"]),
        *nodes,
    ]
    error = refused(network(nodes, zero=[0], last=[3], most=[92]))
    assert error.key == "network_outputs"
    assert "2 x 3 x 8 x 5" in str(error)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_values_that_are_no_numbers_are_refused(refused: Refused, value: float) -> None:
    nodes = [*SMALL[:-1], helper.make_node("Cast", ["planes"], ["floats"], to=FLOAT)]
    nodes += [helper.make_node("Mul", ["floats", "value"], ["none"]), helper.make_node("Log", ["none"], ["features"])]
    assert refused(network([*nodes, *MEAN], value=np.float32(value))).key == "network_not_finite"


def test_a_network_whose_answer_depends_on_other_photos_is_refused(refused: Refused) -> None:
    nodes = [*SMALL[:-1], helper.make_node("Cast", ["planes"], ["floats"], to=FLOAT)]
    nodes += [
        helper.make_node("ReduceMean", ["floats", "batch_axis"], ["others"], keepdims=1),
        helper.make_node("Sub", ["floats", "others"], ["features"]),
    ]
    assert refused(network([*nodes, *MEAN], batch_axis=[0])).key == "network_batch"


def test_texts_of_strangers_are_kept_short_and_on_one_line(refused: Refused) -> None:
    error = refused(network(ports={"image": ("\n\x1b[31m" + "x" * 5000, TensorProto.UINT8, ["b", "h", "w", 3])}))
    assert len(str(error)) < 500
    assert "\n" not in str(error)
    assert "\x1b" not in str(error)
