import hashlib
import io
import struct
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pillow_heif
import pytest
from PIL import ImageCms, PngImagePlugin

from teachable import images
from teachable.errors import InvalidInput, NotFound, PhotoError, TooLarge

RED, WHITE = (200, 30, 40), (255, 255, 255)


def scene(width: int = 64, height: int = 48) -> PIL.Image.Image:
    """A picture whose four quarters differ, so that any turn or mirror shows."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (220, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 220)
    pixels[height // 2 :, width // 2 :] = (230, 230, 40)
    return PIL.Image.fromarray(pixels)


def noise(width: int, height: int, seed: int = 0) -> PIL.Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return PIL.Image.fromarray(coarse).resize((width, height))


def encoded(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(picture).save(stream, quality=90)
    else:
        picture.save(stream, kind, **options)
    return stream.getvalue()


def alike(found: np.ndarray, wanted: PIL.Image.Image, tolerance: float = 6) -> bool:
    """Compare the middles of the quarters: codecs smear edges."""
    pixels = np.asarray(wanted.convert("RGB"))
    if found.shape != pixels.shape:
        return False
    rows, columns = found.shape[0] // 4, found.shape[1] // 4
    spots = [(row, column) for row in (rows, 3 * rows) for column in (columns, 3 * columns)]
    return all(np.abs(found[spot].astype(int) - pixels[spot]).max() <= tolerance for spot in spots)


def centre(found: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in found[found.shape[0] // 2, found.shape[1] // 2])


def close(found: tuple[int, ...], wanted: tuple[int, ...], tolerance: int = 3) -> bool:
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= tolerance


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "HEIF"])
def test_every_format_is_read_whatever_its_name(kind: str) -> None:
    found = images.decode(encoded(scene(), kind), "notes.txt")
    assert found.dtype == np.uint8
    assert found.flags.writeable
    assert alike(found, scene(), 12)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    assert np.array_equal(images.decode(encoded(scene(), kind)), np.asarray(scene()))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation_is_taken(kind: str) -> None:
    frames = [PIL.Image.new("RGB", (40, 30), color) for color in (RED, "blue", "green")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    assert close(centre(images.decode(data)), RED, 5)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied(orientation: int, kind: str) -> None:
    turned_back = {
        1: lambda picture: picture,
        2: lambda picture: picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda picture: picture.rotate(180),
        4: lambda picture: picture.transpose(PIL.Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda picture: picture.transpose(PIL.Image.Transpose.TRANSPOSE),
        6: lambda picture: picture.rotate(90, expand=True),
        7: lambda picture: picture.transpose(PIL.Image.Transpose.TRANSVERSE),
        8: lambda picture: picture.rotate(270, expand=True),
    }
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = encoded(turned_back[orientation](scene(160, 96)), kind, exif=exif, quality=95)
    assert alike(images.decode(data), scene(160, 96), 12)
    stored = images.prepare(data)
    assert (stored.width, stored.height) == (160, 96)
    assert alike(images.decode(stored.data), scene(160, 96), 14)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_hide_the_photo() -> None:
    data = encoded(scene(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert images.prepare(data).width == 64


@pytest.mark.parametrize(
    ("mode", "color", "options", "wanted"),
    [
        ("1", 1, {}, WHITE),
        ("L", 90, {}, (90, 90, 90)),
        ("LA", (90, 0), {}, WHITE),
        ("LA", (90, 255), {}, (90, 90, 90)),
        ("RGBA", (*RED, 0), {}, WHITE),
        ("RGBA", (*RED, 255), {}, RED),
        ("RGBA", (0, 0, 0, 127), {}, (128, 128, 128)),
        ("RGB", RED, {"transparency": RED}, WHITE),
        ("L", 90, {"transparency": 90}, WHITE),
        ("I;16", 257 * 90, {}, (90, 90, 90)),
        ("I;16", 65535, {}, WHITE),
    ],
)
def test_modes_are_shown_on_white(
    mode: str, color: int, options: dict[str, object], wanted: tuple[int, int, int]
) -> None:
    data = encoded(PIL.Image.new(mode, (20, 10), color), "PNG", **options)
    assert close(centre(images.decode(data)), wanted, 1)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_a_transparent_entry_is_shown_on_white(kind: str) -> None:
    picture = PIL.Image.new("P", (20, 10), 0)
    picture.putpalette([*RED, 0, 0, 255])
    picture.paste(1, (0, 0, 5, 10))
    found = images.decode(encoded(picture, kind, transparency=0))
    assert centre(found) == WHITE
    assert tuple(found[5, 2]) == (0, 0, 255)


def test_sixteen_bit_colour_is_reduced_to_eight() -> None:
    row = b"\0" + struct.pack(">3H", *(257 * value for value in RED)) * 4

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0))
    data += chunk(b"IDAT", zlib.compress(row * 3)) + chunk(b"IEND", b"")
    assert centre(images.decode(data)) == RED


def test_cmyk_is_read_with_and_without_adobe_inversion() -> None:
    inks = PIL.Image.new("CMYK", (32, 32), (0, 200, 150, 20))
    wanted = centre(np.asarray(inks.convert("RGB")))
    adobe = encoded(inks, "JPEG", quality=98)
    assert close(centre(images.decode(adobe)), wanted, 6)
    at = adobe.index(b"\xff\xee")
    inverted = encoded(PIL.Image.eval(inks, lambda ink: 255 - ink), "JPEG", quality=98)
    plain = inverted[:at] + inverted[at + 16 :]
    assert b"Adobe" not in plain
    assert close(centre(images.decode(plain)), wanted, 6)
    assert close(centre(images.decode(images.prepare(adobe).data)), wanted, 6)


def swapped_profile() -> bytes:
    """An ICC profile that is sRGB with red and green swapped, so that applying it cannot be missed."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = {bytes(profile[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    red, green = (bytes(profile[entries[tag] + 4 : entries[tag] + 12]) for tag in (b"rXYZ", b"gXYZ"))
    profile[entries[b"rXYZ"] + 4 : entries[b"rXYZ"] + 12] = green
    profile[entries[b"gXYZ"] + 4 : entries[b"gXYZ"] + 12] = red
    return bytes(profile)


