"""What SECURITY.md promises is tested where it says."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_promise_names_tests_that_are_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "Promise" not in line]
    assert len(rows) > 10
    for row in rows:
        named = re.findall(r"`(tests/[^`]+\.py)`", row)
        assert named, row
        for path in named:
            assert "def test_" in (ROOT / path).read_text(encoding="utf-8"), path


def test_how_to_fuzz_is_what_there_is() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for module in re.findall(r"python -m (tests[\w.]+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    for name in re.findall(r"(TEACHABLE_\w+)=", text):
        assert any(name in path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("*.py"))


def test_no_script_of_a_page_makes_elements_out_of_text() -> None:
    """So that no name, whatever is in it, can become one."""
    makers = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|eval\(|new Function)")
    scripts = [
        path
        for folder in ("studio", "classroom", "page", "server", "web", "api")
        for path in (ROOT / "assets" / folder).rglob("*")
        if path.suffix in {".js", ".mjs", ".html"}
    ]
    assert len(scripts) > 100
    found = [path.name for path in scripts if makers.search(path.read_text(encoding="utf-8"))]
    assert not found
