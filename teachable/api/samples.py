"""Routes for the photos of a class."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import FileResponse, Response

from teachable.api.access import ClassId, ProjectId, SampleNumber, Space, Uploaded, binary, multipart
from teachable.api.downloads import zipped
from teachable.api.records import LARGEST_ID, Added, Chosen, Moving, SampleIds, Testing, Undo
from teachable.types import SamplePage

router = APIRouter(tags=["samples"])

# A sample's number is never given to another photo, so what it shows never changes.
_KEEP = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.get("/projects/{project_id}/classes/{class_id}/samples", summary="List samples")
def list_samples(
    space: Space,
    project_id: ProjectId,
    class_id: ClassId,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most this many.")] = 60,
    before: Annotated[
        int | None, Query(ge=0, le=LARGEST_ID, description="Only older ones than this number: `next` of a page.")
    ] = None,
    skip: Annotated[int, Query(ge=0, le=LARGEST_ID, description="Leave out so many of the newest.")] = 0,
) -> SamplePage:
    """Return samples of a class, newest first, one page at a time, from anywhere."""
    return space.samples(project_id, class_id, limit, before, skip)


@router.get("/projects/{project_id}/classes/{class_id}/samples/ids", summary="List the numbers of samples")
def list_sample_ids(
    space: Space,
    project_id: ProjectId,
    class_id: ClassId,
    limit: Annotated[int, Query(ge=1, le=LARGEST_ID, description="At most this many.")] = LARGEST_ID,
    skip: Annotated[int, Query(ge=0, le=LARGEST_ID, description="Leave out so many of the newest.")] = 0,
) -> SampleIds:
    """Return the numbers of samples of a class, newest first, to select thousands of them at once."""
    found = space.sample_numbers(project_id, class_id, limit, skip)
    return SampleIds(tuple(number for number, _ in found), tuple(number for number, test in found if test))


@router.post(
    "/projects/{project_id}/classes/{class_id}/samples",
    summary="Add photos",
    openapi_extra=multipart("files", grouped=True),
)
def add_samples(space: Space, project_id: ProjectId, class_id: ClassId, upload: Uploaded) -> Added:
    """Store photos in a class.

    Exact repeats are skipped and counted. A file that is no photo is left out and listed with the reason; the others
    are kept.
    """
    result = space.add_photos(project_id, class_id, upload.group, upload.read(), test=upload.test)
    total = space.samples(project_id, class_id, 1, None).total
    return Added(result.added, result.repeats, result.rejected, result.undo, total)


@router.delete("/projects/{project_id}/classes/{class_id}/samples", summary="Remove all samples of a class")
def clear_class(space: Space, project_id: ProjectId, class_id: ClassId) -> Undo:
    """Remove all photos of a class and keep the class. It can be taken back for 30 days."""
    return Undo(space.clear_class(project_id, class_id))


@router.get(
    "/projects/{project_id}/classes/{class_id}/samples.zip",
    summary="Download the photos of a class",
    response_class=Response,
    responses=binary("application/zip", "The photos as stored, in one archive."),
)
def download_class(space: Space, project_id: ProjectId, class_id: ClassId) -> Response:
    """Return all photos of a class in one zip file."""
    info = space.project(project_id)
    pieces = space.class_archive(project_id, class_id)
    name = next((one.name for one in info.classes if one.id == class_id), "")
    return zipped(pieces, name)


@router.post("/projects/{project_id}/samples/delete", summary="Delete samples")
def delete_samples(space: Space, project_id: ProjectId, body: Chosen) -> Undo:
    """Delete one or many samples. It can be taken back for 30 days."""
    return Undo(space.delete_samples(project_id, body.ids))


@router.post("/projects/{project_id}/samples/move", summary="Move samples")
def move_samples(space: Space, project_id: ProjectId, body: Moving) -> Undo:
    """Move samples to another class. A photo that the class already has is removed where it was."""
    return Undo(space.move_samples(project_id, body.ids, body.class_id))


@router.post("/projects/{project_id}/samples/test", summary="Keep samples for testing")
def mark_test(space: Space, project_id: ProjectId, body: Testing) -> Undo:
    """Mark samples never to be trained on, or take such a mark away. A model trained before does not change."""
    return Undo(space.mark_test(project_id, body.ids, body.test, whole_recordings=body.recordings))


@router.get(
    "/projects/{project_id}/samples/{sample_id}/photo",
    summary="Get a photo",
    response_class=Response,
    responses=binary("image/jpeg", "The photo as stored."),
)
def photo(space: Space, project_id: ProjectId, sample_id: SampleNumber) -> Response:
    """Return the stored photo of a sample: upright, its short side at most 512 pixels."""
    return FileResponse(space.photo(project_id, sample_id), headers=_KEEP, media_type="image/jpeg")


@router.get(
    "/projects/{project_id}/samples/{sample_id}/thumbnail",
    summary="Get a thumbnail",
    response_class=Response,
    responses=binary("image/jpeg", "The centre square of the photo."),
)
def thumbnail(
    space: Space,
    project_id: ProjectId,
    sample_id: SampleNumber,
    side: Annotated[int, Query(description="Width and height in pixels.", ge=16, le=512)] = 96,
) -> Response:
    """Return a small square version of a photo."""
    return Response(space.thumbnail(project_id, sample_id, side), headers=_KEEP, media_type="image/jpeg")
