"""How many bytes each project takes, measured in the background and again when it was changed."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)


class Sizes:
    """Sizes by project; safe to use from any thread.

    Looking through the files of a large project takes a good part of a second, so nobody is kept waiting for it.

    Args:
        measure: returns the bytes of a project; called in a thread of its own.
    """

    def __init__(self, measure: Callable[[str], int]) -> None:
        self._measure = measure
        self._change = threading.Condition()
        self._known: dict[str, tuple[float, int]] = {}
        self._waiting: deque[tuple[str, float]] = deque()
        self._busy = False
        self._measured: tuple[str, float] | None = None
        self._closed = False

    def of(self, projects: Iterable[tuple[str, float]]) -> dict[str, int]:
        """Return what is known of projects, and have measured again what was changed since.

        Args:
            projects: id of each, and the time of its last change.

        Returns:
            Bytes by id; those never measured so far are left out.
        """
        asked = list(projects)
        with self._change:
            queued = dict(self._waiting)
            for project_id, updated in asked:
                known = self._known.get(project_id)
                if known is not None and known[0] == updated:
                    continue
                if project_id not in queued and (project_id, updated) != self._measured:
                    self._waiting.append((project_id, updated))
            if self._waiting and not self._busy and not self._closed:
                self._busy = True
                threading.Thread(target=self._work, name="measure-projects", daemon=True).start()
            return {project_id: self._known[project_id][1] for project_id, _ in asked if project_id in self._known}

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being measured, or for `timeout` seconds; return whether that is so."""
        with self._change:
            return self._change.wait_for(lambda: not self._busy, timeout)

    def close(self) -> None:
        """Measure nothing any more, and wait for what is being measured."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            self._change.wait_for(lambda: not self._busy)

    def _work(self) -> None:
        while True:
            with self._change:
                if not self._waiting:
                    self._busy, self._measured = False, None
                    self._change.notify_all()
                    return
                project_id, updated = self._measured = self._waiting.popleft()
            try:
                size = self._measure(project_id)
            except OSError:
                # It may be moving into the bin; otherwise it is tried again when somebody looks the next time.
                log.warning("project %s cannot be measured", project_id, exc_info=True)
                continue
            with self._change:
                self._known[project_id] = (updated, size)
