"""Where the files that are not Python live. It owns that one question and nothing about what is in them."""

from functools import cache
from pathlib import Path


@cache
def assets() -> Path:
    """Return the folder with backbones, page, locales and browser runtime.

    In an installed wheel it is inside the package, in a checkout beside it.
    """
    inside = Path(__file__).resolve().parent / "assets"
    return inside if inside.is_dir() else inside.parent.parent / "assets"
