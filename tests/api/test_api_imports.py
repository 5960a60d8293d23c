import io
import time
import zipfile
from collections.abc import Iterator

import pytest
from sending import BLUE, RED, Json, files, photo, problem
from starlette.testclient import TestClient

from teachable import guards, incoming, settings
from teachable.workflow import Workspace

IMPORTS = "/api/v1/imports"
RAW = {"Content-Type": "application/octet-stream"}
DEADLINE = 60.0


def zipped(**classes: tuple[tuple[int, int, int], int]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, (color, count) in classes.items():
            for number in range(count):
                archive.writestr(f"{name}/{number}.jpg", photo(color, number))
        archive.writestr("notes.txt", "no photo")
    return stream.getvalue()


def settled(web: TestClient, id_: str, *going: str) -> Json:
    """Ask until an import is not in one of these states any more."""
    end = time.monotonic() + DEADLINE
    while True:
        found: Json = web.get(f"{IMPORTS}/{id_}").json()
        if found["state"] not in going:
            return found
        assert time.monotonic() < end


def sent(web: TestClient, data: bytes, name: str = "Pets.zip") -> Json:
    answer = web.post(IMPORTS, params={"name": name}, content=data, headers=RAW)
    assert answer.status_code == 201, answer.text
    begun: Json = answer.json()
    assert begun["state"] in {"reading", "planned", "failed"}
    return settled(web, begun["id"], "reading")


def test_a_file_is_sent_shown_and_taken_in(web: TestClient) -> None:
    found = sent(web, zipped(Cat=(RED, 3), Dog=(BLUE, 2)))
    assert (found["state"], found["name"], found["project"]) == ("planned", "Pets.zip", None)
    plan = found["plan"]
    assert (plan["kind"], plan["title"]) == ("folder", "Pets")
    assert [(one["name"], one["photos"]) for one in plan["classes"]] == [("Cat", 3), ("Dog", 2)]
    assert plan["skipped_total"] == 1
    assert plan["skipped"][0]["name"] == "notes.txt"
    at = f"{IMPORTS}/{found['id']}"
    picture = web.get(f"{at}/previews/{plan['classes'][0]['previews'][0]}")
    assert picture.headers["content-type"] == "image/jpeg"
    assert problem(web.get(f"{at}/previews/99"), 404)["key"] == "preview_unknown"
    chosen = [{"key": one["key"], "into": None, "name": one["name"]} for one in plan["classes"]]
    begun = web.post(f"{at}/start", json={"classes": chosen})
    assert begun.status_code == 200
    ended = settled(web, found["id"], "waiting", "running")
    assert (ended["state"], ended["added"], ended["message"]) == ("done", 5, None)
    info = web.get(f"/api/v1/projects/{ended['project']}").json()
    assert [(one["name"], one["samples"]) for one in info["classes"]] == [("Cat", 3), ("Dog", 2)]
    assert problem(web.post(f"{at}/start", json={"classes": chosen}), 409)["key"] == "import_not_planned"
    for step in ("pause", "resume"):
        assert web.post(f"{at}/{step}").json()["state"] == "done"
    assert web.delete(at).json()["state"] == "done"


def test_a_project_goes_out_and_comes_in_again(web: TestClient, base: str, first: str) -> None:
    web.post(f"{first}/samples", files=files(RED, range(3)))
    web.patch(base, json={"name": "Früchte"})
    answer = web.get(f"{base}/archive")
    assert answer.headers["content-type"] == "application/zip"
    assert "Fr%C3%BCchte.zip" in answer.headers["content-disposition"]
    found = sent(web, answer.content, "Früchte.zip")
    assert found["plan"]["kind"] == "project"
    web.post(f"{IMPORTS}/{found['id']}/start", json={})
    ended = settled(web, found["id"], "waiting", "running")
    assert (ended["state"], ended["added"], ended["undo"]) == ("done", 3, None)
    old, new = web.get(base).json(), web.get(f"/api/v1/projects/{ended['project']}").json()
    assert old["id"] != new["id"]
    # Beside the one it was made from it has a name of its own.
    assert (old["name"], new["name"]) == ("Früchte", "Früchte (2)")
    assert [old[key] for key in ("classes", "settings", "updated")] == [
        new[key] for key in ("classes", "settings", "updated")
    ]
    with zipfile.ZipFile(io.BytesIO(web.get(f"{base}/photos").content)) as archive:
        assert len(archive.namelist()) == 3
    problem(web.get("/api/v1/projects/none/archive"), 404)
    problem(web.get("/api/v1/projects/none/photos"), 404)


def test_an_import_can_be_given_up_before_it_begins(web: TestClient) -> None:
    found = sent(web, zipped(Cat=(RED, 1)))
    at = f"{IMPORTS}/{found['id']}"
    assert web.delete(at).json()["state"] == "cancelled"
    assert problem(web.post(f"{at}/start", json={"classes": []}), 409)["key"] == "import_not_planned"
    problem(web.get(f"{IMPORTS}/unknown"), 404)
    problem(web.delete(f"{IMPORTS}/unknown"), 404)


def test_what_cannot_be_used_is_said(web: TestClient, project: Json) -> None:
    found = sent(web, b"this is no file of ours", "letter.txt")
    assert found["state"] == "failed"
    assert "letter.txt" in found["message"]
    assert problem(web.post(IMPORTS, content=b"x", headers=RAW), 422)["key"] == "invalid_request"
    answer = web.post(IMPORTS, params={"name": "x", "project": "0" * 32}, content=b"x", headers=RAW)
    assert problem(answer, 404)["key"] == "project_unknown"
    planned = sent(web, zipped(Cat=(RED, 1)))
    start = f"{IMPORTS}/{planned['id']}/start"
    key = planned["plan"]["classes"][0]["key"]
    for body, status in (
        ({"classes": []}, 422),
        ({"classes": [{"key": key}]}, 422),
        ({"classes": [{"key": key, "name": "Cat"}], "rate": -1}, 422),
        ({"classes": [{"key": key, "name": "Cat"}], "weather": 1}, 422),
        ({"classes": [{"key": "c99", "name": "Cat"}]}, 404),
        ({"classes": [{"key": key, "name": "Class 1"}], "project": project["id"]}, 409),
        ({"classes": [{"key": key, "name": "x", "into": "../x"}], "project": project["id"]}, 404),
    ):
        problem(web.post(start, json=body), status)
    assert web.get(f"{IMPORTS}/{planned['id']}").json()["state"] == "planned"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    allowed = settings.Limits(archive_bytes=9 * 2**20)
    monkeypatch.setattr(settings, "limits", lambda: allowed)
    monkeypatch.setattr(incoming, "limits", lambda: allowed)
    return


@pytest.mark.usefixtures("small")
def test_a_file_may_be_larger_than_other_requests_but_not_of_any_size(web: TestClient, workspace: Workspace) -> None:
    assert guards.JSON_BYTES < 9 * 2**20
    larger = b"x" * (guards.JSON_BYTES + 1)
    assert sent(web, larger)["state"] == "failed"
    assert problem(web.post("/api/v1/projects", content=larger, headers=RAW), 413)["key"] == "request_bytes"
    too_large = bytes(9 * 2**20 + 1)

    def pieces() -> Iterator[bytes]:
        yield too_large

    for content in (too_large, pieces()):
        answer = web.post(IMPORTS, params={"name": "x"}, content=content, headers=RAW)
        assert problem(answer, 413)["key"] == "import_bytes"
    workspace.close()
    assert not list((workspace._store._projects.parent / "incoming").iterdir())
