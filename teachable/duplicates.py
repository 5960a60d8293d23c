"""Photos that are nearly the same picture, also when they were taken or uploaded at different times.

It owns the criterion and finding them among many. Which photos are learned from and which are tested is
`teachable.folds`; what a person is told about them is `teachable.doctor`.

The criterion is of both the network's view and the pixels: either alone takes photos for the same that merely show the
same thing, or have the same background.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachable.types import Embeddings, Labels

Hashes = NDArray[np.uint64]

# Measured by `tests/benchmarks/duplicates.py` on three sets of real photos: of copies that are compressed, of half the
# size or a third darker, 99 to 100 % are found, of those cropped by a fiftieth at one corner or turned by two degrees
# 78 to 97 %. Of 24,630 pairs of photos of one class 19 are taken for copies, all of them the same thing in the same
# place from the same side; of 235,800 pairs of photos of different classes none is. With 10 bits instead of 8,
# recordings made in one place, with the hand in about the same position, run together until half of a class is one.
ANGLE = 0.06
"""Cosine distance of two embeddings, up to which photos may be the same picture."""
BITS = 8
"""Bits in which the perceptual hashes of the same picture may differ, of 64."""
# Photos compared at once: 1024 x 4096 floats are 16 MB.
_TALL, _WIDE = 1024, 4096
# Distances of pairs are measured one by one, so many at once, unless a product of matrices, which is so many times
# faster for each, does it sooner.
_PAIRS, _FASTER = 4096, 32


@dataclass(frozen=True)
class Photos:
    """What photos are compared by.

    Attributes:
        embeddings: float32 `[N, D]`, finite.
        hashes: perceptual hash of each, uint64 `[N]`, or None to go by the embeddings alone.
        labels: index of the class of each, int64 `[N]`.
        groups: recording of each.
    """

    embeddings: Embeddings
    hashes: Hashes | None
    labels: Labels
    groups: Sequence[str]

    def __post_init__(self) -> None:
        count = len(self.embeddings)
        lengths = [len(self.labels), len(self.groups), count if self.hashes is None else len(self.hashes)]
        if lengths != [count] * 3:
            raise ValueError(f"{count} embeddings, but {lengths} labels, groups and hashes")


def join(embeddings: Embeddings, hashes: Hashes | None, labels: Labels, groups: Sequence[str]) -> list[str]:
    """Unite recordings that share nearly the same picture of a class.

    Args:
        embeddings: float32 `[N, D]`, finite.
        hashes: perceptual hash of each photo, uint64 `[N]`, or None to go by the embeddings alone.
        labels: int64 `[N]`, index of the class of each.
        groups: recording of each.

    Returns:
        The recording of each, named like the first of those that became one.

    Raises:
        ValueError: the lengths differ.
    """
    photos = Photos(embeddings, hashes, labels, groups)
    number: dict[str, int] = {}
    index = np.fromiter((number.setdefault(group, len(number)) for group in groups), np.int64, len(groups))
    roots = np.arange(len(number))
    for label in np.unique(labels).tolist():
        rows = np.flatnonzero(labels == label)
        own, part = index[rows], _Compared(photos, rows)
        for tall, wide in _tiles(len(rows)):
            # What is one recording by now need not be compared any more.
            apart = roots[own[tall]][:, None] != roots[own[wide]][None, :]
            roots = _unite(roots, *own[part.alike(part, tall, wide, apart)].T)
    names = list(number)
    return [names[root] for root in roots[index].tolist()]


def repeats(
    embeddings: Embeddings, hashes: Hashes | None, labels: Labels, groups: Sequence[str]
) -> tuple[tuple[int, ...], ...]:
    """Return sets of photos that are nearly the same picture though they are of different recordings or classes.

    Photos of one class and one recording are not compared: it is in the nature of a recording that they are alike.

    Args:
        embeddings: float32 `[N, D]`, finite.
        hashes: perceptual hash of each photo, uint64 `[N]`, or None to go by the embeddings alone.
        labels: int64 `[N]`, index of the class of each.
        groups: recording of each.

    Returns:
        Row numbers of each set, ascending; no photo is in two of them.

    Raises:
        ValueError: the lengths differ.
    """
    photos = Photos(embeddings, hashes, labels, groups)
    number: dict[tuple[str, int], int] = {}
    origins = zip(groups, labels.tolist(), strict=True)
    index = np.fromiter((number.setdefault(origin, len(number)) for origin in origins), np.int64, len(groups))
    roots = np.arange(len(index))
    every = _Compared(photos, np.arange(len(index)))
    for tall, wide in _tiles(len(index)):
        apart = index[tall][:, None] != index[wide][None, :]
        apart &= roots[tall][:, None] != roots[wide][None, :]
        roots = _unite(roots, *every.alike(every, tall, wide, apart).T)
    order = np.argsort(roots, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(roots[order])) + 1)
    return tuple(tuple(rows.tolist()) for rows in sets if len(rows) > 1)


def leaking(tested: Photos, trained: Photos) -> NDArray[np.bool_]:
    """Return which photos of a test set a model has seen the like of, so that naming them proves nothing.

    Returns:
        Bool `[N]`: true where photos of the same recording, or nearly the same picture of the class, were trained on.
    """
    known = set(trained.groups)
    found = np.fromiter((group in known for group in tested.groups), np.bool_, len(tested.groups))
    one = _Compared(tested, np.arange(len(found)))
    other = _Compared(trained, np.arange(len(trained.labels)))
    for tall, wide in _tiles(len(found), len(trained.labels)):
        open_pairs = tested.labels[tall][:, None] == trained.labels[wide][None, :]
        open_pairs &= ~found[tall][:, None]
        found[one.alike(other, tall, wide, open_pairs)[:, 0]] = True
    return found


class _Compared:
    """Some photos, made ready to be compared."""

    def __init__(self, photos: Photos, rows: NDArray[np.int64]) -> None:
        self._embeddings = photos.embeddings[rows]
        self._lengths = np.linalg.norm(self._embeddings, axis=1)
        self._signs: NDArray[np.float32] | None = None
        if photos.hashes is not None:
            octets = np.ascontiguousarray(photos.hashes[rows]).view(np.uint8).reshape(len(rows), 8)
            # One and minus one instead of bits, so that a product counts how many agree.
            self._signs = np.unpackbits(octets, axis=1).astype(np.float32) * 2 - 1

    def alike(self, other: "_Compared", tall: slice, wide: slice, among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return which of some pairs are nearly the same picture.

        Args:
            other: the photos of the columns.
            tall: photos to compare, by place.
            wide: with these of the others.
            among: pairs to look at, bool, as large as both; it is overwritten.

        Returns:
            Places in both, int64 `[P, 2]`.
        """
        if self._signs is not None and other._signs is not None:
            among &= self._signs[tall] @ other._signs[wide].T >= 64 - 2 * BITS
        first, second = np.nonzero(among)
        if not len(first):
            return np.empty((0, 2), np.int64)
        first, second = first + tall.start, second + wide.start
        rows, columns = np.unique(first), np.unique(second)
        if len(rows) * len(columns) < _FASTER * len(first):
            products = self._embeddings[rows] @ other._embeddings[columns].T
            dots = products[np.searchsorted(rows, first), np.searchsorted(columns, second)]
        else:
            dots = np.concatenate(
                [
                    np.einsum(
                        "nd,nd->n",
                        self._embeddings[first[at : at + _PAIRS]],
                        other._embeddings[second[at : at + _PAIRS]],
                    )
                    for at in range(0, len(first), _PAIRS)
                ]
            )
        lengths, others = self._lengths[first], other._lengths[second]
        # A photo in which the network sees nothing is like others of that kind only.
        near = (lengths * others - dots <= ANGLE * lengths * others) & ((lengths > 0) == (others > 0))
        return np.column_stack([first[near], second[near]])


def _unite(roots: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Unite sets of which each member knows the smallest (union-find, for many pairs at once).

    Args:
        roots: smallest member of the set of each, int64 `[N]`.
        one: members, int64 `[P]`.
        other: the members their sets are to be united with, int64 `[P]`.

    Returns:
        Smallest member of the set of each as it is then.
    """
    roots = roots.copy()
    while len(one):
        first, second = roots[one], roots[other]
        apart = first != second
        one, other, first, second = one[apart], other[apart], first[apart], second[apart]
        # Every root goes to the smallest it has a pair with, and what hangs on it follows.
        np.minimum.at(roots, np.maximum(first, second), np.minimum(first, second))
        while not np.array_equal(higher := roots[roots], roots):
            roots = higher
    return roots


def _tiles(rows: int, columns: int | None = None) -> Iterator[tuple[slice, slice]]:
    """Cut all pairs into tiles; without columns, of photos with each other, half of which are enough."""
    for top in range(0, rows, _TALL):
        tall = slice(top, min(top + _TALL, rows))
        for left in range(top if columns is None else 0, rows if columns is None else columns, _WIDE):
            yield tall, slice(left, min(left + _WIDE, rows if columns is None else columns))
