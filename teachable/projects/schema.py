"""Tables of a project database, and how an older one becomes today's. It owns connecting; no query on content."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from teachable.errors import Conflict, InstallationError, NotFound, StorageFull

WAIT = 10.0
"""Seconds to wait for another process that is writing; a batch of photos takes a fraction of one."""


@dataclass(frozen=True)
class Migration:
    """One step in the life of the schema. Once released it never changes; what follows goes into a new one."""

    name: str
    statements: tuple[str, ...]


MIGRATIONS = (
    Migration(
        "0001_classes_and_samples",
        (
            "CREATE TABLE project (only INTEGER PRIMARY KEY CHECK (only = 1), name TEXT NOT NULL,"
            " created REAL NOT NULL, updated REAL NOT NULL, settings TEXT NOT NULL)",
            # One row for each thing a person removed or moved; what it removed points here until undone or purged.
            "CREATE TABLE removals (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE,"
            " session TEXT NOT NULL, created REAL NOT NULL)",
            "CREATE TABLE classes (id TEXT PRIMARY KEY, name TEXT NOT NULL, name_key TEXT NOT NULL,"
            " color TEXT NOT NULL, position INTEGER NOT NULL, disabled INTEGER NOT NULL DEFAULT 0,"
            " removal INTEGER REFERENCES removals (id))",
            "CREATE UNIQUE INDEX classes_by_name ON classes (name_key) WHERE removal IS NULL",
            # `capture` is the group of a sample; `source` the SHA-256 of the bytes as they were sent.
            "CREATE TABLE samples (id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " class_id TEXT NOT NULL REFERENCES classes (id), sha256 TEXT NOT NULL, source TEXT NOT NULL,"
            " capture TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, created REAL NOT NULL,"
            " removal INTEGER REFERENCES removals (id))",
            "CREATE UNIQUE INDEX samples_once ON samples (class_id, sha256) WHERE removal IS NULL",
            "CREATE INDEX samples_by_source ON samples (class_id, source) WHERE removal IS NULL",
            "CREATE INDEX samples_by_class ON samples (class_id, id) WHERE removal IS NULL",
            "CREATE INDEX samples_by_file ON samples (sha256)",
            "CREATE INDEX samples_removed ON samples (removal) WHERE removal IS NOT NULL",
            "CREATE TABLE moves (removal INTEGER NOT NULL REFERENCES removals (id), sample INTEGER NOT NULL,"
            " origin TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (removal, sample)) WITHOUT ROWID",
        ),
    ),
    Migration(
        "0002_models",
        (
            "CREATE TABLE models (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
            " record TEXT NOT NULL)",
        ),
    ),
    # Without one it is the built-in network, which was the only one until then.
    Migration("0003_network", ("ALTER TABLE project ADD COLUMN network TEXT",)),
    Migration(
        "0004_tests",
        (
            "ALTER TABLE samples ADD COLUMN test INTEGER NOT NULL DEFAULT 0",
            # Pages ask several times a second how many there are.
            "CREATE INDEX samples_tests ON samples (class_id) WHERE removal IS NULL AND test = 1",
            "CREATE INDEX samples_by_capture ON samples (capture) WHERE removal IS NULL",
            "CREATE TABLE marks (removal INTEGER NOT NULL REFERENCES removals (id), sample INTEGER NOT NULL,"
            " test INTEGER NOT NULL, PRIMARY KEY (removal, sample)) WITHOUT ROWID",
            # Without one it is what `teachable.types` says.
            "ALTER TABLE project ADD COLUMN unknown_below REAL",
        ),
    ),
    Migration(
        "0005_history",
        (
            # What was a removal, a move or a mark is an action now; what is older than this has no words.
            "ALTER TABLE removals RENAME TO actions",
            "ALTER TABLE actions ADD COLUMN kind TEXT NOT NULL DEFAULT 'earlier'",
            "ALTER TABLE actions ADD COLUMN facts TEXT NOT NULL DEFAULT '{}'",
            # Which of the actions taken back it is, 0 for one that is done, -1 for one that cannot be done again.
            "ALTER TABLE actions ADD COLUMN undone INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE actions ADD COLUMN changed INTEGER NOT NULL DEFAULT 1",
            "CREATE TABLE sample_edits (action INTEGER NOT NULL, field TEXT NOT NULL, sample INTEGER NOT NULL,"
            " before, after, PRIMARY KEY (action, field, sample)) WITHOUT ROWID",
            # Those with an empty class are of the project itself.
            "CREATE TABLE class_edits (action INTEGER NOT NULL, field TEXT NOT NULL, class TEXT NOT NULL,"
            " before, after, PRIMARY KEY (action, field, class)) WITHOUT ROWID",
            "INSERT INTO sample_edits SELECT removal, 'removal', id, NULL, removal FROM samples"
            " WHERE removal IS NOT NULL",
            "INSERT INTO sample_edits SELECT removal, 'class_id', sample, origin, target FROM moves",
            "INSERT INTO sample_edits SELECT removal, 'test', sample, 1 - test, test FROM marks",
            "INSERT INTO class_edits SELECT removal, 'removal', id, NULL, removal FROM classes"
            " WHERE removal IS NOT NULL",
            "DROP TABLE moves",
            "DROP TABLE marks",
        ),
    ),
    Migration(
        "0006_versions",
        (
            # The model that is used; without one it is the newest, as it always was until then.
            "ALTER TABLE project ADD COLUMN model TEXT",
            "ALTER TABLE models ADD COLUMN name TEXT",
        ),
    ),
)


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn what disk and database report into errors a person can act on.

    Args:
        path: the database or folder worked on, for the message.

    Raises:
        StorageFull: the disk has no room.
        InstallationError: the folder cannot be written.
        Conflict: another process holds the database for too long, or it is damaged.
        NotFound: another process deleted the project.
    """
    folder = str(path if path.is_dir() else path.parent)
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull("storage_full") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise InstallationError("folder_not_writable", folder=folder) from error
        if error.errno == errno.ENOENT and not path.parent.exists():
            raise NotFound("project_unknown") from error
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        # A full disk shows as IOERR_SHMSIZE where the write-ahead log's index cannot grow.
        if code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE or "is full" in str(error):
            raise StorageFull("storage_full") from error
        if code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise Conflict("project_busy") from error
        if code & 0xFF in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
            raise InstallationError("folder_not_writable", folder=folder) from error
        if code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN}:
            raise Conflict("project_damaged", folder=folder) from error
        raise


