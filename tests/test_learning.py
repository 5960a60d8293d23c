"""The curve rises where more photos help, ends flat where they do not, and is left out where it cannot be known."""

from dataclasses import replace

import numpy as np
import pytest
from evidencing import SETTINGS, examined, recordings, untested

from teachable import evaluation, learning
from teachable.evidence import Evidence
from teachable.learning import Curve
from teachable.types import TrainSettings


def curve(evidence: Evidence) -> Curve | None:
    return learning.curve(evidence, lambda part: None)


def some(evidence: Evidence) -> Curve:
    found = curve(evidence)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def hard() -> Evidence:
    return examined(*recordings(4, 10, 4, apart=1.0))


def test_points_go_from_few_photos_to_four_times_those_there_are(hard: Evidence) -> None:
    found = some(hard)
    assert [point.photos for point in found.points] == pytest.approx([4, 8, 16, 32, 80, 160])
    assert [point.measured for point in found.points] == [True] * 4 + [False] * 2
    assert all(0 <= point.low <= point.share <= point.high <= 1 for point in found.points)


def test_the_last_measured_point_is_the_test_itself(hard: Evidence) -> None:
    last = some(hard).points[-3]
    assert last.share == pytest.approx((hard.logits.argmax(axis=1) == hard.labels).mean())


def test_the_last_measured_point_has_the_interval_of_the_test(hard: Evidence) -> None:
    test = evaluation.cross_validate(hard.embeddings, hard.labels, hard.captures, 4, SETTINGS, hard.looks.hashes)
    last = some(hard).points[-3]
    assert (last.low, last.high) == pytest.approx((test.evaluation.low, test.evaluation.high))


def test_of_a_few_recordings_nobody_is_told_that_more_would_not_help() -> None:
    """However sure the gain seems: twelve photos of two recordings each, all of them named correctly."""
    found = some(examined(*recordings(2, 2, 12, apart=12.0)))
    assert found.gain_high < 0.03
    assert found.ahead.high - found.ahead.low > 0.3
    assert found.trend == "unclear"


def test_more_photos_are_never_said_to_be_worse_or_surer(hard: Evidence) -> None:
    *_, last, double, fourfold = some(hard).points
    assert last.share <= double.share <= fourfold.share
    assert double.low <= double.share - (last.share - last.low)
    assert double.high >= min(1.0, double.share + (last.high - last.share))


def test_where_more_photos_help_the_curve_rises(hard: Evidence) -> None:
    found = some(hard)
    assert found.trend == "rising"
    assert 0 < found.gain_low <= found.gain <= found.gain_high
    assert found.points[0].share < found.points[3].share


def test_where_everything_is_known_already_it_is_flat() -> None:
    found = some(examined(*recordings(3, 8, 5, apart=8.0)))
    assert found.trend == "flat"
    assert found.gain < 0.01
    assert found.points[-1].share > 0.95


def test_twice_the_photos_do_what_was_foretold() -> None:
    embeddings, labels, groups = recordings(4, 24, 4, apart=1.0)
    number = np.array([int(group.split("-")[1]) for group in groups])
    whole = examined(embeddings, labels, groups)
    true = (whole.logits.argmax(axis=1) == whole.labels).mean()
    held = 0
    for seed in range(4):
        half = np.isin(number, np.random.default_rng(seed).permutation(24)[:12])
        names = [group for group, kept in zip(groups, half.tolist(), strict=True) if kept]
        double = some(examined(embeddings[half], labels[half], names)).points[-2]
        held += double.low <= true <= double.high
    assert held >= 3


def test_the_curve_of_a_known_law_is_continued_as_it_is() -> None:
    photos = np.array([4.0, 8, 16, 32])
    law = 0.9 - 0.8 * photos**-0.5
    (values,) = learning._fitted(photos, law[None], np.array([64.0, 128]), np.array([0.5]), 1e-4)
    assert values == pytest.approx(0.9 - 0.8 * np.array([64, 128]) ** -0.5, abs=0.005)


def test_nothing_is_foretold_to_be_better_than_all_right() -> None:
    photos = np.array([4.0, 8, 16, 32])
    (values,) = learning._fitted(photos, np.array([[0.4, 0.6, 0.8, 1.0]]), np.array([64.0, 1e9]), np.array([0.5]), 1e-4)
    assert (values <= 1).all()


def test_accuracy_that_falls_with_more_photos_is_continued_level() -> None:
    photos = np.array([4.0, 8, 16])
    (values,) = learning._fitted(photos, np.array([[0.8, 0.7, 0.6]]), np.array([32.0, 64]), np.array([0.5]), 1e-4)
    assert values == pytest.approx([0.7, 0.7])


def test_parts_are_whole_recordings_of_every_class() -> None:
    embeddings, labels, groups = recordings(3, 8, 4)
    evidence = examined(embeddings, labels, groups)
    rows = np.arange(len(labels))
    taken = learning._part(learning._order(evidence, rows, np.random.default_rng(0)), labels, 0.5)
    assert np.bincount(labels[taken]).tolist() == [16, 16, 16]
    assert len({groups[row] for row in taken}) == 12
    few = learning._part(learning._order(evidence, rows, np.random.default_rng(0)), labels, 0.01)
    assert np.bincount(labels[few]).tolist() == [1, 1, 1]


def test_the_same_photos_give_the_same_curve_and_progress_ends_at_one(hard: Evidence) -> None:
    seen: list[float] = []
    assert learning.curve(hard, seen.append) == curve(hard)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


def test_an_error_of_the_listener_stops_it(hard: Evidence) -> None:
    def stop(part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learning.curve(hard, stop)


def test_there_is_no_curve_where_it_cannot_be_known(hard: Evidence) -> None:
    assert curve(untested(hard)) is None
    assert curve(examined(*recordings(2, 1, 1), settings=TrainSettings(epochs=1))) is None
    # Few photos, few recordings, few photos of each class.
    assert curve(examined(*recordings(2, 3, 3), settings=SETTINGS)) is None
    assert curve(examined(*recordings(2, 1, 30), settings=SETTINGS)) is None
    assert curve(examined(*recordings(12, 4, 1), settings=SETTINGS)) is None
    assert curve(replace(hard, class_count=5, logits=np.pad(hard.logits, ((0, 0), (0, 1))))) is None
