"""Routes for all projects as things: the shelf, the bin, duplicates, and room on the disk."""

from typing import Annotated

from fastapi import APIRouter, Path

from teachable.api.access import ProjectId, Space
from teachable.api.records import CleanUp, Freed, Naming, Token
from teachable.projects.storage import Storage
from teachable.shelf import ShelfView
from teachable.types import ProjectInfo

router = APIRouter()

BinId = Annotated[str, Path(description="Id of a deleted project, as deleting it returned it.")]


@router.get("/shelf", tags=["shelf"], summary="Get all projects at a glance")
def get_shelf(space: Space) -> ShelfView:
    """Return projects with photos that stand for them and their size, the bin, and what the disk has left.

    Sizes are measured in the background: one that is null is known a little later.
    """
    return space.shelf()


@router.post("/projects/restore", tags=["shelf"], summary="Restore a deleted project by its undo token")
def restore_project(space: Space, body: Token) -> ProjectInfo:
    """Bring back a project that was deleted at most 30 days ago."""
    return space.restore_project(body.undo)


@router.post("/projects/{project_id}/duplicate", tags=["shelf"], summary="Duplicate a project", status_code=201)
def duplicate_project(space: Space, project_id: ProjectId, body: Naming | None = None) -> ProjectInfo:
    """Make a project with the same classes, photos, versions and settings.

    Deleted photos, and changes that could be taken back, stay behind.
    """
    return space.duplicate_project(project_id, body.name if body else None)


@router.get("/projects/{project_id}/storage", tags=["shelf"], summary="Get what a project takes on the disk")
def get_storage(space: Space, project_id: ProjectId) -> Storage:
    """Return bytes by what they are for. The parts add up to the whole."""
    return space.storage(project_id)


@router.post("/projects/{project_id}/clean-up", tags=["shelf"], summary="Make room on the disk")
def clean_up(space: Space, project_id: ProjectId, body: CleanUp) -> Freed:
    """Delete removed photos for good, or what can be made again, and return what that freed."""
    return Freed(space.clean_up(project_id, removed=body.removed, caches=body.caches))


@router.post("/bin/{bin_id}/restore", tags=["shelf"], summary="Restore a deleted project")
def restore_from_bin(space: Space, bin_id: BinId) -> ProjectInfo:
    """Bring back a project that was deleted at most 30 days ago, as it was."""
    return space.restore_project(bin_id)


@router.delete("/bin/{bin_id}", tags=["shelf"], summary="Delete a project for good")
def delete_for_good(space: Space, bin_id: BinId) -> Freed:
    """Delete a project of the bin with everything in it. Nothing brings it back."""
    return Freed(space.empty_bin(bin_id))


@router.delete("/bin", tags=["shelf"], summary="Empty the bin")
def empty_bin(space: Space) -> Freed:
    """Delete all projects of the bin. Nothing brings them back."""
    return Freed(space.empty_bin())
