"""The studies of all models: what is there, and a thread that makes them one after the other.

It owns the queue and the thread. What a study is made of is gathered by `teachable.dossier`; the studying itself
happens in the child process of `teachable.training`. One that was made is in the folder of its project.
"""

import logging
import threading
from collections import deque
from dataclasses import dataclass, field

from teachable import dossier
from teachable.backlog import Backlog
from teachable.dossier import Found
from teachable.errors import Cancelled, Conflict, TeachableError
from teachable.projects import Project, schema
from teachable.report import State
from teachable.training import Trainer
from teachable.types import ModelRecord

log = logging.getLogger(__name__)

# Name of what is kept of a model.
_KEPT = "study"
# Share of the bar that gathering fills; nearly always everything is there before.
_GATHERED = 0.1


@dataclass
class _Order:
    """A study somebody asked for.

    Attributes:
        project: whose model.
        model: id of it.
        cancelled: set when it is given up.
        ended: set when nothing is done about it any more.
        state: as a person sees it.
        fraction: how much is done, 0 to 1.
        error: what went wrong.
    """

    project: Project
    model: str
    cancelled: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    state: State = "running"
    fraction: float = 0.0
    error: TeachableError | None = None

    def report(self, done: float) -> None:
        """Note how much is done; it never goes back, not even where a study begins anew after a training."""
        self.fraction = max(self.fraction, min(1.0, done))


@dataclass(frozen=True)
class Standing:
    """How the study of a model stands.

    Attributes:
        state: none, running, done, failed or cancelled.
        fraction: how much is done, 0 to 1.
        message: why it failed, in words.
        found: the study, or None until it is done.
    """

    state: State
    fraction: float
    message: str | None
    found: Found | None


class Studies:
    """Studies models one at a time; safe to use from any thread.

    Args:
        backlog: keeps what is known of each photo.
        trainer: studies it.
    """

    def __init__(self, backlog: Backlog, trainer: Trainer) -> None:
        self._backlog = backlog
        self._trainer = trainer
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._waiting: deque[_Order] = deque()
        self._orders: dict[str, _Order] = {}
        self._found: dict[str, tuple[str, Found]] = {}

    def found(self, project: Project, record: ModelRecord) -> Found | None:
        """Return the study of a model, or None if there is none; it is read once."""
        with self._lock:
            known = self._found.get(project.id)
        if known is not None and known[0] == record.id:
            return known[1]
        data = project.reports.read(record.id, _KEPT)
        found = None if data is None else dossier.unpack(data)
        if found is not None:
            with self._lock:
                self._found[project.id] = record.id, found
        return found

    def standing(self, project: Project, record: ModelRecord) -> Standing:
        """Return how the study of a model stands."""
        found = self.found(project, record)
        if found is not None:
            return Standing("done", 1.0, None, found)
        with self._lock:
            order = self._orders.get(project.id)
            # That the study of an earlier model failed says nothing about this one; and a file may be damaged by now.
            if order is None or order.model != record.id or order.state == "done":
                return Standing("none", 0.0, None, None)
            return Standing(order.state, order.fraction, None if order.error is None else str(order.error), None)

    def start(self, project: Project, record: ModelRecord) -> None:
        """Have a model studied in the background. What is there, or on its way, is not made again.

        Raises:
            Conflict: everything is being closed.
        """
        there = self.found(project, record) is not None
        with self._lock:
            if self._closed:
                raise Conflict("report_closing")
            before = self._orders.get(project.id)
            running = before is not None and not before.ended.is_set()
            if there or (before is not None and running and before.model == record.id):
                return
            order = self._orders[project.id] = _Order(project, record.id)
            self._waiting.append(order)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="study-photos", daemon=True)
                self._thread.start()
        if before is not None and running:
            self._give_up([before], wait=False)  # nobody asks about a model that was replaced

    def cancel(self, project_id: str) -> None:
        """Give a study up and wait until that has stopped; without one this does nothing."""
        with self._lock:
            order = self._orders.get(project_id)
        self._give_up([] if order is None else [order])

    def wait(self, project_id: str, timeout: float | None = None) -> None:
        """Wait until a study has ended, or for `timeout` seconds."""
        with self._lock:
            order = self._orders.get(project_id)
        if order is not None:
            order.ended.wait(timeout)

    def remove(self, project_id: str) -> None:
        """Give up and forget the study of a project."""
        self.cancel(project_id)
        with self._lock:
            self._orders.pop(project_id, None)
            self._found.pop(project_id, None)

    def close(self) -> list[threading.Thread]:
        """Tell all to stop, let none begin any more, and return what is to be joined."""
        with self._lock:
            self._closed = True
            orders, thread = list(self._orders.values()), self._thread
        self._give_up(orders, wait=False)
        return [] if thread is None else [thread]

    def _give_up(self, orders: list[_Order], *, wait: bool = True) -> None:
        for order in orders:
            with self._lock:
                order.cancelled.set()
                if order in self._waiting:
                    self._waiting.remove(order)
                    order.state = "cancelled"
                    order.ended.set()
            if not order.ended.is_set():
                self._backlog.wake()
                self._trainer.stop(order.cancelled)
        for order in orders if wait else []:
            order.ended.wait()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                order = self._waiting.popleft()
            state, error = self._outcome(order)
            with self._lock:
                order.state, order.error = state, error
                order.ended.set()

    def _outcome(self, order: _Order) -> tuple[State, TeachableError | None]:
        """Study one model, and say how that ended."""
        try:
            self._study(order)
        except Cancelled:
            return "cancelled", None
        except TeachableError as error:
            # Closing and deleting cancel first; whatever breaks on the way out of that is no failure.
            return ("cancelled", None) if order.cancelled.is_set() else ("failed", error)
        except Exception:
            if order.cancelled.is_set():
                return "cancelled", None
            log.exception("studying the photos of project %s failed", order.project.id)
            return "failed", TeachableError("report_died")
        return "done", None

    def _study(self, order: _Order) -> None:
        """Study a model and keep what was found.

        Raises:
            Cancelled: it was given up, or another model took its place.
        """
        project = order.project
        record = project.latest_model()
        if record is None or record.id != order.model:
            raise Cancelled
        with schema.in_words(project.folder):
            photos = dossier.photos_of(project, record)

            def on_gathered(part: float) -> None:
                order.report(_GATHERED * part)

            samples, evidence = dossier.gather(project, photos, self._backlog, order.cancelled, on_gathered)
            order.report(_GATHERED)

            def on_progress(part: float) -> None:
                order.report(_GATHERED + (1 - _GATHERED) * part)

            study = self._trainer.study(evidence, on_progress, order.cancelled)
            project.reports.write(record.id, _KEPT, dossier.pack(Found(samples, study)))
            project.reports.forget_others(record.id, [_KEPT])
