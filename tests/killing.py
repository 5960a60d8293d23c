"""A program to be killed: it works on a home folder as fast as it can, and says what it is about to do and has done.

    python tests/killing.py

It loads everything that takes long to load once. For every line on its input, JSON with `home`, `doing` and `seed`, it
forks a process that works until it is killed, and tells its number. Whatever happens is a line of JSON on its output.
Training is the real thing but for the process of its own: that would only be killed along with this one.
"""

import io
import json
import os
import random
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sklearn.cluster  # noqa: F401
import torch
from making import photo

from teachable import tasks, trainee, workflow
from teachable.arrivals import Choices
from teachable.children import Arrays, Message
from teachable.errors import Cancelled
from teachable.intakes import Into
from teachable.scores import EpochPoint
from teachable.tasks import Outcome, Task
from teachable.training import Report, Trainer
from teachable.types import TrainSettings
from teachable.workflow import Workspace


def say(**line: object) -> None:
    """Write one line in one piece, so that a kill leaves all of it or nothing."""
    os.write(1, json.dumps(line).encode() + b"\n")


class Here(Trainer):
    """Trains in this process."""

    def warm_up(self) -> None:
        pass

    def run(self, task: Task, on_epoch: Report, cancelled: threading.Event) -> Outcome:
        last: list[Message] = []

        def answer(header: dict[str, Any], arrays: Arrays | None = None) -> None:
            if cancelled.is_set():
                raise Cancelled
            if header["kind"] == "epoch":
                on_epoch(header["phase"], header["share"], EpochPoint(**header["point"]))
            else:
                last.append((header, arrays or {}))

        trainee._train(task, answer)
        return tasks.outcome_from(*last[-1])


@contextmanager
def opened(home: Path) -> Iterator[Workspace]:
    """A workspace that trains here. It is never closed: this process ends by being killed."""
    workflow.Trainer = Here  # type: ignore[misc]
    yield Workspace(home, offline=True)


def capture(space: Workspace, project: str, chance: random.Random) -> None:
    """Record: batches of four into one class after the other."""
    ids = [one.id for one in space.project(project).classes]
    while True:
        into = chance.choice(ids)
        group = f"press {chance.randrange(10**9)}"
        for _ in range(3):
            sent = [(f"{number}.jpg", photo(number)) for number in chance.sample(range(10**9), 4)]
            added = space.add_photos(project, into, group, sent).added
            say(added=[sample.sha256 for sample in added])


def undo(space: Workspace, project: str, chance: random.Random) -> None:
    """Delete, move, rename, mark, and take some of it back and do it again."""
    while True:
        ids = [one.id for one in space.project(project).classes]
        there = [sample.id for one in ids for sample in space.samples(project, one, 40).samples]
        some = chance.sample(there, min(len(there), 9))
        what = chance.choice(["delete", "move", "mark", "rename", "undo", "redo"])
        say(about=what)
        if what == "delete" and some:
            space.undo(project, space.delete_samples(project, some))
        elif what == "move" and some:
            space.move_samples(project, some, chance.choice(ids))
        elif what == "mark" and some:
            space.mark_test(project, some, chance.random() < 0.5, whole_recordings=False)
        elif what == "rename":
            space.update_class(project, ids[0], name=f"Named {chance.randrange(10**9)}")
        elif what == "undo" and space.project(project).undo:
            space.undo(project)
        elif what == "redo" and space.project(project).redo:
            space.redo(project)
        say(done=what)


def provide(space: Workspace, project: str, chance: random.Random) -> None:
    """See to it that there is something to train on, whatever was deleted and moved before."""
    for one in space.project(project).classes:
        number = chance.randrange(10**9)
        added = space.add_photos(project, one.id, f"provided {number}", [(f"{number}.jpg", photo(number))]).added
        say(added=[sample.sha256 for sample in added])


