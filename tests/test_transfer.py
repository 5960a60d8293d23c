"""One request: what is trusted, where redirects may lead, and that a silent one can be given up."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from making import DEADLINE
from weights_server import WeightsServer

from teachable.errors import Cancelled, TeachableError
from teachable.transfer import Answer, Interrupted, host_of

FILE = "network-00000000.pth"


def answer(url: str, timeout: float = DEADLINE, cancelled: threading.Event | None = None) -> Answer:
    return Answer(url, FILE, {}, timeout, cancelled or threading.Event())


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[httpx.Request], httpx.Response]], None]:
    """Answer requests by a function, encrypted ones too."""

    def use(handler: Callable[[httpx.Request], httpx.Response]) -> None:
        monkeypatch.setattr(Answer, "_client", lambda self: httpx.Client(transport=httpx.MockTransport(handler)))

    return use


@pytest.mark.parametrize(
    ("here", "there", "allowed"),
    [("https", "https", True), ("http", "https", True), ("http", "http", True), ("https", "http", False)],
)
def test_a_redirect_never_leads_from_encrypted_to_plain(web: Callable, here: str, there: str, allowed: bool) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "a.example":
            return httpx.Response(302, headers={"Location": f"{there}://b.example/{FILE}"})
        return httpx.Response(200, stream=httpx.ByteStream(b"whole"))

    web(handler)
    if allowed:
        with answer(f"{here}://a.example/{FILE}") as reply:
            assert (reply.status, reply.host, b"".join(reply.chunks())) == (200, "b.example", b"whole")
        return
    with pytest.raises(TeachableError, match="not safe to follow") as caught, answer(f"{here}://a.example/{FILE}"):
        pass
    assert caught.value.key == "download_redirected"
    assert f"“{there}://b.example”" in str(caught.value)


def test_conditions_survive_a_redirect_and_nothing_is_packed(web: Callable) -> None:
    asked: list[httpx.Headers] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers)
        return httpx.Response(301, headers={"Location": "/b"}) if len(asked) == 1 else httpx.Response(206)

    web(handler)
    with Answer("https://a.example/a", FILE, {"Range": "bytes=7-"}, DEADLINE, threading.Event()):
        pass
    assert [one["Range"] for one in asked] == ["bytes=7-"] * 2
    assert {one["Accept-Encoding"] for one in asked} == {"identity"}
    assert all(one["User-Agent"].startswith("teachable/") for one in asked)


def test_a_name_that_is_looked_up_for_ever_is_given_up(web: Callable) -> None:
    stop = threading.Event()

    def handler(request: httpx.Request) -> httpx.Response:
        stop.wait(DEADLINE)
        return httpx.Response(200)

    web(handler)
    with pytest.raises(Interrupted, match="stopped sending"), answer("http://a.example/", timeout=0.1):
        pass
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled), answer("http://a.example/", cancelled=cancelled):
        pass
    stop.set()


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({}, None),
        ({"ETag": '"x"', "Last-Modified": "then"}, '"x"'),
        ({"ETag": 'W/"x"', "Last-Modified": "then"}, "then"),
        ({"ETag": 'W/"x"'}, None),
    ],
)
def test_only_what_stands_for_the_very_bytes_is_a_validator(web: Callable, headers: dict, validator: str) -> None:
    web(lambda request: httpx.Response(200, headers=headers))
    with answer("http://a.example/") as reply:
        assert reply.validator == validator


@pytest.mark.parametrize(
    ("status", "headers", "total"),
    [
        (200, {"Content-Length": "12"}, 12),
        (206, {"Content-Length": "12", "Content-Range": "bytes 8-19/20"}, 20),
        (206, {"Content-Range": "bytes 8-19/*"}, None),
        (206, {"Content-Length": "12"}, None),
        (200, {"Content-Length": "١٢"}, None),
    ],
)
def test_the_size_of_the_whole_file(web: Callable, status: int, headers: dict, total: int | None) -> None:
    encoded = [(key.encode(), value.encode()) for key, value in headers.items()]
    web(lambda request: httpx.Response(status, headers=encoded))
    with answer("http://a.example/") as reply:
        assert reply.total == total


def test_a_mistake_of_ours_is_not_put_in_words(web: Callable) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise RuntimeError("a mistake")

    web(handler)
    with pytest.raises(RuntimeError, match="a mistake"), answer("http://a.example/"):
        pass


def test_a_server_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("making a certificate needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    asked = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    made = [openssl, *asked, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with WeightsServer() as server:
        name = server.add("network", b"whole")
        server.encrypt(context)
        url = server.address(name).replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(TeachableError, match="not trusted") as caught, answer(url):
            pass
        assert caught.value.key == "download_certificate"
        assert server.asked == []
        # The same server is believed once the computer vouches for it.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(certificate))
            with answer(url) as reply:
                assert b"".join(reply.chunks()) == b"whole"


def test_the_host_of_an_address() -> None:
    assert host_of("https://user:secret@Files.Example:8443/x") == "files.example"
    assert host_of("nothing") == "nothing"
    assert host_of("http://[") == "http://["
