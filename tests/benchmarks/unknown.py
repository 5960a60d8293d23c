"""How well a model notices what it was never taught: the table that decides what "familiar" means.

    python -m tests.benchmarks.unknown FOLDER [--network NAME] [--splits 10]

FOLDER holds one folder per set, each with one folder of photos per class. In each split half of the classes of a set
are taught and the others are strangers. Blocks of ten consecutive photos count as recordings; a third of those of the
classes taught is kept aside. A way to tell strangers gets these known photos of unseen recordings, the photos of the
classes left out, and those of the other sets, which show something else altogether. Nothing is asserted: the figures
are for people.
"""

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teachable import familiarity, heads
from teachable.errors import TeachableError
from teachable.types import UNKNOWN_BELOW, Embeddings, Labels, TrainSettings
from tests.benchmarks import datasets, fewshot
from tests.benchmarks.datasets import SPLITS, PhotoSet, Unusable

RECORDING = 10
"""Consecutive photos that count as one recording."""
FOLDS = 5

Scores = NDArray[np.float64]
"""How strange each photo is, `[N]`: the larger, the stranger."""
Method = Callable[[Embeddings, Labels], Callable[[Embeddings], Scores]]
"""Learns from photos and their classes, and returns what says how strange others are."""


@dataclass(frozen=True)
class Split:
    """What is taught, and what is asked about.

    Attributes:
        taught: embeddings float32 `[N, D]`.
        labels: class of each, from 0, int64 `[N]`.
        folds: of their recordings, int64 `[N]`.
        known: photos of the classes taught, of recordings kept aside.
        left_out: photos of the classes left out.
        elsewhere: photos of other sets.
    """

    taught: Embeddings
    labels: Labels
    folds: NDArray[np.int64]
    known: Embeddings
    left_out: Embeddings
    elsewhere: Embeddings


@dataclass(frozen=True)
class Found:
    """What came of one way on one split; shares from 0 to 1.

    Attributes:
        near: AUROC of known photos against classes left out.
        far: AUROC of known photos against other sets.
        accepted: known photos that pass the threshold, which 95 % of photos held out in cross-validation pass.
        refused_near: photos of classes left out that do not pass it.
        refused_far: photos of other sets that do not pass it.
    """

    near: float
    far: float
    accepted: float
    refused_near: float
    refused_far: float


