"""One training, from the click to the checked model file.

It owns the order of the steps, the state a person watches meanwhile and the thread that does the work. Embedding,
fitting and writing are done by the modules below; starting and finding jobs is `teachable.workflow`.
"""

import hashlib
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from teachable import backbones, export, heads
from teachable.backlog import Backlog, Progress
from teachable.errors import InvalidInput, TeachableError
from teachable.images import load
from teachable.projects import Project
from teachable.training import Cancelled, Outcome, Phase, Task, Trainer
from teachable.types import BackboneRecord, ClassInfo, EpochPoint, Head, Labels, ModelRecord, Sample, TrainSettings

log = logging.getLogger(__name__)

# Stored samples the written file is run over before it is called checked.
CHECKED = 200

State = Literal["idle", "running", "done", "failed", "cancelled"]
# Share of the bar that each phase fills, in order; embedding is nearly always done before the click.
_SHARES: dict[str, tuple[float, float]] = {
    "embedding": (0.0, 0.2),
    "testing": (0.2, 0.55),
    "fitting": (0.55, 0.95),
    "writing": (0.95, 1.0),
}


@dataclass(frozen=True)
class Training:
    """How a training stands.

    Attributes:
        state: idle, running, done, failed or cancelled.
        phase: embedding, testing, fitting or writing while it runs, else None.
        fraction: how much is done, 0 to 1.
        epoch: finished epochs of the phase.
        epochs: epochs of the phase.
        seconds: since the click; stands still at the end.
        key: of the error text after a failure.
        message: what went wrong, in words, after a failure.
    """

    state: State = "idle"
    phase: str | None = None
    fraction: float = 0.0
    epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    key: str | None = None
    message: str | None = None


