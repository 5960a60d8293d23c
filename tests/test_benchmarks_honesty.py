"""The measurement of honesty: nothing of a project is in its world, a flattered figure shows, and one small run."""

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import honesty
from tests.benchmarks.honesty import Scene, Trial
from tests.making import photo


def chance(recordings: int, photos: int = 5) -> Scene:
    """Make a scene in which every recording shows something else, so that the class is a matter of chance."""
    rng = np.random.default_rng(0)
    total = 2 * recordings
    rows = np.repeat(rng.normal(size=(total, 64)), photos, axis=0) + rng.normal(size=(total * photos, 64)) * 0.1
    hashes = rng.integers(0, 2**64, total * photos, dtype=np.uint64)
    labels = np.repeat(np.arange(total) % 2, photos)
    groups = tuple(str(name) for name in np.repeat(np.arange(total), photos))
    return Scene("chance", "bursts", 2, rows.astype(np.float32), hashes, labels, groups)


def test_a_random_split_is_caught_where_the_estimate_holds() -> None:
    scene = chance(40)
    recordings = honesty.recordings_of(scene)
    assert honesty.enough(scene, recordings)
    for seed in range(3):
        found = honesty.trial(scene, recordings, seed)
        assert found.photos == 2 * honesty.KNOWN["bursts"] * 5
        assert found.random_split > 0.9
        assert 0.3 < found.true < 0.7
        assert found.low <= found.true <= found.high


def test_no_more_than_half_of_the_recordings_become_a_project() -> None:
    scene = chance(5)
    assert honesty.trial(scene, honesty.recordings_of(scene), 0).photos == 2 * 2 * 5
    few = chance(3)
    assert not honesty.enough(few, honesty.recordings_of(few))


def test_a_shaken_photo_is_another_one_of_nearly_the_same_size() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for seed in range(20):
        taken = honesty.shaken(picture, np.random.default_rng(seed))
        assert taken.dtype == np.uint8
        assert 48 <= taken.shape[0] <= 57
        assert 64 <= taken.shape[1] <= 76


def test_the_table_counts_intervals_that_hold_the_truth() -> None:
    scene = chance(4)
    trials = [
        Trial(0.6, 0.5, 0.7, 1.0, 0.65, (0.58, 0.62), 40, 200),
        Trial(0.8, 0.7, 0.9, 1.0, 0.95, (0.79, 0.96), 60, 200),
    ]
    *_, row, nothing = honesty.table([(scene, trials), (scene, [])])
    assert row == "| chance, bursts | 50 | 70 | 60–80 | 100 | 80 | 1 of 2 | 1 of 2 |"
    assert nothing.startswith("| chance, bursts | too few recordings |")
    assert nothing.count("|") == row.count("|")


def test_a_truth_that_is_counted_is_known_to_half_a_photo() -> None:
    found = Trial(0.99, 0.9, 0.999, 1.0, 1.0, (0.97, 0.99), 100, 100)
    assert found.true_within(found.low, found.high)
    assert not found.true_within(*found.naive)


def test_a_small_run_measures_every_set_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, color in (("red", (220, 60, 50)), ("blue", (40, 70, 220))):
        (tmp_path / "colours" / kind).mkdir(parents=True)
        for number in range(8):
            (tmp_path / "colours" / kind / f"{number}.jpg").write_bytes(photo(number + 100 * len(kind), color))
    honesty.main([str(tmp_path), "--projects", "1"])
    said = capsys.readouterr().out
    assert "mean over 1 project of" in said
    assert "| colours, blocks | too few recordings |" in said
    assert "| colours, bursts |" in said


@pytest.mark.parametrize("arguments", [["nowhere"], [".", "--projects", "0"]])
def test_what_cannot_be_measured_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        honesty.main(arguments)
    assert "honesty: error:" in capsys.readouterr().err
