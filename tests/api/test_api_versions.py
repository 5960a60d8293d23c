"""Versions over HTTP: listing, naming, comparing, going back, downloading, deleting."""

from collections.abc import Iterator

import pytest
from sending import BLUE, RED, Json, files, problem, served
from starlette.testclient import TestClient

from teachable.runtime import Classifier
from teachable.workflow import Workspace

Trained = tuple[TestClient, str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A project that was trained twice, the second time with a third recording and other names."""
    with Workspace(tmp_path_factory.mktemp("home"), offline=True) as workspace:
        web = served(workspace)
        project = web.post("/api/v1/projects", json={"name": "Farben"}).json()
        base = f"/api/v1/projects/{project['id']}"

        def add(press: int) -> None:
            for one, color in zip(project["classes"], (RED, BLUE), strict=True):
                sent = files(color, range(4 * press, 4 * press + 4))
                web.post(f"{base}/classes/{one['id']}/samples", files=sent, data={"group": f"{color}-{press}"})

        def train() -> None:
            web.post(f"{base}/training", json={"epochs": 5})
            assert workspace.wait_for_training(project["id"], 120).training.state == "done"

        add(0)
        add(1)
        train()
        web.patch(f"{base}/classes/{project['classes'][0]['id']}", json={"name": "rot"})
        add(2)
        train()
        yield web, base


def listed(trained: Trained) -> Json:
    web, base = trained
    answer = web.get(f"{base}/versions")
    assert answer.status_code == 200
    found: Json = answer.json()
    return found


def test_they_are_listed_newest_first(trained: Trained) -> None:
    found = listed(trained)
    assert [one["number"] for one in found["versions"]] == [2, 1]
    assert found["current"] == found["versions"][0]["id"]
    assert found["versions"][1]["classes"] == [
        {"name": "Class 1", "color": found["versions"][1]["classes"][0]["color"], "photos": 8},
        {"name": "Class 2", "color": found["versions"][1]["classes"][1]["color"], "photos": 8},
    ]
    assert all(one["restorable"] and one["bytes"] > 0 for one in found["versions"])


def test_a_project_that_was_not_trained_has_none(web: TestClient, base: str) -> None:
    assert web.get(f"{base}/versions").json() == {"current": None, "versions": []}


def test_one_is_named_and_unnamed(trained: Trained) -> None:
    web, base = trained
    id_ = listed(trained)["versions"][1]["id"]
    named = web.patch(f"{base}/versions/{id_}", json={"name": "Erste"}).json()
    assert [one["name"] for one in named["versions"]] == [None, "Erste"]
    assert web.patch(f"{base}/versions/{id_}", json={"name": None}).json()["versions"][1]["name"] is None
    assert problem(web.patch(f"{base}/versions/{id_}", json={}), 422)["key"] == "invalid_request"
    assert problem(web.patch(f"{base}/versions/{id_}", json={"name": "x" * 999}), 422)["key"] == "name_long"


def test_two_are_compared(trained: Trained) -> None:
    web, base = trained
    second, first = (one["id"] for one in listed(trained)["versions"])
    found = web.get(f"{base}/versions/compare", params={"first": first, "second": second}).json()
    assert found["way"] in {"held_out", "unseen"}
    assert found["photos"] >= 16
    assert found["about"]
    assert found["verdict"]
    same = web.get(f"{base}/versions/compare", params={"first": first, "second": first})
    assert problem(same, 409)["key"] == "version_same"
    unknown = web.get(f"{base}/versions/compare", params={"first": first, "second": "x" * 16})
    assert problem(unknown, 404)["key"] == "version_unknown"
    assert problem(web.get(f"{base}/versions/compare", params={"first": first}), 422)["key"] == "invalid_request"


def test_the_model_of_any_is_downloaded_with_the_names_of_today(trained: Trained) -> None:
    web, base = trained
    old = listed(trained)["versions"][1]["id"]
    answer = web.get(f"{base}/versions/{old}/model")
    assert "attachment" in answer.headers["content-disposition"]
    assert Classifier.load(answer.content).labels == ("rot", "Class 2")


def test_going_back_can_be_undone(trained: Trained) -> None:
    web, base = trained
    new, old = (one["id"] for one in listed(trained)["versions"])
    before = web.get(base).json()
    back = web.post(f"{base}/versions/{old}/restore", json={"contents": True}).json()
    assert (back["gone"], back["text"]) == (0, "The project is as it was at version 1.")
    assert [(one["name"], one["samples"]) for one in back["project"]["classes"]] == [("Class 1", 8), ("Class 2", 8)]
    assert back["project"]["undo"]["text"]
    assert listed(trained)["current"] == old
    undone = web.post(f"{base}/undo", json={"undo": back["undo"]}).json()
    assert undone["classes"] == before["classes"]
    assert listed(trained)["current"] == new
    only = web.post(f"{base}/versions/{old}/restore", json={"contents": False}).json()
    assert only["project"]["classes"] == before["classes"]
    assert listed(trained)["current"] == old
    assert web.get(f"{base}/model").json()["id"] == old
    # Without a body everything goes back.
    assert web.post(f"{base}/versions/{new}/restore").json()["project"]["classes"] == before["classes"]


def test_a_deleted_one_is_gone(trained: Trained) -> None:
    web, base = trained
    found = listed(trained)
    assert problem(web.delete(f"{base}/versions/{found['current']}"), 409)["key"] == "version_in_use"
    (other,) = (one["id"] for one in found["versions"] if one["id"] != found["current"])
    left = web.delete(f"{base}/versions/{other}").json()
    assert [one["id"] for one in left["versions"]] == [found["current"]]
    assert problem(web.get(f"{base}/versions/{other}/model"), 404)["key"] == "version_unknown"
    assert problem(web.post(f"{base}/versions/{other}/restore"), 404)["key"] == "version_unknown"


@pytest.mark.parametrize("strange", ["..%2f..%2fx", "x", "%00", "a" * 5000])
def test_a_strange_id_is_no_version(trained: Trained, strange: str) -> None:
    web, base = trained
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/restore"), ("GET", "/model")):
        answer = web.request(
            method, f"{base}/versions/{strange}{path}", json={"name": "x"} if method == "PATCH" else None
        )
        assert answer.status_code in {404, 405}, (method, answer.text)
