"""What a report says about a model as a whole, in words a twelve-year-old understands.

It owns the sentences, and which figures stand in a report. Those about photos and classes are in
`teachable.finding_words`; the figures come from the training and from a study of its photos.
"""

from collections.abc import Sequence

import numpy as np

from teachable import intervals, learning, trained
from teachable.dossier import Found, Photos
from teachable.finding_words import advice, findings
from teachable.learning import Curve
from teachable.report import ClassReport, Learning, Report, Share, TestReport
from teachable.scores import Calibration, ClassScore, Evaluation, TestScore
from teachable.types import ModelRecord, ProjectInfo
from teachable.words import end, listed, percent, say

SHOWN = 6
"""Findings that are shown; of the others it says how many there are."""
# An interval from one end to the other that is too wide to rely on.
_WIDE = 0.3
# A difference of two shares that nobody would act on.
_ALIKE = 0.03
# How far off probabilities may be, on average, to be called good or fair.
_GOOD, _FAIR = 0.05, 0.12
# Recordings below which they are said to be few.
_FEW_RECORDINGS = 10


def untrained(info: ProjectInfo) -> Report:
    """Return the report of a project without a model."""
    return Report(project=info.name, settings=info.settings, headline=say("report.headline.none"))


def report(info: ProjectInfo, photos: Photos, found: Found | None, network: str) -> Report:
    """Put together what is known about a model.

    Args:
        info: of the project, as it is now.
        photos: of the model.
        found: the study of it, or None before there is one.
        network: under the model, in words.
    """
    record = photos.record
    score, named = record.evaluation, trained.named(record, info)
    names = named.metadata.labels
    kept = _kept(score)
    unknown = [names[index] for index in score.unjudged if index not in kept]
    left = [names[index] for index in score.unjudged if index in kept]
    said = [] if found is None else findings(info, photos, found, names)
    random = None if found is None or found.study.random_split is None else _random(*found.study.random_split)
    return Report(
        model=record.id,
        trained=record.created,
        project=info.name,
        network=network,
        settings=record.settings,
        samples=record.samples,
        recordings=photos.recordings(),
        classes=_classes(photos, found, names, named.colors),
        classes_text=_classes_text(score, names),
        accuracy=Share(score.correct, score.held_out, score.accuracy, score.low, score.high),
        headline=_headline(score, unknown, left),
        method=_method(score),
        random_split=random,
        random_text="" if random is None else _random_text(random, score, names),
        confusion=score.confusion,
        calibration=score.calibration,
        calibration_text=_calibration_text(score.calibration),
        test=None if score.test is None else _test(score.test, record.class_ids),
        learning=None if found is None else _learning(found.study.curve, record.samples / len(names)),
        learning_text="" if found is None else _learning_text(photos, found, record.samples / len(names)),
        findings=tuple(said[:SHOWN]),
        more_findings=max(0, len(said) - SHOWN),
        unknown=_unknown(info, record),
        limits=_limits(photos, unknown),
    )


def _kept(score: Evaluation) -> frozenset[int]:
    """Return the classes that the finished model was tested on with photos kept for testing."""
    each = () if score.test is None else score.test.per_class
    return frozenset(index for index, one in enumerate(each) if one.total)


def _classes(
    photos: Photos, found: Found | None, names: Sequence[str], colors: Sequence[str]
) -> tuple[ClassReport, ...]:
    score = photos.record.evaluation
    labels, kept = photos.kept.labels, _kept(score)
    out = []
    for index, (id_, one) in enumerate(zip(photos.record.class_ids, score.per_class, strict=True)):
        recall = _recall(photos, index, one)
        named = sum(row[index] for row in score.confusion)
        # Of a class that was not tested nobody knows how many photos would be given this name.
        precision = one.correct / named if named and not score.unjudged else None
        out.append(
            ClassReport(
                id=id_,
                name=names[index],
                color=colors[index],
                samples=int((labels == index).sum()),
                recordings=photos.recordings(index),
                judged=one.total > 0,
                recall=recall,
                precision=precision,
                f1=None if score.unjudged else _f1(recall.share, precision),
                advice="" if found is None else advice(found.study.advice[index], index, names, index in kept),
            )
        )
    return tuple(out)


