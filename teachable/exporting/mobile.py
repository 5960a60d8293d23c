"""A network becomes a file for phones, in a child process that may load what it likes and may be killed.

It owns that process: what is said to it, how far it is, its limit of time, and its end when nobody wants it any more.
What it does is in `mobile_tflite`, `mobile_int8` and `mobile_coreml`. Why a process of its own: Core ML is made with
torch, which costs two seconds and half a gigabyte that the server does not give back.
"""

import logging
import os
import queue
import subprocess
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from teachable import children
from teachable.children import Message
from teachable.errors import TeachableError
from teachable.exporting.exporter import Watch
from teachable.exporting.tensor import Cut

log = logging.getLogger(__name__)

SECONDS = 1800.0
"""The largest networks take a minute; old laptops are ten times slower."""
_CHILD = "import sys; sys.path.append(sys.argv[1]); from teachable.exporting.mobile import main; main()"

Progress = Callable[[float], None]
Task = Callable[[Mapping[str, Any], Mapping[str, NDArray[Any]], Progress], dict[str, bytes]]


def convert(
    task: str,
    cut: Cut,
    watch: Watch,
    *,
    squares: NDArray[np.uint8] | None = None,
    about: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """Let a child make the files of a format.

    Args:
        task: `tflite`, `tflite-int8` or `coreml`.
        cut: the model.
        watch: hears how far it is.
        squares: photos to measure with, uint8 `[N, S, S, 3]`.
        about: what else the task wants to know.

    Returns:
        Bytes by the name or path that the format gives them.

    Raises:
        ModelFileError: the format cannot express this network, or how photos are prepared for it.
        TeachableError: as for `ask`.
    """
    stated = cut.preprocessing
    header = {"mean": stated.mean, "std": stated.std, **(about or {})}
    arrays: dict[str, NDArray[Any]] = {"body": np.frombuffer(cut.body, np.uint8)}
    if squares is not None:
        arrays["squares"] = squares
    return ask(task, header, arrays, watch)


def ask(
    task: str,
    header: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    watch: Watch,
    seconds: float = SECONDS,
) -> dict[str, bytes]:
    """Let a child do a task.

    Args:
        task: which of those at the end of this file.
        header: what it wants to know.
        arrays: likewise.
        watch: hears how far it is.
        seconds: after which it counts as stuck.

    Returns:
        What it made, by name.

    Raises:
        Cancelled: it was given up.
        TeachableError: it refused, died, or took too long; the words say why.
    """
    watch.require_wanted()
    try:
        child = children.start(_CHILD)
    except OSError as error:
        log.warning("the process that converts could not be started", exc_info=True)
        raise TeachableError("export_stopped") from error
    with children.guarded(child, seconds, watch.cancelled) as late:
        try:
            answer, files = _converse(child, {**header, "task": task}, arrays, watch)
        except (EOFError, OSError) as error:
            watch.require_wanted()
            if late.is_set():
                raise TeachableError("export_slow", seconds=round(seconds)) from error
            children.end(child)
            log.warning("the process that converts died with exit status %s", child.returncode)
            raise TeachableError("export_stopped") from error
    watch.require_wanted()
    made = _told(answer, files)
    return {name: data.tobytes() for name, data in zip(answer["files"], made.values(), strict=True)}


class Standing:
    """A child that opens something once and is asked about it again and again, until nobody holds this any more.

    Args:
        task: which of those at the end of this file that stay.
        header: what it wants to know to begin with.
        arrays: likewise.
        seconds: after which an answer is not waited for any longer.

    Raises:
        TeachableError: it refused or died; the words say why.
    """

    def __init__(
        self, task: str, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], seconds: float = SECONDS
    ) -> None:
        try:
            self._child = children.start(_CHILD)
        except OSError as error:
            log.warning("the process that runs a file could not be started", exc_info=True)
            raise TeachableError("export_stopped") from error
        weakref.finalize(self, children.end, self._child)
        self._seconds = seconds
        self.ask({**header, "task": task}, arrays)

    def ask(self, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return what it answers.

        Raises:
            TeachableError: as for the class.
        """
        guard = threading.Timer(self._seconds, self._child.kill)
        guard.daemon = True
        guard.start()
        try:
            answer, found = _converse(self._child, header, arrays, Watch(lambda part: None, threading.Event()))
        except (EOFError, OSError) as error:
            log.warning("the process that runs a file died")
            raise TeachableError("export_stopped") from error
        finally:
            guard.cancel()
        return _told(answer, found)


def _told(answer: Mapping[str, Any], found: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return what a child made, or raise what it refused with."""
    if answer["kind"] == "refused":
        raise children.refused(answer)
    if answer["kind"] == "crashed":
        log.error("a file could not be made or run:\n%s", answer["trace"])
        raise TeachableError("export_failed", reason=answer["reason"])
    return found


def _converse(
    child: "subprocess.Popen[bytes]", header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], watch: Watch
) -> Message:
    if child.stdin is None or child.stdout is None:
        raise EOFError
    children.send(child.stdin, header, arrays)
    while True:
        answer, files = children.receive(child.stdout)
        if answer["kind"] != "progress":
            return answer, files
        watch.done(answer["done"])


