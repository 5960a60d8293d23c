"""Puts page, REST API and static files into one app and serves it. It owns ports, start and stop, not the content.

The app is mounted under uvicorn directly rather than through `Blocks.launch()`: the port is taken before the slow
imports begin and cannot be lost between, and starting makes no request, to this computer or another.
"""

import asyncio
import contextlib
import ctypes
import errno
import faulthandler
import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from teachable import home_lock
from teachable.addresses import network_name, url
from teachable.errors import Conflict, InvalidInput
from teachable.guards import is_loopback
from teachable.words import say

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from teachable.certificates import Certificate
    from teachable.classroom import Opened, Options, Room
    from teachable.classroom.entrance import Entrance
    from teachable.workflow import Workspace

log = logging.getLogger(__name__)

FIRST_PORT = 7860
PORTS_TRIED = 100

# Open pages hold a connection that only ends when they are told; what else is running gets this long to finish.
_GRACE_SECONDS = 3
# Stopping takes a second. Whatever takes so long is stuck.
_STUCK_SECONDS = 15
# Number of that parameter in glibc's malloc.h.
_MMAP_THRESHOLD = -3


def create_app(workspace: "Workspace", host: str = "127.0.0.1", room: "Room | None" = None) -> "FastAPI":
    """Return the whole app: page at `/`, API at `/api/v1`, files at `/static`, all behind the guards.

    Args:
        workspace: what everything works on; it is not closed here.
        host: name or address the server listens on.
        room: the classroom that is served, if one is: then nothing is reached but through its gate.

    Raises:
        InstallationError: a part of the page is missing.
    """
    from teachable import static

    bundle = static.collect()
    _keep_gradio_quiet()
    import gradio
    from fastapi import FastAPI
    from starlette.middleware import Middleware
    from starlette.routing import Mount

    from teachable import api, settings, ui
    from teachable.classroom import pages
    from teachable.classroom.gate import Gate
    from teachable.guards import Guard
    from teachable.surface import Surface

    middleware = [Middleware(Guard, bound=host)]
    own = []
    if room is not None:
        # Before what says that there is nothing: strangers learn only that they may not.
        middleware.append(Middleware(Gate, room=room, static=bundle.address, explains=pages.explaining(bundle.address)))
        own = pages.routes(bundle.address)
    ours = (f"{api.PREFIX}/", f"{bundle.address}/", *(route.path for route in own))
    middleware.append(Middleware(Surface, own=ours))
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        routes=[Mount(api.PREFIX, api.create(workspace, host, room)), Mount(bundle.address, bundle.app()), *own],
        middleware=middleware,
    )
    page = ui.build(workspace, static=bundle.address, room=room)
    mounted: FastAPI = gradio.mount_gradio_app(
        app,
        page,
        path="/",
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        max_file_size=settings.limits().photo_bytes,
        run_history=False,
        mcp_server=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        **ui.launch_options(bundle.address),
    )
    return mounted


