"""The square of bytes that a phone's model sees, cut out of a photo the way the model file itself does it.

Formats for phones begin at that square, because a phone cuts and shrinks pictures by itself. It owns the little graph
that makes the square, so that an exported file can be run on whole photos and compared, here and by anyone.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from teachable.errors import ModelFileError
from teachable.exporting.tensor import TENSOR, Cut
from teachable.types import Image

FILE = "prepare.onnx"
"""What the graph is called in an archive."""


def graph(cut: Cut) -> bytes:
    """Return a graph from `image`, uint8 `[batch, height, width, 3]`, to its only output, uint8 `[batch, S, S, 3]`.

    What the front of the model gives are bytes, moved and stretched; this moves them back.

    Raises:
        ModelFileError: the front does something else.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    stated = cut.preprocessing
    model = onnx.ModelProto.FromString(cut.front)
    taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
    back = "back"
    while any(name.startswith(back) for name in taken):
        back += "_"
    for name, numbers in (("std", stated.std), ("mean", stated.mean)):
        values = 255 * np.asarray(numbers, np.float32).reshape(1, 3, 1, 1)
        model.graph.initializer.append(numpy_helper.from_array(values, f"{back}.{name}"))
    model.graph.node.extend(
        [
            helper.make_node("Mul", [TENSOR, f"{back}.std"], [f"{back}.stretched"]),
            helper.make_node("Add", [f"{back}.stretched", f"{back}.mean"], [f"{back}.moved"]),
            helper.make_node("Round", [f"{back}.moved"], [f"{back}.whole"]),
            helper.make_node("Transpose", [f"{back}.whole"], [f"{back}.last"], perm=[0, 2, 3, 1]),
            helper.make_node("Cast", [f"{back}.last"], [f"{back}.bytes"], to=TensorProto.UINT8),
        ]
    )
    del model.graph.output[:]
    shape: list[str | int | None] = ["batch", cut.size, cut.size, 3]
    model.graph.output.append(helper.make_tensor_value_info(f"{back}.bytes", TensorProto.UINT8, shape))
    return bytes(model.SerializeToString(deterministic=True))


class Squares:
    """Cuts squares out of photos.

    Args:
        graph: as the function of this name gives it.
    """

    def __init__(self, graph: bytes) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4  # what is wrong is said in our own words
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no parent of their own, and none of them is ours
            raise ModelFileError("model_unreadable", name=FILE) from error

    @property
    def size(self) -> int:
        """Pixels of a side of the square."""
        return int(self._session.get_outputs()[0].shape[1])

    def __call__(self, images: Sequence[Image]) -> NDArray[np.uint8]:
        """Return the squares of photos, uint8 `[N, S, S, 3]`, photos being uint8 `[H, W, 3]` of any sizes."""
        found: list[Any] = [self._session.run(None, {"image": image[None]})[0] for image in images]
        return cast(NDArray[np.uint8], np.concatenate(found))
