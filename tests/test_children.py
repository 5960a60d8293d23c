"""Child processes: what is said to them, that they end with their parent, and that they can be kept small."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
from making import until

from teachable import children, errors
from teachable.children import receive, send
from teachable.errors import ModelFileError, TeachableError

ECHO = """
import sys; sys.path.append(sys.argv[1])
from teachable import children

def work(messages, answers):
    while True:
        header, arrays = messages.get()
        if "more" in header:
            children.limit_memory(header["more"])
            try:
                header["got"] = len(bytearray(header["asks"]))
            except MemoryError:
                header["got"] = None
        children.send(answers, header, arrays)

children.serve(work)
"""


@contextmanager
def child(code: str = ECHO) -> Iterator["subprocess.Popen[bytes]"]:
    started = children.start(code)
    try:
        yield started
    finally:
        children.end(started)


def ask(asked: "subprocess.Popen[bytes]", **header: object) -> dict[str, object]:
    assert asked.stdin is not None
    assert asked.stdout is not None
    send(asked.stdin, header)
    return receive(asked.stdout)[0]


# Messages


def test_a_message_comes_back_as_it_was_sent() -> None:
    stream = io.BytesIO()
    arrays = {"a": np.arange(6, dtype=np.int64).reshape(2, 3), "b": np.zeros((0, 4), np.float32)}
    send(stream, {"kind": "x", "text": "ä “ü” \n", "none": None}, arrays)
    send(stream, {"kind": "second"})
    stream.seek(0)
    header, found = receive(stream)
    assert {**header, "arrays": None} == {"kind": "x", "text": "ä “ü” \n", "none": None, "arrays": None}
    assert list(found) == ["a", "b"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert receive(stream)[0]["kind"] == "second"
    with pytest.raises(EOFError):
        receive(stream)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.float32(3.5).reshape(()),
        np.array(["a", "ü"]),
        np.zeros((2, 0, 3), bool),
    ],
)
def test_arrays_of_every_shape_travel(array: np.ndarray) -> None:
    stream = io.BytesIO()
    send(stream, {}, {"a": array})
    stream.seek(0)
    found = receive(stream)[1]["a"]
    assert (found.shape, found.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(found, array)
    # What is received is owned by the receiver.
    assert found.flags.writeable


def test_an_array_of_another_length_than_it_says_is_refused() -> None:
    stream, buffer = io.BytesIO(), io.BytesIO()
    np.save(buffer, np.zeros(4))
    for part in (json.dumps({"arrays": ["a"]}).encode(), buffer.getvalue() + b"more"):
        stream.write(len(part).to_bytes(8, "little") + part)
    stream.seek(0)
    with pytest.raises(ValueError, match="length"):
        receive(stream)


@pytest.mark.parametrize("length", [0, 3, 8, 20, 100, 150, 300])
def test_a_message_cut_short_is_the_end(length: int) -> None:
    stream = io.BytesIO()
    send(stream, {"kind": "x"}, {"a": np.zeros(100)})
    with pytest.raises(EOFError):
        receive(io.BytesIO(stream.getvalue()[:length]))


def test_arrays_of_objects_are_refused_on_both_sides() -> None:
    with pytest.raises(ValueError, match="pickle"):
        send(io.BytesIO(), {}, {"a": np.array([object()])})
    stream, buffer = io.BytesIO(), io.BytesIO()
    np.save(buffer, np.array([{}]), allow_pickle=True)
    for part in (json.dumps({"arrays": ["a"]}).encode(), buffer.getvalue()):
        stream.write(len(part).to_bytes(8, "little") + part)
    stream.seek(0)
    with pytest.raises(ValueError, match="allow_pickle"):
        receive(stream)


def test_the_end_of_the_other_side_is_noticed_after_the_last_message() -> None:
    received: list[str] = []
    stream = io.BytesIO()
    send(stream, {"kind": "one"})
    stream.seek(0)
    children.listen(stream, lambda message: received.append(message[0]["kind"]), lambda: received.append("end"))
    assert received == ["one", "end"]


def test_an_error_in_words_arrives_as_it_was() -> None:
    error = ModelFileError("network_unreadable", name="“a” \n.onnx")
    found = children.refused(json.loads(json.dumps(children.refusal(error))))
    assert type(found) is ModelFileError
    assert str(found) == str(error)
    assert (found.key, found.values) == (error.key, error.values)


@pytest.mark.parametrize("kind", ["Unheard", "TeachableError"])
def test_an_error_of_a_kind_nobody_knows_is_an_error_all_the_same(kind: str) -> None:
    found = children.refused({"error": kind, "key": "unexpected", "values": {}})
    assert type(found) is TeachableError
    assert not hasattr(errors, "Unheard")


# Processes


def test_a_child_answers_until_it_is_ended() -> None:
    with child() as running:
        assert ask(running, text="ä") == {"text": "ä", "arrays": []}
        assert ask(running, number=2)["number"] == 2
    assert running.poll() is not None
    assert running.stdin is not None
    assert running.stdin.closed


def test_ending_a_child_that_is_dead_already_is_no_trouble() -> None:
    with child("raise SystemExit(3)") as running:
        assert running.wait() == 3
        children.end(running)
    assert running.returncode == 3


def test_a_child_ends_when_its_parent_closes_the_pipe() -> None:
    with child() as running:
        ask(running)
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(60) == 0


PARENT = """
import sys, threading
sys.path.append(sys.argv[1])
from teachable import children
print(children.start(sys.argv[2]).pid, flush=True)
threading.Event().wait()
"""


def test_a_child_that_is_busy_ends_when_its_parent_is_killed() -> None:
    busy = ECHO.replace("    while True:\n", "    while True: pass\n    while True:\n")
    folder = os.fspath(children.Path(children.__file__).parents[1])
    command = [sys.executable, "-c", PARENT, folder, busy]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        started = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    until(lambda: not started.is_running() or started.status() == psutil.STATUS_ZOMBIE, "the end of the child")


def test_prints_of_a_child_are_no_answers() -> None:
    loud = ECHO.replace("        header, arrays", "        print('hello', flush=True)\n        header, arrays")
    with child(loud) as running:
        assert ask(running, a=1)["a"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process can be kept small")
def test_a_child_gets_the_memory_it_was_allowed_and_no_more() -> None:
    with child() as running:
        assert ask(running, more=2**30, asks=2**28)["got"] == 2**28
        assert ask(running, more=2**29, asks=2**33)["got"] is None
        # And it goes on.
        assert ask(running, text="still here")["text"] == "still here"


@pytest.mark.skipif(not hasattr(os, "nice"), reason="the system has no such order")
def test_a_child_can_let_others_go_first() -> None:
    modest = ECHO.replace("children.serve(work)", "children.step_back()\nchildren.serve(work)")
    with child() as plain, child(modest) as running:
        assert ask(running, a=1)["a"] == 1
        assert psutil.Process(running.pid).nice() > psutil.Process(plain.pid).nice()
