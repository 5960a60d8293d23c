"""Are copies of a photo found, and are other photos left alone? The table behind `teachable.duplicates`.

    python -m tests.benchmarks.duplicates FOLDER

FOLDER holds one folder per set, each with one folder of photos per class. Every photo is copied in several ways, and a
copy counts as found if it and its original would become one recording. All other pairs of photos should not: those of
one class that do are worth a look, those of different classes are mistakes.
"""

import argparse
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from teachable import backbones, duplicates, images, looks
from teachable.embeddings import Embedder
from teachable.errors import TeachableError
from teachable.types import Embeddings, Image, Labels
from tests.benchmarks import datasets
from tests.benchmarks.datasets import Embed, PhotoSet, Unusable

# Of each set, evenly spread.
COPIED = 80


def compressed(photo: Image) -> Image:
    """Return a photo as a JPEG of quality 30 shows it."""
    stream = io.BytesIO()
    PIL.Image.fromarray(photo).save(stream, "JPEG", quality=30)
    return np.asarray(PIL.Image.open(stream))


def halved(photo: Image) -> Image:
    """Return a photo of half the width and height."""
    return np.asarray(PIL.Image.fromarray(photo).reduce(2))


def darker(photo: Image) -> Image:
    """Return a photo a third darker."""
    return (photo * np.float32(2 / 3)).astype(np.uint8)


def cropped(share: float) -> Callable[[Image], Image]:
    """Return what takes a share of height and width away, all of it at one corner."""
    return lambda photo: np.ascontiguousarray(photo[round(len(photo) * share) :, round(photo.shape[1] * share) :])


def turned(photo: Image) -> Image:
    """Return a photo turned by two degrees, black at the corners."""
    return np.asarray(PIL.Image.fromarray(photo).rotate(2, PIL.Image.Resampling.BILINEAR))


COPIES: dict[str, Callable[[Image], Image]] = {
    "JPEG 30": compressed,
    "half size": halved,
    "darker": darker,
    "− 2 %": cropped(0.02),
    "− 10 %": cropped(0.1),
    "turned 2°": turned,
}


def found(originals: Sequence[Image], copies: Sequence[Image], embed: Embed) -> float:
    """Return the share of copies that would become one recording with their originals."""
    (one, one_hashes), (other, other_hashes) = described(originals, embed), described(copies, embed)
    count = 0
    for row in range(len(originals)):
        pair, hashes = np.stack([one[row], other[row]]), np.stack([one_hashes[row], other_hashes[row]])
        count += len(set(duplicates.join(pair, hashes, np.zeros(2, np.int64), ["original", "copy"]))) == 1
    return count / len(originals)


def described(photos: Sequence[Image], embed: Embed) -> tuple[Embeddings, NDArray[np.uint64]]:
    """Return what photos are compared by."""
    return embed(photos), np.concatenate([looks.measure(photo).hashes for photo in photos])


def mistaken(embeddings: Embeddings, hashes: NDArray[np.uint64], labels: Labels) -> tuple[int, int, int, int]:
    """Return pairs of one class that are taken for copies, all such pairs, and the same of different classes."""
    taken, pairs = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for one in range(len(labels)):
        rest = slice(one + 1, None)
        same = labels[rest] == labels[one]
        pairs += [int(same.sum()), int((~same).sum())]
        # All of one class here, because copies are looked for within classes only.
        tested = duplicates.Photos(embeddings[rest], hashes[rest], np.zeros(len(same), np.int64), ["other"] * len(same))
        this = duplicates.Photos(embeddings[one : one + 1], hashes[one : one + 1], np.zeros(1, np.int64), ["this"])
        near = duplicates.leaking(tested, this)
        taken += [int((near & same).sum()), int((near & ~same).sum())]
    return int(taken[0]), int(pairs[0]), int(taken[1]), int(pairs[1])


def table(sets: Iterable[PhotoSet], embed: Embed) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"| set | {' | '.join(COPIES)} | pairs of one class | of different classes |"
    yield f"|---|{'--:|' * (len(COPIES) + 2)}"
    for one in sets:
        photos = [images.load(path) for path in one.photos]
        some = photos[:: max(1, len(photos) // COPIED)]
        shares = [f"{100 * found(some, [copy(photo) for photo in some], embed):.0f} %" for copy in COPIES.values()]
        same, all_same, different, all_different = mistaken(*described(photos, embed), one.labels)
        others = f"{same:,} of {all_same:,} | {different:,} of {all_different:,}"
        yield f"| {one.name} | {' | '.join(shares)} | {others} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every set and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.duplicates", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="sets, each a folder of class folders")
    given = parser.parse_args(arguments)
    try:
        embedder = Embedder(backbones.read(backbones.builtin()))
        for line in table(datasets.find(given.folder), embedder.embed):
            print(line, flush=True)
    except (Unusable, TeachableError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
