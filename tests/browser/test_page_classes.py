"""Classes on the page: any name is only text, and whatever is taken away can be brought back."""

import re
from typing import Any

import pytest
from making import becomes
from pages import Open
from playwright.sync_api import expect
from scenes import photos
from serving import Api

from teachable.words import say

REFUSED = r"^(answered 4(09|22)|console: Failed to load resource: .* 4(09|22))"


NAMES = (
    "<img src=x onerror=console.error(1)><script>console.error(2)</script>",
    "{{value}} ${1+1} `x` \\n",
    "👩🏽‍🔬 science 🧪",
    "תפוח or تفاحة",
    "../../etc/passwd",
    "Äpfel & “Birnen”",
)


def test_any_name_is_text_and_the_model_has_it_at_once(studio: Open, api: Api, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"])
    label = page.at("bar-label").nth(1)
    for name in NAMES:
        page.rename(1, name)
        # Without training again.
        expect(label).to_have_text(name)
        becomes(lambda name=name: name in api.counts(page.project), True)
    expect(page.at("stale")).to_be_hidden()
    page.rename(0, NAMES[0])
    expect(page.at("bar-label").nth(0)).to_have_text(NAMES[0])
    page.reload()
    for number, name in enumerate((NAMES[0], NAMES[-1])):
        expect(page.card(number).get_by_test_id("class-name")).to_have_value(name)
        expect(page.at("bar-label").nth(number)).to_have_text(name)
    for number, name in enumerate(("Stripes", "Dots")):
        page.rename(number, name)
        expect(page.at("bar-label").nth(number)).to_have_text(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", say("error.name_empty")),
        ("CLASS 2", say("error.class_name_taken", name="CLASS 2")),
        ("x" * 10_000, say("error.name_long", length="10,000", allowed=100)),
    ],
    ids=["empty", "taken", "long"],
)
def test_a_name_that_cannot_be_is_refused_in_words(studio: Open, api: Api, name: str, words: str) -> None:
    page = studio(project=api.project()["id"])
    page.watch.allow(REFUSED)
    page.rename(0, name)
    expect(page.at("toasts").get_by_role("alert")).to_contain_text(words)
    # What was typed stays to be corrected; Escape takes it back.
    field = page.card(0).get_by_test_id("class-name")
    expect(field).to_be_focused()
    expect(field).to_have_value(name)
    expect(field).to_have_attribute("aria-invalid", "true")
    field.press("Escape")
    expect(field).to_have_value("Class 1")
    becomes(lambda: set(api.counts(page.project)), {"Class 1", "Class 2"})


def test_escape_takes_back_what_was_typed(studio: Open, api: Api) -> None:
    page = studio(project=api.project()["id"])
    field = page.card(0).get_by_test_id("class-name")
    field.fill("something else")
    field.press("Escape")
    expect(field).to_have_value("Class 1")


def test_classes_are_added_and_the_new_name_is_ready_to_type(studio: Open, api: Api) -> None:
    page = studio(project=api.project()["id"])
    page.at("add-class").click()
    expect(page.at("class-card")).to_have_count(3)
    expect(page.card(2).get_by_test_id("class-name")).to_be_focused()
    page.tab.keyboard.type("Nothing at all")
    page.tab.keyboard.press("Enter")
    page.menu(2, "class-up")
    expect(page.card(1).get_by_test_id("class-name")).to_have_value("Nothing at all")
    page.reload()
    expect(page.card(1).get_by_test_id("class-name")).to_have_value("Nothing at all")


def test_deleted_samples_come_back(studio: Open, api: Api) -> None:
    project = api.project()
    api.add(project, 0, photos("dots", 5), "one")
    page = studio(project=project["id"])
    shown = page.card(0).get_by_test_id("thumbnail")
    expect(shown).to_have_count(5)

    page.card(0).get_by_test_id("select").click()
    shown.nth(0).get_by_role("button").first.click()
    shown.nth(3).get_by_role("button").first.click()
    page.card(0).get_by_test_id("delete-selected").click()
    expect(shown).to_have_count(3)
    expect(page.at("toasts")).to_contain_text(say("page.samples.deleted", count=2))
    becomes(lambda: api.counts(page.project)["Class 1"], 3)
    page.at("undo").click()
    expect(shown).to_have_count(5)

    page.menu(0, "class-clear")
    expect(shown).to_have_count(0)
    page.tab.keyboard.press("ControlOrMeta+z")
    expect(shown).to_have_count(5)

    shown.first.get_by_role("button").first.click()
    expect(page.at("lightbox")).to_be_visible()
    page.at("lightbox-delete").click()
    page.at("lightbox-close").click()
    expect(shown).to_have_count(4)
    page.at("undo").click()
    expect(shown).to_have_count(5)
    becomes(lambda: api.counts(page.project)["Class 1"], 5)


