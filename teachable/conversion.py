"""A file becomes a network that can be installed, in a child process that may load torch and may be killed.

It owns that process: its limit of time, its end when nobody wants it any more, and that what it writes is put in place
only when it is whole. What is done with the file is `teachable.weights`. It fetches and installs nothing.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from teachable import children, weights
from teachable.children import Message
from teachable.errors import Cancelled, ModelFileError, TeachableError
from teachable.official import Described
from teachable.types import BackboneRecord

log = logging.getLogger(__name__)

DESCRIBE_SECONDS = 120.0
"""Importing torchvision from a slow disk takes a while."""
WEIGHTS_SECONDS = 1800.0
"""The largest networks take a minute here; old laptops are ten times slower."""
GRAPH_SECONDS = 180.0
"""Checking a graph takes seconds."""
_CHILD = "import sys; sys.path.append(sys.argv[1]); from teachable.conversion import main; main()"


@dataclass(frozen=True)
class Converted:
    """What was made of a file.

    Attributes:
        entry: contents of the record file for the graph: `format_version`, `builtin`, `record`, `build`.
    """

    entry: dict[str, Any]

    @property
    def record(self) -> BackboneRecord:
        """The record of the backbone."""
        return BackboneRecord(**self.entry["record"])


def describe(architecture: str, cancelled: threading.Event | None = None) -> Described:
    """Return what torchvision publishes about one of its classifiers. Takes seconds: torchvision is loaded for it.

    Args:
        architecture: torchvision's name, an id of ours, or what people write, `ResNet-101`.
        cancelled: set it to give up.

    Raises:
        NotFound: torchvision has no such classifier.
        ModelFileError: it has one, but none that can be used here.
        Cancelled: it was given up.
        TeachableError: the child process died.
    """
    task = {"task": "describe", "architecture": architecture, "name": architecture}
    return Described(**_ask(task, DESCRIBE_SECONDS, cancelled or threading.Event())["described"])


def convert(
    source: Path, out: Path, *, architecture: str | None, cancelled: threading.Event, name: str | None = None
) -> Converted:
    """Make a graph of a weights file, or take in a graph that keeps the contract as it is.

    Args:
        source: official weights (.pth), weights as safetensors, or an ONNX graph; told apart by their contents.
        out: where the graph is written. It appears whole, or not at all.
        architecture: torchvision's name of the network that official weights are of, when that is known and the file
            was checked; otherwise the file is recognised by its hash.
        cancelled: set it to give up.
        name: what the person calls the file; its own name if not given.

    Returns:
        The contents of the record file. Its fingerprint is that of `out`.

    Raises:
        Cancelled: it was given up.
        NotFound: there is no such file.
        ModelFileError: it is no network that can be used; the words name what was expected and what came.
        StorageFull: there is no room for the graph.
        TeachableError: the child process died.
    """
    shown = name or source.name
    with weights.reading(shown):
        kind = weights.kind_of(source)
    unfinished = out.with_name(f"{out.name}.tmp")
    task = {
        "task": "convert",
        "kind": kind,
        "source": os.fspath(source.resolve()),
        "out": os.fspath(unfinished.resolve()),
        "architecture": architecture,
        "name": shown,
    }
    try:
        answer = _ask(task, GRAPH_SECONDS if kind == "onnx" else WEIGHTS_SECONDS, cancelled)
        with weights.reading(shown):
            unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return Converted(answer["entry"])


def _ask(task: Mapping[str, Any], seconds: float, cancelled: threading.Event) -> dict[str, Any]:
    """Let a child do a task and return its answer."""
    if cancelled.is_set():
        raise Cancelled
    try:
        child = children.start(_CHILD)
    except OSError as error:
        log.warning("the process that reads networks could not be started", exc_info=True)
        raise TeachableError("network_stopped", name=task["name"]) from error
    with children.guarded(child, seconds, cancelled) as late:
        try:
            answer = children.ask(child, task)
        except (EOFError, OSError) as error:
            if cancelled.is_set():
                raise Cancelled from error
            if late.is_set():
                raise ModelFileError("network_slow", name=task["name"], seconds=round(seconds)) from error
            children.end(child)
            log.warning("the process that reads networks died with exit status %s", child.returncode)
            raise ModelFileError("network_stopped", name=task["name"]) from error
    if cancelled.is_set():
        raise Cancelled
    if answer["kind"] == "refused":
        raise children.refused(answer)
    if answer["kind"] == "crashed":
        log.error("a network could not be read:\n%s", answer["trace"])
        raise TeachableError("network_failed")
    return answer


# In the child


def main() -> None:
    """Entry point of the child."""
    children.step_back()
    children.serve(_work)


def _work(messages: "queue.SimpleQueue[Message]", answers: IO[bytes]) -> None:
    """Do one task."""
    import traceback

    task, _ = messages.get()
    tasks: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"describe": _describe, "convert": _convert}
    try:
        with weights.reading(task["name"]):
            answer = {"kind": "done", **tasks[task["task"]](task)}
    except TeachableError as error:
        answer = children.refusal(error)
    except Exception:  # noqa: BLE001 - the parent logs it and tells the person
        answer = {"kind": "crashed", "trace": traceback.format_exc()}
    children.send(answers, answer)


def _describe(task: Mapping[str, Any]) -> dict[str, Any]:
    return {"described": asdict(weights.published(task["architecture"]))}


def _convert(task: Mapping[str, Any]) -> dict[str, Any]:
    source, out = Path(task["source"]), Path(task["out"])
    return {"entry": weights.make(task["kind"], source, out, task["name"], task["architecture"])}
