"""What the converters for phones read: few plain steps, and everything that does not depend on the photo worked out."""

import numpy as np
import onnx
import programming
import pytest
from phones import BODIES, SIZE, Body

from teachable.errors import ModelFileError
from teachable.exporting import mobile_graph, tensor


def ops(body: bytes) -> list[str]:
    return [step.op for step in mobile_graph.read(body).steps]


def test_only_probabilities_of_one_photo_are_kept() -> None:
    network = mobile_graph.read(BODIES["convolutions"]())
    assert network.shapes["pixel_values"] == (1, 3, SIZE, SIZE)
    assert network.shapes["probabilities"] == (1, 3)
    assert network.steps[-1].outputs == ("probabilities",)


def test_phones_do_without_familiarity() -> None:
    """Where a model says how familiar a photo is, the steps are those of the same model without that."""
    plain, knowing = (tensor.cut(programming.model(familiar)[0]).body for familiar in (None, True))
    assert "familiarity" in {port.name for port in onnx.load_from_string(knowing).graph.output}
    one, other = mobile_graph.read(plain), mobile_graph.read(knowing)
    assert [(step.op, step.outputs) for step in one.steps] == [(step.op, step.outputs) for step in other.steps]
    assert not any("familiarity" in name for step in other.steps for name in (*step.inputs, *step.outputs))


def test_a_gelu_is_found_in_whichever_order_it_is_spelled_out() -> None:
    found = ops(BODIES["gelus"]())
    assert found.count("Gelu") == 2
    assert not {"Erf", "Add", "Div"} & set(found)


def test_what_only_looks_like_a_gelu_is_left_as_it_is() -> None:
    body = Body()
    value = body.conv("pixel_values", 3, 4)
    plus = body.add("Add", body.add("Erf", body.add("Mul", value, np.float32(0.9))), np.float32(1))
    value = body.add("Mul", body.add("Mul", value, plus), np.float32(0.5))
    assert "Erf" in ops(body.finished(value, 4))


def test_a_hard_swish_is_found() -> None:
    found = ops(BODIES["activations"]())
    assert found.count("HardSwish") == 1
    assert found.count("HardSigmoid") == 1  # the other one has other numbers


def test_a_norm_that_is_no_part_of_a_convolution_becomes_two_steps() -> None:
    found = ops(BODIES["branches"]())
    assert "BatchNormalization" not in found
    assert found.count("Mul") == found.count("Add") == 1


def test_shapes_worked_out_in_the_graph_are_numbers_afterwards() -> None:
    body = Body()
    value = body.conv("pixel_values", 3, 4)
    sides = body.add("Concat", np.array([1, 4]), body.add("Shape", value, start=2, end=4), axis=0)
    found = mobile_graph.read(body.finished(body.add("Reshape", value, sides), 4))
    assert not {"Shape", "Concat"} & {step.op for step in found.steps}


def test_a_graph_that_cannot_be_run_is_refused() -> None:
    with pytest.raises(ModelFileError) as caught:
        mobile_graph.read(b"")
    assert caught.value.key == "export_operator"
