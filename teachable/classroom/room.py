"""What happens in a classroom: people join, use what they may use, and a teacher sees and decides.

It puts the Workspace and the register together. Which route needs what is in `rules`; `gate` asks `require` here before
a request reaches the app, and so do the handlers of the page's native controls. Nothing of HTTP is known here.
"""

import io
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from teachable import archives, project_zip
from teachable.archives import Entry
from teachable.classroom import passwords
from teachable.classroom.passwords import Hashed
from teachable.classroom.patience import Patience
from teachable.classroom.records import Activity, Me, Membership, Offered, Pupil, RoomView, Starter, Visit
from teachable.classroom.register import Register, Visitor
from teachable.classroom.rules import Access, Limit, Rule
from teachable.errors import Conflict, Forbidden, Locked, NotFound, TeachableError, TooLarge
from teachable.projects.names import clean_name
from teachable.settings import VisitorLimits
from teachable.shelf import ShelfView
from teachable.types import ProjectInfo
from teachable.words import say
from teachable.workflow import Workspace

log = logging.getLogger(__name__)

FOLDER = "classroom"
"""Where a classroom is kept, in the home folder."""

# A page of the Studio asks at least every few seconds while it is seen.
_ONLINE_SECONDS = 20.0
# A project that changed a moment ago is being worked on.
_WORKING_SECONDS = 10.0
_COVERS = 4
_WRONG_PASSWORDS, _PASSWORD_SECONDS = 5, 60.0
_WRONG_PASSWORDS_OF_ALL = 40
_JOINS, _JOIN_SECONDS = 60, 60.0
# Wrong links are free for those who mistype, and slow for those who try them out.
_MISSES, _MISS_SECONDS, _SLOWEST_SECONDS = 10, 600.0, 5.0
_EVERYBODY = "*"


@dataclass(frozen=True)
class _Seen:
    """What is remembered of a project until it changes."""

    updated: float
    photos: int
    classes: int
    covers: tuple[int, ...]
    accuracy: float | None


