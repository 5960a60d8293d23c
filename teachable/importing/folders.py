"""Which class, group and part of a data set each file of a tree of folders belongs to. It reads names and tables only.

A class is a folder, a folder inside it is a group: one day, one place, one recording. One folder around everything is
looked through, and so are the parts of a data set: `train`, `validation`, `test`. A table beside the photos counts more
than folders.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from teachable.errors import InvalidInput, PhotoError, TeachableError, TooLarge
from teachable.importing import tables
from teachable.importing.plan import Note, Skipped
from teachable.importing.source import group_name
from teachable.importing.tables import Row
from teachable.importing.trees import File, natural
from teachable.projects.names import name_key
from teachable.settings import limits

PHOTOS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".heic", ".heif"})
"""Endings of photos. What has another is looked into; a file that lies about it is told when it is read."""

_PACKED = frozenset({".zip", ".tm", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"})
_TRAINING = frozenset({"train", "training"})
_VALIDATION = frozenset({"val", "valid", "validation", "dev"})
_TEST = frozenset({"test", "testing", "eval", "evaluation"})
_PARTS = _TRAINING | _VALIDATION | _TEST


@dataclass(slots=True)
class Place:
    """Where a file belongs.

    Attributes:
        file: the file.
        label: its class as the folder or table calls it.
        group: what it was taken together with; unlike that of any other group, whatever the class.
        test: only to be tested with.
    """

    file: File
    label: str
    group: str
    test: bool = False


@dataclass
class Layout:
    """What a tree of folders was found to be.

    Attributes:
        places: of all files that belong to a class, class by class.
        labelled: it is a data set with parts or a table, not just folders.
        notes: what a person should know.
    """

    places: list[Place]
    labelled: bool = False
    notes: list[Note] = field(default_factory=list)


def arrange(files: Sequence[File], others: Sequence[File], title: str, skipped: Skipped) -> Layout:
    """Find out which class each file belongs to.

    Args:
        files: photos and videos, in order.
        others: all other files; tables are looked for among them, and what is no table is told.
        title: what to call the class of files that lie in no folder.
        skipped: gets what is left out.

    Raises:
        TooLarge: more classes than a project can hold.
    """
    layout = Layout([])
    rows = _rows(files, others, skipped, layout)
    trunk = _trunk(files)
    parts = _parts(files, len(trunk))
    layout.labelled = bool(rows or parts)
    if parts:
        layout.notes.append(Note("note.import.parts", {"parts": ", ".join(sorted(parts))}))
    tested = _tested(parts)
    loose = trunk[-1] if trunk and trunk[-1].lower() not in _PARTS else title
    labels: dict[str, str] = {}
    for file in files:
        folders = file.parts[len(trunk) : -1]
        part = folders[0].lower() if parts else ""
        inside = folders[1:] if parts else folders
        row = rows.get(file.parts)
        if rows and row is None:
            skipped.add(file.name, InvalidInput("table_not_named", name=file.name))
            continue
        label = (row.label if row else None) or (inside[0] if inside else loose)
        # Folders that a person would call the same are one class, in which both are groups.
        label = labels.setdefault(name_key(label.strip()), label)
        group = row.group if row and row.group else "/".join(folders[: 3 if parts else 2]) or "."
        layout.places.append(Place(file, label, group_name(group), part in tested))
    if len(labels) > limits().classes:
        raise TooLarge("too_many_classes", allowed=limits().classes)
    # Tables name photos in any order; folders come in theirs.
    order = {label: at for at, label in enumerate(sorted(labels.values(), key=natural) if rows else labels.values())}
    layout.places.sort(key=lambda place: order[place.label])
    return layout


def unreadable(file: File) -> TeachableError:
    """Return why a file that is no photo and no video is left out."""
    if file.ending in _PACKED:
        return InvalidInput("archive_nested", name=file.name)
    return PhotoError("photo_unknown", name=file.name)


def is_table(file: File) -> bool:
    """Return whether a file is a table by its name."""
    return file.parts[-1].lower() in (*tables.NAMES, *tables.OTHER_NAMES)


def _rows(
    files: Iterable[File], others: Iterable[File], skipped: Skipped, layout: Layout
) -> dict[tuple[str, ...], Row]:
    """Return what tables say, by the place of the file."""
    found: dict[tuple[str, ...], Row] = {}
    there = {file.parts for file in files}
    for file in others:
        if not is_table(file):
            skipped.add(file.name, unreadable(file))
            continue
        if file.parts[-1].lower() not in tables.NAMES:
            skipped.add(file.name, InvalidInput("table_kind", name=file.name))
            continue
        try:
            rows = tables.read_table(file.read(tables.LARGEST_TABLE), file.name)
        except TeachableError as error:
            skipped.add(file.name, error)
            continue
        for name, row in rows.items():
            place = (*file.parts[:-1], *PurePosixPath(name.replace("\\", "/")).parts)
            if place in there:
                found[place] = row
            else:
                skipped.add(name[:200], InvalidInput("table_file_missing", name=name[:200]))
        layout.notes.append(Note("note.import.table", {"name": file.name}))
    return found


def _trunk(files: Sequence[File]) -> tuple[str, ...]:
    """Return the folders around everything."""
    if not files:
        return ()
    trunk = files[0].parts[:-1]
    for file in files:
        while file.parts[: len(trunk)] != trunk or len(file.parts) == len(trunk):
            trunk = trunk[:-1]
    return trunk


def _parts(files: Iterable[File], depth: int) -> frozenset[str]:
    """Return the parts of a data set that the folders at a depth are, or none where they are classes.

    They are if all are called so, there is a part for training, and the photos lie in folders in them.
    """
    found = set()
    nested = False
    for file in files:
        folders = file.parts[depth:-1]
        if not folders or folders[0].lower() not in _PARTS:
            return frozenset()
        found.add(folders[0].lower())
        nested = nested or len(folders) > 1
    return frozenset(found) if nested and len(found) > 1 and found & _TRAINING else frozenset()


def _tested(parts: frozenset[str]) -> frozenset[str]:
    """Return the parts that are only to be tested with: where there is no test, that is what validation is for."""
    return parts & _TEST or parts & _VALIDATION
