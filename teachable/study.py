"""Why a model is as good as it is, and what would help: everything a report needs beyond the test itself.

It owns the order of the parts and the advice. Suspects are found by `teachable.doctor`, the learning curve is
`teachable.learning`, the map is `teachable.mapping`; `teachable.reports` puts all of it into words.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from teachable import doctor, evaluation, learning, mapping
from teachable.evidence import Evidence, Suspect
from teachable.learning import Curve, CurvePoint
from teachable.mapping import Points

__all__ = ["Advice", "Curve", "CurvePoint", "Evidence", "Study", "Suspect", "study", "study_from", "without_points"]


# Suspicious photos of a class that are worth a look before anything else: so many, and such a share of it.
_LABELS, _SUSPECTED = 3, 0.05
# Mistakes of a class that are worth a word, and the share of them that one other class must have.
_MISTAKES, _MISTAKEN, _MOSTLY = 3, 0.1, 0.4
# Share of a class's photos named correctly from which nothing needs to be said.
_GOOD, _FAIR = 0.95, 0.8
# How the time is spent; the learning curve takes what is left.
_DRAWN, _SPLIT, _LOOKED = 0.02, 0.4, 0.5


@dataclass(frozen=True)
class Advice:
    """What would help one class most.

    The kinds, the more urgent first:

    - `single`: a second recording, somewhere else.
    - `labels`: look at photos that are probably in the wrong class; `count` of them.
    - `background`: record it in front of other backgrounds.
    - `untested`: a test, for which it has to be recorded once more; nobody knows how well it is recognised.
    - `few`: more photos; `wanted` is what a class should have at least.
    - `confused`: show what tells it from another class, whose index is `other`: `count` of `total` photos tested were
      taken for it.
    - `varied`: record it in other places and from other sides: only `correct` of `total` photos tested were right.
    - `more`: more photos of the same kind would help; `correct` of `total` photos tested were right.
    - `enough`: nothing to do.

    Attributes:
        kind: one of these.
        values: these numbers by name, and always `photos` and `recordings` of the class.
    """

    kind: str
    values: dict[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """What a study found.

    Attributes:
        random_split: photos named correctly, and tested, by a test that splits photos at random, or None. Where the
            fair test tested any, it counts the same ones; studies of before count all.
        curve: what more photos would bring, or None where that cannot be known.
        suspects: what is probably wrong with photos, the most important first.
        advice: for each class, in the order of the model.
        points: of the map by principal components, float32 `[N, 2]`, -1 to 1.
        explained: share of the spread that the map shows.
    """

    random_split: tuple[int, int] | None
    curve: Curve | None
    suspects: tuple[Suspect, ...]
    advice: tuple[Advice, ...]
    points: Points
    explained: float


def study(evidence: Evidence, on_progress: Callable[[float], None]) -> Study:
    """Find out all that can be found out about a trained model without asking a person.

    Args:
        evidence: the photos and what the test said about them. Classes may have lost all their photos since the
            training; then the parts that need a training are left out.
        on_progress: called with the share that is done, 0 to 1; an exception it raises stops the study and reaches
            the caller.

    Raises:
        InvalidInput: embeddings that are not finite.
    """
    points, explained = mapping.pca(evidence.embeddings)
    on_progress(_DRAWN)
    suspects = doctor.suspects(evidence)
    on_progress(_LOOKED - _SPLIT)
    counts = np.bincount(evidence.labels, minlength=evidence.class_count)
    tested = evidence.tested
    split = None
    if len(counts) > 1 and counts.all():
        split = evaluation.random_split(
            evidence.embeddings,
            evidence.labels,
            evidence.class_count,
            evidence.settings,
            # Whoever wants to train waits no longer than until the next word.
            lambda part: on_progress(_LOOKED - _SPLIT * (1 - part)),
            # Shown beside the fair test, it must be about the same photos; without one, about all.
            tested if len(tested) else None,
        )
    on_progress(_LOOKED)
    curve = learning.curve(evidence, lambda part: on_progress(_LOOKED + (1 - _LOOKED) * part))
    on_progress(1.0)
    return Study(split, curve, suspects, _advice(evidence, suspects, curve), points, explained)


def _advice(evidence: Evidence, suspects: Sequence[Suspect], curve: Curve | None) -> tuple[Advice, ...]:
    """Return one piece of advice for each class."""
    astray: Counter[int] = Counter()
    given_away: set[int] = set()
    for suspect in suspects:
        if suspect.kind in ("mislabelled", "repeated"):
            rows = [row for row in suspect.rows if evidence.labels[row] != suspect.target]
            astray.update(evidence.labels[rows].tolist())
        if suspect.kind == "background":
            given_away.update(suspect.classes)
    rising = curve is not None and curve.trend == "rising"
    return tuple(
        _advice_for(evidence, index, astray[index], index in given_away, rising)
        for index in range(evidence.class_count)
    )


def _advice_for(evidence: Evidence, index: int, astray: int, given_away: bool, rising: bool) -> Advice:
    """Return what is most urgent for one class."""
    rows = np.flatnonzero(evidence.labels == index)
    recordings = len({evidence.groups[row] for row in rows.tolist()})
    values: dict[str, float | int | str] = {"photos": len(rows), "recordings": recordings}
    if recordings == 1:
        return Advice("single", values)
    if astray >= max(_LABELS, _SUSPECTED * len(rows)):
        return Advice("labels", {**values, "count": astray})
    if given_away:
        return Advice("background", values)
    if len(rows) < doctor.FEW:
        return Advice("few", {**values, "wanted": doctor.WANTED})
    tested = rows[(evidence.folds[rows] >= 0) & np.isfinite(evidence.logits[rows]).all(axis=1)]
    total = len(tested)
    said = np.bincount(evidence.logits[tested].argmax(axis=1), minlength=evidence.class_count) if total else None
    if said is None:
        return Advice("untested", values)
    correct = int(said[index])
    said[index] = 0
    other, mistakes = int(said.argmax()), total - correct
    if said[other] >= max(_MISTAKES, _MISTAKEN * total) and said[other] >= _MOSTLY * mistakes:
        return Advice("confused", {**values, "other": other, "count": int(said[other]), "total": total})
    if correct < _FAIR * total:
        return Advice("varied", {**values, "correct": correct, "total": total})
    if rising and correct < _GOOD * total:
        return Advice("more", {**values, "correct": correct, "total": total})
    # Nothing else is wrong, so a few photos are what there is to look at.
    return Advice("labels", {**values, "count": astray}) if astray else Advice("enough", values)


def without_points(study: Study) -> dict[str, Any]:
    """Return a study as plain values but for its points, which travel and are kept in another way; see `study_from`."""
    found = asdict(replace(study, points=np.empty((0, 2), np.float32)))
    del found["points"]
    return found


def study_from(found: Mapping[str, Any]) -> Study:
    """Make a study of what `dataclasses.asdict` made of one, also by way of JSON.

    Raises:
        KeyError: something is missing.
        TypeError: something is of another kind.
    """
    split, curve = found["random_split"], found["curve"]
    return Study(
        random_split=None if split is None else (int(split[0]), int(split[1])),
        curve=None if curve is None else _curve_from(curve),
        suspects=tuple(
            Suspect(**{**suspect, "classes": tuple(suspect["classes"]), "rows": tuple(suspect["rows"])})
            for suspect in found["suspects"]
        ),
        advice=tuple(Advice(**advice) for advice in found["advice"]),
        points=np.asarray(found["points"], np.float32).reshape(-1, 2),
        explained=float(found["explained"]),
    )


def _curve_from(found: Mapping[str, Any]) -> Curve:
    """Make a curve of plain values; those of before hold a trend, which was told by another rule."""
    points = tuple(CurvePoint(**point) for point in found["points"])
    return Curve(points, found["gain"], found["gain_low"], found["gain_high"])