def connect(path: Path, wait: float = WAIT) -> sqlite3.Connection:
    """Open an existing database, without a transaction running.

    Args:
        path: of the SQLite file; it is not created.
        wait: seconds to wait for others.
    """
    # The statements used here are about thirty; the URI keeps SQLite from making a missing file.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", wait, isolation_level=None, check_same_thread=False, uri=True
    )
    for pragma in ("foreign_keys = ON", "trusted_schema = OFF", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def create(path: Path) -> None:
    """Make a new database with today's tables in write-ahead mode."""
    path.touch(exist_ok=False)
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        _migrate(connection, 0)


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Run the migrations an older project has not seen.

    Raises:
        Conflict: the project was written by a newer version, or its database lacks what every version has.
    """
    version = _version(connection)
    known = [migration.name for migration in MIGRATIONS]
    if version == 0:
        raise Conflict("project_damaged", folder=str(path.parent))
    applied = [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY number")]
    if version > len(known) or applied != known[:version]:
        raise Conflict("project_newer", folder=str(path.parent))
    if version < len(known):
        _migrate(connection, version)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) == version:  # another process may have been faster
            if version == 0:
                connection.execute(
                    "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
                    " applied TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
                )
            for number, migration in enumerate(MIGRATIONS[version:], version + 1):
                for statement in migration.statements:
                    connection.execute(statement)
                connection.execute("INSERT INTO migrations (number, name) VALUES (?, ?)", (number, migration.name))
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


@contextmanager
def alone(path: Path) -> Iterator[sqlite3.Connection | None]:
    """Hold a write-ahead database so that nobody else can use it, or yield None if somebody does.

    Every open connection keeps a shared lock on the file, and the system drops it when its process dies. So this tells
    safely, on every platform, whether other sessions live, and whether what they may have left behind can be removed.
    Others that open the database meanwhile wait until this ends.
    """
    with closing(connect(path, wait=0)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        held = True
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            held = False
        yield connection if held else None
