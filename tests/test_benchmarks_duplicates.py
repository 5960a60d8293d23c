"""The measurement of near-duplicates: what it counts, and one small run."""

from pathlib import Path

import numpy as np
import pytest

from teachable.types import Embeddings, Image
from tests.benchmarks import duplicates
from tests.making import photo


def colour(photos: list[Image]) -> Embeddings:
    return np.array([one.mean(axis=(0, 1)) - 100 for one in photos], np.float32)


def test_pairs_are_counted_once_and_by_class() -> None:
    embeddings = np.array([[1, 0], [1, 0.01], [0, 1], [1, 0]], np.float32)
    hashes = np.array([5, 5, 5, 5], np.uint64)
    assert duplicates.mistaken(embeddings, hashes, np.array([0, 0, 0, 1])) == (1, 3, 2, 3)


def test_a_copy_is_found_where_network_and_pixels_agree() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2))
    assert duplicates.found([one, other], [one, one], colour) == 0.5


@pytest.mark.parametrize("name", duplicates.COPIES)
def test_every_copy_is_a_photo(name: str) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    copy = duplicates.COPIES[name](picture)
    assert (copy.dtype, copy.ndim) == (np.uint8, 3)
    assert not np.array_equal(copy, picture)


def test_a_small_run_gives_a_row_for_every_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("one", "two"):
        (tmp_path / "colours" / kind).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "colours" / kind / f"{number}.jpg").write_bytes(photo(number + 10 * len(kind)))
    duplicates.main([str(tmp_path)])
    *_, row = capsys.readouterr().out.splitlines()
    assert row.startswith("| colours | ")
    assert row.count("|") == len(duplicates.COPIES) + 4
    with pytest.raises(SystemExit):
        duplicates.main([str(tmp_path / "nowhere")])
