"""What the rules find, and that what is not named is not found. All routes are walked in `test_classroom_gate`."""

import pytest

from teachable.classroom.rules import Access, find


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/nothing"),
        ("GET", "//api/v1/projects"),
        ("GET", "/api/v1/projects/"),
        ("PATCH", "/api/v1/projects"),
        ("OPTIONS", "/api/v1/projects"),
        ("TRACE", "/"),
        ("GET", "/api/v2/projects/x"),
        ("POST", "/api/v1/projects/x/anything"),
    ],
)
def test_what_is_not_named_is_not_decided(method: str, path: str) -> None:
    assert find(method, path) is None


def test_a_rule_finds_the_project_and_the_import() -> None:
    found = find("POST", "/api/v1/projects/abc/classes/def/samples")
    assert found is not None
    assert (found.project, found.rule.access, found.rule.limit) == ("abc", Access.CHANGE, "photos")
    found = find("GET", "/api/v1/imports/xyz/previews/3")
    assert found is not None
    assert (found.arrival, found.rule.where) == ("xyz", "import")
    assert find("HEAD", "/api/v1/projects/abc") == find("GET", "/api/v1/projects/abc")


def test_what_changes_a_project_can_be_paused() -> None:
    """Asking the model, and taking it away, goes on."""
    for path in ("classes", "undo", "redo", "training", "samples/delete", "report", "network", "duplicate"):
        found = find("PUT" if path == "network" else "POST", f"/api/v1/projects/p/{path}")
        assert found is not None
        assert found.rule.access is Access.CHANGE, path
    for path in ("predict", "exports/onnx/full", "exports/page/full/phone"):
        found = find("POST", f"/api/v1/projects/p/{path}")
        assert found is not None
        assert found.rule.access is Access.LOOK
