"""Comparing networks on a project's photos: fair and bounded, and a network that fails fails alone."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from comparing import COLORS, SIGHTED, Bench
from making import crops, photos

from teachable import comparison, intervals
from teachable.comparison import Comparison
from teachable.embeddings import Embedder, EmbeddingCache
from teachable.errors import TeachableError
from teachable.excerpt import Excerpt
from teachable.training import Trainer
from teachable.types import ProjectNetwork, TrainSettings
from teachable.verdict import ComparisonRow


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as bench:
        yield bench


def row(found: Comparison, id_: str) -> ComparisonRow:
    return next(one for one in found.rows if one.id == id_)


# What comes out


def test_the_better_network_is_found_with_the_real_trainer(bench: Bench) -> None:
    bench.add()
    with closing(Trainer()) as trainer:
        bench.comparisons = bench.made(trainer)
        found = bench.run()
    assert (found.state, found.fraction, found.current) == ("done", 1.0, None), found
    assert (found.photos, found.available, found.held_out, found.unjudged) == (120, 120, 20, ())
    assert {one.id for one in found.rows} == {"slim-v1", "sighted", "blind"}
    assert found.advice == "sighted"
    sighted, blind = row(found, "sighted"), row(found, "blind")
    assert sighted.correct == 20
    assert blind.correct < 15
    assert found.message is not None
    assert "“Tiny sighted”" in found.message
    assert [one.correct for one in found.rows] == sorted((one.correct for one in found.rows), reverse=True)
    assert found.rows[-1] == blind


def test_a_row_says_what_a_network_costs(bench: Bench) -> None:
    bench.add(groups=3)
    bench.library.note_speed("sighted", browser_ms=12.5)
    found = bench.run()
    sighted, slim = row(found, "sighted"), row(found, "slim-v1")
    assert (sighted.title, sighted.browser_ms, slim.browser_ms) == ("Tiny sighted", 12.5, None)
    assert sighted.size_bytes == bench.library.find("sighted").size_bytes
    assert sighted.native_ms is not None
    assert slim.native_ms is not None
    assert 0 < sighted.native_ms < slim.native_ms < 10_000
    assert bench.library.speeds()["slim-v1"].native_ms == slim.native_ms
    low, high = intervals.wilson(slim.correct, slim.held_out)
    assert slim.accuracy == slim.correct / slim.held_out
    assert slim.low is not None
    assert slim.high is not None
    assert slim.low <= low <= slim.accuracy <= high <= slim.high
    assert [one.id for one in found.rows if one.in_use] == ["blind"]


def test_all_networks_are_tested_alike(bench: Bench) -> None:
    bench.add(groups=3)
    bench.project.save_settings(TrainSettings(epochs=3, seed=7, hidden_units=4))
    found = bench.run()
    first, *others = bench.here.tasks
    assert len(others) == 2
    for task in others:
        assert task.labels.tolist() == first.labels.tolist()
        assert (task.groups, task.settings, task.class_count) == (first.groups, first.settings, 2)
    assert first.settings == TrainSettings(epochs=3, seed=7, hidden_units=4)
    assert len({one.held_out for one in found.rows}) == 1


def test_disabled_classes_are_left_out(bench: Bench) -> None:
    bench.add(groups=2, size=3)
    third = bench.project.add_class("Third")
    bench.project.add_photos(third.id, "g", photos(range(5), (10, 200, 10)))
    bench.project.update_class(third.id, disabled=True)
    found = bench.run()
    assert (found.available, found.photos) == (12, 12)
    assert bench.here.tasks[0].class_count == 2


def test_photos_kept_for_testing_are_left_out(bench: Bench) -> None:
    bench.add(groups=3, size=3)
    sample, *_ = bench.project.all_samples()
    bench.project.mark_test([sample.id], True)
    found = bench.run()
    assert (found.available, found.photos) == (15, 15)
    assert sample.group not in bench.here.tasks[0].groups


def test_a_class_that_cannot_be_tested_is_named(bench: Bench) -> None:
    bench.add(groups=3, size=3)
    third = bench.project.add_class("Third")
    bench.project.add_photos(third.id, "g", photos(range(5), (10, 200, 10)))
    assert bench.run().unjudged == (third.id,)


def test_what_was_embedded_is_there_for_a_switch(bench: Bench) -> None:
    bench.add(groups=2, size=4)
    bench.run()
    for record in bench.library.present():
        progress = bench.backlog.progress(bench.project, record.fingerprint)
        assert (progress.done, progress.total) == (16, 16)


def test_nothing_is_embedded_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(groups=2, size=4)
    first = bench.run()
    asked: list[int] = []
    whole = Embedder.embed
    monkeypatch.setattr(Embedder, "embed", lambda self, images: asked.append(len(images)) or whole(self, images))
    second = bench.run()
    assert set(asked) == {1}, "only the time is taken again"
    assert [one.correct for one in second.rows] == [one.correct for one in first.rows]


def test_large_projects_are_drawn_from(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "PHOTOS", 40)
    bench.add(groups=12, size=5)
    found = bench.run()
    assert (found.photos, found.available, found.held_out) == (40, 120, 8)
    assert bench.backlog.progress(bench.project, bench.library.find("sighted").fingerprint).done == 40


def test_in_use_follows_a_switch(bench: Bench) -> None:
    bench.add(groups=2, size=2)
    bench.run()
    bench.project.set_network(ProjectNetwork.of(bench.library.builtin()))
    assert [one.id for one in bench.state.rows if one.in_use] == ["slim-v1"]
    bench.project.set_network(ProjectNetwork("blind", "0" * 64))  # of the same name, and not on this computer
    assert [one.id for one in bench.state.rows if one.in_use] == []


# Nothing to test on


def test_one_recording_per_class_gives_speeds_and_says_why_no_more(bench: Bench) -> None:
    bench.add(groups=1, size=6)
    found = bench.run()
    assert (found.state, found.held_out, found.advice) == ("done", 0, None)
    assert bench.here.tasks == []
    assert len(found.unjudged) == 2
    assert found.message is not None
    assert "one recording only" in found.message
    for one in found.rows:
        assert (one.accuracy, one.correct, one.held_out, one.reason) == (None, 0, 0, None)
        assert one.native_ms is not None
    for record in bench.library.present():
        assert not EmbeddingCache.file(bench.project.folder, record.fingerprint).exists(), "nothing to embed for"


def test_copies_in_several_recordings_are_one_and_no_network_wins_by_knowing_them(bench: Bench) -> None:
    for place, one in enumerate(bench.project.info().classes):
        for upload in range(2):
            bench.project.add_photos(
                one.id, f"{place}-{upload}", crops(range(4 * upload, 4 * upload + 4), COLORS[place])
            )
    found = bench.run()
    assert (found.state, found.held_out, found.advice, bench.here.tasks) == ("done", 0, None, [])
    assert len(found.unjudged) == 2
    assert found.message is not None
    assert "nearly the same picture count as one" in found.message
    assert all(one.accuracy is None and one.native_ms is not None for one in found.rows)

    # One that shows something else: it is held out, or the copies all together.
    for place, one in enumerate(bench.project.info().classes):
        bench.project.add_photos(one.id, f"{place}-new", photos(range(place, place + 3), COLORS[place]))
    found = bench.run()
    assert (found.held_out, found.unjudged) == (6, ())
    assert [len(set(task.groups)) for task in bench.here.tasks] == [4, 4, 4]


def test_copies_are_found_with_the_network_of_the_project(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    whole = Excerpt.joined

    def joined(self: Excerpt, embeddings: np.ndarray, hashes: np.ndarray) -> Excerpt:
        seen.append(embeddings.shape[1])
        return whole(self, embeddings, hashes)

    monkeypatch.setattr(Excerpt, "joined", joined)
    bench.add(groups=3, size=2)
    for id_, width in (("blind", 2), ("sighted", 3)):
        bench.project.set_network(ProjectNetwork.of(bench.library.find(id_)))
        bench.run()
        assert seen.pop() == width
        assert not seen


def test_where_the_network_of_the_project_is_useless_another_one_finds_the_copies(bench: Bench) -> None:
    for place, one in enumerate(bench.project.info().classes):
        for upload in range(2):
            bench.project.add_photos(
                one.id, f"{place}-{upload}", crops(range(4 * upload, 4 * upload + 4), COLORS[place])
            )
    bench.install("nothing", np.full((2, 3), np.inf, np.float32))
    bench.project.set_network(ProjectNetwork.of(bench.library.find("nothing")))
    found = bench.run()
    assert (found.state, found.held_out, bench.here.tasks) == ("done", 0, [])


# Networks that fail


def test_a_damaged_network_gets_a_reason_and_the_others_a_comparison(bench: Bench) -> None:
    bench.add(groups=3)
    bench.install("worn", SIGHTED[:2])
    path = bench.library.path(bench.library.find("worn"))
    data = path.read_bytes()
    path.write_bytes(b"\0" * len(data))
    found = bench.run()
    assert found.state == "done"
    assert found.rows[-1].id == "worn"
    assert found.rows[-1].reason is not None
    assert "damaged" in found.rows[-1].reason
    assert (found.rows[-1].native_ms, found.rows[-1].accuracy) == (None, None)
    assert [one.reason for one in found.rows[:-1]] == [None] * 3
    assert found.advice is not None


@pytest.mark.parametrize("moment", [1, 30])
def test_a_network_that_breaks_while_it_runs_fails_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, moment: int
) -> None:
    """At the first photo of the timing, or when it embeds."""
    bench.add()
    whole, width, calls = Embedder.embed, len(SIGHTED), []

    def embed(self: Embedder, images: Sequence[np.ndarray]) -> np.ndarray:
        if self.width == width:
            calls.append(len(images))
            if len(calls) >= moment or (moment > 1 and len(images) > 1):
                raise RuntimeError("the network broke")
        return whole(self, images)

    monkeypatch.setattr(Embedder, "embed", embed)
    found = bench.run()
    assert found.state == "done"
    broken = found.rows[-1]
    assert broken.id == "sighted"
    assert broken.reason is not None
    assert "problem inside" in broken.reason
    assert (broken.native_ms is None) == (moment == 1)
    assert found.advice == "slim-v1"
    assert "the network broke" in caplog.text


def test_a_network_of_useless_numbers_fails_alone(bench: Bench) -> None:
    bench.add(groups=3)
    bench.install("nothing", np.full((2, 3), np.inf, np.float32))
    found = bench.run()
    assert found.rows[-1].id == "nothing"
    assert found.rows[-1].reason is not None
    assert [one.reason for one in found.rows[:-1]] == [None] * 3


def test_a_test_that_dies_fails_alone(bench: Bench) -> None:
    bench.add(groups=3)
    turns = iter(range(3))

    def before() -> None:
        if next(turns) == 0:
            raise TeachableError("training_died")

    bench.here.before = before
    found = bench.run()
    assert found.state == "done"
    assert [one.reason is None for one in found.rows] == [True, True, False]


def test_where_every_network_fails_it_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(groups=3)
    monkeypatch.setattr(Embedder, "embed", lambda self, images: 1 / 0)
    found = bench.run()
    assert (found.state, found.advice) == ("done", None)
    assert found.message == "None of the networks could be used. The table says why."


def test_a_full_disk_is_said_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(sqlite3.OperationalError):
        sqlite_errorcode = sqlite3.SQLITE_FULL

    def put(self: EmbeddingCache, vectors: object) -> None:
        raise Full("database or disk is full")

    bench.add(groups=3)
    monkeypatch.setattr(EmbeddingCache, "put", put)
    found = bench.run()
    assert (found.state, found.key) == ("failed", "comparison_not_kept")
    assert found.message is not None
    assert "no room" in found.message


def test_a_speed_that_cannot_be_noted_is_no_failure(bench: Bench) -> None:
    bench.add(groups=2, size=2)
    notes = bench.folder / "networks" / "speeds.json"
    notes.mkdir()
    found = bench.run()
    assert found.state == "done"
    assert all(one.native_ms for one in found.rows)


# Photos


def test_unreadable_photos_are_left_out_for_every_network(bench: Bench) -> None:
    """Also for one that has their embeddings from before."""
    bench.add(groups=3)
    record = bench.library.find("sighted")
    bench.backlog.wait(bench.project, record.fingerprint, lambda progress: None, threading.Event())
    lost = [sample.sha256 for sample in bench.project.all_samples()][::10]
    for sha in lost:
        bench.project.photo_file(sha).write_bytes(b"no photo")
    found = bench.run()
    assert found.state == "done"
    assert (found.photos, found.available) == (27, 30)
    assert {len(task.labels) for task in bench.here.tasks} == {27}


def test_a_class_without_a_readable_photo_ends_it_in_words(bench: Bench) -> None:
    bench.add(groups=3, size=2)
    first = bench.project.info().classes[0].id
    for sample in bench.project.all_samples():
        if sample.class_id == first:
            bench.project.photo_file(sample.sha256).unlink()
    found = bench.run()
    assert (found.state, found.key) == ("failed", "class_unreadable")


def test_without_a_single_readable_photo_no_network_is_blamed(bench: Bench) -> None:
    bench.add(groups=2, size=2)
    for sample in bench.project.all_samples():
        bench.project.photo_file(sample.sha256).unlink()
    found = bench.run()
    assert (found.state, found.key, found.rows) == ("failed", "class_unreadable", ())


def test_damaged_embeddings_are_made_again(bench: Bench) -> None:
    bench.add(groups=3)
    first = bench.run()
    cache = bench.backlog.cache(bench.project, bench.library.find("sighted").fingerprint)
    with closing(sqlite3.connect(cache.path)) as connection, connection:
        connection.execute("UPDATE embeddings SET crc = 0")
    assert [one.correct for one in bench.run().rows] == [one.correct for one in first.rows]


def test_a_project_that_changes_meanwhile_is_compared_as_it_was(bench: Bench) -> None:
    bench.add(groups=3)

    def change() -> None:
        bench.here.before = lambda: None
        bench.add(groups=2, start=5000)
        bench.project.delete_samples([bench.project.all_samples()[0].id])

    bench.here.before = change
    found = bench.run()
    assert (found.state, found.photos) == ("done", 30)
    assert {len(task.labels) for task in bench.here.tasks} == {30}
