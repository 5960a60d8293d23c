"""One training, from the click to the checked model file.

It owns the order of the steps, the state a person watches meanwhile and the thread that does the work. Embedding,
fitting and writing are done by the modules below; starting and finding jobs is `teachable.workflow`.
"""

import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from teachable import export, heads
from teachable.backlog import Backlog, Progress
from teachable.errors import Cancelled, Conflict, InvalidInput, NotFound, TeachableError
from teachable.images import load
from teachable.lesson import Lesson, digest, kept
from teachable.projects import Project, snapshots
from teachable.projects.snapshots import Snapshot
from teachable.scores import EpochPoint
from teachable.training import Phase, Task, TestSet, Trainer
from teachable.types import (
    BackboneRecord,
    Before,
    ClassInfo,
    Head,
    Image,
    ModelRecord,
    ProjectInfo,
    ProjectNetwork,
    Sample,
    TrainSettings,
)

log = logging.getLogger(__name__)

# Stored samples the written file is run over before it is called checked.
CHECKED = 200

State = Literal["idle", "running", "done", "failed", "cancelled"]
# Share of the bar that each phase fills, in order; embedding is nearly always done before the click. Measuring is the
# second half of it, and takes long only where photos were embedded before any were measured.
_SHARES: dict[str, tuple[float, float]] = {
    "embedding": (0.0, 0.1),
    "measuring": (0.1, 0.2),
    "testing": (0.2, 0.7),
    "fitting": (0.7, 0.85),
    "comparing": (0.85, 0.95),
    "writing": (0.95, 1.0),
}


@dataclass(frozen=True)
class Training:
    """How a training stands.

    Attributes:
        state: idle, running, done, failed or cancelled.
        phase: embedding, testing, fitting, comparing or writing while it runs, else None; comparing is the test of the
            network a project is switched from.
        fraction: how much is done, 0 to 1.
        epoch: finished epochs of the phase.
        epochs: epochs of the phase.
        seconds: since the click; stands still at the end.
        started: seconds since 1970, the click; tells one training from the next. 0 if there was none.
        key: of the error text after a failure.
        message: what went wrong, in words, after a failure.
    """

    state: State = "idle"
    phase: str | None = None
    fraction: float = 0.0
    epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    started: float = 0.0
    key: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class _Trained:
    """What training made, for the check that follows."""

    record: ModelRecord
    head: Head
    data: bytes
    samples: Sequence[Sample]


def metadata(record: ModelRecord, labels: Sequence[str], project: ProjectInfo) -> export.ModelMetadata:
    """Return what a model file says about itself.

    Args:
        record: of the model.
        labels: what its classes are called now.
        project: what the project is called now, and when its answer is "not sure".
    """
    return export.ModelMetadata(
        labels=tuple(labels),
        project=project.name,
        created=record.created,
        backbone_id=record.backbone_id,
        backbone_fingerprint=record.backbone,
        settings=record.settings,
        evaluation=record.evaluation,
        agreement=record.agreement,
        unknown_below=project.unknown_below if record.familiar else None,
        familiar=record.familiar,
    )


