"""A damaged project database made whole again out of what can still be read, so that no photo is lost.

Rows are read around the damaged pages, from both ends and one by one between. Photos whose row is lost come into a
class of their own, and rows that point to what is lost are cut loose. The damaged database is kept beside the new one.
Nobody else may use the project meanwhile.
"""

import contextlib
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from teachable.errors import Conflict, TeachableError
from teachable.images import load
from teachable.projects import about, classes, names, records, schema
from teachable.projects.files import copy_whole, sync_folder, temporary_name
from teachable.projects.tidying import CLEAN
from teachable.types import TrainSettings
from teachable.words import say

log = logging.getLogger(__name__)

_LOGS = ("-wal", "-shm")
_KEPT = ".damaged-"
# Where it is not known how far the numbers of rows go, no more than this are tried one by one.
_PROBED = 200_000
_LARGEST = 2**63 - 1

Row = tuple[object, ...]


@dataclass(frozen=True)
class Salvaged:
    """What was saved.

    Attributes:
        photos: that are in the project again, with their rows or without.
        unplaced: those of them whose class was lost; they are in a class of their own.
        kept: the damaged database, under its new name.
    """

    photos: int
    unplaced: int
    kept: Path


def damage(path: Path) -> str | None:
    """Return what is wrong with a project database in SQLite's own words, or None if it is sound.

    Args:
        path: of the database.

    Raises:
        Conflict: it is from a newer version, or somebody is using it.
        InstallationError: it cannot be written.
    """
    if path.with_name(about.REBUILT).exists():
        return "mending was interrupted"
    if not path.is_file():
        return "missing"
    try:
        with closing(schema.connect(path)) as connection:
            found = [text for (text,) in connection.execute("PRAGMA integrity_check(3)")]
            if found != ["ok"]:
                return "; ".join(map(str, found))
            if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
                return "rows point to rows that are missing"
            schema.bring_up_to_date(connection, path)
            if connection.execute("SELECT 1 FROM project").fetchone() is None:
                return "the row of the project is missing"
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise Conflict("project_busy") from error
        return str(error)
    except Conflict as error:
        if error.key != "project_damaged":
            raise
        return "tables are missing"
    return None


