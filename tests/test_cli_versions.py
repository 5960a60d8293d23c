"""`teachable versions`: the list, names, comparing, going back, and what does not go together."""

import json
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from commanding import fill, teachable

from teachable.types import ProjectInfo, TrainSettings
from teachable.versions import Version, VersionList
from teachable.versions.records import ClassThen
from teachable.workflow import Workspace


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a project that was trained twice, and one that was not."""
    home = tmp_path_factory.mktemp("home")
    fill(home)
    with closing(Workspace(home, offline=True)) as space:
        info = next(one for one in space.projects() if one.name == "Colours")
        space.update_class(info.id, info.classes[0].id, name="Red")
        space.start_training(info.id, TrainSettings(epochs=21))
        assert space.wait_for_training(info.id, 60).training.state == "done"
    return home


def test_they_are_listed_newest_first(home: Path) -> None:
    result = teachable("versions", "colours", "--home", home)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "“Colours”: 2 versions, the newest first"
    assert lines[2].startswith("*   2  ")
    assert lines[2].endswith("Red (20), Class 2 (20)")
    assert lines[3].startswith("    1  ")
    assert lines[3].endswith("Class 1 (20), Class 2 (20)")
    assert "100 % (" in lines[3]
    assert "not trained yet" in teachable("versions", "Empty", "--home", home).stdout


def test_a_figure_of_some_classes_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    classes = (ClassThen("A", "#E67701", 24), ClassThen("B", "#D84C6F", 8))
    figures = {"accuracy": 0.998, "low": 0.45, "high": 0.9998, "held_out": 24, "correct": 24, "bytes": 9}
    given: dict[str, Any] = {"name": None, "created": 0.0, "network": "n", "settings": TrainSettings(), "samples": 32}
    some = Version(id="m", number=1, classes=classes, judged=1, restorable=True, **figures, **given)
    whole = replace(some, id="n", number=2, judged=2)
    # Imported by name, because the package has the command under it.
    commands = import_module("teachable.cli.versions")
    commands._show(ProjectInfo("p", "Half", 0.0, 0.0, (), TrainSettings()), VersionList("n", (whole, some)))
    lines = capsys.readouterr().out.splitlines()
    assert " over 99 % (45–99)  " in lines[2]
    assert " over 99 % (45–99), for 1 of 2 classes  " in lines[3]
    assert lines[2].index("A (24)") == lines[3].index("A (24)")


def test_json_for_programs(home: Path) -> None:
    found = json.loads(teachable("versions", "Colours", "--json", "--home", home).stdout)
    assert [one["number"] for one in found["versions"]] == [2, 1]
    compared = json.loads(teachable("versions", "Colours", "--compare", "1", "2", "--json", "--home", home).stdout)
    assert (compared["way"], compared["photos"]) == ("held_out", 40)


def test_two_are_compared(home: Path) -> None:
    result = teachable("versions", "Colours", "--compare", "2", "1", "--home", home)
    assert result.exit_code == 0, result.output
    assert "40 photos from 8 recordings" in result.stdout
    lines = result.stdout.splitlines()
    assert lines[2].startswith("Version 2: ")
    assert lines[3].startswith("Version 1: ")
    assert any(line.startswith("CLASS") and line.split() == ["CLASS", "PHOTOS", "2", "1"] for line in lines)
    assert any(line.startswith("Red ") and line.split()[1] == "20" for line in lines)


def test_naming_going_back_and_deleting(home: Path) -> None:
    assert (
        "is now called “First try”"
        in teachable("versions", "Colours", "--name", "1", "First try", "--home", home).stdout
    )
    assert "First try" in teachable("versions", "Colours", "--home", home).stdout
    result = teachable("versions", "Colours", "--restore", "1", "--home", home)
    assert (result.exit_code, result.stdout) == (0, "The project is as it was at version 1.\n")
    assert "Class 1 (20)" in teachable("projects", "--home", home).stdout
    result = teachable("versions", "Colours", "--restore", "2", "--model-only", "--home", home)
    assert result.stdout == "The model of version 2 is in use again. Classes and photos stay as they are.\n"
    assert "Class 1 (20)" in teachable("projects", "--home", home).stdout
    assert "no name any more" in teachable("versions", "Colours", "--name", "1", "", "--home", home).stdout
    assert teachable("versions", "Colours", "--delete", "2", "--home", home).exit_code == 2
    assert teachable("versions", "Colours", "--delete", "1", "--home", home).stdout == "Deleted version 1.\n"
    assert "1 version, the newest first" in teachable("versions", "Colours", "--home", home).stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--restore", "9"),
        ("--compare", "2", "2"),
        ("--restore", "2", "--delete", "1"),
        ("--model-only",),
        ("--name", "9", "x"),
    ],
)
def test_what_cannot_be_done_is_said(home: Path, options: tuple[str, ...]) -> None:
    result = teachable("versions", "Colours", *options, "--home", home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
