"""Classes of a project as rows: names, colours, order. All functions work inside the transaction they are given."""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from teachable.errors import Conflict, InvalidInput, NotFound, TooLarge
from teachable.projects import names
from teachable.settings import limits
from teachable.types import ClassInfo
from teachable.words import say

COLORS = (
    *("#E67701", "#D84C6F", "#794AEF", "#1967D2", "#0B8043", "#9A7400"),
    *("#00838F", "#C13FA8", "#C5221F", "#5F7D0E", "#8D5B2F", "#546E7A"),
)
"""The cycle of class colours. Each contrasts 3:1 with white and with a near-black #111827, as WCAG 2.2 (1.4.11) asks of
graphics and large text; small text on them needs another ground."""

_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")

_LIVE = (
    "SELECT id, name, color, position, disabled, (SELECT COUNT(*) FROM samples"
    " WHERE samples.class_id = classes.id AND samples.removal IS NULL), (SELECT COUNT(*) FROM samples"
    " WHERE samples.class_id = classes.id AND samples.removal IS NULL AND samples.test = 1)"
    " FROM classes WHERE removal IS NULL"
)


def read(connection: sqlite3.Connection) -> tuple[ClassInfo, ...]:
    """Return all classes in their order."""
    return tuple(_info(row) for row in connection.execute(f"{_LIVE} ORDER BY position"))


def require(connection: sqlite3.Connection, class_id: str) -> ClassInfo:
    """Return one class.

    Raises:
        NotFound: there is none with this id.
    """
    row = connection.execute(f"{_LIVE} AND id = ?", (class_id,)).fetchone() if names.is_id(class_id) else None
    if row is None:
        raise NotFound("class_unknown")
    return _info(row)


def add(connection: sqlite3.Connection, name: str | None) -> ClassInfo:
    """Add a class at the end, named "Class 3" and so on if no name is given.

    Raises:
        InvalidInput: the name cannot be used.
        Conflict: another class has it.
        TooLarge: there are as many classes as a project can have.
    """
    present = read(connection)
    if len(present) >= limits().classes:
        raise TooLarge("too_many_classes", allowed=limits().classes)
    chosen = _next_name(connection, len(present)) if name is None else names.clean_name(name)
    _require_free(connection, chosen, but=None)
    used = [info.color for info in present]
    color = min(COLORS, key=used.count)
    class_id = names.new_id()
    connection.execute(
        "INSERT INTO classes (id, name, name_key, color, position) VALUES (?, ?, ?, ?, ?)",
        (class_id, chosen, names.name_key(chosen), color, len(present)),
    )
    return require(connection, class_id)


def rename(connection: sqlite3.Connection, class_id: str, name: str) -> None:
    """Rename a class. Samples, embeddings and models are not concerned.

    Raises:
        InvalidInput: the name cannot be used.
        Conflict: another class has it.
    """
    chosen = names.clean_name(name)
    _require_free(connection, chosen, but=class_id)
    connection.execute(
        "UPDATE classes SET name = ?, name_key = ? WHERE id = ?", (chosen, names.name_key(chosen), class_id)
    )


def recolor(connection: sqlite3.Connection, class_id: str, color: str) -> None:
    """Give a class another colour.

    Raises:
        InvalidInput: not of the form #RRGGBB.
    """
    if not _COLOR.fullmatch(color):
        raise InvalidInput("color_invalid")
    connection.execute("UPDATE classes SET color = ? WHERE id = ?", (color.upper(), class_id))


def disable(connection: sqlite3.Connection, class_id: str, disabled: bool) -> None:
    """Leave a class out of training, or take it in again."""
    connection.execute("UPDATE classes SET disabled = ? WHERE id = ?", (disabled, class_id))


def place(connection: sqlite3.Connection, class_id: str, position: int) -> None:
    """Move a class to a place in the order, from 0; the others close ranks.

    Raises:
        InvalidInput: there is no such place.
    """
    order = [info.id for info in read(connection) if info.id != class_id]
    if not 0 <= position <= len(order):
        raise InvalidInput("class_position", last=len(order))
    number(connection, [*order[:position], class_id, *order[position:]])


def number(connection: sqlite3.Connection, order: Sequence[str]) -> None:
    """Give all classes their places, in the order of ids given."""
    connection.executemany("UPDATE classes SET position = ? WHERE id = ?", [(at, id_) for at, id_ in enumerate(order)])


