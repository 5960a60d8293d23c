import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bringing
import pytest
from making import DEADLINE, photo, until

from teachable import imports, intakes
from teachable.arrivals import Choices, Import
from teachable.errors import Conflict, InvalidInput, NotFound, TooLarge
from teachable.importing import Options, Source, decoding
from teachable.intakes import Into
from teachable.projects import Project
from teachable.settings import Limits
from teachable.workflow import Workspace

RED, BLUE = (220, 60, 60), (60, 60, 220)


@pytest.fixture(autouse=True)
def _without_waiting_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "IDLE_SECONDS", 0.05)
    decoding._SPARE.end()  # some may wait since another test, for longer


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "home") as workspace:
        yield workspace


def zipped(path: Path, classes: dict[str, int], extra: dict[str, bytes] | None = None) -> Path:
    """A zip with a folder for each class; photos of different classes differ."""
    with zipfile.ZipFile(path, "w") as archive:
        for place, (name, count) in enumerate(classes.items()):
            for number in range(count):
                archive.writestr(f"{name}/{number}.jpg", photo(1000 * place + number, (RED, BLUE)[place % 2]))
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return path


def planned(space: Workspace, path: Path, project: str | None = None) -> Import:
    found = space.imports.wait(space.imports.open(path, project).id, DEADLINE)
    assert (found.state, found.message) == ("planned", None)
    return found


def everything(found: Import, project: str | None = None, into: dict[str, str] | None = None) -> Choices:
    assert found.plan is not None
    wanted = tuple(Into(one.key, one.name, (into or {}).get(one.name)) for one in found.plan.classes)
    return Choices(project, wanted)


def taken(space: Workspace, path: Path, project: str | None = None, into: dict[str, str] | None = None) -> Import:
    found = planned(space, path)
    space.imports.start(found.id, everything(found, project, into))
    return space.imports.wait(found.id, DEADLINE)


