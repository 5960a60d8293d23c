"""What can be measured of the look: nothing sticks out on a phone, and all words can be read in both themes."""

from pathlib import Path
from typing import Any

import pytest
from bringing import jpeg, zipped
from pages import Open, Studio
from playwright.sync_api import expect
from scenes import photo
from serving import Api

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}

TOO_WIDE = """() => [...document.querySelectorAll("body *")].filter((element) => {
    const { left, right, width, height } = element.getBoundingClientRect();
    return width && height && (right > innerWidth + 0.5 || left < -0.5);
}).map((element) => element.dataset.testid || element.id || element.className || element.tagName)"""

CONTRAST = """() => {
    const canvas = new OffscreenCanvas(1, 1);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const rgba = (color) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    };
    const over = (top, under) => {
        const alpha = top[3] + under[3] * (1 - top[3]);
        const mix = (at) => alpha ? (top[at] * top[3] + under[at] * under[3] * (1 - top[3])) / alpha : 0;
        return [mix(0), mix(1), mix(2), alpha];
    };
    const luminance = (color) => {
        const [red, green, blue] = color.slice(0, 3).map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element) => {
        let color = [0, 0, 0, 0];
        for (let at = element; at; at = at.parentElement) {
            const style = getComputedStyle(at);
            if (style.backgroundImage.includes("url(") || at.matches("video, img, canvas")) return null;
            color = over(color, rgba(style.backgroundColor));
            if (color[3] > 0.999) return color;
        }
        return over(color, rgba("Canvas"));
    };
    const found = [];
    const seen = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const fields = "input[data-testid]:not([type=checkbox], [type=radio], [type=range])";
    const elements = [...document.querySelectorAll(fields)];
    while (walker.nextNode()) if (walker.currentNode.data.trim()) elements.push(walker.currentNode.parentElement);
    for (const element of elements) {
        if (seen.has(element)) continue;
        seen.add(element);
        const box = element.getBoundingClientRect();
        if (box.width < 2 || box.height < 2) continue;
        if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        const style = getComputedStyle(element);
        // Controls that are switched off need no contrast (WCAG 1.4.3); neither does what only screen readers get.
        if (element.closest(":disabled, [aria-hidden=true], script, style") || style.clipPath !== "none") continue;
        const ground = behind(element);
        if (!ground) continue;
        const ink = over(rgba(style.color), ground);
        const [light, dark] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
        const ratio = (light + 0.05) / (dark + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        const text = (typeof element.value === "string" ? element.value : element.textContent).trim().slice(0, 40);
        const where = element.dataset.testid || element.className || element.tagName;
        found.push({ text, where, ratio, need: large ? 3 : 4.5 });
    }
    return found;
}"""


def assert_readable(page: Studio, least: int) -> None:
    found = page.tab.evaluate(CONTRAST)
    assert len(found) >= least, found
    weak = [one for one in found if one["ratio"] < one["need"]]
    assert not weak, "\n".join(f"{one['ratio']:.2f} < {one['need']}: “{one['text']}” ({one['where']})" for one in weak)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_words_can_be_read(studio: Open, api: Api, trained: dict[str, Any], theme: str) -> None:
    # Without motion, so that no colour is met half way to another.
    page = studio(project=api.project()["id"], color_scheme=theme, reduced_motion="reduce")
    ground = page.tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground.strip("rgba()").split(",")[:3]) < 3 * 128) == (theme == "dark"), ground
    assert_readable(page, 12)

    page = studio(project=trained["id"], color_scheme=theme, reduced_motion="reduce").ready_to_predict()
    page.look_at_photos({"name": "dots.jpg", "mimeType": "image/jpeg", "buffer": photo("dots", 60)})
    page.tab.get_by_role("button", name="Advanced").click()
    page.card(0).get_by_test_id("select").click()
    assert_readable(page, 20)

    page.card(0).get_by_test_id("class-menu").click()
    assert_readable(page, 20)
    page.tab.keyboard.press("Escape")
    page.hood()
    expect(page.tab.locator("#figure-history svg").first).to_be_visible()
    assert_readable(page, 60)
    page.at("cell-0-0").click()
    expect(page.at("explain")).to_have_attribute("data-state", "ready")
    assert_readable(page, 60)
    page.at("photos-close").click()
    page.at("export-button").click()
    expect(page.at("export-dialog")).to_have_attribute("data-ready", "true")
    assert_readable(page, 20)


def assert_fits(page: Studio) -> None:
    width = page.tab.evaluate("() => document.scrollingElement.scrollWidth")
    assert width <= 390, (width, page.tab.evaluate(TOO_WIDE))


def test_nothing_sticks_out_on_a_phone(studio: Open, api: Api, trained: dict[str, Any]) -> None:
    page = studio("stripes", project=api.project()["id"], **PHONE)
    assert_fits(page)
    page.rename(0, "A very long name of a class that goes on and on " * 2)
    record = page.camera(0)
    expect(record).to_be_in_viewport()
    assert_fits(page)

    page = studio(project=trained["id"], **PHONE).ready_to_predict()
    assert_fits(page)
    page.hood()
    expect(page.at("report-confusion")).to_be_visible()
    expect(page.tab.locator("#figure-history svg").first).to_be_visible()
    assert_fits(page)
    page.at("cell-0-0").click()
    expect(page.at("explain")).to_have_attribute("data-state", "ready")
    assert_fits(page)
    page.at("photos-close").click()
    page.at("export-button").click()
    expect(page.at("export-dialog")).to_have_attribute("data-ready", "true")
    assert_fits(page)
    box = page.at("export-dialog").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize(
    "options", [PHONE, {"color_scheme": "light"}, {"color_scheme": "dark"}], ids=["phone", "light", "dark"]
)
def test_projects_and_plans_can_be_read_and_fit(
    studio: Open, api: Api, trained: dict[str, Any], tmp_path: Path, options: dict[str, Any]
) -> None:
    gone = api.project("Deleted", "With it", name="In the bin")
    api.ask("DELETE", f"/projects/{gone['id']}")
    page = studio(project=trained["id"], reduced_motion="reduce", **options)

    def look(least: int) -> None:
        if options is PHONE:
            assert_fits(page)
        else:
            assert_readable(page, least)

    shelf = page.shelf()
    expect(shelf.get_by_test_id("shelf-card").first).to_be_visible()
    look(12)
    page.at("bin").locator("summary").click()
    page.at("bin-row").first.get_by_test_id("bin-forever").click()
    look(20)
    page.at("ask-no").click()
    page.at("shelf-menu").first.click()
    page.at("shelf-storage").first.click()
    expect(page.at("storage")).to_have_attribute("data-ready", "true")
    look(20)
    page.at("storage-close").click()
    page.at("shelf-close").click()

    names = ("A folder with a name that goes on and on and on without an end in sight", "b", "c")
    page.open_file(zipped(tmp_path / "a file with a long name.zip", {f"x/{name}/1.jpg": jpeg(3) for name in names}))
    look(16)
    page.at("import-close").click()
    expect(page.at("import-chip")).to_be_visible()
    look(12)
    page.at("import-chip").click()
    page.at("import-cancel").click()
    expect(page.at("import-chip")).to_have_count(0)
