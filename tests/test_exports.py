"""Exports as they run: one after the other, checked, kept as long as they say what the project says."""

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparing import COLORS
from making import DEADLINE, crops, photos, until
from taking import UNJUDGED, Bench, halted, held_out

from teachable import export, exports, jobs
from teachable.errors import Conflict, NotFound, TeachableError
from teachable.exporting import making, material
from teachable.exporting.exporter import Answers, Source, Watch
from teachable.runtime import Classifier
from teachable.types import Agreement, Image, Sample

AGREEMENT = Agreement(10, 10, 0.0)
BASE = Path(__file__).parent


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with closing(Bench(tmp_path, monkeypatch)) as bench:
        yield bench


@pytest.fixture
def bench(empty: Bench) -> Bench:
    """With photos of six recordings for each class, all embedded, and a model."""
    empty.add()
    empty.embed()
    empty.teach()
    return empty


# What there is


def test_without_a_model_there_is_nothing_to_export(empty: Bench) -> None:
    found = empty.queue.exports(empty.project)
    assert (found.model, found.stale, found.checking) == (None, False, False)
    assert [one.id for one in found.formats] == ["copy", "single"]
    assert {one.state for format in found.formats for one in format.variants} == {"none"}
    for call in (empty.queue.start, empty.queue.exported, empty.queue.wait, empty.queue.share):
        with pytest.raises(NotFound) as caught:
            call(empty.project, "copy", "full")
        assert caught.value.key == "model_not_trained"


def test_a_format_says_what_it_is_and_how_to_get_what_it_lacks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, single = bench.queue.exports(bench.project).formats
    assert (copy.title, copy.about, copy.extra, copy.command) == ("export.copy.title", "export.copy.about", None, None)
    assert [one.title for one in copy.variants] == ["export.copy.full", "export.copy.other"]
    assert single.extra == "heif"
    assert single.command == "uv sync --inexact --extra heif"
    assert [one.title for one in single.variants] == ["export.single.title"]

    class Installed:
        requires = ("pillow-heif; extra == 'heif'",)

        def read_text(self, name: str) -> None:
            return None

    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Installed())
    assert bench.queue.exports(bench.project).formats[1].command == 'pip install "teachable[heif]"'
    with pytest.raises(Conflict) as caught:
        bench.queue.start(bench.project, "single", "only")
    assert caught.value.key == "export_extra_missing"
    assert 'pip install "teachable[heif]"' in str(caught.value)


def test_what_is_not_published_for_this_computer_is_not_advised(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    stated = ["other>=1", "thing>=1; sys_platform == 'amiga' and extra == 'heif'", "more>=1; extra == 'tflite'"]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: stated)
    copy, single = bench.queue.exports(bench.project).formats
    assert (copy.fits, single.fits, single.command) == (True, False, None)
    with pytest.raises(Conflict) as caught:
        bench.queue.start(bench.project, "single", "only")
    assert caught.value.key == "export_extra_unfit"


@pytest.mark.parametrize(("format", "variant"), [("copy", "none"), ("none", "full"), ("", ""), ("../x", "full")])
def test_what_does_not_exist_is_said(bench: Bench, format: str, variant: str) -> None:
    for call in (bench.queue.start, bench.queue.cancel, bench.queue.exported, bench.queue.wait):
        with pytest.raises(NotFound) as caught:
            call(bench.project, format, variant)
        assert caught.value.key == "export_unknown"


def test_a_file_that_was_not_made_cannot_be_had(bench: Bench) -> None:
    with pytest.raises(NotFound) as caught:
        bench.file()
    assert caught.value.key == "export_missing"


# Made and checked


def test_a_file_is_made_checked_and_kept(bench: Bench) -> None:
    found = bench.make()
    assert (found.state, found.fraction, found.message) == ("done", 1.0, None)
    assert found.check is not None
    assert (found.check.agreeing, found.check.total) == (10, 10), "one recording of five photos of each class"
    assert (found.ran, found.held_out, found.loses) == (True, True, False)
    path = bench.file()
    assert found.size_bytes == path.stat().st_size
    assert found.seconds is not None
    classifier = Classifier.load(path)
    assert classifier.labels == ("Class 1", "Class 2")
    assert bench.left == ["copy-full.onnx", "copy-full.onnx.json"]
    assert bench.queue.exported(bench.project, "copy", "full")[1].variants == (found,)


