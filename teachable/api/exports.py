"""Routes for taking a model away: making files and handing them out, programs, and a link for a phone."""

import io
from pathlib import Path as FilePath
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from teachable.addresses import network_name, url
from teachable.api.access import ProjectId, Space, binary
from teachable.api.downloads import attachment
from teachable.api.records import PhoneLink, Programs
from teachable.errors import Conflict, NotFound
from teachable.guards import is_loopback
from teachable.workflow import Exports

router = APIRouter(tags=["exports"])

FormatId = Annotated[str, Path(description="Id of the format, `onnx` for one.", max_length=40)]
VariantId = Annotated[str, Path(description="Id of the choice within the format, `half` for one.", max_length=40)]

# An offline page holds everything it needs. Whatever a label or a photo might smuggle into it can load nothing, send
# nothing and ask nothing of this server.
_ALONE = "; ".join(
    (
        "default-src 'none'",
        "script-src 'unsafe-inline' 'wasm-unsafe-eval' blob: data:",
        "worker-src blob: data:",
        "connect-src blob: data:",
        "img-src blob: data:",
        "media-src blob: data: mediastream:",
        "style-src 'unsafe-inline'",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)


@router.get("/projects/{project_id}/exports", summary="See what can be exported")
def get_exports(space: Space, project_id: ProjectId) -> Exports:
    """Return every format, what is there of it, and how exports that run are going."""
    return space.exports(project_id)


@router.post("/projects/{project_id}/exports/{format}/{variant}", summary="Export the model", status_code=202)
def start_export(space: Space, project_id: ProjectId, format: FormatId, variant: VariantId) -> Exports:
    """Have a file made in the background, run it and compare it with the preview; ask for the exports to follow it.

    A file that is there, or on its way, is not made again.
    """
    space.start_export(project_id, format, variant)
    return space.exports(project_id)


@router.delete("/projects/{project_id}/exports/{format}/{variant}", summary="Cancel an export")
def cancel_export(space: Space, project_id: ProjectId, format: FormatId, variant: VariantId) -> Exports:
    """Give up an export that runs or waits for its turn. A file that was made stays."""
    space.cancel_export(project_id, format, variant)
    return space.exports(project_id)


@router.get(
    "/projects/{project_id}/exports/{format}/{variant}/file",
    summary="Download an export",
    response_class=FileResponse,
    responses=binary("application/octet-stream", "The file; its kind is the media type of the format."),
)
def download_export(space: Space, project_id: ProjectId, format: FormatId, variant: VariantId) -> FileResponse:
    """Return a file that was made and checked."""
    path, found = space.exported(project_id, format, variant)
    name = FilePath(found.variants[0].file)
    headers = {"Content-Disposition": attachment(name.stem, name.suffix), "Cache-Control": "no-cache"}
    return FileResponse(path, headers=headers, media_type=found.media_type)


@router.get("/projects/{project_id}/programs", summary="Get programs that use the model")
def get_programs(
    space: Space,
    project_id: ProjectId,
    file: Annotated[str, Query(description="Model file they are to read.", max_length=80)] = "model.onnx",
) -> Programs:
    """Return a complete program for each of several languages, with the labels of the model."""
    return Programs(space.programs(project_id, file))


@router.post("/projects/{project_id}/exports/page/{variant}/phone", summary="Make a link for a phone")
def phone_link(request: Request, space: Space, project_id: ProjectId, variant: VariantId) -> PhoneLink:
    """Return an address, and a QR code of it, under which a device on the same network opens the offline page.

    The page must have been exported, and the server must listen on the network.
    """
    bound: str = request.app.state.bound
    if is_loopback(bound.strip("[]").lower()):
        raise Conflict("phone_loopback")
    address = f"{_here(request, bound)}{request.scope['root_path']}/pages/{space.share_page(project_id, variant)}"
    return PhoneLink(address, _qr(address))


@router.get(
    "/pages/{token}",
    summary="Open an offline page",
    response_class=FileResponse,
    responses=binary("text/html", "The page, with everything inside."),
)
def open_page(
    request: Request, space: Space, token: Annotated[str, Path(description="From the link.", max_length=80)]
) -> Response:
    """Return an offline page that a link for a phone leads to.

    Of a link that leads nowhere any more, a browser gets the news as a page, any other program as JSON.
    """
    try:
        path = space.shared_page(token)
    except NotFound as error:
        if "text/html" not in request.headers.get("Accept", ""):
            raise
        from teachable.exporting.formats import _pages

        page, policy = _pages.gone()
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        return HTMLResponse(page, error.status, {**headers, "Vary": "Accept"})
    headers = {"Content-Security-Policy": _ALONE, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
    return FileResponse(path, headers=headers, media_type="text/html; charset=utf-8")


def _here(request: Request, bound: str) -> str:
    """Return where another device finds this server.

    Whoever opened the page under a name of the network has shown that this name leads here; else it is asked for.
    """
    asked = urlsplit(str(request.base_url))
    if asked.hostname is not None and not is_loopback(asked.hostname):
        return f"{asked.scheme}://{asked.netloc}"
    port: int = request.scope["server"][1]
    return url(network_name(bound), port, asked.scheme)


def _qr(text: str) -> str:
    import segno

    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        picture, kind="svg", xmldecl=False, svgns=True, scale=4, border=4, dark="#000", light="#fff"
    )
    return picture.getvalue().decode()
