"""“Under the hood”: the report is made when somebody looks, and what it shows can be opened, mended and undone."""

import re
from typing import Any

import pytest
from making import becomes
from pages import REPORT_SECONDS, Open, Studio
from playwright.sync_api import Locator, Response, expect
from scenes import photos
from serving import Api

from teachable.words import say

WRONG = 2
"""Photos of dots among the stripes."""


@pytest.fixture(scope="module")
def mixed(api: Api) -> dict[str, Any]:
    """A trained project of two scenes, three recordings each; two of its stripes are dots. Tests put it back."""
    project = api.project("Stripes", "Dots", name="Mixed up")
    for number, scene in enumerate(("stripes", "dots")):
        for group in range(3):
            files = list(photos(scene, 8, first=20 * group, place=group))
            if number == 0 and group == 2:
                files += photos("dots", WRONG, first=200)
            api.add(project, number, files, f"{scene}{group}")
    api.train(project["id"])
    return project


@pytest.fixture
def page(studio: Open, mixed: dict[str, Any]) -> Studio:
    """The page with the report of that project open."""
    page = studio(project=mixed["id"])
    page.hood()
    return page


def open_cell(page: Studio, given: int, said: int) -> Locator:
    """Open the photos of one cell of the matrix, and wait until the first is explained."""
    page.at(f"cell-{given}-{said}").click()
    dialog = page.at("photos-dialog")
    expect(dialog).to_have_attribute("data-ready", "true")
    expect(page.at("explain")).to_have_attribute("data-state", "ready")
    return dialog


def gone_photos(page: Studio) -> Locator:
    """The photos of the dialog to which something was done."""
    return page.tab.locator("[data-testid=photos-thumb][data-gone]")


def undo(page: Studio) -> None:
    page.at("undo").last.click()


# What is shown


def test_see_why_opens_the_section_and_makes_the_report(studio: Open, mixed: dict[str, Any]) -> None:
    page = studio(project=mixed["id"])
    expect(page.at("train-accuracy")).to_contain_text(re.compile(r"\d+% right on recordings it never saw \(\d+%"))
    expect(page.at("report")).to_have_count(0)
    page.at("train-why").click()
    expect(page.at("report")).to_have_attribute("data-state", "done", timeout=REPORT_SECONDS * 1000)
    top = page.tab.locator("#under-the-hood").evaluate_handle("hood => () => hood.getBoundingClientRect().top")
    page.tab.wait_for_function("top => Math.abs(top()) < 40", arg=top)
    expect(page.at("report-headline")).to_contain_text("%")
    expect(page.at("range-honest")).to_contain_text(re.compile(r"\d+ of 50 photos"))
    expect(page.at("range-random")).to_contain_text("%")
    # A press when it is open already leads there too.
    page.tab.evaluate("() => scrollTo(0, 0)")
    page.at("train-why").click()
    expect(page.tab.get_by_role("button", name=say("page.hood.title"))).to_be_in_viewport()


def test_tables_are_told_to_who_hears_them(page: Studio) -> None:
    for name, caption in (
        ("report-classes", "page.report.classes_table"),
        ("report-confusion", "page.report.confusion_table"),
    ):
        table = page.at(name)
        expect(table.locator("caption")).to_have_text(say(caption))
        expect(table.locator("thead th:not([scope=col])")).to_have_count(0)
        expect(table.locator("tbody tr > th[scope=row]")).to_have_count(2)


def test_every_class_has_its_figures_and_advice(page: Studio, mixed: dict[str, Any]) -> None:
    rows = page.at("report-class")
    expect(rows).to_have_count(2)
    for number, name in enumerate(("Stripes", "Dots")):
        expect(rows.nth(number)).to_contain_text(name)
        expect(rows.nth(number)).to_contain_text(re.compile(r"\d+%"))
    help_ = page.at("report-classes").get_by_label(say("page.report.what", name=say("page.report.recall")))
    help_.click()
    expect(page.at("report-classes").get_by_text(say("page.report.recall_help"))).to_be_visible()
    page.tab.keyboard.press("Escape")
    expect(page.at("report-classes").get_by_text(say("page.report.recall_help"))).to_be_hidden()


@pytest.mark.parametrize("name", ["reliability", "history"])
def test_curves_have_tables(page: Studio, name: str) -> None:
    expect(page.tab.locator(f"#figure-{name} svg").first).to_be_visible()
    table = page.at(f"{name}-table")
    expect(table.get_by_role("table")).to_be_hidden()
    table.get_by_text(say("page.report.as_table")).click()
    expect(table.get_by_role("table")).to_be_visible()
    assert table.get_by_role("row").count() > 1


def test_the_report_can_be_downloaded(page: Studio) -> None:
    with page.tab.expect_download() as download:
        page.at("report-download").click()
    assert download.value.suggested_filename.endswith(".html")
    assert download.value.path().read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_a_training_while_it_is_open_brings_another_report(page: Studio, api: Api, mixed: dict[str, Any]) -> None:
    before = api.ask("GET", f"/projects/{mixed['id']}/report")["model"]
    # The map of the first one is there, so that nothing asks for it when there is a newer model.
    expect(page.at("sample-map")).to_have_attribute("data-state", "ready", timeout=REPORT_SECONDS * 1000)

    def newer(answer: Response) -> bool:
        if not answer.url.endswith("/report") or not answer.ok:
            return False
        found = answer.json()
        return found["state"] == "done" and found["model"] != before

    # It may be made before anybody sees that it is being made, so what is waited for is that it is there.
    with page.tab.expect_response(newer, timeout=2 * REPORT_SECONDS * 1000):
        page.train.click()
    expect(page.at("report")).to_have_attribute("data-state", "done")


