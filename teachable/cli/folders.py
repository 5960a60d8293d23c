"""Which photos a folder holds, of which class they are and which were taken together. It reads names, no photo.

A class is a folder. Photos directly in it are one group, as one upload to the page would be. A folder inside it is a
group of its own: one day, one place, one recording. Photos of one group are never split when accuracy is measured.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from teachable.errors import InvalidInput, NotFound

# What systems and programs leave in folders of photos; nobody wants to be told about it.
_LITTER = frozenset({"thumbs.db", "desktop.ini", "icon\r", "picasa.ini"})


@dataclass(frozen=True)
class Group:
    """Photos that were taken together.

    Attributes:
        name: unlike that of any other group of the class.
        photos: their files.
    """

    name: str
    photos: tuple[Path, ...]


@dataclass(frozen=True)
class ClassFolder:
    """One class.

    Attributes:
        name: of the class and the folder.
        groups: its photos.
    """

    name: str
    groups: tuple[Group, ...]

    @property
    def size(self) -> int:
        """Number of files."""
        return sum(len(group.photos) for group in self.groups)


def read_classes(folder: Path, *, independent: bool) -> tuple[ClassFolder, ...]:
    """Return the classes in a folder, in the order a person would give them.

    Args:
        folder: with one folder for each class.
        independent: whether every photo was taken on its own, so that each is a group.

    Raises:
        NotFound: there is no such folder.
        InvalidInput: it is no folder, or holds fewer than two folders with files.
    """
    classes = _filled(folder, independent)
    if len(classes) < 2:
        raise InvalidInput("folder_without_classes", folder=folder, count=len(classes))
    return classes


def read_tests(folder: Path, classes: Sequence[ClassFolder], *, independent: bool) -> tuple[ClassFolder, ...]:
    """Return the photos in a folder that are only to be tested with, under the names of the classes they are of.

    Args:
        folder: with folders called like classes, not necessarily all of them.
        classes: that are trained.
        independent: as for `read_classes`.

    Raises:
        NotFound: there is no such folder.
        InvalidInput: it is no folder, holds no folder with files, or one that is called like no class.
    """
    from teachable.projects.names import name_key

    names = {name_key(one.name): one.name for one in classes}
    tests = _filled(folder, independent)
    if not tests:
        raise InvalidInput("folder_without_tests", folder=folder)
    for one in tests:
        if name_key(one.name) not in names:
            raise InvalidInput("folder_test_class", name=one.name, names=", ".join(names.values()))
    return tuple(replace(one, name=names[name_key(one.name)]) for one in tests)


def _filled(folder: Path, independent: bool) -> tuple[ClassFolder, ...]:
    """Return the folders in a folder that hold files."""
    if not folder.exists():
        raise NotFound("folder_missing", folder=folder)
    if not folder.is_dir():
        raise InvalidInput("folder_is_file", folder=folder)
    inside = sorted((path for path in folder.iterdir() if path.is_dir() and _wanted(path)), key=_natural)
    found = (ClassFolder(path.name, tuple(_groups(path, independent))) for path in inside)
    return tuple(one for one in found if one.size)


def photos_below(folder: Path) -> list[Path]:
    """Return the files in a folder and all folders inside it, in order, without hidden ones."""
    return list(_below(folder))


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir(), key=_natural):
        if not _wanted(path):
            continue
        if path.is_dir():
            # A link to a folder may lead back up and around for ever.
            if not path.is_symlink():
                yield from _below(path)
        else:
            yield path


def _groups(folder: Path, independent: bool) -> Iterator[Group]:
    if independent:
        for path in _below(folder):
            yield Group(path.relative_to(folder).as_posix(), (path,))
        return
    direct = tuple(path for path in sorted(folder.iterdir(), key=_natural) if path.is_file() and _wanted(path))
    if direct:
        yield Group(".", direct)
    for path in sorted(folder.iterdir(), key=_natural):
        if path.is_dir() and not path.is_symlink() and _wanted(path) and (photos := photos_below(path)):
            yield Group(path.name, tuple(photos))


def _wanted(path: Path) -> bool:
    return not path.name.startswith((".", "__MACOSX")) and path.name.lower() not in _LITTER


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort "photo 2" before "photo 10"."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
