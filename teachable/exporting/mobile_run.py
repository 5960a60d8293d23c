"""Runs a TensorFlow Lite file with Google's interpreter.

Only a child process imports it (`teachable.exporting.mobile`): the interpreter writes notes to the terminal and has no
setting against it, and what goes wrong in it must not take the app along.
"""

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from teachable.errors import ModelFileError

_EMBEDDING = "embedding"


class Interpreted:
    """A TensorFlow Lite file and its interpreter.

    Args:
        model: the file.
        name: what to call it in an error.

    Raises:
        ModelFileError: it cannot be opened.
    """

    def __init__(self, model: bytes, name: str) -> None:
        self._name = name
        try:
            self._model = Interpreter(model_content=model, num_threads=1)
            self._model.allocate_tensors()
            (self._source,), (self._result,) = self._model.get_input_details(), self._model.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise ModelFileError("model_unreadable", name=name) from error
        self._whole = self._source["dtype"] == np.uint8
        self._inner: Any = None
        self._embedding: Any = None
        if self._whole:
            # The interpreter keeps what is inside only without the parts that make it fast.
            self._inner = Interpreter(
                model_content=model,
                num_threads=1,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
            self._inner.allocate_tensors()
            self._embedding = next((one for one in self._inner.get_tensor_details() if one["name"] == _EMBEDDING), None)

    def __call__(self, squares: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return `probabilities` of photos, float32 `[N, K]`, and `embedding` where the file is of whole numbers.

        Args:
            squares: photos as they go in, uint8 `[N, S, S, 3]`.

        Raises:
            ModelFileError: it fails.
        """
        found = {"probabilities": np.stack([self._run(self._model, square, self._result) for square in squares])}
        if self._embedding is not None:
            found["embedding"] = np.stack([self._run(self._inner, square, self._embedding) for square in squares])
        return found

    def _run(self, model: Any, square: NDArray[np.uint8], wanted: dict[str, Any]) -> NDArray[np.float32]:
        """Return what comes out, float32 `[K]`, or what an inner value is."""
        given = square[None] if self._whole else square[None].astype(np.float32) / np.float32(127.5) - np.float32(1)
        try:
            model.set_tensor(self._source["index"], given)
            model.invoke()
            found = model.get_tensor(wanted["index"]).astype(np.float32).reshape(-1)
        except (RuntimeError, ValueError) as error:
            raise ModelFileError("model_fails", name=self._name) from error
        scale, zero = wanted["quantization"]
        return np.asarray((found - zero) * scale if scale else found, np.float32)
