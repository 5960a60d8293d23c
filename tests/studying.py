"""What the tests of reports share: a project with a model whose test is made up, and a trainer told what to say."""

import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from comparing import COLORS, SIGHTED
from making import photos, tiny_network
from numpy.typing import NDArray

from teachable import export, jobs, lesson, outcomes
from teachable.backlog import Backlog
from teachable.embeddings import Embedder
from teachable.errors import Cancelled
from teachable.library import Library
from teachable.loaded import Loaded
from teachable.outcomes import Kept
from teachable.projects import Project, ProjectStore
from teachable.report import Report
from teachable.reports import Reports
from teachable.scores import ClassScore, Evaluation, Outcomes
from teachable.study import Advice, Evidence, Study, Suspect
from teachable.types import Head, Layer, ModelRecord, ProjectNetwork, Sample, TrainSettings

Said = Callable[[int, int], int]
"""What a test says: from a place among the photos of a class and the class, the class that is named."""


def right(place: int, label: int) -> int:
    return label


class TellingTrainer:
    """Answers at once with the study it was given, and waits before that if told to.

    Attributes:
        suspects: that the study finds.
        error: raised instead.
        held: a study waits until it is set, or was given up.
    """

    def __init__(self) -> None:
        self.suspects: tuple[Suspect, ...] = ()
        self.changes: dict[str, Any] = {}
        self.error: Exception | None = None
        self.held = threading.Event()
        self.held.set()
        self.entered = threading.Event()
        self.asked: list[Evidence] = []
        self.drawn = 0
        self.stopped: list[threading.Event] = []

    def study(self, evidence: Evidence, on_progress: Callable[[float], None], cancelled: threading.Event) -> Study:
        self.asked.append(evidence)
        on_progress(0.5)
        on_progress(0.25)
        self.entered.set()
        while not self.held.wait(0.01):
            if cancelled.is_set():
                raise Cancelled
        if self.error is not None:
            raise self.error
        points = np.linspace(-1, 1, 2 * len(evidence.labels), dtype=np.float32).reshape(-1, 2)
        advice = (Advice("enough", {"photos": 5, "recordings": 1}),) * evidence.class_count
        found: dict[str, Any] = {"random_split": None, "curve": None, "advice": advice, "explained": 0.75}
        found |= {"points": points, "suspects": self.suspects}
        return Study(**(found | self.changes))

    def points(
        self, embeddings: NDArray[np.float32], method: str, seed: int, cancelled: threading.Event
    ) -> tuple[NDArray[np.float32], float | None]:
        self.drawn += 1
        if self.error is not None:
            raise self.error
        return np.zeros((len(embeddings), 2), np.float32), None

    def stop(self, cancelled: threading.Event) -> None:
        self.stopped.append(cancelled)


