"""A network as a plain list of steps: what the converters for phones read instead of ONNX.

It owns reading the second half of a model (`teachable.exporting.tensor`) for one photo at a time, working out all that
does not depend on the photo, and saying in few operators what is spelled out in many. It knows no target
format; which operators one can express is its own business.
"""

import math
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from teachable.errors import ModelFileError

if TYPE_CHECKING:
    import onnx

SOURCE = "pixel_values"
RESULT = "probabilities"


@dataclass(frozen=True)
class Step:
    """One operator of standard ONNX.

    Attributes:
        op: its name there, `Conv` for one.
        inputs: names of values; empty where an optional one is left out.
        outputs: names of values.
        attributes: plain numbers, texts and lists, by name.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def get(self, index: int) -> str:
        """Return the name of an input, empty if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclass(frozen=True)
class Network:
    """From `pixel_values`, float32 `[1, 3, S, S]`, to `probabilities`, float32 `[1, K]`.

    Attributes:
        steps: in the order they are done.
        constants: weights and other numbers, by name.
        shapes: of every value that depends on the photo, by name.
    """

    steps: tuple[Step, ...]
    constants: Mapping[str, NDArray[Any]]
    shapes: Mapping[str, tuple[int, ...]]

    def constant(self, step: Step, index: int, default: Any = None) -> NDArray[Any]:
        """Return the numbers of an input that must not depend on the photo.

        Raises:
            ModelFileError: they do.
        """
        name = step.get(index)
        if not name and default is not None:
            return np.asarray(default)
        if name not in self.constants:
            raise unsupported(step)
        return self.constants[name]

    def bounds(self, step: Step) -> tuple[float, float]:
        """Return what a `Clip` keeps numbers within."""
        low, high = self.constant(step, 1, -np.inf), self.constant(step, 2, np.inf)
        return float(low), float(high)

    def uses(self) -> Counter[str]:
        """Count how often each value is read."""
        return Counter([RESULT, *(name for step in self.steps for name in step.inputs if name)])


def unsupported(step: Step) -> ModelFileError:
    """Return the error for a step that a target format has no words for."""
    return ModelFileError("export_operator", operator=step.op)


def read(body: bytes) -> Network:
    """Read the second half of a model.

    Args:
        body: as `teachable.exporting.tensor.cut` gives it.

    Raises:
        ModelFileError: something in it is no standard ONNX, or has no shape of its own.
    """
    import onnx
    from onnx import numpy_helper

    proto = _folded(_for_one(onnx.ModelProto.FromString(body)))
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    steps = []
    for node in proto.graph.node:
        step = Step(node.op_type, tuple(node.input), tuple(node.output), _attributes(node))
        if node.domain not in ("", "ai.onnx"):
            raise unsupported(step)
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        else:
            steps.append(step)
    shapes = _shapes(proto)
    found = Network(tuple(steps), constants, shapes)
    for step in found.steps:
        if any(name and name not in shapes for name in step.outputs[:1]):
            raise unsupported(step)
    found = _without_norms(replace(found, steps=_with_gelu(found)))
    return replace(found, steps=_with_hard_swish(found))


