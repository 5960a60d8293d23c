"""Studies as they run: one after the other, kept, given up, and what is said when they fail."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from making import DEADLINE
from studying import Desk

from teachable.errors import Conflict, InvalidInput


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """With three recordings of two photos of each class, and a model."""
    with closing(Desk(tmp_path)) as desk:
        desk.add()
        desk.teach()
        yield desk


def test_a_report_is_made_once_and_kept(desk: Desk) -> None:
    found = desk.report()
    assert (found.state, found.fraction, found.message) == ("done", 1.0, None)
    assert len(desk.trainer.asked) == 1
    desk.report()
    assert len(desk.trainer.asked) == 1
    desk.again()
    assert desk.reports.of(desk.project.id) == found
    assert desk.report() == found
    assert desk.trainer.asked == []


def test_progress_never_goes_back(desk: Desk) -> None:
    desk.trainer.held.clear()
    desk.reports.start(desk.project.id)
    assert desk.trainer.entered.wait(DEADLINE)
    found = desk.reports.of(desk.project.id)
    assert found.state == "running"
    assert found.fraction == pytest.approx(0.1 + 0.9 * 0.5)
    assert found.accuracy.total == 12, "what is known already is there"
    desk.reports.start(desk.project.id)
    desk.trainer.held.set()
    assert desk.reports.wait(desk.project.id, DEADLINE).state == "done"
    assert len(desk.trainer.asked) == 1


def test_one_that_is_cancelled_can_be_started_again(desk: Desk) -> None:
    desk.trainer.held.clear()
    desk.reports.start(desk.project.id)
    assert desk.trainer.entered.wait(DEADLINE)
    desk.reports.cancel(desk.project.id)
    found = desk.reports.of(desk.project.id)
    assert (found.state, found.message) == ("cancelled", None)
    desk.trainer.held.set()
    assert desk.report().state == "done"
    desk.reports.cancel(desk.project.id)
    assert desk.reports.of(desk.project.id).state == "done"


@pytest.mark.parametrize(
    ("error", "key"),
    [(InvalidInput("embeddings_not_finite", count=2), "embeddings_not_finite"), (RuntimeError("x"), "report_died")],
)
def test_a_failure_is_said_and_can_be_tried_again(
    desk: Desk, error: Exception, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk.trainer.error = error
    found = desk.report()
    assert found.state == "failed"
    assert found.message
    assert ("no usable numbers" in found.message) == (key == "embeddings_not_finite")
    assert ("x" in caplog.text) == (key == "report_died")
    assert found.accuracy.total == 12
    desk.trainer.error = None
    assert desk.report().state == "done"


def test_a_new_model_has_a_report_of_its_own(desk: Desk) -> None:
    desk.trainer.held.clear()
    desk.reports.start(desk.project.id)
    assert desk.trainer.entered.wait(DEADLINE)
    record = desk.teach()
    assert desk.reports.of(desk.project.id).state == "none", "that the old one is being studied does not matter"
    desk.trainer.held.set()
    found = desk.report()
    assert (found.state, found.model) == ("done", record.id)
    assert [path.name for path in (desk.project.folder / "report").iterdir()] == [f"{record.id}.study.json"]


def test_a_model_that_was_replaced_while_it_waited_is_not_studied(desk: Desk) -> None:
    first = desk.project
    desk.project = desk.store.create("Other", first.info().network)
    desk.add()
    desk.teach()
    desk.trainer.held.clear()
    desk.reports.start(desk.project.id)
    assert desk.trainer.entered.wait(DEADLINE)
    desk.reports.start(first.id)
    assert desk.reports.of(first.id).state == "running", "it waits for its turn"
    desk.project = first
    desk.teach()
    desk.trainer.held.set()
    assert desk.reports.wait(first.id, DEADLINE).state == "none"
    assert len(desk.trainer.asked) == 1


def test_deleting_a_project_ends_its_report(desk: Desk) -> None:
    desk.trainer.held.clear()
    desk.reports.start(desk.project.id)
    assert desk.trainer.entered.wait(DEADLINE)
    desk.reports.remove(desk.project.id)
    assert desk.trainer.stopped
    desk.trainer.held.set()
    assert desk.reports.of(desk.project.id).state == "none"


def test_closing_ends_what_runs_and_lets_nothing_begin(desk: Desk) -> None:
    desk.trainer.held.clear()
    desk.reports.start(desk.project.id)
    assert desk.trainer.entered.wait(DEADLINE)
    for thread in desk.reports.close():
        thread.join(DEADLINE)
        assert not thread.is_alive()
    with pytest.raises(Conflict) as caught:
        desk.reports.start(desk.project.id)
    assert caught.value.key == "report_closing"


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"format_version": 99}', b"\xff"])
def test_a_damaged_study_is_made_again(desk: Desk, damage: bytes) -> None:
    desk.report()
    (path,) = (desk.project.folder / "report").iterdir()
    path.write_bytes(damage)
    desk.again()
    assert desk.reports.of(desk.project.id).state == "none"
    assert desk.report().state == "done"


def test_a_full_disk_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(model_id: str, key: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.project.reports, "write", full)
    found = desk.report()
    assert found.state == "failed"
    assert "disk is full" in (found.message or "")
