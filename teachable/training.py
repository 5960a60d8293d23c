"""Training in a child process, so that torch never lives in the server.

Importing torch takes two seconds and half a gigabyte. The child is started ahead of time, waits with torch loaded, and
fits heads on the embeddings it is sent. Killing it is how a training is cancelled, and a crash in it is an error
message, not the end of the server. It owns the process and the messages; fitting is `teachable.heads`, testing is
`teachable.evaluation`.

A message is a JSON header, `{"arrays": [names], …}`, and the named arrays in NumPy's own format without pickling, all
length-prefixed.
"""

import io
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from teachable import errors
from teachable.errors import TeachableError
from teachable.types import ClassScore, Embeddings, EpochPoint, Evaluation, Head, Labels, Layer, TrainSettings

log = logging.getLogger(__name__)

Phase = Literal["testing", "fitting"]
Arrays = Mapping[str, NDArray[Any]]
_LENGTH = struct.Struct("<Q")
# How often a task that waits for its turn looks whether it was cancelled.
_LOOK_SECONDS = 0.1


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


class Cancelled(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The training was cancelled."""


class Trainer:
    """Owns one child process and lets it train one task at a time; safe to call from several threads."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._running: threading.Event | None = None

    def warm_up(self) -> None:
        """Start the child, so that torch is loaded by the time somebody clicks Train. Returns at once."""
        with self._state:
            self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise Cancelled
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "teachable.training"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
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
        while not self._turn.acquire(timeout=_LOOK_SECONDS):
            if cancelled.is_set():
                raise Cancelled
        try:
            with self._state:
                if cancelled.is_set():
                    raise Cancelled
                child = self._start()
                self._running = cancelled
            try:
                return self._converse(child, task, on_epoch)
            except (OSError, EOFError) as error:
                self._discard(child)
                if cancelled.is_set() or self._closed:
                    raise Cancelled from error
                raise TeachableError("training_died") from error
            except BaseException:
                # The child may be in the middle of an answer to this task; the next one gets a fresh child.
                self._discard(child)
                raise
        finally:
            with self._state:
                self._running = None
            self._turn.release()

    def _converse(
        self, child: subprocess.Popen[bytes], task: Task, on_epoch: Callable[[Phase, EpochPoint], None]
    ) -> Outcome:
        if child.stdin is None or child.stdout is None:
            raise EOFError
        header = {"class_count": task.class_count, "groups": list(task.groups), "settings": asdict(task.settings)}
        send(child.stdin, header, {"embeddings": task.embeddings, "labels": task.labels})
        while True:
            answer, arrays = receive(child.stdout)
            if answer["kind"] == "epoch":
                on_epoch(answer["phase"], EpochPoint(**answer["point"]))
            elif answer["kind"] == "refused":
                raise getattr(errors, answer["error"])(answer["key"], **answer["values"])
            elif answer["kind"] == "done":
                return Outcome(_head(arrays), evaluation_from(answer["evaluation"]))
            else:
                log.error("training failed:\n%s", answer["trace"])
                raise TeachableError("training_died")

    def stop(self, cancelled: threading.Event) -> None:
        """Kill the child if it is on the task with this event; `run` then raises `Cancelled`."""
        with self._state:
            if self._running is cancelled and self._child is not None:
                self._child.kill()

    def _discard(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    log.debug("the pipe to the training process was already broken")
        with self._state:
            if self._child is child:
                self._child = None

    def close(self) -> None:
        """End the child; a training in progress is given up."""
        with self._state:
            self._closed = True
            child, self._child = self._child, None
        if child is not None:
            self._discard(child)


def send(stream: IO[bytes], header: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Write one message."""
    arrays = arrays or {}
    parts = [json.dumps({**header, "arrays": list(arrays)}).encode()]
    for array in arrays.values():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        parts.append(buffer.getvalue())
    for part in parts:
        stream.write(_LENGTH.pack(len(part)))
        stream.write(part)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read one message.

    Raises:
        EOFError: the other side is gone.
    """
    header: dict[str, Any] = json.loads(_part(stream))
    arrays = {name: np.load(io.BytesIO(_part(stream)), allow_pickle=False) for name in header["arrays"]}
    return header, arrays


def _part(stream: IO[bytes]) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return _exactly(stream, length)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def _head(arrays: Arrays) -> Head:
    count = len(arrays) // 2
    return Head(tuple(Layer(arrays[f"weight{index}"], arrays[f"bias{index}"]) for index in range(count)))


def evaluation_from(data: Mapping[str, Any]) -> Evaluation:
    """Rebuild an evaluation from what `dataclasses.asdict` made of it, also after a trip through JSON."""
    return Evaluation(
        **{
            **data,
            "per_class": tuple(ClassScore(**score) for score in data["per_class"]),
            "confusion": tuple(tuple(row) for row in data["confusion"]),
            "unjudged": tuple(data["unjudged"]),
            "history": tuple(EpochPoint(**point) for point in data["history"]),
        }
    )


def _train(header: Mapping[str, Any], arrays: Arrays, answer: Callable[..., None]) -> None:
    from teachable import evaluation, heads

    def report(phase: Phase) -> Callable[[EpochPoint], None]:
        return lambda point: answer({"kind": "epoch", "phase": phase, "point": asdict(point)})

    settings = TrainSettings(**header["settings"])
    embeddings, labels, count = arrays["embeddings"], arrays["labels"], int(header["class_count"])
    score = evaluation.evaluate(embeddings, labels, header["groups"], count, settings, on_epoch=report("testing"))
    fitted = heads.fit(embeddings, labels, count, settings, on_epoch=report("fitting"))
    layers = {}
    for index, layer in enumerate(fitted.head.layers):
        layers[f"weight{index}"], layers[f"bias{index}"] = layer.weight, layer.bias
    answer({"kind": "done", "evaluation": asdict(score)}, layers)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Load torch, then answer tasks until the parent is gone."""
    import traceback

    import torch  # noqa: F401 - loading it now is what this process is for

    def answer(header: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        send(answers, header, arrays)

    while True:
        try:
            header, arrays = receive(requests)
        except EOFError:
            return
        try:
            _train(header, arrays, answer)
        except TeachableError as error:
            answer({"kind": "refused", "error": type(error).__name__, "key": error.key, "values": error.values})
        except BrokenPipeError:
            return
        except Exception:  # noqa: BLE001 - the parent logs it and tells the person; this process goes on
            answer({"kind": "crashed", "trace": traceback.format_exc()})


def main() -> None:
    """Entry point of the child: messages travel on the original stdin and stdout, prints go to stderr."""
    # Ctrl-C in the terminal reaches the whole process group; the parent decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(requests, answers)


if __name__ == "__main__":
    main()
