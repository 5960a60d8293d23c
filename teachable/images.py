"""Photo bytes to arrays and to what is stored. It owns formats, orientation, colour and size; nothing about projects.

Which format a file has is decided by its first bytes, never by its name, and only the formats listed here are opened.
Cropping, scaling and normalising for a network is not done here: that is inside the backbone graph.
"""

import hashlib
import io
import math
import re
import struct
import unicodedata
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import BmpImagePlugin, GifImagePlugin, ImageCms, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from teachable.errors import InvalidInput, NotFound, PhotoError, TooLarge
from teachable.settings import limits
from teachable.types import Image

Picture = PIL.Image.Image

STORED_QUALITY = 92
THUMBNAIL_QUALITY = 82
THUMBNAIL_SIDES = range(16, 513)
LONGEST_ASPECT = 16
"""A stored photo is at most this many times the short side limit long, so that a sliver stays a usable file."""
LARGEST_PROFILE = 4 * 2**20
"""Bytes of an ICC profile; printing profiles are about 2 MB, anything above this is ignored."""

_BROKEN = (
    *(OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, EOFError, RuntimeError),
    *(struct.error, zlib.error, PIL.Image.DecompressionBombError),
)
"""What Pillow's readers raise for damaged or hostile bytes."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})

_UPRIGHT = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
"""What turns a photo upright, by EXIF orientation (CIPA DC-008, tag 0x0112)."""


@dataclass(frozen=True)
class StoredPhoto:
    """What goes on disk for one photo.

    Attributes:
        data: a JPEG without any metadata.
        sha256: of `data`, in hex.
        width: pixels.
        height: pixels.
    """

    data: bytes
    sha256: str
    width: int
    height: int


def decode(data: bytes, name: str = "photo") -> Image:
    """Turn the bytes of a photo into pixels.

    Args:
        data: a whole JPEG, PNG, WebP, GIF (first frame), BMP or HEIC file.
        name: what to call it in an error; its extension is not looked at.

    Returns:
        RGB uint8 `[H, W, 3]`, upright, full size, in sRGB, transparency shown on white.

    Raises:
        PhotoError: empty, cut short, damaged, or no photo at all.
        TooLarge: more bytes or pixels than accepted; noticed before any pixel is decoded.
    """
    return np.array(_rgb(_open(data, name), name))


def prepare(data: bytes, name: str = "photo") -> StoredPhoto:
    """Turn an uploaded photo into what is stored: an upright sRGB JPEG of limited size, with no metadata.

    A JPEG that is upright, small enough and in sRGB keeps its pixels exactly: only segments that could tell more than
    the picture (EXIF with its GPS position, XMP, comments, embedded previews) are cut out, and where there are none it
    stays byte for byte. All others are encoded again.

    Args:
        data: as for `decode`.
        name: as for `decode`.

    Raises:
        PhotoError: as for `decode`.
        TooLarge: as for `decode`.
    """
    source = _open(data, name)
    if isinstance(source, JpegImagePlugin.JpegImageFile):
        kept = _kept(source, data, name)
        if kept is not None:
            return kept
    picture = _rgb(source, name, limits().stored_short_side)
    return _stored(_jpeg(picture, STORED_QUALITY), picture.size)


def load(path: Path) -> Image:
    """Read a stored photo.

    Returns:
        RGB uint8 `[H, W, 3]`.

    Raises:
        NotFound: there is no such file.
        PhotoError: the file was damaged.
    """
    return decode(_read(path), path.name)


def thumbnail(path: Path, side: int = 96) -> bytes:
    """Return the centre square of a stored photo as a small JPEG.

    Args:
        path: of the stored photo.
        side: pixels of the square, 16 to 512.

    Raises:
        InvalidInput: no such side.
        NotFound: there is no such file.
        PhotoError: the file was damaged.
    """
    if side not in THUMBNAIL_SIDES:
        raise InvalidInput("thumbnail_side", low=THUMBNAIL_SIDES.start, high=THUMBNAIL_SIDES.stop - 1)
    picture = _rgb(_open(_read(path), path.name), path.name, side)
    width, height = picture.size
    square = min(width, height)
    left, top = (width - square) // 2, (height - square) // 2
    box = (left, top, left + square, top + square)
    return _jpeg(picture.resize((side, side), PIL.Image.Resampling.LANCZOS, box), THUMBNAIL_QUALITY)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("photo_file_missing") from error


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    """Read the header of a photo and refuse what is too large; no pixel is decoded yet."""
    shown = _shown(name)
    if not data:
        raise PhotoError("photo_empty", name=shown)
    bound = limits()
    if len(data) > bound.photo_bytes:
        size, allowed = _tenths(len(data) / 2**20), _tenths(bound.photo_bytes / 2**20)
        raise TooLarge("photo_bytes", name=shown, megabytes=size, allowed=allowed)
    reader = _reader(data, shown)
    try:
        picture = reader(io.BytesIO(data))
    except _BROKEN as error:
        raise PhotoError("photo_unreadable", name=shown) from error
    pixels = picture.width * picture.height
    if pixels > bound.photo_pixels:
        found, allowed = _tenths(pixels / 1e6), _tenths(bound.photo_pixels / 1e6)
        raise TooLarge("photo_pixels", name=shown, megapixels=found, allowed=allowed)
    return picture


def _reader(data: bytes, shown: str) -> type[ImageFile.ImageFile]:
    """Return the Pillow class for the format the bytes begin with.

    The classes are used directly, not through `PIL.Image.open`: its size check warns or raises before ours is asked,
    and its list of formats can be added to by anyone in the process.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImagePlugin.JpegImageFile
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    if data[:6] in {b"GIF87a", b"GIF89a"}:
        return GifImagePlugin.GifImageFile
    if data.startswith(b"BM"):
        return BmpImagePlugin.BmpImageFile
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        try:
            from pillow_heif import HeifImageFile
        except ImportError as error:
            raise PhotoError("photo_heic", name=shown) from error
        heif: type[ImageFile.ImageFile] = HeifImageFile
        return heif
    raise PhotoError("photo_unknown", name=shown)


