"""`teachable export`: the file, what is said about it, and how it fails."""

from pathlib import Path

import numpy as np
import pytest
from commanding import BLUE, RED, fill, teachable
from making import photo
from taking import Copy, use

from teachable.exporting.exporter import Extra, Source, Watch
from teachable.runtime import Classifier


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a trained project and one that is not."""
    home = tmp_path_factory.mktemp("home")
    fill(home)
    return home


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_options_it_is_the_model_file(home: Path, here: Path) -> None:
    result = teachable("export", "Colours", "--home", home)
    assert result.exit_code == 0, result.output
    assert Classifier.load(here / "model.onnx").predict([photo(1, RED)])[0].label == "Class 1"
    first, second = result.stdout.splitlines()
    assert first.startswith("Wrote model.onnx: Exact model, ")
    assert second.startswith("Checked: it gives the same answer as the preview for 40 of 40 photos.")
    assert "Exporting" in result.stderr


@pytest.mark.parametrize("variant", ["half", "quarter"])
def test_smaller_ones_say_what_they_cost(home: Path, here: Path, variant: str) -> None:
    out = here / "small.onnx"
    result = teachable("export", "colours", "--variant", variant, "--out", out, "--home", home)
    assert result.exit_code == 0, result.output
    labels = [one.label for one in Classifier.load(out).predict([photo(1, RED), photo(2, BLUE)])]
    assert labels == ["Class 1", "Class 2"]
    assert "the same answer as the preview for 10 of 10 photos" in result.stdout
    assert "a model was trained without 10 photos" in result.stdout
    assert "In the exact size it named 10 right, in this size 10." in result.stdout
    assert sorted(path.name for path in here.iterdir()) == ["small.onnx"]


def test_another_format_has_its_usual_name(home: Path, here: Path) -> None:
    result = teachable("export", "Colours", "--format", "page", "--home", home, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert (here / "teachable-page.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_nothing_is_replaced_unasked(home: Path, here: Path) -> None:
    (here / "model.onnx").write_bytes(b"mine")
    result = teachable("export", "Colours", "--home", home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--force" in result.stderr
    assert (here / "model.onnx").read_bytes() == b"mine"
    assert teachable("export", "Colours", "--home", home, "--force").exit_code == 0
    assert (here / "model.onnx").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Nobody"], "There is no project “Nobody”"),
        (["Colors"], "There is no project “Colors”. Did you mean “Colours”?"),
        (["Empty"], "There is no model yet"),
        (["Colours", "--format", "floppy"], "There is no format “floppy”. Choose one of these: onnx, page"),
        (["Colours", "--variant", "tiny"], "The format “onnx” has no choice “tiny”. Choose one of these: full, half"),
        (["Colours", "--out", "."], "folder"),
        (["Colours", "--out", "no/such/model.onnx"], "no"),
        ([], "No project was named"),
    ],
)
def test_what_cannot_be_done_is_said(home: Path, here: Path, arguments: list[str], said: str) -> None:
    result = teachable("export", *arguments, "--home", home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert not list(here.iterdir())


def test_the_list_says_what_each_is_for(here: Path) -> None:
    result = teachable("export", "--list")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("onnx: ")
    assert "    --variant half: Half-size model, model-half.onnx" in result.stdout
    for one in ("page: ", "web: "):
        assert one in result.stdout


def test_a_file_that_is_no_good_is_not_written(home: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Copy()
    copy.asked = lambda answers: type(answers)(np.ascontiguousarray(answers.probabilities[:, ::-1]))
    use(monkeypatch, copy)
    monkeypatch.setattr("teachable.exporting.exporter.exporters", lambda: (copy,))
    result = teachable("export", "Colours", "--format", "copy", "--home", home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "copy.onnx" in result.stderr
    assert not list(here.iterdir())


def test_the_largest_difference_is_not_made_smaller_by_rounding(
    home: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Off(Copy):  # what was made is kept, so the formats of the other tests must not be this one
        id = "off"

    copy = Off()
    copy.asked = lambda answers: type(answers)(answers.probabilities - np.float32(4e-5))
    use(monkeypatch, copy)
    monkeypatch.setattr("teachable.exporting.exporter.exporters", lambda: (copy,))
    result = teachable("export", "Colours", "--format", "off", "--home", home)
    assert "No probability differs by more than 0.01 %." in result.stdout


def test_what_is_not_installed_is_said_without_stopping_anything(
    home: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Missing(Copy):
        extra = Extra("copy", ("no_such_module_here",))

    copy = Missing()
    use(monkeypatch, copy)
    monkeypatch.setattr("teachable.exporting.exporter.exporters", lambda: (copy,))
    monkeypatch.setattr(Extra, "fits", lambda extra: True)
    result = teachable("export", "Colours", "--format", "copy", "--home", home, "--quiet")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "then the same command again" in result.stderr
    assert "Stop Teachable" not in result.stderr
    assert not list(here.iterdir())


def test_a_failure_is_said(home: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Source, target: Path, watch: Watch) -> None:
        raise ZeroDivisionError

    copy = Copy()
    copy.writing = fail
    use(monkeypatch, copy)
    monkeypatch.setattr("teachable.exporting.exporter.exporters", lambda: (copy,))
    result = teachable("export", "Colours", "--format", "copy", "--home", home, "--quiet")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Exporting broke off" in result.stderr


def test_a_disk_that_is_full_leaves_the_file_of_before(home: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "model.onnx").write_bytes(b"mine")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    result = teachable("export", "Colours", "--home", home, "--force")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "could not be written" in result.stderr
    assert [(path.name, path.read_bytes()) for path in here.iterdir()] == [("model.onnx", b"mine")]
