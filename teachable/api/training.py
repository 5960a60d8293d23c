"""Routes for training, the model and its answers."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from teachable.api.access import ProjectId, Space, Uploaded, binary, multipart
from teachable.api.downloads import attachment
from teachable.api.records import Predictions, Start
from teachable.errors import NotFound
from teachable.types import ModelRecord
from teachable.workflow import Status, Training

router = APIRouter()


@router.get("/projects/{project_id}/status", tags=["training"], summary="See how a project stands")
def status(space: Space, project_id: ProjectId) -> Status:
    """Return how many photos are prepared, whether it can be trained, how training goes and what model there is."""
    return space.status(project_id)


@router.post("/projects/{project_id}/training", tags=["training"], summary="Start training", status_code=202)
def start_training(space: Space, project_id: ProjectId, body: Start | None = None) -> Status:
    """Start training in the background, with the settings sent or, for those left out, the ones of the project.

    Ask for the status to follow it. While it runs, a second one is refused. With another network than the project's,
    the model so far stays in use until the new one is there.
    """
    settings = body.over(space.project(project_id).settings) if body else None
    space.start_training(project_id, settings, body.network if body else None)
    return space.status(project_id)


@router.get("/projects/{project_id}/training", tags=["training"], summary="See how training goes")
def get_training(space: Space, project_id: ProjectId) -> Training:
    """Return the state of the present or last training."""
    return space.status(project_id).training


@router.delete("/projects/{project_id}/training", tags=["training"], summary="Cancel training")
def cancel_training(space: Space, project_id: ProjectId) -> Training:
    """Give the running training up. The model from before stays."""
    space.cancel_training(project_id)
    return space.status(project_id).training


@router.get("/projects/{project_id}/model", tags=["model"], summary="Get the record of the model")
def get_model(space: Space, project_id: ProjectId) -> ModelRecord:
    """Return what the newest model was trained on and what is honestly known about its accuracy."""
    record = space.model(project_id)
    if record is None:
        raise NotFound("model_not_trained")
    return record


@router.get(
    "/projects/{project_id}/model.onnx",
    tags=["model"],
    summary="Download the model",
    response_class=Response,
    responses=binary("application/octet-stream", "One ONNX file that takes a photo of any size."),
)
def download_model(
    space: Space,
    project_id: ProjectId,
    model_id: Annotated[
        str | None, Query(alias="id", description="Only if the newest model is the one with this id.")
    ] = None,
) -> Response:
    """Return the newest model with the present names of its classes."""
    data = space.model_bytes(project_id)
    # Asked after reading: a training that ends meanwhile makes this refuse, and never hands out another model.
    if model_id is not None and model_id != get_model(space, project_id).id:
        raise NotFound("model_unknown")
    headers = {"Content-Disposition": attachment("model", ".onnx"), "Cache-Control": "no-cache"}
    return Response(data, headers=headers, media_type="application/octet-stream")


@router.post(
    "/projects/{project_id}/predict",
    tags=["model"],
    summary="Ask the model about photos",
    openapi_extra=multipart("file", grouped=False),
)
def predict(space: Space, project_id: ProjectId, upload: Uploaded) -> Predictions:
    """Return what the newest model says about one or several photos. They are not stored."""
    return Predictions(tuple(space.predict(project_id, data, name) for name, data in upload.read()))
