"""A small HTTP API for one model file, in the shape that Lobe's local API had.

It owns the routes, their limits and how photos arrive; what is on a photo is said by `teachable.runtime`. It runs as
`teachable serve-model`, and from a folder that was taken away, into which this file and those it imports are copied as
they are (`teachable.exporting.formats.server_folder`): so it imports nothing else than the runtime needs, Starlette
and uvicorn.
"""

import argparse
import asyncio
import base64
import binascii
import contextlib
import errno
import html
import json
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from teachable import __version__, connections, guards, images
from teachable.errors import InvalidInput, TeachableError, TooLarge
from teachable.model_guard import Guard
from teachable.resources import assets
from teachable.runtime import Classifier, Prediction
from teachable.words import say

log = logging.getLogger(__name__)

PORT = 38101
"""Where Lobe's local API listened."""

MOST_PHOTOS = 64
"""Photos in one request."""
MOST_WAITING = 16
"""Requests with photos that are read or wait for their turn; more are told to come back."""
BODY_SECONDS = 60
"""How long a body may take to arrive."""

_THREADS = min(4, os.cpu_count() or 1)
_GRACE_SECONDS = 5
_STATUS_KEYS = {404: "server_route", 405: "wrong_method"}

Result = TypeVar("Result")


class Busy(TeachableError):  # noqa: N818 - reads as what it is
    """More requests than can be worked on."""

    status: ClassVar[int] = 503


class WrongType(TeachableError):  # noqa: N818
    """A body of a kind that is no photo."""

    status: ClassVar[int] = 415


class Slow(TeachableError):  # noqa: N818
    """A body that does not arrive."""

    status: ClassVar[int] = 408


@dataclass(frozen=True)
class Photo:
    """A photo as it arrived.

    Attributes:
        name: of the file, or its place in the request.
        data: bytes of the file.
    """

    name: str
    data: bytes


