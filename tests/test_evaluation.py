"""The test is honest: no group on both sides, the interval is Wilson's, and what cannot be judged is said so."""

import numpy as np
import pytest

from teachable import evaluation, heads, intervals
from teachable.errors import InvalidInput
from teachable.scores import EpochPoint
from teachable.types import Embeddings, Labels, TrainSettings

FAST = TrainSettings(epochs=5)


def scene(groups_per_class: list[int], photos: int = 6, seed: int = 0) -> tuple[Embeddings, Labels, list[str]]:
    """Make classes of several groups; photos of one group lie close together."""
    rng = np.random.default_rng(seed)
    rows, labels, groups = [], [], []
    for label, count in enumerate(groups_per_class):
        centre = rng.normal(size=64)
        for group in range(count):
            place = centre + rng.normal(size=64) * 0.5
            rows.append(place + rng.normal(size=(photos, 64)) * 0.1)
            labels += [label] * photos
            groups += [f"class {label} press {group}"] * photos
    return np.concatenate(rows).astype(np.float32), np.array(labels, np.int64), groups


@pytest.mark.parametrize("seed", range(60))
def test_no_group_is_ever_on_both_sides_and_no_class_loses_everything(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes, groups = int(rng.integers(1, 8)), int(rng.integers(1, 15))
    size = int(rng.integers(1, 120))
    labels = rng.integers(0, classes, size)
    # Skewed, and in every other case shared between classes.
    names = [f"{min(rng.geometric(0.3), groups)}{'' if seed % 2 else f' of {label}'}" for label in labels]
    parts = evaluation.split(labels, names, seed=seed)
    train, held = set(parts.train.tolist()), set(parts.held_out.tolist())
    assert not train & held
    assert train | held == set(range(size))
    assert not {names[row] for row in train} & {names[row] for row in held}
    assert set(labels[parts.train].tolist()) == set(labels.tolist())
    for label in set(labels.tolist()):
        own = {name for name, other in zip(names, labels, strict=True) if other == label}
        judged = label in labels[parts.held_out]
        assert judged != (label in parts.unjudged)
        if len(own) == 1:
            assert not judged
        elif not seed % 2:
            assert judged, "groups of its own are always enough to be judged"


def test_about_a_fifth_of_each_class_is_held_out() -> None:
    labels = np.repeat([0, 1, 2], [100, 50, 200])
    groups = [f"{label} {row // 5}" for row, label in enumerate(labels)]
    for seed in range(5):
        held = np.bincount(labels[evaluation.split(labels, groups, seed=seed).held_out])
        np.testing.assert_array_equal(held, [20, 10, 40])
    half = np.bincount(labels[evaluation.split(labels, groups, share=0.5).held_out])
    np.testing.assert_array_equal(half, [50, 25, 100])


def test_the_smaller_of_two_groups_is_held_out() -> None:
    labels = np.zeros(30, np.int64)
    for seed in range(5):
        parts = evaluation.split(labels, ["long"] * 20 + ["short"] * 10, seed=seed)
        np.testing.assert_array_equal(parts.held_out, np.arange(20, 30))


def test_a_group_shared_by_classes_is_held_out_in_all_of_them_or_in_none() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    parts = evaluation.split(labels, ["a", "b", "b", "a", "b", "b"])
    np.testing.assert_array_equal(parts.held_out, [0, 3])
    # The only group of class 1 must stay in training, so class 0 has to do with its other one.
    parts = evaluation.split(np.array([0, 0, 0, 1]), ["a", "b", "b", "a"])
    np.testing.assert_array_equal(parts.held_out, [1, 2])
    assert parts.unjudged == (1,)


def test_a_class_whose_every_group_is_the_last_of_another_is_unjudged() -> None:
    parts = evaluation.split(np.array([0, 0, 1, 2]), ["a", "b", "a", "b"])
    assert len(parts.held_out) == 0
    assert parts.unjudged == (0, 1, 2)


def test_same_seed_same_split_other_seed_another() -> None:
    _, labels, groups = scene([10, 10])
    first = evaluation.split(labels, groups, seed=3)
    np.testing.assert_array_equal(first.held_out, evaluation.split(labels, groups, seed=3).held_out)
    splits = {evaluation.split(labels, groups, seed=seed).held_out.tobytes() for seed in range(10)}
    assert len(splits) > 5


def test_names_of_groups_do_not_change_the_split() -> None:
    _, labels, groups = scene([5, 7])
    renamed = [group[::-1] for group in groups]
    one, other = evaluation.split(labels, groups), evaluation.split(labels, renamed)
    np.testing.assert_array_equal(one.held_out, other.held_out)


def test_wrong_arguments_of_split_are_refused() -> None:
    with pytest.raises(ValueError, match="groups"):
        evaluation.split(np.zeros(3, np.int64), ["a", "b"])
    for share in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match="share"):
            evaluation.split(np.zeros(2, np.int64), ["a", "b"], share=share)


