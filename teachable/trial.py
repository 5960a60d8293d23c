"""Trying a model file from elsewhere before it is kept: in a child process with limits of memory and time.

A graph can ask for any amount of memory and time once it is loaded or run. Whatever it does there, the program goes on;
a model that passed is loaded and asked like one that was trained here.
"""

import logging
import os
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from teachable import children
from teachable.children import Message
from teachable.errors import Cancelled, ModelFileError, TeachableError

log = logging.getLogger(__name__)

SECONDS = 60.0
"""Loading a model and asking it about a photo takes one; on a slow laptop a few."""
MEMORY = 1536 * 2**20
"""Bytes of address space for it, and some times the size of the file: for threads, arenas and a photo on its way."""
FILE_TIMES = 6

_CHILD = "import sys; sys.path.append(sys.argv[1]); from teachable.trial import main; main()"
# As cameras take them, unlike each other.
_SIZES = ((480, 640), (97, 131))


def labels(path: Path, name: str, cancelled: threading.Event) -> tuple[str, ...]:
    """Return what a model file tells apart, after it was loaded and asked.

    Args:
        path: of the file.
        name: what to call it in an error.
        cancelled: set it to give up.

    Raises:
        ModelFileError: it is no model of ours, or cannot be used within the limits.
        Cancelled: it was given up.
    """
    try:
        child = children.start(_CHILD)
    except OSError as error:
        log.warning("the process that tries models could not be started", exc_info=True)
        raise ModelFileError("model_untried", name=name) from error
    with children.guarded(child, SECONDS, cancelled):
        try:
            answer = children.ask(child, {"path": os.fspath(path.resolve()), "name": name})
        except (EOFError, OSError) as error:
            if cancelled.is_set():
                raise Cancelled from error
            raise ModelFileError("model_untried", name=name) from error
    if cancelled.is_set():
        raise Cancelled
    if answer["kind"] == "refused":
        raise children.refused(answer)
    if answer["kind"] != "done":
        log.info("a model could not be used:\n%s", answer["trace"])
        raise ModelFileError("model_untried", name=name)
    return tuple(answer["labels"])


# In the child


def main() -> None:
    """Entry point of the child."""
    children.step_back()
    children.serve(_work)


def _work(messages: "queue.SimpleQueue[Message]", answers: IO[bytes]) -> None:
    import traceback

    task, _ = messages.get()
    try:
        answer = {"kind": "done", "labels": _tried(task)}
    except TeachableError as error:
        answer = children.refusal(error)
    except Exception:  # noqa: BLE001 - a hostile model can make anything happen; the parent says so
        answer = {"kind": "crashed", "trace": traceback.format_exc()}
    children.send(answers, answer)


def _tried(task: Mapping[str, Any]) -> tuple[str, ...]:
    import numpy as np

    from teachable import contract
    from teachable.runtime import Classifier

    path = Path(task["path"])
    children.limit_memory(MEMORY + FILE_TIMES * path.stat().st_size)
    contract.check_modest(path, task["name"])
    model = Classifier.load(path, task["name"])
    for height, width in _SIZES:
        model.predict(np.zeros((height, width, 3), np.uint8))
    return model.labels
