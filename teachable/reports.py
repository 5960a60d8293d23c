"""The reports of all projects: what is known of each model, its photos one by one, and the page to take away.

It owns what is remembered between two questions. Finding out takes time and is `teachable.studies`; what it means is
said by `teachable.report_words`.
"""

import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from teachable import dossier, explain, images, report_words, trained
from teachable.backlog import Backlog
from teachable.dossier import Found, Photos
from teachable.errors import Cancelled, Conflict, NotFound, TeachableError
from teachable.exporting.exporter import Extra
from teachable.exporting.offers import installing
from teachable.library import Library
from teachable.projects import Project, schema
from teachable.report import Heatmap, Report, SampleMap, SamplePrediction, TestedPhotos
from teachable.studies import Studies
from teachable.training import Trainer
from teachable.types import ModelRecord, ProjectInfo

Method = Literal["pca", "umap"]
UMAP = Extra("umap", ("umap",))
"""What the second way to draw a map needs besides Teachable."""
LARGEST_PAGE = 1000
"""Photos of a cell that are handed out at once."""
# Name of what is kept of a model.
_UMAP = "umap"
# How often whoever waits for a map looks whether it was given up.
_LOOK_SECONDS = 0.1
# Pixels of each side of a picture in the page.
_THUMBNAIL = 256


@dataclass(frozen=True)
class _Known:
    """What was put together for the last question about a project.

    Attributes:
        model: id of the model.
        updated: the change of the project it was put together after.
        photos: of the model.
        found: the study the report is made of, or None.
        report: what is known, or None until somebody asked.
    """

    model: str
    updated: float
    photos: Photos
    found: Found | None = None
    report: Report | None = None


