"""The measurement of strangers: its splits, its area under the curve, and one small run of everything."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import unknown
from tests.making import photo


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep embeddings and networks in a folder of the test."""
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "kept"))
    monkeypatch.setenv("TEACHABLE_HOME", str(tmp_path / "home"))


def drawn(classes: int, photos: int, count: int) -> tuple[np.ndarray, list[unknown.Split]]:
    """Splits of photos of which each has its own embedding."""
    labels = np.repeat(np.arange(classes), photos)
    embeddings = np.arange(len(labels), dtype=np.float32)[:, None]
    return labels, list(unknown.splits(labels, embeddings, -np.ones((5, 1), np.float32), count))


def test_no_recording_is_both_taught_and_asked_about() -> None:
    labels, found = drawn(6, 40, 4)
    for split in found:
        taught, known, left_out = (rows[:, 0].astype(int) for rows in (split.taught, split.known, split.left_out))
        assert sorted([*taught, *known, *left_out]) == list(range(len(labels)))
        assert not set(taught // unknown.RECORDING) & set(known // unknown.RECORDING)
        assert not set(labels[left_out]) & set(labels[[*taught, *known]])
        assert set(labels[taught]) == set(labels[known])
        assert len(set(labels[taught])) == 3
        assert split.labels.max() == 2
        for recording in set(taught // unknown.RECORDING):
            assert len(set(split.folds[taught // unknown.RECORDING == recording])) == 1
    assert any(set(found[0].taught[:, 0]) != set(split.taught[:, 0]) for split in found[1:])


def test_splits_are_the_same_for_every_way() -> None:
    for one, other in zip(drawn(5, 30, 3)[1], drawn(5, 30, 3)[1], strict=True):
        np.testing.assert_array_equal(one.taught, other.taught)
        np.testing.assert_array_equal(one.folds, other.folds)


def test_area_under_the_curve_counts_pairs() -> None:
    random = np.random.default_rng(0)
    known, strange = random.integers(0, 6, 30).astype(float), random.integers(2, 9, 20).astype(float)
    pairs = [(one < other) + 0.5 * (one == other) for one in known for other in strange]
    assert unknown.auroc(known, strange) == pytest.approx(np.mean(pairs))
    assert unknown.auroc(np.zeros(3), np.ones(4)) == 1
    assert unknown.auroc(np.ones(3), np.ones(4)) == 0.5


@pytest.mark.parametrize("name", unknown.METHODS)
def test_every_way_tells_what_is_plainly_strange(name: str) -> None:
    random = np.random.default_rng(3)
    middles = random.gamma(1, 1, (2, 40))

    def near(label: int, count: int = 30) -> np.ndarray:
        return (middles[label] + random.normal(0, 0.1, (count, 40))).astype(np.float32)

    rows, labels = np.concatenate([near(0), near(1)]), np.repeat([0, 1], 30)
    # In the middle between both classes, where the probabilities are even and nothing was taught.
    strange = (middles.mean(axis=0) + random.normal(0, 0.1, (20, 40))).astype(np.float32)
    score = unknown.METHODS[name](rows, labels)
    assert unknown.auroc(score(np.concatenate([near(0), near(1)])), score(strange)) > 0.9


def test_the_whole_measurement_runs_and_prints_both_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    colors = {
        "warm": {"red": (220, 60, 50), "orange": (230, 150, 40), "pink": (240, 150, 170)},
        "cold": {"blue": (40, 70, 220), "green": (50, 180, 80), "grey": (120, 130, 140)},
    }
    for one, classes in colors.items():
        for name, color in classes.items():
            folder = tmp_path / "sets" / one / name
            folder.mkdir(parents=True)
            for number in range(30):
                (folder / f"{number:02}.jpg").write_bytes(photo(number + 100 * len(name), color))
    fast = {name: unknown.METHODS[name] for name in ("largest probability", "ours")}
    monkeypatch.setattr(unknown, "METHODS", fast)
    unknown.main([str(tmp_path / "sets"), "--splits", "1"])
    printed = capsys.readouterr().out
    rows = re.findall(r"^\| (largest probability|ours) \|(.*)\|$", printed, re.MULTILINE)
    assert [name for name, _ in rows] == ["largest probability", "ours"] * 2
    for _, cells in rows:
        assert all(0 <= float(cell) <= 100 for cell in cells.split("|"))


def test_one_set_alone_has_no_strangers(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "sets" / "one" / name).mkdir(parents=True)
        (tmp_path / "sets" / "one" / name / "0.jpg").write_bytes(photo(0))
    with pytest.raises(SystemExit):
        unknown.main([str(tmp_path / "sets")])
