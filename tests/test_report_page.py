"""The report as a page: everything is in it, nothing in it can become markup, and it loads nothing."""

import base64
import hashlib
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest
import reporting
from reporting import mistakes, points, report, share, thumbnails

from teachable import charts, report_page
from teachable.errors import Cancelled
from teachable.report import Finding, Report, SampleMap, Share
from teachable.resources import assets
from teachable.scores import Calibration
from teachable.words import say

HOSTILE = "<script>alert(1)</script>\"'&{{ say }}"


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a child for each page takes time; tests that look at charts are marked by what they use."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(charts, "draw", lambda specs, cancelled=None: [f"<svg>{len(specs)}</svg>" for _ in specs])


@pytest.fixture
def drawn() -> None:
    """Charts are drawn for real."""


class Reader(HTMLParser):
    """What a browser would find in a page: elements with their attributes, and text outside styles."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page.decode())
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data + " "

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(given: Report, **options: object) -> Reader:
    return Reader(report_page.render(given, thumbnails, **options))  # type: ignore[arg-type]


def full(**changes: object) -> Reader:
    given = report("Apple", "Banana", "Cherry", unjudged=[2], **changes)
    return read(given, mistakes=mistakes(3), heat=thumbnails, points=points(30, 3))


def test_everything_that_is_known_is_said() -> None:
    page = full(stale=True)
    texts = ["Fruit", "Apple", "Banana", "Cherry", "Headline sentence.", "Method sentence.", "Random sentence."]
    texts += ["Calibration sentence.", "Text of the test set.", "Learning sentence.", "Finding title", "Move them"]
    texts += ["Finding sentence.", "Small title", "Unknown sentence.", "First limit.", "Second limit.", "Slim", "m-1"]
    texts += ["Advice for Apple.", "Advice for Cherry.", "2027-01-15", "have changed since", "Cannot be tested"]
    texts += ["Classes sentence."]
    assert [text for text in texts if text not in page.text] == []


def test_the_model_card_has_the_settings_and_counts() -> None:
    text = full().text
    for stated in ("Epochs 50", "Batch size 16", "Learning rate 0.001", "Hidden layer none", "Seed 0"):
        assert stated in text
    assert "Photos 30 Recordings 6 Classes 3 Photos it was tested on 20 Photos kept only for testing 13" in text
    assert "Its percentages are off by 3.4%" in text
    assert "Correction of its percentages (temperature) 1.50" in text


def test_only_a_report_that_is_done_is_shown() -> None:
    for state in ("none", "running", "failed", "cancelled"):
        with pytest.raises(ValueError, match="done"):
            report_page.render(report("A", "B", state=state), thumbnails)


@pytest.mark.usefixtures("drawn")
def test_names_cannot_become_markup() -> None:
    given = report(HOSTILE, HOSTILE + "2", project=HOSTILE, network=HOSTILE, headline=HOSTILE, limits=(HOSTILE,))
    finding = Finding("f", "small", HOSTILE, HOSTILE, ("c0",), (1,), ())
    page = read(replace(given, findings=(finding,)), mistakes=mistakes(2), heat=thumbnails, points=points(9, 2))
    assert not page.all("script")
    assert page.text.count("<script>alert(1)</script>\"'&{{ say }}") >= 8
    assert not {name for _, attributes in page.elements for name in attributes if name.startswith("on")}


def test_the_policy_is_the_strictest_that_shows_the_page() -> None:
    page = report_page.render(report("A", "B"), thumbnails)
    stated = next(one["content"] for one in Reader(page).all("meta") if "http-equiv" in one)
    assert stated == report_page.policy()
    rules = dict(rule.split(" ", 1) for rule in stated.split("; "))
    assert {name: rule for name, rule in rules.items() if name != "style-src"} == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    (style,) = re.findall(rb"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert rules["style-src"] == f"'sha256-{digest}'"


@pytest.mark.usefixtures("drawn")
def test_nothing_is_loaded_and_the_policy_forbids_nothing_the_page_has() -> None:
    page = full()
    allowed = {"html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section", "aside", "div"}
    allowed |= {"h1", "h2", "h3", "p", "s", "span", "ul", "ol", "li", "dl", "dt", "dd", "code", "img"}
    allowed |= {"table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "details", "summary"}
    allowed |= {"svg", "g", "path", "rect", "line", "text"}
    assert {tag for tag, _ in page.elements} <= allowed
    names = {name for _, attributes in page.elements for name in attributes}
    assert not names & {"style", "href", "srcset", "xlink:href"}
    assert all(one["src"].startswith("data:image/jpeg;base64,") for one in page.all("img"))


def test_every_picture_and_chart_says_what_it_is() -> None:
    page = full()
    assert all(one["alt"] for one in page.all("img"))
    pictures = [one for one in page.all("svg") if one and "mark" not in one.get("class", "")]
    assert pictures
    assert all(one["role"] == "img" and one["aria-label"] for one in pictures)
    assert all(one["aria-label"] for one in page.all("div") if one.get("role") == "img")
    assert all(one["aria-hidden"] == "true" for one in page.all("svg") if one.get("class") == "mark")


def test_headings_are_nested_and_named_sections_exist() -> None:
    page = full()
    levels = [int(tag[1]) for tag, _ in page.elements if tag in {"h1", "h2", "h3"}]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes} <= set(
        ids
    )


@pytest.mark.usefixtures("drawn")
def test_charts_are_drawn_with_a_table_beside_them() -> None:
    page = full()
    assert len([one for one in page.all("svg") if one.get("class") == "marks"]) == 3
    # Learning curve: 80 photos, expected; reliability: a claimed 95%, right in 90%.
    assert "80 90% (88–92%) expected" in page.text
    assert "95% 90% 20" in page.text


def test_the_confusion_matrix_is_a_table_of_numbers() -> None:
    text = full().text
    assert "Apple 8 2 0 Banana 0 8 2 " in text
    # Of a class that was not tested it does not say that nothing was mixed up.
    assert "Cherry 0 0 0" not in text
    assert "Apple Banana 2 of 10 Banana Cherry 2 of 10" in text


def test_tables_say_what_they_are_and_head_their_rows_and_columns() -> None:
    page = full()
    classes = next(one for one in page.all("table") if one.get("class") == "per-class")
    assert classes["role"] == "table"
    assert say("report.page.classes_table") in page.text
    assert page.all("th")
    assert all(one.get("scope") in {"col", "row", "colgroup"} for one in page.all("th"))
    # On a phone the headings are out of sight: every figure says itself what it is.
    labels = {one["data-label"] for one in page.all("td") if "data-label" in one}
    assert labels == {say(f"report.page.{one}") for one in ("recall", "precision", "f1", "photos", "recordings")}


def test_depth_of_a_cell_follows_its_share_and_never_hides_a_mistake() -> None:
    given = report("A", "B", confusion=((999, 1), (0, 0)))
    cells = [one["class"] for one in read(given).all("td") if "level-" in one.get("class", "")]
    # The test set has a matrix too, which comes first.
    assert cells[-2:] == ["right level-8", "wrong level-1"]


def test_many_classes_become_a_picture_and_a_list() -> None:
    names = [f"Class {number}" for number in range(1, 201)]
    page = read(report(*names), points=points(400, 200))
    assert not [one for one in page.all("table") if "matrix" in one.get("class", "").split()]
    assert page.text.count(" 2 of 10 ") == report_page.MIX_UPS
    assert "Class 200" in page.text


@pytest.mark.usefixtures("drawn")
def test_the_picture_of_many_classes_has_a_square_for_each_cell() -> None:
    names = [f"Class {number}" for number in range(1, 41)]
    given = replace(report(*names), learning=None, learning_text="", calibration=None)
    page = report_page.render(given, thumbnails).decode()
    (chart,) = re.findall(r'<svg [^>]*class="marks".*?</svg>', page, re.DOTALL)
    root = ElementTree.fromstring(chart)
    cells = [one for one in root.iter("{http://www.w3.org/2000/svg}path") if one.get("fill") == "var(--accent)"]
    assert len(cells) == 80


def test_nothing_was_mixed_up() -> None:
    page = read(report("A", "B", confusion=((5, 0), (0, 5))))
    assert "every tested photo got its right name" in page.text


def test_a_model_that_could_not_be_judged() -> None:
    given = report("Apple", "Banana", unjudged=[0, 1])
    nothing = {"random_split": None, "calibration": None, "test": None, "learning": None, "findings": ()}
    nothing |= {"accuracy": share(0, 0), "unknown": "", "limits": (), "learning_text": "Why there is no curve."}
    page = read(replace(given, **nothing))  # type: ignore[arg-type]
    assert "Headline sentence." in page.text
    assert "Cannot be tested" in page.text
    assert "not tested" in page.text
    assert "Nothing was found that should be mended" in page.text
    assert " 0%" not in page.text
    assert not page.all("img")
    assert "Would more photos help? Why there is no curve." in page.text
    for heading in ("What is mixed up", "The worst mistakes", "Map of the photos"):
        assert heading not in page.text


def test_of_a_class_that_only_kept_photos_test_it_says_that() -> None:
    given = report("Apple", "Banana", unjudged=[1])
    assert given.test is not None
    seen = replace(given.test, per_class=(("c0", share(0, 0)), ("c1", Share(2, 4, 0.5, None, None))))
    text = read(replace(given, test=seen)).text
    assert "Tested only with the photos kept for testing" in text
    # Without an interval that is known, none is shown.
    assert "Banana 2 / 4 50%" in text
    assert "Cannot be tested" not in text


def test_records_that_hold_no_points() -> None:
    empty = SampleMap("pca", None, (), (), (), (), ("c0", "c1"), False, "")
    given = report("A", "B", learning=None, learning_text="It cannot be known.", calibration=Calibration(1, 0, 0, ()))
    page = read(given, points=empty)
    assert "It cannot be known." in page.text
    assert "Map of the photos" not in page.text


def test_a_class_no_photo_was_called_by_has_no_precision() -> None:
    given = report("A", "B")
    first = replace(given.classes[0], precision=None, f1=None)
    assert "(70–85%) – –" in read(replace(given, classes=(first, *given.classes[1:]))).text


def test_the_worst_mistakes_come_with_what_the_finished_model_sees_and_no_claim_that_it_was_the_cause() -> None:
    page = full()
    pairs = [one["alt"] for one in page.all("img") if one.get("width") == "128"]
    heat = "The same photo, bright where the finished model sees something of “Banana”"
    assert pairs == ["Photo of the class “Apple”", heat] * 3
    assert "It is Apple It was called Banana 99%" in page.text
    assert "has learned from these photos since and may name them correctly now" in page.text
    assert "made it say" not in page.text


def test_mistakes_without_heat_maps() -> None:
    page = read(report("Apple", "Banana"), mistakes=mistakes(2))
    assert len([one for one in page.all("img") if one.get("width") == "128"]) == 2
    assert "finished model" not in page.text


@pytest.mark.usefixtures("drawn")
def test_nothing_is_certain_that_is_not() -> None:
    given = report("Apple", "Banana", accuracy=Share(997, 1000, 0.997, 0.99, 0.9967))
    page = read(given, mistakes=[replace(mistakes(1)[0], probability=0.999999)])
    assert "It was called Banana over 99%" in page.text
    assert "over 99% (99–99%)" in page.text
    assert "100% " not in page.text.partition("It was called")[2].partition("What to mend")[0]


def test_photos_that_are_gone_are_left_out() -> None:
    def some(ids: Sequence[int]) -> Mapping[int, bytes]:
        return {id: reporting.jpeg(id) for id in ids if id != 2}

    page = Reader(report_page.render(report("A", "B"), some, mistakes=mistakes(3), heat=some))
    assert len([one for one in page.all("img") if one.get("width") == "128"]) == 4
    assert len([one for one in page.all("img") if one.get("width") == "96"]) == report_page.PER_FINDING - 1


def test_classes_that_are_gone_are_left_out_of_the_mistakes() -> None:
    gone = replace(mistakes(1)[0], said="deleted")
    assert not [one for one in read(report("A", "B"), mistakes=[gone]).all("img") if one.get("width") == "128"]


def test_the_page_stays_small_and_says_how_much_it_leaves_out() -> None:
    page = read(report("A", "B"), mistakes=mistakes(100))
    assert len([one for one in page.all("img") if one.get("width") == "128"]) == report_page.MISTAKES
    assert f"and {12 - report_page.PER_FINDING} more" in page.text
    assert "3 more, less important, are shown in Teachable" in page.text


@pytest.mark.parametrize(("correct", "struck"), [(20, True), (17, False)])
def test_the_other_figure_is_struck_out_only_where_it_promises_too_much(correct: int, struck: bool) -> None:
    given = report("A", "B", random_split=share(correct, 20))
    assert given.accuracy.high == pytest.approx(0.85)
    assert bool(read(given).all("s")) == struck


# The map


def test_the_map_has_a_cloud_for_each_class_with_a_shape_of_its_own() -> None:
    page = read(report("A", "B", "C"), points=points(30, 3))
    clouds = [one for one in page.all("path") if "fill-opacity" in one]
    assert [one["d"].count("M") for one in clouds] == [10, 10, 10]
    assert len({one["fill"] for one in clouds}) == 3
    assert len({re.sub(r"M[-\d. ]+", "", one["d"])[:20] for one in clouds}) == 3
    assert "A 10 B 10 C 10" in page.text
    assert "holds 43%" in page.text


def test_points_lie_where_they_should() -> None:
    corners = SampleMap("umap", None, (1, 2), (0, 0), (-1.0, 1.0), (1.0, -1.0), ("c0",), True, "")
    page = read(report("A", "B"), points=corners)
    (cloud,) = [one for one in page.all("path") if "fill-opacity" in one]
    (frame,) = [one for one in page.all("svg") if one.get("class") == "map"]
    _, _, width, height = map(float, frame["viewbox"].split())
    places = [tuple(map(float, place.split())) for place in re.findall(r"M([-\d. ]+)", cloud["d"])]
    assert places == [(12, 12), (width - 12, height - 12)]
    assert "This flat picture holds" not in page.text


def test_points_of_a_class_the_model_does_not_know() -> None:
    later = replace(points(4, 2), class_ids=("c0", "new"))
    assert "A 2 Another class 2" in read(report("A", "B"), points=later).text


def test_ten_thousand_points_are_a_few_hundred_kilobytes() -> None:
    given = report("A", "B")
    more = len(report_page.render(given, thumbnails, points=points(10_000, 2))) - len(
        report_page.render(given, thumbnails)
    )
    assert more < 700_000


def test_shapes_are_the_same_in_the_page() -> None:
    """The map in the Studio draws the same shapes, so that a class looks alike in both."""
    script = (assets() / "studio" / "map-points.js").read_text(encoding="utf-8")
    assert all(f'"{shape}"' in script for shape in report_page._shapes())


# Giving up


def test_nobody_wants_it_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        report_page.render(report("A", "B"), thumbnails, cancelled=cancelled)
