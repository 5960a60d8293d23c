"""What stands between the network and the app: who may ask, from which page, and how much they may send.

A server on one's own computer can be reached by every web page that is open there. Three checks keep strangers out:
the `Host` must be a name of this server (a rebound DNS name is not), the `Origin` must be the page's own, and a body
must end. They are pure ASGI, so that they cover Gradio's routes as well and leave streaming alone. Who may see which
project is not decided here.
"""

import asyncio
import ipaddress
import logging
import re
import socket
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from teachable import settings
from teachable.errors import Forbidden, InvalidInput, TeachableError, TooLarge, TooSlow

log = logging.getLogger(__name__)

# A body that is no upload is JSON: 100,000 sample ids are 1 MB.
JSON_BYTES = 8 * 2**20
# Part headers and boundaries of an upload, on top of the photos.
MULTIPART_SLACK = 2**20

# A body may take its time on a bad network, but must go on: so long is waited for the next bytes, and all together so
# long, and a second more for each so many bytes that came.
IDLE_SECONDS = 60.0
SLOWEST_BYTES = 1000

IMPORTS = "/api/v1/imports"
"""Where files of any size are sent to; they go to the disk as they come."""

_DATA = ("/api/", "/gradio_api/")
_HOST = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def error_body(error: TeachableError) -> dict[str, Any]:
    """Return the JSON that every refusal carries."""
    return {"error": {"key": error.key, "message": str(error), "values": error.values}}


def is_loopback(host: str) -> bool:
    """Say whether `host`, a name or an address without brackets, can only be this computer."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware that refuses what does not belong here and adds headers that browsers obey.

    Args:
        app: what is guarded.
        bound: host name or address the server listens on.
    """

    def __init__(self, app: ASGIApp, bound: str = "127.0.0.1") -> None:
        self._app = app
        self._bound = bound.strip("[]").lower()
        # Open to the network, this computer is known under all its addresses and its own name. An address cannot be
        # rebound, and a foreign name is still refused.
        self._open = not is_loopback(self._bound)
        own = socket.gethostname().lower()
        # What the network calls it may be long: "laptop.school.example" answers to "laptop.local".
        short = own.partition(".")[0]
        self._own_names: Collection[str] = {own, f"{own}.local", short, f"{short}.local"} if self._open else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request and pass it on, or answer with the reason."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self.check_host(headers)
            _check_origin(scope, headers)
            limit = _check_length(scope, headers)
        except TeachableError as error:
            log.info("refused %s %s: %s", scope.get("method", scope["type"]), scope["path"], error.key)
            await _refuse(error, scope, receive, send)
            return
        if scope["type"] == "http":
            await _Exchange(receive, with_headers(send, _HEADERS), limit).run(self._app, scope)
        else:
            await self._app(scope, receive, send)

    def check_host(self, headers: Headers) -> None:
        """Go on only if a request names this server.

        Raises:
            Forbidden: it names another one.
            TeachableError: it names none.
        """
        named = headers.getlist("host")
        parsed = _HOST.fullmatch(named[0].lower()) if len(named) == 1 else None
        if parsed is None:
            raise TeachableError("host_missing")
        host = parsed["host"].strip("[]").rstrip(".")
        if not (
            is_loopback(host)
            or host == self._bound
            or host in self._own_names
            or host in settings.allowed_hosts()
            or (self._open and _is_address(host))
        ):
            raise Forbidden("host_unknown_here", host=host)


class _Exchange:
    """One request whose body is counted and timed while it arrives; too much, or too slow, and it is refused."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._received = 0
        self._waited = 0.0
        self._ended = False
        self._started = False
        self._error: TooLarge | TooSlow | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._take, self._give)
        except (TooLarge, TooSlow):
            if self._error is None:
                raise
        if self._error is not None and not self._started:
            await _refuse(self._error, scope, self._receive, self._send)

    async def _take(self) -> Message:
        message = await (self._receive() if self._ended else self._next())
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            self._error = _too_large(self._limit)
            raise self._error
        return message

    async def _next(self) -> Message:
        """Return what comes next of a body, if it comes in time. What the app itself takes is not counted."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(min(IDLE_SECONDS, self._left())):
                return await self._receive()
        except TimeoutError as error:
            self._error = TooSlow("request_slow")
            raise self._error from error
        finally:
            self._waited += loop.time() - began

    def _left(self) -> float:
        return max(0.0, IDLE_SECONDS + self._received / SLOWEST_BYTES - self._waited)

    async def _give(self, message: Message) -> None:
        # What the app makes of a body that was cut off is not the answer; ours is.
        if self._error is not None and not self._started:
            return
        self._started = True
        await self._send(message)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_origin(scope: Scope, headers: Headers) -> None:
    """Refuse what another site's page sends here, except that a person follows a link to our page."""
    reading = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
    data = scope["path"].startswith(_DATA)
    navigating = reading and headers.get("sec-fetch-mode") == "navigate"
    origin = headers.get("origin")
    if origin is not None and not same_origin(origin, headers["host"]) and (data or not navigating):
        raise Forbidden("origin_foreign", origin=origin)
    cross_site = headers.get("sec-fetch-site") == "cross-site"
    if cross_site and (not reading or (data and not navigating)):
        raise Forbidden("origin_foreign", origin=origin or "cross-site")


def same_origin(origin: str, host: str) -> bool:
    """Say whether an `Origin` and a `Host` header name the same host and port."""
    try:
        page = urlsplit(origin)
        here = urlsplit(f"//{host}")
        default = _PORTS[page.scheme]
        return (page.hostname, page.port or default) == (here.hostname, here.port or default)
    except (ValueError, KeyError):
        return False


def _check_length(scope: Scope, headers: Headers) -> int:
    """Return how many bytes the body may have, after a look at how many it says it has."""
    if scope["path"] == IMPORTS:
        limit = settings.limits().archive_bytes
    elif headers.get("content-type", "").lower().startswith("multipart/form-data"):
        limit = settings.limits().batch_bytes + MULTIPART_SLACK
    else:
        limit = JSON_BYTES
    stated = headers.get("content-length")
    if stated is not None:
        if not re.fullmatch("[0-9]{1,18}", stated):
            raise InvalidInput("invalid_request", problem="Content-Length")
        if int(stated) > limit:
            raise _too_large(limit)
    return limit


def _too_large(limit: int) -> TooLarge:
    if limit == settings.limits().archive_bytes:
        return TooLarge("import_bytes", allowed=f"{limit / 2**30:g}")
    return TooLarge("request_bytes", allowed=limit // 2**20)


def with_headers(send: Send, added: Mapping[str, str]) -> Send:
    """Return a `send` that adds headers to an answer, but for those it has already."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in added.items():
                headers.setdefault(name, value)
        await send(message)

    return wrapped


async def _refuse(error: TeachableError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": error.key})
        return
    response: Response
    if scope["path"].startswith(_DATA):
        response = JSONResponse(error_body(error), error.status)
    else:
        response = PlainTextResponse(str(error), error.status)
    await response(scope, receive, send)
