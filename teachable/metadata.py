"""What a model file says about itself: the record, and the text it is written as inside the file.

It owns the names and the form of the entries, for the writer (`teachable.export`) and the reader (`teachable.runtime`)
alike, and needs nothing but the standard library. It does not read or write files.

| entry | holds |
|---|---|
| `format_version` | `1`; raised only when an older reader would misunderstand the file |
| `labels` | JSON list of strings, one per output, in order |
| `names` | the same as a Python dict in a string, as Ultralytics writes it |
| `teachable_version`, `project`, `created` | text; the time is ISO 8601, UTC |
| `backbone` | JSON: `id`, `fingerprint` |
| `settings`, `evaluation`, `agreement` | JSON of the records of those names; the last is missing until it is known |
| `familiarity` | JSON: `below`, under which that output means "not sure", and `held_out`; missing where there is none |
| `precision` | `half` or `quarter`: how the numbers inside are kept; missing where they are as they were trained |
| `Image.BitmapPixelFormat`, `Image.ColorSpaceGamma`, `Image.NominalPixelRange` | what ONNX itself says about pixels |
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

from teachable.errors import ModelFileError
from teachable.scores import ClassScore, Evaluation
from teachable.types import Agreement, TrainSettings

FORMAT_VERSION = 1
FULL = "full"

Record = TypeVar("Record", TrainSettings, Agreement)

_PIXELS = {
    "Image.BitmapPixelFormat": "Rgb8",
    "Image.ColorSpaceGamma": "SRGB",
    "Image.NominalPixelRange": "NominalRange_0_255",
}


@dataclass(frozen=True)
class ModelMetadata:
    """What a model file says about itself.

    Attributes:
        labels: one per output, in order. Two may be equal, if a class was deleted and another took its name.
        project: name of the project.
        created: seconds since 1970.
        backbone_id: registry id of the backbone inside the file.
        backbone_fingerprint: of that backbone.
        settings: it was trained with.
        evaluation: what is known about accuracy; the history of the epochs is not written.
        agreement: of file and preview, or None while it is not known.
        teachable_version: of the program that wrote the file, which fills it in.
        precision: how the numbers inside the file are kept: `full` as they were trained, `half` or `quarter`, or what
            a later version calls something else; whoever only runs the file need not care.
        unknown_below: familiarity below which the answer is "not sure", 0 to 1, or None for a file that cannot tell.
        familiar: photos held out that the output `familiarity` is measured against; 0 where the file has none.
    """

    labels: tuple[str, ...]
    project: str
    created: float
    backbone_id: str
    backbone_fingerprint: str
    settings: TrainSettings
    evaluation: Evaluation
    agreement: Agreement | None = None
    teachable_version: str = ""
    precision: str = FULL
    unknown_below: float | None = None
    familiar: int = 0


def to_entries(metadata: ModelMetadata) -> dict[str, str]:
    """Return the entries a model file carries."""
    entries = {
        "format_version": str(FORMAT_VERSION),
        "labels": _json(metadata.labels),
        "names": str(dict(enumerate(metadata.labels))),
        "teachable_version": metadata.teachable_version,
        "project": metadata.project,
        "created": datetime.fromtimestamp(metadata.created, UTC).isoformat(),
        "backbone": _json({"id": metadata.backbone_id, "fingerprint": metadata.backbone_fingerprint}),
        "settings": _json(asdict(metadata.settings)),
        "evaluation": _json(_without_history(metadata.evaluation)),
        **_PIXELS,
    }
    if metadata.agreement is not None:
        entries["agreement"] = _json(asdict(metadata.agreement))
    if metadata.unknown_below is not None:
        entries["familiarity"] = _json({"below": metadata.unknown_below, "held_out": metadata.familiar})
    if metadata.precision != FULL:
        entries["precision"] = metadata.precision
    return entries


def from_entries(entries: Mapping[str, str], name: str) -> ModelMetadata:
    """Read the entries of a model file, which anybody may have written.

    Args:
        entries: of the file.
        name: what to call the file in an error.

    Raises:
        ModelFileError: not a model of ours, one of a newer format, or damaged entries.
    """
    _check_version(entries, name)
    if "labels" not in entries:
        raise ModelFileError("model_entry", name=name, entry="labels")
    labels = _parse(entries, "labels", name)
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise ModelFileError("model_entry", name=name, entry="labels")
    backbone = _object(entries, "backbone", name)
    below, familiar = _familiarity(entries, name)
    return ModelMetadata(
        labels=tuple(labels),
        project=entries.get("project", ""),
        created=_seconds(entries, name),
        backbone_id=str(backbone.get("id", "")),
        backbone_fingerprint=str(backbone.get("fingerprint", "")),
        settings=_numbers(TrainSettings, entries, "settings", name),
        evaluation=_evaluation(entries, name),
        agreement=_numbers(Agreement, entries, "agreement", name) if "agreement" in entries else None,
        teachable_version=entries.get("teachable_version", ""),
        precision=entries.get("precision", FULL),
        unknown_below=below,
        familiar=familiar,
    )


def _check_version(entries: Mapping[str, str], name: str) -> None:
    """Refuse what is not ours and what is too new; only then is it worth looking further."""
    if "format_version" not in entries or "teachable_version" not in entries:
        raise ModelFileError("model_foreign", name=name)
    written = entries["format_version"]
    if not (written.isascii() and written.isdecimal() and len(written) < 10) or not int(written):
        raise ModelFileError("model_entry", name=name, entry="format_version")
    if int(written) > FORMAT_VERSION:
        raise ModelFileError("model_newer", name=name, found=int(written), known=FORMAT_VERSION)


def _seconds(entries: Mapping[str, str], name: str) -> float:
    try:
        return datetime.fromisoformat(entries["created"]).timestamp()
    except (KeyError, OverflowError, ValueError) as error:
        raise ModelFileError("model_entry", name=name, entry="created") from error


def _numbers(kind: type[Record], entries: Mapping[str, str], entry: str, name: str) -> Record:
    """Return a record of numbers. Entries a newer version added are left out, as its `format_version` allows."""
    found = _object(entries, entry, name)
    known = {field.name: found[field.name] for field in fields(kind) if field.name in found}
    if not all(_is_number(value) for value in known.values()):
        raise ModelFileError("model_entry", name=name, entry=entry)
    try:
        return kind(**known)
    except TypeError as error:
        raise ModelFileError("model_entry", name=name, entry=entry) from error


def _evaluation(entries: Mapping[str, str], name: str) -> Evaluation:
    found = _object(entries, "evaluation", name)
    try:
        return Evaluation(
            accuracy=_share(found["accuracy"]),
            low=_share(found["low"]),
            high=_share(found["high"]),
            held_out=int(found["held_out"]),
            correct=int(found["correct"]),
            per_class=tuple(ClassScore(int(score["correct"]), int(score["total"])) for score in found["per_class"]),
            confusion=tuple(tuple(int(count) for count in row) for row in found["confusion"]),
            unjudged=tuple(int(index) for index in found["unjudged"]),
            history=(),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError("model_entry", name=name, entry="evaluation") from error


def _familiarity(entries: Mapping[str, str], name: str) -> tuple[float | None, int]:
    """Return `unknown_below` and `familiar`."""
    if "familiarity" not in entries:
        return None, 0
    found = _object(entries, "familiarity", name)
    try:
        below, held_out = _share(found["below"]), found["held_out"]
    except (KeyError, ValueError) as error:
        raise ModelFileError("model_entry", name=name, entry="familiarity") from error
    if below is None or not isinstance(held_out, int) or isinstance(held_out, bool) or held_out < 0:
        raise ModelFileError("model_entry", name=name, entry="familiarity")
    return below, held_out


def _share(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("a share is a number from 0 to 1")
    return float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _object(entries: Mapping[str, str], entry: str, name: str) -> dict[str, Any]:
    found = _parse(entries, entry, name)
    if not isinstance(found, dict):
        raise ModelFileError("model_entry", name=name, entry=entry)
    return found


def _parse(entries: Mapping[str, str], entry: str, name: str) -> object:
    """Return one entry as strict JSON."""
    try:
        parsed: object = json.loads(entries[entry], parse_constant=_refuse)
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelFileError("model_entry", name=name, entry=entry) from error
    return parsed


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _without_history(evaluation: Evaluation) -> dict[str, Any]:
    plain = asdict(replace(evaluation, history=()))
    del plain["history"]
    return plain


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
