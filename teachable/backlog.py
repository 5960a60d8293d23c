"""The background worker that keeps every photo's embedding computed while the person is still capturing.

It owns one thread and the order of the work: projects take turns, a training that waits goes first. What is computed is
on disk at once, so that a crash or restart goes on where it stopped.
"""

import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from teachable.embeddings import BATCH, Embedder, EmbeddingCache
from teachable.errors import NotFound, StorageFull, TeachableError
from teachable.images import load
from teachable.projects import Project
from teachable.types import Image

log = logging.getLogger(__name__)

# Photos read ahead and embedded before the next look at who waits.
CHUNK = 4 * BATCH
# Whoever waits is woken by every change; this is for a cancellation that came without `wake`.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Progress:
    """How far the photos of a project are prepared for training.

    Attributes:
        done: photos that are.
        total: photos in all.
        failed: photos whose file cannot be read.
    """

    done: int
    total: int
    failed: int


@dataclass
class _Entry:
    """What is known about one project.

    Attributes:
        project: the project.
        cache: its embeddings.
        failed: hashes of photos that could not be read.
        problem: why the work stopped, until it goes on.
        waiting: how many wait for it.
        pending: hashes still to embed, as of `listed`; used by the worker alone.
        listed: the change of the project that `pending` was made for.
    """

    project: Project
    cache: EmbeddingCache
    failed: set[str] = field(default_factory=set)
    problem: TeachableError | None = None
    waiting: int = 0
    pending: deque[str] = field(default_factory=deque)
    listed: float = -1.0
    # Replaced whole: the page asks from several threads while the worker looks too.
    _present: tuple[float, tuple[str, ...]] = (-1.0, ())

    def present(self) -> tuple[float, tuple[str, ...]]:
        """Return the time of the last change and the hashes of all samples, read again only after a change."""
        updated = self.project.info().updated
        present = self._present
        if updated != present[0]:
            present = (updated, tuple(dict.fromkeys(sample.sha256 for sample in self.project.all_samples())))
            self._present = present
        return present

    def progress(self, hashes: tuple[str, ...]) -> Progress:
        """Count those that are embedded and those that cannot be."""
        missing = self.cache.missing(hashes)
        failed = sum(sha in self.failed for sha in missing)
        return Progress(len(hashes) - len(missing), len(hashes), failed)

    def next_chunk(self) -> list[str]:
        """Take the next photos to embed. The list is made again when it is used up or the project changed."""
        updated, hashes = self.present()
        if not self.pending or updated != self.listed:
            missing = self.cache.missing(hashes)
            self.pending, self.listed = deque(sha for sha in missing if sha not in self.failed), updated
        return [self.pending.popleft() for _ in range(min(CHUNK, len(self.pending)))]


