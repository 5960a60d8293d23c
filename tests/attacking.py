"""Requests as no browser sends them: every byte of the path is as it was asked for, nothing is tidied up."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]

NAMES = (
    "..",
    "../../secret.txt",
    "%2e%2e%2f%2e%2e%2fsecret.txt",
    "..%5c..%5csecret.txt",
    "/etc/passwd",
    "C:%5cWindows%5cwin.ini",
    "%00",
    "x" * 300,
    "y" * 9000,
    "-1",
    "9" * 25,
    "%ff%fe",
    "%25s%25n",
    "%0d%0aX-Evil:%201",
    "%3Cscript%3E",
    ".",
)
"""What somebody might put where an id belongs, as it stands in a URL."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    query: str = ""
    scheme: str = "http"
    client: str = "127.0.0.1"


def ask(app: Any, requests: Iterable[Asked], seen: Callable[[Asked, Answer], None]) -> int:
    """Send requests to an ASGI app, one after the other, tell of each answer, and return how many there were."""

    async def send_all() -> int:
        count = 0
        for request in requests:
            seen(request, await _answered(app, request))
            count += 1
        return count

    return asyncio.run(send_all())


async def _answered(app: Any, request: Asked) -> Answer:
    headers = [("host", "127.0.0.1:7860"), *request.headers]
    # A header that is given takes the place of the usual one.
    named = {name.lower() for name, _ in request.headers}
    headers = [pair for place, pair in enumerate(headers) if place or "host" not in named]
    scope: Json = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.scheme,
        "path": unquote(request.path),
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": (request.client, 50000),
        "server": ("127.0.0.1", 7860),
        "state": {},
    }
    given = False
    began: Json = {}
    body = b""
    ended = asyncio.Event()

    async def receive() -> Json:
        nonlocal given
        if given:
            await ended.wait()
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Json) -> None:
        nonlocal body
        if message["type"] == "http.response.start":
            began.update(message)
        elif message["type"] == "http.response.body":
            body += message.get("body", b"")
            if not message.get("more_body", False):
                ended.set()

    try:
        await app(scope, receive, send)
    except Exception:  # what the server logs with its trace; it has answered 500 before
        if not began:
            raise
    found = {name.decode().lower(): value.decode("latin-1") for name, value in began["headers"]}
    return Answer(began["status"], found, body)
