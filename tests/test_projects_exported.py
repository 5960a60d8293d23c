"""Files of exports in the folder of a project: names that cannot lead elsewhere, whole files, no debris."""

from pathlib import Path

import pytest

from teachable.errors import NotFound
from teachable.projects.exported import ExportFiles

KEY, OTHER = "0" * 32, "f" * 32


@pytest.fixture
def files(tmp_path: Path) -> ExportFiles:
    return ExportFiles(tmp_path / "exports")


def keep(files: ExportFiles, name: str, data: bytes = b"data", note: bytes | None = b"{}", key: str = KEY) -> Path:
    with files.workshop(key) as workshop:
        made = workshop / "made"
        made.write_bytes(data)
        return files.keep(made, key, name, note)


def test_a_file_is_kept_with_its_note(files: ExportFiles) -> None:
    path = keep(files, "onnx-full.onnx", b"12345", b"note")
    assert path == files.path(KEY, "onnx-full.onnx")
    assert path.read_bytes() == b"12345"
    assert files.notes(KEY) == {"onnx-full.onnx": (5, b"note")}
    keep(files, "onnx-full.onnx", b"new", b"another")
    assert files.notes(KEY) == {"onnx-full.onnx": (3, b"another")}
    assert files.notes(OTHER) == files.notes("../x") == {}


def test_a_file_without_a_note_is_not_listed(files: ExportFiles) -> None:
    path = keep(files, "onnx-half.onnx", note=None)
    assert path.is_file()
    assert files.notes(KEY) == {}


def test_the_workshop_is_gone_afterwards_whatever_happens(files: ExportFiles, tmp_path: Path) -> None:
    def work() -> None:
        with files.workshop(KEY) as workshop:
            workshop.joinpath("folder").mkdir()
            workshop.joinpath("folder", "half").write_bytes(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert [path.name for path in tmp_path.rglob("*")] == ["exports", KEY]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "A.onnx", "x" * 90, "note.json", "a\n"])
def test_names_that_are_none_of_ours(files: ExportFiles, name: str) -> None:
    with pytest.raises(NotFound):
        files.path(KEY, name)
    with pytest.raises(NotFound):
        files.path(name, "onnx-full.onnx")


def test_only_one_key_is_left_after_the_others_are_forgotten(files: ExportFiles, tmp_path: Path) -> None:
    first, second = keep(files, "a.zip"), keep(files, "a.zip", key=OTHER)
    stranger = tmp_path / "exports" / "mine"
    stranger.mkdir()
    files.forget_others(OTHER)
    assert (first.exists(), second.exists(), stranger.exists()) == (False, True, True)


def test_a_deleted_project_does_not_come_back_as_an_empty_folder(tmp_path: Path) -> None:
    files = ExportFiles(tmp_path / "deleted" / "exports")
    with pytest.raises(FileNotFoundError), files.workshop(KEY):
        pass
    assert not list(tmp_path.iterdir())


def test_discarding_what_is_not_there_is_fine(files: ExportFiles) -> None:
    files.discard(KEY, "a.zip")
    path = keep(files, "a.zip")
    files.discard(KEY, "a.zip")
    assert not path.exists()
    assert files.notes(KEY) == {}


def test_sweeping_an_empty_place_does_nothing(files: ExportFiles) -> None:
    files.sweep()
    files.forget_others(KEY)
