"""What of Gradio can be reached at all: what its page loads, and how it hears of events. Everything else is not there.

Gradio brings routes of its own for files of the computer, uploads, functions by name, other servers and monitoring. The
page uses none of them, and what is not there cannot be misused, whoever asks.
"""

import re

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from teachable.errors import NotFound
from teachable.guards import error_body

# Names as build tools give them to files; the longest has 65 letters.
_FILE = r"[A-Za-z0-9_@+][A-Za-z0-9._@+-]{0,99}"
_FILES = rf"(?:{_FILE}/){{0,8}}{_FILE}"
_READ = (
    *("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", "/pwa_icon"),
    *(r"/pwa_icon/[1-9]\d{0,3}", rf"/assets/{_FILES}", rf"/svelte/{_FILES}", rf"/static/{_FILES}"),
    *(r"/gradio_api/heartbeat/\w{1,64}", "/gradio_api/queue/data", "/gradio_api/startup-events"),
)
_SENT = ("/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset")
_PATTERNS = {method: re.compile("|".join(paths)) for method, paths in (("GET", _READ), ("POST", _SENT))}


class Surface:
    """ASGI middleware that lets nothing through but our own routes and the few of Gradio's that the page needs.

    Args:
        app: all routes there are.
        own: paths of ours; one that ends in `/` stands for everything below it.
    """

    def __init__(self, app: ASGIApp, own: tuple[str, ...]) -> None:
        self._app = app
        self._paths = frozenset(own)
        self._below = tuple(path for path in own if path.endswith("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or say that there is nothing."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._is_there(scope["method"], scope["path"])):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "unknown_route"})
            return
        error = NotFound("unknown_route")
        response: Response
        if scope["path"].startswith("/gradio_api/"):
            response = JSONResponse(error_body(error), error.status)
        else:
            response = PlainTextResponse(str(error), error.status)
        await response(scope, receive, send)

    def _is_there(self, method: str, path: str) -> bool:
        if path in self._paths or path.startswith(self._below):
            return True
        pattern = _PATTERNS.get("GET" if method == "HEAD" else method)
        return pattern is not None and pattern.fullmatch(path) is not None
