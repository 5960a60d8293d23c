"""Buttons that do not get the focus when they are pressed with the mouse, as in Safari on a Mac."""

from typing import Any

import pytest
from pages import Open
from playwright.sync_api import expect
from serving import Api

from teachable.words import say

FEW = 4
# The focus goes to what lies around the button and can have it, or to nothing.
SAFARI = """addEventListener('mousedown', (event) => {
    const pressed = event.target.closest('button, a, input[type=checkbox], input[type=radio]');
    if (!pressed || event.defaultPrevented) return;
    event.preventDefault();
    const around = pressed.parentElement.closest('[tabindex]');
    if (around) around.focus({ preventScroll: true });
    else document.activeElement.blur();
})"""


def test_a_button_that_loses_the_focus_goes_on_recording(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"], script=SAFARI)
    record = page.camera(0)
    expect(record).to_be_focused()
    record.hover()
    page.tab.mouse.down()
    expect(record).not_to_be_focused()
    page.expect_samples(0, FEW)
    expect(record).to_have_attribute("data-recording", "")
    page.tab.mouse.up()
    expect(record).not_to_have_attribute("data-recording", "")


def test_a_key_that_is_let_go_of_elsewhere_ends_a_recording(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"])
    record = page.camera(0)
    page.tab.keyboard.down("Space")
    page.expect_samples(0, FEW)
    page.card(0).get_by_test_id("class-name").focus()
    expect(record).not_to_have_attribute("data-recording", "")
    page.tab.keyboard.up("Space")


def test_a_menu_inside_of_what_can_have_the_focus_stays_open(studio: Open, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"], script=SAFARI)
    page.at("versions-open").click()
    version = page.at("version").first
    version.get_by_test_id("version-menu").click()
    with page.tab.expect_download():
        version.get_by_test_id("version-download").click()


@pytest.mark.parametrize("script", [SAFARI, None], ids=["safari", "others"])
def test_what_was_pressed_has_the_focus(studio: Open, trained: dict[str, Any], script: str | None) -> None:
    page = studio(project=trained["id"], script=script)
    page.card(0).get_by_test_id("thumbnail").first.click()
    older = page.at("lightbox").get_by_role("button", name=say("page.lightbox.older"))
    older.click()
    expect(older).to_be_focused()
    # So the keys go on from there.
    page.tab.keyboard.press("ArrowRight")
    expect(page.at("lightbox")).to_contain_text(say("page.lightbox.place", number=3, total=16))
