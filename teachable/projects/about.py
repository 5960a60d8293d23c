"""The row that says what a project is: its name, its times, its settings, its network; and how a new one begins."""

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from teachable.errors import Conflict
from teachable.projects import actions, classes, records, schema
from teachable.projects.database import Database
from teachable.projects.files import sync_folder
from teachable.types import UNKNOWN_BELOW, ProjectInfo, ProjectNetwork, TrainSettings

DATABASE = "project.sqlite"
REBUILT = "project.rebuilt.sqlite"
"""Database that is about to take the place of a damaged one, see `teachable.projects.salvage`."""
SAMPLES = "samples"
MODELS = "models"
EXPORTS = "exports"
REPORTS = "report"
THUMBNAILS = "thumbnails"


def create(folder: Path, name: str, class_names: Iterable[str | None], network: ProjectNetwork | None = None) -> None:
    """Make a new project in an empty folder.

    Args:
        folder: the empty folder.
        name: what the person calls it.
        class_names: of the first classes; None for a numbered one.
        network: it is taught with, if that is decided.

    Raises:
        StorageFull: the disk has no room.
    """
    path = folder / DATABASE
    with schema.in_words(folder):
        for part in (SAMPLES, MODELS):
            (folder / part).mkdir()
        schema.create(path)
        sync_folder(folder)
    database = Database(path)
    try:
        with database.change() as connection:
            now = time.time()
            settings = records.settings_text(TrainSettings())
            chosen = None if network is None else records.network_text(network)
            query = "INSERT INTO project (only, name, created, updated, settings, network) VALUES (1, ?, ?, ?, ?, ?)"
            connection.execute(query, (name, now, now, settings, chosen))
            for class_name in class_names:
                classes.add(connection, class_name)
    finally:
        database.close()


def updated(connection: sqlite3.Connection) -> float | None:
    """Return the time of the last change, which no two states share; None where there is no project."""
    row = connection.execute("SELECT updated FROM project").fetchone()
    return None if row is None else float(row[0])


def read(connection: sqlite3.Connection, project_id: str, folder: Path) -> ProjectInfo:
    """Read what the list of projects and the page show.

    Raises:
        Conflict: the database has no project in it.
    """
    query = "SELECT name, created, updated, settings, network, unknown_below FROM project"
    row = connection.execute(query).fetchone()
    if row is None:
        raise Conflict("project_damaged", folder=str(folder))
    name, created, updated, settings, network, unknown_below = row
    return ProjectInfo(
        project_id,
        name,
        created,
        updated,
        classes.read(connection),
        records.settings_from(settings),
        None if network is None else records.network_from(network),
        UNKNOWN_BELOW if unknown_below is None else unknown_below,
        *actions.offered(connection),
    )


def note_network(connection: sqlite3.Connection, network: ProjectNetwork) -> None:
    """Note the network the project is taught with from now on."""
    connection.execute("UPDATE project SET network = ?", (records.network_text(network),))


def renew_network(connection: sqlite3.Connection, noted: ProjectNetwork | None, network: ProjectNetwork) -> None:
    """Note a network instead of what was noted, if that still is."""
    before = None if noted is None else records.network_text(noted)
    connection.execute("UPDATE project SET network = ? WHERE network IS ?", (records.network_text(network), before))
