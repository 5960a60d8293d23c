"""Removing, moving and marking so that it can be taken back. Rows are marked, not deleted, until the session is over.

A removal is one action of a person, with an unguessable token. Functions work inside the transaction they are given.
"""

import secrets
import sqlite3
import time
from collections.abc import Iterable

from teachable.errors import Conflict, NotFound
from teachable.projects import classes
from teachable.types import Sample


def remove_samples(connection: sqlite3.Connection, session: str, found: Iterable[Sample]) -> str:
    """Remove samples and return the undo token."""
    removal, token = _begin(connection, session)
    _mark(connection, removal, found)
    return token


def clear_class(connection: sqlite3.Connection, session: str, class_id: str) -> str:
    """Remove all samples of a class and return the undo token."""
    removal, token = _begin(connection, session)
    connection.execute("UPDATE samples SET removal = ? WHERE class_id = ? AND removal IS NULL", (removal, class_id))
    return token


def remove_class(connection: sqlite3.Connection, session: str, class_id: str) -> str:
    """Remove a class and return the undo token. Its samples go and come with it."""
    removal, token = _begin(connection, session)
    connection.execute("UPDATE classes SET removal = ? WHERE id = ?", (removal, class_id))
    classes.number(connection, [info.id for info in classes.read(connection)])
    return token


def move_samples(connection: sqlite3.Connection, session: str, found: Iterable[Sample], target: str) -> str:
    """Move samples to another class and return the undo token.

    A photo the target already has is removed where it was instead: it would be an exact repeat.
    """
    removal, token = _begin(connection, session)
    repeats = []
    for sample in found:
        if sample.class_id == target:
            continue
        moved = connection.execute("UPDATE OR IGNORE samples SET class_id = ? WHERE id = ?", (target, sample.id))
        if moved.rowcount == 0:
            repeats.append(sample)
        else:
            connection.execute("INSERT INTO moves VALUES (?, ?, ?, ?)", (removal, sample.id, sample.class_id, target))
    _mark(connection, removal, repeats)
    return token


def mark_test(connection: sqlite3.Connection, session: str, found: Iterable[Sample], test: bool) -> str:
    """Keep samples for testing only, or let them be trained on again, and return the undo token."""
    removal, token = _begin(connection, session)
    changed = [sample.id for sample in found if sample.test != test]
    connection.executemany("UPDATE samples SET test = ? WHERE id = ?", [(test, id_) for id_ in changed])
    connection.executemany("INSERT INTO marks VALUES (?, ?, ?)", [(removal, id_, test) for id_ in changed])
    return token


def undo(connection: sqlite3.Connection, session: str, token: str) -> None:
    """Take a removal, move or mark back. What was added, moved, marked or removed since stays as it is.

    Raises:
        NotFound: no such token, it was used already, or its session is over.
        Conflict: the class the samples belong to was deleted later; that has to be undone first.
    """
    query = "SELECT id FROM removals WHERE token = ? AND session = ?"
    row = connection.execute(query, (token, session)).fetchone() if token.isascii() else None
    if row is None:
        raise NotFound("undo_over")
    removal: int = row[0]
    _require_classes(connection, removal)
    for (class_id,) in connection.execute("SELECT id FROM classes WHERE removal = ?", (removal,)).fetchall():
        classes.bring_back(connection, class_id)
    # OR IGNORE: a photo that came into its old class again meanwhile stays where it is now.
    moves = connection.execute("SELECT origin, sample, target FROM moves WHERE removal = ?", (removal,)).fetchall()
    back = "UPDATE OR IGNORE samples SET class_id = ? WHERE id = ? AND class_id = ? AND removal IS NULL"
    connection.executemany(back, moves)
    connection.execute("UPDATE OR IGNORE samples SET removal = NULL WHERE removal = ?", (removal,))
    marks = connection.execute("SELECT sample, test FROM marks WHERE removal = ?", (removal,)).fetchall()
    connection.executemany("UPDATE samples SET test = 1 - test WHERE id = ? AND test = ?", marks)
    _forget(connection, [removal])


def purge(connection: sqlite3.Connection, session: str) -> None:
    """Delete for good what other sessions removed; call it only while no other session can use the project."""
    connection.execute(
        "DELETE FROM samples WHERE class_id IN (SELECT classes.id FROM classes JOIN removals"
        " ON removals.id = classes.removal WHERE session != ?)",
        (session,),
    )
    over = connection.execute("SELECT id FROM removals WHERE session != ?", (session,))
    _forget(connection, [removal for (removal,) in over])


def _begin(connection: sqlite3.Connection, session: str) -> tuple[int, str]:
    token = secrets.token_urlsafe(16)
    query = "INSERT INTO removals (token, session, created) VALUES (?, ?, ?)"
    return connection.execute(query, (token, session, time.time())).lastrowid or 0, token


def _mark(connection: sqlite3.Connection, removal: int, found: Iterable[Sample]) -> None:
    connection.executemany("UPDATE samples SET removal = ? WHERE id = ?", [(removal, sample.id) for sample in found])


def _require_classes(connection: sqlite3.Connection, removal: int) -> None:
    """Refuse to bring samples back into a class that was itself removed by another action."""
    gone = connection.execute(
        "SELECT 1 FROM classes WHERE classes.removal IS NOT NULL AND classes.removal != ? AND ("
        " id IN (SELECT class_id FROM samples WHERE samples.removal = ?)"
        " OR id IN (SELECT origin FROM moves WHERE moves.removal = ?))",
        (removal, removal, removal),
    ).fetchone()
    if gone:
        raise Conflict("undo_class_gone")


def _forget(connection: sqlite3.Connection, removals: Iterable[int]) -> None:
    """Delete removals and all rows still marked by them, in the order foreign keys ask for."""
    chosen = [(removal,) for removal in removals]
    connection.executemany("DELETE FROM samples WHERE removal = ?", chosen)
    connection.executemany("DELETE FROM moves WHERE removal = ?", chosen)
    connection.executemany("DELETE FROM marks WHERE removal = ?", chosen)
    connection.executemany("DELETE FROM classes WHERE removal = ?", chosen)
    connection.executemany("DELETE FROM removals WHERE id = ?", chosen)
