"""Which photos two versions can both be asked about fairly, and what each says about them.

A version is never judged by a photo it was trained on, nor by one of the same recording or nearly the same picture.
What it says about any other photo its head says, from the embedding. About a photo it was trained on there may be what
its test said: heads that learned from other recordings only.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from teachable import duplicates, folds, heads, outcomes
from teachable.embeddings import EmbeddingCache
from teachable.errors import ModelFileError
from teachable.outcomes import Kept
from teachable.projects import Project
from teachable.projects.models import KeptVersion
from teachable.projects.snapshots import Snapshot
from teachable.types import Embeddings, Head, Layer, Sample
from teachable.versions.records import Way

log = logging.getLogger(__name__)

ENOUGH = 10
"""Photos that a way has to offer to be taken, if it comes before others."""

MOST = 4000
"""Photos of the test set, and others, that are looked at; of more, at most so many at equal distances."""

Hashes = Callable[[Sequence[str]], NDArray[np.uint64]]

UNKNOWN = -1
"""In place of an answer that would not be fair, or is not there."""


@dataclass(frozen=True)
class Tested:
    """What the test of a training said about a photo.

    Attributes:
        said: index of the class it named.
        group: recording of the photo, near-duplicates joined.
        left_out: part of its class that the head had not learned from, and the finished model has.
    """

    said: int
    group: str
    left_out: float


@dataclass(frozen=True)
class Asked:
    """A version that can be asked.

    Attributes:
        version: row of the database.
        held: what the project held when it was trained.
        kept: what its test said photo by photo, or None.
        head: of its model.
        cache: embeddings of the project with its network.
        hashes: returns the perceptual hashes of photos by their SHA-256.
    """

    version: KeptVersion
    held: Snapshot
    kept: Kept | None
    head: Head
    cache: EmbeddingCache
    hashes: Hashes

    @cached_property
    def learned(self) -> dict[str, Sample]:
        """The photos it was trained on, by their SHA-256."""
        return {one.sha256: one for one in self.held.learned}

    @cached_property
    def tested(self) -> dict[str, Tested]:
        """What its test said about photos it was trained on, by SHA-256."""
        kept = self.kept
        count = len(self.version.record.class_ids)
        if kept is None or kept.tested.logits.shape[1:] != (count,) or not np.isin(kept.labels, range(count)).all():
            return {}
        shas = {one.id: one.sha256 for one in self.held.samples}
        rows = kept.tested.rows
        named = kept.tested.logits.argmax(axis=1).tolist() if len(rows) else []
        parts = folds.left_out(kept.labels, rows, kept.tested.folds).tolist()
        found = {}
        for row, said, part in zip(rows.tolist(), named, parts, strict=True):
            sha256 = shas.get(int(kept.samples[row]))
            if sha256 is not None:
                found[sha256] = Tested(said, kept.groups[row], part)
        return found


@dataclass(frozen=True)
class Fair:
    """Photos that are fair to two versions, and what both say.

    Attributes:
        way: which photos these are.
        samples: the photos.
        groups: recording of each, near-duplicates joined as far as that is known.
        answers: index of the class each version named, counted in its own classes, two int64 `[N]`.
        left_out: part of the class of each photo that the head which named it had not learned from, and the finished
            model has, two float64 `[N]`; 0 where that model named it itself.
        thinned: there are so many that only some were looked at.
    """

    way: Way
    samples: tuple[Sample, ...]
    groups: tuple[str, ...]
    answers: tuple[NDArray[np.int64], NDArray[np.int64]]
    left_out: tuple[NDArray[np.float64], NDArray[np.float64]]
    thinned: bool


def photos(samples: Sequence[Sample], one: Asked, other: Asked) -> Fair:
    """Choose the photos two versions are set side by side on.

    The test set comes first, then photos that neither was trained on, then those held out by the tests of their
    trainings; of these the first that offers enough, or the one that offers most.

    Args:
        samples: photos of the project in classes that both know.
        one: a version.
        other: another.
    """
    tested, others = (_thinned([sample for sample in samples if sample.test == test]) for test in (True, False))
    everything, samples = len(samples), [*tested, *others]
    direct = [_direct(version, samples) for version in (one, other)]
    nothing = Tested(UNKNOWN, "", 0.0)
    tests_said = [[version.tested.get(sample.sha256, nothing) for sample in samples] for version in (one, other)]
    held_out = [np.array([found.said for found in said], np.int64) for said in tests_said]
    tests = np.array([sample.test for sample in samples], np.bool_)
    unseen = (direct[0] != UNKNOWN) & (direct[1] != UNKNOWN)
    # Each photo is said by the finished model or by the test of its training, never by a model that knows it.
    honest = [np.where(found != UNKNOWN, found, said) for found, said in zip(direct, held_out, strict=True)]
    either = (honest[0] != UNKNOWN) & (honest[1] != UNKNOWN)
    ways: list[tuple[Way, NDArray[np.int64], list[NDArray[np.int64]]]] = [
        ("test", np.flatnonzero(unseen & tests), direct),
        ("unseen", np.flatnonzero(unseen & ~tests), direct),
        ("held_out", np.flatnonzero(either & ~tests), honest),
    ]
    best = next((way for way in ways if len(way[1]) >= ENOUGH), None) or max(ways, key=lambda way: len(way[1]))
    name, rows, answers = best
    if not len(rows):
        name = "none"
    found = tuple(samples[row] for row in rows.tolist())
    left_out = [
        np.where(by_model[rows] != UNKNOWN, 0.0, np.array([said[row].left_out for row in rows.tolist()]))
        for by_model, said in zip(direct, tests_said, strict=True)
    ]
    return Fair(
        name,
        found,
        tuple(_recording(sample, one, other) for sample in found),
        (answers[0][rows], answers[1][rows]),
        (left_out[0], left_out[1]),
        thinned=len(samples) < everything,
    )


def _thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[:: max(1, -(-len(samples) // MOST))]


def _recording(sample: Sample, one: Asked, other: Asked) -> str:
    """Return the recording a photo counts with, joined with others if a training found it to be alike."""
    for version in (other, one):
        if sample.sha256 in version.tested:
            return version.tested[sample.sha256].group
    return sample.group


def _direct(asked: Asked, samples: Sequence[Sample]) -> NDArray[np.int64]:
    """Return which class a version names for photos it has not seen the like of; `UNKNOWN` for the others."""
    learned = asked.learned
    groups = {one.group for one in learned.values()}
    unlike = [row for row, one in enumerate(samples) if one.sha256 not in learned and one.group not in groups]
    kept, embeddings = _embedded(asked.cache, [samples[row].sha256 for row in unlike])
    new = [unlike[place] for place in kept]
    answers = np.full(len(samples), UNKNOWN, np.int64)
    if not new:
        return answers
    shas = [samples[row].sha256 for row in new]
    everything = list(learned.values())
    kept, of_known = _embedded(asked.cache, list(learned))
    known = [everything[place] for place in kept]
    classes = {id_: place for place, id_ in enumerate(asked.version.record.class_ids)}
    seen = np.zeros(len(new), np.bool_)
    if known:
        seen = duplicates.leaking(
            duplicates.Photos(
                embeddings,
                asked.hashes(shas),
                np.array([classes[samples[row].class_id] for row in new], np.int64),
                [samples[row].group for row in new],
            ),
            duplicates.Photos(
                of_known,
                asked.hashes([one.sha256 for one in known]),
                np.array([classes.get(one.class_id, UNKNOWN) for one in known], np.int64),
                [one.group for one in known],
            ),
        )
    answers[new] = np.where(seen, UNKNOWN, heads.logits(asked.head, embeddings).argmax(axis=1))
    return answers


def _embedded(cache: EmbeddingCache, hashes: Sequence[str]) -> tuple[list[int], Embeddings]:
    """Return the places of photos that have an embedding, and those; one that is damaged counts as missing."""
    while True:
        missing = set(cache.missing(hashes))
        places = [place for place, sha256 in enumerate(hashes) if sha256 not in missing]
        try:
            return places, cache.get([hashes[place] for place in places])
        except KeyError:
            log.warning("embeddings in %s were damaged", cache.path)


def ask(project: Project, version: KeptVersion, held: Snapshot, cache: EmbeddingCache, hashes: Hashes) -> Asked:
    """Read what is needed to ask a version.

    Raises:
        NotFound: its model file is gone.
        ModelFileError: its model file is damaged.
    """
    path = project.versions.outcomes(version.record.id)
    kept = outcomes.unpack(path.read_bytes()) if path is not None else None
    head = head_of(project.versions.file(version.record.id).read_bytes(), project.info().name)
    return Asked(version, held, kept, head, cache, hashes)


def head_of(model: bytes, name: str) -> Head:
    """Return the head in a model file, as `teachable.export` put it there.

    Args:
        model: the file.
        name: what to call it in an error.

    Raises:
        ModelFileError: the file is damaged.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import numpy_helper

    try:
        graph = onnx.ModelProto.FromString(model).graph
        found = {one.name: one for one in graph.initializer if one.name.startswith("head.")}
        layers: list[Layer] = []
        while f"head.{len(layers)}.weight" in found:
            index = len(layers)
            parts = (numpy_helper.to_array(found[f"head.{index}.{part}"]) for part in ("weight", "bias"))
            weight, bias = (np.asarray(part, np.float32) for part in parts)
            if weight.ndim != 2 or bias.shape != weight.shape[:1]:
                raise ValueError(f"a layer of {weight.shape} and {bias.shape}")
            layers.append(Layer(weight, bias))
    except (DecodeError, KeyError, ValueError) as error:
        raise ModelFileError("model_unreadable", name=name) from error
    if not layers:
        raise ModelFileError("model_foreign", name=name)
    return Head(tuple(layers))