def test_samples_move_to_another_class(studio: Open, api: Api) -> None:
    project = api.project("Left", "Right")
    api.add(project, 0, photos("dots", 3), "one")
    page = studio(project=project["id"])
    page.card(0).get_by_test_id("select").click()
    page.card(0).get_by_test_id("thumbnail").nth(1).get_by_role("button").first.click()
    page.card(0).get_by_test_id("move-selected").click()
    page.card(0).get_by_role("menuitem", name="Right").click()
    page.expect_samples(1, 1)
    becomes(lambda: api.counts(page.project), {"Left": 2, "Right": 1})
    page.at("undo").click()
    page.expect_samples(0, 3)
    becomes(lambda: api.counts(page.project), {"Left": 3, "Right": 0})


def test_a_deleted_class_comes_back_with_its_samples(studio: Open, api: Api) -> None:
    project = api.project("Keep", "Lose")
    api.add(project, 1, photos("dots", 3), "one")
    page = studio(project=project["id"])
    expect(page.card(1).get_by_test_id("thumbnail")).to_have_count(3)
    page.menu(1, "class-delete")
    expect(page.at("class-card")).to_have_count(1)
    expect(page.at("toasts")).to_contain_text(say("page.class.deleted", name="Lose"))
    page.at("undo").click()
    expect(page.at("class-card")).to_have_count(2)
    expect(page.card(1).get_by_test_id("class-name")).to_have_value("Lose")
    expect(page.card(1).get_by_test_id("thumbnail")).to_have_count(3)


def test_the_train_button_says_why_it_waits(studio: Open, api: Api) -> None:
    project = api.project("One", "Two", "Three")
    api.add(project, 0, photos("stripes", 2), "one")
    api.add(project, 1, photos("dots", 2), "two")
    page = studio(project=project["id"])
    reason = page.at("train-reason")
    expect(reason).to_have_text(say("error.training_class_without_samples", name="Three"))
    expect(page.train).to_be_disabled()

    page.menu(2, "class-disable")
    expect(page.card(2).get_by_test_id("class-disabled")).to_be_visible()
    expect(page.train).to_be_enabled()
    expect(reason).to_be_hidden()

    page.menu(1, "class-disable")
    expect(reason).to_have_text(say("error.training_one_class"))
    expect(page.train).to_be_disabled()
    page.menu(1, "class-disable")
    expect(page.train).to_be_enabled()


def test_changed_samples_make_the_model_stale(studio: Open, api: Api, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"])
    expect(page.at("train-seconds")).to_have_text(re.compile(r"\d"))
    expect(page.at("stale")).to_be_hidden()
    page.card(0).get_by_test_id("select").click()
    page.card(0).get_by_test_id("thumbnail").first.get_by_role("button").first.click()
    page.card(0).get_by_test_id("delete-selected").click()
    expect(page.at("stale")).to_be_visible()
    page.at("undo").click()
    expect(page.at("stale")).to_be_hidden()


def test_a_project_that_is_not_there_is_explained(studio: Open, api: Api) -> None:
    project = api.project(name="The one that exists")
    page = studio(project=project["id"])
    page.watch.allow("404")
    with page.watch.leaving():
        page.tab.goto(f"{page.address}/?project={'0' * 32}")
    expect(page.at("project-problem").get_by_role("alert")).to_have_text(say("page.project.unknown"))
    page.at("project-problem").get_by_role("button", name="The one that exists").click()
    expect(page.at("class-card")).to_have_count(2)
    assert page.project == project["id"]
