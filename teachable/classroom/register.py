"""Who has joined a classroom, and what the teacher decided. It owns the file in which that survives a restart.

Cookies and passwords are not kept, only what they can be checked by. Projects are named by their ids; whether they are
still there is not known here.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from teachable.classroom.passwords import Hashed
from teachable.errors import Conflict, InvalidInput, NotFound
from teachable.projects.names import clean_name

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
MOST_VISITORS = 200
LONGEST_NAME = 40
"""Characters of a visitor's name: thirty of them have to fit on a page."""
SESSION_SECONDS = 12 * 3600
"""How long a teacher stays logged in: a day of school."""

_FILE = "room.json"


@dataclass(frozen=True)
class Visitor:
    """Somebody who has joined.

    Attributes:
        id: short name; unguessable, though nothing depends on it.
        name: they joined with.
        cookie: SHA-256 of what their browser keeps.
        projects: ids of theirs, the one that is shown last.
        joined: seconds since 1970.
        locked: their changes are paused.
        hand: they ask for help.
        answered: number of the starter they answered to last.
        removed: how to bring back what was theirs, each project with its undo token, or None while they are there.
    """

    id: str
    name: str
    cookie: str
    projects: tuple[str, ...]
    joined: float
    locked: bool = False
    hand: bool = False
    answered: int = 0
    removed: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True)
class State:
    """Everything that survives a restart.

    Attributes:
        password: what the teacher's password is checked by, or None before there was one.
        sessions: SHA-256 of each teacher's cookie, and when it ends, in seconds since 1970.
        open: others can join.
        locked: changes of all are paused.
        starter: id of the project that is handed out.
        handed: how often one was handed out; tells one from the next.
        visitors: in the order they joined, removed ones too.
    """

    password: Hashed | None = None
    sessions: dict[str, float] = field(default_factory=dict)
    open: bool = True
    locked: bool = False
    starter: str | None = None
    handed: int = 0
    visitors: tuple[Visitor, ...] = ()


class Register:
    """The state of a classroom, on disk after each change; safe to use from any thread.

    Args:
        folder: it is kept in; made if missing.
        clock: seconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / _FILE
        self._clock = clock
        self._lock = threading.RLock()
        self._state = _read(self._path)
        self._index()

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    def visitors(self) -> tuple[Visitor, ...]:
        """Return those who are there, in the order they joined."""
        return tuple(one for one in self._state.visitors if one.removed is None)

    def visitor(self, visitor_id: str) -> Visitor:
        """Return one of those who are there.

        Raises:
            NotFound: they are not.
        """
        for one in self.visitors():
            if one.id == visitor_id:
                return one
        raise NotFound("room_visitor_unknown")

    def by_cookie(self, cookie: str) -> Visitor | None:
        """Return whose browser keeps a cookie."""
        found = self._cookies.get(digest(cookie)) if cookie else None
        return self._visitors.get(found) if found else None

    def is_there(self, visitor_id: str) -> bool:
        """Say whether somebody has joined and was not removed."""
        return visitor_id in self._visitors

    def called(self, name: str) -> tuple[Visitor, ...]:
        """Return those who may have typed a name; the one who is called just that comes first.

        Raises:
            InvalidInput: nobody can be called that.
        """
        name = _name(name)
        alike = [one for one in self.visitors() if is_called(one, name)]
        return tuple(sorted(alike, key=lambda one: one.name.casefold() != name.casefold()))

    def free_name(self, name: str) -> str:
        """Return what somebody would be called who joins with a name now."""
        return _told_apart(_name(name), {one.name.casefold() for one in self.visitors()})

    def owner(self, project_id: str) -> Visitor | None:
        """Return whose project it is."""
        return self._visitors.get(self._owners.get(project_id, ""))

    # Changes

    def join(self, name: str) -> tuple[Visitor, str]:
        """Add a visitor without projects, and return them with the cookie for their browser.

        Raises:
            InvalidInput: the name cannot be used.
            Conflict: nobody can join, or nobody else.
        """
        name = _name(name)
        cookie = secrets.token_urlsafe(24)
        with self._change() as state:
            if not state.open:
                raise Conflict("room_closed")
            present = self.visitors()
            if len(present) >= MOST_VISITORS:
                raise Conflict("room_full", count=MOST_VISITORS)
            name = _told_apart(name, {one.name.casefold() for one in present})
            one = Visitor(secrets.token_hex(8), name, digest(cookie), (), self._clock(), answered=state.handed)
            self._state = replace(state, visitors=(*state.visitors, one))
        return one, cookie

    def hand_over(self, visitor_id: str) -> tuple[str, str]:
        """Give the seat of a visitor to another browser.

        Returns:
            The cookie for that browser, and the digest of the one that is worthless now.

        Raises:
            NotFound: they are not there.
        """
        cookie = secrets.token_urlsafe(24)
        with self._lock:
            before = self.visitor(visitor_id).cookie
            self.update(visitor_id, cookie=digest(cookie))
        return cookie, before

    def give(self, visitor_id: str, project_id: str) -> None:
        """Note that a project is a visitor's, and the one that is shown."""
        one = self.visitor(visitor_id)
        others = tuple(id_ for id_ in one.projects if id_ != project_id)
        self.update(visitor_id, projects=(*others, project_id))

    def update(self, visitor_id: str, **changes: Any) -> None:
        """Change what is noted of a visitor, a removed one too.

        Raises:
            NotFound: there never was one.
        """
        with self._change() as state:
            if not any(one.id == visitor_id for one in state.visitors):
                raise NotFound("room_visitor_unknown")
            visitors = tuple(replace(one, **changes) if one.id == visitor_id else one for one in state.visitors)
            self._state = replace(state, visitors=visitors)

    def drop(self, visitor_id: str) -> None:
        """Forget a visitor who could not join after all."""
        with self._change() as state:
            self._state = replace(state, visitors=tuple(one for one in state.visitors if one.id != visitor_id))

    def decide(self, **changes: Any) -> None:
        """Change what holds for the whole room."""
        with self._change() as state:
            self._state = replace(state, **changes)

    # The teacher

    def begin_session(self) -> str:
        """Return the cookie of a teacher who has just shown the password."""
        cookie, now = secrets.token_urlsafe(24), self._clock()
        with self._change() as state:
            # One that ends later than any can was made while the clock was wrong.
            lasting = {key: end for key, end in state.sessions.items() if now < end <= now + SESSION_SECONDS}
            self._state = replace(state, sessions={**lasting, digest(cookie): now + SESSION_SECONDS})
        return cookie

    def end_session(self, cookie: str) -> None:
        """Make a cookie worthless."""
        with self._change() as state:
            kept = {key: end for key, end in state.sessions.items() if key != digest(cookie)}
            self._state = replace(state, sessions=kept)

    def is_teacher(self, cookie: str) -> bool:
        """Say whether a cookie is a teacher's."""
        end = self._state.sessions.get(digest(cookie), 0.0) if cookie else 0.0
        return self._clock() < end <= self._clock() + SESSION_SECONDS

    # Inside

    @contextlib.contextmanager
    def _change(self) -> Iterator[State]:
        """Give the state to change; it holds once it is on disk, and not at all if that fails."""
        with self._lock:
            before = self._state
            try:
                yield before
                if self._state != before:
                    _write(self._path, self._state)
            except BaseException:
                self._state = before
                raise
            finally:
                self._index()

    def _index(self) -> None:
        present = self.visitors()
        self._visitors = {one.id: one for one in present}
        self._cookies = {one.cookie: one.id for one in present}
        self._owners = {project: one.id for one in present for project in one.projects}


