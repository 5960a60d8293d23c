"""Exports over HTTP: what there is, making, cancelling, downloading, programs, and the link for a phone."""

import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from making import DEADLINE, until
from sending import BLUE, RED, Json, files, problem
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.testclient import TestClient
from taking import Copy, halted, use

from teachable import api
from teachable.guards import Guard
from teachable.runtime import Classifier
from teachable.words import say
from teachable.workflow import Workspace


def served(workspace: Workspace, bound: str, address: str) -> TestClient:
    """The API of a server that listens on `bound`, asked under an address."""
    routes = [Mount(api.PREFIX, api.create(workspace, bound))]
    app = Starlette(routes=routes, middleware=[Middleware(Guard, bound=bound)])
    return TestClient(app, base_url=address, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace(tmp_path_factory.mktemp("home"), offline=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def near(space: Workspace) -> TestClient:
    return served(space, "127.0.0.1", "http://127.0.0.1:7860")


@pytest.fixture(scope="module")
def open_to_all(space: Workspace) -> TestClient:
    return served(space, "0.0.0.0", "http://127.0.0.1:7860")


@pytest.fixture(scope="module")
def base(near: TestClient) -> str:
    """Address of a trained project."""
    project: Json = near.post("/api/v1/projects", json={"name": "Fruit"}).json()
    base = f"/api/v1/projects/{project['id']}"
    for one, color in zip(project["classes"], (RED, BLUE), strict=True):
        for start in (0, 5, 10):
            sent = files(color, range(start, start + 5))
            assert near.post(f"{base}/classes/{one['id']}/samples", files=sent).status_code == 200
    assert near.post(f"{base}/training", json={"epochs": 5}).status_code == 202
    until(lambda: near.get(f"{base}/status").json()["training"]["state"] == "done")
    return base


def variant(answer: Any, format: str, variant: str) -> Json:
    (of,) = (one for one in answer.json()["formats"] if one["id"] == format)
    found: Json
    (found,) = (one for one in of["variants"] if one["id"] == variant)
    return found


def export(web: TestClient, base: str, format: str, id_: str) -> Json:
    started = web.post(f"{base}/exports/{format}/{id_}")
    assert started.status_code == 202, started.text
    active = {"waiting", "running"}
    until(lambda: variant(web.get(f"{base}/exports"), format, id_)["state"] not in active)
    found = variant(web.get(f"{base}/exports"), format, id_)
    assert found["state"] == "done", found
    return found


def test_the_list_has_every_format_with_words(near: TestClient, base: str) -> None:
    answer = near.get(f"{base}/exports")
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"model", "stale", "checking", "formats"}
    assert body["model"] == near.get(f"{base}/model").json()["id"]
    for one in body["formats"]:
        assert one["title"]
        assert one["about"]
        assert (one["command"] is None) or one["extra"]
        assert all(each["title"] and each["file"] for each in one["variants"])
    assert [one["id"] for one in body["formats"]][:3] == ["onnx", "page", "web"]


@pytest.mark.parametrize("id_", ["full", "half", "quarter"])
def test_a_file_is_made_checked_and_downloaded(near: TestClient, base: str, id_: str) -> None:
    found = export(near, base, "onnx", id_)
    assert found["check"]["same_class"] == found["check"]["total"] > 0
    answer = near.get(f"{base}/exports/onnx/{id_}/file")
    assert answer.status_code == 200
    assert len(answer.content) == found["size_bytes"] == int(answer.headers["Content-Length"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{found["file"]}";')
    assert Classifier.load(answer.content).labels == ("Class 1", "Class 2")
    again = near.post(f"{base}/exports/onnx/{id_}")
    assert (again.status_code, variant(again, "onnx", id_)) == (202, found), "it is not made again"
    part = near.get(f"{base}/exports/onnx/{id_}/file", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, answer.content[:10])


def test_the_list_is_quick(near: TestClient, base: str, space: Workspace) -> None:
    near.get(f"{base}/exports")
    times = []
    for _ in range(20):
        # Of the cores together, because computers that test are busy.
        started = time.process_time()
        near.get(f"{base}/exports")
        times.append(time.process_time() - started)
    assert min(times) < 0.05


def test_without_a_model_there_is_nothing_to_export(near: TestClient) -> None:
    empty = f"/api/v1/projects/{near.post('/api/v1/projects').json()['id']}"
    body = near.get(f"{empty}/exports").json()
    assert (body["model"], body["stale"]) == (None, False)
    for answer in (
        near.post(f"{empty}/exports/onnx/full"),
        near.get(f"{empty}/exports/onnx/full/file"),
        near.get(f"{empty}/programs"),
    ):
        assert problem(answer, 404)["key"] == "model_not_trained"
    assert near.delete(f"{empty}/exports/onnx/full").status_code == 200


def test_what_does_not_exist_is_refused_in_words(near: TestClient, base: str) -> None:
    unknown = f"{base}/exports/onnx/tiny"
    for answer in (near.post(unknown), near.delete(unknown), near.get(f"{unknown}/file")):
        assert problem(answer, 404)["key"] == "export_unknown"
    assert problem(near.get(f"{base}/exports/web/full/file"), 404)["key"] == "export_missing"
    for path in ("exports", "programs"):
        assert problem(near.get(f"/api/v1/projects/{'0' * 32}/{path}"), 404)["key"] == "project_unknown"


def test_an_export_is_cancelled(near: TestClient, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Copy()
    use(monkeypatch, copy)
    with halted(copy) as halt:
        near.post(f"{base}/exports/copy/full")
        assert halt.entered.wait(DEADLINE)
        near.post(f"{base}/exports/copy/other")
        waiting = near.delete(f"{base}/exports/copy/other")
        assert waiting.status_code == 200
        assert variant(waiting, "copy", "other")["state"] == "cancelled"
        assert variant(waiting, "copy", "full")["state"] == "running"
    until(lambda: variant(near.get(f"{base}/exports"), "copy", "full")["state"] == "done")


def test_a_missing_extra_is_refused_with_the_command(
    near: TestClient, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taking import Single

    use(monkeypatch, Single())
    error = problem(near.post(f"{base}/exports/single/only"), 409)
    assert error["key"] == "export_extra_missing"
    assert error["values"]["command"] in error["message"]
    assert near.get(f"{base}/exports").json()["formats"][0]["command"] == error["values"]["command"]


def test_programs_have_the_labels_and_the_file(near: TestClient, base: str) -> None:
    found = near.get(f"{base}/programs", params={"file": "model-half.onnx"}).json()["programs"]
    assert found
    assert found[0].keys() == {"id", "title", "about", "language", "file", "install", "code", "tested"}
    assert "model-half.onnx" in found[0]["code"]
    assert problem(near.get(f"{base}/programs", params={"file": "../x"}), 404)["key"] == "export_file_unknown"


# The link for a phone


def test_a_phone_gets_a_link_only_if_it_can_reach_the_server(near: TestClient, base: str) -> None:
    export(near, base, "page", "half")
    error = problem(near.post(f"{base}/exports/page/half/phone"), 409)
    assert error["key"] == "phone_loopback"
    assert "--host 0.0.0.0" in error["message"]


def test_a_phone_opens_the_page_and_learns_nothing_else(
    near: TestClient, open_to_all: TestClient, space: Workspace, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(near, base, "page", "half")
    monkeypatch.setattr("teachable.api.exports.network_name", lambda bound: "192.168.7.5")
    link = open_to_all.post(f"{base}/exports/page/half/phone").json()
    assert re.fullmatch(r"http://192\.168\.7\.5:7860/api/v1/pages/[\w-]{22,}", link["address"])
    assert base.rpartition("/")[2] not in link["address"]
    assert open_to_all.post(f"{base}/exports/page/half/phone").json() == link
    # Where everything is encrypted, a page that is asked for without would not come.
    secured = served(space, "0.0.0.0", "https://127.0.0.1:7860").post(f"{base}/exports/page/half/phone").json()
    assert secured["address"] == link["address"].replace("http://", "https://")

    phone = served(space, "0.0.0.0", "http://192.168.7.5:7860")
    page = phone.get(link["address"].removeprefix("http://192.168.7.5:7860"))
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "attachment" not in page.headers.get("Content-Disposition", "")
    assert page.content == space.exported(base.rpartition("/")[2], "page", "half")[0].read_bytes()
    assert base.rpartition("/")[2] not in page.text

    rules = dict(one.split(" ", 1) for one in page.headers["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'unsafe-inline' 'wasm-unsafe-eval' blob: data:"
    assert rules["connect-src"] == "blob: data:", "nothing can be asked of this server or another"
    assert rules["frame-ancestors"] == "'self'", "as for every other answer"
    assert (page.headers["X-Content-Type-Options"], page.headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_who_opened_the_page_under_a_name_of_the_network_gets_that_name(space: Workspace, base: str) -> None:
    web = served(space, "0.0.0.0", "http://192.168.7.9:8123")
    export(web, base, "page", "half")
    assert web.post(f"{base}/exports/page/half/phone").json()["address"].startswith("http://192.168.7.9:8123/api/v1/")


def test_the_qr_code_is_a_picture_and_nothing_else(open_to_all: TestClient, near: TestClient, base: str) -> None:
    export(near, base, "page", "half")
    qr = open_to_all.post(f"{base}/exports/page/half/phone").json()["qr"]
    root = ET.fromstring(qr)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {one.tag.rpartition("}")[2] for one in root.iter()} <= {"svg", "path", "g"}
    assert root.get("viewBox") or root.get("width")


def test_a_dead_link_is_explained_to_a_browser_in_words(open_to_all: TestClient) -> None:
    dead = "/api/v1/pages/" + "x" * 22
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    gone = open_to_all.get(dead, headers={"Accept": accept})
    assert gone.status_code == 404
    assert gone.headers["Content-Type"] == "text/html; charset=utf-8"
    assert gone.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert say("offline.gone") in gone.text
    assert "{{" not in gone.text
    for wish in ("application/json", "*/*"):
        assert problem(open_to_all.get(dead, headers={"Accept": wish}), 404)["key"] == "page_unknown"


def test_a_link_ends_with_its_page(open_to_all: TestClient, near: TestClient, base: str) -> None:
    assert problem(open_to_all.get("/api/v1/pages/" + "x" * 22), 404)["key"] == "page_unknown"
    export(near, base, "page", "half")
    address = open_to_all.post(f"{base}/exports/page/half/phone").json()["address"]
    path = "/" + address.split("/", 3)[3]
    assert open_to_all.get(path).status_code == 200
    assert near.patch(base, json={"name": "Vegetables"}).status_code == 200
    assert problem(open_to_all.post(f"{base}/exports/page/half/phone"), 404)["key"] == "export_missing"
    export(near, base, "onnx", "full")
    assert problem(open_to_all.get(path), 404)["key"] == "page_unknown"


def test_other_names_are_still_refused(space: Workspace) -> None:
    foreign = served(space, "0.0.0.0", "http://evil.example")
    assert problem(foreign.get("/api/v1/pages/x"), 403)["key"] == "host_unknown_here"


def test_the_address_of_a_server_is_that_of_the_network(tmp_path: Path) -> None:
    from teachable.addresses import network_name, url

    assert network_name("192.168.1.7") == "192.168.1.7"
    assert network_name("[fe80::1]") == "fe80::1"
    assert network_name("0.0.0.0") not in {"0.0.0.0", ""}
    assert url("fe80::1", 7860) == "http://[fe80::1]:7860"
    assert url("192.168.1.7", 80) == "http://192.168.1.7:80"
