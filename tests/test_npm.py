"""npm packages for tests: installed once, outside of the sources; no npm is a reason to skip, but not in CI."""

import shutil
import subprocess
from pathlib import Path

import npm
import pytest

ROOT = Path(__file__).resolve().parent.parent
SMALL = "onnxruntime-common@1.30.0"


def test_a_package_is_installed_once_and_not_into_the_sources(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = npm.packages(pytestconfig, SMALL)
    assert (folder / "node_modules/onnxruntime-common/package.json").is_file()
    assert not (ROOT / "node_modules").exists()
    assert not (ROOT / "package.json").exists()
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: pytest.fail("npm ran again"))
    assert npm.packages(pytestconfig, SMALL) == folder


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_where_npm_fails_tests_are_skipped_but_not_in_ci(
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ci: str,
    outcome: type[BaseException],
) -> None:
    # In the cache that all share, others may be installing at this very moment.
    assert pytestconfig.cache is not None
    monkeypatch.setattr(pytestconfig.cache, "mkdir", lambda name: tmp_path)
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(npm.subprocess, "run", _fails)
    with pytest.raises(outcome, match="no such registry"):
        npm.packages(pytestconfig, "no-such-package@0.0.0")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_versions_are_named(pytestconfig: pytest.Config) -> None:
    with pytest.raises(AssertionError, match="version"):
        npm.packages(pytestconfig, "@scope/name")


def test_there_is_a_node() -> None:
    assert subprocess.run([npm.node(), "-p", "6 * 7"], capture_output=True, text=True).stdout == "42\n"
    assert shutil.which(npm.node())


def _fails(command: list[str], **kwargs: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.CompletedProcess(command, 1, "", "no such registry")
