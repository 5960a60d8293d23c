"""The open format of a whole project as one zip file: what `project.json` says, and what the folders are called.

It owns the records, their checks and the names inside the zip; `assets/project-zip/README.md` describes the same for
people. Making and reading the zip file itself is the business of `teachable.archives` and `teachable.importing`.
"""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from teachable.errors import InvalidInput, TeachableError, TooLarge
from teachable.projects import names
from teachable.projects.names import free_name, name_key
from teachable.settings import check_training, check_unknown_below, limits
from teachable.types import UNKNOWN_BELOW, ModelRecord, ProjectNetwork, TrainSettings

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = "teachable-project"
FORMAT_VERSION = 1

DESCRIPTION = "project.json"
"""What says what is in the zip."""

DOCUMENTATION = "README.md"
PHOTOS = "photos"
MODELS = "models"
KEPT = "kept"
"""Folders of the zip: with a folder for each class, with the files of versions, and with photos of versions alone."""

LARGEST_DESCRIPTION = 128 * 2**20
"""Bytes of `project.json`; with as many photos as a project can hold it has about 40 million."""

MOST_VERSIONS = 10_000
MOST_KEPT = 1_000_000

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_LARGEST_ID = 2**63 - 1
_LARGEST_SIDE = 2**20

_RESERVED = re.compile(r'[<>:"/\\|?*]')
# Windows gives these names to devices, with any ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
# Of 255 that file systems allow; the rest is for a number behind it.
_FOLDER_BYTES = 180


@dataclass(frozen=True)
class PackedClass:
    """One class, in the order of the project.

    Attributes:
        id: of the class.
        name: what the person calls it.
        color: `#RRGGBB`.
        disabled: left out of training.
        folder: below `photos`, with its photos; there is none while it has no photos.
    """

    id: str
    name: str
    color: str
    disabled: bool
    folder: str


@dataclass(frozen=True)
class PackedPhoto:
    """One photo.

    Attributes:
        file: in the zip.
        number: of the sample; newer ones have larger numbers.
        class_id: the class it is of.
        sha256: of the file, in hex.
        source: SHA-256 of the file it was made from, in hex.
        recording: photos that were taken together share it.
        width: pixels.
        height: pixels.
        created: seconds since 1970.
        test: it is never trained on, only tested with.
    """

    file: str
    number: int
    class_id: str
    sha256: str
    source: str
    recording: str
    width: int
    height: int
    created: float
    test: bool = False


@dataclass(frozen=True)
class PackedVersion:
    """One trained model.

    Attributes:
        number: of the version; newer ones have larger numbers.
        name: what the person calls it, or None.
        current: it is the one in use.
        record: what is known about it.
        model: its ONNX file in the zip.
        outcomes: in the zip, what its test said photo by photo, or None.
        snapshot: in the zip, what it was trained on, or None.
    """

    number: int
    name: str | None
    current: bool
    record: ModelRecord
    model: str
    outcomes: str | None = None
    snapshot: str | None = None


@dataclass(frozen=True)
class Packed:
    """One project, as `project.json` says it.

    Attributes:
        name: what the person calls it.
        created: seconds since 1970.
        updated: seconds since 1970, last change of anything.
        settings: for the next training.
        network: it is taught with, or None if that was never noted.
        unknown_below: a photo whose familiarity is below it gets the answer "not sure".
        classes: in their order.
        photos: in the order they were taken.
        versions: oldest first.
        kept: SHA-256 of photos that are in no class any more, but that a version can be gone back to with.
    """

    name: str
    created: float
    updated: float
    settings: TrainSettings
    network: ProjectNetwork | None
    unknown_below: float = UNKNOWN_BELOW
    classes: tuple[PackedClass, ...] = ()
    photos: tuple[PackedPhoto, ...] = ()
    versions: tuple[PackedVersion, ...] = ()
    kept: tuple[str, ...] = ()


def write(packed: Packed, program: str) -> bytes:
    """Return the bytes of `project.json`: one line for each class, photo and version.

    Args:
        packed: what it is to say.
        program: version of the program that writes it.
    """
    whole = {name: getattr(packed, name) for name in ("name", "created", "updated", "unknown_below")}
    head: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "teachable_version": program,
        **whole,
        "settings": asdict(packed.settings),
        "network": None if packed.network is None else asdict(packed.network),
    }
    lines = [f" {json.dumps(name)}: {_text(value)}" for name, value in head.items()]
    for name in ("classes", "photos", "versions"):
        lines.append(_listed(name, [_flat(one) for one in getattr(packed, name)]))
    lines.append(_listed("kept", packed.kept))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def read(data: bytes) -> Packed:
    """Read and check a `project.json`. Whatever it says afterwards is in the limits of a project.

    Raises:
        InvalidInput: it is none, damaged, or of a newer version of the format.
        TooLarge: it says more than a project can hold.
    """
    if len(data) > LARGEST_DESCRIPTION:
        raise TooLarge("project_zip_large")
    from pydantic import ValidationError
    from pydantic_core import from_json

    try:
        head = from_json(data)
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise InvalidInput("project_zip_damaged", problem=DESCRIPTION)
        if head.get("format_version") != FORMAT_VERSION:
            raise InvalidInput("project_zip_newer")
        packed = _adapter().validate_json(data, strict=True)
    except ValidationError as error:
        problem = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise InvalidInput("project_zip_damaged", problem=problem or DESCRIPTION) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput("project_zip_damaged", problem=DESCRIPTION) from error
    _check(packed)
    return packed


