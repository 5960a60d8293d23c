"""A lesson in small, over HTTPS and with real trainings: what was acknowledged is there, and nothing breaks."""

from pathlib import Path

from tests.benchmarks import classroom
from tests.benchmarks.crowd import Plan


def test_a_percentile_is_one_of_the_values() -> None:
    assert classroom.percentile(range(1, 21), 0.95) == 19
    assert classroom.percentile(range(1, 21), 0.5) == 10
    assert classroom.percentile([3.0], 0.95) == 3


def test_nothing_is_lost_when_four_people_record_and_train_at_once(tmp_path: Path) -> None:
    plan = Plan(visitors=4, seconds=3, trainings=1, pause=1)
    outcome = classroom.play(tmp_path / "home", plan)
    notes = outcome.notes
    assert notes.problems == []
    assert notes.failures == 0
    assert sum(map(len, notes.acknowledged.values())) == 4 * 30
    assert outcome.lost == 0
    assert len(notes.trainings) == 4
    # A figure of the measurement, generously: two cores run everything else of the tests as well.
    assert classroom.percentile(notes.batches, 0.95) < 10
