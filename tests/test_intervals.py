"""Intervals agree with published ones, and are wider for photos that come in recordings."""

import numpy as np
import pytest

from teachable import intervals


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # The first four: Newcombe 1998, Statistics in Medicine 17, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_interval_agrees_with_published_values(correct: int, total: int, low: float, high: float) -> None:
    assert intervals.wilson(correct, total) == pytest.approx((low, high), abs=5e-5)


def test_interval_stays_within_zero_and_one() -> None:
    for total in (1, 2, 7, 1000):
        for correct in {0, total // 2, total}:
            low, high = intervals.wilson(correct, total)
            assert 0 <= low <= correct / total <= high <= 1


@pytest.mark.parametrize(("correct", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_interval_of_no_share_is_refused(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        intervals.wilson(correct, total)


def grouped(*right_of: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    """Make answers of recordings, each with so many correct of so many photos."""
    correct = np.concatenate([np.arange(size) < right for right, size in right_of])
    return correct, [str(index) for index, (_, size) in enumerate(right_of) for _ in range(size)]


def test_photos_that_agree_within_a_recording_are_worth_little_more_than_recordings() -> None:
    alike = intervals.clustered(*grouped(*[(50, 50)] * 6, *[(0, 50)] * 6))
    wide, _ = intervals.wilson(6, 12)
    assert alike[0] < wide + 0.02
    apart = intervals.clustered(*grouped(*[(25, 50)] * 12))
    assert apart[1] - apart[0] < 0.5 * (alike[1] - alike[0])


@pytest.mark.parametrize("seed", range(30))
def test_it_is_never_narrower_than_for_single_photos_and_holds_the_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, int(rng.integers(1, 40)))
    correct, groups = grouped(*[(int(rng.integers(0, size + 1)), int(size)) for size in sizes])
    low, high = intervals.clustered(correct, groups)
    single = intervals.wilson(int(correct.sum()), len(correct))
    assert 0 <= low <= single[0] <= single[1] <= high <= 1
    shuffled = rng.permutation(len(correct))
    other = intervals.clustered(correct[shuffled], [groups[row] for row in shuffled])
    assert other == pytest.approx((low, high))


def test_many_recordings_of_one_photo_are_single_photos() -> None:
    correct, groups = np.arange(400) % 5 > 0, [str(row) for row in range(400)]
    assert intervals.clustered(correct, groups) == pytest.approx(intervals.wilson(320, 400), abs=2e-3)


def test_few_recordings_say_little_even_if_all_is_right() -> None:
    lows = [intervals.clustered(*grouped(*[(30, 30)] * count))[0] for count in (1, 2, 3, 6, 12, 50)]
    assert lows == sorted(lows)
    assert lows[0] < 0.2
    assert lows[1] < 0.4
    assert lows[-1] > 0.9
    assert intervals.clustered(*grouped((30, 30), (30, 30)))[1] == 1.0


def test_one_mistake_more_never_makes_it_much_surer() -> None:
    flawless = intervals.clustered(*grouped(*[(10, 10)] * 20))
    flawed = intervals.clustered(*grouped((9, 10), *[(10, 10)] * 19))
    assert flawed[0] < flawless[0] + 0.03


def test_the_upper_end_allows_for_what_was_not_learned_yet() -> None:
    correct, groups = grouped(*[(6, 10)] * 10)
    plain, allowing = intervals.clustered(correct, groups), intervals.clustered(correct, groups, missing=0.25)
    assert allowing[0] == plain[0]
    # Odds of 3 to 2 become 4 to 2.
    assert plain[1] < allowing[1] == pytest.approx(plain[1] + 2 / 3 - 0.6, abs=0.02)
    flawless = grouped((5, 5), (5, 5))
    assert intervals.clustered(*flawless, missing=0.5) == intervals.clustered(*flawless)
    # Who is hardly ever right does not learn it by heart.
    rarely = grouped(*[(0, 4)] * 197, *[(1, 4)] * 3)
    assert intervals.clustered(*rarely, missing=0.5)[1] < 0.03


@pytest.mark.parametrize(("count", "size"), [(3, 30), (8, 10), (20, 5), (20, 40)])
@pytest.mark.parametrize("alike", [0.05, 0.3, 0.6])
@pytest.mark.parametrize("true", [0.6, 0.9])
def test_it_holds_the_truth_where_single_photos_do_not(count: int, size: int, alike: float, true: float) -> None:
    rng = np.random.default_rng(7)
    spread = 1 / alike - 1
    held = naive = 0
    for _ in range(200):
        shares = rng.beta(true * spread, (1 - true) * spread, count)
        correct, groups = grouped(*[(right, size) for right in rng.binomial(size, shares).tolist()])
        low, high = intervals.clustered(correct, groups)
        held += low <= true <= high
        low, high = intervals.wilson(int(correct.sum()), len(correct))
        naive += low <= true <= high
    # By chance alone 95 % would be 88 % in one of a thousand such tries.
    assert held >= 176
    assert held >= naive


def test_nothing_tested_and_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="0 answers"):
        intervals.clustered(np.empty(0, np.bool_), [])
    with pytest.raises(ValueError, match="groups"):
        intervals.clustered(np.ones(3, np.bool_), ["a"])
    with pytest.raises(ValueError, match="part"):
        intervals.clustered(np.ones(1, np.bool_), ["a"], missing=1.0)


# The difference of two on the same photos


def paired(both: int, one: int, other: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    first = np.array([True] * (both + one) + [False] * (other + neither))
    second = np.array([True] * both + [False] * one + [True] * other + [False] * neither)
    return first, second


def test_a_difference_of_unrelated_photos_is_hardly_wider_than_without_recordings() -> None:
    """By Newcombe's formula, worked out for 50 photos that are unrelated: 0.0569 to 0.3404.

    Student's t in place of the normal quantile, for 50 recordings, makes it a little wider.
    """
    first, second = paired(36, 2, 12, 0)
    low, high = intervals.difference(first, second, [str(n) for n in range(50)])
    assert 0.0569 - 0.006 < low <= 0.0569
    assert 0.3404 <= high < 0.3404 + 0.006


def test_turned_round_it_is_the_same() -> None:
    first, second = paired(30, 4, 9, 7)
    groups = [f"{n // 5}" for n in range(50)]
    low, high = intervals.difference(first, second, groups)
    assert intervals.difference(second, first, groups) == pytest.approx((-high, -low))


def test_few_recordings_make_it_wider_than_many() -> None:
    first, second = paired(30, 2, 12, 6)
    widths = []
    for size in (1, 5, 25):
        low, high = intervals.difference(first, second, [f"{n // size}" for n in range(50)])
        assert -1 <= low < 0.2 < high <= 1
        widths.append(high - low)
    assert widths == sorted(widths)


def test_two_that_never_differ_may_still_differ_a_little() -> None:
    for right in (0, 20, 40):
        first, second = paired(right, 0, 0, 40 - right)
        low, high = intervals.difference(first, second, [f"{n // 4}" for n in range(40)])
        assert low == pytest.approx(-high)
        assert 0 <= high < 0.4


def test_a_difference_holds_the_truth_often_enough() -> None:
    """Pairs of answers in recordings, the second better by 10 %, alike within a recording: 95 % intervals hold it."""
    rng, held, rounds = np.random.default_rng(0), 0, 400
    for _ in range(rounds):
        groups = [f"{n // 8}" for n in range(96)]
        hard = np.repeat(rng.normal(size=12), 8) * 0.15
        first = rng.random(96) < np.clip(0.7 + hard, 0, 1)
        second = rng.random(96) < np.clip(0.8 + np.repeat(rng.normal(size=12), 8) * 0.1 + hard, 0, 1)
        low, high = intervals.difference(first, second, groups)
        held += low <= 0.1 <= high
    assert held / rounds >= 0.93


def test_a_difference_of_nothing_is_refused() -> None:
    nothing = np.empty(0, np.bool_)
    for wrong in ((nothing, nothing, []), (np.ones(2, bool), np.ones(3, bool), ["a"] * 2), (*paired(1, 0, 0, 0), [])):
        with pytest.raises(ValueError, match="groups"):
            intervals.difference(*wrong)