class Desk:
    """A project, a way to write models into it, and its reports.

    Args:
        folder: to put everything in.
        classes: how many the project has.
    """

    def __init__(self, folder: Path, classes: int = 2) -> None:
        self.folder = folder
        folder.joinpath("networks").mkdir(exist_ok=True)
        self.open()
        self.library.add(*tiny_network(folder, "sighted", SIGHTED))
        self.project: Project = self.store.create("Colours", ProjectNetwork.of(self.library.find("sighted")))
        for _ in range(classes - 2):
            self.project.add_class()

    def open(self) -> None:
        self.store = ProjectStore(self.folder / "home")
        self.library = Library(self.folder / "networks")
        self.backlog = Backlog(lambda fingerprint: Embedder(self.library.read(self.library.find(fingerprint))))
        self.trainer = TellingTrainer()
        self.reports = Reports(
            self.store.open,
            self.library,
            self.backlog,
            self.trainer,  # type: ignore[arg-type]
            lambda project, info, record: lesson.digest(info.classes, project.all_samples()) != record.trained_on,
            lambda project, record: 0.875,
            Loaded(),
        )

    def again(self) -> None:
        """Close everything and open it anew, as another start of the program does."""
        self.close()
        self.open()
        self.project = self.store.open(self.project.id)

    def close(self) -> None:
        self.trainer.held.set()
        for thread in self.reports.close():
            thread.join()
        self.backlog.close()
        self.store.close()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(one.id for one in self.project.info().classes)

    def add(self, groups: int = 3, size: int = 2, classes: Sequence[int] | None = None, start: int = 0) -> None:
        for place, id_ in enumerate(self.ids):
            for group in range(groups if classes is None or place in classes else 0):
                seed = start + 10_000 * place + 100 * group
                files = photos(range(seed, seed + size), COLORS[place % len(COLORS)])
                self.project.add_photos(id_, f"{seed}", files)

    def samples(self, label: int | None = None) -> list[Sample]:
        """Photos of the project, of one class or of all."""
        found = self.project.all_samples()
        return [one for one in found if label is None or one.class_id == self.ids[label]]

    def teach(
        self, said: Said = right, *, kept: bool = True, unjudged: Sequence[int] = (), **changes: Any
    ) -> ModelRecord:
        """Write a model and what its test said.

        Args:
            said: which class the test named.
            kept: beside the model is kept what was said of each photo.
            unjudged: classes that could not be tested.
            changes: to the record of the evaluation.
        """
        info, ids = self.project.info(), self.ids
        samples = [one for one in self.samples() if not one.test]
        labels = np.array([ids.index(one.class_id) for one in samples], np.int64)
        seen = [0] * len(ids)
        logits = np.zeros((len(samples), len(ids)), np.float32)
        for row, label in enumerate(labels.tolist()):
            # The later in its class, the surer.
            logits[row, said(seen[label], label)] = 1 + seen[label] / 10
            seen[label] += 1
        rows = np.flatnonzero(~np.isin(labels, list(unjudged)))
        confusion = np.zeros((len(ids), len(ids)), np.int64)
        np.add.at(confusion, (labels[rows], logits[rows].argmax(axis=1)), 1)
        correct, total = int(np.trace(confusion)), int(confusion.sum())
        found: dict[str, Any] = {
            "accuracy": correct / total if total else None,
            "low": max(0.0, correct / total - 0.1) if total else None,
            "high": min(1.0, correct / total + 0.1) if total else None,
            "held_out": total,
            "correct": correct,
            "per_class": tuple(ClassScore(int(row[place]), int(row.sum())) for place, row in enumerate(confusion)),
            "confusion": tuple(tuple(row) for row in confusion.tolist()),
            "unjudged": tuple(unjudged),
            "history": (),
            "folds": 3 if kept else 0,
        }
        record = ModelRecord(
            id=secrets.token_hex(8),
            created=1_750_000_000.0,
            class_ids=ids,
            labels=tuple(one.name for one in info.classes),
            backbone=self.library.find("sighted").fingerprint,
            backbone_id="sighted",
            settings=TrainSettings(epochs=5),
            trained_on=lesson.digest(info.classes, self.samples()),
            samples=len(samples),
            seconds=1.0,
            evaluation=Evaluation(**(found | {name: value for name, value in changes.items() if name != "familiar"})),
            familiar=changes.get("familiar", 0),
        )
        head = Head((Layer(np.eye(len(ids), 3, dtype=np.float32) * 20, np.zeros(len(ids), np.float32)),))
        described = jobs.metadata(record, record.labels, info)
        data = export.append_head(self.library.read(self.library.find("sighted")), head, described)
        beside = Kept(
            np.array([one.id for one in samples], np.int64),
            labels,
            [f"{one.class_id} {one.group}" for one in samples],
            Outcomes(rows, np.arange(len(rows), dtype=np.int64) % 3, logits[rows]),
        )
        self.project.save_model(record, data, outcomes=outcomes.pack(beside) if kept else None)
        return record

    def report(self, timeout: float = 60.0) -> Report:
        """Have the photos studied and return the report."""
        self.reports.start(self.project.id)
        found = self.reports.wait(self.project.id, timeout)
        assert found.state != "running", found
        return found
