"""People of a classroom as a program: each joins, records and trains over HTTPS as the page does, all at the same time.

It owns what they do and what is noted of it. The server they talk to and how the figures are shown is elsewhere.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from teachable.images import prepare
from tests.benchmarks import scene

BATCH = 8
"""Frames of one request, as in the page."""
_PATIENCE = 120.0
# How often a page asks while something moves: that often, and not more than a third of the time (`status.js`).
_BUSY_SECONDS, _BUSY_PATIENCE, _IDLE_SECONDS = 0.15, 3, 2.0
# Shorter than the server keeps them, so that none is closed while a request is on its way; browsers ask again then.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=10)


@dataclass(frozen=True)
class Plan:
    """What everybody does.

    Attributes:
        visitors: how many there are.
        seconds: each records, half of them for each of two classes.
        rate: frames per second.
        trainings: each starts, one after the other, from when their recording is over.
        pause: seconds, at most, until a person presses Train: after their recording, and after each result.
    """

    visitors: int
    seconds: float
    rate: float = 10
    trainings: int = 3
    pause: float = 10


@dataclass(frozen=True)
class Photo:
    """A frame, and what becomes of it.

    Attributes:
        data: JPEG, as the page sends it.
        digest: SHA-256 of the file the server keeps.
    """

    data: bytes
    digest: str


def photos(count: int) -> tuple[tuple[Photo, ...], ...]:
    """Return so many frames of each of two classes, all different.

    What a camera adds to the picture, such as the time, is not kept; so the digest is that of the prepared photo.
    """
    return tuple(
        tuple(Photo(data, prepare(data, name).sha256) for name, data in scene.photos(kind, count)) for kind in range(2)
    )


@dataclass
class Notes:
    """What happened, for all people together.

    Attributes:
        batches: seconds from sending each batch to its answer.
        late: seconds from when the last frame of each batch was taken to its answer.
        trainings: seconds from pressing Train to the model.
        asked: seconds that each question about the status took.
        statuses: how often each HTTP status came.
        acknowledged: digests of the photos that the server said it has, by project and class.
        problems: what went wrong, in the words of the server.
    """

    batches: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    trainings: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    acknowledged: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def failures(self) -> int:
        """How many answers were the server's own fault."""
        return sum(count for status, count in self.statuses.items() if status >= 500)


async def run(address: str, plan: Plan, photos: Sequence[Sequence["Photo"]], seed: int = 0) -> Notes:
    """Let everybody in and return what happened.

    Args:
        address: of the server, with `https://`. Its certificate is its own, and nobody looks at it.
        plan: what everybody does.
        photos: of each of the two classes, as many as somebody records of it. Everybody has the same: projects share
            nothing.
        seed: of the moments at which people act.
    """
    notes = Notes()
    # All wait for the last who joins: then it begins for all at once.
    everybody = asyncio.Barrier(plan.visitors)
    async with asyncio.TaskGroup() as group:
        for number in range(plan.visitors):
            person = _Person(f"Visitor {number:02d}", plan, photos, notes, random.Random(f"{seed} {number}"))
            group.create_task(person.take_part(address, everybody))
    return notes


