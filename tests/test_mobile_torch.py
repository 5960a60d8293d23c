"""A network as a torch module says what the ONNX graph says."""

import numpy as np
import pytest
import torch
from phones import BODIES, Body, answer, pixels

from teachable.errors import ModelFileError
from teachable.exporting import mobile_graph
from teachable.exporting.mobile_torch import Module


@pytest.mark.parametrize("name", BODIES)
def test_torch_says_what_onnxruntime_says(name: str) -> None:
    body = BODIES[name]()
    with torch.no_grad():
        found = Module(mobile_graph.read(body)).eval()(torch.from_numpy(pixels())).numpy()
    assert np.abs(found - answer(body, pixels())).max() < 1e-5


def test_a_step_torch_is_not_taught_is_refused_by_name() -> None:
    body = Body()
    value = body.add("Erf", body.conv("pixel_values", 3, 4))
    with pytest.raises(ModelFileError, match="Erf"):
        Module(mobile_graph.read(body.finished(value, 4)))
