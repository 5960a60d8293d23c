"""A server on this computer that hands out weights as torchvision's does, and fails in every way that servers fail.

Files are named as torchvision names them, `name-<first 8 hex digits of the SHA-256>.pth`. It knows ranges and ETags. A
test puts `faults` in the way of the next requests, one each.
"""

import hashlib
import io
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

CHUNK = 64 * 1024


@dataclass(frozen=True)
class Asked:
    """One request: the name of the file and the headers that matter."""

    name: str
    range: str | None
    if_range: str | None


Fault = Callable[["Handler", bytes], None]


class WeightsServer:
    """Serves until it is left.

    Attributes:
        url: address of the folder with the files.
        files: by name.
        faults: what happens to the next requests instead of a right answer.
        asked: requests so far.
        closing: set when the server is left; faults that wait look at it.
        sends_tags: whether answers carry an ETag.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: deque[Fault] = deque()
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self.sends_tags = True
        owner = self

        class Bound(Handler):
            server_of = owner

        self._server = _Quiet(("127.0.0.1", 0), Bound)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/models"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> "WeightsServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak https from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def add(self, stem: str, data: bytes) -> str:
        """Serve a file; return its name."""
        name = f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}.pth"
        self.files[name] = data
        return name

    def address(self, name: str) -> str:
        return f"{self.url}/{name}"


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever gives up a download closes the connection; that is no news."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server_of: WeightsServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        server = self.server_of
        name = self.path.rpartition("/")[2]
        server.asked.append(Asked(name, self.headers.get("Range"), self.headers.get("If-Range")))
        data = server.files.get(name)
        if server.faults:
            server.faults.popleft()(self, data or b"")
        elif data is None:
            self.begin(404, 0)
        else:
            self.answer(data)

    def answer(self, data: bytes, *, ranges: bool = True, upto: int | None = None) -> None:
        """Answer rightly; with `upto`, break off behind that byte of the file."""
        start = self.start(data) if ranges else 0
        if start is None:
            self.begin(416, 0, {"Content-Range": f"bytes */{len(data)}"})
        elif start:
            self.begin(206, len(data) - start, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}, data)
            self.send(data[start:upto])
        else:
            self.begin(200, len(data), {}, data)
            self.send(data[:upto])

    def start(self, data: bytes) -> int | None:
        """The byte to begin with; None if there is no such."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if not found or (condition is not None and condition != tag(data)):
            return 0
        return int(found[1]) if int(found[1]) < len(data) else None

    def begin(
        self, status: int, length: int | None, headers: dict[str, str] | None = None, data: bytes | None = None
    ) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if data is not None and self.server_of.sends_tags:
            self.send_header("ETag", tag(data))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def send(self, data: bytes) -> None:
        for place in range(0, len(data), CHUNK):
            self.wfile.write(data[place : place + CHUNK])
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Nothing to say."""


def tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:16]}"'


# Faults


def cut(at: int) -> Fault:
    """Break the connection behind byte `at` of the file."""
    return lambda handler, data: handler.answer(data, upto=at)


def without_ranges(handler: Handler, data: bytes) -> None:
    """Send everything, whatever part was asked for."""
    handler.answer(data, ranges=False)


def status(code: int, **headers: str) -> Fault:
    """Answer with a status and headers, `Location` for one, and nothing else."""
    return lambda handler, data: handler.begin(code, 0, headers)


def page(handler: Handler, data: bytes) -> None:
    """Send a page of text in place of the file, as networks do that want a login."""
    text = b"<html>Please log in</html>"
    handler.begin(200, len(text), {"Content-Type": "text/html"})
    handler.send(text)


def stated(length: int | None) -> Fault:
    """Say another length than the file has, or none."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.begin(200, length)
        handler.send(data)

    return answer


def endless(handler: Handler, data: bytes) -> None:
    """Send for ever, without saying a length."""
    handler.begin(200, None)
    while not handler.server_of.closing.is_set():
        handler.send(bytes(CHUNK))


def damaged(handler: Handler, data: bytes) -> None:
    """Send a file of the same length in which one byte is another."""
    handler.begin(200, len(data), {})
    handler.send(bytes([data[0] ^ 1]) + data[1:])


@dataclass
class Stall:
    """Sends the file up to a byte and then nothing, until it is let go or the server is left.

    Attributes:
        at: bytes of the file that are sent.
        reached: set when they were.
        go: set it to have the rest sent.
    """

    at: int

    def __post_init__(self) -> None:
        self.reached = threading.Event()
        self.go = threading.Event()

    def __call__(self, handler: Handler, data: bytes) -> None:
        start = handler.start(data) or 0
        extra = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        handler.begin(206 if start else 200, len(data) - start, extra, data)
        handler.send(data[start : self.at])
        self.reached.set()
        while not self.go.wait(0.02):
            if handler.server_of.closing.is_set():
                return
        handler.send(data[max(start, self.at) :])


def silent(handler: Handler, data: bytes) -> None:
    """Take the request and never answer."""
    handler.server_of.closing.wait()


# Files


@cache
def random_weights(architecture: str, seed: int = 0) -> bytes:
    """A weights file as torchvision publishes them, of a network that was never trained."""
    import torch
    from torchvision.models import get_model

    torch.manual_seed(seed)
    stream = io.BytesIO()
    torch.save(get_model(architecture, weights=None).state_dict(), stream)
    return stream.getvalue()