def digest(cookie: str) -> str:
    """Return what a secret of a browser is known by."""
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()


def _name(name: str) -> str:
    """Return a visitor's name as it is kept.

    Raises:
        InvalidInput: it cannot be used.
    """
    name = clean_name(name)
    if len(name) > LONGEST_NAME:
        raise InvalidInput("name_long", length=len(name), allowed=LONGEST_NAME)
    return name


def is_called(one: Visitor, name: str) -> bool:
    """Say whether a visitor may have typed this name: the second Anna did not type "Anna 2"."""
    known, typed = one.name.casefold(), name.casefold()
    return known == typed or re.fullmatch(rf"{re.escape(typed)} \d+", known) is not None


def _told_apart(name: str, taken: set[str]) -> str:
    """Return a name that nobody has yet: the second Anna is "Anna 2"."""
    number, chosen = 1, name
    while chosen.casefold() in taken:
        number += 1
        chosen = f"{name} {number}"
    return chosen


def _write(path: Path, state: State) -> None:
    document = {"format_version": FORMAT_VERSION, **asdict(state)}
    unfinished = path.with_suffix(".new")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _read(path: Path) -> State:
    """Return what was kept. What cannot be read is put aside, so that a lesson can begin and nothing is lost."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return State()
    except UnicodeDecodeError:
        text = ""
    try:
        return _state(json.loads(text))
    except (KeyError, RecursionError, TypeError, ValueError, AttributeError):
        aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
        path.replace(aside)
        log.warning("the register of the classroom is damaged and was put aside as %s; it begins anew", aside)
        return State()


def _state(document: dict[str, Any]) -> State:
    """Return the state of a document.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is not one of ours.
    """
    if document.pop("format_version") != FORMAT_VERSION:
        raise ValueError("of another version")
    password = document.pop("password")
    visitors = tuple(_visitor(one) for one in document.pop("visitors"))
    sessions = {str(key): float(end) for key, end in document.pop("sessions").items()}
    return State(
        password=None if password is None else Hashed(**password), visitors=visitors, sessions=sessions, **document
    )


def _visitor(entry: dict[str, Any]) -> Visitor:
    removed = entry.pop("removed")
    pairs = None if removed is None else tuple((str(project), str(token)) for project, token in removed)
    projects = tuple(map(str, entry.pop("projects")))
    return Visitor(**entry, projects=projects, removed=pairs)
