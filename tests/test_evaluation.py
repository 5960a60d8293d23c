"""The test is honest: no group on both sides, the interval is Wilson's, and what cannot be judged is said so."""

from dataclasses import replace

import numpy as np
import pytest

from teachable import calibration, evaluation, folds, heads, intervals
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


def test_every_photo_is_named_once_by_a_head_that_saw_nothing_of_its_recording() -> None:
    embeddings, labels, groups = scene([6, 4, 5])
    found = evaluation.cross_validate(embeddings, labels, groups, 3, FAST)
    outcomes, score = found.outcomes, found.evaluation
    np.testing.assert_array_equal(outcomes.rows, np.arange(90))
    np.testing.assert_array_equal(outcomes.folds, found.folds)
    np.testing.assert_array_equal(found.folds, folds.assign(labels, groups, FAST.seed))
    assert outcomes.logits.dtype == np.float32
    for fold in range(5):
        rest, held = found.folds != fold, found.folds == fold
        assert not {groups[row] for row in np.flatnonzero(rest)} & {groups[row] for row in np.flatnonzero(held)}
        fitted = heads.fit(embeddings[rest], labels[rest], 3, FAST, (embeddings[held], labels[held]))
        np.testing.assert_array_equal(outcomes.logits[held], heads.logits(fitted.head, embeddings[held]))
        if not fold:
            assert score.history == fitted.history
    named = outcomes.logits.argmax(axis=1)
    assert (score.held_out, score.correct) == (90, (named == labels).sum())
    assert score.accuracy == score.correct / 90
    assert score.low is not None
    assert score.high is not None
    low, high = intervals.clustered(named == labels, groups)
    assert score.low == low <= score.accuracy <= high <= score.high
    assert (score.folds, score.recordings, score.joined, score.unjudged, score.test) == (5, 15, 0, (), None)
    for label in range(3):
        assert score.per_class[label].total == (labels == label).sum()
        for other in range(3):
            assert score.confusion[label][other] == ((labels == label) & (named == other)).sum()
    assert score.calibration == calibration.fit(outcomes.logits, labels, outcomes.folds)
    assert evaluation.cross_validate(embeddings, labels, groups, 3, FAST).evaluation == score


def test_recordings_that_share_a_picture_are_never_divided() -> None:
    embeddings, labels, groups = scene([6, 6])
    embeddings[7], embeddings[43] = embeddings[0], embeddings[36]
    found = evaluation.cross_validate(embeddings, labels, groups, 2, FAST)
    assert found.groups[:6] == found.groups[6:12]
    assert len(set(found.folds[:12].tolist())) == 1
    assert (found.evaluation.recordings, found.evaluation.joined) == (10, 12)
    # The pixels may say that they are two pictures after all.
    hashes = np.random.default_rng(0).integers(0, 2**64, 72, dtype=np.uint64)
    assert evaluation.cross_validate(embeddings, labels, groups, 2, FAST, hashes).evaluation.joined == 0
    again = evaluation.cross_validate(embeddings, labels, found.groups, 2, FAST, join=False)
    np.testing.assert_array_equal(again.folds, found.folds)
    assert again.evaluation == replace(found.evaluation, joined=0)
    assert evaluation.cross_validate(embeddings, labels, groups, 2, FAST, join=False).evaluation.recordings == 12


def test_a_second_upload_of_the_same_photos_does_not_make_a_class_judged() -> None:
    embeddings, labels, groups = scene([1, 4])
    embeddings, labels = np.concatenate([embeddings[:6], embeddings]), np.concatenate([labels[:6], labels])
    found = evaluation.cross_validate(embeddings, labels, ["uploaded again"] * 6 + groups, 2, FAST)
    assert (found.evaluation.unjudged, found.evaluation.merged) == ((0,), (0,))
    assert found.evaluation.per_class[0].total == 0
    assert (found.folds[:12] == folds.ALWAYS).all()
    np.testing.assert_array_equal(found.outcomes.rows, np.arange(12, 36))


