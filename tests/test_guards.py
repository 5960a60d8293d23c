"""The guards: who is let in by name, from which page, and with how much."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from teachable import guards
from teachable.guards import Guard, is_loopback
from teachable.settings import Limits


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())}")


async def stream(request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        yield "one "
        yield "two"

    return StreamingResponse(parts())


async def clumsy(request: Request) -> PlainTextResponse:
    try:
        await request.body()
    except Exception:  # noqa: BLE001 - as FastAPI does
        return PlainTextResponse("swallowed", 400)
    return PlainTextResponse("read")


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def client(bound: str = "127.0.0.1", address: str = "http://127.0.0.1:7860") -> TestClient:
    methods = ["GET", "POST", "DELETE"]
    routes = [
        Route("/", answer, methods=methods),
        Route("/api/v1/x", answer, methods=methods),
        Route("/api/v1/clumsy", clumsy, methods=methods),
        Route("/stream", stream),
        WebSocketRoute("/socket", socket),
    ]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Guard, bound=bound)]), base_url=address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:7860", "localhost", "LOCALHOST:1", "localhost.", "[::1]:7860", "[::1]", "127.5.5.5", "a.localhost"],
)
def test_names_of_this_computer_are_answered(host: str) -> None:
    assert client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:7860", "localhost.evil.example", "192.168.1.5", "[fe80::1]", "0.0.0.0"],
)
def test_a_rebound_name_is_refused(host: str) -> None:
    answer = client().get("/api/v1/x", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["error"]["key"] == "host_unknown_here"


@pytest.mark.parametrize(
    "host", ["", "a b", "localhost/evil", "user@localhost", "localhost:port", "[::1", "::1", "ü.de"]
)
def test_a_malformed_host_is_a_bad_request(host: str) -> None:
    answer = client().get("/api/v1/x", headers={"Host": host.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 400
    assert answer.json()["error"]["key"] == "host_missing"


def test_two_hosts_are_a_bad_request() -> None:
    answer = client().get("/", headers=[("Host", "localhost"), ("Host", "evil.example")])
    assert answer.status_code == 400


def test_the_bound_name_is_answered() -> None:
    assert client("classroom.example").get("/", headers={"Host": "Classroom.Example:80"}).status_code == 200


def test_named_hosts_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHABLE_ALLOWED_HOSTS", "proxy.example, Other.Example")
    assert client().get("/", headers={"Host": "proxy.example"}).status_code == 200
    assert client().get("/", headers={"Host": "other.example:8443"}).status_code == 200
    assert client().get("/", headers={"Host": "third.example"}).status_code == 403


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "[::]", "192.168.1.5", "laptop"])
def test_open_to_the_network_addresses_and_the_own_name_are_answered(
    bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards.socket, "gethostname", lambda: "Laptop")
    open_to_all = client(bound)
    for host in ("192.168.1.5:7860", "[fe80::1]:7860", "laptop:7860", "laptop.local"):
        assert open_to_all.get("/", headers={"Host": host}).status_code == 200
    assert open_to_all.get("/", headers={"Host": "evil.example"}).status_code == 403
    # Networks give long names, and change them.
    monkeypatch.setattr(guards.socket, "gethostname", lambda: "Laptop.school.example")
    elsewhere = client(bound)
    for host in ("laptop.local:7860", "laptop.school.example:7860"):
        assert elsewhere.get("/", headers={"Host": host}).status_code == 200
    assert elsewhere.get("/", headers={"Host": "other.school.example"}).status_code == 403


@pytest.mark.parametrize(
    ("name", "known"), [("::1", True), ("127.9.9.9", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_loopback_is_told_from_the_rest(name: str, known: bool) -> None:
    assert is_loopback(name) is known


FOREIGN = [
    "http://evil.example",
    "null",
    "http://127.0.0.1:3000",
    "http://localhost:7860",
    "https://127.0.0.1:7860.evil.example",
    "file://",
    "http://[",
    "http://127.0.0.1:99999999",
]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/"), ("DELETE", "/api/v1/x"), ("GET", "/api/v1/x"), ("GET", "/")]
)
def test_a_foreign_page_is_refused(origin: str, method: str, path: str) -> None:
    assert client().request(method, path, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:7860", "http://127.0.0.1:7860"),
        ("[::1]:7860", "http://[::1]:7860"),
        ("localhost", "http://localhost:80"),
        ("LOCALHOST", "http://localhost"),
        ("localhost:443", "https://localhost"),
        ("localhost", "https://localhost"),
    ],
)
def test_the_own_page_is_answered(host: str, origin: str) -> None:
    assert client().post("/api/v1/x", headers={"Host": host, "Origin": origin}).status_code == 200


def test_following_a_link_from_another_site_opens_the_page() -> None:
    headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client().get("/", headers=headers).status_code == 200
    assert client().get("/api/v1/x", headers=headers).status_code == 403
    assert client().post("/", headers=headers).status_code == 403


def test_another_site_cannot_embed_what_the_api_gives() -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client().get("/api/v1/x", headers=headers).status_code == 403
    assert client().post("/", headers=headers).status_code == 403


def test_a_program_that_sends_no_origin_is_answered() -> None:
    assert client().post("/api/v1/x").status_code == 200


def test_a_socket_is_guarded_too() -> None:
    with client().websocket_connect("/socket", headers={"Host": "127.0.0.1"}):
        pass
    for headers in ({"Host": "evil.example"}, {"Host": "127.0.0.1", "Origin": "http://evil.example"}):
        with pytest.raises(WebSocketDisconnect), client().websocket_connect("/socket", headers=headers):
            pass


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A server that takes 1000 bytes."""
    monkeypatch.setattr(guards, "JSON_BYTES", 1000)
    monkeypatch.setattr(guards, "MULTIPART_SLACK", 0)
    monkeypatch.setattr("teachable.settings.limits", lambda: Limits(batch_bytes=2000))
    return client()


def test_a_body_that_says_it_is_too_large_is_refused(small: TestClient) -> None:
    assert small.post("/api/v1/x", content=b"x" * 1000).text == "1000"
    answer = small.post("/api/v1/x", content=b"x" * 1001)
    assert answer.status_code == 413
    assert answer.json()["error"]["key"] == "request_bytes"


@pytest.mark.parametrize("path", ["/api/v1/x", "/api/v1/clumsy"])
def test_a_body_that_does_not_say_how_large_it_is_is_counted(small: TestClient, path: str) -> None:
    answer = small.post(path, content=iter([b"x" * 600, b"x" * 600]))
    assert answer.status_code == 413
    assert answer.json()["error"]["key"] == "request_bytes"


def test_an_upload_may_be_larger_than_other_bodies(small: TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert small.post("/api/v1/x", content=b"x" * 2000, headers=headers).status_code == 200
    assert small.post("/api/v1/x", content=b"x" * 2001, headers=headers).status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "9" * 5000])
def test_a_length_that_is_no_length_is_refused(length: str) -> None:
    answer = client().post("/api/v1/x", headers={"Content-Length": length.encode()})  # type: ignore[dict-item]
    assert answer.status_code == 422


def test_streams_pass_and_every_answer_carries_the_headers() -> None:
    answer = client().get("/stream")
    assert answer.text == "one two"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_a_refused_page_is_told_why_in_plain_text() -> None:
    answer = client().get("/", headers={"Host": "evil.example"})
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "evil.example" in answer.text


def test_the_lifespan_reaches_the_app() -> None:
    seen: list[str] = []

    async def app(scope: Message, receive: object, send: object) -> None:
        seen.append(scope["type"])

    asyncio.run(Guard(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
