"""Projects and classes over HTTP, and every kind of bad name, number and body."""

import json
from pathlib import Path

import pytest
from sending import Json, problem
from starlette.testclient import TestClient


def test_projects_are_made_listed_renamed_deleted_and_restored(web: TestClient, project: Json, base: str) -> None:
    assert [one["name"] for one in project["classes"]] == ["Class 1", "Class 2"]
    assert [one["id"] for one in web.get("/api/v1/projects").json()["projects"]] == [project["id"]]
    assert web.patch(base, json={"name": "Vegetables 🥕"}).json()["name"] == "Vegetables 🥕"
    token = web.delete(base).json()
    assert token.keys() == {"undo"}
    assert problem(web.get(base), 404)["key"] == "project_unknown"
    assert web.post("/api/v1/projects/restore", json=token).json()["id"] == project["id"]
    assert web.get(base).json()["name"] == "Vegetables 🥕"
    problem(web.post("/api/v1/projects/restore", json=token), 404)


def test_a_project_needs_no_name_and_no_body(web: TestClient) -> None:
    assert web.post("/api/v1/projects").status_code == 201
    assert web.post("/api/v1/projects", json={}).json()["name"]


def test_settings_are_kept_field_by_field(web: TestClient, base: str) -> None:
    assert web.patch(base, json={"settings": {"epochs": 7}}).json()["settings"]["epochs"] == 7
    found = web.patch(base, json={"settings": {"learning_rate": 1}}).json()["settings"]
    assert (found["epochs"], found["learning_rate"]) == (7, 1)


def test_classes_are_added_changed_deleted_and_brought_back(web: TestClient, base: str) -> None:
    answer = web.post(f"{base}/classes", json={"name": "<b>Third</b>"})
    assert answer.status_code == 201
    third = answer.json()
    change = {"name": "Drei", "color": "#1967D2", "position": 0, "disabled": True}
    changed = web.patch(f"{base}/classes/{third['id']}", json=change).json()
    assert {key: changed[key] for key in change} == change
    token = web.delete(f"{base}/classes/{third['id']}").json()
    assert len(web.get(base).json()["classes"]) == 2
    assert len(web.post(f"{base}/undo", json=token).json()["classes"]) == 3


def test_two_classes_of_one_name_are_a_conflict(web: TestClient, first: str) -> None:
    assert problem(web.patch(first, json={"name": "class 2"}), 409)["key"] == "class_name_taken"


BAD_NAMES = ["", "  ", "x" * 10_000, "a\nb", "\ud800", "\u0000"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_cannot_be_used_is_refused(web: TestClient, base: str, first: str, name: str) -> None:
    for method, path in (
        ("POST", "/api/v1/projects"),
        ("PATCH", base),
        ("POST", f"{base}/classes"),
        ("PATCH", first),
    ):
        answer = web.request(
            method, path, content=json.dumps({"name": name}), headers={"Content-Type": "application/json"}
        )
        problem(answer, 422)


@pytest.mark.parametrize("name", ["../../x", "<script>alert(1)</script>", "مرحبا", "🍎", "CON", "a/b\\c", "%00"])
def test_a_strange_name_is_only_text(web: TestClient, tmp_path: Path, name: str) -> None:
    before = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    made = web.post("/api/v1/projects", json={"name": name}).json()
    assert made["name"] == name
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"epochs": 1001},
        {"epochs": 1.5},
        {"epochs": "50"},
        {"epochs": True},
        {"epochs": 10**30},
        {"batch_size": 0},
        {"batch_size": 4097},
        {"learning_rate": 0},
        {"learning_rate": 1.01},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"learning_rate": "fast"},
        {"hidden_units": -1},
        {"hidden_units": 10_000},
        {"seed": -1},
        {"epoch": 50},
    ],
)
def test_settings_out_of_range_are_refused(web: TestClient, base: str, settings: Json) -> None:
    json_header = {"Content-Type": "application/json"}
    problem(web.patch(base, content=json.dumps({"settings": settings}), headers=json_header), 422)
    problem(web.post(f"{base}/training", content=json.dumps(settings), headers=json_header), 422)
    assert web.get(base).json()["settings"]["epochs"] == 50


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"name": 5}',
        b'{"name": ["x"]}',
        b'{"nom": "x"}',
        b'{"settings": 5}',
        b"[" * 100_000,
        b'{"name": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(web: TestClient, base: str, body: bytes) -> None:
    answer = web.patch(base, content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    problem(answer, answer.status_code)


@pytest.mark.parametrize("body", [{"position": -1}, {"position": 10**40}, {"color": "red"}, {"disabled": "yes"}])
def test_a_class_cannot_be_changed_to_nonsense(web: TestClient, first: str, body: Json) -> None:
    problem(web.patch(first, json=body), 422)


@pytest.mark.parametrize("unknown", ["0" * 32, "..", "%2e%2e%2f", "x", "%00", "🍎", "a" * 5000])
def test_unknown_ids_are_not_found(web: TestClient, base: str, unknown: str) -> None:
    for path in (f"/api/v1/projects/{unknown}", f"{base}/classes/{unknown}/samples"):
        answer = web.get(path)
        assert answer.status_code == 404, path


def test_how_strict_not_sure_is_can_be_changed(web: TestClient, base: str) -> None:
    assert web.get(base).json()["unknown_below"] == 0.05
    assert web.patch(base, json={"unknown_below": 0.2}).json()["unknown_below"] == 0.2
    assert web.patch(base, json={"name": "Other"}).json()["unknown_below"] == 0.2
    assert web.patch(base, json={"unknown_below": 0}).json()["unknown_below"] == 0
    assert problem(web.patch(base, json={"unknown_below": 0.6}), 422)["key"] == "setting_unknown_below"
    assert problem(web.patch(base, json={"unknown_below": "much"}), 422)["key"] == "invalid_request"
    assert web.get(base).json()["unknown_below"] == 0
