"""Finding out how a project stands, often and cheaply: pages ask several times a second.

It owns what is remembered for that. The records, and what they say, are `teachable.status`.
"""

import threading

from teachable import choice
from teachable.backlog import Backlog, Progress
from teachable.errors import TeachableError
from teachable.exporting import tensor
from teachable.jobs import Training
from teachable.lesson import digest_of
from teachable.library import Library
from teachable.projects import Project
from teachable.status import Status, model_status, ready
from teachable.training import Trainer
from teachable.trainings import Trainings
from teachable.types import BackboneRecord, ModelRecord, ProjectInfo, ProjectNetwork


class Standing:
    """Finds out how projects stand; safe to use from any thread.

    Args:
        library: the networks.
        backlog: keeps and computes the embeddings.
        trainer: is made ready once there is something to train on.
        trainings: those that run.
    """

    def __init__(self, library: Library, backlog: Backlog, trainer: Trainer, trainings: Trainings) -> None:
        self._library = library
        self._backlog = backlog
        self._trainer = trainer
        self._trainings = trainings
        self._lock = threading.Lock()
        self._digests: dict[str, tuple[float, str]] = {}
        self._views: dict[str, float | None] = {}

    def of(self, project: Project) -> Status:
        """Return how a project stands, and go on with embeddings that a restart interrupted."""
        network = choice.resolve(project, self._library)
        info = project.info()
        progress = self.embed(project, network)
        if progress.total:
            # Loading torch takes two seconds of a core. At the start it would double the time until the page can be
            # opened; from the first photo on there is time enough until somebody presses Train.
            self._trainer.warm_up()
        job = self._trainings.latest(project.id)
        if job is not None and not job.ended.is_set() and job.backbone != network:
            # It is being switched: what the person waits for is the other network.
            progress = self._backlog.progress(project, job.backbone.fingerprint)
        # In this order: who is told that a training is done is told of its model too.
        training = job.training if job else Training()
        checking = job is not None and job.checking
        record = project.latest_model()
        noted = info.network or ProjectNetwork.of(self._library.builtin())
        title, stale = self._library.title, record is not None and self.stale(project, info, record)
        return Status(
            embedding=progress,
            ready=ready(info, None if network else title(noted.id)),
            training=training,
            model=None
            if record is None
            else model_status(
                record,
                title,
                network=noted.fingerprint,
                stale=stale,
                checking=checking,
                view=self.view(project, record),
            ),
            network=choice.describe(project, noted, record, self._library, self._backlog),
            updated=info.updated,
        )

    def embed(self, project: Project, network: BackboneRecord | None) -> Progress:
        """Have what is missing embedded, and return how far that is."""
        if network is None:
            total = len({sha for _, _, sha, _ in project.brief_samples()})
            return Progress(0, total, 0)
        progress = self._backlog.progress(project, network.fingerprint)
        if progress.done + progress.failed < progress.total:
            self._backlog.add(project, network.fingerprint)
        return progress

    def view(self, project: Project, record: ModelRecord) -> float | None:
        """Return which part of the shorter side of a photo a model sees; a network is measured once."""
        with self._lock:
            if record.backbone in self._views:
                return self._views[record.backbone]
        try:
            found = tensor.view(project.model_file(record.id).read_bytes())
        except (TeachableError, OSError):
            # What is wrong with the file is said where somebody wants the file.
            return None
        with self._lock:
            self._views[record.backbone] = found
        return found

    def stale(self, project: Project, info: ProjectInfo, record: ModelRecord) -> bool:
        """Say whether samples or classes changed since a training; they are read again only after a change."""
        with self._lock:
            updated, known = self._digests.get(project.id, (0.0, ""))
        if updated != info.updated:
            samples = ((label, sha, bool(test)) for _, label, sha, test in project.brief_samples())
            known = digest_of(info.classes, samples)
            with self._lock:
                self._digests[project.id] = (info.updated, known)
        return known != record.trained_on
