"""Photos in the wrong class are found among good ones; good ones are left in peace."""

from dataclasses import replace

import numpy as np
import pytest
from evidencing import examined, flipped, looks, recordings, untested

from teachable.mislabelled import mislabelled


@pytest.mark.parametrize("seed", range(3))
def test_one_photo_in_twenty_in_the_wrong_class_is_found_and_no_other(seed: int) -> None:
    embeddings, labels, groups = recordings(4, 6, 10, seed)
    wrong, rows = flipped(labels, 0.05, seed)
    found = list(mislabelled(examined(embeddings, wrong, groups), ()))
    named = [(row, suspect.target) for suspect in found for row in suspect.rows]
    assert set(named) <= {(row, labels[row]) for row in rows.tolist()}
    assert len(named) >= 0.7 * len(rows)
    assert all(suspect.classes == (wrong[suspect.rows[0]], suspect.target) for suspect in found)
    assert all(suspect.values["count"] == len(suspect.rows) for suspect in found)


def test_photos_of_a_good_project_are_left_in_peace() -> None:
    assert not list(mislabelled(examined(*recordings(4, 6, 10)), ()))


def test_classes_that_cannot_be_told_apart_are_no_wrong_labels() -> None:
    assert len(list(mislabelled(examined(*recordings(3, 6, 10, apart=0.0)), ()))) <= 1


def test_a_whole_recording_in_the_wrong_class_is_found() -> None:
    embeddings, labels, groups = recordings(3, 6, 10)
    wrong = labels.copy()
    wrong[:10] = 2
    (found,) = mislabelled(examined(embeddings, wrong, groups), ())
    assert found.classes == (2, 0)
    assert len(found.rows) >= 8
    assert set(found.rows) <= set(range(10))


def test_an_odd_photo_far_from_everything_is_not_called_mislabelled() -> None:
    embeddings, labels, groups = recordings(3, 6, 10)
    embeddings[5] = 3 * np.random.default_rng(3).normal(size=embeddings.shape[1])
    assert not [suspect for suspect in mislabelled(examined(embeddings, labels, groups), ()) if 5 in suspect.rows]


def test_photos_suspected_of_something_else_are_not_named_twice() -> None:
    embeddings, labels, groups = recordings(4, 6, 10)
    wrong, rows = flipped(labels, 0.05)
    assert not list(mislabelled(examined(embeddings, wrong, groups), set(rows.tolist())))


def test_the_clearer_case_comes_first() -> None:
    embeddings, labels, groups = recordings(2, 6, 12)
    wrong = labels.copy()
    wrong[[3, 40]] = 1
    # Half-way to the class it is said to be of.
    embeddings[40] = 0.5 * embeddings[40] + 0.5 * embeddings[labels == 1].mean(axis=0)
    (found,) = mislabelled(examined(embeddings, wrong, groups), ())
    assert found.rows[0] == 3
    assert set(found.rows) <= {3, 40}


def test_nothing_is_said_where_nothing_was_tested() -> None:
    embeddings, labels, groups = recordings(3, 4, 10)
    assert not list(mislabelled(untested(examined(embeddings, labels, groups)), ()))
    few = [0, 10, 40, 50, 80, 90]
    assert not list(mislabelled(examined(embeddings[few], labels[few], [groups[row] for row in few]), ()))


def test_a_class_of_one_recording_neither_fails_nor_attracts_photos() -> None:
    embeddings, labels, groups = recordings(3, 6, 10)
    groups = ["only" if label == 2 else group for label, group in zip(labels.tolist(), groups, strict=True)]
    assert not list(mislabelled(examined(embeddings, labels, groups, looks(len(labels))), ()))


def test_photos_without_anything_in_them_neither_fail_nor_warn() -> None:
    embeddings, labels, groups = recordings(3, 4, 10)
    assert not list(mislabelled(examined(np.zeros_like(embeddings), labels, groups), ()))


def test_a_class_that_lost_its_photos_attracts_none() -> None:
    embeddings, labels, groups = recordings(4, 6, 10)
    # Two classes that are hard to tell apart, so that many photos of the one are taken for the other.
    embeddings[labels == 1] = embeddings[labels == 0] + 0.1
    evidence = examined(embeddings, labels, groups)
    kept = np.flatnonzero(labels != 1)
    left = replace(
        evidence,
        embeddings=embeddings[kept],
        labels=labels[kept],
        groups=[evidence.groups[row] for row in kept],
        captures=[groups[row] for row in kept],
        folds=evidence.folds[kept],
        logits=evidence.logits[kept],
        looks=looks(len(kept)),
    )
    assert (left.logits.argmax(axis=1) == 1).any()
    assert not list(mislabelled(left, ()))
