"""What a model looked at, made visible: its heat map laid over the photo.

It owns how strength becomes colour and where on the photo the map lies. The map itself is the output `heatmap` of the
model file; `teachable.runtime` gives it, and the pages draw it in the same colours.
"""

import io

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from teachable.types import Image

SIDE = 256
"""Pixels of each side of a picture with a heat map, unless said otherwise."""
QUALITY = 82
# From a dark veil to a warm light, so that it shows on photos of every colour; `assets/studio/heat.js` does the same.
_DARK = np.array([12, 14, 40], np.float32)
_LIGHT = np.array([255, 214, 40], np.float32)
_VEIL, _GLOW = 175 / 255, 110 / 255
# Stripes where the network does not look at all: pixels from one to the next, and how far they go towards white.
_STRIPE, _PALE = 8, 0.55


def strength(heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much each place speaks for the class, as a share of what the strongest place says.

    Args:
        heatmap: of one class, float32 `[h, w]`, as the model file gives it (class activation map, Zhou et al. 2016).

    Returns:
        float32 `[h, w]`, 0 to 1. Places that speak against the class are 0, all are where none speaks for it, and so is
        what is no number.

    Raises:
        ValueError: this is no map.
    """
    if heatmap.ndim != 2 or not heatmap.size:
        raise ValueError("a heat map has a height and a width")
    values = np.nan_to_num(np.asarray(heatmap, np.float64), nan=0.0, posinf=0.0, neginf=0.0).clip(0)
    most = values.max()
    return np.asarray(values / most if most > 0 else values, np.float32)


def overlay(photo: Image, heatmap: NDArray[np.float32], view: float = 1.0, side: int = SIDE) -> Image:
    """Return the middle of a photo with what the network looked at laid over it.

    Args:
        photo: uint8 RGB `[height, width, 3]`, upright.
        heatmap: of one class, float32 `[h, w]`, of this photo.
        view: which part of the shorter side of a photo the network sees, above 0, at most 1. What lies outside is
            striped.
        side: pixels of the square to return.

    Returns:
        The centre square of the photo, uint8 RGB `[side, side, 3]`; bright where it speaks for the class, dark where it
        does not.

    Raises:
        ValueError: this is no photo, no map, or no such view or side.
    """
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or not photo.size:
        raise ValueError("a photo is uint8 RGB [height, width, 3]")
    if not 0 < view <= 1 or side < 1:
        raise ValueError("the view is above 0 and at most 1, the side at least 1")
    square = _square(photo, side)
    seen = max(1, round(side * view))
    start = (side - seen) // 2
    inside = slice(start, start + seen)
    out = _striped(square) if seen < side else square.copy()
    out[inside, inside] = _lit(square[inside, inside], _stretched(strength(heatmap), seen))
    return np.asarray(out.round(), np.uint8)


def picture(photo: Image, heatmap: NDArray[np.float32], view: float = 1.0, side: int = SIDE) -> bytes:
    """Return the same as a JPEG, to be shown in a page."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(overlay(photo, heatmap, view, side)).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _square(photo: Image, side: int) -> NDArray[np.float32]:
    """Return the centre square of a photo in another size, float32 `[side, side, 3]`, 0 to 255."""
    height, width = photo.shape[:2]
    short = min(height, width)
    left, top = (width - short) // 2, (height - short) // 2
    cut = PIL.Image.fromarray(np.ascontiguousarray(photo[top : top + short, left : left + short]))
    return np.asarray(cut.resize((side, side), PIL.Image.Resampling.LANCZOS), np.float32)


def _stretched(shares: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return a map in another size, its places blurred into one another, float32 `[side, side, 1]`."""
    wide = PIL.Image.fromarray(shares).resize((side, side), PIL.Image.Resampling.BILINEAR)
    return np.asarray(wide, np.float32)[:, :, None].clip(0, 1)


def _lit(pixels: NDArray[np.float32], shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return pixels under the veil: `shares` float32 `[side, side, 1]` of it is light."""
    # Green rises later than red: what lies between is red.
    rise = np.concatenate([shares, shares**2, shares], axis=2)
    color = _DARK + (_LIGHT - _DARK) * rise
    opacity = _VEIL + (_GLOW - _VEIL) * shares
    return np.asarray(pixels * (1 - opacity) + color * opacity, np.float32)


def _striped(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return pixels with pale stripes over them."""
    rows, columns = np.indices(pixels.shape[:2])
    stripes = ((rows + columns) // (_STRIPE // 2)) % 2 == 0
    pale: NDArray[np.float32] = pixels + (255 - pixels) * _PALE
    return np.where(stripes[:, :, None], pale, pixels)
