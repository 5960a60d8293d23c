"""Folds keep recordings whole, leave every class something to learn from, and test every photo that can be, once."""

import numpy as np
import pytest

from teachable import folds
from teachable.types import Labels


def tangle(seed: int) -> tuple[Labels, list[str]]:
    """Make classes of many sizes whose recordings are skewed and, in every other case, shared between classes."""
    rng = np.random.default_rng(seed)
    classes, groups = int(rng.integers(1, 12)), int(rng.integers(1, 20))
    labels = rng.integers(0, classes, int(rng.integers(1, 150)))
    names = [f"{min(rng.geometric(0.2), groups)}{'' if seed % 2 else f' of {label}'}" for label in labels]
    return labels, names


@pytest.mark.parametrize("seed", range(100))
def test_whole_recordings_are_tested_and_every_class_keeps_some(seed: int) -> None:
    labels, names = tangle(seed)
    found = folds.assign(labels, names, seed)
    assert found.dtype == np.int64
    assert set(found.tolist()) <= {folds.ALWAYS, *range(folds.FOLDS)}
    fold_of = dict(zip(names, found.tolist(), strict=True))
    assert [fold_of[name] for name in names] == found.tolist()
    for label in set(labels.tolist()):
        total = (labels == label).sum()
        for fold in range(folds.FOLDS):
            assert ((labels == label) & (found != fold)).sum() * folds.KEPT >= total
        for name in {name for name, other in zip(names, labels.tolist(), strict=True) if other == label}:
            rest = sum(
                other == label and name != another for another, other in zip(names, labels.tolist(), strict=True)
            )
            if rest * folds.KEPT < total:
                assert fold_of[name] == folds.ALWAYS
            elif not seed % 2:
                assert fold_of[name] != folds.ALWAYS, "a recording of one class is tested if enough is left without it"


@pytest.mark.parametrize("count", range(2, 13))
def test_recordings_of_a_class_are_spread_as_widely_as_they_allow(count: int) -> None:
    labels = np.repeat([0, 1, 2], count * 7)
    names = [f"{row // 7}" for row in range(len(labels))]
    found = folds.assign(labels, names)
    for label in range(3):
        used = np.bincount(found[labels == label], minlength=folds.FOLDS) // 7
        assert used.max() - used.min() <= 1


def test_as_even_as_scikit_learn() -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    def unevenness(labels: Labels, found: np.ndarray) -> float:
        counts = np.array([np.bincount(labels[found == fold], minlength=4) for fold in range(5)])
        return float((counts.std(axis=0) / counts.sum(axis=0)).mean())

    ours, theirs = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sizes = rng.integers(3, 30, 48)
        labels = np.repeat(np.arange(48) % 4, sizes)
        groups = np.repeat(np.arange(48), sizes)
        ours.append(unevenness(labels, folds.assign(labels, groups.astype(str).tolist(), seed)))
        other = np.empty(len(labels), np.int64)
        for fold, (_, test) in enumerate(
            StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(labels, labels, groups)
        ):
            other[test] = fold
        theirs.append(unevenness(labels, other))
    assert np.mean(ours) <= np.mean(theirs)


def test_a_recording_that_is_nearly_all_of_a_class_is_not_tested() -> None:
    labels = np.zeros(60, np.int64)
    found = folds.assign(labels, ["long"] * 50 + ["short"] * 6 + ["shorter"] * 4)
    assert (found[:50] == folds.ALWAYS).all()
    assert sorted({int(found[50]), int(found[56])}) == [0, 1]


def test_a_recording_that_is_the_only_one_of_another_class_is_never_tested() -> None:
    labels = np.array([0, 0, 0, 1])
    found = folds.assign(labels, ["a", "b", "c", "a"])
    assert found[0] == found[3] == folds.ALWAYS
    assert sorted(found[1:3].tolist()) == [0, 1]


def test_classes_of_the_same_two_recordings_are_tested_in_turn() -> None:
    found = folds.assign(np.array([0, 0, 1, 1]), ["a", "b", "a", "b"])
    assert found[0] == found[2] != found[1] == found[3]
    assert folds.ALWAYS not in found


def test_same_seed_same_folds_whatever_the_recordings_are_called() -> None:
    labels = np.repeat([0, 1], 50)
    names = [str(row // 5) for row in range(100)]
    first = folds.assign(labels, names, 3)
    np.testing.assert_array_equal(first, folds.assign(labels, [f"x{name[::-1]}" for name in names], 3))
    assert len({folds.assign(labels, names, seed).tobytes() for seed in range(10)}) > 5


def test_many_recordings_do_not_take_long_and_nothing_gives_nothing() -> None:
    labels = np.arange(20_000) % 200
    found = folds.assign(labels, [str(row) for row in range(20_000)])
    assert np.bincount(found).tolist() == [4000] * 5
    assert len(folds.assign(labels[:0], [])) == 0


def test_left_out_is_the_part_of_its_class_that_was_tested_with_a_photo() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    rows, places = np.array([0, 1, 2, 4, 5]), np.array([7, 7, 2, 7, 2])
    assert folds.left_out(labels, rows, places) == pytest.approx([0.5, 0.5, 0.25, 1 / 3, 1 / 3])
    assert len(folds.left_out(labels, rows[:0], places[:0])) == 0


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="groups"):
        folds.assign(np.zeros(3, np.int64), ["a", "b"])
    with pytest.raises(ValueError, match="two folds"):
        folds.assign(np.zeros(2, np.int64), ["a", "b"], folds=1)
