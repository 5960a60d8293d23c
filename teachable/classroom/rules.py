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


Limit = Literal["photos", "work", "projects", "imports"]

Where = Literal["path", "query", "import"]


@dataclass(frozen=True)
class Rule:
    """What is decided about a route.

    Attributes:
        access: who may use it.
        limit: what is counted before: photos and bytes, one training or study at a time, projects, or imports.
        where: what says which project it is about: the path, the query, or an import that was begun for it.
        adopts: what the answer tells of: a project, which is the visitor's from then on, or an import for theirs.
        body: the body has to name a project of the visitor's.
        mine: where a visitor is answered instead: the same, of what is theirs.
    """

    access: Access
    limit: Limit | None = None
    where: Where = "path"
    adopts: Literal["project", "import"] | None = None
    body: bool = False
    mine: str | None = None


@dataclass(frozen=True)
class Found:
    """What was found for a request.

    Attributes:
        rule: what is decided.
        project: id of the project in the path, or None.
        arrival: id of the import in the path, or None.
    """

    rule: Rule
    project: str | None = None
    arrival: str | None = None


LOOK, CHANGE, WORK = Rule(Access.LOOK), Rule(Access.CHANGE), Rule(Access.CHANGE, "work")
"""What the page's native controls need, whose events all come by one route."""

_ANYONE, _MEMBER, _TEACHER = Rule(Access.ANYONE), Rule(Access.MEMBER), Rule(Access.TEACHER)
_PHOTOS = Rule(Access.CHANGE, "photos")
_API = "/api/v1"
_PROJECT = f"{_API}/projects/{{project}}"
_IMPORT = f"{_API}/imports/{{import}}"

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
            f"POST {_API}/room/leave",
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
            f"GET {_API}/room/shelf",
        ),
    ),
    (Rule(Access.MEMBER, mine=f"{_API}/room/projects"), (f"GET {_API}/projects",)),
    (Rule(Access.MEMBER, mine=f"{_API}/room/shelf"), (f"GET {_API}/shelf",)),
    (Rule(Access.MEMBER, "projects", adopts="project"), (f"POST {_API}/projects",)),
    (Rule(Access.CHANGE, "projects", adopts="project"), (f"POST {_PROJECT}/duplicate",)),
    # A visitor imports into a project of theirs only.
    (Rule(Access.CHANGE, "imports", "query", adopts="import"), (f"POST {_API}/imports",)),
    (Rule(Access.CHANGE, where="import", body=True), (f"POST {_IMPORT}/start",)),
    (
        Rule(Access.LOOK, where="import"),
        (
            f"GET {_IMPORT}",
            f"GET {_IMPORT}/previews/{{number}}",
            f"POST {_IMPORT}/pause",
            f"POST {_IMPORT}/resume",
            f"DELETE {_IMPORT}",
        ),
    ),
    (
        _PHOTOS,
        (f"POST {_PROJECT}/classes/{{class}}/samples",),
    ),
    (
        WORK,
        (
            f"POST {_PROJECT}/training",
            f"PUT {_PROJECT}/network",
            f"POST {_PROJECT}/comparison",
            f"POST {_PROJECT}/report",
        ),
    ),
    (
        CHANGE,
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
        LOOK,
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
            f"POST {_API}/bin/{{**}}",
            f"DELETE {_API}/bin",
            f"DELETE {_API}/bin/{{**}}",
            f"GET {_API}/room",
            f"GET {_API}/room/collect",
            f"POST {_API}/room/claims",
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
            named = match.groupdict()
            return Found(rule, named.get("project"), named.get("arrival"))
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
    if part == "{import}":
        return "(?P<arrival>[^/]+)"
    return "[^/]+" if part.startswith("{") else re.escape(part)
