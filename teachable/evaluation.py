"""What is honestly known about accuracy: tested on photos from recordings the head never saw.

It owns the split by capture group, the interval and the counts. Fitting is `teachable.heads`. The head tested here is
not the one that is handed out (that one learns from every photo), so the figure is, if anything, a little low.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachable import heads
from teachable.scores import ClassScore, EpochPoint, Evaluation
from teachable.settings import check_training
from teachable.types import Embeddings, Head, Labels, TrainSettings

SHARE = 0.2


@dataclass(frozen=True)
class Split:
    """Which photos are learned from and which are kept for the test.

    Attributes:
        train: row numbers, ascending, int64.
        held_out: row numbers, ascending, int64; no group is in both.
        unjudged: indices of classes none of whose photos could be held out.
    """

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    unjudged: tuple[int, ...]


@dataclass(frozen=True)
class Examination:
    """A test, photo by photo, so that two networks, or two files of one model, can be compared on the same ones.

    Attributes:
        evaluation: what came out.
        held_out: row numbers of the photos tested, ascending, int64 `[M]`.
        predicted: index of the class each was named, int64 `[M]`.
        head: the one that was tested; it never saw the photos held out.
    """

    evaluation: Evaluation
    held_out: NDArray[np.int64]
    predicted: NDArray[np.int64]
    head: Head


def split(labels: Labels, groups: Sequence[str], seed: int = 0, share: float = SHARE) -> Split:
    """Hold out whole groups, of every class about `share` of its photos, never all of them and never none.

    A class with a single group stays in training and is unjudged. A group that occurs in several classes is on one
    side in all of them; where that leaves a class nothing to hold out, it is unjudged too.

    Args:
        labels: int64 `[N]`, index of the class of each row.
        groups: capture group of each row.
        seed: which groups are taken.
        share: part of each class to hold out, between 0 and 1.

    Raises:
        ValueError: labels and groups differ in length, or the share is no share.
    """
    if len(labels) != len(groups):
        raise ValueError(f"{len(labels)} labels, but {len(groups)} groups")
    if not 0 < share < 1:
        raise ValueError("the share to hold out must be between 0 and 1")
    sizes: dict[str, Counter[int]] = {}
    for label, group in zip(labels.tolist(), groups, strict=True):
        sizes.setdefault(group, Counter())[label] += 1
    names = list(sizes)
    order = [names[index] for index in np.random.default_rng(seed).permutation(len(names))]
    held = _choose({name: sizes[name] for name in order}, share)
    is_held = np.fromiter((group in held for group in groups), np.bool_, len(groups))
    judged = set(labels[is_held].tolist())
    return Split(
        np.flatnonzero(~is_held),
        np.flatnonzero(is_held),
        tuple(label for label in sorted(set(labels.tolist())) if label not in judged),
    )


def _choose(sizes: Mapping[str, Counter[int]], share: float) -> set[str]:
    """Choose the groups to hold out, from the photos per class of each group, in the order they are to be tried."""
    groups_of: dict[int, list[str]] = {}
    total: Counter[int] = Counter()
    for name, size in sizes.items():
        total.update(size)
        for label in size:
            groups_of.setdefault(label, []).append(name)
    held: set[str] = set()
    have: Counter[int] = Counter()

    def possible(name: str) -> bool:
        """Whether every class in this group keeps something to learn from without it."""
        return name not in held and all(have[label] + count < total[label] for label, count in sizes[name].items())

    def take(name: str) -> None:
        held.add(name)
        have.update(sizes[name])

    # Classes with the fewest groups choose first: they have the least choice.
    for label in sorted(groups_of, key=lambda label: (len(groups_of[label]), label)):
        wanted = share * total[label]
        for name in groups_of[label]:
            nearer = abs(have[label] + sizes[name][label] - wanted) < abs(have[label] - wanted)
            if nearer and possible(name):
                take(name)
        if not have[label]:
            # Every group is more than twice the share: the smallest does the least harm.
            rest = [name for name in groups_of[label] if possible(name)]
            if rest:
                take(min(rest, key=lambda name: sizes[name][label]))
    return held


def evaluate(
    embeddings: Embeddings,
    labels: Labels,
    groups: Sequence[str],
    class_count: int,
    settings: TrainSettings,
    on_epoch: Callable[[EpochPoint], None] | None = None,
) -> Evaluation:
    """Fit a head on part of the photos and count what it names correctly in the rest; see `examine`."""
    return examine(embeddings, labels, groups, class_count, settings, on_epoch).evaluation


def examine(
    embeddings: Embeddings,
    labels: Labels,
    groups: Sequence[str],
    class_count: int,
    settings: TrainSettings,
    on_epoch: Callable[[EpochPoint], None] | None = None,
) -> Examination:
    """Fit a head on part of the photos, name the rest and count what is correct.

    Args:
        embeddings: float32 `[N, D]`.
        labels: int64 `[N]`, index of the class.
        groups: capture group of each row; photos of one group look alike and are never on both sides.
        class_count: number of classes.
        settings: of the training; its seed also draws the split.
        on_epoch: called after each epoch; an exception it raises stops the test and reaches the caller.

    Raises:
        InvalidInput: as `heads.fit`.
        ValueError: as `heads.fit`, or groups of another length.
    """
    check_training(settings)
    parts = split(labels, groups, settings.seed)
    held = (embeddings[parts.held_out], labels[parts.held_out])
    fitted = heads.fit(embeddings[parts.train], labels[parts.train], class_count, settings, held, on_epoch)
    confusion = np.zeros((class_count, class_count), np.int64)
    predicted = np.empty(0, np.int64)
    if len(held[1]):
        predicted = heads.logits(fitted.head, held[0]).argmax(axis=1)
        np.add.at(confusion, (held[1], predicted), 1)
    correct, total = int(np.trace(confusion)), int(confusion.sum())
    low, high = wilson(correct, total) if total else (None, None)
    evaluation = Evaluation(
        accuracy=correct / total if total else None,
        low=low,
        high=high,
        held_out=total,
        correct=correct,
        per_class=tuple(ClassScore(int(row[index]), int(row.sum())) for index, row in enumerate(confusion)),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        unjudged=parts.unjudged,
        history=fitted.history,
    )
    return Examination(evaluation, parts.held_out, predicted, fitted.head)


def wilson(correct: int, total: int) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a share (Wilson 1927, without continuity correction).

    Args:
        correct: number of successes.
        total: number of trials, at least one.

    Raises:
        ValueError: there are no trials, or more successes than trials.
    """
    if not 0 <= correct <= total or not total:
        raise ValueError(f"{correct} of {total} is no share")
    z = 1.959963984540054
    share = correct / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    reach = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    # At the ends the two terms are equal, and rounding must not leave a crumb.
    return middle - reach if correct else 0.0, middle + reach if correct < total else 1.0
