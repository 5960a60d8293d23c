"""A second project with the same contents. Photos are not copied where the disk can give one file two names."""

import errno
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from teachable.projects import actions, models, samples, schema
from teachable.projects.about import DATABASE, MODELS, REPORTS, SAMPLES
from teachable.projects.database import Database
from teachable.projects.files import PhotoFiles, copy_whole, sync_folder
from teachable.projects.kept import ModelFiles

# What a disk says that gives a file one name only, or has given this one too many.
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def copy(source: Path, database: Database, folder: Path, name: str) -> None:
    """Copy a project as it is now into an empty folder, under another name.

    What was deleted stays behind, and so does what could be taken back. Classes, samples and models keep their ids.
    Embeddings come along, so that nothing is computed again.

    Args:
        source: folder of the project, which may be in use.
        database: of the project.
        folder: the empty folder.
        name: of the copy.

    Raises:
        StorageFull: the disk has no room.
    """
    path = folder / DATABASE
    with schema.in_words(folder):
        for part in (SAMPLES, MODELS):
            (folder / part).mkdir()
        with database.frozen():
            _copy_database(source / DATABASE, path)
            # With nobody writing: a model may be written again, or deleted, at any moment.
            with closing(schema.connect(path)) as connection:
                known = models.ids(connection)
            for part in (MODELS, REPORTS):
                _link_all(source / part, folder / part, known)
        copied = Database(path)
        try:
            with copied.change() as connection:
                actions.forget_all(connection)
                connection.execute("UPDATE project SET name = ?, created = updated", (name,))
                wanted = samples.files_in_use(connection) | ModelFiles(folder / MODELS).photos_named()
        finally:
            copied.close()
        _link_photos(source / SAMPLES, folder / SAMPLES, wanted)
        for cache in source.glob("embeddings-*.sqlite"):
            with suppress(sqlite3.Error):  # it can be computed again
                _copy_database(cache, folder / cache.name)
        sync_folder(folder)


def _copy_database(source: Path, target: Path) -> None:
    target.touch()
    with closing(schema.connect(source)) as old, closing(schema.connect(target)) as new:
        old.backup(new)


def _link_photos(source: Path, target: Path, wanted: Iterable[str]) -> None:
    """Give every photo a second name. One whose file is lost is missing in the copy too."""
    old, new = PhotoFiles(source), PhotoFiles(target)
    folders: set[Path] = set()
    for sha256 in wanted:
        path = new.path(sha256)
        if path.parent not in folders:
            path.parent.mkdir()
            folders.add(path.parent)
        with suppress(FileNotFoundError):
            _link(old.path(sha256), path)
    for folder in (*folders, target):
        sync_folder(folder)


def _link_all(source: Path, target: Path, known: set[str]) -> None:
    if not source.is_dir():
        return
    target.mkdir(exist_ok=True)
    for path in source.iterdir():
        if path.is_file() and path.name.split(".")[0] in known:
            _link(path, target / path.name)
    sync_folder(target)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the disk cannot do that. Files of ours are never written into."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        copy_whole(source, target)
