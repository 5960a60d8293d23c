"""A file is handed out only when what it says, run by itself, is what the preview says."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from teachable.errors import Cancelled, ModelFileError
from teachable.exporting import checking
from teachable.exporting.checking import Check, Test
from teachable.exporting.exporter import Answers, Variant, Watch
from teachable.types import Head, Image, Layer

EXACT = Variant("full", "model.onnx")
ROUGH = Variant("quarter", "model-quarter.onnx", tolerance=None, share=0.9)
# Photo n is 1 x 1 and shows n; the preview says so of it.
WANTED = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], np.float32)


def photos(count: int = len(WANTED)) -> list[Image]:
    return [np.full((1, 1, 3), index, np.uint8) for index in range(count)]


def watch() -> Watch:
    return Watch(lambda part: None, threading.Event())


class Saying:
    """A file that has an answer for every photo."""

    def __init__(self, rows: np.ndarray, embeddings: np.ndarray | None = None) -> None:
        self.rows = np.asarray(rows, np.float32)
        self.embeddings = None if embeddings is None else np.asarray(embeddings, np.float32)
        self.asked: list[int] = []

    def __call__(self, images: Sequence[Image]) -> Answers:
        self.asked.append(len(images))
        places = [int(image[0, 0, 0]) for image in images]
        return Answers(self.rows[places], None if self.embeddings is None else self.embeddings[places])


def run(says: np.ndarray, variant: Variant = EXACT, test: Test | None = None, made: np.ndarray | None = None) -> Check:
    return checking.check(Saying(says, made), iter(photos()), WANTED, variant, test, watch())


def test_a_file_that_says_the_same_agrees_on_every_photo() -> None:
    assert run(WANTED) == Check(4, 4, 4, 0.0)
    checking.require(run(WANTED), EXACT)


def test_agreeing_needs_the_class_and_the_probability() -> None:
    says = WANTED.copy()
    says[0] += [0.0009, -0.0009]  # within the tolerance
    says[1] += [0.1, -0.1]  # the class, but not the probability
    says[2] = [0.4999, 0.5001]  # another class
    found = run(says)
    assert (found.agreeing, found.same_class, found.total) == (2, 3, 4)
    assert found.largest_difference == pytest.approx(0.1001, abs=1e-6)
    assert run(says, ROUGH).agreeing == 3


def test_the_same_class_does_not_help_when_the_probability_is_barely_off_and_the_class_is_another() -> None:
    close = np.array([[0.5004, 0.4996]], np.float32)
    found = checking.check(Saying(1 - close), photos(1), close, EXACT, None, watch())
    assert (found.agreeing, found.same_class) == (0, 0)


def test_too_few_that_agree_are_refused_with_the_figures() -> None:
    with pytest.raises(ModelFileError, match=r"“model-quarter.onnx”.*of the preview for 89 of 100.*least 90") as caught:
        checking.require(Check(89, 100, 89, 0.5), ROUGH)
    assert caught.value.key == "export_disagrees"
    assert caught.value.values["percent"] == "50.0"
    checking.require(Check(90, 100, 90, 0.5), ROUGH)
    checking.require(Check(9, 10, 9, 0.5), ROUGH)
    checking.require(Check(7, 10, 9, 0.5), Variant("x", "x", share=0.7))
    with pytest.raises(ModelFileError):
        checking.require(Check(99, 100, 100, 0.01), EXACT)


def test_a_file_nobody_ran_is_not_handed_out() -> None:
    with pytest.raises(ModelFileError):
        checking.require(Check(0, 0, 0, 0.0), ROUGH)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(wrong: float) -> None:
    says = WANTED.copy()
    says[3, 0] = wrong
    with pytest.raises(ModelFileError, match="no numbers"):
        run(says, ROUGH)
    with pytest.raises(ModelFileError, match="no numbers"):
        run(WANTED, ROUGH, made=np.full((4, 2), wrong))


@pytest.mark.parametrize("shape", [(4, 3), (4, 1), (4, 2, 1), (4,)])
def test_another_number_of_classes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelFileError, match="4 x 2 are expected"):
        run(np.ones(shape), ROUGH)


def test_fewer_answers_than_photos_are_refused() -> None:
    def forgetful(images: Sequence[Image]) -> Answers:
        return Answers(WANTED[:3])

    with pytest.raises(ModelFileError, match="3 x 2 numbers where 4 x 2"):
        checking.check(forgetful, photos(), WANTED, EXACT, None, watch())
    with pytest.raises(ModelFileError, match="3 x 2"):
        checking.check(lambda images: Answers(WANTED, WANTED[:3]), photos(), WANTED, EXACT, None, watch())


@pytest.mark.parametrize("count", [3, 5])
def test_as_many_photos_as_rows_are_needed(count: int) -> None:
    rows = np.resize(WANTED, (5, 2))
    with pytest.raises(ValueError, match="one row per photo"):
        checking.check(Saying(rows), photos(count), WANTED, EXACT, None, watch())


# Accuracy, by a head that never saw the photos

HEAD = Head((Layer(np.eye(2, dtype=np.float32), np.zeros(2, np.float32)),))
MADE = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
WORSE = np.array([[0, 1], [0, 1], [0, 1], [0, 1]], np.float32)


def test_accuracy_is_counted_on_photos_the_head_never_saw_and_on_no_others() -> None:
    test = Test(HEAD, np.array([0, 1, -1, -1]), MADE)
    found = run(WANTED, ROUGH, test, WORSE)
    assert (found.held_out, found.correct, found.correct_full) == (2, 1, 2)
    assert checking.loses(found)
    assert not checking.loses(run(WANTED, ROUGH, test, MADE))


def test_accuracy_is_not_known_without_held_out_photos_or_embeddings() -> None:
    seen = Test(HEAD, np.full(4, -1), MADE)
    for found in (run(WANTED, ROUGH, seen, MADE), run(WANTED, ROUGH, None, MADE), run(WANTED, ROUGH, seen)):
        assert (found.held_out, found.correct, found.correct_full) == (0, None, None)
        assert not checking.loses(found)


@pytest.mark.parametrize(("correct", "says"), [(80, False), (78, False), (77, True), (90, False)])
def test_more_than_two_points_less_are_said(correct: int, says: bool) -> None:
    assert checking.loses(Check(100, 100, 100, 0.1, 100, correct, 80)) == says


# Watching


def test_photos_are_taken_a_few_at_a_time_and_progress_ends_at_one() -> None:
    told: list[float] = []
    rows = np.resize(WANTED, (50, 2))
    file = Saying(rows)
    checking.check(file, iter(photos(50)), rows, EXACT, None, Watch(told.append, threading.Event()))
    assert max(file.asked) <= checking.CHUNK
    assert told == sorted(told)
    assert told[-1] == 1


def test_a_check_that_nobody_wants_any_more_ends_between_photos() -> None:
    given_up = threading.Event()
    file = Saying(np.resize(WANTED, (50, 2)))

    def showing() -> Iterator[Image]:
        for image in photos(50):
            if image[0, 0, 0] == 20:
                given_up.set()
            yield image

    with pytest.raises(Cancelled):
        checking.check(file, showing(), file.rows, EXACT, None, Watch(lambda part: None, given_up))
    assert file.asked == [16]
