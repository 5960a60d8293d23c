"""Training in a child process, so that torch never lives in the server.

Importing torch takes two seconds and half a gigabyte. The child is started ahead of time, waits with torch loaded, and
fits heads on the embeddings it is sent. Killing it is how a training is cancelled, and a crash in it is an error
message, not the end of the server. It owns the process and what is said to it; how messages travel is
`teachable.children`, fitting is `teachable.heads`, testing is `teachable.evaluation`.
"""

import logging
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from teachable import children
from teachable.children import Arrays, Message, receive, send
from teachable.errors import Cancelled, TeachableError
from teachable.evaluation import Examination
from teachable.projects.records import evaluation_from
from teachable.scores import EpochPoint, Evaluation
from teachable.types import Embeddings, Head, Labels, Layer, TrainSettings

log = logging.getLogger(__name__)

Phase = Literal["testing", "fitting"]
# How often a task that waits for its turn looks whether it was cancelled.
_LOOK_SECONDS = 0.1
_CHILD = "import sys; sys.path.append(sys.argv[1]); from teachable.training import main; main()"


@dataclass(frozen=True)
class Task:
    """What a head is trained on.

    Attributes:
        embeddings: float32 `[N, D]`.
        labels: int64 `[N]`, index of the class.
        groups: capture group of each row.
        class_count: number of classes.
        settings: of the training.
    """

    embeddings: Embeddings
    labels: Labels
    groups: Sequence[str]
    class_count: int
    settings: TrainSettings


@dataclass(frozen=True)
class Outcome:
    """A head fitted on every sample, and the honest score of one fitted without the held-out groups."""

    head: Head
    evaluation: Evaluation