class Job:
    """A training in its own thread.

    Args:
        project: what to train.
        settings: with which settings.
        backbone: the network whose embeddings are used; the project's from the moment the model is written.
        read: returns the graph of a network.
        backlog: computes missing embeddings.
        trainer: fits heads.
    """

    def __init__(
        self,
        project: Project,
        settings: TrainSettings,
        backbone: BackboneRecord,
        read: Callable[[BackboneRecord], bytes],
        backlog: Backlog,
        trainer: Trainer,
    ) -> None:
        self._project = project
        self._settings = settings
        self._backbone = backbone
        self._read = read
        self._backlog = backlog
        self._trainer = trainer
        self._started = time.monotonic()
        self._cancelled = threading.Event()
        self._training = Training(state="running", phase="embedding", epochs=settings.epochs, started=time.time())
        self.project_id = project.id
        self.backbone = backbone
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
        """Give up, at once, be it training or checking; a model that is on disk stays."""
        self._cancelled.set()
        self._backlog.wake()
        self._trainer.stop(self._cancelled)

    def join(self) -> None:
        """Wait until the thread is gone."""
        self._thread.join()

    def _run(self) -> None:
        try:
            trained = self._train_in_words()
            if trained is not None:
                self.checking = True
                self._end("done")
                self._check(trained)
        finally:
            self.checking = False
            self.ended.set()
            self.checked.set()

    def _train_in_words(self) -> _Trained | None:
        """Train, or note why that was not possible."""
        try:
            return self._train()
        except Exception as error:
            if isinstance(error, Cancelled) or self._over():
                self._end("cancelled")
            elif isinstance(error, TeachableError):
                self._end("failed", error)
            else:
                log.error("training of project %s failed", self._project.id, exc_info=error)
                self._end("failed", TeachableError("training_died"))
        return None

    def _over(self) -> bool:
        """Say whether nobody waits for it any more, so that whatever breaks on the way out is no failure.

        Closing and deleting cancel first, but for a training that begins in the instant its project is deleted.
        """
        try:
            self._project.info()
        except TeachableError as error:
            return self._cancelled.is_set() or isinstance(error, NotFound)
        return self._cancelled.is_set()

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
        material = self._gather()
        outcome = self._trainer.run(self._task(material), self._on_epoch, self._cancelled)
        before = self._test_before(material, outcome.groups)
        self._training = replace(self._training, phase="writing", fraction=_SHARES["writing"][0])
        record = ModelRecord(
            id=secrets.token_hex(8),
            created=time.time(),
            class_ids=tuple(one.id for one in material.classes),
            labels=tuple(one.name for one in material.classes),
            backbone=backbone.fingerprint,
            backbone_id=backbone.id,
            settings=self._settings,
            trained_on=material.digest,
            samples=len(material.samples),
            seconds=0.0,
            evaluation=outcome.evaluation,
            before=before,
            familiar=outcome.familiarity.held_out if outcome.familiarity else 0,
        )
        described = metadata(record, record.labels, project.info())
        data = export.append_head(self._read(backbone), outcome.head, described, outcome.familiarity)
        if self._cancelled.is_set():
            raise Cancelled
        record = replace(record, seconds=round(time.monotonic() - self._started, 3))
        held = snapshots.pack(material.held)
        project.save_model(record, data, ProjectNetwork.of(backbone), kept(material, outcome), held)
        return _Trained(record, outcome.head, data, material.samples)

    def _gather(self) -> Lesson:
        """Wait for the embeddings, then take everything as it is at one moment."""
        while True:
            fingerprint = self._backbone.fingerprint
            unreadable = self._backlog.wait(self._project, fingerprint, self._on_embedded, self._cancelled)
            if self._cancelled.is_set():
                raise Cancelled
            cache = self._backlog.cache(self._project, fingerprint)
            held = self._snapshot()
            classes = [one for one in held.classes if not one.disabled]
            enabled = {one.id for one in classes}
            samples = [sample for sample in held.samples if sample.class_id in enabled]
            # Somebody may go on capturing: what came after the wait is not trained on, and makes the model stale.
            coming = set(cache.missing(sample.sha256 for sample in samples)) - unreadable
            if coming:
                samples = [sample for sample in samples if sample.sha256 not in coming]
                kept_then = tuple(
                    one for one in held.samples if one.class_id not in enabled or one.sha256 not in coming
                )
                held = replace(held, samples=kept_then)
            readable = [sample for sample in samples if sample.sha256 not in unreadable and not sample.test]
            tests = [sample for sample in samples if sample.sha256 not in unreadable and sample.test]
            self._require_every_class(classes, samples, readable)
            try:
                embeddings, of_tests = (cache.get([one.sha256 for one in some]) for some in (readable, tests))
            except KeyError:
                log.warning("embeddings of project %s were damaged and are made again", self._project.id)
                continue
            return Lesson(classes, readable, embeddings, tests, of_tests, digest(classes, samples), held)

    def _snapshot(self) -> Snapshot:
        """Return all classes and samples, as of one moment."""
        while True:
            before = self._project.info()
            samples = self._project.all_samples()
            after = self._project.info()
            if self._cancelled.is_set():
                raise Cancelled
            # While photos come in the time changes with every one of them; it is the classes that have to match.
            if [(one.id, one.disabled) for one in before.classes] == [(one.id, one.disabled) for one in after.classes]:
                return Snapshot(after.classes, samples)

    def _require_every_class(
        self, classes: Sequence[ClassInfo], samples: Sequence[Sample], readable: Sequence[Sample]
    ) -> None:
        """Refuse what was fit for training at the click and no longer is."""
        if len(classes) < 2:
            raise Conflict("training_one_class")
        trainable = [sample for sample in samples if not sample.test]
        present, learned, usable = ({sample.class_id for sample in group} for group in (samples, trainable, readable))
        for one in classes:
            if one.id not in present:
                raise Conflict("training_class_without_samples", name=one.name)
            if one.id not in learned:
                raise Conflict("training_class_only_tests", name=one.name)
            if one.id not in usable:
                raise InvalidInput("class_unreadable", name=one.name)

    def _test_before(self, material: Lesson, groups: Sequence[str]) -> Before | None:
        """Test the network of the last model on the photos its successor is tested on, if they are other networks.

        That takes its embeddings of the very same photos and nothing else: it may be gone by now. Where they are not
        all there, there is no fair comparison, and none is made. Photos that came a moment ago are still being embedded
        with the network of the project; those are waited for.

        Args:
            material: what is trained on.
            groups: recordings as the new network joined them, so that both are tested on the same photos.
        """
        last, noted = self._project.latest_model(), self._project.info().network
        if last is None or last.backbone == self._backbone.fingerprint:
            return None
        try:
            if noted is not None and noted.fingerprint == last.backbone:
                self._backlog.wait(self._project, last.backbone, lambda progress: None, self._cancelled)
            cache = self._backlog.cache(self._project, last.backbone)
            embeddings = cache.get([sample.sha256 for sample in material.samples])
        except (KeyError, sqlite3.Error, TeachableError):
            log.info("project %s has not all embeddings of the network it comes from", self._project.id)
            return None

        def report(phase: Phase, share: float, point: EpochPoint) -> None:
            self._on_epoch("comparing", share, point)

        labels = material.labels(material.samples)
        task = Task(embeddings, labels, groups, len(material.classes), self._settings, joined=True)
        test = self._trainer.test(task, report, self._cancelled)
        if test.accuracy is None or test.low is None or test.high is None:
            return None
        return Before(last.backbone, last.backbone_id, test.accuracy, test.low, test.high, test.held_out, test.correct)

    def _task(self, material: Lesson) -> Task:
        samples, tests = material.samples, material.tests
        shas = [one.sha256 for one in (*samples, *tests)]
        on_measured = partial(self._on_prepared, "measuring")
        hashes = self._backlog.looks(self._project, shas, self._cancelled.is_set, on_measured).hashes
        test_set = None
        if tests:
            groups = [sample.group for sample in tests]
            test_set = TestSet(material.test_embeddings, material.labels(tests), groups, hashes[len(samples) :])
        return Task(
            material.embeddings,
            material.labels(samples),
            [sample.group for sample in samples],
            len(material.classes),
            self._settings,
            hashes[: len(samples)],
            test_set,
        )

    def _on_embedded(self, progress: Progress) -> None:
        self._on_prepared("embedding", (progress.done + progress.failed) / max(1, progress.total))

    def _on_prepared(self, part: str, share: float) -> None:
        low, high = _SHARES[part]
        # Damaged embeddings are made again, and damaged looks measured again: that does not set the bar back.
        fraction = max(self._training.fraction, low + share * (high - low))
        self._training = replace(self._training, phase="embedding", fraction=fraction)

    def _on_epoch(self, phase: str, share: float, point: EpochPoint) -> None:
        low, high = _SHARES[phase]
        self._training = replace(self._training, phase=phase, fraction=low + share * (high - low), epoch=point.epoch)

    def _check(self, trained: _Trained) -> None:
        """Run the written file over stored samples and note in it how often it agrees with the preview."""
        step = max(1, -(-len(trained.samples) // CHECKED))
        chosen = trained.samples[::step]
        cache = self._backlog.cache(self._project, self._backbone.fingerprint)
        try:
            expected = heads.probabilities(trained.head, cache.get([sample.sha256 for sample in chosen]))
            photos = (self._load(sample) for sample in chosen)
            # As long as a small training, and a whole network in memory: thirty people who train wait for no check.
            with self._trainer.spare_turn(self._cancelled):
                agreement = export.verify(trained.data, photos, expected)
            record = replace(trained.record, agreement=agreement)
            described = metadata(record, record.labels, self._project.info())
            self._project.replace_model(record, export.with_metadata(trained.data, described))
        except (TeachableError, OSError, sqlite3.Error, KeyError):
            # Samples or the project deleted meanwhile, or no room on the disk: the model is whole and says "not
            # checked".
            log.warning("the model of project %s could not be checked", self._project.id, exc_info=True)
        except Cancelled:
            log.info("checking the model of project %s was given up", self._project.id)
        except Exception:
            log.exception("checking the model of project %s failed", self._project.id)

    def _load(self, sample: Sample) -> Image:
        if self._cancelled.is_set():
            raise Cancelled
        return load(self._project.photo_file(sample.sha256))
