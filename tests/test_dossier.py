"""What a report is made of: photos with what was said of them, and the file that a study is kept in."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from studying import Desk

from teachable import dossier, looks, looks_cache
from teachable.calibration import probabilities
from teachable.dossier import Found, pack, unpack
from teachable.errors import Cancelled
from teachable.learning import Curve, CurvePoint
from teachable.scores import Calibration
from teachable.study import Advice, Study, Suspect


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path)) as desk:
        desk.add()
        desk.teach()
        yield desk


def photos(desk: Desk) -> dossier.Photos:
    record = desk.project.latest_model()
    assert record is not None
    return dossier.photos_of(desk.project, record)


def found() -> Found:
    curve = Curve((CurvePoint(5, 0.5, 0.4, 0.6, True), CurvePoint(10, 0.7, 0.5, 0.9, False)), 0.2, 0.1, 0.3)
    suspect = Suspect("mislabelled", (0, 1), (1,), 1, {"count": 1, "sure": 0.9}, 3.0)
    points = np.array([[0.25, -1], [0.5, 1]], np.float32)
    return Found(
        (3, 7), Study((3, 4), curve, (suspect,), (Advice("few", {"photos": 2}), Advice("enough")), points, 0.5)
    )


def test_a_study_comes_back_as_it_was() -> None:
    one = found()
    back = unpack(pack(one))
    assert back is not None
    assert back.samples == one.samples
    assert np.array_equal(back.study.points, one.study.points)
    assert back.study.points.dtype == np.float32
    for name in ("random_split", "curve", "suspects", "advice", "explained"):
        assert getattr(back.study, name) == getattr(one.study, name)


@pytest.mark.parametrize("drop", ["format_version", "samples", "study"])
def test_a_study_with_a_part_missing_counts_as_none(drop: str) -> None:
    entry = json.loads(pack(found()))
    del entry[drop]
    assert unpack(json.dumps(entry).encode()) is None


@pytest.mark.parametrize("data", [b"", b"null", b"[" * 100_000, b"\xff", b'{"format_version": 2}'])
def test_a_study_that_cannot_be_read_counts_as_none(data: bytes) -> None:
    assert unpack(data) is None


def test_points_of_other_photos_count_as_none() -> None:
    entry = json.loads(pack(found()))
    entry["samples"].append(9)
    assert unpack(json.dumps(entry).encode()) is None


def test_probabilities_are_calibrated_and_never_overflow() -> None:
    shares = probabilities(np.array([[1000, 0], [2, 0]], np.float32), 2.0)
    assert shares[0] == pytest.approx([1, 0])
    assert shares[1, 0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert probabilities(np.empty((0, 3), np.float32)).shape == (0, 3)


def test_what_was_said_of_each_photo_is_calibrated(desk: Desk) -> None:
    sure = photos(desk).tested()[0].probability
    record = desk.project.latest_model()
    assert record is not None
    calibration = Calibration(4.0, 0.1, 0.05, ())
    cooler = replace(
        photos(desk), record=replace(record, evaluation=replace(record.evaluation, calibration=calibration))
    )
    assert 0.5 < cooler.tested()[0].probability < sure


def test_a_study_looks_at_what_is_still_there_as_it_was_trained(desk: Desk) -> None:
    gone, moved = desk.samples(0)[:2]
    desk.project.delete_samples([gone.id])
    desk.project.move_samples([moved.id], desk.ids[1])
    known = photos(desk)
    samples, evidence = dossier.gather(desk.project, known, desk.backlog, threading.Event())
    assert set(samples) == {sample.id for sample in desk.samples()}
    assert len(evidence.embeddings) == len(evidence.looks.hashes) == len(samples) == 11
    assert evidence.labels[samples.index(moved.id)] == 0
    assert (evidence.folds >= 0).all()
    row = known.kept.samples.tolist().index(samples[3])
    assert np.array_equal(evidence.logits[3], known.kept.tested.logits[row])
    assert evidence.captures[samples.index(moved.id)] == moved.group


def test_gathering_says_how_far_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.backlog.wait(desk.project, photos(desk).record.backbone, lambda state: None, threading.Event())
    for path in desk.project.folder.glob(f"*{looks.VERSION}*"):
        path.unlink()
    desk.backlog.forget(desk.project.id)
    monkeypatch.setattr(looks_cache, "CHUNK", 6)
    done: list[float] = []
    dossier.gather(desk.project, photos(desk), desk.backlog, threading.Event(), done.append)
    assert done == [0.75, 1.0], "nothing was left to embed"


def test_gathering_can_be_given_up(desk: Desk) -> None:
    event = threading.Event()
    event.set()
    with pytest.raises(Cancelled):
        dossier.gather(desk.project, photos(desk), desk.backlog, event)
