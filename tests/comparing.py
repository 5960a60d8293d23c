"""What the tests of comparisons share: a project, networks of which one sees no colours, and all that compares them."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from making import DEADLINE, photos, tiny_network, until

from teachable import evaluation
from teachable.backlog import Backlog
from teachable.comparison import Comparison
from teachable.comparisons import Comparisons
from teachable.embeddings import Embedder
from teachable.errors import Cancelled
from teachable.evaluation import Examination
from teachable.library import Library
from teachable.projects import Project, ProjectStore
from teachable.scores import EpochPoint
from teachable.training import Phase, Task, Trainer
from teachable.types import ProjectNetwork, TrainSettings

COLORS = ((190, 90, 90), (90, 90, 190))
# Equally bright, so that a network that sees brightness alone cannot tell them apart.
assert sum(COLORS[0]) == sum(COLORS[1])
SIGHTED = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
BLIND = np.ones((2, 3), np.float32) * np.array([[0.5], [1]], np.float32)


class HereTrainer:
    """Tests heads in this process, and calls a hook before each."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.stopped: list[threading.Event] = []
        self.before: Callable[[], None] = lambda: None

    def examine(
        self, task: Task, on_epoch: Callable[[Phase, float, EpochPoint], None], cancelled: threading.Event
    ) -> Examination:
        self.before()
        if cancelled.is_set():
            raise Cancelled
        self.tasks.append(task)

        def report(point: EpochPoint) -> None:
            on_epoch("testing", point.epoch / task.settings.epochs, point)

        return evaluation.examine(task.embeddings, task.labels, task.groups, task.class_count, task.settings, report)

    def stop(self, cancelled: threading.Event) -> None:
        self.stopped.append(cancelled)


class Bench:
    """A project, three networks of which one sees no colours, and all that compares them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ProjectStore(folder / "home")
        self.library = Library(folder / "networks")
        self.install("sighted", SIGHTED)
        self.install("blind", BLIND)
        self.project: Project = self.store.create(None, ProjectNetwork.of(self.library.find("blind")))
        self.project.save_settings(TrainSettings(epochs=10))
        self.backlog = Backlog(lambda fingerprint: Embedder(self.library.read(self.library.find(fingerprint))))
        self.here = HereTrainer()
        self.training = threading.Event()
        self.comparisons = self.made(self.here)

    def made(self, trainer: object) -> Comparisons:
        fits: Trainer = trainer  # type: ignore[assignment]
        return Comparisons(self.library, self.backlog, fits, self.training.is_set)

    def install(self, id_: str, weights: np.ndarray) -> None:
        self.folder.joinpath("networks").mkdir(exist_ok=True)
        self.library.add(*tiny_network(self.folder, id_, weights))

    def add(self, groups: int = 12, size: int = 5, start: int = 0) -> None:
        for place, one in enumerate(self.project.info().classes):
            for group in range(groups):
                seed = start + 10_000 * place + 100 * group
                self.project.add_photos(one.id, f"{seed}", photos(range(seed, seed + size), COLORS[place]))

    def start(self) -> None:
        self.comparisons.start(self.project)

    @property
    def state(self) -> Comparison:
        return self.comparisons.state(self.project)

    def run(self) -> Comparison:
        self.start()
        until(lambda: self.state.state != "running", "the comparison ended")
        return self.state

    def close(self) -> None:
        for one in self.comparisons.give_up():
            one.join()
        self.backlog.close()
        self.store.close()


class held:  # noqa: N801 - reads as what it does
    """Hold the comparison in the first test of a head until the end of the block."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.entered, self.go_on = bench, threading.Event(), threading.Event()

    def __enter__(self) -> threading.Event:
        def before() -> None:
            self.entered.set()
            assert self.go_on.wait(DEADLINE)

        self.bench.here.before = before
        return self.entered

    def __exit__(self, *error: object) -> None:
        self.go_on.set()
