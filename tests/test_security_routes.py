"""Every route of the whole app, attacked: through each id, by other sites, and by pupils of a classroom."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attacking import NAMES, Answer, Asked, ask
from fastapi import FastAPI
from making import photo
from starlette.routing import Mount
from starlette.testclient import TestClient
from test_classroom_gate import LIMITS, PASSWORD, walk

from teachable import server
from teachable.classroom import Room
from teachable.workflow import Workspace

SECRET = b"the teacher's marks"
PLACES = re.compile(r"\{[^}]+\}")
FILES = ("/samples", "/predict", "/import", "/imports")
ENDLESS = "/gradio_api/heartbeat/"


class Home:
    """A home with two projects, an app on it, and a secret beside it."""

    def __init__(self, folder: Path, classroom: bool) -> None:
        self.folder = folder
        (folder / "secret.txt").write_bytes(SECRET)
        self.space = Workspace(folder / "home")
        self.mine, self.other = (self.space.create_project(name) for name in ("Mine", "Other"))
        for one in (self.mine, self.other):
            self.space.add_photos(one.id, one.classes[0].id, "g", [("a.jpg", photo(1))])
        self.room = Room(self.space, folder / "home", PASSWORD, LIMITS) if classroom else None
        if self.room is not None:
            # Who guesses waits longer and longer; here there is no time for it.
            self.room.delay = lambda visit: 0.0  # type: ignore[method-assign]

        async def make() -> FastAPI:
            return server.create_app(self.space, room=self.room)

        # Where no event loop runs, Gradio makes some and leaves them behind.
        self.app = asyncio.run(make())
        self.routes = sorted(set(walk(list(self.app.routes))))
        [api] = [one for one in self.app.routes if isinstance(one, Mount) and one.path == "/api/v1"]
        self.described: dict[str, Any] = api.app.openapi()  # type: ignore[attr-defined]

    def files(self) -> dict[str, bytes]:
        """All that lies here, but for what the database writes while it is read."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and "sqlite" not in path.name and path.suffix != ".lock"
        }


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("alone"), classroom=False)
    with home.space:
        yield home


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("school"), classroom=True)
    with home.space:
        yield home


