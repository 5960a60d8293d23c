"""The checks of the code itself, so that one command runs them all: style, types, import order, JavaScript types."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Fetched once from the npm registry; pinned, so that it means the same for everyone.
TYPESCRIPT = "typescript@5.9.3"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    done.stdout += done.stderr
    return done


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "."),
        ("mypy",),
        ("lint-imports", "--no-cache"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_code_passes(command: tuple[str, ...]) -> None:
    name, *arguments = command
    tool = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert tool is not None, f"{name} is missing: run the tests with `uv run --group dev pytest`"
    done = run(tool, *arguments)
    assert done.returncode == 0, done.stdout


SCRIPTED = ("api", "classroom", "page", "server", "studio", "web")


@pytest.mark.parametrize("part", SCRIPTED)
def test_javascript_types_are_right(part: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("npm is missing: run the tests with `uv run --group dev pytest`")
    tsc = (npm, "exec", "--yes", "--prefer-offline", f"--package={TYPESCRIPT}", "--", "tsc")
    if run(*tsc, "--version").returncode and "CI" not in os.environ:
        pytest.skip(f"{TYPESCRIPT} could not be fetched; connect to the network once")
    done = run(*tsc, "--project", f"assets/{part}/jsconfig.json")
    assert done.returncode == 0, done.stdout


def test_only_what_begins_a_page_waits_at_its_top() -> None:
    """Safari lets modules that import one which waits run before it has (WebKit bug 242740): the page would be dead."""
    sources = {
        path: path.read_text(encoding="utf-8")
        for path in (ROOT / "assets").rglob("*.js")
        if not {"dist", "node_modules"} & set(path.parts)
    }
    imported = {
        (path.parent / name).resolve()
        for path, source in sources.items()
        for name in re.findall(r"(?:from|import)\s*\(?[\"'](\.[^\"']+)[\"']", source)
    }
    waiting = {
        path
        for path, source in sources.items()
        if re.search(r"^(?:(?:export )?(?:const|let) .*)?\bawait\b", source, re.M)
    }
    assert waiting, "the entries of the classroom wait"
    assert not waiting & imported
    # What begins the Studio is loaded by every part of the page.
    assert ROOT / "assets/studio/main.js" not in waiting


def test_no_nested_rule_begins_with_the_name_of_an_element() -> None:
    """Safari before 17.2 leaves such rules out; `:is(body)` means the same to every browser."""
    found = []
    for path in (ROOT / "assets").rglob("*.css"):
        if {"dist", "node_modules"} & set(path.parts):
            continue
        source = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
        around: list[str] = []
        for head, sign in re.findall(r"([^{};]*)([{};])", source):
            if sign == "{":
                # What is inside of parentheses is no selector of its own.
                while head != (head := re.sub(r"\([^()]*\)", "", head)):
                    pass
                selectors = [] if head.strip().startswith("@") else [one.strip() for one in head.split(",")]
                if any(not outer.startswith("@") for outer in around):
                    found += [f"{path.name}: {one}" for one in selectors if re.match(r"[a-z]", one)]
                around.append(head.strip())
            elif sign == "}":
                around.pop()
    assert found == []


def test_no_module_is_longer_than_a_newcomer_can_read() -> None:
    longest = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("teachable", *(f"assets/{part}" for part in SCRIPTED))
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".js", ".mjs"}
    }
    assert {name: lines for name, lines in longest.items() if lines > 450} == {}


def test_the_readme_names_the_two_commands_that_ci_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"<!-- command: (\w+) -->\s*```\w*\n(.+?)\n```", text))
    assert blocks == {"start": "pip install uv && uv run app.py", "test": "uv run --group dev pytest -n 2"}


def test_every_performance_figure_of_the_readme_names_a_benchmark_that_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"python -m (tests\.benchmarks\.\w+)", text))
    assert named
    for module in named:
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), module
