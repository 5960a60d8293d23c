"""The photos an export is made and checked with, drawn from what a project holds today.

It owns which ones: photos of recordings that are held out for the check, others to calibrate with, and what there is to
measure a loss of accuracy with. Counting is `teachable.exporting.checking`. Which recordings are one is decided as in
the test of a training, or near-copies of what was learned would be asked about.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachable import duplicates, evaluation
from teachable.backlog import Backlog
from teachable.errors import InvalidInput, TeachableError
from teachable.exporting.checking import Test
from teachable.exporting.exporter import Watch
from teachable.images import load
from teachable.projects import Project
from teachable.runtime import Classifier
from teachable.training import Task, Trainer
from teachable.types import Embeddings, Image, Labels, ModelRecord, Sample

log = logging.getLogger(__name__)

CHECKED = 200
"""Photos a file is run over at most before it is handed out."""
CALIBRATED = 120
"""Photos to calibrate with; more where there are more classes, because every class is to be among them."""


@dataclass(frozen=True)
class Material:
    """Photos of the classes of a model, as of one moment.

    Attributes:
        samples: of these classes. Those that are still being prepared are left out, unless a class would be without.
        labels: index of the class of each, int64 `[N]`.
        groups: recording of each, near-duplicates joined where embeddings are known.
        held_out: rows of whole recordings that are kept for the check.
        embeddings: under the model's own network, float32 `[N, D]`, or None where they are not all known.
    """

    samples: Sequence[Sample]
    labels: Labels
    groups: Sequence[str]
    held_out: NDArray[np.int64]
    embeddings: Embeddings | None

    def to_check(self, *, all_of_them: bool) -> list[int]:
        """Return the rows to check with: of every class its share, evenly."""
        rows = np.arange(len(self.samples)) if all_of_them else self.held_out
        by_class = rows[np.argsort(self.labels[rows], kind="stable")]
        return _evenly(by_class.tolist(), CHECKED)

    def to_calibrate(self) -> list[Sample]:
        """Return photos to calibrate with, the classes in turn; none that a file is checked with, if that can be."""
        usable = np.ones(len(self.samples), np.bool_)
        usable[self.held_out] = False
        rows = [np.flatnonzero(usable & (self.labels == label)) for label in np.unique(self.labels)]
        most = max(CALIBRATED, len(rows))
        each = [_evenly(of.tolist(), -(-most // max(1, len(rows)))) for of in rows]
        turns = (of[turn] for turn in range(max(map(len, each), default=0)) for of in each if turn < len(of))
        return [self.samples[row] for row in list(turns)[:most]]


@dataclass(frozen=True)
class Yardstick:
    """What a file is held against.

    Attributes:
        rows: of the material, those that could be read.
        held_out: the photos are of recordings of which no other photo serves to make the file.
        expected: what the preview says of each, float32 `[N, K]`.
    """

    rows: Sequence[int]
    held_out: bool
    expected: NDArray[np.float32]


def gather(project: Project, record: ModelRecord, backlog: Backlog, cancelled: threading.Event) -> Material:
    """Take the photos of a model's classes as they are now, without those kept for testing: no file may see these.

    Raises:
        Cancelled: it was given up.
        InvalidInput: there are none.
        NotFound: the project was closed.
    """
    index = {id_: place for place, id_ in enumerate(record.class_ids)}
    samples = [sample for sample in project.all_samples() if sample.class_id in index and not sample.test]
    if not samples:
        raise InvalidInput("export_no_photos")
    embeddings = None
    known = _embedded(project, record, backlog, samples)
    if known is not None:
        samples, embeddings = known
    labels = np.array([index[sample.class_id] for sample in samples], np.int64)
    groups = [sample.group for sample in samples]
    if embeddings is not None:
        hashes = backlog.looks(project, [sample.sha256 for sample in samples], cancelled.is_set).hashes
        groups = duplicates.join(embeddings, hashes, labels, groups)
    parts = evaluation.split(labels, groups, record.settings.seed)
    return Material(samples, labels, groups, parts.held_out, embeddings)


def _embedded(
    project: Project, record: ModelRecord, backlog: Backlog, samples: Sequence[Sample]
) -> tuple[list[Sample], Embeddings] | None:
    """Return the samples whose embeddings are known, and those, if there are some of every class of the model.

    That takes nothing but the kept embeddings: the network may be gone by now.
    """
    try:
        cache = backlog.cache(project, record.backbone)
        missing = set(cache.missing(sample.sha256 for sample in samples))
        known = [sample for sample in samples if sample.sha256 not in missing]
        if {sample.class_id for sample in known} != set(record.class_ids):
            return None
        return known, cache.get([sample.sha256 for sample in known])
    except (KeyError, sqlite3.Error, TeachableError):
        log.info("project %s has not all embeddings of the network of its model", project.id)
        return None


def read(project: Project, samples: Sequence[Sample], watch: Watch) -> Iterator[Image]:
    """Yield photos that must be readable.

    Raises:
        InvalidInput: one of them is gone or damaged by now.
        Cancelled: it was given up.
    """
    for sample in samples:
        watch.require_wanted()
        found = _load(project, sample)
        if found is None:
            raise InvalidInput("export_photo_lost")
        yield found


def readable(project: Project, samples: Sequence[Sample], watch: Watch) -> Iterator[tuple[int, Image]]:
    """Yield place and pixels of the photos that can be read."""
    for place, sample in enumerate(samples):
        watch.done(place / len(samples))
        found = _load(project, sample)
        if found is not None:
            yield place, found


def _load(project: Project, sample: Sample) -> Image | None:
    try:
        return load(project.photo_file(sample.sha256))
    except (OSError, TeachableError):
        log.warning("stored photo %s cannot be read", sample.sha256, exc_info=True)
        return None


def measure(project: Project, material: Material, model: bytes, watch: Watch) -> Yardstick:
    """Ask the model itself about photos to check with: held-out ones, or else any.

    Raises:
        InvalidInput: no photo can be read.
        Cancelled: it was given up.
    """
    classifier = Classifier.load(model)
    for held_out in (True, False):
        rows = material.to_check(all_of_them=not held_out)
        found: list[int] = []

        def photos(rows: list[int] = rows, found: list[int] = found) -> Iterator[Image]:
            for place, photo in readable(project, [material.samples[row] for row in rows], watch):
                found.append(rows[place])
                yield photo

        expected = classifier.probabilities(photos())
        if found:
            return Yardstick(tuple(found), held_out, expected)
    raise InvalidInput("export_no_photos")


def examine(
    material: Material, yardstick: Yardstick, record: ModelRecord, trainer: Trainer, cancelled: threading.Event
) -> Test | None:
    """Return what a loss of accuracy is measured with, or None where that cannot be known.

    It is not known of a model of whose own accuracy nothing is known: no figure may stand where the report has none.

    Raises:
        Cancelled: it was given up.
        TeachableError: the head to test with cannot be fitted.
    """
    if material.embeddings is None or not yardstick.held_out or record.evaluation.accuracy is None:
        return None
    classes = len(record.class_ids)
    task = Task(material.embeddings, material.labels, material.groups, classes, record.settings, joined=True)
    examination = trainer.examine(task, lambda phase, share, point: None, cancelled)
    rows = np.array(yardstick.rows)
    unseen = np.isin(rows, examination.held_out)
    return Test(examination.head, np.where(unseen, material.labels[rows], -1), material.embeddings[rows])


def _evenly(rows: list[int], count: int) -> list[int]:
    """Return at most `count` of the rows, at even distances: neighbouring frames look most alike."""
    if len(rows) <= count:
        return rows
    return [rows[index] for index in np.linspace(0, len(rows) - 1, count).round().astype(int).tolist()]
