"""A study brings all parts together, advises every class, and comes back from JSON as it was."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from evidencing import changed, examined, flipped, looks, recordings, untested

from teachable.errors import InvalidInput
from teachable.evidence import Evidence
from teachable.study import Advice, Study, study, study_from
from teachable.types import Embeddings, Labels


def studied(evidence: Evidence) -> Study:
    return study(evidence, lambda part: None)


@pytest.fixture(scope="module")
def photos() -> tuple[Embeddings, Labels, list[str]]:
    return recordings(4, 6, 8)


@pytest.fixture(scope="module")
def good(photos: tuple[Embeddings, Labels, list[str]]) -> Evidence:
    return examined(*photos)


def kinds(evidence: Evidence) -> list[str]:
    return [advice.kind for advice in studied(evidence).advice]


def test_all_parts_are_there_and_progress_goes_from_nothing_to_all(good: Evidence) -> None:
    seen: list[float] = []
    found = study(good, seen.append)
    assert found.random_split is not None
    assert found.random_split[1] == len(good.labels)
    assert found.curve is not None
    assert found.points.shape == (len(good.labels), 2)
    assert 0 < found.explained < 1
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_the_random_split_counts_what_the_fair_test_counts() -> None:
    embeddings, labels, groups = recordings(2, 3, 4)
    found = studied(examined(embeddings, labels, [*groups[:12], *["only one"] * 12]))
    assert found.random_split is not None
    assert found.random_split[1] == 12


def test_a_study_of_before_is_read_with_the_trend_of_today(good: Evidence) -> None:
    found = studied(good)
    plain = {**asdict(found), "points": found.points.tolist()}
    before = {**plain, "curve": {**plain["curve"], "trend": "told otherwise"}}
    assert study_from(before).curve == found.curve


def test_progress_is_told_all_the_time(good: Evidence) -> None:
    # In between, nothing that is more urgent gets a turn.
    seen = [0.0]
    study(good, seen.append)
    assert np.diff(seen).max() < 0.11


def test_it_comes_back_from_json_as_it_was(photos: tuple[Embeddings, Labels, list[str]]) -> None:
    embeddings, labels, groups = photos
    found = studied(examined(embeddings, flipped(labels, 0.05)[0], groups))
    assert found.suspects
    plain = {**asdict(found), "points": found.points.tolist()}
    back = study_from(json.loads(json.dumps(plain)))
    assert np.array_equal(back.points, found.points)
    nothing = np.empty((0, 2))
    assert replace(back, points=nothing) == replace(found, points=nothing)


def test_a_damaged_study_is_no_study() -> None:
    with pytest.raises(KeyError):
        study_from({"random_split": None})


def test_a_class_that_is_good_needs_nothing(good: Evidence) -> None:
    found = studied(good).advice
    assert [advice.kind for advice in found] == ["enough"] * 4
    assert found[0].values == {"photos": 48, "recordings": 6}


def test_a_class_of_one_recording_needs_a_second(photos: tuple[Embeddings, Labels, list[str]]) -> None:
    embeddings, labels, groups = photos
    groups = ["only" if label == 2 else group for label, group in zip(labels.tolist(), groups, strict=True)]
    assert studied(examined(embeddings, labels, groups)).advice[2] == Advice("single", {"photos": 48, "recordings": 1})


def test_a_small_class_needs_photos(photos: tuple[Embeddings, Labels, list[str]]) -> None:
    embeddings, labels, groups = photos
    kept = np.flatnonzero((labels != 1) | (np.arange(len(labels)) % 6 == 0))
    found = studied(examined(embeddings[kept], labels[kept], [groups[row] for row in kept])).advice[1]
    assert found.kind == "few"
    assert (found.values["photos"], found.values["wanted"]) == (8, 30)


def test_a_class_with_photos_of_another_should_be_looked_through(
    photos: tuple[Embeddings, Labels, list[str]],
) -> None:
    embeddings, labels, groups = photos
    wrong = labels.copy()
    wrong[[0, 9, 18, 27, 36]] = 3
    found = studied(examined(embeddings, wrong, groups)).advice
    assert found[3].kind == "labels"
    assert 3 <= int(found[3].values["count"]) <= 5
    assert found[0].kind == "enough"


def test_a_class_with_a_few_suspects_is_not_called_good(photos: tuple[Embeddings, Labels, list[str]]) -> None:
    embeddings, labels, groups = photos
    wrong = labels.copy()
    wrong[[0, 9, 18]] = 3
    found = studied(examined(embeddings, wrong, groups)).advice[3]
    assert found.kind == "labels"
    assert 1 <= int(found.values["count"]) < 3


def test_a_class_that_is_taken_for_another_hears_for_which() -> None:
    embeddings, labels, groups = recordings(4, 6, 8)
    # Two classes are nearly the same thing.
    embeddings[labels == 1] += 0.93 * (embeddings[labels == 0].mean(axis=0) - embeddings[labels == 1].mean(axis=0))
    found = studied(examined(embeddings, labels, groups)).advice
    assert found[0].kind == found[1].kind == "confused"
    assert (found[0].values["other"], found[1].values["other"]) == (1, 0)
    assert int(found[0].values["count"]) <= int(found[0].values["total"])


def test_a_class_whose_mistakes_go_everywhere_should_be_more_varied() -> None:
    assert "varied" in kinds(examined(*recordings(6, 6, 8, apart=1.0, shift=1.5)))


def test_a_class_that_was_not_tested_is_not_praised(good: Evidence) -> None:
    assert set(kinds(untested(good))) == {"untested"}
    some = replace(good, folds=np.where(good.labels == 1, -1, good.folds))
    assert kinds(some)[1] == "untested"
    assert "untested" not in kinds(good)


def test_a_class_that_its_background_gives_away_needs_others(photos: tuple[Embeddings, Labels, list[str]]) -> None:
    embeddings, labels, groups = photos
    seen = looks(len(labels))
    wall = changed(seen, np.flatnonzero(labels == 0), tiles=(0.9, 0.1, 0.1))
    assert kinds(examined(embeddings, labels, groups, wall)) == ["background", "enough", "enough", "enough"]


def test_a_class_that_lost_its_photos_is_no_error(good: Evidence) -> None:
    kept = np.flatnonzero(good.labels != 1)
    left = replace(
        good,
        embeddings=good.embeddings[kept],
        labels=good.labels[kept],
        groups=[good.groups[row] for row in kept],
        captures=[good.captures[row] for row in kept],
        folds=good.folds[kept],
        logits=good.logits[kept],
        looks=looks(len(kept)),
    )
    found = studied(left)
    assert found.random_split is None
    assert found.curve is None
    assert found.advice[1] == Advice("few", {"photos": 0, "recordings": 0, "wanted": 30})


def test_two_photos_in_all_are_studied_as_far_as_that_goes() -> None:
    found = studied(examined(*recordings(2, 1, 1)))
    assert found.random_split is None
    assert found.curve is None
    assert [advice.kind for advice in found.advice] == ["single", "single"]


def test_photos_that_are_all_identical_are_no_crash(photos: tuple[Embeddings, Labels, list[str]]) -> None:
    embeddings, labels, groups = photos
    same = changed(looks(len(labels)), np.arange(len(labels)), hashes=0, sharpness=0, contrast=0, tiles=0.5)
    found = studied(examined(np.ones_like(embeddings), labels, groups, same))
    assert not found.points.any()
    assert found.curve is None


def test_embeddings_that_are_not_finite_are_refused_in_words(good: Evidence) -> None:
    broken = good.embeddings.copy()
    broken[0] = np.nan
    with pytest.raises(InvalidInput):
        studied(replace(good, embeddings=broken))
