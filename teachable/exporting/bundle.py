"""Archives to take away: the same bytes for the same model, and in each of them what a stranger needs to know.

It owns the zip files, `labels.txt`, `signature.json` and the README inside. What else is in an archive is the business
of its format.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from teachable import __version__
from teachable.exporting.exporter import Precision, Variant
from teachable.metadata import FORMAT_VERSION, ModelMetadata
from teachable.words import end, listed, percent, say

# Zip files know no earlier time.
_EARLIEST = (1980, 1, 1, 0, 0, 0)


def write_archive(
    target: Path, metadata: ModelMetadata, files: Mapping[str, bytes], ports: Mapping[str, Any], folder: str
) -> None:
    """Write a zip file with these files, and with `labels.txt` and `signature.json` about them, all in one folder.

    So whoever unpacks it among downloads finds everything in one place. Files of an archive are named by their path in
    that folder, here and in `signature.json`.

    The entries are dated when the model was trained, so that equal models give equal bytes.

    Args:
        target: where to.
        metadata: of the model.
        files: by their path in the folder, with `/`; a README among them.
        ports: inputs and outputs of the model, `{"inputs": [...], "outputs": [...]}`, for `signature.json`.
        folder: name of the folder, `folder_of` for all formats.
    """
    whole = {**files, "labels.txt": labels_text(metadata.labels)}
    whole["signature.json"] = signature(metadata, ports, whole)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(whole):
            entry = zipfile.ZipInfo(f"{folder}/{name}", _moment(metadata.created))
            # Weights and the runtime hardly shrink, but somebody pays for every megabyte.
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            # Unix, as these attributes are; Python would note the system it runs on.
            entry.create_system = 3
            archive.writestr(entry, whole[name])


def folder_of(variant: Variant) -> str:
    """Return what the folder in the archive of a variant is called: like the archive."""
    return PurePosixPath(variant.file).stem


def read_archive(path: Path, name: str) -> bytes:
    """Return one file of an archive.

    Raises:
        KeyError: it is not in it.
        zipfile.BadZipFile: this is no archive, or a damaged one.
    """
    with zipfile.ZipFile(path) as archive:
        return archive.read(_top(archive) + name)


def read_files(path: Path) -> dict[str, bytes]:
    """Return all files of an archive by their path in its folder.

    Raises:
        KeyError: they are not in one folder.
        zipfile.BadZipFile: this is no archive, or a damaged one.
    """
    with zipfile.ZipFile(path) as archive:
        top = _top(archive)
        return {name.removeprefix(top): archive.read(name) for name in archive.namelist()}


def _top(archive: zipfile.ZipFile) -> str:
    """Return the folder that everything in an archive is in, with its `/`."""
    tops = {name.partition("/")[0] for name in archive.namelist()}
    if len(tops) != 1:
        raise KeyError("/")
    return f"{tops.pop()}/"


def labels_text(labels: Sequence[str]) -> bytes:
    """Return the labels as Teachable Machine writes them: a line for each, its number first.

    A line cannot hold a line break; where a label has one, a space stands there, and `signature.json` has it exactly.
    """
    lines = (f"{index} {' '.join(label.splitlines())}\n" for index, label in enumerate(labels))
    return "".join(lines).encode()


def signature(metadata: ModelMetadata, ports: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """Return what `signature.json` says: ports, labels, versions, and the SHA-256 of every file."""
    described = {
        "format_version": FORMAT_VERSION,
        "teachable_version": __version__,
        "project": metadata.project,
        "created": datetime.fromtimestamp(metadata.created, UTC).isoformat(),
        "backbone": {"id": metadata.backbone_id, "fingerprint": metadata.backbone_fingerprint},
        "labels": list(metadata.labels),
        **ports,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
    }
    return (json.dumps(described, ensure_ascii=False, indent=2) + "\n").encode()


def familiarity(metadata: ModelMetadata) -> dict[str, Any]:
    """Return what `signature.json` says about the answer "not sure": nothing where the model cannot tell."""
    if metadata.unknown_below is None:
        return {}
    return {"familiarity": {"below": metadata.unknown_below, "held_out": metadata.familiar}}


def photo_ports(metadata: ModelMetadata) -> dict[str, Any]:
    """Return inputs and outputs of a model file that takes photos of any size, as `signature.json` states them."""
    classes = len(metadata.labels)
    outputs: dict[str, list[str | int]] = {
        "probabilities": ["batch", classes],
        "logits": ["batch", classes],
        "heatmap": ["batch", classes, "rows", "columns"],
        **({} if metadata.unknown_below is None else {"familiarity": ["batch"]}),
    }
    return {
        "inputs": [{"name": "image", "type": "uint8", "shape": ["batch", "height", "width", 3]}],
        "outputs": [{"name": name, "type": "float32", "shape": shape} for name, shape in outputs.items()],
        **familiarity(metadata),
    }


def readme(metadata: ModelMetadata, about: str, kept: Precision = "full", *, unsure: bool = True) -> bytes:
    """Return the README of an archive: what this is, from when, what it knows, and how good it is.

    Args:
        metadata: of the model.
        about: what the files are for and how to use them, Markdown.
        kept: how the numbers of the model in the archive are kept; the figures are those of the full one.
        unsure: the model in the archive has the output `familiarity` where the full one has it.
    """
    score = metadata.evaluation
    if score.accuracy is None or score.low is None or score.high is None:
        good = say("export.readme.unjudged")
    else:
        figures = {"share": percent(score.accuracy), "low": end(score.low), "high": end(score.high)}
        figures |= {"correct": str(score.correct), "count": str(score.held_out)}
        good = say("export.readme.judged", **figures)
        if names := untested(metadata):
            total = len(metadata.labels)
            left_out = say("export.readme.untested", names=listed([plain(name) for name in names]), count=len(names))
            some = {"judged": str(total - len(names)), "total": str(total), "untested": left_out}
            good = say("export.readme.judged_some", **some, **figures)
        if kept == "quarter":
            good = f"{good} {say('export.readme.judged_full')}"
    good = f"{good} {_limits(metadata, unsure)}"
    labels = "\n".join(f"{index}. {plain(label)}" for index, label in enumerate(metadata.labels))
    made = datetime.fromtimestamp(metadata.created, UTC).date().isoformat()
    head = say("export.readme.head", project=plain(metadata.project), date=made, version=__version__)
    parts = (f"# {plain(metadata.project)}", head, about.strip(), say("export.readme.classes"), labels, good)
    return ("\n\n".join(parts) + "\n").encode()


def untested(metadata: ModelMetadata) -> list[str]:
    """Return the classes of which nothing could be kept aside: what is known about accuracy says nothing of them."""
    return [label for index, label in enumerate(metadata.labels) if index in metadata.evaluation.unjudged]


def _limits(metadata: ModelMetadata, unsure: bool) -> str:
    """Return what the model says about things it has never seen, in words."""
    if metadata.unknown_below is None:
        return say("export.readme.always")
    if not unsure:
        return say("export.readme.always_here")
    return say("export.readme.unsure", below=f"{metadata.unknown_below:g}", percent=percent(metadata.unknown_below))


def plain(text: str) -> str:
    """Return a name a person typed so that it stands in Markdown as it is, on one line."""
    line = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]<>()#+-.!|&~" else letter for letter in line)


def _moment(created: float) -> tuple[int, int, int, int, int, int]:
    when = datetime.fromtimestamp(created, UTC)
    return max(_EARLIEST, (when.year, when.month, when.day, when.hour, when.minute, when.second))
