"""Is the estimate honest? It is compared with the accuracy on photos of recordings that were never part of the project.

    python -m tests.benchmarks.honesty FOLDER [--projects 10]

FOLDER holds one folder per set, each with one folder of photos per class. Each set is measured twice:

- blocks: five consecutive photos are a recording, as if one had pressed the button for each five.
- bursts: every photo becomes a recording of its own, of six crops as a shaking hand would take them.

Of every class a few recordings become a project; all others are the world outside. Nearly the same pictures are found
in the whole set first, so that nothing of the project is in the world. The project gives an estimate with its interval
and the figure of a random split; the head that learned from the whole project says the truth about the world. Nothing
is asserted: the figures are for people.
"""

import argparse
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from teachable import backbones, duplicates, evaluation, heads, images, intervals, looks
from teachable.embeddings import Embedder
from teachable.errors import TeachableError
from teachable.types import Embeddings, Image, Labels, TrainSettings
from tests.benchmarks import datasets
from tests.benchmarks.datasets import Embed, PhotoSet, Unusable

PROJECTS = 10
BLOCK, CROPS = 5, 6
KNOWN = {"blocks": 4, "bursts": 6}
"""Recordings of each class that become a project, at most half of them."""
SETTINGS = TrainSettings()
# Decoded photos held in memory at once.
_CHUNK = 32


@dataclass(frozen=True)
class Scene:
    """Photos that come in recordings.

    Attributes:
        name: of the set.
        kind: `blocks` or `bursts`.
        classes: how many.
        embeddings: float32 `[N, D]`.
        hashes: perceptual hash of each photo, uint64 `[N]`.
        labels: class of each, int64 `[N]`.
        groups: recording of each.
    """

    name: str
    kind: str
    classes: int
    embeddings: Embeddings
    hashes: NDArray[np.uint64]
    labels: Labels
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """What one project said, and what was true.

    Attributes:
        estimated: share of its photos named correctly in cross-validation by recording.
        low: lower end of its 95 % interval.
        high: upper end of it.
        random_split: the share that ordinary cross-validation says.
        true: share of the photos of all other recordings named correctly.
        naive: ends of the interval if photos are counted instead of recordings.
        photos: in the project.
        world: photos of the world.
    """

    estimated: float
    low: float
    high: float
    random_split: float
    true: float
    naive: tuple[float, float]
    photos: int
    world: int

    def true_within(self, low: float, high: float) -> bool:
        """Whether an interval holds the truth, which is counted, and so known to half a photo."""
        return low - 0.5 / self.world <= self.true <= high + 0.5 / self.world


def scenes(photos: PhotoSet, embed: Embed) -> Iterator[Scene]:
    """Yield a set as blocks and as bursts."""
    for kind, crops, size in (("blocks", 1, BLOCK), ("bursts", CROPS, 1)):
        embeddings, hashes = _measured(photos, embed, crops)
        numbers = np.concatenate([np.arange(count) for count in np.bincount(photos.labels)])
        names = [f"{label} {number // size}" for label, number in zip(photos.labels, numbers, strict=True)]
        labels = np.repeat(photos.labels, crops)
        groups = tuple(np.repeat(names, crops).tolist())
        yield Scene(photos.name, kind, len(photos.classes), embeddings, hashes, labels, groups)


def _measured(photos: PhotoSet, embed: Embed, crops: int) -> tuple[Embeddings, NDArray[np.uint64]]:
    """Return embeddings and hashes of the photos, or of so many crops of each."""
    generator = np.random.default_rng(0)
    rows, hashes = [], []
    for start in range(0, len(photos.photos), _CHUNK):
        chunk = [images.load(path) for path in photos.photos[start : start + _CHUNK]]
        taken = chunk if crops == 1 else [shaken(one, generator) for one in chunk for _ in range(crops)]
        rows.append(embed(taken))
        hashes += [looks.measure(one).hashes for one in taken]
    return np.concatenate(rows), np.concatenate(hashes)


def shaken(photo: Image, generator: np.random.Generator) -> Image:
    """Return a photo as the next frame would show it: turned, shifted, nearer or farther, brighter or darker."""
    height, width = photo.shape[:2]
    part = generator.uniform(0.8, 0.95)
    high, wide = round(height * part), round(width * part)
    top, left = generator.integers(0, height - high + 1), generator.integers(0, width - wide + 1)
    turned = PIL.Image.fromarray(photo).rotate(generator.uniform(-3, 3), PIL.Image.Resampling.BILINEAR)
    cut = np.asarray(turned.crop((left, top, left + wide, top + high)), np.float32)
    return np.clip(cut * generator.uniform(0.85, 1.15), 0, 255).astype(np.uint8)


def recordings_of(scene: Scene) -> list[str]:
    """Return the recording of each photo, those with nearly the same picture joined."""
    return duplicates.join(scene.embeddings, scene.hashes, scene.labels, scene.groups)


