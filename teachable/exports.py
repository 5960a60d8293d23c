"""Exports of all projects: what can be had, what is there, and a thread that makes them one after the other.

It owns which exports there are. Making a file is `teachable.exporting.making`; one that was made is in the folder of
its project, and is offered as long as it says what the project says.
"""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from teachable import trained
from teachable.backlog import Backlog
from teachable.errors import Conflict, NotFound, TeachableError
from teachable.exporting import offers, programs
from teachable.exporting.exporter import Exporter, Variant, Watch, exporters
from teachable.exporting.keys import key_of
from teachable.exporting.making import Maker, Model, Note, Refused, file_name
from teachable.exporting.offers import Exports, Format, Made, State
from teachable.exporting.programs import Program
from teachable.jobs import Job
from teachable.orders import Order, Orders
from teachable.projects import Project, schema
from teachable.trained import Trained
from teachable.training import Trainer
from teachable.types import ModelRecord, ProjectInfo
from teachable.words import say

MODEL_FILE = "model.onnx"
"""What the model is called as it is, without any export."""

# How often an export that waits for the check of the model looks whether it was cancelled.
_LOOK_SECONDS = 0.1


_Id = tuple[str, str, str]
_Notes = Mapping[str, tuple[int, bytes]]


@dataclass(eq=False)
class _Order(Order):
    """An export somebody asked for.

    Attributes:
        project: whose model.
        exporter: of the format.
        variant: of the format.
        model: key of the model it is or was made from, once that is known.
        outdated: the model, or a name in it, changed while it was made.
        refused: the check that says no.
    """

    project: Project
    exporter: Exporter
    variant: Variant
    model: str | None = None
    outdated: bool = False
    refused: Refused | None = None

    @property
    def id(self) -> _Id:
        """What it is found by."""
        return self.project.id, self.exporter.id, self.variant.id


