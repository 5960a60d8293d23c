"""One project: its calls put files and rows together. What a call returned is on disk, as the package describes."""

from collections.abc import Callable, Iterable
from pathlib import Path

from teachable.errors import NotFound
from teachable.projects import about, actions, classes, copying, editing, names, records, samples, storage
from teachable.projects.about import DATABASE, EXPORTS, MODELS, REPORTS, SAMPLES, THUMBNAILS
from teachable.projects.database import Database
from teachable.projects.exported import ExportFiles
from teachable.projects.files import PhotoFiles
from teachable.projects.glance import COVERS, Glimpse
from teachable.projects.intake import Intake
from teachable.projects.kept import ModelFiles, ReportFiles
from teachable.projects.samples import Brief
from teachable.projects.small import SmallPhotos
from teachable.projects.storage import Storage
from teachable.projects.tidying import Tidying
from teachable.projects.versions import Versions
from teachable.settings import check_training, check_unknown_below
from teachable.types import (
    AddResult,
    Change,
    ClassInfo,
    ModelRecord,
    ProjectInfo,
    ProjectNetwork,
    Sample,
    SamplePage,
    TrainSettings,
)


class Project:
    """One project on disk, usable from any thread; other processes may have it open too.

    Attributes:
        id: unguessable name; also the folder name.
        folder: with everything that belongs to the project.
        exports: files made for taking its models away.
        reports: what was found out about its models.
        versions: its trained models.
        small: small versions of its photos, made when they are first looked at.
    """

    def __init__(self, folder: Path, session: str, allowed: Callable[[], int | None] = lambda: None) -> None:
        """Open a project, and clear away what was removed too long ago or left half done.

        Args:
            folder: of the project; its name is the id.
            session: whose changes these are; equal for all projects of one store.
            allowed: how many photos it may have, or None where only the general limit counts; asked at each batch.

        Raises:
            Conflict: it is damaged or from a newer version.
        """
        self.id = folder.name
        self.folder = folder
        self._session = session
        self._photos = PhotoFiles(folder / SAMPLES)
        self.small = SmallPhotos(folder / THUMBNAILS)
        self._models = ModelFiles(folder / MODELS)
        self.exports = ExportFiles(folder / EXPORTS)
        self.reports = ReportFiles(folder / REPORTS)
        self._tidying = Tidying(folder, self._photos, self.small, self._models, self.exports, self.reports)
        self._tidying.begin()
        self._database = Database(folder / DATABASE)
        self._intake = Intake(self._database, self._photos, session, allowed, self._tidying.left_something)
        self._known: ProjectInfo | None = None
        self._glimpse: Glimpse | None = None
        self.versions = Versions(self._database, self._models, self._photos, session)

    def close(self) -> None:
        """Wait for running calls and close. Later calls raise NotFound."""
        if self._database.close():
            self._tidying.end()

    # Project

    def info(self) -> ProjectInfo:
        """Return name, times, settings and classes with their numbers of samples."""
        with self._database.read() as connection:
            known = self._known
            if known is None or about.updated(connection) != known.updated:
                known = self._known = about.read(connection, self.id, self.folder)
            return known

    def glimpse(self) -> Glimpse:
        """Return what the project is, and photos that stand for it."""
        info, known = self.info(), self._glimpse
        if known is None or known.info != info:
            with self._database.read() as connection:
                known = self._glimpse = Glimpse(info, samples.covers(connection, COVERS))
        return known

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

    def set_unknown_below(self, value: float) -> None:
        """Keep how unfamiliar a photo may be before the answer is "not sure".

        Raises:
            InvalidInput: it is no share from 0 to 0.5.
        """
        check_unknown_below(value)
        with self._database.change() as connection:
            connection.execute("UPDATE project SET unknown_below = ?", (float(value),))

    def set_network(self, network: ProjectNetwork) -> None:
        """Note the network the project is taught with from now on."""
        with self._database.change() as connection:
            about.note_network(connection, network)

    def renew_network(self, noted: ProjectNetwork | None, network: ProjectNetwork) -> None:
        """Note a network instead of what was noted, unless that is something else by now: a switch may have ended."""
        with self._database.change() as connection:
            about.renew_network(connection, noted, network)

    # Classes

    def add_class(self, name: str | None = None, *, action: str | None = None) -> ClassInfo:
        """Add a class at the end, called "Class 3" and so on unless named.

        Args:
            name: of the class.
            action: token of what it is a part of, see `begin`.

        Raises:
            InvalidInput: the name cannot be used.
            Conflict: another class has it.
            TooLarge: there are as many classes as a project can have.
        """
        with self._database.change() as connection:
            return editing.add_class(connection, self._session, name, action)

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
            return editing.update_class(
                connection, self._session, class_id, name=name, color=color, position=position, disabled=disabled
            )

    def delete_class(self, class_id: str) -> str:
        """Delete a class with its samples and return the undo token.

        Raises:
            NotFound: there is no such class.
        """
        with self._database.change() as connection:
            return editing.delete_class(connection, self._session, class_id)

    # Samples

    def add_photos(
        self,
        class_id: str,
        group: str,
        files: Iterable[tuple[str, bytes]],
        *,
        test: bool = False,
        action: str | None = None,
    ) -> AddResult:
        """Store photos in a class. A file that is no good is left out and the others are kept.

        Args:
            class_id: of the class.
            group: id of the press, upload or video they come from.
            files: name and bytes of each; names are only used in messages. May be a generator of any length.
            test: they are never to be trained on, only tested with.
            action: token of what they are a part of, see `begin`; without one they belong to what was sent of the same
                recording just before.

        Raises:
            NotFound: there is no such class.
            InvalidInput: the group cannot be used.
            Conflict: what they are a part of was taken back meanwhile.
            StorageFull: the disk has no room; photos committed before are kept.
        """
        return self._intake.take(class_id, group, files, test=test, action=action)

    def room(self) -> int:
        """Return how many more photos can be added."""
        return self._intake.room()

    def samples(self, class_id: str, limit: int = 60, before: int | None = None, skip: int = 0) -> SamplePage:
        """Return samples of a class, newest first.

        Args:
            class_id: of the class.
            limit: at most this many, 1 to 1000.
            before: only samples with smaller ids; the `next` of the page before.
            skip: so many of the newest are left out.

        Raises:
            NotFound: there is no such class.
        """
        with self._database.read() as connection:
            classes.require(connection, class_id)
            return samples.page(connection, class_id, max(1, min(limit, 1000)), before, skip)

    def sample_numbers(self, class_id: str, limit: int, skip: int = 0) -> tuple[tuple[int, bool], ...]:
        """Return the ids of samples of a class, newest first, after the first `skip`, and which are only for testing.

        Raises:
            NotFound: there is no such class.
        """
        with self._database.read() as connection:
            classes.require(connection, class_id)
            return samples.numbers(connection, class_id, max(0, limit), max(0, skip))

    def brief_samples(self, after: int = 0) -> list[Brief]:
        """Return the least about all samples with ids above `after`, in the order of their ids."""
        with self._database.read() as connection:
            return samples.brief(connection, after)

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
            return editing.delete_samples(connection, self._session, ids)

    def clear_class(self, class_id: str) -> str:
        """Delete all samples of a class and return the undo token.

        Raises:
            NotFound: there is no such class.
        """
        with self._database.change() as connection:
            return editing.clear_class(connection, self._session, class_id)

    def move_samples(self, ids: Iterable[int], class_id: str) -> str:
        """Move samples to another class and return the undo token. What that class already has counts as removed.

        Raises:
            NotFound: there is no such class, or none of the samples is there.
        """
        with self._database.change() as connection:
            return editing.move_samples(connection, self._session, ids, class_id)

    def mark_test(self, ids: Iterable[int], test: bool, *, whole_recordings: bool = True) -> str:
        """Keep samples for testing only, or let them be trained on again, and return the undo token.

        Args:
            ids: of the samples; those that are gone already do not matter.
            test: they are never to be trained on.
            whole_recordings: all photos of the recordings they are of go with them: photos of one recording look so
                alike that a test with some, after training on the others, says little.

        Raises:
            NotFound: none of the samples is there.
        """
        with self._database.change() as connection:
            return editing.mark_test(connection, self._session, ids, test, whole_recordings=whole_recordings)

    # History

    def begin(self, kind: str) -> str:
        """Begin something made of many calls, "imported" for one, and return its token.

        What is done with the token is taken back together. Until something is, there is nothing to take back.
        """
        with self._database.change() as connection:
            return actions.begin(connection, self._session, kind).token

    def require_begun(self, token: str) -> None:
        """Go on only while what was begun with a token was not taken back.

        Raises:
            Conflict: it was.
        """
        with self._database.read() as connection:
            actions.require_open(connection, token)

    def undo(self, token: str | None = None) -> Change:
        """Take a change of classes or samples back, the last one unless a token names another; return what it was.

        Raises:
            NotFound: no such token, it was used already, or there is nothing to take back.
            Conflict: the class was deleted later; undo that first.
        """
        with self._database.change() as connection:
            return actions.undo(connection, token)

    def redo(self) -> Change:
        """Do again what was taken back last, and return what it was.

        Raises:
            NotFound: there is nothing to do again, or something else was done since.
        """
        with self._database.change() as connection:
            return actions.redo(connection)

    # Files

    def copy_to(self, folder: Path, name: str) -> None:
        """Copy the project into an empty folder, under another name; see `copying`.

        Raises:
            StorageFull: the disk has no room.
        """
        copying.copy(self.folder, self._database, folder, name)

    def storage(self) -> Storage:
        """Return what the project takes on the disk, in bytes, and for what."""
        network = self.info().network
        with self._database.read() as connection:
            shown = samples.files_shown(connection)
        named = self._models.photos_named()
        return storage.measure(self.folder, shown, named, network.fingerprint if network else None)

    def forget_removed(self) -> None:
        """Remove everything that was deleted for good: nothing can be taken back or done again any more."""
        with self._database.change() as connection:
            before = samples.files_in_use(connection)
            actions.forget_all(connection)
        # Nobody may add a photo while its file is taken for one that nothing names.
        with self._database.frozen() as connection:
            used = samples.files_in_use(connection) | self._models.photos_named()
            self._photos.sweep(used)
        self.small.discard(before - used)

    def forget_caches(self) -> None:
        """Remove what can be made again. Nobody may be making or using any of it meanwhile."""
        network = self.info().network
        storage.remove_caches(self.folder, network.fingerprint if network else None)

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

    def save_model(
        self,
        record: ModelRecord,
        data: bytes,
        network: ProjectNetwork | None = None,
        outcomes: bytes | None = None,
        snapshot: bytes | None = None,
    ) -> Path:
        """Store a trained model as the current version; see `Versions.add`."""
        return self.versions.add(record, data, network, outcomes, snapshot)

    def replace_model(self, record: ModelRecord, data: bytes) -> None:
        """Write a model again under the same id; see `Versions.replace`."""
        self.versions.replace(record, data)

    def latest_model(self) -> ModelRecord | None:
        """Return the record of the current model: the one trained last unless a person went back; or None."""
        return self.versions.current()

    def model_file(self, model_id: str) -> Path:
        """Return the file of a model.

        Raises:
            NotFound: there is none.
        """
        return self.versions.file(model_id)

    def outcomes(self, model_id: str) -> Path | None:
        """Return the file that says what the test of a model said photo by photo, or None if that was not kept.

        Raises:
            NotFound: no model has such an id.
        """
        return self.versions.outcomes(model_id)
