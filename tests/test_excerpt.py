"""The photos networks are compared on: bounded, every class, whole recordings, the same for the same seed."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from teachable import evaluation
from teachable.errors import InvalidInput
from teachable.excerpt import RECORDINGS, Excerpt, choose
from teachable.types import ClassInfo, Sample, TrainSettings


def samples(*classes: Sequence[int]) -> list[Sample]:
    """Photos of classes, each given as the sizes of its recordings."""
    made: list[Sample] = []
    for class_number, sizes in enumerate(classes):
        for group_number, size in enumerate(sizes):
            for _ in range(size):
                number = len(made) + 1
                made.append(
                    Sample(number, f"c{class_number}", f"{number:064x}", f"c{class_number}-{group_number}", 4, 4, 0.0)
                )
    return made


def excerpt(chosen: Sequence[Sample], seed: int = 0) -> Excerpt:
    ids = sorted({one.class_id for one in chosen})
    classes = [ClassInfo(id_, id_.upper(), "#000000", place, False, 0) for place, id_ in enumerate(ids)]
    return Excerpt(classes, chosen, TrainSettings(seed=seed))


def per_class(chosen: Sequence[Sample]) -> dict[str, int]:
    return dict(Counter(one.class_id for one in chosen))


# Drawing


def test_few_photos_are_all_taken() -> None:
    given = samples([3, 4], [5])
    assert choose(given, 12, 0) == given


@pytest.mark.parametrize("limit", [40, 100, 399])
def test_many_photos_are_bounded_and_in_order(limit: int) -> None:
    given = samples([10] * 40, [10] * 20, [3, 2])
    chosen = choose(given, limit, 0)
    assert 0.9 * limit <= len(chosen) <= limit
    assert [one.id for one in chosen] == sorted({one.id for one in chosen})


def test_every_class_keeps_its_share_and_small_ones_more() -> None:
    counts = per_class(choose(samples([10] * 80, [10] * 20, [2, 2]), 100, 0))
    assert counts["c0"] > counts["c1"] > 16
    assert counts["c2"] == 4


def test_whole_recordings_are_taken() -> None:
    given = samples([4] * 50, [4] * 50)
    sizes = Counter(one.group for one in choose(given, 80, 0))
    assert set(sizes.values()) == {4}
    assert len(sizes) == 20


def test_a_class_of_long_recordings_can_still_be_tested() -> None:
    """Two recordings of a thousand frames would not both find room whole."""
    given = samples([1000, 1000], [1000] * 9)
    chosen = choose(given, 100, 0)
    assert not evaluation.split(excerpt(chosen).labels, excerpt(chosen).groups).unjudged
    recordings = Counter(one.group for one in chosen if one.class_id == "c1")
    assert len(recordings) >= RECORDINGS
    frames = np.array([one.id for one in chosen if one.group == max(recordings, key=recordings.__getitem__)])
    assert np.diff(frames).min() > 50, "frames next to each other look alike"


def test_the_largest_project_keeps_two_recordings_of_every_class() -> None:
    given = samples(*([[250, 250]] * 200))
    chosen = choose(given, 400, 0)
    assert len(chosen) <= 400
    assert len({one.group for one in chosen}) == 400


def test_a_seed_draws_the_same_and_another_one_others() -> None:
    given = samples([5] * 100, [5] * 100)
    assert choose(given, 100, 1) == choose(given, 100, 1)
    assert choose(given, 100, 1) != choose(given, 100, 2)


# The excerpt


def test_what_is_held_out_is_what_a_training_holds_out() -> None:
    drawn = excerpt(samples([3, 3, 3], [4, 4]), seed=5)
    assert drawn.labels.tolist() == [0] * 9 + [1] * 8
    expected = evaluation.split(drawn.labels, drawn.groups, 5)
    assert drawn.split().held_out.tolist() == expected.held_out.tolist()


def test_unreadable_photos_are_left_out() -> None:
    drawn = excerpt(samples([3, 3], [4]))
    rest = drawn.without({drawn.samples[1].sha256})
    assert [one.id for one in rest.samples] == [1, *range(3, 11)]


def test_a_class_without_a_readable_photo_is_named() -> None:
    drawn = excerpt(samples([3, 3], [2]))
    with pytest.raises(InvalidInput, match="“C1”"):
        drawn.without({one.sha256 for one in drawn.samples if one.class_id == "c1"})
