"""One laptop and thirty people who record and train at the same time: is anything lost, and how long does it take?

`python -m tests.benchmarks.classroom` prints the figures. People are made by `tests.benchmarks.crowd`, in this process,
so that they and the server share the cores of one computer; on a real one the server has them for itself.
"""

import argparse
import asyncio
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.benchmarks import crowd
from tests.benchmarks.crowd import Notes, Plan
from tests.benchmarks.memory import Watch
from tests.benchmarks.table import Row, render

PASSWORD = "seven green rivers"
BATCH_SECONDS, TRAINING_SECONDS, MEMORY_MB = 1.0, 10.0, 1000
_START_SECONDS = 120
_CHECKED_AT_ONCE = 8


@dataclass(frozen=True)
class Classroom:
    """A classroom that is open.

    Attributes:
        address: of its pages, with `https://`.
        lines: what was printed until then.
        process: to look at its memory.
    """

    address: str
    lines: tuple[str, ...]
    process: psutil.Process


@contextmanager
def running(home: Path, *options: str) -> Iterator[Classroom]:
    """Run `teachable serve --classroom` on a free port of this computer alone, and stop it at the end.

    Args:
        home: folder with the projects.
        options: further ones of the command line.
    """
    command = [sys.executable, "-m", "teachable", "serve", "--classroom", "--password", PASSWORD, "--offline"]
    command += ["--host", "127.0.0.1", "--port", "0", "--no-browser", "--home", str(home), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        limit = threading.Timer(_START_SECONDS, process.kill)
        limit.start()
        try:
            address, lines = _when_ready(process)
            limit.cancel()
            # What else it prints must not fill the pipe.
            threading.Thread(target=process.stdout.read if process.stdout else bool, daemon=True).start()
            yield Classroom(address, lines, psutil.Process(process.pid))
        finally:
            limit.cancel()
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _when_ready(process: "subprocess.Popen[str]") -> tuple[str, tuple[str, ...]]:
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line.rstrip())
        if found := re.search(r"https://127\.0\.0\.1:\d+", line):
            return found[0], tuple(lines)
    raise RuntimeError("the server ended before it was ready:\n" + "\n".join(lines))


@dataclass(frozen=True)
class Outcome:
    """What a crowd left behind.

    Attributes:
        notes: of the people.
        lost: photos that were acknowledged and are not in the store, byte for byte.
        server: largest resident memory of the server, MB.
        trainer: of the process it trains in, MB.
        seconds: of processor time that the server and the process it trains in used together.
    """

    notes: Notes
    lost: int
    server: float
    trainer: float
    seconds: float


def play(home: Path, plan: Plan) -> Outcome:
    """Open a classroom, let everybody in, and look afterwards whether everything is there.

    Args:
        home: an empty folder.
        plan: what everybody does.
    """
    photos = crowd.photos(round(plan.seconds * plan.rate / 2))
    with running(home) as classroom, Watch(classroom.process) as watch:
        before = _worked(classroom.process)
        notes = asyncio.run(crowd.run(classroom.address, plan, photos))
        seconds = _worked(classroom.process) - before
        lost = asyncio.run(_lost(classroom.address, notes))
    return Outcome(notes, lost, watch.server, watch.training, seconds)


def _worked(process: psutil.Process) -> float:
    """Return the seconds of processor time that a process and its children used."""
    return float(sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True))))


async def _lost(address: str, notes: Notes) -> int:
    """Count the photos that were acknowledged and are not there now, by what the server gives back of each."""
    limits = httpx.Limits(max_connections=_CHECKED_AT_ONCE)
    async with httpx.AsyncClient(
        base_url=address,
        verify=False,  # the certificate is made by the server that is measured
        trust_env=False,
        timeout=60,
        limits=limits,
        headers={"Origin": address},
    ) as client:
        (await client.post("/api/v1/room/login", json={"password": PASSWORD})).raise_for_status()
        lost = 0
        for (project, class_id), digests in notes.acknowledged.items():
            lost += len(digests - await crowd.stored(client, project, class_id))
        return lost


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed; nearest rank, so that it is one that was measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rows(plan: Plan, outcome: Outcome) -> list[Row]:
    """Return the figures of a crowd."""
    notes = outcome.notes
    photos = sum(map(len, notes.acknowledged.values()))
    taken = plan.visitors * 2 * round(plan.seconds * plan.rate / 2)
    wanted = plan.visitors * plan.trainings
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(notes.statuses.items()))
    problems = f"; first problem: {notes.problems[0]}" if notes.problems else ""
    upload, late = (percentile(some, 0.95) for some in (notes.batches, notes.late))
    training = percentile(notes.trainings, 0.95) if notes.trainings else float("inf")
    return [
        Row(
            "Photos lost",
            "0",
            f"{outcome.lost}",
            how=f"{photos} of {taken} acknowledged; each fetched again and compared by SHA-256{problems}",
            met=outcome.lost == 0 and photos == taken,
        ),
        Row("Answers that are the server's fault", "0", f"{notes.failures}", how=answers, met=notes.failures == 0),
        Row(
            "Upload of a batch, 95 %",
            f"< {BATCH_SECONDS:.0f} s",
            f"{upload:.2f} s",
            how=f"median {statistics.median(notes.batches):.2f} s, worst {max(notes.batches):.2f} s;"
            f" {len(notes.batches)} batches of {crowd.BATCH}",
            met=upload < BATCH_SECONDS,
        ),
        Row("Last frame of a batch to stored, 95 %", "", f"{late:.2f} s", how="waiting for the batch before included"),
        Row(
            "Training, 95 %",
            f"< {TRAINING_SECONDS:.0f} s",
            f"{training:.1f} s",
            how=f"{len(notes.trainings)} of {wanted} done; median {statistics.median(notes.trainings or [0]):.1f} s;"
            f" from pressing Train, which each does within {plan.pause:g} s of a recording or result",
            met=training < TRAINING_SECONDS and len(notes.trainings) == wanted,
        ),
        Row("Question of an open page, 95 %", "", f"{1000 * percentile(notes.asked or [0.0], 0.95):.0f} ms"),
        # On a computer with other work, times say little; this says what the lesson itself costs.
        Row(
            "Processor time of the server", "", f"{outcome.seconds:.0f} s", how="training included, all cores together"
        ),
        Row(
            "Memory of the server, most",
            f"< {MEMORY_MB} MB",
            f"{outcome.server:.0f} MB",
            how=f"resident; the process it trains in {outcome.trainer:.0f} MB",
            met=outcome.server < MEMORY_MB,
        ),
    ]


def main() -> None:
    """Play a lesson and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.classroom", description=__doc__)
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=30, help="that each records")
    parser.add_argument("--rate", type=float, default=10, help="frames per second")
    parser.add_argument("--trainings", type=int, default=3, help="that each starts")
    given = parser.parse_args()
    plan = Plan(given.visitors, given.seconds, given.rate, given.trainings)
    with tempfile.TemporaryDirectory() as folder:
        outcome = play(Path(folder) / "home", plan)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load over 1, 5 and 15 minutes: {load}")
    each = f"record {plan.rate:g} frames/s for {plan.seconds:g} s and train {plan.trainings} times"
    print(f"{plan.visitors} people {each}\n")
    print(render(rows(plan, outcome)))


if __name__ == "__main__":
    main()
