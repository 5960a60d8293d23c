"""Routes for taking a project, or all its photos, away as one zip file."""

from fastapi import APIRouter
from starlette.responses import Response

from teachable.api.access import ProjectId, Space, binary
from teachable.api.downloads import zipped

router = APIRouter(tags=["projects"])


@router.get(
    "/projects/{project_id}/archive",
    summary="Download a project",
    response_class=Response,
    responses=binary("application/zip", "The whole project; the `README.md` in it says how it is built."),
)
def download_project(space: Space, project_id: ProjectId) -> Response:
    """Return a whole project in one zip file: classes, photos, settings and every version of its model.

    Importing the file makes the same project again, here or on another computer.
    """
    return zipped(space.pack(project_id), space.project(project_id).name)


@router.get(
    "/projects/{project_id}/photos",
    summary="Download all photos",
    response_class=Response,
    responses=binary("application/zip", "One folder for each class, with its photos as stored."),
)
def download_photos(space: Space, project_id: ProjectId) -> Response:
    """Return all photos of a project in one zip file, with a folder for each class."""
    return zipped(space.pack_photos(project_id), space.project(project_id).name)
