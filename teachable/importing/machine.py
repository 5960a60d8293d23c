"""Teachable Machine's project files (`.tm`): a zip of photos and a manifest.

The format, as found in files from 2020 to 2026: `manifest.json` with the type, the version and the training settings,
and each photo as `<class name>-!-<index>.jpg`. Classes are blocks in the order of the page; index 0 is the newest.
Which photos were taken together is not said, but frames of one recording hardly differ, and so they are told apart.
Photos from a webcam are stored mirrored, uploaded ones are not, and nothing says which is which.

`appdata.publishResults` can hold what lets others publish in the person's name. It is not read.
"""

import io
import json
import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from teachable.errors import InvalidInput, TeachableError, TooLarge
from teachable.images import decode
from teachable.importing.names import class_names, title_of
from teachable.importing.plan import Note, Plan, Skipped
from teachable.importing.source import Contents, Piece, Source, Still
from teachable.importing.zips import Archive, Entry
from teachable.settings import TRAINING_RANGES, check_training, limits
from teachable.types import TrainSettings

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 2**20

SAME_RECORDING = 20 / 255
"""Mean difference of two photos at 32 x 32, 0 to 1, above which a new recording begins.

Frames of one burst were found to differ by less than 9 / 255, photos that have nothing to do with each other by more
than 30 / 255.
"""

_SIDE = 32
_SAMPLE = re.compile(r"(.*)-!-([0-9]{1,9})(\.[A-Za-z0-9]{1,8})?", re.DOTALL)
_PHOTO_SIGNS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"BM")
_USUAL = {"trainEpochs": 50, "trainBatchSize": 16, "trainLearningRate": 0.001}


@dataclass
class _Class:
    """One class: its name as it stands there, and its photos by their index."""

    label: str
    photos: dict[int, Entry]


def manifest_of(archive: Archive) -> Mapping[str, Any] | None:
    """Return the manifest of a Teachable Machine project, or None where a zip file is none."""
    entry = next((one for one in reversed(archive.entries) if one.name == MANIFEST), None)
    if entry is None or entry.size > LARGEST_MANIFEST:
        return None
    try:
        manifest = json.loads(archive.read(entry, LARGEST_MANIFEST))
    except (TeachableError, ValueError, RecursionError):
        return None
    known = isinstance(manifest, dict) and isinstance(manifest.get("type"), str) and "appdata" in manifest
    return manifest if known else None


def machine_source(archive: Archive, manifest: Mapping[str, Any], name: str, close: Callable[[], None]) -> Source:
    """Return a Teachable Machine project as a source.

    Args:
        archive: the file.
        manifest: of it.
        name: of the file.
        close: lets go of it all.

    Raises:
        InvalidInput: a project of sounds or poses, which we cannot do yet.
        TooLarge: more classes than a project can hold.
    """
    match manifest["type"]:
        case "image":
            pass
        case "pose":
            raise InvalidInput("machine_pose", name=name)
        case "audio":
            raise InvalidInput("machine_audio", name=name)
        case _:
            raise InvalidInput("machine_kind", name=name)
    skipped = Skipped()
    classes = _classes(archive, skipped)
    if len(classes) > limits().classes:
        raise TooLarge("too_many_classes", allowed=limits().classes)
    names = class_names([one.label for one in classes])
    contents = [Contents(called, _pieces(archive, one)) for called, one in zip(names, classes, strict=True)]
    settings, notes = _settings(manifest)
    if not contents:
        notes.append(Note("note.import.machine_empty"))
    else:
        notes.append(Note("note.import.machine_mirrored"))
        notes.append(Note("note.import.machine_recordings"))
    plan = Plan(
        "teachable-machine",
        title_of(name),
        (),
        settings=settings,
        skipped=tuple(skipped.first),
        skipped_total=skipped.total,
        notes=tuple(notes),
        options=("unmirror",) if contents else (),
    )
    return Source(plan, contents, close)


def _classes(archive: Archive, skipped: Skipped) -> list[_Class]:
    """Return the classes in their order.

    Two can have the same name: then the numbers of the second begin again.
    """
    classes: list[_Class] = []
    latest: dict[str, _Class] = {}
    for entry in archive.entries:
        if entry.name == MANIFEST or entry.name.startswith("__MACOSX/"):
            continue
        found = _SAMPLE.fullmatch(entry.name)
        if found is None or not archive.start(entry, 16).startswith(_PHOTO_SIGNS):
            skipped.add(entry.name[:200], InvalidInput("machine_entry", name=entry.name[:200]))
            continue
        label, index = found[1], int(found[2])
        known = latest.get(label)
        if known is None or index in known.photos:
            known = latest[label] = _Class(label, {})
            classes.append(known)
        known.photos[index] = entry
    return classes


def _pieces(archive: Archive, one: _Class) -> list[Piece]:
    """Return the photos of a class in the order they were taken, with the recordings they seem to come from."""
    pieces: list[Piece] = []
    group, before = 0, None
    for index in sorted(one.photos, reverse=True):
        entry = one.photos[index]
        look = _look(archive, entry)
        # A photo that cannot be read tells nothing about the next.
        if look is not None:
            if before is not None and float(np.abs(look - before).mean()) > SAME_RECORDING:
                group += 1
            before = look
        pieces.append(Still(entry.name, f"recording {group + 1}", entry.size, partial(archive.read, entry)))
    return pieces


def _look(archive: Archive, entry: Entry) -> NDArray[np.float32] | None:
    """Return a photo at 32 x 32, RGB from 0 to 1, or None where it cannot be read."""
    try:
        data = archive.read(entry)
        if not data.startswith(b"\xff\xd8"):
            small = PIL.Image.fromarray(decode(data, entry.name)).resize((_SIDE, _SIDE), PIL.Image.Resampling.BOX)
        else:
            photo = JpegImageFile(io.BytesIO(data))
            if photo.width * photo.height > limits().photo_pixels:
                return None
            # A quarter of the size is made of a quarter of the work.
            photo.draft("RGB", (_SIDE, _SIDE))
            small = photo.convert("RGB").resize((_SIDE, _SIDE), PIL.Image.Resampling.BOX)
    except TeachableError:
        return None
    except (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, RuntimeError, struct.error):
        # What Pillow's readers raise for damaged bytes; whoever makes a photo of them says so.
        return None
    return np.asarray(small, np.float32) / np.float32(255)


def _settings(manifest: Mapping[str, Any]) -> tuple[TrainSettings, list[Note]]:
    """Return the training settings; what could not be trained with is as usual, and a note says so."""
    stated = manifest["appdata"] if isinstance(manifest["appdata"], dict) else {}
    settings, notes = TrainSettings(), []
    for field, name in (
        ("epochs", "trainEpochs"),
        ("batch_size", "trainBatchSize"),
        ("learning_rate", "trainLearningRate"),
    ):
        value = stated.get(name, _USUAL[name])
        given: dict[str, Any] = {field: _number(value, whole=field != "learning_rate")}
        changed = replace(settings, **given)
        try:
            check_training(changed)
        except InvalidInput:
            low, high = TRAINING_RANGES[field]
            notes.append(Note("note.import.machine_settings", {"value": str(value)[:40], "low": low, "high": high}))
        else:
            settings = changed
    return settings, notes


def _number(value: object, *, whole: bool) -> float | int | None:
    """Return a number as settings have it, which JavaScript writes in whichever way it likes."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    if whole:
        return int(value) if value == int(value) else None
    return float(value)
