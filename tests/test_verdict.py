"""What a comparison says: McNemar's test against known values, and which network is advised."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from teachable.verdict import FEW, Advice, ComparisonRow, Hits, advise, in_megabytes, in_milliseconds, mcnemar

HELD_OUT = 40


def apart(wins: int, losses: int, both: int = 10, neither: int = 5) -> tuple[Hits, Hits]:
    """Two networks of which the first alone is right `wins` times, the second alone `losses` times."""
    one = [True] * wins + [False] * losses + [True] * both + [False] * neither
    other = [False] * wins + [True] * losses + [True] * both + [False] * neither
    return np.array(one), np.array(other)


# McNemar's test


@pytest.mark.parametrize(
    ("wins", "losses", "expected"),
    [
        # By hand: twice the tail of as many coins.
        (0, 0, 1.0),
        (1, 1, 1.0),
        (5, 0, 2 / 32),
        (6, 0, 2 / 64),
        (0, 6, 2 / 64),
        (8, 1, 2 * (1 + 9) / 512),
        (10, 2, 2 * (1 + 12 + 66) / 4096),
    ],
)
def test_the_test_gives_known_values(wins: int, losses: int, expected: float) -> None:
    assert mcnemar(*apart(wins, losses)) == pytest.approx(expected, abs=1e-15)


def test_the_test_agrees_with_the_binomial_test_of_scipy() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        wins, losses = generator.integers(0, 60, 2).tolist()
        expected = binomtest(wins, wins + losses, 0.5).pvalue if wins + losses else 1.0
        assert mcnemar(*apart(wins, losses)) == pytest.approx(expected, rel=1e-9)


def test_photos_both_get_right_or_wrong_do_not_count() -> None:
    assert mcnemar(*apart(7, 1, both=0, neither=0)) == mcnemar(*apart(7, 1, both=500, neither=300))


def test_the_test_is_the_same_from_both_sides_and_bears_thousands_of_photos() -> None:
    one, other = apart(3000, 2800)
    assert mcnemar(one, other) == mcnemar(other, one)
    assert mcnemar(one, other) == pytest.approx(binomtest(3000, 5800, 0.5).pvalue, rel=1e-9)


def test_other_photos_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))


# The advice


def first(count: int, total: int = HELD_OUT) -> Hits:
    """The first photos right, the others wrong: of two such networks the better one gets right all the other does."""
    return np.arange(total) < count


def row(
    id_: str, correct: int, native_ms: float, size: int = 10_000_000, total: int = HELD_OUT, **more: bool
) -> ComparisonRow:
    return ComparisonRow(
        id_,
        f"Net {id_}",
        correct / total,
        0.1,
        0.9,
        correct,
        total,
        native_ms,
        None,
        size,
        more.get("in_use", False),
        None,
    )


def advice(*rows: ComparisonRow) -> Advice:
    return advise(rows, {one.id: first(one.correct, one.held_out) for one in rows if one.accuracy is not None})


def test_a_clear_lead_is_worth_its_cost() -> None:
    found = advice(row("slow", 36, 40.0, 25_400_000), row("quick", 24, 8.25))
    assert found.id == "slow"
    assert "“Net slow” (40 ms per photo, 25 MB): of 40 photos it had not learned from, it named 36" in found.message
    assert "“Net quick” is quicker (8.2 ms, 10 MB) but named only 24" in found.message


def test_a_lead_that_can_be_chance_is_not() -> None:
    # Five photos one way: the exact test gives 6.25 %. Six give 3.1 %.
    assert advice(row("slow", 35, 40.0), row("quick", 30, 8.0)).id == "quick"
    assert advice(row("slow", 36, 40.0), row("quick", 30, 8.0)).id == "slow"


def test_the_words_say_that_a_lead_can_be_chance() -> None:
    found = advice(row("slow", 35, 40.0), row("quick", 30, 8.0))
    assert "“Net slow” named 35, but that lead can be chance, and it is slower (40 ms, 10 MB)" in found.message


def test_a_tie_goes_to_the_lighter() -> None:
    found = advice(row("slow", 30, 40.0, 5_000_000), row("quick", 30, 8.0))
    assert found.id == "quick"
    assert "No other network named more" in found.message
    assert advice(row("large", 30, 8.0, 90_000_000), row("small", 30, 8.0)).id == "small"


def test_a_middle_way_is_found() -> None:
    """The best is not much better than the middle one, and the quickest is worse than the best."""
    found = advice(row("huge", 38, 90.0), row("middle", 36, 20.0), row("quick", 20, 8.0))
    assert found.id == "middle"
    assert "“Net huge” named 38" in found.message


def test_nobody_is_sent_elsewhere_for_a_difference_of_the_clock() -> None:
    assert advice(row("here", 30, 8.5, in_use=True), row("there", 30, 8.0)).id == "here"
    assert advice(row("here", 30, 12.0, in_use=True), row("there", 30, 8.0)).id == "there"
    assert advice(row("here", 30, 8.0, in_use=True), row("there", 33, 8.5)).id == "there"


@pytest.mark.parametrize("total", [FEW - 1, FEW])
def test_few_photos_are_said_to_tell_little(total: int) -> None:
    equal = advice(row("slow", 6, 40.0, total=total), row("quick", 6, 8.0, total=total))
    behind = advice(row("slow", 7, 40.0, total=total), row("quick", 6, 8.0, total=total))
    assert (equal.id, behind.id) == ("quick", "quick")
    for found in (equal, behind):
        assert ("few photos" in found.message) == (total < FEW)


def test_with_few_photos_a_large_lead_counts_though_it_is_no_proof() -> None:
    found = advice(row("slow", 8, 40.0, total=8), row("quick", 4, 8.0, total=8))
    assert found.id == "slow"
    assert "few photos" in found.message
    assert advice(row("slow", 24, 40.0, total=60), row("quick", 20, 8.0, total=60)).id == "quick"


def test_one_network_alone_is_no_choice() -> None:
    failed = ComparisonRow("bad", "Bad", None, None, None, 0, 0, 3.0, None, 1, False, "It is damaged.")
    found = advice(row("only", 30, 8.0), failed)
    assert found.id is None
    assert "“Net only” is the only network" in found.message


def test_without_held_out_photos_there_is_no_advice() -> None:
    untested = ComparisonRow("a", "A", None, None, None, 0, 0, 8.0, None, 1, True, None)
    found = advice(untested, untested)
    assert found.id is None
    assert "Record each class once more" in found.message


def test_where_all_failed_it_says_so() -> None:
    failed = ComparisonRow("a", "A", None, None, None, 0, 0, 8.0, None, 1, True, "It is damaged.")
    assert advice(failed) == Advice(None, "None of the networks could be used. The table says why.")


def test_an_answer_is_one_or_two_sentences() -> None:
    for rows in (
        (row("slow", 36, 40.0), row("quick", 24, 8.0)),
        (row("slow", 35, 40.0), row("quick", 30, 8.0)),
        (row("slow", 30, 40.0), row("quick", 30, 8.0)),
        (row("slow", 9, 40.0, total=12), row("quick", 7, 8.0, total=12)),
        (row("slow", 7, 40.0, total=12), row("quick", 7, 8.0, total=12)),
        (row("only", 7, 8.0),),
    ):
        message = advice(*rows).message
        assert message.endswith(".")
        assert message.count(". ") == 1, message


# Figures in words


def test_figures_have_as_many_digits_as_they_are_worth() -> None:
    assert [in_milliseconds(time) for time in (0.04, 1.26, 9.94, 9.96, 123.4)] == ["0.0", "1.3", "9.9", "10", "123"]
    assert [in_megabytes(size) for size in (40_000, 9_940_000, 9_960_000, 114_000_000)] == ["0.0", "9.9", "10", "114"]
    assert math.isclose(float(in_megabytes(2_540_000)), 2.5)