def digest(classes: Iterable[ClassInfo], samples: Iterable[Sample]) -> str:
    """Return a short name for what a model is trained on: which photos in which enabled classes.

    Renaming, recolouring and reordering do not change it; adding, deleting, moving and disabling do.
    """
    enabled = {info.id for info in classes if not info.disabled}
    pairs = sorted((sample.class_id, sample.sha256) for sample in samples if sample.class_id in enabled)
    return hashlib.sha256(repr(pairs).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _Trained:
    """What training made, for the check that follows."""

    record: ModelRecord
    head: Head
    data: bytes
    samples: Sequence[Sample]


def metadata(record: ModelRecord, labels: Sequence[str], project: str) -> export.ModelMetadata:
    """Return what a model file says about itself.

    Args:
        record: of the model.
        labels: what its classes are called now.
        project: what the project is called now.
    """
    return export.ModelMetadata(
        labels=tuple(labels),
        project=project,
        created=record.created,
        backbone_id=record.backbone_id,
        backbone_fingerprint=record.backbone,
        settings=record.settings,
        evaluation=record.evaluation,
        agreement=record.agreement,
    )


class Job:
    """A training in its own thread.

    Args:
        project: what to train.
        settings: with which settings.
        backbone: the network whose embeddings are used.
        backlog: computes missing embeddings.
        trainer: fits heads.
    """

    def __init__(
        self,
        project: Project,
        settings: TrainSettings,
        backbone: BackboneRecord,
        backlog: Backlog,
        trainer: Trainer,
    ) -> None:
        self._project = project
        self._settings = settings
        self._backbone = backbone
        self._backlog = backlog
        self._trainer = trainer
        self._started = time.monotonic()
        self._cancelled = threading.Event()
        self._training = Training(state="running", phase="embedding", epochs=settings.epochs)
        self.checking = False
        self.ended = threading.Event()
        self.checked = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"train-{project.id[:8]}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def training(self) -> Training:
        """The present state."""
        now = self._training
        return replace(now, seconds=time.monotonic() - self._started) if now.state == "running" else now

    def cancel(self) -> None:
        """Give up, at once; the model trained before stays."""
        self._cancelled.set()
        self._trainer.stop(self._cancelled)

    def join(self) -> None:
        """Wait until the thread is gone."""
        self._thread.join()

    def _run(self) -> None:
        try:
            try:
                trained = self._train()
            except Cancelled:
                self._end("cancelled")
                return
            except TeachableError as error:
                self._end("failed", error)
                return
            except Exception:
                log.exception("training of project %s failed", self._project.id)
                self._end("failed", TeachableError("training_died"))
                return
            self.checking = True
            self._end("done")
            self._check(trained)
        finally:
            self.checking = False
            self.ended.set()
            self.checked.set()

    def _end(self, state: State, error: TeachableError | None = None) -> None:
        self._training = replace(
            self.training,
            state=state,
            phase=None,
            fraction=1.0 if state == "done" else self._training.fraction,
            key=error.key if error else None,
            message=str(error) if error else None,
        )
        self.ended.set()

    def _train(self) -> _Trained:
        project, backbone = self._project, self._backbone
        info = project.info()
        classes = [one for one in info.classes if not one.disabled]
        unreadable = self._backlog.wait(project, self._on_embedded, self._cancelled)
        if self._cancelled.is_set():
            raise Cancelled
        everything = project.all_samples(enabled_only=True)
        samples = [sample for sample in everything if sample.sha256 not in unreadable]
        outcome = self._fit(classes, samples)
        self._training = replace(self._training, phase="writing", fraction=_SHARES["writing"][0])
        record = ModelRecord(
            id=secrets.token_hex(8),
            created=time.time(),
            class_ids=tuple(one.id for one in classes),
            labels=tuple(one.name for one in classes),
            backbone=backbone.fingerprint,
            backbone_id=backbone.id,
            settings=self._settings,
            trained_on=digest(classes, everything),
            samples=len(samples),
            seconds=round(time.monotonic() - self._started, 3),
            evaluation=outcome.evaluation,
        )
        data = export.append_head(backbones.read(backbone), outcome.head, metadata(record, record.labels, info.name))
        project.save_model(record, data)
        return _Trained(record, outcome.head, data, samples)

    def _fit(self, classes: Sequence[ClassInfo], samples: Sequence[Sample]) -> Outcome:
        index = {one.id: position for position, one in enumerate(classes)}
        labels: Labels = np.array([index[sample.class_id] for sample in samples], np.int64)
        for one in classes:
            if index[one.id] not in labels:
                raise InvalidInput("class_unreadable", name=one.name)
        embeddings = self._backlog.cache(self._project).get([sample.sha256 for sample in samples])
        groups = [sample.group for sample in samples]
        task = Task(embeddings, labels, groups, len(classes), self._settings)
        return self._trainer.run(task, self._on_epoch, self._cancelled)

    def _on_embedded(self, progress: Progress) -> None:
        low, high = _SHARES["embedding"]
        share = (progress.done + progress.failed) / max(1, progress.total)
        self._training = replace(self._training, phase="embedding", fraction=low + share * (high - low))

    def _on_epoch(self, phase: Phase, point: EpochPoint) -> None:
        low, high = _SHARES[phase]
        share = point.epoch / self._settings.epochs
        self._training = replace(self._training, phase=phase, fraction=low + share * (high - low), epoch=point.epoch)

    def _check(self, trained: _Trained) -> None:
        """Run the written file over stored samples and note in it how often it agrees with the preview."""
        step = max(1, -(-len(trained.samples) // CHECKED))
        chosen = trained.samples[::step]
        cache = self._backlog.cache(self._project)
        try:
            expected = heads.probabilities(trained.head, cache.get([sample.sha256 for sample in chosen]))
            photos = (load(self._project.photo_file(sample.sha256)) for sample in chosen)
            record = replace(trained.record, agreement=export.verify(trained.data, photos, expected))
            described = metadata(record, record.labels, self._project.info().name)
            self._project.replace_model(record, export.with_metadata(trained.data, described))
        except (TeachableError, OSError, sqlite3.Error, KeyError):
            # Samples or the project deleted meanwhile, or no room on the disk: the model is whole and says "not
            # checked".
            log.warning("the model of project %s could not be checked", self._project.id, exc_info=True)
