"""What can be seen of a photo without any network: a perceptual hash, sharpness, brightness, contrast, colours.

It owns these measures and how they are packed for a cache; keeping them is `teachable.backlog`, what follows from them
`teachable.duplicates` and `teachable.doctor`. All of them look at the centre square, as the thumbnails show it.
"""

import math
from collections.abc import Sequence

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from teachable.types import Image, Looks

VERSION = "looks-1"
"""Changes with every change of a measure, so that what was kept of another one is not mixed with it."""

SIDE = 128
"""Pixels of the square that is measured, at most: finer detail than that is noise in most photos."""
# Every so many lines across are enough to tell how sharp a photo is.
_LINES = 3
TILES = 4
_HASHED, _FREQUENCIES = 32, 8
# The lowest frequencies of a cosine transform (DCT-II).
_COSINES = np.cos(np.pi * np.arange(_FREQUENCIES)[:, None] * (2 * np.arange(_HASHED)[None] + 1) / (2 * _HASHED)).astype(
    np.float32
)
# Width of the blur that a photo is compared with.
_BLUR = 5
_GREYS = np.arange(256) / 255
# Of a wave, with grey values up to 1: what rounding alone can make of a photo of one colour.
_NOTHING = 1e-3


def measure(image: Image) -> Looks:
    """Measure one photo.

    Hash: the 64 lowest frequencies of the cosine transform of a grey copy of 32 x 32, each above the median or not
    (pHash; Zauner 2010). Sharpness: how much of the difference between neighbouring pixels a blur takes away (Crete et
    al. 2007, The Blur Effect), along the direction where that is less; 0 for a photo of one colour. Contrast: twice the
    standard deviation of grey values (root-mean-square contrast, Peli 1990).

    Args:
        image: uint8 `[H, W, 3]`.

    Returns:
        Looks with one row.
    """
    height, width = image.shape[:2]
    square = min(height, width)
    left, top = (width - square) // 2, (height - square) // 2
    whole = PIL.Image.fromarray(image)
    small = whole.reduce(-(-square // SIDE), (left, top, left + square, top + square))
    grey = small.convert("L")
    values = np.asarray(grey)
    tiny = small.resize((TILES, TILES), PIL.Image.Resampling.BOX)
    tiles = np.asarray(tiny, np.float32) / np.float32(255)
    counts = np.array(grey.histogram())
    brightness, squares = float(counts @ _GREYS) / values.size, float(counts @ _GREYS**2) / values.size
    return Looks(
        hashes=np.array([_hash(grey)], np.uint64),
        sharpness=np.array([_sharpness(values.astype(np.int16))], np.float32),
        brightness=np.array([brightness], np.float32),
        contrast=np.array([2 * math.sqrt(max(0.0, squares - brightness**2))], np.float32),
        tiles=tiles[None],
    )


def unseen(sha256: str) -> Looks:
    """Return the looks of a photo that cannot be read: NaN, and a hash that is near no other.

    Args:
        sha256: of the photo, in hex.
    """
    nothing = np.array([np.nan], np.float32)
    tiles = np.full((1, TILES, TILES, 3), np.nan, np.float32)
    return Looks(np.array([int(sha256[:16], 16)], np.uint64), nothing, nothing.copy(), nothing.copy(), tiles)


def stack(several: Sequence[Looks]) -> Looks:
    """Return the looks of several photos as one record, in the order given; of none as one with no rows."""
    return unpack(np.concatenate([np.empty((0, WIDTH), np.float32), *map(pack, several)]))


WIDTH = 4 + 3 + TILES * TILES * 3
"""Numbers per photo when packed."""


def pack(looks: Looks) -> NDArray[np.float32]:
    """Return looks as numbers, float32 `[N, WIDTH]`; a hash becomes four of 16 bits, which float32 holds exactly."""
    parts = looks.hashes[:, None] >> np.arange(0, 64, 16, dtype=np.uint64) & np.uint64(0xFFFF)
    single = np.stack([looks.sharpness, looks.brightness, looks.contrast], axis=1)
    return np.hstack([parts.astype(np.float32), single, looks.tiles.reshape(len(parts), -1)])


def unpack(packed: NDArray[np.float32]) -> Looks:
    """Return looks from what `pack` made of them."""
    parts = packed[:, :4].astype(np.uint64) << np.arange(0, 64, 16, dtype=np.uint64)
    sharpness, brightness, contrast = (np.ascontiguousarray(packed[:, column]) for column in (4, 5, 6))
    tiles = packed[:, 7:].reshape(-1, TILES, TILES, 3)
    return Looks(np.bitwise_or.reduce(parts, axis=1), sharpness, brightness, contrast, np.ascontiguousarray(tiles))


def _hash(grey: PIL.Image.Image) -> int:
    """Return a perceptual hash; photos that look alike differ in few of its 64 bits."""
    values = np.asarray(
        grey.resize((_HASHED, _HASHED), PIL.Image.Resampling.BOX, reducing_gap=1.5), np.float32
    ) / np.float32(255)
    waves = _COSINES @ values @ _COSINES.T
    # The mean grey is always the largest; without it, and without crumbs, a photo of one colour has no bit set.
    waves[0, 0] = 0
    waves[np.abs(waves) < _NOTHING] = 0
    ordered = np.sort(waves, axis=None)
    bits = (waves > (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _sharpness(grey: NDArray[np.int16]) -> float:
    """Return 0 for a photo that a blur changes nothing of, to 1 for one that it takes all detail from."""
    return min(_along(grey[:, ::_LINES].copy()), _along(grey[::_LINES].T.copy()))


def _along(grey: NDArray[np.int16]) -> float:
    """Return the sharpness along the first axis."""
    half = _BLUR // 2
    inner = grey[half : len(grey) - half]
    # Two neighbours in a running mean differ by what enters it and what leaves it.
    before, after = _BLUR * np.abs(np.diff(inner, axis=0)), np.abs(grey[_BLUR:] - grey[:-_BLUR])
    total = int(before.sum(dtype=np.int64))
    # A smooth slope in whole grey values is a stair, whose steps are no detail.
    taken = np.where(before > _BLUR, np.maximum(before - after, 0), 0)
    return int(taken.sum(dtype=np.int64)) / total if total else 0.0