def test_the_check_looks_at_photos_that_are_held_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: set[str] = set()
    whole = material._load

    def load(project: object, sample: Sample) -> Image | None:
        looked.add(sample.sha256)
        return whole(project, sample)  # type: ignore[arg-type]

    monkeypatch.setattr(material, "_load", load)
    record = bench.project.latest_model()
    assert record is not None
    bench.make()
    assert looked == held_out(bench.project, record)


def test_calibration_takes_the_classes_in_turn_and_none_of_the_photos_of_the_check(bench: Bench) -> None:
    bench.add(groups=20, size=10, start=3000)
    bench.embed()
    record = bench.teach()
    taken: list[list[Image]] = []
    bench.copy.writing = lambda source, target, watch: taken.extend([list(source.photos()), list(source.photos())])
    bench.make()
    first, second = taken
    assert len(first) == material.CALIBRATED
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    reds = [bool(image.mean((0, 1))[0] > image.mean((0, 1))[2]) for image in first]
    assert reds == [True, False] * (len(first) // 2)
    chosen = material.gather(bench.project, record, bench.backlog, threading.Event()).to_calibrate()
    assert not {sample.sha256 for sample in chosen} & held_out(bench.project, record)
    ids = [sample.id for sample in chosen if sample.class_id == record.class_ids[0]]
    assert ids == sorted(ids)
    assert np.median(np.diff(ids)) <= np.mean(np.diff(ids)) < 6, "evenly from the whole class"


def test_photos_kept_for_testing_are_seen_by_no_file(bench: Bench) -> None:
    record = bench.project.latest_model()
    assert record is not None
    before = material.gather(bench.project, record, bench.backlog, threading.Event())
    sample, *_ = bench.project.all_samples()
    bench.project.mark_test([sample.id], True)
    after = material.gather(bench.project, record, bench.backlog, threading.Event())
    assert len(after.samples) < len(before.samples)
    assert not any(one.group == sample.group and one.class_id == sample.class_id for one in after.samples)
    assert len(after.labels) == len(after.samples)


def test_many_held_out_photos_are_thinned_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material, "CHECKED", 4)
    check = bench.make().check
    assert check is not None
    assert check.total == 4


def test_with_one_recording_of_each_class_any_photo_will_do_and_that_is_said(empty: Bench) -> None:
    empty.add(groups=1)
    empty.embed()
    empty.teach()
    found = empty.make("other")
    assert found.check is not None
    assert (found.state, found.held_out, found.check.total, found.check.correct) == ("done", False, 10, None)


def test_accuracy_is_that_of_a_head_that_never_saw_the_photos(bench: Bench) -> None:
    found = bench.make("other")
    assert found.check is not None
    assert (found.check.held_out, found.check.correct, found.check.correct_full) == (10, 10, 10)
    bench.make()
    assert len(bench.trainer.tasks) == 1, "the full file has nothing to lose, and nothing is fitted twice"


def test_recordings_that_share_a_picture_are_one_and_nothing_is_measured_on_copies(empty: Bench) -> None:
    for place, one in enumerate(empty.project.info().classes):
        for upload in range(2):
            empty.project.add_photos(
                one.id, f"{place}-{upload}", crops(range(6 * upload, 6 * upload + 6), COLORS[place])
            )
    empty.embed()
    record = empty.teach()
    gathered = material.gather(empty.project, record, empty.backlog, threading.Event())
    assert (len(set(gathered.groups)), len(gathered.held_out)) == (2, 0)
    found = empty.make("other")
    assert found.check is not None
    assert (found.check.total, found.check.held_out, found.check.correct) == (24, 0, None)
    assert (found.held_out, empty.trainer.tasks) == (False, [])


