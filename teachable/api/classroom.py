"""Routes of a classroom. Without one they say so; who may use which is decided in `teachable.classroom.rules`."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from teachable.api.access import binary
from teachable.api.downloads import attachment
from teachable.api.records import Projects, Token, Undo
from teachable.api.rooms import (
    Answered,
    Answering,
    AnsweringClaims,
    Hand,
    HandingOut,
    Joined,
    Joining,
    Locking,
    LoggingIn,
    Opening,
)
from teachable.classroom import Room, cookies
from teachable.classroom.records import Me, RoomView, Visit
from teachable.errors import NotFound
from teachable.shelf import ShelfView

router = APIRouter(tags=["classroom"])


def _room(request: Request) -> Room:
    room: Room | None = request.app.state.room
    if room is None:
        raise NotFound("room_none")
    return room


def _visit(request: Request) -> Visit:
    # Without a classroom there is no gate, and everybody is at home.
    return cookies.visit_of(request.scope) if request.app.state.room is not None else Visit("teacher")


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _taken(request: Request, response: Response, room: Room, visit: Visit, claim: str) -> Visit:
    """Give a browser the place that the teacher has allowed it, and return who it is then."""
    taken = room.reception.take(visit, claim)
    if taken is None:
        return visit
    visitor, cookie = taken
    cookies.keep_visitor(response, cookie, _secure(request))
    return replace(visit, role="teacher" if visit.teacher else "visitor", visitor=visitor, moved=False)


ThisRoom = Annotated[Room, Depends(_room)]
ThisVisit = Annotated[Visit, Depends(_visit)]
VisitorId = Annotated[str, Path(description="Id of the visitor.", max_length=100)]


@router.get("/room/me", summary="See what the classroom is to you")
def me(
    request: Request,
    response: Response,
    visit: ThisVisit,
    project: Annotated[
        str | None, Query(description="Id of the open project; its link makes one who opened it.", max_length=100)
    ] = None,
) -> Me:
    """Return whether this server serves a classroom, whether others can join, and who you are in it.

    Where the teacher has let you have your place back, the answer brings the cookie of it.
    """
    room: Room | None = request.app.state.room
    if room is None:
        return Me(False, "", False, False, None)
    claim = cookies.claim_of(request.scope)
    now = _taken(request, response, room, visit, claim)
    told = room.me(now, project, claim)
    if claim and now == visit and told.claim is None:
        cookies.forget_claim(response)
    return told


@router.get("/room/projects", summary="List your projects")
def own_projects(room: ThisRoom, visit: ThisVisit) -> Projects:
    """Return the projects of a visitor; for the teacher, those that are no visitor's."""
    return Projects(room.projects(visit))


@router.get("/room/shelf", summary="See your projects with their sizes")
def own_shelf(room: ThisRoom, visit: ThisVisit) -> ShelfView:
    """Return the shelf of a visitor, without a bin; for the teacher, all that is no visitor's."""
    return room.shelf(visit)


@router.post("/room/join", summary="Join")
def join(request: Request, response: Response, room: ThisRoom, visit: ThisVisit, body: Joining) -> Joined:
    """Join with a name and get a project whose link nobody can guess, or the same again from the same browser.

    Where somebody of that name is in already, say with `back` whether that is you.
    """
    claim = cookies.claim_of(request.scope)
    if not body.name.strip():
        visit = _taken(request, response, room, visit, claim)
    admitted = room.reception.join(body.name, visit, body.back, claim)
    if admitted.visitor is not None:
        cookies.keep_visitor(response, admitted.visitor, _secure(request))
    if admitted.claim is not None:
        cookies.keep_claim(response, admitted.claim, _secure(request))
    elif claim and admitted.project is not None:
        cookies.forget_claim(response)
    return Joined(admitted.project, admitted.project is None)


