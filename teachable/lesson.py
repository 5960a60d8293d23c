"""What a model is trained on and tested with, as of one moment.

It owns the record, the digest by which a later moment is told from it, and what is kept of it beside the model.
Gathering it is the business of `teachable.jobs`, the form of what is kept that of `teachable.outcomes`.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from teachable import outcomes
from teachable.outcomes import Kept
from teachable.projects.snapshots import Snapshot
from teachable.tasks import Outcome
from teachable.types import ClassInfo, Embeddings, Labels, Sample


@dataclass(frozen=True)
class Lesson:
    """Everything a training is given, as it was at one moment.

    Attributes:
        classes: the enabled ones, in order.
        samples: those that can be read, without the test set.
        embeddings: of the samples, float32 `[N, D]`.
        tests: the test set, as far as it can be read.
        test_embeddings: of these, float32 `[T, D]`.
        digest: of classes and samples, those that cannot be read included.
        held: everything the project held at that moment, disabled classes and what cannot be read included.
    """

    classes: Sequence[ClassInfo]
    samples: Sequence[Sample]
    embeddings: Embeddings
    tests: Sequence[Sample]
    test_embeddings: Embeddings
    digest: str
    held: Snapshot = field(default_factory=lambda: Snapshot((), ()))

    def labels(self, samples: Sequence[Sample]) -> Labels:
        """Return the index of the class of each, int64 `[N]`."""
        index = {one.id: position for position, one in enumerate(self.classes)}
        return np.array([index[sample.class_id] for sample in samples], np.int64)


def digest(classes: Iterable[ClassInfo], samples: Iterable[Sample]) -> str:
    """Return a short name for what a model is trained on and tested with: which photos in which enabled classes.

    Renaming, recolouring and reordering do not change it; adding, deleting, moving, disabling, and keeping photos for
    testing only, do.
    """
    return digest_of(classes, ((sample.class_id, sample.sha256, sample.test) for sample in samples))


def digest_of(classes: Iterable[ClassInfo], samples: Iterable[tuple[str, str, bool]]) -> str:
    """Return the same from class, SHA-256 and testing of each sample, which are sooner at hand."""
    enabled = {info.id for info in classes if not info.disabled}
    found = [sample for sample in samples if sample[0] in enabled]
    pairs: list[tuple[str, ...]] = [(label, sha) for label, sha, test in found if not test]
    # Without a test set it is what it was before there were any, so that no model became outdated.
    pairs += [(label, sha, "test") for label, sha, test in found if test]
    return hashlib.sha256(repr(sorted(pairs)).encode()).hexdigest()[:32]


def kept(lesson: Lesson, outcome: Outcome) -> bytes:
    """Return what is kept beside the model, for its report."""
    return outcomes.pack(
        Kept(
            samples=np.array([sample.id for sample in lesson.samples], np.int64),
            labels=lesson.labels(lesson.samples),
            groups=outcome.groups,
            tested=outcome.outcomes,
            tests=np.array([sample.id for sample in lesson.tests], np.int64),
            test_labels=lesson.labels(lesson.tests),
            test_logits=outcome.test_logits,
        )
    )
