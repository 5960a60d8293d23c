"""Looking after a home folder: what is wrong with it and its projects, and mending what can be mended.

What is found is told in words. Nothing is thrown away that could be of use: a damaged database, and photos that cannot
be read, are kept beside what takes their place. Only one process may use the home meanwhile.
"""

import hashlib
import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from teachable import images
from teachable.errors import Conflict, InstallationError, StorageFull, TeachableError
from teachable.projects import Project, ProjectStore, about, names, salvage, schema
from teachable.projects.files import copy_whole, temporary_name
from teachable.projects.store import in_use
from teachable.types import Sample
from teachable.words import say

log = logging.getLogger(__name__)

LEAST_FREE = 500 * 2**20
"""Bytes of free disk below which somebody should hear of it: a school morning of photos."""

DAMAGED = "damaged"
"""Folder of a project with photo files that cannot be read any more."""

_DAY = 86_400.0


@dataclass(frozen=True)
class Ailment:
    """Something that is not as it should be.

    Attributes:
        kind: disk, folder, clock, newer, database, photos, altered, model or cache.
        project: what the project is called, or its id where that is not known; None for the home itself.
        text: what it is, in words.
        mendable: it can be mended here.
        mended: in words, what was done about it, or None.
    """

    kind: str
    project: str | None
    text: str
    mendable: bool = False
    mended: str | None = None


def examine(home: Path, *, mend: bool, on_project: Callable[[str], None] = lambda name: None) -> Iterator[Ailment]:
    """Look at everything in a home folder, and yield what is wrong.

    Args:
        home: folder with the projects.
        mend: whether to mend what can be mended.
        on_project: is told what is being looked at.

    Raises:
        Conflict: another program works on the projects, and they are to be mended.
        InstallationError: the folder cannot be written, so that nothing in it can be opened.
        StorageFull: the disk has no room for mending.
    """
    yield from _home(home)
    if mend and in_use(home):
        # A training or import on the command line: what it writes into a database that is exchanged would be lost.
        raise Conflict("project_busy")
    projects = home / "projects"
    for folder in sorted(projects.iterdir()) if projects.is_dir() else []:
        if names.is_id(folder.name) and folder.is_dir():
            yield from _database(folder, mend)
    store = ProjectStore(home)
    try:
        for info in store.list():
            on_project(info.name)
            yield from _contents(store, store.open(info.id), info.name, mend)
    finally:
        store.close()


def _home(home: Path) -> Iterator[Ailment]:
    """Look at the folder and the disk it is on."""
    with schema.in_words(home):
        home.mkdir(parents=True, exist_ok=True)
        trial = temporary_name(home / "trial")
        try:
            trial.write_bytes(b"teachable")
        finally:
            trial.unlink(missing_ok=True)
    free = shutil.disk_usage(home).free
    if free < LEAST_FREE:
        yield Ailment("disk", None, say("cli.doctor.disk", home=home, free=f"{free / 1e6:.0f}"))


def _database(folder: Path, mend: bool) -> Iterator[Ailment]:
    """Look at the database of a project before anything opens it."""
    try:
        problem = salvage.damage(folder / about.DATABASE)
    except (StorageFull, InstallationError):
        raise
    except TeachableError as error:
        yield Ailment("newer", folder.name, str(error))
        return
    if problem is None:
        return
    text = say("cli.doctor.database", folder=folder, problem=problem)
    if not mend:
        yield Ailment("database", folder.name, text, mendable=True)
        return
    saved = salvage.rebuild(folder)
    done = say("cli.doctor.database_mended", count=saved.photos, kept=saved.kept.name)
    if saved.unplaced:
        done += " " + say("cli.doctor.unplaced", count=saved.unplaced, name=say("note.recovered_class"))
    yield Ailment("database", folder.name, text, mendable=True, mended=done)


def _contents(store: ProjectStore, project: Project, name: str, mend: bool) -> Iterator[Ailment]:
    """Look at the files of a project whose database is sound."""
    info = project.info()
    if max(info.created, info.updated) > time.time() + _DAY:
        when = time.strftime("%Y-%m-%d", time.localtime(max(info.created, info.updated)))
        yield Ailment("clock", name, say("cli.doctor.clock", name=name, when=when))
    samples = project.all_samples()
    yield from _missing(store, project, name, [one for one in samples if not _file(project, one).is_file()], mend)
    yield from _altered(project, name, samples, mend)
    yield from _model(project, name)
    yield from _caches(project, name, mend)