def folder_names(called: Sequence[str]) -> tuple[str, ...]:
    """Return a folder name for each class name, safe on every system and unlike the others whatever the capitals.

    Args:
        called: names as people give them; they can hold anything.
    """
    taken: set[str] = set()
    found = []
    for name in called:
        free = free_name(_folder_name(name), taken)
        taken.add(name_key(free))
        found.append(free)
    return tuple(found)


def photo_name(folder: str, place: int) -> str:
    """Return what the photo of a class at a place, from 0, is called in a zip."""
    return f"{folder}/{place:05d}.jpg"


def kept_name(sha256: str) -> str:
    """Return what a photo that only versions know is called in a zip."""
    return f"{KEPT}/{sha256}.jpg"


def _folder_name(name: str) -> str:
    kept = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in name)
    kept = " ".join(_RESERVED.sub("_", kept).split()).strip(". ")
    while len(kept.encode()) > _FOLDER_BYTES:
        kept = kept[:-1].rstrip(". ")
    # A name that begins so is a folder of a Mac's that readers leave out.
    special = _DEVICES.fullmatch(kept) or kept.casefold().startswith("__macosx")
    return f"_{kept}" if special else kept or "_"


def _flat(record: object) -> dict[str, Any]:
    return asdict(record)  # type: ignore[call-overload, no-any-return]


def _listed(name: str, rows: Iterable[object]) -> str:
    lines = ",\n".join(f"  {_text(row)}" for row in rows)
    return f" {json.dumps(name)}: [\n{lines}\n ]" if lines else f" {json.dumps(name)}: []"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@cache
def _adapter() -> "TypeAdapter[Packed]":
    from pydantic import TypeAdapter

    # Fields that are not known here are of a program that knows more of the same format: they are left out.
    return TypeAdapter(Packed)


def _check(packed: Packed) -> None:
    """Refuse what no project could say.

    Raises:
        InvalidInput: it does not fit together.
        TooLarge: more than a project can hold.
    """
    bound = limits()
    if len(packed.classes) > bound.classes:
        raise TooLarge("too_many_classes", allowed=bound.classes)
    if len(packed.photos) > bound.samples:
        raise TooLarge("too_many_samples", allowed=bound.samples)
    if len(packed.versions) > MOST_VERSIONS:
        raise TooLarge("project_zip_large")
    try:
        names.clean_name(packed.name)
        check_training(packed.settings)
        check_unknown_below(packed.unknown_below)
    except TeachableError as error:
        raise InvalidInput("project_zip_damaged", problem=str(error)) from error
    _require(_is_time(packed.created) and _is_time(packed.updated), "created, updated")
    _require(packed.network is None or _is_network(packed.network), "network")
    _check_classes(packed.classes)
    _check_photos(packed.photos, {one.id for one in packed.classes})
    _check_versions(packed.versions)
    if len(packed.kept) > MOST_KEPT:
        raise TooLarge("project_zip_large")
    _require(all(_SHA256.fullmatch(one) for one in packed.kept), "kept")
    _require_once(packed.kept, "kept")


def _check_classes(found: Sequence[PackedClass]) -> None:
    for one in found:
        _require(names.is_id(one.id) and _COLOR.fullmatch(one.color) is not None, f"classes: {one.id[:64]}")
        try:
            same = names.clean_name(one.name) == one.name
        except InvalidInput:
            same = False
        _require(same, f"classes: {one.id[:64]}")
    _require_once((one.id for one in found), "classes.id")
    _require_once((name_key(one.name) for one in found), "classes.name")


def _check_photos(found: Sequence[PackedPhoto], classes: set[str]) -> None:
    before = 0
    for one in found:
        whole = (
            before < one.number <= _LARGEST_ID
            and one.class_id in classes
            and _SHA256.fullmatch(one.sha256) is not None
            and _SHA256.fullmatch(one.source) is not None
            and 0 < one.width <= _LARGEST_SIDE
            and 0 < one.height <= _LARGEST_SIDE
            and _is_time(one.created)
        )
        _require(whole, f"photos: {one.number}")
        try:
            names.clean_group(one.recording)
        except InvalidInput as error:
            raise InvalidInput("project_zip_damaged", problem=f"photos: {one.number}") from error
        before = one.number
    _require_once(((one.class_id, one.sha256) for one in found), "photos.sha256")


def _check_versions(found: Sequence[PackedVersion]) -> None:
    before = 0
    for one in found:
        record = one.record
        whole = (
            before < one.number <= _LARGEST_ID
            and names.is_model_id(record.id)
            and len(record.class_ids) == len(record.labels) >= 1
            and _is_time(record.created)
        )
        _require(whole, f"versions: {one.number}")
        try:
            check_training(record.settings)
            if one.name is not None:
                names.clean_name(one.name)
        except TeachableError as error:
            raise InvalidInput("project_zip_damaged", problem=f"versions: {one.number}") from error
        before = one.number
    _require_once((one.record.id for one in found), "versions.id")
    _require(sum(one.current for one in found) == bool(found), "versions.current")


def _is_network(network: ProjectNetwork) -> bool:
    return 0 < len(network.id) <= limits().name_length and _SHA256.fullmatch(network.fingerprint) is not None


def _is_time(seconds: float) -> bool:
    return math.isfinite(seconds) and 0 <= seconds < 1e11


def _require_once(found: Iterable[object], problem: str) -> None:
    seen = list(found)
    _require(len(set(seen)) == len(seen), problem)


def _require(met: bool, problem: str) -> None:
    if not met:
        raise InvalidInput("project_zip_damaged", problem=problem)
