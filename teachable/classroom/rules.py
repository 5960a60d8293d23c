"""Who may use which route: one table for the page, the REST API and what Gradio brings along.

What is in no row is refused to everybody but the teacher. `gate` looks here for each request, and a test walks all
routes of the app and finds each of them in a row.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Literal


class Access(Enum):
    """Who may use a route."""

    ANYONE = "anyone"
    """Nothing to hide and nothing to change: page, scripts, words, joining, logging in."""
    MEMBER = "member"
    """Somebody who has joined."""
    LOOK = "look"
    """Whoever has the link of a visitor's project, and nobody has any other."""
    CHANGE = "change"
    """The same, while the teacher has not paused changes."""
    TEACHER = "teacher"


Limit = Literal["photos", "work", "projects"]


@dataclass(frozen=True)
class Rule:
    """What is decided about a route.

    Attributes:
        access: who may use it.
        limit: what is counted before: photos and bytes, one training or study at a time, or projects.
        adopts: field of the answer that names a project, which is the visitor's from then on.
        body: field of the body that names a project, in which case it has to be one of the visitor's.
        mine: where a visitor is answered instead: the same, of what is theirs.
    """

    access: Access
    limit: Limit | None = None
    adopts: str | None = None
    body: str | None = None
    mine: str | None = None


@dataclass(frozen=True)
class Found:
    """What was found for a request.

    Attributes:
        rule: what is decided.
        project: id of the project in the path, or None.
    """

    rule: Rule
    project: str | None


_ANYONE, _MEMBER, _LOOK, _CHANGE, _TEACHER = (Rule(access) for access in Access)
_PHOTOS, _WORK = Rule(Access.CHANGE, "photos"), Rule(Access.CHANGE, "work")
_API = "/api/v1"
_PROJECT = f"{_API}/projects/{{project}}"

