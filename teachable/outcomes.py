"""What is kept beside a model: which photos it was trained on and what the test of its training said about each.

It owns the file, a NumPy archive without pickled objects. Where it lies is the business of `teachable.projects`.
"""

import io
import logging
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from teachable.scores import Outcomes

log = logging.getLogger(__name__)

FORMAT_VERSION = 1


def _no_ids() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Kept:
    """Photos of a training, photo by photo.

    Attributes:
        samples: ids of the photos trained on, int64 `[N]`; rows of `tested` count in this order.
        labels: index of the class each had then, int64 `[N]`.
        groups: recording of each, near-duplicates joined, `[N]`.
        tested: what heads said about those that could be held out.
        tests: ids of the test set, int64 `[T]`.
        test_labels: index of the class of each, int64 `[T]`.
        test_logits: of the finished model, calibrated, float32 `[T, K]`.
    """

    samples: NDArray[np.int64]
    labels: NDArray[np.int64]
    groups: Sequence[str]
    tested: Outcomes
    tests: NDArray[np.int64] = field(default_factory=_no_ids)
    test_labels: NDArray[np.int64] = field(default_factory=_no_ids)
    test_logits: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))


def pack(kept: Kept) -> bytes:
    """Return the bytes of the file."""
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        version=np.int64(FORMAT_VERSION),
        samples=kept.samples,
        labels=kept.labels,
        groups=np.array(kept.groups, np.str_),
        rows=kept.tested.rows,
        folds=kept.tested.folds,
        logits=kept.tested.logits,
        tests=kept.tests,
        test_labels=kept.test_labels,
        test_logits=kept.test_logits,
    )
    return stream.getvalue()


def unpack(data: bytes) -> Kept | None:
    """Read the file; one that is damaged or of a newer version is as good as none, and that is logged."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            if int(found["version"]) != FORMAT_VERSION:
                raise ValueError(f"version {found['version']} is not known here")
            kept = Kept(
                np.asarray(found["samples"], np.int64),
                np.asarray(found["labels"], np.int64),
                [str(name) for name in found["groups"].tolist()],
                Outcomes(
                    np.asarray(found["rows"], np.int64),
                    np.asarray(found["folds"], np.int64),
                    np.asarray(found["logits"], np.float32),
                ),
                np.asarray(found["tests"], np.int64),
                np.asarray(found["test_labels"], np.int64),
                np.asarray(found["test_logits"], np.float32),
            )
        _require_whole(kept)
    except (EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile, zipfile.LargeZipFile):
        log.warning("what is kept of a test cannot be read", exc_info=True)
        return None
    return kept


def _require_whole(kept: Kept) -> None:
    """Refuse arrays that do not belong together.

    Raises:
        ValueError: they do not.
    """
    count, tested = len(kept.samples), kept.tested
    lengths = {len(kept.labels), len(kept.groups)} == {count}
    matching = len(tested.rows) == len(tested.folds) == len(tested.logits) and tested.logits.ndim == 2
    inside = not len(tested.rows) or (tested.rows.min() >= 0 and tested.rows.max() < count)
    of_tests = len(kept.tests) == len(kept.test_labels) == len(kept.test_logits)
    if not (lengths and matching and inside and of_tests):
        raise ValueError("its parts do not fit together")
