"""Why a model is as good as it is, and what would help: everything a report needs beyond the test itself.

It owns the order of the parts and the advice. Suspects are found by `teachable.doctor`, the learning curve is
`teachable.learning`, the map is `teachable.mapping`; `teachable.reports` puts all of it into words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from teachable import mapping
from teachable.doctor import Evidence, Suspect
from teachable.learning import Curve, CurvePoint
from teachable.mapping import Points

__all__ = ["Advice", "Curve", "CurvePoint", "Evidence", "Study", "Suspect", "study", "study_from"]


@dataclass(frozen=True)
class Advice:
    """What would help one class most.

    Attributes:
        kind: `single` (a second recording, somewhere else), `labels` (look at photos that are probably in the wrong
            class), `background` (record it in front of other backgrounds), `confused` (show what tells it from another
            class), `few` (more photos), `varied` (recordings in other places and from other sides), `more` (more
            photos of the same kind) or `enough`.
        values: `photos` and `recordings` of the class always; `other`, the index of a class, and `count` and `total`
            photos with `confused`; `count` photos with `labels`; `wanted` photos with `few`; `correct` and `total`
            with `varied`.
    """

    kind: str
    values: dict[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """What a study found.

    Attributes:
        random_split: photos named correctly, and tested, by a test that splits photos at random, or None.
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
        evidence: the photos and what the test said about them.
        on_progress: called with the share that is done, 0 to 1; an exception it raises stops the study and reaches
            the caller.

    Raises:
        InvalidInput: embeddings that are not finite.
    """
    on_progress(0.0)
    points, explained = mapping.pca(evidence.embeddings)
    on_progress(1.0)
    return Study(None, None, (), (Advice("enough"),) * evidence.class_count, points, explained)


def study_from(found: Mapping[str, Any]) -> Study:
    """Make a study of what `dataclasses.asdict` made of one, also by way of JSON.

    Raises:
        KeyError: something is missing.
        TypeError: something is of another kind.
    """
    split, curve = found["random_split"], found["curve"]
    return Study(
        random_split=None if split is None else (int(split[0]), int(split[1])),
        curve=None if curve is None else Curve(**{**curve, "points": tuple(CurvePoint(**p) for p in curve["points"])}),
        suspects=tuple(
            Suspect(**{**suspect, "classes": tuple(suspect["classes"]), "rows": tuple(suspect["rows"])})
            for suspect in found["suspects"]
        ),
        advice=tuple(Advice(**advice) for advice in found["advice"]),
        points=np.asarray(found["points"], np.float32).reshape(-1, 2),
        explained=float(found["explained"]),
    )
