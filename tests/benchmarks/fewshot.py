"""How well a few photos teach each network: the table that decides which network is built in.

    python -m tests.benchmarks.fewshot FOLDER [--network NAME]… [--peer FILE] [--splits 10]

FOLDER holds one folder per set, each with one folder of photos per class. Every network that is present is measured, or
those that are named; a name may also be a file, so that a candidate can be measured before it is installed. Beside them
stand colours and outlines without any network and, given with `--peer`, Teachable Machine's own network. Nothing is
asserted: the figures are for people.
"""

import argparse
import hashlib
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort
import PIL.Image
from numpy.typing import NDArray

from teachable import conversion, settings
from teachable.embeddings import Embedder
from teachable.errors import TeachableError
from teachable.library import Library
from teachable.types import Embeddings, Image, Labels
from tests.benchmarks import datasets
from tests.benchmarks.datasets import SHOTS, SPLITS, Embed, PhotoSet, Rows, Unusable
from tests.benchmarks.heads import Method, ours, teachable_machine

WEIGHTS = (".onnx", ".safetensors", ".pth")
"""Endings of the files that may be named instead of a network."""
_BASELINE_SIDE = 128


@dataclass(frozen=True)
class Source:
    """Something that turns photos into embeddings.

    Attributes:
        name: as the table says it.
        key: another one for everything that gives other embeddings.
        open: loads it; called only if embeddings are needed that are not kept from an earlier run.
    """

    name: str
    key: str
    open: Callable[[], Embed]


@dataclass(frozen=True)
class Contender:
    """One row of the table: embeddings of a source, and the head that learns from them."""

    source: Source
    head: str
    method: Method


Accuracies = Mapping[str, NDArray[np.float64]]
"""Share of held-out photos named correctly in each split, `[splits]`, by the name of the set."""


def present(named: Sequence[str]) -> list[Source]:
    """Return the built-in network and those named, or all that are present if none is named.

    Args:
        named: ids of networks that are present, and files of networks that need not be.

    Raises:
        Unusable: there is no such file.
        TeachableError: there is no such network, or a file holds none.
    """
    library = Library(settings.networks_folder(settings.home()))
    builtin = library.builtin()
    files = {name: Path(name) for name in named if Path(name).suffix.lower() in WEIGHTS}
    records = [library.find(name) for name in named if name not in files] if named else library.present()
    sources = [
        Source(record.id, record.fingerprint, lambda record=record: Embedder(library.read(record)).embed)
        for record in (builtin, *(record for record in records if record != builtin))
    ]
    return [*sources, *map(_candidate, files.values())]


def _candidate(path: Path) -> Source:
    """Return a network of a file as it would be installed."""
    if not path.is_file():
        raise Unusable(f"There is no file {path}.")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "candidate.onnx"
        conversion.convert(path, out, architecture=None, cancelled=threading.Event())
        graph = out.read_bytes()
    return Source(path.name, hashlib.sha256(graph).hexdigest(), lambda: Embedder(graph).embed)


def peer(path: Path) -> Source:
    """Return Teachable Machine's network with its own way of preparing a photo: centre square, 224 px, x / 127 - 1.

    The square is sampled as a browser's canvas does it, from the four nearest pixels; averaging all of them, as our
    graphs do, suits this network less.

    Args:
        path: an ONNX file, `image` float32 `[N, 3, S, S]` from -1 to 1 to `embedding` float32 `[N, D]`.

    Raises:
        Unusable: there is no such file, or it holds another kind of network.
    """
    if not path.is_file():
        raise Unusable(f"There is no file {path}.")
    graph = path.read_bytes()
    try:
        session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Unusable(f"{path} is no ONNX file that can be run.") from error
    taken, given = session.get_inputs()[0], [one.name for one in session.get_outputs()]
    if taken.name != "image" or taken.shape[1] != 3 or not isinstance(taken.shape[-1], int) or "embedding" not in given:
        raise Unusable(
            f"{path} takes {taken.name} {taken.shape}, gives {given}: not `image` [N, 3, S, S] to `embedding`."
        )
    side = int(taken.shape[-1])

    def embed(photos: Sequence[Image]) -> Embeddings:
        squares = np.stack([_sampled_square(photo, side) for photo in photos])
        pixels = squares.transpose(0, 3, 1, 2).astype(np.float32) / 127 - 1
        found: Embeddings = session.run(["embedding"], {"image": pixels})[0]
        return found

    return Source(f"peer {path.stem}", f"canvas-1 {hashlib.sha256(graph).hexdigest()}", lambda: embed)


