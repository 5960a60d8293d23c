"""Training in a child process, so that torch never lives in the server.

Importing torch takes two seconds and half a gigabyte. The child is started ahead of time, waits with torch loaded, and
fits heads on the embeddings it is sent. Killing it is how a training is cancelled, and a crash in it is an error
message, not the end of the server. It owns the process and whose turn it is; what is asked and answered is in
`teachable.tasks`, what the child does in `teachable.trainee`.
"""

import logging
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from teachable import children, tasks
from teachable.children import Message, receive, send
from teachable.errors import Cancelled, TeachableError
from teachable.evaluation import Examination
from teachable.projects.records import evaluation_from
from teachable.scores import EpochPoint, Evaluation
from teachable.study import Evidence, Study
from teachable.tasks import Outcome, Phase, Task, TestSet
from teachable.types import Embeddings

__all__ = ["Outcome", "Phase", "Report", "Task", "TestSet", "Trainer"]

log = logging.getLogger(__name__)

Report = Callable[[Phase, float, EpochPoint], None]
"""Is told the phase, how much of it is done, 0 to 1, and the state after an epoch."""
# How often a task that waits for its turn looks whether it was cancelled.
_LOOK_SECONDS = 0.1
_CHILD = "import sys; sys.path.append(sys.argv[1]); from teachable.trainee import main; main()"


