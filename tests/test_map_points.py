"""The geometry of the map, run by Node: what is near, what is inside an outline, and where the arrow keys go."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import npm
import pytest

from teachable.resources import assets


def run(code: str, given: Mapping[str, Any] | None = None) -> Any:
    """Return the JSON that code prints which has `Points`, `inside`, `rectangle` and, as `points`, a map laid out."""
    module = (assets() / "studio" / "map-points.js").as_uri()
    start = f'const {{ Points, inside, rectangle, shapeOf, SHAPES }} = await import("{module}");'
    start += f"const points = new Points({json.dumps(given or square())}); points.layOut(128, 128);"
    command = [
        npm.node(),
        "--input-type=module",
        "--no-warnings",
        "-e",
        f"{start} console.log(JSON.stringify({code}));",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def square(*more: tuple[float, float]) -> dict[str, Any]:
    """Points at the corners and in the middle: on 128 pixels with a margin of 14 they are 50 apart."""
    places = [(-1, 1), (1, 1), (-1, -1), (1, -1), (0, 0), *more]
    return {
        "samples": list(range(100, 100 + len(places))),
        "classes": [0] * len(places),
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
    }


def test_points_fill_the_surface_up_to_the_margin_and_up_is_up() -> None:
    assert run("[...points.x].map((x, index) => [x, points.y[index]])") == [
        [14, 14],
        [114, 14],
        [14, 114],
        [114, 114],
        [64, 64],
    ]


@pytest.mark.parametrize(("place", "within", "index"), [((60, 60), 12, 4), ((40, 40), 12, -1), ((20, 110), 12, 2)])
def test_the_nearest_point(place: tuple[int, int], within: int, index: int) -> None:
    assert run(f"points.nearest({{ x: {place[0]}, y: {place[1]} }}, {within})") == index


def test_hidden_points_are_out_of_reach() -> None:
    code = """(points.hidden[4] = 1, [points.nearest({ x: 64, y: 64 }, 20), points.next(0, 1, 0),
      points.within(rectangle({ x: 0, y: 0 }, { x: 128, y: 128 }))])"""
    assert run(code) == [-1, 1, [0, 1, 2, 3]]


def test_a_rectangle_is_the_same_from_every_corner() -> None:
    code = """[[50, 50, 128, 128], [128, 128, 50, 50], [128, 50, 50, 128]].map(([a, b, c, d]) =>
      points.within(rectangle({ x: a, y: b }, { x: c, y: d })))"""
    assert run(code) == [[3, 4]] * 3


def test_a_lasso_leaves_out_what_its_bay_leaves_out() -> None:
    # A horseshoe, open at the top: the middle lies in its bay.
    corners = [(0, 0), (40, 0), (40, 90), (90, 90), (90, 0), (128, 0), (128, 128), (0, 128)]
    outline = json.dumps([{"x": x, "y": y} for x, y in corners])
    assert run(f"points.within({outline})") == [0, 1, 2, 3]


@pytest.mark.parametrize("outline", ["[]", "[{ x: 1, y: 1 }]", "rectangle({ x: 64, y: 64 }, { x: 64, y: 64 })"])
def test_an_outline_without_an_inside_holds_nothing(outline: str) -> None:
    assert run(f"points.within({outline})") == []


def test_arrow_keys_go_to_the_next_point_in_their_direction() -> None:
    code = "[[0, 1, 0], [0, 0, 1], [3, -1, 0], [3, 0, -1], [1, 1, 0], [0, -1, 0]].map((key) => points.next(...key))"
    # The middle is nearer than the far corner, but further to the side; at the edge nothing follows.
    assert run(code) == [1, 2, 2, 1, 1, 0]


def test_arrow_keys_reach_every_one_of_many_points_on_one_spot() -> None:
    same = {"samples": [1, 2, 3], "classes": [0, 0, 0], "x": [0.5] * 3, "y": [0.5] * 3}
    code = "[[0, 1, 0], [1, 1, 0], [2, 1, 0], [2, -1, 0], [1, 0, -1]].map((key) => points.next(...key))"
    assert run(code, same) == [1, 2, 2, 1, 0]


def test_zooming_keeps_what_is_below_the_pointer_and_never_shows_what_is_outside() -> None:
    code = """(points.zoomBy(2, { x: 64, y: 64 }), points.zoomBy(2, { x: 64, y: 64 }), [
      points.zoom, points.x[4], points.y[4],
      (points.pan(1e6, 0), points.middle.x), (points.pan(-1e6, 0), points.middle.x),
      (points.zoomBy(0), points.zoom), points.middle.x, points.x[0]])"""
    assert run(code) == [4, 64, 64, 0.125, 0.875, 1, 0.5, 14]


def test_zooming_at_a_corner_keeps_the_corner() -> None:
    assert run("(points.zoomBy(3, { x: 114, y: 14 }), [points.x[1], points.y[1]])") == [114, 14]


def test_a_point_out_of_sight_is_brought_back() -> None:
    code = "(points.zoomBy(8), [points.reveal(4), points.reveal(3), points.x[3] <= 128, points.y[3] <= 128])"
    assert run(code) == [False, True, True, True]


def test_shapes_and_colours_together_tell_56_classes_apart() -> None:
    assert run("new Set([...Array(56).keys()].map((place) => `${place % 8} ${shapeOf(place)}`)).size") == 56
