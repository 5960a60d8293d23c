"""The studies of all models: what is there, and a thread that makes them one after the other.

It owns which studies there are. What a study is made of is gathered by `teachable.dossier`; the studying itself
happens in the child process of `teachable.training`. One that was made is in the folder of its project.
"""

import threading
from dataclasses import dataclass
from typing import cast

from teachable import dossier
from teachable.backlog import Backlog
from teachable.dossier import Found
from teachable.errors import Cancelled
from teachable.orders import Order, Orders
from teachable.projects import Project, schema
from teachable.report import State
from teachable.training import Trainer
from teachable.types import ModelRecord

# Name of what is kept of a model.
_KEPT = "study"
# Share of the bar that gathering fills; nearly always everything is there before.
_GATHERED = 0.1


@dataclass(eq=False)
class _Order(Order):
    """A study somebody asked for.

    Attributes:
        project: whose model.
        model: id of it.
    """

    project: Project
    model: str


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
        self._queue = Orders[_Order](
            "study-photos", self._study, died="report_died", closing="report_closing", stop=self._wake
        )
        self._lock = self._queue.lock
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
            message = None if order.error is None else str(order.error)
            return Standing(cast(State, order.state), order.fraction, message, None)

    def start(self, project: Project, record: ModelRecord) -> None:
        """Have a model studied in the background. What is there, or on its way, is not made again.

        Raises:
            Conflict: everything is being closed.
        """
        there = self.found(project, record) is not None
        with self._lock:
            self._queue.require_open()
            before = self._orders.get(project.id)
            running = before is not None and not before.ended.is_set()
            if there or (before is not None and running and before.model == record.id):
                return
            order = self._orders[project.id] = _Order(project.id, project, record.id, state="running")
            self._queue.put(order)
        if before is not None and running:
            self._queue.give_up([before], wait=False)  # nobody asks about a model that was replaced

    def cancel(self, project_id: str) -> None:
        """Give a study up and wait until that has stopped; without one this does nothing."""
        with self._lock:
            order = self._orders.get(project_id)
        self._queue.give_up([] if order is None else [order])

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
        return self._queue.close()

    def _wake(self, cancelled: threading.Event) -> None:
        self._backlog.wake()
        self._trainer.stop(cancelled)

    def _study(self, order: _Order) -> State:
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
        return "done"
