"""The background worker that keeps every photo's embedding computed while the person is still capturing.

It owns one thread and the order of the work: projects take turns, a training that waits goes first. A project can be
embedded under several networks, one of which it is being switched to. What can be seen of a photo without any network
is measured on the way. What is computed is on disk at once, so that a crash or restart goes on where it stopped.
"""

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from teachable import looks
from teachable.embeddings import Embedder, EmbeddingCache
from teachable.errors import NotFound, StorageFull, TeachableError
from teachable.loaded import Loaded
from teachable.looks_cache import LooksCache, read
from teachable.projects import Project
from teachable.projects.listing import Lister, Listing
from teachable.types import Image, Looks

log = logging.getLogger(__name__)

# Photos read ahead and embedded before the next look at who waits.
CHUNK = 16
# Turns in a row of projects that somebody waits for, before one of the others.
_FAVOURED = 7
# Whoever waits is woken by every change; this is for a cancellation that came without `wake`.
# Longer than an upload takes, short enough that embedding keeps going while uploads never end.
_GIVE_WAY_SECONDS = 0.2
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
    """What is known about one project under one network.

    Attributes:
        project: the project.
        fingerprint: of the network's graph.
        cache: its embeddings.
        failed: hashes of photos that could not be read; replaced whole.
        problem: why the work stopped, until it goes on.
        waiting: how many wait for it.
        pending: hashes still to embed; used by the worker alone.
    """

    project: Project
    fingerprint: str
    cache: EmbeddingCache
    failed: frozenset[str] = frozenset()
    problem: TeachableError | None = None
    waiting: int = 0
    pending: deque[str] = field(default_factory=deque)
    # Replaced whole: the page asks from several threads while the worker looks too.
    _counted: tuple[Listing, int, frozenset[str], Progress] | None = None
    _looked: Listing = field(default_factory=Listing)

    def __post_init__(self) -> None:
        self._lister = Lister(self.project)

    @property
    def key(self) -> "_Key":
        """What it is found by."""
        return self.project.id, self.fingerprint

    def present(self) -> Mapping[str, None]:
        """Return the hashes of all samples there are in this moment, each once, in the order they came."""
        return self._lister.photos(whole=True).hashes

    def progress(self) -> Progress:
        """Count the photos there are now, those that are embedded and those that cannot be; cheap without a change."""
        listing, changes, failed = self._lister.photos(), self.cache.changes, self.failed
        counted = self._counted
        if counted is None or counted[0] is not listing or counted[1:3] != (changes, failed):
            counted = self._counted = (listing, changes, failed, self.progress_of(listing.hashes))
        return counted[3]

    def progress_of(self, hashes: Mapping[str, None]) -> Progress:
        """Count those of some photos that are embedded and those that cannot be."""
        missing = self.cache.missing(hashes)
        failed = sum(sha in self.failed for sha in missing)
        return Progress(len(hashes) - len(missing), len(hashes), failed)

    def next_chunk(self) -> list[str]:
        """Take the next photos to embed. The list of them is made again when it is used up."""
        if not self.pending:
            before, now, failed = self._looked, self._lister.photos(), self.failed
            # Where photos only came since the last look, only they are looked at.
            known = len(before.hashes) if now is not before and now.made == before.made else 0
            missing = self.cache.missing(list(islice(now.hashes, known, None)))
            self.pending, self._looked = deque(sha for sha in missing if sha not in failed), now
        return [self.pending.popleft() for _ in range(min(CHUNK, len(self.pending)))]


_Key = tuple[str, str]


