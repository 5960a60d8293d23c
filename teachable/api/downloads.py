"""Downloads: a name a person typed becomes a header nobody can misread, a zip file is sent while it is made."""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import quote

from starlette.responses import StreamingResponse

_RESERVED = re.compile(r'[<>:"/\\|?*]')
# Windows gives these names to devices, with any ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 80


def zipped(pieces: Iterator[bytes], name: str) -> StreamingResponse:
    """Return a zip file that is sent while it is made.

    Args:
        pieces: of the file.
        name: what a person calls it, without an ending.
    """
    headers = {"Content-Disposition": attachment(name, ".zip"), "Cache-Control": "no-cache"}
    return StreamingResponse(pieces, headers=headers, media_type="application/zip")


def attachment(name: str, ending: str) -> str:
    """Return a `Content-Disposition` value (RFC 6266) with an ASCII name and, in UTF-8 (RFC 5987), the full one.

    Args:
        name: what a person calls it.
        ending: of the file, `.onnx` for one.
    """
    full = _file_name(name, ending.lstrip("."))
    plain = unicodedata.normalize("NFKD", full).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", plain).strip("._-") or ending.lstrip(".")
    return f"attachment; filename=\"{plain}{ending}\"; filename*=UTF-8''{quote(full + ending, safe='')}"


def _file_name(name: str, otherwise: str) -> str:
    """Return `name` with nothing in it that a file system or a terminal could mistake."""
    kept = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in name)
    kept = " ".join(_RESERVED.sub("_", kept).split()).strip(". ")[:_LONGEST].strip(". ")
    return f"_{kept}" if _DEVICES.fullmatch(kept) else kept or otherwise
