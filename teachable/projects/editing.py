"""What a person does to classes and samples, each as one action that can be taken back; see `actions`.

All functions work inside the transaction they are given, and however many samples there are, with a few statements.
"""

import sqlite3
from collections.abc import Iterable

from teachable.errors import NotFound
from teachable.projects import actions, classes, samples
from teachable.types import ClassInfo

_REMOVE = "UPDATE samples SET removal = ? WHERE id IN (SELECT id FROM temp.chosen)"
_MOVE = "UPDATE OR IGNORE samples SET class_id = ? WHERE id IN (SELECT id FROM temp.chosen) AND class_id != ?"
_MARK = "UPDATE samples SET test = ? WHERE id IN (SELECT id FROM temp.chosen) AND test != ?"
_CLASSES = (
    "SELECT name FROM classes WHERE id IN"
    " (SELECT class_id FROM samples WHERE id IN (SELECT id FROM temp.chosen)) LIMIT 2"
)


def add_class(connection: sqlite3.Connection, session: str, name: str | None, action: str | None) -> ClassInfo:
    """Add a class at the end; see `classes.add`. `action` is the token of what it is a part of."""
    with actions.recorded(connection, session, "class_added", into=action) as current:
        added = classes.add(connection, name)
        if action is None:
            current.facts["name"] = added.name
        return added


def update_class(
    connection: sqlite3.Connection,
    session: str,
    class_id: str,
    *,
    name: str | None,
    color: str | None,
    position: int | None,
    disabled: bool | None,
) -> ClassInfo:
    """Change what is given of a class, all or nothing; see `Project.update_class`."""
    before = classes.require(connection, class_id)
    with actions.recorded(connection, session, "class_changed", {"name": before.name}) as action:
        if name is not None:
            classes.rename(connection, class_id, name)
        if color is not None:
            classes.recolor(connection, class_id, color)
        if disabled is not None:
            classes.disable(connection, class_id, disabled)
        if position is not None:
            classes.place(connection, class_id, position)
        after = classes.require(connection, class_id)
        kinds = {
            "class_renamed": after.name != before.name,
            "class_recolored": after.color != before.color,
            "class_disabled": after.disabled > before.disabled,
            "class_enabled": after.disabled < before.disabled,
            "class_moved": after.position != before.position,
        }
        happened = [kind for kind, true in kinds.items() if true]
        if len(happened) == 1:
            action.facts.update(kind=happened[0], new=after.name)
    return after


def delete_class(connection: sqlite3.Connection, session: str, class_id: str) -> str:
    """Remove a class and return the token. Its samples go and come with it."""
    found = classes.require(connection, class_id)
    with actions.recorded(connection, session, "class_deleted", {"name": found.name}) as action:
        connection.execute("UPDATE classes SET removal = ? WHERE id = ?", (action.id, class_id))
        classes.number(connection, [info.id for info in classes.read(connection)])
    return action.token


def clear_class(connection: sqlite3.Connection, session: str, class_id: str) -> str:
    """Remove all samples of a class and return the token."""
    found = classes.require(connection, class_id)
    facts = {"count": found.samples, "name": found.name}
    with actions.recorded(connection, session, "deleted", facts) as action:
        query = "UPDATE samples SET removal = ? WHERE class_id = ? AND removal IS NULL"
        connection.execute(query, (action.id, class_id))
    return action.token


def delete_samples(connection: sqlite3.Connection, session: str, ids: Iterable[int]) -> str:
    """Remove samples and return the token.

    Raises:
        NotFound: none of them is there.
    """
    facts = {"count": _choose(connection, ids), "name": _only_class(connection)}
    with actions.recorded(connection, session, "deleted", facts) as action:
        connection.execute(_REMOVE, (action.id,))
    return action.token


def move_samples(connection: sqlite3.Connection, session: str, ids: Iterable[int], target: str) -> str:
    """Move samples to another class and return the token.

    A photo the target already has is removed where it was instead: it would be an exact repeat.

    Raises:
        NotFound: there is no such class, or none of the samples is there.
    """
    facts = {"name": classes.require(connection, target).name}
    _choose(connection, ids)
    with actions.recorded(connection, session, "moved", facts) as action:
        action.facts["count"] = samples.count_chosen(connection, "class_id IS NOT ?", (target,))
        connection.execute(_MOVE, (target, target))
        connection.execute(f"{_REMOVE} AND class_id != ?", (action.id, target))
    return action.token


def mark_test(
    connection: sqlite3.Connection, session: str, ids: Iterable[int], test: bool, *, whole_recordings: bool
) -> str:
    """Keep samples for testing only, or let them be trained on again, and return the token.

    Raises:
        NotFound: none of the samples is there.
    """
    _choose(connection, ids)
    if whole_recordings:
        samples.choose_recordings(connection)
    with actions.recorded(connection, session, "test_kept" if test else "test_ended") as action:
        action.facts["count"] = samples.count_chosen(connection, "test != ?", (test,))
        connection.execute(_MARK, (test, test))
    return action.token


def _choose(connection: sqlite3.Connection, ids: Iterable[int]) -> int:
    found = samples.choose(connection, ids)
    if not found:
        raise NotFound("sample_unknown")
    return found


def _only_class(connection: sqlite3.Connection) -> str | None:
    """Return the name of the class that all chosen samples are of, or None if there are several."""
    found = connection.execute(_CLASSES).fetchall()
    return str(found[0][0]) if len(found) == 1 else None
