"""The measurement of the report: wrong labels are counted as they are, and one small set goes all the way."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from evidencing import examined, flipped, recordings
from making import photo

from teachable.types import Embeddings, Image
from tests.benchmarks import datasets, report


def test_embeddings_made_in_code_are_like_those_of_a_network() -> None:
    embeddings, labels, groups = report.made(3, 40)
    assert embeddings.shape == (120, report.WIDTH)
    assert embeddings.min() == 0
    assert len(set(groups)) == 6
    assert np.bincount(labels).tolist() == [40, 40, 40]


def test_confident_learning_finds_wrong_labels() -> None:
    embeddings, labels, groups = recordings(4, 6, 10)
    wrong, rows = flipped(labels, 0.05)
    found = report.confident_learning(examined(embeddings, wrong, groups))
    assert len(set(found[: len(rows)].tolist()) & set(rows.tolist())) >= 0.7 * len(rows)


def test_a_set_is_measured_from_photos_to_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colors = ((200, 60, 60), (60, 200, 60))
    for label, color in enumerate(colors):
        folder = tmp_path / "set" / str(label)
        folder.mkdir(parents=True)
        for number in range(15):
            (folder / f"{number:02}.jpg").write_bytes(photo(100 * label + number, color))
    monkeypatch.setattr(datasets.tempfile, "gettempdir", lambda: str(tmp_path))

    def embed(photos: Sequence[Image]) -> Embeddings:
        return np.array([one.mean(axis=(0, 1)) for one in photos], np.float32)

    (one,) = datasets.find(tmp_path)
    lines = list(report.quality(one, embed, "means"))
    assert lines[0].startswith("set, 30 photos as they are")
    assert len(lines) == 1 + report.SEEDS + 2
    assert "2 dark copies" in lines[-1]
