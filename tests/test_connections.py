"""Connections: who sends nothing, or a head that never ends, is let go and keeps nobody out."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from making import DEADLINE, until
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from teachable import connections, guards

LITTLE = 0.4


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


class Door:
    """A server, and how long it waits for the head of who comes in next."""

    def __init__(self, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port = port
        self._patch = monkeypatch
        self._waits = threading.Semaphore(0)
        wait = connections.Connection._wait

        def _wait(connection: connections.Connection) -> None:
            wait(connection)
            self._waits.release()

        monkeypatch.setattr(connections.Connection, "_wait", _wait)

    def set_patience(self, seconds: float) -> None:
        """So long it waits for heads of which it hears from now on."""
        self._patch.setattr(connections, "HEAD_SECONDS", seconds)

    def enter(self, patience: float = DEADLINE) -> socket.socket:
        """Come in; the server has begun to wait."""
        self.set_patience(patience)
        entered = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)
        assert self._waits.acquire(timeout=DEADLINE)
        return entered


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """A guarded server that has little patience with bodies."""
    monkeypatch.setattr(guards, "IDLE_SECONDS", 0.3)
    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])], middleware=[Middleware(guards.Guard)])
    options = connections.options() | {"log_level": "critical", "lifespan": "off", "timeout_keep_alive": 0.3}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        until(lambda: server.started, "the start")
        yield Door(listening.getsockname()[1], monkeypatch)
        server.should_exit = True
        thread.join(DEADLINE)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            found += piece
    return found


def drip(connection: socket.socket, piece: bytes) -> None:
    """Send a few bytes now and then until the server has enough of it."""
    connection.settimeout(0.05)
    for _ in range(200):
        try:
            connection.sendall(piece)
            if not connection.recv(65536):
                return
        except TimeoutError:
            continue
        except ConnectionError:
            return
    raise AssertionError("it goes on for good")


def test_who_says_nothing_is_let_go(door: Door) -> None:
    with door.enter(LITTLE) as silent:
        assert rest(silent) == b""


def test_a_head_that_never_ends_is_let_go_and_others_are_answered(door: Door) -> None:
    with door.enter(LITTLE) as slow, door.enter() as other:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        other.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert rest(other).startswith(b"HTTP/1.1 200")
        drip(slow, b"X-A: b\r\n")


def test_a_second_head_that_never_ends_is_let_go_too(door: Door) -> None:
    with door.enter() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        found = b""
        while b"0 bytes" not in found:
            piece = slow.recv(65536)
            assert piece
            found += piece
        door.set_patience(LITTLE)
        drip(slow, b"X")


def test_a_head_larger_than_any_is_refused(door: Door) -> None:
    with door.enter() as large:
        with contextlib.suppress(ConnectionError):
            large.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 2_000_000)
        assert b"200" not in rest(large)[:20]


def test_a_body_that_stops_coming_is_answered_in_words(door: Door) -> None:
    with door.enter() as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        answered = slow.recv(65536) + rest(slow)
        assert answered.startswith(b"HTTP/1.1 408")
        assert b"did not come" in answered


def test_a_body_that_drips_is_ended(door: Door) -> None:
    """Each byte comes in time, all together take too long; and what still drips after the answer is let go."""
    with door.enter() as slow:
        door.set_patience(LITTLE)
        slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        drip(slow, b"1\r\na\r\n")


def test_sockets_are_not_spoken(door: Door) -> None:
    head = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    with door.enter() as wanting:
        wanting.sendall(f"GET / HTTP/1.1\r\n{head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        assert b"101" not in wanting.recv(65536)[:20]
