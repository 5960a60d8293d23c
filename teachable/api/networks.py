"""Routes for the networks of this computer and for comparing them on a project's photos."""

import shutil
import tempfile
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import FileResponse

from teachable.api.access import ProjectId, Space, Uploaded, binary, network_upload
from teachable.api.records import NetworkChoice, NetworksChange, Speed
from teachable.errors import InvalidInput
from teachable.installer import Networks
from teachable.workflow import Comparison, Status

router = APIRouter()

NetworkId = Annotated[str, Path(description="Id of the network, `mobilenet-v3-large` for one.", max_length=100)]


@router.get("/networks", tags=["networks"], summary="List networks")
def list_networks(space: Space) -> Networks:
    """Return the networks that are here or can be fetched, and how the present or last installation stands."""
    return space.networks.networks()


@router.patch("/networks", tags=["networks"], summary="Change what is fetched")
def change_networks(space: Space, body: NetworksChange) -> Networks:
    """Say whether the recommended network is fetched by itself when the program starts."""
    space.networks.choose(automatic=body.automatic)
    return space.networks.networks()


@router.post(
    "/networks/import", tags=["networks"], summary="Import a network", status_code=202, openapi_extra=network_upload()
)
def import_network(space: Space, upload: Uploaded) -> Networks:
    """Install a network from a file: official weights as `.pth`, or an ONNX or safetensors network that fits.

    The work goes on in the background; ask for the networks to follow it.
    """
    if len(upload.files) != 1:
        raise InvalidInput("one_network_file")
    [(name, file)] = upload.files
    with tempfile.TemporaryDirectory(prefix="teachable-") as scratch:
        path = FilePath(scratch) / "network"
        with path.open("wb") as target:
            shutil.copyfileobj(file, target)
        space.networks.import_file(path, name)
    return space.networks.networks()


@router.delete("/networks/installation", tags=["networks"], summary="Cancel fetching")
def cancel_installation(space: Space) -> Networks:
    """Give the running installation up. What was fetched of it is kept, and fetching again goes on from there."""
    space.networks.cancel()
    return space.networks.networks()


@router.post("/networks/{network_id}/fetch", tags=["networks"], summary="Fetch a network", status_code=202)
def fetch_network(space: Space, network_id: NetworkId) -> Networks:
    """Fetch an official network in the background; ask for the networks to follow it."""
    space.networks.fetch(network_id)
    return space.networks.networks()


@router.delete("/networks/{network_id}", tags=["networks"], summary="Remove a network")
def remove_network(
    space: Space,
    network_id: NetworkId,
    force: Annotated[bool, Query(description="Even if projects are taught with it.")] = False,
) -> Networks:
    """Remove a network from this computer. Models made with it go on working."""
    space.remove_network(network_id, even_if_used=force)
    return space.networks.networks()


@router.get(
    "/networks/{network_id}/network.onnx",
    tags=["networks"],
    summary="Download a network",
    response_class=FileResponse,
    responses=binary("application/octet-stream", "The graph: a photo of any size in, features and embedding out."),
)
def download_network(space: Space, network_id: NetworkId) -> FileResponse:
    """Return the graph of a network that is present."""
    path = space.networks.file(network_id)
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(path, media_type="application/octet-stream", headers=headers)


@router.put("/networks/{network_id}/speed", tags=["networks"], summary="Note how quick a network is")
def note_speed(space: Space, network_id: NetworkId, body: Speed) -> Networks:
    """Keep how long a network takes for a photo in a browser of this computer, as the page measured it."""
    space.networks.note_browser_speed(network_id, body.browser_ms)
    return space.networks.networks()


@router.put("/projects/{project_id}/network", tags=["networks"], summary="Switch networks", status_code=202)
def switch_network(space: Space, project_id: ProjectId, body: NetworkChoice) -> Status:
    """Teach a project with another network from now on.

    If it has a model this is a training: the model so far stays in use until the new one is there, and the new one
    tells how the old network did on the same photos.
    """
    space.switch_network(project_id, body.network)
    return space.status(project_id)


@router.delete("/projects/{project_id}/network/note", tags=["networks"], summary="Dismiss the note of a renewal")
def dismiss_note(space: Space, project_id: ProjectId) -> Status:
    """Say that the person has read that the network of the project was renewed."""
    space.dismiss_network_note(project_id)
    return space.status(project_id)


@router.post("/projects/{project_id}/comparison", tags=["networks"], summary="Compare networks", status_code=202)
def start_comparison(space: Space, project_id: ProjectId) -> Comparison:
    """Test every network that is present on the project's own photos, in the background."""
    space.compare(project_id)
    return space.comparison(project_id)


@router.get("/projects/{project_id}/comparison", tags=["networks"], summary="See the comparison")
def get_comparison(space: Space, project_id: ProjectId) -> Comparison:
    """Return the present or last comparison."""
    return space.comparison(project_id)


@router.delete("/projects/{project_id}/comparison", tags=["networks"], summary="Cancel the comparison")
def cancel_comparison(space: Space, project_id: ProjectId) -> Comparison:
    """Give the running comparison up."""
    space.cancel_comparison(project_id)
    return space.comparison(project_id)
