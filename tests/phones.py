"""What the tests of formats for phones make in code: second halves of models, small, with one idea each."""

import os
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from teachable.exporting.exporter import Extra

SIZE = 17
CLASSES = 3


def needs(extra: Extra | None) -> None:
    """Skip a test that needs an extra, but not where it has to be there."""
    assert extra is not None
    if extra.installed():
        return
    if os.environ.get("CI"):
        pytest.fail(f"the extra {extra.name} is part of the development tools, but is not installed")
    pytest.skip(f"the extra {extra.name} is not installed")


class Body:
    """A network from `pixel_values` to `probabilities`, put together node by node."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self._random = np.random.default_rng(0)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; arrays among its inputs become constants. Return the name of its output, or their names."""
        place = len(self._nodes)
        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        made = [f"{op.lower()}_{place}" + (f".{index}" if index else "") for index in range(outputs)]
        self._nodes.append(helper.make_node(op, names, made, made[0], **attributes))
        return made if outputs > 1 else made[0]

    def numbers(self, *shape: int) -> np.ndarray:
        """Return random numbers, small enough for a deep network."""
        return self._random.normal(0, 0.5, shape).astype(np.float32)

    def conv(self, source: str, before: int, after: int, side: int = 3, **attributes: Any) -> Any:
        group = attributes.get("group", 1)
        return self.add(
            "Conv", source, self.numbers(after, before // group, side, side), self.numbers(after), **attributes
        )

    def _constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def finished(self, features: str, channels: int) -> bytes:
        """Return the model, with a mean over places and a head."""
        self._nodes.append(
            helper.make_node("ReduceMean", [features, self._constant(np.array([2, 3]))], ["embedding"], keepdims=0)
        )
        weights = [self._constant(self.numbers(CLASSES, channels)), self._constant(self.numbers(CLASSES))]
        self._nodes.append(helper.make_node("Gemm", ["embedding", *weights], ["logits"], transB=1))
        self._nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
        shape = ["batch", 3, self.size, self.size]
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape)],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", CLASSES])
                for name in ("probabilities", "logits")
            ],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()


def _convolutions() -> bytes:
    """Every way of padding, strides, groups, dilation."""
    body = Body()
    value = body.conv("pixel_values", 3, 8, strides=[2, 2], pads=[1, 1, 1, 1])
    value = body.conv(body.add("Relu", value), 8, 8, group=8, pads=[1, 1, 1, 1])
    value = body.conv(value, 8, 16, side=1)
    value = body.conv(value, 16, 16, group=4, pads=[1, 1, 1, 1])
    value = body.conv(value, 16, 8, pads=[2, 2, 2, 2], dilations=[2, 2])
    value = body.conv(value, 8, 16, group=8, pads=[1, 0, 0, 1], strides=[2, 1])
    return body.finished(body.conv(value, 16, 6, side=1), 6)


def _activations() -> bytes:
    body = Body()
    value = body.conv("pixel_values", 3, 6, pads=[1, 1, 1, 1])
    value = body.add("Clip", value, np.float32(0), np.float32(6))
    value = body.add("HardSwish", body.conv(value, 6, 6, side=1))
    value = body.add("HardSigmoid", value, alpha=0.25, beta=0.4)
    value = body.conv(value, 6, 6, side=1)
    value = body.add("Mul", value, body.add("Sigmoid", value))
    value = body.add("Clip", body.conv(value, 6, 6, side=1), np.float32(-1.5))
    return body.finished(body.add("Relu", body.add("Tanh", value)), 6)


def _gelus() -> bytes:
    """As torch writes it, and in other orders."""
    body = Body()
    value = body.conv("pixel_values", 3, 4)
    plus = body.add("Add", body.add("Erf", body.add("Div", value, np.float32(2**0.5))), np.float32(1))
    value = body.add("Mul", np.float32(0.5), body.add("Mul", value, plus))
    value = body.conv(value, 4, 4)
    half = body.add("Mul", value, np.float32(0.5))
    plus = body.add("Add", np.float32(1), body.add("Erf", body.add("Mul", value, np.float32(0.5**0.5))))
    return body.finished(body.add("Mul", half, plus), 4)


def _pools() -> bytes:
    body = Body()
    value = body.conv("pixel_values", 3, 4, pads=[1, 1, 1, 1])
    value = body.add("MaxPool", value, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    counted = body.add("AveragePool", value, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    plain = body.add("AveragePool", value, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    value = body.add("Relu", body.add("Add", counted, plain))
    value = body.add("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    value = body.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    gate = body.add("Sigmoid", body.conv(body.add("GlobalAveragePool", value), 4, 4, side=1))
    return body.finished(body.add("Mul", value, gate), 4)


def _branches() -> bytes:
    """Concatenation, a split, channels shuffled, norms that cannot become part of a convolution."""
    body = Body()
    value = body.conv("pixel_values", 3, 8, pads=[1, 1, 1, 1])
    first, second = body.add("Split", value, outputs=2, axis=1, num_outputs=2)
    value = body.add("Concat", body.conv(first, 4, 4, pads=[1, 1, 1, 1]), second, axis=1)
    value = body.add("Reshape", value, np.array([0, 2, 4, SIZE, SIZE]))
    value = body.add("Transpose", value, perm=[0, 2, 1, 3, 4])
    value = body.add("Reshape", value, np.array([0, 8, SIZE, SIZE]))
    positive = np.abs(body.numbers(8)) + 0.5
    value = body.add("BatchNormalization", value, body.numbers(8), body.numbers(8), body.numbers(8), positive)
    return body.finished(body.conv(body.add("Relu", value), 8, 5), 5)


def _last() -> bytes:
    """Channels last in the middle, as in ConvNeXt: a norm over them, dense layers at every place."""
    body = Body()
    value = body.conv("pixel_values", 3, 6, pads=[1, 1, 1, 1])
    turned = body.add("Transpose", value, perm=[0, 2, 3, 1])
    normed = body.add("LayerNormalization", turned, body.numbers(6), body.numbers(6), axis=-1, epsilon=1e-6)
    wide = body.add("Add", body.add("MatMul", normed, body.numbers(6, 12)), body.numbers(12))
    narrow = body.add("MatMul", body.add("Relu", wide), body.numbers(12, 6))
    back = body.add("Transpose", narrow, perm=[0, 3, 1, 2])
    scaled = body.add("Mul", back, body.numbers(6, 1, 1))
    value = body.add("Pad", body.add("Add", value, scaled), np.array([0, 0, 1, 0, 0, 0, 0, 2]))
    return body.finished(body.add("Sub", body.add("Max", value, np.float32(-1)), body.numbers(1, 6, 1, 1)), 6)


BODIES = {
    "convolutions": _convolutions,
    "activations": _activations,
    "gelus": _gelus,
    "pools": _pools,
    "branches": _branches,
    "channels last": _last,
}


def pixels(size: int = SIZE, seed: int = 0) -> np.ndarray:
    """What the second half takes, float32 [1, 3, S, S]."""
    return np.random.default_rng(seed).normal(0, 1, (1, 3, size, size)).astype(np.float32)


def answer(body: bytes, given: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(body, providers=["CPUExecutionProvider"])
    (found,) = session.run(["probabilities"], {"pixel_values": given})
    return np.asarray(found)
