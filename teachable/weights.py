"""Files of networks that people bring or fetch: their kinds, and how each kind becomes a graph and its record.

The files are hostile. Pickles are read as weights and nothing else, what a graph computes is limited in memory, and
nothing is a result until it keeps the contract (`teachable.contract`). All but `kind_of` and `reading` run in a child
process (`teachable.conversion`), because they load torch and because some files can only be stopped by ending it.
"""

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from teachable import backbones, children, contract, graphs, official, words
from teachable.errors import ModelFileError, NotFound, StorageFull
from teachable.official import Described
from teachable.types import BackboneRecord
from teachable.words import say

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

Kind = Literal["pth", "safetensors", "onnx"]
TORCH_MEMORY, GRAPH_MEMORY = 3 * 2**30, 2**30
"""Bytes that may be used for weights, or for a graph, besides the libraries and some times the file."""
FILE_TIMES = 8


def kind_of(source: Path) -> Kind:
    """Tell files apart by how they begin; names on a stick may be anything."""
    size = source.stat().st_size
    with source.open("rb") as file:
        head = file.read(9)
    if head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "pth"
    if 2 <= int.from_bytes(head[:8], "little") <= size - 8 and head[8:] == b"{":
        return "safetensors"
    return "onnx"


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Say in words that a file cannot be read, or another not be written."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("network_file_missing", name=name) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("storage_full") from error
        raise ModelFileError("network_unreadable", name=name) from error
    except (MemoryError, RuntimeError) as error:
        if not contract.wants_memory(error):
            raise
        raise ModelFileError("network_hungry", name=name) from error


def published(name: str) -> Described:
    """Return what torchvision publishes about a classifier that can be used here.

    Args:
        name: as people write it.

    Raises:
        NotFound: torchvision has no such classifier.
        ModelFileError: it has one, but no file of this size, or no network of this kind, can be used.
    """
    from teachable import zoo

    described = zoo.describe(name)
    _check_bytes(described.download_bytes, described.file)
    zoo.check_usable(described.architecture)
    return described


