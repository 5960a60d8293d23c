"""The whole app behind its gate: every route is decided, and what is decided is enforced."""

import asyncio
import io
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI, Request
from gradio.context import LocalContext
from making import photo
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from teachable import server, ui
from teachable.classroom import Room, cookies
from teachable.classroom import room as rooms
from teachable.classroom.records import Visit
from teachable.classroom.rules import Access, find
from teachable.errors import Conflict, NotFound, TeachableError
from teachable.settings import VisitorLimits
from teachable.types import ProjectInfo
from teachable.workflow import Training, Workspace

PASSWORD = "seven-green-rivers"
LIMITS = VisitorLimits(photos=5, bytes=50 * 2**20, projects=2)
Json = dict[str, Any]

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def walk(routes: list[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    """Every method and path that anything listens to, with its places as they are."""
    for route in routes:
        if isinstance(route, Mount):
            inside = getattr(route.app, "routes", None)
            if inside is None:
                yield "GET", f"{before}{route.path}/some/file.js"
            else:
                yield from walk(inside, before + route.path)
        elif isinstance(route, Route):
            for method in (route.methods or {"GET"}) & METHODS:
                yield method, before + route.path
        else:  # FastAPI keeps included routers as they are
            router = getattr(route, "original_router", None)
            assert router is not None, f"a route of a kind nobody has thought of: {route!r}"
            yield from walk(list(router.routes), before + route.include_context.prefix)  # type: ignore[attr-defined]


class Class:
    """One app for all tests of this module; each test brings its own people."""

    def __init__(self, space: Workspace, room: Room, app: FastAPI) -> None:
        self.space, self.room, self.app = space, room, app
        self._count = 0

    def guest(self) -> TestClient:
        """A browser of a device of its own."""
        self._count += 1
        # Without its context no event loop is kept, and lifespan events are not sent again.
        return TestClient(
            self.app,
            base_url="https://127.0.0.1:7860",
            raise_server_exceptions=False,
            client=(f"10.0.0.{self._count}", 50000),
            follow_redirects=False,
        )

    def pupil(self, name: str = "Anna") -> tuple[TestClient, str]:
        """A browser that joined as somebody new, and the id of its project."""
        web = self.guest()
        answer = web.post("/api/v1/room/join", json={"name": name, "back": False})
        assert answer.status_code == 200, answer.text
        return web, answer.json()["project"]

    def teacher(self) -> TestClient:
        web = self.guest()
        assert web.post("/api/v1/room/login", json={"password": PASSWORD}).status_code == 204
        return web


@contextmanager
def opened(home: Path, clock: Callable[[], float] = time.time) -> Iterator[Class]:
    """A classroom with its app."""
    with Workspace(home) as space:
        room = Room(space, home, PASSWORD, LIMITS, clock=clock)

        async def make() -> FastAPI:
            return server.create_app(space, room=room)

        # Where no event loop runs, Gradio makes some and leaves them behind.
        yield Class(space, room, asyncio.run(make()))


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    with opened(tmp_path_factory.mktemp("home")) as found:
        found.room.find_address = lambda: "http://192.168.1.5:7860"
        yield found


@pytest.fixture(autouse=True)
def _begin_anew(school: Class) -> Iterator[None]:
    yield
    school.room.lock(None, False)
    school.room.open(True)
    school.room.hand_out(None)


def key(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    found: str = answer.json()["error"]["key"]
    return found


def upload(web: TestClient, project: Json, seeds: range, where: int = 0) -> Any:
    files = [("files", (f"{seed}.jpg", photo(seed), "image/jpeg")) for seed in seeds]
    label = project["classes"][where]["id"]
    return web.post(f"/api/v1/projects/{project['id']}/classes/{label}/samples", files=files, data={"group": "g"})


# Every route


def test_every_route_of_the_app_is_decided(school: Class) -> None:
    routes = list(walk(list(school.app.routes)))
    paths = {path for _, path in routes}
    assert {"/", "/join", "/classroom", "/config", "/gradio_api/queue/join", "/api/v1/room"} <= paths
    assert sum(path.startswith("/api/v1/") for path in paths) > 60
    assert sum(path.startswith("/gradio_api/") for path in paths) > 20
    assert [f"{method} {path}" for method, path in routes if find(method, path.replace(":path}", "}")) is None] == []


def test_of_gradios_routes_only_those_that_the_page_needs_are_open(school: Class) -> None:
    open_ones = {
        f"{method} {path}"
        for method, path in walk(list(school.app.routes))
        if not path.startswith(("/api/v1/", "/static/"))
        and (found := find(method, path.replace(":path}", "}"))) is not None
        and found.rule.access is not Access.TEACHER
    }
    reading = "/ /join /join/help /classroom /config /theme.css /favicon.ico /manifest.json /robots.txt /pwa_icon"
    reading += " /pwa_icon/{size} /assets/{path:path} /svelte/{path:path} /gradio_api/queue/data"
    reading += " /gradio_api/heartbeat/{session_hash} /gradio_api/startup-events"
    expected = {f"GET {path}" for path in reading.split()}
    assert open_ones <= expected | {f"POST /gradio_api/{name}" for name in ("queue/join", "cancel", "reset")}


def test_a_pupil_is_refused_on_every_route_that_is_the_teachers(school: Class) -> None:
    anna, _ = school.pupil()
    guest = school.guest()
    tried = 0
    for method, path in walk(list(school.app.routes)):
        found = find(method, path.replace(":path}", "}"))
        if found is not None and found.rule.access is Access.TEACHER:
            for web in (anna, guest):
                answer = web.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 403, f"{method} {path}"
            tried += 1
    assert tried > 50
    assert anna.options("/api/v1/projects").status_code == 403
    assert anna.get("/api/v1/nothing").status_code == 403


# Guests


def test_a_guest_is_led_to_joining_and_sees_nothing(school: Class) -> None:
    guest = school.guest()
    answer = guest.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/join")
    for path in ("/join", "/classroom", "/join/help"):
        page = guest.get(path)
        assert page.status_code == 200
        assert "@static" not in page.text
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert guest.get("/api/v1/room/me").json() == {
        "classroom": True,
        "name": "",
        "open": True,
        "teacher": False,
        "visitor": None,
        "claim": None,
    }
    assert key(guest.get("/api/v1/projects"), 403) == "room_members_only"
    assert key(guest.post("/api/v1/projects", json={}), 403) == "room_members_only"
    assert key(guest.get("/api/v1/room"), 403) == "room_teacher_only"
    assert guest.get(f"/?project={'a' * 32}").status_code == 200


# Joining


def test_who_joins_gets_a_project_and_comes_back_to_it(school: Class) -> None:
    web, project = school.pupil("Maria")
    cookie = next(iter(web.cookies.jar))
    assert (cookie.name, cookie.secure, cookie.has_nonstandard_attr("HttpOnly")) == (cookies.VISITOR, True, True)
    me = web.get("/api/v1/room/me").json()["visitor"]
    assert (me["name"], me["project"], me["photos"], me["limits"]["photos"]) == ("Maria", project, 0, 5)
    for name in ("", "maria"):
        assert web.post("/api/v1/room/join", json={"name": name}).json()["project"] == project
    assert [one["id"] for one in web.get("/api/v1/projects").json()["projects"]] == [project]
    assert web.get(f"/api/v1/projects/{project}").json()["name"] == "Maria’s project"
    other = web.post("/api/v1/room/join", json={"name": "Jonas"}).json()["project"]
    assert other != project
    assert web.get("/api/v1/room/me").json()["visitor"]["name"] == "Jonas"
    web.post("/api/v1/room/leave")
    assert web.get("/api/v1/room/me").json()["visitor"] is None


@pytest.mark.parametrize("other", ['odd={"a": "b,c"}', "two words=1", "accent=é", 'jupyter="2|1:0|44:abc="', "=", ";;"])
def test_cookies_of_other_programs_hide_nobody(school: Class, other: str) -> None:
    web, project = school.pupil("Cookies")
    ours = f"{cookies.VISITOR}={web.cookies[cookies.VISITOR]}"
    for sent in (f"{other}; {ours}", f"{ours}; {other}"):
        me = school.guest().get("/api/v1/room/me", headers={"Cookie": sent.encode()}).json()
        assert me["visitor"]["project"] == project


def test_who_presses_twice_joins_once(school: Class) -> None:
    school.pupil("Lena")
    web, project = school.pupil("Lena")
    assert web.get("/api/v1/room/me").json()["visitor"]["name"] == "Lena 2"
    assert web.post("/api/v1/room/join", json={"name": "lena"}).json()["project"] == project
    assert web.post("/api/v1/room/join", json={"name": "Lena 3"}).json()["project"] != project


def test_who_deleted_all_they_had_goes_on_with_a_new_project(school: Class) -> None:
    web, project = school.pupil("Empty")
    web.delete(f"/api/v1/projects/{project}")
    assert web.get("/api/v1/room/me").json()["visitor"]["project"] == ""
    assert web.get("/?project=").headers["location"] == "/join"
    anew = web.post("/api/v1/room/join", json={"name": ""}).json()["project"]
    assert web.get("/api/v1/room/me").json()["visitor"]["project"] == anew


def test_a_closed_room_takes_nobody_new_and_keeps_who_is_in(school: Class) -> None:
    web, project = school.pupil()
    assert school.teacher().post("/api/v1/room/open", json={"open": False}).json()["open"] is False
    assert key(school.guest().post("/api/v1/room/join", json={"name": "Ben"}), 409) == "room_closed"
    assert web.post("/api/v1/room/join", json={}).json()["project"] == project


def test_who_cannot_be_given_a_project_has_not_joined(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise TeachableError("storage_full")

    before = len(school.room.view().visitors)
    monkeypatch.setattr(school.space, "create_project", full)
    assert school.guest().post("/api/v1/room/join", json={"name": "Ben"}).status_code == 400
    assert len(school.room.view().visitors) == before


# Whose project


def test_a_link_opens_a_pupils_project_and_no_other(school: Class) -> None:
    private = school.space.create_project("Marks").id
    anna, hers = school.pupil("Anna")
    ben, _ = school.pupil("Ben")
    assert ben.get(f"/api/v1/projects/{hers}").status_code == 200
    assert school.guest().get(f"/api/v1/projects/{hers}").status_code == 200
    shown = school.guest().get(f"/api/v1/room/me?project={hers}").json()["visitor"]
    assert shown["name"].startswith("Anna")
    for web in (anna, school.guest()):
        for method, path in (("GET", ""), ("GET", "/status"), ("PATCH", ""), ("DELETE", ""), ("POST", "/training")):
            assert key(web.request(method, f"/api/v1/projects/{private}{path}", json={}), 404) == "project_unknown"
    assert school.space.project(private).name == "Marks"
    assert school.teacher().get(f"/api/v1/projects/{private}").status_code == 200


def test_trying_links_out_gets_slow(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    plain = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await plain(0)

    monkeypatch.setattr("teachable.classroom.gate.asyncio.sleep", sleep)
    guesser, honest = school.guest(), school.guest()
    for number in range(12):
        assert guesser.get(f"/api/v1/projects/{number:032x}").status_code == 404
    honest.get(f"/api/v1/projects/{1:032x}")
    assert waited[:9] == [0] * 9
    assert waited[-2:] == [rooms._SLOWEST_SECONDS, 0]


def test_events_of_the_pages_controls_are_decided_too(school: Class) -> None:
    private = school.space.create_project("Marks").id
    _, hers = school.pupil()
    handlers = ui.Handlers(school.space, school.room)

    def sent_by(visit: Visit | None) -> None:
        scope: Json = {"type": "http", "headers": []}
        if visit is not None:
            cookies.note_visit(scope, visit)
        LocalContext.request.set(gr.Request(request=Request(scope)))

    event = gr.EventData(None, {"id": private, "number": 1})
    settings = ui.field_values(school.space.project(private).settings)
    try:
        for visit in (Visit("guest"), Visit("visitor", "someone"), None):
            sent_by(visit)
            for ask in (handlers.opened, handlers.learned, handlers.reported):
                with pytest.raises(TeachableError):
                    ask(event)
            assert "refused" in (handlers.train({"project": private}, *settings) or {})
        sent_by(Visit("guest"))
        assert handlers.opened(gr.EventData(None, {"id": hers, "number": 2}))[0]["project"] == hers
        school.room.lock(None, True)
        assert "paused" in str((handlers.train({"project": hers}, *settings) or {})["refused"])
        sent_by(Visit("teacher"))
        assert handlers.opened(event)[0]["project"] == private
        LocalContext.request.set(None)
        with pytest.raises(TeachableError):
            handlers.opened(event)
    finally:
        LocalContext.request.set(None)


# The teacher


def test_the_password_is_asked_for_and_attempts_are_limited(school: Class) -> None:
    web = school.guest()
    for _ in range(5):
        assert key(web.post("/api/v1/room/login", json={"password": "wrong"}), 403) == "room_password_wrong"
    assert key(web.post("/api/v1/room/login", json={"password": PASSWORD}), 429) == "room_wait"
    teacher = school.teacher()
    cookie = next(iter(teacher.cookies.jar))
    assert (cookie.name, cookie.secure, cookie.has_nonstandard_attr("HttpOnly")) == (cookies.TEACHER, True, True)
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    assert teacher.get("/").status_code == 200
    assert teacher.get("/api/v1/room").json()["address"] == "http://192.168.1.5:7860"
    assert teacher.get("/api/v1/room").json()["qr"].startswith("<svg")
    teacher.post("/api/v1/room/logout")
    # A cookie that somebody wrote down is worthless as well.
    kept = {"Cookie": f"{cookies.TEACHER}={cookie.value}"}
    assert school.guest().get("/api/v1/room", headers=kept).status_code == 403


def test_pupils_who_guess_do_not_keep_the_teacher_out(school: Class) -> None:
    for _ in range(40):
        school.room._logins_of_all.count(rooms._EVERYBODY)
    assert key(school.guest().post("/api/v1/room/login", json={"password": PASSWORD}), 429) == "room_wait"
    here = school.room.log_in(PASSWORD, "127.0.0.1")
    assert school.room.visit("", here, "127.0.0.1").teacher
    # Whoever knows the password has shown that all is well.
    school.room._logins_of_all.forgive(rooms._EVERYBODY)


def test_the_teacher_sees_everybody_and_helps(school: Class) -> None:
    web, hers = school.pupil("Lea")
    project = web.get(f"/api/v1/projects/{hers}").json()
    assert upload(web, project, range(2)).status_code == 200
    assert upload(web, project, range(10, 11), 1).status_code == 200
    assert web.post("/api/v1/room/hand", json={"up": True}).status_code == 204
    teacher = school.teacher()
    [seen] = [one for one in teacher.get("/api/v1/room").json()["visitors"] if one["name"] == "Lea"]
    assert (seen["photos"], seen["classes"], seen["online"], seen["hand"], seen["state"]) == (
        3,
        2,
        True,
        True,
        "working",
    )
    assert (seen["accuracy"], seen["judged"], seen["learned"]) == (None, 0, 0)
    assert len(seen["covers"]) == 2
    for cover in seen["covers"]:
        assert teacher.get(f"/api/v1/projects/{hers}/samples/{cover}/thumbnail").status_code == 200
    assert teacher.patch(f"/api/v1/projects/{hers}", json={"name": "Leaves"}).status_code == 200
    assert teacher.post("/api/v1/room/hand", json={"up": False, "visitor": seen["id"]}).status_code == 204
    assert web.get("/api/v1/room/me").json()["visitor"]["hand"] is False
    assert hers not in {one["id"] for one in teacher.get("/api/v1/projects").json()["projects"]}


@pytest.mark.parametrize("all_of_them", [True, False])
def test_changes_can_be_paused_and_nothing_is_lost(school: Class, all_of_them: bool) -> None:
    web, hers = school.pupil("Tom")
    teacher = school.teacher()
    project = web.get(f"/api/v1/projects/{hers}").json()
    me = web.get("/api/v1/room/me").json()["visitor"]["id"]
    teacher.post("/api/v1/room/lock", json={"visitor": None if all_of_them else me, "locked": True})
    assert key(upload(web, project, range(1)), 423) == "room_locked"
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/classes"), ("POST", "/training"), ("POST", "/undo")):
        assert key(web.request(method, f"/api/v1/projects/{hers}{path}", json={}), 423) == "room_locked"
    assert web.get("/api/v1/room/me").json()["visitor"]["locked"] is True
    assert web.get(f"/api/v1/projects/{hers}/status").status_code == 200
    # What was made by the teacher is not paused, nor what others make where one is.
    assert upload(teacher, project, range(1)).status_code == 200
    other, theirs = school.pupil("Uma") if not all_of_them else (teacher, hers)
    assert other.patch(f"/api/v1/projects/{theirs}", json={"name": "Mine"}).status_code == 200
    teacher.post("/api/v1/room/lock", json={"visitor": None if all_of_them else me, "locked": False})
    assert upload(web, project, range(1, 2)).json()["total"] == 2


def test_what_is_handed_out_is_copied_for_everybody(school: Class) -> None:
    early, first = school.pupil("Early")
    starter = school.space.create_project("Leaves")
    school.space.add_photos(starter.id, starter.classes[0].id, "g", [("a.jpg", photo(1))])
    teacher = school.teacher()
    handed = teacher.post("/api/v1/room/starter", json={"project": starter.id}).json()["starter"]
    assert handed == {"project": starter.id, "name": "Leaves"}
    late, second = school.pupil("Late")
    assert school.space.project(second).classes[0].samples == 1
    assert late.get("/api/v1/room/me").json()["visitor"]["starter"] is None
    assert early.get("/api/v1/room/me").json()["visitor"]["starter"] == {"name": "Leaves"}
    school.room.lock(None, True)
    assert key(early.post("/api/v1/room/starter/answer", json={"take": True}), 423) == "room_locked"
    school.room.lock(None, False)
    assert early.get("/api/v1/room/me").json()["visitor"]["starter"] == {"name": "Leaves"}
    copy = early.post("/api/v1/room/starter/answer", json={"take": True}).json()["project"]
    assert school.space.project(copy).name.endswith(" (2)")
    assert key(early.post("/api/v1/room/starter/answer", json={"take": True}), 404) == "room_no_starter"
    me = early.get("/api/v1/room/me").json()["visitor"]
    assert (me["project"], me["starter"]) == (copy, None)
    assert {one["id"] for one in early.get("/api/v1/projects").json()["projects"]} == {first, copy}
    teacher.post("/api/v1/room/starter", json={"project": starter.id})
    assert key(early.post("/api/v1/room/starter/answer", json={"take": True}), 409) == "visitor_projects"
    assert early.post("/api/v1/room/starter/answer", json={"take": False}).json() == {"project": None}
    assert early.get("/api/v1/room/me").json()["visitor"]["starter"] is None
    assert key(teacher.post("/api/v1/room/starter", json={"project": "f" * 32}), 404) == "project_unknown"


def test_who_is_removed_can_be_brought_back(school: Class) -> None:
    web, hers = school.pupil("Gone")
    project = web.get(f"/api/v1/projects/{hers}").json()
    upload(web, project, range(2))
    teacher = school.teacher()
    me = web.get("/api/v1/room/me").json()["visitor"]["id"]
    token = teacher.delete(f"/api/v1/room/visitors/{me}").json()["undo"]
    assert web.get("/api/v1/room/me").json()["visitor"] is None
    assert key(web.get(f"/api/v1/projects/{hers}"), 404) == "project_unknown"
    assert me not in {one["id"] for one in teacher.get("/api/v1/room").json()["visitors"]}
    back = teacher.post("/api/v1/room/visitors/restore", json={"undo": token}).json()
    assert me in {one["id"] for one in back["visitors"]}
    assert web.get(f"/api/v1/projects/{hers}").json()["classes"][0]["samples"] == 2
    assert key(teacher.post("/api/v1/room/visitors/restore", json={"undo": token}), 404) == "undo_over"


def test_a_damaged_project_takes_nobody_elses_lesson_away(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    web, hers = school.pupil("Bad luck")
    plain = school.space.project

    def project(project_id: str) -> ProjectInfo:
        if project_id == hers:
            raise Conflict("project_damaged", folder="x")
        return plain(project_id)

    monkeypatch.setattr(school.space, "project", project)
    [seen] = [one for one in school.room.view().visitors if one.name == "Bad luck"]
    assert (seen.project, seen.photos) == (None, 0)
    assert web.get("/api/v1/projects").json()["projects"] == []
    assert web.post("/api/v1/room/join", json={}).json()["project"] != hers
    # Nor does it, when it is the one that is handed out or cannot be packed.
    monkeypatch.setattr(school.space, "project", plain)
    school.room.hand_out(hers)
    monkeypatch.setattr(school.space, "project", project)
    assert school.room.view().starter is None
    school.pupil("Good luck")


def test_what_cannot_be_packed_keeps_nobody_elses_work_back(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bad = school.pupil("Broken")
    _, gone = school.pupil("Deleted")
    school.pupil("Sound")
    plain = school.space.pack

    def pack(project_id: str) -> Iterator[bytes]:
        if project_id == bad:
            raise Conflict("project_damaged", folder="x")
        if project_id == gone:
            raise NotFound("project_unknown")
        return plain(project_id)

    monkeypatch.setattr(school.space, "pack", pack)
    with zipfile.ZipFile(io.BytesIO(b"".join(school.room.collect()))) as outer:
        assert outer.testzip() is None
        assert "Sound.zip" in outer.namelist()
        assert not {"Broken.zip", "Deleted.zip"} & set(outer.namelist())


def test_everybodys_work_comes_in_one_archive(school: Class) -> None:
    web, hers = school.pupil("Zoë / 1")
    upload(web, web.get(f"/api/v1/projects/{hers}").json(), range(2))
    answer = school.teacher().get("/api/v1/room/collect")
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as outer:
        assert outer.testzip() is None
        assert len(outer.namelist()) >= len(school.room.view().visitors)
        [name] = [one for one in outer.namelist() if one.startswith("Zoë")]
        assert "/" not in name
        with zipfile.ZipFile(io.BytesIO(outer.read(name))) as inner:
            assert "project.json" in inner.namelist()
            assert sum(one.endswith(".jpg") for one in inner.namelist()) == 2


# Limits


def test_photos_are_limited_one_by_one_in_all_projects_together(school: Class) -> None:
    web, hers = school.pupil("Many")
    project = web.get(f"/api/v1/projects/{hers}").json()
    assert upload(web, project, range(3)).json()["total"] == 3
    second = web.post("/api/v1/projects", json={"name": "Second"}).json()
    answer = upload(web, second, range(10, 14)).json()
    assert answer["total"] == 2
    assert [one["key"] for one in answer["rejected"]] == ["visitor_photos"] * 2
    assert key(upload(web, second, range(20, 21)), 413) == "visitor_photos"
    assert key(upload(web, project, range(20, 21)), 413) == "visitor_photos"
    assert upload(school.teacher(), second, range(20, 21)).json()["total"] in {2, 3}


def test_projects_and_bytes_are_limited(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    web, hers = school.pupil("More")
    copy = web.post(f"/api/v1/projects/{hers}/duplicate", json={}).json()["id"]
    assert web.get(f"/api/v1/projects/{copy}").status_code == 200
    assert key(web.post("/api/v1/projects", json={}), 409) == "visitor_projects"
    undo = web.delete(f"/api/v1/projects/{copy}").json()["undo"]
    third = web.post("/api/v1/projects", json={}).json()["id"]
    assert {one["project"]["id"] for one in web.get("/api/v1/shelf").json()["projects"]} == {hers, third}
    assert web.get("/api/v1/shelf").json()["bin"] == []
    assert web.post("/api/v1/projects/restore", json={"undo": undo}).json()["id"] == copy
    assert web.get(f"/api/v1/projects/{copy}").status_code == 200
    monkeypatch.setattr(school.room.quota, "limits", replace(LIMITS, bytes=1))
    project = web.get(f"/api/v1/projects/{hers}").json()
    assert key(upload(web, project, range(1)), 413) == "visitor_bytes"


def test_one_thing_at_a_time_is_worked_on_for_each(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    web, hers = school.pupil("Busy")
    second = web.post("/api/v1/projects", json={}).json()["id"]
    monkeypatch.setattr(school.space, "training", lambda id_: Training(state="running") if id_ == hers else Training())
    assert key(web.post(f"/api/v1/projects/{second}/training", json={}), 409) == "visitor_busy"
    assert key(web.post(f"/api/v1/projects/{hers}/training", json={}), 409) != "visitor_busy"
    other, theirs = school.pupil("Idle")
    assert key(other.post(f"/api/v1/projects/{theirs}/training", json={}), 409) != "visitor_busy"


def test_a_file_is_imported_into_ones_own_project_only(school: Class) -> None:
    web, hers = school.pupil("File")
    stranger, theirs = school.pupil("Other")
    private = school.space.create_project("Marks").id
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for seed, label in enumerate(("cats", "dogs")):
            archive.writestr(f"{label}/1.jpg", photo(seed))
    headers = {"Content-Type": "application/octet-stream"}
    send = f"/api/v1/imports?name=pets.zip&project={hers}"
    assert key(web.post("/api/v1/imports?name=a.zip", content=b"x", headers=headers), 404) == "project_unknown"
    assert key(web.post(send.replace(hers, private), content=b"x", headers=headers), 404) == "project_unknown"
    assert key(web.post(f"{send}&project={private}", content=b"x", headers=headers), 404) == "project_unknown"
    assert key(web.post(send, content=iter([b"x"]), headers=headers), 413) == "visitor_file"
    sent = web.post(send, content=stream.getvalue(), headers=headers).json()["id"]
    school.space.imports.wait(sent, 30)
    assert web.get(f"/api/v1/imports/{sent}").json()["state"] == "planned"
    assert key(stranger.get("/api/v1/imports/" + "f" * 32), 404) == "import_unknown"
    start: Json = {"project": private, "classes": [{"key": "cats", "name": "cats"}]}
    for named in (private, None, 3):
        answer = web.post(f"/api/v1/imports/{sent}/start", json=start | {"project": named})
        assert key(answer, 404) == "project_unknown"
    assert school.space.project(private).classes[0].samples == 0
    assert theirs != hers


# Where it is


def test_in_another_network_the_teacher_shows_another_address(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = school.teacher()
    before = teacher.get("/api/v1/room").json()
    monkeypatch.setattr(school.room, "find_address", lambda: "http://10.1.2.3:7860")
    after = teacher.get("/api/v1/room").json()
    assert (before["address"], after["address"]) == ("http://192.168.1.5:7860", "http://10.1.2.3:7860")
    assert before["qr"] != after["qr"]


# Without encryption


def test_without_encryption_only_the_explanation_is_there(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(school.room, "secure", True)
    _, hers = school.pupil()
    plain = TestClient(school.app, base_url="http://192.168.1.5:7860", follow_redirects=False)
    plain.headers["Host"] = "127.0.0.1:7860"
    for path in ("/", "/join", f"/?project={hers}", "/anything"):
        page = plain.get(path)
        assert page.status_code == 200
        assert 'content="https://127.0.0.1:7860/join"' in page.text
    static = next(route.path for route in school.app.routes if isinstance(route, Mount) and "/static/" in route.path)
    assert plain.get(f"{static}/classroom/help.js").status_code == 200
    for method, path in (("GET", "/api/v1/health"), ("POST", "/api/v1/room/join"), ("POST", "/")):
        assert plain.request(method, path).status_code == 403
    refused = plain.get(f"/api/v1/projects/{hers}")
    assert (key(refused, 403), refused.json()["error"]["values"]["address"]) == ("room_https", "https://127.0.0.1:7860")