class Gate:
    """Holds every batch of photos back until it is let through, and notes whose it was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.through = threading.Semaphore(0)
        self.came: list[str] = []
        add: Callable[..., Any] = Project.add_photos

        def wait(project: Project, *args: Any, **kwargs: Any) -> Any:
            self.came.append(project.id)
            assert self.through.acquire(timeout=DEADLINE)
            return add(project, *args, **kwargs)

        monkeypatch.setattr(Project, "add_photos", wait)
        monkeypatch.setattr(intakes, "AT_ONCE", 2)

    def open(self, batches: int = 100) -> None:
        for _ in range(batches):
            self.through.release()


def given_up(space: Workspace, number: str) -> bool:
    """Whether an import was told to end."""
    return space.imports._entries[number].order.cancelled.is_set()


@contextmanager
def gated() -> Iterator[Gate]:
    with pytest.MonkeyPatch.context() as patch:
        gate = Gate(patch)
        try:
            yield gate
        finally:
            gate.open(1000)


def test_a_file_is_shown_first_and_then_becomes_a_project(space: Workspace, tmp_path: Path) -> None:
    path = zipped(tmp_path / "Pets.zip", {"Cat": 5, "Dog": 3}, {"Cat/broken.jpg": b"\xff\xd8\xff broken"})
    found = planned(space, path)
    assert found.plan is not None
    assert [(one.name, one.photos) for one in found.plan.classes] == [("Cat", 6), ("Dog", 3)]
    assert space.imports.preview(found.id, found.plan.classes[0].previews[0])[:2] == b"\xff\xd8"
    assert space.projects() == ()
    space.imports.start(found.id, everything(found))
    ended = space.imports.wait(found.id, DEADLINE)
    assert (ended.state, ended.fraction, ended.done, ended.total) == ("done", 1.0, 9, 9)
    assert (ended.added, ended.repeats, ended.rejected_total) == (8, 0, 1)
    assert ended.rejected[0].name.endswith("broken.jpg")
    (info,) = space.projects()
    assert info.id == ended.project
    assert (info.name, [(one.name, one.samples) for one in info.classes]) == ("Pets", [("Cat", 5), ("Dog", 3)])
    assert path.exists()
    with pytest.raises(NotFound):
        space.imports.preview(found.id, 0)
    with pytest.raises(Conflict):
        space.imports.start(found.id, everything(found))


def test_photos_go_into_classes_that_are_there_and_one_undo_takes_them_back(space: Workspace, tmp_path: Path) -> None:
    info = space.create_project()
    first = info.classes[0].id
    path = zipped(tmp_path / "x.zip", {"Cat": 4, "Dog": 3, "Cow": 2})
    ended = taken(space, path, info.id, {"Cat": first, "Dog": first})
    assert (ended.state, ended.added) == ("done", 9)
    assert [one.samples for one in space.project(info.id).classes] == [7, 0, 2]
    again = taken(space, path, info.id, {"Cat": first, "Dog": first, "Cow": space.project(info.id).classes[2].id})
    assert (again.state, again.added, again.repeats, again.undo) == ("done", 0, 9, None)
    assert ended.undo is not None
    space.undo(info.id, ended.undo)
    assert [one.samples for one in space.project(info.id).classes] == [0, 0]
    # The same file gives the same recordings, whenever it comes.
    redone = taken(space, path, info.id, {"Cat": first, "Dog": first})
    assert redone.added == 9


def test_what_cannot_be_done_is_refused_before_anything_is_made(space: Workspace, tmp_path: Path) -> None:
    info = space.create_project()
    found = planned(space, zipped(tmp_path / "x.zip", {"Cat": 2, "Class 1": 1}))
    key, other = (one.key for one in found.plan.classes) if found.plan else ("", "")

    def refused(error: type[Exception], project: str | None, *wanted: Into, rate: float = 2.0) -> None:
        with pytest.raises(error):
            space.imports.start(found.id, Choices(project, wanted, Options(rate=rate)))
        assert space.imports.of(found.id).state == "planned"

    refused(InvalidInput, info.id)
    refused(InvalidInput, None, Into(key, "  "))
    refused(InvalidInput, None, Into(key, "Cat"), rate=-1)
    refused(NotFound, None, Into("no such key", "Cat"))
    refused(NotFound, "0" * 32, Into(key, "Cat"))
    refused(NotFound, info.id, Into(key, "Cat"), Into(other, "x", "0" * 32))
    refused(Conflict, info.id, Into(key, "Cat"), Into(other, "class 1"))
    refused(TooLarge, None, *(Into(key, f"{number}") for number in range(300)))
    assert [one.samples for one in space.project(info.id).classes] == [0, 0]
    assert len(space.projects()) == 1
    # Two of one name become one class; what is not named is left out.
    space.imports.start(found.id, Choices(None, (Into(key, "Both"), Into(other, "both"))))
    ended = space.imports.wait(found.id, DEADLINE)
    assert [one.samples for one in space.project(str(ended.project)).classes] == [3]


def test_a_file_that_is_nothing_we_know_says_so_and_is_gone(space: Workspace, tmp_path: Path) -> None:
    received = space.imports.receive(5)
    received.finish(b"hello")
    found = space.imports.wait(space.imports.begin(received, "notes.txt").id, DEADLINE)
    assert found.state == "failed"
    assert found.message
    assert not received.path.exists()
    with pytest.raises(NotFound):
        space.imports.of("0" * 32)


def test_an_import_can_be_paused_gone_on_with_and_given_up(space: Workspace, tmp_path: Path) -> None:
    info = space.create_project()
    first = info.classes[0].id
    with gated() as gate:
        found = planned(space, zipped(tmp_path / "x.zip", {"Cat": 12}))
        space.imports.start(found.id, everything(found, info.id, {"Cat": first}))
        gate.open(2)
        until(lambda: len(gate.came) == 3)
        paused = space.imports.pause(found.id)
        assert paused.state == "paused"
        gate.open(1)
        until(lambda: space.imports._taking._working is None)
        resting = space.imports.of(found.id)
        assert (resting.state, resting.added, resting.done, resting.total) == ("paused", 6, 6, 12)
        assert 0.4 < resting.fraction < 0.6
        assert space.imports.resume(found.id).state in {"running", "waiting"}
        until(lambda: len(gate.came) == 4)
        with ThreadPoolExecutor(1) as threads:
            cancelling = threads.submit(space.imports.cancel, found.id)
            until(lambda: given_up(space, found.id), "giving up")
            gate.open(1)
        ended = cancelling.result()
        assert ended.state == "cancelled"
        assert ended.added in {6, 8}
    assert space.project(info.id).classes[0].samples == ended.added
    assert ended.undo is not None
    space.undo(info.id, ended.undo)
    assert space.project(info.id).classes[0].samples == 0


def test_a_picture_of_what_was_given_up_in_this_moment_is_not_there(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = planned(space, zipped(tmp_path / "Pets.zip", {"Cat": 1}))

    def preview(source: Source, number: int) -> bytes:
        space.imports.cancel(found.id)
        raise FileNotFoundError(str(tmp_path / "scratch"))

    monkeypatch.setattr(Source, "preview", preview)
    with pytest.raises(NotFound) as caught:
        space.imports.preview(found.id, 0)
    assert caught.value.key == "preview_unknown"


def test_taking_it_back_while_it_runs_ends_it(space: Workspace, tmp_path: Path) -> None:
    info = space.create_project()
    with gated() as gate:
        found = planned(space, zipped(tmp_path / "x.zip", {"Cat": 8}))
        begun = space.imports.start(found.id, everything(found, info.id))
        gate.open(1)
        until(lambda: space.imports.of(found.id).added == 2)
        token = space.imports.of(begun.id).undo
        assert token is not None
        until(lambda: len(gate.came) == 2)
        space.undo(info.id, token)
        gate.open()
        ended = space.imports.wait(found.id, DEADLINE)
    assert ended.state == "cancelled"
    assert ended.message
    # Nothing of it is there any more, so that nothing is offered to be taken back either.
    assert (ended.added, ended.undo) == (0, None)
    assert [one.samples for one in space.project(info.id).classes] == [0, 0]


def test_a_class_that_is_deleted_meanwhile_does_not_end_the_others(space: Workspace, tmp_path: Path) -> None:
    info = space.create_project()
    into = dict(zip(("Cat", "Dog"), (one.id for one in info.classes), strict=True))
    with gated() as gate:
        found = planned(space, zipped(tmp_path / "x.zip", {"Cat": 6, "Dog": 4}))
        space.imports.start(found.id, everything(found, info.id, into))
        gate.open(1)
        until(lambda: len(gate.came) == 2)
        space.delete_class(info.id, into["Cat"])
        gate.open()
        ended = space.imports.wait(found.id, DEADLINE)
    assert (ended.state, ended.added, ended.done, ended.rejected_total) == ("done", 6, 10, 1)
    assert "“Cat” was deleted" in ended.rejected[0].reason
    assert [(one.name, one.samples) for one in space.project(info.id).classes] == [("Class 2", 4)]


@contextmanager
def showing(space: Workspace, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The first photos of a video are in; gives the project and the import."""
    info = space.create_project()
    with gated() as gate:
        found = planned(space, bringing.video(tmp_path / "a.mp4", frames=200))
        space.imports.start(found.id, everything(found, info.id, {"a": info.classes[0].id}))
        gate.open(1)
        until(lambda: len(gate.came) == 2)
        until(lambda: len(bringing.decoders()) == 1, "one process for one video")
        yield info.id, found.id


