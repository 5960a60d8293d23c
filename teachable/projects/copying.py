"""A second project with the same contents. Photos are not copied where the disk can give one file two names."""

import errno
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from teachable.errors import NotFound
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
        NotFound: the project was deleted meanwhile.
        StorageFull: the disk has no room.
    """
    path = folder / DATABASE
    with schema.in_words(folder):
        for part in (SAMPLES, MODELS):
            (folder / part).mkdir()
        with database.read() as connection:
            shown = samples.files_shown(connection)
        # Nearly all of them now, while others go on; what is not wanted in the end is swept when the copy is opened.
        _link_photos(source / SAMPLES, folder / SAMPLES, shown | ModelFiles(source / MODELS).photos_named())
        with database.frozen():
            _copy_database(source / DATABASE, path)
            # With nobody writing: a model may be written again, or deleted, at any moment, and photos for good.
            with closing(schema.connect(path)) as connection:
                known, shown = models.ids(connection), samples.files_shown(connection)
            for part in (MODELS, REPORTS):
                _link_all(source / part, folder / part, known)
            _link_photos(source / SAMPLES, folder / SAMPLES, shown | ModelFiles(folder / MODELS).photos_named())
        if not source.is_dir():  # another process deleted it meanwhile
            raise NotFound("project_unknown")
        copied = Database(path)
        try:
            with copied.change() as connection:
                actions.forget_all(connection)
                connection.execute("UPDATE project SET name = ?, created = updated", (name,))
        finally:
            copied.close()
        for cache in source.glob("embeddings-*.sqlite"):
            with suppress(sqlite3.Error):  # it can be computed again
                _copy_database(cache, folder / cache.name)
        sync_folder(folder)


def _copy_database(source: Path, target: Path) -> None:
    target.touch()
    with closing(schema.connect(source)) as old, closing(schema.connect(target)) as new:
        old.backup(new)


def _link_photos(source: Path, target: Path, wanted: Iterable[str]) -> None:
    """Give every photo that has none a second name. One whose file is lost is missing in the copy too."""
    old, new = PhotoFiles(source), PhotoFiles(target)
    there = {path.name for path in target.glob("??/*.jpg")}
    folders: set[Path] = set()
    for sha256 in wanted:
        path = new.path(sha256)
        if path.name in there:
            continue
        if path.parent not in folders:
            path.parent.mkdir(exist_ok=True)
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
