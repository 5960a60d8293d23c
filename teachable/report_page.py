"""The report as one HTML file: to be read on a screen, printed, and handed on, with nothing loaded from elsewhere.

It owns what is shown and how: the model card, the charts, the worst mistakes with heat maps. What is
said is `teachable.report`; the layout is `assets/report/report.html`, the drawing of charts `teachable.charts`. It
has no script, and its policy allows none.
"""

import base64
import hashlib
import json
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from teachable import __version__, charts
from teachable.charts import Row, Spec
from teachable.learning import CurvePoint
from teachable.report import ClassReport, Finding, Report, SampleMap, Share, TestedPhoto
from teachable.resources import assets
from teachable.words import end, percent, probability, say

if TYPE_CHECKING:
    import jinja2

Pictures: TypeAlias = Callable[[Sequence[int]], Mapping[int, bytes]]
"""Gives JPEGs by id of the sample; those that are not there any more are left out."""

LOCALE = "en"
MISTAKES = 24
"""Wrong answers that are shown with their photos."""
PER_FINDING = 8
"""Photos that are shown of each finding."""
MATRIX = 12
"""Classes up to which the mix-ups are a table of numbers; more do not fit a sheet of paper."""
IN_CHART = 30
"""Classes up to which there is a chart of them."""
MIX_UPS = 12
"""Pairs of classes that are listed, those mixed up most first."""
# Depth of a cell of the confusion matrix, in steps the style sheet knows.
_LEVELS = 8
# Of the map: its sides, by the number of points that must be told apart; shapes keep their size.
_SIDES = ((300, 640), (2000, 960), (10**9, 1400))
_HEIGHT = 0.62
_MARGIN = 12
_OTHER_COLOR = "#868DA0"


@dataclass(frozen=True)
class Label:
    """A class as it is drawn.

    Attributes:
        name: what it is called.
        color: `#RRGGBB`.
        place: in the model; it has a shape as well, because colour alone says nothing to some.
    """

    name: str
    color: str
    place: int


@dataclass(frozen=True)
class Cell:
    """How often one class was given the name of one class; `level` is the share of its photos, 0 to 8."""

    count: int
    level: int


@dataclass(frozen=True)
class MatrixRow:
    """The photos of one class, by what they were named."""

    label: Label
    place: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class MixUp:
    """Photos of one class that were given the name of another."""

    given: Label
    said: Label
    count: int
    total: int


@dataclass(frozen=True)
class Mistake:
    """A photo that was named wrongly; pictures are data addresses."""

    given: Label
    said: Label
    probability: float
    photo: str
    heat: str | None


@dataclass(frozen=True)
class Shown:
    """A finding with the photos that are shown of it; `more` are not."""

    finding: Finding
    pictures: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class Cloud:
    """The points of one class on the map, as the outline of an SVG path."""

    label: Label
    path: str
    count: int


@dataclass(frozen=True)
class Map:
    """All points, by class."""

    width: int
    height: int
    clouds: tuple[Cloud, ...]
    count: int
    explained: float | None


