"""`teachable projects`: what is kept on this computer."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from teachable import settings
from teachable.words import say


def projects(
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=say("cli.help.json"))] = False,
) -> None:
    """List the projects, last changed first."""
    from teachable.projects import ProjectStore

    folder = home or settings.home()
    store = ProjectStore(folder)
    try:
        found = store.list()
    finally:
        store.close()
    if as_json:
        typer.echo(json.dumps([asdict(info) for info in found], indent=2))
        return
    typer.echo(say("cli.projects.home" if found else "cli.projects.none", home=folder))
    for info in found:
        changed = datetime.fromtimestamp(info.updated).astimezone().strftime("%Y-%m-%d %H:%M")
        classes = ", ".join(f"{one.name} ({one.samples})" for one in info.classes)
        typer.echo(say("cli.projects.line", id=info.id, name=info.name, changed=changed, classes=classes))
