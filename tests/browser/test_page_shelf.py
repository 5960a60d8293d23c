"""The page of all projects: finding, opening, copying, renaming and deleting them, the bin, and what they take up."""

import re
from collections.abc import Iterator

import pytest
from making import becomes
from pages import Open
from playwright.sync_api import Locator, expect
from scenes import photos
from serving import Api, Server

from teachable.words import say


@pytest.fixture(scope="module")
def own(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose projects are only those of this module."""
    folder = tmp_path_factory.mktemp("shelf")
    server = Server(folder / "home", folder / "log")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def there(own: Server) -> Iterator[Api]:
    api = Api(own)
    yield api
    api.close()


def card(shelf: Locator, name: str) -> Locator:
    """Return the card of a project, by the name of one of its classes, which stays when the project is renamed."""
    return shelf.get_by_test_id("shelf-card").filter(has_text=name)


def command(shelf: Locator, name: str, testid: str) -> None:
    """Choose a command from the menu of a card."""
    card(shelf, name).get_by_test_id("shelf-menu").click()
    card(shelf, name).get_by_test_id(testid).click()


def test_projects_are_found_copied_renamed_deleted_and_restored(studio: Open, own: Server, there: Api) -> None:
    fruit = there.project("Apple", "Pear", name="Fruit")
    there.add(fruit, 0, photos("dots", 3), "a")
    there.add(fruit, 1, photos("stripes", 2), "b")
    signs = there.project("Rock", "Paper", "Scissors", name="Signs")
    page = studio(project=fruit["id"], at=own)
    shelf = page.shelf()
    expect(page.tab).to_have_url(re.compile(r"[?&]projects"))
    first = card(shelf, "Apple")
    expect(first.get_by_test_id("shelf-here")).to_be_visible()
    expect(first.get_by_role("button", name=say("page.shelf.open_named", name="Fruit"))).to_be_visible()
    expect(first.locator("img")).to_have_count(4)
    expect(first.get_by_test_id("shelf-counts")).to_contain_text(
        f"{say('page.shelf.classes', count=2)} · {say('page.photos', count=5)}"
    )
    # What it takes up is measured in the background.
    expect(first.get_by_test_id("shelf-counts")).to_have_text(re.compile(r"\d [KM]B$"))
    expect(page.at("shelf-search")).to_be_hidden()

    command(shelf, "Apple", "shelf-rename")
    name = first.get_by_test_id("shelf-name")
    name.fill("Fruit on the desk")
    name.press("Enter")
    expect(page.at("project-name")).to_have_value("Fruit on the desk")
    name.fill("No")
    name.press("Escape")
    expect(name).to_have_value("Fruit on the desk")
    expect(shelf).to_be_visible()

    command(shelf, "Apple", "shelf-duplicate")
    expect(first).to_have_count(2)
    copies = [one for one in there.ask("GET", "/projects")["projects"] if one["name"] != "Signs"]
    assert [one["name"] for one in copies].count("Fruit on the desk") == 1
    assert all(there.counts(one["id"]) == {"Apple": 3, "Pear": 2} for one in copies)

    command(shelf, "Scissors", "shelf-delete")
    expect(card(shelf, "Scissors")).to_have_count(0)
    expect(page.at("toasts")).to_contain_text(say("page.project.deleted", name="Signs"))
    page.at("undo").click()
    expect(card(shelf, "Scissors")).to_be_visible()
    becomes(lambda: there.ask("GET", f"/projects/{signs['id']}")["name"], "Signs")

    # Deleting the open one opens another behind the list.
    command(shelf, "Scissors", "shelf-delete")
    page.at("bin").locator("summary").click()
    row = page.at("bin-row").filter(has_text="Signs")
    expect(row).to_contain_text(say("page.bin.left", count=30))
    row.get_by_test_id("bin-restore").click()
    expect(card(shelf, "Scissors").get_by_test_id("shelf-open")).to_be_focused()
    expect(page.at("bin")).to_be_hidden()

    card(shelf, "Scissors").get_by_test_id("shelf-open").click()
    expect(shelf).to_be_hidden()
    expect(page.at("project-name")).to_have_value("Signs")
    assert "projects" not in page.tab.url
    assert page.project == signs["id"]
    page.tab.go_back()
    expect(page.at("project-name")).to_have_value("Fruit on the desk")


def test_the_bin_is_emptied_only_after_a_question(studio: Open, own: Server, there: Api) -> None:
    gone = there.project("Gone", "Away", name="To be deleted")
    page = studio(project=gone["id"], at=own)
    shelf = page.shelf()
    # The page may be asking how the project stands in the moment in which it is deleted.
    page.watch.allow(f"404.*/projects/{gone['id']}")
    command(shelf, "Away", "shelf-delete")
    expect(card(shelf, "Away")).to_have_count(0)
    page.at("bin").locator("summary").click()
    page.at("bin-row").get_by_test_id("bin-forever").click()
    expect(page.at("ask")).to_contain_text(say("page.bin.forever_title", name="To be deleted"))
    expect(page.at("ask-no")).to_be_focused()
    page.tab.keyboard.press("Escape")
    expect(page.at("ask")).to_have_count(0)
    expect(page.at("bin-row")).to_have_count(1)
    page.at("bin-empty").click()
    page.at("ask-yes").click()
    expect(page.at("bin")).to_be_hidden()
    becomes(lambda: there.ask("GET", "/shelf")["bin"], [])


def test_the_list_has_an_address_and_is_searched_when_it_is_long(studio: Open, own: Server, there: Api) -> None:
    for number in range(13):
        there.project(f"Thing {number}", "Other", name=f"Lesson {number}")
    page = studio(project=there.project()["id"], at=own)
    with page.watch.leaving():
        page.tab.goto(f"{own.address}/?projects")
    shelf = page.at("shelf")
    expect(shelf).to_have_attribute("data-ready", "true")
    page.at("shelf-search").fill("thing 12")
    expect(page.at("shelf-card")).to_have_count(1)
    expect(page.at("shelf-found")).to_have_text(say("page.shelf.found", count=1))
    page.at("shelf-search").fill("")
    # By keyboard: the first card is opened, and Escape closes the list.
    page.tab.keyboard.press("Tab")
    page.tab.keyboard.press("Enter")
    expect(shelf).to_be_hidden()
    page.shelf()
    page.tab.keyboard.press("Escape")
    expect(shelf).to_be_hidden()
    expect(page.tab).not_to_have_url(re.compile("projects"))
    page.shelf()
    page.at("shelf-new").click()
    expect(shelf).to_be_hidden()
    becomes(lambda: there.counts(page.project), {"Class 1": 0, "Class 2": 0})


def test_deleted_photos_can_be_removed_for_good(studio: Open, own: Server, there: Api) -> None:
    project = there.project("Kept", "Thrown", name="Full")
    there.add(project, 0, photos("dots", 3), "a")
    there.add(project, 1, photos("stripes", 3), "b")
    there.ask("DELETE", f"/projects/{project['id']}/classes/{project['classes'][1]['id']}")
    page = studio(project=project["id"], at=own)
    shelf = page.shelf()
    command(shelf, "Kept", "shelf-storage")
    expect(page.at("storage")).to_have_attribute("data-ready", "true")
    before = there.ask("GET", f"/projects/{project['id']}/storage")
    assert before["removed"] > 0
    expect(page.at("storage-clean")).to_be_disabled()
    page.at("storage-tick-removed").check()
    page.at("storage-clean").click()
    expect(page.at("storage-said")).not_to_be_empty()
    expect(page.at("storage-tick-removed")).to_be_disabled()
    after = there.ask("GET", f"/projects/{project['id']}/storage")
    assert after["removed"] == 0
    becomes(lambda: there.counts(project["id"]), {"Kept": 3})
    page.at("storage-close").click()
    card(shelf, "Kept").get_by_test_id("shelf-menu").click()
    with page.tab.expect_download() as begun:
        card(shelf, "Kept").get_by_test_id("shelf-download").click()
    assert begun.value.suggested_filename.endswith(".zip")
