"""What the tests of the API send, and how they read a refusal."""

import io
from typing import Any

import numpy as np
import PIL.Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.testclient import TestClient

from teachable import api
from teachable.guards import Guard
from teachable.workflow import Workspace

Json = dict[str, Any]


def photo(color: tuple[int, int, int], seed: int = 0, kind: str = "JPEG") -> bytes:
    """A noisy photo of one colour."""
    noise = np.random.default_rng(seed).integers(-30, 30, (96, 128, 3))
    pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


RED, BLUE = (200, 30, 30), (30, 30, 200)


def files(color: tuple[int, int, int], seeds: range, part: str = "files") -> list[Any]:
    return [(part, (f"photo {seed}.jpg", photo(color, seed), "image/jpeg")) for seed in seeds]


def served(workspace: Workspace) -> TestClient:
    """The API as the server mounts it, answering 500 as it would."""
    routes = [Mount(api.PREFIX, api.create(workspace))]
    app = Starlette(routes=routes, middleware=[Middleware(Guard)])
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def problem(answer: Any, status: int) -> Json:
    """The error of a refusal, which always has the same form."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"key", "message", "values"}
    assert body["error"]["message"]
    assert "Traceback" not in answer.text
    error: Json = body["error"]
    return error
