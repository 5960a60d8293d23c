"""What a report is made of: the photos of a model, what the test said of each, and what a study of them found.

It owns gathering that, and the file in which a study is kept. What it means is said by `teachable.report_words`.
"""

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from teachable import calibration, folds, outcomes
from teachable.backlog import Backlog, Progress
from teachable.embeddings import EmbeddingCache
from teachable.errors import Cancelled, NotFound, TeachableError
from teachable.outcomes import Kept
from teachable.projects import Project
from teachable.report import TestedPhoto
from teachable.scores import Outcomes
from teachable.study import Evidence, Study, study_from, without_points
from teachable.types import ModelRecord, Sample

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
# Share of gathering that is embedding; the rest is measuring what can be seen of the photos.
_EMBEDDED = 0.5


@dataclass(frozen=True)
class Photos:
    """The photos of a model.

    Attributes:
        record: of the model.
        kept: what was written when it was trained; of a model from before such was kept, what can be said without.
        by_photo: what the test said is known photo by photo.
        present: samples of the project by id, as they are now.
    """

    record: ModelRecord
    kept: Kept
    by_photo: bool
    present: Mapping[int, Sample]

    def recordings(self, label: int | None = None) -> int:
        """Return from how many recordings the photos come, of one class or of all."""
        if label is None:
            return len(set(self.kept.groups))
        return self._recordings[label]

    @cached_property
    def _recordings(self) -> Counter[int]:
        pairs = set(zip(self.kept.labels.tolist(), self.kept.groups, strict=True))
        return Counter(label for label, _ in pairs)

    def right(self, label: int) -> tuple[NDArray[np.bool_], list[str], float]:
        """Return which tested photos of a class were named correctly, the recording of each, and what was missing.

        That is the part of the class that the heads had not learned from, on average; see `intervals.clustered`.
        """
        rows = self.kept.tested.rows
        chosen = np.flatnonzero(self.kept.labels[rows] == label)
        missing = float(self._left_out[chosen].mean()) if len(chosen) else 0.0
        return self._hits[chosen], [self.kept.groups[row] for row in rows[chosen].tolist()], missing

    @cached_property
    def _left_out(self) -> NDArray[np.float64]:
        return folds.left_out(self.kept.labels, self.kept.tested.rows, self.kept.tested.folds)

    @cached_property
    def _hits(self) -> NDArray[np.bool_]:
        tested = self.kept.tested
        if not len(tested.rows):
            return np.empty(0, np.bool_)
        return np.asarray(tested.logits.argmax(axis=1) == self.kept.labels[tested.rows], np.bool_)

    def tested(self) -> list[TestedPhoto]:
        """Return every photo that was tested, the most certain answers first."""
        return list(self._answers)

    @cached_property
    def _answers(self) -> list[TestedPhoto]:
        tested, ids = self.kept.tested, self.record.class_ids
        shares = calibration.probabilities(tested.logits, _temperature(self.record))
        found = []
        for place, row in enumerate(tested.rows.tolist()):
            number, given = int(self.kept.samples[row]), int(self.kept.labels[row])
            said = int(shares[place].argmax())
            sample = self.present.get(number)
            found.append(
                TestedPhoto(
                    id=number,
                    given=ids[given],
                    said=ids[said],
                    probability=round(float(shares[place, said]), 6),
                    given_probability=round(float(shares[place, given]), 6),
                    present=sample is not None and sample.class_id == ids[given] and not sample.test,
                )
            )
        return sorted(found, key=lambda one: (-one.probability, one.id))


@dataclass(frozen=True)
class Found:
    """A study, and which photos its rows are.

    Attributes:
        samples: ids, in the order of its rows.
        study: what was found.
    """

    samples: tuple[int, ...]
    study: Study


def photos_of(project: Project, record: ModelRecord) -> Photos:
    """Read what is known about the photos of a model.

    A model from before outcomes were kept is taken to be trained on the photos its classes have now: if they changed
    since, the model is known to be out of date, and the report says so.
    """
    present = {sample.id: sample for sample in project.all_samples()}
    path = project.outcomes(record.id)
    kept = outcomes.unpack(path.read_bytes()) if path is not None else None
    if kept is not None and _fits(kept, record):
        return Photos(record, kept, True, present)
    index = {id_: place for place, id_ in enumerate(record.class_ids)}
    samples = [one for one in present.values() if one.class_id in index and not one.test]
    kept = Kept(
        np.array([one.id for one in samples], np.int64),
        np.array([index[one.class_id] for one in samples], np.int64),
        [one.group for one in samples],
        Outcomes(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, len(index)), np.float32)),
    )
    return Photos(record, kept, False, present)


