"""What fuzzing checks of the readers of files from elsewhere, whoever makes the files up."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from teachable.errors import TeachableError
from teachable.importing import Item, Options, Source, open_source

MOST_SECONDS = 30
"""For one file of a few kilobytes, on a computer that is busy with something else."""

MOST_ITEMS = 2_000


def exercise(data: bytes, name: str, folder: Path) -> None:
    """Open a file and do all that can be done with it.

    Args:
        data: bytes of the file.
        name: what the person calls it.
        folder: an empty one, to itself.

    Raises:
        AssertionError: something was written that should not be, or it took too long.
        Exception: anything but a TeachableError is a fault that was found.
    """
    scratch = folder / "in" / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    path = folder / "in" / "file"
    path.write_bytes(data)
    before = _all_below(folder)
    began = time.monotonic()
    with contextlib.suppress(TeachableError), open_source(path, name, scratch) as source:
        _read(source)
    assert time.monotonic() - began < MOST_SECONDS
    assert _all_below(folder) == before
    assert path.read_bytes() == data


def _read(source: Source) -> None:
    plan = source.plan
    assert len({one.name for one in plan.classes}) == len(plan.classes)
    assert len(plan.skipped) <= plan.skipped_total
    assert all(note.text for note in plan.notes)
    options = Options(frozenset(one.key for one in plan.classes[:1]), 5.0, True)
    for one in plan.classes[:20]:
        for chosen in (Options(), options):
            items = list(islice(source.items(one.key, chosen), MOST_ITEMS))
            total = source.total(one.key, chosen)
            assert all(_is_whole(item, total) for item in items)
        for number in one.previews:
            with contextlib.suppress(TeachableError):
                assert source.preview(number).startswith(b"\xff\xd8")


def _is_whole(item: Item, total: int) -> bool:
    return 0 <= item.index < total and bool(item.data) != bool(item.error) and 0 < len(item.group) <= 100


def _all_below(folder: Path) -> list[str]:
    # Whatever leaves the folder upwards would meet the one around it.
    return sorted(os.path.join(where, name) for where, _, names in os.walk(folder) for name in names)  # noqa: PTH118


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """An empty folder in a folder of its own, so that what is written beside it is seen."""
    with tempfile.TemporaryDirectory() as outer:
        yield Path(outer)
