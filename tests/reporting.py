"""A report made up for tests: everything a report can say, with figures that fit together."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image

from teachable.learning import CurvePoint
from teachable.projects.classes import COLORS
from teachable.report import (
    Action,
    ClassReport,
    Finding,
    Learning,
    Report,
    SampleMap,
    Share,
    TestedPhoto,
    TestReport,
)
from teachable.scores import Calibration, CalibrationBin
from teachable.types import TrainSettings


def share(correct: int, total: int) -> Share:
    if not total:
        return Share(0, 0, None, None, None)
    found = correct / total
    return Share(correct, total, found, max(0.0, found - 0.1), min(1.0, found + 0.05))


def report(*names: str, unjudged: Sequence[int] = (), **changes: object) -> Report:
    """A report on a model with these classes; of each judged one 8 of 10 photos were named correctly."""
    count = len(names)
    confusion = np.zeros((count, count), int)
    for place in range(count):
        if place not in unjudged:
            confusion[place, place] = 8
            confusion[place, (place + 1) % count] += 2
    places = enumerate(names)
    classes = tuple(_class(place, name, confusion, place not in unjudged, not unjudged) for place, name in places)
    correct, total = int(np.trace(confusion)), int(confusion.sum())
    rows = tuple(tuple(row) for row in confusion.tolist())
    points = tuple(
        CurvePoint(photos, 1 - 0.9 * photos**-0.5, 1 - 1.1 * photos**-0.5, 1 - 0.7 * photos**-0.5, photos <= 40)
        for photos in (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
    )
    bins = (CalibrationBin(0.5, 0.6, 0.55, 0.5, 8), CalibrationBin(0.9, 1.0, 0.95, 0.9, 20))
    of_test = tuple((one.id, share(3, 4) if one.judged else share(0, 0)) for one in classes)
    test = TestReport(share(9, 10), of_test, rows, 3, "Text of the test set.")
    stated: dict[str, object] = {
        "state": "done",
        "fraction": 1.0,
        "model": "m-1",
        "trained": 1.8e9,
        "project": "Fruit",
        "network": "Slim",
        "settings": TrainSettings(),
        "samples": 10 * count,
        "recordings": 2 * count,
        "classes": classes,
        "classes_text": "Classes sentence." if 0 < len(unjudged) < count else "",
        "accuracy": share(correct, total),
        "headline": "Headline sentence.",
        "method": "Method sentence.",
        "random_split": share(total, total),
        "random_text": "Random sentence.",
        "confusion": rows,
        "calibration": Calibration(1.5, 0.12, 0.034, bins),
        "calibration_text": "Calibration sentence.",
        "test": test,
        "learning": Learning(points, "Learning sentence."),
        "learning_text": "Learning sentence.",
        "findings": (
            Finding(
                "f-1",
                "mislabelled",
                "Finding title",
                "Finding sentence.",
                ("c0",),
                tuple(range(1, 13)),
                (Action("move", "Move them", "c1", (1,)), Action("delete", "Delete them", None, (1,))),
            ),
            Finding("f-2", "small", "Small title", "Small sentence.", ("c1",), (), ()),
        ),
        "more_findings": 3,
        "unknown": "Unknown sentence.",
        "limits": ("First limit.", "Second limit."),
    }
    return Report(**{**stated, **changes})  # type: ignore[arg-type]


def _class(
    place: int,
    name: str,
    confusion: np.ndarray,  # type: ignore[type-arg]
    judged: bool,
    all_judged: bool,
) -> ClassReport:
    recall = share(int(confusion[place, place]), int(confusion[place].sum()))
    return ClassReport(
        id=f"c{place}",
        name=name,
        color=COLORS[place % len(COLORS)],
        samples=10,
        recordings=2 if judged else 1,
        judged=judged,
        recall=recall,
        precision=0.75 if all_judged else None,
        f1=0.7 if all_judged else None,
        advice=f"Advice for {name}.",
    )


def mistakes(count: int) -> list[TestedPhoto]:
    """Photos of the first class that were named as the second, the most certain first."""
    return [TestedPhoto(number, "c0", "c1", 0.99 - number / 1000, 0.005, True) for number in range(1, count + 1)]


def thumbnails(ids: Sequence[int]) -> Mapping[int, bytes]:
    """A picture of each sample in a grey of its own."""
    return {id: jpeg(id % 256) for id in ids}


def jpeg(grey: int, side: int = 16) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.full((side, side, 3), grey, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def points(count: int, classes: int) -> SampleMap:
    """A map on which the classes lie round a circle."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    angles = 2 * np.pi * labels / classes
    x = np.clip(0.6 * np.cos(angles) + rng.normal(0, 0.1, count), -1, 1)
    y = np.clip(0.6 * np.sin(angles) + rng.normal(0, 0.1, count), -1, 1)
    return SampleMap(
        method="pca",
        explained=0.43,
        samples=tuple(range(1, count + 1)),
        classes=tuple(labels.tolist()),
        x=tuple(x.tolist()),
        y=tuple(y.tolist()),
        class_ids=tuple(f"c{place}" for place in range(classes)),
        umap=False,
        command="pip install umap",
    )
