"""The trainings of all projects: at most one of each at a time. It owns starting, finding and ending them."""

import threading
from collections.abc import Callable

from teachable.errors import Conflict
from teachable.jobs import Job


class Trainings:
    """Jobs by project; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._closed = False
        # Projects that no training may begin of in this moment.
        self._held: set[str] = set()
        # The latest of each project, and those before it whose file is still being checked.
        self._jobs: dict[str, Job] = {}
        self._checking: list[Job] = []

    def start(self, job: Job) -> None:
        """Start a job.

        Raises:
            Conflict: another of its project is running, or everything is being closed.
        """
        with self._lock:
            before = self._require_idle(job.project_id)
            self._checking = [one for one in self._checking if not one.checked.is_set()]
            if before is not None:
                self._checking.append(before)
            self._jobs[job.project_id] = job
            job.start()

    def while_idle(self, project_id: str, act: Callable[[], None]) -> None:
        """Do something to a project that no training may begin under; one that is about to begin waits for it.

        Other projects are not concerned, however long it takes.

        Raises:
            Conflict: one is running, or everything is being closed.
        """
        with self._lock:
            self._require_idle(project_id)
            self._held.add(project_id)
        try:
            act()
        finally:
            with self._lock:
                self._held.discard(project_id)
                self._lock.notify_all()

    def require_idle(self, project_id: str) -> None:
        """Refuse what no training may run beside.

        Raises:
            Conflict: one is running, or everything is being closed.
        """
        with self._lock:
            self._require_idle(project_id)

    def _require_idle(self, project_id: str) -> Job | None:
        """Return the last training of a project, which must have ended."""
        self._lock.wait_for(lambda: self._closed or project_id not in self._held)
        if self._closed:
            raise Conflict("closing")
        job = self._jobs.get(project_id)
        if job is not None and not job.ended.is_set():
            raise Conflict("training_running")
        return job

    def latest(self, project_id: str) -> Job | None:
        """Return the present or last training of a project."""
        with self._lock:
            return self._jobs.get(project_id)

    def uses(self, backbone_id: str) -> bool:
        """Say whether a running training needs a network."""
        with self._lock:
            return any(job.backbone.id == backbone_id and not job.ended.is_set() for job in self._jobs.values())

    def running(self) -> bool:
        """Say whether any training is running."""
        with self._lock:
            return any(not job.ended.is_set() for job in self._jobs.values())

    def cancel(self, project_id: str) -> None:
        """Give up a running training and wait until it has stopped."""
        job = self.latest(project_id)
        if job is not None and not job.ended.is_set():
            job.cancel()
            job.ended.wait()

    def remove(self, project_id: str) -> None:
        """Give up and forget everything about a project."""
        with self._lock:
            latest = self._jobs.pop(project_id, None)
            jobs = [job for job in (latest, *self._checking) if job is not None and job.project_id == project_id]
        _end(jobs)

    def give_up(self) -> list[Job]:
        """Tell all to stop, let none begin any more, and return those to join."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
            jobs = [*self._jobs.values(), *self._checking]
        for job in jobs:
            job.cancel()
        return jobs


def _end(jobs: list[Job]) -> None:
    for job in jobs:
        job.cancel()
    for job in jobs:
        job.join()
