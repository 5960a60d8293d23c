"""What the tests of exports share: a project with a model, formats made for tests, and the queue that makes files."""

import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparing import COLORS, SIGHTED, HereTrainer
from making import DEADLINE, photos, tiny_network

from teachable import evaluation, export, exports, jobs, lesson
from teachable.backlog import Backlog
from teachable.embeddings import Embedder
from teachable.exporting import offers
from teachable.exporting.exporter import Answers, Exporter, Extra, Runner, Source, Variant, Watch
from teachable.exports import ExportQueue
from teachable.library import Library
from teachable.projects import Project, ProjectStore
from teachable.runtime import Classifier
from teachable.scores import Evaluation
from teachable.types import Head, Image, Layer, ModelRecord, ProjectNetwork, TrainSettings
from teachable.workflow import Made

# Red minus blue, and the other way round.
TELLING = np.array([[20, 0, -20], [-20, 0, 20]], np.float32)


# Of a model of whose accuracy something is known, and of one of which nothing is.
JUDGED = Evaluation(0.9, 0.8, 0.95, 20, 18, (), (), (), ())
UNJUDGED = Evaluation(None, None, None, 0, 0, (), (), (0, 1), ())


class Copy(Exporter):
    """The model file as it is. Hooks let a test step in.

    Attributes:
        writing: called with the source, the file and the watch before it is written.
        asked: called with what the file says, before that is compared.
    """

    id = "copy"
    place = 1
    variants = (
        Variant("full", "copy.onnx"),
        Variant("other", "copy-other.onnx", quick=False, tolerance=None, share=0.9),
    )
    media_type = "application/octet-stream"

    def __init__(self) -> None:
        self.writing: Callable[[Source, Path, Watch], object] = lambda source, target, watch: None
        self.asked: Callable[[Answers], Answers] = lambda answers: answers
        self.runs = True
        self.written = 0

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        self.written += 1
        watch.done(0.5)
        self.writing(source, target, watch)
        target.write_bytes(source.at("full", watch))

    def open(self, path: Path, variant: Variant) -> Runner | None:
        classifier = Classifier.load(path)

        def run(images: Sequence[Image]) -> Answers:
            colors = np.stack([image.mean((0, 1)) for image in images]).astype(np.float32) / 255
            return self.asked(Answers(classifier.probabilities(images), colors if variant.id == "other" else None))

        return run if self.runs else None


class Single(Copy):
    """A format with one choice, which needs something that is not installed."""

    id = "single"
    place = 2
    variants = (Variant("only", "single.bin"),)
    extra = Extra("heif", ("teachable_lacks_this",))


def use(patch: pytest.MonkeyPatch, *formats: Exporter) -> None:
    """Have these formats alone; they need no words in the catalogue, and no change of the program makes files anew."""
    patch.setattr("teachable.exports.exporters", lambda: formats)
    patch.setattr("teachable.exporting.keys._program", lambda: "tests")
    for module in (offers, exports):
        patch.setattr(module, "say", lambda key, **values: key)


