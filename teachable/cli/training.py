"""`teachable train`: a folder of class folders becomes a model file, without a page."""

import contextlib
import hashlib
import io
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from teachable import settings
from teachable.cli.finding import check_target
from teachable.cli.folders import ClassFolder, read_classes, read_tests
from teachable.cli.importing import USUAL_RATE, choices, finished, take
from teachable.errors import StorageFull, TeachableError
from teachable.scores import Evaluation, TestScore
from teachable.types import ModelRecord, Rejected, TrainSettings
from teachable.words import end, percent, say

if TYPE_CHECKING:
    from teachable.workflow import Status, Workspace

FAILED = 2

LISTED = 20
"""Skipped files named one by one; beyond that, a count."""

_AT_ONCE = 16
_POLL_SECONDS = 0.1
_DEFAULTS = TrainSettings()


def train(
    folder: Annotated[Path, typer.Argument(help=say("cli.help.folder"), metavar="FOLDER")],
    out: Annotated[Path, typer.Option(help=say("cli.help.out"))] = Path("model.onnx"),
    force: Annotated[bool, typer.Option("--force", help=say("cli.help.force"))] = False,
    test: Annotated[Path | None, typer.Option(help=say("cli.help.test"), metavar="FOLDER", show_default=False)] = None,
    independent: Annotated[bool, typer.Option("--independent", help=say("cli.help.independent"))] = False,
    epochs: Annotated[int, typer.Option(help=say("cli.help.epochs"))] = _DEFAULTS.epochs,
    batch_size: Annotated[int, typer.Option(help=say("cli.help.batch_size"))] = _DEFAULTS.batch_size,
    learning_rate: Annotated[float, typer.Option(help=say("cli.help.learning_rate"))] = _DEFAULTS.learning_rate,
    hidden: Annotated[int, typer.Option(help=say("cli.help.hidden"))] = _DEFAULTS.hidden_units,
    network: Annotated[str | None, typer.Option(help=say("cli.help.network"), show_default=False)] = None,
    seed: Annotated[int, typer.Option(help=say("cli.help.seed"))] = _DEFAULTS.seed,
    project_name: Annotated[str | None, typer.Option(help=say("cli.help.project_name"), show_default=False)] = None,
    home: Annotated[Path | None, typer.Option(help=say("cli.help.train_home"), show_default=False)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=say("cli.help.quiet"))] = False,
) -> None:
    """Train on a folder and write the model."""
    check_target(out, force)
    # A file, a zip for one, is looked into by the same readers as on the page.
    classes = () if folder.is_file() else read_classes(folder, independent=independent)
    tests = () if test is None or not classes else read_tests(test, classes, independent=independent)
    chosen = TrainSettings(epochs, batch_size, learning_rate, hidden, seed)

    from teachable.workflow import Workspace

    # Networks are not fetched anew for a project that is gone afterwards.
    networks = settings.networks_folder(home or settings.home())
    with _home(home) as place, Workspace(place, networks) as workspace:
        name = folder.resolve().stem if folder.is_file() else folder.resolve().name
        project = workspace.create_project(project_name or name, network).id
        workspace.save_settings(project, chosen)
        reader = _Reader(workspace, project, quiet)
        if classes:
            reader.read(folder, classes)
        else:
            reader.read_file(folder, independent)
            tests = () if test is None else read_tests(test, reader.classes, independent=independent)
        if test is not None:
            reader.read_tests(test, tests)
        _list_skipped(reader.skipped, reader.unlisted)
        record = _train(workspace, project, chosen, quiet)
        _write(out, workspace.model_bytes(project))
        if not quiet:
            names = {one.id: one.name for one in workspace.project(project).classes}
            _report(out, record, [names[class_id] for class_id in record.class_ids], independent)
            if reader.repeated:
                typer.echo(say("cli.train.test_repeats", count=reader.repeated))
            typer.echo(say("cli.train.network", network=workspace.status(project).network.title))
            if home is not None:
                typer.echo(say("cli.train.kept", project=project, home=place))


