"""The shelf, the bin, duplicates, room on the disk, undo and redo over HTTP."""

import pytest
from making import photo, until
from sending import Json, problem
from starlette.testclient import TestClient


def add(web: TestClient, first: str, seeds: range) -> Json:
    files = [("files", (f"{seed}.jpg", photo(seed), "image/jpeg")) for seed in seeds]
    added: Json = web.post(f"{first}/samples", files=files).json()
    return added


def test_a_change_is_undone_and_redone_with_its_words(web: TestClient, base: str, first: str) -> None:
    added = add(web, first, range(3))
    info = web.get(base).json()
    assert info["undo"]["token"] == added["undo"]
    assert info["undo"]["text"] == "3 photos added to “Class 1”"
    assert info["redo"] is None
    web.delete(f"{first}/samples")
    info = web.post(f"{base}/undo").json()
    assert (info["classes"][0]["samples"], info["redo"]["text"]) == (3, "3 photos deleted from “Class 1”")
    info = web.post(f"{base}/redo").json()
    assert (info["classes"][0]["samples"], info["redo"]) == (0, None)
    info = web.post(f"{base}/undo", json={"undo": added["undo"]}).json()
    assert info["undo"]["text"].endswith("deleted from “Class 1”")
    assert problem(web.post(f"{base}/undo", json={"undo": added["undo"]}), 404)["key"] == "undo_over"


def test_where_there_is_nothing_to_undo_or_redo_it_says_so(web: TestClient, base: str) -> None:
    assert problem(web.post(f"{base}/undo"), 404)["key"] == "undo_nothing"
    assert problem(web.post(f"{base}/undo", json={}), 404)["key"] == "undo_nothing"
    assert problem(web.post(f"{base}/redo"), 404)["key"] == "redo_nothing"


def test_the_shelf_and_the_bin(web: TestClient, project: Json, base: str, first: str) -> None:
    samples = [one["id"] for one in add(web, first, range(2))["added"]]
    copy = web.post(f"{base}/duplicate", json={"name": "Starter"})
    assert (copy.status_code, copy.json()["name"]) == (201, "Starter")
    assert web.post(f"{base}/duplicate").json()["name"] == f"{project['name']} (2)"
    token = web.delete(f"/api/v1/projects/{copy.json()['id']}").json()["undo"]
    shelf = web.get("/api/v1/shelf").json()
    assert [one["covers"] for one in shelf["projects"]] == [samples[::-1]] * 2
    assert [one["id"] for one in shelf["bin"]] == [token]
    assert shelf["bin"][0]["photos"] == 2
    until(lambda: all(one["bytes"] for one in web.get("/api/v1/shelf").json()["projects"]), "measuring")
    assert web.post(f"/api/v1/bin/{token}/restore").json()["name"] == "Starter"
    for path in (f"/api/v1/bin/{token}", f"/api/v1/bin/{'0' * 32}", "/api/v1/bin/x"):
        assert problem(web.delete(path), 404)["key"] == "bin_gone"
    again = web.delete(f"/api/v1/projects/{copy.json()['id']}").json()["undo"]
    assert web.delete(f"/api/v1/bin/{again}").json()["freed"] > 0
    web.delete(base)
    assert web.delete("/api/v1/bin").json()["freed"] > 0
    assert web.get("/api/v1/shelf").json()["bin"] == []


def test_storage_and_clean_up(web: TestClient, base: str, first: str) -> None:
    add(web, first, range(3))
    web.delete(f"{first}/samples")
    before = web.get(f"{base}/storage").json()
    assert before["removed"] > 0
    assert before["total"] == sum(before[part] for part in ("photos", "removed", "versions", "caches"))
    assert web.post(f"{base}/clean-up", json={"removed": True}).json()["freed"] == before["removed"]
    assert web.get(f"{base}/storage").json()["removed"] == 0
    problem(web.post(f"{base}/undo"), 404)


@pytest.mark.parametrize("unknown", ["0" * 32, "..", "x", "🍎"])
def test_unknown_projects_are_not_found(web: TestClient, unknown: str) -> None:
    for method, path in (("GET", "storage"), ("POST", "duplicate"), ("POST", "redo"), ("POST", "undo")):
        assert web.request(method, f"/api/v1/projects/{unknown}/{path}").status_code == 404
    assert web.post(f"/api/v1/projects/{unknown}/clean-up", json={"caches": True}).status_code == 404
    assert web.post(f"/api/v1/bin/{unknown}/restore").status_code == 404
