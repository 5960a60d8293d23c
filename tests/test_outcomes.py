"""The file beside a model: it comes back as it was, and a damaged one is as good as none."""

import io

import numpy as np
import pytest

from teachable import outcomes
from teachable.outcomes import Kept, pack, unpack
from teachable.scores import Outcomes


def kept(**changes: object) -> Kept:
    generator = np.random.default_rng(0)
    parts: dict[str, object] = {
        "samples": np.array([3, 5, 8, 9], np.int64),
        "labels": np.array([0, 0, 1, 1], np.int64),
        "groups": ["a", "ü", "a", "b"],
        "tested": Outcomes(np.array([0, 2]), np.array([0, 1]), generator.normal(size=(2, 2)).astype(np.float32)),
        "tests": np.array([11], np.int64),
        "test_labels": np.array([1], np.int64),
        "test_logits": np.ones((1, 2), np.float32),
    }
    return Kept(**{**parts, **changes})  # type: ignore[arg-type]


def test_what_is_kept_comes_back() -> None:
    one = kept()
    back = unpack(pack(one))
    assert back is not None
    for name in ("samples", "labels", "tests", "test_labels", "test_logits"):
        assert np.array_equal(getattr(back, name), getattr(one, name))
        assert getattr(back, name).dtype == getattr(one, name).dtype
    assert list(back.groups) == ["a", "ü", "a", "b"]
    for name in ("rows", "folds", "logits"):
        assert np.array_equal(getattr(back.tested, name), getattr(one.tested, name))


def test_a_training_in_which_nothing_could_be_tested_comes_back() -> None:
    nothing = Outcomes(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 2), np.float32))
    back = unpack(pack(Kept(np.array([1, 2]), np.array([0, 1]), ["a", "b"], nothing)))
    assert back is not None
    assert back.tested.logits.shape == (0, 2)
    assert back.tests.shape == (0,)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive", pack(kept())[:-40], pack(kept())[40:]])
def test_a_damaged_file_is_as_good_as_none(data: bytes) -> None:
    assert unpack(data) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": np.array([0])},
        {"groups": ["a"]},
        {"tested": Outcomes(np.array([4]), np.array([0]), np.ones((1, 2), np.float32))},
        {"tested": Outcomes(np.array([-1]), np.array([0]), np.ones((1, 2), np.float32))},
        {"tested": Outcomes(np.array([1]), np.array([0]), np.ones(2, np.float32))},
        {"test_labels": np.empty(0, np.int64)},
    ],
)
def test_parts_that_do_not_fit_together_are_as_good_as_none(changes: dict[str, object]) -> None:
    assert unpack(pack(kept(**changes))) is None


def test_a_newer_file_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "FORMAT_VERSION", 2)
    newer = pack(kept())
    monkeypatch.undo()
    assert unpack(newer) is None


def test_nothing_is_unpickled() -> None:
    stream = io.BytesIO()
    np.savez(stream, version=np.int64(1), samples=np.array([print], dtype=object))
    assert unpack(stream.getvalue()) is None
