"""Enforces the rules of a classroom on every request, before any of the app sees it.

It is pure ASGI, as the guards are, so that it covers Gradio's routes as well. What a rule means is decided by
`Room.require`; here requests are read, refused, led elsewhere, and what they make is noted.
"""

import asyncio
import json
import logging
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from teachable.classroom import cookies, rules
from teachable.classroom.records import Visit
from teachable.classroom.room import Room
from teachable.classroom.rules import Found, Rule
from teachable.errors import Forbidden, NotFound, TeachableError
from teachable.guards import error_body

log = logging.getLogger(__name__)

JOIN = "/join"
_DATA = ("/api/", "/gradio_api/")
_UNDECIDED = Found(Rule(rules.Access.TEACHER))
_LONGEST_ANSWER = 4 * 2**20


class Gate:
    """ASGI middleware that lets everybody do what they may.

    Args:
        app: what is guarded.
        room: says who may what.
        static: address of the files that pages load.
        explains: answers what comes without encryption, where the classroom has it.
    """

    def __init__(self, app: ASGIApp, room: Room, static: str, explains: ASGIApp) -> None:
        self._app = app
        self._room = room
        self._static = static
        self._explains = explains

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer with the reason why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if self._room.secure and scope["scheme"] in {"http", "ws"}:
            await self._explain(scope, receive, send)
            return
        visitor, teacher = cookies.read(scope)
        visit = self._room.visit(visitor, teacher, _device(scope))
        cookies.note_visit(scope, visit)
        if self._leads_nowhere(scope, visit):
            await RedirectResponse(JOIN, 303, {"Cache-Control": "no-store"})(scope, receive, send)
            return
        try:
            found, project_id, receive = await self._decide(scope, receive, visit)
        except TeachableError as error:
            await self._refuse(error, visit, scope, receive, send)
            return
        if found.rule.mine is not None:
            scope = {**scope, "path": found.rule.mine, "raw_path": found.rule.mine.encode()}
        if found.rule.adopts is not None and not visit.teacher:
            send = _Adopting(send, self._room, visit, found.rule, project_id).send
        await self._app(scope, receive, send)

    def _leads_nowhere(self, scope: Scope, visit: Visit) -> bool:
        """Say whether the page is asked for without a project, which only the teacher has any use for."""
        reading = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and scope["path"] == "/"
        return reading and not visit.teacher and not _asked_for(scope)

    async def _decide(self, scope: Scope, receive: Receive, visit: Visit) -> tuple[Found, str | None, Receive]:
        """Return what was found for a request that may pass, the project it is about, and what gives its body.

        Raises:
            TeachableError: it may not.
        """
        # Nothing here has sockets. What Gradio might do with one is not for pupils.
        found = rules.find(scope["method"], scope["path"]) if scope["type"] == "http" else None
        found = found or _UNDECIDED
        rule, project_id = found.rule, found.project
        if visit.teacher:
            return found, project_id, receive
        if rule.where == "query":
            project_id = _asked_for(scope)
            self._room.quota.require_size(Headers(scope=scope).get("content-length"))
        elif rule.where == "import":
            project_id = self._room.project_of_import(visit, found.arrival or "")
        if rule.limit is not None:
            await run_in_threadpool(self._room.require, visit, rule, project_id)
        else:
            self._room.require(visit, rule, project_id)
        if rule.body:
            body = await _read(receive)
            self._room.require(visit, rule, _named(body))
            receive = _again(body, receive)
        return found, project_id, receive

    async def _explain(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what came without encryption: the files of the page that explains, and that page for all else."""
        if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and not scope["path"].startswith(_DATA):
            loading = scope["path"].startswith(f"{self._static}/")
            await (self._app if loading else self._explains)(scope, receive, send)
            return
        # The guards let only names of this server pass, and under this one whoever asks can reach it.
        address = f"https://{Headers(scope=scope).get('host', '')}"
        await _answer(Forbidden("room_https", address=address), scope, receive, send)

    async def _refuse(self, error: TeachableError, visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
        log.info("refused %s %s: %s", scope.get("method", scope["type"]), scope["path"], error.key)
        if isinstance(error, NotFound):
            # Whoever tries links out one after the other is to have no joy of it.
            await asyncio.sleep(self._room.delay(visit))
        await _answer(error, scope, receive, send)


class _Adopting:
    """Holds an answer back until what it tells of is noted as a visitor's: they may ask for it the moment it comes."""

    def __init__(self, send: Send, room: Room, visit: Visit, rule: Rule, project_id: str | None) -> None:
        self._send = send
        self._room = room
        self._visit = visit
        self._rule = rule
        self._project_id = project_id
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body" or self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False) and len(self._body) < _LONGEST_ANSWER:
            return
        start, self._start = self._start, None
        if start["status"] < 300:
            await run_in_threadpool(self._note, json.loads(self._body)["id"])
        await self._send(start)
        await self._send({**message, "body": self._body})

    def _note(self, id_: str) -> None:
        if self._rule.adopts == "import":
            self._room.quota.note_import(id_, self._project_id or "")
        else:
            self._room.adopt(self._visit, id_, self._project_id)


async def _read(receive: Receive) -> bytes:
    """Return a body; the guards count it."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and then what comes after it."""
    given = False

    async def take() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return take


def _named(body: bytes) -> str:
    """Return the project a body names; one that names none is about no project of a visitor's."""
    try:
        document: Any = json.loads(body)
    except (RecursionError, ValueError):
        return ""
    project_id = document.get("project") if isinstance(document, dict) else None
    return project_id if isinstance(project_id, str) else ""


def _asked_for(scope: Scope) -> str:
    """Return the project a query names; of several the last, as the routes do."""
    found: dict[str, list[str]] = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return found.get("project", [""])[-1]


def _device(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _answer(error: TeachableError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": error.key})
        return
    headers = {"Cache-Control": "no-store"}
    response: Response
    if scope["path"].startswith(_DATA):
        response = JSONResponse(error_body(error), error.status, headers)
    else:
        response = PlainTextResponse(str(error), error.status, headers)
    await response(scope, receive, send)
