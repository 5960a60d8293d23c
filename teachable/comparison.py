"""Every network that is present, tried on a project's own photos: how much it gets right, how quick and how large.

It owns the comparison as it runs: the order of the steps, the state a person watches and the thread. Which photos it
looks at is `teachable.excerpt`, what the figures say `teachable.verdict`, finding and ending `teachable.comparisons`.

All networks are tested alike: the same photos, the same ones of them held out, the settings of the project. Recordings
that share nearly the same picture count as one, as in the test of a training: else the network would win that knows
copies best. They are found with the network of the project. Embeddings are kept where trainings look for them, so that
switching to a network that was compared takes no time.
"""

import logging
import math
import os
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from teachable.backlog import Backlog
from teachable.embeddings import Embedder
from teachable.errors import Cancelled, InstallationError, StorageFull, TeachableError
from teachable.excerpt import Excerpt, choose
from teachable.images import load
from teachable.library import Library
from teachable.projects import Project
from teachable.scores import EpochPoint, Evaluation
from teachable.training import Phase, Task, Trainer
from teachable.types import BackboneRecord, Image
from teachable.verdict import ComparisonRow, Hits, advise
from teachable.words import say

log = logging.getLogger(__name__)

# Photos looked at in large projects. Two cores embed them under all seven official networks in about a minute.
PHOTOS = 400
# Embedded between two looks whether somebody cancelled or a training waits.
CHUNK = 8
# Photos the time is taken with, and how often each, before and again after embedding.
TIMED_PHOTOS, TIMED_ROUNDS = 5, 2
# Seconds a comparison steps aside for trainings, in all; after that they share the cores.
PATIENCE = 60.0
_LOOK_SECONDS = 0.1
# Share of the bar that embedding fills; testing takes the rest.
_EMBEDDING = 0.85

