"""Routes for what is known about a model: the report, its photos one by one, the map and the page to take away."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from teachable.api.access import ProjectId, SampleNumber, Space, binary
from teachable.api.downloads import attachment
from teachable.report import Report, SampleMap, SamplePrediction, TestedPhotos
from teachable.words import say

router = APIRouter(tags=["report"])

_LONGEST_ID = 100
_FARTHEST = 10**9


@router.get("/projects/{project_id}/report", summary="See what is known about the model")
def get_report(space: Space, project_id: ProjectId) -> Report:
    """Return how good the newest model is and, once its photos were studied, why, and what would help.

    What the training found is there at once; the rest holds once the state is done. Nothing is started.
    """
    return space.reports.of(project_id)


@router.post("/projects/{project_id}/report", summary="Study the model's photos", status_code=202)
def start_report(space: Space, project_id: ProjectId) -> Report:
    """Have the photos of the newest model studied in the background; ask for the report to follow it.

    What is there, or on its way, is not made again.
    """
    space.reports.start(project_id)
    return space.reports.of(project_id)


@router.delete("/projects/{project_id}/report", summary="Cancel a study")
def cancel_report(space: Space, project_id: ProjectId) -> Report:
    """Give up a study that runs or waits for its turn. One that was made stays."""
    space.reports.cancel(project_id)
    return space.reports.of(project_id)


@router.get("/projects/{project_id}/report/photos", summary="List tested photos by what they were named")
def list_tested_photos(
    space: Space,
    project_id: ProjectId,
    given: Annotated[str, Query(description="Id of the class they were in.", max_length=_LONGEST_ID)],
    said: Annotated[str, Query(description="Id of the class they were named.", max_length=_LONGEST_ID)],
    offset: Annotated[int, Query(ge=0, le=_FARTHEST, description="Leave out so many at the beginning.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most this many.")] = 60,
) -> TestedPhotos:
    """Return the photos of one cell of the confusion matrix, the most certain answers first."""
    return space.reports.photos(project_id, given, said, offset, limit)


@router.get("/projects/{project_id}/report/map", summary="Get the photos as points")
def sample_map(
    space: Space,
    project_id: ProjectId,
    method: Annotated[
        Literal["pca", "umap"], Query(description="UMAP takes a while the first time, and has to be installed.")
    ] = "pca",
) -> SampleMap:
    """Return the photos as points, near each other where the network finds them alike.

    While the newest model has no report there are none, and `ready` is false.
    """
    return space.reports.map(project_id, method)


@router.get(
    "/projects/{project_id}/report/page",
    summary="Download the report",
    response_class=Response,
    responses=binary("text/html", "One page with everything inside, to read, keep and print."),
)
def report_page(space: Space, project_id: ProjectId) -> Response:
    """Return the report as one HTML file that loads nothing from elsewhere. It needs a report."""
    from teachable.report_page import policy

    page = space.reports.page(project_id)
    name = say("report.file", name=space.project(project_id).name)
    headers = {
        "Content-Disposition": attachment(name, ".html"),
        "Content-Security-Policy": policy(),
        "Cache-Control": "no-cache",
    }
    return Response(page, headers=headers, media_type="text/html; charset=utf-8")


@router.get("/projects/{project_id}/samples/{sample_id}/prediction", summary="Ask the model about a stored photo")
def sample_prediction(
    space: Space,
    project_id: ProjectId,
    sample_id: SampleNumber,
    class_id: Annotated[
        str | None,
        Query(alias="class", description="Class whose heat map to give. Left out, the most probable.", max_length=100),
    ] = None,
) -> SamplePrediction:
    """Return what the newest model says about a photo of the project, and which places of it speak for a class."""
    return space.reports.prediction(project_id, sample_id, class_id)