class Room:
    """One classroom; safe to use from any thread.

    Attributes:
        name: of the classroom, as it is shown.
        limits: what each visitor may use.
        address: where others join; known once the server listens.
        secure: address of the same over HTTPS, or "" where the classroom has none.
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
        self.limits = limits or VisitorLimits()
        self.address = ""
        self.secure = ""
        self._register = Register(home / FOLDER, clock)
        self.password = None if password is not None else passwords.made_up()
        self._set_password(password if password is not None else self.password or "")
        self._lock = threading.Lock()
        self._last_seen: dict[str, float] = {}
        self._known: dict[str, _Seen] = {}
        # Which file was sent for which project. Files that were sent do not outlive the server either.
        self._imports: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._bytes: dict[str, tuple[float, int]] = {}
        self._logins = Patience(_WRONG_PASSWORDS, _PASSWORD_SECONDS)
        self._logins_of_all = Patience(_WRONG_PASSWORDS_OF_ALL, _PASSWORD_SECONDS)
        self._joins = Patience(_JOINS, _JOIN_SECONDS)
        self._misses = Patience(_MISSES, _MISS_SECONDS)
        workspace.limit_photos(self.photos_allowed)

    def _set_password(self, password: str) -> None:
        """Have this password from now on; where it is another than before, all teachers have to log in again."""
        passwords.check(password)
        kept = self._register.state.password
        if kept is None or not kept.fits(password):
            self._register.decide(password=Hashed.of(password), sessions={})

    # Who asks, and what they may

    def visit(self, visitor_cookie: str, teacher_cookie: str, address: str) -> Visit:
        """Say who sends a request, by what their browser keeps."""
        one = self._register.by_cookie(visitor_cookie)
        if self._register.is_teacher(teacher_cookie):
            return Visit("teacher", one.id if one else None, address)
        return Visit("visitor", one.id, address) if one else Visit("guest", None, address)

    def require(self, visit: Visit, rule: Rule, project_id: str | None) -> None:
        """Go on only if this visit may do what a rule is about. Reads nothing from disk but where something is counted.

        Raises:
            Forbidden: it is for the teacher, or for those who have joined.
            NotFound: the project is not one of this classroom, or there is none.
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
        self._note_seen(owner)
        changing = rule.access is Access.CHANGE or rule.limit is not None
        if changing and owner is not None and (owner.locked or self._register.state.locked):
            raise Locked("room_locked")
        if rule.limit is not None and owner is not None:
            self._require_within(rule.limit, owner, project_id)

    def _owner(self, visit: Visit, project_id: str | None) -> Visitor | None:
        """Return whose project is asked for, or who asks where it is about none."""
        if project_id is not None:
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

    def require_size(self, stated: str | None) -> None:
        """Go on only if a file that is sent says that it is no larger than all a visitor can have.

        Raises:
            TooLarge: it is larger, or does not say.
        """
        size = int(stated) if stated is not None else None
        if size is None or size > self.limits.bytes:
            raise TooLarge("visitor_bytes", allowed=self.limits.bytes >> 20)

    def note_import(self, import_id: str, project_id: str) -> None:
        """Note for which project a file was sent."""
        with self._lock:
            self._imports[import_id] = project_id

    def project_of_import(self, visit: Visit, import_id: str) -> str:
        """Return the project a file was sent for.

        Raises:
            NotFound: no visitor sent such a file.
        """
        with self._lock:
            project_id = self._imports.get(import_id)
        if project_id is None:
            self._misses.count(visit.address)
            raise NotFound("import_unknown")
        return project_id

    def _note_seen(self, owner: Visitor | None) -> None:
        if owner is not None:
            self._last_seen[owner.id] = self._clock()

    # Limits

    def _require_within(self, limit: Limit, owner: Visitor, project_id: str | None) -> None:
        if limit in {"photos", "imports"} and self._photos(owner.projects) >= self.limits.photos:
            raise TooLarge("visitor_photos", allowed=self.limits.photos)
        if limit == "projects" and len(self._present(owner)) >= self.limits.projects:
            raise Conflict("visitor_projects", allowed=self.limits.projects)
        if limit == "imports":
            self._require_no_import(owner)
        if limit == "work" and any(self._busy(one) for one in self._present(owner) if one != project_id):
            raise Conflict("visitor_busy")
        if self._filled(owner) >= self.limits.bytes:
            raise TooLarge("visitor_bytes", allowed=self.limits.bytes >> 20)

    def _require_no_import(self, owner: Visitor) -> None:
        """Go on only if no other file of a visitor is being taken in; what they have not decided on makes way.

        Raises:
            Conflict: one is.
        """
        with self._lock:
            sent = [id_ for id_, project_id in self._imports.items() if project_id in owner.projects]
        for import_id in sent:
            with suppress(NotFound):
                state = self._space.imports.of(import_id).state
                if state in {"waiting", "running", "paused"}:
                    raise Conflict("visitor_busy")
                if state in {"reading", "planned"}:
                    self._space.imports.cancel(import_id)

    def photos_allowed(self, project_id: str) -> int | None:
        """Return how many photos a project may hold, or None where that is not for the classroom to say.

        It is asked in the middle of storing photos, so it looks into no other project: what the others of the visitor
        hold was counted when the upload was let in.
        """
        owner = self._register.owner(project_id)
        if owner is None:
            return None
        others = sum(self._counts.get(one, 0) for one in owner.projects if one != project_id)
        return max(0, self.limits.photos - others)

    def _photos(self, projects: Iterable[str]) -> int:
        """Count the photos of those projects that are there."""
        total = 0
        for project_id in projects:
            self._counts[project_id] = 0
            with suppress(NotFound):
                self._counts[project_id] = sum(one.samples for one in self._space.project(project_id).classes)
            total += self._counts[project_id]
        return total

    def _filled(self, owner: Visitor) -> int:
        """Return how many bytes a visitor fills; read again only where a project changed."""
        total = 0
        for project_id in owner.projects:
            with suppress(NotFound):
                updated = self._space.project(project_id).updated
                known = self._bytes.get(project_id)
                # While photos come in, every one of them changes the project; walking through all files each time
                # would cost more than storing them.
                if known is None or updated > known[0] + 2:
                    known = updated, self._space.storage(project_id).total
                    self._bytes[project_id] = known
                total += known[1]
        return total

    def _present(self, owner: Visitor) -> tuple[str, ...]:
        return tuple(one for one in owner.projects if self._is_there(one))

    def _is_there(self, project_id: str) -> bool:
        try:
            self._space.project(project_id)
        except NotFound:
            return False
        return True

    def _busy(self, project_id: str) -> bool:
        return (
            self._space.training(project_id).state == "running" or self._space.reports.of(project_id).state == "running"
        )

    # Joining

    def join(self, name: str, visit: Visit) -> tuple[str, str | None]:
        """Let somebody in, or in again.

        Who comes with the cookie of a visitor and their name, or none, is that visitor. With another name it is the
        next one at the same computer.

        Args:
            name: as they typed it.
            visit: who asks.

        Returns:
            Id of their project, and the cookie for their browser, or None where it keeps the right one.

        Raises:
            Conflict: nobody else can join.
            InvalidInput: the name cannot be used.
            TooMany: too many joined from this device.
        """
        known = self._register.visitor(visit.visitor) if visit.visitor is not None else None
        if known is not None and (not name.strip() or clean_name(name).casefold() == known.name.casefold()):
            return self._shown(known) or self._first_project(known), None
        self._joins.require(visit.address)
        one, cookie = self._register.join(name)
        self._joins.count(visit.address)
        try:
            project_id = self._first_project(one)
        except BaseException:
            self._register.drop(one.id)
            raise
        self._last_seen[one.id] = self._clock()
        return project_id, cookie

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

    def _shown(self, one: Visitor) -> str | None:
        """Return the project a visitor sees: the last of theirs that is there."""
        present = self._present(one)
        return present[-1] if present else None

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
                with suppress(NotFound):
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
        free = max(0, min(view.free, self.limits.bytes - taken))
        return replace(view, projects=shown, bin=(), damaged=(), bytes=taken, free=free)

    def me(self, visit: Visit, project_id: str | None = None) -> Me:
        """Say what the classroom is to whoever asks.

        Args:
            visit: who asks.
            project_id: the project they have open; whoever opened a visitor's by its link sees it as they do.
        """
        one = self._register.visitor(visit.visitor) if visit.visitor is not None else None
        if one is None and project_id is not None and not visit.teacher:
            one = self._register.owner(project_id)
        state = self._register.state
        self._note_seen(one)
        return Me(True, self.name, state.open, visit.teacher, None if one is None else self._membership(one))

    def _membership(self, one: Visitor) -> Membership:
        state = self._register.state
        starter = self._starter() if one.answered != state.handed else None
        return Membership(
            id=one.id,
            name=one.name,
            project=self._shown(one) or "",
            locked=one.locked or state.locked,
            hand=one.hand,
            starter=None if starter is None else Offered(starter.name),
            limits=self.limits,
            photos=self._photos(one.projects),
            bytes=self._filled(one),
        )

    def answer_starter(self, visit: Visit, take: bool) -> str | None:
        """Take what is handed out, as a further project that is shown from now on, or decline it.

        Raises:
            NotFound: nothing is handed out.
            Conflict: they have as many projects as they can have.
        """
        one = self._register.visitor(visit.visitor or "")
        starter = self._starter()
        if take and starter is None:
            raise NotFound("room_no_starter")
        made = None
        if take and starter is not None:
            self._require_within("projects", one, None)
            made = self._space.duplicate_project(starter.project, say("note.room_project", name=one.name)).id
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
        for patience, device in ((self._logins, address), (self._logins_of_all, _EVERYBODY)):
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
        state = self._register.state
        return RoomView(
            name=self.name,
            address=self.address,
            qr=_qr(self.address) if self.address else "",
            open=state.open,
            locked=state.locked,
            starter=self._starter(),
            limits=self.limits,
            visitors=tuple(map(self._pupil, self._register.visitors())),
        )

    def _pupil(self, one: Visitor) -> Pupil:
        shown = self._shown(one)
        seen = self._look(shown) if shown is not None else None
        training = self._space.training(shown) if shown is not None else None
        now = self._clock()
        last_seen = self._last_seen.get(one.id, one.joined)
        activity: Activity = "idle"
        if training is not None and training.state == "running":
            activity = "training"
        elif seen is not None and now - _WORKING_SECONDS < seen.updated <= now:
            activity = "working"
        return Pupil(
            id=one.id,
            name=one.name,
            project=shown,
            photos=self._photos(one.projects),
            classes=seen.classes if seen else 0,
            accuracy=seen.accuracy if seen else None,
            state=activity,
            last_seen=last_seen,
            online=0 <= now - last_seen < _ONLINE_SECONDS,
            covers=seen.covers if seen else (),
            locked=one.locked or self._register.state.locked,
            hand=one.hand,
            problem=training.message if training is not None and training.state == "failed" else None,
        )

    def _look(self, project_id: str) -> _Seen | None:
        """Return what a project looks like from outside, read again only after a change."""
        try:
            info = self._space.project(project_id)
            known = self._known.get(project_id)
            if known is None or known.updated != info.updated:
                model = self._space.model(project_id)
                covers = [
                    self._space.samples(project_id, one.id, 1).samples[0].id for one in info.classes if one.samples
                ]
                photos = sum(one.samples for one in info.classes)
                accuracy = model.evaluation.accuracy if model is not None else None
                known = _Seen(info.updated, photos, len(info.classes), tuple(covers[:_COVERS]), accuracy)
                self._known[project_id] = known
        except (NotFound, IndexError):
            return None  # it was deleted in this moment
        return known

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
        except NotFound:
            return None  # it is in the bin; restored, it is handed out again

    def remove(self, visitor_id: str) -> str:
        """Remove a visitor, their projects into the bin, and return the undo token."""
        one = self._register.visitor(visitor_id)
        tokens = tuple((project_id, self._space.delete_project(project_id)) for project_id in self._present(one))
        self._register.update(one.id, removed=tokens)
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
        chosen = [(one.name, project_id) for one in self._register.visitors() for project_id in self._present(one)]
        names = project_zip.folder_names([name for name, _ in chosen])
        now = self._clock()
        return archives.stream(
            Entry(f"{name}.zip", self._space.pack(project_id), now)
            for name, (_, project_id) in zip(names, chosen, strict=True)
            if self._is_there(project_id)
        )


def _qr(address: str) -> str:
    import segno

    drawing = io.BytesIO()
    code = segno.make(address, micro=False, error="m")
    code.save(drawing, kind="svg", border=2, xmldecl=False, dark="#000000", light="#ffffff")
    return drawing.getvalue().decode()
