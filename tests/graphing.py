"""What the tests of graphs make in code: photos as arrays, what Pillow makes of them, and networks small and whole."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import PIL.Image
import torch

from teachable.graphs import Preprocessing

SIZES = [(1, 1), (7, 3), (3, 7), (1, 500), (500, 1), (31, 32), (32, 32), (33, 32), (97, 101), (240, 320), (481, 641)]
# ImageNet's, to be sure that nothing takes the built-in network's for granted.
PREPROCESSING = Preprocessing(32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
FILTERS = {"bilinear": PIL.Image.Resampling.BILINEAR, "bicubic": PIL.Image.Resampling.BICUBIC}


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Waves and noise: fine detail everywhere, up to the border."""
    y, x = np.mgrid[:height, :width]
    waves = [127 + 100 * np.sin(x / (3 + 2 * c) + y / (5 + c) + seed) for c in range(3)]
    noise = np.random.default_rng(seed).normal(0, 25, (height, width, 3))
    return np.clip(np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8)


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Something like a photo: a lit background, discs and boxes with edges and texture, noise of a sensor."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / min(height, width)
    low, high = random.uniform(40, 220, (2, 3))
    canvas = low + (high - low) * ((x * random.uniform(0.3, 1) + y * random.uniform(0.3, 1)) / 3)[..., None]
    for _ in range(9):
        middle, radius = random.uniform((0, 0), (y.max() + 0.01, x.max() + 0.01)), random.uniform(0.06, 0.3)
        down, across = y - middle[0], x - middle[1]
        inside = (
            np.maximum(abs(down), abs(across)) < radius if random.random() < 0.5 else down**2 + across**2 < radius**2
        )
        texture = 25 * np.sin(across * random.uniform(5, 90)) * np.sin(down * random.uniform(5, 90))
        shade = 1 - 0.4 * (down + across) / radius / 2
        canvas = np.where(
            inside[..., None], (random.uniform(20, 235, 3) + texture[..., None]) * shade[..., None], canvas
        )
    return np.clip(canvas + random.normal(0, 4, canvas.shape), 0, 255).astype(np.uint8)


def reference(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """What the network is to see, made with Pillow, uint8 [3, size, size]."""
    picture = PIL.Image.fromarray(pixels)
    resampling, size = FILTERS[preprocessing.interpolation], preprocessing.size
    side = min(picture.size)
    if preprocessing.resize is None:
        square = _middle(picture, (side, side), [(long - side) // 2 for long in picture.size])
        return np.asarray(square.resize((size, size), resampling)).transpose(2, 0, 1)
    kept = [min(long, 4 * side) for long in picture.size]
    starts = [(long - keep) // 2 for long, keep in zip(picture.size, kept, strict=True)]
    sides = [preprocessing.resize * keep // side for keep in kept]
    resized = _middle(picture, kept, starts).resize((sides[0], sides[1]), resampling)
    square = _middle(resized, (size, size), [round((long - size) / 2) for long in sides])
    return np.asarray(square).transpose(2, 0, 1)


def _middle(picture: PIL.Image.Image, sides: Sequence[int], starts: Sequence[int]) -> PIL.Image.Image:
    return picture.crop((starts[0], starts[1], starts[0] + sides[0], starts[1] + sides[1]))


def session(model: onnx.ModelProto | bytes) -> ort.InferenceSession:
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return ort.InferenceSession(data, providers=["CPUExecutionProvider"])


def tiny(channels: int = 8) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, channels, 3, 4), torch.nn.BatchNorm2d(channels), torch.nn.ReLU6())
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return module.eval().requires_grad_(False)


def copying() -> torch.nn.Module:
    """A network whose map is the very pixels it sees."""
    copy = torch.nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        copy.weight.copy_(torch.eye(3).reshape(3, 3, 1, 1))
    return copy


def write_safetensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None
) -> Path:
    """A file in the safetensors format, by hand."""
    names = {torch.float32: "F32", torch.int64: "I64"}
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    numbers = b""
    for name, tensor in tensors.items():
        data = tensor.contiguous().numpy().tobytes()
        place = [len(numbers), len(numbers) + len(data)]
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": place}
        numbers += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + numbers)
    return path
