"""What a project held when a model was trained: its classes and photos by their hashes. It owns the form on disk.

A JSON text, gzipped: `format_version`; `classes`, a list of objects; and `samples`, column by column, so that fifty
thousand photos take about two megabytes. `id` holds differences to the one before, `class` and `group` count in
`classes` and `groups`. No pixel is in it: photos are found again by their SHA-256.
"""

import gzip
import json
import logging
import math
import re
import zlib
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import Any

from teachable.errors import TeachableError
from teachable.projects import names
from teachable.types import ClassInfo, Sample

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
LARGEST = 256 * 2**20
"""Bytes of text that are read at most; a million photos take less."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COLOR = re.compile(r"#[0-9A-F]{6}")
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Snapshot:
    """Classes and photos of one moment.

    Attributes:
        classes: in their order, disabled ones too.
        samples: of all classes, in the order of their ids.
    """

    classes: tuple[ClassInfo, ...]
    samples: tuple[Sample, ...]

    @property
    def learned(self) -> tuple[Sample, ...]:
        """The photos a model of that moment was trained on: those of enabled classes that are no test."""
        enabled = {one.id for one in self.classes if not one.disabled}
        return tuple(one for one in self.samples if one.class_id in enabled and not one.test)


def pack(snapshot: Snapshot) -> bytes:
    """Return the bytes of the file; equal snapshots give equal bytes."""
    places = {one.id: place for place, one in enumerate(snapshot.classes)}
    samples = snapshot.samples
    groups = list(dict.fromkeys(one.group for one in samples))
    group_places = {group: place for place, group in enumerate(groups)}
    ids = [0, *(one.id for one in samples)]
    found = {
        "format_version": FORMAT_VERSION,
        "classes": [asdict(one) for one in snapshot.classes],
        "groups": groups,
        "samples": {
            "id": [after - before for before, after in pairwise(ids)],
            "class": [places[one.class_id] for one in samples],
            "sha256": [one.sha256 for one in samples],
            "group": [group_places[one.group] for one in samples],
            "width": [one.width for one in samples],
            "height": [one.height for one in samples],
            "created": [one.created for one in samples],
            "test": [int(one.test) for one in samples],
        },
    }
    return gzip.compress(json.dumps(found, separators=(",", ":")).encode(), compresslevel=6, mtime=0)


def unpack(data: bytes) -> Snapshot | None:
    """Read a snapshot; one that is damaged or of a newer version is as good as none, and that is logged."""
    try:
        found = json.loads(_inflated(data))
        if found["format_version"] != FORMAT_VERSION:
            raise ValueError(f"version {found['format_version']} is not known here")
        classes = tuple(_class(one, place) for place, one in enumerate(found["classes"]))
        snapshot = Snapshot(classes, _samples(found, classes))
        if len({one.id for one in classes}) < len(classes) or len({one.name for one in classes}) < len(classes):
            raise ValueError("classes are in it twice")
    except (
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
        TeachableError,
        zlib.error,
    ):
        log.warning("what a project held when a model was trained cannot be read", exc_info=True)
        return None
    return snapshot


def hashes(data: bytes) -> list[str]:
    """Return the SHA-256 of all photos of a snapshot, and of one that is damaged as many as can be made out."""
    try:
        found = json.loads(_inflated(data))["samples"]["sha256"]
        return [text for text in found if isinstance(text, str) and _SHA256.fullmatch(text)]
    except (LookupError, AttributeError, RecursionError, TypeError, ValueError, zlib.error):
        return []


def _inflated(data: bytes) -> bytes:
    """Return the text of a gzip file of one member, of a size that is no attack."""
    stream = zlib.decompressobj(wbits=31)
    text = stream.decompress(data, LARGEST)
    if not stream.eof:
        raise ValueError("cut short, or far too long")
    return text


def _class(found: dict[str, Any], place: int) -> ClassInfo:
    one = ClassInfo(**found)
    counts = (one.samples, one.tests)
    sound = names.is_id(one.id) and _COLOR.fullmatch(one.color) and all(type(count) is int for count in counts)
    if not sound or names.clean_name(one.name) != one.name or type(one.disabled) is not bool:
        raise ValueError("no class")
    if one.position != place:
        raise ValueError("classes out of order")
    return one


def _samples(found: dict[str, Any], classes: tuple[ClassInfo, ...]) -> tuple[Sample, ...]:
    columns: dict[str, list[Any]] = found["samples"]
    groups = [names.clean_group(group) for group in found["groups"]]
    ordered = [columns[name] for name in ("class", "sha256", "group", "width", "height", "created", "test")]
    samples = []
    for number, place, sha256, group, width, height, created, test in zip(
        accumulate(columns["id"]), *ordered, strict=True
    ):
        if {type(one) for one in (number, place, group, width, height, test)} != {int} or min(place, group) < 0:
            raise ValueError("no whole numbers")
        sound = _SHA256.fullmatch(sha256) and 0 < number <= _LARGEST_ID and min(width, height) > 0 and test in {0, 1}
        if not sound or not math.isfinite(created):
            raise ValueError("no photo")
        class_id = classes[place].id
        samples.append(Sample(number, class_id, sha256, groups[group], width, height, float(created), bool(test)))
    if any(after.id <= before.id for before, after in pairwise(samples)):
        raise ValueError("photos out of order")
    return tuple(samples)