def colours_and_outlines(photos: Sequence[Image]) -> Embeddings:
    """Describe photos as one did before networks: colour histogram, and histograms of oriented gradients.

    The colours are 8 x 8 x 8 bins of RGB, as square roots of shares (Arandjelovic and Zisserman 2012). The gradients
    (Dalal and Triggs 2005) are of 9 directions in cells of 16 px, normalised over blocks of 2 x 2. Both halves are
    scaled to length one, so that they weigh the same.

    Returns:
        float32 `[N, 2276]`.
    """
    from skimage.feature import hog

    rows = []
    for photo in photos:
        square = _square(photo, _BASELINE_SIDE)
        bins = (square >> 5).reshape(-1, 3).astype(np.int64) @ [64, 8, 1]
        colours = np.sqrt(np.bincount(bins, minlength=512) / len(bins))
        outlines = hog(square, 9, (16, 16), (2, 2), channel_axis=-1)
        rows.append(np.concatenate([colours, outlines / max(np.linalg.norm(outlines), 1e-12)]))
    return np.array(rows, np.float32)


def _square(photo: Image, side: int) -> Image:
    """Return the centre square of a photo, uint8 `[side, side, 3]`."""
    picture = PIL.Image.fromarray(photo).resize((side, side), PIL.Image.Resampling.BILINEAR, _box(photo))
    square: Image = np.asarray(picture)
    return square


def _sampled_square(photo: Image, side: int) -> Image:
    """Return the centre square as a canvas draws it, to half a step on average, uint8 `[side, side, 3]`."""
    extent = PIL.Image.Transform.EXTENT
    picture = PIL.Image.fromarray(photo).transform((side, side), extent, _box(photo), PIL.Image.Resampling.BILINEAR)
    square: Image = np.asarray(picture)
    return square


