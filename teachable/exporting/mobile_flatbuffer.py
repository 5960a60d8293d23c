"""The tensors, operators and buffers of a TensorFlow Lite file, put together with the schema of `ai-edge-litert`.

TensorFlow Lite keeps channels last, ONNX second. A value here knows in which order its axes lie in memory, so that a
turn of axes mostly costs nothing: only where a step needs another order is one written into the file.

It owns how a file is built. What is built is the business of `teachable.exporting.mobile_tflite`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SCHEMA_VERSION = 3
# The first buffer must stay empty.
_EMPTY = 0
# Operators of later numbers than this are only in the newer of two fields.
_LAST_OLD_CODE = 127


@dataclass(frozen=True)
class Value:
    """A tensor of the file that depends on the photo.

    Attributes:
        tensor: its index.
        shape: as ONNX sees it.
        order: for each axis in memory, which axis of ONNX it is.
    """

    tensor: int
    shape: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def laid(self) -> tuple[int, ...]:
        """Shape as it lies in memory."""
        return tuple(self.shape[axis] for axis in self.order)


class File:
    """A file as it grows."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._operators: list[Any] = []
        self._codes: dict[tuple[int, int], int] = {}
        self._kept: dict[bytes, int] = {}
        self._names: set[str] = set()

    def _finished(self, name: str, source: tuple[str, int], result: tuple[str, int]) -> bytes:
        """Return the bytes of the file.

        Args:
            name: what it calls itself.
            source: name and tensor of its input.
            result: name and tensor of its output.
        """
        from ai_edge_litert.tools import flatbuffer_utils

        schema = self._schema
        graph = schema.SubGraphT(self._tensors, [source[1]], [result[1]], self._operators, "main")
        signature = schema.SignatureDefT([schema.TensorMapT(*source)], [schema.TensorMapT(*result)], "serving_default")
        codes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, _LAST_OLD_CODE), builtinCode=code, version=version)
            for code, version in self._codes
        ]
        model = schema.ModelT(_SCHEMA_VERSION, codes, [graph], name, self._buffers, signatureDefs=[signature])
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))

    def _tensor(self, name: str, laid: Sequence[int], values: NDArray[Any] | None = None) -> int:
        """Add a tensor and return its index."""
        schema, buffer = self._schema, _EMPTY
        kind = schema.TensorType.FLOAT32 if values is None or values.dtype == np.float32 else schema.TensorType.INT32
        if values is not None:
            data = np.ascontiguousarray(values).tobytes()
            buffer = self._kept.setdefault(data, len(self._buffers))
            if buffer == len(self._buffers):
                self._buffers.append(schema.BufferT(np.frombuffer(data, np.uint8)))
        free = name
        while free in self._names:
            free = f"{name}.{len(self._tensors)}"
        self._names.add(free)
        self._tensors.append(schema.TensorT(list(laid), kind, buffer, free, hasRank=True))
        return len(self._tensors) - 1

    def _constant(self, name: str, values: Any, kind: type = np.float32) -> int:
        found: NDArray[Any] = np.asarray(values, kind)
        return self._tensor(name, found.shape, found)

    def _operator(
        self,
        kind: str,
        inputs: Sequence[int],
        name: str,
        shape: tuple[int, ...],
        order: tuple[int, ...] | None = None,
        *,
        version: int = 1,
        options: str = "",
        **fields: Any,
    ) -> Value:
        """Add an operator and return what it gives."""
        schema = self._schema
        order = tuple(range(len(shape))) if order is None else order
        made = Value(self._tensor(name, [shape[axis] for axis in order]), shape, order)
        code = (getattr(schema.BuiltinOperator, kind), version)
        index = self._codes.setdefault(code, len(self._codes))
        operator = schema.OperatorT(index, list(inputs), [made.tensor])
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")(**fields)
        self._operators.append(operator)
        return made

    def _with_number(self, kind: str, value: Value, number: float, name: str, options: str, **fields: Any) -> Value:
        """Add an operator on a value and one number."""
        inputs = [value.tensor, self._constant(f"{name}.number", number)]
        return self._operator(kind, inputs, name, value.shape, value.order, options=options, **fields)

    # Order of axes

    def _arranged(self, value: Value, order: tuple[int, ...] | None = None) -> Value:
        """Return a value with its axes in memory in this order, as ONNX has them if none is given."""
        wanted = tuple(range(len(value.shape))) if order is None else order
        if value.order == wanted:
            return value
        turn = [value.order.index(axis) for axis in wanted]
        name = self._tensors[value.tensor].name
        # Axes of one place may go anywhere; what is left must keep its sequence.
        if [axis for axis in value.order if value.shape[axis] > 1] == [
            axis for axis in wanted if value.shape[axis] > 1
        ]:
            return self._reshaped(value, name, value.shape, wanted)
        axes = self._constant(f"{name}.axes", turn, np.int32)
        inputs = [value.tensor, axes]
        return self._operator("TRANSPOSE", inputs, f"{name}.turned", value.shape, wanted, options="TransposeOptions")

    def _reshaped(self, value: Value, name: str, shape: tuple[int, ...], order: tuple[int, ...]) -> Value:
        laid = [shape[axis] for axis in order]
        sides = self._constant(f"{name}.sides", laid, np.int32)
        return self._operator(
            "RESHAPE", [value.tensor, sides], f"{name}.shaped", shape, order, options="ReshapeOptions", newShape=laid
        )
