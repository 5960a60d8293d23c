"""A hundred kills at random moments: whatever was acknowledged is there afterwards, and nothing half-made is seen."""

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import onnx
import pytest
from aging import old_project
from making import photo

from teachable.images import load
from teachable.projects import Project, ProjectStore, about

KILLS = {"capture": 25, "undo": 20, "import": 18, "shelve": 14, "migrate": 13, "train": 6, "export": 4}
"""A hundred in all; what takes longest least often."""

SEED = 20
LONGEST = {"migrate": 0.05, "export": 0.5, "train": 0.4, "import": 0.35}
"""Seconds within which the moment of a kill is chosen; whatever is done takes shorter than that, or goes on anew."""

WITHIN = 60.0

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL and fork are matters of Unix")


class Killed:
    """The program of `killing`, which has loaded everything and is forked for each kill."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("killing.py"))]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._wait_for("ready")

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the program to be killed has ended"
        told: dict[str, Any] = json.loads(line)
        assert "failed" not in told, told
        return told

    def _wait_for(self, what: str) -> list[dict[str, Any]]:
        lines = [self._line()]
        while what not in lines[-1]:
            lines.append(self._line())
        return lines

    def run(self, home: Path, project: str, doing: str, chance: random.Random) -> list[dict[str, Any]]:
        """Let it work, and kill it some time after it began, or after it has done something; return what it said."""
        seed, things, seconds = chance.randrange(10**6), chance.choice([0, 0, 1, 1]), chance.random()
        asked = {"home": str(home), "project": project, "doing": doing, "seed": seed}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        number = self._wait_for("begun")[-1]["begun"]
        # A migration is part of opening; everything else begins when that is done.
        said = [] if doing == "migrate" else self._wait_for("open")
        said += [self._line() for _ in range(things if doing != "migrate" else 0)]
        threading.Event().wait(seconds * LONGEST.get(doing, 0.2))
        with suppress(ProcessLookupError):  # it has failed, and says so
            os.kill(number, signal.SIGKILL)
        return said + self._wait_for("ended")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def killed() -> Iterator[Killed]:
    made = Killed()
    yield made
    made.close()


def require_sound(project: Project) -> set[str]:
    """Everything that can be seen of a project is whole; return the hashes of its photos."""
    samples = project.all_samples()
    for sample in samples:
        path = project.photo_file(sample.sha256)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sample.sha256
        assert load(path).shape == (sample.height, sample.width, 3)
    with closing(sqlite3.connect(project.folder / about.DATABASE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    for kept in project.versions.every():
        onnx.checker.check_model(onnx.load_from_string(project.model_file(kept.record.id).read_bytes()))
    for folder in (project.folder / about.EXPORTS).glob("*"):
        for name, (size, _) in project.exports.notes(folder.name).items():
            assert (folder / name).stat().st_size == size > 0
    return {sample.sha256 for sample in samples}


def test_a_hundred_kills_lose_nothing(killed: Killed, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    home = tmp_path / "home"
    with closing(ProjectStore(home)) as store:
        project_id = store.create("Killed").id
        for place, one in enumerate(store.open(project_id).info().classes):
            for group in range(2):
                first = 10_000 * place + 100 * group
                files = [(f"{seed}.jpg", photo(seed)) for seed in range(first, first + 6)]
                store.open(project_id).add_photos(one.id, f"g{group}", files)
        acknowledged = require_sound(store.open(project_id))
    doings = [doing for doing, kills in KILLS.items() for _ in range(kills)]
    assert len(doings) == 100
    chance.shuffle(doings)
    told = dict.fromkeys(KILLS, 0)
    models = ""
    for number, doing in enumerate(doings):
        place, work_on = home, project_id
        if doing == "migrate":
            place = tmp_path / f"old{number}"
            work_on = old_project(place, [photo(seed) for seed in range(40)])
        said = killed.run(place, work_on, doing, chance)
        told[doing] += len(said) > 2
        for line in said:
            acknowledged |= set(line.get("added", ()))
            models = line.get("trained") or models
            assert line.get("state") in {None, "done", "cancelled"}, line
        with closing(ProjectStore(place)) as store:
            project = store.open(work_on)
            there = require_sound(project)
            if doing == "migrate":
                assert len(there) == 40
                continue
            if doing == "undo":
                acknowledged = settled(project, acknowledged, said)
            assert acknowledged <= there, (number, doing)
            acknowledged = there
            if models:
                assert models in {kept.record.id for kept in project.versions.every()}
            # What is duplicated or opened from a file is there as a whole, or not at all.
            for info in store.list():
                require_sound(store.open(info.id))
            unfinished = [path.name for path in (home / "projects").iterdir() if path.name.endswith(".new")]
            assert not unfinished
            for info in store.list():
                if info.id != project_id:
                    store.delete(info.id)
            # A long life of few photos keeps the rest of the loop quick.
            if len(there) > 300:
                project.delete_samples([sample.id for sample in project.all_samples()[100:]])
                acknowledged = require_sound(project)
        assert not list((home / "incoming").glob("*")) or doing == "import"
    # Each was also killed after it had done something, but for what has nothing to do any more by then.
    assert all(told[doing] >= kills // 5 for doing, kills in KILLS.items() if doing != "migrate"), told


def settled(project: Project, before: set[str], said: list[dict[str, Any]]) -> set[str]:
    """Return what has to be there after deleting, moving, undoing and redoing broke off.

    Moving a photo to a class that has it, and redoing what took photos away, make photos go; each is one change that
    is there as a whole or not at all. So the history, taken back step by step, must bring back everything.
    """
    taken_back = 0
    while (change := project.info().undo) is not None and taken_back < 60:
        project.undo(change.token)
        taken_back += 1
    there = require_sound(project)
    assert there <= before | there
    for _ in range(taken_back):
        project.redo()
    assert said
    return require_sound(project)
