"""The comparisons of all projects: at most one of each at a time. It owns starting, finding and ending them."""

import threading
from collections.abc import Callable
from dataclasses import replace

from teachable.backlog import Backlog
from teachable.comparison import Comparing, Comparison
from teachable.errors import Conflict
from teachable.library import Library
from teachable.notes import Speed
from teachable.projects import Project
from teachable.training import Trainer


class Comparisons:
    """Comparisons by project; safe to use from any thread. The last one of each is remembered until the program ends.

    Args:
        library: the networks.
        backlog: keeps the embeddings.
        trainer: fits and tests heads.
        training: says whether a training is running.
    """

    def __init__(self, library: Library, backlog: Backlog, trainer: Trainer, training: Callable[[], bool]) -> None:
        self._library = library
        self._backlog = backlog
        self._trainer = trainer
        self._training = training
        self._lock = threading.Lock()
        self._closed = False
        self._running: dict[str, Comparing] = {}

    def start(self, project: Project) -> None:
        """Start a comparison.

        Raises:
            Conflict: one of the project is running, there is too little to compare on, or everything is being closed.
        """
        enabled = [one for one in project.info().classes if not one.disabled]
        if len(enabled) < 2:
            raise Conflict("training_one_class")
        for one in enabled:
            if not one.samples:
                raise Conflict("training_class_without_samples", name=one.name)
        with self._lock:
            if self._closed:
                raise Conflict("closing")
            before = self._running.get(project.id)
            if before is not None and not before.ended.is_set():
                raise Conflict("comparison_running")
            comparing = Comparing(
                project, self._in_use(project), self._library, self._backlog, self._trainer, self._training
            )
            self._running[project.id] = comparing
            comparing.start()

    def state(self, project: Project) -> Comparison:
        """Return the present or last comparison of a project.

        Which network is in use and how quick they are in the browser is as of now.
        """
        with self._lock:
            comparing = self._running.get(project.id)
        if comparing is None:
            return Comparison()
        found, in_use, speeds = comparing.comparison, self._in_use(project), self._library.speeds()
        rows = (
            replace(row, in_use=row.id == in_use, browser_ms=speeds.get(row.id, Speed()).browser_ms)
            for row in found.rows
        )
        return replace(found, rows=tuple(rows))

    def cancel(self, project_id: str) -> None:
        """Give up a running comparison and wait until it has stopped."""
        with self._lock:
            comparing = self._running.get(project_id)
        if comparing is not None:
            comparing.cancel()
            comparing.ended.wait()

    def remove(self, project_id: str) -> None:
        """Give up and forget the comparison of a project."""
        with self._lock:
            comparing = self._running.pop(project_id, None)
        if comparing is not None:
            comparing.cancel()
            comparing.join()

    def give_up(self) -> list[Comparing]:
        """Tell all to stop, let none begin any more, and return those to join."""
        with self._lock:
            self._closed = True
            comparing = list(self._running.values())
        for one in comparing:
            one.cancel()
        return comparing

    def _in_use(self, project: Project) -> str | None:
        """Return the id of the network a project is taught with, if it is here; the built-in one may be renewed."""
        noted = project.info().network
        if noted is None or noted.builtin:
            return self._library.builtin().id
        return next((one.id for one in self._library.present() if one.fingerprint == noted.fingerprint), None)
