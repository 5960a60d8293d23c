"""The networks that come with the program: their records and their bytes, and the command that makes them.

It owns `assets/backbones/`: one JSON file per backbone, beside it the ONNX graph, the weights it is made from and the
card that says what it is. It does not know how a graph is made (`teachable.graphs`), run (`teachable.embeddings`) or
given a head (`teachable.export`).

`python -m teachable.backbones build WEIGHTS.safetensors` turns weights into all the rest. For a network that has a
record, everything in it that follows from the weights is brought up to date. New weights become the built-in network,
instead of the present one.
"""

import argparse
import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable import graphs
from teachable.errors import InstallationError, TeachableError
from teachable.resources import assets
from teachable.types import BackboneRecord

if TYPE_CHECKING:
    import onnx

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
FACTS = ("<!-- facts: written by `python -m teachable.backbones build` -->", "<!-- end of facts -->")
"""What stands before and after the part of a card that the command writes."""
_CARD = """# {id}, the built-in network

`{id}.onnx` turns a photo of any size into {width} numbers, its embedding. How it was trained, how good it is and where
its limits are is not written down yet.

"""


def registry() -> tuple[BackboneRecord, ...]:
    """Return all backbones of this installation, the built-in one first.

    Raises:
        InstallationError: a record is damaged, or there is no built-in backbone.
    """
    return tuple(_record(entry) for entry in _entries(_folder()))


def builtin() -> BackboneRecord:
    """Return the backbone that is always there.

    Raises:
        InstallationError: a record is damaged, or there is no built-in backbone.
    """
    return registry()[0]


def builtin_preprocessing() -> graphs.Preprocessing:
    """Return what the built-in network has done to photos.

    Raises:
        InstallationError: a record is damaged, or there is no built-in backbone.
    """
    return _preprocessing(_entries(_folder())[0])


def read(record: BackboneRecord) -> bytes:
    """Return the ONNX graph of a backbone.

    Raises:
        InstallationError: the file is missing, or is not the one the record was written for.
    """
    try:
        data = (_folder() / record.file).read_bytes()
    except OSError as error:
        raise InstallationError("backbone_missing", file=record.file) from error
    if hashlib.sha256(data).hexdigest() != record.fingerprint:
        raise InstallationError("backbone_damaged", file=record.file)
    return data


def build_entry(entry: Mapping[str, Any], weights: Path) -> "onnx.ModelProto":
    """Return the graph that the build part of a record file describes.

    Args:
        entry: contents of a record file.
        weights: the safetensors file.

    Raises:
        ValueError: the weights do not fit the network of the record.
    """
    from teachable import networks

    return graphs.build(networks.load(entry["build"]["architecture"], weights), _preprocessing(entry))


def rebuild(
    weights: Path,
    *,
    id: str | None = None,
    title: str | None = None,
    description: str | None = None,
    size: int | None = None,
) -> BackboneRecord:
    """Make graph, record and the facts of the card of a weights file.

    Weights from outside the folder of backbones are copied into it. New ones take the place of the built-in network:
    its graph and its record are removed, its weights and its card are left to whoever keeps the folder.

    Args:
        weights: a safetensors file of a network that `teachable.networks` knows. Its header may state a preprocessing
            as JSON; otherwise a new network gets that of the built-in one.
        id: of the network; the name of the file if not given.
        title: in words; as before if not given.
        description: in words; as before if not given.
        size: pixels of the square the network sees; as before if not given.

    Returns:
        The new record.

    Raises:
        InstallationError: the records of the folder are damaged.
        ValueError: the weights are of no known network, or the id cannot be a name of files.
    """
    id = id or weights.stem
    if not _ID.fullmatch(id):
        raise ValueError(f"{id!r} must be small letters, digits and dashes, to be a name of files everywhere")
    folder = _folder()
    known = {entry["record"]["id"]: entry for entry in _entries(folder)}
    entry = known.get(id) or _entries(folder)[0]
    recipe = _recipe(weights, entry, size)
    model = build_entry({"build": recipe}, weights)
    data = model.SerializeToString(deterministic=True)
    before = _record(entry)
    record = replace(
        before,
        id=id,
        title=title or before.title,
        description=description or before.description,
        file=f"{id}.onnx",
        size_bytes=len(data),
        embedding_width=model.graph.output[1].type.tensor_type.shape.dim[1].dim_value,
        input_size=recipe["preprocessing"]["size"],
        source=before.source.replace(before.id, id),
        fingerprint=hashlib.sha256(data).hexdigest(),
    )
    kept = folder / f"{id}.safetensors"
    recipe["weights"] = kept.name
    written = {**entry, "record": asdict(record), "build": recipe, "check": _check(recipe, weights)}
    if not kept.exists() or not kept.samefile(weights):
        _write(kept, weights.read_bytes())
    _write(folder / record.file, data)
    _write_card(folder / f"{id}.md", record, facts(written, model, kept))
    _write(folder / f"{id}.json", (json.dumps(written, indent=2, ensure_ascii=False) + "\n").encode())
    if id not in known:
        (folder / f"{before.id}.json").unlink()
        (folder / before.file).unlink(missing_ok=True)
        log.info("%s is no longer built in; its weights and its card are still there", before.id)
    return record


