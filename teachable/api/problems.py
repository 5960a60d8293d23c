"""How every failure becomes the one JSON form: `{"error": {"key", "message", "values"}}`."""

import errno
import logging
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from teachable.errors import InvalidInput, StorageFull, TeachableError
from teachable.guards import error_body

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProblemDetail:
    """What went wrong.

    Attributes:
        key: name of the problem, for programs.
        message: what happened and what to do, for people.
        values: what fills the places of the message.
    """

    key: str
    message: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """The answer to a request that could not be served.

    Attributes:
        error: what went wrong.
    """

    error: ProblemDetail


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "The request cannot be served; the message says why and what to do."},
    "5XX": {"model": Problem, "description": "Something is wrong on this computer, a full disk for one."},
}

_STATUS_KEYS = {404: "unknown_route", 405: "wrong_method"}


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(TeachableError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(Exception, _unexpected)


def _answer(error: TeachableError, status: int | None = None, headers: Any = None) -> JSONResponse:
    return JSONResponse(error_body(error), status or error.status, headers)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, TeachableError):
        raise error
    if error.status >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error)
    return _answer(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Say which field is wrong. What was sent is not repeated: it may be huge, or no JSON at all."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "path"})
    problem = f"{place}: {first['msg']}" if place else str(first["msg"])
    return _answer(InvalidInput("invalid_request", problem=problem))


async def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    key = _STATUS_KEYS.get(error.status_code)
    said = TeachableError(key) if key else TeachableError("invalid_request", problem=error.detail)
    return _answer(said, error.status_code, error.headers)


async def _system(request: Request, error: Exception) -> JSONResponse:
    """A disk that fills up while an upload arrives is told apart from a mistake of ours."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        log.error("%s %s: %s", request.method, request.url.path, error)
        return _answer(StorageFull("storage_full"))
    raise error


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """Stay calm towards the caller; Starlette raises the error again, and the server logs it with its trace."""
    return _answer(TeachableError("unexpected"), 500)
