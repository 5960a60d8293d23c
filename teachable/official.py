"""The catalogue of the networks that others trained and publish: torchvision's, with what a choice between them needs.

It owns `assets/backbones/official/networks.json`. It loads neither torch nor torchvision, so the page can show the
catalogue at once; reading weights is `teachable.zoo`, in a process of its own. Titles and descriptions are words of the
catalogue of texts, `network.ID.title` and `network.ID.description`.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from teachable.errors import InstallationError
from teachable.resources import assets

FORMAT_VERSION = 1
HASH_DIGITS = 8
"""Hexadecimal digits of a file's SHA-256 that torchvision puts into its name."""


@dataclass(frozen=True)
class Official:
    """One network of the catalogue.

    Attributes:
        id: short name of ours, `resnet-18` for one.
        architecture: name of torchvision's builder, `resnet18` for one.
        file: name of the weights file; the digits before its ending are the first of its SHA-256.
        download_bytes: of that file, as torchvision publishes it: to about 500 bytes.
        parameters: numbers the whole published network has.
        size_bytes: of the ONNX graph made of it.
        embedding_width: values per photo.
        input_size: pixels of the square it sees.
        accuracy: per cent of ImageNet's validation photos it names at the first guess, as torchvision publishes it.
        native_factor: time per stored photo in this program, as a multiple of the built-in network's, as printed by
            `tests/benchmarks/networks.py`.
        browser_factor: time per photo in onnxruntime-web on one thread, as a multiple of the built-in network's.
        recommended: new projects use it once it is there; true for one of them.
        licence: of the weights.
        source: where they come from.
    """

    id: str
    architecture: str
    file: str
    download_bytes: int
    parameters: int
    size_bytes: int
    embedding_width: int
    input_size: int
    accuracy: float
    native_factor: float
    browser_factor: float
    recommended: bool
    licence: str
    source: str

    @property
    def hash_prefix(self) -> str:
        """First digits of the SHA-256 of the weights file, in hex."""
        return hash_prefix(self.file)


@dataclass(frozen=True)
class Described:
    """Where the weights of a network are published, and what is published about them.

    Attributes:
        architecture: name of torchvision's builder.
        url: address of the weights file.
        file: its name; the digits before its ending are the first of its SHA-256.
        download_bytes: of the file, to about 500 bytes.
        accuracy: per cent of ImageNet's validation photos it names at the first guess.
        licence: of the weights.
        source: where they come from, in words.
    """

    architecture: str
    url: str
    file: str
    download_bytes: int
    accuracy: float
    licence: str
    source: str

    @property
    def hash_prefix(self) -> str:
        """First digits of the SHA-256 of the weights file, in hex."""
        return hash_prefix(self.file)


def hash_prefix(file: str) -> str:
    """Return the digits of its SHA-256 that a weights file of torchvision has in its name, `resnet18-f37072fd.pth`."""
    return file.removesuffix(".pth").rpartition("-")[2]


def network_id(architecture: str) -> str:
    """Return our id of a torchvision network; those outside the catalogue are called as torchvision calls them."""
    known = find(architecture)
    return known.id if known else architecture.replace("_", "-")


@cache
def catalogue() -> tuple[Official, ...]:
    """Return the official networks, the recommended one first.

    Raises:
        InstallationError: the catalogue is damaged.
    """
    path = assets() / "backbones" / "official" / "networks.json"
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        found = tuple(Official(**network) for network in entry["networks"])
        if entry["format_version"] == FORMAT_VERSION and [network.recommended for network in found].count(True) == 1:
            return tuple(sorted(found, key=lambda network: not network.recommended))
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise InstallationError("backbone_record", file=path.name) from error
    raise InstallationError("backbone_record", file=path.name)


def recommended() -> Official:
    """Return the network that is fetched by itself.

    Raises:
        InstallationError: the catalogue is damaged.
    """
    return catalogue()[0]


def find(id_or_architecture: str, networks: Iterable[Official] | None = None) -> Official | None:
    """Return the network with this id, or this name in torchvision, written as people write names.

    Args:
        id_or_architecture: `resnet-18`, `resnet18` or `ResNet 18`.
        networks: to look among; the catalogue if not given.
    """
    wanted = plain(id_or_architecture)
    for network in catalogue() if networks is None else networks:
        if wanted in (plain(network.id), plain(network.architecture)):
            return network
    return None


def plain(name: str) -> str:
    """Return a name without what people write one way or the other, for comparing."""
    return re.sub(r"[-_\s]", "", name).lower()


def by_hash(sha256: str) -> Official | None:
    """Return the network whose weights file has this SHA-256, in hex, as far as its name tells."""
    for network in catalogue():
        if sha256.lower().startswith(network.hash_prefix):
            return network
    return None
