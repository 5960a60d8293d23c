"""Going back: classes, photos, recordings, test marks and settings become what they were when a model was trained.

All functions work inside the transaction they are given, which records what they do, see `actions`. Rows that are still
there, removed ones too, are used again with their numbers; those that were removed for good are written anew, as long
as their photo is on the disk.
"""

import sqlite3
from collections.abc import Callable

from teachable.projects import names, records
from teachable.projects.snapshots import Snapshot
from teachable.types import ClassInfo, ProjectNetwork, Sample, TrainSettings


def use(connection: sqlite3.Connection, settings: TrainSettings, network: ProjectNetwork) -> None:
    """Set what a project is taught with."""
    values = (records.settings_text(settings), records.network_text(network))
    connection.execute("UPDATE project SET settings = ?, network = ?", values)


def bring_back(connection: sqlite3.Connection, action: int, snapshot: Snapshot, there: Callable[[str], bool]) -> int:
    """Make classes and photos what they were.

    Args:
        connection: that writes, recording an action.
        action: its number; what is there now and was not then is removed by it.
        snapshot: what they were.
        there: says whether the photo of a SHA-256 is on the disk.

    Returns:
        How many photos are gone for good and could not be brought back.
    """
    for statement in _TABLES:
        connection.execute(statement)
    try:
        _want(connection, snapshot.samples)
        gone = _leave_out_gone(connection, there)
        _bring_back_classes(connection, action, snapshot.classes)
        _bring_back_samples(connection, action)
    finally:
        for name in ("wanted", "wanted_classes", "moving"):
            connection.execute(f"DROP TABLE temp.{name}")
    return gone


# `row` is the sample that is used again.
_TABLES = (
    "CREATE TEMP TABLE wanted (id INTEGER PRIMARY KEY, class_id TEXT, sha256 TEXT, capture TEXT, width INTEGER,"
    " height INTEGER, created REAL, test INTEGER, row INTEGER UNIQUE)",
    "CREATE TEMP TABLE wanted_classes (id TEXT PRIMARY KEY)",
    "CREATE TEMP TABLE moving (id INTEGER PRIMARY KEY)",
)


def _want(connection: sqlite3.Connection, samples: tuple[Sample, ...]) -> None:
    """Note which photos are wanted, and the rows they have."""
    rows = ((s.id, s.class_id, s.sha256, s.group, s.width, s.height, s.created, s.test) for s in samples)
    connection.executemany("INSERT INTO wanted VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", rows)
    connection.execute(
        "UPDATE wanted SET row = id WHERE EXISTS"
        " (SELECT 1 FROM samples WHERE samples.id = wanted.id AND samples.sha256 = wanted.sha256)"
    )
    # Deleted for good, and added again since: it is the same photo, and keeps its new number.
    connection.execute(
        "UPDATE OR IGNORE wanted SET row = (SELECT samples.id FROM samples WHERE samples.class_id = wanted.class_id"
        " AND samples.sha256 = wanted.sha256 AND samples.removal IS NULL) WHERE row IS NULL"
    )


def _leave_out_gone(connection: sqlite3.Connection, there: Callable[[str], bool]) -> int:
    """Want no photo whose file is missing; return how many these are."""
    absent = connection.execute(
        "SELECT wanted.id, wanted.sha256 FROM wanted LEFT JOIN samples ON samples.id = wanted.row"
        " WHERE samples.id IS NULL OR samples.removal IS NOT NULL"
    ).fetchall()
    gone = [(number,) for number, sha256 in absent if not there(sha256)]
    connection.executemany("DELETE FROM wanted WHERE id = ?", gone)
    return len(gone)


def _bring_back_classes(connection: sqlite3.Connection, action: int, classes: tuple[ClassInfo, ...]) -> None:
    connection.executemany("INSERT INTO wanted_classes VALUES (?)", [(one.id,) for one in classes])
    # All go before some come: the name of one may have been that of another.
    connection.execute("UPDATE classes SET removal = ? WHERE removal IS NULL", (action,))
    for one in classes:
        values = (one.name, names.name_key(one.name), one.color, one.position, one.disabled, one.id)
        known = connection.execute("SELECT 1 FROM classes WHERE id = ?", (one.id,)).fetchone()
        if known is None:
            connection.execute(
                "INSERT INTO classes (name, name_key, color, position, disabled, id) VALUES (?, ?, ?, ?, ?, ?)", values
            )
            continue
        connection.execute(
            "UPDATE classes SET name = ?, name_key = ?, color = ?, position = ?, disabled = ? WHERE id = ?", values
        )
    connection.execute("UPDATE classes SET removal = NULL WHERE id IN (SELECT id FROM wanted_classes)")


def _bring_back_samples(connection: sqlite3.Connection, action: int) -> None:
    # What the classes have and had not then. The photos of classes that went just now went with them.
    connection.execute(
        "UPDATE samples SET removal = ? WHERE removal IS NULL AND class_id IN (SELECT id FROM wanted_classes)"
        " AND id NOT IN (SELECT row FROM wanted WHERE row IS NOT NULL)",
        (action,),
    )
    # As with classes, all that move go before they come.
    connection.execute(
        "INSERT INTO moving SELECT samples.id FROM samples JOIN wanted ON wanted.row = samples.id"
        " WHERE samples.class_id != wanted.class_id OR samples.removal IS NOT NULL"
    )
    connection.execute(
        "UPDATE samples SET removal = ? WHERE removal IS NULL AND id IN (SELECT id FROM moving)", (action,)
    )
    for statement in _AS_THEN:
        connection.execute(statement)


_AS_THEN = (
    "UPDATE samples SET class_id = (SELECT class_id FROM wanted WHERE wanted.row = samples.id) WHERE EXISTS"
    " (SELECT 1 FROM wanted WHERE wanted.row = samples.id AND wanted.class_id != samples.class_id)",
    "UPDATE samples SET removal = NULL WHERE id IN (SELECT id FROM moving)",
    "UPDATE samples SET capture = (SELECT capture FROM wanted WHERE wanted.row = samples.id),"
    " test = (SELECT test FROM wanted WHERE wanted.row = samples.id) WHERE EXISTS"
    " (SELECT 1 FROM wanted WHERE wanted.row = samples.id"
    " AND (wanted.capture != samples.capture OR wanted.test != samples.test))",
    # With their old number, unless that belongs to another photo. The bytes as they were sent (`source`) are not known
    # any more; sent again, the photo is recognised by its pixels.
    "INSERT INTO samples (id, class_id, sha256, source, capture, width, height, created, test)"
    " SELECT id, class_id, sha256, sha256, capture, width, height, created, test FROM wanted"
    " WHERE row IS NULL AND id NOT IN (SELECT id FROM samples) ORDER BY id",
    "INSERT INTO samples (class_id, sha256, source, capture, width, height, created, test)"
    " SELECT class_id, sha256, sha256, capture, width, height, created, test FROM wanted WHERE row IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM samples WHERE samples.id = wanted.id AND samples.sha256 = wanted.sha256)"
    " ORDER BY id",
)
