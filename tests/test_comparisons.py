"""Comparisons as they run: one of a project at a time, cancelled at any moment, trainings first."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from comparing import COLORS, Bench, held
from making import DEADLINE, photos, until

from teachable import comparison
from teachable.comparison import Comparison
from teachable.embeddings import Embedder
from teachable.errors import Conflict, NotFound
from teachable.types import TrainSettings
from teachable.workflow import Workspace


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as bench:
        yield bench


# States


def test_before_the_first_comparison_there_is_none(bench: Bench) -> None:
    assert bench.state == Comparison()


def test_too_little_is_refused_at_once(bench: Bench) -> None:
    with pytest.raises(Conflict, match="needs at least 1 sample"):
        bench.start()
    bench.project.update_class(bench.project.info().classes[0].id, disabled=True)
    with pytest.raises(Conflict, match="at least two classes"):
        bench.start()


def test_one_comparison_of_a_project_at_a_time(bench: Bench) -> None:
    bench.add(groups=3)
    with held(bench) as enter:
        bench.start()
        enter.wait()
        with pytest.raises(Conflict, match="already"):
            bench.start()
    until(lambda: bench.state.state == "done")
    assert bench.run().state == "done"


def test_progress_rises_and_names_the_network(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(groups=4)
    seen: list[Comparison] = []

    def note(self: comparison.Comparing, value: Comparison) -> None:
        seen.append(value)
        self.__dict__["noted"] = value

    watched = property(lambda self: self.__dict__["noted"], note)
    monkeypatch.setattr(comparison.Comparing, "comparison", watched, raising=False)
    bench.run()
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 20
    titles = list(dict.fromkeys(one.current for one in seen if one.current))
    ids = sorted((one.id for one in bench.library.present()), key=lambda one: one != "blind")
    assert titles == [bench.library.title(one) for one in ids], (
        "the network in use finds the near-copies, so it is first"
    )
    assert [len(one.rows) for one in seen] == sorted(len(one.rows) for one in seen), "rows come as they are known"


def test_a_comparison_is_given_up_between_photos(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add()
    embedding, go_on = threading.Event(), threading.Event()
    whole, after = Embedder.embed, []

    def embed(self: Embedder, images: Sequence[np.ndarray]) -> np.ndarray:
        if len(images) > 1:
            after.append(len(images))
            embedding.set()
            assert go_on.wait(DEADLINE)
        return whole(self, images)

    monkeypatch.setattr(Embedder, "embed", embed)
    bench.start()
    assert embedding.wait(DEADLINE)
    cancelling = threading.Thread(target=bench.comparisons.cancel, args=(bench.project.id,))
    cancelling.start()
    until(lambda: bench.here.stopped)
    go_on.set()
    cancelling.join()
    assert (bench.state.state, bench.state.current, bench.state.message) == ("cancelled", None, None)
    assert after == [comparison.CHUNK], "the photos in hand are the last"
    assert bench.run().state == "done"


def test_a_test_of_a_head_is_stopped_too(bench: Bench) -> None:
    bench.add(groups=3)
    with held(bench) as entered:
        bench.start()
        assert entered.wait(DEADLINE)
        cancelling = threading.Thread(target=bench.comparisons.cancel, args=(bench.project.id,))
        cancelling.start()
        until(lambda: bench.here.stopped)
    cancelling.join()
    assert bench.state.state == "cancelled"


def test_cancelling_nothing_does_nothing(bench: Bench) -> None:
    bench.comparisons.cancel(bench.project.id)
    bench.add(groups=2, size=2)
    bench.run()
    bench.comparisons.cancel(bench.project.id)
    assert bench.state.state == "done"


def test_a_deleted_project_leaves_nothing_running(bench: Bench) -> None:
    bench.add(groups=3)
    with held(bench) as entered:
        bench.start()
        assert entered.wait(DEADLINE)
        removing = threading.Thread(target=bench.comparisons.remove, args=(bench.project.id,))
        removing.start()
        until(lambda: bench.here.stopped)
    removing.join()
    assert bench.state == Comparison()
    assert "compare" not in " ".join(one.name for one in threading.enumerate())


def test_nothing_begins_once_all_is_being_closed(bench: Bench) -> None:
    bench.add(groups=2, size=2)
    assert bench.comparisons.give_up() == []
    with pytest.raises(Conflict):
        bench.start()


def test_a_mistake_of_ours_is_said_calmly(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.add(groups=2, size=2)
    monkeypatch.setattr(comparison, "advise", lambda rows, hits: 1 / 0)
    found = bench.run()
    assert (found.state, found.key) == ("failed", "comparison_died")
    assert "ZeroDivisionError" in caplog.text


# Trainings go first


def test_a_running_training_goes_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add(groups=3)
    calls: list[int] = []
    whole = Embedder.embed
    monkeypatch.setattr(Embedder, "embed", lambda self, images: calls.append(len(images)) or whole(self, images))
    looked = threading.Event()

    class Looked(threading.Event):
        def is_set(self) -> bool:
            looked.set()
            return super().is_set()

    bench.training = Looked()
    bench.training.set()
    bench.comparisons = bench.made(bench.here)
    bench.start()
    assert looked.wait(DEADLINE)
    assert (bench.state.state, calls) == ("running", [])
    bench.training.clear()
    until(lambda: bench.state.state == "done")


def test_an_endless_training_does_not_hold_it_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "PATIENCE", 0.3)
    bench.add(groups=3)
    bench.training.set()
    assert bench.run().state == "done"


def test_a_waiting_comparison_is_cancelled_at_once(bench: Bench) -> None:
    bench.add(groups=3)
    bench.training.set()
    bench.start()
    bench.comparisons.cancel(bench.project.id)
    assert bench.state.state == "cancelled"


# In the workspace


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "space", tmp_path / "networks", offline=True) as opened:
        yield opened


def filled(space: Workspace, groups: int = 3) -> str:
    project = space.create_project("Colours").id
    for place, one in enumerate(space.project(project).classes):
        for group in range(groups):
            seed = 10_000 * place + 100 * group
            space.add_photos(project, one.id, f"{seed}", photos(range(seed, seed + 5), COLORS[place]))
    space.save_settings(project, TrainSettings(epochs=5))
    return project


def test_a_comparison_and_a_training_run_beside_each_other(space: Workspace) -> None:
    project = filled(space)
    space.compare(project)
    space.start_training(project)
    assert space.wait_for_training(project).training.state == "done"
    until(lambda: space.comparison(project).state == "done", "the comparison")
    assert [one.id for one in space.comparison(project).rows] == ["slim-v1"]
    message = space.comparison(project).message
    assert message is not None
    assert "the only network" in message


def test_a_comparison_is_cancelled_and_forgotten_with_its_project(space: Workspace) -> None:
    project = filled(space)
    space.compare(project)
    space.cancel_comparison(project)
    assert space.comparison(project).state in {"cancelled", "done"}
    space.compare(project)
    space.restore_project(space.delete_project(project))
    assert space.comparison(project) == Comparison()


def test_closing_ends_a_comparison(tmp_path: Path) -> None:
    with Workspace(tmp_path / "space", tmp_path / "networks", offline=True) as space:
        space.compare(filled(space))
    assert not [one.name for one in threading.enumerate() if one.name.startswith("compare-")]


def test_a_project_nobody_knows_has_no_comparison(space: Workspace) -> None:
    for act in (space.compare, space.comparison, space.cancel_comparison):
        with pytest.raises(NotFound):
            act("0" * 16)