def _for_one(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """Return the model for a batch of one, with its probabilities as its only output and nothing they do not need."""
    kept = [port for port in proto.graph.output if port.name == RESULT]
    if not kept:
        raise ModelFileError("export_operator", operator=RESULT)
    needed = {RESULT}
    for index in reversed(range(len(proto.graph.node))):
        node = proto.graph.node[index]
        if needed.intersection(node.output):
            needed.update(node.input)
        else:
            del proto.graph.node[index]
    del proto.graph.output[:]
    proto.graph.output.extend(kept)
    del proto.graph.value_info[:]
    for port in (*proto.graph.input, *proto.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 1
    return proto


def _folded(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """Return the model with everything worked out that does not depend on the photo.

    onnxruntime does that, at the level that stays within standard ONNX.
    """
    import onnx
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said in our own words
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(target)
        try:
            ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no parent of their own, and none of them is ours
            raise ModelFileError("model_fails", name="model.onnx") from error
        return onnx.load(target)


def _shapes(proto: "onnx.ModelProto") -> dict[str, tuple[int, ...]]:
    import onnx

    inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    found = {}
    for port in (*inferred.input, *inferred.value_info, *inferred.output):
        sides = [side.dim_value for side in port.type.tensor_type.shape.dim]
        if all(sides):
            found[port.name] = tuple(sides)
    return found


def _attributes(node: "onnx.NodeProto") -> dict[str, Any]:
    from onnx import helper

    values = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


# Other words for the same


def _without_norms(network: Network) -> Network:
    """Put a multiplication and an addition where a batch norm could not become part of a convolution."""
    steps: list[Step] = []
    constants, shapes = dict(network.constants), dict(network.shapes)
    for step in network.steps:
        if step.op != "BatchNormalization":
            steps.append(step)
            continue
        gamma, beta, mean, variance = (network.constant(step, place) for place in (1, 2, 3, 4))
        name, shape = step.outputs[0], network.shapes[step.outputs[0]]
        sides = (1, -1, *[1] * (len(shape) - 2))
        factor = gamma / np.sqrt(variance + np.float32(step.attributes.get("epsilon", 1e-5)))
        scaled, factors, offsets = f"{name}.scaled", f"{name}.factors", f"{name}.offsets"
        constants[factors] = factor.astype(np.float32).reshape(sides)
        constants[offsets] = (beta - mean * factor).astype(np.float32).reshape(sides)
        shapes[scaled] = shape
        steps.append(Step("Mul", (step.inputs[0], factors), (scaled,), {}))
        steps.append(Step("Add", (scaled, offsets), (name,), {}))
    return Network(tuple(steps), constants, shapes)


def _with_gelu(network: Network) -> tuple[Step, ...]:
    """Put one step `Gelu` where `x / 2 * (1 + erf(x / sqrt(2)))` is spelled out, in whichever order.

    No format for phones has an operator for erf alone.
    """
    steps = list(network.steps)
    for erf in network.steps:
        if erf.op != "Erf":
            continue
        found = _gelu(erf, network)
        if found is not None:
            source, members = found
            place = max(steps.index(member) for member in members)
            result = steps[place].outputs
            steps[place] = Step("Gelu", (source,), result, {})
            steps = [step for step in steps if step not in members]
    return tuple(steps)


def _with_hard_swish(network: Network) -> tuple[Step, ...]:
    """Put one step `HardSwish` where `x * HardSigmoid(x)` is spelled out."""
    made = {name: step for step in network.steps for name in step.outputs}
    uses = network.uses()
    steps: list[Step] = []
    for step in network.steps:
        for name, other in (step.inputs, step.inputs[::-1]) if step.op == "Mul" else ():
            gate = made.get(name)
            if gate and gate.op == "HardSigmoid" and gate.inputs[0] == other and _is_swish(gate) and uses[name] == 1:
                steps.remove(gate)
                step = Step("HardSwish", (other,), step.outputs, {})
        steps.append(step)
    return tuple(steps)


def _is_swish(gate: Step) -> bool:
    alpha, beta = gate.attributes.get("alpha", 0.2), gate.attributes.get("beta", 0.5)
    return math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5


def _gelu(erf: Step, network: Network) -> tuple[str, list[Step]] | None:
    """Return the name of x and the steps that make up its GELU, or None if this is something else."""
    made = {name: step for step in network.steps for name in step.outputs}
    uses = network.uses()
    inner = made.get(erf.get(0))
    source, factor = _scaled(inner, network)
    plus = _reader(erf, "Add", network.steps, uses)
    if inner is None or plus is None or not math.isclose(factor, math.sqrt(0.5), rel_tol=1e-4):
        return None
    (one,) = _others(plus, erf)
    if one not in network.constants or not np.allclose(network.constants[one], 1):
        return None
    members = [erf, plus] + ([inner] if uses[inner.outputs[0]] == 1 else [])
    share, met, last = 1.0, False, plus
    while not (met and math.isclose(share, 0.5, rel_tol=1e-4)):
        product = _reader(last, "Mul", network.steps, uses)
        if product is None:
            return None
        (other,) = _others(product, last)
        value = network.constants.get(other)
        before, half = _scaled(made.get(other), network)
        if value is not None and value.size == 1:
            share *= float(value.reshape(()))
        elif other == source and not met:
            met = True
        elif before == source and not met and uses[other] == 1:
            met, share = True, share * half
            members.append(made[other])
        else:
            return None
        members.append(product)
        last = product
    return source, members


def _scaled(step: Step | None, network: Network) -> tuple[str, float]:
    """Return what a step multiplies, or divides, by one number, and that factor; an empty name if it does not."""
    if step is None or step.op not in ("Mul", "Div"):
        return "", 1.0
    for place in (0, 1):
        value = network.constants.get(step.inputs[place])
        if value is not None and value.size == 1 and (step.op == "Mul" or place == 1):
            number = float(value.reshape(()))
            return step.inputs[1 - place], number if step.op == "Mul" else 1 / number
    return "", 1.0


def _reader(step: Step, op: str, steps: Sequence[Step], uses: Counter[str]) -> Step | None:
    """Return the one step that reads what a step gives, if it is of this kind."""
    result = step.outputs[0]
    if uses[result] != 1:
        return None
    return next((one for one in steps if result in one.inputs and one.op == op), None)


def _others(step: Step, known: Step) -> list[str]:
    return [name for name in step.inputs if name != known.outputs[0]]
