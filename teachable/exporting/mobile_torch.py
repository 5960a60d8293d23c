"""A network as a torch module: what coremltools converts.

It owns what each step means in torch. That it means the same as in ONNX is tested by running both. It loads torch, so
only a child process imports it (`teachable.exporting.mobile`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from teachable.exporting.mobile_graph import RESULT, SOURCE, Network, Step, unsupported


class Module(nn.Module):
    """Maps `pixel_values`, float32 `[1, 3, S, S]`, to `probabilities`, float32 `[1, K]`.

    Args:
        network: what to do.

    Raises:
        ModelFileError: torch has no words here for one of its steps.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network
        for step in network.steps:
            if step.op not in _MEANINGS:
                raise unsupported(step)
        for index, value in enumerate(network.constants.values()):
            if value.dtype == np.float32:
                self.register_buffer(f"constant_{index}", torch.from_numpy(np.array(value)))
        self._places = {name: f"constant_{index}" for index, name in enumerate(network.constants)}

    def forward(self, pixels: Tensor) -> Tensor:
        """Answer for one photo."""
        values: dict[str, Tensor] = {SOURCE: pixels}
        for step in self._network.steps:
            given = [values.get(name, self._constant(name)) for name in step.inputs]
            made = _MEANINGS[step.op](self._network, step, given)
            found = made if isinstance(made, tuple | list) else (made,)
            values.update(zip(step.outputs, found, strict=True))
        return values[RESULT]

    def _constant(self, name: str) -> Any:
        """Return the numbers of a constant, None for what is left out or is no float."""
        return getattr(self, self._places[name], None) if name in self._places else None


Given = Sequence[Any]


def _border(step: Step, given: Tensor, filling: float) -> tuple[Tensor, tuple[int, int]]:
    """Return the source with a border where torch's own cannot be told it, and torch's own."""
    if step.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise unsupported(step)
    top, left, bottom, right = step.attributes.get("pads", [0, 0, 0, 0])
    if (top, left) == (bottom, right):
        return given, (top, left)
    return F.pad(given, (left, right, top, bottom), value=filling), (0, 0)


def _conv(network: Network, step: Step, given: Given) -> Tensor:
    source, padding = _border(step, given[0], 0.0)
    bias = given[2] if len(given) > 2 else None
    strides, dilations = (step.attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
    return F.conv2d(source, given[1], bias, strides, padding, dilations, step.attributes.get("group", 1))


def _dense(network: Network, step: Step, given: Given) -> Tensor:
    if step.op == "MatMul":
        return torch.matmul(given[0], given[1])
    plain = step.attributes.get("alpha", 1.0) == 1.0 == step.attributes.get("beta", 1.0)
    if step.attributes.get("transA") or not plain:
        raise unsupported(step)
    weight = given[1] if step.attributes.get("transB") else given[1].T
    bias = given[2].reshape(-1) if len(given) > 2 and given[2] is not None else None
    return F.linear(given[0], weight, bias)


def _pool(network: Network, step: Step, given: Given) -> Tensor:
    kernel: list[int] = step.attributes["kernel_shape"]
    strides: list[int] = step.attributes.get("strides", [1, 1])
    upwards = bool(step.attributes.get("ceil_mode"))
    if len(step.outputs) > 1 or set(step.attributes.get("dilations", [1])) != {1}:
        raise unsupported(step)
    if step.op == "MaxPool":
        source, padding = _border(step, given[0], float("-inf"))
        largest: Tensor = F.max_pool2d(source, kernel, strides, padding, ceil_mode=upwards)
        return largest
    source, padding = _border(step, given[0], 0.0)
    counted = bool(step.attributes.get("count_include_pad"))
    if source is not given[0] and not counted:
        raise unsupported(step)
    return F.avg_pool2d(source, kernel, strides, padding, ceil_mode=upwards, count_include_pad=counted)


def _layer_norm(network: Network, step: Step, given: Given) -> Tensor:
    axis = step.attributes.get("axis", -1)
    if axis not in (-1, given[0].ndim - 1) or len(step.outputs) > 1:
        raise unsupported(step)
    bias = given[2] if len(given) > 2 else None
    return F.layer_norm(given[0], given[0].shape[-1:], given[1], bias, step.attributes.get("epsilon", 1e-5))


def _mean(network: Network, step: Step, given: Given) -> Tensor:
    if step.op == "GlobalAveragePool":
        return torch.mean(given[0], (2, 3), keepdim=True)
    axes = [int(axis) for axis in np.ravel(network.constant(step, 1))]
    return torch.mean(given[0], axes, keepdim=bool(step.attributes.get("keepdims", 1)))


def _clip(network: Network, step: Step, given: Given) -> Tensor:
    bounds = [bound if np.isfinite(bound) else None for bound in network.bounds(step)]
    return torch.clamp(given[0], *bounds)


def _reshape(network: Network, step: Step, given: Given) -> Tensor:
    return given[0].reshape(network.shapes[step.outputs[0]])  # type: ignore[no-any-return]


def _split(network: Network, step: Step, given: Given) -> tuple[Tensor, ...]:
    axis = step.attributes.get("axis", 0)
    return torch.split(given[0], [network.shapes[name][axis] for name in step.outputs], axis)


def _pad(network: Network, step: Step, given: Given) -> Tensor:
    pads = np.ravel(network.constant(step, 1)).tolist()
    zero = network.constant(step, 2, 0.0)
    if step.attributes.get("mode", "constant") != "constant" or step.get(3) or zero.any():
        raise unsupported(step)
    half = len(pads) // 2
    turned = [side for axis in reversed(range(half)) for side in (pads[axis], pads[half + axis])]
    return F.pad(given[0], turned)


def _hard_sigmoid(network: Network, step: Step, given: Given) -> Tensor:
    alpha, beta = step.attributes.get("alpha", 0.2), step.attributes.get("beta", 0.5)
    return torch.clamp(given[0] * alpha + beta, 0, 1)


_MEANINGS: Mapping[str, Callable[[Network, Step, Given], Any]] = {
    "Add": lambda network, step, given: given[0] + given[1],
    "Sub": lambda network, step, given: given[0] - given[1],
    "Mul": lambda network, step, given: given[0] * given[1],
    "Div": lambda network, step, given: given[0] / given[1],
    "Max": lambda network, step, given: torch.maximum(given[0], given[1]),
    "Min": lambda network, step, given: torch.minimum(given[0], given[1]),
    "Relu": lambda network, step, given: F.relu(given[0]),
    "Sigmoid": lambda network, step, given: torch.sigmoid(given[0]),
    "Tanh": lambda network, step, given: torch.tanh(given[0]),
    "HardSwish": lambda network, step, given: F.hardswish(given[0]),
    "Gelu": lambda network, step, given: F.gelu(given[0], approximate=step.attributes.get("approximate", "none")),
    "Softmax": lambda network, step, given: F.softmax(given[0], step.attributes.get("axis", -1)),
    "Concat": lambda network, step, given: torch.cat(list(given), step.attributes["axis"]),
    "Transpose": lambda network, step, given: given[0].permute(
        step.attributes.get("perm", list(range(given[0].ndim))[::-1])
    ),
    **dict.fromkeys(("Identity", "Dropout"), lambda network, step, given: given[0]),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshape),
    **dict.fromkeys(("Gemm", "MatMul"), _dense),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("ReduceMean", "GlobalAveragePool"), _mean),
    "Clip": _clip,
    "Conv": _conv,
    "HardSigmoid": _hard_sigmoid,
    "LayerNormalization": _layer_norm,
    "Pad": _pad,
    "Split": _split,
}
