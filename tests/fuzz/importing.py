"""Fuzz the readers of files from elsewhere for as long as one likes, guided by which code a file reaches.

    uv run --group dev --with atheris python -m tests.fuzz.importing FOLDER -max_total_time=300 -rss_limit_mb=2048

FOLDER keeps the files that reach something new, and is begun with whole ones of each kind. Which kind a name says is
tried with the first byte. What is written to the terminal is libFuzzer's; a fault leaves its file behind. The readers
of videos are native code that is not guided, so that whole videos with random changes are tried there.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["teachable.importing", "teachable.project_zip", "zipfile", "csv"]):
    import teachable.importing.opening  # noqa: F401

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fuzz.targets import exercise, own_folder
from tests.test_importing_fuzz import SEEDS

NAMES = ("x", "x.tm", "x.zip", "x.mp4")


def one(data: bytes) -> None:
    """Try one file."""
    if data:
        with own_folder() as folder:
            exercise(data[1:], NAMES[data[0] % len(NAMES)], folder)


def begin(folder: Path) -> None:
    """Put whole files where libFuzzer begins."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (folder / name).write_bytes(b"\0" + data)


if __name__ == "__main__":
    begin(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
