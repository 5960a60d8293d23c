"""The child process that trains: it loads torch, waits, and does what `teachable.tasks` says.

It owns the order in which the modules of the mathematics are called. Who asks it is `teachable.training`.
"""

import queue
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import IO, TYPE_CHECKING

import numpy as np

from teachable import children, tasks
from teachable.children import Arrays, Message, send
from teachable.errors import TeachableError
from teachable.scores import EpochPoint
from teachable.tasks import Outcome, Phase, Task

if TYPE_CHECKING:
    from teachable.evaluation import CrossValidation

Answer = Callable[..., None]
"""Sends a header and its arrays to the parent."""


class _Interrupted(Exception):  # noqa: N818 - reads as what it is
    """The parent has something more urgent."""


def _train(task: Task, answer: Answer) -> None:
    """Test heads, fit the one that is handed out, and measure what only that one can say."""
    from teachable import calibration, duplicates, evaluation, familiarity, heads

    tested = _cross_validate(task, answer)
    score, test = tested.evaluation, task.test_set
    fitted = heads.fit(
        task.embeddings, task.labels, task.class_count, task.settings, on_epoch=_fitting(task.settings.epochs, answer)
    )
    head = calibration.scaled(fitted.head, score.calibration.temperature) if score.calibration else fitted.head
    test_logits = np.empty((0, task.class_count), np.float32)
    if test is not None:
        test_logits = heads.logits(head, test.embeddings)
        leaking = duplicates.leaking(
            duplicates.Photos(test.embeddings, test.hashes, test.labels, test.groups),
            duplicates.Photos(task.embeddings, task.hashes, task.labels, task.groups),
        )
        found = evaluation.test_score(head, test.embeddings, test.labels, task.class_count, test.groups, leaking)
        score = replace(score, test=found)
    known = familiarity.fit(task.embeddings, task.labels, tested.folds)
    answer(*tasks.outcome_message(Outcome(head, score, tested.outcomes, tuple(tested.groups), known, test_logits)))


def _cross_validate(task: Task, answer: Answer) -> "CrossValidation":
    from teachable import evaluation

    return evaluation.cross_validate(
        task.embeddings,
        task.labels,
        task.groups,
        task.class_count,
        task.settings,
        task.hashes,
        join=not task.joined,
        on_epoch=_reporter("testing", answer),
    )


def _test(task: Task, answer: Answer) -> None:
    """Only test, in the same way."""
    answer({"kind": "done", "evaluation": asdict(_cross_validate(task, answer).evaluation)})


def _examine(task: Task, answer: Answer) -> None:
    """Test on one part of the photos, and hand out the head."""
    from teachable import evaluation

    report = _fitting(task.settings.epochs, answer, "testing")
    test = evaluation.examine(task.embeddings, task.labels, task.groups, task.class_count, task.settings, report)
    answer(*tasks.examination_message(test))


def _reporter(phase: Phase, answer: Answer) -> Callable[[float, EpochPoint], None]:
    return lambda share, point: answer({"kind": "epoch", "phase": phase, "share": share, "point": asdict(point)})


def _fitting(epochs: int, answer: Answer, phase: Phase = "fitting") -> Callable[[EpochPoint], None]:
    report = _reporter(phase, answer)
    return lambda point: report(point.epoch / epochs, point)


def _study(message: Message, answer: Answer, urgent: Callable[[], bool]) -> None:
    """Find out why, as long as nothing more urgent comes."""
    from teachable.study import study

    def report(share: float) -> None:
        if urgent():
            raise _Interrupted
        answer({"kind": "progress", "share": share})

    answer(*tasks.study_message(study(tasks.evidence_from(*message), report)))


def _points(message: Message, answer: Answer) -> None:
    """Lay photos out on a plane."""
    from teachable import mapping

    header, arrays = message
    if header["method"] == "umap":
        answer({"kind": "done", "explained": None}, {"points": mapping.umap(arrays["embeddings"], int(header["seed"]))})
        return
    points, explained = mapping.pca(arrays["embeddings"])
    answer({"kind": "done", "explained": explained}, {"points": points})


def _answer(message: Message, answer: Answer, urgent: Callable[[], bool]) -> None:
    kind = message[0]["kind"]
    if kind == "study":
        _study(message, answer, urgent)
    elif kind == "points":
        _points(message, answer)
    elif kind != "stop":  # which came too late: what it was to stop has ended
        {"train": _train, "test": _test, "examine": _examine}[kind](tasks.task_from(*message), answer)


def _serve(messages: "queue.SimpleQueue[Message]", answers: IO[bytes]) -> None:
    """Load what takes long to load, then work on tasks one after the other."""
    import traceback

    # Loading them now is what this process is for.
    import sklearn.cluster  # noqa: F401
    import torch  # noqa: F401

    def answer(header: dict[str, object], arrays: Arrays | None = None) -> None:
        send(answers, header, arrays)

    while True:
        message = messages.get()
        try:
            _answer(message, answer, lambda: not messages.empty())
        except _Interrupted:
            answer({"kind": "interrupted"})
        except TeachableError as error:
            answer(children.refusal(error))
        except Exception:  # noqa: BLE001 - the parent logs it and tells the person; this process goes on
            answer({"kind": "crashed", "trace": traceback.format_exc()})


def main() -> None:
    """Entry point of the child."""
    children.serve(_serve)
