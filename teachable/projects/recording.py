"""What a change does to rows, noted down while it happens. It owns the triggers; what is done with it is `actions`.

The triggers are temporary: they live with the connection that writes, are no part of the file, and do nothing unless an
action is being recorded. So any statement between `begin` and `end` can be taken back, whichever module wrote it, and a
statement that touches fifty thousand rows stays one statement.
"""

import sqlite3
from collections.abc import Iterator

SAMPLE_FIELDS = ("removal", "class_id", "capture", "test")
"""Fields of a sample that can be taken back."""

CLASS_FIELDS = ("removal", "name", "color", "position", "disabled")
"""Fields of a class that can be taken back; `name_key` follows the name."""

PROJECT_FIELDS = ("settings", "network", "model")
"""Fields of the project that can be taken back. They change by other ways too, which are not recorded."""

_NOW = "(SELECT action FROM temp.recording) IS NOT NULL"
# What a field was before the action stays, what it is afterwards follows the last statement that changed it.
_KEEP = "FROM temp.recording WHERE 1 ON CONFLICT DO UPDATE SET after = excluded.after"


def prepare(connection: sqlite3.Connection) -> None:
    """Make a connection able to record. Its tables must be up to date."""
    connection.execute("CREATE TEMP TABLE recording (action INTEGER)")
    connection.execute("CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY)")
    for statement in _triggers():
        connection.execute(statement)


def begin(connection: sqlite3.Connection, action: int) -> None:
    """Note down what happens from now on, as part of an action."""
    connection.execute("INSERT INTO temp.recording VALUES (?)", (action,))


def end(connection: sqlite3.Connection) -> None:
    """Note down nothing any more."""
    connection.execute("DELETE FROM temp.recording")


def _triggers() -> Iterator[str]:
    for field in SAMPLE_FIELDS:
        yield _update("samples", field, "sample_edits", "new.id")
    for field in CLASS_FIELDS:
        yield _update("classes", field, "class_edits", "new.id")
    for field in PROJECT_FIELDS:
        yield _update("project", field, "class_edits", "''")
    # A new row is one that comes back from nowhere: undone, it is removed by the action that made it.
    for table, edits in (("samples", "sample_edits"), ("classes", "class_edits")):
        yield (
            f"CREATE TEMP TRIGGER record_{table}_added AFTER INSERT ON main.{table} WHEN {_NOW} BEGIN"
            f" INSERT INTO {edits} SELECT action, 'removal', new.id, action, new.removal {_KEEP}; END"
        )


def _update(table: str, field: str, edits: str, row: str) -> str:
    return (
        f"CREATE TEMP TRIGGER record_{table}_{field} AFTER UPDATE OF {field} ON main.{table}"
        f" WHEN old.{field} IS NOT new.{field} AND {_NOW} BEGIN"
        f" INSERT INTO {edits} SELECT action, '{field}', {row}, old.{field}, new.{field} {_KEEP}; END"
    )
