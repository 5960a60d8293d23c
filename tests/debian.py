"""Files of Debian packages for tests: fetched once with apt, unpacked in pytest's cache, never installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

SUITE = "trixie"
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_SECONDS = 180


def packages(config: pytest.Config, *names: str) -> Path:
    """Return a folder in which these packages are unpacked; it looks like `/`.

    They are of Debian 13, whatever Debian this computer runs, and come from where this computer gets its own.

    Args:
        config: of pytest, for its cache.
        names: of packages. What they depend on does not come with them.

    Raises:
        pytest.skip.Exception: this computer runs no Debian, or reaches no archive.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg") and Path("/etc/debian_version").exists()):
        pytest.skip("Debian packages are fetched on Debian only.")
    assert config.cache is not None, "the cache of pytest is switched off"
    kept = config.cache.mkdir("debian")
    folder = kept / "-".join(sorted(names))
    with FileLock(kept / ".lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(prefix=".new-", dir=kept) as scratch:
                _fetch(Path(scratch), names)
                (Path(scratch) / "root").replace(folder)
    return folder


def _fetch(scratch: Path, names: tuple[str, ...]) -> None:
    for name in ("lists/partial", "archives/partial", "root"):
        (scratch / name).mkdir(parents=True)
    described = _ask("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    # The main archive ends in /debian; those of security updates and of other people do not.
    uris = sorted({uri for uri in described.split() if uri.rstrip("/").endswith("/debian")})
    if not uris or not KEYS.exists():
        pytest.skip("This computer names no archive of Debian.")
    (scratch / "sources").write_text(f"deb [signed-by={KEYS}] {uris[0]} {SUITE} main\n")
    options = [
        f"Dir::State::lists={scratch / 'lists'}",
        f"Dir::Cache={scratch}",
        f"Dir::Etc::sourcelist={scratch / 'sources'}",
        "Dir::Etc::sourceparts=-",
        "Acquire::Languages=none",
        "Acquire::Retries=2",
        # Its own user could not write into the scratch folder.
        "APT::Sandbox::User=root",
    ]
    flags = [part for option in options for part in ("-o", option)]
    _ask("apt-get", *flags, "update", folder=scratch)
    _ask("apt-get", *flags, "download", *names, folder=scratch)
    for archive in scratch.glob("*.deb"):
        _ask("dpkg", "-x", str(archive), str(scratch / "root"))


def _ask(*command: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=APT_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} took too long.")
    if done.returncode:
        pytest.skip(f"{command[0]} said: {done.stderr.strip()[-400:]}")
    return done.stdout
