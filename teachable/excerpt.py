"""The photos of a project that networks are compared on: all of them, or a fair excerpt of many.

It owns the drawing. What is held out of the excerpt is drawn by `teachable.evaluation`, and which recordings are one is
found by `teachable.duplicates`, as for a training.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

import numpy as np

from teachable import duplicates, evaluation
from teachable.errors import InvalidInput
from teachable.evaluation import Split
from teachable.types import ClassInfo, Embeddings, Labels, Sample, TrainSettings

# A class is drawn from at least as many recordings, if it has them: about a fifth of its photos is held out.
RECORDINGS = 5


@dataclass(frozen=True)
class Excerpt:
    """Some photos of a project, as they were at one moment.

    Attributes:
        classes: the enabled ones, in order.
        samples: of these classes.
        settings: of the project; the seed also draws the split.
        recordings: what the recordings of some samples became a part of, by id of the sample.
    """

    classes: Sequence[ClassInfo]
    samples: Sequence[Sample]
    settings: TrainSettings
    recordings: Mapping[int, str] = field(default_factory=dict)

    @property
    def labels(self) -> Labels:
        """Index of the class of each sample, int64 `[N]`."""
        index = {one.id: position for position, one in enumerate(self.classes)}
        return np.array([index[sample.class_id] for sample in self.samples], np.int64)

    @property
    def groups(self) -> list[str]:
        """Recording of each sample."""
        return [self.recordings.get(sample.id, sample.group) for sample in self.samples]

    def split(self) -> Split:
        """Return what is held out."""
        return evaluation.split(self.labels, self.groups, self.settings.seed)

    def joined(self, embeddings: Embeddings, hashes: duplicates.Hashes) -> "Excerpt":
        """Return the same with those recordings as one that share nearly the same picture of a class.

        Args:
            embeddings: of the samples, float32 `[N, D]`, finite.
            hashes: perceptual hash of each, uint64 `[N]`.
        """
        names = duplicates.join(embeddings, hashes, self.labels, self.groups)
        return replace(self, recordings={one.id: name for one, name in zip(self.samples, names, strict=True)})

    def without(self, unreadable: Set[str]) -> "Excerpt":
        """Return the rest.

        Raises:
            InvalidInput: it leaves nothing of a class.
        """
        rest = [sample for sample in self.samples if sample.sha256 not in unreadable]
        for one in self.classes:
            if not any(sample.class_id == one.id for sample in rest):
                raise InvalidInput("class_unreadable", name=one.name)
        return replace(self, samples=rest)


def choose(samples: Sequence[Sample], limit: int, seed: int) -> list[Sample]:
    """Return some samples of every class, or all if they are few.

    Every class keeps its share, small ones a little more. Whole groups are taken, drawn at random. Only where those are
    so large that fewer than `RECORDINGS` of them would fill the places of a class, they are thinned out evenly, and so
    is the last one: a class that can be tested still can.

    Args:
        samples: of the enabled classes.
        limit: to return at most; at least two for every class.
        seed: which groups are drawn.
    """
    if len(samples) <= limit:
        return list(samples)
    generator = np.random.default_rng(seed)
    groups: dict[str, dict[str, list[Sample]]] = {}
    for sample in samples:
        groups.setdefault(sample.class_id, {}).setdefault(sample.group, []).append(sample)
    places = _places({id_: sum(map(len, of.values())) for id_, of in groups.items()}, limit)
    chosen: list[Sample] = []
    for id_, of in groups.items():
        drawn = [list(of.values())[index] for index in generator.permutation(len(of))]
        for group, count in zip(drawn, _shared_out([len(group) for group in drawn], places[id_]), strict=True):
            # Evenly: neighbouring frames look most alike.
            chosen += [group[index] for index in np.linspace(0, len(group) - 1, count).round().astype(int).tolist()]
    return sorted(chosen, key=lambda sample: sample.id)


def _places(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    """Share places out among classes: half of them alike, the other half by their numbers of photos."""
    least = max(2, limit // (2 * len(counts)))
    places = {id_: min(count, least) for id_, count in counts.items()}
    left, rest = limit - sum(places.values()), sum(counts.values()) - sum(places.values())
    return {id_: place + left * (counts[id_] - place) // rest for id_, place in places.items()}


def _shared_out(sizes: Sequence[int], places: int) -> list[int]:
    """Return how many photos each group of a class gives, in the order in which they were drawn."""
    taken = [0] * len(sizes)
    for most in (max(1, places // RECORDINGS), places):
        for index, size in enumerate(sizes):
            wanted = max(0, min(size, most) - taken[index])
            taken[index] += min(wanted, places - sum(taken))
    return taken
