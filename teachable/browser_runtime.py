"""Where the files are that run a model in a browser. The build hook in `assets/onnxruntime-web` brings them."""

import re
from pathlib import Path

from teachable.errors import InstallationError
from teachable.resources import assets

PAGE_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""What a page needs that loads them one by one."""

BUNDLED_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
"""What a page needs that holds everything in one file."""

FILES = tuple(sorted({*PAGE_FILES, *BUNDLED_FILES}))


def runtime_folder() -> Path:
    """Return the newest folder with a whole browser runtime; an update may leave an older one beside it.

    Raises:
        InstallationError: there is none.
    """
    found = [
        folder
        for folder in (assets() / "onnxruntime-web" / "dist").glob("*")
        if all((folder / name).is_file() for name in FILES)
    ]
    if not found:
        raise InstallationError("browser_runtime_missing")
    return max(found, key=lambda folder: [int(number) for number in re.findall(r"\d+", folder.name)])