def all_end() -> None:
    until(lambda: bringing.decoders() == [], "the end of the process that decodes")


@pytest.mark.parametrize("way", ["cancel", "undo", "class", "project"])
def test_a_video_that_is_not_wanted_any_more_is_let_go_of(space: Workspace, tmp_path: Path, way: str) -> None:
    # Giving up waits for the photos in hand, which go on at the end of the inner block.
    with ThreadPoolExecutor(1) as threads:
        with showing(space, tmp_path) as (project, number):
            match way:
                case "cancel":
                    done = threads.submit(space.imports.cancel, number)
                case "undo":
                    done = threads.submit(space.undo, project, space.imports.of(number).undo)
                case "class":
                    done = threads.submit(space.delete_class, project, space.project(project).classes[0].id)
                case "project":
                    done = threads.submit(space.delete_project, project)
            until(lambda: done.done() or given_up(space, number), "giving up")
        done.result(DEADLINE)
    space.imports.wait(number, DEADLINE)
    all_end()


def test_a_paused_video_keeps_nothing_open_and_goes_on_where_it_was(space: Workspace, tmp_path: Path) -> None:
    with showing(space, tmp_path) as (project, number):
        space.imports.pause(number)
    all_end()
    assert space.imports.of(number).state == "paused"
    space.imports.resume(number)
    ended = space.imports.wait(number, DEADLINE)
    assert (ended.state, ended.done, ended.added + ended.repeats, ended.rejected_total) == ("done", 40, 40, 0)
    assert space.project(project).classes[0].samples == ended.added


