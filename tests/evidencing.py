"""What the tests of a study make in code: embeddings of recordings, what photos look like, and a test of both."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachable import evaluation
from teachable.evidence import Evidence
from teachable.types import Embeddings, Labels, Looks, TrainSettings

WIDTH = 48
SETTINGS = TrainSettings(epochs=15, batch_size=16, learning_rate=0.01)


def recordings(
    classes: int, each: int, photos: int, seed: int = 0, apart: float = 3.0, shift: float = 1.0
) -> tuple[Embeddings, Labels, list[str]]:
    """Embeddings, classes and recordings: `each` recordings of a class, of `photos` photos.

    Args:
        classes: how many.
        each: recordings of each.
        photos: of each recording.
        seed: of all chance.
        apart: how far classes are from each other; noise is about 1.
        shift: how far recordings of a class are from each other.
    """
    generator = np.random.default_rng(seed)
    middles = np.random.default_rng(7).normal(size=(classes, WIDTH)) * apart / np.sqrt(2)
    rows, labels, groups = [], [], []
    for label in range(classes):
        for number in range(each):
            place = middles[label] + generator.normal(size=WIDTH) * shift
            rows.append(place + generator.normal(size=(photos, WIDTH)))
            labels += [label] * photos
            groups += [f"{label}-{number}"] * photos
    return np.concatenate(rows).astype(np.float32), np.array(labels, np.int64), groups


def looks(count: int, seed: int = 0) -> Looks:
    """Sharp, well lit photos of different things in front of different backgrounds."""
    generator = np.random.default_rng(seed)
    return Looks(
        generator.integers(0, 2**63, count, dtype=np.uint64),
        generator.uniform(0.45, 0.65, count).astype(np.float32),
        generator.uniform(0.35, 0.7, count).astype(np.float32),
        generator.uniform(0.2, 0.6, count).astype(np.float32),
        generator.uniform(0, 1, (count, 4, 4, 3)).astype(np.float32),
    )


def changed(found: Looks, rows: Sequence[int] | NDArray[np.int64], **measures: Any) -> Looks:
    """Looks with other values for some photos."""
    copies = {field.name: getattr(found, field.name).copy() for field in fields(Looks)}
    for name, value in measures.items():
        copies[name][rows] = value
    return Looks(**copies)


def examined(
    embeddings: Embeddings,
    labels: Labels,
    groups: Sequence[str],
    seen: Looks | None = None,
    settings: TrainSettings = SETTINGS,
) -> Evidence:
    """Test a model on photos, and gather what is known of them."""
    count = int(labels.max()) + 1
    seen = seen or looks(len(labels))
    found = evaluation.cross_validate(embeddings, labels, groups, count, settings, seen.hashes)
    logits = np.full((len(labels), count), np.nan, np.float32)
    calibration = found.evaluation.calibration
    logits[found.outcomes.rows] = found.outcomes.logits / (calibration.temperature if calibration else 1)
    return Evidence(embeddings, labels, found.groups, list(groups), count, settings, found.folds, logits, seen)


def flipped(labels: Labels, share: float, seed: int = 0) -> tuple[Labels, NDArray[np.int64]]:
    """Labels of which a share, at least one, was replaced by others, and the rows of these."""
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.choice(len(labels), max(1, round(share * len(labels))), replace=False))
    count = int(labels.max()) + 1
    wrong = labels.copy()
    wrong[rows] = (labels[rows] + generator.integers(1, count, len(rows))) % count
    return wrong, rows


def untested(evidence: Evidence) -> Evidence:
    """The same photos, none of which could be tested."""
    return replace(evidence, folds=np.full_like(evidence.folds, -1), logits=np.full_like(evidence.logits, np.nan))
