"""Rows of trained models, each a version of the project. Their files are the business of `versions`."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from teachable.errors import Conflict, NotFound
from teachable.projects import names, records
from teachable.types import ModelRecord

_ALL = "SELECT number, name, record FROM models"
# The model trained last, where none was chosen or the one that was chosen is gone.
_CURRENT = (
    "SELECT COALESCE((SELECT id FROM models WHERE id = (SELECT model FROM project)),"
    " (SELECT id FROM models ORDER BY number DESC LIMIT 1))"
)


@dataclass(frozen=True)
class KeptVersion:
    """One trained model of a project, with everything that belongs to it.

    Attributes:
        number: from 1, in the order of training; never given twice.
        name: what a person called it, or None.
        record: of the model.
        current: it is the one that the project uses.
    """

    number: int
    name: str | None
    record: ModelRecord
    current: bool


def add(connection: sqlite3.Connection, record: ModelRecord) -> None:
    """Add a model as the newest, which the project uses from now on."""
    query = "INSERT INTO models (id, record) VALUES (?, ?)"
    connection.execute(query, (record.id, records.model_text(record)))
    use(connection, record.id)


def put(connection: sqlite3.Connection, version: KeptVersion) -> None:
    """Add a version as it was in another project, with its number and its name.

    Raises:
        NotFound: no model has such an id.
    """
    if not names.is_model_id(version.record.id):
        raise NotFound("model_unknown")
    query = "INSERT INTO models (number, id, record, name) VALUES (?, ?, ?, ?)"
    values = (version.number, version.record.id, records.model_text(version.record), version.name)
    connection.execute(query, values)
    if version.current:
        use(connection, version.record.id)


def use(connection: sqlite3.Connection, model_id: str) -> None:
    """Make a model the one that the project uses."""
    connection.execute("UPDATE project SET model = ?", (model_id,))


def replace(connection: sqlite3.Connection, record: ModelRecord) -> None:
    """Write what is known about a model anew.

    Raises:
        NotFound: there is no model with this id.
    """
    query = "UPDATE models SET record = ? WHERE id = ?"
    if connection.execute(query, (records.model_text(record), record.id)).rowcount == 0:
        raise NotFound("model_unknown")


def rename(connection: sqlite3.Connection, model_id: str, name: str | None) -> None:
    """Give a version a name, or take it away.

    Raises:
        NotFound: there is no model with this id.
        InvalidInput: the name cannot be used.
    """
    chosen = None if name is None or not name.strip() else names.clean_name(name)
    if connection.execute("UPDATE models SET name = ? WHERE id = ?", (chosen, model_id)).rowcount == 0:
        raise NotFound("version_unknown")


def remove(connection: sqlite3.Connection, model_id: str) -> None:
    """Delete a version.

    Raises:
        NotFound: there is no model with this id.
        Conflict: it is the one that the project uses.
    """
    if find(connection, model_id).current:
        raise Conflict("version_in_use")
    connection.execute("DELETE FROM models WHERE id = ?", (model_id,))


def current(connection: sqlite3.Connection) -> ModelRecord | None:
    """Return the record of the model that the project uses, or None where nothing was trained yet."""
    (used,) = connection.execute(_CURRENT).fetchone()
    row = connection.execute("SELECT record FROM models WHERE id = ?", (used,)).fetchone()
    return None if row is None else records.model_from(row[0])


def every(connection: sqlite3.Connection) -> tuple[KeptVersion, ...]:
    """Return all versions, oldest first."""
    found = _reader(connection)
    return tuple(found(row) for row in connection.execute(f"{_ALL} ORDER BY number").fetchall())


def find(connection: sqlite3.Connection, model_id: str) -> KeptVersion:
    """Return one version.

    Raises:
        NotFound: there is no model with this id.
    """
    row = connection.execute(f"{_ALL} WHERE id = ?", (model_id,)).fetchone()
    if row is None:
        raise NotFound("version_unknown")
    return _reader(connection)(row)


def ids(connection: sqlite3.Connection) -> set[str]:
    """Return the ids of all models."""
    return {model_id for (model_id,) in connection.execute("SELECT id FROM models")}


def _reader(connection: sqlite3.Connection) -> Callable[[tuple[int, str | None, str]], KeptVersion]:
    """Return what makes a version of a row."""
    (used,) = connection.execute(_CURRENT).fetchone()

    def read(row: tuple[int, str | None, str]) -> KeptVersion:
        number, name, text = row
        record = records.model_from(text)
        return KeptVersion(number, name, record, record.id == used)

    return read
