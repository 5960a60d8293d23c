"""The REST API, an app of its own that is mounted at `/api/v1`.

It parses, calls `Workspace` and formats; every decision is made below. The description at `openapi.json` is made from
the docstrings here and of the records, and `docs` shows it without loading anything from the network.
"""

from fastapi import FastAPI
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Mount

from teachable import __version__, static
from teachable.api import (
    archives,
    classroom,
    exports,
    imports,
    meta,
    networks,
    problems,
    projects,
    reference,
    report,
    samples,
    shelf,
    training,
    versions,
)
from teachable.classroom import Room
from teachable.resources import assets
from teachable.words import catalogue
from teachable.workflow import Workspace

PREFIX = "/api/v1"
"""Where the app is mounted."""


def create(workspace: Workspace, bound: str = "127.0.0.1", room: Room | None = None) -> FastAPI:
    """Return the app.

    Args:
        workspace: what it works on; it is not closed here.
        bound: host name or address the server listens on.
        room: the classroom that is served, if one is.
    """
    app = FastAPI(
        title="Teachable",
        version=__version__,
        summary="Teach a computer by showing it examples, over HTTP.",
        description=reference.INTRODUCTION,
        openapi_tags=reference.TAGS,
        servers=[{"url": PREFIX}],
        root_path_in_servers=False,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        responses=problems.RESPONSES,
    )
    app.state.workspace = workspace
    app.state.bound = bound
    app.state.room = room
    for part in (
        meta,
        shelf,
        projects,
        archives,
        imports,
        samples,
        training,
        versions,
        report,
        exports,
        networks,
        classroom,
    ):
        app.include_router(part.router)
    problems.install(app)
    reference.install(app)
    _serve_page(app)
    return app


def _serve_page(app: FastAPI) -> None:
    """Serve the page that shows the description, and its words."""
    folder = assets() / "api"

    @app.get("/docs", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(folder / "reference.html", media_type=static.media_type("reference.html"))

    @app.get("/docs/words.json", include_in_schema=False)
    async def words() -> JSONResponse:
        return JSONResponse({key: text for key, text in catalogue().items() if key.startswith("api.")})

    files = {name: folder / name for name in ("reference.css", "reference.mjs")}
    app.router.routes.append(Mount("/docs", static.Files(files, static.REVALIDATE)))