def enough(scene: Scene, recordings: Sequence[str]) -> bool:
    """Whether every class has two recordings for a project and two for the world."""
    pairs = set(zip(recordings, scene.labels.tolist(), strict=True))
    return min(sum(label == one for _, one in pairs) for label in range(scene.classes)) >= 4


def trial(scene: Scene, recordings: Sequence[str], seed: int) -> Trial:
    """Make a project of a few recordings of each class and compare what it says with the truth.

    Args:
        scene: the photos.
        recordings: what must not be divided between project and world: groups, those with nearly the same picture
            joined.
        seed: which recordings are chosen.
    """
    known = np.isin(np.array(recordings), list(_chosen(scene, recordings, np.random.default_rng(seed))))
    data, labels = scene.embeddings[known], scene.labels[known]
    groups = [group for group, inside in zip(scene.groups, known, strict=True) if inside]
    found = evaluation.cross_validate(data, labels, groups, scene.classes, SETTINGS, scene.hashes[known]).evaluation
    usual = evaluation.random_split(data, labels, scene.classes, SETTINGS)
    head = heads.fit(data, labels, scene.classes, SETTINGS).head
    named = heads.logits(head, scene.embeddings[~known]).argmax(axis=1)
    if found.accuracy is None or found.low is None or found.high is None or usual is None:
        raise Unusable(f"{scene.name}: no class can be tested.")
    return Trial(
        estimated=found.accuracy,
        low=found.low,
        high=found.high,
        random_split=usual[0] / usual[1],
        true=float((named == scene.labels[~known]).mean()),
        naive=intervals.wilson(found.correct, found.held_out),
        photos=len(labels),
        world=len(named),
    )


def _chosen(scene: Scene, recordings: Sequence[str], generator: np.random.Generator) -> set[str]:
    """Choose the recordings of a project, of every class the stated number or half of them."""
    chosen: set[str] = set()
    for label in range(scene.classes):
        own = sorted({one for one, other in zip(recordings, scene.labels.tolist(), strict=True) if other == label})
        count = min(KNOWN[scene.kind], len(own) // 2)
        chosen.update(own[index] for index in generator.permutation(len(own))[:count].tolist())
    return chosen


def table(rows: Iterable[tuple[Scene, Sequence[Trial]]]) -> Iterator[str]:
    """Yield the lines of the table: means over the projects in per cent, and how often an interval held the truth."""
    yield "| set | photos | estimated | 95 % interval | random split | true | interval holds it | counting photos |"
    yield f"|---|{'--:|' * 7}"
    for scene, trials in rows:
        if not trials:
            yield f"| {scene.name}, {scene.kind} | too few recordings |{' |' * 6}"
            continue
        mean = {
            name: 100 * float(np.mean([getattr(one, name) for one in trials]))
            for name in ("estimated", "low", "high", "random_split", "true")
        }
        held = sum(one.true_within(one.low, one.high) for one in trials)
        naive = sum(one.true_within(*one.naive) for one in trials)
        yield (
            f"| {scene.name}, {scene.kind} | {np.mean([one.photos for one in trials]):.0f} | {mean['estimated']:.0f} "
            f"| {mean['low']:.0f}–{mean['high']:.0f} | {mean['random_split']:.0f} | {mean['true']:.0f} "
            f"| {held} of {len(trials)} | {naive} of {len(trials)} |"
        )


def preface(count: int) -> str:
    """Return what a reader must know about the figures."""
    text = (
        f"Per cent of photos named correctly, mean over {count} project{'s' * (count > 1)} of each set (by the seeds "
        f"from 0). A project has {KNOWN['blocks']} recordings of each class (blocks of {BLOCK} consecutive photos) or "
        f"{KNOWN['bursts']} (bursts of {CROPS} shaken crops of one photo), at most half of what there is; all others "
        "are the world outside, and “true” is how often the head that learned from the whole project is right there. "
        "The last two columns count the projects whose interval holds the truth: Teachable's, and the usual one that "
        "takes every photo for a witness of its own. Projects of one set share photos: they are no independent tries."
    )
    return textwrap.fill(text, 120)


def measure(sets: Iterable[PhotoSet], embed: Embed, count: int) -> Iterator[tuple[Scene, list[Trial]]]:
    """Yield every set, twice, with its trials, or none where it has too few recordings."""
    for photos in sets:
        for scene in scenes(photos, embed):
            recordings = recordings_of(scene)
            yield scene, [trial(scene, recordings, seed) for seed in range(count if enough(scene, recordings) else 0)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every set and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.honesty", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="sets, each a folder of class folders")
    parser.add_argument(
        "--projects", type=int, default=PROJECTS, metavar="N", help=f"of each set, {PROJECTS} if not given"
    )
    given = parser.parse_args(arguments)
    if given.projects < 1:
        parser.error("at least one project is needed")
    try:
        sets = datasets.find(given.folder)
        print(preface(given.projects), end="\n\n")
        embedder = Embedder(backbones.read(backbones.builtin()))
        for line in table(measure(sets, embedder.embed, given.projects)):
            print(line, flush=True)
    except (Unusable, TeachableError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