# In the child


def main() -> None:
    """Entry point of the child."""
    children.step_back()
    _be_quiet()
    children.serve(_work)


def _be_quiet() -> None:
    """Let what the converters print go nowhere: progress bars and notes of theirs are not for the app's terminal.

    What goes wrong is told in messages.
    """
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)


def _work(messages: "queue.SimpleQueue[Message]", answers: IO[bytes]) -> None:
    """Do one task, or stay and answer where it is one of those."""
    import warnings

    # What the converters have to say about themselves is nothing a person can act on.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    os.environ["TQDM_DISABLE"] = "1"
    header, arrays = messages.get()
    if header["task"] == "tflite-run":
        from teachable.exporting.mobile_run import Interpreted

        opened: list[Interpreted] = []

        def begin() -> tuple[list[str], dict[str, NDArray[Any]]]:
            opened.append(Interpreted(arrays["model"].tobytes(), header["name"]))
            return [], {}

        def go_on() -> tuple[list[str], dict[str, NDArray[Any]]]:
            return [], opened[0](messages.get()[1]["squares"])

        _answer(answers, begin)
        while opened:
            _answer(answers, go_on)
        return

    def convert() -> tuple[list[str], dict[str, NDArray[Any]]]:
        files = _TASKS[header["task"]](
            header, arrays, lambda part: children.send(answers, {"kind": "progress", "done": part})
        )
        return list(files), {str(index): np.frombuffer(data, np.uint8) for index, data in enumerate(files.values())}

    _answer(answers, convert)


def _answer(answers: IO[bytes], work: Callable[[], tuple[list[str], dict[str, NDArray[Any]]]]) -> None:
    """Send what came out of some work, or what was wrong."""
    import traceback

    try:
        files, found = work()
        children.send(answers, {"kind": "done", "files": files}, found)
    except TeachableError as error:
        children.send(answers, children.refusal(error))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - the parent logs it and tells the person
        reason = f"{type(error).__name__}: {error}"[:200]
        children.send(answers, {"kind": "crashed", "trace": traceback.format_exc(), "reason": reason})


def _tflite(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], progress: Progress) -> dict[str, bytes]:
    from teachable.exporting import mobile_graph, mobile_tflite

    mean, std = np.asarray(header["mean"], np.float32), np.asarray(header["std"], np.float32)
    network = mobile_graph.read(arrays["body"].tobytes())
    progress(0.5)
    # A number from -1 to 1 is a byte / 127.5 - 1.
    return {"model": mobile_tflite.write(network, 0.5 / std, (0.5 - mean) / std, header["name"])}


def _tflite_int8(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], progress: Progress) -> dict[str, bytes]:
    from teachable.exporting import mobile_graph, mobile_int8

    mean, std = np.asarray(header["mean"], np.float32), np.asarray(header["std"], np.float32)
    network = mobile_graph.read(arrays["body"].tobytes())
    return {"model": mobile_int8.write(network, mean, std, arrays["squares"], header["name"], progress)}


def _coreml(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], progress: Progress) -> dict[str, bytes]:
    from teachable.exporting import mobile_coreml, mobile_graph

    network = mobile_graph.read(arrays["body"].tobytes())
    return mobile_coreml.write(network, header, progress)


def _look(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], progress: Progress) -> dict[str, bytes]:
    from teachable.exporting import mobile_coreml

    mobile_coreml.look(_files(header, arrays), header["labels"], header["size"])
    return {}


def _run(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], progress: Progress) -> dict[str, bytes]:
    from teachable.exporting import mobile_coreml

    found = mobile_coreml.run(_files(header, arrays), header["labels"], arrays["squares"])
    return {"probabilities": found.tobytes()}


def _files(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    return {name: arrays[str(index)].tobytes() for index, name in enumerate(header["files"])}


_TASKS: Mapping[str, Task] = {
    "tflite": _tflite,
    "tflite-int8": _tflite_int8,
    "coreml": _coreml,
    "coreml-look": _look,
    "coreml-run": _run,
}
