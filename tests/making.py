"""What the tests of the workspace make in code: photos, embedders that need no network, and waiting with a deadline."""

import io
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import PIL.Image

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


def until(met: Callable[[], object], what: str = "it") -> None:
    """Wait until `met` is true, looking often; fail after a deadline."""
    end = time.monotonic() + DEADLINE
    never = threading.Event()
    while not met():
        assert time.monotonic() < end, f"{what} did not happen within {DEADLINE} s"
        never.wait(0.005)


class FakeEmbedder:
    """Stands in for a network: the mean colour of a photo, and a count of what it was asked for.

    Args:
        before: called with each batch before it is embedded; it may block or raise.
    """

    width = 4

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
