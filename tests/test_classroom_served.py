"""A classroom as it is started: one port for HTTP and HTTPS, a password in the terminal, and a restart."""

import asyncio
import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from commanding import teachable
from making import DEADLINE, until
from test_server import running

from teachable import certificates
from teachable.classroom import entrance
from teachable.classroom.entrance import Entrance


def ask(
    port: int, method: str, path: str, body: Any = None, cookie: str = "", trusted: Path | None = None
) -> tuple[int, dict[str, str], str]:
    """Ask a server of this computer over HTTPS, or HTTP where no certificate is trusted."""
    connection: http.client.HTTPConnection
    if trusted is not None:
        context = ssl.create_default_context(cafile=str(trusted))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        headers = {"Content-Type": "application/json"} | ({"Cookie": cookie} if cookie else {})
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()


@contextmanager
def classroom(home: Path, *options: str) -> Iterator[tuple[int, str, "subprocess.Popen[str]"]]:
    with running(home, "--classroom", "--host", "127.0.0.1", "--port", "0", *options) as (process, said):
        text = "".join(said)
        found = re.search(r"https?://127\.0\.0\.1:(\d+)/classroom", text)
        assert found, text
        yield int(found[1]), text, process


def test_a_classroom_is_there_again_after_a_restart(tmp_path: Path) -> None:
    trusted = tmp_path / "classroom" / certificates.FILE
    with classroom(tmp_path) as (port, said, process):
        password = re.search(r"password:\s+(\S+)", said)
        assert password
        assert "is new" in said
        # One port, two languages.
        status, headers, page = ask(port, "GET", "/")
        assert (status, f"https://127.0.0.1:{port}/join" in page) == (200, True)
        assert ask(port, "GET", "/api/v1/health")[0] == 403
        status, headers, _ = ask(port, "GET", "/", trusted=trusted)
        assert (status, headers["location"]) == (303, "/join")
        status, headers, text = ask(port, "POST", "/api/v1/room/join", {"name": "Anna"}, trusted=trusted)
        project, anna = json.loads(text)["project"], headers["set-cookie"].partition(";")[0]
        assert "Secure" in headers["set-cookie"]
        status, headers, _ = ask(port, "POST", "/api/v1/room/login", {"password": password[1]}, trusted=trusted)
        assert status == 204
        teacher = headers["set-cookie"].partition(";")[0]
        room = json.loads(ask(port, "GET", "/api/v1/room", cookie=teacher, trusted=trusted)[2])
        assert (room["address"], room["visitors"][0]["name"]) == (f"http://127.0.0.1:{port}", "Anna")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
    with classroom(tmp_path, "--password", "seven-green-rivers") as (port, said, process):
        assert "is new" not in said
        assert "seven-green-rivers" not in said
        me = json.loads(ask(port, "GET", "/api/v1/room/me", cookie=anna, trusted=trusted)[2])
        assert me["visitor"]["project"] == project
        # With another password, whoever was logged in has to do so again.
        assert ask(port, "GET", "/api/v1/room", cookie=teacher, trusted=trusted)[0] == 403
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")


def test_options_of_a_classroom_need_one(tmp_path: Path) -> None:
    serve = ("serve", "--no-browser", "--host", "127.0.0.1", "--port", "0", "--home", tmp_path)
    for options in (["--password", "seven-green-rivers"], ["--http"], ["--visitor-photos", "5"]):
        done = teachable(*serve, *options)
        assert done.exit_code == 2
        assert "--classroom" in done.stderr
    done = teachable(*serve, "--classroom", "--password", "abc")
    assert done.exit_code == 2
    assert "too short" in done.stderr


# The entrance


class Echo(asyncio.Protocol):
    """Says what it heard and whether it was encrypted."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        secure = self._transport.get_extra_info("sslcontext") is not None
        self._transport.write((b"secret " if secure else b"plain ") + data)
        self._transport.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[tuple[int, Path, Entrance]]:
    """An entrance with an event loop behind it."""
    made = certificates.ensure(tmp_path, ["127.0.0.1"])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        opened = Entrance(listening, Echo, made.context(), loop)
        try:
            yield listening.getsockname()[1], made.path, opened
        finally:
            opened.close()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


def speak(port: int, text: bytes, trusted: Path | None = None) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        if trusted is None:
            connection.sendall(text)
            return connection.recv(100)
        context = ssl.create_default_context(cafile=str(trusted))
        with context.wrap_socket(connection, server_hostname="127.0.0.1") as secured:
            secured.sendall(text)
            return secured.recv(100)


def test_plain_and_encrypted_connections_come_in_by_one_door(door: tuple[int, Path, Entrance]) -> None:
    port, trusted, _ = door
    assert speak(port, b"GET / HTTP/1.1") == b"plain GET / HTTP/1.1"
    assert speak(port, b"hello", trusted) == b"secret hello"
    assert speak(port, b"x" * 60) == b"plain " + b"x" * 60


def test_who_says_nothing_or_nonsense_keeps_nobody_waiting(
    door: tuple[int, Path, Entrance], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, trusted, _ = door
    monkeypatch.setattr(entrance, "_PATIENCE_SECONDS", DEADLINE)
    monkeypatch.setattr(entrance, "_MOST_WAITING", 20)
    silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(30)]
    gone = socket.create_connection(("127.0.0.1", port))
    gone.close()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as broken:
        broken.sendall(b"\x16\x03\x01garbage that is no handshake")
        assert speak(port, b"hello", trusted) == b"secret hello"
        assert speak(port, b"hello") == b"plain hello"
    # Some had to go for others; those that are left are waited for no longer than that.
    monkeypatch.setattr(entrance, "_PATIENCE_SECONDS", 0.0)
    for connection in silent:
        assert connection.recv(1) == b""
        connection.close()


def test_one_that_made_room_for_another_ends_nothing(
    door: tuple[int, Path, Entrance], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, _, _ = door
    accept = Entrance._accept
    taken, both = threading.Event(), threading.Event()

    def accept_slowly(self: Entrance, selector: Any, waiting: dict[socket.socket, float]) -> None:
        accept(self, selector, waiting)
        taken.set()
        assert both.wait(20)

    monkeypatch.setattr(entrance, "_MOST_WAITING", 1)
    monkeypatch.setattr(Entrance, "_accept", accept_slowly)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as first:
        assert taken.wait(20)
        # In one look there are a new one, and what the one before it says, which has to go for it.
        with socket.create_connection(("127.0.0.1", port), timeout=20) as second:
            first.sendall(b"hello")
            both.set()
            second.sendall(b"hello")
            assert second.recv(100) == b"plain hello"
    assert speak(port, b"hello") == b"plain hello"


def test_a_browser_that_does_not_trust_the_certificate_hangs_up_quietly(door: tuple[int, Path, Entrance]) -> None:
    port, trusted, _ = door
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(connection, server_hostname="127.0.0.1")
    assert speak(port, b"hello", trusted) == b"secret hello"


def test_a_closed_door_takes_nobody(door: tuple[int, Path, Entrance]) -> None:
    port, _, opened = door
    assert speak(port, b"a") == b"plain a"
    opened.close()
    threads = [one for one in threading.enumerate() if one.name == "entrance"]
    until(lambda: not any(one.is_alive() for one in threads))
