"""`teachable pack`: a whole project, or its photos alone, becomes one zip file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from teachable import settings
from teachable.cli.finding import check_target, find_project
from teachable.errors import StorageFull
from teachable.words import say


def pack(
    project: Annotated[str, typer.Argument(help=say("cli.help.project"), metavar="PROJECT")],
    out: Annotated[Path | None, typer.Option(help=say("cli.help.pack_out"), show_default=False)] = None,
    photos: Annotated[bool, typer.Option("--photos", help=say("cli.help.pack_photos"))] = False,
    force: Annotated[bool, typer.Option("--force", help=say("cli.help.force"))] = False,
    home: Annotated[Path | None, typer.Option(help=say("cli.help.home"), show_default=False)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=say("cli.help.quiet"))] = False,
) -> None:
    """Write a project into one zip file."""
    from teachable.project_zip import folder_names
    from teachable.projects.files import temporary_name
    from teachable.workflow import Workspace

    with Workspace(home or settings.home()) as workspace:
        info = find_project(workspace, project)
        target = out or Path(f"{folder_names([info.name])[0]}.zip")
        check_target(target, force)
        pieces = workspace.pack_photos(info.id) if photos else workspace.pack(info.id)
        temporary = temporary_name(target)
        try:
            with temporary.open("xb") as stream:
                for piece in pieces:
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            size = temporary.stat().st_size
            temporary.replace(target)
        except OSError as error:
            raise StorageFull("out_not_written", out=target) from error
        finally:
            temporary.unlink(missing_ok=True)
    if not quiet:
        typer.echo(say("cli.pack.written", project=info.name, out=target, megabytes=f"{size / 1e6:.1f}"))
