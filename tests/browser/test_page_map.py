"""The map of the photos in the report: seen, selected by mouse, keyboard and list, acted on and undone."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pages import Open, Studio
from playwright.sync_api import Page, Route, expect
from scenes import photos
from serving import Api

from teachable.words import say

MAP = "**/report/map?**"


@pytest.fixture(scope="module")
def project(api: Api) -> str:
    """A project of its own with a model and a report, because photos are moved in it."""
    made = api.project("Stripes", "Dots", name="On a map")
    for number, scene in enumerate(("stripes", "dots")):
        for group in range(2):
            api.add(made, number, photos(scene, 6, first=6 * group), f"{scene}{group}")
    api.train(made["id"])
    return str(made["id"])


@pytest.fixture
def mapped(studio: Open, project: str) -> Callable[..., Studio]:
    """Opens the page with the map in it."""

    def show(**options: Any) -> Studio:
        page = studio(project=project, **options)
        page.hood()
        # The curves come by another way, stand above the map, and push it down.
        expect(page.tab.locator("#figure-history svg").first).to_be_visible()
        expect(page.at("sample-map")).to_have_attribute("data-state", "ready", timeout=60_000)
        page.at("map-stage").scroll_into_view_if_needed()
        return page

    return show


def chosen(page: Studio, count: int) -> None:
    wanted = say("page.map.chosen", count=count).replace("10000", "10,000") if count else say("page.map.none_chosen")
    expect(page.at("map-chosen")).to_have_text(wanted)


def drag(page: Studio, *places: tuple[float, float]) -> None:
    """Drag over the map along places, given as shares of its sides."""
    box = page.at("map-stage").bounding_box()
    assert box
    for index, (across, down) in enumerate(places):
        page.tab.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=4)
        if not index:
            page.tab.mouse.down()
    page.tab.mouse.up()


def everything(page: Studio) -> None:
    drag(page, (0.004, 0.02), (0.004, 0.002), (0.998, 0.002), (0.998, 0.998), (0.002, 0.998))


def counts(page: Studio) -> list[int]:
    return [int(text) for text in page.at("map-class").locator(".t-count").all_inner_texts()]


def test_photos_are_drawn_around_moved_and_brought_back(mapped: Callable[..., Studio]) -> None:
    page = mapped()
    assert counts(page) == [12, 12]
    chosen(page, 0)
    expect(page.at("map-move")).to_be_disabled()
    everything(page)
    chosen(page, 24)
    page.at("map-move").click()
    page.tab.get_by_role("menuitem", name="Dots").click()
    # Those that are in it already stay where they are.
    expect(page.at("toasts")).to_contain_text(say("page.samples.moved", count=12, name="Dots"))
    expect(page.at("map-class").first).to_contain_text("0")
    chosen(page, 0)
    page.at("undo").click()
    expect(page.at("map-class").first).to_contain_text("12")


@pytest.mark.thorough
def test_photos_are_deleted_and_kept_for_testing(mapped: Callable[..., Studio]) -> None:
    page = mapped()
    for button in ("map-delete", "map-test"):
        page.at("map-tool-rectangle").click()
        drag(page, (0.004, 0.02), (0.996, 0.98))
        chosen(page, 24)
        page.at(button).click()
        if button == "map-test":
            page.at("test-these").click()
        # Nothing is left to be shown, until it is undone.
        expect(page.at("sample-map")).to_be_hidden()
        page.at("undo").click()
        expect(page.at("sample-map")).to_be_visible()
        expect(page.at("map-class").first).to_contain_text("12")


def test_the_keyboard_alone_suffices(mapped: Callable[..., Studio]) -> None:
    page = mapped()
    page.at("map-whole").focus()
    page.tab.keyboard.press("Tab")
    page.tab.keyboard.press("Tab")
    page.tab.keyboard.press("Tab")
    expect(page.at("map-stage")).to_be_focused()
    expect(page.at("map-spoken")).to_have_text(re.compile(r"^Photo \d+ of 24, (Stripes|Dots)$"))
    expect(page.at("map-hover")).to_be_visible()
    page.tab.keyboard.press("Space")
    chosen(page, 1)
    page.tab.keyboard.press("Shift+ArrowLeft")
    page.tab.keyboard.press("Shift+ArrowRight")
    expect(page.at("map-spoken")).to_have_text(re.compile("selected$"))
    page.tab.keyboard.press("Control+a")
    chosen(page, 24)
    page.tab.keyboard.press("+")
    expect(page.at("map-stage")).to_have_attribute("data-zoomed", "true")
    page.tab.keyboard.press("0")
    expect(page.at("map-stage")).to_have_attribute("data-zoomed", "false")
    page.tab.keyboard.press("Escape")
    chosen(page, 0)


def test_a_point_shows_its_photo_and_is_selected_by_a_click_and_a_class_can_be_left_out(
    mapped: Callable[..., Studio],
) -> None:
    page = mapped()
    answer = page.tab.evaluate(
        "async (id) => (await fetch(`/api/v1/projects/${id}/report/map?method=pca`)).json()", page.project
    )
    box = page.at("map-stage").bounding_box()
    assert box
    # The stage keeps 14 pixels free inside its border.
    x = box["x"] + 15 + (answer["x"][0] + 1) / 2 * (box["width"] - 30)
    y = box["y"] + 15 + (1 - answer["y"][0]) / 2 * (box["height"] - 30)
    page.tab.mouse.move(x, y)
    expect(page.at("map-hover")).to_be_visible()
    expect(page.at("map-hover").locator("img")).to_have_js_property("complete", True)
    page.tab.mouse.click(x, y)
    chosen(page, 1)
    page.tab.mouse.click(x, y)
    chosen(page, 0)
    page.at("map-class").first.click()
    expect(page.at("map-class").first).to_have_attribute("aria-pressed", "false")
    everything(page)
    chosen(page, 12)


def test_the_list_says_and_does_the_same(mapped: Callable[..., Studio]) -> None:
    page = mapped()
    page.at("map-list").locator("summary").click()
    ticks = page.at("map-tick")
    expect(ticks).to_have_count(24)
    ticks.nth(3).check()
    chosen(page, 1)
    page.at("map-filter").select_option(label="Dots")
    expect(ticks).to_have_count(12)
    page.at("map-choose-these").click()
    chosen(page, 13)
    page.at("map-filter").select_option(label=say("page.map.chosen_only"))
    expect(ticks).to_have_count(13)
    page.at("map-none").click()
    expect(page.at("map-list")).to_contain_text(say("page.map.list_empty"))


def changed(page: Page, **changes: object) -> None:
    """Let the server answer otherwise."""

    def answer(route: Route) -> None:
        # Drawing by UMAP takes long, and is tested without a page.
        response = route.fetch(url=route.request.url.replace("method=umap", "method=pca"))
        route.fulfill(response=response, body=json.dumps({**response.json(), **changes}))

    page.route(MAP, answer)


def test_umap_and_what_can_be_in_its_way(mapped: Callable[..., Studio]) -> None:
    page = mapped()
    changed(page.tab, umap=False, command="install it", class_ids=["c1", "c2"])
    page.at("map-method-pca").click()
    expect(page.at("map-class").first).to_contain_text(say("page.map.other_class"))
    page.at("map-method-umap").click()
    expect(page.at("map-note")).to_contain_text(say("page.map.umap_missing"))
    expect(page.at("map-command")).to_have_text("install it")
    expect(page.at("map-method-pca")).to_have_attribute("aria-pressed", "true")
    page.tab.unroute(MAP)
    page.tab.route(MAP, lambda route: route.abort())
    page.watch.allow("report/map")
    page.watch.allow("ERR_FAILED")
    page.at("map-method-pca").click()
    expect(page.at("map-note")).to_contain_text(say("page.error.offline"))
    page.tab.unroute(MAP)
    page.at("map-again").click()
    expect(page.at("map-note")).to_be_hidden()
    expect(page.at("map-class").first).to_contain_text("Stripes")
    expect(page.at("map-about")).to_contain_text("holds")
    changed(page.tab, umap=True, method="umap", explained=None)
    page.at("map-method-umap").click()
    expect(page.at("map-method-umap")).to_have_attribute("aria-pressed", "true")
    expect(page.at("map-about")).not_to_contain_text("holds")
    page.tab.unroute(MAP)


def test_a_map_that_is_not_there_because_another_model_was_saved_is_no_problem(mapped: Callable[..., Studio]) -> None:
    page = mapped()
    changed(page.tab, ready=False, samples=[], classes=[], x=[], y=[])
    with page.tab.expect_response(MAP):
        page.at("map-method-pca").click()
    expect(page.at("sample-map")).to_have_attribute("data-state", "ready")
    expect(page.at("map-note")).to_be_hidden()
    expect(page.at("map-stage")).to_be_visible()
    page.tab.unroute(MAP)


def test_ten_thousand_points(mapped: Callable[..., Studio]) -> None:
    """They are drawn and selected, and the page has no element for each."""
    count = 10_000
    page = mapped()
    changed(
        page.tab,
        samples=list(range(1, count + 1)),
        classes=[number % 2 for number in range(count)],
        x=[(number * 0.618) % 2 - 1 for number in range(count)],
        y=[(number * 0.414) % 2 - 1 for number in range(count)],
    )
    page.at("map-method-pca").click()
    expect(page.at("map-class").first).to_contain_text("5000")
    page.at("map-stage").focus()
    page.tab.keyboard.press("Control+a")
    chosen(page, count)
    # Most of them are no photos of this project.
    page.watch.allow("thumbnail")
    page.watch.allow("404")
    page.at("map-list").locator("summary").click()
    expect(page.at("map-tick")).to_have_count(24)
    assert page.at("sample-map").locator("*").count() < 400
    page.tab.unroute(MAP)