# Taking back


def apply_edits(connection: sqlite3.Connection, action: int, side: Literal["before", "after"]) -> list[str]:
    """Set what an action changed of classes to what it was before, or after it, where it still is as on the other side.

    Returns:
        Classes the action had added, to be given to `take_away` when their photos are gone.
    """
    query = "SELECT class, field, before, after FROM class_edits WHERE action = ? AND class != ''"
    fields: dict[str, dict[str, Any]] = {}
    for class_id, field, before, after in connection.execute(query, (action,)).fetchall():
        query = f"SELECT {field} FROM classes WHERE id = ?"  # noqa: S608 - one of our own names
        row = connection.execute(query, (class_id,)).fetchone()
        wanted, other = (before, after) if side == "before" else (after, before)
        if row is not None and row[0] == other:
            fields.setdefault(class_id, {})[field] = wanted
    added = [class_id for class_id, found in fields.items() if side == "before" and found.get("removal") == action]
    named: dict[str, str] = {}
    for class_id, found in fields.items():
        returning = "removal" in found and found["removal"] is None
        if returning or "name" in found:
            (present,) = connection.execute("SELECT name FROM classes WHERE id = ?", (class_id,)).fetchone()
            named[class_id] = found.get("name", present)
            # A name that nobody else has, until all are known: two classes may have swapped theirs.
            connection.execute("UPDATE classes SET name = id, name_key = id WHERE id = ?", (class_id,))
        for field in {"color", "disabled", "position", "removal"} & found.keys():
            if field != "removal" or class_id not in added:
                query = f"UPDATE classes SET {field} = ? WHERE id = ?"  # noqa: S608 - one of our own names
                connection.execute(query, (found[field], class_id))
    for class_id, name in named.items():
        _name_again(connection, class_id, name, action, side)
    # Where two claim a place, the one that returns to it has it.
    moved = {class_id for class_id, found in fields.items() if "position" in found or "removal" in found}
    order = sorted(read(connection), key=lambda info: (info.position, info.id not in moved))
    number(connection, [info.id for info in order])
    return added


def take_away(connection: sqlite3.Connection, action: int, added: Iterable[str]) -> None:
    """Remove classes that an action had added, but for those that others put photos into since."""
    for class_id in added:
        connection.execute(
            "UPDATE classes SET removal = ? WHERE id = ? AND NOT EXISTS"
            " (SELECT 1 FROM samples WHERE class_id = classes.id AND removal IS NULL)",
            (action, class_id),
        )
    number(connection, [info.id for info in read(connection)])


def _name_again(
    connection: sqlite3.Connection, class_id: str, name: str, action: int, side: Literal["before", "after"]
) -> None:
    """Give a class a name it had, with ` (2)` behind it if another class has that by now."""
    others = {names.name_key(info.name) for info in read(connection) if info.id != class_id}
    free = names.free_name(name, others)
    query = "UPDATE classes SET name = ?, name_key = ? WHERE id = ?"
    connection.execute(query, (free, names.name_key(free), class_id))
    # So that doing it again finds the name as it was left.
    query = f"UPDATE class_edits SET {side} = ? WHERE action = ? AND field = 'name' AND class = ?"  # noqa: S608
    connection.execute(query, (free, action, class_id))


# Inside


def _info(row: tuple[str, str, str, int, int, int, int]) -> ClassInfo:
    class_id, name, color, position, disabled, samples, tests = row
    return ClassInfo(class_id, name, color, position, bool(disabled), samples, tests)


def _next_name(connection: sqlite3.Connection, present: int) -> str:
    # Names of removed classes count as taken, so that undo never finds its name gone to a numbered newcomer.
    taken = {key for (key,) in connection.execute("SELECT name_key FROM classes")}
    following = present + 1
    while names.name_key(name := say("note.class_name", number=following)) in taken:
        following += 1
    return name


def _require_free(connection: sqlite3.Connection, name: str, but: str | None) -> None:
    taken = connection.execute(
        "SELECT 1 FROM classes WHERE name_key = ? AND removal IS NULL AND id IS NOT ?", (names.name_key(name), but)
    ).fetchone()
    if taken:
        raise Conflict("class_name_taken", name=name)
