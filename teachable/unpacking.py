"""A project put together again from a project zip, aside and step by step. It owns rows and files of the new project.

Every byte is taken to be hostile: photos must be the ones that are named and are read as any upload is, models must be
models of ours. What is no good is left out and told; what is taken is as it was.
"""

import io
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from teachable import images, outcomes, project_zip, trial
from teachable.errors import InvalidInput, ModelFileError, NotFound, PhotoError, TeachableError, TooLarge
from teachable.project_zip import Packed, PackedPhoto, PackedVersion
from teachable.projects import about, models, names, records, schema, snapshots
from teachable.projects.about import DATABASE, MODELS, SAMPLES
from teachable.projects.files import PhotoFiles, sync_folder
from teachable.projects.kept import ModelFiles
from teachable.projects.models import KeptVersion
from teachable.settings import limits

AT_ONCE = 32
"""Photos of one step."""

LARGEST_OUTCOMES = 256 * 2**20
LARGEST_MODEL = 512 * 2**20

Read = Callable[[str, int], bytes]
"""Returns a file of the zip by its name, if it has no more than so many bytes."""


class Unpacking:
    """One project on its way out of a zip.

    Args:
        folder: empty, for the new project.
        packed: what the description of the zip says.
        read: gives a file of the zip.
        cancelled: set it to give up what takes long.

    Attributes:
        total: photos there are.
        done: photos looked at.
        added: photos taken.
    """

    def __init__(self, folder: Path, packed: Packed, read: Read, cancelled: threading.Event) -> None:
        self._folder = folder
        self._packed = packed
        self._read = read
        self._cancelled = cancelled
        self._stored = PhotoFiles(folder / SAMPLES)
        self._models = ModelFiles(folder / MODELS)
        self._rows: list[PackedPhoto] = []
        self.total = len(packed.photos)
        self.done = 0
        self.added = 0

    def steps(self) -> Iterator[list[tuple[str, TeachableError]]]:
        """Put the project together; after each step, give the files that were left out and why.

        Raises:
            StorageFull: the disk has no room.
        """
        about.create(self._folder, self._packed.name, (), self._packed.network)
        for first in range(0, self.total, AT_ONCE):
            yield self._photos(self._packed.photos[first : first + AT_ONCE])
        for first in range(0, len(self._packed.kept), AT_ONCE):
            yield self._kept(self._packed.kept[first : first + AT_ONCE])
        versions: list[PackedVersion] = []
        for version in self._packed.versions:
            try:
                self._version(version)
            except (ModelFileError, InvalidInput, TooLarge, NotFound) as error:
                yield [(version.model, error)]
            else:
                versions.append(version)
                yield []
        self._write_rows(versions)
        yield []

    def _photos(self, photos: Sequence[PackedPhoto]) -> list[tuple[str, TeachableError]]:
        taken: dict[str, bytes] = {}
        out: list[tuple[str, TeachableError]] = []
        for photo in photos:
            try:
                stored = self._checked(photo.file, photo.sha256)
                if (stored.width, stored.height) != (photo.width, photo.height):
                    raise PhotoError("project_zip_photo", name=photo.file)
            except (InvalidInput, TooLarge, NotFound) as error:
                out.append((photo.file, error))
                continue
            taken[photo.sha256] = stored.data
            self._rows.append(photo)
        with schema.in_words(self._folder):
            self._stored.write(taken)
        self.done += len(photos)
        self.added = len(self._rows)
        return out

    def _kept(self, hashes: Sequence[str]) -> list[tuple[str, TeachableError]]:
        taken: dict[str, bytes] = {}
        out: list[tuple[str, TeachableError]] = []
        for sha256 in hashes:
            name = project_zip.kept_name(sha256)
            try:
                taken[sha256] = self._checked(name, sha256).data
            except (InvalidInput, TooLarge, NotFound) as error:
                out.append((name, error))
        with schema.in_words(self._folder):
            self._stored.write(taken)
        return out

    def _checked(self, name: str, sha256: str) -> images.StoredPhoto:
        """Return a photo of the zip if it is the one that is named, in the form in which photos are stored.

        Raises:
            PhotoError: it is no photo, or another one.
            TooLarge: more bytes or pixels than accepted.
            NotFound: it is not in the zip.
        """
        stored = images.prepare(self._read(name, limits().photo_bytes), name)
        if stored.sha256 != sha256:
            raise PhotoError("project_zip_photo", name=name)
        return stored

    def _version(self, version: PackedVersion) -> None:
        """Take one version.

        Raises:
            ModelFileError: its model is none of ours.
            InvalidInput: what belongs to it is damaged.
            NotFound: a file of it is not in the zip.
            TooLarge: a file of it has too many bytes.
        """
        data = self._read(version.model, LARGEST_MODEL)
        if self._told_apart(data, version.model) != len(version.record.labels):
            raise ModelFileError("project_zip_version", number=version.number)
        tested = None if version.outcomes is None else self._read(version.outcomes, LARGEST_OUTCOMES)
        if tested is not None and not _is_outcomes(tested):
            raise InvalidInput("project_zip_version", number=version.number)
        then = None if version.snapshot is None else self._read(version.snapshot, snapshots.LARGEST)
        if then is not None and snapshots.unpack(then) is None:
            raise InvalidInput("project_zip_version", number=version.number)
        with schema.in_words(self._folder):
            self._models.write(version.record.id, data, tested, then)

    def _told_apart(self, data: bytes, name: str) -> int:
        """Return how many classes a model tells apart, after it was tried."""
        path = self._folder / MODELS / "tried.onnx"
        try:
            with schema.in_words(self._folder):
                path.write_bytes(data)
            return len(trial.labels(path, name, self._cancelled))
        finally:
            path.unlink(missing_ok=True)

    def _write_rows(self, versions: Sequence[PackedVersion]) -> None:
        """Write all rows in one go, and the times as they were."""
        path, packed = self._folder / DATABASE, self._packed
        with schema.in_words(path), closing(schema.connect(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO classes (id, name, name_key, color, position, disabled) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (one.id, one.name, names.name_key(one.name), one.color, place, one.disabled)
                    for place, one in enumerate(packed.classes)
                ],
            )
            connection.executemany(
                "INSERT INTO samples (id, class_id, sha256, source, capture, width, height, created, test)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(one.number, one.class_id, one.sha256, one.source, one.recording),
                        *(one.width, one.height, one.created, one.test),
                    )
                    for one in self._rows
                ],
            )
            for version in versions:
                models.put(connection, KeptVersion(version.number, version.name, version.record, version.current))
            self._write_project(connection)
            connection.execute("COMMIT")
        sync_folder(self._folder)

    def _write_project(self, connection: sqlite3.Connection) -> None:
        packed = self._packed
        connection.execute(
            "UPDATE project SET name = ?, created = ?, updated = ?, settings = ?, unknown_below = ?",
            (packed.name, packed.created, packed.updated, records.settings_text(packed.settings), packed.unknown_below),
        )


def _is_outcomes(data: bytes) -> bool:
    """Return whether these are outcomes of a test, of a size that can be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return False
    return size <= LARGEST_OUTCOMES and outcomes.unpack(data) is not None