def _classes_text(score: Evaluation, names: Sequence[str]) -> str:
    """Say why precision and F1 are not known of classes that could be tested."""
    if not score.held_out or not score.unjudged:
        return ""
    untested = [names[index] for index in score.unjudged]
    return say("report.classes.no_precision", names=listed(untested), count=len(untested))


def _recall(photos: Photos, index: int, one: ClassScore) -> Share:
    """Return how many photos of a class were named correctly; the interval counts recordings where they are known."""
    if not one.total:
        return Share(0, 0, None, None, None)
    hits, groups, missing = photos.right(index)
    known = len(hits) == one.total and int(hits.sum()) == one.correct
    low, high = intervals.clustered(hits, groups, missing) if known else intervals.wilson(one.correct, one.total)
    return Share(one.correct, one.total, one.correct / one.total, low, high)


def _f1(recall: float | None, precision: float | None) -> float | None:
    """Return the harmonic mean (van Rijsbergen 1979): 0 where nothing of a class was named correctly."""
    if recall is None:
        return None
    return 2 * recall * precision / (recall + precision) if recall and precision else 0.0


def _headline(score: Evaluation, unknown: Sequence[str], left: Sequence[str]) -> str:
    """Say how good the model is, or why that is not known.

    Args:
        score: of the test.
        unknown: names of the classes nothing is known about.
        left: names of those that only photos kept for testing say something about.
    """
    if score.accuracy is None or score.low is None or score.high is None:
        return say("report.headline.only_kept" if left else "report.headline.untested")
    figures = {"percent": percent(score.accuracy), "low": end(score.low), "high": end(score.high)}
    first = say("report.headline.tested", **figures)
    # What is not a number, "over 99", begins a sentence here.
    said = [first[:1].upper() + first[1:]]
    guessing = 1 / len(score.confusion)
    if score.low <= guessing:
        said.append(say("report.headline.chance", percent=end(guessing)))
    if score.high - score.low > _WIDE:
        said.append(say("report.headline.wide"))
    if unknown:
        said.append(say("report.headline.some", names=listed(unknown), count=len(unknown)))
    if left:
        said.append(say("report.headline.left", names=listed(left), count=len(left)))
    return " ".join(said)


def _method(score: Evaluation) -> str:
    joined = [say("report.method.joined", count=score.joined)] if score.joined else []
    if score.accuracy is None:
        return " ".join([say("report.method.untested"), *joined])
    if not score.folds:
        return say("report.method.old", count=score.held_out)
    tested = say("report.method.tested", count=score.held_out, folds=score.folds)
    return " ".join([tested, *joined, say("report.method.interval")])


def _random(correct: int, total: int) -> Share:
    """Return a figure without an interval: no interval could hold what it leaves out."""
    return Share(correct, total, correct / total if total else None, None, None)


def _random_text(random: Share, score: Evaluation, names: Sequence[str]) -> str:
    if random.share is None:
        return ""
    figure = percent(random.share)
    if score.accuracy is None:
        return say("report.random.alone", percent=figure)
    if random.total != score.held_out:
        return say("report.random.others", percent=figure, total=random.total, tested=score.held_out)
    difference = random.share - score.accuracy
    if abs(difference) < _ALIKE:
        said = say("report.random.alike", percent=figure)
    elif difference < 0:
        said = say("report.random.lower", percent=figure)
    else:
        said = say("report.random.flattering", percent=figure)
    if score.unjudged:
        said = f"{said} {say('report.random.without', names=listed([names[index] for index in score.unjudged]))}"
    return said


def _calibration_text(calibration: Calibration | None) -> str:
    """Say whether percentages can be taken at their word."""
    if calibration is None:
        return ""
    off = percent(calibration.after)
    if calibration.after <= _GOOD:
        said = say("report.calibration.good", off=off)
    elif calibration.after <= _FAIR:
        said = say("report.calibration.fair", off=off)
    else:
        said = say("report.calibration.poor", off=off)
    before = percent(calibration.before)
    if calibration.before > calibration.after and before != off:
        said = f"{said} {say('report.calibration.before', off=before)}"
    return said


def _test(score: TestScore, ids: Sequence[str]) -> TestReport:
    known = score.total > 0
    share = Share(
        score.correct,
        score.total,
        score.correct / score.total if known else None,
        score.low if known else None,
        score.high if known else None,
    )
    ranges = score.ranges or (None,) * len(ids)
    each = zip(ids, score.per_class, ranges, strict=True)
    per_class = tuple((id_, _counted(one, ends)) for id_, one, ends in each)
    return TestReport(share, per_class, score.confusion, score.leaking, _test_text(share, score.leaking))