class Trainer:
    """Owns one child process and lets it train one task at a time; safe to call from several threads."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._unable = False
        self._running: threading.Event | None = None

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

    def run(self, task: Task, on_epoch: Callable[[Phase, EpochPoint], None], cancelled: threading.Event) -> Outcome:
        """Evaluate and fit one head; waits for its turn if another task is running.

        Args:
            task: what to train on.
            on_epoch: called with the phase and the state after every epoch, from the calling thread.
            cancelled: set it, and call `stop`, to give up.

        Raises:
            Cancelled: it was given up.
            TeachableError: the samples or settings cannot be trained on, or the child died.
        """
        return _outcome(*self._ask(task, True, on_epoch, cancelled))

    def examine(
        self, task: Task, on_epoch: Callable[[Phase, EpochPoint], None], cancelled: threading.Event
    ) -> Examination:
        """Only evaluate, and say what every photo was named, and by which head; otherwise as `run`."""
        return _examination(*self._ask(task, False, on_epoch, cancelled))

    def _ask(
        self, task: Task, fit: bool, on_epoch: Callable[[Phase, EpochPoint], None], cancelled: threading.Event
    ) -> Message:
        """Have the child work on a task and return its last word."""
        while not self._turn.acquire(timeout=_LOOK_SECONDS):
            if cancelled.is_set():
                raise Cancelled
        child = None
        whole = False
        try:
            with self._state:
                if cancelled.is_set():
                    raise Cancelled
                child = self._start()
                self._running = cancelled
            answer, arrays = self._converse(child, task, fit, on_epoch)
            whole = True
        except (OSError, EOFError) as error:
            if cancelled.is_set() or self._closed:
                raise Cancelled from error
            log.warning("the training process died or could not be started", exc_info=True)
            raise TeachableError("training_died") from error
        finally:
            with self._state:
                self._running = None
                # Whoever cancels may have killed it a moment ago, and a broken conversation cannot be taken up again.
                spent = child is not None and (not whole or cancelled.is_set())
                if child is not None and spent:
                    children.end(child)
                    self._child = None
            if spent:
                self.warm_up()
            self._turn.release()
        if cancelled.is_set():
            raise Cancelled
        return answer, arrays

    def _converse(
        self, child: subprocess.Popen[bytes], task: Task, fit: bool, on_epoch: Callable[[Phase, EpochPoint], None]
    ) -> Message:
        """Send a task, pass on the epochs and return the last word of the child."""
        if child.stdin is None or child.stdout is None:
            raise EOFError
        header = {
            "class_count": task.class_count,
            "groups": list(task.groups),
            "settings": asdict(task.settings),
            "fit": fit,
        }
        send(child.stdin, header, {"embeddings": task.embeddings, "labels": task.labels})
        while True:
            answer, arrays = receive(child.stdout)
            if answer["kind"] != "epoch":
                return answer, arrays
            on_epoch(answer["phase"], EpochPoint(**answer["point"]))

    def stop(self, cancelled: threading.Event) -> None:
        """Kill the child if it is on the task with this event; `run` then raises `Cancelled`."""
        with self._state:
            if self._running is cancelled and self._child is not None:
                self._child.kill()

    def close(self) -> None:
        """End the child; a training in progress is given up."""
        with self._state:
            self._closed = True
            if self._child is not None:
                self._child.kill()
        # Whoever talks to the child notices its end and cleans up; nobody can begin another conversation.
        with self._turn, self._state:
            child, self._child = self._child, None
        if child is not None:
            children.end(child)


def _outcome(answer: Mapping[str, Any], arrays: Arrays) -> Outcome:
    """Make a result, or the error it was, of the last word of the child."""
    _require_done(answer)
    return Outcome(_head(arrays), evaluation_from(answer["evaluation"]))


def _examination(answer: Mapping[str, Any], arrays: Arrays) -> Examination:
    _require_done(answer)
    score = evaluation_from(answer["evaluation"])
    return Examination(score, arrays["held_out"], arrays["predicted"], _head(arrays))


def _require_done(answer: Mapping[str, Any]) -> None:
    """Raise the error that the last word of the child is, if it is one."""
    if answer["kind"] == "done":
        return
    if answer["kind"] == "refused":
        raise children.refused(answer)
    log.error("training failed:\n%s", answer["trace"])
    raise TeachableError("training_died")


def _layers(head: Head) -> dict[str, NDArray[np.float32]]:
    """Return a head as arrays of a message; `_head` reads them."""
    layers = {}
    for index, layer in enumerate(head.layers):
        layers[f"weight{index}"], layers[f"bias{index}"] = layer.weight, layer.bias
    return layers


def _head(arrays: Arrays) -> Head:
    count = sum(name.startswith("weight") for name in arrays)
    return Head(tuple(Layer(arrays[f"weight{index}"], arrays[f"bias{index}"]) for index in range(count)))


def _train(header: Mapping[str, Any], arrays: Arrays, answer: Callable[..., None]) -> None:
    from teachable import evaluation, heads

    def report(phase: Phase) -> Callable[[EpochPoint], None]:
        return lambda point: answer({"kind": "epoch", "phase": phase, "point": asdict(point)})

    settings = TrainSettings(**header["settings"])
    embeddings, labels, count = arrays["embeddings"], arrays["labels"], int(header["class_count"])
    test = evaluation.examine(embeddings, labels, header["groups"], count, settings, on_epoch=report("testing"))
    score = asdict(test.evaluation)
    if not header["fit"]:
        rows = {"held_out": test.held_out, "predicted": test.predicted}
        answer({"kind": "done", "evaluation": score}, {**rows, **_layers(test.head)})
        return
    fitted = heads.fit(embeddings, labels, count, settings, on_epoch=report("fitting"))
    answer({"kind": "done", "evaluation": score}, _layers(fitted.head))


def _serve(tasks: "queue.SimpleQueue[Message]", answers: IO[bytes]) -> None:
    """Load torch, then work on tasks one after the other."""
    import traceback

    import torch  # noqa: F401 - loading it now is what this process is for

    def answer(header: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        send(answers, header, arrays)

    while True:
        header, arrays = tasks.get()
        try:
            _train(header, arrays, answer)
        except TeachableError as error:
            answer(children.refusal(error))
        except Exception:  # noqa: BLE001 - the parent logs it and tells the person; this process goes on
            answer({"kind": "crashed", "trace": traceback.format_exc()})


def main() -> None:
    """Entry point of the child."""
    children.serve(_serve)
