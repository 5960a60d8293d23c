"""The page and what was: undo and redo by button and key, and versions: naming, comparing, going back to them."""

import re
from typing import Any

import pytest
from making import becomes
from pages import Open
from playwright.sync_api import expect
from scenes import photos
from serving import Api

from teachable.words import say


@pytest.fixture(scope="module")
def twice(api: Api) -> dict[str, Any]:
    """A project that was trained, changed and trained again."""
    project = api.project("Stripes", "Dots", name="Twice")
    for number, scene in enumerate(("stripes", "dots")):
        for group in range(2):
            api.add(project, number, photos(scene, 6, first=8 * group, place=group), f"{scene}{group}")
    api.train(project["id"])
    api.ask("PATCH", f"/projects/{project['id']}/classes/{project['classes'][0]['id']}", {"name": "Lines"})
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 6, first=100, place=2), f"{scene}2")
    api.train(project["id"])
    return project


def test_changes_are_undone_and_redone_by_button_and_key(api: Api, studio: Open) -> None:
    project = api.project("Cats", "Dogs")
    api.add(project, 0, photos("stripes", 3), "one")
    page = studio().open(project["id"])
    undo, redo = page.at("history-undo"), page.at("history-redo")
    page.rename(1, "Wolves")
    page.menu(0, "class-clear")
    expect(page.card(0).get_by_test_id("sample-count")).to_have_text(re.compile("^0|No"))
    expect(undo).to_have_attribute("aria-label", re.compile("^Undo: .*Cats"))
    expect(redo).to_have_attribute("aria-disabled", "true")
    # The offer to undo goes when it was undone in another way.
    expect(page.at("undo")).to_have_count(1)
    page.tab.locator("body").press("Control+z")
    page.expect_samples(0, 3)
    expect(page.at("undo")).to_have_count(0)
    expect(page.at("toasts")).to_contain_text("Undone: ")
    # In a text field the keys are about the text.
    field = page.card(1).get_by_test_id("class-name")
    field.focus()
    field.press("Control+z")
    field.press("Escape")
    expect(field).to_have_value("Wolves")
    undo.click()
    expect(field).to_have_value("Dogs")
    expect(redo).to_have_attribute("aria-disabled", "false")
    # What can be done again is known after a reload, too.
    page.reload()
    expect(page.at("history-redo")).to_have_attribute("aria-label", re.compile("^Redo: "))
    page.tab.locator("body").press("Control+Shift+z")
    expect(page.card(1).get_by_test_id("class-name")).to_have_value("Wolves")
    page.tab.locator("body").press("Control+y")
    expect(page.card(0).get_by_test_id("sample-count")).to_have_text(re.compile("^0|No"))
    # A new change takes away what could be done again.
    page.at("history-undo").click()
    page.expect_samples(0, 3)
    page.rename(0, "Tigers")
    expect(page.at("history-redo")).to_have_attribute("aria-disabled", "true")
    page.at("history-redo").press("Enter")
    becomes(lambda: api.counts(project["id"]), {"Tigers": 3, "Wolves": 0})


