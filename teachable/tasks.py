"""What the process that trains is asked and what it answers, and how both travel.

It owns these records and their form as messages of `teachable.children`, in both directions. Who asks is
`teachable.training`, who answers `teachable.trainee`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from teachable.children import Arrays, Message
from teachable.evaluation import Examination
from teachable.projects.records import evaluation_from
from teachable.scores import Evaluation, Outcomes
from teachable.study import Evidence, Study, study_from, without_points
from teachable.types import Embeddings, Familiarity, Head, Labels, Layer, Looks, TrainSettings

Phase = Literal["testing", "fitting"]
_FAMILIARITY = "familiarity."


@dataclass(frozen=True)
class TestSet:
    """Photos that are never trained on.

    Attributes:
        embeddings: float32 `[T, D]`.
        labels: int64 `[T]`, index of the class.
        groups: capture group of each row.
        hashes: perceptual hash of each, uint64 `[T]`.
    """

    embeddings: Embeddings
    labels: Labels
    groups: Sequence[str]
    hashes: NDArray[np.uint64]


@dataclass(frozen=True)
class Task:
    """What a head is trained on.

    Attributes:
        embeddings: float32 `[N, D]`.
        labels: int64 `[N]`, index of the class.
        groups: capture group of each row.
        class_count: number of classes.
        settings: of the training.
        hashes: perceptual hash of each row, uint64 `[N]`, or None where they are not known.
        test_set: photos to test the finished model with, or None.
        joined: near-duplicates share a group already.
    """

    embeddings: Embeddings
    labels: Labels
    groups: Sequence[str]
    class_count: int
    settings: TrainSettings
    hashes: NDArray[np.uint64] | None = None
    test_set: TestSet | None = None
    joined: bool = False


@dataclass(frozen=True)
class Outcome:
    """A head fitted on every sample, and what is honestly known about it.

    Attributes:
        head: calibrated.
        evaluation: of heads that were fitted without the recordings they were tested on.
        outcomes: the same photo by photo.
        groups: recording of each row, after near-duplicates were joined.
        familiarity: what "not sure" is told by, or None where too little was held out.
        test_logits: of the test set by this head, float32 `[T, K]`.
    """

    head: Head
    evaluation: Evaluation
    outcomes: Outcomes
    groups: tuple[str, ...]
    familiarity: Familiarity | None
    test_logits: NDArray[np.float32]


def task_message(kind: str, task: Task) -> Message:
    """Return the message that asks for something to be done with a task; `task_from` reads it."""
    header = {
        "kind": kind,
        "class_count": task.class_count,
        "groups": list(task.groups),
        "settings": asdict(task.settings),
        "joined": task.joined,
    }
    arrays: dict[str, NDArray[Any]] = {"embeddings": task.embeddings, "labels": task.labels}
    if task.hashes is not None:
        arrays["hashes"] = task.hashes
    if task.test_set is not None:
        header["test_groups"] = list(task.test_set.groups)
        arrays["test_embeddings"], arrays["test_labels"] = task.test_set.embeddings, task.test_set.labels
        arrays["test_hashes"] = task.test_set.hashes
    return header, arrays


def task_from(header: Mapping[str, Any], arrays: Arrays) -> Task:
    """Read a task."""
    test_set = None
    if "test_groups" in header:
        parts = (arrays["test_embeddings"], arrays["test_labels"], header["test_groups"], arrays["test_hashes"])
        test_set = TestSet(*parts)
    return Task(
        arrays["embeddings"],
        arrays["labels"],
        header["groups"],
        int(header["class_count"]),
        TrainSettings(**header["settings"]),
        arrays.get("hashes"),
        test_set,
        header["joined"],
    )


def outcome_message(outcome: Outcome) -> Message:
    """Return the message that holds an outcome; `outcome_from` reads it."""
    header: dict[str, Any] = {
        "kind": "done",
        "evaluation": asdict(outcome.evaluation),
        "groups": list(outcome.groups),
        "familiarity": None,
    }
    arrays: dict[str, NDArray[Any]] = {**_layers(outcome.head), "test_logits": outcome.test_logits}
    arrays |= {name: getattr(outcome.outcomes, name) for name in _names(Outcomes)}
    if outcome.familiarity is not None:
        values = {name: getattr(outcome.familiarity, name) for name in _names(Familiarity)}
        header["familiarity"] = {name: one for name, one in values.items() if not isinstance(one, np.ndarray)}
        arrays |= {_FAMILIARITY + name: one for name, one in values.items() if isinstance(one, np.ndarray)}
    return header, arrays


def outcome_from(header: Mapping[str, Any], arrays: Arrays) -> Outcome:
    """Read an outcome."""
    known = None
    if header["familiarity"] is not None:
        parts: dict[str, Any] = {
            name.removeprefix(_FAMILIARITY): array for name, array in arrays.items() if _FAMILIARITY in name
        }
        known = Familiarity(**parts, **header["familiarity"])
    return Outcome(
        _head(arrays),
        evaluation_from(header["evaluation"]),
        Outcomes(**{name: arrays[name] for name in _names(Outcomes)}),
        tuple(header["groups"]),
        known,
        arrays["test_logits"],
    )


def examination_message(test: Examination) -> Message:
    """Return the message that holds a test; `examination_from` reads it."""
    rows = {"held_out": test.held_out, "predicted": test.predicted}
    return {"kind": "done", "evaluation": asdict(test.evaluation)}, {**rows, **_layers(test.head)}


def examination_from(header: Mapping[str, Any], arrays: Arrays) -> Examination:
    """Read a test."""
    score = evaluation_from(header["evaluation"])
    return Examination(score, arrays["held_out"], arrays["predicted"], _head(arrays))


def evidence_message(evidence: Evidence) -> Message:
    """Return the message that asks for a study; `evidence_from` reads it."""
    header: dict[str, Any] = {"kind": "study", "settings": asdict(evidence.settings)}
    arrays: dict[str, NDArray[Any]] = {f"looks_{name}": getattr(evidence.looks, name) for name in _names(Looks)}
    for name in _names(Evidence) - {"settings", "looks"}:
        value = getattr(evidence, name)
        if isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            header[name] = value if isinstance(value, int) else list(value)
    return header, arrays


def evidence_from(header: Mapping[str, Any], arrays: Arrays) -> Evidence:
    """Read what a study is made of."""
    looks = Looks(**{name: arrays[f"looks_{name}"] for name in _names(Looks)})
    known: dict[str, Any] = {**header, **arrays}
    plain = {name: known[name] for name in _names(Evidence) - {"settings", "looks"}}
    return Evidence(**plain, settings=TrainSettings(**header["settings"]), looks=looks)


def study_message(study: Study) -> Message:
    """Return the message that holds a study; `study_of` reads it."""
    return {"kind": "done", "study": without_points(study)}, {"points": study.points}


def study_of(header: Mapping[str, Any], arrays: Arrays) -> Study:
    """Read a study."""
    return study_from({**header["study"], "points": arrays["points"]})


def _names(record: type) -> set[str]:
    return {field.name for field in fields(record)}


def _layers(head: Head) -> dict[str, NDArray[np.float32]]:
    """Return a head as arrays of a message; `_head` reads them."""
    layers = {}
    for index, layer in enumerate(head.layers):
        layers[f"weight{index}"], layers[f"bias{index}"] = layer.weight, layer.bias
    return layers


def _head(arrays: Arrays) -> Head:
    count = sum(name.startswith("weight") for name in arrays)
    return Head(tuple(Layer(arrays[f"weight{index}"], arrays[f"bias{index}"]) for index in range(count)))
