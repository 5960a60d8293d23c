"""What routes are given: the workspace, names of things in the path, uploaded files. It owns no route."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO

from fastapi import Depends, Path, Request
from starlette.datastructures import FormData, UploadFile

from teachable.api.records import LARGEST_ID
from teachable.errors import InvalidInput, TooLarge
from teachable.settings import limits
from teachable.workflow import Workspace


def _workspace(request: Request) -> Workspace:
    workspace: Workspace = request.app.state.workspace
    return workspace


Space = Annotated[Workspace, Depends(_workspace)]
ProjectId = Annotated[str, Path(description="Id of the project.")]
ClassId = Annotated[str, Path(description="Id of the class.")]
SampleNumber = Annotated[int, Path(description="Number of the sample.", ge=0, le=LARGEST_ID)]


@dataclass(frozen=True)
class Upload:
    """The files of one request; the server keeps those beyond a megabyte in temporary files until it has answered.

    Attributes:
        files: name and content of each; the name is only ever shown.
        group: the group they were sent with, or a new one.
        test: they are never to be trained on.
    """

    files: tuple[tuple[str, BinaryIO], ...]
    group: str
    test: bool

    def read(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of each file, one at a time, and of one that is too large just enough to see that."""
        enough = limits().photo_bytes + 1
        for name, file in self.files:
            yield name, file.read(enough)


async def _upload(request: Request) -> AsyncIterator[Upload]:
    async with request.form(max_files=1000, max_fields=10, max_part_size=10_000) as form:
        yield _read_form(form)


def _read_form(form: FormData) -> Upload:
    files = [*form.getlist("files"), *form.getlist("file")]
    taken = tuple((file.filename or "photo", file.file) for file in files if isinstance(file, UploadFile))
    if not taken or len(taken) != len(files):
        raise InvalidInput("upload_without_files")
    if len(taken) > limits().batch_files:
        raise TooLarge("too_many_files", count=len(taken), allowed=limits().batch_files)
    group = form.get("group", "")
    if not isinstance(group, str):
        raise InvalidInput("invalid_request", problem="group")
    test = form.get("test", "false")
    if test not in {"true", "false"}:
        raise InvalidInput("invalid_request", problem="test")
    return Upload(taken, group or f"upload-{secrets.token_hex(8)}", test == "true")


Uploaded = Annotated[Upload, Depends(_upload)]


def multipart(field: str, *, grouped: bool) -> dict[str, Any]:
    """Describe an upload for OpenAPI; the limits are those in force.

    Args:
        field: name of the part that holds a file.
        grouped: whether a capture group, and whether they are for testing, can be sent along.
    """
    allowed = limits()
    properties: dict[str, Any] = {
        field: {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": f"Photos, up to {allowed.batch_files} of {allowed.photo_bytes // 2**20} MB each and"
            f" {allowed.batch_bytes // 2**20} MB together: JPEG, PNG, WebP, GIF, BMP or HEIC. Repeat the part.",
        }
    }
    if grouped:
        properties["group"] = {
            "type": "string",
            "description": "One name for all photos that look alike: one press of a button, one video. They are never"
            " split when accuracy is measured. Left out, the request is a group of its own.",
        }
        properties["test"] = {
            "type": "string",
            "enum": ["true", "false"],
            "default": "false",
            "description": "`true`: the photos are never trained on, only tested with.",
        }
    schema = {"type": "object", "properties": properties, "required": [field]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def network_upload() -> dict[str, Any]:
    """Describe the upload of a network for OpenAPI."""
    part = {
        "type": "string",
        "format": "binary",
        "description": f"Weights or a network, up to {limits().batch_bytes // 2**20} MB.",
    }
    schema = {"type": "object", "properties": {"file": part}, "required": ["file"]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def binary(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """Describe an answer that is a file."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": description, "content": content}}