def fields(home: Home, method: str, path: str) -> dict[str, Any]:
    """The fields of the body that a route takes; a body with others would be refused for those."""
    operation = home.described["paths"].get(path.removeprefix("/api/v1"), {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    text = json.dumps(content)
    named = re.search(r'"#/components/schemas/(\w+)"', text)
    found: dict[str, Any] = home.described["components"]["schemas"][named[1]]["properties"] if named else {}
    return found


def sent(home: Home, method: str, path: str, evil: str) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Headers and a body that a route would take, with an attack wherever a name or an id stands."""
    if method in {"GET", "DELETE"}:
        return (), b""
    if path.endswith(FILES):
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="../../evil.jpg"\r\n\r\n'
        return (("content-type", "multipart/form-data; boundary=x"),), head + photo(5) + b"\r\n--x--\r\n"
    named = ("undo", "project", "class_id", "network", "visitor", "id", "session_hash", "event_id", "fn")
    body: dict[str, Any] = dict.fromkeys(named, evil) | {"name": "x", "ids": [1], "locked": True, "open": True}
    body |= {"test": True, "removed": False, "caches": False, "classes": [{"key": evil, "into": evil, "name": "x"}]}
    taken = fields(home, method, path)
    body = {name: value for name, value in body.items() if name in taken or "/api/v1/" not in path}
    return (("content-type", "application/json"),), json.dumps(body).encode()


def attacks(home: Home) -> Iterator[Asked]:
    """Each place of each route with each attack, the other places being right as far as that can be."""
    right = {"{project_id}": home.mine.id, "{class_id}": home.mine.classes[0].id, "{sample_id}": "1"}
    for method, path in home.routes:
        if path.startswith(ENDLESS):
            continue
        for place in PLACES.findall(path):
            # The gate of a classroom lets none of them near the app: a few will do.
            for name in NAMES if home.room is None else NAMES[::5]:
                wanted = path.replace(place, name)
                wanted = PLACES.sub(lambda found: right.get(found[0], "0" * 32), wanted)
                yield Asked(method, wanted, *sent(home, method, path, name))


@pytest.mark.parametrize("where", ["alone", "school"])
def test_no_id_leads_anywhere(where: str, request: pytest.FixtureRequest) -> None:
    home: Home = request.getfixturevalue(where)
    before = home.files()
    wrong: list[str] = []

    def look(asked: Asked, answer: Answer) -> None:
        if not 400 <= answer.status < 500:
            wrong.append(f"{answer.status} {asked.method} {asked.path[:100]}")
        if SECRET in answer.body or b"root:" in answer.body or "x-evil" in answer.headers:
            wrong.append(f"leaked: {asked.method} {asked.path[:100]}")
        assert "html" not in answer.headers.get("content-type", "")

    assert ask(home.app, attacks(home), look) > 300
    assert not wrong, "\n".join(wrong)
    assert home.files() == before


def test_what_is_anothers_is_not_found_through_ones_own(alone: Home) -> None:
    """A class of one project through the address of another."""
    before = alone.files()
    theirs = alone.other.classes[0].id
    wrong: list[str] = []
    routes = [(method, path) for method, path in alone.routes if "{project_id}" in path and "{class_id}" in path]

    def requests() -> Iterator[Asked]:
        for method, path in routes:
            wanted = path.replace("{project_id}", alone.mine.id).replace("{class_id}", theirs)
            yield Asked(method, wanted, *sent(alone, method, path, theirs))

    def look(asked: Asked, answer: Answer) -> None:
        if answer.status != 404:
            wrong.append(f"{answer.status} {asked.method} {asked.path}")

    assert ask(alone.app, requests(), look) >= 6
    assert not wrong, "\n".join(wrong)
    assert alone.files() == before


def test_every_query_takes_nonsense_calmly(alone: Home) -> None:
    right = {"{project_id}": alone.mine.id, "{class_id}": alone.mine.classes[0].id, "{sample_id}": "1"}
    wrong: list[str] = []

    def requests() -> Iterator[Asked]:
        for path, methods in alone.described["paths"].items():
            for method, operation in methods.items():
                for parameter in operation.get("parameters", []):
                    if parameter["in"] == "query" and method == "get":
                        wanted = PLACES.sub(lambda found: right.get(found[0], "0" * 32), path)
                        for name in NAMES:
                            yield Asked("GET", f"/api/v1{wanted}", query=f"{parameter['name']}={name}")

    def look(asked: Asked, answer: Answer) -> None:
        if answer.status >= 500 or SECRET in answer.body:
            wrong.append(f"{answer.status} {asked.path}?{asked.query[:60]}")

    assert ask(alone.app, requests(), look) > 100
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("where", ["alone", "school"])
@pytest.mark.parametrize(
    "headers",
    [
        (("host", "evil.example"),),
        (("origin", "http://evil.example"),),
        (("origin", "null"), ("sec-fetch-site", "cross-site")),
    ],
    ids=["rebound name", "another site", "a frame"],
)
def test_other_sites_reach_nothing(
    where: str, headers: tuple[tuple[str, str], ...], request: pytest.FixtureRequest
) -> None:
    """Neither the page, nor the API, nor the classroom's pages, nor anything of Gradio's."""
    home: Home = request.getfixturevalue(where)
    before = home.files()
    wrong: list[str] = []

    def requests() -> Iterator[Asked]:
        for method, path in home.routes:
            wanted = PLACES.sub("0", path.replace("{project_id}", home.mine.id))
            given, body = sent(home, method, path, home.mine.id)
            yield Asked(method, wanted, headers + given, body)

    def look(asked: Asked, answer: Answer) -> None:
        if answer.status != 403:
            wrong.append(f"{answer.status} {asked.method} {asked.path}")
        assert "access-control-allow-origin" not in answer.headers

    ask(home.app, requests(), look)
    assert not wrong, "\n".join(wrong)
    assert home.files() == before


GRADIOS = (
    "GET /gradio_api/file=/etc/passwd",
    "GET /gradio_api/file=../secret.txt",
    "GET /gradio_api/file/etc/passwd",
    "GET /file=/etc/passwd",
    "GET /gradio_api/proxy=http://127.0.0.1:22/",
    "GET /gradio_api/file=http://127.0.0.1:22/",
    "POST /gradio_api/upload",
    "GET /gradio_api/upload_progress",
    "POST /gradio_api/run/predict",
    "POST /gradio_api/call/train",
    "POST /gradio_api/component_server",
    "GET /gradio_api/info",
    "GET /gradio_api/stream/a/b/0/playlist.m3u8",
    "GET /monitoring",
    "GET /static/../../../../../../../etc/passwd",
    "GET /assets/%2e%2e/%2e%2e/index.html",
    "GET /docs",
    "GET /custom_component/a/b/c/d",
)


@pytest.mark.parametrize("where", ["alone", "school"])
def test_of_gradio_only_what_its_page_needs_is_there(where: str, request: pytest.FixtureRequest) -> None:
    """No file of this computer, no upload beside ours, no function by name, no other server: to nobody."""
    home: Home = request.getfixturevalue(where)
    web = TestClient(home.app, base_url="https://127.0.0.1:7860")
    cookie = ""
    if home.room is not None:
        assert web.post("/api/v1/room/login", json={"password": PASSWORD}).status_code == 204
        cookie = "; ".join(f"{one.name}={one.value}" for one in web.cookies.jar)
    wrong: list[str] = []

    def look(asked: Asked, answer: Answer) -> None:
        if answer.status != 404 or b"root:" in answer.body:
            wrong.append(f"{answer.status} {asked.method} {asked.path}")

    requests = [Asked(*one.split(" ", 1), (("cookie", cookie),), scheme="https") for one in GRADIOS]
    assert ask(home.app, requests, look) == len(GRADIOS)
    assert not wrong, "\n".join(wrong)
