"""The API as a whole: who answers, and what happens to requests that go nowhere or fail."""

import pytest
from sending import RED, files, problem
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from teachable import __version__, api
from teachable.workflow import Workspace


def test_health_names_the_program_and_the_network(web: TestClient) -> None:
    body = web.get("/api/v1/health").json()
    assert (body["name"], body["version"]) == ("teachable", __version__)
    assert body["backbone"]["embedding_width"] > 0


@pytest.mark.parametrize(
    "path", ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/projects/", "/api/v1/docs/other.js"]
)
def test_an_unknown_address_is_not_found(web: TestClient, path: str) -> None:
    answer = web.get(path)
    assert answer.status_code == 404


def test_an_unknown_route_says_where_to_look(web: TestClient) -> None:
    assert problem(web.get("/api/v1/nothing"), 404)["key"] == "unknown_route"


def test_a_wrong_method_is_told_the_right_ones(web: TestClient) -> None:
    answer = web.put("/api/v1/health")
    assert problem(answer, 405)["key"] == "wrong_method"
    assert answer.headers["Allow"] == "GET"


def test_a_mistake_of_ours_is_calm_and_logged(
    web: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(workspace, "projects", broken)
    answer = web.get("/api/v1/projects")
    assert problem(answer, 500)["key"] == "unexpected"
    assert "secret" not in answer.text
    with pytest.raises(RuntimeError, match="secret detail"):
        # The server behind logs what reaches it.
        TestClient(Starlette(routes=[Mount("/api/v1", api.create(workspace))])).get("/api/v1/projects")


def test_a_full_disk_while_receiving_is_told(
    web: TestClient, first: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workspace, "add_photos", full)
    assert problem(web.post(f"{first}/samples", files=files(RED, range(1))), 507)["key"] == "storage_full"
