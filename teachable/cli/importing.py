"""`teachable import`: a file or folder from elsewhere becomes a project, or goes into one."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teachable import settings
from teachable.cli.finding import find_project
from teachable.errors import Conflict
from teachable.types import Rejected
from teachable.words import say

if TYPE_CHECKING:
    from teachable.arrivals import Choices, Import
    from teachable.importing import Plan
    from teachable.workflow import Workspace

SOME_SKIPPED, FAILED = 1, 2
_LOOK_SECONDS = 0.1

USUAL_RATE = 2.0
"""Photos taken from each second of a video."""


def import_file(
    source: Annotated[Path, typer.Argument(help=say("cli.help.import_source"), metavar="FILE_OR_FOLDER")],
    project: Annotated[str | None, typer.Option(help=say("cli.help.import_project"), show_default=False)] = None,
    rate: Annotated[float, typer.Option(help=say("cli.help.import_rate"))] = USUAL_RATE,
    unmirror: Annotated[bool, typer.Option("--unmirror", help=say("cli.help.import_unmirror"))] = False,
    independent: Annotated[bool, typer.Option("--independent", help=say("cli.help.independent"))] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("cli.help.import_dry_run"))] = False,
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"), show_default=False)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=say("cli.help.quiet"))] = False,
) -> None:
    """Import a file or folder."""
    from teachable.importing.plan import check_rate
    from teachable.workflow import Workspace

    check_rate(rate)
    with Workspace(home or settings.home()) as workspace:
        target = None if project is None else find_project(workspace, project).id
        found = finished(workspace, workspace.imports.open(source, target).id)
        if found.plan is None or found.state != "planned":
            _fail(found)
            return
        if not quiet:
            _show(found.plan, rate)
        if dry_run:
            if not quiet:
                typer.echo(say("cli.import.dry"))
            _end(found.plan.skipped, found.plan.skipped_total)
            return
        ended = take(workspace, found, choices(workspace, found.plan, target, rate, unmirror, independent), quiet)
        if ended.state != "done":
            _fail(ended)
        if not quiet:
            _report(workspace, ended)
    _end((*found.plan.skipped, *ended.rejected), found.plan.skipped_total + ended.rejected_total)


def finished(workspace: "Workspace", import_id: str, look: "Callable[[Import], object]" = lambda one: None) -> "Import":
    """Wait until an import waits for an answer or has ended, and can be told to stop meanwhile."""
    while (now := workspace.imports.wait(import_id, _LOOK_SECONDS)).state in {"reading", "waiting", "running"}:
        look(now)
    return now


def take(workspace: "Workspace", found: "Import", wanted: "Choices", quiet: bool) -> "Import":
    """Take a file in, and show how far that is."""
    begun = workspace.imports.start(found.id, wanted)
    if quiet:
        return finished(workspace, begun.id)
    label = say("cli.import.running")
    length = max(1, begun.total)
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        ended = finished(workspace, begun.id, lambda now: bar.update(now.done - bar.pos))
        if ended.state == "done":
            bar.update(length - bar.pos)
    return ended


def choices(
    workspace: "Workspace", plan: "Plan", target: str | None, rate: float, unmirror: bool, independent: bool
) -> "Choices":
    """Take everything, and put classes into those of the project that are called the same."""
    from teachable.arrivals import Choices
    from teachable.importing import Options
    from teachable.intakes import Into
    from teachable.projects.names import name_key

    if unmirror and "unmirror" not in plan.options:
        raise Conflict("import_unmirror")
    present = () if target is None else workspace.project(target).classes
    ids = {name_key(one.name): one.id for one in present}
    classes = tuple(Into(one.key, one.name, ids.get(name_key(one.name))) for one in plan.classes)
    turned = frozenset(one.key for one in plan.classes) if unmirror else frozenset()
    return Choices(target, classes, Options(turned, rate, independent), settings=target is None)


def _show(plan: "Plan", rate: float) -> None:
    """Say what would be made with so many photos from each second of video."""
    typer.echo(_heading(plan))
    for one in plan.classes:
        photos = say("cli.import.photos", count=one.photos_at(rate))
        recordings = say("cli.import.recordings", count=one.groups)
        typer.echo(say("cli.import.class", name=one.name, photos=photos, recordings=recordings))
    for note in plan.notes:
        typer.echo(note.text)


def _report(workspace: "Workspace", ended: "Import") -> None:
    typer.echo(say("cli.import.added", count=ended.added))
    if ended.repeats:
        typer.echo(say("cli.import.repeats", count=ended.repeats))
    if ended.project is not None:
        typer.echo(say("cli.import.project", name=workspace.project(ended.project).name, id=ended.project))


def _end(left_out: tuple[Rejected, ...], total: int) -> None:
    """Name what was left out, and end with what that means to a script."""
    for one in left_out:
        typer.echo(say("cli.skipped", name=one.name, reason=one.reason), err=True)
    if total:
        typer.echo(say("cli.train.skipped", count=total), err=True)
        raise typer.Exit(SOME_SKIPPED)


def _fail(ended: "Import") -> None:
    typer.echo(say("cli.error", message=ended.message or say("error.import_died")), err=True)
    raise typer.Exit(FAILED)


def _heading(plan: "Plan") -> str:
    title = plan.title or ""
    if plan.kind == "project":
        return say("cli.import.kind_project", title=title)
    if plan.kind == "teachable-machine":
        return say("cli.import.kind_machine", title=title)
    if plan.kind == "video":
        return say("cli.import.kind_video", title=title)
    if plan.kind == "animation":
        return say("cli.import.kind_animation", title=title)
    return say("cli.import.kind_photos", title=title)
