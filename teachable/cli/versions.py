"""`teachable versions`: every training that is kept of a project; naming one, comparing two, going back to one."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teachable import settings
from teachable.cli.finding import find_project
from teachable.errors import InvalidInput
from teachable.types import ProjectInfo
from teachable.words import end, percent, say

if TYPE_CHECKING:
    from teachable.versions import Compared, Side, Version, VersionList, Versions
    from teachable.workflow import Workspace

_NAME_WIDTH = 24
_SCORE_WIDTH = 15


def versions(
    project: Annotated[str, typer.Argument(help=say("cli.help.project"), metavar="PROJECT")],
    restore: Annotated[
        int | None, typer.Option(metavar="N", help=say("cli.help.versions_restore"), show_default=False)
    ] = None,
    model_only: Annotated[bool, typer.Option("--model-only", help=say("cli.help.versions_model_only"))] = False,
    compare: Annotated[
        tuple[int, int] | None, typer.Option(metavar="N M", help=say("cli.help.versions_compare"), show_default=False)
    ] = None,
    name: Annotated[
        tuple[int, str] | None, typer.Option(metavar="N TEXT", help=say("cli.help.versions_name"), show_default=False)
    ] = None,
    delete: Annotated[
        int | None, typer.Option(metavar="N", help=say("cli.help.versions_delete"), show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=say("cli.help.json"))] = False,
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"), show_default=False)] = None,
) -> None:
    """List the versions of a project, or do what is asked with one or two of them."""
    if sum(one is not None for one in (restore, compare, name, delete)) > 1 or (model_only and restore is None):
        raise InvalidInput("versions_one_thing")

    from teachable.workflow import Workspace

    with Workspace(home or settings.home()) as workspace:
        info = find_project(workspace, project)
        if compare is not None:
            _compare(workspace.versions, info, compare, as_json)
            return
        said = _change(workspace, info, restore, model_only, name, delete)
        found = workspace.versions.of(info.id)
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
    elif said is not None:
        typer.echo(said)
    else:
        _show(info, found)


def _change(
    workspace: "Workspace",
    info: ProjectInfo,
    restore: int | None,
    model_only: bool,
    name: tuple[int, str] | None,
    delete: int | None,
) -> str | None:
    """Do what is asked and return what to say about it, or None where nothing is asked."""
    known = workspace.versions
    if restore is not None:
        found = known.restore(info.id, known.find(info.id, restore).id, contents=not model_only)
        return found.text
    if name is not None:
        known.rename(info.id, known.find(info.id, name[0]).id, name[1] or None)
        return say("cli.versions.named" if name[1] else "cli.versions.unnamed", number=name[0], name=name[1])
    if delete is not None:
        known.remove(info.id, known.find(info.id, delete).id)
        return say("cli.versions.deleted", number=delete)
    return None


def _compare(known: "Versions", info: ProjectInfo, numbers: tuple[int, int], as_json: bool) -> None:
    """Set two versions side by side and print what came of it."""
    first, second = (known.find(info.id, number) for number in numbers)
    found = known.compare(info.id, first.id, second.id)
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
        return
    typer.echo(found.about)
    if found.way != "none":
        typer.echo()
        judged = sum(one.total > 0 for one in found.classes)
        for version, side in ((first, found.first), (second, found.second)):
            line = _side(version, side, found.photos)
            some = {"judged": str(judged), "total": str(len(found.classes))}
            typer.echo(line if judged == len(found.classes) else say("cli.versions.some", score=line, **some))
        typer.echo()
        _show_classes(first, second, found)
    typer.echo(found.verdict)
    for note in found.notes:
        typer.echo(note)


def _side(version: "Version", side: "Side", photos: int) -> str:
    values = {"share": percent(side.accuracy or 0.0), "low": end(side.low or 0.0), "high": end(side.high or 0.0)}
    return say("cli.versions.side", number=version.number, correct=side.correct, total=photos, **values)


def _show_classes(first: "Version", second: "Version", found: "Compared") -> None:
    headings = (say("cli.versions.class"), say("cli.versions.photos"), str(first.number), str(second.number))
    rows = [
        (one.name, str(one.total), f"{percent(one.first / one.total)}%", f"{percent(one.second / one.total)}%")
        for one in found.classes
        if one.total
    ]
    for title, photos, one_share, other_share in (headings, *rows):
        typer.echo(f"{_short(title):<{_NAME_WIDTH}} {photos:>7} {one_share:>8} {other_share:>8}")
    typer.echo()


def _show(info: ProjectInfo, found: "VersionList") -> None:
    """Print the table of all versions, newest first."""
    if not found.versions:
        typer.echo(say("cli.versions.none", project=info.name))
        return
    typer.echo(say("cli.versions.title", project=info.name, count=len(found.versions)))
    typer.echo()
    scores = [_score(one) for one in found.versions]
    width = max(_SCORE_WIDTH, *map(len, scores))
    for one, score in zip(found.versions, scores, strict=True):
        made = datetime.fromtimestamp(one.created).astimezone().strftime("%Y-%m-%d %H:%M")
        classes = ", ".join(
            label.name if label.photos is None else f"{label.name} ({label.photos})" for label in one.classes
        )
        mark = "*" if one.id == found.current else " "
        typer.echo(
            f"{mark} {one.number:>3}  {made}  {score:>{width}}  {_short(one.name or ''):<{_NAME_WIDTH}} {classes}"
        )
    typer.echo()
    typer.echo(say("cli.versions.legend"))


def _score(one: "Version") -> str:
    """Return how good a version is, and of how many of its classes that is known."""
    if one.accuracy is None or one.low is None or one.high is None:
        return "–"
    score = say("cli.compare.share", share=percent(one.accuracy), low=end(one.low), high=end(one.high))
    if one.judged == len(one.classes):
        return score
    return say("cli.versions.some", score=score, judged=one.judged, total=len(one.classes))


def _short(title: str) -> str:
    return title if len(title) <= _NAME_WIDTH else f"{title[: _NAME_WIDTH - 1]}…"
