"""`teachable networks compare`: the table, the advice, and how it fails."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commanding import teachable
from making import photos, tiny_network
from typer.testing import Result

from teachable.cli import comparison
from teachable.cli.comparison import _TITLE_WIDTH
from teachable.library import Library
from teachable.projects import Project, ProjectStore
from teachable.types import TrainSettings

COLORS = ((190, 90, 90), (90, 90, 190))
SIGHTED = np.eye(3, dtype=np.float32)
BLIND = np.ones((2, 3), np.float32)


def compare(home: Path, project: str) -> Result:
    return teachable("networks", "compare", project, "--home", home)


def install(home: Path, id_: str, weights: np.ndarray) -> None:
    folder = home / "networks"
    folder.mkdir(exist_ok=True)
    Library(folder).add(*tiny_network(folder, id_, weights))


def fill(project: Project, groups: int) -> None:
    project.save_settings(TrainSettings(epochs=8))
    for place, one in enumerate(project.info().classes):
        for group in range(groups):
            seed = 10_000 * place + 100 * group
            project.add_photos(one.id, f"{seed}", photos(range(seed, seed + 5), COLORS[place]))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three projects, of which two are called alike, and three networks."""
    home = tmp_path_factory.mktemp("home")
    store = ProjectStore(home)
    fill(store.create("Colours"), 12)
    fill(store.create("Twins"), 1)
    store.create("Twins")
    store.close()
    install(home, "sighted", SIGHTED)
    install(home, "blind-and-with-a-name-that-is-too-long", BLIND)
    return home


@pytest.fixture(scope="module")
def compared(home: Path) -> Result:
    return compare(home, "Colours")


def ids(home: Path, name: str) -> list[str]:
    store = ProjectStore(home)
    try:
        return [one.id for one in sorted(store.list(), key=lambda one: -one.updated) if one.name == name]
    finally:
        store.close()


@pytest.fixture
def broken(home: Path) -> Iterator[Path]:
    """A home in which one network is damaged."""
    install(home, "worn", SIGHTED[:2])
    path = home / "networks" / "worn.onnx"
    path.write_bytes(b"\0" * path.stat().st_size)
    yield home
    Library(home / "networks").remove("worn")


def test_the_table_says_how_each_network_does(compared: Result) -> None:
    assert compared.exit_code == 0, compared.output
    lines = compared.stdout.splitlines()
    assert lines[0] == "“Colours”: 120 photos. Each network was asked about photos it had not learned from: 20 of them."
    headings, *rows = lines[2:6]
    assert headings.split() == ["NETWORK", "ACCURACY", "CORRECT", "MS", "HERE", "BROWSER", "MB"]
    (sighted,) = (row for row in rows if "sighted" in row)
    assert sighted.split()[:8] == ["Tiny", "sighted", "100", "%", "(50–100)", "20", "of", "20"]
    assert sum(row.startswith("*") for row in rows) == 1
    assert any("Tiny blind-and-with-a-nam…" in row for row in rows)


def test_it_is_readable_at_80_columns(compared: Result) -> None:
    table = compared.stdout.splitlines()[2:9]
    assert len(table) == 7
    assert max(map(len, table)) <= 80
    assert max(len(line) for line in table[:4]) > _TITLE_WIDTH


def test_the_advice_ends_it(compared: Result) -> None:
    assert compared.stdout.splitlines()[-1].startswith("Use “Tiny sighted”")


def test_progress_goes_to_stderr(compared: Result) -> None:
    assert "Comparing networks" in compared.stderr
    assert "Comparing" not in compared.stdout


@pytest.mark.thorough
def test_a_project_is_also_known_by_its_id(home: Path) -> None:
    (id_,) = ids(home, "Colours")
    result = compare(home, id_)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("“Colours”: 120 photos")


def test_a_name_of_two_projects_is_not_guessed(home: Path) -> None:
    result = compare(home, "Twins")
    assert (result.exit_code, result.stdout) == (2, "")
    for id_ in ids(home, "Twins"):
        assert id_ in result.stderr


def test_a_project_nobody_knows(home: Path) -> None:
    result = compare(home, "flowers")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "There is no project “flowers”" in result.stderr


def test_one_recording_per_class_still_gives_speeds(home: Path) -> None:
    twins = ids(home, "Twins")
    results = [compare(home, id_) for id_ in twins]
    (judged,) = (one for one in results if one.exit_code == 0)
    assert "it had not learned from: 0 of them" in judged.stdout
    assert "Record each class once more" in judged.stdout
    assert "Not tested" not in judged.stdout
    (empty,) = (one for one in results if one.exit_code != 0)
    assert (empty.exit_code, empty.stdout) == (2, "")
    assert "needs at least 1 sample" in empty.stderr


@pytest.mark.thorough
def test_a_network_that_cannot_be_used_does_not_stop_the_others(broken: Path) -> None:
    result = compare(broken, "Colours")
    assert result.exit_code == 1
    assert "Skipped Tiny worn: " in result.stderr
    assert "damaged" in result.stderr
    assert "Use “Tiny sighted”" in result.stdout


def test_a_failure_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("teachable.comparison.advise", lambda rows, hits: 1 / 0)
    result = compare(home, "Colours")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The comparison broke off" in result.stderr


def test_the_help_names_the_exit_code() -> None:
    result = teachable("networks", "compare", "--help")
    assert result.exit_code == 0
    assert "exit code is 1" in " ".join(result.stdout.split())
    assert comparison.SOME_FAILED == 1