def _rgb(picture: ImageFile.ImageFile, name: str, short_side: int | None = None) -> Picture:
    """Decode to an upright sRGB picture, reduced to `short_side` where that is given and smaller."""
    if short_side is not None and isinstance(picture, JpegImagePlugin.JpegImageFile):
        # libjpeg can decode at 1/2, 1/4 or 1/8 of the size for a fraction of the time.
        picture.draft(None, _reduced(picture.size, short_side))
    _decode(picture, name)
    profile = picture.info.get("icc_profile")
    orientation = _orientation(picture)
    flat = _flat(picture)
    if short_side is not None:
        flat = flat.resize(_reduced(flat.size, short_side), PIL.Image.Resampling.LANCZOS, reducing_gap=2.0)
    if orientation in _UPRIGHT:
        flat = flat.transpose(_UPRIGHT[orientation])
    return _srgb(flat, profile)


def _decode(picture: ImageFile.ImageFile, name: str) -> None:
    try:
        picture.load()
    except _BROKEN as error:
        raise PhotoError("photo_truncated", name=_shown(name)) from error


def _orientation(picture: Picture) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where the tag is missing or its block cannot be read, as browsers do."""
    try:
        orientation = picture.getexif().get(0x0112, 1)
    except _BROKEN:
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _reduced(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Return the size with the short side limited to `short_side`, the long one to 16 times that, aspect kept."""
    width, height = size
    factor = min(1.0, short_side / min(size), short_side * LONGEST_ASPECT / max(size))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _flat(picture: Picture) -> Picture:
    """Return the picture in mode L, RGB or CMYK: transparency on white, palette looked up, 16 bits rounded to 8."""
    if picture.mode.startswith("I"):
        return _eight_bits(picture)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        paper = PIL.Image.new("RGB", layer.size, "white")
        paper.paste(layer, mask=layer.getchannel("A"))
        return paper
    if picture.mode == "CMYK":
        # Pillow takes all CMYK JPEGs as inverted, which only those with Adobe's marker are.
        inverted = "adobe" in picture.info or not isinstance(picture, JpegImagePlugin.JpegImageFile)
        return picture if inverted else PIL.Image.eval(picture, lambda ink: 255 - ink)
    return picture.convert("L" if picture.mode in {"1", "L"} else "RGB")


def _eight_bits(picture: Picture) -> Picture:
    """Return a 16-bit grey picture in 8 bits."""
    grey = np.asarray(picture).astype(np.int64).clip(0, 65535)
    see_through = picture.info.get("transparency")
    if isinstance(see_through, int):
        grey = np.where(grey == see_through, 65535, grey)
    return PIL.Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8))


