"""The versions of one project: every trained model with what the project held then, rows and files together."""

from collections.abc import Mapping
from pathlib import Path

from teachable.errors import NotFound
from teachable.projects import about, models, snapshots
from teachable.projects.database import Database
from teachable.projects.kept import ModelFiles
from teachable.projects.models import KeptVersion
from teachable.projects.snapshots import Snapshot
from teachable.types import ModelRecord, ProjectNetwork


class Versions:
    """The versions of a project, usable from any thread.

    A training adds one and makes it the current one; nothing but a person ever removes one.

    Args:
        database: of the project.
        files: of its models.
    """

    def __init__(self, database: Database, files: ModelFiles) -> None:
        self._database = database
        self._files = files

    def every(self) -> tuple[KeptVersion, ...]:
        """Return all versions, oldest first."""
        with self._database.read() as connection:
            return models.every(connection)

    def find(self, model_id: str) -> KeptVersion:
        """Return one version.

        Raises:
            NotFound: there is none with this id.
        """
        with self._database.read() as connection:
            return models.find(connection, model_id)

    def current(self) -> ModelRecord | None:
        """Return the record of the model that the project uses, or None where nothing was trained yet."""
        with self._database.read() as connection:
            return models.current(connection)

    def add(
        self,
        record: ModelRecord,
        data: bytes,
        network: ProjectNetwork | None = None,
        outcomes: bytes | None = None,
        snapshot: bytes | None = None,
    ) -> Path:
        """Store a trained model and make it the current one.

        Args:
            record: of the model.
            data: the file.
            network: it was trained with; noted as the project's in the same moment.
            outcomes: what its test said photo by photo, kept beside it.
            snapshot: what the project held, see `teachable.projects.snapshots`, kept beside it.

        Raises:
            StorageFull: the disk has no room; earlier models are kept.
        """
        path, begun = self._files.path(record.id), False
        try:
            with self._database.change() as connection:
                models.add(connection, record)
                if network is not None:
                    about.note_network(connection, network)
                begun = True  # from here on there is no other model of this id whose file could be meant
                self._files.write(record.id, data, outcomes, snapshot)
        except BaseException:
            if begun:
                self._files.discard(record.id)
            raise
        return path

    def replace(self, record: ModelRecord, data: bytes) -> None:
        """Write a model again, with other labels or its agreement, under the same id.

        Raises:
            NotFound: there is no model with this id.
            StorageFull: the disk has no room; the model stays as it was.
        """
        with self._database.change() as connection:
            models.replace(connection, record)
            self._files.write(record.id, data, None)

    def rename(self, model_id: str, name: str | None) -> None:
        """Give a version a name, or take it away.

        Raises:
            NotFound: there is no version with this id.
            InvalidInput: the name cannot be used.
        """
        with self._database.change() as connection:
            models.rename(connection, model_id, name)

    def remove(self, model_id: str) -> None:
        """Delete a version for good.

        Raises:
            NotFound: there is no version with this id.
            Conflict: it is the current one.
        """
        with self._database.change() as connection:
            models.remove(connection, model_id)
        self._files.discard(model_id)

    def file(self, model_id: str) -> Path:
        """Return the file of a model.

        Raises:
            NotFound: there is none.
        """
        path = self._files.path(model_id)
        if not path.is_file():
            raise NotFound("model_unknown")
        return path

    def files(self, model_id: str) -> Mapping[str, Path]:
        """Return the files there are of a version: `model.onnx`, `outcomes.npz`, `snapshot.gz`.

        Raises:
            NotFound: no model has such an id.
        """
        return self._files.there(model_id)

    def snapshot(self, model_id: str) -> Snapshot | None:
        """Return what the project held when a model was trained, or None if that was not kept or cannot be read.

        Raises:
            NotFound: no model has such an id.
        """
        path = self._files.snapshot(model_id)
        return snapshots.unpack(path.read_bytes()) if path.is_file() else None

    def outcomes(self, model_id: str) -> Path | None:
        """Return the file that says what the test of a model said photo by photo, or None if that was not kept.

        Raises:
            NotFound: no model has such an id.
        """
        path = self._files.outcomes(model_id)
        return path if path.is_file() else None

    def size(self) -> int:
        """Return what all versions take on the disk, in bytes, without their photos."""
        return self._files.size()
