"""The Workspace: everything a person can do, in one object per process.

It is the only place that puts the modules below together. The page, the REST API and the command line call it and
nothing else. It owns no format, no mathematics and no words.
"""

import errno
import logging
import tempfile
import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from teachable import backbones, images
from teachable.backlog import Backlog, Progress
from teachable.embeddings import Embedder
from teachable.errors import Conflict, NotFound, StorageFull
from teachable.export import with_metadata
from teachable.jobs import Job, Training, digest, metadata
from teachable.projects import Project, ProjectStore
from teachable.runtime import Classifier, Prediction
from teachable.settings import check_training
from teachable.status import BackboneName, ModelStatus, Ready, Status, model_status, ready
from teachable.training import Trainer
from teachable.types import (
    AddResult,
    BackboneRecord,
    ClassInfo,
    ModelRecord,
    ProjectInfo,
    Sample,
    SamplePage,
    TrainSettings,
)

__all__ = ["BackboneName", "ModelStatus", "Progress", "Ready", "Status", "Training", "Workspace"]

log = logging.getLogger(__name__)

# Loaded models kept for the REST API, each some 20 MB.
CLASSIFIERS_KEPT = 4


class Workspace:
    """All projects of one home folder and the work on them; safe to use from any thread.

    Args:
        home: folder with the projects; made if missing.
        backbone: the network to use; the built-in one if not given.

    Raises:
        InstallationError: the folder cannot be written.
        StorageFull: the disk has no room.
    """

    def __init__(self, home: Path, backbone: BackboneRecord | None = None) -> None:
        self._backbone = backbone or backbones.builtin()
        self._store = ProjectStore(home)
        self._backlog = Backlog(lambda: Embedder(backbones.read(self._backbone)), self._backbone.fingerprint)
        self._trainer = Trainer()
        self._lock = threading.Lock()
        self._closed = False
        # The latest of each project, and those before it whose file is still being checked.
        self._jobs: dict[str, Job] = {}
        self._checking: list[Job] = []
        self._digests: dict[str, tuple[float, str]] = {}
        self._classifiers: dict[tuple[str, tuple[str, ...]], Classifier] = {}

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up running trainings, finish the embeddings in hand and close every file."""
        with self._lock:
            self._closed = True
            jobs = [*self._jobs.values(), *self._checking]
        for job in jobs:
            job.cancel()
        self._trainer.close()
        for job in jobs:
            job.join()
        self._backlog.close()
        self._store.close()

    # Projects

    def projects(self) -> tuple[ProjectInfo, ...]:
        """Return all projects, last changed first."""
        return self._store.list()

    def create_project(self, name: str | None = None) -> ProjectInfo:
        """Make a project with two empty classes."""
        return self._store.create(name).info()

    def project(self, project_id: str) -> ProjectInfo:
        """Return one project."""
        return self._store.open(project_id).info()

    def rename_project(self, project_id: str, name: str) -> ProjectInfo:
        """Rename a project."""
        project = self._store.open(project_id)
        project.rename(name)
        return project.info()

    def delete_project(self, project_id: str) -> str:
        """Delete a project and return the undo token; a training of it is given up."""
        with self._lock:
            latest = self._jobs.pop(project_id, None)
            jobs = [job for job in (latest, *self._checking) if job is not None and job.project_id == project_id]
        for job in jobs:
            job.cancel()
        for job in jobs:
            job.join()
        self._backlog.forget(project_id)
        return self._store.delete(project_id)

    def restore_project(self, token: str) -> ProjectInfo:
        """Bring a deleted project back."""
        return self._store.restore(token).info()

    def save_settings(self, project_id: str, settings: TrainSettings) -> None:
        """Keep settings for the next training."""
        self._store.open(project_id).save_settings(settings)

    # Classes

    def add_class(self, project_id: str, name: str | None = None) -> ClassInfo:
        """Add a class at the end; without a name it is numbered."""
        return self._store.open(project_id).add_class(name)

    def update_class(
        self,
        project_id: str,
        class_id: str,
        *,
        name: str | None = None,
        color: str | None = None,
        position: int | None = None,
        disabled: bool | None = None,
    ) -> ClassInfo:
        """Change what is given; the rest stays. Nothing is embedded or trained again."""
        project = self._store.open(project_id)
        return project.update_class(class_id, name=name, color=color, position=position, disabled=disabled)

    def delete_class(self, project_id: str, class_id: str) -> str:
        """Delete a class with its samples and return the undo token."""
        return self._store.open(project_id).delete_class(class_id)

    # Samples

    def add_photos(self, project_id: str, class_id: str, group: str, files: Iterable[tuple[str, bytes]]) -> AddResult:
        """Store photos, and have them embedded in the background.

        Args:
            project_id: the project.
            class_id: the class they are examples of.
            group: name of the press, upload or video they belong to.
            files: name and bytes of each.
        """
        project = self._store.open(project_id)
        try:
            return project.add_photos(class_id, group, files)
        finally:
            self._backlog.add(project)
            self._trainer.warm_up()

    def samples(self, project_id: str, class_id: str, limit: int = 60, before: int | None = None) -> SamplePage:
        """Return samples of a class, newest first."""
        return self._store.open(project_id).samples(class_id, limit, before)

    def delete_samples(self, project_id: str, ids: Iterable[int]) -> str:
        """Delete samples and return the undo token."""
        return self._store.open(project_id).delete_samples(ids)

    def clear_class(self, project_id: str, class_id: str) -> str:
        """Delete all samples of a class and return the undo token."""
        return self._store.open(project_id).clear_class(class_id)

    def move_samples(self, project_id: str, ids: Iterable[int], class_id: str) -> str:
        """Move samples to another class and return the undo token."""
        return self._store.open(project_id).move_samples(ids, class_id)

    def undo(self, project_id: str, token: str) -> None:
        """Take back a deletion or a move."""
        self._store.open(project_id).undo(token)

    def photo(self, project_id: str, sample_id: int) -> Path:
        """Return the stored file of a sample."""
        project = self._store.open(project_id)
        return project.photo_file(project.sample(sample_id).sha256)

    def thumbnail(self, project_id: str, sample_id: int, side: int = 96) -> bytes:
        """Return the centre square of a sample as a small JPEG."""
        return images.thumbnail(self.photo(project_id, sample_id), side)

    def class_archive(self, project_id: str, class_id: str) -> Path:
        """Write all photos of a class into a new zip file. The caller deletes it.

        Photos are numbered in the order they were taken; the name of the class, which can hold anything, is no path.
        """
        project = self._store.open(project_id)
        samples = [sample for sample in project.all_samples() if sample.class_id == class_id]
        if not any(one.id == class_id for one in project.info().classes):
            raise NotFound("class_unknown")
        with tempfile.NamedTemporaryFile(prefix="teachable-", suffix=".zip", delete=False) as file:
            path = Path(file.name)
        try:
            # The photos are JPEGs already: compressing them again would only cost time.
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
                for number, sample in enumerate(samples):
                    _put(archive, project, sample, f"{number:05d}.jpg")
        except BaseException as error:
            path.unlink()
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise StorageFull("storage_full") from error
            raise
        return path

    # Training

    def status(self, project_id: str) -> Status:
        """Return how a project stands, and go on with embeddings that a restart interrupted."""
        project = self._store.open(project_id)
        info = project.info()
        progress = self._backlog.progress(project)
        if progress.done + progress.failed < progress.total:
            self._backlog.add(project)
        if progress.total:
            # Loading torch takes two seconds of a core. At the start it would double the time until the page can be
            # opened; from the first photo on there is time enough until somebody presses Train.
            self._trainer.warm_up()
        with self._lock:
            job = self._jobs.get(project_id)
        record = project.latest_model()
        stale = record is not None and self._digest(project, info) != record.trained_on
        checking = job is not None and job.checking
        return Status(
            embedding=progress,
            ready=ready(info),
            training=job.training if job else Training(),
            model=None if record is None else model_status(record, stale=stale, checking=checking),
            updated=info.updated,
        )

    def _digest(self, project: Project, info: ProjectInfo) -> str:
        """Return the digest of the present samples; read again only after a change, because pages ask often."""
        with self._lock:
            updated, known = self._digests.get(project.id, (0.0, ""))
        if updated != info.updated:
            known = digest(info.classes, project.all_samples())
            with self._lock:
                self._digests[project.id] = (info.updated, known)
        return known

    def start_training(self, project_id: str, settings: TrainSettings | None = None) -> None:
        """Start training in the background.

        Args:
            project_id: the project.
            settings: of this training, kept for the next; the project's if not given.

        Raises:
            Conflict: it is being trained already, or there is too little to train on.
            InvalidInput: settings out of range.
        """
        project = self._store.open(project_id)
        if settings is not None:
            check_training(settings)
        with self._lock:
            self._require_idle(project_id)
        info = project.info()
        possible = ready(info)
        if possible.key is not None:
            raise Conflict(possible.key, **possible.values)
        if settings is not None:
            project.save_settings(settings)
        job = Job(project, settings or info.settings, self._backbone, self._backlog, self._trainer)
        with self._lock:
            before = self._require_idle(project_id)
            self._checking = [one for one in self._checking if not one.checked.is_set()]
            if before is not None:
                self._checking.append(before)
            self._jobs[project_id] = job
            job.start()

    def _require_idle(self, project_id: str) -> Job | None:
        """Return the last training of a project, which must have ended."""
        if self._closed:
            raise Conflict("closing")
        job = self._jobs.get(project_id)
        if job is not None and not job.ended.is_set():
            raise Conflict("training_running")
        return job

    def cancel_training(self, project_id: str) -> None:
        """Give up a running training and wait until it has stopped; the model from before stays.

        Does nothing when none is running. One whose file is being written in this moment may still end well.
        """
        self._store.open(project_id)
        with self._lock:
            job = self._jobs.get(project_id)
        if job is not None and not job.ended.is_set():
            job.cancel()
            job.ended.wait()

    def wait_for_training(self, project_id: str, timeout: float | None = None) -> Status:
        """Wait until a training has ended and its file is checked, or for `timeout` seconds; return the status."""
        with self._lock:
            job = self._jobs.get(project_id)
        if job is not None:
            job.checked.wait(timeout)
        return self.status(project_id)

    # The model

    def model(self, project_id: str) -> ModelRecord | None:
        """Return the record of the newest model, or None."""
        return self._store.open(project_id).latest_model()

    def model_bytes(self, project_id: str) -> bytes:
        """Return the newest model file, with the present names of its classes.

        Raises:
            NotFound: nothing was trained yet.
        """
        project = self._store.open(project_id)
        return _model_bytes(project, *self._trained(project))

    def predict(self, project_id: str, data: bytes, name: str = "photo") -> Prediction:
        """Ask the newest model about one photo.

        Args:
            project_id: the project.
            data: bytes of an image file.
            name: what to call it in an error.
        """
        image = images.decode(data, name)
        project = self._store.open(project_id)
        record, info = self._trained(project)
        key = (record.id, _labels(record, info))
        with self._lock:
            classifier = self._classifiers.get(key)
        if classifier is None:
            classifier = Classifier.load(_model_bytes(project, record, info))
            with self._lock:
                while len(self._classifiers) >= CLASSIFIERS_KEPT:
                    self._classifiers.pop(next(iter(self._classifiers)))
                self._classifiers[key] = classifier
        return classifier.predict(image)[0]

    def _trained(self, project: Project) -> tuple[ModelRecord, ProjectInfo]:
        record = project.latest_model()
        if record is None:
            raise NotFound("model_not_trained")
        return record, project.info()


def _labels(record: ModelRecord, info: ProjectInfo) -> tuple[str, ...]:
    """Return what the classes of a model are called now; deleted ones keep their last name."""
    names = {one.id: one.name for one in info.classes}
    return tuple(names.get(id_, old) for id_, old in zip(record.class_ids, record.labels, strict=True))


def _model_bytes(project: Project, record: ModelRecord, info: ProjectInfo) -> bytes:
    data = project.model_file(record.id).read_bytes()
    return with_metadata(data, metadata(record, _labels(record, info), info.name))


def _put(archive: zipfile.ZipFile, project: Project, sample: Sample, name: str) -> None:
    """Add a photo to an archive; one whose file is lost leaves a gap in the numbers, and the others are kept."""
    try:
        archive.write(project.photo_file(sample.sha256), name)
    except (NotFound, FileNotFoundError):
        log.warning("photo %s of project %s is missing", sample.sha256, project.id)