State = Literal["idle", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Comparison:
    """How a comparison of networks stands.

    Attributes:
        state: idle, running, done, failed or cancelled.
        fraction: how much is done, 0 to 1.
        current: title of the network being tried, or None.
        photos: it looks at.
        available: photos of the enabled classes, but for those kept for testing; of many only some are looked at.
        held_out: photos kept for the test, the same ones for every network; 0 where there is nothing to test on.
        unjudged: ids of classes with a single recording, near-duplicates counted as one, which cannot be tested.
        rows: one for each network that was tried so far; at the end the best first.
        advice: id of the network to use, or None where the figures do not say.
        key: of the error text after a failure.
        message: at the end the advice, after a failure what went wrong, in words.
    """

    state: State = "idle"
    fraction: float = 0.0
    current: str | None = None
    photos: int = 0
    available: int = 0
    held_out: int = 0
    unjudged: tuple[str, ...] = ()
    rows: tuple[ComparisonRow, ...] = ()
    advice: str | None = None
    key: str | None = None
    message: str | None = None


@dataclass
class _Contender:
    """One network and what is known about it so far.

    Attributes:
        record: of the network.
        title: in words.
        native_ms: measured time for a photo.
        embeddings: of the photos that could be read, float32 `[D]`, by hash.
        score: of the test.
        hits: which held-out photos it named correctly.
        reason: why it could not be compared, in words.
    """

    record: BackboneRecord
    title: str
    native_ms: float | None = None
    embeddings: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    score: Evaluation | None = None
    hits: Hits | None = None
    reason: str | None = None

    def row(self, *, in_use: bool) -> ComparisonRow:
        """Return what is known about it, but for what the page measures."""
        score = self.score
        return ComparisonRow(
            id=self.record.id,
            title=self.title,
            accuracy=score.accuracy if score else None,
            low=score.low if score else None,
            high=score.high if score else None,
            correct=score.correct if score else 0,
            held_out=score.held_out if score else 0,
            native_ms=self.native_ms,
            browser_ms=None,
            size_bytes=self.record.size_bytes,
            in_use=in_use,
            reason=self.reason,
        )


class Comparing:
    """A comparison in its own thread. A training may run beside it and goes first.

    Args:
        project: whose photos.
        in_use: id of the network it is taught with, if that is here.
        library: the networks.
        backlog: keeps the embeddings.
        trainer: fits and tests heads.
        training: says whether a training is running.
    """

    def __init__(
        self,
        project: Project,
        in_use: str | None,
        library: Library,
        backlog: Backlog,
        trainer: Trainer,
        training: Callable[[], bool],
    ) -> None:
        self._project = project
        self._in_use = in_use
        self._library = library
        self._backlog = backlog
        self._trainer = trainer
        self._training = training
        self._patience = PATIENCE
        self._cancelled = threading.Event()
        # The network of the project is the first to look, because it finds the near-duplicates for all.
        present = sorted(library.present(), key=lambda one: one.id != in_use)
        self._contenders = [_Contender(one, library.title(one.id)) for one in present]
        self._unreadable: set[str] = set()
        self.comparison = Comparison(state="running")
        self.project_id = project.id
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"compare-{project.id[:8]}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Give up, after the few photos in hand."""
        self._cancelled.set()
        self._trainer.stop(self._cancelled)

    def join(self) -> None:
        """Wait until the thread is gone."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._compare()
        except Cancelled:
            self._end("cancelled")
        except TeachableError as error:
            # Closing and deleting cancel first; whatever breaks on the way out of that is no failure.
            self._end("cancelled" if self._cancelled.is_set() else "failed", error)
        except Exception:
            log.exception("comparing networks on project %s failed", self._project.id)
            self._end("failed", TeachableError("comparison_died"))
        finally:
            self.ended.set()

    def _end(self, state: State, error: TeachableError | None = None) -> None:
        said = (error.key, str(error)) if error and state == "failed" else (None, None)
        self.comparison = replace(self.comparison, state=state, current=None, key=said[0], message=said[1])

    def _compare(self) -> None:
        excerpt = self._gather()
        photos = self._timed_photos(excerpt)
        excerpt.without(self._unreadable)  # or it says at once that there is nothing to look at
        # Looking at all photos is worth it only where some can be held out.
        testable, joined = bool(len(excerpt.split().held_out)), False
        for one, report in self._steps(0.0, _EMBEDDING if testable else 1.0):
            with self._contained(one):
                self._look(one, photos, excerpt if testable else None, report)
            if one.embeddings and not joined:
                excerpt, joined = self._joined(excerpt.without(self._unreadable), one)
                testable = bool(len(excerpt.split().held_out))
        excerpt = excerpt.without(self._unreadable)
        split = excerpt.split()
        if len(split.held_out):
            self._test(excerpt)
        self._give_way()
        unjudged = tuple(excerpt.classes[index].id for index in split.unjudged)
        self._finish(replace(self.comparison, photos=len(excerpt.samples), unjudged=unjudged))

    def _look(
        self, one: _Contender, photos: Sequence[Image], excerpt: Excerpt | None, report: Callable[[float], None]
    ) -> None:
        """Time a network, and embed the excerpt with it. When this returns, nothing of the network is in memory."""
        with closing(Embedder(self._library.read(one.record))) as embedder:
            times = self._time(embedder, photos)
            one.native_ms = statistics.median(times)
            if excerpt is not None:
                one.embeddings = self._embed(one, embedder, excerpt, report)
            # Once more, some time later: something else may have kept the computer busy.
            one.native_ms = statistics.median(map(min, times, self._time(embedder, photos)))
            self._note_speed(one)

    def _joined(self, excerpt: Excerpt, one: _Contender) -> tuple[Excerpt, bool]:
        """Join near-duplicates by what a network makes of the photos, if that is of any use, and say whether it was."""
        shas = [sample.sha256 for sample in excerpt.samples]
        embeddings = np.stack([one.embeddings[sha] for sha in shas])
        if not np.isfinite(embeddings).all():
            return excerpt, False  # the test of this network will say so
        hashes = self._backlog.looks(self._project, shas, self._cancelled.is_set).hashes
        return excerpt.joined(embeddings, hashes), True

    def _gather(self) -> Excerpt:
        """Take the photos to look at, as of this moment."""
        info = self._project.info()
        samples = self._project.all_samples(enabled_only=True)
        known = {one.id: one for one in info.classes if not one.disabled}
        samples = tuple(sample for sample in samples if sample.class_id in known and not sample.test)
        chosen = choose(samples, PHOTOS, info.settings.seed)
        self.comparison = replace(self.comparison, photos=len(chosen), available=len(samples))
        return Excerpt(tuple(known.values()), chosen, info.settings)

    def _timed_photos(self, excerpt: Excerpt) -> list[Image]:
        """Return a few photos that can be read, decoded."""
        found: list[Image] = []
        for index in np.random.default_rng(excerpt.settings.seed).permutation(len(excerpt.samples)).tolist():
            image = self._read(excerpt.samples[index].sha256)
            if image is not None:
                found.append(image)
            if len(found) == TIMED_PHOTOS:
                break
            self._require_wanted()
        return found

    def _steps(self, low: float, high: float) -> Iterator[tuple[_Contender, Callable[[float], None]]]:
        """Yield each network that did not fail so far, and what tells how much of it is done.

        Args:
            low: how much of everything is done before, 0 to 1.
            high: how much is done after.
        """
        left = [one for one in self._contenders if one.reason is None]
        for index, one in enumerate(left):

            def report(part: float, one: _Contender = one, index: int = index) -> None:
                fraction = low + (high - low) * (index + part) / len(left)
                self.comparison = replace(self.comparison, fraction=fraction, current=one.title, rows=self._rows())

            report(0.0)
            yield one, report

    @contextmanager
    def _contained(self, one: _Contender) -> Iterator[None]:
        """Let one network fail alone. A full disk would fail them all, and is said once."""
        try:
            yield
        except (Cancelled, StorageFull):
            raise
        except TeachableError as error:
            one.reason = str(error)
        except Exception as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise StorageFull("comparison_not_kept") from error
            self._require_wanted()
            log.exception("the network %s could not be compared", one.record.id)
            one.reason = say("error.comparison_network")

    def _time(self, embedder: Embedder, photos: Sequence[Image]) -> list[float]:
        """Return how many milliseconds a network takes for each photo when nothing else is asked of it.

        That is what a person waits for: one photo at a time, on one core, from the decoded photo to the embedding. Each
        is run several times and the quickest run counts, because whatever else the computer does only adds to it; a
        first round is left out, because it also prepares the memory. Many photos at once take less time each, as every
        core takes some.
        """
        self._give_way()
        best = [math.inf] * len(photos)
        for round_ in range(1 + TIMED_ROUNDS):
            for index, photo in enumerate(photos):
                self._require_wanted()
                started = time.perf_counter()
                embedder.embed([photo])
                if round_:
                    best[index] = min(best[index], 1000 * (time.perf_counter() - started))
        return best

    def _note_speed(self, one: _Contender) -> None:
        try:
            self._library.note_speed(one.record.id, native_ms=one.native_ms)
        except (InstallationError, StorageFull):
            log.warning("the speed of network %s could not be noted", one.record.id, exc_info=True)

    def _embed(
        self, one: _Contender, embedder: Embedder, excerpt: Excerpt, report: Callable[[float], None]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the embeddings of all photos that can be read; those not known yet are computed and kept."""
        cache = self._backlog.cache(self._project, one.record.fingerprint)
        hashes = list(dict.fromkeys(sample.sha256 for sample in excerpt.samples))
        with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="read-photos") as readers:
            while True:
                missing = [sha for sha in cache.missing(hashes) if sha not in self._unreadable]
                for start in range(0, len(missing), CHUNK):
                    self._give_way()
                    report(start / len(missing))
                    chunk = missing[start : start + CHUNK]
                    images = dict(zip(chunk, readers.map(self._read, chunk), strict=True))
                    found = {sha: image for sha, image in images.items() if image is not None}
                    if found:
                        cache.put(dict(zip(found, embedder.embed(list(found.values())), strict=True)))
                readable = [sha for sha in hashes if sha not in self._unreadable]
                try:
                    return dict(zip(readable, cache.get(readable), strict=True))
                except KeyError:
                    log.warning("embeddings of project %s were damaged and are made again", self._project.id)

    def _test(self, excerpt: Excerpt) -> None:
        """Test all networks on the same photos."""
        labels, groups, settings = excerpt.labels, excerpt.groups, excerpt.settings
        for one, report in self._steps(_EMBEDDING, 1.0):

            def on_epoch(
                phase: Phase, share: float, point: EpochPoint, report: Callable[[float], None] = report
            ) -> None:
                report(share)

            with self._contained(one):
                self._give_way()
                rows = np.stack([one.embeddings[sample.sha256] for sample in excerpt.samples])
                task = Task(rows, labels, groups, len(excerpt.classes), settings)
                test = self._trainer.examine(task, on_epoch, self._cancelled)
                one.score, one.hits = test.evaluation, test.predicted == labels[test.held_out]
            one.embeddings = {}

    def _rows(self) -> tuple[ComparisonRow, ...]:
        """Return what is known so far, the best first and those that failed last."""
        tried = (one for one in self._contenders if one.native_ms is not None or one.reason is not None)
        rows = (one.row(in_use=one.record.id == self._in_use) for one in tried)
        return tuple(sorted(rows, key=lambda row: (row.reason is not None, -row.correct, row.native_ms or 0.0)))

    def _finish(self, comparison: Comparison) -> None:
        rows = self._rows()
        advice = advise(rows, {one.record.id: one.hits for one in self._contenders if one.hits is not None})
        self.comparison = replace(
            comparison,
            state="done",
            fraction=1.0,
            current=None,
            held_out=max((row.held_out for row in rows), default=0),
            rows=rows,
            advice=advice.id,
            message=advice.message,
        )

    def _read(self, sha: str) -> Image | None:
        """Return a stored photo, or None if its file is gone or damaged."""
        try:
            return load(self._project.photo_file(sha))
        except (OSError, TeachableError):
            log.warning("stored photo %s cannot be read", sha, exc_info=True)
            self._unreadable.add(sha)
            return None

    def _give_way(self) -> None:
        """Let a training go first, as long as that is not forever.

        Raises:
            Cancelled: the comparison was given up.
        """
        while self._patience > 0 and self._training():
            self._cancelled.wait(_LOOK_SECONDS)
            self._patience -= _LOOK_SECONDS
            self._require_wanted()
        self._require_wanted()

    def _require_wanted(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled
