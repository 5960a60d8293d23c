"""`teachable doctor`: what is wrong with the projects on this computer, and mending it."""

from pathlib import Path
from typing import Annotated

import typer

from teachable import settings
from teachable.words import say

FOUND = 1


def doctor(
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"))] = None,
    mend: Annotated[bool, typer.Option("--mend", help=say("cli.help.mend"))] = False,
) -> None:
    """Look at every project, say what is wrong, and mend it if asked."""
    from teachable import home_lock, repair

    folder = home or settings.home()
    found = mendable = mended = 0
    # Nobody may change what is looked at.
    with home_lock.held(folder, say("cli.doctor.who")):
        typer.echo(say("cli.doctor.looking", home=folder))
        for ailment in repair.examine(folder, mend=mend):
            found += 1
            mended += ailment.mended is not None
            mendable += ailment.mendable and ailment.mended is None
            typer.echo(say("cli.doctor.line", text=ailment.text))
            if ailment.mended is not None:
                typer.echo(say("cli.doctor.mended", text=ailment.mended))
    if not found:
        typer.echo(say("cli.doctor.well"))
        return
    if mendable:
        typer.echo(say("cli.doctor.can_mend", count=mendable))
    if found > mended:
        raise typer.Exit(FOUND)
