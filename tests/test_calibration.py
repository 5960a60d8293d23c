"""The temperature is the one that was hidden, the error is the textbook's, and too little tested says nothing."""

import itertools

import numpy as np
import pytest

from teachable import calibration, heads
from teachable.calibration import Logits
from teachable.scores import CalibrationBin
from teachable.types import Head, Labels, Layer


def drawn(count: int, temperature: float, seed: int = 0, classes: int = 4) -> tuple[Logits, Labels]:
    """Draw true classes from the softmax of logits, then make these too large by a factor."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(count, classes)) * 2
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return (honest * temperature).astype(np.float32), labels.astype(np.int64)


@pytest.mark.parametrize("hidden", [0.5, 1.0, 3.0])
def test_the_hidden_temperature_is_found_and_mends_the_error(hidden: float) -> None:
    logits, labels = drawn(5000, hidden)
    found = calibration.fit(logits, labels, np.arange(5000) % 5)
    assert found is not None
    assert found.temperature == pytest.approx(hidden, rel=0.05)
    assert found.after < 0.03
    if hidden != 1:
        assert found.before > 0.07


def test_the_temperature_is_where_the_loss_is_smallest() -> None:
    logits, labels = drawn(300, 2.0, seed=3)
    missing = 1 / 302

    def loss(temperature: float) -> float:
        scores = logits.astype(np.float64) / temperature
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        wanted = np.full(logs.shape, missing / 3)
        wanted[np.arange(300), labels] = 1 - missing
        return float(-(wanted * logs).sum())

    tried = np.exp(np.linspace(np.log(0.2), np.log(10), 2000))
    best = tried[np.argmin([loss(one) for one in tried])]
    assert calibration.temperature(logits, labels) == pytest.approx(best, rel=0.005)


def test_the_error_after_is_told_by_other_folds_than_those_a_temperature_was_fitted_on() -> None:
    logits, labels = drawn(100, 2.0, seed=1)
    # A fold whose every answer is sure and wrong wants a high temperature, which the others know nothing of.
    folds = np.arange(100) % 5
    bad = folds == 0
    logits[bad], labels[bad] = np.array([9, 0, 0, 0], np.float32), 1
    found = calibration.fit(logits, labels, folds)
    assert found is not None
    other = calibration.temperature(logits[~bad], labels[~bad])
    sure = float(np.exp(9 / other) / (np.exp(9 / other) + 3))
    assert max(one.high for one in found.bins) >= sure
    assert found.after > 0.1


def test_error_and_curve_agree_with_counting_by_hand() -> None:
    sure = np.array([0.55, 0.55, 0.95, 0.95, 0.95, 1.0])
    right = np.array([True, False, True, True, False, True])
    first, second = calibration.reliability(sure, right)
    assert (first.low, first.high, first.count, first.accuracy) == (0.5, 0.6, 2, 0.5)
    assert (second.low, second.high, second.count, second.accuracy) == (0.9, 1.0, 4, 0.75)
    assert second.confidence == pytest.approx(0.9625)
    assert calibration.error(sure, right) == pytest.approx((2 * 0.05 + 4 * 0.2125) / 6)


def test_bins_hold_every_photo_once() -> None:
    logits, labels = drawn(200, 1.5)
    found = calibration.fit(logits, labels, np.arange(200) % 4)
    assert found is not None
    assert sum(one.count for one in found.bins) == 200
    assert all(one.count and one.low <= one.confidence <= one.high for one in found.bins)


@pytest.mark.parametrize(("photos", "folds"), [(0, 5), (19, 5), (100, 1)])
def test_too_little_says_nothing(photos: int, folds: int) -> None:
    logits, labels = drawn(photos, 1.0)
    assert calibration.fit(logits, labels, np.arange(photos) % folds) is None


def test_a_test_without_a_mistake_does_not_make_a_model_endlessly_sure() -> None:
    labels = np.arange(40) % 2
    logits = np.where(np.arange(2) == labels[:, None], 1.0, -1.0).astype(np.float32)
    found = calibration.fit(logits, labels, np.arange(40) % 5)
    assert found is not None
    sure = 1 / (1 + np.exp(-2 / found.temperature))
    assert sure == pytest.approx(1 - 1 / 42, abs=1e-3)
    assert found.before > found.after


def test_photos_that_say_nothing_leave_a_finite_temperature() -> None:
    labels = np.arange(40) % 2
    same = calibration.fit(np.zeros((40, 2), np.float32), labels, np.arange(40) % 5)
    assert same is not None
    assert np.isfinite([same.temperature, same.before, same.after]).all()
    wrong = np.where(np.arange(2) == labels[:, None], -5.0, 5.0).astype(np.float32)
    found = calibration.fit(wrong, labels, np.arange(40) % 5)
    assert found is not None
    assert 0 < found.temperature <= 20
    huge = calibration.fit(wrong * 1e30, labels, np.arange(40) % 5)
    assert huge is not None
    assert np.isfinite(huge.after)


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_scaled_head_gives_divided_logits_and_the_same_answers(hidden: int) -> None:
    rng = np.random.default_rng(0)
    sizes = [8, hidden, 3] if hidden else [8, 3]
    layers = [
        Layer(rng.normal(size=(out, into)).astype(np.float32), rng.normal(size=out).astype(np.float32))
        for into, out in itertools.pairwise(sizes)
    ]
    head, rows = Head(tuple(layers)), rng.normal(size=(20, 8)).astype(np.float32)
    before = layers[-1].weight.copy()
    scaled = calibration.scaled(head, 2.5)
    np.testing.assert_allclose(heads.logits(scaled, rows), heads.logits(head, rows) / 2.5, rtol=1e-5, atol=1e-6)
    assert scaled.layers[-1].weight.dtype == scaled.layers[-1].bias.dtype == np.float32
    np.testing.assert_array_equal(head.layers[-1].weight, before)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="above zero"):
            calibration.scaled(head, wrong)


def test_ranges_with_few_photos_are_joined() -> None:
    thin = [(0.1, 1.0, 1), (0.2, 0.0, 3), (0.3, 0.5, 8), (0.4, 0.4, 4), (0.5, 0.5, 6), (0.9, 1.0, 2)]
    bins = [CalibrationBin(at, at + 0.1, at + 0.05, right, count) for at, right, count in thin]
    found = calibration.joined(bins, fewest=8)
    assert [one.count for one in found] == [12, 12]
    assert (found[0].low, found[0].high) == (0.1, 0.4)
    assert found[0].accuracy == pytest.approx(5 / 12)
    assert found[1].confidence == pytest.approx((0.45 * 4 + 0.55 * 6 + 0.95 * 2) / 12)
    assert calibration.joined(bins[:1]) == tuple(bins[:1])
    assert calibration.joined([]) == ()


def test_of_very_many_photos_enough_give_the_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, (3000, 4)).astype(np.float32)
    chances = np.exp(logits / 2)
    draws = (chances / chances.sum(axis=1, keepdims=True)).cumsum(axis=1)
    labels = (random.random((3000, 1)) > draws).sum(axis=1).clip(0, 3)
    whole = calibration.temperature(logits, labels)
    monkeypatch.setattr(calibration, "ENOUGH", 1000)
    assert calibration.temperature(logits, labels) == pytest.approx(whole, rel=0.15)
