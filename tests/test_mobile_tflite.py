"""A network as a TensorFlow Lite file says what the ONNX graph says, run by Google's interpreter."""

import numpy as np
import pytest
from phones import BODIES, CLASSES, SIZE, Body, answer, needs, pixels

from teachable.errors import ModelFileError
from teachable.exporting import mobile_graph, mobile_tflite
from teachable.exporting.formats.tflite import EXPORTER

ONES, ZEROS = np.ones(3, np.float32), np.zeros(3, np.float32)


@pytest.fixture(autouse=True)
def _extra() -> None:
    needs(EXPORTER.extra)


def run(model: bytes, given: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def kinds(model: bytes) -> list[str]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=plain)
    return [one["op_name"] for one in interpreter._get_ops_details()]


@pytest.mark.parametrize("name", BODIES)
def test_the_file_says_what_onnxruntime_says(name: str) -> None:
    body = BODIES[name]()
    model = mobile_tflite.write(mobile_graph.read(body), ONES, ZEROS, "a name")
    for seed in range(3):
        given = pixels(seed=seed)
        assert np.abs(run(model, given.transpose(0, 2, 3, 1)) - answer(body, given)).max() < 1e-5


def test_scaling_is_inside() -> None:
    body = BODIES["convolutions"]()
    scale, offset = np.array([2, 0.5, 1], np.float32), np.array([0.1, 0, -3], np.float32)
    model = mobile_tflite.write(mobile_graph.read(body), scale, offset, "a name")
    given = pixels()
    wanted = answer(body, given * scale.reshape(1, 3, 1, 1) + offset.reshape(1, 3, 1, 1))
    assert np.abs(run(model, given.transpose(0, 2, 3, 1)) - wanted).max() < 1e-5


def test_ports_have_names_and_a_signature() -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(
        model_content=mobile_tflite.write(mobile_graph.read(BODIES["pools"]()), ONES, ZEROS, "a name")
    )
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["image"], "outputs": ["probabilities"]}}
    interpreter.allocate_tensors()
    answers = interpreter.get_signature_runner()(image=np.zeros((1, SIZE, SIZE, 3), np.float32))
    assert answers["probabilities"].shape == (1, CLASSES)


def test_axes_are_only_turned_where_they_must_be() -> None:
    assert "TRANSPOSE" not in kinds(mobile_tflite.write(mobile_graph.read(BODIES["channels last"]()), ONES, ZEROS, "n"))
    assert "TRANSPOSE" in kinds(mobile_tflite.write(mobile_graph.read(BODIES["branches"]()), ONES, ZEROS, "n"))


def test_activations_become_part_of_the_operator_before() -> None:
    found = kinds(mobile_tflite.write(mobile_graph.read(BODIES["convolutions"]()), ONES, ZEROS, "a name"))
    assert "RELU" not in found
    assert found.count("CONV_2D") + found.count("DEPTHWISE_CONV_2D") == 8


def test_equal_networks_give_equal_files() -> None:
    first, second = (
        mobile_tflite.write(mobile_graph.read(BODIES["activations"]()), ONES, ZEROS, "a name") for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("attributes", [{"auto_pad": "SAME_UPPER"}, {"pads": [1, 1, 1, 1], "ceil_mode": 1}])
def test_what_has_no_words_there_is_refused_by_name(attributes: dict[str, object]) -> None:
    body = Body()
    value = body.add("AveragePool", body.conv("pixel_values", 3, 4), kernel_shape=[3, 3], strides=[3, 3], **attributes)
    with pytest.raises(ModelFileError, match="AveragePool"):
        mobile_tflite.write(mobile_graph.read(body.finished(value, 4)), ONES, ZEROS, "a name")