class Backlog:
    """Embeds what is missing, one chunk of one project at a time.

    Args:
        embedder: makes the embedder; called in the thread at the first photo, because opening a network takes time.
        fingerprint: of the backbone.
    """

    def __init__(self, embedder: Callable[[], Embedder], fingerprint: str) -> None:
        self._make_embedder = embedder
        self._embedder: Embedder | None = None
        self._fingerprint = fingerprint
        self._entries: dict[str, _Entry] = {}
        self._queue: list[str] = []
        self._busy: _Entry | None = None
        self._turns = 0
        self._change = threading.Condition()
        self._closed = False
        self._readers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="read-photos")
        self._thread = threading.Thread(target=self._work, name="embed-photos", daemon=True)
        self._thread.start()

    def cache(self, project: Project) -> EmbeddingCache:
        """Return the embeddings of a project.

        Raises:
            NotFound: the project was closed.
            TeachableError: the cache cannot be used, because the disk is full for one.
        """
        return self._entry(project).cache

    def _entry(self, project: Project) -> _Entry:
        with self._change:
            entry = self._entries.get(project.id)
        if entry is not None and entry.project is project:
            return entry
        # A page may ask about a project in the moment it is deleted. Nothing may be opened for it then, and when it is
        # restored it is another object.
        project.info()
        if entry is not None:
            self._drop(entry)
        with self._change:
            if self._closed:
                raise NotFound("project_unknown")
            entry = self._entries.get(project.id)
            if entry is None:
                try:
                    entry = _Entry(project, EmbeddingCache(project.folder, self._fingerprint))
                except (OSError, sqlite3.Error) as error:
                    raise _problem(project, error) from error
                self._entries[project.id] = entry
            return entry

    def add(self, project: Project) -> None:
        """Note that a project may have photos without embeddings. Returns at once."""
        self._entry(project)
        with self._change:
            self._queue_once(project.id)
            self._change.notify_all()

    def forget(self, project_id: str) -> None:
        """Drop a project that is being deleted and close its cache, after the photos in hand."""
        with self._change:
            entry = self._entries.get(project_id)
        if entry is not None:
            self._drop(entry)

    def _drop(self, entry: _Entry) -> None:
        project_id = entry.project.id
        with self._change:
            if self._entries.get(project_id) is not entry:
                return
            del self._entries[project_id]
            if project_id in self._queue:
                self._queue.remove(project_id)
            self._change.notify_all()
            # Its folder is about to move, and Windows moves none in which a file is open.
            self._change.wait_for(lambda: self._busy is not entry)
        entry.cache.close()

    def progress(self, project: Project) -> Progress:
        """Return how far a project is."""
        entry = self._entry(project)
        return entry.progress(entry.present()[1])

    def wait(self, project: Project, on_progress: Callable[[Progress], None], cancelled: threading.Event) -> set[str]:
        """Wait until the photos a project has now are embedded or known to be unreadable.

        Photos that could not be read before are tried again.

        Args:
            project: whose photos.
            on_progress: called whenever some more are done.
            cancelled: gives up waiting when set; `wake` makes that prompt.

        Returns:
            Hashes of the photos that could not be read.

        Raises:
            TeachableError: the work cannot go on, because the disk is full for one, or the project was deleted.
        """
        entry = self._entry(project)
        wanted = entry.present()[1]
        with self._change:
            entry.waiting += 1
            entry.problem = None
            entry.failed.difference_update(wanted)
        try:
            while not cancelled.is_set():
                with self._change:
                    turn = self._turns
                    if entry.problem is not None:
                        raise entry.problem
                    if self._closed or self._entries.get(project.id) is not entry:
                        raise NotFound("project_unknown")
                state = entry.progress(wanted)
                if state.done + state.failed >= state.total:
                    break
                on_progress(state)
                self.add(project)
                self._next_turn(turn, cancelled)
        finally:
            with self._change:
                entry.waiting -= 1
        return entry.failed.intersection(wanted)

    def _next_turn(self, turn: int, cancelled: threading.Event) -> None:
        with self._change:
            self._change.wait_for(lambda: self._turns != turn or self._closed or cancelled.is_set(), _LOOK_SECONDS)

    def wake(self) -> None:
        """Let everyone who waits look whether they were cancelled."""
        with self._change:
            self._change.notify_all()

    def close(self) -> None:
        """Stop after the chunk in hand and close all caches."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join()
        self._readers.shutdown()
        with self._change:
            for entry in self._entries.values():
                entry.cache.close()
            self._entries.clear()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                entry = self._busy = self._take()
            more = self._embed_some(entry) if entry is not None else False
            with self._change:
                self._busy = None
                self._turns += 1
                if entry is not None and more and self._entries.get(entry.project.id) is entry:
                    self._queue_once(entry.project.id)
                self._change.notify_all()

    def _take(self) -> _Entry | None:
        """Take a project off the queue: one that somebody waits for, else the first."""
        entries = self._entries
        waited = (id_ for id_ in self._queue if id_ in entries and entries[id_].waiting)
        chosen = next(waited, self._queue[0])
        self._queue.remove(chosen)
        return entries.get(chosen)

    def _queue_once(self, project_id: str) -> None:
        if project_id not in self._queue:
            self._queue.append(project_id)

    def _embed_some(self, entry: _Entry) -> bool:
        """Embed one chunk of a project and say whether there is more."""
        try:
            chunk = entry.next_chunk()
            if chunk:
                self._embed(entry, chunk)
        except Exception as error:
            # Others meet it where they act, and the next photo or click starts the work again.
            problem = _problem(entry.project, error)
            if entry.problem is None or entry.problem.key != problem.key:
                log.warning("embedding of project %s is interrupted", entry.project.id, exc_info=error)
            entry.problem = problem
            entry.pending.clear()
            return False
        if chunk:
            entry.problem = None
        return bool(entry.pending)

    def _embed(self, entry: _Entry, chunk: list[str]) -> None:
        if self._embedder is None:
            self._embedder = self._make_embedder()
        images = dict(zip(chunk, self._readers.map(partial(_read, entry), chunk), strict=True))
        found = {sha: image for sha, image in images.items() if image is not None}
        if found:
            vectors = self._embedder.embed(list(found.values()))
            entry.cache.put(dict(zip(found, vectors, strict=True)))
        with self._change:
            entry.failed.update(images.keys() - found.keys())


def _read(entry: _Entry, sha: str) -> Image | None:
    """Return a stored photo, or None if its file is gone or damaged."""
    try:
        return load(entry.project.photo_file(sha))
    except (OSError, TeachableError):
        log.warning("stored photo %s cannot be read", sha, exc_info=True)
        return None


def _problem(project: Project, error: Exception) -> TeachableError:
    """Say in words why photos cannot be embedded."""
    if isinstance(error, TeachableError):
        return error
    if not project.folder.is_dir():
        return NotFound("project_unknown")
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return StorageFull("cache_not_written")
    return TeachableError("embedding_failed")
