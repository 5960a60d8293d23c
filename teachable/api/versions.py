"""Routes for the versions of a project."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from teachable.api.access import ProjectId, Space, binary
from teachable.api.downloads import attachment
from teachable.api.records import Back, Restored, VersionChange
from teachable.versions import Compared, VersionList

router = APIRouter()

VersionId = Annotated[str, Path(description="Id of the version.")]


@router.get("/projects/{project_id}/versions", tags=["versions"], summary="List versions")
def list_versions(space: Space, project_id: ProjectId) -> VersionList:
    """Return every training of the project that is kept, newest first, and which one is in use."""
    return space.versions.of(project_id)


@router.get("/projects/{project_id}/versions/compare", tags=["versions"], summary="Set two versions side by side")
def compare_versions(
    space: Space,
    project_id: ProjectId,
    first: Annotated[str, Query(description="Id of one version.")],
    second: Annotated[str, Query(description="Id of the other.")],
) -> Compared:
    """Ask both about the same photos, none of which they were trained on, and say whether one is better."""
    return space.versions.compare(project_id, first, second)


@router.patch("/projects/{project_id}/versions/{version_id}", tags=["versions"], summary="Name a version")
def name_version(space: Space, project_id: ProjectId, version_id: VersionId, body: VersionChange) -> VersionList:
    """Give a version a name, or take it away with `null`."""
    return space.versions.rename(project_id, version_id, body.name)


@router.delete("/projects/{project_id}/versions/{version_id}", tags=["versions"], summary="Delete a version")
def delete_version(space: Space, project_id: ProjectId, version_id: VersionId) -> VersionList:
    """Delete a version for good. The one in use stays."""
    return space.versions.remove(project_id, version_id)


@router.post("/projects/{project_id}/versions/{version_id}/restore", tags=["versions"], summary="Go back to a version")
def restore_version(space: Space, project_id: ProjectId, version_id: VersionId, body: Back | None = None) -> Restored:
    """Use the model of a version again, and bring back the classes and photos of then. This can be undone."""
    found = space.versions.restore(project_id, version_id, contents=body.contents if body else True)
    return Restored(found.undo, found.gone, found.text, space.project(project_id))


@router.get(
    "/projects/{project_id}/versions/{version_id}/model",
    tags=["versions"],
    summary="Download the model of a version",
    response_class=Response,
    responses=binary("application/octet-stream", "One ONNX file that takes a photo of any size."),
)
def download_version(space: Space, project_id: ProjectId, version_id: VersionId) -> Response:
    """Return the model of a version with the present names of its classes."""
    headers = {"Content-Disposition": attachment("model", ".onnx"), "Cache-Control": "no-cache"}
    data = space.versions.model(project_id, version_id)
    return Response(data, headers=headers, media_type="application/octet-stream")
