import numpy as np
import pytest

from teachable import familiarity
from teachable.errors import InvalidInput
from teachable.types import Familiarity

WIDTH = 24


def world(
    classes: int = 3, recordings: int = 10, photos: int = 8, seed: int = 0, width: int = WIDTH
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photos of a few things, each in several recordings, which differ more from one another than their photos do.

    Returns:
        Embeddings, labels and the recording of each, counted within its class.
    """
    kinds = np.random.default_rng(7).gamma(1, 1, (classes, width))
    random = np.random.default_rng(seed)
    rows, labels, places = [], [], []
    for label in range(classes):
        for recording in range(recordings):
            middle = kinds[label] + random.normal(0, 0.15, width)
            rows.append(middle + random.normal(0, 0.03, (photos, width)))
            labels += [label] * photos
            places += [recording] * photos
    return np.concatenate(rows).astype(np.float32), np.array(labels), np.array(places)


def other(count: int = 80, width: int = WIDTH) -> np.ndarray:
    """Photos of things that none of the classes is."""
    random = np.random.default_rng(99)
    return random.gamma(1, 1, (count, width)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> Familiarity:
    embeddings, labels, places = world()
    found = familiarity.fit(embeddings, labels, places % 5)
    assert found is not None
    return found


def plain_distance(fitted: Familiarity, embedding: np.ndarray) -> float:
    """The distance of one photo, written out: to every centre, first inside the space and then outside."""
    unit = embedding.astype(np.float64) / np.linalg.norm(embedding.astype(np.float64))
    centred = unit - fitted.mean
    inside = fitted.basis.astype(np.float64) @ centred
    outside = float(np.sum((centred - fitted.basis.T @ inside) ** 2))
    place = fitted.whitening @ inside
    nearest = sorted(min(float(np.sum((place - one) ** 2)) for one in centres) + outside for centres in fitted.centres)
    return nearest[0] ** 2 / nearest[1]


def test_known_things_in_recordings_never_seen_are_accepted(fitted: Familiarity) -> None:
    accepted = np.mean([(familiarity.score(fitted, world(seed=seed)[0]) >= 0.05).mean() for seed in range(1, 6)])
    assert 0.9 <= accepted <= 1


def test_other_things_are_not(fitted: Familiarity) -> None:
    assert (familiarity.score(fitted, other()) < 0.05).mean() > 0.95


def test_score_is_the_share_of_held_out_photos_that_were_farther(fitted: Familiarity) -> None:
    embeddings = world(seed=3)[0]
    distances = familiarity.distance(fitted, embeddings)
    shares = familiarity.score(fitted, embeddings)
    assert shares.dtype == np.float32
    farther = np.array([(fitted.quantiles > one).mean() for one in distances])
    assert np.abs(shares - farther).max() < 0.02
    order = np.argsort(distances)
    assert (np.diff(shares[order]) <= 0).all()


def test_score_reaches_from_nothing_to_everything(fitted: Familiarity) -> None:
    assert familiarity.score(fitted, other()).min() == 0
    scores = familiarity.score(fitted, world(seed=5)[0])
    assert scores.max() <= 1
    assert scores.min() >= 0


def test_distance_is_that_of_the_formula(fitted: Familiarity) -> None:
    embeddings = np.concatenate([world(seed=4)[0][::16], other(5)])
    expected = [plain_distance(fitted, one) for one in embeddings]
    np.testing.assert_allclose(familiarity.distance(fitted, embeddings), expected, rtol=2e-3, atol=1e-5)


def test_strength_of_a_photo_does_not_count(fitted: Familiarity) -> None:
    embeddings = world(seed=2)[0]
    np.testing.assert_allclose(
        familiarity.score(fitted, 3 * embeddings), familiarity.score(fitted, embeddings), atol=1e-3
    )


def test_held_out_photos_are_measured_without_their_fold() -> None:
    """Photos of a fold that look like nothing else are as far as strangers, not as near as what was trained on."""
    embeddings, labels, places = world(recordings=5)
    odd = places == 4
    embeddings[odd] += np.repeat(np.random.default_rng(1).gamma(1, 1, (3, WIDTH)), 8, axis=0).astype(np.float32)
    found = familiarity.fit(embeddings, labels, places)
    assert found is not None
    assert found.held_out == len(embeddings)
    # They are a fifth of all, so the last fifth of the quantiles is far behind what the final fit makes of them.
    assert np.median(familiarity.distance(found, embeddings[odd])) < 0.5 * found.quantiles[90]


def test_only_photos_that_were_held_out_make_quantiles() -> None:
    embeddings, labels, places = world()
    folds = np.where(labels == 2, -1, places % 5)
    found = familiarity.fit(embeddings, labels, folds)
    assert found is not None
    assert found.held_out == int((labels < 2).sum())
    assert len(found.centres) == 3


def test_class_may_hold_several_things() -> None:
    embeddings, labels, places = world(classes=6)
    merged = labels // 2
    found = familiarity.fit(embeddings, merged, places % 5)
    assert found is not None
    middle = np.stack([embeddings[merged == one].mean(axis=0) for one in range(3)])
    fresh = world(classes=6, seed=9)[0]
    assert familiarity.score(found, fresh).mean() > familiarity.score(found, middle).mean()


def test_same_input_gives_the_same_bits() -> None:
    embeddings, labels, places = world()
    one, two = (familiarity.fit(embeddings, labels, places % 5) for _ in range(2))
    assert one is not None
    assert two is not None
    for name in ("mean", "basis", "whitening", "centres", "quantiles"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_input_is_left_alone() -> None:
    embeddings, labels, places = world(recordings=5)
    before = [one.copy() for one in (embeddings, labels, places)]
    familiarity.fit(embeddings, labels, places)
    for now, then in zip((embeddings, labels, places), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_arrays_are_as_small_as_a_model_file_wants_them() -> None:
    embeddings, labels, places = world(classes=40, recordings=5, photos=6, width=1280)
    found = familiarity.fit(embeddings, labels, places)
    assert found is not None
    parts = (found.mean, found.basis, found.whitening, found.centres, found.quantiles)
    assert all(one.dtype == np.float32 for one in parts)
    assert sum(one.nbytes for one in parts) < 500_000


# Bad input


@pytest.mark.parametrize("held", [0, 1, familiarity.LEAST - 1])
def test_too_few_photos_held_out_say_nothing(held: int) -> None:
    embeddings, labels, places = world()
    folds = np.full(len(labels), -1)
    folds[:held] = places[:held] % 5
    assert familiarity.fit(embeddings, labels, folds) is None


def test_two_photos_say_nothing() -> None:
    assert familiarity.fit(other(2), np.array([0, 1]), np.array([-1, -1])) is None


def test_photos_that_are_all_the_same_say_nothing() -> None:
    same = np.ones((60, WIDTH), np.float32)
    labels, folds = np.arange(60) % 2, np.arange(60) // 12
    assert familiarity.fit(same, labels, folds) is None
    assert familiarity.fit(np.zeros_like(same), labels, folds) is None


def test_classes_of_one_picture_each_say_nothing() -> None:
    pictures = other(3)
    labels = np.arange(60) % 3
    assert familiarity.fit(pictures[labels], labels, np.arange(60) // 12) is None


def test_a_fold_that_would_take_all_of_a_class_does_not_count() -> None:
    embeddings, labels, places = world(recordings=5)
    folds = np.where(labels == 0, 0, places)
    found = familiarity.fit(embeddings, labels, folds)
    assert found is not None
    assert found.held_out == int((labels > 0).sum())


def test_two_classes_each_in_one_fold_say_nothing() -> None:
    embeddings, labels, _ = world(classes=2)
    assert familiarity.fit(embeddings, labels, labels.copy()) is None


def test_embedding_of_nothing_gets_an_answer(fitted: Familiarity) -> None:
    found = familiarity.score(fitted, np.zeros((2, WIDTH), np.float32))
    assert np.isfinite(found).all()


def test_no_photos_get_no_answers(fitted: Familiarity) -> None:
    assert familiarity.score(fitted, np.empty((0, WIDTH), np.float32)).shape == (0,)


def test_values_that_are_no_numbers_are_refused() -> None:
    embeddings, labels, places = world(recordings=5)
    embeddings[3, 2] = np.nan
    with pytest.raises(InvalidInput) as caught:
        familiarity.fit(embeddings, labels, places)
    assert caught.value.values == {"count": 1}


def test_arrays_that_do_not_fit_are_refused() -> None:
    embeddings, labels, places = world(recordings=5)
    with pytest.raises(ValueError, match="folds"):
        familiarity.fit(embeddings, labels, places[:-1])
    with pytest.raises(ValueError, match="two classes"):
        familiarity.fit(embeddings, np.zeros_like(labels), places)


def test_two_hundred_classes_share_the_centres() -> None:
    embeddings, labels, places = world(classes=200, recordings=5, photos=2, width=256)
    found = familiarity.fit(embeddings, labels, places)
    assert found is not None
    assert found.centres.shape[:2] == (200, 2)


def test_of_very_many_photos_enough_are_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, labels, places = world(photos=40)
    whole = familiarity.fit(embeddings, labels, places % 5)
    monkeypatch.setattr(familiarity, "ENOUGH", 600)
    some = familiarity.fit(embeddings, labels, places % 5)
    assert whole is not None
    assert some is not None
    assert (whole.held_out, some.held_out) == (1200, 600)
    # Known things are known, and others are not, about as often as with all of them.
    near, far = world(seed=5)[0], other()
    assert familiarity.score(some, near).mean() == pytest.approx(familiarity.score(whole, near).mean(), abs=0.08)
    assert familiarity.score(some, far).mean() == pytest.approx(familiarity.score(whole, far).mean(), abs=0.05)


def test_a_rare_class_keeps_all_its_photos_among_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(familiarity, "ENOUGH", 100)
    labels = np.array([0] * 500 + [1] * 7 + [2] * 300)
    rows = familiarity._some(labels)
    assert isinstance(rows, np.ndarray)
    assert np.bincount(labels[rows]).tolist() == [46, 7, 46]
    assert (np.diff(rows) > 0).all()