class Reports:
    """Says what there is to know about models; safe to use from any thread.

    Args:
        open_project: returns a project by its id.
        library: the networks.
        backlog: keeps what is known of each photo.
        trainer: studies it.
        stale: says whether a project changed since a model was trained.
        view: returns which part of the shorter side of a photo a model sees.
        classifiers: models that are ready, by id and labels.
    """

    def __init__(
        self,
        open_project: Callable[[str], Project],
        library: Library,
        backlog: Backlog,
        trainer: Trainer,
        stale: Callable[[Project, ProjectInfo, ModelRecord], bool],
        view: Callable[[Project, ModelRecord], float | None],
        classifiers: trained.Classifiers,
    ) -> None:
        self._open = open_project
        self._library = library
        self._backlog = backlog
        self._trainer = trainer
        self._stale = stale
        self._view = view
        self._classifiers = classifiers
        self._studies = Studies(backlog, trainer)
        self._lock = threading.Lock()
        self._closed = False
        self._known: dict[str, _Known] = {}
        self._drawing = threading.Lock()
        # Work outside the thread, by project, so that deleting and closing can end it.
        self._busy_with: dict[str, set[threading.Event]] = {}

    # What is known

    def of(self, project_id: str) -> Report:
        """Return what is known about the newest model. What takes a study to find out is in it once one was made."""
        project = self._open(project_id)
        info, record = project.info(), project.latest_model()
        if record is None:
            return report_words.untrained(info)
        standing = self._studies.standing(project, record)
        return replace(
            self._report(project, info, record, standing.found),
            state=standing.state,
            fraction=standing.fraction,
            message=standing.message,
            stale=self._stale(project, info, record),
        )

    def _report(self, project: Project, info: ProjectInfo, record: ModelRecord, found: Found | None) -> Report:
        """Return what is known, put together anew only after a change."""
        known = self._look(project, info, record)
        if known.report is not None and known.found is found:
            return known.report
        report = report_words.report(info, known.photos, found, self._library.title(record.backbone_id))
        with self._lock:
            self._known[project.id] = replace(known, found=found, report=report)
        return report

    def _look(self, project: Project, info: ProjectInfo, record: ModelRecord) -> _Known:
        """Return what is known about the photos of a model, read again only after a change."""
        with self._lock:
            known = self._known.get(project.id)
        if known is None or (known.model, known.updated) != (record.id, info.updated):
            known = _Known(record.id, info.updated, dossier.photos_of(project, record))
            with self._lock:
                self._known[project.id] = known
        return known

    def photos(self, project_id: str, given: str, said: str, offset: int = 0, limit: int = 60) -> TestedPhotos:
        """Return the photos of one cell of the confusion matrix, the most certain answers first.

        Args:
            project_id: the project.
            given: id of the class they were in.
            said: id of the class they were named.
            offset: how many to leave out at the beginning.
            limit: at most this many, 1 to 1000.

        Raises:
            NotFound: nothing was trained yet, the model has no such class, or it was trained before the answers were
                kept photo by photo.
        """
        project = self._open(project_id)
        record = _newest(project)
        if not {given, said} <= set(record.class_ids):
            raise NotFound("class_unknown")
        photos = self._look(project, project.info(), record).photos
        if not photos.by_photo:
            raise NotFound("report_photos_unknown")
        cell = [one for one in photos.tested() if (one.given, one.said) == (given, said)]
        offset, limit = max(0, offset), max(1, min(limit, LARGEST_PAGE))
        return TestedPhotos(tuple(cell[offset : offset + limit]), len(cell))

    def prediction(self, project_id: str, sample_id: int, class_id: str | None = None) -> SamplePrediction:
        """Return what the newest model says about a stored photo, and where it looks.

        Args:
            project_id: the project.
            sample_id: the photo.
            class_id: whose heat map to give; that of the most probable class if not given.

        Raises:
            NotFound: nothing was trained yet, or there is no such photo or class.
        """
        project = self._open(project_id)
        record = _newest(project)
        ids = record.class_ids
        if class_id is not None and class_id not in ids:
            raise NotFound("class_unknown")
        photo = images.load(project.photo_file(project.sample(sample_id).sha256))
        # Another may be the newest by now.
        said = trained.classifier(project, self._classifiers, record).explain(photo)
        best = ids[int(np.argmax(said.probabilities))]
        return SamplePrediction(
            model=record.id,
            sample=sample_id,
            said=best,
            probabilities=dict(zip(ids, map(float, said.probabilities), strict=True)),
            familiarity=said.prediction.familiarity,
            known=said.prediction.known,
            heatmap=_heatmap(said.heatmap, ids, class_id or best),
            view=self._view(project, record),
        )

    # The page

    def page(self, project_id: str) -> bytes:
        """Return the report as one HTML file with everything inside.

        Raises:
            NotFound: nothing was trained yet, or there is no report of it yet.
            Conflict: the project is being deleted or everything closed.
        """
        from teachable import report_page

        project = self._open(project_id)
        record = _newest(project)
        report = self.of(project_id)
        if report.state != "done" or report.model != record.id:
            raise NotFound("report_missing")
        photos = self._look(project, project.info(), record).photos
        mistakes = [one for one in photos.tested() if one.said != one.given and one.present]
        said = {one.id: record.class_ids.index(one.said) for one in mistakes}
        with self._busy(project.id) as cancelled:
            return report_page.render(
                report,
                lambda ids: _thumbnails(project, ids),
                mistakes=mistakes,
                heat=lambda ids: self._heats(project, record, {number: said[number] for number in ids}),
                points=self.map(project_id),
                cancelled=cancelled,
            )

    def _heats(self, project: Project, record: ModelRecord, said: Mapping[int, int]) -> dict[int, bytes]:
        """Return photos with what speaks for a class laid over them, those that can be read.

        Args:
            project: whose photos.
            record: of the model.
            said: index of the class for each photo.
        """
        found = {}
        with suppress(TeachableError, OSError):
            classifier = trained.classifier(project, self._classifiers, record)
            view = self._view(project, record) or 1.0
            for number, index in said.items():
                with suppress(TeachableError, OSError):
                    photo = images.load(project.photo_file(project.sample(number).sha256))
                    found[number] = explain.picture(photo, classifier.explain(photo).heatmap[index], view)
        return found

    # The map

    def map(self, project_id: str, method: Method = "pca") -> SampleMap:
        """Return the photos of the newest model that are still there as points; none where it has no report yet.

        Args:
            project_id: the project.
            method: `pca`, there at once, or `umap`, which takes a while the first time.

        Raises:
            NotFound: nothing was trained yet.
            Conflict: UMAP is not installed, the project is being deleted or everything closed.
            InvalidInput: too few photos for UMAP.
        """
        project = self._open(project_id)
        record = _newest(project)
        found = self._studies.found(project, record)
        if found is None:
            return SampleMap(method, None, (), (), (), (), record.class_ids, UMAP.installed(), _command(), ready=False)
        photos = self._look(project, project.info(), record).photos
        if method == "pca":
            return _map(photos, found, found.study.points, method)
        if not UMAP.installed():
            raise Conflict("report_umap_missing", command=installing(UMAP))
        return _map(photos, found, self._umap(project, photos, found), method)

    def _umap(self, project: Project, photos: Photos, found: Found) -> NDArray[np.float32]:
        """Return the points of a study by UMAP, float32 `[N, 2]`, NaN where there is none; computed once."""
        record = photos.record
        with schema.in_words(project.folder):
            points = self._drawn_before(project, photos, found)
        if points is not None:
            return points
        with self._busy(project.id) as cancelled, self._drawn(cancelled), schema.in_words(project.folder):
            # Somebody else may have asked for it a moment before.
            points = self._drawn_before(project, photos, found)
            if points is not None:
                return points
            shas = self._drawable(project, photos, found)
            embeddings = self._backlog.cache(project, record.backbone).get(list(shas.values()))
            points = np.full((len(found.samples), 2), np.nan, np.float32)
            points[list(shas)], _ = self._trainer.points(embeddings, "umap", record.settings.seed, cancelled)
            project.reports.write(record.id, _UMAP, json.dumps(np.round(points, 4).tolist()).encode())
        return points

    def _drawn_before(self, project: Project, photos: Photos, found: Found) -> NDArray[np.float32] | None:
        """Return the points by UMAP if they were drawn before, and no photo came back since that was gone then."""
        points = _kept(project, photos.record, found)
        if points is None:
            return None
        lacking = np.flatnonzero(np.isnan(points).any(axis=1)).tolist()
        return None if lacking and self._drawable(project, photos, found).keys() & lacking else points

    def _drawable(self, project: Project, photos: Photos, found: Found) -> dict[int, str]:
        """Return the hash of those rows of a study whose photos are there and embedded."""
        present = photos.present
        shas = {row: present[number].sha256 for row, number in enumerate(found.samples) if number in present}
        missing = set(self._backlog.cache(project, photos.record.backbone).missing(shas.values()))
        return {row: sha for row, sha in shas.items() if sha not in missing}

    @contextmanager
    def _drawn(self, cancelled: threading.Event) -> Iterator[None]:
        """Wait for the turn to draw.

        Raises:
            Cancelled: it was given up.
        """
        while not self._drawing.acquire(timeout=_LOOK_SECONDS):
            if cancelled.is_set():
                raise Cancelled
        try:
            yield
        finally:
            self._drawing.release()

    # Beginning and ending

    def start(self, project_id: str) -> None:
        """Have the newest model studied in the background. What is there, or on its way, is not made again.

        Raises:
            NotFound: nothing was trained yet.
            Conflict: everything is being closed.
        """
        project = self._open(project_id)
        self._studies.start(project, _newest(project))

    def cancel(self, project_id: str) -> None:
        """Give a report up and wait until that has stopped; without one this does nothing."""
        self._studies.cancel(self._open(project_id).id)

    def wait(self, project_id: str, timeout: float | None = None) -> Report:
        """Wait until a report has ended, or for `timeout` seconds; return how it stands."""
        self._studies.wait(self._open(project_id).id, timeout)
        return self.of(project_id)

    def remove(self, project_id: str) -> None:
        """Give up and forget the report of a project."""
        with self._lock:
            busy = list(self._busy_with.pop(project_id, ()))
        self._give_up(busy)
        self._studies.remove(project_id)
        with self._lock:
            self._known.pop(project_id, None)

    def close(self) -> list[threading.Thread]:
        """Tell all to stop, let none begin any more, and return what is to be joined."""
        with self._lock:
            self._closed = True
            busy = [event for events in self._busy_with.values() for event in events]
        self._give_up(busy)
        return self._studies.close()

    def _give_up(self, busy: Sequence[threading.Event]) -> None:
        for event in busy:
            event.set()
            self._trainer.stop(event)

    @contextmanager
    def _busy(self, project_id: str) -> Iterator[threading.Event]:
        """Give what is set when the project is deleted or everything closed, for work outside the thread.

        Raises:
            Conflict: that happened.
        """
        event = threading.Event()
        with self._lock:
            if self._closed:
                raise Conflict("report_closing")
            self._busy_with.setdefault(project_id, set()).add(event)
        try:
            yield event
        except Cancelled as error:
            raise Conflict("report_stopped") from error
        finally:
            with self._lock:
                self._busy_with.get(project_id, set()).discard(event)