def test_the_head_is_asked_about_whole_recordings_with_all_their_copies(empty: Bench) -> None:
    first, second = (one.id for one in empty.project.info().classes)
    for upload in range(2):
        empty.project.add_photos(first, f"again-{upload}", crops(range(3 * upload, 3 * upload + 3), COLORS[0]))
    empty.project.add_photos(first, "other", photos(range(3), COLORS[0]))
    for upload in range(3):
        empty.project.add_photos(second, f"{upload}", photos(range(10 * upload + 50, 10 * upload + 53), COLORS[1]))
    empty.embed()
    empty.teach()
    found = empty.make("other")
    assert found.check is not None
    assert found.check.held_out == found.check.total == 6, "one recording of each class"
    (task,) = empty.trainer.tasks
    assert task.joined
    assert len(set(task.groups)) == 5


def test_of_a_model_that_could_not_be_tested_no_figure_is_made(bench: Bench) -> None:
    bench.teach(evaluation=UNJUDGED)
    found = bench.make("other")
    assert found.check is not None
    assert (found.check.agreeing, found.check.total) == (10, 10)
    assert (found.check.held_out, found.check.correct, found.check.correct_full) == (0, None, None)


def test_without_embeddings_there_is_no_accuracy_but_a_check(empty: Bench) -> None:
    empty.add()
    empty.teach()
    found = empty.make("other")
    assert found.check is not None
    assert (found.state, found.check.total, found.check.held_out, found.check.correct) == ("done", 10, 0, None)
    assert empty.trainer.tasks == []


def test_photos_that_are_still_being_prepared_are_left_out(bench: Bench) -> None:
    bench.add(groups=4, start=5000)
    found = bench.make("other")
    assert found.check is not None
    assert found.check.held_out == found.check.total == 10