class Backlog:
    """Embeds what is missing, one chunk of one project at a time.

    A network is named by the fingerprint of its graph throughout.

    Args:
        open_embedder: opens the network with a fingerprint; called in the thread at the first photo, because that takes
            time. What it raises is told to whoever waits.
        give_way: waits while something more urgent is done, at most the seconds it is given; called before a chunk
            that nobody waits for.
    """

    def __init__(
        self, open_embedder: Callable[[str], Embedder], give_way: Callable[[float], None] = lambda seconds: None
    ) -> None:
        self._open_embedder = open_embedder
        self._give_way = give_way
        self._embedders: Loaded[str, Embedder] = Loaded(lambda embedder: embedder.close())
        # Photos at once, and seconds for each of them.
        self._pace: dict[str, tuple[int, float]] = {}
        self._entries: dict[_Key, _Entry] = {}
        self._looks = LooksCache()
        self._queue: list[_Key] = []
        self._favoured = 0
        self._busy: _Entry | None = None
        self._turns = 0
        self._change = threading.Condition()
        self._closed = False
        self._readers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="read-photos")
        self._thread = threading.Thread(target=self._work, name="embed-photos", daemon=True)
        self._thread.start()

    def cache(self, project: Project, fingerprint: str) -> EmbeddingCache:
        """Return the embeddings of a project under a network, which need not be installed any more.

        Raises:
            NotFound: the project was closed.
            TeachableError: the cache cannot be used, because the disk is full for one.
        """
        return self._entry(project, fingerprint).cache

    def _entry(self, project: Project, fingerprint: str) -> _Entry:
        key = (project.id, fingerprint)
        with self._change:
            entry = self._entries.get(key)
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
            entry = self._entries.get(key)
            if entry is None:
                try:
                    entry = _Entry(project, fingerprint, EmbeddingCache(project.folder, fingerprint))
                except (OSError, sqlite3.Error) as error:
                    raise _problem(project, error) from error
                self._entries[key] = entry
            return entry

    def add(self, project: Project, fingerprint: str) -> None:
        """Note that a project may have photos without embeddings. Returns at once."""
        key = self._entry(project, fingerprint).key
        with self._change:
            self._queue_once(key)
            self._change.notify_all()

    def forget(self, project_id: str) -> None:
        """Drop a project that is being deleted and close its caches, after the photos in hand."""
        with self._change:
            entries = [entry for (id_, _), entry in self._entries.items() if id_ == project_id]
        for entry in entries:
            self._drop(entry)
        self._looks.forget(project_id)

    def forget_network(self, fingerprint: str) -> None:
        """Drop all work under a network that is being removed, after the photos in hand. Its embeddings stay."""
        with self._change:
            entries = [entry for (_, name), entry in self._entries.items() if name == fingerprint]
        for entry in entries:
            self._drop(entry)
        self._embedders.drop(fingerprint.__eq__)

    def _drop(self, entry: _Entry) -> None:
        key = entry.key
        with self._change:
            if self._entries.get(key) is not entry:
                return
            del self._entries[key]
            if key in self._queue:
                self._queue.remove(key)
            self._change.notify_all()
            # Its folder is about to move, and Windows moves none in which a file is open.
            self._change.wait_for(lambda: self._busy is not entry)
        entry.cache.close()

    def looks(
        self,
        project: Project,
        hashes: Sequence[str],
        cancelled: Callable[[], bool] = lambda: False,
        on_progress: Callable[[float], None] = lambda share: None,
    ) -> Looks:
        """Return what can be seen of photos; what was not measured when they were embedded is measured now.

        Args:
            project: whose photos.
            hashes: of the photos.
            cancelled: says whether to give up; asked now and then.
            on_progress: called with the share, 0 to 1, of the photos that are measured, whenever some more are.

        Returns:
            Looks in the order given; `looks.unseen` for a photo that cannot be read.

        Raises:
            Cancelled: it was given up.
            TeachableError: the disk is full for one, or the project was deleted.
        """
        try:
            return self._looks.of(project, hashes, self._readers, cancelled, on_progress)
        except (OSError, sqlite3.Error) as error:
            raise _problem(project, error) from error

    def progress(self, project: Project, fingerprint: str) -> Progress:
        """Return how far a project is."""
        return self._entry(project, fingerprint).progress()

    def seconds_per_photo(self, fingerprint: str) -> float | None:
        """Return how long a photo took under a network lately, reading included, or None if none were embedded."""
        with self._change:
            return self._pace[fingerprint][1] if fingerprint in self._pace else None

    def wait(
        self,
        project: Project,
        fingerprint: str,
        on_progress: Callable[[Progress], None],
        cancelled: threading.Event,
    ) -> set[str]:
        """Wait until the photos a project has now are embedded or known to be unreadable.

        Photos that could not be read before are tried again.

        Args:
            project: whose photos.
            fingerprint: under which network.
            on_progress: called whenever some more are done.
            cancelled: gives up waiting when set; `wake` makes that prompt.

        Returns:
            Hashes of the photos that could not be read.

        Raises:
            TeachableError: the work cannot go on, because the disk is full for one, or the project was deleted.
        """
        entry = self._entry(project, fingerprint)
        wanted = entry.present()
        with self._change:
            entry.waiting += 1
            entry.problem = None
            entry.failed = entry.failed.difference(wanted)
        try:
            while not cancelled.is_set():
                with self._change:
                    turn = self._turns
                    if entry.problem is not None:
                        raise entry.problem
                    if self._closed or self._entries.get(entry.key) is not entry:
                        raise NotFound("project_unknown")
                state = entry.progress_of(wanted)
                if state.done + state.failed >= state.total:
                    break
                on_progress(state)
                self.add(project, fingerprint)
                self._next_turn(turn, cancelled)
        finally:
            with self._change:
                entry.waiting -= 1
        return set(entry.failed.intersection(wanted))

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
        self._looks.close()
        self._embedders.drop(lambda fingerprint: True)

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
                if entry is not None and more and self._entries.get(entry.key) is entry:
                    self._queue_once(entry.key)
                self._change.notify_all()

    def _take(self) -> _Entry | None:
        """Take a project off the queue: one that somebody waits for, now and then another, lest those stand still."""
        waiting = [key in self._entries and self._entries[key].waiting > 0 for key in self._queue]
        self._favoured = (self._favoured + 1) % (_FAVOURED + 1) if any(waiting) and not all(waiting) else 0
        turn = self._favoured > 0
        chosen = self._queue.pop(waiting.index(turn) if turn in waiting else 0)
        return self._entries.get(chosen)

    def _queue_once(self, key: _Key) -> None:
        if key not in self._queue:
            self._queue.append(key)

    def _embed_some(self, entry: _Entry) -> bool:
        """Embed one chunk of a project and say whether there is more."""
        if not entry.waiting:
            # Thirty people who record keep both cores busy: photos come first, and are embedded in the pauses.
            self._give_way(_GIVE_WAY_SECONDS)
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
        embedder = self._embedder(entry.fingerprint)
        started = time.monotonic()
        unseen = set(self._looks.missing(entry.project, chunk))
        images = dict(zip(chunk, self._readers.map(partial(_see, entry.project, unseen), chunk), strict=True))
        found = {sha: one for sha, one in images.items() if one is not None}
        if found:
            vectors = embedder.embed([image for image, _ in found.values()])
            entry.cache.put(dict(zip(found, vectors, strict=True)))
            self._looks.put(entry.project, {sha: seen for sha, (_, seen) in found.items() if seen is not None})
        with self._change:
            # Fewer photos leave cores idle: they tell something only as long as there were no more at once.
            if len(chunk) >= self._pace.get(entry.fingerprint, (0, 0.0))[0]:
                self._pace[entry.fingerprint] = (len(chunk), (time.monotonic() - started) / len(chunk))
            entry.failed |= images.keys() - found.keys()

    def _embedder(self, fingerprint: str) -> Embedder:
        """Return an open network."""

        def open_it() -> tuple[Embedder, int]:
            embedder = self._open_embedder(fingerprint)
            return embedder, embedder.size

        return self._embedders.get(fingerprint, open_it)


def _see(project: Project, unseen: Set[str], sha: str) -> tuple[Image, Looks | None] | None:
    """Return a stored photo, and its looks if it is among the unseen; None if its file is gone or damaged."""
    image = read(project, sha)
    if image is None:
        return None
    return image, looks.measure(image) if sha in unseen else None


def _problem(project: Project, error: Exception) -> TeachableError:
    """Say in words why photos cannot be embedded."""
    if isinstance(error, TeachableError):
        return error
    if not project.folder.is_dir():
        return NotFound("project_unknown")
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return StorageFull("cache_not_written")
    return TeachableError("embedding_failed")
