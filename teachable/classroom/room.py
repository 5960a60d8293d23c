"""What happens in a classroom: people join, use what they may use, and a teacher sees and decides.

It puts the Workspace and the register together. Which route needs what is in `rules`; `gate` asks `require` here before
a request reaches the app, and so do the handlers of the page's native controls. Nothing of HTTP is known here.
"""

import io
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from teachable import archives, project_zip
from teachable.archives import Entry
from teachable.classroom import passwords
from teachable.classroom.passwords import Hashed
from teachable.classroom.patience import Patience
from teachable.classroom.quota import Quota
from teachable.classroom.reception import Reception
from teachable.classroom.records import Me, Membership, Offered, RoomView, Starter, Visit
from teachable.classroom.register import Register, Visitor
from teachable.classroom.rules import Access, Rule
from teachable.classroom.watch import Watch
from teachable.errors import Conflict, Forbidden, Locked, NotFound, TeachableError
from teachable.guards import is_loopback
from teachable.projects.names import free_name, name_key
from teachable.settings import VisitorLimits
from teachable.shelf import ShelfView
from teachable.types import ProjectInfo
from teachable.words import say
from teachable.workflow import Workspace

log = logging.getLogger(__name__)

FOLDER = "classroom"
"""Where a classroom is kept, in the home folder."""

_WRONG_PASSWORDS, _PASSWORD_SECONDS = 5, 60.0
_WRONG_PASSWORDS_OF_ALL = 40
# Wrong links are free for those who mistype, and slow for those who try them out.
_MISSES, _MISS_SECONDS, _SLOWEST_SECONDS = 10, 600.0, 5.0
_EVERYBODY = "*"


