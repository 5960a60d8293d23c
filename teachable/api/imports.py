"""Routes for files that become photos or projects."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from teachable.api.access import Space, binary
from teachable.api.records import ImportStart
from teachable.arrivals import Choices, Import
from teachable.errors import InvalidInput
from teachable.importing import Options
from teachable.incoming import Receiving
from teachable.intakes import Into
from teachable.settings import limits

router = APIRouter(tags=["imports"])

ImportId = Annotated[str, Path(description="Id of the import.", max_length=64)]

# What arrives comes in small pieces; writing each by itself would cost more than the disk.
_PIECE = 2**20

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"The bytes of the file, up to {limits().archive_bytes // 2**30} GiB: a zip of photos in"
        " folders, a Teachable Machine project, a video, an animated picture, or a project that was downloaded here.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/imports", status_code=201, summary="Send a file to import", openapi_extra=_BODY)
async def begin_import(
    request: Request,
    space: Space,
    name: Annotated[str, Query(description="Name of the file.", min_length=1, max_length=300)],
    project: Annotated[str | None, Query(description="Id of the project it is meant for, if one is.")] = None,
) -> Import:
    """Keep a file and look into it in the background. Nothing is made of it before that is asked for.

    Ask for the import until its state is `planned`; then its plan says what would be made.
    """
    stated = request.headers.get("content-length")
    received = await run_in_threadpool(space.imports.receive, int(stated) if stated else None)
    try:
        await _receive(request, received)
        return await run_in_threadpool(space.imports.begin, received, name, project)
    except ClientDisconnect as error:
        raise InvalidInput("invalid_request", problem="the file did not come to its end") from error
    finally:
        # What was begun has taken the file over.
        received.let_go()


async def _receive(request: Request, received: Receiving) -> None:
    held = bytearray()
    async for piece in request.stream():
        held += piece
        if len(held) >= _PIECE:
            await run_in_threadpool(received.write, bytes(held))
            held.clear()
    await run_in_threadpool(received.finish, bytes(held))


@router.get("/imports/{import_id}", summary="Get an import")
def get_import(space: Space, import_id: ImportId) -> Import:
    """Return how an import stands, and what would be made of the file."""
    return space.imports.of(import_id)


@router.get(
    "/imports/{import_id}/previews/{number}",
    summary="Get a small picture of an import",
    response_class=Response,
    responses=binary("image/jpeg", "A small square picture."),
)
def import_preview(
    space: Space, import_id: ImportId, number: Annotated[int, Path(description="One of the plan's.", ge=0)]
) -> Response:
    """Return one of the pictures that the plan names, as long as the import has not ended."""
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(space.imports.preview(import_id, number), headers=headers, media_type="image/jpeg")


@router.post("/imports/{import_id}/start", summary="Take a file in")
def start_import(space: Space, import_id: ImportId, body: ImportStart) -> Import:
    """Make classes and photos of a file, in the background; or a whole new project, if it is one and none is named.

    What is added to a project is one change: one undo takes it back.
    """
    classes = tuple(Into(one.key, one.name, one.into) for one in body.classes)
    options = Options(frozenset(body.unmirror), body.rate, body.independent)
    return space.imports.start(import_id, Choices(body.project, classes, options, body.settings))


@router.post("/imports/{import_id}/pause", summary="Pause an import")
def pause_import(space: Space, import_id: ImportId) -> Import:
    """Pause an import; the photos in hand are finished."""
    return space.imports.pause(import_id)


@router.post("/imports/{import_id}/resume", summary="Go on with an import")
def resume_import(space: Space, import_id: ImportId) -> Import:
    """Go on with an import that was paused."""
    return space.imports.resume(import_id)


@router.delete("/imports/{import_id}", summary="Give an import up")
def cancel_import(space: Space, import_id: ImportId) -> Import:
    """Give an import up. What was added until then stays; its undo token takes it back."""
    return space.imports.cancel(import_id)
