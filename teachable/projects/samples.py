"""Samples of a project as rows. All functions work inside the transaction they are given and touch no file."""

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from teachable.errors import NotFound
from teachable.images import StoredPhoto
from teachable.types import Sample, SamplePage

_LIVE = "SELECT id, class_id, sha256, capture, width, height, created, test FROM samples WHERE removal IS NULL"
_IN_CLASSES = "class_id IN (SELECT id FROM classes WHERE removal IS NULL AND disabled <= ?)"
_IN_LIST = "id IN (SELECT value FROM json_each(?))"
_LARGEST_ID = 2**63 - 1

Brief = tuple[int, str, str, int]
"""Id, class and SHA-256 of a sample, and whether it is for testing only."""


@dataclass(frozen=True)
class Incoming:
    """A photo ready to be stored, with the SHA-256 of the bytes it was made from."""

    photo: StoredPhoto
    source: str


def has_source(connection: sqlite3.Connection, class_id: str, source: str) -> bool:
    """Return whether a class has a sample made from these very bytes, which then need no decoding."""
    query = "SELECT 1 FROM samples WHERE class_id = ? AND source = ? AND removal IS NULL"
    return connection.execute(query, (class_id, source)).fetchone() is not None


def new_among(connection: sqlite3.Connection, class_id: str, photos: Sequence[Incoming]) -> list[Incoming]:
    """Return the photos a class does not have yet, each once, in the order given."""
    wanted = json.dumps([incoming.photo.sha256 for incoming in photos])
    query = (
        "SELECT sha256 FROM samples WHERE class_id = ? AND removal IS NULL"
        " AND sha256 IN (SELECT value FROM json_each(?))"
    )
    present = {sha256 for (sha256,) in connection.execute(query, (class_id, wanted))}
    first = {incoming.photo.sha256: incoming for incoming in reversed(photos)}
    return [incoming for sha256, incoming in reversed(first.items()) if sha256 not in present]


def insert(
    connection: sqlite3.Connection, class_id: str, group: str, photos: Iterable[Incoming], *, test: bool = False
) -> list[Sample]:
    """Add rows for photos that `new_among` returned in this transaction."""
    added = []
    for photo, source in ((incoming.photo, incoming.source) for incoming in photos):
        now = time.time()
        cursor = connection.execute(
            "INSERT INTO samples (class_id, sha256, source, capture, width, height, created, test)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (class_id, photo.sha256, source, group, photo.width, photo.height, now, test),
        )
        number = cursor.lastrowid or 0
        added.append(Sample(number, class_id, photo.sha256, group, photo.width, photo.height, now, test))
    return added


def count(connection: sqlite3.Connection, class_id: str | None = None) -> int:
    """Return the number of samples of one class, or of the project."""
    if class_id is None:
        query = (
            "SELECT COUNT(*) FROM samples JOIN classes ON classes.id = samples.class_id"
            " WHERE samples.removal IS NULL AND classes.removal IS NULL"
        )
        (found,) = connection.execute(query).fetchone()
    else:
        query = "SELECT COUNT(*) FROM samples WHERE class_id = ? AND removal IS NULL"
        (found,) = connection.execute(query, (class_id,)).fetchone()
    return int(found)


def page(connection: sqlite3.Connection, class_id: str, limit: int, before: int | None, skip: int = 0) -> SamplePage:
    """Return up to `limit` samples of a class with ids below `before`, newest first, after the first `skip` of them."""
    start = _LARGEST_ID if before is None else max(0, min(before, _LARGEST_ID))
    query = f"{_LIVE} AND class_id = ? AND id < ? ORDER BY id DESC LIMIT ? OFFSET ?"
    skipped = max(0, min(skip, _LARGEST_ID))
    found = [_sample(row) for row in connection.execute(query, (class_id, start, limit + 1, skipped))]
    shown = tuple(found[:limit])
    return SamplePage(shown, count(connection, class_id), shown[-1].id if len(found) > limit else None)


def find(connection: sqlite3.Connection, sample_id: int) -> Sample:
    """Return one sample.

    Raises:
        NotFound: there is none with this id, or its class was deleted.
    """
    found = live(connection, [sample_id])
    if not found:
        raise NotFound("sample_unknown")
    return found[0]


def live(connection: sqlite3.Connection, ids: Iterable[int]) -> list[Sample]:
    """Return those of the samples that are there, in the order of their ids."""
    wanted = json.dumps(sorted({number for number in ids if 0 < number <= _LARGEST_ID}))
    query = f"{_LIVE} AND {_IN_CLASSES} AND {_IN_LIST} ORDER BY id"
    return [_sample(row) for row in connection.execute(query, (1, wanted))]


