"""A network written as a TensorFlow Lite file.

It owns the translation, step by step, into TensorFlow Lite's operators, and the two ways photos go in: float32 from -1
to 1 as Teachable Machine's file takes them, or plain bytes. The file is put together with the schema that comes with
`ai-edge-litert`, Google's interpreter of such files, and made small by Google's `ai-edge-quantizer`. Neither needs
TensorFlow.

Other ways were tried: `onnx2tf` asks for exact versions of onnx, numpy and protobuf that are not ours (and, without
TensorFlow, for Python 3.12), `litert-torch` for an older torch. Both would take the whole program back with them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachable.exporting.mobile_flatbuffer import File, Value
from teachable.exporting.mobile_graph import RESULT, SOURCE, Network, Step, unsupported

INPUT = "image"
_LAST = (0, 2, 3, 1)
"""Axes of a map in memory: batch, height, width, channels."""
_SAME, _VALID = 0, 1


def write(network: Network, scale: NDArray[np.float32], offset: NDArray[np.float32], name: str) -> bytes:
    """Return the network as a TensorFlow Lite file of float32.

    The file takes `image`, float32 `[1, S, S, 3]`, and gives `probabilities`, float32 `[1, K]`.

    Args:
        network: what to write.
        scale: of each of R, G, B: times this and plus `offset`, what goes in becomes what the network expects.
        offset: likewise.
        name: what the file calls itself.

    Raises:
        ModelFileError: TensorFlow Lite has nothing for one of its steps.
    """
    return Writer(network).write(scale, offset, name)


class Writer(File):
    """Writes a network into a file, step by step."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network
        self._uses = network.uses()
        self._values: dict[str, Value] = {}

    def write(self, scale: NDArray[np.float32], offset: NDArray[np.float32], name: str) -> bytes:
        """Write the file, as the function of this name says."""
        shape = self._network.shapes[SOURCE]
        photo = self._tensor(INPUT, tuple(shape[axis] for axis in _LAST))
        # One multiplication and addition for each channel: as a convolution, quantised numbers pass it unharmed.
        weights = [self._constant(f"{INPUT}.scale", scale.reshape(1, 1, 1, 3)), self._constant("offset", offset)]
        made = self._operator(
            "DEPTHWISE_CONV_2D",
            [photo, *weights],
            SOURCE,
            shape,
            _LAST,
            options="DepthwiseConv2DOptions",
            padding=_VALID,
            strideH=1,
            strideW=1,
            depthMultiplier=1,
        )
        self._values[SOURCE] = made
        steps = list(self._network.steps)
        while steps:
            self._step(steps)
        result = self._arranged(self._values[RESULT])
        self._tensors[result.tensor].name = RESULT
        return self._finished(name, (INPUT, photo), (RESULT, result.tensor))

    # Steps

    def _step(self, steps: list[Step]) -> None:
        """Translate the first step, together with the activation behind it where one fits in."""
        step = steps.pop(0)
        make = _MAKERS.get(step.op)
        if make is None:
            raise unsupported(step)
        fused, name = 0, step.outputs[0]
        if step.op in _FUSING and self._uses[name] == 1:
            reader = next((one for one in steps if name in one.inputs), None)
            fused = self._fusable(reader) if reader else 0
            if reader and fused:
                steps.remove(reader)
                name = reader.outputs[0]
        make(self, Step(step.op, step.inputs, (name, *step.outputs[1:]), {**step.attributes, "fused": fused}))

    def _fusable(self, step: Step) -> int:
        """Return the activation that can be part of the step before, 0 if this is none."""
        kinds = self._schema.ActivationFunctionType
        if step.op == "Relu":
            return int(kinds.RELU)
        if step.op == "Clip" and self._network.bounds(step) == (0.0, 6.0):
            return int(kinds.RELU6)
        return 0

    def _value(self, step: Step, index: int = 0) -> Value:
        """Return an input that depends on the photo."""
        name = step.get(index)
        if name not in self._values:
            raise unsupported(step)
        return self._values[name]

    def _keep(self, step: Step, made: Value) -> None:
        self._values[step.outputs[0]] = made

    def _conv(self, step: Step) -> None:
        source = self._value(step)
        weight = self._network.constant(step, 1).astype(np.float32)
        shape = self._network.shapes[step.outputs[0]]
        if len(source.shape) != 4:
            raise unsupported(step)
        bias = self._network.constant(step, 2, np.zeros(weight.shape[0], np.float32))
        strides = step.attributes.get("strides", [1, 1])
        dilations = step.attributes.get("dilations", [1, 1])
        group = step.attributes.get("group", 1)
        kernel = [(side - 1) * wide + 1 for side, wide in zip(weight.shape[2:], dilations, strict=True)]
        source, padding = self._padded(step, self._arranged(source, _LAST), kernel, strides, 0.0)
        name = step.outputs[0]
        common = {
            "padding": padding,
            "strideH": strides[0],
            "strideW": strides[1],
            "dilationHFactor": dilations[0],
            "dilationWFactor": dilations[1],
            "fusedActivationFunction": step.attributes["fused"],
        }
        biased = self._constant(f"{name}.bias", bias)
        if group == source.shape[1] and group > 1:
            weights = self._constant(f"{name}.weight", weight.transpose(1, 2, 3, 0))
            common = {**common, "options": "DepthwiseConv2DOptions", "depthMultiplier": weight.shape[0] // group}
            made = self._operator(
                "DEPTHWISE_CONV_2D", [source.tensor, weights, biased], name, shape, _LAST, version=2, **common
            )
        else:
            weights = self._constant(f"{name}.weight", weight.transpose(0, 2, 3, 1))
            common = {**common, "options": "Conv2DOptions", "version": 1 if group == 1 else 6}
            made = self._operator("CONV_2D", [source.tensor, weights, biased], name, shape, _LAST, **common)
        self._keep(step, made)

    def _padded(
        self, step: Step, source: Value, kernel: Sequence[int], strides: Sequence[int], filling: float | None
    ) -> tuple[Value, int]:
        """Return the source, with a border where the operator does not add the very same by itself, and how it pads.

        Args:
            step: a convolution or a pool.
            source: what it reads, channels last.
            kernel: pixels its window spans.
            strides: of the window.
            filling: what the border is filled with; None where it must not count, which only the operator can do.
        """
        if step.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            raise unsupported(step)
        pads = step.attributes.get("pads", [0, 0, 0, 0])
        given = self._network.shapes[step.outputs[0]][2:]
        sides = []
        for place in (0, 1):
            needed = (given[place] - 1) * strides[place] + kernel[place] - source.shape[2 + place]
            # What is added at the end for a last, incomplete window, or left out because no window reaches it.
            sides.append((pads[place], max(0, needed - pads[place])))
        if not any(map(any, sides)):
            return source, _VALID
        same = all(
            sum(side) == max(0, (-(-size // stride) - 1) * stride + length - size)
            and side[0] == sum(side) // 2
            and count == -(-size // stride)
            for side, size, stride, length, count in zip(sides, source.shape[2:], strides, kernel, given, strict=True)
        )
        if same and not (step.op == "AveragePool" and filling is not None):
            return source, _SAME
        if filling is None:
            raise unsupported(step)
        return self._bordered(step, source, [(0, 0), (0, 0), *sides], filling), _VALID

    def _bordered(self, step: Step, source: Value, sides: Sequence[tuple[int, int]], filling: float) -> Value:
        name = step.outputs[0]
        shape = tuple(size + sum(side) for size, side in zip(source.shape, sides, strict=True))
        border = self._constant(f"{name}.border", [sides[axis] for axis in source.order], np.int32)
        if filling:
            value = self._constant(f"{name}.filling", filling)
            return self._operator(
                "PADV2", [source.tensor, border, value], f"{name}.padded", shape, source.order, options="PadV2Options"
            )
        return self._operator(
            "PAD", [source.tensor, border], f"{name}.padded", shape, source.order, options="PadOptions"
        )

    def _pool(self, step: Step) -> None:
        source = self._arranged(self._value(step), _LAST)
        if len(source.shape) != 4 or len(step.outputs) > 1 or set(step.attributes.get("dilations", [1])) != {1}:
            raise unsupported(step)
        kernel = step.attributes["kernel_shape"]
        strides = step.attributes.get("strides", [1, 1])
        mean = step.op == "AveragePool"
        filling: float | None = 0.0
        if mean:
            # A last, incomplete window counts what is there, a border what was asked for.
            counted = step.attributes.get("count_include_pad") and not step.attributes.get("ceil_mode")
            filling = 0.0 if counted else None
        elif not self._is_positive(step.inputs[0]):
            filling = float(np.finfo(np.float32).min)
        padded, padding = self._padded(step, source, kernel, strides, filling)
        made = self._operator(
            "AVERAGE_POOL_2D" if mean else "MAX_POOL_2D",
            [padded.tensor],
            step.outputs[0],
            self._network.shapes[step.outputs[0]],
            _LAST,
            options="Pool2DOptions",
            padding=padding,
            strideH=strides[0],
            strideW=strides[1],
            filterHeight=kernel[0],
            filterWidth=kernel[1],
            fusedActivationFunction=0,
        )
        self._keep(step, made)

    def _is_positive(self, name: str) -> bool:
        made = next((step for step in self._network.steps if name in step.outputs), None)
        return made is not None and (
            made.op in ("Relu", "Sigmoid") or (made.op == "Clip" and self._network.bounds(made)[0] >= 0)
        )

    def _dense(self, step: Step) -> None:
        """Write a Gemm, or a MatMul with weights."""
        source = self._arranged(self._value(step))
        weight = self._network.constant(step, 1).astype(np.float32)
        plain = step.attributes.get("alpha", 1.0) == 1.0 == step.attributes.get("beta", 1.0)
        if weight.ndim != 2 or step.attributes.get("transA") or not plain:
            raise unsupported(step)
        weight = weight if step.attributes.get("transB") else weight.T
        bias = self._network.constant(step, 2, np.zeros(len(weight), np.float32))
        name = step.outputs[0]
        inputs = [
            source.tensor,
            self._constant(f"{name}.weight", weight),
            self._constant(f"{name}.bias", np.broadcast_to(bias.reshape(-1), len(weight))),
        ]
        made = self._operator(
            "FULLY_CONNECTED",
            inputs,
            name,
            (*source.shape[:-1], len(weight)),
            options="FullyConnectedOptions",
            version=5,
            keepNumDims=True,
            fusedActivationFunction=step.attributes["fused"],
        )
        self._keep(step, made)

    def _pair(self, step: Step) -> None:
        """Write an operation on two values, or a value and numbers, of which one may have to be repeated."""
        shape = self._network.shapes[step.outputs[0]]
        values = [self._values.get(name) for name in step.inputs]
        leading = next((one for one in values if one is not None and len(one.shape) == len(shape)), None)
        order = leading.order if leading else tuple(range(len(shape)))
        inputs = [self._operand(step, place, order) for place in (0, 1)]
        kind, options = _PAIRS[step.op]
        fields = {"fusedActivationFunction": step.attributes["fused"]} if step.op in _FUSING else {}
        self._keep(step, self._operator(kind, inputs, step.outputs[0], shape, order, options=options, **fields))

    def _operand(self, step: Step, place: int, order: tuple[int, ...]) -> int:
        """Return the tensor of an input with as many axes as the result, in its order."""
        value = self._values.get(step.inputs[place])
        if value is None:
            numbers = self._network.constant(step, place).astype(np.float32)
            whole = numbers.reshape((1,) * (len(order) - numbers.ndim) + numbers.shape)
            return self._constant(f"{step.outputs[0]}.{place}", whole.transpose(order))
        if len(value.shape) < len(order):
            shape = (1,) * (len(order) - len(value.shape)) + value.shape
            value = self._reshaped(self._arranged(value), step.inputs[place], shape, tuple(range(len(shape))))
        return self._arranged(value, order).tensor

    def _unary(self, step: Step) -> None:
        source = self._value(step)
        kind, options = _UNARY[step.op]
        if step.op == "Gelu" and step.attributes.get("approximate", "none") != "none":
            raise unsupported(step)
        made = self._operator(kind, [source.tensor], step.outputs[0], source.shape, source.order, options=options)
        self._keep(step, made)

    def _clip(self, step: Step) -> None:
        made = self._value(step)
        low, high = self._network.bounds(step)
        for kind, bound in (("MAXIMUM", low), ("MINIMUM", high)):
            if np.isfinite(bound):
                made = self._with_number(kind, made, bound, step.outputs[0], "MaximumMinimumOptions")
        self._keep(step, made)

    def _hard_sigmoid(self, step: Step) -> None:
        """Write `clip(alpha * x + beta, 0, 1)` with the clip to 6 that every quantiser knows."""
        alpha, beta = step.attributes.get("alpha", 0.2), step.attributes.get("beta", 0.5)
        made, name = self._value(step), step.outputs[0]
        if abs(6 * alpha - 1) > 1e-6:
            made = self._with_number("MUL", made, 6 * alpha, name, "MulOptions")
        relu6 = self._schema.ActivationFunctionType.RELU6
        made = self._with_number("ADD", made, 6 * beta, name, "AddOptions", fusedActivationFunction=relu6)
        self._keep(step, self._with_number("MUL", made, 1 / 6, name, "MulOptions"))

    def _layer_norm(self, step: Step) -> None:
        """Write a norm over the last axis in the operators it is made of."""
        source = self._arranged(self._value(step))
        last, name = len(source.shape) - 1, step.outputs[0]
        if step.attributes.get("axis", -1) not in (-1, last) or len(step.outputs) > 1:
            raise unsupported(step)
        one = (*source.shape[:-1], 1)
        axes = self._constant(f"{name}.axes", [last], np.int32)
        reduce: dict[str, Any] = {"options": "ReducerOptions", "keepDims": True}

        def pair(kind: str, first: int, second: int, shape: tuple[int, ...]) -> int:
            operator, options = _PAIRS[kind]
            return self._operator(operator, [first, second], name, shape, options=options).tensor

        mean = self._operator("MEAN", [source.tensor, axes], name, one, **reduce).tensor
        centred = pair("Sub", source.tensor, mean, source.shape)
        squares = pair("Mul", centred, centred, source.shape)
        variance = self._operator("MEAN", [squares, axes], name, one, **reduce)
        safe = self._with_number("ADD", variance, step.attributes.get("epsilon", 1e-5), name, "AddOptions")
        share = self._operator("RSQRT", [safe.tensor], name, one).tensor
        made = pair("Mul", centred, share, source.shape)
        for kind, place in (("Mul", 1), ("Add", 2)):
            if step.get(place):
                numbers = self._constant(f"{name}.{kind}", self._network.constant(step, place))
                made = pair(kind, made, numbers, source.shape)
        self._keep(step, Value(made, source.shape, tuple(range(last + 1))))

    def _mean(self, step: Step) -> None:
        source = self._value(step)
        everywhere = step.op == "GlobalAveragePool"
        axes = [2, 3] if everywhere else np.ravel(self._network.constant(step, 1)).tolist()
        gone = {axis % len(source.shape) for axis in axes}
        kept = everywhere or bool(step.attributes.get("keepdims", 1))
        places = [place for place, axis in enumerate(source.order) if axis in gone]
        order = source.order
        if not kept:
            left = [axis for axis in order if axis not in gone]
            order = tuple(sorted(left).index(axis) for axis in left)
        name = step.outputs[0]
        made = self._operator(
            "MEAN",
            [source.tensor, self._constant(f"{name}.axes", places, np.int32)],
            name,
            self._network.shapes[name],
            order,
            options="ReducerOptions",
            keepDims=kept,
        )
        self._keep(step, made)

    def _softmax(self, step: Step) -> None:
        source = self._arranged(self._value(step))
        if step.attributes.get("axis", -1) not in (-1, len(source.shape) - 1):
            raise unsupported(step)
        made = self._operator(
            "SOFTMAX", [source.tensor], step.outputs[0], source.shape, options="SoftmaxOptions", beta=1.0
        )
        self._keep(step, made)

    def _concat(self, step: Step) -> None:
        order = self._value(step).order
        inputs = [self._arranged(self._value(step, place), order).tensor for place in range(len(step.inputs))]
        axis = order.index(step.attributes["axis"] % len(order))
        shape = self._network.shapes[step.outputs[0]]
        made = self._operator(
            "CONCATENATION", inputs, step.outputs[0], shape, order, options="ConcatenationOptions", axis=axis
        )
        self._keep(step, made)

    def _split(self, step: Step) -> None:
        """Write a cut into pieces as one slice for each."""
        source, start = self._value(step), 0
        axis = step.attributes.get("axis", 0) % len(source.shape)
        for name in step.outputs:
            shape = self._network.shapes[name]
            begin = [start if each == axis else 0 for each in source.order]
            numbers = [begin, [shape[each] for each in source.order]]
            inputs = [source.tensor, *(self._constant(f"{name}.slice", one, np.int32) for one in numbers)]
            self._values[name] = self._operator("SLICE", inputs, name, shape, source.order, options="SliceOptions")
            start += shape[axis]

    def _reshape(self, step: Step) -> None:
        source, name = self._arranged(self._value(step)), step.outputs[0]
        shape = self._network.shapes[name]
        self._keep(step, self._reshaped(source, name, shape, tuple(range(len(shape)))))

    def _transpose(self, step: Step) -> None:
        source = self._value(step)
        turn = step.attributes.get("perm", list(range(len(source.shape)))[::-1])
        shape = tuple(source.shape[axis] for axis in turn)
        self._keep(step, Value(source.tensor, shape, tuple(turn.index(axis) for axis in source.order)))

    def _pad(self, step: Step) -> None:
        source = self._value(step)
        pads = np.ravel(self._network.constant(step, 1)).tolist()
        zero = self._network.constant(step, 2, 0.0)
        if step.attributes.get("mode", "constant") != "constant" or step.get(3) or min(pads) < 0 or zero.any():
            raise unsupported(step)
        half = len(pads) // 2
        self._keep(step, self._bordered(step, source, list(zip(pads[:half], pads[half:], strict=True)), 0.0))

    def _same(self, step: Step) -> None:
        self._keep(step, self._value(step))


_FUSING = {"Conv", "Gemm", "MatMul", "Add", "Sub", "Mul", "Div"}
"""Steps whose operator can have an activation in it."""

_PAIRS = {
    "Add": ("ADD", "AddOptions"),
    "Sub": ("SUB", "SubOptions"),
    "Mul": ("MUL", "MulOptions"),
    "Div": ("DIV", "DivOptions"),
    "Max": ("MAXIMUM", "MaximumMinimumOptions"),
    "Min": ("MINIMUM", "MaximumMinimumOptions"),
}
_UNARY = {
    "Relu": ("RELU", ""),
    "Sigmoid": ("LOGISTIC", ""),
    "Tanh": ("TANH", ""),
    "HardSwish": ("HARD_SWISH", "HardSwishOptions"),
    "Gelu": ("GELU", "GeluOptions"),
}
_MAKERS: Mapping[str, Callable[[Writer, Step], None]] = {
    **dict.fromkeys(_PAIRS, Writer._pair),
    **dict.fromkeys(_UNARY, Writer._unary),
    **dict.fromkeys(("MaxPool", "AveragePool"), Writer._pool),
    **dict.fromkeys(("Gemm", "MatMul"), Writer._dense),
    **dict.fromkeys(("ReduceMean", "GlobalAveragePool"), Writer._mean),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), Writer._reshape),
    **dict.fromkeys(("Identity", "Dropout"), Writer._same),
    "Clip": Writer._clip,
    "Concat": Writer._concat,
    "Conv": Writer._conv,
    "HardSigmoid": Writer._hard_sigmoid,
    "LayerNormalization": Writer._layer_norm,
    "Pad": Writer._pad,
    "Softmax": Writer._softmax,
    "Split": Writer._split,
    "Transpose": Writer._transpose,
}