def serve(
    home: Path,
    host: str,
    port: int | None,
    browser: bool,
    announce: Callable[[str], None],
    offline: bool = False,
    classroom: "Options | None" = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM, then close everything.

    Args:
        home: folder with the projects.
        host: name or address to listen on.
        port: to listen on; without one, the first free from 7860.
        browser: whether to open one.
        announce: shows a line to the person.
        offline: whether nothing may be fetched; without it, the recommended network is once the page is ready.
        classroom: how to serve many people, each with projects of their own; without it whoever comes can do all.

    Raises:
        TeachableError: the port is taken, the host is not of this computer, the home cannot be used or another server
            uses it, a part is missing.
    """
    return_memory()
    scheme = "https" if classroom is not None and classroom.encrypted else "http"
    with (
        _told_to_stop(),
        open_socket(host, port) as listening,
        home_lock.held(home, local_address(host, listening, scheme)),
    ):
        address = local_address(host, listening, scheme)
        announce(say("cli.serve.starting"))
        if classroom is None and not is_loopback(host.strip("[]").lower()):
            announce(say("cli.serve.open_to_network", host=host))
            announce(say("cli.serve.network_address", address=_network_address(host, listening)))
        try:
            _run(home, host, listening, offline, announce, _Ready(address, home, browser, announce), classroom)
        except KeyboardInterrupt:
            log.debug("told to stop")
        finally:
            faulthandler.cancel_dump_traceback_later()
        announce(say("cli.serve.stopped"))


def _run(
    home: Path,
    host: str,
    listening: socket.socket,
    offline: bool,
    announce: Callable[[str], None],
    ready: "_Ready",
    classroom: "Options | None",
) -> None:
    import uvicorn

    from teachable import connections
    from teachable.workflow import Workspace

    class Server(uvicorn.Server):
        entrance: "Entrance | None" = None

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                if opened is not None and opened.certificate is not None:
                    self.entrance = _open_entrance(self, listening, opened.certificate)
                ready.tell(opened)
                _fetch_recommended(workspace, announce)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            _end_at_last()
            _end_streams(app)
            if self.entrance is not None:
                self.entrance.close()
            await super().shutdown(sockets)

    with Workspace(home, offline=offline) as workspace:
        opened = _open_room(workspace, home, host, listening, classroom)
        app = create_app(workspace, host, opened.room if opened else None)
        config = uvicorn.Config(
            app,
            log_level="warning",
            # What asks for a page is the person's own business.
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            **connections.options(),
        )
        # What comes through the entrance is handed on one by one.
        direct = opened is None or opened.certificate is None
        Server(config).run(sockets=[listening] if direct else [])


def _open_room(
    workspace: "Workspace", home: Path, host: str, listening: socket.socket, classroom: "Options | None"
) -> "Opened | None":
    if classroom is None:
        return None
    from teachable.classroom import opening

    return opening.open_room(workspace, home, host, listening.getsockname()[1], classroom)


def _open_entrance(server: "uvicorn.Server", listening: socket.socket, certificate: "Certificate") -> "Entrance":
    from teachable.classroom.entrance import Entrance

    config = server.config

    def speak() -> asyncio.Protocol:
        made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
            config=config, server_state=server.server_state, app_state=server.lifespan.state
        )
        return made

    return Entrance(listening, speak, certificate.context(), asyncio.get_running_loop())


def _end_streams(app: "FastAPI") -> None:
    """Tell open pages that the server stops; Gradio would keep their connections for good."""
    from gradio.routes import App
    from starlette.routing import Mount

    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, App):
            route.app.stop_event.set()


@dataclass(frozen=True)
class _Ready:
    """What is said and done once the server answers.

    Attributes:
        address: of the server on this computer.
        home: folder with the projects.
        browser: whether to open one.
        announce: shows a line to the person.
    """

    address: str
    home: Path
    browser: bool
    announce: Callable[[str], None]

    def tell(self, opened: "Opened | None") -> None:
        page = self.address
        if opened is None:
            self.announce(say("cli.serve.ready", address=self.address, home=self.home))
        else:
            from teachable.classroom import opening

            opening.tell(opened, self.address, self.home, self.announce)
            page = f"{self.address}/classroom"
        if self.browser:
            # A text browser in the terminal would hold the server up until it is left.
            threading.Thread(target=webbrowser.open, args=(page,), name="open-browser", daemon=True).start()


def _fetch_recommended(workspace: "Workspace", announce: Callable[[str], None]) -> None:
    """Have the recommended network come in the background, if it is wanted and not here, and say so."""
    if workspace.networks.start_automatic():
        now = workspace.networks.state
        announce(say("cli.serve.fetching", title=now.title, size=f"{now.total / 1e6:.0f}"))
        # The thread of the installation ends by itself or with the workspace, and this one with it.
        threading.Thread(target=_tell_the_end, args=(workspace, announce), name="tell-fetched", daemon=True).start()


def _tell_the_end(workspace: "Workspace", announce: Callable[[str], None]) -> None:
    ended = workspace.networks.wait()
    if ended.state == "done":
        announce(say("cli.serve.fetched", title=ended.title))
    elif ended.state == "failed":
        announce(say("cli.serve.not_fetched", title=ended.title, message=ended.message))


def open_socket(host: str, port: int | None) -> socket.socket:
    """Return a listening socket, so that the port is ours from now on.

    Args:
        host: name or address of this computer.
        port: to listen on, 0 for any; without one, the first free from 7860.

    Raises:
        Conflict: the port is taken.
        InvalidInput: no such host, or a port that may not be used.
    """
    wanted = range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port is None else [port]
    for number in wanted:
        try:
            return _listen(host, number)
        except (OSError, UnicodeError) as error:
            code = error.errno if isinstance(error, OSError) else None
            if code == errno.EADDRINUSE:
                continue
            if code == errno.EACCES:
                raise InvalidInput("port_forbidden", port=number) from error
            raise InvalidInput("host_not_here", host=host) from error
    if port is None:
        raise Conflict("ports_taken", first=FIRST_PORT, last=FIRST_PORT + PORTS_TRIED - 1)
    raise Conflict("port_taken", port=port)


def _listen(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # "localhost" is often both; IPv4 is what browsers try in the end, and what Gradio prints.
    family, kind, protocol, _, where = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            # A restart right after a stop finds the port free. On Windows the option would let two servers share it.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(128)
    except BaseException:
        listening.close()
        raise
    return listening


def local_address(host: str, listening: socket.socket, scheme: str = "http") -> str:
    """Return the address a person on this computer opens."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    name = host.strip("[]")
    return _url(here.get(name, name), listening, scheme)


def _network_address(host: str, listening: socket.socket) -> str:
    """Return the address a person on another device opens."""
    return _url(network_name(host), listening)


def _url(name: str, listening: socket.socket, scheme: str = "http") -> str:
    port: int = listening.getsockname()[1]
    return url(name, port, scheme)


@contextlib.contextmanager
def _told_to_stop() -> Iterator[None]:
    """Make SIGTERM end things as Ctrl-C does, with everything closed. Only the main thread may change signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_at_last() -> None:
    """Have this process ended should stopping get stuck, with what each thread was doing in its error output.

    Whoever stops it wants port and home folder back. Nothing is lost: what was acknowledged is on the disk.
    """
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(_STUCK_SECONDS, file=sys.__stderr__, exit=True)


def return_memory() -> None:
    """Have every block of a megabyte and more given back to the system when it is freed, where the C library is glibc.

    By itself it keeps ever larger ones for later (`mallopt(3)`, "dynamic mmap threshold"), so that of each network that
    was loaded, written into a model or compared, some hundred megabytes would stay until the program ends.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library knows no such call
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 2**20)


def _keep_gradio_quiet() -> None:
    """Switch off what Gradio and the hub client would send; they read this when they are imported."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