@contextlib.contextmanager
def _home(named: Path | None) -> Iterator[Path]:
    """Give the folder a person named, or one that is gone afterwards."""
    if named is not None:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="teachable-") as scratch:
        yield Path(scratch)


class _Reader:
    """Puts the photos of class folders into a project and remembers the files that could not be used.

    Attributes:
        skipped: these files.
        unlisted: how many more there are that are not among them.
        repeated: test photos that are no test, because they are in their class already.
    """

    def __init__(self, workspace: "Workspace", project: str, quiet: bool) -> None:
        self._workspace = workspace
        self._project = project
        self._quiet = quiet
        self._ids: dict[str, str] = {}
        self.skipped: list[Rejected] = []
        self.unlisted = 0
        self.repeated = 0

    def read(self, folder: Path, classes: tuple[ClassFolder, ...]) -> None:
        """Make the classes and read their photos."""
        # A new project comes with classes to fill in on the page; their names may be wanted here for others.
        for given in self._workspace.project(self._project).classes:
            self._workspace.delete_class(self._project, given.id)
        with _bar(sum(one.size for one in classes), say("cli.train.reading"), self._quiet) as bar:
            for one in classes:
                self._ids[one.name] = self._workspace.add_class(self._project, one.name).id
                self._add(folder, one, self._ids[one.name], bar, test=False)

    @property
    def classes(self) -> tuple[ClassFolder, ...]:
        """The classes that were made; which photos are in them is not known here."""
        return tuple(ClassFolder(name, ()) for name in self._ids)

    def read_file(self, path: Path, independent: bool) -> None:
        """Make the classes of a file that is no folder, and read their photos."""
        found = finished(self._workspace, self._workspace.imports.open(path, self._project).id)
        if found.plan is not None and found.state == "planned":
            for given in self._workspace.project(self._project).classes:
                self._workspace.delete_class(self._project, given.id)
            wanted = choices(self._workspace, found.plan, self._project, USUAL_RATE, False, independent)
            self.skipped.extend(found.plan.skipped)
            found = take(self._workspace, found, wanted, self._quiet)
            self.skipped.extend(found.rejected)
            total = found.rejected_total + (found.plan.skipped_total if found.plan else 0)
            self.unlisted = total - len(self.skipped)
        if found.state != "done":
            typer.echo(say("cli.error", message=found.message or say("error.import_died")), err=True)
            raise typer.Exit(FAILED)
        self._ids = {one.name: one.id for one in self._workspace.project(self._project).classes}

    def read_tests(self, folder: Path, tests: tuple[ClassFolder, ...]) -> None:
        """Read photos of classes that are there, to be tested with only."""
        with _bar(sum(one.size for one in tests), say("cli.train.reading_tests"), self._quiet) as bar:
            for one in tests:
                self._add(folder, one, self._ids[one.name], bar, test=True)

    def _add(self, folder: Path, one: ClassFolder, class_id: str, bar: Any, *, test: bool) -> None:
        for group in one.groups:
            # The same folders give the same groups, and so the same split and the same figures.
            name = f"{one.name}/{group.name}{'/test' if test else ''}"
            capture = hashlib.sha256(name.encode()).hexdigest()[:32]
            for start in range(0, len(group.photos), _AT_ONCE):
                paths = group.photos[start : start + _AT_ONCE]
                photos = self._open(folder, paths)
                result = self._workspace.add_photos(self._project, class_id, capture, photos, test=test)
                self.skipped.extend(result.rejected)
                self.repeated += result.repeats if test else 0
                bar.update(len(paths))

    def _open(self, folder: Path, paths: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
        for path in paths:
            shown = path.relative_to(folder).as_posix()
            try:
                with path.open("rb") as file:
                    # One byte more than allowed is enough to see that it is too large.
                    yield shown, file.read(settings.limits().photo_bytes + 1)
            except OSError:
                error = TeachableError("photo_unopened", name=shown)
                self.skipped.append(Rejected(shown, str(error), error.key, dict(error.values)))


def _list_skipped(skipped: list[Rejected], unlisted: int) -> None:
    for one in skipped[:LISTED]:
        typer.echo(say("cli.skipped", name=one.name, reason=one.reason), err=True)
    if skipped:
        typer.echo(say("cli.train.skipped", count=len(skipped) + unlisted), err=True)


def _train(workspace: "Workspace", project: str, settings: TrainSettings, quiet: bool) -> ModelRecord:
    """Embed, train and check; return the record of the finished model."""
    workspace.start_training(project, settings)
    status = workspace.status(project)
    with _bar(status.embedding.total, say("cli.train.embedding"), quiet) as bar:
        while status.training.phase == "embedding":
            bar.update(status.embedding.done + status.embedding.failed - bar.pos)
            time.sleep(_POLL_SECONDS)
            status = workspace.status(project)
        bar.update(status.embedding.done + status.embedding.failed - bar.pos)
    with _bar(100, say("cli.train.training"), quiet) as bar:
        while (status := workspace.status(project)).training.state == "running":
            bar.update(int(100 * status.training.fraction) - bar.pos)
            time.sleep(_POLL_SECONDS)
        _require_done(status)
        bar.update(100 - bar.pos)
    workspace.wait_for_training(project)
    record = workspace.model(project)
    if record is None:
        raise TeachableError("training_died")
    return record


def _require_done(status: "Status") -> None:
    if status.training.state != "done":
        typer.echo(say("cli.error", message=status.training.message or say("error.training_died")), err=True)
        raise typer.Exit(FAILED)


def _write(out: Path, data: bytes) -> None:
    """Write the model so that a file of that name is always whole."""
    from teachable.projects.files import write_whole

    try:
        write_whole(out, data)
    except OSError as error:
        raise StorageFull("out_not_written", out=out) from error


def _report(out: Path, record: ModelRecord, labels: list[str], independent: bool) -> None:
    """Say what was made and what is honestly known about it."""
    typer.echo(
        say("cli.train.written", out=out, classes=len(labels), count=record.samples, seconds=f"{record.seconds:.1f}")
    )
    score = record.evaluation
    if score.accuracy is None or score.low is None or score.high is None:
        typer.echo(say("cli.train.unjudged_all"))
    else:
        figures = {
            "correct": str(score.correct),
            "total": str(score.held_out),
            "percent": f"{percent(score.accuracy)} %",
            "low": f"{end(score.low)} %",
            "high": f"{end(score.high)} %",
        }
        if score.unjudged:
            judged = len(labels) - len(score.unjudged)
            typer.echo(say("cli.train.accuracy_some", judged=judged, classes=len(labels), **figures))
        else:
            typer.echo(say("cli.train.accuracy", **figures))
        _report_classes(score, labels)
        typer.echo(say("cli.train.independent" if independent else "cli.train.groups"))
    if score.test is not None:
        _report_test(score.test)
    if record.agreement is not None:
        typer.echo(say("cli.train.agreement", agreeing=record.agreement.agreeing, total=record.agreement.total))


def _report_test(test: TestScore) -> None:
    """Say how the finished model did on photos it was never trained on."""
    if test.total:
        said = {"percent": percent(test.correct / test.total), "low": end(test.low), "high": end(test.high)}
        said = {name: f"{share} %" for name, share in said.items()}
        typer.echo(say("cli.train.test", correct=test.correct, total=test.total, **said))
    if test.leaking:
        typer.echo(say("cli.train.test_leaking", count=test.leaking))


def _report_classes(score: Evaluation, labels: list[str]) -> None:
    for label, one in zip(labels, score.per_class, strict=True):
        if one.total:
            typer.echo(say("cli.train.class", label=label, correct=one.correct, total=one.total))
    if score.unjudged:
        names = ", ".join(labels[index] for index in score.unjudged)
        typer.echo(say("cli.train.unjudged", names=names, count=len(score.unjudged)))


def _bar(length: int, label: str, quiet: bool) -> Any:
    """Return a progress bar on stderr, so that stdout holds the result alone."""
    target: TextIO = io.StringIO() if quiet else sys.stderr
    return typer.progressbar(length=length, label=f"{label:<22}", file=target)
