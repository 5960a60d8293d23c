"""Suspects of every kind are found, ranked and few; bad input is no crash."""

from dataclasses import replace

import numpy as np
import pytest
from evidencing import changed, examined, flipped, looks, recordings, untested

from teachable import doctor
from teachable.errors import InvalidInput
from teachable.evidence import Evidence, Suspect
from teachable.types import TrainSettings


def kinds(evidence: Evidence) -> list[str]:
    return [suspect.kind for suspect in doctor.suspects(evidence)]


def only(evidence: Evidence, kind: str) -> Suspect:
    (found,) = (suspect for suspect in doctor.suspects(evidence) if suspect.kind == kind)
    return found


@pytest.fixture(scope="module")
def good() -> Evidence:
    return examined(*recordings(3, 5, 8))


def test_nothing_is_said_of_a_good_project(good: Evidence) -> None:
    assert not doctor.suspects(good)


def test_blurred_photos_are_found_the_worst_first(good: Evidence) -> None:
    sharpness = [0.2, 0.1, 0.22]
    found = only(replace(good, looks=changed(good.looks, [50, 3, 90], sharpness=sharpness)), "blurred")
    assert found.rows == (3, 50, 90)
    assert found.classes == (0, 1, 2)
    assert found.values == {"count": 3}
    assert found.target is None


def test_a_class_of_soft_things_is_not_called_blurred(good: Evidence) -> None:
    rows = np.flatnonzero(good.labels == 1)
    assert not kinds(replace(good, looks=changed(good.looks, rows, sharpness=np.linspace(0.2, 0.25, len(rows)))))


def test_photos_of_a_covered_camera_are_dark_and_nothing_else(good: Evidence) -> None:
    black = changed(good.looks, [5, 9], brightness=0.02, contrast=0.01, sharpness=0.0)
    assert kinds(replace(good, looks=black)) == ["dark"]
    assert only(replace(good, looks=black), "dark").rows == (5, 9)


def test_a_class_of_dark_photos_is_what_it_is(good: Evidence) -> None:
    rows = np.flatnonzero(good.labels == 1)
    assert not kinds(replace(good, looks=changed(good.looks, rows, brightness=0.05)))
    # No photo of a class that is all black is darker than the others.
    assert not kinds(replace(good, looks=changed(good.looks, rows, brightness=0.0, contrast=0.0, sharpness=0.0)))


def test_photos_of_one_colour_are_empty(good: Evidence) -> None:
    plain = replace(good, looks=changed(good.looks, [7], contrast=0.0, sharpness=0.0))
    assert kinds(plain) == ["empty"]
    assert only(plain, "empty").rows == (7,)


def test_a_class_for_nothing_may_be_empty(good: Evidence) -> None:
    rows = np.flatnonzero(good.labels == 2)
    assert not kinds(replace(good, looks=changed(good.looks, rows, contrast=0.01, sharpness=0.0)))


def test_photos_that_cannot_be_read_are_not_suspected(good: Evidence) -> None:
    nothing = changed(good.looks, [1, 2], sharpness=np.nan, brightness=np.nan, contrast=np.nan, tiles=np.nan)
    assert not kinds(replace(good, looks=nothing))


def copy(evidence: Evidence, pairs: list[tuple[int, int]]) -> Evidence:
    """The second of each pair becomes nearly the same picture as the first."""
    embeddings, hashes = evidence.embeddings.copy(), evidence.looks.hashes.copy()
    for one, other in pairs:
        embeddings[other] = embeddings[one] * 1.01
        hashes[other] = hashes[one] ^ np.uint64(1)
    return replace(evidence, embeddings=embeddings, looks=replace(evidence.looks, hashes=hashes))


def test_one_picture_in_two_classes_is_a_contradiction_nobody_can_settle(good: Evidence) -> None:
    found = only(copy(good, [(0, 60)]), "repeated")
    assert found.classes == (0, 1)
    assert set(found.rows) == {0, 60}
    assert found.target is None
    assert found.values == {"count": 2, "pictures": 1, "astray": 2}


def test_where_most_copies_are_in_one_class_the_other_is_astray(good: Evidence) -> None:
    found = only(copy(good, [(0, 60), (0, 9), (60, 9)]), "repeated")
    assert (found.classes, found.target) == ((1, 0), 0)
    assert found.rows[0] == 60
    assert set(found.rows[1:]) == {0, 9}
    assert found.values == {"count": 3, "pictures": 1, "astray": 1}


def test_further_copies_in_other_recordings_are_found(good: Evidence) -> None:
    pairs = [(0, 8), (1, 9), (2, 10)]
    found = only(copy(good, pairs), "duplicates")
    assert found.classes == (0,)
    assert found.rows == (8, 9, 10)
    assert found.values == {"count": 3, "pictures": 3}


