"""The network behind the built-in backbone, and how its weights are read. Needs torch, so import it where it is used.

It owns the architecture and the reader of safetensors files. It does not know about photos, ONNX or the registry. A
network here maps pixels, float32 `[N, 3, S, S]`, to its last convolutional map, float32 `[N, C, h, w]`; taking the
spatial mean of that map, the embedding, is the business of `teachable.graphs`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Expansion asked for, output channels, blocks, stride of the first block: table 2 of Sandler et al., "MobileNetV2:
# Inverted Residuals and Linear Bottlenecks", 2018. A slim network takes less than the six.
PLAN = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM_CHANNELS = 32
LAST_CHANNELS = 1280
FAMILY = "slim-mobilenet-v2"
# MobileNetV2 itself has six; what asks for far more would only fill the memory.
LARGEST_EXPANSION = 12
LENGTH_BYTES = 8
METADATA = "__metadata__"


class ConvNormAct(nn.Module):
    """Convolution, batch norm and, where asked for, ReLU6.

    A stride of two pads on the right and at the bottom only, which is what TensorFlow's SAME does on even sides: the
    network was taught by one that was trained that way.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        super().__init__()
        padding = 0 if stride == 2 or kernel == 1 else kernel // 2
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(channels_out)
        self.stride = stride
        self.act = act

    def forward(self, maps: Tensor) -> Tensor:
        """Return `[N, out, H / stride, W / stride]` for `[N, in, H, W]`."""
        if self.stride == 2:
            maps = F.pad(maps, (0, 1, 0, 1))
        maps = self.bn(self.conv(maps))
        return F.relu6(maps) if self.act else maps


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, narrow; add the input where shapes allow."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        widen = [ConvNormAct(channels_in, hidden, 1)] if expansion != 1 else []
        depthwise = ConvNormAct(hidden, hidden, 3, stride, groups=hidden)
        self.body = nn.Sequential(*widen, depthwise, ConvNormAct(hidden, channels_out, 1, act=False))
        self.res = stride == 1 and channels_in == channels_out

    def forward(self, maps: Tensor) -> Tensor:
        """Return `[N, out, H / stride, W / stride]` for `[N, in, H, W]`."""
        out: Tensor = self.body(maps)
        return maps + out if self.res else out


class SlimMobileNetV2(nn.Module):
    """MobileNetV2 whose blocks widen less than the original's six times.

    Args:
        expansion: how many times each block widens.
    """

    def __init__(self, expansion: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvNormAct(3, STEM_CHANNELS, 3, 2)]
        channels = STEM_CHANNELS
        for planned, channels_out, blocks, first_stride in PLAN:
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                layers.append(InvertedResidual(channels, channels_out, min(planned, expansion), stride))
                channels = channels_out
        self.features = nn.Sequential(*layers, ConvNormAct(channels, LAST_CHANNELS, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the last map.

        Args:
            pixels: float32 `[N, 3, S, S]` in -1 to 1, RGB, S a multiple of 32.

        Returns:
            float32 `[N, 1280, S / 32, S / 32]`.
        """
        maps: Tensor = self.features(pixels)
        return maps


def load(architecture: str, weights: Path) -> nn.Module:
    """Return a network with its weights, ready to be run.

    Args:
        architecture: `slim-mobilenet-v2/3`: the family and how many times its blocks widen.
        weights: a safetensors file.

    Raises:
        ValueError: unknown architecture, or a file that is damaged or belongs to another network.
    """
    _expansion(architecture)
    tensors = read_safetensors(weights)
    try:
        return filled(architecture, tensors)
    except RuntimeError as error:
        raise ValueError(f"{weights.name} does not hold the weights of {architecture}") from error


def filled(architecture: str, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Return a network with these weights, ready to be run.

    Raises:
        ValueError: unknown architecture.
        RuntimeError: the weights do not fit it.
    """
    network = SlimMobileNetV2(_expansion(architecture))
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def recognise(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the architecture that weights are of, as far as their names and shapes tell, or None."""
    came = _shapes(tensors)
    for expansion in range(1, LARGEST_EXPANSION + 1):
        with torch.device("meta"):
            expected = SlimMobileNetV2(expansion).state_dict()
        if _shapes(expected) == came:
            return f"{FAMILY}/{expansion}"
    return None


def _shapes(tensors: Mapping[str, Tensor]) -> Mapping[str, torch.Size]:
    """Return the shapes by name, without the counters of batch norm, which are only of use in training."""
    return {name: tensor.shape for name, tensor in tensors.items() if not name.endswith(".num_batches_tracked")}


def _expansion(architecture: str) -> int:
    family, _, expansion = architecture.partition("/")
    if family != FAMILY or not expansion.isdecimal() or not 1 <= int(expansion) <= LARGEST_EXPANSION:
        raise ValueError(f"unknown architecture {architecture!r}")
    return int(expansion)


def read_safetensors(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors of a safetensors file by name.

    The format is a header length (8 bytes, little endian), a JSON header and the raw numbers; reading it takes fewer
    lines than depending on a package for it. Only the types our weights use are taken.

    Raises:
        ValueError: the file does not follow the format.
    """
    header, numbers = _parts(path)
    try:
        return {name: _tensor(entry, numbers) for name, entry in header.items() if name != METADATA}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is not a sound safetensors file") from error


def read_metadata(path: Path) -> Mapping[str, str]:
    """Return what a safetensors file says about itself, texts by name.

    Raises:
        ValueError: the file does not follow the format.
    """
    stated = _parts(path)[0].get(METADATA, {})
    if not isinstance(stated, dict) or not all(isinstance(value, str) for value in stated.values()):
        raise ValueError(f"{path.name} is not a sound safetensors file")
    return stated


def _parts(path: Path) -> tuple[dict[str, Any], memoryview]:
    """Return the header of a safetensors file and its raw numbers."""
    data = path.read_bytes()
    header_end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    try:
        header = json.loads(data[LENGTH_BYTES:header_end])
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{path.name} is not a sound safetensors file") from error
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} is not a sound safetensors file")  # noqa: TRY004 - it is the file that is wrong
    return header, memoryview(data)[header_end:]


def _tensor(entry: Mapping[str, Any], numbers: memoryview) -> Tensor:
    """Return one tensor of the file; `entry` says its type, shape and place."""
    dtype = np.dtype({"F32": "<f4", "I64": "<i8"}[entry["dtype"]])
    start, end = entry["data_offsets"]
    shape = entry["shape"]
    if not 0 <= start <= end <= len(numbers) or end - start != dtype.itemsize * math.prod(shape):
        raise ValueError("a tensor lies outside the file")
    return torch.from_numpy(np.frombuffer(numbers[start:end], dtype).reshape(shape).copy())