class Bench:
    """A project with a model, and the queue that makes files of it.

    Args:
        folder: to put everything in.
        patch: puts the formats above in place of the real ones; without it, those stay.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch | None = None) -> None:
        self.folder = folder
        self.copy, self.single = Copy(), Single()
        if patch is not None:
            use(patch, self.copy, self.single)
        self.open()
        self.library.add(*self.network())
        self.project: Project = self.store.create("Colours", ProjectNetwork.of(self.library.find("sighted")))
        self.project.save_settings(TrainSettings(epochs=10))

    def network(self) -> tuple[dict[str, Any], Path]:
        self.folder.joinpath("networks").mkdir(exist_ok=True)
        return tiny_network(self.folder, "sighted", SIGHTED)

    def open(self) -> None:
        self.store = ProjectStore(self.folder / "home")
        self.library = Library(self.folder / "networks")
        self.backlog = Backlog(lambda fingerprint: Embedder(self.library.read(self.library.find(fingerprint))))
        self.trainer = HereTrainer()
        self.job: Any = None
        self.queue = ExportQueue(
            self.backlog,
            self.trainer,  # type: ignore[arg-type]
            lambda project_id: self.job,
            lambda project, info, record: lesson.digest(info.classes, project.all_samples()) != record.trained_on,
        )

    def close(self) -> None:
        for thread in self.queue.close():
            thread.join()
        self.backlog.close()
        self.store.close()

    def add(self, groups: int = 6, size: int = 5, start: int = 0) -> None:
        for place, one in enumerate(self.project.info().classes):
            for group in range(groups):
                seed = start + 10_000 * place + 100 * group
                self.project.add_photos(one.id, f"{seed}", photos(range(seed, seed + size), COLORS[place]))

    def embed(self) -> None:
        """Have all embeddings computed."""
        fingerprint = self.library.find("sighted").fingerprint
        self.backlog.wait(self.project, fingerprint, lambda progress: None, threading.Event())

    def teach(self, more: int = 0, evaluation: Evaluation = JUDGED) -> ModelRecord:
        """Write a model that tells the two colours apart.

        Args:
            more: outputs for classes that are gone, never the most probable.
            evaluation: what its test is to have shown.
        """
        info = self.project.info()
        gone = [f"{number:032x}" for number in range(more)]
        ids = (*(one.id for one in info.classes), *gone)
        labels = (*(one.name for one in info.classes), *(f"gone “{number}”\n🍎</script>" for number in range(more)))
        record = self.library.find("sighted")
        found = ModelRecord(
            id=secrets.token_hex(8),
            created=1_750_000_000.0,
            class_ids=ids,
            labels=labels,
            backbone=record.fingerprint,
            backbone_id=record.id,
            settings=info.settings,
            trained_on=lesson.digest(info.classes, self.project.all_samples()),
            samples=10,
            seconds=1.0,
            evaluation=evaluation,
        )
        weights = np.concatenate([TELLING, np.zeros((more, 3), np.float32)])
        bias = np.concatenate([np.zeros(2), np.full(more, -50)]).astype(np.float32)
        head = Head((Layer(weights, bias),))
        data = export.append_head(self.library.read(record), head, jobs.metadata(found, labels, info))
        self.project.save_model(found, data)
        return found

    def made(self, variant: str = "full") -> Made:
        (found,) = (one for one in self.queue.exports(self.project).formats[0].variants if one.id == variant)
        return found

    def make(self, variant: str = "full", timeout: float = 60.0) -> Made:
        self.queue.start(self.project, "copy", variant)
        found = self.queue.wait(self.project, "copy", variant, timeout)
        assert found.state not in {"waiting", "running"}, found
        return found

    def file(self, variant: str = "full") -> Path:
        return self.queue.exported(self.project, "copy", variant)[0]

    @property
    def left(self) -> list[str]:
        """Everything in the folder of exports, without the names of keys."""
        folder = self.project.folder / "exports"
        return sorted(path.name for path in folder.rglob("*") if len(path.name) != 32)


def held_out(project: Project, record: ModelRecord) -> set[str]:
    """The photos the test of a model would be made on."""
    index = {id_: place for place, id_ in enumerate(record.class_ids)}
    samples = project.all_samples()
    labels = np.array([index[sample.class_id] for sample in samples])
    parts = evaluation.split(labels, [sample.group for sample in samples], record.settings.seed)
    return {samples[row].sha256 for row in parts.held_out}


class halted:  # noqa: N801 - reads as what it does
    """Hold a format while it writes, until the end of the block."""

    def __init__(self, copy: Copy) -> None:
        self.copy, self.entered, self.go_on = copy, threading.Event(), threading.Event()

    def __enter__(self) -> "halted":
        def writing(source: Source, target: Path, watch: Watch) -> None:
            target.write_bytes(b"half of it")
            self.entered.set()
            assert self.go_on.wait(DEADLINE)
            watch.require_wanted()

        self.copy.writing = writing
        return self

    def __exit__(self, *error: object) -> None:
        self.go_on.set()
        self.copy.writing = lambda source, target, watch: None
