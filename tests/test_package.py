"""What importing costs, what is public, and that the version is said in one place."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import teachable

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "torchvision", "gradio", "fastapi", "onnxruntime", "onnx", "numpy", "PIL", "typer"}


def loaded(code: str) -> set[str]:
    """The heavy packages that are loaded after some code ran in a fresh interpreter."""
    report = f"{code}\nimport sys\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import teachable; teachable.__version__") == set()


def test_the_runtime_needs_three_packages() -> None:
    assert loaded("from teachable import Classifier") == {"numpy", "PIL", "onnxruntime"}


def test_projects_and_training_in_the_server_load_no_torch() -> None:
    assert not loaded("import teachable.workflow") & {"torch", "torchvision", "gradio", "fastapi"}


def test_the_api_loads_neither_torch_nor_the_page() -> None:
    assert not loaded("import teachable.api") & {"torch", "torchvision", "gradio"}


def test_the_page_loads_no_torch() -> None:
    assert not loaded("import teachable.ui, teachable.server") & {"torch", "torchvision"}


def test_the_command_line_loads_little() -> None:
    assert loaded("import teachable.cli") <= {"typer", "numpy"}


def test_the_public_names_are_there_and_no_others() -> None:
    from teachable import runtime

    assert teachable.Classifier is runtime.Classifier
    assert teachable.Prediction is runtime.Prediction
    with pytest.raises(AttributeError, match="nonsense"):
        teachable.nonsense  # noqa: B018
    for name in teachable.__all__:
        assert getattr(teachable, name)


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]
    said = re.compile(rf"""["']{re.escape(teachable.__version__)}["']""")
    files = [path for path in (ROOT / "teachable").rglob("*.py") if said.search(path.read_text(encoding="utf-8"))]
    assert files == [ROOT / "teachable" / "__init__.py"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", teachable.__version__)
    assert metadata.version("teachable") == teachable.__version__


def test_the_changelog_knows_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## .*{re.escape(teachable.__version__)}", text, re.MULTILINE)


def test_the_package_is_typed() -> None:
    assert (ROOT / "teachable" / "py.typed").is_file()


def test_every_file_says_what_it_owns() -> None:
    import ast

    for path in (ROOT / "teachable").rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