def test_versions_are_named_compared_and_gone_back_to(api: Api, studio: Open, twice: dict[str, Any]) -> None:
    page = studio().open(twice["id"]).ready_to_predict()
    page.at("versions-open").click()
    dialog = page.at("versions-dialog")
    expect(dialog).to_have_attribute("data-ready", "true")
    rows = page.at("version")
    expect(rows).to_have_count(2)
    expect(rows.nth(0).get_by_test_id("version-current")).to_be_visible()
    expect(rows.nth(1).get_by_test_id("version-current")).to_be_hidden()
    expect(rows.nth(1)).to_contain_text("Stripes")
    # The one in use has nothing to go back to as long as nothing was changed.
    expect(rows.nth(0).get_by_test_id("version-restore")).to_be_hidden()

    name = rows.nth(1).get_by_test_id("version-name")
    name.fill("Two places")
    name.press("Enter")
    expect(name).to_have_value("Two places")
    expect(page.tab.get_by_test_id("version-name").nth(1)).not_to_be_focused()

    compare = page.at("versions-compare")
    expect(compare).to_be_disabled()
    rows.nth(0).get_by_test_id("version-choose").check()
    rows.nth(1).get_by_test_id("version-choose").check()
    compare.click()
    found = page.at("compared")
    expect(found).to_have_attribute("data-way", re.compile("held_out|unseen"))
    expect(page.at("compared-side")).to_have_count(2)
    expect(page.at("compared-side").nth(0)).to_contain_text("Version 1: Two places")
    expect(page.at("compared-about")).to_contain_text("photos from")
    expect(page.at("compared-verdict")).not_to_be_empty()
    expect(page.at("compared-classes")).to_contain_text("Lines")
    page.at("versions-back").click()
    expect(page.at("version-list")).to_be_visible()

    # By keyboard: opened, left with Escape, which leaves the dialog open, and done.
    back = rows.nth(1).get_by_test_id("version-restore")
    back.press("Enter")
    expect(page.at("version-whole")).to_be_focused()
    page.tab.keyboard.press("Escape")
    expect(page.at("version-whole")).to_have_count(0)
    expect(back).to_be_focused()
    back.press("Enter")
    page.at("version-restore-yes").press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.card(0).get_by_test_id("class-name")).to_have_value("Stripes")
    expect(page.at("toasts")).to_contain_text("The project is as it was at version 1.")
    becomes(lambda: api.counts(twice["id"]), {"Stripes": 12, "Dots": 12})
    versions = api.ask("GET", f"/projects/{twice['id']}/versions")
    old = versions["versions"][1]["id"]
    assert versions["current"] == old
    # The page uses that model: preview, and the line below Train.
    expect(page.at("train-seconds")).to_contain_text("24")
    page.tab.wait_for_function("() => !document.querySelector('[data-testid=preview] .t-stale:not([hidden])')")

    page.at("history-undo").click()
    expect(page.card(0).get_by_test_id("class-name")).to_have_value("Lines")
    expect(page.at("train-seconds")).to_contain_text("36")
    assert api.ask("GET", f"/projects/{twice['id']}/versions")["current"] != old


def test_a_figure_of_some_classes_says_so_and_why_two_recordings_were_one(api: Api, studio: Open) -> None:
    project = api.project("Lines", "Dots")
    for number, scene, places in ((0, "stripes", (0, 1, 2)), (1, "dots", (0, 0))):
        for group, place in enumerate(places):
            api.add(project, number, photos(scene, 6, first=20 * group, place=place), f"{scene}{group}")
    api.train(project["id"])
    page = studio(project=project["id"])
    some = "for 1 of 2 classes"
    expect(page.at("train-accuracy")).to_contain_text(some)
    expect(page.at("train-unjudged")).to_contain_text(say("page.train.merged", names="Dots"))
    page.at("versions-open").click()
    expect(page.at("version")).to_contain_text(some)


def test_only_the_model_a_deleted_version_and_a_phone(api: Api, studio: Open, twice: dict[str, Any]) -> None:
    project = twice["id"]
    page = studio(viewport={"width": 390, "height": 780}).open(project)
    page.at("versions-open").click()
    rows = page.at("version")
    expect(rows).to_have_count(2)
    width = page.tab.evaluate("document.querySelector('[data-testid=versions-dialog]').scrollWidth")
    assert width <= 390
    rows.nth(1).get_by_test_id("version-restore").click()
    page.at("version-model-only").check()
    page.at("version-restore-yes").click()
    expect(page.at("toasts")).to_contain_text("Classes and photos stay as they are.")
    becomes(lambda: api.counts(project), {"Lines": 18, "Dots": 18})

    page.at("versions-open").click()
    expect(rows.nth(1).get_by_test_id("version-current")).to_be_visible()
    # A link that downloads; and the one in use cannot be deleted.
    rows.nth(1).get_by_test_id("version-menu").click()
    expect(page.at("version-download")).to_have_attribute("href", re.compile(r"/versions/\w+/model$"))
    expect(page.at("version-delete")).to_have_count(0)
    page.tab.keyboard.press("Escape")
    expect(page.at("versions-dialog")).to_be_visible()
    rows.nth(0).get_by_test_id("version-menu").click()
    page.at("version-delete").click()
    page.at("version-delete-yes").click()
    expect(rows).to_have_count(1)
    expect(page.at("versions-compare")).to_be_hidden()
    page.at("versions-close").click()
    expect(page.at("versions-dialog")).to_have_count(0)
    becomes(lambda: len(api.ask("GET", f"/projects/{project}/versions")["versions"]), 1)
