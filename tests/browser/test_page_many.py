"""A class with very many photos: only what is in sight exists, and every place can be reached, selected and opened."""

import re
from itertools import islice

import pytest
from conftest import Open
from making import becomes
from playwright.sync_api import Locator, Page, Route, expect
from scenes import photos
from serving import Api

from teachable.words import say

pytestmark = pytest.mark.browser

MANY = 260


def place(tab: Page) -> int:
    """The place of the sample that has the focus, from 1."""
    return int(tab.evaluate("document.activeElement.closest('li')?.getAttribute('aria-posinset') ?? 0"))


def drawn(card: Locator) -> int:
    return card.locator(".t-grid > li").count()


@pytest.fixture(scope="module")
def many(api: Api) -> str:
    project = api.project("Many", "Few")
    files = iter(photos("dots", MANY))
    while batch := list(islice(files, 50)):
        api.add(project, 0, batch, "one")
    api.add(project, 1, photos("stripes", 3), "two")
    return str(project["id"])


def test_every_place_is_reached_though_few_exist(studio: Open, many: str) -> None:
    page = studio(project=many)
    card = page.card(0)
    page.expect_samples(0, MANY)
    view = card.get_by_test_id("samples-view")
    shown = card.get_by_test_id("thumbnail")
    expect(shown.first).to_have_attribute("aria-setsize", str(MANY))
    few = drawn(card)
    assert 24 <= few <= 80
    expect(card.get_by_test_id("newer")).to_be_disabled()
    expect(card.get_by_test_id("samples-range")).to_have_text(re.compile(rf"^1–\d+ .*{MANY}"))
    expect(page.card(1).get_by_test_id("samples-range")).to_be_hidden()

    # To the end, by scrolling as far as it goes.
    view.evaluate("view => view.scrollTo(0, view.scrollHeight)")
    expect(card.get_by_test_id("samples-range")).to_have_text(re.compile(rf"–{MANY} "))
    expect(card.get_by_test_id("older")).to_be_disabled()
    expect(card.locator(f"li[aria-posinset='{MANY}'][data-testid=thumbnail]")).to_be_visible()
    assert drawn(card) <= 80
    card.get_by_test_id("newer").click()
    expect(card.get_by_test_id("older")).to_be_enabled()

    # A photo from far down, large, and the ones before and after it.
    card.locator(f"li[aria-posinset='{MANY - 20}'] button").first.click()
    box = page.at("lightbox")
    expect(box).to_contain_text(say("page.lightbox.place", number=MANY - 20, total=MANY))
    page.tab.keyboard.press("ArrowRight")
    expect(box).to_contain_text(say("page.lightbox.place", number=MANY - 19, total=MANY))
    page.tab.keyboard.press("Escape")

    card.get_by_test_id("samples-size").click()
    expect(card.get_by_test_id("samples-size")).to_have_attribute("aria-expanded", "true")
    assert drawn(card) > few


def test_the_keyboard_goes_everywhere_and_shift_selects_ranges(studio: Open, api: Api, many: str) -> None:
    page = studio(project=many)
    card = page.card(0)
    page.expect_samples(0, MANY)
    card.locator("li[aria-posinset='1'] button").first.focus()
    for key, reached in {"ArrowRight": 2, "ArrowLeft": 1, "End": MANY, "Home": 1}.items():
        page.tab.keyboard.press(key)
        page.tab.wait_for_function(
            "place => document.activeElement.closest('li')?.getAttribute('aria-posinset') === String(place)",
            arg=reached,
        )
    page.tab.keyboard.press("ArrowDown")
    columns = place(page.tab) - 1
    assert columns >= 4
    page.tab.keyboard.press("PageDown")
    assert place(page.tab) > 2 * columns
    # One list is one stop of Tab.
    page.tab.keyboard.press("Shift+Tab")
    assert place(page.tab) == 0

    # From the second to the last, though nearly none of them was ever looked at.
    picked = card.locator(".t-thumbs-tools .t-count")
    card.get_by_test_id("samples-view").evaluate("view => view.scrollTo(0, 0)")
    card.get_by_test_id("select").click()
    card.locator("li[aria-posinset='2'] button").first.click()
    expect(picked).to_have_text(say("page.samples.selected", count=1))
    card.get_by_test_id("samples-view").evaluate("view => view.scrollTo(0, view.scrollHeight)")
    card.locator(f"li[aria-posinset='{MANY}'] button").first.click(modifiers=["Shift"])
    expect(picked).to_have_text(say("page.samples.selected", count=MANY - 1))
    card.get_by_test_id("delete-selected").click()
    expect(card.get_by_test_id("thumbnail")).to_have_count(1)
    becomes(lambda: api.counts(page.project)["Many"], 1)
    # They are counted again before the page knows which they are.
    held: list[Route] = []
    late = True
    page.tab.route(re.compile(r"/samples\?"), lambda route: held.append(route) if late else route.continue_())
    page.at("undo").click()
    page.expect_samples(0, MANY)
    card.get_by_test_id("select").click()
    card.get_by_test_id("select-all").click()
    late = False
    for route in held:
        route.continue_()
    expect(picked).to_have_text(say("page.samples.selected", count=MANY))
    page.tab.keyboard.press("Escape")
    becomes(lambda: api.counts(page.project)["Many"], MANY)
