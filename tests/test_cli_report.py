"""`teachable report`: what it prints, the page, JSON for programs, and how it fails."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from commanding import fill, teachable
from reporting import report as made_up

from teachable.report import Report


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


def test_it_prints_what_is_known(home: Path, here: Path) -> None:
    result = teachable("report", "colours", "--home", home)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "“Colours”: 40 photos from 8 recordings"
    assert "100% right on recordings it never saw." in result.stdout
    assert any(line.startswith("CLASS") and line.endswith("RECORDINGS") for line in lines)
    assert any(line.startswith("Class 1") and "20 of 20, 100%" in line for line in lines)
    assert any(line.startswith(" 1 Class 1") and line.split()[-2:] == ["20", "·"] for line in lines)
    assert "What this cannot know:" in lines
    assert "“Class 2”" in result.stdout
    assert max(map(len, lines[:1])) < 80
    assert list(here.iterdir()) == []


def test_the_page_is_written_and_not_replaced_unasked(home: Path, here: Path) -> None:
    result = teachable("report", "Colours", "--out", "report.html", "--quiet", "--home", home)
    assert (result.exit_code, result.output) == (0, "")
    assert (here / "report.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    (here / "report.html").write_text("mine")
    result = teachable("report", "Colours", "--out", "report.html", "--home", home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--force" in result.stderr
    assert (here / "report.html").read_text() == "mine"
    assert (
        "Wrote report.html." in teachable("report", "Colours", "--out", "report.html", "--force", "--home", home).stdout
    )
    assert (here / "report.html").stat().st_size > 1000


def test_json_is_all_that_programs_get(home: Path, here: Path) -> None:
    result = teachable("report", "Colours", "--json", "--out", "report.html", "--home", home)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["state"], found["accuracy"]["total"], found["confusion"]) == ("done", 40, [[20, 0], [0, 20]])
    assert "Wrote report.html." in result.stderr
    assert json.loads(teachable("report", "Colours", "--json", "--quiet", "--home", home).stdout) == found


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(["Empty"], "There is no model yet."), (["Nobody"], "There is no project"), (["Colours", "--out", "no/x"], "no")],
)
def test_what_cannot_be_done_is_said(home: Path, here: Path, arguments: list[str], part: str) -> None:
    result = teachable("report", *arguments, "--home", home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert part in result.stderr


def shown(found: Report, capsys: pytest.CaptureFixture[str]) -> str:
    # Imported by name, because the package has the command under it.
    import_module("teachable.cli.report")._show(found)
    return capsys.readouterr().out


def test_a_report_that_failed_says_why(home: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from teachable.reports import Reports

    failed = replace(made_up("a", "b"), state="failed", message="It broke.")
    monkeypatch.setattr(Reports, "of", lambda reports, project: failed)
    monkeypatch.setattr(Reports, "start", lambda reports, project: None)
    result = teachable("report", "Colours", "--home", home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "It broke." in result.stderr


def test_everything_a_report_says_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found = replace(made_up("Cat", "Dog with a name that goes on and on", unjudged=[1]), stale=True, more_findings=1)
    out = shown(found, capsys)
    for text in (found.headline, found.method, found.random_text, found.calibration_text, found.unknown, *found.limits):
        assert text in out
    assert found.test is not None
    assert found.test.text in out
    assert found.learning_text in out
    assert found.classes_text in out
    for one in found.findings:
        assert f"{one.title}. {one.text}" in out
    assert "Train again to see what that did." in out
    assert "… and 1 more, on the page." in out
    assert "Dog with a name tha…" in out
    assert "not tested" in out
    kept = replace(found.test, per_class=tuple((id, found.test.score) for id, _ in found.test.per_class))
    assert "only with kept photos" in shown(replace(found, test=kept), capsys)


def test_of_many_classes_the_worst_mix_ups_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(made_up(*(f"class {place}" for place in range(200))), capsys)
    assert out.count("was taken for") == 12
    none = replace(made_up(*map(str, range(20))), confusion=((0,) * 20,) * 20, findings=(), more_findings=0)
    out = shown(none, capsys)
    assert "No class was taken for another." in out
    assert "Nothing about the photos stands out as wrong." in out


def test_without_anything_tested_there_is_no_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    from teachable.report import Share

    found = replace(made_up("a", "b", unjudged=[0, 1]), accuracy=Share(0, 0, None, None, None))
    assert "columns are the classes" not in shown(found, capsys)
