"""What the camera sees in browser tests: two scenes that any network tells apart, drawn in code. It owns pixels."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 160, 120
FRAMES = 450
"""Frames of one film, thirty a second. They all differ, so that no recording of a test holds a repeat."""

PLACES = ((1.0, (1.0, 1.0, 1.0), 0.0), (2.2, (0.75, 1.0, 0.8), 60.0), (0.6, (1.0, 0.7, 0.9), -45.0))
"""Where a scene can be recorded: how near it is, the colour of the light, and how bright the left edge is."""

Pixels = NDArray[np.uint8]


def frame(scene: str, number: int, size: tuple[int, int] = (WIDTH, HEIGHT), place: int = 0) -> Pixels:
    """Return one picture of a scene, uint8 [height, width, 3]; the number moves and lights it a little.

    Args:
        scene: "stripes", warm and diagonal, or "dots", cool and round.
        number: which picture.
        size: width and height in pixels.
        place: where it is recorded; pictures of different places are not nearly the same.
    """
    width, height = size
    near, light, edge = PLACES[place]
    y, x = np.mgrid[0:height, 0:width].astype(np.float64) / near
    shift = number * 1.7
    if scene == "stripes":
        wave = np.sin((x + 0.6 * y + shift) / 9.0)[..., None]
        picture = np.array([205.0, 120.0, 50.0]) + wave * np.array([45.0, 70.0, 35.0])
    else:
        wave = (np.sin((x + shift) / 7.0) * np.sin((y - shift) / 7.0) > 0.25)[..., None]
        picture = np.where(wave, [235.0, 245.0, 250.0], [25.0, 70.0, 140.0])
    lit = picture * np.array(light) * (0.92 + 0.12 * np.sin(number / 7.0)) + grain(height, width, number)
    lit += edge * np.linspace(1.0, -1.0, width)[None, :, None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def grain(height: int, width: int, number: int) -> NDArray[np.float64]:
    """Return the noise of a cheap camera, which no two pictures share."""
    return np.random.default_rng(number).normal(0.0, 5.0, (height, width, 1))


def photo(
    scene: str, number: int, kind: str = "JPEG", size: tuple[int, int] = (WIDTH, HEIGHT), place: int = 0
) -> bytes:
    """Return one picture of a scene as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(frame(scene, number, size, place)).save(file, kind)
    return file.getvalue()


def photos(scene: str, count: int, first: int = 0, place: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of photos of a scene, all different."""
    for number in range(first, first + count):
        yield f"{scene}-{number}.jpg", photo(scene, number, place=place)


def film(scene: str, path: Path) -> Path:
    """Write the film that the fake camera plays round and round: JPEG after JPEG, as Chromium reads it."""
    path.write_bytes(b"".join(data for _, data in photos(scene, FRAMES)))
    return path
