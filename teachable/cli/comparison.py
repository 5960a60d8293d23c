"""`teachable networks compare`: every network of this computer, tried on the photos of one project."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teachable import settings
from teachable.cli.finding import find_project
from teachable.types import ProjectInfo
from teachable.words import end, percent, say

if TYPE_CHECKING:
    from teachable.comparison import Comparison
    from teachable.verdict import ComparisonRow
    from teachable.workflow import Workspace

SOME_FAILED, FAILED = 1, 2
_POLL_SECONDS = 0.1
_TITLE_WIDTH = 26


def compare(
    project: Annotated[str, typer.Argument(help=say("cli.help.project"), metavar="PROJECT")],
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"))] = None,
) -> None:
    """Compare the networks and say which one to use."""
    from teachable.workflow import Workspace

    with Workspace(home or settings.home()) as workspace:
        info = find_project(workspace, project)
        found = _run(workspace, info.id)
    if found.state != "done":
        typer.echo(say("cli.error", message=found.message or say("error.comparison_died")), err=True)
        raise typer.Exit(FAILED)
    _show(info, found)
    failed = [row for row in found.rows if row.reason is not None]
    for row in failed:
        typer.echo(say("cli.skipped", name=row.title, reason=row.reason), err=True)
    if failed:
        raise typer.Exit(FAILED if len(failed) == len(found.rows) else SOME_FAILED)


def _run(workspace: "Workspace", project_id: str) -> "Comparison":
    """Compare, showing how far it is, and return the result."""
    workspace.compare(project_id)
    with typer.progressbar(length=100, label=_label(say("cli.compare.running")), file=sys.stderr) as bar:
        while (now := workspace.comparison(project_id)).state == "running":
            if now.current:
                bar.label = _label(now.current)
            bar.update(int(100 * now.fraction) - bar.pos)
            bar.render_progress()
            time.sleep(_POLL_SECONDS)
        if now.state == "done":
            bar.update(100 - bar.pos)
    return now


def _label(text: str) -> str:
    return f"{_short(text):<{_TITLE_WIDTH}}"


def _short(title: str) -> str:
    return title if len(title) <= _TITLE_WIDTH else f"{title[: _TITLE_WIDTH - 1]}…"


def _show(info: ProjectInfo, found: "Comparison") -> None:
    """Print what was looked at, the table and the advice."""
    names = {one.id: one.name for one in info.classes}
    typer.echo(say("cli.compare.photos", project=info.name, held_out=found.held_out, count=found.photos))
    if found.photos < found.available:
        typer.echo(say("cli.compare.excerpt", count=found.photos, available=found.available))
    if found.held_out and found.unjudged:
        classes = ", ".join(f"“{names[id_]}”" for id_ in found.unjudged if id_ in names)
        typer.echo(say("cli.compare.unjudged", names=classes, count=len(found.unjudged)))
    typer.echo()
    headings = (
        "",
        say("cli.compare.network"),
        say("cli.compare.accuracy"),
        say("cli.compare.correct"),
        say("cli.compare.native"),
        say("cli.compare.browser"),
        say("cli.compare.size"),
    )
    for mark, title, accuracy, correct, native, browser, size in (headings, *map(_cells, found.rows)):
        line = f"{mark:1} {title:<{_TITLE_WIDTH}} {accuracy:>17} {correct:>10} {native:>7} {browser:>8} {size:>5}"
        typer.echo(line.rstrip())
    typer.echo()
    typer.echo(say("cli.compare.legend"))
    typer.echo()
    typer.echo(found.message)


def _cells(row: "ComparisonRow") -> tuple[str, ...]:
    from teachable.verdict import in_megabytes, in_milliseconds

    unknown = say("cli.networks.unknown")
    accuracy, correct = unknown, unknown
    if row.accuracy is not None and row.low is not None and row.high is not None:
        accuracy = say("cli.compare.share", share=percent(row.accuracy), low=end(row.low), high=end(row.high))
        correct = say("cli.compare.of", correct=row.correct, total=row.held_out)
    return (
        "*" if row.in_use else "",
        _short(row.title),
        accuracy,
        correct,
        unknown if row.native_ms is None else in_milliseconds(row.native_ms),
        unknown if row.browser_ms is None else in_milliseconds(row.browser_ms),
        in_megabytes(row.size_bytes),
    )