def choose(connection: sqlite3.Connection, ids: Iterable[int]) -> int:
    """Make those of the samples that are there the chosen ones of this connection; return how many they are."""
    wanted = json.dumps([number for number in ids if 0 < number <= _LARGEST_ID])
    connection.execute("DELETE FROM temp.chosen")
    query = f"INSERT INTO temp.chosen SELECT id FROM samples WHERE removal IS NULL AND {_IN_CLASSES} AND {_IN_LIST}"  # noqa: S608
    return connection.execute(query, (1, wanted)).rowcount


def choose_recordings(connection: sqlite3.Connection) -> None:
    """Choose all samples of the recordings that chosen ones are of.

    A recording whose photos were moved apart is one all the same: its photos look alike, whatever class they are in.
    """
    captures = "SELECT capture FROM samples WHERE id IN (SELECT id FROM temp.chosen)"
    query = f"SELECT id FROM samples WHERE removal IS NULL AND {_IN_CLASSES} AND capture IN ({captures})"  # noqa: S608
    connection.execute(f"INSERT OR IGNORE INTO temp.chosen {query}", (1,))


def count_chosen(connection: sqlite3.Connection, condition: str, values: Sequence[object]) -> int:
    """Return how many of the chosen samples meet a condition of SQL."""
    query = f"SELECT COUNT(*) FROM samples WHERE id IN (SELECT id FROM temp.chosen) AND {condition}"  # noqa: S608
    (found,) = connection.execute(query, values).fetchone()
    return int(found)


def everything(connection: sqlite3.Connection, *, enabled_only: bool) -> tuple[Sample, ...]:
    """Return all samples, or those of classes that take part in training, in the order of their ids."""
    query = f"{_LIVE} AND {_IN_CLASSES} ORDER BY id"
    return tuple(_sample(row) for row in connection.execute(query, (0 if enabled_only else 1,)))


def numbers(connection: sqlite3.Connection, class_id: str, limit: int, skip: int) -> tuple[tuple[int, bool], ...]:
    """Return ids of up to `limit` samples, newest first, after the first `skip`, and which are only for testing."""
    query = "SELECT id, test FROM samples WHERE removal IS NULL AND class_id = ? ORDER BY id DESC LIMIT ? OFFSET ?"
    return tuple((number, bool(test)) for number, test in connection.execute(query, (class_id, limit, skip)))


def brief(connection: sqlite3.Connection, after: int) -> list[Brief]:
    """Return the least about samples with ids above `after`, in the order of their ids: much faster than the whole."""
    query = "SELECT id, class_id, sha256, test FROM samples WHERE removal IS NULL"
    query = f"{query} AND id > ? AND {_IN_CLASSES} ORDER BY id"
    return connection.execute(query, (after, 1)).fetchall()


def covers(connection: sqlite3.Connection, count: int) -> tuple[int, ...]:
    """Return the newest sample of up to `count` classes, and of classes with more what is still missing."""
    newest = "SELECT id FROM samples WHERE class_id = ? AND removal IS NULL ORDER BY id DESC LIMIT ?"
    every = "SELECT id FROM classes WHERE removal IS NULL ORDER BY position"
    found = [
        [number for (number,) in connection.execute(newest, (class_id, count))]
        for (class_id,) in connection.execute(every).fetchall()
    ]
    by_turns = [numbers[turn] for turn in range(count) for numbers in found if turn < len(numbers)]
    return tuple(by_turns[:count])


def files_shown(connection: sqlite3.Connection) -> set[str]:
    """Return the SHA-256 of all photos that are in a class."""
    query = f"SELECT DISTINCT sha256 FROM samples WHERE removal IS NULL AND {_IN_CLASSES}"  # noqa: S608
    return {sha256 for (sha256,) in connection.execute(query, (1,))}


def files_in_use(connection: sqlite3.Connection, among: Iterable[str] | None = None) -> set[str]:
    """Return the SHA-256 of all photos that a row names, removed ones included; or of those `among` the given ones."""
    if among is None:
        return {sha256 for (sha256,) in connection.execute("SELECT DISTINCT sha256 FROM samples")}
    query = "SELECT DISTINCT sha256 FROM samples WHERE sha256 IN (SELECT value FROM json_each(?))"
    return {sha256 for (sha256,) in connection.execute(query, (json.dumps(list(among)),))}


def _sample(row: tuple[int, str, str, str, int, int, float, int]) -> Sample:
    number, class_id, sha256, group, width, height, created, test = row
    return Sample(number, class_id, sha256, group, width, height, created, bool(test))