def _box(photo: Image) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the centre square."""
    height, width = photo.shape[:2]
    short = min(height, width)
    left, top = (width - short) // 2, (height - short) // 2
    return left, top, left + short, top + short


def contenders(named: Sequence[str], peer_file: Path | None) -> list[Contender]:
    """Return the rows of the table, the built-in network first.

    Args:
        named: networks, see `present`.
        peer_file: of Teachable Machine's network, which gets our head and its own.
    """
    rows = [Contender(source, "ours", ours) for source in present(named)]
    if peer_file is not None:
        other = peer(peer_file)
        rows += [Contender(other, "ours", ours), Contender(other, "its own", teachable_machine)]
    return [*rows, Contender(Source("colours + HOG", "colours-hog-1", lambda: colours_and_outlines), "ours", ours)]


def measure(contender: Contender, sets: Iterable[PhotoSet], shots: int, count: int) -> Accuracies:
    """Return the accuracies of a row on every set that has enough photos.

    Args:
        contender: the row.
        sets: of photos.
        shots: photos of each class to learn from.
        count: how many random splits; the same for every row.
    """
    source, load = contender.source, cache(contender.source.open)
    found = {}
    for one in usable(sets, shots):
        embeddings = datasets.embeddings_of(one, source.key, lambda photos: load()(photos))
        parts = datasets.splits(one.labels, shots, count)
        found[one.name] = np.array([_accuracy(contender.method, embeddings, one.labels, *part) for part in parts])
    return found


def _accuracy(method: Method, embeddings: Embeddings, labels: Labels, train: Rows, test: Rows) -> float:
    shares = method(embeddings[train], labels[train], embeddings[test])
    return float((shares.argmax(axis=1) == labels[test]).mean())


def usable(sets: Iterable[PhotoSet], shots: int) -> list[PhotoSet]:
    """Return the sets that have a photo of each class left to test on."""
    return [one for one in sets if one.smallest > shots]


def table(sets: Sequence[PhotoSet], rows: Mapping[Contender, Accuracies]) -> Iterator[str]:
    """Yield the lines of one table: per cent, mean and standard error over the splits.

    The mean over the sets is taken within each split first, and so is the difference to the first row: all rows have
    the same splits, so that much of what splits do to accuracy cancels out.
    """
    names = [one.name for one in sets]
    first = next(iter(rows))
    yield f"| network | head | {' | '.join(names)} | mean | over {first.source.name} |"
    yield f"|---|---|{'--:|' * (len(names) + 2)}"
    means = {row: np.mean(list(found.values()), axis=0) for row, found in rows.items()}
    for row, found in rows.items():
        cells = [_cell(found[name]) if name in found else "–" for name in names]
        more = "" if row is first else _cell(means[row] - means[first], sign="+")
        yield f"| {row.source.name} | {row.head} | {' | '.join(cells)} | {_cell(means[row])} | {more} |"


def _cell(shares: NDArray[np.float64], sign: str = "") -> str:
    mean = f"{100 * shares.mean():{sign}.1f}"
    return mean if len(shares) < 2 else f"{mean} ± {100 * shares.std(ddof=1) / len(shares) ** 0.5:.1f}"


def preface(sets: Sequence[PhotoSet], count: int, *, with_peer: bool) -> Iterator[str]:
    """Yield what a reader must know about the figures."""
    text = (
        f"Accuracy on held-out photos in per cent: mean ± standard error over {count} random splits (seeds 0 to "
        f"{count - 1}), the same for every row. The error says how much chance there is in the splits, not how "
        "other sets would differ. Held out are all photos that are not learned from, at most "
        f"{datasets.HELD_OUT} of a class. "
        "Random splits flatter every row alike where photos of a set are consecutive frames of one recording: near "
        "copies of what was learned are tested on. Compare rows; do not expect these figures of photos taken elsewhere."
    )
    yield textwrap.fill(text, 120)
    if not with_peer:
        yield "Teachable Machine's own network is left out: no --peer file was given."
    for one in sets:
        chance = f"{100 / len(one.classes):.1f} % by guessing"
        yield f"- {one.name}: {len(one.photos)} photos of {len(one.classes)} classes, {chance}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every row at every number of photos and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fewshot", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="sets, each a folder of class folders")
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME",
        help=f"id of a network that is present, or a file ({', '.join(WEIGHTS)}); again for a further one; all if none",
    )
    parser.add_argument("--peer", type=Path, metavar="FILE", help="Teachable Machine's network as ONNX")
    parser.add_argument("--splits", type=int, default=SPLITS, metavar="N", help=f"random splits, {SPLITS} if not given")
    given = parser.parse_args(arguments)
    if given.splits < 1:
        parser.error("at least one split is needed")
    try:
        _print(datasets.find(given.folder), contenders(given.network, given.peer), given.splits, given.peer is not None)
    except (Unusable, TeachableError) as error:
        parser.error(str(error))


def _print(sets: Sequence[PhotoSet], rows: Sequence[Contender], count: int, with_peer: bool) -> None:
    print("\n".join(preface(sets, count, with_peer=with_peer)))
    for shots in SHOTS:
        print(f"\n{shots} photo{'s' * (shots > 1)} per class\n", flush=True)
        enough = usable(sets, shots)
        if not enough:
            print("No set has so many photos.")
            continue
        found = {}
        for row in rows:
            print(f"{row.source.name}, {row.head} …", file=sys.stderr)
            found[row] = measure(row, enough, shots, count)
        print("\n".join(table(sets, found)), flush=True)


if __name__ == "__main__":
    main()
