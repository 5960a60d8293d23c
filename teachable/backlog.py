"""The background worker that keeps every photo's embedding computed while the person is still capturing.

It owns one thread and the order of the work: projects take turns, a training that waits goes first. What is computed is
on disk at once, so that a crash or restart goes on where it stopped.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from teachable.embeddings import BATCH, Embedder, EmbeddingCache
from teachable.errors import StorageFull, TeachableError
from teachable.images import load
from teachable.projects import Project
from teachable.types import Image

log = logging.getLogger(__name__)

# Photos read ahead and embedded before the next look at who waits.
CHUNK = 2 * BATCH


@dataclass(frozen=True)
class Progress:
    """How far a project is: photos embedded, photos in all, photos whose file cannot be read."""

    done: int
    total: int
    failed: int


@dataclass
class _Entry:
    project: Project
    cache: EmbeddingCache
    failed: set[str] = field(default_factory=set)
    problem: TeachableError | None = None
    updated: float = -1.0
    hashes: tuple[str, ...] = ()

    def present(self) -> tuple[str, ...]:
        """Return the hashes of all samples, read again only after a change of the project."""
        updated = self.project.info().updated
        if updated != self.updated:
            self.hashes = tuple(dict.fromkeys(sample.sha256 for sample in self.project.all_samples()))
            self.updated = updated
        return self.hashes


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
        self._change = threading.Condition()
        self._closed = False
        self._readers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="read-photos")
        self._thread = threading.Thread(target=self._work, name="embed-photos", daemon=True)
        self._thread.start()

    def cache(self, project: Project) -> EmbeddingCache:
        """Return the embeddings of a project."""
        return self._entry(project).cache

    def _entry(self, project: Project) -> _Entry:
        with self._change:
            entry = self._entries.get(project.id)
            if entry is None:
                entry = _Entry(project, EmbeddingCache(project.folder, self._fingerprint))
                self._entries[project.id] = entry
            return entry

    def add(self, project: Project, *, first: bool = False) -> None:
        """Note that a project may have photos without embeddings. Returns at once."""
        self._entry(project)
        with self._change:
            if first and project.id in self._queue:
                self._queue.remove(project.id)
            if project.id not in self._queue:
                self._queue.insert(0 if first else len(self._queue), project.id)
            self._change.notify_all()

    def forget(self, project_id: str) -> None:
        """Drop a project that is being deleted and close its cache."""
        with self._change:
            entry = self._entries.pop(project_id, None)
            if project_id in self._queue:
                self._queue.remove(project_id)
        if entry is not None:
            entry.cache.close()

    def progress(self, project: Project) -> Progress:
        """Return how far a project is."""
        entry = self._entry(project)
        hashes = entry.present()
        missing = entry.cache.missing(hashes)
        failed = sum(sha in entry.failed for sha in missing)
        return Progress(len(hashes) - len(missing), len(hashes), failed)

    def wait(self, project: Project, on_progress: Callable[[Progress], None], cancelled: threading.Event) -> set[str]:
        """Wait until every photo of a project is embedded or known to be unreadable.

        Args:
            project: whose photos.
            on_progress: called whenever some more are done.
            cancelled: gives up waiting when set.

        Returns:
            Hashes of the photos that could not be read.

        Raises:
            TeachableError: the work cannot go on, because the disk is full for one.
        """
        entry = self._entry(project)
        entry.problem = None
        while not cancelled.is_set():
            if entry.problem is not None:
                raise entry.problem
            state = self.progress(project)
            if state.done + state.failed >= state.total:
                break
            on_progress(state)
            self.add(project, first=True)
            with self._change:
                if self._closed:
                    break
                self._change.wait(timeout=0.5)
        return set(entry.failed)

    def close(self) -> None:
        """Stop after the chunk in hand and close all caches."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join()
        self._readers.shutdown()
        for entry in self._entries.values():
            entry.cache.close()
        self._entries.clear()

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._queue and not self._closed:
                    self._change.wait()
                if self._closed:
                    return
                entry = self._entries.get(self._queue.pop(0))
            if entry is not None:
                self._embed_some(entry)

    def _embed_some(self, entry: _Entry) -> None:
        """Embed one chunk of a project and queue it again if there is more."""
        try:
            missing = [sha for sha in entry.cache.missing(entry.present()) if sha not in entry.failed]
            if missing:
                self._embed(entry, missing[:CHUNK])
        except (sqlite3.Error, TeachableError) as error:
            # The project was deleted under us, or the disk is full. Whoever waits is told; others meet it where they
            # act, and the next photo or click starts the work again.
            log.warning("embedding of project %s is interrupted", entry.project.id, exc_info=True)
            entry.problem = error if isinstance(error, TeachableError) else StorageFull("cache_not_written")
            missing = []
        with self._change:
            if len(missing) > CHUNK and entry.project.id in self._entries and entry.project.id not in self._queue:
                self._queue.append(entry.project.id)
            self._change.notify_all()

    def _embed(self, entry: _Entry, chunk: list[str]) -> None:
        if self._embedder is None:
            self._embedder = self._make_embedder()
        images = dict(zip(chunk, self._readers.map(partial(_read, entry), chunk), strict=True))
        found = {sha: image for sha, image in images.items() if image is not None}
        entry.failed.update(images.keys() - found.keys())
        vectors = self._embedder.embed(list(found.values()))
        entry.cache.put(dict(zip(found, vectors, strict=True)))


def _read(entry: _Entry, sha: str) -> Image | None:
    """Return a stored photo, or None if its file is gone or damaged."""
    try:
        return load(entry.project.photo_file(sha))
    except (OSError, TeachableError):
        log.warning("stored photo %s cannot be read", sha, exc_info=True)
        return None
