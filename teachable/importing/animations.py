"""Frames of an animated GIF, WebP or PNG: all of them, in order, one group. It owns how many there may be."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import PIL.Image
from PIL import GifImagePlugin, ImageFile, PngImagePlugin, WebPImagePlugin

from teachable.errors import InvalidInput, TooLarge
from teachable.importing.source import Piece, group_name, stored_size
from teachable.settings import limits

MOST_FRAMES = 5_000
MOST_PIXELS = 2_000_000_000
"""Of all frames together: each is painted over the one before."""

LARGEST_FRAME = 16_000_000
"""Pixels of one frame, of which several copies are held."""

START = 64
"""Bytes to tell an animation by, where they tell it."""

FRAME_QUALITY = 92
_BROKEN = (
    *(OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, EOFError, RuntimeError),
    *(struct.error, zlib.error, PIL.Image.DecompressionBombError, UserWarning),
)
"""What Pillow's readers raise for damaged or hostile bytes, and what they warn of where warnings are errors."""

_MOST_BLOCKS = 1_000_000


def may_move(start: bytes) -> bool:
    """Return whether a file that begins so can be an animation; most GIF and PNG files that can be are none."""
    if start[:6] in {b"GIF87a", b"GIF89a"} or start.startswith(b"\x89PNG\r\n\x1a\n"):
        return True
    # The second bit of the flags: WebP Container Specification, "Extended File Format".
    return start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X" and bool(start[20] & 0x02 if len(start) > 20 else False)


def moves(data: bytes, name: str) -> bool:
    """Return whether a file is an animation; damaged ones are none."""
    try:
        return _frames(data, name)[1] > 1
    except InvalidInput:
        return False


class Animation(Piece):
    """One animation: a group of its own.

    Args:
        size: bytes of the file.
        read: returns them.

    Raises:
        InvalidInput: no animation that can be read.
        TooLarge: too many frames or pixels.
    """

    __slots__ = ("_count", "_read")

    moving = True

    def __init__(self, name: str, size: int, read: Callable[[], bytes], *, test: bool = False) -> None:
        super().__init__(name, group_name(name), size, test=test)
        self._read = read
        self._count = _frames(read(), name)[1]

    def count(self, rate: float) -> int:
        """Return how many frames there are, whatever the rate."""
        return self._count

    def photos(self, rate: float, start: int) -> Iterator[tuple[int, bytes]]:
        """Give the frames."""
        picture, count = _frames(self._read(), self.name)
        for place in range(start, count):
            yield place, _frame(picture, place, self.name)

    def picture(self, share: float) -> bytes:
        """Return a frame."""
        picture, count = _frames(self._read(), self.name)
        return _frame(picture, min(int(share * count), count - 1), self.name)


def _frames(data: bytes, name: str) -> tuple[ImageFile.ImageFile, int]:
    """Open an animation and count its frames; none of them is painted yet."""
    if len(data) > limits().photo_bytes:
        raise TooLarge("archive_entry_large", name=name, megabytes=f"{limits().photo_bytes / 2**20:.0f}")
    reader: type[ImageFile.ImageFile]
    if data.startswith(b"GIF8"):
        reader, (width, height, frames) = GifImagePlugin.GifImageFile, _extent_of_gif(data)
    elif data.startswith(b"\x89PNG"):
        reader, (width, height, frames) = PngImagePlugin.PngImageFile, _extent_of_png(data)
    else:
        reader, (width, height, frames) = WebPImagePlugin.WebPImageFile, _extent_of_webp(data)
    pixels = width * height
    # Before anything else looks at it: a file of a few bytes can ask for gigabytes, or for hours.
    if pixels > LARGEST_FRAME or frames > MOST_FRAMES or pixels * frames > MOST_PIXELS:
        raise TooLarge("animation_long", name=name, frames=MOST_FRAMES)
    try:
        picture = reader(io.BytesIO(data))
        count = int(getattr(picture, "n_frames", 1))
    except _BROKEN as error:
        raise InvalidInput("animation_damaged", name=name) from error
    if count > MOST_FRAMES or count * picture.width * picture.height > MOST_PIXELS:
        raise TooLarge("animation_long", name=name, frames=MOST_FRAMES)
    return picture, max(1, count)


def _frame(picture: ImageFile.ImageFile, place: int, name: str) -> bytes:
    """Paint one frame as a JPEG on white, of the size photos are stored in.

    Raises:
        InvalidInput: it is damaged.
    """
    try:
        picture.seek(place)
        layer = picture.convert("RGBA")
    except _BROKEN as error:
        raise InvalidInput("animation_damaged", name=name) from error
    paper = PIL.Image.new("RGB", layer.size, "white")
    paper.paste(layer, mask=layer.getchannel("A"))
    stream = io.BytesIO()
    paper.resize(stored_size(*paper.size), PIL.Image.Resampling.LANCZOS).save(stream, "JPEG", quality=FRAME_QUALITY)
    return stream.getvalue()


def _extent_of_png(data: bytes) -> tuple[int, int, int]:
    """Return width, height and, as one says it itself only later, one frame (PNG specification, "IHDR")."""
    width, height = struct.unpack_from(">LL", data.ljust(24, b"\0"), 16)
    return width, height, 1


def _extent_of_webp(data: bytes) -> tuple[int, int, int]:
    """Return width, height and one frame (WebP Container Specification, "Extended File Format")."""
    return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little"), 1


def _extent_of_gif(data: bytes) -> tuple[int, int, int]:
    """Return width and height of what all frames together cover, and how many there are (GIF89a specification).

    Frames can reach beyond the size at the beginning of the file, and then the picture grows. Where a file is cut off,
    what comes before counts.
    """
    width, height, flags = struct.unpack_from("<HHB", data.ljust(13, b"\0"), 6)
    at = 13 + _table(flags)
    frames = blocks = 0
    while at < len(data) and frames <= MOST_FRAMES:
        if data[at] == 0x2C and at + 10 <= len(data):
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at + 1)
            width, height = max(width, left + wide), max(height, top + high)
            frames += 1
            at += 11 + _table(flags)
        elif data[at] == 0x21:
            at += 2
        elif data[at] == 0x3B:
            break
        else:
            # What is between blocks does not count for those who show it either.
            at += 1
            blocks += 1
            if blocks > _MOST_BLOCKS:
                return width, height, MOST_FRAMES + 1
            continue
        while at < len(data) and data[at]:
            at += 1 + data[at]
            blocks += 1
            if blocks > _MOST_BLOCKS:
                return width, height, MOST_FRAMES + 1
        at += 1
    return width, height, frames


def _table(flags: int) -> int:
    """Return the bytes of the table of colours that flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
