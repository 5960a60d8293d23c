"""What travels between the server and the process that trains: every field comes out as it went in."""

import io
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from teachable import children, familiarity, scores, tasks
from teachable.children import Message
from teachable.learning import Curve, CurvePoint
from teachable.scores import Calibration, CalibrationBin, ClassScore, EpochPoint, Evaluation, Outcomes
from teachable.study import Advice, Evidence, Study, Suspect
from teachable.tasks import Outcome, Task
from teachable.types import Familiarity, Head, Layer, Looks, TrainSettings

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def travelled(message: Message) -> Message:
    """Return a message as the other process reads it."""
    pipe = io.BytesIO()
    children.send(pipe, *message)
    pipe.seek(0)
    header, arrays = children.receive(pipe)
    del header["arrays"]
    return header, arrays


def same(one: Any, other: Any) -> bool:
    """Compare records with arrays in them, types included."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if hasattr(one, "__dataclass_fields__"):
        names = [field.name for field in fields(one)]
        return type(one) is type(other) and all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def a_task(**more: Any) -> Task:
    return Task(floats(4, 3), np.array([0, 1, 0, 1]), ["a", "b", "c", "d"], 2, TrainSettings(epochs=3), **more)


@pytest.mark.parametrize(
    "task",
    [
        a_task(),
        a_task(hashes=np.arange(4, dtype=np.uint64), joined=True),
        a_task(test_set=tasks.TestSet(floats(1, 3), np.array([1]), ["t"], np.array([2**63], np.uint64))),
    ],
    ids=["bare", "hashes", "test set"],
)
def test_a_task(task: Task) -> None:
    message = travelled(tasks.task_message("train", task))
    assert message[0]["kind"] == "train"
    assert same(tasks.task_from(*message), task)


def an_outcome(known: Familiarity | None) -> Outcome:
    counts: dict[str, Any] = {"per_class": (ClassScore(1, 2), ClassScore(2, 2)), "confusion": ((1, 1), (0, 2))}
    bins = (CalibrationBin(0.9, 1.0, 0.95, 0.75, 4),)
    score = Evaluation(
        accuracy=0.75,
        low=0.3,
        high=0.95,
        held_out=4,
        correct=3,
        **counts,
        unjudged=(1,),
        history=(EpochPoint(1, 0.5, 1.0, 0.7, 0.5),),
        folds=5,
        recordings=4,
        joined=2,
        calibration=Calibration(1.5, 0.2, 0.1, bins),
        test=scores.TestScore(3, 4, 0.3, 0.95, **counts, leaking=1, ranges=((0.1, 0.9), None)),
    )
    head = Head((Layer(floats(5, 3), floats(5)), Layer(floats(2, 5), floats(2))))
    outcomes = Outcomes(np.arange(4), np.array([0, 1, 0, 1]), floats(4, 2))
    return Outcome(head, score, outcomes, ("a", "b", "a", "c"), known, floats(1, 2))


def a_familiarity() -> Familiarity:
    random = np.random.default_rng(1)
    labels = np.arange(40) % 2
    embeddings = random.normal(size=(40, 6)).astype(np.float32) + labels[:, None].astype(np.float32)
    found = familiarity.fit(embeddings, labels.astype(np.int64), np.arange(40) // 2 % 5)
    assert found is not None
    return found


@pytest.mark.parametrize("known", [True, False])
def test_an_outcome(known: bool) -> None:
    outcome = an_outcome(a_familiarity() if known else None)
    assert same(tasks.outcome_from(*travelled(tasks.outcome_message(outcome))), outcome)


def test_evidence() -> None:
    looks = Looks(np.arange(3, dtype=np.uint64), floats(3), floats(3), floats(3), floats(3, 4, 4, 3))
    logits = floats(3, 2)
    logits[1] = np.nan
    evidence = Evidence(
        embeddings=floats(3, 5),
        labels=np.array([0, 1, 1]),
        groups=["a", "b", "c"],
        captures=["a", "b", "d"],
        class_count=2,
        settings=TrainSettings(seed=7),
        folds=np.array([0, -1, 1]),
        logits=logits,
        looks=looks,
    )
    assert same(tasks.evidence_from(*travelled(tasks.evidence_message(evidence))), evidence)


@pytest.mark.parametrize("bare", [True, False])
def test_a_study(bare: bool) -> None:
    curve = Curve((CurvePoint(5.0, 0.5, 0.25, 0.75, True), CurvePoint(10.0, 0.75, 0.5, 1.0, False)), 0.1, 0.0, 0.2)
    suspects = (Suspect("blurred", (1,), (3, 4), 0, {"share": 0.5, "name": "x"}, 2.0), Suspect("small", (0,)))
    advice = (Advice("more", {"photos": 3}), Advice("enough"))
    full = Study((3, 4), curve, suspects, advice, floats(3, 2), 0.5)
    study = Study(None, None, (), advice, floats(0, 2), 0.0) if bare else full
    assert same(tasks.study_of(*travelled(tasks.study_message(study))), study)
