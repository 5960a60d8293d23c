"""Letting people in, and in again: by the cookie of their browser, as somebody new, or by the teacher's word.

A cookie belongs to an address and to a browser, and in the next lesson either may be another. Whoever types a name that
is in the register is therefore asked whether that is them, and if so the teacher decides.
"""

from collections.abc import Callable
from dataclasses import dataclass

from teachable.classroom import register
from teachable.classroom.claims import Claim, Claims
from teachable.classroom.patience import Patience
from teachable.classroom.records import Claimed, Starter, Visit, Wanted
from teachable.classroom.register import Register, Visitor
from teachable.classroom.watch import Watch
from teachable.errors import Conflict, NotFound
from teachable.projects.names import clean_name
from teachable.words import say
from teachable.workflow import Workspace

# A class that comes by one address, which a school's router may give it, has to get in: each says a name and an answer.
_JOINS, _JOIN_SECONDS = 120, 60.0
# Of those who may have typed a name, so many are named: "Anna", "Anna 2" and "Anna 3" can tell who they are.
_MOST_NAMED = 4


@dataclass(frozen=True)
class Admitted:
    """What became of somebody who wanted in.

    Attributes:
        project: id of theirs, or None where the teacher was asked.
        visitor: cookie of a visitor for their browser, or None where it keeps the right one.
        claim: cookie of a claim for their browser, or None likewise.
    """

    project: str | None
    visitor: str | None = None
    claim: str | None = None


class Reception:
    """Where everybody comes in; safe to use from any thread.

    Args:
        workspace: what everybody works on.
        register: who has joined.
        watch: notes who was here.
        starter: returns what is handed out.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        workspace: Workspace,
        register: Register,
        watch: Watch,
        starter: Callable[[], Starter | None],
        clock: Callable[[], float],
    ) -> None:
        self._space = workspace
        self._register = register
        self._watch = watch
        self._starter = starter
        self._claims = Claims(clock)
        self._joins = Patience(_JOINS, _JOIN_SECONDS)

    # Coming in

    def join(self, name: str, visit: Visit, back: bool | None = None, claim: str = "") -> Admitted:
        """Let somebody in, or in again.

        Who comes with the cookie of a visitor and their name, or none, is that visitor. With another name it is the
        next one at the same computer.

        Args:
            name: as they typed it.
            visit: who asks.
            back: what they answered to whether they are the one of that name who is in already; None before that.
            claim: cookie of the claim their browser made, or "".

        Raises:
            Conflict: nobody else can join, or the name is known and nothing was answered.
            InvalidInput: the name cannot be used.
            NotFound: they say they were here before, and nobody is there of that name.
            TooMany: too many joined from this device, or wait for the teacher.
        """
        known = self._register.visitor(visit.visitor) if visit.visitor is not None else None
        if known is not None and (not name.strip() or register.is_called(known, clean_name(name))):
            self._claims.forget(claim)
            return Admitted(self._watch.shown(known) or self._first_project(known))
        self._joins.require(visit.address)
        alike = () if back is False else self._register.called(name)
        if back and not alike:
            raise NotFound("room_name_gone", name=clean_name(name))
        if alike:
            self._joins.count(visit.address)
            if back:
                return Admitted(None, claim=self._claims.ask(alike[0].id, visit.address, claim))
            names = [one.name for one in alike[:_MOST_NAMED]]
            raise Conflict("room_name_known", name=names[0], names=names, otherwise=self._register.free_name(name))
        one, cookie = self._register.join(name)
        self._joins.count(visit.address)
        try:
            project_id = self._first_project(one)
        except BaseException:
            self._register.drop(one.id)
            raise
        self._claims.forget(claim)
        self._watch.note(one)
        return Admitted(project_id, cookie)

    def _first_project(self, one: Visitor) -> str:
        """Make a project for a visitor: a copy of what is handed out, or an empty one."""
        starter = self._starter()
        name = say("note.room_project", name=one.name)
        if starter is not None:
            info = self._space.duplicate_project(starter.project, name)
        else:
            info = self._space.create_project(name)
        self._register.give(one.id, info.id)
        return info.id

    # Getting a seat back

    def take(self, visit: Visit, claim: str) -> tuple[str, str] | None:
        """Give a browser the seat that the teacher has allowed it.

        Until it comes with the new cookie it is given another each time: an answer can get lost on its way. Whoever had
        the seat before loses it.

        Args:
            visit: who asks.
            claim: cookie of the claim their browser made, or "".

        Returns:
            Id of the visitor they are now, and the cookie for their browser; None where nothing is to be taken.
        """
        found = self._find(claim)
        if found is None or found.state != "allowed":
            return None
        if visit.visitor == found.visitor:
            self._claims.forget(claim)
            return None
        cookie, before = self._register.hand_over(found.visitor)
        self._claims.note_moved(before)
        return found.visitor, cookie

    def claimed(self, claim: str) -> Claimed | None:
        """Return what a browser waits for, and None where it waits for nothing."""
        found = self._find(claim)
        if found is None or found.state == "allowed":
            return None
        return Claimed(self._register.visitor(found.visitor).name, found.state)

    def _find(self, claim: str) -> Claim | None:
        """Return the claim of a browser to a seat that is there."""
        found = self._claims.by_cookie(claim)
        if found is not None and not self._register.is_there(found.visitor):
            self._claims.forget(claim)
            return None
        return found

    def leave(self, claim: str) -> None:
        """Take a claim back."""
        self._claims.forget(claim)

    def has_moved(self, cookie: str) -> bool:
        """Say whether a browser keeps the cookie of a seat that another has now."""
        return self._claims.has_moved(cookie)

    # The teacher

    def wanted(self) -> tuple[Wanted, ...]:
        """Return who waits for an answer; the newest last."""
        names = {one.id: one.name for one in self._register.visitors()}
        return tuple(
            Wanted(one.id, names[one.visitor], one.visitor, one.asked)
            for one in self._claims.waiting()
            if one.visitor in names
        )

    def answer(self, ids: list[str], allow: bool) -> None:
        """Allow what was claimed, or refuse it. Claims that are over are passed over."""
        self._claims.answer(frozenset(ids), allow)

    def forget_visitor(self, visitor_id: str) -> None:
        """Forget the claims to the seat of somebody who was removed."""
        self._claims.drop(visitor_id)