def _srgb(picture: Picture, profile: bytes | None) -> Picture:
    """Return a mode L, RGB or CMYK picture in sRGB, read by its ICC profile if it has a usable one."""
    if profile and len(profile) <= LARGEST_PROFILE:
        if picture.mode == "L" and profile[16:20] == b"RGB ":
            picture = picture.convert("RGB")
        transform = _transform(profile, picture.mode)
        if transform is not None:
            return ImageCms.applyTransform(picture, transform) or picture
    return picture.convert("RGB")


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what converts `mode` pixels of an ICC profile to sRGB.

    None where the profile is sRGB already, under whatever name, and where it is damaged or belongs to another kind of
    picture: then the numbers are taken as sRGB, as browsers do.
    """
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), mode, "RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode == "CMYK":
        return transform
    # A coarse cube of colours tells whether anything would change by more than rounding.
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    probe = PIL.Image.fromarray(cube).convert(mode)
    converted = ImageCms.applyTransform(probe, transform)
    difference = np.asarray(converted).astype(np.int16) - np.asarray(probe.convert("RGB"))
    return transform if np.abs(difference).max() > 2 else None


def _kept(picture: JpegImagePlugin.JpegImageFile, data: bytes, name: str) -> StoredPhoto | None:
    """Return an uploaded JPEG without its metadata but with its pixels as they are, or None if that will not do."""
    size = picture.size
    profile = picture.info.get("icc_profile")
    if (
        picture.mode not in {"L", "RGB"}
        or _reduced(size, limits().stored_short_side) != size
        or _orientation(picture) != 1
        or (profile and (len(profile) > LARGEST_PROFILE or _transform(profile, picture.mode) is not None))
    ):
        return None
    plain = _without_metadata(data)
    if plain is None:
        return None
    # Every bit of the file is read, but only an eighth of the pixels made: enough to know that the photo is whole.
    whole = _open(plain, name)
    whole.draft("L", (1, 1))
    _decode(whole, name)
    return _stored(plain, size)


_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_KEPT_SEGMENTS = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD})
"""Frame (baseline, extended, progressive), Huffman tables, scan, quantisation tables, restart interval."""


def _without_metadata(data: bytes) -> bytes | None:
    """Return a JPEG with only the segments needed to decode it, and nothing after its end (ITU-T T.81, annex B).

    Returns:
        `data` itself where there is nothing to remove; None where it is built in an unusual way or its end is missing.
    """
    parts = [data[:2]]
    at = 2
    while data[at : at + 2] != b"\xff\xd9":
        if at + 4 > len(data) or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        segment = data[at:end]
        if marker == 0xDA:
            following = _MARKER_IN_SCAN.search(data, end)
            if following is None:
                return None
            end = following.start()
            parts.append(data[at:end])
        elif marker in _KEPT_SEGMENTS or _tells_colours(segment):
            parts.append(segment)
        elif not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            return None
        at = end
    parts.append(data[at : at + 2])
    plain = b"".join(parts)
    return data if len(plain) == len(data) else plain


def _tells_colours(segment: bytes) -> bool:
    """Return whether a segment is the bare JFIF or Adobe one, which decoders need to tell the colour space."""
    jfif = segment[:2] == b"\xff\xe0" and segment[4:9] == b"JFIF\0" and len(segment) == 18
    adobe = segment[:2] == b"\xff\xee" and segment[4:9] == b"Adobe" and len(segment) == 16
    return jfif or adobe


def _jpeg(picture: Picture, quality: int) -> bytes:
    picture.info = {}  # Pillow would write the comment of the source file again
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _stored(data: bytes, size: tuple[int, int]) -> StoredPhoto:
    return StoredPhoto(data, hashlib.sha256(data).hexdigest(), *size)


def _tenths(number: float) -> str:
    """Return a number with at most one decimal, rounded up, so that what is too large never looks allowed."""
    return f"{math.ceil(number * 10) / 10:g}"


def _shown(name: str) -> str:
    """Return a file name fit for a message: at most 60 characters and no control characters."""
    clean = "".join(letter for letter in name if unicodedata.category(letter) not in {"Cc", "Cs", "Zl", "Zp"})
    return clean if len(clean) <= 60 else f"{clean[:40]}…{clean[-19:]}"
