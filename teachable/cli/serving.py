"""`teachable serve`: the page, for one person or for a classroom."""

from pathlib import Path
from typing import Annotated

import typer

from teachable import settings
from teachable.errors import InvalidInput
from teachable.words import say


def serve(
    host: Annotated[str | None, typer.Option(help=say("cli.help.host"), show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help=say("cli.help.port"), show_default="7860")] = None,
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"))] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help=say("cli.help.browser"))] = True,
    offline: Annotated[bool, typer.Option("--offline", help=say("cli.help.offline"))] = False,
    classroom: Annotated[bool, typer.Option("--classroom", help=say("cli.help.classroom"))] = False,
    password: Annotated[str | None, typer.Option(help=say("cli.help.password"))] = None,
    name: Annotated[str, typer.Option(help=say("cli.help.classroom_name"))] = "",
    plain: Annotated[bool, typer.Option("--http", help=say("cli.help.plain_http"))] = False,
    photos: Annotated[
        int | None, typer.Option("--visitor-photos", min=1, help=say("cli.help.visitor_photos"), show_default="2000")
    ] = None,
    megabytes: Annotated[
        int | None,
        typer.Option("--visitor-megabytes", min=1, help=say("cli.help.visitor_megabytes"), show_default="1024"),
    ] = None,
    projects: Annotated[
        int | None, typer.Option("--visitor-projects", min=1, help=say("cli.help.visitor_projects"), show_default="3")
    ] = None,
) -> None:
    """Open the page and serve it until it is stopped."""
    from teachable import server

    chosen = home or settings.home()
    offline = offline or settings.offline()
    if not classroom:
        if plain or name or any(one is not None for one in (password, photos, megabytes, projects)):
            raise InvalidInput("classroom_options_alone")
        server.serve(chosen, host or "127.0.0.1", port, browser, typer.echo, offline=offline)
        return
    from teachable.classroom import Options

    limits = settings.visitor_limits(photos, megabytes, projects)
    options = Options(password, limits, name, encrypted=not plain)
    # A classroom of one computer is none.
    server.serve(chosen, host or "0.0.0.0", port, browser, typer.echo, offline=offline, classroom=options)  # noqa: S104
