"""`teachable export`: the model of a project in a form to take away, made, run and compared with the preview."""

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teachable import settings
from teachable.cli.finding import check_target, find_project
from teachable.errors import InvalidInput, NotFound, StorageFull, TeachableError
from teachable.words import say

if TYPE_CHECKING:
    from teachable.exporting.exporter import Exporter, Variant
    from teachable.workflow import Made, Workspace

FAILED = 2
_POLL_SECONDS = 0.05


def export(
    project: Annotated[
        str | None, typer.Argument(help=say("cli.help.project"), metavar="PROJECT", show_default=False)
    ] = None,
    format: Annotated[str, typer.Option(help=say("cli.help.export_format"))] = "onnx",
    variant: Annotated[str | None, typer.Option(help=say("cli.help.export_variant"), show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help=say("cli.help.export_out"), show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help=say("cli.help.force"))] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help=say("cli.help.quiet"))] = False,
    listing: Annotated[bool, typer.Option("--list", help=say("cli.help.export_list"))] = False,
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"), show_default=False)] = None,
) -> None:
    """Make a file of a model and write it here."""
    if listing:
        _list()
        return
    if project is None:
        raise InvalidInput("export_no_project")
    exporter, chosen = _choose(format, variant)
    target = out or Path(chosen.file)
    check_target(target, force)

    from teachable.workflow import Workspace

    with Workspace(home or settings.home()) as workspace:
        info = find_project(workspace, project)
        try:
            made = _make(workspace, info.id, exporter.id, chosen.id, quiet)
        except TeachableError as error:
            if error.key != "export_extra_missing":
                raise
            # Nothing has to be stopped and started here, as on the page.
            message = say("cli.export.missing_now", title=error.values["title"], command=error.values["command"])
            typer.echo(say("cli.error", message=message), err=True)
            raise typer.Exit(FAILED) from error
        if made.state != "done":
            typer.echo(say("cli.error", message=made.message or say("error.export_died")), err=True)
            raise typer.Exit(FAILED)
        path, _ = workspace.exported(info.id, exporter.id, chosen.id)
        _copy(path, target)
    if not quiet:
        _report(target, made)


def _choose(format: str, variant: str | None) -> "tuple[Exporter, Variant]":
    """Return the format and, where none is named, its first choice."""
    from teachable.exporting.exporter import exporters

    exporter = next((one for one in exporters() if one.id == format), None)
    if exporter is None:
        raise NotFound("export_format_unknown", format=format, known=", ".join(one.id for one in exporters()))
    chosen = exporter.variants[0] if variant is None else exporter.variant(variant)
    if chosen is None:
        known = ", ".join(one.id for one in exporter.variants)
        raise NotFound("export_variant_unknown", format=format, variant=variant, known=known)
    return exporter, chosen


def _list() -> None:
    """Print every format, what it is for, and its choices with the names of their files."""
    from teachable.exporting import offers
    from teachable.exporting.exporter import exporters

    for exporter in exporters():
        found = offers.describe(exporter, [offers.offered(exporter, one) for one in exporter.variants])
        typer.echo(say("cli.export.format", id=found.id, title=found.title))
        typer.echo(f"    {found.about}")
        for one in found.variants:
            typer.echo(say("cli.export.variant", id=one.id, title=one.title, file=one.file))
        if found.command is not None:
            typer.echo(say("cli.export.missing", command=found.command))
        elif not found.fits:
            typer.echo(say("cli.export.unfit"))
        typer.echo()


def _make(workspace: "Workspace", project: str, format: str, variant: str, quiet: bool) -> "Made":
    """Have the file made, showing how far it is, and return how that ended."""
    workspace.start_export(project, format, variant)
    if quiet:
        return workspace.wait_for_export(project, format, variant)
    with typer.progressbar(length=100, label=say("cli.export.running"), file=sys.stderr) as bar:
        while (now := workspace.wait_for_export(project, format, variant, 0)).state in {"waiting", "running"}:
            bar.update(int(100 * now.fraction) - bar.pos)
            time.sleep(_POLL_SECONDS)
        if now.state == "done":
            bar.update(100 - bar.pos)
    return now


def _copy(path: Path, target: Path) -> None:
    """Write the file so that one of that name is always whole."""
    from teachable.projects.files import copy_whole

    try:
        copy_whole(path, target)
    except OSError as error:
        raise StorageFull("out_not_written", out=target) from error


def _report(target: Path, made: "Made") -> None:
    """Say what was made, and what came out when it was run."""
    typer.echo(say("cli.export.written", out=target, title=made.title, size=f"{(made.size_bytes or 0) / 1e6:.1f}"))
    check = made.check
    if check is None:
        typer.echo(say("cli.export.not_run"))
        return
    # Rounded up: it is said that no difference is larger.
    percent = f"{math.ceil(10_000 * check.largest_difference) / 100:.2f}"
    figures = {"agreeing": check.agreeing, "total": check.total, "percent": percent}
    typer.echo(say("cli.export.checked", **figures))
    if check.correct is not None and check.correct_full is not None:
        shares = {"correct": check.correct, "count": check.held_out, "full": check.correct_full}
        typer.echo(say("cli.export.accuracy", **shares))
    if made.message is not None:
        typer.echo(made.message)