# The matrix and its photos


def test_a_wrong_photo_is_moved_to_the_right_class_and_back(page: Studio, api: Api, mixed: dict[str, Any]) -> None:
    before = api.counts(mixed["id"])
    open_cell(page, 0, 1)
    expect(page.at("photos-count")).to_have_text(say("page.report.photos", count=WRONG))
    expect(page.at("photos-verdict")).to_contain_text("“Dots”")
    # Where it sees the wrong name comes first.
    expect(page.at("explain-about")).to_contain_text("“Dots”")
    page.at("photos-move").click()
    expect(gone_photos(page)).to_have_count(1)
    # The next one is on the stage.
    expect(page.at("photos-gone")).to_be_hidden()
    becomes(lambda: api.counts(mixed["id"]), {"Stripes": before["Stripes"] - 1, "Dots": before["Dots"] + 1})
    # What is offered below is offered in the dialog, where it can be reached.
    undo(page)
    expect(gone_photos(page)).to_have_count(0)
    becomes(lambda: api.counts(mixed["id"]), before)
    # The matrix was drawn anew meanwhile; the keyboard goes on from the same place all the same.
    page.tab.keyboard.press("Escape")
    expect(page.at("cell-0-1")).to_be_focused()


def test_a_photo_is_deleted_or_kept_for_testing_and_taken_back(page: Studio, api: Api, mixed: dict[str, Any]) -> None:
    before = api.ask("GET", f"/projects/{mixed['id']}")["classes"]
    open_cell(page, 0, 1)
    # With a photo all of its recording is kept for testing: both of these, and the stripes beside them.
    for press, gone, fewer, tests in (("photos-delete", 1, 1, 0), ("photos-test", WRONG, 0, 8 + WRONG)):
        page.at(press).click()
        expect(gone_photos(page)).to_have_count(gone)
        now = api.ask("GET", f"/projects/{mixed['id']}")["classes"]
        assert (before[0]["samples"] - now[0]["samples"], now[0]["tests"]) == (fewer, tests)
        undo(page)
        expect(gone_photos(page)).to_have_count(0)
    becomes(lambda: api.ask("GET", f"/projects/{mixed['id']}")["classes"], before)


def test_a_class_deleted_elsewhere_keeps_its_name_in_the_dialog(page: Studio, api: Api, mixed: dict[str, Any]) -> None:
    dialog = open_cell(page, 0, 1)
    gone = api.ask("DELETE", f"/projects/{mixed['id']}/classes/{mixed['classes'][1]['id']}")
    expect(page.at("photos-move")).to_be_hidden()
    expect(page.at("class-card")).to_have_count(1)
    expect(page.at("photos-verdict")).to_contain_text("“Dots”")
    expect(dialog).not_to_contain_text(say("page.preview.deleted_class"))
    api.ask("POST", f"/projects/{mixed['id']}/undo", {"undo": gone["undo"]})
    expect(page.at("photos-move")).to_be_visible()


def test_a_photo_goes_to_any_other_class(page: Studio, api: Api, mixed: dict[str, Any]) -> None:
    before = api.counts(mixed["id"])
    open_cell(page, 1, 1)
    expect(page.at("photos-move")).to_be_hidden()
    page.at("photos-move-other").click()
    expect(page.at("photos-target")).to_have_text(["Stripes"])
    page.at("photos-target").click()
    expect(gone_photos(page)).to_have_count(1)
    undo(page)
    expect(gone_photos(page)).to_have_count(0)
    becomes(lambda: api.counts(mixed["id"]), before)


def test_photos_show_where_the_model_looks(page: Studio) -> None:
    dialog = open_cell(page, 1, 1)
    expect(dialog.get_by_test_id("bar")).to_have_count(2)
    expect(dialog.get_by_test_id("explain-heat")).to_be_checked()


def test_matrix_and_photos_work_with_the_keyboard(page: Studio) -> None:
    page.at("cell-0-0").focus()
    page.tab.keyboard.press("ArrowRight")
    expect(page.at("cell-0-1")).to_be_focused()
    page.tab.keyboard.press("ArrowDown")
    expect(page.at("cell-1-1")).to_be_focused()
    # Nothing lies beyond.
    page.tab.keyboard.press("ArrowDown")
    expect(page.at("cell-1-1")).to_be_focused()
    assert page.at("report-confusion").locator("button[tabindex='0']").count() == 1
    page.tab.keyboard.press("ArrowUp")
    page.tab.keyboard.press("Enter")
    expect(page.at("photos-dialog")).to_have_attribute("data-ready", "true")
    first, second = page.at("photos-thumb").nth(0), page.at("photos-thumb").nth(1)
    first.focus()
    page.tab.keyboard.press("ArrowRight")
    expect(second).to_be_focused()
    expect(second).to_have_attribute("aria-current", "true")
    page.tab.keyboard.press("Escape")
    expect(page.at("photos-dialog")).to_have_count(0)
    expect(page.at("cell-0-1")).to_be_focused()


def test_the_pairs_mixed_up_most_are_named(page: Studio) -> None:
    text = say("page.report.taken_for", count=WRONG, given="Stripes", said="Dots")
    page.at("report-pair").get_by_text(text).click()
    expect(page.at("photos-count")).to_have_text(say("page.report.photos", count=WRONG))
