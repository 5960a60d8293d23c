"""`teachable projects`: what is kept on this computer, and what was deleted and can be brought back."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teachable import settings
from teachable.words import say

if TYPE_CHECKING:
    from teachable.projects import ProjectStore


def projects(
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=say("cli.help.json"))] = False,
    deleted: Annotated[bool, typer.Option("--bin", help=say("cli.help.bin"))] = False,
    restore: Annotated[str | None, typer.Option(metavar="ID", help=say("cli.help.restore"))] = None,
) -> None:
    """List the projects, last changed first, or the deleted ones; or bring one of these back."""
    from teachable.projects import ProjectStore

    folder = home or settings.home()
    store = ProjectStore(folder)
    try:
        if restore is not None:
            info = store.restore(restore.strip()).info()
            typer.echo(say("cli.projects.restored", name=info.name, id=info.id))
        elif deleted:
            _list_bin(store, folder, as_json)
        else:
            _list(store, folder, as_json)
    finally:
        store.close()


def _list(store: "ProjectStore", folder: Path, as_json: bool) -> None:
    seen, damaged = store.survey()
    found = [one.info for one in seen]
    if as_json:
        typer.echo(json.dumps([{**asdict(info), "bytes": store.size(info.id)} for info in found], indent=2))
    else:
        typer.echo(say("cli.projects.home" if found else "cli.projects.none", home=folder))
        for info in found:
            classes = ", ".join(f"{one.name} ({one.samples})" for one in info.classes)
            size = _size(store.size(info.id))
            changed = _day(info.updated)
            typer.echo(
                say("cli.projects.line", id=info.id, name=info.name, changed=changed, size=size, classes=classes)
            )
    for one in damaged:
        typer.echo(say("cli.projects.damaged", id=one.id, message=one.message), err=True)


def _list_bin(store: "ProjectStore", folder: Path, as_json: bool) -> None:
    found = store.bin()
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    typer.echo(say("cli.projects.bin" if found else "cli.projects.bin_empty", home=folder))
    for one in found:
        values = {"id": one.id, "name": one.name, "deleted": _day(one.deleted), "size": _size(one.bytes)}
        typer.echo(say("cli.projects.bin_line", photos=one.photos, **values))


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def _size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count, 1) / 1e6:.1f} MB"
