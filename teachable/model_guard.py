"""Who may ask a model server, and how much they may send.

The `Host` must be a name of this server, the `Origin` its own page or one that was allowed, and a body must end. What
counts as a name of this server is decided in `teachable.guards`.
"""

import logging
import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from teachable import guards
from teachable.errors import Forbidden, TeachableError, TooLarge

log = logging.getLogger(__name__)

LARGEST_BODY = 64 * 2**20
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


class Guard:
    """ASGI middleware that refuses what does not belong here and adds headers that browsers obey.

    Args:
        app: what is guarded.
        host: name or address the server listens on.
        origins: of pages elsewhere that may ask as well; `*` for all.
    """

    def __init__(self, app: ASGIApp, host: str, origins: Sequence[str]) -> None:
        self._app = app
        self._hosts = guards.Guard(app, host)
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request and pass it on, or answer with the reason."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        send = guards.with_headers(send, _HEADERS)
        try:
            self._check(headers)
        except TeachableError as error:
            log.info("refused %s %s: %s", scope["method"], scope["path"], error.key)
            await JSONResponse(guards.error_body(error), error.status)(scope, receive, send)
            return
        await self._app(scope, _counted(receive), send)

    def _check(self, headers: Headers) -> None:
        self._hosts.check_host(headers)
        origin = headers.get("origin")
        allowed = "*" in self._origins or origin in self._origins
        if origin is not None and not allowed and not guards.same_origin(origin, headers["host"]):
            raise Forbidden("server_origin", origin=origin[:200])
        stated = headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,18}", stated) or int(stated) > LARGEST_BODY:
            raise _too_large()


def _counted(receive: Receive) -> Receive:
    received = 0

    async def take() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST_BODY:
            raise _too_large()
        return message

    return take


def _too_large() -> TooLarge:
    return TooLarge("server_body", allowed=LARGEST_BODY // 2**20)
