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
        Route("/join", _endpoint("join.html", static)),
        Route("/join/help", _endpoint("help.html", static)),
        Route("/classroom", _endpoint("teacher.html", static)),
    ]


def explaining(static: str) -> ASGIApp:
    """Return what answers whoever comes without encryption: why a warning comes next, and the way on."""
    template = _template("help.html", static)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # The guards let only names of this server pass.
        host = Headers(scope=scope).get("host", "")
        page = _filled(template, f"https://{quote(host, safe=':[].-_')}/join")
        await HTMLResponse(page, headers=_HEADERS)(scope, receive, send)

    return answer


def _endpoint(name: str, static: str) -> Callable[[Request], Awaitable[Response]]:
    template = _template(name, static)

    async def page(request: Request) -> Response:
        return HTMLResponse(_filled(template, ""), headers=_HEADERS)

    return page


def _template(name: str, static: str) -> str:
    path = assets() / "classroom" / name
    if not path.is_file():
        raise InstallationError("assets_missing", folder="classroom")
    return path.read_text(encoding="utf-8").replace("@static", static)


def _filled(template: str, secure: str) -> str:
    return template.replace("@secure", html.escape(secure, quote=True))
