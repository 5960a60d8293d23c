"""The browser runtime: the newest whole folder is used."""

from pathlib import Path

import pytest

from teachable import browser_runtime
from teachable.errors import InstallationError


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for runtimes, empty."""
    monkeypatch.setattr(browser_runtime, "assets", lambda: tmp_path)
    made = tmp_path / "onnxruntime-web" / "dist"
    made.mkdir(parents=True)
    return made


def test_the_newest_whole_runtime_is_taken(dist: Path) -> None:
    for version in ("1.9.0", "1.30.0"):
        (dist / version).mkdir()
        for name in browser_runtime.FILES:
            (dist / version / name).write_bytes(b"runtime")
    broken = dist / "1.31.0"
    broken.mkdir()
    (broken / browser_runtime.FILES[0]).write_bytes(b"broken")
    assert browser_runtime.runtime_folder() == dist / "1.30.0"


def test_without_one_it_says_what_to_run(dist: Path) -> None:
    with pytest.raises(InstallationError, match="uv sync --reinstall-package teachable"):
        browser_runtime.runtime_folder()


def test_the_real_one_is_whole() -> None:
    folder = browser_runtime.runtime_folder()
    assert all((folder / name).stat().st_size > 1000 for name in browser_runtime.FILES)
