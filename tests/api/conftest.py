"""A workspace, the API over it, and a project with two classes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sending import Json, served
from starlette.testclient import TestClient

from teachable.workflow import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "home") as space:
        yield space


@pytest.fixture
def web(workspace: Workspace) -> TestClient:
    return served(workspace)


@pytest.fixture
def project(web: TestClient) -> Json:
    answer = web.post("/api/v1/projects", json={"name": "Fruit"})
    assert answer.status_code == 201
    found: Json = answer.json()
    return found


@pytest.fixture
def base(project: Json) -> str:
    return f"/api/v1/projects/{project['id']}"


@pytest.fixture
def first(base: str, project: Json) -> str:
    """Address of the first class."""
    return f"{base}/classes/{project['classes'][0]['id']}"
