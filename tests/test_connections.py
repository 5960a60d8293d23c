"""Connections: who sends nothing, or a head that never ends, is let go and keeps nobody out."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from teachable import connections, guards


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A guarded server that has little patience."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(guards, "IDLE_SECONDS", 0.3)
    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])], middleware=[Middleware(guards.Guard)])
    options = connections.options() | {"log_level": "critical", "lifespan": "off", "timeout_keep_alive": 0.3}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            found += piece
    return found


def drip(connection: socket.socket, piece: bytes) -> int:
    """Send a few bytes now and then until the server has enough of it; return how often."""
    connection.settimeout(0.05)
    for times in range(200):
        try:
            connection.sendall(piece)
            if not connection.recv(65536):
                return times
        except TimeoutError:
            continue
        except ConnectionError:
            return times
    raise AssertionError("it goes on for good")


def test_who_says_nothing_is_let_go(port: int) -> None:
    with connect(port) as silent:
        assert rest(silent) == b""


def test_a_head_that_never_ends_is_let_go_and_others_are_answered(port: int) -> None:
    with connect(port) as slow, connect(port) as other:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        other.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert rest(other).startswith(b"HTTP/1.1 200")
        assert drip(slow, b"X-A: b\r\n") < 60


def test_a_second_head_that_never_ends_is_let_go_too(port: int) -> None:
    with connect(port) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        found = b""
        while b"0 bytes" not in found:
            found += slow.recv(65536)
        assert drip(slow, b"X") < 60


def test_a_head_larger_than_any_is_refused(port: int) -> None:
    with connect(port) as large:
        with contextlib.suppress(ConnectionError):
            large.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 2_000_000)
        assert b"200" not in rest(large)[:20]


def test_a_body_that_stops_coming_is_answered_in_words(port: int) -> None:
    with connect(port) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        answered = slow.recv(65536) + rest(slow)
        assert answered.startswith(b"HTTP/1.1 408")
        assert b"did not come" in answered


def test_a_body_that_drips_is_ended(port: int) -> None:
    """Each byte comes in time, all together take too long; and what still drips after the answer is let go."""
    with connect(port) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert drip(slow, b"1\r\na\r\n") < 100


def test_sockets_are_not_spoken(port: int) -> None:
    head = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    with connect(port) as wanting:
        wanting.sendall(f"GET / HTTP/1.1\r\n{head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        assert b"101" not in wanting.recv(65536)[:20]
