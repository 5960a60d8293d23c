"""Photos and whole projects as one zip file to take away, made while it is sent.

It owns the writing of zip files and what is in them; the names in one and the form of a project are
`teachable.project_zip`, putting a project together again is `teachable.unpacking`. Nothing waits until a large file is
written, and no second copy of a project needs room on the disk.
"""

import logging
import os
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from teachable import project_zip
from teachable.errors import NotFound
from teachable.project_zip import Packed, PackedClass, PackedPhoto, PackedVersion
from teachable.projects import Project, about, classes, models, schema
from teachable.projects.about import DATABASE, MODELS, SAMPLES
from teachable.projects.files import PhotoFiles
from teachable.projects.kept import ModelFiles
from teachable.resources import assets

log = logging.getLogger(__name__)

# What is small stays in memory until it is sent; a model or another zip goes through a temporary file.
_IN_MEMORY = 8 * 2**20
_PIECE = 2**20
# Beyond it a zip needs longer numbers; a file may grow a little while it is read.
_LARGE = 2**30


@dataclass(frozen=True)
class Entry:
    """One file of a zip.

    Attributes:
        name: in the zip.
        content: the bytes, the file that holds them, or what gives them piece by piece.
        created: seconds since 1970.
    """

    name: str
    content: bytes | Path | Iterable[bytes]
    created: float


def of_class(project: Project, class_id: str) -> Iterator[bytes]:
    """Return a zip of all photos of a class, piece by piece. They are numbered in the order they were taken.

    Raises:
        NotFound: there is no such class.
    """
    if not any(one.id == class_id for one in project.info().classes):
        raise NotFound("class_unknown")
    found = [sample for sample in project.all_samples() if sample.class_id == class_id]
    files = PhotoFiles(project.folder / SAMPLES)
    return stream(
        Entry(f"{place:05d}.jpg", files.path(sample.sha256), sample.created) for place, sample in enumerate(found)
    )


def of_photos(project: Project) -> Iterator[bytes]:
    """Return a zip of all photos with a folder for each class, piece by piece."""
    info, found = project.info(), project.all_samples()
    folders = dict(
        zip((one.id for one in info.classes), project_zip.folder_names([one.name for one in info.classes]), strict=True)
    )
    files = PhotoFiles(project.folder / SAMPLES)
    places: Counter[str] = Counter()

    def entries() -> Iterator[Entry]:
        for sample in found:
            folder = folders.get(sample.class_id)
            if folder is not None:
                name = project_zip.photo_name(folder, places[folder])
                places[folder] += 1
                yield Entry(name, files.path(sample.sha256), sample.created)

    return stream(entries())


def of_project(project: Project, program: str) -> Iterator[bytes]:
    """Return a zip of a whole project, piece by piece, as it is at this moment.

    Args:
        project: the project.
        program: version of the program, for the description.
    """
    packed = describe(project)
    return stream(_whole(project, packed, program))


def describe(project: Project) -> Packed:
    """Return what `project.json` says of a project; photos whose files are lost are not in it."""
    files, stored = ModelFiles(project.folder / MODELS), PhotoFiles(project.folder / SAMPLES)
    path = project.folder / DATABASE
    with schema.in_words(path), closing(schema.connect(path)) as connection:
        connection.execute("BEGIN")
        info = about.read(connection, project.id, project.folder)
        named = project_zip.folder_names([one.name for one in classes.read(connection)])
        packed_classes = tuple(
            PackedClass(one.id, one.name, one.color, one.disabled, folder)
            for one, folder in zip(info.classes, named, strict=True)
        )
        photos = tuple(_photos(stored, connection, {one.id: one.folder for one in packed_classes}))
        versions = tuple(
            _version(one, files) for one in models.every(connection) if files.path(one.record.id).is_file()
        )
        connection.rollback()
    if versions and not any(one.current for one in versions):
        last = versions[-1]
        versions = (*versions[:-1], PackedVersion(**{**vars(last), "current": True}))
    live = {one.sha256 for one in photos}
    kept = sorted(one for one in files.photos_named() - live if stored.path(one).is_file())
    return Packed(
        info.name,
        info.created,
        info.updated,
        info.settings,
        info.network,
        info.unknown_below,
        packed_classes,
        photos,
        versions,
        tuple(kept),
    )


def stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Give a zip file of entries piece by piece. An entry whose file is gone is left out, and the others are kept.

    Nothing is compressed: photos and models are as small as they get, and it would only cost time.
    """
    window = _Window()
    try:
        with zipfile.ZipFile(window, "w", zipfile.ZIP_STORED) as archive:
            for entry in entries:
                try:
                    _put(archive, entry)
                except (NotFound, FileNotFoundError):
                    log.warning("%s is missing and left out", entry.name)
                    continue
                yield from window.drain()
        yield from window.drain()
    finally:
        window.close()


def _put(archive: zipfile.ZipFile, entry: Entry) -> None:
    stamp = time.localtime(max(entry.created, 0.0))[:6]
    # What a zip can say begins in 1980 and ends in 2107.
    moment = stamp if 1980 <= stamp[0] < 2107 else (1980, 1, 1, 0, 0, 0)
    info = zipfile.ZipInfo(entry.name, moment)
    info.external_attr = 0o644 << 16
    if isinstance(entry.content, Path):
        with entry.content.open("rb") as found:
            large = os.fstat(found.fileno()).st_size > _LARGE
            with archive.open(info, "w", force_zip64=large) as target:
                while piece := found.read(_PIECE):
                    target.write(piece)
    elif isinstance(entry.content, bytes):
        archive.writestr(info, entry.content)
    else:
        with archive.open(info, "w", force_zip64=True) as target:
            for piece in entry.content:
                target.write(piece)


class _Window:
    """The end of a zip file that is being written; what is before it was sent already.

    The head of each entry is written again once its size is known, so the entry in hand is kept until it is whole.
    """

    def __init__(self) -> None:
        self._sent = 0
        self._held: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by `close`

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._sent + self._held.tell()

    def seek(self, place: int, whence: int = 0) -> int:
        if whence == 0:
            place -= self._sent
        return self._sent + self._held.seek(place, whence)

    def write(self, data: Any) -> int:
        return self._held.write(data)

    def flush(self) -> None:
        pass

    def drain(self) -> Iterator[bytes]:
        """Give all that was written so far, and forget it."""
        self._held.seek(0)
        while piece := self._held.read(_PIECE):
            self._sent += len(piece)
            yield piece
        self._held.seek(0)
        self._held.truncate()

    def close(self) -> None:
        self._held.close()


def _whole(project: Project, packed: Packed, program: str) -> Iterator[Entry]:
    """Give everything a project zip holds; the description first, so that a reader knows what follows."""
    files, stored = ModelFiles(project.folder / MODELS), PhotoFiles(project.folder / SAMPLES)
    yield Entry(project_zip.DESCRIPTION, project_zip.write(packed, program), packed.updated)
    guide = (assets() / "project-zip" / project_zip.DOCUMENTATION).read_bytes()
    yield Entry(project_zip.DOCUMENTATION, guide, packed.updated)
    for photo in packed.photos:
        yield Entry(photo.file, stored.path(photo.sha256), photo.created)
    for sha256 in packed.kept:
        yield Entry(project_zip.kept_name(sha256), stored.path(sha256), packed.updated)
    for version in packed.versions:
        there = files.there(version.record.id)
        named = {
            "model.onnx": version.model,
            "outcomes.npz": version.outcomes,
            "snapshot.gz": version.snapshot,
        }
        for part, name in named.items():
            if name is not None and part in there:
                yield Entry(name, there[part], version.record.created)


def _photos(stored: PhotoFiles, connection: Any, folders: dict[str, str]) -> Iterator[PackedPhoto]:
    places: Counter[str] = Counter()
    query = (
        "SELECT id, class_id, sha256, source, capture, width, height, created, test FROM samples"
        " WHERE removal IS NULL ORDER BY id"
    )
    for number, class_id, sha256, source, recording, width, height, created, test in connection.execute(query):
        folder = folders.get(class_id)
        if folder is None:
            continue  # its class was deleted
        if not stored.path(sha256).is_file():
            log.warning("photo %s is missing and left out", sha256)
            continue
        name = f"{project_zip.PHOTOS}/{project_zip.photo_name(folder, places[folder])}"
        places[folder] += 1
        yield PackedPhoto(name, number, class_id, sha256, source, recording, width, height, created, bool(test))


def _version(version: models.KeptVersion, files: ModelFiles) -> PackedVersion:
    there = files.there(version.record.id)
    beginning = f"{project_zip.MODELS}/{version.number:04d}"
    return PackedVersion(
        version.number,
        version.name,
        version.current,
        version.record,
        f"{beginning}.onnx",
        f"{beginning}.npz" if "outcomes.npz" in there else None,
        f"{beginning}.gz" if "snapshot.gz" in there else None,
    )