class ExportQueue:
    """Makes exports one at a time; safe to use from any thread.

    Args:
        backlog: keeps the embeddings.
        trainer: fits the head that a loss of accuracy is measured with.
        training: returns the present or last training of a project.
        stale: says whether a project changed since a model was trained.
    """

    def __init__(
        self,
        backlog: Backlog,
        trainer: Trainer,
        training: Callable[[str], Job | None],
        stale: Callable[[Project, ProjectInfo, ModelRecord], bool],
    ) -> None:
        self._maker = Maker(backlog, trainer)
        self._training = training
        self._stale = stale
        self._queue = Orders[_Order](
            "make-exports", self._make, died="export_died", closing="export_closing", stop=self._maker.stop
        )
        self._lock = self._queue.lock
        self._orders: dict[_Id, _Order] = {}
        self._models: dict[str, tuple[float, Trained, str]] = {}
        self._shared: dict[str, tuple[str, Path]] = {}

    # What there is

    def exports(self, project: Project) -> Exports:
        """Return every format with what is there of it. Pages ask often: nothing large is read."""
        info = project.info()
        try:
            model, key = self._model(project, info)
        except NotFound:
            return Exports(None, False, False, tuple(map(_nothing, exporters())))
        notes = project.exports.notes(key)
        formats = (
            offers.describe(one, [self._made(project, one, each, key, notes) for each in one.variants])
            for one in exporters()
        )
        checking = self._checking(project, model) is not None
        return Exports(model.record.id, self._stale(project, info, model.record), checking, tuple(formats))

    def exported(self, project: Project, format_id: str, variant_id: str) -> tuple[Path, Format]:
        """Return a file that is there, and its format with this choice alone.

        Raises:
            NotFound: nothing was trained yet, there is no such format, or its file is not there.
        """
        exporter, variant = find(format_id, variant_id)
        _, key = self._model(project, project.info())
        made = self._made(project, exporter, variant, key, project.exports.notes(key))
        if made.state != "done":
            raise NotFound("export_missing")
        return project.exports.path(key, file_name(exporter.id, variant)), offers.describe(exporter, [made])

    def _model(self, project: Project, info: ProjectInfo) -> tuple[Trained, str]:
        """Return the newest model and the key of its exports; read again only after a change."""
        with self._lock:
            known = self._models.get(project.id)
        if known is None or known[0] != info.updated:
            record = project.latest_model()
            if record is None:
                raise NotFound("model_not_trained")
            model = trained.named(record, info)
            known = info.updated, model, key_of(record, model.metadata, model.colors)
            with self._lock:
                self._models[project.id] = known
        return known[1], known[2]

    def _checking(self, project: Project, model: Trained) -> Job | None:
        """Return the training whose file is still being compared with the preview, if that is the model's."""
        job = self._training(project.id)
        waits = job is not None and job.checking and not job.checked.is_set() and model.record.agreement is None
        return job if waits else None

    def _made(self, project: Project, exporter: Exporter, variant: Variant, key: str, notes: _Notes) -> Made:
        """Return how one choice stands."""
        made = offers.offered(exporter, variant)
        with self._lock:
            order = self._orders.get((project.id, exporter.id, variant.id))
            if order is not None and not order.ended.is_set():
                return replace(made, state=cast(State, order.state), fraction=order.fraction, seconds=order.elapsed)
        note = _note(notes, file_name(exporter.id, variant))
        if note is not None:
            return offers.done(made, note)
        return made if order is None else _ended(made, order, key)

    # Beginning and ending

    def start(self, project: Project, format_id: str, variant_id: str) -> None:
        """Have a file made. One that is there, or on its way, is not made again.

        Raises:
            NotFound: nothing was trained yet, or there is no such format.
            Conflict: something has to be installed for it, or everything is being closed.
        """
        exporter, variant = find(format_id, variant_id)
        if exporter.extra is not None and not exporter.extra.installed():
            title, command = say(f"export.{exporter.id}.title"), offers.installing(exporter.extra)
            if not exporter.extra.fits():
                raise Conflict("export_extra_unfit", title=title)
            raise Conflict("export_extra_missing", title=title, command=command)
        _, key = self._model(project, project.info())
        there = _note(project.exports.notes(key), file_name(exporter.id, variant)) is not None
        with self._lock:
            self._queue.require_open()
            order = _Order(project.id, project, exporter, variant)
            before = self._orders.get(order.id)
            if there or (before is not None and not before.ended.is_set()):
                return
            self._orders[order.id] = order
            self._queue.put(order)

    def cancel(self, project: Project, format_id: str, variant_id: str) -> None:
        """Give an export up and wait until it has stopped; without one this does nothing.

        Raises:
            NotFound: there is no such format.
        """
        exporter, variant = find(format_id, variant_id)
        with self._lock:
            order = self._orders.get((project.id, exporter.id, variant.id))
        self._queue.give_up([] if order is None else [order])

    def wait(self, project: Project, format_id: str, variant_id: str, timeout: float | None = None) -> Made:
        """Wait until an export has ended, or for `timeout` seconds; return how it stands.

        Raises:
            NotFound: nothing was trained yet, or there is no such format.
        """
        exporter, variant = find(format_id, variant_id)
        with self._lock:
            order = self._orders.get((project.id, exporter.id, variant.id))
        if order is not None:
            order.ended.wait(timeout)
        _, key = self._model(project, project.info())
        return self._made(project, exporter, variant, key, project.exports.notes(key))

    def remove(self, project_id: str) -> None:
        """Give up and forget the exports of a project."""
        with self._lock:
            orders = [order for id_, order in self._orders.items() if id_[0] == project_id]
        self._queue.give_up(orders)
        with self._lock:
            for order in orders:
                self._orders.pop(order.id, None)
            self._models.pop(project_id, None)
            self._shared = {token: one for token, one in self._shared.items() if one[0] != project_id}

    def close(self) -> list[threading.Thread]:
        """Tell all to stop, let none begin any more, and return what is to be joined."""
        return self._queue.close()

    # The thread

    def _make(self, order: _Order) -> State:
        """Make one file from the model as it is now, whatever happens to the project meanwhile; say how it ended."""
        watch = Watch(order.report, order.cancelled)
        project = order.project
        model, key = self._checked_model(project, watch)
        order.model = key
        with schema.in_words(project.folder):
            data = trained.read(project, model)
            project.exports.forget_others(key)
            whole = Model(project, model.record, model.metadata, data, key, model.colors)
            try:
                self._maker.make(whole, order.exporter, order.variant, watch)
            except Refused as refused:
                order.refused, order.error = refused, refused.error
                return "refused"
            order.outdated = self._model(project, project.info())[1] != key
        return "done"

    def _checked_model(self, project: Project, watch: Watch) -> tuple[Trained, str]:
        """Return the newest model; while it is still being checked, wait for that: the file says how it went."""
        while True:
            watch.require_wanted()
            model, _ = self._model(project, project.info())
            job = self._checking(project, model)
            if job is None:
                # Read again: the check may have ended, and been noted, since the line above.
                return self._model(project, project.info())
            job.checked.wait(_LOOK_SECONDS)

    # Handing it on

    def programs(self, project: Project, file: str) -> tuple[Program, ...]:
        """Return programs that use the newest model, with its real labels.

        Args:
            project: whose model.
            file: name of the model file they are to read, one of those that can be exported.

        Raises:
            NotFound: nothing was trained yet, or no export has such a file.
        """
        model, _ = self._model(project, project.info())
        known = {variant.file for exporter in exporters() for variant in exporter.variants}
        if file not in {MODEL_FILE, *known}:
            raise NotFound("export_file_unknown", file=file)
        return programs.programs(model.metadata, file)

    def share(self, project: Project, format_id: str, variant_id: str) -> str:
        """Return a name nobody can guess under which a file can be asked for, as long as it is there.

        Raises:
            NotFound: the file is not there.
        """
        path, _ = self.exported(project, format_id, variant_id)
        with self._lock:
            known = next((token for token, one in self._shared.items() if one == (project.id, path)), None)
            token = known or secrets.token_urlsafe(16)
            self._shared[token] = project.id, path
        return token

    def shared(self, token: str) -> Path:
        """Return the file with such a name.

        Raises:
            NotFound: there is none, or not any more.
        """
        with self._lock:
            _, path = self._shared.get(token, (None, None))
        if path is None or not path.is_file():
            raise NotFound("page_unknown")
        return path


