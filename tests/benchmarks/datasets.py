"""Sets of real photos in folders, random splits of them, and embeddings that are kept for the next run.

It owns what all measurements of accuracy share, so that their figures can be compared. It knows no head and no network.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teachable import images
from teachable.cli.folders import read_classes
from teachable.errors import InvalidInput
from teachable.types import Embeddings, Image, Labels

SHOTS = (1, 5, 20)
SPLITS = 10
HELD_OUT = 100
"""Photos of a class that are tested on at most: more would cost time and hardly change a figure."""
# Decoded photos held in memory at once.
_CHUNK = 32

Rows = NDArray[np.int64]
"""Indices of photos, int64 `[N]`."""
Embed = Callable[[Sequence[Image]], Embeddings]
"""Returns a row float32 `[D]` for each photo."""


class Unusable(Exception):  # noqa: N818 - reads as what it is
    """Something that was named cannot be measured; the message says why."""


@dataclass(frozen=True)
class PhotoSet:
    """One set of photos.

    Attributes:
        name: of its folder.
        classes: names, in the order of the labels.
        photos: their files.
        labels: class of each photo, int64 `[N]`.
    """

    name: str
    classes: tuple[str, ...]
    photos: tuple[Path, ...]
    labels: Labels

    @property
    def smallest(self) -> int:
        """Photos of the class that has fewest."""
        return int(np.bincount(self.labels).min())


def find(folder: Path) -> tuple[PhotoSet, ...]:
    """Return the sets in a folder, by name.

    Args:
        folder: with a folder for each set, in which every class is a folder of photos.

    Raises:
        Unusable: there is no such folder, or no set in it.
    """
    if not folder.is_dir():
        raise Unusable(f"There is no folder {folder}.")
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not inside:
        raise Unusable(f"{folder} holds no folder. It should hold one for each set of photos.")
    return tuple(_read(path) for path in inside)


def _read(folder: Path) -> PhotoSet:
    try:
        # Whether photos were taken together makes no difference here: these splits are random.
        found = read_classes(folder, independent=True)
    except InvalidInput as error:
        raise Unusable(f"{folder} is no set of photos, which has at least two folders, one for each class.") from error
    photos = [(photo, label) for label, one in enumerate(found) for group in one.groups for photo in group.photos]
    labels = np.array([label for _, label in photos], np.int64)
    return PhotoSet(folder.name, tuple(one.name for one in found), tuple(photo for photo, _ in photos), labels)


def splits(labels: Labels, shots: int, count: int = SPLITS) -> Iterator[tuple[Rows, Rows]]:
    """Yield photos to learn from, `shots` of each class at random, and photos to test on: all others, capped.

    The same labels give the same splits, whoever asks.

    Args:
        labels: class of each photo.
        shots: photos of each class to learn from; every class needs more.
        count: how many splits.
    """
    for seed in range(count):
        generator = np.random.default_rng(seed)
        shuffled = [generator.permutation(np.flatnonzero(labels == label)) for label in range(labels.max() + 1)]
        train = np.concatenate([rows[:shots] for rows in shuffled])
        yield train, np.sort(np.concatenate([rows[shots : shots + HELD_OUT] for rows in shuffled]))


def embeddings_of(photos: PhotoSet, key: str, embed: Embed) -> Embeddings:
    """Return the embeddings of all photos of a set, from an earlier run if there was one.

    Args:
        photos: the set.
        key: of whatever embeds: another one, or a changed one, has another key.
        embed: asked only for what is not kept; gets decoded photos, some at a time.

    Returns:
        float32 `[N, D]`, in the order of the photos.

    Raises:
        TeachableError: a file is no photo that can be read.
    """
    # With the time of the last change, because another photo may well take as many bytes.
    stated = [(str(path.resolve()), path.stat()) for path in photos.photos]
    listing = "\n".join(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stated)
    digest = hashlib.sha256(f"{key}\n{listing}".encode()).hexdigest()[:24]
    kept = Path(tempfile.gettempdir()) / f"teachable-benchmark-{digest}.npy"
    if not kept.exists():
        chunks = [photos.photos[start : start + _CHUNK] for start in range(0, len(photos.photos), _CHUNK)]
        found = np.concatenate([embed([images.load(path) for path in chunk]) for chunk in chunks])
        # Whole or not at all: a run that was interrupted must not leave half a file for the next.
        partial = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(partial, found)
        partial.replace(kept)
    embeddings: Embeddings = np.load(kept)
    return embeddings
