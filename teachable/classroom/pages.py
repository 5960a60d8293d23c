"""The pages of a classroom: joining, the teacher's, and why browsers warn. They hold no data, only where to load it."""

import html
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from teachable.errors import InstallationError
from teachable.resources import assets

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self' 'unsafe-inline'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}


def routes(static: str) -> list[Route]:
    """Return the routes of the pages.

    Args:
        static: address of the static files, `/static/<digest>`.

    Raises:
        InstallationError: a page is missing.
    """
    return [
        Route("/join", _endpoint("join", "join", static)),
        Route("/join/help", _endpoint("help", "help", static)),
        Route("/classroom", _endpoint("teacher", "room", static)),
    ]


def explaining(static: str) -> ASGIApp:
    """Return what answers whoever comes without encryption: why a warning comes next, and the way on."""
    template = _template("help", "help", static)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # The guards let only names of this server pass.
        host = Headers(scope=scope).get("host", "")
        page = _filled(template, f"https://{quote(host, safe=':[].-_')}/join")
        await HTMLResponse(page, headers=_HEADERS)(scope, receive, send)

    return answer


def _endpoint(script: str, style: str, static: str) -> Callable[[Request], Awaitable[Response]]:
    template = _template(script, style, static)

    async def page(request: Request) -> Response:
        return HTMLResponse(_filled(template, ""), headers=_HEADERS)

    return page


def _template(script: str, style: str, static: str) -> str:
    """Return the frame that all of them have, with what one of them loads."""
    path = assets() / "classroom" / "page.html"
    if not path.is_file():
        raise InstallationError("assets_missing", folder="classroom")
    frame = path.read_text(encoding="utf-8")
    return frame.replace("@static", static).replace("@script", script).replace("@style", style)


def _filled(template: str, secure: str) -> str:
    return template.replace("@secure", html.escape(secure, quote=True))