def test_colour_profile_is_converted_to_srgb() -> None:
    picture = PIL.Image.new("RGB", (32, 32), (30, 180, 60))
    data = encoded(picture, "PNG", icc_profile=swapped_profile())
    assert close(centre(images.decode(data)), (180, 30, 60), 4)
    stored = images.prepare(encoded(picture, "JPEG", quality=98, icc_profile=swapped_profile()))
    assert close(centre(images.decode(stored.data)), (180, 30, 60), 6)
    assert b"ICC_PROFILE" not in stored.data


def test_srgb_profile_is_dropped_without_touching_pixels() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = encoded(noise(64, 48), "JPEG")
    assert images.prepare(encoded(noise(64, 48), "JPEG", icc_profile=profile)).data == plain


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200, swapped_profile()[:300], b"x" * (5 * 2**20)])
def test_unusable_profile_is_ignored(profile: bytes) -> None:
    data = encoded(scene(), "PNG", icc_profile=profile)
    if len(profile) < PngImagePlugin.MAX_TEXT_CHUNK:
        assert np.array_equal(images.decode(data), np.asarray(scene()))
    assert alike(images.decode(encoded(scene(), "JPEG", icc_profile=profile, quality=95)), scene(), 12)


def test_profile_of_another_kind_of_picture_is_ignored() -> None:
    found = images.decode(encoded(PIL.Image.new("L", (9, 9), 77), "PNG", icc_profile=swapped_profile()))
    assert close(centre(found), (77, 77, 77), 3)


def test_a_plain_camera_jpeg_is_kept_byte_for_byte() -> None:
    for picture in (noise(640, 480), noise(640, 480).convert("L")):
        for options in ({}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}):
            data = encoded(picture, "JPEG", quality=85, **options)
            stored = images.prepare(data)
            assert stored.data == data
            assert (stored.width, stored.height) == (640, 480)
            assert stored.sha256 == hashlib.sha256(data).hexdigest()


