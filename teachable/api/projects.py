"""Routes for projects and classes."""

from fastapi import APIRouter

from teachable.api.access import ClassId, ProjectId, Space
from teachable.api.records import ClassChange, Naming, ProjectChange, Projects, Taking, Undo
from teachable.types import ClassInfo, ProjectInfo

router = APIRouter()


@router.get("/projects", tags=["projects"], summary="List projects")
def list_projects(space: Space) -> Projects:
    """Return all projects of this computer, last changed first. One that is damaged is left out and logged."""
    return Projects(tuple(space.projects()))


@router.post("/projects", tags=["projects"], summary="Create a project", status_code=201)
def create_project(space: Space, body: Naming | None = None) -> ProjectInfo:
    """Make a project with two empty classes. Its id cannot be guessed: who knows it can open the project."""
    return space.create_project(body.name if body else None)


@router.get("/projects/{project_id}", tags=["projects"], summary="Get a project")
def get_project(space: Space, project_id: ProjectId) -> ProjectInfo:
    """Return name, classes with their number of samples, and settings."""
    return space.project(project_id)


@router.patch("/projects/{project_id}", tags=["projects"], summary="Change a project")
def change_project(space: Space, project_id: ProjectId, body: ProjectChange) -> ProjectInfo:
    """Rename the project, keep settings for its next training, or say when its answers are "not sure"."""
    if body.settings is not None:
        space.save_settings(project_id, body.settings.over(space.project(project_id).settings))
    if body.unknown_below is not None:
        space.set_unknown_below(project_id, body.unknown_below)
    if body.name is not None:
        space.rename_project(project_id, body.name)
    return space.project(project_id)


@router.delete("/projects/{project_id}", tags=["projects"], summary="Delete a project")
def delete_project(space: Space, project_id: ProjectId) -> Undo:
    """Delete the project with all its photos and models. It can be restored for 30 days."""
    return Undo(space.delete_project(project_id))


@router.post("/projects/{project_id}/undo", tags=["projects"], summary="Take a change back")
def undo(space: Space, project_id: ProjectId, body: Taking | None = None) -> ProjectInfo:
    """Take back the last change of classes and samples, or an earlier one by its token: what came since stays.

    Up to 500 changes are kept for 30 days, also when the server is started again.
    """
    space.undo(project_id, body.undo if body else None)
    return space.project(project_id)


@router.post("/projects/{project_id}/redo", tags=["projects"], summary="Do a change again")
def redo(space: Space, project_id: ProjectId) -> ProjectInfo:
    """Do again what was taken back last. A new change ends that."""
    space.redo(project_id)
    return space.project(project_id)


@router.post("/projects/{project_id}/classes", tags=["classes"], summary="Add a class", status_code=201)
def add_class(space: Space, project_id: ProjectId, body: Naming | None = None) -> ClassInfo:
    """Add a class at the end of the list."""
    return space.add_class(project_id, body.name if body else None)


@router.patch("/projects/{project_id}/classes/{class_id}", tags=["classes"], summary="Change a class")
def change_class(space: Space, project_id: ProjectId, class_id: ClassId, body: ClassChange) -> ClassInfo:
    """Rename, recolour, move or disable a class. A new name holds at once, in a trained model too."""
    return space.update_class(
        project_id, class_id, name=body.name, color=body.color, position=body.position, disabled=body.disabled
    )


@router.delete("/projects/{project_id}/classes/{class_id}", tags=["classes"], summary="Delete a class")
def delete_class(space: Space, project_id: ProjectId, class_id: ClassId) -> Undo:
    """Delete a class and its samples. It can be taken back for 30 days."""
    return Undo(space.delete_class(project_id, class_id))
