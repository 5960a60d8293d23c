"""Pictures of every state of the page, for the README and for whoever works on the look.

They are taken only where TEACHABLE_SCREENSHOTS names a folder for them.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from pages import Open, Studio
from playwright.sync_api import expect
from serving import Api

FOLDER = os.environ.get("TEACHABLE_SCREENSHOTS")

LOOKS: dict[str, dict[str, Any]] = {
    "desktop-light": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    "desktop-dark": {"color_scheme": "dark", "viewport": {"width": 1440, "height": 900}},
    "phone-light": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
    },
}


@pytest.mark.skipif(not FOLDER, reason="TEACHABLE_SCREENSHOTS names no folder for pictures")
@pytest.mark.parametrize("look", LOOKS)
def test_pictures_of_every_state(studio: Open, api: Api, trained: dict[str, Any], look: str) -> None:
    folder = Path(str(FOLDER))
    folder.mkdir(parents=True, exist_ok=True)
    phone = look.startswith("phone")

    def shot(page: Studio, state: str) -> None:
        # On a phone the columns lie below each other; a picture of all of them says more.
        page.tab.screenshot(path=folder / f"{look}-{state}.png", full_page=phone, animations="disabled")

    options = {"device_scale_factor": 2, **LOOKS[look]}
    page = studio("stripes", project=api.project()["id"], **options)
    shot(page, "empty")
    page.rename(0, "Stripes")
    record = page.camera(0)
    record.hover()
    page.tab.mouse.down()
    page.expect_samples(0, 15)
    shot(page, "recording")
    page.tab.mouse.up()
    page.settled(0)
    page.card(0).get_by_test_id("camera-close").click()
    shot(page, "samples")

    page = studio("dots", project=trained["id"], **options).ready_to_predict().live()
    expect(page.at("winner")).to_have_text("Dots")
    shot(page, "trained")
    page.hood()
    expect(page.tab.locator("#figure-history svg").first).to_be_visible()
    page.tab.screenshot(path=folder / f"{look}-under-the-hood.png", full_page=True, animations="disabled")
    page.at("cell-0-0").click()
    expect(page.at("explain")).to_have_attribute("data-state", "ready")
    page.tab.screenshot(path=folder / f"{look}-report-photos.png", animations="disabled")
    page.at("photos-close").click()
    page.at("export-button").click()
    expect(page.at("export-dialog")).to_have_attribute("data-ready", "true")
    page.tab.screenshot(path=folder / f"{look}-export.png", animations="disabled")