def test_a_test_that_cannot_be_made_does_not_speak_against_the_file(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def died() -> None:
        raise TeachableError("training_died")

    bench.trainer.before = died
    found = bench.make("other")
    assert found.check is not None
    assert (found.state, found.check.total, found.check.correct, found.loses) == ("done", 10, None, False)
    assert "no head could be fitted" in caplog.text


def test_the_network_need_not_be_there_any_more(bench: Bench) -> None:
    fingerprint = bench.library.find("sighted").fingerprint
    bench.library.remove("sighted")
    bench.backlog.forget_network(fingerprint)
    found = bench.make("other")
    assert found.check is not None
    assert (found.state, found.check.correct) == ("done", 10)


def test_a_file_that_loses_accuracy_says_so(bench: Bench) -> None:
    def worse(answers: Answers) -> Answers:
        assert answers.embeddings is not None
        return replace(answers, embeddings=np.ascontiguousarray(answers.embeddings[:, ::-1]))

    bench.copy.asked = worse
    found = bench.make("other")
    assert (found.state, found.loses, found.key) == ("done", True, "export_loses")
    assert found.message is not None
    assert "10 photos, this file named 10 fewer right" in found.message


def test_a_file_this_computer_cannot_run_is_only_looked_at(bench: Bench) -> None:
    bench.copy.runs = False
    found = bench.make()
    assert (found.state, found.ran, found.check, found.held_out) == ("done", False, None, False)


def test_a_file_that_disagrees_is_not_handed_out(bench: Bench) -> None:
    assert bench.make("other").state == "done"
    bench.copy.asked = lambda answers: replace(answers, probabilities=answers.probabilities[:, ::-1])
    found = bench.make()
    assert (found.state, found.key) == ("refused", "export_disagrees")
    assert found.check is not None
    assert found.check.agreeing == 0
    assert found.message is not None
    assert bench.left == ["copy-other.onnx", "copy-other.onnx.json"]
    with pytest.raises(NotFound):
        bench.file()
    bench.copy.asked = lambda answers: answers
    assert bench.make().state == "done"


def test_a_damaged_file_is_not_handed_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def open(path: Path, variant: object) -> None:
        raise TeachableError("export_died")

    monkeypatch.setattr(bench.copy, "open", open)
    found = bench.make()
    assert (found.state, found.key, found.check) == ("refused", "export_died", None)
    assert bench.left == []


def test_unreadable_photos_are_left_out(bench: Bench) -> None:
    record = bench.project.latest_model()
    assert record is not None
    first, *rest = sorted(held_out(bench.project, record))
    bench.project.photo_file(first).write_bytes(b"no photo")
    check = bench.make().check
    assert check is not None
    assert check.total == 9
    for sha in rest:
        bench.project.photo_file(sha).unlink()
    found = bench.make("other")
    assert found.check is not None
    assert (found.held_out, found.check.total) == (False, 50), "none held out can be read: any other will do"
    for sample in bench.project.all_samples():
        bench.project._photos.path(sample.sha256).unlink(missing_ok=True)
    bench.teach()
    found = bench.make()
    assert (found.state, found.key) == ("failed", "export_no_photos")


def test_a_project_without_photos_is_refused_before_anything_is_made(bench: Bench) -> None:
    for one in bench.project.info().classes:
        bench.project.clear_class(one.id)
    found = bench.make()
    assert (found.state, found.key, bench.copy.written) == ("failed", "export_no_photos", 0)
    assert bench.queue.exports(bench.project).stale


def test_a_photo_that_goes_away_while_files_are_checked(bench: Bench) -> None:
    def lose(source: Source, target: Path, watch: Watch) -> None:
        for sample in bench.project.all_samples():
            bench.project.photo_file(sample.sha256).unlink()

    bench.copy.writing = lose
    found = bench.make()
    assert (found.state, found.key, bench.left) == ("failed", "export_photo_lost", [])


# Kept as long as it is true


def test_what_is_there_is_not_made_again(bench: Bench) -> None:
    first = bench.make()
    assert bench.make() == first
    assert bench.copy.written == 1
    bench.close()
    bench.open()
    bench.project = bench.store.open(bench.project.id)
    assert bench.made() == first, "also after a restart"
    assert bench.make() == first


def test_the_same_model_gives_the_same_bytes(bench: Bench) -> None:
    bench.make()
    data = bench.file().read_bytes()
    bench.file().unlink()
    assert bench.made().state == "none"
    bench.make()
    assert bench.file().read_bytes() == data
    assert bench.copy.written == 2


def test_a_renamed_class_or_project_needs_a_new_file(bench: Bench) -> None:
    bench.make()
    first = bench.file()
    bench.project.update_class(bench.project.info().classes[0].id, name='"quoted" 🍎 </script>')
    assert (bench.made().state, bench.made().key) == ("none", "export_renewed")
    assert first.exists(), "it goes when another is begun: taking the name back brings it back"
    bench.make()
    assert not first.exists()
    assert Classifier.load(bench.file()).labels[0] == '"quoted" 🍎 </script>'
    bench.project.rename("Other")
    assert bench.made().state == "none"


def test_another_colour_needs_a_new_file(bench: Bench) -> None:
    bench.make()
    bench.project.update_class(bench.project.info().classes[0].id, color="#123456")
    assert bench.made().state == "none"


def test_a_damaged_note_or_file_counts_for_nothing(bench: Bench) -> None:
    bench.make()
    path = bench.file()
    note = path.with_name(f"{path.name}.json")
    whole = note.read_bytes()
    for wrong in (b"", b"[]", b"nonsense", b'{"version": 2}', whole.replace(b'"ran"', b'"run"')):
        note.write_bytes(wrong)
        assert bench.made().state == "none"
    note.write_bytes(whole)
    assert bench.made().state == "done"
    path.write_bytes(path.read_bytes()[:-1])
    assert bench.made().state == "none"
    assert bench.make().state == "done"


def test_stale_is_said_and_does_not_matter(bench: Bench) -> None:
    assert not bench.queue.exports(bench.project).stale
    bench.add(groups=1, start=7000)
    found = bench.queue.exports(bench.project)
    assert found.stale
    assert bench.make().state == "done"


def test_an_update_of_the_program_makes_files_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.make()
    monkeypatch.setattr("teachable.exporting.keys._program", lambda: "another")
    bench.close()
    bench.open()
    bench.project = bench.store.open(bench.project.id)
    assert bench.made().state == "none"


# One after the other


def test_two_starts_are_one_export(bench: Bench) -> None:
    with halted(bench.copy) as halt:
        bench.queue.start(bench.project, "copy", "full")
        assert halt.entered.wait(DEADLINE)
        bench.queue.start(bench.project, "copy", "full")
        bench.queue.start(bench.project, "copy", "other")
        bench.queue.start(bench.project, "copy", "other")
        assert (bench.made().state, bench.made("other").state) == ("running", "waiting")
        assert 0 < bench.made().fraction < 1
    until(lambda: bench.made("other").state == "done")
    assert bench.copy.written == 2
    until(lambda: "make-exports" not in {one.name for one in threading.enumerate()}, "the thread ended")


def test_progress_rises(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    whole = exports._Order.report

    def report(self: exports._Order, done: float) -> None:
        whole(self, done)
        seen.append(self.fraction)

    monkeypatch.setattr(exports._Order, "report", report)
    bench.make("other")
    assert seen == sorted(seen)
    assert len(set(seen)) > 8
    assert seen[-1] == 1.0


def test_the_model_of_before_is_exported_if_a_new_one_comes_meanwhile(bench: Bench) -> None:
    before = bench.project.latest_model()
    written: list[bytes] = []
    whole = bench.project.exports.keep

    def keep(made: Path, *rest: object) -> Path:
        written.append(made.read_bytes())
        return whole(made, *rest)  # type: ignore[arg-type]

    bench.project.exports.keep = keep  # type: ignore[method-assign,assignment]
    with halted(bench.copy) as halt:
        bench.queue.start(bench.project, "copy", "full")
        assert halt.entered.wait(DEADLINE)
        for _ in range(4):
            bench.teach()
        running = bench.made()
        assert (running.state, running.key) == ("running", None)
        assert running.seconds is not None
        assert running.seconds > 0
    found = bench.queue.wait(bench.project, "copy", "full", DEADLINE)
    assert (found.state, found.key) == ("none", "export_outdated")
    assert before is not None
    assert len(written) == 1
    assert Classifier.load(written[0]).metadata.created == before.created
    assert bench.make().state == "done"


def test_an_export_waits_for_the_check_of_the_model(bench: Bench) -> None:
    record = bench.project.latest_model()
    assert record is not None

    class Checking:
        checking = True
        checked = threading.Event()

    bench.job = Checking()
    assert bench.queue.exports(bench.project).checking
    bench.queue.start(bench.project, "copy", "full")
    until(lambda: bench.made().state == "running")
    assert bench.copy.written == 0
    agreed = replace(record, agreement=AGREEMENT)
    data = bench.project.model_file(record.id).read_bytes()
    described = jobs.metadata(agreed, agreed.labels, bench.project.info())
    bench.project.replace_model(agreed, export.with_metadata(data, described))
    Checking.checking = False
    Checking.checked.set()
    assert bench.queue.wait(bench.project, "copy", "full", DEADLINE).state == "done"
    assert Classifier.load(bench.file()).metadata.agreement == AGREEMENT


def test_a_check_that_ends_at_this_very_moment_is_in_the_file(bench: Bench) -> None:
    record = bench.project.latest_model()
    assert record is not None
    agreed = replace(record, agreement=AGREEMENT)
    described = jobs.metadata(agreed, agreed.labels, bench.project.info())
    data = export.with_metadata(bench.project.model_file(record.id).read_bytes(), described)

    class Checked(threading.Event):
        def is_set(self) -> bool:
            if not super().is_set():
                bench.project.replace_model(agreed, data)
                self.set()
            return True

    class Checking:
        checking = True
        checked = Checked()

    bench.job = Checking()
    bench.queue.start(bench.project, "copy", "full")
    assert bench.queue.wait(bench.project, "copy", "full", DEADLINE).state == "done"
    assert Classifier.load(bench.file()).metadata.agreement == AGREEMENT


def test_a_mistake_of_ours_is_said_calmly_and_does_not_stop_the_next(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.copy.writing = lambda source, target, watch: 1 / 0
    found = bench.make()
    assert (found.state, found.key) == ("failed", "export_died")
    assert "ZeroDivisionError" in caplog.text
    assert bench.left == []
    bench.copy.writing = lambda source, target, watch: None
    assert bench.make().state == "done"


def test_what_a_model_does_not_allow_is_said(bench: Bench) -> None:
    def refuse(source: Source, target: Path, watch: Watch) -> None:
        target.with_name("more").write_bytes(b"debris")
        raise TeachableError("export_closing")

    bench.copy.writing = refuse
    found = bench.make()
    assert (found.state, found.key) == ("failed", "export_closing")
    assert bench.left == []


# Given up


def test_giving_up_leaves_nothing(bench: Bench) -> None:
    assert bench.make("other").state == "done"
    with halted(bench.copy) as halt:
        bench.queue.start(bench.project, "copy", "full")
        assert halt.entered.wait(DEADLINE)
        cancelling = threading.Thread(target=bench.queue.cancel, args=(bench.project, "copy", "full"))
        cancelling.start()
        until(lambda: bench.trainer.stopped)
    cancelling.join()
    found = bench.made()
    assert (found.state, found.message) == ("cancelled", None)
    assert bench.left == ["copy-other.onnx", "copy-other.onnx.json"]
    assert bench.make().state == "done"


def test_what_waits_is_given_up_at_once(bench: Bench) -> None:
    with halted(bench.copy) as halt:
        bench.queue.start(bench.project, "copy", "full")
        assert halt.entered.wait(DEADLINE)
        bench.queue.start(bench.project, "copy", "other")
        bench.queue.cancel(bench.project, "copy", "other")
        assert bench.made("other").state == "cancelled"
    assert bench.queue.wait(bench.project, "copy", "full", DEADLINE).state == "done"
    assert bench.copy.written == 1


def test_giving_up_nothing_or_what_is_done_changes_nothing(bench: Bench) -> None:
    bench.queue.cancel(bench.project, "copy", "full")
    assert bench.made().state == "none"
    bench.make()
    bench.queue.cancel(bench.project, "copy", "full")
    assert bench.made().state == "done"


@pytest.mark.parametrize("step", range(24))
def test_giving_up_at_every_step(bench: Bench, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Each step looks whether it is still wanted; at the given look it is not any more."""
    looks = 0
    whole = Watch.require_wanted

    def look(self: Watch) -> None:
        nonlocal looks
        if looks == step:
            self.cancelled.set()
        looks += 1
        whole(self)

    monkeypatch.setattr(Watch, "require_wanted", look)
    found = bench.make("other")
    assert found.state == "cancelled", f"an export looks only {looks} times"
    assert bench.left == []


def test_an_export_that_waits_for_a_check_can_be_given_up(bench: Bench) -> None:
    class Checking:
        checking = True
        checked = threading.Event()

    bench.job = Checking()
    bench.queue.start(bench.project, "copy", "full")
    until(lambda: bench.made().state == "running")
    bench.queue.cancel(bench.project, "copy", "full")
    assert bench.made().state == "cancelled"


def test_a_deleted_project_leaves_nothing_running(bench: Bench) -> None:
    with halted(bench.copy) as halt:
        bench.queue.start(bench.project, "copy", "full")
        assert halt.entered.wait(DEADLINE)
        bench.queue.start(bench.project, "copy", "other")
        removing = threading.Thread(target=bench.queue.remove, args=(bench.project.id,))
        removing.start()
        until(lambda: bench.trainer.stopped)
    removing.join()
    token = bench.store.delete(bench.project.id)
    bench.project = bench.store.restore(token)
    assert (bench.made().state, bench.made("other").state, bench.left) == ("none", "none", [])
    assert bench.make().state == "done"


def test_nothing_begins_once_all_is_being_closed(bench: Bench) -> None:
    assert bench.queue.close() == []
    with pytest.raises(Conflict):
        bench.queue.start(bench.project, "copy", "full")


# A full disk, a killed process


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_half_way_is_said_and_leaves_nothing(bench: Bench, code: int) -> None:
    assert bench.make("other").state == "done"

    def fill(source: Source, target: Path, watch: Watch) -> None:
        target.write_bytes(b"half of it")
        raise OSError(code, os.strerror(code))

    bench.copy.writing = fill
    found = bench.make()
    assert (found.state, found.key) == ("failed", "storage_full")
    assert bench.left == ["copy-other.onnx", "copy-other.onnx.json"]
    assert bench.made("other").state == "done"
    assert bench.file("other").is_file()


def test_a_disk_that_is_full_when_the_file_is_put_in_its_place(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    found = bench.make()
    assert (found.state, found.key) == ("failed", "storage_full")
    monkeypatch.undo()
    assert bench.left == []


def test_a_folder_that_cannot_be_written_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path, *args: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", denied)
    found = bench.make()
    monkeypatch.undo()
    assert (found.state, found.key) == ("failed", "folder_not_writable")


KILLED = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import pytest
from taking import Bench, halted

with pytest.MonkeyPatch.context() as patch:
    bench = Bench(Path(sys.argv[2]), patch)
    bench.add(groups=2)
    bench.teach()
    bench.make("other")
    with halted(bench.copy) as halt:
        bench.queue.start(bench.project, "copy", "full")
        halt.entered.wait()
        print(bench.project.id, *bench.left, flush=True)
        threading.Event().wait()
"""


def test_what_a_killed_process_left_is_swept_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", KILLED, str(BASE), str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        id_, *left = process.stdout.readline().split()
        process.kill()
    assert any(name.endswith(".new") for name in left)
    bench = Bench(tmp_path / "fresh", monkeypatch)
    with closing(bench):
        bench.close()
        bench.folder = tmp_path / "killed"
        bench.open()
        bench.project = bench.store.open(id_)
        assert bench.left == ["copy-other.onnx", "copy-other.onnx.json"]
        assert (bench.made().state, bench.made("other").state) == ("none", "done")


def test_files_without_notes_and_notes_without_files_are_swept(bench: Bench) -> None:
    bench.make()
    folder = bench.file().parent
    for name in ("onnx-half.onnx", "lost.onnx.json", ".copy-full.onnx.0123456789ab.new"):
        folder.joinpath(name).write_bytes(b"x")
    folder.joinpath(".0123456789ab.new").mkdir()
    folder.joinpath(".0123456789ab.new", "model.onnx").write_bytes(b"x")
    strange = folder.parent / "something of the person's"
    strange.mkdir()
    bench.close()
    bench.open()
    bench.project = bench.store.open(bench.project.id)
    assert bench.left == ["copy-full.onnx", "copy-full.onnx.json", strange.name]


# Many classes, hostile names


def test_a_thousand_classes(empty: Bench) -> None:
    empty.add(groups=3)
    empty.teach(more=998)
    found = empty.make()
    assert found.state == "done", found
    classifier = Classifier.load(empty.file())
    assert len(classifier.labels) == 1000
    assert classifier.labels[-1] == "gone “997”\n🍎</script>"


# Shared with a phone


def test_a_shared_file_has_a_name_nobody_can_guess_and_only_while_it_is_there(bench: Bench) -> None:
    bench.make()
    token = bench.queue.share(bench.project, "copy", "full")
    assert token == bench.queue.share(bench.project, "copy", "full")
    assert len(token) >= 22
    assert bench.queue.shared(token) == bench.file()
    bench.project.update_class(bench.project.info().classes[0].id, name="new")
    assert bench.queue.shared(token).is_file(), "the old page still opens until another is made"
    bench.make()
    for unknown in (token, "", "x" * 22, "../project.sqlite"):
        with pytest.raises(NotFound) as caught:
            bench.queue.shared(unknown)
        assert caught.value.key == "page_unknown"


def test_a_link_ends_with_its_project(bench: Bench) -> None:
    bench.make()
    token = bench.queue.share(bench.project, "copy", "full")
    bench.queue.remove(bench.project.id)
    with pytest.raises(NotFound):
        bench.queue.shared(token)


# Cheap to ask


def test_asking_reads_no_model_and_no_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.make()
    bench.queue.exports(bench.project)
    monkeypatch.setattr(type(bench.project), "latest_model", lambda self: pytest.fail("the record was read again"))
    monkeypatch.setattr(exports, "key_of", lambda *args: pytest.fail("a key was made again"))
    whole, read = Path.read_bytes, []
    monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self.name) or whole(self))
    bench.queue.exports(bench.project)
    assert read == ["copy-full.onnx.json"]


def test_notes_are_plain_json(bench: Bench) -> None:
    bench.make()
    path = bench.file()
    note = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert note["version"] == 1
    assert making.Note.of(json.dumps(note).encode()) is not None
