"""Reports of models, what they say of photos one by one, and the map; what is mended is not complained about."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import until
from studying import Desk

from teachable import reports
from teachable.errors import Conflict, InvalidInput, NotFound
from teachable.exporting.exporter import Extra
from teachable.study import Suspect


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path)) as desk:
        yield desk


@pytest.fixture
def desk(empty: Desk) -> Desk:
    """With three recordings of two photos of each class, and a model; of the first class one was named wrongly."""
    empty.add()
    empty.teach(lambda place, label: 1 if (place, label) == (5, 0) else label)
    return empty


# How a report stands


def test_without_a_model_the_report_says_to_train(empty: Desk) -> None:
    found = empty.reports.of(empty.project.id)
    assert (found.state, found.model, found.project) == ("none", None, "Colours")
    assert "Train the model" in found.headline
    for call in (empty.reports.start, empty.reports.map, empty.reports.page):
        with pytest.raises(NotFound) as caught:
            call(empty.project.id)
        assert caught.value.key == "model_not_trained"
    for id_ in ("nobody", "../x"):
        with pytest.raises(NotFound):
            empty.reports.of(id_)


def test_before_it_is_started_it_says_what_the_training_found(desk: Desk) -> None:
    found = desk.reports.of(desk.project.id)
    assert (found.state, found.fraction, found.stale) == ("none", 0.0, False)
    assert (found.accuracy.correct, found.accuracy.total) == (11, 12)
    assert found.confusion == ((5, 1), (0, 6))
    assert found.findings == ()
    assert {one.advice for one in found.classes} == {""}


# What changed since


def test_a_change_of_photos_makes_it_stale_but_not_gone(desk: Desk) -> None:
    desk.report()
    desk.add(groups=1, start=5000)
    found = desk.reports.of(desk.project.id)
    assert (found.state, found.stale) == ("done", True)


def test_names_and_colours_are_those_of_now(desk: Desk) -> None:
    desk.report()
    desk.project.update_class(desk.ids[0], name="Cat <b>", color="#123456")
    desk.project.rename("Pets")
    found = desk.reports.of(desk.project.id)
    assert (found.project, found.stale) == ("Pets", False)
    assert (found.classes[0].name, found.classes[0].color) == ("Cat <b>", "#123456")
    assert "“Cat <b>”" in found.classes[0].advice


def test_what_was_mended_is_not_complained_about_until_that_is_undone(desk: Desk) -> None:
    wrong = desk.samples(0)[5].id
    desk.trainer.suspects = (Suspect("mislabelled", (0, 1), (5,), 1, {"count": 1, "sure": 0.9}, 3.0),)
    (finding,) = desk.report().findings
    assert finding.samples == (wrong,)
    move, delete = finding.actions
    assert (move.kind, move.class_id, move.samples) == ("move", desk.ids[1], (wrong,))
    assert (delete.kind, delete.samples) == ("delete", (wrong,))
    undo = desk.project.move_samples(move.samples, desk.ids[1])
    assert desk.reports.of(desk.project.id).findings == ()
    desk.project.undo(undo)
    assert desk.reports.of(desk.project.id).findings == (finding,)
    desk.project.delete_samples(delete.samples)
    found = desk.reports.of(desk.project.id)
    assert found.findings == ()
    assert any(text.startswith("1 photo it was trained on has been deleted") for text in found.limits)


def test_a_deleted_class_is_still_in_the_report_of_the_model(desk: Desk) -> None:
    desk.report()
    desk.project.delete_class(desk.ids[1])
    found = desk.reports.of(desk.project.id)
    assert [one.name for one in found.classes] == ["Class 1", "Class 2"]
    assert found.stale


# A model of before


def test_a_model_of_before_says_what_it_can(empty: Desk) -> None:
    empty.add()
    empty.teach(kept=False, folds=0)
    found = empty.report()
    assert found.state == "done"
    assert "older Teachable" in found.method
    assert "older Teachable" in found.unknown
    assert (found.recordings, [one.recordings for one in found.classes]) == (6, [3, 3])
    (evidence,) = empty.trainer.asked
    assert set(evidence.folds.tolist()) == {-1}
    assert np.isnan(evidence.logits).all()
    with pytest.raises(NotFound) as caught:
        empty.reports.photos(empty.project.id, *empty.ids)
    assert caught.value.key == "report_photos_unknown"
    assert len(empty.reports.map(empty.project.id).samples) == 12


def test_outcomes_that_are_damaged_or_of_another_model_count_as_none(desk: Desk) -> None:
    (path,) = (desk.project.folder / "models").glob("*.npz")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(NotFound) as caught:
        desk.reports.photos(desk.project.id, *desk.ids)
    assert caught.value.key == "report_photos_unknown"
    assert desk.report().state == "done"


# Bad input


def test_with_two_samples_in_all_it_says_what_is_missing(empty: Desk) -> None:
    empty.add(groups=1, size=1)
    empty.teach(unjudged=(0, 1))
    found = empty.report()
    assert found.accuracy == type(found.accuracy)(0, 0, None, None, None)
    assert "cannot be known yet" in found.headline
    assert "second recording" in found.headline
    assert [one.judged for one in found.classes] == [False, False]
    assert found.classes[0].recall.share is None
    assert (found.classes[0].precision, found.classes[0].f1) == (None, None)


def test_a_class_of_which_no_photo_is_left_does_not_break_it(desk: Desk) -> None:
    desk.project.clear_class(desk.ids[0])
    found = desk.report()
    assert found.state == "done"
    (evidence,) = desk.trainer.asked
    assert evidence.class_count == 2
    assert set(evidence.labels.tolist()) == {1}
    assert len(desk.reports.map(desk.project.id).samples) == 6


def test_without_any_photo_left_it_says_so(desk: Desk) -> None:
    for id_ in desk.ids:
        desk.project.clear_class(id_)
    found = desk.report()
    assert found.state == "failed"
    assert "None of the photos" in (found.message or "")


def test_two_hundred_classes_are_no_trouble(tmp_path: Path) -> None:
    with closing(Desk(tmp_path, classes=200)) as desk:
        desk.add(groups=1, size=1)
        desk.teach(unjudged=range(200))
        desk.trainer.suspects = (Suspect("single", tuple(range(200)), (), None, {"count": 200}, 2.0),)
        found = desk.report()
        assert len(found.classes) == 200
        (finding,) = found.findings
        assert "and 198 more" in finding.title
        assert len(finding.actions) == 3
        assert len(found.headline) < 300
        assert max(map(len, found.limits)) < 300


def test_photos_whose_embeddings_cannot_be_had_are_left_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.report()
    record = desk.teach()
    cache = desk.backlog.cache(desk.project, record.backbone)
    lost = desk.samples()[3].sha256
    whole = cache.missing
    monkeypatch.setattr(cache, "missing", lambda hashes: [*whole(hashes), lost] if (hashes := list(hashes)) else [])

    def gone(*given: object) -> set[str]:
        raise NotFound("network_unknown", network="sighted")

    monkeypatch.setattr(desk.backlog, "wait", gone)
    assert desk.report().state == "done"
    assert len(desk.trainer.asked[-1].labels) == 11


def test_without_any_embeddings_it_says_why_there_are_none(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    record = desk.project.latest_model()
    assert record is not None
    monkeypatch.setattr(desk.backlog.cache(desk.project, record.backbone), "missing", list)

    def gone(*given: object) -> set[str]:
        raise NotFound("network_unknown", network="sighted")

    monkeypatch.setattr(desk.backlog, "wait", gone)
    found = desk.report()
    assert (found.state, found.message) == ("failed", str(NotFound("network_unknown", network="sighted")))


# Photos one by one


def test_a_cell_opens_its_photos_the_most_certain_first(desk: Desk) -> None:
    one, other = desk.ids
    found = desk.reports.photos(desk.project.id, one, one)
    assert found.total == 5
    assert [photo.id for photo in found.photos] == [sample.id for sample in desk.samples(0)[:5]][::-1]
    assert all(photo.given == photo.said == one and photo.present for photo in found.photos)
    (wrong,) = desk.reports.photos(desk.project.id, one, other).photos
    assert (wrong.given, wrong.said, wrong.id) == (one, other, desk.samples(0)[5].id)
    assert wrong.probability + wrong.given_probability == pytest.approx(1, abs=1e-5)
    assert desk.reports.photos(desk.project.id, other, one).total == 0
    assert [photo.id for photo in desk.reports.photos(desk.project.id, one, one, 1, 2).photos] == [
        sample.id for sample in desk.samples(0)[2:4]
    ][::-1]
    assert desk.reports.photos(desk.project.id, one, one, 99).photos == ()


def test_a_photo_that_was_moved_deleted_or_set_aside_is_not_present(desk: Desk) -> None:
    one, other = desk.ids
    first, second, third, *_ = (sample.id for sample in desk.samples(0))
    desk.project.move_samples([first], other)
    desk.project.delete_samples([second])
    desk.project.mark_test([third], test=True, whole_recordings=False)
    found = desk.reports.photos(desk.project.id, one, one)
    assert found.total == 5
    assert {photo.id for photo in found.photos if not photo.present} == {first, second, third}


@pytest.mark.parametrize("unknown", ["", "nobody"])
def test_a_cell_of_unknown_classes_is_refused(desk: Desk, unknown: str) -> None:
    for given, said in ((unknown, desk.ids[0]), (desk.ids[0], unknown)):
        with pytest.raises(NotFound) as caught:
            desk.reports.photos(desk.project.id, given, said)
        assert caught.value.key == "class_unknown"


def test_a_stored_photo_is_named_and_its_heat_map_is_there(desk: Desk) -> None:
    one, other = desk.ids
    sample = desk.samples(0)[0]
    found = desk.reports.prediction(desk.project.id, sample.id)
    assert (found.sample, found.said, found.view) == (sample.id, one, 0.875)
    assert list(found.probabilities) == [one, other]
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert (found.familiarity, found.known) == (None, None)
    assert found.heatmap.class_id == one
    assert len(found.heatmap.values) == found.heatmap.width * found.heatmap.height == 16
    assert np.mean(found.heatmap.values) > 0
    asked = desk.reports.prediction(desk.project.id, sample.id, other)
    assert (asked.said, asked.heatmap.class_id) == (one, other)
    assert asked.heatmap.values != found.heatmap.values
    with pytest.raises(NotFound):
        desk.reports.prediction(desk.project.id, sample.id, "nobody")
    with pytest.raises(NotFound):
        desk.reports.prediction(desk.project.id, 10**6)


def test_a_model_that_is_trained_while_one_is_asked_does_not_answer_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desk.reports.prediction(desk.project.id, desk.samples(0)[0].id)
    whole = desk.project.photo_file

    def photo_file(sha: str) -> object:
        monkeypatch.undo()
        desk.project.add_class()
        desk.teach()
        return whole(sha)

    monkeypatch.setattr(desk.project, "photo_file", photo_file)
    again = desk.reports.prediction(desk.project.id, desk.samples(0)[0].id)
    assert again == first
    assert desk.reports.prediction(desk.project.id, desk.samples(0)[0].id).model != first.model


# The map


def test_the_map_follows_the_photos(desk: Desk) -> None:
    early = desk.reports.map(desk.project.id)
    assert (early.ready, early.samples, early.class_ids) == (False, (), tuple(desk.ids))
    desk.report()
    found = desk.reports.map(desk.project.id)
    assert found.ready
    assert (found.method, found.explained, found.class_ids) == ("pca", 0.75, desk.ids)
    assert found.samples == tuple(sample.id for sample in desk.samples())
    assert found.classes == (0,) * 6 + (1,) * 6
    assert (found.x[0], found.y[-1]) == (-1, 1)
    new = desk.project.add_class("New").id
    deleted, moved, aside, *_ = (sample.id for sample in desk.samples(0))
    desk.project.delete_samples([deleted])
    desk.project.move_samples([moved], new)
    desk.project.mark_test([aside], test=True)
    changed = desk.reports.map(desk.project.id)
    assert {deleted, aside} & set(changed.samples) == set()
    assert changed.class_ids == (*desk.ids[:2], new)
    assert changed.classes[changed.samples.index(moved)] == 2
    assert changed.x[changed.samples.index(moved)] == found.x[found.samples.index(moved)]


def test_umap_is_drawn_once_and_kept(desk: Desk) -> None:
    desk.report()
    found = desk.reports.map(desk.project.id, "umap")
    assert (found.method, found.explained, found.umap, found.command) == ("umap", None, True, "")
    assert len(found.samples) == 12
    desk.reports.map(desk.project.id, "umap")
    assert desk.trainer.drawn == 1
    desk.again()
    assert desk.reports.map(desk.project.id, "umap") == found
    assert desk.trainer.drawn == 0
    (path,) = (desk.project.folder / "report").glob("*.umap.json")
    path.write_text("[[1]]")
    assert desk.reports.map(desk.project.id, "umap") == found
    assert len(json.loads(path.read_text())) == 12


def test_a_photo_that_came_back_after_umap_was_drawn_is_on_the_map(desk: Desk) -> None:
    desk.report()
    gone = desk.samples(0)[1].id
    undo = desk.project.delete_samples([gone])
    assert gone not in desk.reports.map(desk.project.id, "umap").samples
    desk.reports.map(desk.project.id, "umap")
    assert desk.trainer.drawn == 1
    desk.project.undo(undo)
    assert gone in desk.reports.map(desk.project.id, "umap").samples
    assert desk.trainer.drawn == 2
    desk.project.delete_samples([gone])
    assert gone not in desk.reports.map(desk.project.id, "umap").samples
    assert desk.trainer.drawn == 2, "what is left out is drawn already"


def test_umap_that_cannot_be_drawn_says_why(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.report()
    desk.trainer.error = InvalidInput("map_too_few", needed=10)
    with pytest.raises(InvalidInput):
        desk.reports.map(desk.project.id, "umap")
    monkeypatch.setattr(reports, "UMAP", Extra("umap", ("teachable_lacks_this",)))
    found = desk.reports.map(desk.project.id)
    assert (found.umap, found.command) == (False, "uv sync --inexact --extra umap")
    with pytest.raises(Conflict) as caught:
        desk.reports.map(desk.project.id, "umap")
    assert caught.value.key == "report_umap_missing"
    assert "--extra umap" in str(caught.value)


def test_two_who_ask_for_it_at_once_have_it_drawn_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.report()
    entered, go = threading.Event(), threading.Event()
    whole = desk.trainer.points

    def points(*given: Any) -> Any:
        entered.set()
        assert go.wait(60)
        return whole(*given)

    monkeypatch.setattr(desk.trainer, "points", points)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(desk.reports.map, desk.project.id, "umap")
        assert entered.wait(60)
        other = pool.submit(desk.reports.map, desk.project.id, "umap")
        until(lambda: len(desk.reports._busy_with[desk.project.id]) == 2, "the second question")
        go.set()
        assert one.result() == other.result()
    assert desk.trainer.drawn == 1


def test_a_project_that_is_deleted_meanwhile_ends_the_drawing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from teachable.errors import Cancelled

    desk.report()

    def points(embeddings: object, method: str, seed: int, cancelled: object) -> None:
        desk.reports.remove(desk.project.id)
        assert cancelled in desk.trainer.stopped
        raise Cancelled

    monkeypatch.setattr(desk.trainer, "points", points)
    with pytest.raises(Conflict) as caught:
        desk.reports.map(desk.project.id, "umap")
    assert caught.value.key == "report_stopped"


# The page


def test_the_page_shows_the_worst_mistakes_that_are_still_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from teachable import report_page

    given: dict[str, object] = {}

    def render(report: object, thumbnails: object, **rest: object) -> bytes:
        given.update(rest, report=report, thumbnails=thumbnails)
        return b"<!doctype html>"

    monkeypatch.setattr(report_page, "render", render)
    with pytest.raises(NotFound) as caught:
        desk.reports.page(desk.project.id)
    assert caught.value.key == "report_missing"
    desk.report()
    assert desk.reports.page(desk.project.id) == b"<!doctype html>"
    wrong = desk.samples(0)[5].id
    assert [one.id for one in given["mistakes"]] == [wrong]  # type: ignore[attr-defined]
    assert given["heat"]([wrong])[wrong].startswith(b"\xff\xd8")  # type: ignore[operator]
    assert given["thumbnails"]([wrong, 10**6])[wrong].startswith(b"\xff\xd8")  # type: ignore[operator]
    assert len(given["points"].samples) == 12  # type: ignore[attr-defined]
    desk.project.delete_samples([wrong])
    desk.reports.page(desk.project.id)
    assert given["mistakes"] == []


def test_the_page_is_whole(desk: Desk) -> None:
    desk.report()
    page = desk.reports.page(desk.project.id).decode()
    assert page.lower().startswith("<!doctype html>")
    assert desk.reports.of(desk.project.id).headline in page
