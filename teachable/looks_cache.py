"""The looks of all photos of projects, measured once and kept on disk beside the embeddings.

It owns the files and measuring what is missing. The measures are `teachable.looks`; the background worker that passes
by every photo anyway is `teachable.backlog`.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from teachable import looks
from teachable.embeddings import EmbeddingCache
from teachable.errors import Cancelled, NotFound, TeachableError
from teachable.images import load
from teachable.projects import Project
from teachable.types import Image, Looks

log = logging.getLogger(__name__)

# Photos measured between two looks whether somebody cancelled.
CHUNK = 64


def read(project: Project, sha: str) -> Image | None:
    """Return a stored photo, or None if its file is gone or damaged."""
    try:
        return load(project.photo_file(sha))
    except (OSError, TeachableError):
        log.warning("stored photo %s cannot be read", sha, exc_info=True)
        return None


class LooksCache:
    """Looks by project and photo hash, in files that can be deleted at any time; safe to use from any thread.

    All calls raise `sqlite3.Error` where a file cannot be used, because the disk is full for one, and NotFound for a
    project that was closed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._caches: dict[str, tuple[Project, EmbeddingCache]] = {}
        self._closed = False

    def missing(self, project: Project, hashes: Iterable[str]) -> list[str]:
        """Return the hashes of photos that were not measured yet, each once, in the order given."""
        return self._cache(project).missing(hashes)

    def put(self, project: Project, measured: Mapping[str, Looks]) -> None:
        """Remember looks of single photos by hash."""
        if measured:
            self._cache(project).put({sha: looks.pack(one)[0] for sha, one in measured.items()})

    def of(
        self,
        project: Project,
        hashes: Sequence[str],
        readers: ThreadPoolExecutor,
        cancelled: Callable[[], bool] = lambda: False,
        on_progress: Callable[[float], None] = lambda share: None,
    ) -> Looks:
        """Return looks in the order given, and measure what is missing.

        Args:
            project: whose photos.
            hashes: of the photos; `looks.unseen` stands for one that cannot be read.
            readers: threads that read and measure.
            cancelled: says whether to give up.
            on_progress: called with the share, 0 to 1, of all photos that are measured, whenever some more are.

        Raises:
            Cancelled: it was given up.
        """
        lost: set[str] = set()
        total = len(set(hashes))
        while True:
            cache = self._cache(project)
            missing = [sha for sha in cache.missing(hashes) if sha not in lost]
            for start in range(0, len(missing), CHUNK):
                if cancelled():
                    raise Cancelled
                chunk = missing[start : start + CHUNK]
                found = dict(zip(chunk, readers.map(partial(_measure, project), chunk), strict=True))
                lost.update(sha for sha, one in found.items() if one is None)
                self.put(project, {sha: one for sha, one in found.items() if one is not None})
                on_progress(1 - (len(missing) - start - len(chunk)) / total)
            try:
                return looks.unpack(_packed(cache, hashes, lost))
            except KeyError:
                log.warning("looks of photos of project %s were damaged and are measured again", project.id)

    def forget(self, project_id: str) -> None:
        """Close the file of a project that is being deleted."""
        with self._lock:
            known = self._caches.pop(project_id, None)
        if known is not None:
            known[1].close()

    def close(self) -> None:
        """Close all files; nothing is opened afterwards."""
        with self._lock:
            self._closed = True
            for _, cache in self._caches.values():
                cache.close()
            self._caches.clear()

    def _cache(self, project: Project) -> EmbeddingCache:
        with self._lock:
            if self._closed:
                raise NotFound("project_unknown")
            known = self._caches.get(project.id)
            if known is not None and known[0] is project:
                return known[1]
            # Nothing may be opened for a project that is gone, and one that was restored is another object.
            project.info()
            if known is not None:
                known[1].close()
            cache = EmbeddingCache(project.folder, looks.VERSION)
            self._caches[project.id] = project, cache
            return cache


def _measure(project: Project, sha: str) -> Looks | None:
    image = read(project, sha)
    return None if image is None else looks.measure(image)


def _packed(cache: EmbeddingCache, hashes: Sequence[str], lost: set[str]) -> NDArray[np.float32]:
    """Return packed looks, with those of `lost` photos unseen.

    Raises:
        KeyError: one was damaged.
    """
    packed = np.empty((len(hashes), looks.WIDTH), np.float32)
    seen = [row for row, sha in enumerate(hashes) if sha not in lost]
    if seen:
        packed[seen] = cache.get([hashes[row] for row in seen])
    for row, sha in enumerate(hashes):
        if sha in lost:
            packed[row] = looks.pack(looks.unseen(sha))[0]
    return packed