def test_a_copy_or_two_are_not_worth_a_word(good: Evidence) -> None:
    assert not kinds(copy(good, [(0, 8), (1, 9)]))


def test_photos_of_one_recording_may_be_alike(good: Evidence) -> None:
    assert not kinds(copy(good, [(0, row) for row in range(1, 8)]))


def test_classes_of_one_recording_are_named_together() -> None:
    embeddings, labels, groups = recordings(3, 5, 8)
    groups = [group if label == 1 else str(label) for label, group in zip(labels.tolist(), groups, strict=True)]
    found = only(examined(embeddings, labels, groups), "single")
    assert found.classes == (0, 2)
    assert not found.rows


def test_small_classes_are_named_together_the_smallest_first() -> None:
    embeddings, labels, groups = recordings(3, 5, 8)
    kept = np.concatenate([np.arange(0, 40, 6), np.arange(40, 80), np.arange(80, 120, 10)])
    evidence = examined(embeddings[kept], labels[kept], [groups[row] for row in kept])
    found = only(evidence, "small")
    assert found.classes == (2, 0)
    assert found.values == {"count": 11, "fewest": 4, "wanted": doctor.WANTED}
    assert "lopsided" not in kinds(evidence)


def test_a_class_with_many_times_the_photos_of_another_is_lopsided() -> None:
    embeddings, labels, groups = recordings(2, 8, 10)
    kept = np.concatenate([np.arange(0, 80, 5), np.arange(80, 160)])
    found = only(examined(embeddings[kept], labels[kept], [groups[row] for row in kept]), "lopsided")
    assert found.classes == (0, 1)
    assert found.values == {"count": 16, "fewest": 16, "most": 80}


def test_what_spoils_the_model_comes_before_what_is_merely_untidy() -> None:
    embeddings, labels, groups = recordings(4, 6, 10)
    wrong, _ = flipped(labels, 0.05)
    evidence = examined(embeddings, wrong, groups)
    evidence = copy(replace(evidence, looks=changed(evidence.looks, [7], sharpness=0.1)), [(0, 10), (1, 11), (2, 12)])
    found = doctor.suspects(evidence)
    assert found[0].kind == "mislabelled"
    assert {found[-1].kind, found[-2].kind} == {"blurred", "duplicates"}
    assert [suspect.weight for suspect in found] == sorted((suspect.weight for suspect in found), reverse=True)


def test_the_same_photos_give_the_same_suspects() -> None:
    embeddings, labels, groups = recordings(4, 6, 10)
    evidence = examined(embeddings, flipped(labels, 0.05)[0], groups)
    assert doctor.suspects(evidence) == doctor.suspects(evidence)


def test_embeddings_that_are_not_finite_are_refused_in_words(good: Evidence) -> None:
    broken = good.embeddings.copy()
    broken[3, 1] = np.nan
    with pytest.raises(InvalidInput) as caught:
        doctor.suspects(replace(good, embeddings=broken))
    assert caught.value.key == "embeddings_not_finite"


def test_two_photos_in_all_are_small_and_single() -> None:
    embeddings, labels, groups = recordings(2, 1, 1)
    assert kinds(examined(embeddings, labels, groups, looks(2))) == ["single", "small"]


def test_photos_that_are_all_identical_neither_fail_nor_warn() -> None:
    embeddings, labels, groups = recordings(3, 4, 10)
    same = np.ones_like(embeddings)
    plain = changed(
        looks(len(labels)), np.arange(len(labels)), hashes=0, sharpness=0, brightness=0.5, contrast=0, tiles=0.5
    )
    found = doctor.suspects(examined(same, labels, groups, plain))
    assert [suspect.kind for suspect in found] == ["repeated", "single", "duplicates"]
    assert found[0].target is None


def test_a_class_that_lost_its_photos_is_no_error(good: Evidence) -> None:
    kept = np.flatnonzero(good.labels != 1)
    left = Evidence(
        good.embeddings[kept],
        good.labels[kept],
        [good.groups[row] for row in kept],
        [good.captures[row] for row in kept],
        3,
        TrainSettings(),
        good.folds[kept],
        good.logits[kept],
        looks(len(kept)),
    )
    assert not kinds(left)


def test_two_hundred_classes_are_no_problem() -> None:
    embeddings, labels, groups = recordings(200, 2, 1, apart=6.0)
    found = doctor.suspects(untested(examined(embeddings, labels, groups, settings=TrainSettings(epochs=1))))
    assert [suspect.kind for suspect in found] == ["small"]
    assert len(found[0].classes) == 200
