"""What a project held when a model was trained: its classes and photos by their hashes. It owns the form on disk.

Two lines of JSON, gzipped. The first has `format_version` and `classes`, a list of objects, and is read alone where
only the classes are wanted. The second has `groups`, a list of names, and `samples`, column by column, so that fifty
thousand photos take about two megabytes: `id` holds differences to the one before, `class` and `group` are places in
`classes` and `groups`. No pixel is in it: photos are found again by their SHA-256.
"""

import gzip
import json
import logging
import math
import re
import zlib
from collections import Counter
from dataclasses import asdict, dataclass, replace
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
# Bytes of text that are read where only the classes are wanted; a thousand of them take a fifth of it.
_LARGEST_HEAD = 2**20
_DAMAGES = (
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    TeachableError,
    zlib.error,
)


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
    counts = Counter(one.class_id for one in samples)
    tests = Counter(one.class_id for one in samples if one.test)
    classes = [replace(one, samples=counts[one.id], tests=tests[one.id]) for one in snapshot.classes]
    head = {"format_version": FORMAT_VERSION, "classes": [asdict(one) for one in classes]}
    body = {
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
    text = "\n".join(json.dumps(part, separators=(",", ":")) for part in (head, body))
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)


def unpack(data: bytes) -> Snapshot | None:
    """Read a snapshot; one that is damaged or of a newer version is as good as none, and that is logged."""
    try:
        head, body = _inflated(data, LARGEST).split(b"\n")
        classes = _classes(head)
        return Snapshot(classes, _samples(json.loads(body), classes))
    except _DAMAGES:
        log.warning("what a project held when a model was trained cannot be read", exc_info=True)
        return None


def classes_of(data: bytes) -> tuple[ClassInfo, ...] | None:
    """Read the classes of a snapshot alone, with their numbers of samples; None for one that is damaged."""
    try:
        head, line, _ = _inflated(data, _LARGEST_HEAD, whole=False).partition(b"\n")
        if not line:
            raise ValueError("it has no end")
        return _classes(head)
    except _DAMAGES:
        log.warning("what a project held when a model was trained cannot be read", exc_info=True)
        return None


def hashes(data: bytes) -> list[str]:
    """Return the SHA-256 of all photos of a snapshot, and of one that is damaged as many as can be made out."""
    try:
        found = json.loads(_inflated(data, LARGEST).split(b"\n")[1])["samples"]["sha256"]
        return [text for text in found if isinstance(text, str) and _SHA256.fullmatch(text)]
    except _DAMAGES:
        return []


def _inflated(data: bytes, most: int, *, whole: bool = True) -> bytes:
    """Return the text of a gzip file of one member, or its beginning.

    Raises:
        ValueError: it is longer than `most`, or cut short, and all of it is wanted.
    """
    stream = zlib.decompressobj(wbits=31)
    text = stream.decompress(data, most)
    if whole and not stream.eof:
        raise ValueError("cut short, or far too long")
    return text


def _classes(head: bytes) -> tuple[ClassInfo, ...]:
    found = json.loads(head)
    if found["format_version"] != FORMAT_VERSION:
        raise ValueError(f"version {found['format_version']} is not known here")
    classes = tuple(_class(one, place) for place, one in enumerate(found["classes"]))
    if len({one.id for one in classes}) < len(classes) or len({names.name_key(one.name) for one in classes}) < len(
        classes
    ):
        raise ValueError("a class is in it twice")
    return classes


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
    if len({(one.class_id, one.sha256) for one in samples}) < len(samples):
        raise ValueError("a photo is in a class twice")
    return tuple(samples)
