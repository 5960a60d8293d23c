"""Child processes of our own code: how one is started, spoken with and ended, and how it ends with its parent.

A message is a JSON header, `{"arrays": [names], …}`, and the named arrays in NumPy's own format without pickling, all
length-prefixed. What is said in messages, and who waits for whom, is the business of `teachable.training` and
`teachable.conversion`.
"""

import io
import json
import logging
import os
import queue
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from teachable import errors
from teachable.errors import TeachableError

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]
Message = tuple[dict[str, Any], dict[str, NDArray[Any]]]
# How often a guard looks whether its child is still wanted.
_LOOK_SECONDS = 0.05
_LENGTH = struct.Struct("<Q")
# Of NumPy's format: bytes of the magic and the version, and the length of the description after them.
_MAGIC, _TEXT = 8, struct.Struct("<H")
_OWN_GROUP: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)} if os.name == "nt" else {"process_group": 0}
)


def start(code: str) -> "subprocess.Popen[bytes]":
    """Start a child that runs some code of ours with our own interpreter.

    Args:
        code: Python; it finds the folder of this package in `sys.argv[1]`.

    Raises:
        OSError: no process can be started.
    """
    # -P, and the folder of the package at the end: whatever lies in the folder Teachable was started in must not
    # replace a module. A process group of its own: Ctrl-C is for the parent, which then ends the child.
    return subprocess.Popen(  # noqa: S603 - our own code, with our own interpreter
        [sys.executable, "-P", "-c", code, str(Path(__file__).parents[1])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **_OWN_GROUP,
    )


def end(child: "subprocess.Popen[bytes]") -> None:
    """Kill a child, unless it is dead already, and close the pipes to it."""
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                log.debug("the pipe to a child process was already broken")


@contextmanager
def guarded(child: "subprocess.Popen[bytes]", seconds: float, cancelled: threading.Event) -> Iterator[threading.Event]:
    """Kill a child that nobody wants any more, or that takes too long; at the end of the block it is ended anyway.

    Args:
        child: that is spoken with in the block.
        seconds: after which it counts as stuck.
        cancelled: set when nobody wants it any more.

    Yields:
        An event that is set when the child was killed because it took too long.
    """
    done, late = threading.Event(), threading.Event()

    def guard() -> None:
        end_of_patience = time.monotonic() + seconds
        while not done.wait(_LOOK_SECONDS):
            if time.monotonic() > end_of_patience:
                late.set()
            if cancelled.is_set() or late.is_set():
                child.kill()
                return

    thread = threading.Thread(target=guard, name="guard-child", daemon=True)
    thread.start()
    try:
        yield late
    finally:
        done.set()
        thread.join()
        end(child)


def send(stream: IO[bytes], header: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Write one message."""
    arrays = arrays or {}
    first = json.dumps({**header, "arrays": list(arrays)}).encode()
    # Everything is looked at before the first byte is sent: half a message could not be read.
    parts = [_described(array) for array in arrays.values()]
    stream.write(_LENGTH.pack(len(first)))
    stream.write(first)
    for description, data in parts:
        # Without a copy: embeddings of 50,000 photos are 256 MB.
        stream.write(_LENGTH.pack(len(description) + len(data)))
        stream.write(description)
        stream.write(data)
    stream.flush()


def _described(array: NDArray[Any]) -> tuple[bytes, memoryview]:
    """Return the two parts of NumPy's own format: what the numbers are, and the numbers."""
    if array.dtype.hasobject:
        raise ValueError("arrays of objects do not travel without pickle")
    whole = np.ascontiguousarray(array).reshape(array.shape)
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, np.lib.format.header_data_from_array_1_0(whole))
    return buffer.getvalue(), whole.reshape(-1).view(np.uint8).data


def receive(stream: IO[bytes]) -> Message:
    """Read one message.

    Raises:
        EOFError: the other side is gone.
    """
    header: dict[str, Any] = json.loads(_exactly(stream, _length(stream)))
    return header, {name: _array(stream, _length(stream)) for name in header["arrays"]}


def _array(stream: IO[bytes], length: int) -> NDArray[Any]:
    """Read one array, straight to where it stays.

    Raises:
        EOFError: the other side is gone.
        ValueError: it is none that `send` writes.
    """
    start = _exactly(stream, min(length, _MAGIC + _TEXT.size))
    if start[:_MAGIC] != np.lib.format.magic(1, 0) or len(start) < _MAGIC + _TEXT.size:
        raise ValueError("this is no array")
    text = _exactly(stream, _TEXT.unpack(start[_MAGIC:])[0])
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(start[_MAGIC:] + text))
    if fortran or dtype.hasobject:
        raise ValueError("this array does not travel, and there is no allow_pickle")
    array = np.empty(shape, dtype)
    if len(start) + len(text) + array.nbytes != length:
        raise ValueError("this array has another length")
    rest = array.reshape(-1).view(np.uint8).data
    while len(rest):
        count = stream.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        rest = rest[count:]
    return array


def ask(child: "subprocess.Popen[bytes]", header: Mapping[str, Any]) -> dict[str, Any]:
    """Send a child one message without arrays, and return the header of its answer.

    Raises:
        EOFError: the child is gone.
        OSError: the pipe to it is broken.
    """
    if child.stdin is None or child.stdout is None:
        raise EOFError
    send(child.stdin, header)
    return receive(child.stdout)[0]


def _length(stream: IO[bytes]) -> int:
    return int(_LENGTH.unpack(_exactly(stream, _LENGTH.size))[0])


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def refusal(error: TeachableError) -> dict[str, Any]:
    """Return the header of a message that tells the parent of an error a person can understand."""
    return {"kind": "refused", "error": type(error).__name__, "key": error.key, "values": error.values}


def refused(header: Mapping[str, Any]) -> TeachableError:
    """Return the error that a child told of with `refusal`."""
    kind: type[TeachableError] = getattr(errors, header["error"], TeachableError)
    return kind(header["key"], **header["values"])


def listen(requests: IO[bytes], on_message: Callable[[Message], None], on_end: Callable[[], None]) -> None:
    """Read messages until the parent is gone."""
    while True:
        try:
            message = receive(requests)
        except (EOFError, OSError):
            on_end()
            return
        on_message(message)


def serve(work: "Callable[[queue.SimpleQueue[Message], IO[bytes]], None]") -> None:
    """Be a child: messages travel on the original stdin and stdout, prints go to stderr.

    A thread keeps listening, so that the process ends the moment its parent does, whatever it is in the middle of.

    Args:
        work: takes messages from the queue and writes answers.
    """
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    # Nothing is written or owned here that a sudden end could leave half done.
    threading.Thread(target=listen, args=(requests, messages.put, lambda: os._exit(0)), daemon=True).start()
    try:
        work(messages, answers)
    except OSError:
        os._exit(0)


def step_back() -> None:
    """Let whatever the person is doing go first, where the system can be told so: not on Windows."""
    if hasattr(os, "nice"):
        os.nice(10)


def limit_memory(more: int) -> None:
    """Let this process have some more memory and no further, where the system can be told so: on Linux.

    What asks for more gets a MemoryError, or an error of the library that asked.

    Args:
        more: bytes of address space besides those in use now.
    """
    if sys.platform != "linux":
        return
    import resource

    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    _, hardest = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + more if hardest == resource.RLIM_INFINITY else min(used + more, hardest)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hardest))
    # A process that ends for want of memory must not fill the disk with a picture of it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
