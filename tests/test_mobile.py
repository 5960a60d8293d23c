"""The process that converts: it can be given up, it can die, and what goes wrong in it is said in words."""

import threading

import numpy as np
import pytest
from phones import BODIES, SIZE, Body, needs

from teachable.errors import Cancelled, ModelFileError, TeachableError
from teachable.exporting import mobile
from teachable.exporting.exporter import Watch
from teachable.exporting.formats.tflite import EXPORTER
from teachable.exporting.tensor import Cut


def cut_of(body: bytes, mean: tuple[float, float, float] | None = (0.5, 0.5, 0.5)) -> Cut:
    std = (0.5, 0.5, 0.5) if mean else None
    return Cut(b"", body, SIZE, mean, std, None, "bilinear" if mean else None)


def watch(cancelled: threading.Event | None = None) -> Watch:
    return Watch(lambda part: None, cancelled or threading.Event())


def test_it_makes_a_file_and_says_how_far_it_is() -> None:
    needs(EXPORTER.extra)
    told: list[float] = []
    squares = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3)).astype(np.uint8)
    made = mobile.convert(
        "tflite-int8",
        cut_of(BODIES["pools"]()),
        Watch(told.append, threading.Event()),
        squares=squares,
        about={"name": "A project"},
    )
    assert made["model"][4:8] == b"TFL3"
    assert told == sorted(told)


def test_a_step_without_words_is_refused_by_name() -> None:
    needs(EXPORTER.extra)
    body = Body()
    value = body.add("Erf", body.conv("pixel_values", 3, 4))
    with pytest.raises(ModelFileError, match="Erf"):
        mobile.convert("tflite", cut_of(body.finished(value, 4)), watch(), about={"name": "A project"})


def test_what_was_given_up_before_starts_nothing() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        mobile.convert("tflite", cut_of(b""), watch(cancelled))


def test_giving_up_in_the_middle_ends_the_process() -> None:
    needs(EXPORTER.extra)
    cancelled = threading.Event()

    def report(part: float) -> None:
        cancelled.set()

    squares = np.zeros((2000, SIZE, SIZE, 3), np.uint8)
    with pytest.raises(Cancelled):
        mobile.convert(
            "tflite-int8",
            cut_of(BODIES["pools"]()),
            Watch(report, cancelled),
            squares=squares,
            about={"name": "A project"},
        )
    assert not [thread for thread in threading.enumerate() if "guard-child" in thread.name]


def test_what_takes_too_long_is_stopped() -> None:
    with pytest.raises(TeachableError) as caught:
        mobile.ask("tflite", {}, {}, watch(), seconds=0)
    assert caught.value.key == "export_slow"


def test_a_crash_is_told_with_its_reason() -> None:
    with pytest.raises(TeachableError, match="KeyError") as caught:
        mobile.ask("tflite", {}, {}, watch())
    assert caught.value.key == "export_failed"


def test_a_front_that_is_not_understood_is_refused() -> None:
    with pytest.raises(ModelFileError) as caught:
        mobile.convert("tflite", cut_of(b"", None), watch())
    assert caught.value.key == "export_tensor_unknown"


# The one that stays


def running() -> mobile.Standing:
    needs(EXPORTER.extra)
    made = mobile.convert("tflite", cut_of(BODIES["pools"]()), watch(), about={"name": "A project"})
    return mobile.Standing("tflite-run", {"name": "model.tflite"}, {"model": np.frombuffer(made["model"], np.uint8)})


def squares(count: int) -> dict[str, np.ndarray]:
    return {"squares": np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)}


def test_it_is_asked_again_and_again_and_ends_when_nobody_holds_it() -> None:
    child = running()
    for count in (1, 3):
        found = child.ask({}, squares(count))["probabilities"]
        assert found.shape[0] == count
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    process = child._child
    del child
    assert process.poll() is not None


def test_a_question_that_cannot_be_answered_does_not_end_it() -> None:
    child = running()
    with pytest.raises(ModelFileError):
        child.ask({}, {"squares": np.zeros((1, 3, 3, 3), np.uint8)})
    with pytest.raises(TeachableError, match="KeyError"):
        child.ask({}, {})
    assert child.ask({}, squares(1))["probabilities"].shape[0] == 1


def test_that_it_died_or_takes_too_long_is_said() -> None:
    child = running()
    child._child.kill()
    with pytest.raises(TeachableError) as caught:
        child.ask({}, squares(1))
    assert caught.value.key == "export_stopped"
    slow = running()
    slow._seconds = 0
    with pytest.raises(TeachableError) as caught:
        slow.ask({}, squares(2000))
    assert caught.value.key == "export_stopped"


def test_what_is_no_such_file_is_refused() -> None:
    needs(EXPORTER.extra)
    with pytest.raises(ModelFileError) as caught:
        mobile.Standing("tflite-run", {"name": "x.tflite"}, {"model": np.zeros(99, np.uint8)})
    assert caught.value.key == "model_unreadable"