def _newest(project: Project) -> ModelRecord:
    record = project.latest_model()
    if record is None:
        raise NotFound("model_not_trained")
    return record


def _thumbnails(project: Project, ids: Sequence[int]) -> dict[int, bytes]:
    """Return small pictures of those photos that can be read."""
    found = {}
    for number in ids:
        with suppress(TeachableError, OSError):
            found[number] = images.thumbnail(project.photo_file(project.sample(number).sha256), _THUMBNAIL)
    return found


def _heatmap(heatmap: NDArray[np.float32], ids: Sequence[str], class_id: str) -> Heatmap:
    """Return one class of a heat map float32 `[K, h, w]`."""
    values = heatmap[ids.index(class_id)]
    return Heatmap(class_id, values.shape[1], values.shape[0], tuple(round(one, 4) for one in values.ravel().tolist()))


def _kept(project: Project, record: ModelRecord, found: Found) -> NDArray[np.float32] | None:
    """Return the points of a study by UMAP if they were drawn before, float32 `[N, 2]`."""
    data = project.reports.read(record.id, _UMAP)
    points = None if data is None else _points(data)
    return points if points is not None and len(points) == len(found.samples) else None


def _points(data: bytes) -> NDArray[np.float32] | None:
    """Read points; what is damaged is drawn again."""
    try:
        return np.asarray(json.loads(data), np.float32).reshape(-1, 2)
    except (RecursionError, TypeError, ValueError):
        return None


def _map(photos: Photos, found: Found, points: NDArray[np.float32], method: Method) -> SampleMap:
    """Return those points whose photos are still there and trained on, in the classes they are in now."""
    ids = list(photos.record.class_ids)
    shown: list[tuple[int, int, float, float]] = []
    for number, (x, y) in zip(found.samples, points.tolist(), strict=True):
        sample = photos.present.get(number)
        if sample is None or sample.test or not math.isfinite(x):
            continue
        if sample.class_id not in ids:
            ids.append(sample.class_id)  # moved to one that the model does not know
        shown.append((number, ids.index(sample.class_id), round(x, 4), round(y, 4)))
    return SampleMap(
        method=method,
        explained=found.study.explained if method == "pca" else None,
        samples=tuple(one[0] for one in shown),
        classes=tuple(one[1] for one in shown),
        x=tuple(one[2] for one in shown),
        y=tuple(one[3] for one in shown),
        class_ids=tuple(ids),
        umap=UMAP.installed(),
        command=_command(),
    )


def _command() -> str:
    """Return what installs UMAP, or nothing if it is here."""
    return "" if UMAP.installed() else installing(UMAP)