def facts(entry: Mapping[str, Any], model: "onnx.ModelProto", weights: Path) -> str:
    """Return what a card says that follows from the files, as a table between two marks.

    Args:
        entry: contents of the record file.
        model: the graph.
        weights: the safetensors file.
    """
    from teachable import networks

    record, preprocessing = entry["record"], _preprocessing(entry)
    network = networks.load(entry["build"]["architecture"], weights)
    parameters = sum(tensor.numel() for tensor in network.parameters())
    channels, height, width = (side.dim_value for side in model.graph.output[0].type.tensor_type.shape.dim[1:])
    means, stds = (", ".join(f"{one:g}" for one in values) for values in (preprocessing.mean, preprocessing.std))
    sides = f"{preprocessing.size} x {preprocessing.size}"
    seen = f"centre square, antialiased {preprocessing.interpolation} resize to {sides} on bytes"
    if preprocessing.resize is not None:
        seen = (
            f"antialiased {preprocessing.interpolation} resize of the shorter side to {preprocessing.resize} on bytes, "
        )
        seen += f"{sides} out of the middle"
    rows = {
        "Network": f"{entry['build']['architecture']}, {parameters / 1e6:.2f} million parameters",
        "Input": "`image`: uint8 `[batch, height, width, 3]`, RGB, upright, any size",
        "Output": f"`features`: float32 `[batch, {channels}, {height}, {width}]`, the last map; "
        f"`embedding`: float32 `[batch, {channels}]`, its spatial mean",
        "Inside the graph": f"{seen}, mean {means} and standard deviation {stds} on the scale 0 to 1, "
        "the network with batch norm folded in",
        "Format": f"one ONNX file, {record['size_bytes']:,} bytes, opset {graphs.OPSET}, IR version {model.ir_version}",
        "Fingerprint": f"`{record['fingerprint']}`, the SHA-256 of the graph",
        "Weights": f"`{entry['build']['weights']}`, SHA-256 `{entry['build']['weights_sha256']}`",
        "Licence": f"weights and graph {record['licence']}",
    }
    table = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join([FACTS[0], "| | |", "|---|---|", *table, FACTS[1]])


def main(arguments: Sequence[str]) -> int:
    """Run the command of this module and return its exit code."""
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    parser = argparse.ArgumentParser(prog="python -m teachable.backbones", description=(__doc__ or "").split("\n\n")[2])
    build = parser.add_subparsers(required=True).add_parser("build", help="make graph, record and card of weights")
    build.add_argument("weights", type=Path, metavar="WEIGHTS.safetensors")
    build.add_argument("--id", help="of the network; otherwise the name of the file")
    build.add_argument("--title", help="in words; otherwise as before")
    build.add_argument("--description", help="in words; otherwise as before")
    build.add_argument("--size", type=int, help="pixels of the square the network sees; otherwise as before")
    given = parser.parse_args(arguments)
    try:
        record = rebuild(given.weights, id=given.id, title=given.title, description=given.description, size=given.size)
    except (OSError, TeachableError, ValueError) as error:
        log.error("%s", error)
        return 1
    log.info("%s: %d bytes, width %d, fingerprint %s", *_summary(record))
    return 0


def _summary(record: BackboneRecord) -> tuple[str, int, int, str]:
    return record.file, record.size_bytes, record.embedding_width, record.fingerprint


def _recipe(weights: Path, entry: Mapping[str, Any], size: int | None) -> dict[str, Any]:
    """Return the build part of the record of some weights; `entry` says what they do not."""
    from teachable import networks

    architecture = networks.recognise(networks.read_safetensors(weights))
    if architecture is None:
        raise ValueError(f"{weights.name} does not hold the weights of a network of ours")
    stated = networks.read_metadata(weights).get("preprocessing")
    preprocessing = graphs.preprocessing_from(json.loads(stated)) if stated else _preprocessing(entry)
    return {
        "architecture": architecture,
        "weights": weights.name,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "preprocessing": graphs.preprocessing_fields(replace(preprocessing, size=size or preprocessing.size)),
    }


def _check(recipe: Mapping[str, Any], weights: Path) -> dict[str, Any]:
    """Return what the network makes of noise; who reads the weights elsewhere can compare."""
    import torch

    from teachable import networks

    seed, size = 0, recipe["preprocessing"]["size"]
    noise = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    embedding = networks.load(recipe["architecture"], weights)(noise).mean((2, 3))
    first = [round(float(one), 4) for one in embedding[0, :4]]
    return {"seed": seed, "first": first, "mean": round(float(embedding.mean()), 4)}


def _write_card(path: Path, record: BackboneRecord, block: str) -> None:
    """Bring the facts of a card up to date; what people wrote stays. Without a card, begin one."""
    text = (
        path.read_text(encoding="utf-8") if path.exists() else _CARD.format(id=record.id, width=record.embedding_width)
    )
    before, found, rest = text.partition(FACTS[0])
    _, ended, after = rest.partition(FACTS[1])
    text = f"{before}{block}{after}" if found and ended else f"{text.rstrip()}\n\n{block}\n"
    _write(path, text.encode())


def _write(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _folder() -> Path:
    return assets() / "backbones"


def _entries(folder: Path) -> list[dict[str, Any]]:
    """Return the contents of all record files, the built-in one first, then by name."""
    entries = [_entry(path) for path in sorted(folder.glob("*.json"))]
    entries.sort(key=lambda entry: not entry.get("builtin", False))
    if sum(bool(entry.get("builtin")) for entry in entries) != 1:
        raise InstallationError("backbone_none")
    return entries


def _entry(path: Path) -> dict[str, Any]:
    """Return the contents of one record file after checking that it is one."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        if entry["format_version"] == FORMAT_VERSION and _record(entry):
            return dict(entry)
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise InstallationError("backbone_record", file=path.name) from error
    raise InstallationError("backbone_record", file=path.name)


def _record(entry: Mapping[str, Any]) -> BackboneRecord:
    return BackboneRecord(**entry["record"])


def _preprocessing(entry: Mapping[str, Any]) -> graphs.Preprocessing:
    return graphs.preprocessing_from(entry["build"]["preprocessing"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
