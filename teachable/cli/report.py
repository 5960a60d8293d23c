"""`teachable report`: how good the model of a project is, why, and what would help, on the terminal or as one page."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teachable import settings
from teachable.cli.finding import check_target, find_project
from teachable.errors import StorageFull
from teachable.words import end, percent, say

if TYPE_CHECKING:
    from teachable.report import ClassReport, Report, Share
    from teachable.workflow import Workspace

FAILED = 2
_POLL_SECONDS = 0.05
_NAME_WIDTH = 20
# Classes up to which mix-ups are printed as a matrix that fits on a terminal, and pairs listed where it does not.
_MATRIX, _PAIRS = 12, 12


def report(
    project: Annotated[str, typer.Argument(help=say("cli.help.project"), metavar="PROJECT")],
    out: Annotated[Path | None, typer.Option(help=say("cli.help.report_out"), show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help=say("cli.help.json"))] = False,
    force: Annotated[bool, typer.Option("--force", help=say("cli.help.force"))] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help=say("cli.help.quiet"))] = False,
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"), show_default=False)] = None,
) -> None:
    """Say what is known about the newest model of a project."""
    if out is not None:
        check_target(out, force)

    from teachable.workflow import Workspace

    with Workspace(home or settings.home()) as workspace:
        info = find_project(workspace, project)
        found = _study(workspace, info.id, quiet)
        if found.state != "done":
            typer.echo(say("cli.error", message=found.message or say("error.report_died")), err=True)
            raise typer.Exit(FAILED)
        if out is not None:
            _write(workspace.reports.page(info.id), out)
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
    elif not quiet:
        _show(found)
    if out is not None and not quiet:
        # What a program reads stays free of it.
        typer.echo(say("cli.report.written", out=out), err=as_json)


def _study(workspace: "Workspace", project: str, quiet: bool) -> "Report":
    """Have the photos studied, showing how far that is, and return the report."""
    workspace.reports.start(project)
    if quiet:
        return workspace.reports.wait(project)
    if (now := workspace.reports.of(project)).state != "running":
        return now
    with typer.progressbar(length=100, label=say("cli.report.running"), file=sys.stderr) as bar:
        while (now := workspace.reports.of(project)).state == "running":
            bar.update(int(100 * now.fraction) - bar.pos)
            time.sleep(_POLL_SECONDS)
        if now.state == "done":
            bar.update(100 - bar.pos)
    return now


def _write(page: bytes, out: Path) -> None:
    """Write the page so that one of that name is always whole."""
    from teachable.projects.files import write_whole

    try:
        write_whole(out, page)
    except OSError as error:
        raise StorageFull("out_not_written", out=out) from error


def _show(found: "Report") -> None:
    """Print the report, the most important first."""
    photos = say("cli.report.photos", count=found.samples)
    recordings = say("cli.report.recordings", count=found.recordings)
    typer.echo(say("cli.report.about", project=found.project, photos=photos, recordings=recordings))
    if found.stale:
        typer.echo(say("cli.report.stale"))
    _paragraphs(found.headline, found.method, found.random_text)
    if found.test is not None:
        _paragraphs(found.test.text)
    _classes(found)
    if found.accuracy.total:
        _confusion(found)
    _findings(found)
    _paragraphs(found.learning_text, found.calibration_text, found.unknown)
    _list(say("cli.report.limits"), found.limits)


def _paragraphs(*texts: str) -> None:
    for text in texts:
        if text:
            typer.echo()
            typer.echo(text)


def _list(title: str, texts: Sequence[str]) -> None:
    typer.echo()
    typer.echo(title)
    for text in texts:
        typer.echo(say("cli.report.item", text=text))


def _classes(found: "Report") -> None:
    """Print a line of figures for each class, and its advice below."""
    headings = ("class", "right", "precision", "f1", "samples", "recordings")
    kept = {id for id, score in found.test.per_class if score.total} if found.test else set()
    cells = [_cells(one, one.id in kept) for one in found.classes]
    rows = [tuple(say(f"cli.report.head.{one}") for one in headings), *cells]
    typer.echo()
    for name, right, precision, f1, samples, recordings in rows:
        typer.echo(f"{name:<{_NAME_WIDTH}} {right:>26} {precision:>9} {f1:>8} {samples:>6} {recordings:>10}".rstrip())
    _paragraphs(found.classes_text)
    advice = [one.advice for one in found.classes if one.advice]
    if advice:
        _list(say("cli.report.advice"), advice)


def _cells(one: "ClassReport", kept: bool) -> tuple[str, ...]:
    untested = say("cli.report.only_kept") if kept else say("cli.report.untested")
    return (
        _short(one.name),
        _share(one.recall) if one.judged else untested,
        _percent(one.precision),
        _percent(one.f1),
        str(one.samples),
        str(one.recordings),
    )


def _share(one: "Share") -> str:
    if one.share is None or one.low is None or one.high is None:
        return say("cli.report.nothing")
    ends = {"low": end(one.low), "high": end(one.high)}
    return say("cli.report.share", correct=one.correct, total=one.total, percent=percent(one.share), **ends)


def _percent(share: float | None) -> str:
    return say("cli.report.nothing") if share is None else say("cli.report.percent", percent=percent(share))


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"


def _confusion(found: "Report") -> None:
    """Print how often each class was named what: all of it where that fits, or else the pairs mixed up most."""
    names = [one.name for one in found.classes]
    typer.echo()
    if len(names) <= _MATRIX:
        typer.echo(say("cli.report.matrix"))
        width = max(len(str(count)) for row in found.confusion for count in row) + 2
        heads = "".join(f"{place:>{width}}" for place in range(1, len(names) + 1))
        typer.echo(f"{'':<{_NAME_WIDTH + 3}}{heads}")
        for place, (name, row) in enumerate(zip(names, found.confusion, strict=True), 1):
            counts = "".join(f"{count or say('cli.report.zero'):>{width}}" for count in row)
            typer.echo(f"{place:>2} {_short(name):<{_NAME_WIDTH}}{counts}")
        return
    pairs = [
        (count, names[given], names[said])
        for given, row in enumerate(found.confusion)
        for said, count in enumerate(row)
        if given != said and count
    ]
    typer.echo(say("cli.report.pairs") if pairs else say("cli.report.no_pairs"))
    for count, given, said in sorted(pairs, reverse=True)[:_PAIRS]:
        typer.echo(say("cli.report.pair", given=given, said=said, count=count))


def _findings(found: "Report") -> None:
    """Print what is probably worth mending."""
    if not found.findings:
        _paragraphs(say("cli.report.no_findings"))
        return
    _list(
        say("cli.report.findings"),
        [say("cli.report.finding", title=one.title, text=one.text) for one in found.findings],
    )
    if found.more_findings:
        typer.echo(say("cli.report.more", count=found.more_findings))
