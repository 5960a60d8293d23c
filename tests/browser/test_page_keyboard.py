"""The main job without a mouse."""

from making import becomes
from pages import Open, Studio
from playwright.sync_api import Locator, expect
from scenes import photos
from serving import Api

MOST_STOPS = 60


def tab_to(page: Studio, target: Locator) -> None:
    """Press Tab until an element has the focus."""
    wanted = target.element_handle()
    for _ in range(MOST_STOPS):
        if page.tab.evaluate("(element) => document.activeElement === element", wanted):
            return
        page.tab.keyboard.press("Tab")
    raise AssertionError(f"{target} is not within {MOST_STOPS} presses of Tab.")


def test_two_classes_and_a_model_by_keyboard_alone(studio: Open, api: Api) -> None:
    project = api.project()
    api.add(project, 1, photos("dots", 6), "one")
    # Long enough for what is pressed meanwhile.
    api.ask("PATCH", f"/projects/{project['id']}", {"settings": {"epochs": 1000, "batch_size": 1, "hidden_units": 256}})
    page = studio("stripes", project=project["id"])
    keys = page.tab.keyboard

    tab_to(page, page.card(0).get_by_test_id("class-name"))
    keys.type("Stripes")
    keys.press("Enter")
    tab_to(page, page.card(0).get_by_test_id("webcam"))
    keys.press("Enter")
    record = page.card(0).get_by_test_id("record")
    expect(record).to_be_focused()
    keys.down("Space")
    page.expect_samples(0, 6)
    keys.up("Space")
    page.settled(0)
    keys.press("Escape")
    expect(page.card(0).get_by_test_id("webcam-panel")).to_be_hidden()
    expect(page.card(0).get_by_test_id("webcam")).to_be_focused()

    # A class that is added and taken away again.
    tab_to(page, page.at("add-class"))
    keys.press("Enter")
    expect(page.card(2).get_by_test_id("class-name")).to_be_focused()
    tab_to(page, page.card(2).get_by_test_id("class-menu"))
    keys.press("Enter")
    keys.press("End")
    expect(page.card(2).get_by_test_id("class-delete")).to_be_focused()
    keys.press("Enter")
    expect(page.at("class-card")).to_have_count(2)
    expect(page.at("add-class")).to_be_focused()

    expect(page.train).to_be_enabled()
    tab_to(page, page.train)
    keys.press("Enter")
    # Its progress is told beside it: the focus stays, and another press does nothing.
    expect(page.train).to_have_attribute("aria-disabled", "true")
    keys.press("Enter")
    expect(page.at("train-seconds")).to_be_visible()
    expect(page.train).to_be_focused()
    expect(page.train).to_have_attribute("aria-disabled", "false")
    becomes(lambda: len(api.ask("GET", f"/projects/{project['id']}/versions")["versions"]), 1)
    page.ready_to_predict()
    tab_to(page, page.at("export-button"))
    keys.press("Enter")
    expect(page.at("export-dialog")).to_be_visible()
    keys.press("Escape")
    expect(page.at("export-dialog")).to_be_hidden()
    expect(page.at("export-button")).to_be_focused()


def test_a_menu_gives_the_focus_back(studio: Open, api: Api) -> None:
    page = studio(project=api.project()["id"])
    opener = page.card(0).get_by_test_id("class-menu")
    opener.focus()
    page.tab.keyboard.press("Enter")
    expect(page.card(0).get_by_test_id("class-disable")).to_be_focused()
    page.tab.keyboard.press("Escape")
    expect(opener).to_be_focused()
