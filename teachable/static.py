"""The files a browser loads, under an address that changes with their content.

The address holds a digest of every served byte, so that browsers may keep the files for good and an update is seen at
once. Only files listed at start are served, by exact name: no request text ever becomes a path. Photos and models are
not served here but by the API.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from teachable.browser_runtime import runtime_folder
from teachable.errors import InstallationError
from teachable.resources import assets
from teachable.words import say

# Written down because the system's own table is often wrong: Windows may call JavaScript text/plain.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}

FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


class Files:
    """ASGI app that serves a fixed set of files.

    Args:
        files: what is served, by address below the mount point.
        cache_control: told to browsers.
    """

    def __init__(self, files: Mapping[str, Path], cache_control: str) -> None:
        self._files = dict(files)
        self._cache_control = cache_control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse(say("error.wrong_method"), 405, headers={"Allow": "GET, HEAD"})
        # Inside a mount, `path` is the whole path and `root_path` what the mount took.
        name = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        path = self._files.get(name)
        if path is None:
            return PlainTextResponse(say("error.static_missing"), 404, headers={"Cache-Control": "no-store"})
        headers = {"Cache-Control": self._cache_control}
        packed = self._files.get(f"{name}.gz")
        if packed is not None:
            headers["Vary"] = "Accept-Encoding"
            if _accepts_gzip(Headers(scope=scope)):
                path = packed
                headers["Content-Encoding"] = "gzip"
        return FileResponse(path, headers=headers, media_type=media_type(name))


@dataclass(frozen=True)
class Bundle:
    """Everything a page loads.

    Attributes:
        digest: short name of the content.
        files: by address below the digest, `studio/studio.mjs` for one.
    """

    digest: str
    files: Mapping[str, Path]

    @property
    def address(self) -> str:
        """Where the bundle is mounted. Gradio keeps files of its own in `/static`."""
        return f"/static/{self.digest}"

    def app(self) -> Files:
        """Return the ASGI app to mount at `address`."""
        return Files(self.files, FOREVER)


def collect() -> Bundle:
    """List and digest the files of the page.

    Raises:
        InstallationError: a part of the page is missing.
    """
    files: dict[str, Path] = {}
    folders = {name: assets() / name for name in ("studio", "classroom", "locales")} | {"ort": runtime_folder()}
    for prefix, folder in folders.items():
        files.update((f"{prefix}/{path.relative_to(folder).as_posix()}", path) for path in _walk(folder))
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return Bundle(digest.hexdigest()[:16], files)


def media_type(name: str) -> str:
    """Return the media type of a file, by its extension."""
    return MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


def _walk(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise InstallationError("assets_missing", folder=folder.name)
    return (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _accepts_gzip(headers: Headers) -> bool:
    for part in headers.get("accept-encoding", "").lower().split(","):
        coding, _, quality = part.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", quality)
    return False
