"""Opening a classroom: the room, its certificate, and what the teacher is told in the terminal."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from teachable import addresses, certificates
from teachable.certificates import Certificate
from teachable.classroom.room import FOLDER, Room
from teachable.settings import VisitorLimits
from teachable.words import say
from teachable.workflow import Workspace


@dataclass(frozen=True)
class Options:
    """What a person chose for a classroom.

    Attributes:
        password: the teacher's, or None to have one made.
        limits: what each visitor may use.
        name: of the classroom.
        encrypted: connections are; without that browsers give no camera.
    """

    password: str | None = None
    limits: VisitorLimits = field(default_factory=VisitorLimits)
    name: str = ""
    encrypted: bool = True


@dataclass(frozen=True)
class Opened:
    """A classroom that can be served.

    Attributes:
        room: the classroom.
        certificate: it is served with, or None where it is served in the open.
    """

    room: Room
    certificate: Certificate | None


def open_room(workspace: Workspace, home: Path, host: str, port: int, options: Options) -> Opened:
    """Open a classroom.

    Args:
        workspace: what everybody works on.
        home: folder of the projects.
        host: name or address the server listens on.
        port: it listens on.
        options: what was chosen.

    Raises:
        InvalidInput: the password is too short.
        InstallationError: the certificate cannot be written.
    """
    room = Room(workspace, home, options.password, options.limits, options.name)
    # Asked for again and again: a laptop that woke up in another network has another address.
    room.find_address = lambda: addresses.url(addresses.network_name(host), port)
    reached = addresses.network_name(host)
    certificate = None
    if options.encrypted:
        room.secure = True
        certificate = certificates.ensure(home / FOLDER, (reached, *addresses.own_names()))
    return Opened(room, certificate)


def tell(opened: Opened, here: str, home: Path, announce: Callable[[str], None]) -> None:
    """Tell the teacher where everybody goes.

    Args:
        opened: the classroom.
        here: address of the server on this computer.
        home: folder of the projects.
        announce: shows lines to the person.
    """
    room = opened.room
    announce(say("cli.classroom.teacher", address=f"{here}/classroom"))
    known = room.password or say("cli.classroom.password_given")
    announce(say("cli.classroom.password", password=known))
    announce(say("cli.classroom.join", address=room.address))
    code = _drawn(room.address)
    if code:
        announce(code)
    if opened.certificate is None:
        announce(say("cli.classroom.in_the_open"))
    else:
        announce(say("cli.classroom.warning", start=opened.certificate.fingerprint[:23]))
        if opened.certificate.renewed:
            announce(say("cli.classroom.renewed"))
    announce(say("cli.classroom.ready", home=home))


def _drawn(address: str) -> str:
    """Return a QR code in characters, or nothing where the terminal cannot show it."""
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower()
    if not sys.stdout.isatty() or not encoding.startswith("utf"):
        return ""
    import segno

    drawing = io.StringIO()
    segno.make(address, micro=False, error="l").terminal(drawing, border=2, compact=True)
    return drawing.getvalue()
