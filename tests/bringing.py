"""Files as people bring them from elsewhere, made in code: photos, zips, Teachable Machine projects, videos."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL.Image
import psutil


def jpeg(seed: int = 0, side: int = 32, shift: int = 0) -> bytes:
    """A photo that looks unlike that of any other seed; shifts of one seed look nearly alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    picture = PIL.Image.fromarray(coarse).resize((side, side), PIL.Image.Resampling.BICUBIC)
    pixels = np.asarray(picture).astype(np.int16) + shift
    return encoded(PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), "JPEG")


def encoded(picture: PIL.Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def zipped(path: Path, files: Mapping[str, bytes] | Iterable[tuple[str, bytes]], method: int = 0) -> Path:
    pairs = files.items() if isinstance(files, Mapping) else files
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in pairs:
            archive.writestr(zipfile.ZipInfo(name) if method == 0 else name, data)
    return path


def machine(path: Path, samples: Iterable[tuple[str, bytes]], **changed: object) -> Path:
    """A Teachable Machine project; samples are named as in the file, `Cat-!-0.jpg`."""
    data = {"publishResults": {}, "trainEpochs": 50, "trainBatchSize": 16, "trainLearningRate": 0.001}
    manifest = {"type": "image", "version": "2.4.7", "appdata": data, **changed}
    return zipped(path, [*samples, ("manifest.json", json.dumps(manifest).encode())])


def video(
    path: Path,
    *,
    frames: int = 20,
    fps: int = 10,
    size: tuple[int, int] = (64, 48),
    codec: str = "mpeg4",
    rotation: int | None = None,
    **format: str,
) -> Path:
    """A video whose frames get brighter by the same step each; the upper left corner is white."""
    import av

    with av.open(str(path), "w", **format) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = 5
        stream.bit_rate = 2_000_000
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            pixels = np.full((size[1], size[0], 3), brightness(number, frames), np.uint8)
            pixels[: size[1] // 3, : size[0] // 3] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def brightness(number: int, frames: int) -> int:
    return 20 + number * 180 // frames


def gif(colours: Iterable[str], format: str = "GIF", side: int = 24, **options: object) -> bytes:
    """An animation of plain squares."""
    first, *others = (PIL.Image.new("RGB", (side, side), colour) for colour in colours)
    return encoded(first, format, save_all=True, append_images=others, **options)


def pixels(data: bytes) -> np.ndarray:
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def decoders() -> list[psutil.Process]:
    """The processes of this one that decode videos, busy or waiting for the next."""
    found = []
    for one in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if any("teachable.importing.frames" in part for part in one.cmdline()):
                found.append(one)
    return found
