"""The networks that come with the program: their records and their bytes.

It owns `assets/backbones/`: one JSON file per backbone, beside it the ONNX graph and, for those of ours, the weights it
is made from. It does not make the graphs (`teachable.graphs`), run them (`teachable.embeddings`) or append heads
(`teachable.export`).

`python -m teachable.backbones build assets/backbones/NAME.safetensors` writes NAME.onnx again and brings the size, the
width and the fingerprint in NAME.json up to date.
"""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable import graphs
from teachable.errors import InstallationError, NotFound
from teachable.resources import assets
from teachable.types import BackboneRecord

if TYPE_CHECKING:
    import onnx

log = logging.getLogger(__name__)

FORMAT_VERSION = 1


def registry() -> tuple[BackboneRecord, ...]:
    """Return all backbones of this installation, the built-in one first.

    Raises:
        InstallationError: a record is damaged, or there is no built-in backbone.
    """
    return tuple(_record(entry) for entry in _entries(_folder()))


def builtin() -> BackboneRecord:
    """Return the backbone a new project uses.

    Raises:
        InstallationError: a record is damaged, or there is no built-in backbone.
    """
    return registry()[0]


def find(id_or_fingerprint: str) -> BackboneRecord:
    """Return the backbone with this id or fingerprint.

    Raises:
        NotFound: this installation has no such backbone.
        InstallationError: a record is damaged.
    """
    for record in registry():
        if id_or_fingerprint in (record.id, record.fingerprint):
            return record
    raise NotFound("backbone_unknown", backbone=id_or_fingerprint)


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


def rebuild(weights: Path) -> BackboneRecord:
    """Write the ONNX graph of a weights file again, and its size, width and fingerprint into the record beside it.

    Args:
        weights: a safetensors file; the record of the same name says which network it belongs to.

    Returns:
        The new record.

    Raises:
        InstallationError: there is no sound record beside the weights.
        ValueError: the weights do not fit the network of the record.
    """
    path = weights.with_suffix(".json")
    entry = _entry(path)
    model = build_entry(entry, weights)
    data = model.SerializeToString(deterministic=True)
    width = model.graph.output[1].type.tensor_type.shape.dim[1].dim_value
    record = replace(
        _record(entry),
        file=weights.with_suffix(".onnx").name,
        size_bytes=len(data),
        embedding_width=width,
        input_size=entry["build"]["preprocessing"]["size"],
        fingerprint=hashlib.sha256(data).hexdigest(),
    )
    recipe = {**entry["build"], "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    written = {**entry, "record": {field.name: getattr(record, field.name) for field in fields(record)}}
    _write(path.with_name(record.file), data)
    _write(path, (json.dumps({**written, "build": recipe}, indent=2, ensure_ascii=False) + "\n").encode())
    return record


def build_entry(entry: Mapping[str, Any], weights: Path) -> "onnx.ModelProto":
    """Return the graph that the build part of a record file describes.

    Args:
        entry: contents of a record file.
        weights: the safetensors file.

    Raises:
        ValueError: the weights do not fit the network of the record.
    """
    from teachable import networks

    network = networks.load(entry["build"]["architecture"], weights)
    return graphs.build(network, graphs.preprocessing_from(entry["build"]["preprocessing"]))


def main(arguments: Sequence[str]) -> int:
    """Run the command of this module and return its exit code."""
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    if len(arguments) != 2 or arguments[0] != "build":
        log.error("usage: python -m teachable.backbones build WEIGHTS.safetensors")
        return 2
    record = rebuild(Path(arguments[1]))
    log.info("%s: %d bytes, width %d, fingerprint %s", *_facts(record))
    return 0


def _facts(record: BackboneRecord) -> tuple[str, int, int, str]:
    return record.file, record.size_bytes, record.embedding_width, record.fingerprint


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
