"""One project: its calls put files and rows together. What a call returned is on disk, as the package describes."""

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from teachable.errors import NotFound, PhotoError, TeachableError, TooLarge
from teachable.images import prepare
from teachable.projects import about, classes, models, names, records, samples, schema, undo
from teachable.projects.about import DATABASE, EXPORTS, MODELS, SAMPLES
from teachable.projects.database import Database
from teachable.projects.exported import ExportFiles
from teachable.projects.files import PhotoFiles, sweep, write_whole
from teachable.projects.samples import Incoming
from teachable.settings import check_training, limits
from teachable.types import (
    AddResult,
    ClassInfo,
    ModelRecord,
    ProjectInfo,
    ProjectNetwork,
    Rejected,
    Sample,
    SamplePage,
    TrainSettings,
)

PHOTOS_AT_ONCE = 32
"""Photos committed together: enough to share the cost of a commit, few enough for other threads to get a turn."""


class Project:
    """One project on disk, usable from any thread; other processes may have it open too.

    Attributes:
        id: unguessable name; also the folder name.
        folder: with everything that belongs to the project.
        exports: files made for taking its models away.
    """

    def __init__(self, folder: Path, session: str) -> None:
        """Open a project, and clear away what earlier sessions removed or left half done.

        Args:
            folder: of the project; its name is the id.
            session: what undo tokens are good for; equal for all projects of one store.

        Raises:
            Conflict: it is damaged or from a newer version.
        """
        self.id = folder.name
        self.folder = folder
        self._session = session
        self._photos = PhotoFiles(folder / SAMPLES)
        self._models = folder / MODELS
        self.exports = ExportFiles(folder / EXPORTS)
        self._clear_away()
        self._database = Database(folder / DATABASE)

    def close(self) -> None:
        """Wait for running calls and close. Later calls raise NotFound."""
        self._database.close()

    # Project

    def info(self) -> ProjectInfo:
        """Return name, times, settings and classes with their numbers of samples."""
        with self._database.read() as connection:
            return about.read(connection, self.id, self.folder)

    def rename(self, name: str) -> None:
        """Rename the project.

        Raises:
            InvalidInput: the name cannot be used.
        """
        chosen = names.clean_name(name)
        with self._database.change() as connection:
            connection.execute("UPDATE project SET name = ?", (chosen,))

    def save_settings(self, settings: TrainSettings) -> None:
        """Keep the settings for the next training.

        Raises:
            InvalidInput: a value is out of its range.
        """
        check_training(settings)
        with self._database.change() as connection:
            connection.execute("UPDATE project SET settings = ?", (records.settings_text(settings),))

    def set_network(self, network: ProjectNetwork) -> None:
        """Note the network the project is taught with from now on."""
        with self._database.change() as connection:
            about.note_network(connection, network)

    def renew_network(self, noted: ProjectNetwork | None, network: ProjectNetwork) -> None:
        """Note a network instead of what was noted, unless that is something else by now: a switch may have ended."""
        with self._database.change() as connection:
            about.renew_network(connection, noted, network)

    # Classes

    def add_class(self, name: str | None = None) -> ClassInfo:
        """Add a class at the end, called "Class 3" and so on unless named.

        Raises:
            InvalidInput: the name cannot be used.
            Conflict: another class has it.
            TooLarge: there are as many classes as a project can have.
        """
        with self._database.change() as connection:
            return classes.add(connection, name)

    def update_class(
        self,
        class_id: str,
        *,
        name: str | None = None,
        color: str | None = None,
        position: int | None = None,
        disabled: bool | None = None,
    ) -> ClassInfo:
        """Change what is given of a class, all or nothing.

        Args:
            class_id: of the class.
            name: new name; the model need not be trained again.
            color: `#RRGGBB`.
            position: new place, from 0.
            disabled: whether training leaves it out.

        Raises:
            NotFound: there is no such class.
            InvalidInput: a value cannot be used.
            Conflict: another class has the name.
        """
        with self._database.change() as connection:
            classes.require(connection, class_id)
            if name is not None:
                classes.rename(connection, class_id, name)
            if color is not None:
                classes.recolor(connection, class_id, color)
            if disabled is not None:
                classes.disable(connection, class_id, disabled)
            if position is not None:
                classes.place(connection, class_id, position)
            return classes.require(connection, class_id)

    def delete_class(self, class_id: str) -> str:
        """Delete a class with its samples and return the undo token.

        Raises:
            NotFound: there is no such class.
        """
        with self._database.change() as connection:
            classes.require(connection, class_id)
            return undo.remove_class(connection, self._session, class_id)

    # Samples

    def add_photos(self, class_id: str, group: str, files: Iterable[tuple[str, bytes]]) -> AddResult:
        """Store photos in a class. A file that is no good is left out and the others are kept.

        Args:
            class_id: of the class.
            group: id of the press, upload or video they come from.
            files: name and bytes of each; names are only used in messages. May be a generator of any length.

        Raises:
            NotFound: there is no such class.
            InvalidInput: the group cannot be used.
            StorageFull: the disk has no room; photos committed before are kept.
        """
        names.clean_group(group)
        with self._database.read() as connection:
            classes.require(connection, class_id)
        added: list[Sample] = []
        rejected: list[Rejected] = []
        repeats = 0
        remaining = iter(files)
        while batch := list(islice(remaining, PHOTOS_AT_ONCE)):
            incoming: list[tuple[str, Incoming]] = []
            seen: set[str] = set()
            for name, data in batch:
                source = hashlib.sha256(data).hexdigest()
                if source in seen or self._has_source(class_id, source):
                    repeats += 1
                    continue
                try:
                    incoming.append((name, Incoming(prepare(data, name), source)))
                    seen.add(source)
                except (PhotoError, TooLarge) as error:
                    rejected.append(_rejected(name, error))
            stored, over = self._store(class_id, group, incoming)
            added.extend(stored)
            rejected.extend(over)
            repeats += len(incoming) - len(stored) - len(over)
        return AddResult(tuple(added), repeats, tuple(rejected))

    def samples(self, class_id: str, limit: int = 60, before: int | None = None) -> SamplePage:
        """Return samples of a class, newest first.

        Args:
            class_id: of the class.
            limit: at most this many, 1 to 1000.
            before: only samples with smaller ids; the `next` of the page before.

        Raises:
            NotFound: there is no such class.
        """
        with self._database.read() as connection:
            classes.require(connection, class_id)
            return samples.page(connection, class_id, max(1, min(limit, 1000)), before)

    def sample(self, sample_id: int) -> Sample:
        """Return one sample.

        Raises:
            NotFound: there is none with this id.
        """
        with self._database.read() as connection:
            return samples.find(connection, sample_id)

    def all_samples(self, *, enabled_only: bool = False) -> tuple[Sample, ...]:
        """Return all samples in the order of their ids, without those of disabled classes if `enabled_only`."""
        with self._database.read() as connection:
            return samples.everything(connection, enabled_only=enabled_only)

    def delete_samples(self, ids: Iterable[int]) -> str:
        """Delete samples and return the undo token; ids that are gone already do not matter.

        Raises:
            NotFound: none of them is there.
        """
        with self._database.change() as connection:
            return undo.remove_samples(connection, self._session, _some(connection, ids))

    def clear_class(self, class_id: str) -> str:
        """Delete all samples of a class and return the undo token.

        Raises:
            NotFound: there is no such class.
        """
        with self._database.change() as connection:
            classes.require(connection, class_id)
            return undo.clear_class(connection, self._session, class_id)

    def move_samples(self, ids: Iterable[int], class_id: str) -> str:
        """Move samples to another class and return the undo token. What that class already has counts as removed.

        Raises:
            NotFound: there is no such class, or none of the samples is there.
        """
        with self._database.change() as connection:
            classes.require(connection, class_id)
            return undo.move_samples(connection, self._session, _some(connection, ids), class_id)

    def undo(self, token: str) -> None:
        """Take back a deletion or move of this session.

        Raises:
            NotFound: no such token, it was used already, or its session is over.
            Conflict: the class was deleted later; undo that first.
        """
        with self._database.change() as connection:
            undo.undo(connection, self._session, token)

    def photo_file(self, sha256: str) -> Path:
        """Return the file of a photo.

        Raises:
            NotFound: there is none.
        """
        path = self._photos.path(sha256)
        if not path.is_file():
            raise NotFound("photo_file_missing")
        return path

    # Models

    def save_model(self, record: ModelRecord, data: bytes, network: ProjectNetwork | None = None) -> Path:
        """Store a trained model and remove all but the latest three.

        Args:
            record: of the model.
            data: the file.
            network: it was trained with; noted as the project's in the same moment.

        Raises:
            StorageFull: the disk has no room; earlier models are kept.
        """
        path = self._model_path(record.id)
        begun = False
        try:
            with self._database.change() as connection:
                old = models.add(connection, record)
                if network is not None:
                    about.note_network(connection, network)
                begun = True  # from here on there is no other model of this id whose file could be meant
                write_whole(path, data)
        except BaseException:
            if begun:
                path.unlink(missing_ok=True)
            raise
        for model_id in old:
            self._model_path(model_id).unlink(missing_ok=True)
        return path

    def replace_model(self, record: ModelRecord, data: bytes) -> None:
        """Write a model again, with other labels or its agreement, under the same id.

        Raises:
            NotFound: there is no model with this id.
            StorageFull: the disk has no room; the model stays as it was.
        """
        with self._database.change() as connection:
            models.replace(connection, record)
            write_whole(self._model_path(record.id), data)

    def latest_model(self) -> ModelRecord | None:
        """Return the record of the model trained last, or None."""
        with self._database.read() as connection:
            return models.latest(connection)

    def model_file(self, model_id: str) -> Path:
        """Return the file of a model.

        Raises:
            NotFound: there is none.
        """
        path = self._model_path(model_id)
        if not path.is_file():
            raise NotFound("model_unknown")
        return path

    # Inside

    def _model_path(self, model_id: str) -> Path:
        if not names.is_model_id(model_id):
            raise NotFound("model_unknown")
        return self._models / f"{model_id}.onnx"

    def _has_source(self, class_id: str, source: str) -> bool:
        with self._database.read() as connection:
            return samples.has_source(connection, class_id, source)

    def _store(
        self, class_id: str, group: str, incoming: list[tuple[str, Incoming]]
    ) -> tuple[list[Sample], list[Rejected]]:
        """Write new photos and commit their rows; return what was added, and what the project has no room for.

        Files are written while this process and others are kept from changing the project, so that no file is removed
        on the way because a row does not name it yet.
        """
        if not incoming:
            return [], []
        fresh: tuple[str, ...] = ()
        try:
            with self._database.change() as connection:
                classes.require(connection, class_id)
                new = samples.new_among(connection, class_id, [photo for _, photo in incoming])
                room = max(0, limits().samples - samples.count(connection))
                fresh = self._photos.write({item.photo.sha256: item.photo.data for item in new[:room]})
                stored = samples.insert(connection, class_id, group, new[:room])
        except BaseException:
            self._discard(fresh)
            raise
        full = TooLarge("too_many_samples", allowed=limits().samples)
        over = {item.source for item in new[room:]}
        return stored, [_rejected(name, full) for name, item in incoming if item.source in over]

    def _discard(self, fresh: tuple[str, ...]) -> None:
        """Remove files whose rows could not be committed, unless somebody else has taken them over."""
        if not fresh:
            return
        # What fails here is debris that the next opening sweeps; the error that brought us here is the one to report.
        with suppress(TeachableError, OSError, sqlite3.Error), self._database.frozen() as connection:
            self._photos.discard(set(fresh) - samples.files_in_use(connection, fresh))

    def _clear_away(self) -> None:
        """Purge removals of earlier sessions and sweep debris, if no other session has the project open."""
        path = self.folder / DATABASE
        with schema.in_words(path), schema.alone(path) as connection:
            if connection is None:
                return
            schema.bring_up_to_date(connection, path)
            connection.execute("BEGIN IMMEDIATE")
            undo.purge(connection, self._session)
            connection.execute("COMMIT")
            self._photos.sweep(samples.files_in_use(connection))
            sweep(self._models, {model_id for (model_id,) in connection.execute("SELECT id FROM models")}, ".onnx")
            self.exports.sweep()


def _some(connection: sqlite3.Connection, ids: Iterable[int]) -> list[Sample]:
    found = samples.live(connection, ids)
    if not found:
        raise NotFound("sample_unknown")
    return found


def _rejected(name: str, error: TeachableError) -> Rejected:
    return Rejected(name, str(error), error.key, dict(error.values))