def _missing(store: ProjectStore, project: Project, name: str, lost: list[Sample], mend: bool) -> Iterator[Ailment]:
    """Bring back photo files that are gone from another project that has the very same, or take leave of them."""
    if not lost:
        return
    text = say("cli.doctor.photos_missing", count=len(lost), name=name, where=_classes(project, lost))
    if not mend:
        yield Ailment("photos", name, text, mendable=True)
        return
    for_good = [sample for sample in lost if not _bring_back(store, project, sample)]
    done = say("cli.doctor.photos_found", count=len(lost) - len(for_good))
    if for_good:
        project.delete_samples([sample.id for sample in for_good])
        done = say("cli.doctor.photos_let_go", found=len(lost) - len(for_good), gone=len(for_good))
    yield Ailment("photos", name, text, mendable=True, mended=done)


def _bring_back(store: ProjectStore, project: Project, sample: Sample) -> bool:
    place = _file(project, sample)
    relative = place.relative_to(project.folder)
    for info in store.list():
        found = project.folder.with_name(info.id) / relative
        if found.is_file() and _sha256(found) == sample.sha256:
            place.parent.mkdir(parents=True, exist_ok=True)
            copy_whole(found, place)
            return True
    return False


def _altered(project: Project, name: str, samples: Iterable[Sample], mend: bool) -> Iterator[Ailment]:
    """Find photo files that hold other bytes than were written, and set aside those that are no photo any more."""
    files = {sample.sha256: _file(project, sample) for sample in samples}
    altered = {sha256 for sha256, file in files.items() if file.is_file() and _sha256(file) != sha256}
    unreadable = {sha256 for sha256 in altered if not _readable(files[sha256])}
    if altered - unreadable:
        # As a picture it is still good, and it is the only one there is: it stays.
        yield Ailment("altered", name, say("cli.doctor.photos_altered", count=len(altered - unreadable), name=name))
    if not unreadable:
        return
    concerned = [sample for sample in samples if sample.sha256 in unreadable]
    text = say("cli.doctor.photos_damaged", count=len(unreadable), name=name, where=_classes(project, concerned))
    if not mend:
        yield Ailment("photos", name, text, mendable=True)
        return
    aside = project.folder / DAMAGED
    aside.mkdir(exist_ok=True)
    for sha256 in unreadable:
        copy_whole(files[sha256], aside / files[sha256].name)
        files[sha256].unlink()
    project.delete_samples([sample.id for sample in concerned])
    done = say("cli.doctor.photos_set_aside", count=len(unreadable), folder=aside)
    yield Ailment("photos", name, text, mendable=True, mended=done)


def _model(project: Project, name: str) -> Iterator[Ailment]:
    record = project.latest_model()
    if record is None:
        return
    try:
        project.model_file(record.id)
    except TeachableError:
        yield Ailment("model", name, say("cli.doctor.model", name=name))


def _caches(project: Project, name: str, mend: bool) -> Iterator[Ailment]:
    """Find damaged caches. They are made again by themselves when they are needed; this does it before."""
    for path in sorted(project.folder.glob("*.sqlite")):
        if path.name == about.DATABASE or path.name.startswith("project."):
            continue
        try:
            with closing(sqlite3.connect(path)) as connection:
                sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        except sqlite3.DatabaseError:
            sound = False
        if sound:
            continue
        text = say("cli.doctor.cache", name=name)
        if not mend:
            yield Ailment("cache", name, text, mendable=True)
            continue
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        yield Ailment("cache", name, text, mendable=True, mended=say("cli.doctor.cache_mended"))


def _classes(project: Project, samples: Iterable[Sample]) -> str:
    concerned = {sample.class_id for sample in samples}
    return ", ".join(one.name for one in project.info().classes if one.id in concerned)


def _file(project: Project, sample: Sample) -> Path:
    return project.folder / about.SAMPLES / sample.sha256[:2] / f"{sample.sha256}.jpg"


def _readable(file: Path) -> bool:
    try:
        images.load(file)
    except TeachableError:
        return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