def _counted(one: ClassScore, ends: tuple[float, float] | None) -> Share:
    if not one.total:
        return Share(0, 0, None, None, None)
    low, high = ends or (None, None)
    return Share(one.correct, one.total, one.correct / one.total, low, high)


def _test_text(score: Share, leaking: int) -> str:
    if score.share is None or score.low is None or score.high is None:
        return say("report.test.all_leaking")
    figures = {"percent": percent(score.share), "low": end(score.low), "high": end(score.high)}
    if score.total == 1:
        said = say("report.test.single_right" if score.correct else "report.test.single_wrong")
    else:
        said = say("report.test.tested", correct=score.correct, total=score.total, **figures)
        if score.high - score.low > _WIDE:
            said = f"{said} {say('report.headline.wide')}"
    return f"{said} {say('report.test.leaking', count=leaking)}" if leaking else said


def _learning(curve: Curve | None, now: float) -> Learning | None:
    if curve is None:
        return None
    return Learning(curve.points, _ahead(curve, now))


def _learning_text(photos: Photos, found: Found, now: float) -> str:
    """Say whether more photos would help, or why that is not known."""
    if found.study.curve is not None:
        return _ahead(found.study.curve, now)
    kept = photos.kept
    # What the study looked at; others were gone by then.
    here = np.flatnonzero(np.isin(kept.samples, found.samples))
    inside = np.isin(kept.tested.rows, here)
    rows, places = np.searchsorted(here, kept.tested.rows[inside]), kept.tested.folds[inside]
    recordings = [kept.groups[row] for row in here[rows].tolist()]
    classes, labels = len(photos.record.class_ids), kept.labels[here]
    match learning.lack(labels, rows, places, recordings, classes):
        case "gone":
            return say("report.learning.gone")
        case "untested":
            return say("report.learning.untested")
        case "photos":
            return say("report.learning.photos", count=len(rows), wanted=learning.TESTED)
        case "recordings":
            return say("report.learning.recordings", count=len(set(recordings)), wanted=learning.RECORDINGS)
        case "parts":
            count = int(learning.learned(len(labels), places, classes))
            return say("report.learning.parts", count=count, wanted=learning.LEARNED)
    return say("report.learning.unknown")


def _ahead(curve: Curve, now: float) -> str:
    """Say whether it is worth the effort to take more photos of the same kind.

    Args:
        curve: with at least one point.
        now: photos per class there are, on average.
    """
    more = curve.ahead
    figures = {
        "now": round(now),
        "photos": round(more.photos),
        # Where it is foretold, a number says "around" well enough.
        "percent": end(more.share),
        "low": end(more.low),
        "high": end(more.high),
    }
    if curve.trend == "rising":
        return say("report.learning.rising", **figures)
    if curve.trend == "flat":
        return say("report.learning.flat", **figures)
    return say("report.learning.unclear", **figures)


def _unknown(info: ProjectInfo, record: ModelRecord) -> str:
    """Say what is known about the answer "not sure"."""
    if not record.familiar:
        # Of older models nobody counted the recordings.
        return say("report.unknown.few") if record.evaluation.recordings else say("report.unknown.old")
    if info.unknown_below <= 0:
        return say("report.unknown.off")
    return say("report.unknown.on", percent=end(info.unknown_below), count=record.familiar)


def _limits(photos: Photos, unknown: Sequence[str]) -> tuple[str, ...]:
    """Say what the report cannot know."""
    score = photos.record.evaluation
    said = [say("report.limits.photos"), say("report.limits.strangers")]
    if unknown:
        said.insert(0, say("report.limits.untested", names=listed(unknown), count=len(unknown)))
    recordings = len({photos.kept.groups[row] for row in photos.kept.tested.rows.tolist()})
    if score.accuracy is not None and photos.by_photo and recordings < _FEW_RECORDINGS:
        said.append(say("report.limits.recordings", count=recordings))
    if score.accuracy is not None and not score.folds:
        said.append(say("report.limits.old"))
    gone = sum(number not in photos.present for number in photos.kept.samples.tolist())
    if gone:
        said.append(say("report.limits.gone", count=gone))
    return (*said, say("report.limits.use"))
