"""`teachable serve-model`: a model file behind a small HTTP API."""

from pathlib import Path
from typing import Annotated

import typer

from teachable.cli.finding import load_model
from teachable.errors import Conflict
from teachable.words import say

FAILED = 2
PORT = 38101
"""Where Lobe's local API listened, so that programs written for it find this one."""


def serve_model(
    model: Annotated[Path, typer.Argument(help=say("cli.help.model"), metavar="MODEL")],
    host: Annotated[str, typer.Option(help=say("cli.help.host"))] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help=say("cli.help.serve_model_port"))] = PORT,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help=say("cli.help.allow_origin"), show_default=False)
    ] = None,
) -> None:
    """Serve a model until it is stopped."""
    from teachable import model_server, server
    from teachable.guards import is_loopback

    app = model_server.create_app(load_model(model), host, allow_origin or ())
    try:
        listening = server.open_socket(host, port)
    except Conflict as error:
        typer.echo(say("cli.error", message=say("cli.serve_model.port_taken", port=port)), err=True)
        raise typer.Exit(FAILED) from error
    with listening:
        if not is_loopback(host.strip("[]").lower()):
            typer.echo(say("cli.serve_model.open", host=host), err=True)
        address = server.local_address(host, listening)

        def ready(port: int) -> None:
            typer.echo(say("cli.serve_model.ready", file=model.name, address=address))

        model_server.serve(app, ready, host, port, listening)
    typer.echo(say("cli.serve_model.stopped"))