def _fits(kept: Kept, record: ModelRecord) -> bool:
    """Say whether what was kept is about the classes of a model."""
    count = len(record.class_ids)
    labels = kept.labels
    return kept.tested.logits.shape[1] == count and (not len(labels) or 0 <= labels.min() <= labels.max() < count)


def _temperature(record: ModelRecord) -> float:
    found = record.evaluation.calibration
    return found.temperature if found else 1.0


def gather(
    project: Project,
    photos: Photos,
    backlog: Backlog,
    cancelled: threading.Event,
    on_progress: Callable[[float], None] = lambda share: None,
) -> tuple[tuple[int, ...], Evidence]:
    """Put together what a study looks at: those photos of a model that are still there.

    Args:
        project: whose model.
        photos: of the model.
        backlog: keeps and computes what is known of each photo.
        cancelled: gives up waiting when set.
        on_progress: called with the share that is done, 0 to 1, embedding first and then measuring.

    Returns:
        The ids of the photos, and what is known of them in the same order.

    Raises:
        Cancelled: it was given up.
        NotFound: none of the photos is left.
        TeachableError: what is missing cannot be computed.
    """
    kept, present = photos.kept, photos.present
    here = [(row, present[number]) for row, number in enumerate(kept.samples.tolist()) if number in present]

    def on_embedded(state: Progress) -> None:
        on_progress(_EMBEDDED * (state.done + state.failed) / max(1, state.total))

    cache = _embedded(project, photos.record, backlog, [sample.sha256 for _, sample in here], on_embedded, cancelled)
    missing = set(cache.missing(sample.sha256 for _, sample in here))
    here = [(row, sample) for row, sample in here if sample.sha256 not in missing]
    if not here:
        raise NotFound("report_no_photos")
    hashes = [sample.sha256 for _, sample in here]
    rows = np.array([row for row, _ in here], np.int64)
    folds = np.full(len(kept.samples), -1, np.int64)
    folds[kept.tested.rows] = kept.tested.folds
    logits = np.full((len(kept.samples), len(photos.record.class_ids)), np.nan, np.float32)
    logits[kept.tested.rows] = kept.tested.logits / np.float32(_temperature(photos.record))
    try:
        embeddings = cache.get(hashes)
    except KeyError as error:
        raise TeachableError("report_died") from error
    return tuple(sample.id for _, sample in here), Evidence(
        embeddings=embeddings,
        labels=kept.labels[rows],
        groups=tuple(kept.groups[row] for row, _ in here),
        captures=tuple(sample.group for _, sample in here),
        class_count=len(photos.record.class_ids),
        settings=photos.record.settings,
        folds=folds[rows],
        logits=logits[rows],
        looks=backlog.looks(
            project, hashes, cancelled.is_set, lambda share: on_progress(_EMBEDDED + (1 - _EMBEDDED) * share)
        ),
    )


def _embedded(
    project: Project,
    record: ModelRecord,
    backlog: Backlog,
    hashes: list[str],
    on_embedded: Callable[[Progress], None],
    cancelled: threading.Event,
) -> EmbeddingCache:
    """Have the photos embedded with the network of a model, as far as that can be had, and return the embeddings."""
    cache = backlog.cache(project, record.backbone)
    if cache.missing(hashes):
        try:
            backlog.wait(project, record.backbone, on_embedded, cancelled)
        except TeachableError:
            # The network was removed, for one: what was embedded before is all there is, and is enough to go on.
            if set(hashes) <= set(cache.missing(hashes)):
                raise
            log.info("not all photos of project %s can be studied", project.id, exc_info=True)
    if cancelled.is_set():
        raise Cancelled
    return cache


def pack(found: Found) -> bytes:
    """Return a study as it is kept; `unpack` reads it."""
    plain = {**without_points(found.study), "points": np.round(found.study.points, 4).tolist()}
    return json.dumps({"format_version": FORMAT_VERSION, "samples": found.samples, "study": plain}).encode()


def unpack(data: bytes) -> Found | None:
    """Read a study; one that is damaged or of another version is as good as none, and is made again."""
    try:
        entry = json.loads(data)
        if entry["format_version"] != FORMAT_VERSION:
            return None
        study = entry["study"]
        points = np.asarray(study["points"], np.float32).reshape(-1, 2)
        found = Found(tuple(entry["samples"]), study_from({**study, "points": points}))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        log.warning("a study of photos cannot be read; it is made again", exc_info=True)
        return None
    return found if len(points) == len(found.samples) else None
