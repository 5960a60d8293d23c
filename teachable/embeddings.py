"""Photos to embeddings, and the cache that remembers them.

It owns running a backbone over photos in batches and keeping the results on disk, by photo hash and backbone
fingerprint. It does not decide what to embed or when: that is `teachable.backlog`.
"""

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from teachable.types import Embeddings, Image

# Photos of one shape that go through the network together. Larger batches gain nothing on a CPU and cost memory.
BATCH = 8
# SQLite takes at most 999 places in one statement on old builds.
LOOKUP = 900

_SCHEMA = "CREATE TABLE IF NOT EXISTS embeddings (sha256 TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"


class Embedder:
    """Runs one backbone graph; safe to call from several threads.

    Args:
        model: bytes of the backbone graph.
        threads: cores to use, 0 for all of them.
    """

    def __init__(self, model: bytes, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        # Waiting threads must not burn the cores the camera page and the training need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.width = int(self._session.get_outputs()[1].shape[1])

    def embed(self, images: Sequence[Image]) -> Embeddings:
        """Return one embedding per photo.

        Args:
            images: uint8 `[H, W, 3]` each, of any sizes; those of one size share a batch.

        Returns:
            float32 `[N, D]`, in the order given.
        """
        out = np.empty((len(images), self.width), np.float32)
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            by_shape.setdefault(image.shape, []).append(index)
        for indices in by_shape.values():
            for start in range(0, len(indices), BATCH):
                chosen = indices[start : start + BATCH]
                batch = np.stack([images[index] for index in chosen])
                (out[chosen],) = self._session.run(["embedding"], {"image": batch})
        return out


class EmbeddingCache:
    """Embeddings of one project under one backbone, in an SQLite file that can be deleted at any time.

    It is written by the background worker and read by training, so every call is thread-safe.

    Args:
        folder: where the file lives, usually the project's.
        fingerprint: of the backbone; another backbone uses another file.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path = folder / f"embeddings-{fingerprint[:16]}.sqlite"
        self._lock = threading.Lock()
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError:
            # A damaged cache holds nothing that cannot be computed again.
            for path in folder.glob(f"{self.path.name}*"):
                path.unlink(missing_ok=True)
            self._connection = self._open()
        self._known = {str(row[0]) for row in self._connection.execute("SELECT sha256 FROM embeddings")}

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, check_same_thread=False, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # A cache may lose its last writes in a power cut: they are computed again.
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute(_SCHEMA)
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    def missing(self, hashes: Iterable[str]) -> list[str]:
        """Return the hashes that have no embedding yet, each once, in the order given."""
        with self._lock:
            return [sha for sha in dict.fromkeys(hashes) if sha not in self._known]

    def put(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Remember embeddings, float32 `[D]` each, by photo hash."""
        rows = [(sha, np.ascontiguousarray(vector, np.float32).tobytes()) for sha, vector in vectors.items()]
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                self._connection.execute("ROLLBACK")
                raise
            self._known.update(vectors)

    def get(self, hashes: Sequence[str]) -> Embeddings:
        """Return the embeddings of photos, float32 `[N, D]`, in the order given.

        Raises:
            KeyError: one of them has none.
        """
        found: dict[str, NDArray[np.float32]] = {}
        wanted = list(dict.fromkeys(hashes))
        with self._lock:
            for start in range(0, len(wanted), LOOKUP):
                part = wanted[start : start + LOOKUP]
                places = ",".join("?" * len(part))
                query = f"SELECT sha256, vector FROM embeddings WHERE sha256 IN ({places})"  # noqa: S608 - only places
                for sha, vector in self._connection.execute(query, part):
                    found[sha] = np.frombuffer(vector, np.float32)
        if not hashes:
            return np.empty((0, 0), np.float32)
        return np.stack([found[sha] for sha in hashes])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
