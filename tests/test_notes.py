"""What a person decided and what was measured is kept, and files that are damaged cost nothing but that."""

import json
import os
from pathlib import Path

import pytest

from teachable.errors import InstallationError, InvalidInput, StorageFull
from teachable.notes import Choices, Notes, Speed, writing


def test_without_a_decision_the_recommended_network_is_fetched(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "none yet")
    assert notes.choices() == Choices(automatic=True)
    assert notes.speeds() == {}
    assert not (tmp_path / "none yet").exists()


def test_a_decision_is_kept(tmp_path: Path) -> None:
    Notes(tmp_path / "new").choose(automatic=False)
    assert Notes(tmp_path / "new").choices() == Choices(automatic=False)
    Notes(tmp_path / "new").choose(automatic=True)
    assert Notes(tmp_path / "new").choices() == Choices(automatic=True)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["choices.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"automatic": "yes"}', "\udcff", "[" * 100_000])
def test_a_damaged_decision_means_no(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "choices.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    notes = Notes(tmp_path)
    assert notes.choices() == notes.choices() == Choices(automatic=False)
    assert len(caplog.records) == ("yes" not in text)


def test_speeds_are_kept_one_by_one(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "new")
    notes.note_speed("a", native_ms=3)
    notes.note_speed("a", browser_ms=20.5)
    notes.note_speed("b", browser_ms=7)
    notes.note_speed("a", native_ms=4)
    assert Notes(tmp_path / "new").speeds() == {"a": Speed(4.0, 20.5), "b": Speed(None, 7.0)}
    notes.forget_speed("a")
    notes.forget_speed("never measured")
    assert notes.speeds() == {"b": Speed(None, 7.0)}


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e9, True, "3"])
def test_what_is_no_time_is_refused(value: float, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        Notes(tmp_path).note_speed("a", browser_ms=value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "entry",
    [
        "{",
        "[]",
        '{"speeds": []}',
        '{"speeds": {"a": 3}}',
        '{"speeds": {"a": {}}}',
        '{"speeds": {"a": {"native_ms": "x", "browser_ms": null}}}',
        '{"speeds": {"a": {"native_ms": -1, "browser_ms": null}}}',
        f'{{"speeds": {{"a": {{"native_ms": 1{"0" * 400}, "browser_ms": null}}}}}}',
        "[" * 100_000,
    ],
)
def test_damaged_speeds_are_measured_again(entry: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "speeds.json").write_text(entry)
    notes = Notes(tmp_path)
    assert notes.speeds() == notes.speeds() == {}
    assert len(caplog.records) == 1
    notes.note_speed("a", native_ms=1)
    assert json.loads((tmp_path / "speeds.json").read_text())["format_version"] == 1
    assert notes.speeds() == {"a": Speed(1.0)}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallationError, match="TEACHABLE_NETWORKS") as caught:
        Notes(tmp_path / "file" / "folder").choose(automatic=False)
    assert str(tmp_path) in str(caught.value)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageFull), writing(tmp_path):
        raise OSError(28, os.strerror(28))
