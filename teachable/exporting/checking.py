"""Runs what was exported over photos and counts: how often it says what the preview says, and what that costs.

It owns the counting and the decision whether a file may be handed out. Which photos are asked about, and what the
preview says of them, comes from the caller; how a file is run is the business of its format.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from teachable import heads
from teachable.errors import ModelFileError
from teachable.exporting.exporter import Answers, Runner, Variant, Watch
from teachable.types import Embeddings, Head, Image, Labels

# Photos held in memory at once.
CHUNK = 16
LOSS = 0.02
"""Share of the photos held out that a file may name wrong, and the full model right, before that is said."""


@dataclass(frozen=True)
class Check:
    """What came out when an exported file was run.

    Attributes:
        agreeing: photos for which it names the same class as the preview, within the tolerance of its variant.
        total: photos compared.
        same_class: photos for which it names the same class, however far its probabilities are off.
        largest_difference: of any probability, 0 to 1.
        held_out: how many of the photos a head that was fitted without them could be asked about, to compare the file
            with the full model; 0 where that cannot be done. The head in the file is another one and has seen them.
        correct: how many of those are named correctly by that head from what the file makes of them; None with 0. It
            means something beside `correct_full` alone, and is not the accuracy of the model.
        correct_full: the same from what the full model makes of them.
    """

    agreeing: int
    total: int
    same_class: int
    largest_difference: float
    held_out: int = 0
    correct: int | None = None
    correct_full: int | None = None


@dataclass(frozen=True)
class Test:
    """What the loss of accuracy is measured with: a head, and the photos it never saw.

    The head inside the file has seen every photo, so what it names correctly says nothing.

    Attributes:
        head: that was fitted without the photos held out.
        labels: int64 `[N]`, one per photo of the check: index of its class, or -1 where the head has seen it.
        embeddings: float32 `[N, D]`, what the full model makes of the photos of the check; rows of photos with the
            label -1 are not looked at.
    """

    __test__ = False  # for pytest, which takes every class of this name for tests

    head: Head
    labels: Labels
    embeddings: Embeddings


def check(
    runner: Runner,
    photos: Iterable[Image],
    expected: NDArray[np.float32],
    variant: Variant,
    test: Test | None,
    watch: Watch,
) -> Check:
    """Run an exported file over photos and compare with what the preview says about them.

    Args:
        runner: the exported file, opened.
        photos: uint8 `[H, W, 3]` each, of any sizes; only a few are held at a time.
        expected: probabilities of the preview, float32 `[N, K]`, one row per photo.
        variant: whose tolerance counts.
        test: to measure accuracy with, or None where nothing was held out. It is left alone where the file cannot be
            asked for embeddings.
        watch: hears after every few photos.

    Raises:
        Cancelled: it was given up.
        ModelFileError: the file does not give one number for each class of each photo.
        TeachableError: the file fails.
        ValueError: not as many photos as rows.
    """
    remaining = iter(photos)
    agreeing = same = compared = held_out = correct = correct_full = 0
    largest = 0.0
    tolerance = np.inf if variant.tolerance is None else variant.tolerance
    for chunk in _chunks(remaining):
        watch.done(min(1.0, compared / max(1, len(expected))))
        answers = runner(chunk)
        rows = slice(compared, compared + len(chunk))
        wanted = expected[rows]
        if len(wanted) != len(chunk):
            raise ValueError("expected must have one row per photo")
        _require_numbers(answers, wanted.shape, variant)
        difference = np.abs(answers.probabilities - wanted).max(axis=1)
        alike = answers.probabilities.argmax(axis=1) == wanted.argmax(axis=1)
        agreeing += int(np.sum(alike & (difference <= tolerance)))
        same += int(alike.sum())
        largest = max(largest, float(difference.max()))
        compared += len(chunk)
        if test is not None and answers.embeddings is not None:
            unseen = test.labels[rows] >= 0
            labels = test.labels[rows][unseen]
            held_out += len(labels)
            correct += _correct(test.head, answers.embeddings[unseen], labels)
            correct_full += _correct(test.head, test.embeddings[rows][unseen], labels)
    if compared != len(expected):
        raise ValueError("expected must have one row per photo")
    watch.done(1.0)
    found = (held_out, correct, correct_full) if held_out else (0, None, None)
    return Check(agreeing, compared, same, largest, *found)


def require(found: Check, variant: Variant) -> None:
    """Go on only if the file may be handed out.

    Raises:
        ModelFileError: too few of its answers are those of the preview; the words give the figures.
    """
    # The share is a decimal number: nine of ten must be enough for 0.9, whatever that is in binary.
    if found.total and found.agreeing >= variant.share * found.total - 1e-9:
        return
    needed = int(np.ceil(variant.share * found.total - 1e-9))
    percent = f"{100 * found.largest_difference:.1f}"
    counts = {"agreeing": found.agreeing, "total": found.total, "needed": needed}
    raise ModelFileError("export_disagrees", name=variant.file, **counts, percent=percent)


def loses(found: Check) -> bool:
    """Say whether the file names so many fewer photos correctly than the full model that a person should know."""
    if found.correct is None or found.correct_full is None:
        return False
    return found.correct_full - found.correct > LOSS * found.held_out + 1e-9


def _chunks(photos: Iterator[Image]) -> Iterator[Sequence[Image]]:
    while chunk := list(islice(photos, CHUNK)):
        yield chunk


def _require_numbers(answers: Answers, shape: tuple[int, ...], variant: Variant) -> None:
    """Refuse a file that gives something else than one finite number for each class of each photo."""
    found = answers.probabilities
    if found.shape != shape:
        wanted, came = (" x ".join(str(side) for side in sides) for sides in (shape, found.shape))
        raise ModelFileError("export_shape", name=variant.file, wanted=wanted, found=came)
    whole = np.isfinite(found).all()
    if answers.embeddings is not None:
        if answers.embeddings.ndim != 2 or len(answers.embeddings) != shape[0]:
            came = " x ".join(str(side) for side in answers.embeddings.shape)
            raise ModelFileError("export_shape", name=variant.file, wanted=f"{shape[0]} x …", found=came)
        whole = whole and np.isfinite(answers.embeddings).all()
    if not whole:
        raise ModelFileError("export_not_numbers", name=variant.file)


def _correct(head: Head, embeddings: Embeddings, labels: Labels) -> int:
    return int((heads.logits(head, embeddings).argmax(axis=1) == labels).sum()) if len(labels) else 0
