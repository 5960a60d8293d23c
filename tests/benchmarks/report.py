"""How quickly a report is made, and whether the Doctor is right: `python -m tests.benchmarks.report [FOLDER]`.

Without a folder only times are measured, on embeddings made in code, beside what scikit-learn takes for the comparable
part in the same run. FOLDER holds one folder per set, each with one folder of photos per class: then wrong labels,
blurred and dark copies are mixed into each set, and it is counted how many the Doctor finds, and how many others it
names. Five consecutive photos count as a recording. Nothing is asserted: computers and photos differ.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.ImageFilter import GaussianBlur

from teachable import doctor, evaluation, images, learning, looks, mapping, settings
from teachable.embeddings import Embedder
from teachable.errors import TeachableError
from teachable.evidence import Evidence
from teachable.library import Library
from teachable.types import Embeddings, Image, Labels, Looks, TrainSettings
from tests.benchmarks import datasets
from tests.benchmarks.datasets import PhotoSet, Unusable
from tests.benchmarks.table import Row, render

WIDTH, MANY, EACH = 1280, 10_000, 20
SHARE, SEEDS = 0.05, 3
_BLOCK = 5
_HIDDEN = 60


def made(classes: int, photos: int, seed: int = 0) -> tuple[Embeddings, Labels, list[str]]:
    """Return embeddings as a network gives them, classes and recordings of 20 photos.

    They are never negative, and most of what tells photos apart lies in few of many directions.
    """
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), photos).astype(np.int64)
    groups = np.arange(len(labels)) // EACH
    hidden = generator.normal(size=(classes, _HIDDEN))[labels] * 1.2
    hidden += generator.normal(size=(groups.max() + 1, _HIDDEN))[groups] * 0.7
    hidden += generator.normal(size=(len(labels), _HIDDEN))
    spread = np.arange(1, _HIDDEN + 1)[:, None] ** -0.5
    raw = hidden @ (generator.normal(size=(_HIDDEN, WIDTH)) * spread)
    raw += generator.normal(size=raw.shape) * 0.5
    return np.maximum(raw, 0).astype(np.float32), labels, [str(group) for group in groups]


def unlike(count: int) -> Looks:
    """Return looks of photos that are all different."""
    generator = np.random.default_rng(0)
    return Looks(
        generator.integers(0, 2**63, count, dtype=np.uint64),
        generator.uniform(0.3, 0.6, count).astype(np.float32),
        generator.uniform(0.3, 0.7, count).astype(np.float32),
        generator.uniform(0.2, 0.6, count).astype(np.float32),
        generator.uniform(0, 1, (count, 4, 4, 3)).astype(np.float32),
    )


def examined(embeddings: Embeddings, labels: Labels, groups: Sequence[str], seen: Looks) -> Evidence:
    """Test a model and return everything a study looks at."""
    count, chosen = int(labels.max()) + 1, TrainSettings()
    found = evaluation.cross_validate(embeddings, labels, groups, count, chosen, seen.hashes)
    logits = np.full((len(labels), count), np.nan, np.float32)
    calibration = found.evaluation.calibration
    logits[found.outcomes.rows] = found.outcomes.logits / (calibration.temperature if calibration else 1)
    return Evidence(embeddings, labels, found.groups, groups, count, chosen, found.folds, logits, seen)


@dataclass(frozen=True)
class Time:
    """What something takes.

    Attributes:
        wall: seconds on the clock.
        work: seconds that the cores spent on it, together; on a computer that does nothing else and has two cores, the
            clock shows between half of it and all of it.
    """

    wall: float
    work: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s (work {self.work:.2f})"

    def beside(self, what: str, other: "Time") -> str:
        """Return a peer and the ratio of the work to it."""
        return f"{what} {other}, ratio {self.work / other.work:.2f}"


def timed(work: Callable[[], object]) -> Time:
    """Return how long something takes."""
    wall, spent = time.perf_counter(), time.process_time()
    work()
    return Time(time.perf_counter() - wall, time.process_time() - spent)


def speed() -> list[Row]:
    """Measure how long the parts of a report take."""
    return [_test(3, 100, 2), _test(26, 200, 15), *_study(), _curve(26, 200)]


def _test(classes: int, photos: int, target: float) -> Row:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    embeddings, labels, groups = made(classes, photos)
    seen = unlike(len(labels))
    ours = timed(lambda: evaluation.cross_validate(embeddings, labels, groups, classes, TrainSettings(), seen.hashes))
    peer = LogisticRegression(C=0.01, max_iter=200)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    theirs = timed(lambda: cross_val_predict(peer, embeddings, labels, groups=groups, cv=folds))
    return Row(
        f"5-fold test of {classes} x {photos} photos",
        f"< {target} s",
        str(ours),
        ours.beside("scikit-learn", theirs),
        "near-duplicates, folds, a head for each, calibration; beside logistic regression in as many folds",
        ours.wall < target,
    )


def _study() -> list[Row]:
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    classes = 25
    embeddings, labels, groups = made(classes, MANY // classes)
    logits = np.random.default_rng(1).normal(size=(MANY, classes)).astype(np.float32)
    # About a fifth of all answers are wrong, so that there is much to look into.
    logits[np.arange(MANY), labels] += 3
    places = np.array([int(group) % 5 for group in groups], np.int64)
    evidence = Evidence(embeddings, labels, groups, groups, classes, TrainSettings(), places, logits, unlike(MANY))
    plan = timed(lambda: mapping.pca(embeddings))
    peer = timed(lambda: PCA(2, random_state=0).fit_transform(embeddings))
    found = timed(lambda: doctor.suspects(evidence))
    neighbours = NearestNeighbors(n_neighbors=20, algorithm="brute")
    near = timed(lambda: neighbours.fit(embeddings).kneighbors())
    how = f"{MANY} photos of {classes} classes, {WIDTH} values each"
    both = Time(found.wall + plan.wall, found.work + plan.work)
    return [
        Row("map of 10,000 photos", "< 2 s", str(plan), plan.beside("scikit-learn's PCA", peer), how, plan.wall < 2),
        Row("Doctor for 10,000 photos", "", str(found), found.beside("its 20 neighbours of each", near), how),
        Row("Doctor and map for 10,000 photos", "< 20 s", str(both), met=both.wall < 20),
    ]


def _curve(classes: int, photos: int) -> Row:
    embeddings, labels, groups = made(classes, photos)
    evidence = examined(embeddings, labels, groups, unlike(len(labels)))
    one = timed(lambda: evaluation.random_split(embeddings, labels, classes, TrainSettings()))
    ours = timed(lambda: learning.curve(evidence, lambda part: None))
    name = f"learning curve of {classes} x {photos} photos"
    return Row(name, "", str(ours), ours.beside("a 5-fold test", one))


def confident_learning(evidence: Evidence) -> NDArray[np.int64]:
    """Return rows that confident learning alone calls mislabelled, the likeliest first, int64 `[M]`.

    A photo is one if another class is named with at least the probability that photos of that class usually get for it
    (Northcutt, Jiang and Chuang 2021); they are ranked by how much more probable it is than the class they are in.
    """
    rows = np.flatnonzero(evidence.folds >= 0)
    powers = np.exp(evidence.logits[rows] - evidence.logits[rows].max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    given = shares[np.arange(len(rows)), evidence.labels[rows]]
    usual = np.array([given[evidence.labels[rows] == one].mean() for one in range(evidence.class_count)])
    confident = np.where(shares >= usual, shares, 0)
    other = confident.argmax(axis=1)
    margin = confident.max(axis=1) - given
    found = np.flatnonzero((other != evidence.labels[rows]) & (confident.max(axis=1) > 0))
    return rows[found[np.argsort(-margin[found], kind="stable")]]


def quality(photos: PhotoSet, embed: Callable[[Sequence[Image]], Embeddings], key: str) -> Iterator[str]:
    """Yield the lines of the tables of one set."""
    embeddings = datasets.embeddings_of(photos, key, embed)
    groups = _recordings(photos.labels)
    seen = looks.stack([looks.measure(images.load(path)) for path in photos.photos])
    clean = examined(embeddings, photos.labels, groups, seen)
    found = doctor.suspects(clean)
    told = ", ".join(f"{suspect.kind} ({len(suspect.rows)})" for suspect in found) or "nothing"
    yield f"{photos.name}, {len(photos.photos)} photos as they are: {len(found)} findings: {told}"
    for seed in range(SEEDS):
        yield _flips(clean, groups, seed)
    for name, change in {"blurred": _blurred, "dark": _dark}.items():
        rows = np.sort(np.random.default_rng(0).choice(len(seen.hashes), round(SHARE * len(seen.hashes)), False))
        worse = looks.stack([looks.measure(change(images.load(photos.photos[row]))) for row in rows])
        suspects = doctor.suspects(replace(clean, looks=_exchanged(seen, rows, worse)))
        named = {row for suspect in suspects if suspect.kind == name for row in suspect.rows}
        hits = len(named & set(rows.tolist()))
        yield f"  {len(rows)} {name} copies: {hits} found, {len(named) - hits} others named"


def _flips(clean: Evidence, groups: Sequence[str], seed: int) -> str:
    generator = np.random.default_rng(seed)
    rows = generator.choice(len(clean.labels), round(SHARE * len(clean.labels)), replace=False)
    labels = clean.labels.copy()
    labels[rows] = (labels[rows] + generator.integers(1, clean.class_count, len(rows))) % clean.class_count
    evidence = examined(clean.embeddings, labels, groups, clean.looks)
    suspects = [one for one in doctor.suspects(evidence) if one.kind in ("mislabelled", "repeated")]
    named = list(dict.fromkeys(row for one in suspects for row in one.rows if labels[row] != one.target))
    peer = confident_learning(evidence)
    wrong = set(rows.tolist())
    return (
        f"  {len(rows)} wrong labels, seed {seed}: {_hits(named, wrong)}; confident learning alone: "
        f"{_hits(peer.tolist(), wrong)}"
    )


def _hits(named: Sequence[int], wrong: set[int]) -> str:
    first = named[:10]
    return f"{len(wrong & set(named))} of {len(named)} named are, {len(wrong & set(first))} of the first {len(first)}"


def _recordings(labels: Labels) -> list[str]:
    """Return a recording for every five consecutive photos of a class."""
    return [f"{one}-{np.count_nonzero(labels[:row] == one) // _BLOCK}" for row, one in enumerate(labels.tolist())]


def _blurred(photo: Image) -> Image:
    """Blur by a hundredth of the shorter side."""
    picture: Image = np.asarray(PIL.Image.fromarray(photo).filter(GaussianBlur(min(photo.shape[:2]) / 100)))
    return picture


def _dark(photo: Image) -> Image:
    """Leave a sixth of the light, and the noise that a camera adds then."""
    noise = np.random.default_rng(0).normal(0, 2, photo.shape)
    dark: Image = np.clip(photo / 6 + noise, 0, 255).astype(np.uint8)
    return dark


def _exchanged(seen: Looks, rows: NDArray[np.int64], others: Looks) -> Looks:
    columns = {field.name: getattr(seen, field.name).copy() for field in fields(Looks)}
    for name, column in columns.items():
        column[rows] = getattr(others, name)
    return Looks(**columns)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.report", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, nargs="?", help="sets of photos, each a folder of class folders")
    given = parser.parse_args(arguments)
    if given.folder is None:
        print(render(speed()))
        return
    try:
        library = Library(settings.networks_folder(settings.home()))
        builtin = library.builtin()
        embedder = Embedder(library.read(builtin))
        for one in datasets.find(given.folder):
            print(f"{one.name} …", file=sys.stderr)
            print("\n".join(quality(one, embedder.embed, builtin.fingerprint)), flush=True)
    except (Unusable, TeachableError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
