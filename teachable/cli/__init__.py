"""The command line. Each command parses, calls what is below and says how it went; one file for each larger one.

Exit codes: 0 all went well, 1 some files could not be used, 2 it could not be done and the message says why. Results go
to stdout, everything else to stderr. Nothing heavy is imported before a command needs it.
"""

import io
import logging
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from teachable import __version__
from teachable.cli.checkup import doctor
from teachable.cli.export import export
from teachable.cli.importing import import_file
from teachable.cli.listing import projects
from teachable.cli.model_serving import serve_model
from teachable.cli.networks import networks
from teachable.cli.packing import pack
from teachable.cli.prediction import predict
from teachable.cli.report import report
from teachable.cli.serving import serve
from teachable.cli.training import train
from teachable.cli.versions import versions
from teachable.errors import TeachableError
from teachable.words import say

FAILED = 2


class Commands(TyperGroup):
    """Serves when no command is named, and says what went wrong in one line instead of a trace."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `serve` before options that are not for the program as a whole."""
        if not args or (args[0].startswith("-") and args[0] not in {"--help", "--version"}):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command and turn what a person can act on into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except TeachableError as error:
            message = str(error)
        except OSError as error:
            # A file or folder that was named cannot be used; an error without one is a mistake of ours.
            if error.filename is None:
                raise
            message = say("cli.file_unusable", file=error.filename, reason=error.strerror)
        typer.echo(say("cli.error", message=message), err=True)
        raise typer.Exit(FAILED)


app = typer.Typer(
    cls=Commands,
    help=say("cli.help"),
    epilog=say("cli.epilog"),
    # Rich would double the time until the help is shown.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"teachable {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help=say("cli.help.version"))
    ] = False,
) -> None:
    """Set up what all commands share."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s: %(message)s")


app.command(help=say("cli.help.serve"))(serve)
app.command(help=say("cli.help.train"))(train)
app.command(help=say("cli.help.predict"))(predict)
app.command(help=say("cli.help.report"))(report)
app.command(help=say("cli.help.export"))(export)
app.command(name="serve-model", help=say("cli.help.serve_model"))(serve_model)
app.command(help=say("cli.help.projects"))(projects)
app.command(help=say("cli.help.versions"))(versions)
app.command(help=say("cli.help.pack"))(pack)
app.command(name="import", help=say("cli.help.import"))(import_file)
app.command(help=say("cli.help.doctor"))(doctor)
app.add_typer(networks, name="networks")


def main() -> None:
    """Entry point of `teachable`, of `python -m teachable` and of `app.py`."""
    # A name that the terminal cannot show must not end the program.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app(prog_name="teachable")
