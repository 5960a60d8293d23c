"""Rows of trained models: the newest few are kept. Their files are the business of `project`."""

import sqlite3

from teachable.errors import NotFound
from teachable.projects import records
from teachable.types import ModelRecord

KEPT = 3


def add(connection: sqlite3.Connection, record: ModelRecord) -> list[str]:
    """Add a model as the newest; return the ids of those that are now too old, whose rows are gone."""
    query = "INSERT INTO models (id, record) VALUES (?, ?)"
    connection.execute(query, (record.id, records.model_text(record)))
    query = "SELECT id FROM models ORDER BY number DESC LIMIT -1 OFFSET ?"
    old = [model_id for (model_id,) in connection.execute(query, (KEPT,))]
    connection.executemany("DELETE FROM models WHERE id = ?", [(model_id,) for model_id in old])
    return old


def replace(connection: sqlite3.Connection, record: ModelRecord) -> None:
    """Write what is known about a model anew.

    Raises:
        NotFound: there is no model with this id.
    """
    query = "UPDATE models SET record = ? WHERE id = ?"
    if connection.execute(query, (records.model_text(record), record.id)).rowcount == 0:
        raise NotFound("model_unknown")


def latest(connection: sqlite3.Connection) -> ModelRecord | None:
    """Return the record of the model trained last, or None."""
    row = connection.execute("SELECT record FROM models ORDER BY number DESC LIMIT 1").fetchone()
    return None if row is None else records.model_from(row[0])