class Room:
    """One classroom; safe to use from any thread.

    Attributes:
        name: of the classroom, as it is shown.
        quota: counts what visitors use.
        reception: lets people in.
        find_address: returns where others join at this moment; may be set, once that is known.
        secure: it is used over HTTPS only.
        password: the teacher's, where it was made up and has to be told, else None.

    Args:
        workspace: what everybody works on.
        home: folder of the projects.
        password: the teacher's; made of easy words if not given.
        limits: what each visitor may use.
        name: of the classroom.
        clock: seconds since 1970.

    Raises:
        InvalidInput: the password is too short.
    """

    def __init__(
        self,
        workspace: Workspace,
        home: Path,
        password: str | None = None,
        limits: VisitorLimits | None = None,
        name: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._space = workspace
        self._clock = clock
        self.name = name
        self.find_address: Callable[[], str] = lambda: ""
        self.secure = False
        self._register = Register(home / FOLDER, clock)
        self.quota = Quota(workspace, self._register, limits or VisitorLimits())
        self.password = None if password is not None else passwords.made_up()
        self._set_password(password if password is not None else self.password or "")
        self._watch = Watch(workspace, self._register, self.quota, clock)
        self.reception = Reception(workspace, self._register, self._watch, self._starter, clock)
        self._logins = Patience(_WRONG_PASSWORDS, _PASSWORD_SECONDS)
        self._logins_of_all = Patience(_WRONG_PASSWORDS_OF_ALL, _PASSWORD_SECONDS)
        self._misses = Patience(_MISSES, _MISS_SECONDS)

    def _set_password(self, password: str) -> None:
        """Have this password from now on; where it is another than before, all teachers have to log in again."""
        passwords.check(password)
        kept = self._register.state.password
        if kept is None or not kept.fits(password):
            self._register.decide(password=Hashed.of(password), sessions={})

    @property
    def address(self) -> str:
        """Where others join now, or "" before that is known."""
        return self.find_address()

    # Who asks, and what they may

    def visit(self, visitor_cookie: str, teacher_cookie: str, address: str) -> Visit:
        """Say who sends a request, by what their browser keeps."""
        one = self._register.by_cookie(visitor_cookie)
        if self._register.is_teacher(teacher_cookie):
            return Visit("teacher", one.id if one else None, address)
        if one is not None:
            return Visit("visitor", one.id, address)
        return Visit("guest", None, address, self.reception.has_moved(visitor_cookie))

    def require(self, visit: Visit, rule: Rule, project_id: str | None) -> None:
        """Go on only if this visit may do what a rule is about. Reads nothing from disk but where something is counted.

        Raises:
            Forbidden: it is for the teacher, or for those who have joined.
            NotFound: the project is not one of this classroom, or there is none; or the place of whoever asks was given
                to another device.
            Locked: the teacher has paused changes.
            TooLarge, Conflict: a limit is reached.
        """
        if visit.teacher:
            return
        if rule.access is Access.TEACHER:
            raise Forbidden("room_teacher_only")
        if rule.access is Access.MEMBER and visit.visitor is None:
            raise Forbidden("room_members_only")
        owner = self._owner(visit, project_id)
        self._watch.note(owner)
        changing = rule.access is Access.CHANGE or rule.limit is not None
        if changing and owner is not None and (owner.locked or self._register.state.locked):
            raise Locked("room_locked")
        if rule.limit is not None and owner is not None:
            self.quota.require_within(rule.limit, owner, project_id)

    def _owner(self, visit: Visit, project_id: str | None) -> Visitor | None:
        """Return whose project is asked for, or who asks where it is about none."""
        if project_id is not None:
            if visit.moved:
                raise NotFound("room_place_moved")
            owner = self._register.owner(project_id)
            if owner is None:
                self._misses.count(visit.address)
                raise NotFound("project_unknown")
            return owner
        return self._register.visitor(visit.visitor) if visit.visitor is not None else None

    def delay(self, visit: Visit) -> float:
        """Return for how many seconds an answer about a wrong link is held back."""
        return 0.0 if self._misses.over(visit.address) == 0 else _SLOWEST_SECONDS

    def require_project(self, visit: Visit, project_id: str) -> None:
        """Go on only if this visit may see a project.

        Raises:
            NotFound: it is not one of this classroom.
        """
        self.require(visit, Rule(Access.LOOK), project_id)

    def project_of_import(self, visit: Visit, import_id: str) -> str:
        """Return the project a file was sent for.

        Raises:
            NotFound: no visitor sent such a file.
        """
        try:
            return self.quota.project_of_import(import_id)
        except NotFound:
            self._misses.count(visit.address)
            raise

    # Visitors

    def adopt(self, visit: Visit, project_id: str, copied: str | None = None) -> None:
        """Note that a project somebody just made is theirs; the teacher's belong to nobody.

        Args:
            visit: who made it.
            project_id: what they made.
            copied: the project it is a copy of; whoever came by its link makes the copy for whose it is.
        """
        owner = self._register.owner(copied) if copied is not None else None
        chosen = owner.id if owner is not None else visit.visitor
        if chosen is not None and not visit.teacher:
            self._register.give(chosen, project_id)

    def projects(self, visit: Visit) -> tuple[ProjectInfo, ...]:
        """Return the projects of a visitor, or those that are no visitor's for the teacher; last changed first."""
        if visit.teacher:
            return tuple(info for info in self._space.projects() if self._register.owner(info.id) is None)
        found = []
        if visit.visitor is not None:
            for project_id in self._register.visitor(visit.visitor).projects:
                with suppress(NotFound, Conflict):
                    found.append(self._space.project(project_id))
        return tuple(sorted(found, key=lambda info: info.updated, reverse=True))

    def shelf(self, visit: Visit) -> ShelfView:
        """Return the projects of a visitor with what they may still fill; for the teacher, those that are no visitor's.

        Only the teacher sees the bin, in which everybody's lie.
        """
        view = self._space.shelf()
        mine = {info.id for info in self.projects(visit)}
        shown = tuple(one for one in view.projects if one.project.id in mine)
        if visit.teacher:
            return replace(view, projects=shown)
        taken = sum(one.bytes or 0 for one in shown)
        free = max(0, min(view.free, self.quota.limits.bytes - taken))
        return replace(view, projects=shown, bin=(), damaged=(), bytes=taken, free=free)

    def me(self, visit: Visit, project_id: str | None = None, claim: str = "") -> Me:
        """Say what the classroom is to whoever asks.

        Args:
            visit: who asks.
            project_id: the project they have open; whoever opened a visitor's by its link sees it as they do.
            claim: cookie of the claim their browser made, or "".
        """
        one = self._register.visitor(visit.visitor) if visit.visitor is not None else None
        if one is None and project_id is not None and not visit.teacher and not visit.moved:
            one = self._register.owner(project_id)
        state = self._register.state
        self._watch.note(one)
        member = None if one is None else self._membership(one)
        return Me(True, self.name, state.open, visit.teacher, member, self.reception.claimed(claim))

    def _membership(self, one: Visitor) -> Membership:
        state = self._register.state
        starter = self._starter() if one.answered != state.handed else None
        return Membership(
            id=one.id,
            name=one.name,
            project=self._watch.shown(one) or "",
            locked=one.locked or state.locked,
            hand=one.hand,
            starter=None if starter is None else Offered(starter.name),
            limits=self.quota.limits,
            photos=self.quota.photos(one.projects),
            bytes=self.quota.filled(one),
        )

    def answer_starter(self, visit: Visit, take: bool) -> str | None:
        """Take what is handed out, as a further project that is shown from now on, or decline it.

        Raises:
            NotFound: nothing is handed out.
            Conflict: they have as many projects as they can have.
            Locked: the teacher has paused changes; the offer stays.
        """
        one = self._register.visitor(visit.visitor or "")
        if take and (one.locked or self._register.state.locked):
            raise Locked("room_locked")
        # Who presses twice takes it once.
        starter = self._starter() if one.answered != self._register.state.handed else None
        if take and starter is None:
            raise NotFound("room_no_starter")
        made = None
        if take and starter is not None:
            self.quota.require_within("projects", one, None)
            # Beside what they have made: two projects of one name could not be told apart.
            taken = {name_key(mine.name) for mine in self.projects(visit)}
            name = free_name(say("note.room_project", name=one.name), taken)
            made = self._space.duplicate_project(starter.project, name).id
            self._register.give(one.id, made)
        self._register.update(one.id, answered=self._register.state.handed)
        return made

    def raise_hand(self, visit: Visit, up: bool, visitor_id: str | None) -> None:
        """Note that somebody asks for help, or does not any more; the teacher can lower anybody's hand."""
        chosen = visitor_id if visit.teacher and visitor_id is not None else visit.visitor
        self._register.update(self._register.visitor(chosen or "").id, hand=up)

    # The teacher

    def log_in(self, password: str, address: str) -> str:
        """Return a cookie for whoever knows the password.

        Raises:
            Forbidden: it is another one.
            TooMany: it was tried too often, by this device or by all together.
        """
        counted = [(self._logins, address)]
        # However often pupils try, at this computer itself the teacher is not kept out.
        if not is_loopback(address):
            counted.append((self._logins_of_all, _EVERYBODY))
        for patience, device in counted:
            patience.require(device)
            # Counted before it is checked: attempts that run beside each other are no way around.
            patience.count(device)
        kept = self._register.state.password
        if kept is None or not kept.fits(password):
            log.warning("wrong password for the classroom from %s", address)
            raise Forbidden("room_password_wrong")
        self._logins.forgive(address)
        self._logins_of_all.forgive(_EVERYBODY)
        return self._register.begin_session()

    def log_out(self, cookie: str) -> None:
        """Make a teacher's cookie worthless."""
        self._register.end_session(cookie)

    def view(self) -> RoomView:
        """Return the classroom as the teacher sees it. Pages ask often: what did not change is not read again."""
        state, address = self._register.state, self.address
        return RoomView(
            name=self.name,
            address=address,
            qr=_qr(address) if address else "",
            open=state.open,
            locked=state.locked,
            starter=self._starter(),
            limits=self.quota.limits,
            visitors=tuple(map(self._watch.pupil, self._register.visitors())),
            claims=self.reception.wanted(),
        )

    def lock(self, visitor_id: str | None, locked: bool) -> None:
        """Pause the changes of one visitor, or of all, or let them go on; that of all frees each of them too."""
        if visitor_id is not None:
            self._register.update(self._register.visitor(visitor_id).id, locked=locked)
            return
        self._register.decide(locked=locked)
        if not locked:
            for one in self._register.visitors():
                if one.locked:
                    self._register.update(one.id, locked=False)

    def open(self, wanted: bool) -> None:
        """Let others join, or nobody any more."""
        self._register.decide(open=wanted)

    def hand_out(self, project_id: str | None) -> None:
        """Hand a project out: who joins from now on begins with a copy, and who is in is offered one. None: no more.

        Raises:
            NotFound: there is no such project.
        """
        if project_id is not None:
            self._space.project(project_id)
        state = self._register.state
        self._register.decide(starter=project_id, handed=state.handed + (project_id is not None))

    def _starter(self) -> Starter | None:
        project_id = self._register.state.starter
        if project_id is None:
            return None
        try:
            return Starter(project_id, self._space.project(project_id).name)
        except (NotFound, Conflict):
            return None  # it is in the bin, or damaged; restored, it is handed out again

    def remove(self, visitor_id: str) -> str:
        """Remove a visitor, their projects into the bin, and return the undo token."""
        one = self._register.visitor(visitor_id)
        tokens = tuple((project_id, self._space.delete_project(project_id)) for project_id in self.quota.present(one))
        self._register.update(one.id, removed=tokens)
        self.reception.forget_visitor(one.id)
        return one.id

    def restore(self, token: str) -> None:
        """Bring a removed visitor back with their projects, as far as those are still in the bin.

        Raises:
            NotFound: nobody was removed with this token.
        """
        gone = [one for one in self._register.state.visitors if one.id == token and one.removed is not None]
        if not gone:
            raise NotFound("undo_over")
        for project_id, undo in gone[0].removed or ():
            try:
                self._space.restore_project(undo)
            except TeachableError as error:
                log.warning("project %s of a visitor could not be brought back: %s", project_id, error)
        self._register.update(token, removed=None)

    def collect(self) -> Iterator[bytes]:
        """Return one zip with every project of every visitor, piece by piece; each can be opened on its own.

        What a visitor deletes meanwhile is left out.
        """
        chosen = [(one.name, project_id) for one in self._register.visitors() for project_id in self.quota.present(one)]
        names = project_zip.folder_names([name for name, _ in chosen])
        now = self._clock()

        def entries() -> Iterator[Entry]:
            for name, (_, project_id) in zip(names, chosen, strict=True):
                try:
                    content = self._space.pack(project_id)
                except (NotFound, Conflict) as error:
                    log.warning("project %s is left out of what was collected: %s", project_id, error)
                    continue
                yield Entry(f"{name}.zip", content, now)

        return archives.stream(entries())


@lru_cache(maxsize=4)
def _qr(address: str) -> str:
    import segno

    drawing = io.BytesIO()
    code = segno.make(address, micro=False, error="m")
    code.save(drawing, kind="svg", border=2, xmldecl=False, dark="#000000", light="#ffffff")
    return drawing.getvalue().decode()