def find(format_id: str, variant_id: str) -> tuple[Exporter, Variant]:
    """Return a format and one of its choices.

    Raises:
        NotFound: there is none of that name.
    """
    for exporter in exporters():
        variant = exporter.variant(variant_id) if exporter.id == format_id else None
        if variant is not None:
            return exporter, variant
    raise NotFound("export_unknown", format=format_id, variant=variant_id)


def _nothing(exporter: Exporter) -> Format:
    return offers.describe(exporter, [offers.offered(exporter, one) for one in exporter.variants])


def _note(notes: _Notes, name: str) -> Note | None:
    """Return what is known about a file, if it is there and as long as it was."""
    if name not in notes:
        return None
    size, text = notes[name]
    note = Note.of(text)
    return note if note is not None and note.size_bytes == size else None


def _ended(made: Made, order: _Order, key: str) -> Made:
    """Return how an export that left no file, or one of another model, ended."""
    if order.model not in {None, key}:
        if order.state != "done":
            return made
        return offers.said(made, TeachableError("export_outdated" if order.outdated else "export_renewed"))
    if order.state == "done":
        return made  # somebody removed the file
    made = replace(made, state=cast(State, order.state), fraction=order.fraction)
    if order.refused is not None:
        made = replace(made, check=order.refused.check, held_out=order.refused.held_out)
    return made if order.error is None else offers.said(made, order.error)
