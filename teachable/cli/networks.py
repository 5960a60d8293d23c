"""`teachable networks`: the networks of this computer and those that can be brought to it.

Comparing them has a file of its own, `teachable.cli.comparison`.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from teachable import settings
from teachable.cli.comparison import compare
from teachable.errors import NotFound
from teachable.words import say

if TYPE_CHECKING:
    from teachable.installer import Installer
    from teachable.library import Library
    from teachable.types import NetworkInfo

FAILED = 2

_POLL_SECONDS = 0.1
_TITLE_WIDTH = 24
_MB = 1e6

Home = Annotated[Path | None, typer.Option(help=say("cli.help.home"))]


class Lists(TyperGroup):
    """Lists the networks when no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` before options that are not for the group."""
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


networks = typer.Typer(cls=Lists, help=say("cli.help.networks"), rich_markup_mode=None, add_completion=False)


@networks.command("list", help=say("cli.help.networks_list"))
def list_networks(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help=say("cli.help.json"))] = False,
) -> None:
    """List the networks, the built-in one first."""
    library, installer = _open(home)
    found = installer.networks().networks
    if as_json:
        typer.echo(json.dumps([asdict(info) for info in found], indent=2))
        return
    headings = (
        say("cli.networks.name"),
        say("cli.networks.title"),
        say("cli.networks.size"),
        say("cli.networks.here"),
        say("cli.networks.accuracy"),
        say("cli.networks.time"),
    )
    for row in (headings, *map(_row, found)):
        name, title, size, here, accuracy, time = row
        line = f"{name:<20}  {_short(title):<{_TITLE_WIDTH}}  {size:>5}  {here:<4}  {accuracy:>8}  {time:>6}"
        typer.echo(line.rstrip())
    typer.echo()
    typer.echo(say("cli.networks.legend", folder=library.folder))


@networks.command(help=say("cli.help.networks_fetch"))
def fetch(
    name: Annotated[str, typer.Argument(help=say("cli.help.network_name"), metavar="NAME")], home: Home = None
) -> None:
    """Fetch an official network."""
    library, installer = _open(home)
    try:
        record = library.find(name)
    except NotFound:
        installer.fetch(name)
        _follow(installer)
    else:
        typer.echo(say("cli.networks.here_already", title=library.title(record.id)))


@networks.command("import", help=say("cli.help.networks_import"))
def import_file(
    file: Annotated[Path, typer.Argument(help=say("cli.help.network_file"), metavar="FILE")], home: Home = None
) -> None:
    """Install a network from a file."""
    _, installer = _open(home)
    typer.echo(say("cli.networks.importing", file=file), err=True)
    installer.import_file(file, file.name)
    _follow(installer)


@networks.command(help=say("cli.help.networks_remove"))
def remove(
    name: Annotated[str, typer.Argument(help=say("cli.help.network_here"), metavar="NAME")],
    yes: Annotated[bool, typer.Option("--yes", help=say("cli.help.yes"))] = False,
    home: Home = None,
) -> None:
    """Remove a network, after saying which projects are taught with it."""
    library, installer = _open(home)
    id = library.removable(name)
    title = library.title(id)
    builtin = id == library.builtin().id
    users = [] if builtin else _users(home or settings.home(), id)
    if users:
        typer.echo(say("cli.networks.used", title=title, projects=", ".join(users)), err=True)
    # The built-in one is refused, whatever is answered.
    if builtin or yes or _agreed(title):
        installer.remove(id)
        typer.echo(say("cli.networks.removed", title=title))
        return
    typer.echo(say("cli.networks.kept"), err=True)
    raise typer.Exit(FAILED)


networks.command(help=say("cli.help.networks_compare"))(compare)


def _open(home: Path | None) -> tuple["Library", "Installer"]:
    from teachable.installer import Installer
    from teachable.library import Library

    library = Library(settings.networks_folder(home or settings.home()))
    return library, Installer(library, settings.offline())


def _row(info: "NetworkInfo") -> tuple[str, ...]:
    unknown = say("cli.networks.unknown")
    size = info.size_bytes if info.present else info.download_bytes
    return (
        f"{info.id} *" if info.recommended else info.id,
        info.title,
        f"{size / _MB:.0f}",
        say("cli.networks.yes" if info.present else "cli.networks.no"),
        unknown if info.accuracy is None else say("cli.networks.percent", value=f"{info.accuracy:.1f}"),
        unknown if info.native_factor is None else say("cli.networks.times", value=f"{info.native_factor:.1f}"),
    )


def _short(title: str) -> str:
    return title if len(title) <= _TITLE_WIDTH else f"{title[: _TITLE_WIDTH - 1]}…"


def _users(home: Path, id: str) -> list[str]:
    """Return the names of the projects that are taught with a network."""
    from teachable.projects import ProjectStore

    if not home.exists():
        return []
    store = ProjectStore(home)
    try:
        return [f"“{info.name}”" for info in store.list() if info.network and info.network.id == id]
    finally:
        store.close()


def _agreed(title: str) -> bool:
    try:
        return typer.confirm(say("cli.networks.remove", title=title), err=True)
    except typer.Abort:
        return False


def _follow(installer: "Installer") -> None:
    """Show how an installation goes on until it has ended, and say how it did."""
    begun = installer.state
    try:
        _watch(installer)
    except KeyboardInterrupt:
        installer.close()
        key = "cli.networks.stopped" if begun.id else "cli.networks.stopped_import"
        typer.echo(f"\n{say(key, id=begun.id)}", err=True)
        raise typer.Exit(FAILED) from None
    ended = installer.wait()
    if ended.state != "done":
        typer.echo(say("cli.error", message=ended.message), err=True)
        raise typer.Exit(FAILED)
    typer.echo(say("cli.networks.installed", title=ended.title, id=ended.id))


def _watch(installer: "Installer") -> None:
    """Show the size before anything comes, then a bar while it comes, then what is done with it."""
    now, told, sized = installer.state, "", False
    while True:
        if now.total and not sized:
            typer.echo(say("cli.networks.fetching", title=now.title, size=f"{now.total / _MB:.1f}"), err=True)
            sized = True
        if not now.running:
            return
        if now.state == "fetching" and now.done:
            _show_bytes(installer, now.total)
        elif now.state != told and now.state == "waiting":
            typer.echo(say("cli.networks.waiting"), err=True)
        elif now.state != told and now.state == "converting":
            typer.echo(say("cli.networks.converting"), err=True)
        told = now.state
        now = installer.wait(_POLL_SECONDS)


def _show_bytes(installer: "Installer", total: int) -> None:
    with typer.progressbar(length=total, file=sys.stderr) as bar:
        while (now := installer.wait(_POLL_SECONDS)).state == "fetching":
            bar.update(now.done - bar.pos)
        if now.state in {"converting", "done"}:
            bar.update(total - bar.pos)
