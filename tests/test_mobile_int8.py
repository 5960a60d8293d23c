"""A file of whole numbers: bytes in, bytes out, nearly the same answers."""

import numpy as np
import pytest
from phones import BODIES, CLASSES, SIZE, Body, answer, needs
from test_mobile_tflite import kinds, run

from teachable.exporting import mobile_graph, mobile_int8
from teachable.exporting.formats.tflite import EXPORTER

MEAN, STD = np.array([0.5, 0.45, 0.4], np.float32), np.array([0.25, 0.22, 0.3], np.float32)
SQUARES = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _extra() -> None:
    needs(EXPORTER.extra)


def made(body: bytes) -> bytes:
    return mobile_int8.write(mobile_graph.read(body), MEAN, STD, SQUARES, "a name", lambda part: None)


def seen(square: np.ndarray) -> np.ndarray:
    return ((square / 255 - MEAN) / STD).transpose(2, 0, 1)[None].astype(np.float32)


def uneven() -> bytes:
    """A network with channels of which some are a hundred times as loud as others."""
    body = Body()
    loudness = np.geomspace(0.05, 5, 16).astype(np.float32)
    weight = body.numbers(16, 3, 3, 3) * loudness.reshape(-1, 1, 1, 1)
    value = body.add("Relu", body.add("Conv", "pixel_values", weight, body.numbers(16) * loudness))
    value = body.add("Conv", value, body.numbers(16, 1, 3, 3), body.numbers(16) * loudness, group=16)
    value = body.add("Clip", value, np.float32(0), np.float32(6))
    weight = body.numbers(8, 16, 1, 1) / loudness.reshape(1, -1, 1, 1)
    return body.finished(body.add("Conv", value, weight, body.numbers(8)), 8)


@pytest.mark.parametrize("name", ["convolutions", "activations", "pools", "branches"])
def test_the_small_file_says_nearly_what_onnxruntime_says(name: str) -> None:
    body = BODIES[name]()
    model = made(body)
    for square in SQUARES[:4]:
        found = run(model, square[None])
        assert (found.dtype, found.shape) == (np.uint8, (1, CLASSES))
        assert np.abs(found / 256 - answer(body, seen(square))).max() < 0.06


def test_everything_is_computed_in_whole_numbers() -> None:
    found = kinds(made(BODIES["convolutions"]()))
    assert found[0] == found[-1] == "QUANTIZE"
    assert "DEQUANTIZE" not in found


def test_a_hard_swish_is_spelled_out_because_that_is_faster() -> None:
    assert "HARD_SWISH" not in kinds(made(BODIES["activations"]()))


def test_uneven_channels_cost_little() -> None:
    body = uneven()
    model = made(body)
    worst = max(np.abs(run(model, one[None]) / 256 - answer(body, seen(one))).max() for one in SQUARES)
    assert worst < 0.03


def test_making_channels_even_changes_no_answer() -> None:
    body = uneven()
    network = mobile_graph.read(body)
    exact = mobile_int8.mobile_tflite.write(network, (1 / (255 * STD)).astype(np.float32), -MEAN / STD, "a name")
    peaks = mobile_int8._look(exact, SQUARES, lambda part: None).peaks
    even = mobile_int8._equalised(network, peaks)
    changed = [name for name, value in network.constants.items() if not np.array_equal(value, even.constants[name])]
    assert len(changed) == 5  # two layers before an activation with their biases, and the one after both
    model = mobile_int8.mobile_tflite.write(even, (1 / (255 * STD)).astype(np.float32), -MEAN / STD, "a name")
    for square in SQUARES:
        found = run(model, square[None].astype(np.float32))
        assert np.abs(found - answer(body, seen(square))).max() < 1e-4


def test_progress_only_grows_and_equal_networks_give_equal_files() -> None:
    told: list[float] = []
    network = mobile_graph.read(BODIES["pools"]())
    files = [mobile_int8.write(network, MEAN, STD, SQUARES, "a name", told.append) for _ in range(2)]
    assert files[0] == files[1]
    half = told[: len(told) // 2]
    assert half == sorted(half)
    assert 0 <= half[0] < half[-1] <= 1