class _Person:
    """One of them, with a browser of their own."""

    def __init__(
        self, name: str, plan: Plan, photos: Sequence[Sequence[Photo]], notes: Notes, moments: random.Random
    ) -> None:
        self._name = name
        self._plan = plan
        self._photos = photos
        self._notes = notes
        self._moments = moments

    async def take_part(self, address: str, everybody: asyncio.Barrier) -> None:
        async with _browser(address) as self._browser:
            project = str((await self._ask("POST", "/room/join", json={"name": self._name}))["project"])
            classes = [one["id"] for one in (await self._ask("GET", f"/projects/{project}"))["classes"]]
            await everybody.wait()
            page = asyncio.create_task(self._look(project))
            try:
                await self._record(project, classes)
                for _ in range(self._plan.trainings):
                    await asyncio.sleep(self._moments.uniform(0, self._plan.pause))
                    await self._train(project)
            finally:
                page.cancel()

    async def _look(self, project: str) -> None:
        """Ask what an open page asks all the time."""
        await asyncio.sleep(self._moments.uniform(0, _IDLE_SECONDS))
        while True:
            began = time.perf_counter()
            await self._ask("GET", f"/projects/{project}/status")
            await self._ask("GET", "/room/me", params={"project": project})
            self._notes.asked.append((time.perf_counter() - began) / 2)
            await asyncio.sleep(_IDLE_SECONDS)

    async def _record(self, project: str, classes: Sequence[str]) -> None:
        """Hold the button of one class, then that of the other; frames are sent as in the page, one batch at a time."""
        # Cameras do not take their pictures in step.
        await asyncio.sleep(self._moments.random() / self._plan.rate)
        for number, class_id in enumerate(classes[:2]):
            frames = round(self._plan.seconds * self._plan.rate / 2)
            queue: asyncio.Queue[list[Photo] | None] = asyncio.Queue()
            sender = asyncio.create_task(self._send(project, class_id, f"press-{number}", queue))
            began = asyncio.get_running_loop().time()
            batch: list[Photo] = []
            for frame in range(frames):
                due = began + frame / self._plan.rate
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                batch.append(self._photos[number][frame])
                if len(batch) == BATCH or frame == frames - 1:
                    queue.put_nowait(batch)
                    batch = []
            queue.put_nowait(None)
            await sender

    async def _send(self, project: str, class_id: str, group: str, queue: "asyncio.Queue[list[Photo] | None]") -> None:
        taken = time.perf_counter()
        while (batch := await queue.get()) is not None:
            began = time.perf_counter()
            # With nothing else waiting, the batch was put there just now.
            taken = began if queue.empty() else taken + BATCH / self._plan.rate
            parts = [("files", (f"{at}.jpg", photo.data, "image/jpeg")) for at, photo in enumerate(batch)]
            path = f"/projects/{project}/classes/{class_id}/samples"
            answer = await self._ask("POST", path, data={"group": group}, files=parts)
            ended = time.perf_counter()
            self._notes.batches.append(ended - began)
            self._notes.late.append(ended - taken)
            kept = self._notes.acknowledged.setdefault((project, class_id), set())
            if answer is None:
                continue
            if len(answer["added"]) == len(batch):
                kept.update(photo.digest for photo in batch)
            else:
                self._notes.problems.append(f"{answer['repeats']} repeats, rejected: {answer['rejected']}")

    async def _train(self, project: str) -> None:
        began = time.perf_counter()
        started = await self._ask("POST", f"/projects/{project}/training", json={})
        while started is not None:
            asked = time.perf_counter()
            status = await self._ask("GET", f"/projects/{project}/status")
            took = time.perf_counter() - asked
            state = status["training"]["state"]
            if state == "done":
                self._notes.trainings.append(time.perf_counter() - began)
                return
            if state in {"failed", "cancelled"} or time.perf_counter() - began > _PATIENCE:
                self._notes.problems.append(f"training {state}: {status['training']['message']}")
                return
            await asyncio.sleep(max(_BUSY_SECONDS, _BUSY_PATIENCE * took))

    async def _ask(self, method: str, path: str, **what: Any) -> Any:
        """Send a request as the page does; None where it was refused, which is noted."""
        answer = await self._browser.request(method, f"/api/v1{path}", **what)
        self._notes.statuses[answer.status_code] = self._notes.statuses.get(answer.status_code, 0) + 1
        if answer.is_success:
            return answer.json() if answer.content else {}
        self._notes.problems.append(f"{answer.status_code} {method} {path}: {answer.text[:200]}")
        return None


@asynccontextmanager
async def _browser(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=address,
        verify=False,  # the certificate is made by the server that is measured
        trust_env=False,
        timeout=_PATIENCE,
        limits=_LIMITS,
        headers={"Origin": address},
    ) as client:
        yield client


async def stored(client: httpx.AsyncClient, project: str, class_id: str) -> set[str]:
    """Return the digests of all photos of a class, computed from the bytes the server gives back.

    Args:
        client: that may see the project.
        project: id of it.
        class_id: of the class.
    """
    samples: list[dict[str, Any]] = []
    path = f"/api/v1/projects/{project}"
    after: int | None = None
    while True:
        query = {"limit": 200} if after is None else {"limit": 200, "before": after}
        page = (await client.get(f"{path}/classes/{class_id}/samples", params=query)).raise_for_status().json()
        samples += page["samples"]
        after = page["next"]
        if after is None:
            break
    found = set()
    for sample in samples:
        answer = (await client.get(f"{path}/samples/{sample['id']}/photo")).raise_for_status()
        digest = hashlib.sha256(answer.content).hexdigest()
        if digest == sample["sha256"]:
            found.add(digest)
    return found