def test_a_video_that_hangs_can_be_cancelled(space: Workspace, tmp_path: Path) -> None:
    with showing(space, tmp_path) as (project, number):
        (process,) = bringing.decoders()
        process.suspend()
    until(lambda: space.imports.of(number).added == 4, "the photos that were decoded before")
    ended = space.imports.cancel(number)
    assert (ended.state, ended.added) == ("cancelled", 4)
    assert space.project(project).classes[0].samples == 4


def test_a_picture_that_is_still_decoded_when_all_ends_is_not_there(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = planned(space, bringing.video(tmp_path / "a.mp4"))
    all_end()
    monkeypatch.setattr(decoding, "_CHILD", "import time; time.sleep(600)")
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(space.imports.preview, found.id, 0)
        until(lambda: space.imports._entries[found.id].stop._at_work, "the process")
        space.imports.cancel(found.id)
        with pytest.raises(NotFound):
            asked.result()


def test_a_video_that_hangs_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    with Workspace(tmp_path / "home") as space, showing(space, tmp_path):
        (process,) = bringing.decoders()
        process.suspend()
    all_end()


def test_what_an_import_needs_is_not_cleaned_up_meanwhile(space: Workspace, tmp_path: Path) -> None:
    info = space.create_project()
    path = zipped(tmp_path / "a.zip", {"Cat": 6})
    with gated() as gate:
        found = planned(space, path)
        space.imports.start(found.id, everything(found, info.id))
        until(lambda: bool(gate.came), "the first batch")
        with pytest.raises(Conflict, match=r"a\.zip is still being imported"):
            space.clean_up(info.id, removed=True, caches=False)
        space.clean_up(info.id, removed=False, caches=True)
        gate.open()
        ended = space.imports.wait(found.id, DEADLINE)
    assert (ended.state, ended.added) == ("done", 6)
    space.clean_up(info.id, removed=True, caches=False)


def test_two_imports_take_turns_and_a_deleted_project_ends_its_own(space: Workspace, tmp_path: Path) -> None:
    one, other = space.create_project().id, space.create_project().id
    with gated() as gate:
        for project in (one, other):
            found = planned(space, zipped(tmp_path / f"{project}.zip", {"Cat": 10}))
            last = space.imports.start(found.id, everything(found, project))
        for batch in range(1, 6):
            gate.open(1)
            until(lambda wanted=batch: len(gate.came) > wanted)
        assert abs(gate.came.count(one) - gate.came.count(other)) <= 2
        gate.open()
        space.delete_project(other)
        assert (space.imports.of(last.id).state, space.imports.of(last.id).message) == ("cancelled", None)
        until(lambda: space.project(one).classes[2].samples == 10)


def test_a_project_that_is_full_ends_the_import_and_keeps_what_fitted(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from teachable.projects import intake

    monkeypatch.setattr(intake, "limits", lambda: Limits(samples=5))
    monkeypatch.setattr(intakes, "AT_ONCE", 2)
    ended = taken(space, zipped(tmp_path / "x.zip", {"Cat": 12}))
    assert (ended.state, ended.added) == ("failed", 5)
    assert "5" in str(ended.message)


def test_how_much_fits_is_known_before_it_begins(space: Workspace, tmp_path: Path) -> None:
    space.limit_photos(lambda project_id: 8)
    project = taken(space, zipped(tmp_path / "x.zip", {"Cat": 6})).project
    more = zipped(tmp_path / "y.zip", {"Cow": 4})
    assert space.imports.of(planned(space, more, project).id).room == 2
    assert space.imports.of(planned(space, more).id).room is None
    gone = planned(space, more, project)
    space.delete_project(str(project))
    assert space.imports.of(gone.id).room is None


def test_what_people_wait_for_goes_first(space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_GIVE_WAY_SECONDS", DEADLINE)
    found = planned(space, zipped(tmp_path / "x.zip", {"Cat": 4}))
    with space._precedence.first():
        space.imports.start(found.id, everything(found))
        until(lambda: space.imports.of(found.id).state == "running")
        assert space.imports.of(found.id).done == 0
    assert space.imports.wait(found.id, DEADLINE).added == 4


def test_files_nobody_says_yes_to_are_few_and_not_for_ever(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MOST_PLANS", 1)
    data = zipped(tmp_path / "x.zip", {"Cat": 1}).read_bytes()
    received = space.imports.receive(len(data))
    received.finish(data)
    found = space.imports.wait(space.imports.begin(received, "x.zip").id, DEADLINE)
    with pytest.raises(Conflict) as caught:
        space.imports.receive(1)
    assert caught.value.key == "import_too_many"
    monkeypatch.setattr(imports, "LONGEST_WAIT", -1.0)
    space.imports.receive(1).let_go()
    assert space.imports.of(found.id).state == "cancelled"
    assert not received.place.exists()


def test_closing_ends_everything_and_leaves_no_file(tmp_path: Path) -> None:
    with gated() as gate:
        space = Workspace(tmp_path / "home")
        plan = planned(space, zipped(tmp_path / "x.zip", {"Cat": 6}))
        found = planned(space, zipped(tmp_path / "y.zip", {"Cat": 6}))
        space.imports.start(found.id, everything(found))
        until(lambda: gate.came)
        closing = threading.Thread(target=space.close)
        closing.start()
        until(lambda: given_up(space, found.id), "giving up")
        gate.open()
        closing.join(DEADLINE)
        assert not closing.is_alive()
    assert space.imports.of(found.id).state == "cancelled"
    assert not any((tmp_path / "home" / "incoming").iterdir())
    with pytest.raises(Conflict):
        space.imports.receive()
    assert space.imports.of(plan.id).plan is not None


def test_settings_come_along_when_they_are_wanted(space: Workspace, tmp_path: Path) -> None:
    from teachable.types import TrainSettings

    one = space.create_project("Old")
    space.add_photos(one.id, one.classes[0].id, "a", [("1.jpg", photo(1))])
    space.save_settings(one.id, TrainSettings(epochs=7))
    path = tmp_path / "old.zip"
    path.write_bytes(b"".join(space.pack(one.id)))
    target = space.create_project("New")
    found = planned(space, path)
    choices = everything(found, target.id, {name.name: name.id for name in target.classes})
    space.imports.start(found.id, Choices(choices.project, choices.classes, settings=True))
    assert space.imports.wait(found.id, DEADLINE).added == 1
    assert space.project(target.id).settings.epochs == 7


_PROGRAM = """
import os, signal, sys
from pathlib import Path
from teachable.arrivals import Choices
from teachable.intakes import Into
from teachable.workflow import Workspace

space = Workspace(Path(sys.argv[1]))
found = space.imports.wait(space.imports.open(Path(sys.argv[2])).id)
wanted = tuple(Into(one.key, one.name) for one in found.plan.classes)
space.imports.start(found.id, Choices(None, () if found.plan.kind == "project" else wanted))
while (now := space.imports.of(found.id)).state in {"waiting", "running"}:
    print(now.added, flush=True)
    if now.done >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(home: Path, file: Path, after: int) -> int:
    """Import a file in another process that kills itself once so many photos were looked at; return how many it added.

    Whoever killed it from outside might come too late.
    """
    import subprocess
    import sys

    command = [sys.executable, "-c", _PROGRAM, str(home), str(file), str(after)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -9
    return int(done.stdout.split()[-1])


@pytest.mark.skipif("sys.platform == 'win32'", reason="a process that is killed there ends with another number")
def test_a_kill_in_the_middle_loses_no_photo_and_leaves_no_half_project(tmp_path: Path) -> None:
    home, path = tmp_path / "home", zipped(tmp_path / "Pets.zip", {"Cat": 400, "Dog": 400})
    told = killed(home, path, 100)
    with Workspace(home) as space:
        (info,) = space.projects()
        kept = sum(one.samples for one in info.classes)
        assert told <= kept < 800
        for one in info.classes:
            for sample in space.samples(info.id, one.id, limit=1000).samples:
                assert space.photo(info.id, sample.id).is_file()
        assert not any((home / "incoming").iterdir())
        # Going on is importing the file again: what is there already is skipped.
        into = {one.name: one.id for one in info.classes}
        ended = taken(space, path, info.id, into)
        assert ended.added + kept == 800
        whole = tmp_path / "whole.zip"
        whole.write_bytes(b"".join(space.pack(info.id)))
    assert killed(home, whole, 100) == 0
    with Workspace(home) as space:
        assert [one.id for one in space.projects()] == [info.id]
        assert not any((home / "incoming").iterdir())
        assert len(list((home / "projects").iterdir())) == 1
