"""The measurement of cost against size: what it makes and what it prints. A run takes a server and a minute."""

import numpy as np

from teachable import images
from tests.benchmarks import scale
from tests.benchmarks.scale import Cost


def test_photos_are_tiny_and_all_different() -> None:
    made = [images.prepare(scale.tiny(number)) for number in range(50)]
    assert len({one.sha256 for one in made}) == 50
    assert all(len(one.data) < 2000 and (one.width, one.height) == (32, 32) for one in made)
    # What the cache is filled by is what the project will hold.
    assert made[0].data == scale.tiny(0)


def test_classes_and_recordings_are_equally_large() -> None:
    places = [scale.place(number, 1000) for number in range(1000)]
    counts = np.unique(places, axis=0, return_counts=True)[1]
    assert len(counts) == scale.CLASSES * scale.RECORDINGS
    assert set(counts.tolist()) == {4}


def test_mixtures_stay_near_their_class() -> None:
    rng = np.random.default_rng(0)
    real = [np.abs(rng.normal(5 * kind, 1, (6, 8))).astype(np.float32) for kind in range(3)]
    made = scale.mixed(real, [0, 1, 2, 2], 1)
    assert (made.shape, made.dtype) == ((4, 8), np.float32)
    assert (made >= 0).all()
    assert not np.array_equal(made[2], made[3])
    np.testing.assert_array_equal(made, scale.mixed(real, [0, 1, 2, 2], 1))


def test_the_table_tells_how_far_from_linear_a_figure_is() -> None:
    first = Cost(1000, 2.0, 0.1, 0.001, 0.1, 0.05, 0.002, 4.0, 250, 700)
    tenfold = Cost(10_000, 20.0, 0.2, 0.001, 0.1, 0.05, 0.002, 60.0, 400, 900)
    head, rule, one, other = scale.table([first, tenfold])
    assert head.count("|") == rule.count("|") == one.count("|") == other.count("|")
    assert one.startswith("| 1,000 | 500/s (1.00) | 100 ms (1.00) | 1.0 ms (1.00) |")
    assert other.startswith("| 10,000 | 500/s (1.00) | 200 ms (0.20) | 1.0 ms (0.10) |")
    assert "60.0 s (1.50) | 400 MB | 900 MB |" in other
