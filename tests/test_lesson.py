"""What a model is trained on: which changes make another lesson of it, and what is kept."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from teachable import outcomes
from teachable.lesson import Lesson, digest, digest_of, kept
from teachable.scores import Evaluation, Outcomes
from teachable.tasks import Outcome
from teachable.types import ClassInfo, Head, Sample

CLASSES = tuple(ClassInfo(id_, id_.upper(), "#112233", place, False, 2) for place, id_ in enumerate("ab"))
SAMPLES = tuple(Sample(id_, "ab"[id_ % 2], f"{id_:064}", "g", 4, 4, 0.0) for id_ in range(1, 5))


def changed(samples: Sequence[Sample], **what: object) -> list[Sample]:
    """Return the samples with the first of them changed."""
    return [replace(samples[0], **what), *samples[1:]]  # type: ignore[arg-type]


def test_digest_is_the_same_whatever_classes_are_called_and_wherever_they_stand() -> None:
    named = [replace(one, name="x", color="#000000", position=5) for one in reversed(CLASSES)]
    assert digest(named, reversed(SAMPLES)) == digest(CLASSES, SAMPLES)


def test_digest_changes_with_what_is_learned_and_tested() -> None:
    off = [replace(CLASSES[0], disabled=True), CLASSES[1]]
    digests = {
        digest(CLASSES, SAMPLES),
        digest(off, SAMPLES),
        digest(CLASSES, SAMPLES[1:]),
        digest(CLASSES, changed(SAMPLES, class_id="a")),
        digest(CLASSES, changed(SAMPLES, test=True)),
    }
    assert len(digests) == 5
    brief = [(sample.class_id, sample.sha256, sample.test) for sample in SAMPLES]
    assert digest_of(CLASSES, reversed(brief)) == digest(CLASSES, SAMPLES)


def test_what_is_kept_names_photos_and_classes_in_the_order_of_the_training() -> None:
    tests = changed(SAMPLES[3:], test=True)
    lesson = Lesson(CLASSES, SAMPLES[:3], np.zeros((3, 2), np.float32), tests, np.zeros((1, 2), np.float32), "")
    tested = Outcomes(np.array([0, 2]), np.array([0, 1]), np.array([[1, 0], [0, 1]], np.float32))
    score = Evaluation(None, None, None, 0, 0, (), (), (), ())
    outcome = Outcome(Head(()), score, tested, ("g", "h", "g"), None, np.array([[2, 1]], np.float32))
    found = outcomes.unpack(kept(lesson, outcome))
    assert found is not None
    assert found.samples.tolist() == [1, 2, 3]
    assert found.labels.tolist() == [1, 0, 1]
    assert list(found.groups) == ["g", "h", "g"]
    assert found.tested.rows.tolist() == [0, 2]
    assert (found.tests.tolist(), found.test_labels.tolist()) == ([4], [0])
    assert found.test_logits.tolist() == [[2.0, 1.0]]
