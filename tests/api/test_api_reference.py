"""The description of the API: nothing is left out, and the page loads nothing from elsewhere."""

import json
import re
from collections.abc import Iterator

import pytest
from sending import Json
from starlette.testclient import TestClient

from teachable import api
from teachable.words import catalogue
from teachable.workflow import Workspace


@pytest.fixture
def description(web: TestClient) -> Json:
    found: Json = web.get("/api/v1/openapi.json").json()
    return found


def operations(description: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_is_described(description: Json) -> None:
    seen = [name for name, _ in operations(description)]
    assert len(seen) == 95
    tags = {tag["name"] for tag in description["tags"]}
    for name, operation in operations(description):
        assert operation["summary"], name
        assert operation["description"].endswith("."), name
        assert set(operation["tags"]) < tags, name
        for parameter in operation.get("parameters", []):
            assert parameter["description"], f"{name} {parameter['name']}"
        assert {"4XX", "5XX"} <= operation["responses"].keys(), name


def test_every_route_of_the_app_is_in_the_description(workspace: Workspace, description: Json) -> None:
    listed = {name for name, _ in operations(description)}
    for route in api.create(workspace).routes:
        if getattr(route, "include_in_schema", False):
            for method in route.methods - {"HEAD"}:  # type: ignore[attr-defined]
                assert f"{method} {route.path}" in listed  # type: ignore[attr-defined]


def test_every_field_is_described(description: Json) -> None:
    for name, schema in description["components"]["schemas"].items():
        assert schema.get("description"), name
        assert "Attributes:" not in schema["description"], name
        for field, inside in schema.get("properties", {}).items():
            assert inside.get("description"), f"{name}.{field}"


def test_every_reference_leads_somewhere(description: Json) -> None:
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(description)):
        assert name in description["components"]["schemas"]


def test_the_page_loads_nothing_from_elsewhere(web: TestClient) -> None:
    page = web.get("/api/v1/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 3
    for link in links:
        assert not link.startswith(("http", "/", "//"))
        if not link.startswith("data:"):
            assert web.get(f"/api/v1/{link}").status_code == 200
    for name in ("reference.css", "reference.mjs"):
        text = web.get(f"/api/v1/docs/{name}").text
        assert "http://" not in text
        assert "https://" not in text


def test_the_page_has_all_its_words(web: TestClient) -> None:
    script = web.get("/api/v1/docs/reference.mjs").text
    words = web.get("/api/v1/docs/words.json").json()
    named = set(re.findall(r'say\("([\w.]+)"\)', script))
    assert named
    assert {f"api.{name}" for name in named} <= words.keys()
    assert set(words) <= catalogue().keys()
