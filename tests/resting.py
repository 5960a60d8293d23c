"""Training processes that outlive the workspace they were started for.

A training of a few photos takes a tenth of a second, and loading torch for it takes three: whoever opens a workspace
in a test begins with a process that another one has left.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from teachable import children, workflow
from teachable.training import Trainer

_resting: "list[subprocess.Popen[bytes]]" = []


class LastingTrainer(Trainer):
    """Leaves its process to the next one, unless that is in the middle of something or dead."""

    def _start(self) -> "subprocess.Popen[bytes]":
        if self._child is None and not self._closed and _resting:
            self._child = _resting.pop()
        return super()._start()

    def close(self) -> None:
        with self._state:
            if self._child is not None and self._running is None and self._child.poll() is None:
                _resting.append(self._child)
                self._child = None
        super().close()


@contextmanager
def lasting_trainers() -> Iterator[None]:
    """Let workspaces that are opened in this process hand on their training process; at the end all are ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "Trainer", LastingTrainer)
        yield
    while _resting:
        children.end(_resting.pop())