def located(picture: PIL.Image.Image) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[29] = "2024:01:01"
    xmp = b"<x:xmpmeta>SecretPlace</x:xmpmeta>"
    return encoded(picture, "JPEG", exif=exif, xmp=xmp, comment=b"SecretComment") + b"SecretTrailer"


def test_nothing_but_the_picture_is_stored() -> None:
    data = located(noise(640, 480))
    assert data.count(b"Secret") == 4
    stored = images.prepare(data)
    assert b"Secret" not in stored.data
    assert b"Exif" not in stored.data
    assert stored.data == encoded(noise(640, 480), "JPEG")  # cut out, not encoded again
    large = images.prepare(located(noise(2000, 1500)))
    assert b"Secret" not in large.data
    assert b"Exif" not in large.data


def test_embedded_preview_and_odd_segments_are_cut_out() -> None:
    plain = encoded(noise(64, 48), "JPEG")
    jfif_end = 20
    for extra in (b"JFXX\0\x10SecretPreview", b"ICC_PROFILE\0\x01\x02broken", b"Ducky"):
        segment = b"\xff\xe0" + struct.pack(">H", len(extra) + 2) + extra
        assert images.prepare(plain[:jfif_end] + segment + plain[jfif_end:]).data == plain


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((1500, 1000), (768, 512)), ((1000, 1500), (512, 768)), ((4000, 3000), (683, 512)), ((512, 9000), (466, 8192))],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_photos_are_reduced(size: tuple[int, int], wanted: tuple[int, int], kind: str) -> None:
    stored = images.prepare(encoded(scene(*size), kind, **({"compress_level": 1} if kind == "PNG" else {})))
    assert (stored.width, stored.height) == wanted
    assert alike(images.decode(stored.data), scene(*wanted), 8)


def test_small_photos_are_not_enlarged() -> None:
    stored = images.prepare(encoded(PIL.Image.new("RGB", (1, 1), RED), "PNG"))
    assert (stored.width, stored.height) == (1, 1)


def test_a_sliver_stays_a_usable_photo() -> None:
    stored = images.prepare(encoded(PIL.Image.new("L", (70_000, 1), 9), "PNG"))
    assert (stored.width, stored.height) == (8192, 1)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("GIF", {}), ("BMP", {}), ("HEIF", {})],
)
@pytest.mark.parametrize("read", [images.decode, images.prepare])
def test_a_photo_cut_short_is_refused(kind: str, options: dict[str, object], read: Callable[..., object]) -> None:
    data = encoded(noise(160, 120), kind, **options)
    for share in (0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
        with pytest.raises(PhotoError) as caught:
            read(data[: int(len(data) * share)], "cat.jpg")
        assert "cat.jpg" in str(caught.value)


@pytest.mark.parametrize("size", [(160, 120), (1600, 1200)])
def test_a_jpeg_without_its_last_bytes_is_refused(size: tuple[int, int]) -> None:
    data = encoded(noise(*size), "JPEG")
    for missing in (1, 2, 3, 20):
        for read in (images.decode, images.prepare):
            with pytest.raises(PhotoError):
                read(data[:-missing])


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"", "photo_empty"),
        (b"hello, this is a text file renamed to photo.jpg", "photo_unknown"),
        (b"%PDF-1.7", "photo_unknown"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "photo_unknown"),
        (b"BMW is a car", "photo_unreadable"),
        (b"\xff\xd8\xff" + b"\0" * 50, "photo_unreadable"),
        (b"\0" * 100_000, "photo_unknown"),
    ],
)
def test_what_is_no_photo_is_refused_in_words(data: bytes, key: str) -> None:
    with pytest.raises(PhotoError) as caught:
        images.prepare(data, "photo.jpg")
    assert caught.value.key == key
    assert "“photo.jpg”" in str(caught.value)


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "PCX", "TGA", "EPS"])
def test_formats_not_on_the_list_are_refused(kind: str) -> None:
    with pytest.raises(PhotoError):
        images.decode(encoded(scene(), kind))


