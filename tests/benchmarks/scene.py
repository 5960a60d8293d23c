"""Photos and a camera made in code: as large and as detailed as what the page records, and never twice the same."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from teachable.types import Image

SIDE = 256
"""Pixels of each side of a frame the page records."""
QUALITY = 92
CAMERA = (480, 640)
"""Height and width of the camera's picture."""
CAMERA_RATE = 30
"""Frames per second at which Chromium plays a file of JPEGs."""

_TINTS = np.array([[200, 90, 70], [70, 170, 90], [80, 100, 200], [210, 180, 60]], np.float32)


def picture(kind: int, generator: np.random.Generator, height: int = SIDE, width: int = SIDE) -> Image:
    """Return a blurred, slightly grainy scene of one kind.

    Args:
        kind: what is shown; kinds differ in tint and in the spacing of their stripes.
        generator: makes every picture another one.
        height: pixels.
        width: pixels.

    Returns:
        RGB uint8 `[height, width, 3]`.
    """
    coarse = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    blurred = PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.Resampling.BICUBIC)
    across = np.arange(width) + generator.integers(width)
    stripes: NDArray[np.float32] = (25 * np.sin(across * (kind + 1) / 12)).astype(np.float32)
    grain = np.tile(generator.normal(0, 5, (64, 64, 1)).astype(np.float32), (height // 64 + 1, width // 64 + 1, 1))
    mixed = 0.4 * np.asarray(blurred, np.float32) + 0.6 * _TINTS[kind % len(_TINTS)]
    mixed += stripes[None, :, None] + grain[:height, :width]
    whole: Image = np.clip(mixed, 0, 255).astype(np.uint8)
    return whole


def jpeg(image: Image) -> bytes:
    """Return the picture as a file, encoded as finely as the page does."""
    stream = io.BytesIO()
    PIL.Image.fromarray(image).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def photos(kind: int, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of different photos of one kind."""
    generator = np.random.default_rng([kind, seed])
    for number in range(count):
        yield f"{kind}-{number:05d}.jpg", jpeg(picture(kind, generator))


def camera_file(path: Path, seconds: float, kind: int = 0) -> Path:
    """Write what a fake camera shows: a scene in steady motion, in which no two frames are equal.

    Args:
        path: of the file; its name must end in `.mjpeg` for Chromium to take it.
        seconds: until it starts again.
        kind: of the scene.
    """
    height, width = CAMERA
    generator = np.random.default_rng(kind)
    scene = picture(kind, generator, height, 2 * width)
    side = 90
    with path.open("wb") as file:
        for number in range(int(seconds * CAMERA_RATE)):
            at = number * 3 % width
            frame = scene[:, at : at + width].copy()
            # A square on a path that never repeats together with the scene.
            left, top = number * 7 % (width - side), number * 5 % (height - side)
            frame[top : top + side, left : left + side] = (number % 256, 255 - number % 256, number // 2 % 256)
            file.write(jpeg(frame))
    return path