# Rows are looked at in order; `{one}` stands for one part of a path, `{**}` for the rest of it. HEAD goes with GET.
_TABLE: tuple[tuple[Rule, tuple[str, ...]], ...] = (
    (
        _ANYONE,
        (
            # The pages. They hold no project; what they show they ask for.
            "GET /",
            "GET /join",
            "GET /join/help",
            "GET /classroom",
            "GET /static/{**}",
            f"GET {_API}/health",
            f"GET {_API}/docs",
            f"GET {_API}/docs/{{**}}",
            f"GET {_API}/openapi.json",
            # A link that was made for a phone; nobody can guess it.
            f"GET {_API}/pages/{{token}}",
            # The page needs to know the networks to show which one a project has, and to time them.
            f"GET {_API}/networks",
            f"GET {_API}/networks/{{network}}/network.onnx",
            f"GET {_API}/room/me",
            f"POST {_API}/room/join",
            f"POST {_API}/room/login",
            f"POST {_API}/room/logout",
            # What Gradio's page loads, and how it hears of events. What an event may do is decided where it is handled.
            "GET /config",
            "GET /theme.css",
            "GET /favicon.ico",
            "GET /manifest.json",
            "GET /robots.txt",
            "GET /pwa_icon",
            "GET /pwa_icon/{**}",
            "GET /assets/{**}",
            "GET /svelte/{**}",
            "GET /gradio_api/heartbeat/{session}",
            "GET /gradio_api/queue/data",
            "GET /gradio_api/startup-events",
            "POST /gradio_api/queue/join",
            "POST /gradio_api/cancel",
            "POST /gradio_api/reset",
        ),
    ),
    (
        _MEMBER,
        (
            f"POST {_API}/room/starter/answer",
            f"POST {_API}/room/hand",
            # Needs the token that deleting gave.
            f"POST {_API}/projects/restore",
            f"GET {_API}/room/projects",
        ),
    ),
    (Rule(Access.MEMBER, mine=f"{_API}/room/projects"), (f"GET {_API}/projects",)),
    (Rule(Access.MEMBER, "projects", adopts="id"), (f"POST {_API}/projects",)),
    (Rule(Access.CHANGE, "projects", adopts="id"), (f"POST {_PROJECT}/duplicate",)),
    (
        _PHOTOS,
        (f"POST {_PROJECT}/classes/{{class}}/samples",),
    ),
    (
        _WORK,
        (
            f"POST {_PROJECT}/training",
            f"PUT {_PROJECT}/network",
            f"POST {_PROJECT}/comparison",
            f"POST {_PROJECT}/report",
        ),
    ),
    (
        _CHANGE,
        (
            f"PATCH {_PROJECT}",
            f"DELETE {_PROJECT}",
            f"POST {_PROJECT}/undo",
            f"POST {_PROJECT}/redo",
            f"POST {_PROJECT}/clean-up",
            f"POST {_PROJECT}/classes",
            f"PATCH {_PROJECT}/classes/{{class}}",
            f"DELETE {_PROJECT}/classes/{{class}}",
            f"DELETE {_PROJECT}/classes/{{class}}/samples",
            f"POST {_PROJECT}/samples/delete",
            f"POST {_PROJECT}/samples/move",
            f"POST {_PROJECT}/samples/test",
            f"DELETE {_PROJECT}/network/note",
            f"PATCH {_PROJECT}/versions/{{version}}",
            f"DELETE {_PROJECT}/versions/{{version}}",
            f"POST {_PROJECT}/versions/{{version}}/restore",
        ),
    ),
    (
        _LOOK,
        (
            f"GET {_PROJECT}",
            f"GET {_PROJECT}/{{**}}",
            f"POST {_PROJECT}/predict",
            # Taking a model away changes nothing; giving something up never does.
            f"POST {_PROJECT}/exports/{{format}}/{{variant}}",
            f"DELETE {_PROJECT}/exports/{{format}}/{{variant}}",
            f"POST {_PROJECT}/exports/page/{{variant}}/phone",
            f"DELETE {_PROJECT}/training",
            f"DELETE {_PROJECT}/comparison",
            f"DELETE {_PROJECT}/report",
        ),
    ),
    (
        _TEACHER,
        (
            # Networks, the shelf and the bin belong to the computer, and so to whoever opened the classroom on it.
            f"PATCH {_API}/networks",
            f"POST {_API}/networks/{{**}}",
            f"PUT {_API}/networks/{{**}}",
            f"DELETE {_API}/networks/{{**}}",
            f"GET {_API}/shelf",
            f"POST {_API}/bin/{{**}}",
            f"DELETE {_API}/bin",
            f"DELETE {_API}/bin/{{**}}",
            f"GET {_API}/room",
            f"GET {_API}/room/collect",
            f"POST {_API}/room/lock",
            f"POST {_API}/room/open",
            f"POST {_API}/room/starter",
            f"POST {_API}/room/visitors/restore",
            f"DELETE {_API}/room/visitors/{{visitor}}",
            # What else Gradio has: files of the server, functions by name, uploads, logging in, monitoring.
            "* /gradio_api/{**}",
            "* /login",
            "* /login/",
            "* /logout",
            "* /user",
            "* /token",
            "* /app_id",
            "* /monitoring",
            "* /monitoring/{**}",
            "* /dev/{**}",
            "* /deep_link",
            "* /run_history",
            "* /run_history/{**}",
            "* /config/",
            "* /theme.css/",
            "* /{page}",
            "* /{page}/",
        ),
    ),
)


def find(method: str, path: str) -> Found | None:
    """Return what is decided about a request, or None where nothing is: then only the teacher may.

    Args:
        method: of HTTP.
        path: with nothing left to decode.
    """
    wanted = "GET" if method == "HEAD" else method
    for pattern, rule in _rows().get(wanted, ()):
        match = pattern.fullmatch(path)
        if match is not None:
            return Found(rule, match.groupdict().get("project"))
    return None


@cache
def _rows() -> Mapping[str, list[tuple[re.Pattern[str], Rule]]]:
    rows: dict[str, list[tuple[re.Pattern[str], Rule]]] = {}
    for rule, routes in _TABLE:
        for route in routes:
            for method, path in _spelt_out(route):
                rows.setdefault(method, []).append((_pattern(path), rule))
    return rows


def _spelt_out(route: str) -> Iterator[tuple[str, str]]:
    method, _, path = route.partition(" ")
    for one in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") if method == "*" else (method,):
        yield one, path


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^{}]+\})", path)
    return re.compile("".join(map(_part, parts)), re.DOTALL)


def _part(part: str) -> str:
    if part == "{**}":
        return ".+"
    if part == "{project}":
        return "(?P<project>[^/]+)"
    return "[^/]+" if part.startswith("{") else re.escape(part)
