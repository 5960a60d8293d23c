"""Charts are drawn by a child, as SVG that can stand in a page as it is."""

import json
import re
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from teachable import charts
from teachable.errors import Cancelled, TeachableError
from teachable.resources import assets

HOSTILE = "</text><script>alert(1)</script>\"'&"
POINT = [{"place": 0, "share": 0.8, "low": 0.7, "high": 0.9}]


def classes(name: str = "Apple") -> charts.Spec:
    return charts.chart("classes", POINT, {"across": "Found"}, names=[name])


def test_a_chart_shows_its_words_and_figures() -> None:
    (drawn,) = charts.draw([classes()])
    root = ElementTree.fromstring(drawn)
    assert {"Apple", "Found", "100%"} <= {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}


def test_colours_are_variables_of_the_page() -> None:
    (drawn,) = charts.draw([classes()])
    colors = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn))
    assert {"var(--accent)", "var(--ink)"} <= colors
    assert all(color in {"none", "transparent"} or color.startswith("var(--") for color in colors), colors


def test_text_cannot_become_markup() -> None:
    spec = charts.chart("classes", POINT, {"across": HOSTILE}, names=[HOSTILE])
    (drawn,) = charts.draw([spec])
    root = ElementTree.fromstring(drawn)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "g", "path", "line", "text", "rect", "circle", "defs", "clipPath", "title"}
    assert not re.search(r"style=|href=|\son\w+=", drawn)


def test_a_name_is_no_expression() -> None:
    (drawn,) = charts.draw([classes("datum.value + 1")])
    assert "datum.value + 1" in drawn


def test_several_charts_come_in_their_order() -> None:
    assert [name in drawn for name, drawn in zip("ab", charts.draw([classes("a-1"), classes("b-1")]), strict=True)]


def test_nothing_to_draw_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts.children, "start", None)
    assert charts.draw([]) == []


def test_a_chart_needs_its_words_and_only_its_parameters() -> None:
    with pytest.raises(KeyError):
        charts.chart("classes", POINT, {})
    with pytest.raises(KeyError):
        charts.chart("classes", POINT, {"across": "Found"}, colors=[])
    with pytest.raises(FileNotFoundError):
        charts.chart("pie", POINT, {})


def test_every_spec_is_readable_and_loads_nothing() -> None:
    paths = sorted((assets() / "report").glob("*.vl.json"))
    assert len(paths) >= 4
    for path in paths:
        spec = json.loads(path.read_text(encoding="utf-8"))
        assert "url" not in json.dumps({**spec, "$schema": ""}), path.name


def test_nobody_wants_it_any_more() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        charts.draw([classes()], cancelled)


def test_given_up_while_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = threading.Event()
    monkeypatch.setattr(charts, "_CHILD", "import time; time.sleep(600)")
    timer = threading.Timer(0.2, cancelled.set)
    timer.start()
    with pytest.raises(Cancelled):
        charts.draw([classes()], cancelled)
    timer.join()


@pytest.mark.parametrize("code", ["import os; os._exit(3)", "import time; time.sleep(600)"])
def test_a_child_that_dies_or_hangs_is_told_in_words(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(charts, "_CHILD", code)
    monkeypatch.setattr(charts, "DRAW_SECONDS", 0.5)
    with pytest.raises(TeachableError) as caught:
        charts.draw([classes()])
    assert caught.value.key == "report_charts"


def test_a_chart_that_makes_no_sense_is_told_in_words() -> None:
    with pytest.raises(TeachableError) as caught:
        charts.draw([{"mark": "nonsense", "data": {"values": []}}])
    assert caught.value.key == "report_charts"


def test_nothing_is_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('[{"a": "hidden-thing"}]')
    for url in (secret.as_uri(), "http://127.0.0.1:9/x.json"):
        spec = {"data": {"url": url}, "mark": "text", "encoding": {"text": {"field": "a"}}}
        try:
            (drawn,) = charts.draw([spec])
        except TeachableError:
            continue
        assert "hidden-thing" not in drawn