class _Turns:
    """Lets one at a time do something, in the order in which they came.

    A lock would let in anybody: where thirty people train at the same time, some would wait much longer than others.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._line: deque[threading.Event] = deque()
        self._taken = False

    def take(self, cancelled: threading.Event) -> None:
        """Wait for the turn; `give_back` ends it.

        Raises:
            Cancelled: it was given up before the turn came.
        """
        place = threading.Event()  # anything that is unlike all others
        with self._change:
            self._line.append(place)
            try:
                while self._taken or self._line[0] is not place:
                    if cancelled.is_set():
                        raise Cancelled
                    self._change.wait(_LOOK_SECONDS)
                self._taken = True
            finally:
                self._line.remove(place)
                self._change.notify_all()

    def give_back(self) -> None:
        """Let the next one begin."""
        with self._change:
            self._taken = False
            self._change.notify_all()


class Trainer:
    """Owns one child process and lets it work on one task at a time; safe to call from several threads.

    Trainings and tests have the first turn: a study or a map stops for them, and begins anew.
    """

    def __init__(self) -> None:
        self._turns = _Turns()
        self._spare = _Turns()
        self._state = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._unable = False
        self._running: threading.Event | None = None
        self._urgent = 0
        # The child is on something that nothing but its end stops, and that is less urgent than a training.
        self._giving_way = False
        self._ended_for_urgent = False

    def warm_up(self) -> None:
        """Start the child, so that torch is loaded by the time somebody clicks Train. Returns at once.

        It is no error if that fails now, and a child that died is not replaced, because the page asks for this often:
        the training will try again, and say it.
        """
        with self._state:
            if self._closed or self._unable or self._child is not None:
                return
            try:
                self._start()
            except OSError:
                self._unable = True
                log.warning("the training process could not be started", exc_info=True)

    def _start(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise Cancelled
        if self._child is not None and self._child.poll() is not None:
            children.end(self._child)
            self._child = None
        if self._child is None:
            self._child = children.start(_CHILD)
            self._unable = False
        return self._child

    def run(self, task: Task, on_epoch: Report, cancelled: threading.Event) -> Outcome:
        """Evaluate and fit one head; waits for its turn if another task is running.

        Args:
            task: what to train on.
            on_epoch: called after every epoch, from the calling thread.
            cancelled: set it, and call `stop`, to give up.

        Raises:
            Cancelled: it was given up.
            TeachableError: the samples or settings cannot be trained on, or the child died.
        """
        return tasks.outcome_from(*self._urgently(tasks.task_message("train", task), on_epoch, cancelled))

    def test(self, task: Task, on_epoch: Report, cancelled: threading.Event) -> Evaluation:
        """Only evaluate; otherwise as `run`."""
        return evaluation_from(self._urgently(tasks.task_message("test", task), on_epoch, cancelled)[0]["evaluation"])

    def examine(self, task: Task, on_epoch: Report, cancelled: threading.Event) -> Examination:
        """Test once, on one part of the photos, and say what each was named, and by which head; otherwise as `run`."""
        return tasks.examination_from(*self._urgently(tasks.task_message("examine", task), on_epoch, cancelled))

    def study(self, evidence: Evidence, on_progress: Callable[[float], None], cancelled: threading.Event) -> Study:
        """Find out why a model is as good as it is, and what would help; whatever is more urgent goes first.

        Args:
            evidence: what it was taught with, and what its test said.
            on_progress: called with how much is done, 0 to 1.
            cancelled: set it, and call `stop`, to give up.

        Raises:
            Cancelled: it was given up.
            TeachableError: the child died.
        """
        message = tasks.evidence_message(evidence)
        while True:
            self._wait_for_urgent(cancelled)
            answer, arrays = self._ask(message, lambda told: on_progress(told["share"]), cancelled, yielding=True)
            if answer["kind"] != "interrupted":
                _require_done(answer)
                return tasks.study_of(answer, arrays)

    def points(
        self, embeddings: Embeddings, method: Literal["pca", "umap"], seed: int, cancelled: threading.Event
    ) -> tuple[NDArray[np.float32], float | None]:
        """Lay photos out on a plane; see `teachable.mapping`. Whatever is more urgent goes first.

        Args:
            embeddings: float32 `[N, D]`.
            method: how.
            seed: of the chance in it.
            cancelled: set it, and call `stop`, to give up.

        Returns:
            Points float32 `[N, 2]`, -1 to 1, and the share of the spread they explain, if the method knows it.

        Raises:
            Cancelled: it was given up.
            TeachableError: the method is not installed, or the child died.
        """
        header = {"kind": "points", "method": method, "seed": seed}
        while True:
            self._wait_for_urgent(cancelled)
            answer, arrays = self._ask(
                (header, {"embeddings": embeddings}), lambda told: None, cancelled, giving_way=True
            )
            if answer["kind"] != "interrupted":
                _require_done(answer)
                return arrays["points"], answer["explained"]

    def _urgently(self, message: Message, on_epoch: Report, cancelled: threading.Event) -> Message:
        """Ask for something that people wait for."""

        def report(told: Mapping[str, Any]) -> None:
            on_epoch(told["phase"], told["share"], EpochPoint(**told["point"]))

        with self._state:
            self._urgent += 1
            if self._giving_way and self._child is not None:
                self._ended_for_urgent = True
                self._child.kill()
        try:
            answer, arrays = self._ask(message, report, cancelled)
        finally:
            with self._state:
                self._urgent -= 1
        _require_done(answer)
        return answer, arrays

    @contextmanager
    def spare_turn(self, cancelled: threading.Event) -> Iterator[None]:
        """Let one at a time do something for which nobody waits, once no training or test is wanted.

        Raises:
            Cancelled: it was given up before the turn came.
        """
        self._spare.take(cancelled)
        try:
            self._wait_for_urgent(cancelled)
            yield
        finally:
            self._spare.give_back()

    def _wait_for_urgent(self, cancelled: threading.Event) -> None:
        while self._is_urgent():
            if cancelled.wait(_LOOK_SECONDS):
                raise Cancelled

    def _is_urgent(self) -> bool:
        with self._state:
            return self._urgent > 0

    def _ask(
        self,
        message: Message,
        report: Callable[[Mapping[str, Any]], None],
        cancelled: threading.Event,
        *,
        yielding: bool = False,
        giving_way: bool = False,
    ) -> Message:
        """Have the child work on something and return its last word.

        Args:
            message: what is asked.
            report: is told everything it says before.
            cancelled: set when nobody wants it any more.
            yielding: tell the child to stop when something urgent comes.
            giving_way: end the child when something urgent comes.
        """
        self._turns.take(cancelled)
        child = None
        whole = False
        try:
            with self._state:
                if cancelled.is_set():
                    raise Cancelled
                if giving_way and self._urgent:
                    return {"kind": "interrupted"}, {}  # it came since the last look
                child = self._start()
                self._running = cancelled
                self._giving_way, self._ended_for_urgent = giving_way, False
            answer, arrays = self._converse(child, message, report, yielding)
            whole = True
        except (OSError, EOFError) as error:
            if cancelled.is_set() or self._closed:
                raise Cancelled from error
            if not self._ended_for_urgent:
                log.warning("the training process died or could not be started", exc_info=True)
                raise TeachableError("training_died") from error
            answer, arrays = {"kind": "interrupted"}, {}
        finally:
            with self._state:
                self._running = None
                # Whoever ended it may have done so a moment ago, and a broken conversation cannot be taken up again.
                spent = child is not None and (not whole or cancelled.is_set() or self._ended_for_urgent)
                self._giving_way = self._ended_for_urgent = False
                if child is not None and spent:
                    children.end(child)
                    self._child = None
            if spent:
                self.warm_up()
            self._turns.give_back()
        if cancelled.is_set():
            raise Cancelled
        return answer, arrays

    def _converse(
        self,
        child: subprocess.Popen[bytes],
        message: Message,
        report: Callable[[Mapping[str, Any]], None],
        yielding: bool,
    ) -> Message:
        """Ask, pass on how it goes and return the last word of the child."""
        if child.stdin is None or child.stdout is None:
            raise EOFError
        send(child.stdin, *message)
        told_to_stop = False
        while True:
            answer, arrays = receive(child.stdout)
            if answer["kind"] not in ("epoch", "progress"):
                return answer, arrays
            report(answer)
            if yielding and not told_to_stop and self._is_urgent():
                send(child.stdin, {"kind": "stop"})
                told_to_stop = True

    def stop(self, cancelled: threading.Event) -> None:
        """Kill the child if it is on the task with this event; the call then raises `Cancelled`."""
        with self._state:
            if self._running is cancelled and self._child is not None:
                self._child.kill()

    def close(self) -> None:
        """End the child; what it works on is given up."""
        with self._state:
            self._closed = True
            if self._child is not None:
                self._child.kill()
        # Whoever talks to the child notices its end and cleans up; nobody can begin another conversation.
        self._turns.take(threading.Event())
        with self._state:
            child, self._child = self._child, None
        self._turns.give_back()
        if child is not None:
            children.end(child)


def _require_done(answer: Mapping[str, Any]) -> None:
    """Raise the error that the last word of the child is, if it is one."""
    if answer["kind"] == "done":
        return
    if answer["kind"] == "refused":
        raise children.refused(answer)
    log.error("training failed:\n%s", answer["trace"])
    raise TeachableError("training_died")