def _check_bytes(size: int, name: str) -> None:
    if size > contract.LARGEST_BYTES:
        limit = contract.LARGEST_BYTES // 10**6
        raise ModelFileError("network_file_large", name=name, size=size // 10**6, limit=limit)


def make(kind: Kind, source: Path, out: Path, name: str, architecture: str | None) -> dict[str, Any]:
    """Write the graph of a file, check it, and return the contents of its record file.

    Limits the memory of this process.

    Args:
        kind: of the file.
        source: the file.
        out: where the graph is written.
        name: what the person calls the file.
        architecture: of official weights that were checked already; others are recognised by their hash.

    Raises:
        ModelFileError: it is no network that can be used.
        OSError, MemoryError, RuntimeError: as `reading` puts them into words.
    """
    _check_bytes(source.stat().st_size, name)
    makers: dict[Kind, _Maker] = {"pth": _from_pth, "safetensors": _from_safetensors, "onnx": _from_onnx}
    origin = makers[kind](source, out, name, architecture)
    found = contract.check(out, name)
    about = {**origin.about, "file": f"{origin.about['id']}.onnx", "fingerprint": _sha256(out)}
    record = BackboneRecord(
        size_bytes=out.stat().st_size,
        embedding_width=found.embedding_width,
        input_size=found.input_size,
        **about,  # type: ignore[arg-type]  # all of them are texts
    )
    return {
        "format_version": backbones.FORMAT_VERSION,
        "builtin": False,
        "record": asdict(record),
        "build": {**origin.build, "weights": name, "weights_sha256": origin.sha256},
    }


@dataclass(frozen=True)
class _Origin:
    """Where a graph comes from.

    Attributes:
        about: what the record says about it: id, title, description, licence, source, origin.
        build: how it was made.
        sha256: of the file it was made of.
    """

    about: Mapping[str, str]
    build: Mapping[str, Any]
    sha256: str


_Maker: TypeAlias = Callable[[Path, Path, str, str | None], _Origin]


def _from_onnx(source: Path, out: Path, name: str, architecture: str | None) -> _Origin:
    """Take a graph byte for byte; what is checked is what was copied."""
    import onnx  # noqa: F401 - loaded before memory is limited
    import onnxruntime  # noqa: F401

    children.limit_memory(GRAPH_MEMORY + FILE_TIMES * source.stat().st_size)
    shutil.copyfile(source, out)
    if architecture is not None:
        raise ModelFileError("weights_damaged", name=name)
    if Path(name).suffix.lower() != ".onnx" and not contract.readable(out):
        raise ModelFileError("network_file_kind", name=name)
    return _Origin(_imported(name, {}), {}, _sha256(out))


def _from_pth(source: Path, out: Path, name: str, architecture: str | None) -> _Origin:
    """Turn official weights into a graph; which they are is told by their hash, unless somebody knows."""
    _load_torch(source)
    from teachable import zoo

    sha256 = _sha256(source)
    architecture = architecture or _recognised(source, sha256, name)
    described = zoo.describe(architecture)
    module, preprocessing = zoo.load(described.architecture, _unpickled(source, name))
    _build(module, preprocessing, out, architecture)
    return _Origin(_official(described), _recipe(described.architecture, preprocessing), sha256)


def _from_safetensors(source: Path, out: Path, name: str, architecture: str | None) -> _Origin:
    """Turn weights without a program into a graph; which network they are of, they say themselves."""
    _load_torch(source)
    from teachable import networks, zoo

    if architecture is not None:
        raise ModelFileError("weights_damaged", name=name)
    try:
        metadata, tensors = networks.read_metadata(source), networks.read_safetensors(source)
    except ValueError as error:
        raise ModelFileError("network_unreadable", name=name) from error
    architecture = networks.recognise(tensors)
    if architecture is not None:
        module = networks.filled(architecture, tensors)
        preprocessing = backbones.builtin_preprocessing()
    else:
        try:
            architecture = zoo.resolve(metadata.get("architecture", ""))
        except NotFound as error:
            stated = contract.short(metadata.get("architecture", "-"))
            raise ModelFileError("weights_architecture", name=name, found=stated) from error
        module, preprocessing = zoo.load(architecture, tensors)
    if "preprocessing" in metadata:
        try:
            preprocessing = graphs.preprocessing_from(json.loads(metadata["preprocessing"]))
        except (RecursionError, TypeError, ValueError) as error:
            raise ModelFileError("weights_preprocessing", name=name, problem=str(error)) from error
    _build(module, preprocessing, out, architecture)
    return _Origin(_imported(name, metadata), _recipe(architecture, preprocessing), _sha256(source))


def _load_torch(source: Path) -> None:
    """Load all that is needed, then limit the memory; the server is to keep its cores meanwhile."""
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401
    import torch
    import torchvision  # noqa: F401

    torch.set_num_threads(1)
    children.limit_memory(TORCH_MEMORY + FILE_TIMES * source.stat().st_size)


def _recognised(source: Path, sha256: str, name: str) -> str:
    """Return which classifier of torchvision a file holds the weights of, and refuse all others unread."""
    from teachable import zoo

    known = official.by_hash(sha256)
    architecture = known.architecture if known else zoo.by_hash(sha256)
    if architecture is not None:
        return architecture
    # Copies are called “resnet18-f37072fd (1).pth” and the like.
    if any(zoo.by_hash(digits) for digits in re.findall(r"-([0-9a-f]{8})", name)):
        raise ModelFileError("weights_damaged", name=name)
    accepted = ", ".join(network.file for network in official.catalogue())
    inside = _inside(source)
    if inside is not None:
        raise ModelFileError("weights_zip", name=name, found=inside, accepted=accepted)
    raise ModelFileError("weights_unknown", name=name, accepted=accepted)


def _inside(source: Path) -> str | None:
    """Return a name out of a zip archive that holds no weights, None for everything else."""
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    weights = any(name.endswith("/data.pkl") for name in names)
    return None if weights else contract.short(names[0]) if names else "-"


def _unpickled(source: Path, name: str) -> object:
    """Return what a weights file of torch holds; anything but weights is refused before it is made."""
    import torch

    try:
        found: object = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make torch stumble over anything
        if isinstance(error, OSError) or contract.wants_memory(error):
            raise
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            program = re.search(r"(?:GLOBAL|class) ([\w.]+)", str(error))
            raise ModelFileError("weights_program", name=name, found=program[1] if program else "-") from error
        raise ModelFileError("weights_damaged", name=name) from error
    return found


def _build(module: "torch.nn.Module", preprocessing: graphs.Preprocessing, out: Path, network: str) -> None:
    """Write the graph of a module."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = graphs.build(module, preprocessing).SerializeToString(deterministic=True)
    except (RuntimeError, TypeError, ValueError) as error:
        if contract.wants_memory(error):
            raise
        log.warning("%s cannot be turned into a graph", network, exc_info=True)
        raise ModelFileError("network_not_converted", network=network, problem=contract.short(str(error))) from error
    with out.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _official(described: Described) -> dict[str, str]:
    id = official.network_id(described.architecture)
    known = f"network.{id}.title" in words.catalogue()
    return {
        "id": id,
        "title": say(f"network.{id}.title") if known else described.architecture,
        "description": say(f"network.{id}.description")
        if known
        else say("network.of_torchvision", accuracy=round(described.accuracy)),
        "licence": described.licence,
        "source": described.source,
        "origin": "official",
    }


def _imported(name: str, metadata: Mapping[str, str]) -> dict[str, str]:
    stem = Path(name).stem
    stated = metadata.get("licence") or metadata.get("license")
    return {
        "id": re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:50].strip("-") or "network",
        "title": contract.short(stem),
        "description": say("network.imported", file=name),
        "licence": contract.short(stated) if stated else say("network.licence_not_stated"),
        "source": name,
        "origin": "imported",
    }


def _recipe(architecture: str, preprocessing: graphs.Preprocessing) -> dict[str, Any]:
    return {"architecture": architecture, "preprocessing": graphs.preprocessing_fields(preprocessing)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