def test_counts_are_those_of_a_head_that_never_saw_the_held_out_groups() -> None:
    embeddings, labels, groups = scene([6, 4, 5])
    found = evaluation.evaluate(embeddings, labels, groups, 3, FAST)
    parts = evaluation.split(labels, groups, FAST.seed)
    fitted = heads.fit(embeddings[parts.train], labels[parts.train], 3, FAST)
    named = heads.logits(fitted.head, embeddings[parts.held_out]).argmax(axis=1)
    truth = labels[parts.held_out]
    assert found.held_out == len(truth)
    assert found.correct == (named == truth).sum()
    assert found.accuracy == pytest.approx(found.correct / found.held_out)
    held_groups = [groups[row] for row in parts.held_out]
    assert (found.low, found.high) == intervals.clustered(named == truth, held_groups)
    assert found.unjudged == ()
    for label in range(3):
        assert found.per_class[label].total == (truth == label).sum()
        assert found.per_class[label].correct == ((truth == label) & (named == label)).sum()
        for other in range(3):
            assert found.confusion[label][other] == ((truth == label) & (named == other)).sum()
    assert len(found.history) == FAST.epochs
    assert found.history[-1].held_out_accuracy == pytest.approx(found.accuracy)


def test_photos_of_one_press_do_not_flatter_the_figure() -> None:
    # Every press shows something else and the label is chance: only a split through presses could look good.
    rng = np.random.default_rng(5)
    rows = np.repeat(rng.normal(size=(40, 64)), 5, axis=0) + rng.normal(size=(200, 64)) * 0.01
    labels = np.repeat(np.arange(40) % 2, 5).astype(np.int64)
    groups = [str(row // 5) for row in range(200)]
    honest, flattered = [], []
    for seed in range(5):
        settings = TrainSettings(epochs=10, learning_rate=0.01, seed=seed)
        for found, names in ((honest, groups), (flattered, [str(row) for row in range(200)])):
            accuracy = evaluation.evaluate(rows.astype(np.float32), labels, names, 2, settings).accuracy
            assert accuracy is not None
            found.append(accuracy)
    assert np.mean(flattered) > 0.95
    assert np.mean(honest) < 0.8


def test_classes_with_one_group_are_unjudged_and_still_learned() -> None:
    embeddings, labels, groups = scene([5, 1, 5])
    found = evaluation.evaluate(embeddings, labels, groups, 3, FAST)
    assert found.unjudged == (1,)
    assert found.per_class[1].total == 0
    assert sum(found.confusion[1]) == 0
    assert found.accuracy is not None
    assert found.held_out == found.per_class[0].total + found.per_class[2].total


def test_without_anything_to_judge_there_is_no_figure_but_a_curve() -> None:
    embeddings, labels, groups = scene([1, 1])
    seen: list[EpochPoint] = []
    found = evaluation.evaluate(embeddings, labels, groups, 2, FAST, on_epoch=seen.append)
    assert (found.accuracy, found.low, found.high) == (None, None, None)
    assert (found.held_out, found.correct, found.unjudged) == (0, 0, (0, 1))
    assert found.confusion == ((0, 0), (0, 0))
    assert tuple(seen) == found.history
    assert len(seen) == FAST.epochs
    assert all(point.held_out_accuracy is None for point in seen)


def test_same_photos_same_evaluation() -> None:
    embeddings, labels, groups = scene([4, 4, 4])
    first = evaluation.evaluate(embeddings, labels, groups, 3, FAST)
    assert evaluation.evaluate(embeddings, labels, groups, 3, FAST) == first


def test_the_head_that_was_tested_is_handed_out_and_saw_nothing_held_out() -> None:
    embeddings, labels, groups = scene([4, 4])
    found = evaluation.examine(embeddings, labels, groups, 2, FAST)
    np.testing.assert_array_equal(heads.logits(found.head, embeddings[found.held_out]).argmax(1), found.predicted)
    # Whatever the photos held out show, the head is the same to the bit.
    changed = embeddings.copy()
    changed[found.held_out] = 7
    again = evaluation.examine(changed, labels, groups, 2, FAST).head
    assert again.layers[0].weight.tobytes() == found.head.layers[0].weight.tobytes()


def test_bad_input_is_refused_as_by_fit() -> None:
    embeddings, labels, groups = scene([2, 2])
    with pytest.raises(InvalidInput) as caught:
        evaluation.evaluate(embeddings, labels, groups, 3, FAST)
    assert caught.value.key == "training_class_empty"
    with pytest.raises(InvalidInput) as caught:
        evaluation.evaluate(embeddings, labels, groups, 2, TrainSettings(epochs=0))
    assert caught.value.key == "setting_epochs"
    with pytest.raises(ValueError, match="groups"):
        evaluation.evaluate(embeddings, labels, groups[1:], 2, FAST)


def test_an_error_from_the_epoch_call_reaches_the_caller() -> None:
    embeddings, labels, groups = scene([2, 2])

    def stop(_: EpochPoint) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        evaluation.evaluate(embeddings, labels, groups, 2, FAST, on_epoch=stop)