def rebuild(folder: Path) -> Salvaged:
    """Put a new database in the place of a damaged one.

    Args:
        folder: of the project.

    Raises:
        StorageFull: the disk has no room; everything is as it was.
        InstallationError: the folder cannot be written.
    """
    path, rebuilt = folder / about.DATABASE, folder / about.REBUILT
    with schema.in_words(folder):
        # One that is there was made before, by a process that was killed: the log of the damaged one may be gone.
        kept = _newest_kept(path) if rebuilt.exists() else _prepare(path, rebuilt)
        for ending in _LOGS:
            # It must not be taken for a log of the new database.
            path.with_name(path.name + ending).unlink(missing_ok=True)
        rebuilt.replace(path)
        sync_folder(folder)
    with closing(schema.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        (photos,) = connection.execute("SELECT COUNT(*) FROM samples").fetchone()
        of_own = "SELECT id FROM classes WHERE name = ? ORDER BY rowid DESC LIMIT 1"
        query = f"SELECT COUNT(*) FROM samples WHERE class_id = ({of_own})"  # noqa: S608 - names of our own tables
        (unplaced,) = connection.execute(query, (say("note.recovered_class"),)).fetchone()
    # What the next one to open it finds was not left by a session that ended well.
    (folder / CLEAN).unlink(missing_ok=True)
    return Salvaged(photos, unplaced, kept)


def _prepare(path: Path, rebuilt: Path) -> Path:
    """Make the new database beside the damaged one and keep a copy of that, whose place is returned.

    Whatever is killed from then on, the next one finds the new database and goes on with it.
    """
    fresh = temporary_name(path)
    try:
        schema.create(fresh)
        with closing(schema.connect(fresh)) as new:
            new.execute("PRAGMA foreign_keys = OFF")
            new.execute("BEGIN IMMEDIATE")
            _copy(path, new)
            _require_project(new, path.parent)
            _place(new, path.parent / about.SAMPLES)
            new.execute("COMMIT")
            # One file without logs, so that it can take the old one's place.
            new.execute("PRAGMA journal_mode = DELETE")
        kept = path.with_name(f"{path.stem}{_KEPT}{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
        for ending in ("", *_LOGS):
            with contextlib.suppress(FileNotFoundError):
                copy_whole(path.with_name(path.name + ending), kept.with_name(kept.name + ending))
        fresh.replace(rebuilt)
    except BaseException:
        for ending in ("", "-journal", *_LOGS):
            fresh.with_name(fresh.name + ending).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return kept


def _newest_kept(path: Path) -> Path:
    return max(path.parent.glob(f"{path.stem}{_KEPT}*{path.suffix}"), default=path)


def _copy(path: Path, new: sqlite3.Connection) -> None:
    """Copy every row that can be read of every table that there is today."""
    try:
        old = schema.connect(path)
    except sqlite3.Error:
        return
    with closing(old):
        old.text_factory = lambda data: data.decode("utf-8", "replace")
        tables = new.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for table, statement in tables.fetchall():
            if table == "migrations":
                continue
            present = _columns(new, table)
            shared = [name for name in _columns(old, table) if name in present]
            if not shared:
                continue
            numbered = "WITHOUT ROWID" not in statement.upper()
            lost: list[str] = []
            rows = _rows(old, table, shared, numbered, lost.append)
            places = ", ".join("?" * (len(shared) + numbered))
            into = ", ".join(["rowid"] * numbered + shared)
            query = f"INSERT OR IGNORE INTO {table} ({into}) VALUES ({places})"  # noqa: S608 - names of our own tables
            for row in rows:
                # A row whose content makes no sense to the table is as lost as one that cannot be read.
                with contextlib.suppress(sqlite3.IntegrityError, sqlite3.InterfaceError, OverflowError):
                    new.execute(query, row)
            for problem in lost:
                log.warning("part of table %s in %s cannot be read: %s", table, path, problem)


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    try:
        return [str(name) for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    except sqlite3.Error:
        return []


def _rows(
    connection: sqlite3.Connection, table: str, columns: list[str], numbered: bool, lost: Callable[[str], None]
) -> Iterator[Row]:
    """Yield the rows that can be read, with their number first where they have one."""
    chosen = ", ".join(["rowid"] * numbered + columns)
    query = f"SELECT {chosen} FROM {table} NOT INDEXED"  # noqa: S608 - names of our own tables
    if not numbered:
        try:
            yield from connection.execute(query)
        except sqlite3.Error as error:
            lost(str(error))
        return
    first, last = -1, _LARGEST
    try:
        for row in connection.execute(f"{query} ORDER BY rowid"):
            first = int(row[0])
            yield row
    except sqlite3.Error as error:
        lost(str(error))
    else:
        return
    try:
        for row in connection.execute(f"{query} WHERE rowid > ? ORDER BY rowid DESC", (first,)):
            last = int(row[0])
            yield row
    except sqlite3.Error:
        for number in range(first + 1, min(last, _numbered_up_to(connection, table, first) + 1)):
            with contextlib.suppress(sqlite3.Error):
                yield from connection.execute(f"{query} WHERE rowid = ?", (number,))


def _numbered_up_to(connection: sqlite3.Connection, table: str, first: int) -> int:
    """Return the largest number a row of a table ever had, as far as that is known."""
    with contextlib.suppress(sqlite3.Error, TypeError, ValueError):
        query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
        return min(int(connection.execute(query, (table,)).fetchone()[0]), first + 100 * _PROBED)
    return first + _PROBED


def _require_project(new: sqlite3.Connection, folder: Path) -> None:
    """Have a row of the project, whatever was lost."""
    row = new.execute("SELECT settings FROM project WHERE only = 1").fetchone()
    if row is not None:
        try:
            records.settings_from(row[0])
        except (ValueError, TypeError, AttributeError):
            new.execute("UPDATE project SET settings = ?", (records.settings_text(TrainSettings()),))
        return
    now = time.time()
    query = "INSERT INTO project (only, name, created, updated, settings) VALUES (1, ?, ?, ?, ?)"
    name = say("note.recovered_project")
    new.execute(query, (name, folder.stat().st_mtime, now, records.settings_text(TrainSettings())))


def _place(new: sqlite3.Connection, photos: Path) -> None:
    """Cut rows loose from what is lost, and put photos without a class into one of their own."""
    for (class_id,) in new.execute("SELECT id FROM classes").fetchall():
        if not names.is_id(str(class_id)):
            new.execute("DELETE FROM classes WHERE id = ?", (class_id,))
    for number, sha256 in new.execute("SELECT id, sha256 FROM samples").fetchall():
        if not _is_sha256(str(sha256)):
            new.execute("DELETE FROM samples WHERE id = ?", (number,))
    homeless = [
        number
        for (number,) in new.execute("SELECT id FROM samples WHERE class_id NOT IN (SELECT id FROM classes)").fetchall()
    ]
    named = {sha256 for (sha256,) in new.execute("SELECT sha256 FROM samples")}
    nameless = [file for file in sorted(photos.glob("??/*.jpg")) if _is_sha256(file.stem) and file.stem not in named]
    nameless.sort(key=lambda file: file.stat().st_mtime)
    sizes = {file.stem: _size(file) for file in nameless}
    readable = [file for file in nameless if sizes[file.stem] is not None]
    if homeless or readable:
        own = _own_class(new)
        for number in homeless:
            new.execute("UPDATE OR IGNORE samples SET class_id = ?, removal = NULL WHERE id = ?", (own, number))
        new.execute("DELETE FROM samples WHERE class_id NOT IN (SELECT id FROM classes)")
        for file in readable:
            width, height = sizes[file.stem] or (0, 0)
            new.execute(
                "INSERT OR IGNORE INTO samples (class_id, sha256, source, capture, width, height, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (own, file.stem, file.stem, "recovered", width, height, file.stat().st_mtime),
            )
    _cut_loose(new)
    order = "SELECT id FROM classes WHERE removal IS NULL ORDER BY position, rowid"
    classes.number(new, [class_id for (class_id,) in new.execute(order).fetchall()])


def _own_class(new: sqlite3.Connection) -> str:
    """Make a class for photos whose own is not known, and return its id. There is room, whatever the limit."""
    taken = {str(key) for (key,) in new.execute("SELECT name_key FROM classes")}
    name = names.free_name(say("note.recovered_class"), taken)
    class_id = names.new_id()
    (position,) = new.execute("SELECT COALESCE(MAX(position) + 1, 0) FROM classes").fetchone()
    new.execute(
        "INSERT INTO classes (id, name, name_key, color, position) VALUES (?, ?, ?, ?, ?)",
        (class_id, name, names.name_key(name), classes.COLORS[0], position),
    )
    return class_id


def _cut_loose(new: sqlite3.Connection) -> None:
    """Mend every reference to a row that is lost: by nothing where that is allowed, else without the row."""
    while True:
        broken = new.execute("PRAGMA foreign_key_check").fetchall()
        if not broken:
            return
        for table, number, _parent, key in broken:
            columns = [row[3] for row in new.execute(f"PRAGMA foreign_key_list({table})") if row[0] == key]
            required = {row[1] for row in new.execute(f"PRAGMA table_info({table})") if row[3] or row[5]}
            if number is None:
                # A table without row numbers: what cannot be told apart goes as a whole. Only undoing is kept there.
                new.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own tables
            elif required & set(columns):
                new.execute(f"DELETE FROM {table} WHERE rowid = ?", (number,))  # noqa: S608 - as above
            else:
                cut = ", ".join(f"{column} = NULL" for column in columns)
                # Bringing a removed photo back may find its like there already; then it is not needed.
                query = f"UPDATE OR IGNORE {table} SET {cut} WHERE rowid = ?"  # noqa: S608 - as above
                if not new.execute(query, (number,)).rowcount:
                    new.execute(f"DELETE FROM {table} WHERE rowid = ?", (number,))  # noqa: S608 - as above


def _size(file: Path) -> tuple[int, int] | None:
    try:
        height, width, _ = load(file).shape
    except (TeachableError, OSError):
        log.warning("%s is no photo that can be read and is left where it is", os.fspath(file))
        return None
    return width, height


def _is_sha256(text: str) -> bool:
    return len(text) == 2 * hashlib.sha256().digest_size and all(letter in "0123456789abcdef" for letter in text)