def train(space: Workspace, project: str, chance: random.Random) -> None:
    """Train, again and again."""
    provide(space, project, chance)
    while True:
        space.start_training(project, TrainSettings(epochs=3, seed=chance.randrange(1000)))
        training = space.wait_for_training(project).training
        record = space.model(project)
        say(trained=record.id if record and training.state == "done" else None, state=training.message)


def export(space: Workspace, project: str, chance: random.Random) -> None:
    """Have files made of the newest model, and train anew so that they are made again."""
    if space.model(project) is None:
        train_once(space, project, chance)
    while True:
        for format_, variant in (("onnx", "half"), ("page", "full")):
            space.start_export(project, format_, variant)
            made = space.wait_for_export(project, format_, variant)
            say(exported=[format_, variant, made.state])
        train_once(space, project, chance)


def train_once(space: Workspace, project: str, chance: random.Random) -> None:
    provide(space, project, chance)
    space.start_training(project, TrainSettings(epochs=2, seed=chance.randrange(1000)))
    space.wait_for_training(project)


def take_in(space: Workspace, project: str, chance: random.Random) -> None:
    """Import a zip of two classes into the project, and a project zip as a new one."""
    home = space.project(project)
    while True:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name in ("One", "Two"):
                for number in range(60):
                    archive.writestr(f"{name}/{number}.jpg", photo(chance.randrange(10**9)))
        begun = send(space, file.getvalue(), "photos.zip", project)
        plan = planned(space, begun)
        found = plan.plan.classes if plan.plan else ()
        into = tuple(Into(one.key, one.name, home.classes[at].id) for at, one in enumerate(found))
        space.imports.start(begun, Choices(project, into))
        say(imported=space.imports.wait(begun).state)
        packed = b"".join(space.pack(project))
        begun = send(space, packed, "project.zip", None)
        planned(space, begun)
        space.imports.start(begun, Choices(None, ()))
        ended = space.imports.wait(begun)
        say(packed=ended.project, state=ended.state, message=ended.message)
        if ended.project:
            space.delete_project(ended.project)


def send(space: Workspace, data: bytes, name: str, project: str | None) -> str:
    received = space.imports.receive(len(data))
    received.write(data)
    return space.imports.begin(received, name, project).id


def planned(space: Workspace, begun: str) -> Any:
    never = threading.Event()
    while (state := space.imports.of(begun)).state == "reading":
        never.wait(0.002)
    return state


def shelve(space: Workspace, project: str, chance: random.Random) -> None:
    """Duplicate, delete, restore and delete for good."""
    while True:
        copy = space.duplicate_project(project).id
        say(copied=copy)
        token = space.delete_project(copy)
        if chance.random() < 0.5:
            space.restore_project(token)
            token = space.delete_project(copy)
        space.empty_bin(token)
        say(emptied=copy)


def migrate(home: Path, project: str) -> None:
    """Open a project of the first version."""
    with opened(home) as space:
        info = space.project(project)
        say(migrated=sum(one.samples for one in info.classes))
    threading.Event().wait()


DOING: dict[str, Callable[[Workspace, str, random.Random], None]] = {
    "capture": capture,
    "undo": undo,
    "train": train,
    "export": export,
    "import": take_in,
    "shelve": shelve,
}


def work(asked: dict[str, Any]) -> None:
    home = Path(asked["home"])
    if asked["doing"] == "migrate":
        migrate(home, asked["project"])
    with opened(home) as space:
        say(open=asked["doing"])
        DOING[asked["doing"]](space, asked["project"], random.Random(asked["seed"]))


def main() -> None:
    torch.set_num_threads(1)
    say(ready=True)
    for line in sys.stdin:
        told, tell = os.pipe()
        child = os.fork()
        if not child:
            try:
                # What it says comes after its number, however quick it is.
                os.read(told, 1)
                work(json.loads(line))
            except BaseException as error:  # noqa: BLE001 - told to the test, which fails
                say(failed=repr(error))
            os._exit(1)
        say(begun=child)
        os.write(tell, b"!")
        os.close(told)
        os.close(tell)
        os.waitpid(child, 0)
        say(ended=child)


if __name__ == "__main__":
    main()