def test_a_long_or_odd_file_name_is_shortened_in_the_message() -> None:
    with pytest.raises(PhotoError) as caught:
        images.decode(b"", "a\nb\0" * 5000 + ".jpg")
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


def bomb(kind: str) -> bytes:
    """A small file that says it has 100 megapixels or more."""
    if kind == "PNG":
        return encoded(PIL.Image.new("1", (10_000, 10_000)), "PNG")
    if kind == "GIF":
        return b"GIF89a" + struct.pack("<HH", 10_000, 10_000) + encoded(scene(), "GIF")[10:]
    if kind == "BMP":
        data = bytearray(encoded(scene(), "BMP"))
        struct.pack_into("<ii", data, 18, 10_000, 10_000)
        return bytes(data)
    if kind == "JPEG":
        data = bytearray(encoded(scene(), "JPEG"))
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 10_000, 10_000)
        return bytes(data)
    canvas = (10_000 - 1).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + canvas + encoded(scene(), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "JPEG", "WEBP"])
@pytest.mark.parametrize("read", [images.decode, images.prepare])
def test_a_hundred_megapixels_are_refused_before_decoding(kind: str, read: Callable[..., object]) -> None:
    data = bomb(kind)
    began = time.process_time()
    with pytest.raises((TooLarge, PhotoError)) as caught:
        read(data, "huge.png")
    assert time.process_time() - began < 1  # decoding 100 megapixels takes longer than that
    if kind != "WEBP":  # libwebp compares canvas and picture first, and finds that they do not fit
        assert caught.value.key == "photo_pixels"
        assert "100 megapixels; up to 64 " in str(caught.value)


def test_a_file_too_big_is_refused_with_its_size() -> None:
    with pytest.raises(TooLarge) as caught:
        images.decode(b"\xff\xd8\xff" + bytes(60 * 2**20), "big.jpg")
    assert "60.1 megabytes; up to 60 " in str(caught.value)


def test_heic_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(scene(), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError) as caught:
        images.decode(data, "IMG_1.HEIC")
    assert caught.value.key == "photo_heic"
    assert "pillow-heif" in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "HEIF"])
def test_damaged_bytes_give_a_picture_or_words(kind: str) -> None:
    random = np.random.default_rng(7)
    data = encoded(noise(60, 40), kind)
    for _ in range(120):
        damaged = bytearray(data)
        reach = min(len(data), int(random.choice([40, 200, len(data)])))
        for _ in range(random.integers(1, 6)):
            damaged[random.integers(reach)] = random.integers(256)
        for read in (images.decode, images.prepare):
            try:
                read(bytes(damaged))
            except (PhotoError, TooLarge):
                continue


def test_load_and_thumbnail_read_what_was_stored(tmp_path: Path) -> None:
    stored = images.prepare(encoded(scene(300, 200), "PNG"))
    path = tmp_path / "photo.jpg"
    path.write_bytes(stored.data)
    assert alike(images.load(path), scene(300, 200), 8)
    for side in (16, 96, 512):
        small = images.decode(images.thumbnail(path, side))
        assert small.shape == (side, side, 3)
        assert alike(small, scene(side, side), 30)


def test_thumbnail_refuses_sides_it_was_not_made_for(tmp_path: Path) -> None:
    for side in (-1, 0, 15, 513, 10**9):
        with pytest.raises(InvalidInput):
            images.thumbnail(tmp_path / "photo.jpg", side)


def test_a_missing_or_damaged_stored_photo_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    for read in (images.load, images.thumbnail):
        path.unlink(missing_ok=True)
        with pytest.raises(NotFound):
            read(path)
        path.write_bytes(encoded(scene(), "JPEG")[:400])
        with pytest.raises(PhotoError):
            read(path)
