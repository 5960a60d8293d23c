"""Intervals agree with published ones, and are wider for photos that come in recordings."""

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
