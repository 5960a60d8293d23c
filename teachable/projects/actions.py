"""What a person did to classes and samples, as actions that can be taken back and done again, also after a restart.

Rows are marked as removed, never deleted, as long as an action is kept that could bring them back. Of each action there
are its edits: field by field, what a row said before and what it said after. Taking it back sets what still is as the
action left it to what it was before; so an older action can be taken back too, and what happened since stays.

Functions work inside the transaction they are given. Recording is the business of `recording`.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from teachable.errors import Conflict, NotFound
from teachable.projects import change_words, classes, recording
from teachable.types import Change

KEPT_DAYS = 30
"""How long an action can be taken back."""

KEPT = 500
"""How many actions of one project are kept at most."""

_DROPPED = -1
_EDITS = ("sample_edits", "class_edits")
_Side = Literal["before", "after"]


@dataclass(frozen=True)
class Action:
    """One thing a person did.

    Attributes:
        id: number within the project; what it removes is marked with it.
        token: unguessable name, for taking it back.
        facts: what its words need, kept when it has ended; may be added to until then.
    """

    id: int
    token: str
    facts: dict[str, Any] = field(default_factory=dict)


# Doing


@contextmanager
def recorded(
    connection: sqlite3.Connection,
    session: str,
    kind: str,
    facts: Mapping[str, Any] | None = None,
    *,
    into: str | None = None,
) -> Iterator[Action]:
    """Make everything that is done to rows meanwhile one action that can be taken back.

    Args:
        connection: that writes, see `recording.prepare`.
        session: whose action it is.
        kind: what it is; the texts of `change_words` are named by it.
        facts: what its words need.
        into: token of an action that this is a part of; kind and facts are that one's then.

    Raises:
        Conflict: that action was taken back meanwhile.
    """
    action = begin(connection, session, kind, facts) if into is None else _open(connection, into)
    recording.begin(connection, action.id)
    try:
        yield action
    finally:
        recording.end(connection)
    changed = any(_has_edits(connection, table, action.id) for table in _EDITS)
    query = "UPDATE actions SET facts = ?, changed = ? WHERE id = ?"
    connection.execute(query, (json.dumps(action.facts), changed, action.id))
    if changed:
        connection.execute("UPDATE actions SET undone = ? WHERE undone > 0", (_DROPPED,))


def begin(connection: sqlite3.Connection, session: str, kind: str, facts: Mapping[str, Any] | None = None) -> Action:
    """Begin an action to which `recorded` is given the token; it can be taken back once something was done."""
    token, kept = secrets.token_urlsafe(16), dict(facts or {})
    # The time of the last change never runs backwards, whatever the clock does.
    (last,) = connection.execute("SELECT COALESCE(MAX(updated), 0) FROM project").fetchone()
    query = "INSERT INTO actions (token, session, created, kind, facts, changed) VALUES (?, ?, ?, ?, ?, 0)"
    cursor = connection.execute(query, (token, session, max(time.time(), last), kind, json.dumps(kept)))
    return Action(cursor.lastrowid or 0, token, kept)


def last_of(connection: sqlite3.Connection, session: str, kind: str, facts: Mapping[str, Any]) -> str | None:
    """Return the token of the last action if it is of this session and kind and has these facts, or None."""
    row = connection.execute(
        "SELECT token, session, kind, facts FROM actions WHERE undone = 0 AND changed = 1 ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if row is None or row[1:3] != (session, kind):
        return None
    known = json.loads(row[3])
    return str(row[0]) if all(known.get(name) == value for name, value in facts.items()) else None


# Taking back and doing again


def undo(connection: sqlite3.Connection, token: str | None = None) -> Change:
    """Take an action back, the last one unless a token names another; return what it was.

    Raises:
        NotFound: there is none, or it was taken back already.
        Conflict: a class its samples belong to was deleted later; that has to be undone first.
    """
    query = "SELECT id, token, kind, facts, created, changed FROM actions WHERE undone = 0"
    if token is None:
        row = connection.execute(f"{query} AND changed = 1 ORDER BY id DESC LIMIT 1").fetchone()
    else:
        row = connection.execute(f"{query} AND token = ?", (token,)).fetchone() if token.isascii() else None
    if row is None:
        raise NotFound("undo_nothing" if token is None else "undo_over")
    _apply(connection, row[0], "before")
    (latest,) = connection.execute("SELECT MAX(0, MAX(undone)) FROM actions").fetchone()
    number = latest + 1 if row[5] else _DROPPED
    connection.execute("UPDATE actions SET undone = ? WHERE id = ?", (number, row[0]))
    return _change(row[1:5])


def redo(connection: sqlite3.Connection) -> Change:
    """Do again what was taken back last, if nothing was done since; return what it was.

    Raises:
        NotFound: there is nothing to do again.
        Conflict: a class its samples belong to is gone.
    """
    query = "SELECT id, token, kind, facts, created FROM actions WHERE undone > 0 ORDER BY undone DESC LIMIT 1"
    row = connection.execute(query).fetchone()
    if row is None:
        raise NotFound("redo_nothing")
    _apply(connection, row[0], "after")
    connection.execute("UPDATE actions SET undone = 0 WHERE id = ?", (row[0],))
    return _change(row[1:])


def offered(connection: sqlite3.Connection) -> tuple[Change | None, Change | None]:
    """Return what `undo` and `redo` would do now."""
    query = "SELECT token, kind, facts, created FROM actions"
    done = connection.execute(f"{query} WHERE undone = 0 AND changed = 1 ORDER BY id DESC LIMIT 1").fetchone()
    undone = connection.execute(f"{query} WHERE undone > 0 ORDER BY undone DESC LIMIT 1").fetchone()
    return None if done is None else _change(done), None if undone is None else _change(undone)


# Forgetting


def purge(connection: sqlite3.Connection) -> bool:
    """Forget what is too old to be taken back, and what cannot be done again any more; what it removed is gone then.

    Call it only while no other session can use the project.

    Returns:
        Whether there was anything.
    """
    (last,) = connection.execute("SELECT COALESCE(MAX(updated), 0) FROM project").fetchone()
    latest = max(time.time(), last) - KEPT_DAYS * 86400
    # All up to the first that is kept: one that is older by a clock that was set back is not older.
    (first,) = connection.execute(
        "SELECT MAX(COALESCE((SELECT MIN(id) FROM actions WHERE created >= ?), 1 + (SELECT MAX(id) FROM actions)),"
        " COALESCE((SELECT id FROM actions ORDER BY id DESC LIMIT 1 OFFSET ?), 0))",
        (latest, KEPT - 1),
    ).fetchone()
    connection.execute("CREATE TEMP TABLE forgotten (id INTEGER PRIMARY KEY)")
    query = "INSERT INTO forgotten SELECT id FROM actions WHERE id < ? OR undone = ?"
    found = connection.execute(query, (first or 0, _DROPPED)).rowcount > 0
    _forget(connection)
    return found


def forget_all(connection: sqlite3.Connection) -> None:
    """Forget every action: nothing can be taken back or done again, and what is removed is gone."""
    connection.execute("CREATE TEMP TABLE forgotten (id INTEGER PRIMARY KEY)")
    connection.execute("INSERT INTO forgotten SELECT id FROM actions")
    _forget(connection)


def _forget(connection: sqlite3.Connection) -> None:
    """Delete the actions of a temporary table, and what they removed."""
    for rows, edits, key, kind in (
        ("samples", "sample_edits", "sample", "INTEGER"),
        ("classes", "class_edits", "class", "TEXT"),
    ):
        # What a kept action brought back, and would remove again, is from now on removed by that one. Those are listed
        # first: looking through all edits for each of 50,000 photos would take minutes.
        connection.execute(
            f"CREATE TEMP TABLE later (row {kind}, before INTEGER, action INTEGER, PRIMARY KEY (row, before))"
            " WITHOUT ROWID"
        )
        connection.execute(
            f"INSERT OR IGNORE INTO later SELECT {key}, before, action FROM {edits} WHERE field = 'removal'"  # noqa: S608 - names of our own
            " AND action NOT IN forgotten AND before IN forgotten ORDER BY action"
        )
        found = f"FROM later WHERE row = {rows}.id AND before = {rows}.removal"
        connection.execute(
            f"UPDATE {rows} SET removal = (SELECT action {found})"  # noqa: S608 - as above
            f" WHERE removal IN forgotten AND EXISTS (SELECT 1 {found})"
        )
        connection.execute(
            f"UPDATE {edits} SET before = action WHERE field = 'removal'"  # noqa: S608 - as above
            " AND action NOT IN forgotten AND before IN forgotten"
        )
        connection.execute("DROP TABLE later")
    for statement in (
        "DELETE FROM samples WHERE removal IN forgotten"
        " OR class_id IN (SELECT id FROM classes WHERE removal IN forgotten)",
        "DELETE FROM classes WHERE removal IN forgotten",
        "DELETE FROM sample_edits WHERE action IN forgotten OR sample NOT IN (SELECT id FROM samples)",
        "DELETE FROM class_edits WHERE action IN forgotten",
        "DELETE FROM actions WHERE id IN forgotten",
        "DROP TABLE forgotten",
    ):
        connection.execute(statement)


def require_open(connection: sqlite3.Connection, token: str) -> None:
    """Go on only while what was begun with a token was not taken back.

    Raises:
        Conflict: it was.
    """
    _open(connection, token)


# Inside


def _open(connection: sqlite3.Connection, token: str) -> Action:
    query = "SELECT id, facts FROM actions WHERE token = ? AND undone = 0"
    row = connection.execute(query, (token,)).fetchone()
    if row is None:
        raise Conflict("import_undone")
    return Action(row[0], token, json.loads(row[1]))


def _has_edits(connection: sqlite3.Connection, table: str, action: int) -> bool:
    query = f"SELECT 1 FROM {table} WHERE action = ? LIMIT 1"  # noqa: S608 - names of our own
    return connection.execute(query, (action,)).fetchone() is not None


def _change(row: tuple[str, str, str, float]) -> Change:
    token, kind, facts, created = row
    return Change(token, change_words.text(kind, json.loads(facts)), created)


def _apply(connection: sqlite3.Connection, action: int, side: _Side) -> None:
    """Set every row that says what the other side of an action says to what this side says."""
    added = classes.apply_edits(connection, action, side)
    # First what goes, then what moves, then what comes: the same photo is never twice in a class.
    _set_samples(connection, action, "removal", side, "IS NOT NULL")
    _set_samples(connection, action, "class_id", side, "IN (SELECT id FROM classes)")
    for name in ("capture", "test"):
        _set_samples(connection, action, name, side)
    _set_samples(connection, action, "removal", side, "IS NULL")
    _bring_back_likes(connection, action, side)
    _require_classes(connection, action)
    classes.take_away(connection, action, added)
    for name in recording.PROJECT_FIELDS:
        other = _other(side)
        connection.execute(
            f"UPDATE project SET {name} = (SELECT {side} FROM class_edits WHERE action = ? AND field = ?)"  # noqa: S608
            f" WHERE EXISTS (SELECT 1 FROM class_edits WHERE action = ? AND field = ? AND class = ''"
            f" AND project.{name} IS {other})",
            (action, name, action, name),
        )


def _set_samples(connection: sqlite3.Connection, action: int, name: str, side: _Side, only: str = "") -> None:
    """Set one field of the samples an action changed. A photo that its class has again meanwhile stays where it is."""
    edits = "FROM sample_edits WHERE action = :action AND field = :field"
    fit = f"{edits} AND sample = samples.id AND {_other(side)} IS {name}"
    fit += f" AND {side} {only}" if only else ""
    query = (
        f"UPDATE OR IGNORE samples SET {name} = (SELECT {side} {fit})"  # noqa: S608 - names of our own
        f" WHERE id IN (SELECT sample {edits}) AND EXISTS (SELECT 1 {fit})"
    )
    connection.execute(query, {"action": action, "field": name})


def _bring_back_likes(connection: sqlite3.Connection, action: int, side: _Side) -> None:
    """Bring back what only stayed away because its class had the same photo again, which went just now.

    A photo was deleted and sent again; when the deleting is taken back, the one that was sent stays. When sending it is
    taken back too, the first has to come: nobody wants it deleted any more.
    """
    # What cannot be done again any more may have been deleted by another action since, which was done again just now.
    least = _DROPPED if side == "before" else 0
    connection.execute(
        "UPDATE OR IGNORE samples SET removal = NULL WHERE id IN (SELECT away.id FROM sample_edits AS edit"  # noqa: S608
        f" JOIN samples AS gone ON gone.id = edit.sample AND gone.removal = edit.{side}"
        " JOIN samples AS away ON away.sha256 = gone.sha256 AND away.class_id = gone.class_id"
        " JOIN actions ON actions.id = away.removal AND actions.id != edit.action AND actions.undone >= :least"
        " JOIN sample_edits AS own ON own.action = actions.id AND own.field = 'removal' AND own.sample = away.id"
        " WHERE edit.action = :action AND edit.field = 'removal'"
        " AND CASE WHEN actions.undone = 0 THEN own.after ELSE own.before END IS NULL)",
        {"action": action, "least": least},
    )


def _require_classes(connection: sqlite3.Connection, action: int) -> None:
    """Refuse to bring samples back into a class that was removed since, or whose adding was taken back.

    A class that had been removed before is another matter: what was hidden in it is hidden again.
    """
    gone = connection.execute(
        "SELECT 1 FROM classes WHERE removal IS NOT NULL AND (removal > :action OR EXISTS (SELECT 1 FROM class_edits"
        " WHERE action = removal AND field = 'removal' AND class = classes.id AND before = removal))"
        " AND id IN (SELECT class_id FROM samples WHERE samples.removal IS NULL AND samples.id IN"
        " (SELECT sample FROM sample_edits WHERE action = :action AND field IN ('removal', 'class_id'))) LIMIT 1",
        {"action": action},
    ).fetchone()
    if gone:
        raise Conflict("undo_class_gone")


def _other(side: _Side) -> _Side:
    return "after" if side == "before" else "before"
