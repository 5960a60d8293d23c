"""The versions of one project: every trained model with what the project held then, rows and files together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from teachable.errors import Conflict, NotFound
from teachable.projects import about, actions, models, restoring, snapshots
from teachable.projects.database import Database
from teachable.projects.files import PhotoFiles
from teachable.projects.kept import ModelFiles
from teachable.projects.models import KeptVersion
from teachable.projects.snapshots import Snapshot
from teachable.types import ModelRecord, ProjectNetwork


@dataclass(frozen=True)
class Restored:
    """What came of going back to a version.

    Attributes:
        undo: token to take it back with.
        gone: photos of then that were deleted for good meanwhile, and are missing.
    """

    undo: str
    gone: int


class Versions:
    """The versions of a project, usable from any thread.

    A training adds one and makes it the current one; nothing but a person ever removes one.

    Args:
        database: of the project.
        files: of its models.
        photos: of its samples.
        session: that going back belongs to, see `actions`.
    """

    def __init__(self, database: Database, files: ModelFiles, photos: PhotoFiles, session: str) -> None:
        self._database = database
        self._files = files
        self._photos = photos
        self._session = session

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

    def restore(self, model_id: str, network: ProjectNetwork, *, contents: bool = True) -> Restored:
        """Go back to a version, as one action that can be taken back.

        Args:
            model_id: of the version, which becomes the current one.
            network: it was trained with.
            contents: classes, photos, recordings, test marks, settings and network become what they were too.

        Raises:
            NotFound: there is no version with this id, or its model file is gone.
            Conflict: what the project held was not kept, or cannot be read, and is wanted.
        """
        snapshot = self.snapshot(model_id) if contents else None
        with self._database.change() as connection:
            version = models.find(connection, model_id)
            self.file(model_id)
            if contents and snapshot is None:
                raise Conflict("version_without_contents", number=version.number)
            gone = 0
            with actions.recorded(connection, self._session, "restored", {"number": version.number}) as action:
                models.use(connection, model_id)
                if snapshot is not None:
                    restoring.use(connection, version.record.settings, network)
                    gone = restoring.bring_back(connection, action.id, snapshot, self._has_photo)
            return Restored(action.token, gone)

    def _has_photo(self, sha256: str) -> bool:
        return self._photos.path(sha256).is_file()

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
