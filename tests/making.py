"""What the tests of the workspace make in code: photos, embedders that need no network, and waiting with a deadline."""

import hashlib
import io
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import PIL.Image
from onnx import TensorProto, helper, numpy_helper

from teachable.types import Embeddings, Image

DEADLINE = 60.0


def photo(seed: int, color: tuple[int, int, int] = (128, 128, 128)) -> bytes:
    """A small noisy JPEG around one colour; every seed another one."""
    noise = np.random.default_rng(seed).integers(-40, 40, (24, 32, 3))
    stream = io.BytesIO()
    PIL.Image.fromarray(np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def photos(seeds: range, color: tuple[int, int, int] = (128, 128, 128)) -> list[tuple[str, bytes]]:
    return [(f"{seed}.jpg", photo(seed, color)) for seed in seeds]


def crops(seeds: range, color: tuple[int, int, int] = (128, 128, 128)) -> list[tuple[str, bytes]]:
    """Make JPEGs of one picture around a colour: every seed cuts off a little of it elsewhere."""
    rows, columns = np.mgrid[:100, :130]
    waves = 50 * np.sin(rows / 17) * np.cos(columns / 23) + 30 * np.sin(columns / 11)
    picture = PIL.Image.fromarray(np.clip(np.array(color) + waves[..., None], 0, 255).astype(np.uint8))
    made: list[tuple[str, bytes]] = []
    for seed in seeds:
        left, top, right, bottom = np.random.default_rng(seed).integers(0, 3, 4).tolist()
        stream = io.BytesIO()
        picture.crop((left, top, 130 - right, 100 - bottom)).save(stream, "JPEG", quality=70 + seed % 25)
        made.append((f"{seed}.jpg", stream.getvalue()))
    return made


def until(met: Callable[[], object], what: str = "it") -> None:
    """Wait until `met` is true, looking often; fail after a deadline."""
    end = time.monotonic() + DEADLINE
    never = threading.Event()
    while not met():
        assert time.monotonic() < end, f"{what} did not happen within {DEADLINE} s"
        never.wait(0.005)


def becomes(read: Callable[[], Any], wanted: object) -> None:
    """Wait until something is as it should be: what a page shows may be ahead of what is stored."""
    end = time.monotonic() + DEADLINE
    never = threading.Event()
    while (found := read()) != wanted and time.monotonic() < end:
        never.wait(0.02)
    assert found == wanted


class FakeEmbedder:
    """Stands in for a network: the mean colour of a photo, and a count of what it was asked for.

    Args:
        before: called with each batch before it is embedded; it may block or raise.
    """

    width = 4
    size = 1

    def __init__(self, before: Callable[[Sequence[Image]], None] = lambda images: None) -> None:
        self.embedded = 0
        self.calls: list[int] = []
        self._before = before

    def embed(self, images: Sequence[Image]) -> Embeddings:
        self._before(images)
        self.embedded += len(images)
        self.calls.append(len(images))
        rows = [[*image.mean((0, 1)), float(image.std())] for image in images]
        return np.array(rows, np.float32).reshape(len(images), self.width)

    def close(self) -> None:
        pass


def tiny_graph(weights: np.ndarray) -> bytes:
    """A network that keeps the contract: the photo on 4 x 4 places, and of each place some mixtures of its colours.

    Args:
        weights: float32 `[C, 3]`, what each mixture takes of red, green and blue.
    """
    channels = len(weights)

    def constant(name: str, value: object, dtype: str) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(value, dtype), name)

    constants = [
        constant("sides", [4, 4], "int64"),
        constant("axes", [2, 3], "int64"),
        constant("scale", 255.0, "float32"),
        constant("weights", weights.reshape(channels, 3, 1, 1), "float32"),
    ]
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Resize", ["numbers", "", "", "sides"], ["small"], mode="linear", antialias=1, axes=[2, 3]),
        helper.make_node("Div", ["small", "scale"], ["shares"]),
        helper.make_node("Conv", ["shares", "weights"], ["features"]),
        helper.make_node("ReduceMean", ["features", "axes"], ["embedding"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", channels, 4, 4]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", channels]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def tiny_network(
    folder: Path, id_: str, weights: np.ndarray | None = None, origin: str = "imported"
) -> tuple[dict[str, Any], Path]:
    """The entry and the graph, as `Library.add` takes them, of a network that sees colours, or what `weights` says."""
    weights = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32) if weights is None else weights
    data = tiny_graph(weights)
    path = folder / f"{id_}-given.onnx"
    path.write_bytes(data)
    record = {
        "id": id_,
        "title": f"Tiny {id_}",
        "description": "Sees colours.",
        "file": f"{id_}.onnx",
        "size_bytes": len(data),
        "embedding_width": len(weights),
        "input_size": 4,
        "licence": "Apache-2.0",
        "source": "made by the tests",
        "fingerprint": hashlib.sha256(data).hexdigest(),
        "origin": origin,
    }
    return {"format_version": 1, "builtin": False, "record": record}, path