def create_app(classifier: Classifier, host: str = "127.0.0.1", origins: Sequence[str] = ()) -> Starlette:
    """Return the API of a model.

    Args:
        classifier: what answers.
        host: name or address the server listens on; requests for other names are refused.
        origins: of pages elsewhere that may ask as well, `https://example.org` for one; `*` for all.
    """
    desk = _Desk(classifier)
    folder = assets() / "server"

    async def page(request: Request) -> Response:
        return HTMLResponse(_page(classifier.metadata.project))

    async def openapi(request: Request) -> Response:
        document = json.loads((folder / "openapi.json").read_text(encoding="utf-8"))
        document["info"]["version"] = __version__
        return JSONResponse(document)

    async def asset(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        kind = {".css": "text/css", ".mjs": "text/javascript"}[Path(name).suffix]
        return FileResponse(folder / name, media_type=f"{kind}; charset=utf-8")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        desk.close()

    routes = [
        Route("/", page),
        Route("/openapi.json", openapi),
        Route("/page.css", asset),
        Route("/page.mjs", asset),
        Route("/health", desk.health),
        Route("/labels", desk.labels),
        Route("/v1/predict", desk.predict, methods=["POST"]),
        Route("/v1/predict/{id:str}", desk.predict, methods=["POST"]),
        Route("/v1/predict-many", desk.predict_many, methods=["POST"]),
    ]
    guard = Middleware(Guard, host=host, origins=tuple(origins))
    cors = Middleware(CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=["*"])
    handlers: dict[Any, Any] = {TeachableError: _refused, HTTPException: _http, Exception: _unexpected}
    return Starlette(
        routes=routes, middleware=[guard, *([cors] if origins else [])], exception_handlers=handlers, lifespan=lifespan
    )


class _Desk:
    """Takes requests and has them worked on in a few threads, so that the server goes on answering meanwhile."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._threads = ThreadPoolExecutor(_THREADS, "predict")
        self._waiting = 0

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "project": self._classifier.metadata.project, "version": __version__})

    async def labels(self, request: Request) -> Response:
        return JSONResponse({"labels": list(dict.fromkeys(self._classifier.labels))})

    async def predict(self, request: Request) -> Response:
        with self._place():
            photos = await self._photos(request, "image")
            if len(photos) != 1:
                raise InvalidInput("server_one_photo", count=len(photos))
            return JSONResponse(await self._work(partial(self._ask, photos[0])))

    async def predict_many(self, request: Request) -> Response:
        with self._place():
            photos = await self._photos(request, "images")
            if len(photos) > MOST_PHOTOS:
                raise TooLarge("server_photos", count=len(photos), allowed=MOST_PHOTOS)
            # One after the other: other requests get their turn between.
            return JSONResponse({"results": [await self._work(partial(self._ask_kindly, one)) for one in photos]})

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Busy("server_busy")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def _work(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _photos(self, request: Request, field: str) -> list[Photo]:
        """Return the photos of a request, however they were sent."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                if kind == "multipart/form-data":
                    return await _uploads(request)
                body = await request.body()
        except TimeoutError as error:
            raise Slow("server_slow", seconds=BODY_SECONDS) from error
        if kind == "application/json" or kind.endswith("+json"):
            return await self._work(partial(_from_json, body, field))
        if kind.startswith("image/") or kind in {"", "application/octet-stream"}:
            return [Photo("photo", body)]
        raise WrongType("server_type", kind=kind[:80])

    def _ask(self, photo: Photo) -> dict[str, Any]:
        (found,) = self._classifier.predict(images.decode(photo.data, photo.name))
        return {"predictions": _ranked(found), **_unsure(found)}

    def _ask_kindly(self, photo: Photo) -> dict[str, Any]:
        """Return what is on a photo, or why it cannot be said: one bad photo must not spoil the others."""
        try:
            return {"name": photo.name, **self._ask(photo)}
        except TeachableError as error:
            return {"name": photo.name, **guards.error_body(error)}


def _ranked(found: Prediction) -> list[dict[str, Any]]:
    """Return label and confidence of every class, the most probable first."""
    ranked = sorted(found.probabilities.items(), key=lambda item: -item[1])
    return [{"label": label, "confidence": probability} for label, probability in ranked]


def _unsure(found: Prediction) -> dict[str, Any]:
    """Return how familiar a photo is, and whether that is enough; nothing where the model cannot say."""
    if found.familiarity is None or found.known is None:
        return {}
    return {"familiarity": found.familiarity, "known": found.known}


async def _uploads(request: Request) -> list[Photo]:
    """Return the files of a form, whatever its fields are called."""
    # The form stops at twice as many; up to there we can say how many came.
    async with request.form(max_files=2 * MOST_PHOTOS, max_fields=2 * MOST_PHOTOS) as form:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        return [Photo(file.filename or "photo", await file.read()) for file in files]


def _from_json(body: bytes, field: str) -> list[Photo]:
    """Return the photos of `{"image": "…"}` or `{"images": ["…"]}`."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("server_json") from error
    found = sent.get(field) if isinstance(sent, dict) else None
    texts = found if field == "images" else [found]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidInput("server_field", field=field)
    return [Photo(str(place) if field == "images" else "photo", _bytes(text)) for place, text in enumerate(texts, 1)]


def _bytes(text: str) -> bytes:
    """Return what a base64 text holds, with or without the head of a data address."""
    plain = re.sub(r"\Adata:[^,]{0,200},", "", text)
    try:
        return base64.b64decode(re.sub(r"\s", "", plain), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("server_base64") from error


def _page(project: str) -> str:
    """Return the page that shows what the server can do, with its words."""
    words = {
        "title": say("api.server.title", project=project) if project else say("api.server.untitled"),
        "about": say("api.server.about"),
        "choose": say("api.server.choose"),
        "failed": say("api.server.failed"),
        "unsure": say("api.server.unsure"),
        "routes": say("api.server.routes"),
        "description": say("api.server.description"),
        "example": say("api.server.example"),
    }
    template = (assets() / "server" / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: html.escape(words[found[1]]), template)


# Refusals, all in one form


def _answer(error: TeachableError, status: int | None = None, headers: Any = None) -> JSONResponse:
    again = {"Retry-After": "1"} if isinstance(error, Busy) else None
    return JSONResponse(guards.error_body(error), status or error.status, headers or again)


async def _refused(request: Request, error: TeachableError) -> Response:
    return _answer(error)


async def _http(request: Request, error: HTTPException) -> Response:
    key = _STATUS_KEYS.get(error.status_code)
    said = TeachableError(key) if key else InvalidInput("invalid_request", problem=error.detail)
    return _answer(said, error.status_code, error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    """Stay calm towards the caller; the server logs the error with its trace."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    return _answer(TeachableError("unexpected"), 500)


# Start and stop


def serve(
    app: Starlette, ready: Callable[[int], None], host: str, port: int, listening: socket.socket | None = None
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        app: of `create_app`.
        ready: called with the port once it answers.
        host: name or address to listen on.
        port: to listen on, 0 for any.
        listening: a socket that listens already; host and port are not looked at then.

    Raises:
        SystemExit: host and port cannot be listened on; the reason was logged.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready((sockets or self.servers[0].sockets)[0].getsockname()[1])

    config = uvicorn.Config(
        app,
        host,
        port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **connections.options(),
    )
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # The server ends by itself on both signals, and then raises them once more.
        with contextlib.suppress(KeyboardInterrupt):
            Server(config).run(sockets=[listening] if listening else None)
    finally:
        signal.signal(signal.SIGTERM, before)


def main(arguments: Sequence[str] | None = None, model: Path | None = None) -> None:
    """Serve a model from a folder that was taken away.

    Args:
        arguments: of the command line; those of this process if not given.
        model: which file to serve if the arguments name none.
    """
    parser = argparse.ArgumentParser(description=say("cli.help.serve_model"))
    parser.add_argument("model", nargs="?", type=Path, default=model, help=say("cli.help.model"))
    parser.add_argument("--host", default="127.0.0.1", help=say("cli.help.host"))
    parser.add_argument("--port", type=int, default=PORT, help=say("cli.help.serve_model_port"))
    parser.add_argument("--allow-origin", action="append", default=[], help=say("cli.help.allow_origin"))
    chosen = parser.parse_args(arguments)
    if chosen.model is None:
        parser.error(say("cli.serve_model.unnamed"))
    try:
        app = create_app(Classifier.load(chosen.model), chosen.host, chosen.allow_origin)
        listening = _listen(chosen.host, chosen.port)
    except TeachableError as error:
        parser.exit(2, f"{error}\n")
    except OSError:
        parser.exit(2, say("cli.serve_model.port_taken", port=chosen.port) + "\n")
    with listening:
        serve(app, partial(_tell, chosen.model, chosen.host), chosen.host, chosen.port, listening)


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        OSError: the port is taken.
        InvalidInput: no such host, or a port that may not be used.
    """
    name = host.strip("[]")
    try:
        return socket.create_server((name, port), family=socket.AF_INET6 if ":" in name else socket.AF_INET)
    except (OSError, OverflowError, UnicodeError) as error:
        code = error.errno if isinstance(error, OSError) else None
        if code == errno.EADDRINUSE:
            raise
        if code == errno.EACCES or isinstance(error, OverflowError):
            raise InvalidInput("port_forbidden", port=port) from error
        raise InvalidInput("host_not_here", host=host) from error


def _tell(model: Path, host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    sys.stderr.write(say("cli.serve_model.ready", file=model.name, address=f"http://{name}:{port}") + "\n")
    sys.stderr.flush()