def policy() -> str:
    """Return what the page may do: show itself and the pictures in it, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    rules = ("default-src 'none'", f"style-src 'sha256-{digest}'", "img-src data:")
    return "; ".join((*rules, "base-uri 'none'", "form-action 'none'"))


def render(
    report: Report,
    thumbnails: Pictures,
    *,
    mistakes: Sequence[TestedPhoto] = (),
    heat: Pictures | None = None,
    points: SampleMap | None = None,
    cancelled: threading.Event | None = None,
) -> bytes:
    """Return the report as an HTML file.

    Args:
        report: that is done.
        thumbnails: gives pictures of samples, square.
        mistakes: wrong answers of all classes, the worst first; the first few whose photo is there are shown.
        heat: gives the same pictures with where the finished model, which has learned from them since, sees what they
            were called, or None.
        points: the map, or None for a page without one.
        cancelled: set it to give up.

    Raises:
        ValueError: the report is not done.
        Cancelled: nobody wants it any more.
        TeachableError: the charts cannot be drawn.
    """
    if report.state != "done":
        raise ValueError("only a report that is done can be shown")
    labels = {one.id: Label(one.name, one.color, place) for place, one in enumerate(report.classes)}
    known = list(labels.values())
    shown = _mistakes(mistakes, labels, thumbnails, heat)
    template = _templates().get_template("report.html")
    page = template.render(
        report=report,
        labels=known,
        by_id=labels,
        policy=policy(),
        date=datetime.fromtimestamp(report.trained, UTC).date().isoformat(),
        charts=_charts(report, cancelled),
        matrix=_matrix(report.confusion, known),
        mix_ups=_mix_ups(report.confusion, known),
        mistakes=shown,
        heated=any(one.heat for one in shown),
        findings=_findings(report.findings, thumbnails),
        test_classes=[(labels[id], score) for id, score in report.test.per_class] if report.test else [],
        test_matrix=_matrix(report.test.confusion, known) if report.test else (),
        map=None if points is None else _map(points, labels),
    )
    return page.encode()


# What the template is filled with


@cache
def _style() -> str:
    return (assets() / "report" / "report.css").read_text(encoding="utf-8")


@cache
def _shapes() -> tuple[str, ...]:
    """Return outlines around the point where they begin. Seven of them and eight colours make 56 pairs."""
    shapes: list[str] = json.loads((assets() / "report" / "shapes.json").read_text(encoding="utf-8"))
    return tuple(shapes)


def _shape(label: Label) -> str:
    return _shapes()[label.place % len(_shapes())]


@cache
def _templates() -> "jinja2.Environment":
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(assets() / "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        say=say,
        percent=_percent,
        number=percent,
        end=end,
        sure=_sure,
        tenths=_tenths,
        interval=_interval,
        shape=_shape,
        locale=LOCALE,
        version=__version__,
        # Ours, and so it may stand there as it is.
        style=markupsafe.Markup(_style()),  # noqa: S704
    )
    return environment


def _percent(share: float | None) -> str:
    return say("report.page.nothing") if share is None else say("report.page.percent", value=percent(share))


def _sure(share: float) -> str:
    return say("report.page.percent", value=probability(share))


def _tenths(share: float) -> str:
    return say("report.page.percent", value=f"{100 * share:.1f}")


def _interval(one: Share | CurvePoint) -> str:
    low, high = one.low or 0.0, one.high or 0.0
    return say("report.page.interval", low=end(low), high=end(high))


def _matrix(confusion: Sequence[Sequence[int]], labels: Sequence[Label]) -> tuple[MatrixRow, ...]:
    """Return the confusion matrix as rows of a table, or none if nothing was tested or it is too large.

    A class of which nothing was tested has no row: it would say that nothing of it was mixed up.
    """
    if len(labels) > MATRIX or not any(map(any, confusion)):
        return ()
    return tuple(
        MatrixRow(label, label.place, tuple(_cell(count, sum(counts)) for count in counts))
        for label, counts in zip(labels, confusion, strict=True)
        if any(counts)
    )


def _cell(count: int, total: int) -> Cell:
    # What happened at all is never as pale as what did not.
    return Cell(count, math.ceil(_LEVELS * count / total) if total else 0)


def _mix_ups(confusion: Sequence[Sequence[int]], labels: Sequence[Label]) -> list[MixUp]:
    """Return the pairs of classes that were mixed up most often."""
    found = [
        MixUp(labels[given], labels[said], count, sum(counts))
        for given, counts in enumerate(confusion)
        for said, count in enumerate(counts)
        if given != said and count
    ]
    return sorted(found, key=lambda one: (-one.count, one.given.place, one.said.place))[:MIX_UPS]


def _mistakes(
    mistakes: Iterable[TestedPhoto], labels: Mapping[str, Label], thumbnails: Pictures, heat: Pictures | None
) -> list[Mistake]:
    wanted = [one for one in mistakes if one.given in labels and one.said in labels][:MISTAKES]
    ids = [one.id for one in wanted]
    photos = thumbnails(ids) if ids else {}
    looked = heat(ids) if ids and heat else {}
    return [
        Mistake(
            labels[one.given],
            labels[one.said],
            one.probability,
            _address(photos[one.id]),
            _address(looked[one.id]) if one.id in looked else None,
        )
        for one in wanted
        if one.id in photos
    ]


def _findings(findings: Iterable[Finding], thumbnails: Pictures) -> list[Shown]:
    out = []
    for finding in findings:
        ids = finding.samples[:PER_FINDING]
        photos = thumbnails(ids) if ids else {}
        pictures = tuple(_address(photos[id]) for id in ids if id in photos)
        out.append(Shown(finding, pictures, len(finding.samples) - len(ids)))
    return out


def _address(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _map(points: SampleMap, labels: Mapping[str, Label]) -> Map | None:
    """Return the points as one path for each class: a tenth of the bytes that an element for each point would take."""
    if not points.samples:
        return None
    width = next(side for most, side in _SIDES if len(points.samples) <= most)
    height = round(width * _HEIGHT)
    outlines: dict[int, list[str]] = {}
    for index, x, y in zip(points.classes, points.x, points.y, strict=True):
        across = _MARGIN + (x + 1) / 2 * (width - 2 * _MARGIN)
        down = _MARGIN + (1 - y) / 2 * (height - 2 * _MARGIN)
        outlines.setdefault(index, []).append(f"M{across:.1f} {down:.1f}")
    clouds = []
    for index, places in sorted(outlines.items()):
        label = labels.get(points.class_ids[index]) or Label(say("report.page.other_class"), _OTHER_COLOR, index)
        clouds.append(Cloud(label, "".join(place + _shape(label) for place in places), len(places)))
    return Map(width, height, tuple(clouds), len(points.samples), points.explained)


# The charts


def _charts(report: Report, cancelled: threading.Event | None) -> dict[str, str]:
    """Return the charts there is something to show in, by name, as SVG."""
    import markupsafe

    wanted = {
        "classes": _classes_chart(report.classes),
        "confusion": _confusion_chart(report.confusion),
        "learning": _learning_chart(report.learning.points) if report.learning else None,
        "reliability": _reliability_chart(report),
    }
    specs = {name: spec for name, spec in wanted.items() if spec}
    drawn = dict(zip(specs, charts.draw(list(specs.values()), cancelled), strict=True))
    # Drawn by Vega, which escapes all text.
    return {name: markupsafe.Markup(drawn.get(name, "")) for name in wanted}  # noqa: S704


def _classes_chart(classes: Sequence[ClassReport]) -> Spec | None:
    rows: list[Row] = [
        {"place": place, "share": one.recall.share, "low": one.recall.low, "high": one.recall.high}
        for place, one in enumerate(classes)
        if one.recall.share is not None
    ]
    if not rows or len(classes) > IN_CHART:
        return None
    names = [one.name for one in classes]
    return charts.chart("classes", rows, {"across": say("report.page.recall_axis")}, names=names)


def _confusion_chart(confusion: Sequence[Sequence[int]]) -> Spec | None:
    """Return a picture of a confusion matrix that is too large for a table."""
    if len(confusion) <= MATRIX or not any(map(any, confusion)):
        return None
    rows: list[Row] = [
        {"given": given, "said": said, "share": count / sum(counts)}
        for given, counts in enumerate(confusion)
        for said, count in enumerate(counts)
        if count
    ]
    words = {"across": say("report.page.said"), "up": say("report.page.given")}
    return charts.chart("confusion", rows, words, places=list(range(len(confusion))))


def _learning_chart(points: Sequence[CurvePoint]) -> Spec | None:
    if not points:
        return None
    measured = [one for one in points if one.measured]
    expected = [one for one in points if not one.measured]
    # The line of what is expected begins where that of what was measured ends.
    parts = [(one, "measured") for one in measured]
    parts += [(one, "expected") for one in (*measured[-1:], *expected) if expected]
    rows: list[Row] = [
        {"photos": one.photos, "share": one.share, "low": one.low, "high": one.high, "part": part}
        for one, part in parts
    ]
    bottom = max(0.0, min(0.9, math.floor(10 * min(one.low for one in points)) / 10))
    words = {"across": say("report.page.photos_per_class"), "up": say("report.page.share_right")}
    return charts.chart("learning", rows, words, bottom=bottom)


def _reliability_chart(report: Report) -> Spec | None:
    if report.calibration is None or not report.calibration.bins:
        return None
    rows: list[Row] = [
        {"confidence": bin.confidence, "accuracy": bin.accuracy, "count": bin.count} for bin in report.calibration.bins
    ]
    words = {"across": say("report.page.claimed"), "up": say("report.page.share_right")}
    return charts.chart("reliability", rows, words)