def splits(labels: Labels, embeddings: Embeddings, elsewhere: Embeddings, count: int) -> Iterator[Split]:
    """Yield random splits; the same labels give the same ones.

    Args:
        labels: class of each photo of a set; photos of a class stand one after the other.
        embeddings: float32 `[N, D]`.
        elsewhere: embeddings of photos of other sets.
        count: how many splits.
    """
    places = np.concatenate([np.arange(number) for number in np.bincount(labels)])
    recordings = places // RECORDING
    for seed in range(count):
        random = np.random.default_rng(1000 + seed)
        classes = int(labels.max()) + 1
        known = np.sort(random.permutation(classes)[: max(2, classes // 2)])
        aside, folds = np.zeros(len(labels), np.bool_), np.zeros(len(labels), np.int64)
        for label in known:
            of_class = labels == label
            order = random.permutation(recordings[of_class].max() + 1)
            kept = max(1, len(order) // 3)
            aside |= of_class & np.isin(recordings, order[:kept])
            for index, recording in enumerate(order[kept:]):
                folds[of_class & (recordings == recording)] = index % FOLDS
        taught = np.isin(labels, known) & ~aside
        yield Split(
            embeddings[taught],
            np.searchsorted(known, labels[taught]),
            folds[taught],
            embeddings[aside],
            embeddings[~np.isin(labels, known)],
            elsewhere,
        )


# Ways to tell strangers


def largest_probability(taught: Embeddings, labels: Labels) -> Callable[[Embeddings], Scores]:
    """One minus the largest probability of softmax (Hendrycks and Gimpel 2017): the baseline."""
    head = heads.fit(taught, labels, int(labels.max()) + 1, TrainSettings()).head
    return lambda asked: 1 - heads.probabilities(head, asked).max(axis=1).astype(np.float64)


def energy(taught: Embeddings, labels: Labels) -> Callable[[Embeddings], Scores]:
    """Minus the log of the summed powers of the logits (Liu et al. 2020)."""
    head = heads.fit(taught, labels, int(labels.max()) + 1, TrainSettings()).head

    def score(asked: Embeddings) -> Scores:
        values = heads.logits(head, asked).astype(np.float64)
        most = values.max(axis=1)
        return -np.log(np.exp(values - most[:, None]).sum(axis=1)) - most

    return score


def neighbours(count: int, *, unit: bool) -> Method:
    """Distance to the nearest photos taught (Sun et al. 2022): needs all of their embeddings in the file."""

    def learn(taught: Embeddings, labels: Labels) -> Callable[[Embeddings], Scores]:
        rows = _unit(taught) if unit else taught

        def score(asked: Embeddings) -> Scores:
            given = _unit(asked) if unit else asked
            squares = (given**2).sum(1)[:, None] + (rows**2).sum(1) - 2 * given @ rows.T
            return np.sort(squares, axis=1)[:, min(count, len(rows)) - 1].astype(np.float64)

        return score

    return learn


def mahalanobis(width: int, *, unit: bool, shrinkage: float = 0.3) -> Method:
    """Distance to the nearest mean of a class, one covariance for all (Lee et al. 2018), in a space of PCA."""

    def learn(taught: Embeddings, labels: Labels) -> Callable[[Embeddings], Scores]:
        rows = (_unit(taught) if unit else taught).astype(np.float64)
        middle = rows.mean(axis=0)
        basis = np.linalg.svd(rows - middle, full_matrices=False)[2][:width]
        inside = (rows - middle) @ basis.T
        means = np.stack([inside[labels == one].mean(axis=0) for one in range(labels.max() + 1)])
        spread = np.cov((inside - means[labels]).T)
        spread = (1 - shrinkage) * spread + shrinkage * np.trace(spread) / len(basis) * np.eye(len(basis))
        whitening = np.linalg.inv(np.linalg.cholesky(spread)).T

        def score(asked: Embeddings) -> Scores:
            places = ((_unit(asked) if unit else asked) - middle) @ basis.T
            return (((places[:, None] - means) @ whitening) ** 2).sum(-1).min(axis=1)

        return score

    return learn


def ours(taught: Embeddings, labels: Labels) -> Callable[[Embeddings], Scores]:
    """What `teachable.familiarity` does, without its quantiles, which change no order."""
    # Which photos are held out makes no difference here; but some must be.
    fitted = familiarity.fit(taught, labels, np.arange(len(labels)) % FOLDS)
    if fitted is None:
        raise Unusable("Too few photos for our own distance.")
    return lambda asked: familiarity.distance(fitted, asked).astype(np.float64)


METHODS: Mapping[str, Method] = {
    "largest probability": largest_probability,
    "energy": energy,
    "nearest neighbour": neighbours(1, unit=False),
    "nearest neighbour, unit length": neighbours(1, unit=True),
    "5th neighbour, unit length": neighbours(5, unit=True),
    "Mahalanobis, 64 directions": mahalanobis(64, unit=False),
    "Mahalanobis, 64 directions, unit length": mahalanobis(64, unit=True),
    "ours": ours,
}
"""The baseline first."""


def _unit(embeddings: Embeddings) -> Embeddings:
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)


# Measuring


def auroc(known: Scores, strange: Scores) -> float:
    """Return how often a strange photo is found stranger than a known one; half where they are found alike.

    It is the area under the curve of true over false alarms (Hanley and McNeil 1982).
    """
    order = np.sort(known)
    below = np.searchsorted(order, strange, side="left") + np.searchsorted(order, strange, side="right")
    return float(below.mean() / 2 / len(known))


def measure(method: Method, split: Split) -> Found:
    """Return what comes of one way on one split."""
    held_out = [
        method(split.taught[split.folds != fold], split.labels[split.folds != fold])(split.taught[split.folds == fold])
        for fold in np.unique(split.folds)
    ]
    threshold = float(np.quantile(np.concatenate(held_out), 1 - UNKNOWN_BELOW))
    score = method(split.taught, split.labels)
    known, near, far = score(split.known), score(split.left_out), score(split.elsewhere)
    return Found(
        auroc(known, near),
        auroc(known, far),
        float((known <= threshold).mean()),
        float((near > threshold).mean()),
        float((far > threshold).mean()),
    )


def table(rows: Mapping[str, Mapping[str, Sequence[Found]]], columns: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a table in per cent: a row for each way, and columns for each set and for their mean.

    Args:
        rows: what was found, by way and by set.
        columns: fields of `Found`, and what they are called.
    """
    sets = list(next(iter(rows.values())))
    titles = [f"{one}: {title}" for one in (*sets, "mean") for title in columns.values()]
    yield f"| way | {' | '.join(titles)} |"
    yield f"|---|{'--:|' * len(titles)}"
    for name, found in rows.items():
        means = {one: [np.mean([getattr(item, field) for item in found[one]]) for field in columns] for one in sets}
        whole = np.mean(list(means.values()), axis=0)
        cells = [f"{100 * share:.1f}" for shares in (*means.values(), whole) for share in shares]
        yield f"| {name} | {' | '.join(cells)} |"


def preface(sets: Sequence[PhotoSet], network: str, count: int) -> Iterator[str]:
    """Yield what a reader must know about the figures."""
    text = (
        f"Embeddings of {network}; means over {count} random splits (seeds 1000 to {999 + count}). In each, half of "
        f"the classes of a set are taught. Known photos are of these, from blocks of {RECORDING} consecutive photos "
        "kept aside. AUROC: how often a strange photo is found stranger than a known one; 50 is guessing. Near: photos "
        "of the classes left out. Far: photos of the other sets. The threshold is the one that 95 % of the photos held "
        "out in cross-validation pass. The constants of our own way were chosen on these sets, with other splits."
    )
    yield textwrap.fill(text, 120)
    for one in sets:
        yield f"- {one.name}: {len(one.photos)} photos of {len(one.classes)} classes"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every way and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.unknown", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="sets, each a folder of class folders")
    parser.add_argument("--network", metavar="NAME", help="a network that is present; the built-in one if not given")
    parser.add_argument("--splits", type=int, default=SPLITS, metavar="N", help=f"random splits, {SPLITS} if not given")
    given = parser.parse_args(arguments)
    if given.splits < 1:
        parser.error("at least one split is needed")
    try:
        _print(datasets.find(given.folder), given.network, given.splits)
    except (Unusable, TeachableError) as error:
        parser.error(str(error))


def _print(sets: Sequence[PhotoSet], network: str | None, count: int) -> None:
    if len(sets) < 2:
        raise Unusable("Two sets are needed at least: the photos of one are strange to what is taught of another.")
    source = fewshot.present([network])[-1] if network else fewshot.present([])[0]
    print("\n".join(preface(sets, source.name, count)))
    embeddings = [datasets.embeddings_of(one, source.key, lambda photos: source.open()(photos)) for one in sets]
    drawn = {
        one.name: list(
            splits(one.labels, own, np.concatenate([other for other in embeddings if other is not own]), count)
        )
        for one, own in zip(sets, embeddings, strict=True)
    }
    rows: dict[str, dict[str, list[Found]]] = {}
    for name, method in METHODS.items():
        print(f"{name} …", file=sys.stderr)
        rows[name] = {one: [measure(method, split) for split in drawn[one]] for one in drawn}
    print("\nAUROC\n")
    print("\n".join(table(rows, {"near": "near", "far": "far"})))
    print("\nAt the threshold that photos held out pass in 95 of 100 cases\n")
    said = {"accepted": "known accepted", "refused_near": "near refused", "refused_far": "far refused"}
    print("\n".join(table({name: rows[name] for name in ("largest probability", "ours")}, said)))


if __name__ == "__main__":
    main()