def test_the_upper_end_allows_for_heads_that_learned_from_less() -> None:
    rng = np.random.default_rng(3)
    embeddings, labels = rng.normal(size=(60, 256)).astype(np.float32), np.arange(60) % 2
    groups = [str(row // 2) for row in range(60)]
    found = evaluation.cross_validate(embeddings, labels, groups, 2, FAST)
    right = found.outcomes.logits.argmax(axis=1) == labels
    assert 0 < right.mean() < 1
    # A fifth of each class was missing when it was tested.
    expected = intervals.clustered(right, groups, missing=0.2)
    assert (found.evaluation.low, found.evaluation.high) == pytest.approx(expected)


def test_progress_runs_over_all_folds() -> None:
    embeddings, labels, groups = scene([5, 5])
    seen: list[tuple[float, int]] = []
    evaluation.cross_validate(
        embeddings, labels, groups, 2, FAST, on_epoch=lambda done, point: seen.append((done, point.epoch))
    )
    assert [epoch for _, epoch in seen] == [1, 2, 3, 4, 5] * 5
    assert [done for done, _ in seen] == pytest.approx(np.arange(1, 26) / 25)

    def stop(_: float, point: EpochPoint) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        evaluation.cross_validate(embeddings, labels, groups, 2, FAST, on_epoch=stop)


@pytest.mark.parametrize("same", [True, False])
def test_two_photos_in_all_are_learned_and_nothing_is_claimed(same: bool) -> None:
    embeddings = np.ones((2, 8), np.float32)
    if not same:
        embeddings[1] = -1
    seen: list[float] = []
    found = evaluation.cross_validate(
        embeddings, np.array([0, 1]), ["a", "b"], 2, FAST, on_epoch=lambda done, _: seen.append(done)
    )
    score = found.evaluation
    assert (score.accuracy, score.low, score.high, score.calibration) == (None, None, None, None)
    assert (score.held_out, score.correct, score.folds, score.unjudged) == (0, 0, 0, (0, 1))
    assert len(found.outcomes.rows) == len(found.outcomes.logits) == 0
    assert found.folds.tolist() == [folds.ALWAYS] * 2
    assert len(score.history) == FAST.epochs
    assert seen[-1] == 1
    assert evaluation.random_split(embeddings, np.array([0, 1]), 2, FAST) is None


def test_photos_that_are_all_the_same_are_one_recording_of_each_class() -> None:
    embeddings, labels = np.full((40, 8), 0.3, np.float32), np.arange(40) % 2
    hashes = np.full(40, 77, np.uint64)
    score = evaluation.cross_validate(embeddings, labels, [str(row) for row in range(40)], 2, FAST, hashes).evaluation
    assert (score.accuracy, score.recordings, score.unjudged) == (None, 2, (0, 1))
    correct, total = evaluation.random_split(embeddings, labels, 2, FAST) or (0, 0)
    assert total == 40
    assert 10 <= correct <= 30


def test_two_hundred_classes_are_tested() -> None:
    embeddings, labels, groups = scene([3] * 200, photos=2)
    groups[-2:] = ["last"] * 2
    groups[-6:-2] = ["last"] * 4
    found = evaluation.cross_validate(embeddings, labels, groups, 200, TrainSettings(epochs=2))
    assert found.evaluation.unjudged == (199,)
    assert found.evaluation.held_out == 1194
    assert found.evaluation.accuracy is not None
    assert found.outcomes.logits.shape == (1194, 200)
    assert np.isfinite(found.outcomes.logits).all()


def test_numbers_that_are_none_are_refused_in_words() -> None:
    embeddings, labels, groups = scene([2, 2])
    head = heads.fit(embeddings, labels, 2, FAST).head
    embeddings[3:5] = np.nan
    for refused in (
        lambda: evaluation.cross_validate(embeddings, labels, groups, 2, FAST),
        lambda: evaluation.random_split(embeddings, labels, 2, FAST),
        lambda: evaluation.test_score(head, embeddings, labels, 2, groups, np.zeros(24, np.bool_)),
    ):
        with pytest.raises(InvalidInput) as caught:
            refused()
        assert (caught.value.key, caught.value.values["count"]) == ("embeddings_not_finite", 2)


def test_a_class_with_nothing_left_is_refused_in_words() -> None:
    embeddings, labels, groups = scene([2, 2])
    for wrong, classes, key in ((labels, 3, "training_class_empty"), (labels * 0, 1, "training_one_class")):
        with pytest.raises(InvalidInput) as caught:
            evaluation.cross_validate(embeddings, wrong, groups, classes, FAST)
        assert caught.value.key == key
    with pytest.raises(ValueError, match="embeddings"):
        evaluation.cross_validate(embeddings, labels, groups[1:], 2, FAST)
    with pytest.raises(ValueError, match="groups"):
        evaluation.cross_validate(embeddings, labels, groups[1:], 2, FAST, join=False)


def test_a_random_split_flatters_where_recordings_tell_nothing() -> None:
    # Every recording shows something else and the label is chance.
    rng = np.random.default_rng(5)
    rows = np.repeat(rng.normal(size=(40, 64)), 5, axis=0) + rng.normal(size=(200, 64)) * 0.05
    labels = np.repeat(np.arange(40) % 2, 5)
    settings = TrainSettings(epochs=10, learning_rate=0.01)
    embeddings, groups = rows.astype(np.float32), [str(row // 5) for row in range(200)]
    score = evaluation.cross_validate(embeddings, labels, groups, 2, settings).evaluation
    assert score.low is not None
    assert score.high is not None
    assert score.low <= 0.5 <= score.high
    correct, total = evaluation.random_split(embeddings, labels, 2, settings) or (0, 0)
    assert total == 200
    assert correct > 190


def test_a_random_split_can_count_the_photos_of_another_test() -> None:
    embeddings, labels, _ = scene([3, 1])
    rows = np.flatnonzero(labels == 0)
    correct, total = evaluation.random_split(embeddings, labels, 2, FAST, rows=rows) or (0, 0)
    assert total == len(rows)
    whole = evaluation.random_split(embeddings, labels, 2, FAST)
    assert whole is not None
    assert whole[1] == len(labels)
    assert whole[0] - correct <= len(labels) - len(rows)
    assert evaluation.random_split(embeddings, labels, 2, FAST, rows=rows[:0]) is None


def test_photos_of_one_upload_are_no_witnesses_of_their_own() -> None:
    embeddings, labels, _ = scene([2, 2])
    head = heads.fit(embeddings, labels, 2, FAST).head
    named = heads.logits(head, embeddings).argmax(axis=1)
    # Half of the photos of one upload, all of one class, named correctly.
    rows = np.r_[np.flatnonzero(named == 0)[:2], np.flatnonzero(named == 1)[:2]]
    found = evaluation.test_score(head, embeddings[rows], np.zeros(4, np.int64), 2, ["upload"] * 4, np.zeros(4, bool))
    assert found is not None
    assert (found.correct, found.total) == (2, 4)
    assert found.ranges == ((found.low, found.high), None)
    assert found.low < 0.05 < 0.95 < found.high


def test_the_test_set_is_counted_without_what_leaks() -> None:
    embeddings, labels, _ = scene([4, 4, 4])
    head = heads.fit(embeddings, labels, 3, FAST).head
    test, truth, presses = scene([3, 2, 0], seed=0)
    leaking = np.arange(30) < 6
    found = evaluation.test_score(head, test, truth, 3, presses, leaking)
    assert found is not None
    named = heads.logits(head, test[6:]).argmax(axis=1)
    right = named == truth[6:]
    assert (found.correct, found.total, found.leaking) == (right.sum(), 24, 6)
    assert (found.low, found.high) == intervals.clustered(right, presses[6:])
    assert [score.total for score in found.per_class] == [12, 12, 0]
    first = truth[6:] == 0
    assert found.ranges[0] == intervals.clustered(right[first], presses[6:18])
    assert found.ranges[2] is None
    assert sum(sum(row) for row in found.confusion) == 24


def test_no_test_set_has_no_score_and_one_that_leaks_claims_nothing() -> None:
    embeddings, labels, groups = scene([2, 2])
    head = heads.fit(embeddings, labels, 2, FAST).head
    assert evaluation.test_score(head, embeddings[:0], labels[:0], 2, [], np.zeros(0, np.bool_)) is None
    found = evaluation.test_score(head, embeddings, labels, 2, groups, np.ones(24, np.bool_))
    assert found is not None
    assert (found.correct, found.total, found.leaking, found.low, found.high) == (0, 0, 24, 0.0, 1.0)
