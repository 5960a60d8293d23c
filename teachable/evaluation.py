"""What is honestly known about accuracy: tested on photos from recordings the head never saw.

It owns the tests: cross-validation, the single split, the test set, and the random split that most tools would show.
Fitting is `teachable.heads`, which photos are tested together `teachable.folds`, which recordings are one
`teachable.duplicates`. The heads tested here are not the one that is handed out (that one learns from every photo), so
the figure is, if anything, a little low.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from teachable import calibration, duplicates, folds, heads, intervals
from teachable.scores import ClassScore, EpochPoint, Evaluation, Outcomes, TestScore
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


@dataclass(frozen=True)
class CrossValidation:
    """A test of every photo that can be tested, each by a head that saw nothing of its recording.

    Attributes:
        evaluation: what came out.
        outcomes: the same photo by photo.
        groups: recording of each row, near-duplicates joined.
        folds: in which fold each row was tested, or `folds.ALWAYS`, int64 `[N]`.
    """

    evaluation: Evaluation
    outcomes: Outcomes
    groups: list[str]
    folds: NDArray[np.int64]


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
    predicted = heads.logits(fitted.head, held[0]).argmax(axis=1)
    tested = [groups[row] for row in parts.held_out.tolist()]
    evaluation = _score(predicted, held[1], tested, class_count)
    evaluation = replace(evaluation, unjudged=parts.unjudged, history=fitted.history)
    return Examination(evaluation, parts.held_out, predicted, fitted.head)


def _score(
    predicted: NDArray[np.int64], truth: Labels, groups: Sequence[str], class_count: int, missing: float = 0.0
) -> Evaluation:
    """Count what is correct among photos tested, which may be none, of these recordings; see `intervals.clustered`."""
    confusion = np.zeros((class_count, class_count), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    correct, total = int(np.trace(confusion)), len(truth)
    low, high = intervals.clustered(predicted == truth, groups, missing) if total else (None, None)
    return Evaluation(
        accuracy=correct / total if total else None,
        low=low,
        high=high,
        held_out=total,
        correct=correct,
        per_class=tuple(ClassScore(int(row[index]), int(row.sum())) for index, row in enumerate(confusion)),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        unjudged=(),
        history=(),
    )


def cross_validate(
    embeddings: Embeddings,
    labels: Labels,
    groups: Sequence[str],
    class_count: int,
    settings: TrainSettings,
    hashes: NDArray[np.uint64] | None = None,
    on_epoch: Callable[[float, EpochPoint], None] | None = None,
    *,
    join: bool = True,
) -> CrossValidation:
    """Test on every recording once, with a head that learned from the others.

    Recordings that share nearly the same picture count as one. Where no class can be judged, one head is still fitted,
    on all photos, for its curve.

    Args:
        embeddings: float32 `[N, D]`.
        labels: int64 `[N]`, index of the class.
        groups: recording of each row.
        class_count: number of classes.
        settings: of the training; its seed also draws the folds.
        hashes: perceptual hash of each photo, uint64 `[N]`, or None to compare photos by their embeddings alone.
        on_epoch: called after each epoch with the part of all epochs that is done, 0 to 1, and the state of the head
            that is being fitted; an exception it raises stops the test and reaches the caller.
        join: look for near-duplicates; without, the groups are taken as they are.

    Raises:
        InvalidInput: as `heads.fit`.
        ValueError: as `heads.fit`, or groups or hashes of another length.
    """
    heads.check(embeddings, labels, class_count, settings)
    recordings = duplicates.join(embeddings, hashes, labels, groups) if join else list(groups)
    places = folds.assign(labels, recordings, settings.seed)
    outcomes, history = _fold_by_fold(embeddings, labels, places, class_count, settings, on_epoch)
    named, truth = outcomes.logits.argmax(axis=1), labels[outcomes.rows]
    tested = [recordings[row] for row in outcomes.rows.tolist()]
    missing = folds.left_out(labels, outcomes.rows, outcomes.folds)
    found = _score(named, truth, tested, class_count, float(missing.mean()) if len(missing) else 0.0)
    evaluation = replace(
        found,
        unjudged=tuple(index for index, score in enumerate(found.per_class) if not score.total),
        history=history,
        folds=len(np.unique(outcomes.folds)),
        recordings=len(set(recordings)),
        joined=_joined(groups, recordings),
        merged=_merged(labels, groups, recordings, class_count),
        calibration=calibration.fit(outcomes.logits, truth, outcomes.folds),
    )
    return CrossValidation(evaluation, outcomes, recordings, places)


def _fold_by_fold(
    embeddings: Embeddings,
    labels: Labels,
    places: NDArray[np.int64],
    class_count: int,
    settings: TrainSettings,
    on_epoch: Callable[[float, EpochPoint], None] | None,
) -> tuple[Outcomes, tuple[EpochPoint, ...]]:
    """Test every fold with a head that learned from all others; return that and the curve of the first head."""
    scores = np.empty((len(labels), class_count), np.float32)
    history: tuple[EpochPoint, ...] = ()
    parts = sorted(set(places.tolist()) - {folds.ALWAYS}) or [folds.FOLDS]
    for index, part in enumerate(parts):
        rest, held = np.flatnonzero(places != part), np.flatnonzero(places == part)
        test = (embeddings[held], labels[held])
        watch = _share_of(on_epoch, index, len(parts), settings.epochs)
        fitted = heads.fit(embeddings[rest], labels[rest], class_count, settings, test, watch)
        scores[held] = heads.logits(fitted.head, test[0])
        history = history or fitted.history
    rows = np.flatnonzero(places != folds.ALWAYS)
    return Outcomes(rows, places[rows], scores[rows]), history


def _share_of(
    on_epoch: Callable[[float, EpochPoint], None] | None, index: int, count: int, epochs: int
) -> Callable[[EpochPoint], None] | None:
    """Return what passes on the epochs of one fit of several."""
    if on_epoch is None:
        return None
    return lambda point: on_epoch((index + point.epoch / epochs) / count, point)


def _joined(groups: Sequence[str], recordings: Sequence[str]) -> int:
    """Count the photos whose recording became part of another one."""
    return sum(group != recording for group, recording in zip(groups, recordings, strict=True))


def _merged(labels: Labels, groups: Sequence[str], recordings: Sequence[str], class_count: int) -> tuple[int, ...]:
    """Return the classes of several groups that became a single recording."""
    before: list[set[str]] = [set() for _ in range(class_count)]
    after: list[set[str]] = [set() for _ in range(class_count)]
    for label, group, recording in zip(labels.tolist(), groups, recordings, strict=True):
        before[label].add(group)
        after[label].add(recording)
    return tuple(index for index in range(class_count) if len(before[index]) > 1 and len(after[index]) == 1)


def test_score(
    head: Head,
    embeddings: Embeddings,
    labels: Labels,
    class_count: int,
    groups: Sequence[str],
    leaking: NDArray[np.bool_],
) -> TestScore | None:
    """Count what a finished model names correctly among photos it was never to learn from.

    Args:
        head: of the model.
        embeddings: of the test set, float32 `[N, D]`.
        labels: int64 `[N]`, index of the class.
        class_count: number of classes.
        groups: recording of each row.
        leaking: rows that are left out, because the model has seen the like of them; see `duplicates.leaking`.

    Returns:
        None where there is no test set. With all of it leaking, the interval is from 0 to 1.

    Raises:
        InvalidInput: values that are not finite.
        ValueError: arrays whose shapes do not fit together.
    """
    if not len(labels):
        return None
    heads.check_rows(embeddings, labels, class_count)
    rows = np.flatnonzero(~leaking)
    named = heads.logits(head, embeddings[rows]).argmax(axis=1)
    truth, recordings = labels[rows], [groups[row] for row in rows.tolist()]
    found = _score(named, truth, recordings, class_count)
    return TestScore(
        correct=found.correct,
        total=found.held_out,
        low=0.0 if found.low is None else found.low,
        high=1.0 if found.high is None else found.high,
        per_class=found.per_class,
        confusion=found.confusion,
        leaking=len(labels) - len(rows),
        ranges=tuple(_range(named == truth, recordings, truth == index) for index in range(class_count)),
    )


def _range(
    right: NDArray[np.bool_], recordings: Sequence[str], chosen: NDArray[np.bool_]
) -> tuple[float, float] | None:
    """Return the interval of the share of some photos named correctly, or None if there are none of them."""
    if not chosen.any():
        return None
    return intervals.clustered(right[chosen], [recordings[row] for row in np.flatnonzero(chosen).tolist()])


def random_split(
    embeddings: Embeddings,
    labels: Labels,
    class_count: int,
    settings: TrainSettings,
    on_progress: Callable[[float], None] | None = None,
    rows: NDArray[np.int64] | None = None,
) -> tuple[int, int] | None:
    """Count what ordinary cross-validation finds, which tests on neighbours of what was learned: the usual figure.

    Photos are shuffled and dealt into folds class by class, as if each were a recording of its own. It is there to be
    shown beside the honest figure, never instead of it, and beside it on the same photos.

    Args:
        embeddings: float32 `[N, D]`.
        labels: int64 `[N]`, index of the class.
        class_count: number of classes.
        settings: of the training; its seed also draws the folds.
        on_progress: called with the part that is done, 0 to 1; an exception it raises reaches the caller.
        rows: of the photos that are counted, int64; all if not given. Every photo is learned from in either case.

    Returns:
        Photos named correctly, and photos tested; None where none of these could be: every class has a single photo.

    Raises:
        InvalidInput: as `heads.fit`.
        ValueError: as `heads.fit`.
    """
    alone = [str(row) for row in range(len(labels))]
    watch = None if on_progress is None else lambda part, point: on_progress(part)
    found = cross_validate(embeddings, labels, alone, class_count, settings, on_epoch=watch, join=False).outcomes
    counted = np.ones(len(found.rows), np.bool_) if rows is None else np.isin(found.rows, rows)
    right = found.logits.argmax(axis=1) == labels[found.rows]
    return (int(right[counted].sum()), int(counted.sum())) if counted.any() else None
