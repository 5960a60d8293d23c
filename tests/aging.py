"""Projects as earlier versions left them on disk."""

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

FIRST_SCHEMA = """
CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    applied TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE project (only INTEGER PRIMARY KEY CHECK (only = 1), name TEXT NOT NULL,
    created REAL NOT NULL, updated REAL NOT NULL, settings TEXT NOT NULL);
CREATE TABLE removals (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE classes (id TEXT PRIMARY KEY, name TEXT NOT NULL, name_key TEXT NOT NULL,
    color TEXT NOT NULL, position INTEGER NOT NULL, disabled INTEGER NOT NULL DEFAULT 0,
    removal INTEGER REFERENCES removals (id));
CREATE UNIQUE INDEX classes_by_name ON classes (name_key) WHERE removal IS NULL;
CREATE TABLE samples (id INTEGER PRIMARY KEY AUTOINCREMENT, class_id TEXT NOT NULL REFERENCES classes (id),
    sha256 TEXT NOT NULL, source TEXT NOT NULL, capture TEXT NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, created REAL NOT NULL, removal INTEGER REFERENCES removals (id));
CREATE UNIQUE INDEX samples_once ON samples (class_id, sha256) WHERE removal IS NULL;
CREATE INDEX samples_by_source ON samples (class_id, source) WHERE removal IS NULL;
CREATE INDEX samples_by_class ON samples (class_id, id) WHERE removal IS NULL;
CREATE INDEX samples_by_file ON samples (sha256);
CREATE INDEX samples_removed ON samples (removal) WHERE removal IS NOT NULL;
CREATE TABLE moves (removal INTEGER NOT NULL REFERENCES removals (id), sample INTEGER NOT NULL,
    origin TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (removal, sample)) WITHOUT ROWID;
INSERT INTO migrations (number, name) VALUES (1, '0001_classes_and_samples');
INSERT INTO project VALUES (1, 'Old project', 1.0, 2.0, '{"epochs": 9, "retired_setting": 1}');
INSERT INTO classes VALUES ('aaaaaaaaaaaaaaaa', 'Cat', 'cat', '#E67701', 0, 0, NULL),
    ('bbbbbbbbbbbbbbbb', 'Dog', 'dog', '#D84C6F', 1, 1, NULL);
PRAGMA user_version = 1;
"""
"""The schema of the first version with a little in it, spelled out: what a project from then looks like on disk."""


def old_project(home: Path, photos: Iterable[bytes]) -> str:
    """Make a project of the first version, with photos of 32 x 24 pixels in its first class; return its id."""
    folder = home / "projects" / ("0" * 32)
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "project.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(FIRST_SCHEMA)
        for data in photos:
            sha256 = hashlib.sha256(data).hexdigest()
            file = folder / "samples" / sha256[:2] / f"{sha256}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            connection.execute(
                "INSERT INTO samples (class_id, sha256, source, capture, width, height, created)"
                " VALUES ('aaaaaaaaaaaaaaaa', ?, ?, 'press', 32, 24, 1.5)",
                (sha256, sha256),
            )
    return folder.name