@router.post("/room/leave", summary="Leave", status_code=204)
def leave(request: Request, response: Response, room: ThisRoom) -> None:
    """Have this browser forget who joined from it, so that somebody else can, and what was asked. The project stays."""
    room.reception.leave(cookies.claim_of(request.scope))
    cookies.forget_visitor(response)
    cookies.forget_claim(response)


@router.post("/room/login", summary="Log in as the teacher", status_code=204)
def log_in(request: Request, response: Response, room: ThisRoom, visit: ThisVisit, body: LoggingIn) -> None:
    """Show the password. Too many wrong ones have to wait."""
    cookies.keep_teacher(response, room.log_in(body.password, visit.address), _secure(request))


@router.post("/room/logout", summary="Log out", status_code=204)
def log_out(request: Request, response: Response, room: ThisRoom) -> None:
    """Be no teacher any more in this browser."""
    room.log_out(request.cookies.get(cookies.TEACHER, ""))
    cookies.forget_teacher(response)


@router.get("/room", summary="See the classroom")
def view(room: ThisRoom) -> RoomView:
    """Return everybody who has joined and how they are getting on. For the teacher."""
    return room.view()


@router.post("/room/lock", summary="Pause changes")
def lock(room: ThisRoom, body: Locking) -> RoomView:
    """Pause the changes of one visitor, or of all, or let them go on. Nothing is lost by it."""
    room.lock(body.visitor, body.locked)
    return room.view()


@router.post("/room/claims", summary="Let pupils have their place back")
def answer_claims(room: ThisRoom, body: AnsweringClaims) -> RoomView:
    """Let those who ask have their place back, or not. A device that had a place before loses it.

    Where several ask for one place and all are to have it, they go on waiting: allow one.
    """
    room.reception.answer(body.ids, body.allow)
    return room.view()


@router.post("/room/open", summary="Let others join")
def open_room(room: ThisRoom, body: Opening) -> RoomView:
    """Let others join, or nobody any more. Who has joined can always come back."""
    room.open(body.open)
    return room.view()


@router.post("/room/starter", summary="Hand a project out")
def hand_out(room: ThisRoom, body: HandingOut) -> RoomView:
    """Hand a project out: who joins from now on begins with a copy of it, and who is in is offered one."""
    room.hand_out(body.project)
    return room.view()


@router.post("/room/starter/answer", summary="Answer to what is handed out")
def answer_starter(room: ThisRoom, visit: ThisVisit, body: Answering) -> Answered:
    """Take a copy of the project that is handed out, as a further one, or decline it."""
    return Answered(room.answer_starter(visit, body.take))


@router.post("/room/hand", summary="Ask for help", status_code=204)
def raise_hand(room: ThisRoom, visit: ThisVisit, body: Hand) -> None:
    """Raise your hand, or lower it. The teacher can lower anybody's."""
    room.raise_hand(visit, body.up, body.visitor)


@router.delete("/room/visitors/{visitor_id}", summary="Remove a visitor")
def remove(room: ThisRoom, visitor_id: VisitorId) -> Undo:
    """Remove a visitor. Their projects go into the bin, and everything can be taken back."""
    return Undo(room.remove(visitor_id))


@router.post("/room/visitors/restore", summary="Bring a visitor back")
def restore(room: ThisRoom, body: Token) -> RoomView:
    """Bring back a visitor who was removed, with their projects."""
    room.restore(body.undo)
    return room.view()


@router.get(
    "/room/collect",
    summary="Collect everybody’s work",
    response_class=Response,
    responses=binary("application/zip", "One archive with the projects of all visitors, a file for each."),
)
def collect(room: ThisRoom) -> StreamingResponse:
    """Return one archive with every project of every visitor, each of which can be opened again on its own."""
    headers = {"Content-Disposition": attachment(room.name or "classroom", ".zip"), "Cache-Control": "no-store"}
    return StreamingResponse(room.collect(), headers=headers, media_type="application/zip")
