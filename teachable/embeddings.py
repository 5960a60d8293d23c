"""Photos to embeddings, and the cache that remembers them.

It owns running a backbone over photos in batches and keeping the results on disk, by photo hash and backbone
fingerprint. It does not decide what to embed or when: that is `teachable.backlog`.
"""

import logging
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from teachable.types import Embeddings, Image

log = logging.getLogger(__name__)

# Photos of one shape that go through the network together. Larger batches gain nothing on a CPU and cost memory: with
# ConvNeXt Tiny 130 MB more at four than at two.
BATCH = 2
# SQLite takes at most 999 places in one statement on old builds.
LOOKUP = 900
# Seconds to wait for another process that writes.
WAIT = 30.0
# Of the table below; a cache of another format is made anew.
FORMAT = 1

_SCHEMA = "CREATE TABLE embeddings (sha256 TEXT PRIMARY KEY, vector BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID"


class Embedder:
    """Runs one backbone graph; safe to call from several threads.

    Every core takes a batch of its own. Sharing one batch among the cores, which is what ONNX Runtime does by itself,
    keeps them waiting for each other after every layer: on two cores that is a third slower, and slower still where
    something else runs too. The figures are printed by `tests/benchmarks/speed.py embedding`.

    Args:
        model: bytes of the backbone graph.
        threads: cores to use, 0 for all of them.
    """

    def __init__(self, model: bytes, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.size = len(model)
        self.width = int(self._session.get_outputs()[1].shape[1])
        self._threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="embed")

    def embed(self, images: Sequence[Image]) -> Embeddings:
        """Return one embedding per photo.

        Args:
            images: uint8 `[H, W, 3]` each, of any sizes; those of one size share a batch.

        Returns:
            float32 `[N, D]`, in the order given.
        """
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            by_shape.setdefault(image.shape, []).append(index)
        # Few photos are spread over all cores rather than left to one.
        size = max(1, min(BATCH, len(images) // self._threads))
        batches = [
            indices[start : start + size] for indices in by_shape.values() for start in range(0, len(indices), size)
        ]
        out = np.empty((len(images), self.width), np.float32)
        found = self._pool.map(lambda batch: self._run([images[index] for index in batch]), batches)
        for batch, vectors in zip(batches, found, strict=True):
            out[batch] = vectors
        return out

    def close(self) -> None:
        """Give the threads and the memory back."""
        self._pool.shutdown()

    def _run(self, images: Sequence[Image]) -> Embeddings:
        vectors: Embeddings = self._session.run(["embedding"], {"image": np.stack(images)})[0]
        return vectors


class EmbeddingCache:
    """Embeddings of one project under one backbone, in an SQLite file that can be deleted at any time.

    It is written by the background worker and read by training, so every call is thread-safe. Damage is never an
    error: what is damaged counts as missing and is computed again.

    Args:
        folder: where the file lives, usually the project's.
        fingerprint: of the backbone; another backbone uses another file.

    Attributes:
        changes: grows whenever another photo is known, or one no longer is.

    Raises:
        sqlite3.Error: the file cannot be used now: no room on the disk, no such folder, kept busy by another process.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path = self.file(folder, fingerprint)
        self._lock = threading.Lock()
        self.changes = 0
        try:
            self._connection, self._known = self._open()
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise
            self._connection, self._known = self._start_anew()

    @staticmethod
    def file(folder: Path, fingerprint: str) -> Path:
        """Return the path of the cache, be it there or not."""
        return folder / f"embeddings-{fingerprint[:16]}.sqlite"

    def _open(self) -> tuple[sqlite3.Connection, set[str]]:
        """Return a connection and the hashes in the file."""
        connection = sqlite3.connect(self.path, timeout=WAIT, check_same_thread=False, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # A cache may lose its last writes in a power cut: they are computed again. It stays in order, though.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            if not tables:
                connection.execute(_SCHEMA)
                connection.execute(f"PRAGMA user_version={FORMAT}")
            connection.execute("COMMIT")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != FORMAT:
                raise _OtherFormat
            return connection, {str(row[0]) for row in connection.execute("SELECT sha256 FROM embeddings")}
        except BaseException:
            connection.close()
            raise

    def _start_anew(self) -> tuple[sqlite3.Connection, set[str]]:
        log.warning("the embeddings in %s are damaged or of another format; they are computed again", self.path)
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        return self._open()

    def missing(self, hashes: Iterable[str]) -> list[str]:
        """Return the hashes that have no embedding yet, each once, in the order given."""
        with self._lock:
            return [sha for sha in dict.fromkeys(hashes) if sha not in self._known]

    def put(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Remember embeddings, float32 `[D]` each, by photo hash: all of them or, with an error, none.

        Raises:
            sqlite3.Error: there is no room on the disk, another process keeps the file busy, or it was closed.
        """
        blobs = {sha: np.ascontiguousarray(vector, np.float32).tobytes() for sha, vector in vectors.items()}
        rows = [(sha, blob, zlib.crc32(blob)) for sha, blob in blobs.items()]
        with self._lock:
            try:
                self._write(rows)
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
                self._renew()
                self._write(rows)
            self._known.update(vectors)
            self.changes += 1

    def _write(self, rows: Sequence[tuple[str, bytes, int]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", rows)
            self._connection.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has rolled back by itself; then this does nothing.
            self._connection.rollback()
            raise

    def get(self, hashes: Sequence[str]) -> Embeddings:
        """Return the embeddings of photos, float32 `[N, D]`, in the order given.

        Raises:
            KeyError: one of them has none, or had one that is damaged; `missing` says which.
            sqlite3.Error: the file cannot be read now, or was closed.
        """
        if not hashes:
            return np.empty((0, 0), np.float32)
        row = {sha: number for number, sha in enumerate(dict.fromkeys(hashes))}
        # In the order of the file, and straight to where they belong: of 50,000 photos they are 256 MB.
        wanted = sorted(row)
        found: Embeddings | None = None
        present = np.zeros(len(row), np.bool_)
        for start in range(0, len(wanted), LOOKUP):
            for sha, vector in self._some(wanted[start : start + LOOKUP]):
                if found is None:
                    found = np.empty((len(row), len(vector)), np.float32)
                if vector.shape == found.shape[1:]:
                    found[row[sha]], present[row[sha]] = vector, True
        if found is None or not present.all():
            lost = {sha for sha, number in row.items() if not present[number]}
            with self._lock:
                self._known.difference_update(lost)
                self.changes += 1
            raise KeyError(min(lost))
        return found if len(row) == len(hashes) else found[[row[sha] for sha in hashes]]

    def _some(self, wanted: Sequence[str]) -> list[tuple[str, NDArray[np.float32]]]:
        """Return what is there and whole, as far as one statement can ask for it: others get their turn in between."""
        places = ",".join("?" * len(wanted))
        query = f"SELECT * FROM embeddings WHERE sha256 IN ({places})"  # noqa: S608 - only places
        with self._lock:
            try:
                rows = self._connection.execute(query, wanted).fetchall()
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
                self._renew()
                return []
        return [(sha, np.frombuffer(blob, np.float32)) for sha, blob, crc in rows if zlib.crc32(blob) == crc]

    def _renew(self) -> None:
        self._connection.close()
        self._connection, self._known = self._start_anew()
        self.changes += 1

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


class _OtherFormat(sqlite3.DatabaseError):
    """The file was written by another version."""


def _damaged(error: sqlite3.DatabaseError) -> bool:
    """Say whether the file itself is at fault, rather than the disk or another process."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, _OtherFormat) or code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
