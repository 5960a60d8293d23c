"""Sentences about a model as a whole: true for what was measured, and plain where nothing could be."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studying import Desk

from teachable import dossier, intervals, report_words, scores
from teachable.dossier import Found, Photos
from teachable.learning import Curve, CurvePoint
from teachable.report import Report
from teachable.scores import Calibration, ClassScore
from teachable.study import Advice, Study, Suspect


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path)) as desk:
        desk.add(groups=6, size=5)
        yield desk


def study(**changes: Any) -> Study:
    parts: dict[str, Any] = {"random_split": None, "curve": None, "suspects": (), "explained": 0.0}
    parts |= {"advice": (Advice("enough"),) * 2, "points": np.zeros((0, 2), np.float32)}
    return Study(**(parts | changes))


def photos(desk: Desk) -> Photos:
    record = desk.project.latest_model()
    assert record is not None
    return dossier.photos_of(desk.project, record)


def report(desk: Desk, found: Study | None = None, **evaluation: Any) -> Report:
    """What is said, with some figures of the evaluation exchanged."""
    known = photos(desk)
    changed = replace(known.record, evaluation=replace(known.record.evaluation, **evaluation))
    kept = None if found is None else Found(tuple(known.kept.samples.tolist()), found)
    return report_words.report(desk.project.info(), replace(known, record=changed), kept, "Slim")


# How good it is


def test_the_headline_has_share_and_range(desk: Desk) -> None:
    desk.teach(lambda place, label: 1 - label if place < 3 else label)
    found = report(desk, low=0.724, high=0.98)
    assert found.headline == (
        "90% right on recordings it never saw. With other photos of this kind, expect something between 72% and 98%."
    )
    assert "In 3 rounds" in found.method
    assert "60 photos, each of them once" in found.method
    assert "95% interval" in found.method
    assert "nearly the same" not in found.method
    assert "7 photos joined another recording" in report(desk, joined=7).method
    assert found.network == "Slim"


def test_a_wide_range_is_called_wide(desk: Desk) -> None:
    desk.teach()
    assert "wide range" in report(desk, low=0.5, high=0.9).headline
    assert "wide range" not in report(desk, low=0.7, high=0.9).headline


def test_what_is_nearly_certain_is_told_as_such(desk: Desk) -> None:
    desk.teach()
    headline = report(desk, accuracy=0.997, low=0.951, high=0.9996).headline
    assert headline.startswith("Over 99% right on recordings it never saw.")
    assert "between 95% and 99%" in headline


def test_what_is_no_better_than_guessing_is_held_against_that(desk: Desk) -> None:
    desk.teach(lambda place, label: place % 2)
    assert "Guessing would be right in about 50%" in report(desk, low=0.4, high=0.6).headline
    assert "Guessing" not in report(desk, low=0.51, high=0.7).headline


def test_classes_that_could_not_be_tested_are_named(desk: Desk) -> None:
    desk.teach(unjudged=(1,))
    found = report(desk)
    assert "“Class 2” could not be tested: make a second recording of it" in found.headline
    assert [one.judged for one in found.classes] == [True, False]
    untested = found.classes[1]
    assert (untested.recall.total, untested.recall.share, untested.precision, untested.f1) == (0, None, None, None)
    assert any("Nothing is known about “Class 2”: it has" in text for text in found.limits)


def test_where_nothing_could_be_tested_no_figure_is_made_up(desk: Desk) -> None:
    desk.teach(unjudged=(0, 1))
    found = report(desk, study(random_split=(60, 60)))
    assert not any(letter.isdigit() for letter in found.headline + found.method)
    assert (found.accuracy.share, found.accuracy.low) == (None, None)
    assert "would tell you 100% here. That only shows" in found.random_text
    assert any("they have no recordings" in text for text in found.limits)
    assert "4 photos joined another recording" in report(desk, joined=4).method


@pytest.mark.parametrize(
    ("correct", "part"),
    [(60, "too good to be true"), (54, "about what the fair test says"), (45, "less than in the fair test")],
)
def test_the_usual_figure_is_there_to_teach_the_difference(desk: Desk, correct: int, part: str) -> None:
    desk.teach(lambda place, label: 1 - label if place < 3 else label)
    found = report(desk, study(random_split=(correct, 60)))
    assert found.random_split is not None
    assert (found.random_split.correct, found.random_split.low) == (correct, None)
    assert f"would tell you {round(100 * correct / 60)}% here" in found.random_text
    assert part in found.random_text
    assert report(desk, study()).random_split is None
    assert report(desk, study()).random_text == ""


def test_a_usual_figure_of_other_photos_is_not_compared(desk: Desk) -> None:
    desk.teach(unjudged=(1,))
    old = report(desk, study(random_split=(45, 60))).random_text
    assert "counts 60 photos and the fair test 30" in old
    assert "by chance" not in old
    new = report(desk, study(random_split=(30, 30))).random_text
    assert "about what the fair test says" in new
    assert "Both figures leave out the photos of “Class 2”." in new


# Classes


def test_precision_is_not_known_where_a_class_was_not_tested(desk: Desk) -> None:
    desk.teach(unjudged=(1,))
    found = report(desk, study())
    assert [(one.precision, one.f1) for one in found.classes] == [(None, None)] * 2
    assert found.classes[0].recall.share == 1
    assert "could not include “Class 2”" in found.classes_text
    desk.teach()
    assert report(desk, study()).classes_text == ""
    assert report(desk, study()).classes[0].precision == 1
    desk.teach(unjudged=(0, 1))
    assert report(desk, study()).classes_text == ""


def test_one_class_tested_has_the_interval_of_the_whole(desk: Desk) -> None:
    desk.teach(lambda place, label: 1 if place < 3 else label, unjudged=(1,))
    hits = np.arange(30) >= 3
    low, high = intervals.clustered(hits, [str(place // 5) for place in range(30)], missing=1 / 3)
    found = report(desk, low=low, high=high)
    assert (found.classes[0].recall.low, found.classes[0].recall.high) == pytest.approx((low, high))


def test_photos_kept_for_testing_are_not_called_nothing(desk: Desk) -> None:
    desk.teach(unjudged=(0,))
    each = (ClassScore(6, 6), ClassScore(0, 0))
    test = scores.TestScore(6, 6, 0.1, 1, each, ((6, 0), (0, 0)), 0, ((0.1, 1), None))
    single = Advice("single", {"photos": 5, "recordings": 1})
    found = report(desk, study(advice=(single, Advice("enough"))), test=test)
    assert "“Class 1” has only one recording left to learn from" in found.headline
    assert "second recording" not in found.headline
    assert not any("Nothing is known" in text for text in found.limits)
    assert "only one recording left" in found.classes[0].advice
    desk.teach(unjudged=(0, 1))
    found = report(desk, test=test)
    assert "only be told from the photos you kept for testing" in found.headline
    assert any("Nothing is known about “Class 2”" in text for text in found.limits)


def test_figures_of_each_class(desk: Desk) -> None:
    desk.teach(lambda place, label: 1 if (label, place) in {(0, 0), (0, 5), (0, 10)} else label)
    first, second = report(desk, study()).classes
    assert (first.samples, first.recordings, first.recall.correct, first.recall.total) == (30, 6, 27, 30)
    assert first.precision == 1
    assert second.precision == pytest.approx(30 / 33)
    assert first.f1 == pytest.approx(2 * 0.9 / 1.9)
    hits = np.array([place not in {0, 5, 10} for place in range(30)])
    # Each of three rounds learned from two thirds of the class.
    expected = intervals.clustered(hits, [str(place // 5) for place in range(30)], missing=1 / 3)
    assert (first.recall.low, first.recall.high) == pytest.approx(expected)
    assert "Nothing about “Class 1”" in first.advice
    assert report(desk).classes[0].advice == ""


def test_a_class_never_named_has_no_precision(desk: Desk) -> None:
    desk.teach(lambda place, label: 1)
    first = report(desk).classes[0]
    assert (first.recall.share, first.precision, first.f1) == (0, None, 0)
    assert first.recall.low == 0


# Percentages, test set, more photos


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        (0.12, 0.03, ("at their word: on average they are off by 3 in 100", "Before they were corrected, it was 12")),
        (0.08, 0.08, ("roughly right",)),
        (0.02, 0.03, ("at their word",)),
        (0.3, 0.2, ("Do not take", "it was 30")),
    ],
)
def test_probabilities_are_called_what_they_are(
    desk: Desk, before: float, after: float, parts: tuple[str, ...]
) -> None:
    desk.teach()
    found = report(desk, calibration=Calibration(1.5, before, after, ()))
    assert all(part in found.calibration_text for part in parts)
    assert ("corrected" in found.calibration_text) == (len(parts) == 2)
    assert report(desk).calibration_text == ""


def scored(correct: int, total: int, leaking: int) -> scores.TestScore:
    each = (ClassScore(correct, total), ClassScore(0, 0))
    return scores.TestScore(correct, total, 0.5, 0.9, each, ((correct, total - correct), (0, 0)), leaking)


@pytest.mark.parametrize(
    ("score", "parts"),
    [
        (scored(7, 10, 0), ("Of 10 photos", "named 7 correctly: 70%", "between 50% and 90%. That is a wide range")),
        (scored(7, 10, 1), ("70%", "1 photo set aside does not count")),
        (scored(7, 10, 4), ("70%", "4 photos set aside do not count")),
        (scored(0, 0, 4), ("None of the photos", "new recording")),
        (scored(1, 1, 0), ("correctly. One photo says little",)),
        (scored(0, 1, 0), ("wrongly. One photo says little",)),
    ],
)
def test_the_test_set_in_words(desk: Desk, score: scores.TestScore, parts: tuple[str, ...]) -> None:
    desk.teach()
    found = report(desk, test=score).test
    assert found is not None
    assert all(part in found.text for part in parts), found.text
    assert found.leaking == score.leaking
    assert (found.score.share is None) == (score.total == 0)
    assert [share.total for _, share in found.per_class] == [score.total, 0]
    # A model of before kept no intervals of its classes: none is made up of single photos.
    assert {share.low for _, share in found.per_class} == {None}
    assert report(desk).test is None


@pytest.mark.parametrize(
    ("gain", "part"),
    [((0.1, 0.01, 0.2), "would help"), ((0.01, 0, 0.02), "hardly help"), ((0.1, 0, 0.2), "cannot be told")],
)
def test_what_more_photos_would_bring(desk: Desk, gain: tuple[float, float, float], part: str) -> None:
    desk.teach()
    points = (
        CurvePoint(12, 0.7, 0.6, 0.8, True),
        CurvePoint(24, 0.8, 0.7, 0.9, True),
        CurvePoint(60, 0.9, 0.71, 0.954, False),
        CurvePoint(120, 0.95, 0.7, 1, False),
    )
    whole = report(desk, study(curve=Curve(points, *gain)))
    found = whole.learning
    assert found is not None
    assert whole.learning_text == found.text
    assert part in found.text
    assert "about 60" in found.text
    assert "of each class instead of 30" in found.text
    assert "71% to 95%" in found.text or "71% to 95%" in found.text.replace("anything from ", "")
    assert [(one.photos, one.measured) for one in found.points] == [(12, True), (24, True), (60, False), (120, False)]
    assert report(desk, study()).learning is None
    assert report(desk).learning_text == ""


def test_why_there_is_no_curve_is_said(desk: Desk) -> None:
    desk.teach()
    # Enough of everything: nobody knows any more why a study of before has none.
    assert "was not measured. Train again" in report(desk, study()).learning_text
    desk.teach(unjudged=(0, 1))
    assert "because nothing could be tested" in report(desk, study()).learning_text
    first, second = (desk.samples(label) for label in (0, 1))
    desk.teach()
    known = photos(desk)
    for kept, part in (
        ([*first[:9], *second[:9]], "18 photos could be tested, and it takes at least 20"),
        ([*first[:10], *second[:5], *second[-5:]], "about 6 photos of each class, and it takes at least 8"),
        (first, "since the training, a class has lost all its photos"),
    ):
        found = Found(tuple(one.id for one in kept), study())
        assert part in report_words.report(desk.project.info(), known, found, "Slim").learning_text


def test_few_recordings_have_no_curve(tmp_path: Path) -> None:
    with closing(Desk(tmp_path)) as desk:
        desk.add(groups=1, size=12)
        desk.teach()
        assert "2 recordings could be tested, and it takes at least 4" in report(desk, study()).learning_text


# Not sure, limits, findings


def test_what_is_known_about_not_sure(desk: Desk) -> None:
    desk.teach(familiar=60)
    assert "About 5 of 100 photos" in report(desk).unknown
    assert "60 photos" in report(desk).unknown
    desk.project.set_unknown_below(0.2)
    assert "About 20 of 100 photos" in report(desk).unknown
    desk.project.set_unknown_below(0)
    assert "switched off" in report(desk).unknown
    desk.teach(recordings=12)
    assert "too few photos" in report(desk).unknown
    desk.teach(kept=False)
    assert "older Teachable" in report(desk).unknown


def test_limits_name_what_cannot_be_known(tmp_path: Path) -> None:
    with closing(Desk(tmp_path)) as desk:
        desk.add(groups=2, size=2)
        desk.teach()
        said = report(desk).limits
        assert any("Only 4 recordings could be tested" in text for text in said)
        assert any("your photos only" in text for text in said)
        assert "without a person looking" in said[-1]
        desk.teach(kept=False)
        assert any("older Teachable" in text for text in report(desk).limits)


def test_only_the_few_that_matter_most_are_shown(desk: Desk) -> None:
    desk.teach()
    suspects = tuple(
        Suspect(kind, (0,), (row,), None, {"count": 1, "pictures": 1})
        for kind in ("blurred", "dark", "empty", "duplicates")
        for row in (1, 2)
    )
    found = report(desk, study(suspects=suspects))
    assert [one.kind for one in found.findings] == ["blurred", "blurred", "dark", "dark", "empty", "empty"]
    assert found.more_findings == 2


def test_a_project_without_a_model(desk: Desk) -> None:
    found = report_words.untrained(desk.project.info())
    assert (found.model, found.accuracy.share, found.classes) == (None, None, ())
    assert "Nothing is trained yet" in found.headline
