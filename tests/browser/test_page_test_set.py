"""Photos kept for testing only: uploaded as such, marked by selection or one by one, and let go again."""

from typing import Any

from pages import Open, Studio
from playwright.sync_api import FilePayload, Locator, expect
from scenes import photo, photos
from serving import Api

from teachable.words import say


def payload(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}


def kept(page: Studio, number: int) -> Locator:
    """The thumbnails of photos that are only for testing."""
    return page.card(number).locator("[data-testid=thumbnail][data-test]")


def kept_on_disk(api: Api, project: str) -> list[int]:
    return [one["tests"] for one in api.ask("GET", f"/projects/{project}")["classes"]]


def two_recordings(api: Api) -> dict[str, Any]:
    project = api.project()
    api.add(project, 0, photos("stripes", 3), "one")
    api.add(project, 0, photos("stripes", 2, 10), "two")
    return project


def test_photos_are_uploaded_only_for_testing(studio: Open, api: Api) -> None:
    project = api.project()
    api.add(project, 0, photos("stripes", 2), "one")
    page = studio(project=project["id"])
    page.expect_samples(0, 2)
    with page.tab.expect_file_chooser() as opened:
        page.menu(0, "class-upload-tests")
    opened.value.set_files([payload(f"{seed}.jpg", photo("stripes", seed)) for seed in range(20, 23)])
    expect(kept(page, 0)).to_have_count(3)
    expect(page.card(0).get_by_test_id("sample-count")).to_have_text(say("page.samples.count", count=5))
    expect(page.card(0).get_by_test_id("test-count")).to_have_text(say("page.samples.tests", count=3))
    assert kept_on_disk(api, project["id"]) == [3, 0]
    # The next ordinary upload is one to learn from.
    with page.tab.expect_file_chooser() as opened:
        page.card(0).get_by_test_id("upload").click()
    opened.value.set_files([payload("last.jpg", photo("stripes", 30))])
    page.expect_samples(0, 6)
    assert kept_on_disk(api, project["id"]) == [3, 0]


def test_whole_recordings_of_a_selection_are_kept_and_taken_back(studio: Open, api: Api) -> None:
    project = two_recordings(api)
    page = studio(project=project["id"])
    page.expect_samples(0, 5)
    card = page.card(0)
    card.get_by_test_id("select").click()
    expect(card.get_by_test_id("test-selected")).to_be_disabled()
    card.get_by_test_id("thumbnail").nth(4).get_by_role("button").first.click()
    card.get_by_test_id("test-selected").click()
    expect(card.get_by_test_id("test-learn")).to_have_count(0)
    card.get_by_test_id("test-recordings").click()
    expect(kept(page, 0)).to_have_count(3)
    assert kept_on_disk(api, project["id"]) == [3, 0]
    expect(kept(page, 0).first.get_by_role("button").first).to_have_accessible_name(
        say("page.samples.open_test", number=3)
    )
    page.at("toasts").get_by_role("button", name=say("page.undo")).click()
    expect(kept(page, 0)).to_have_count(0)
    assert kept_on_disk(api, project["id"]) == [0, 0]


def test_a_class_with_nothing_left_to_learn_from_says_so(studio: Open, api: Api) -> None:
    project = two_recordings(api)
    api.add(project, 1, photos("dots", 3), "three")
    page = studio(project=project["id"])
    page.expect_samples(1, 3)
    expect(page.train).to_be_enabled()
    card = page.card(1)
    card.get_by_test_id("select").click()
    card.get_by_role("button", name=say("page.samples.all")).click()
    card.get_by_test_id("test-selected").click()
    card.get_by_test_id("test-recordings").click()
    expect(kept(page, 1)).to_have_count(3)
    expect(page.at("train-status")).to_contain_text(say("error.training_class_only_tests", name="Class 2"))
    expect(page.train).to_be_disabled()


def test_one_photo_by_keyboard_in_the_large_view(studio: Open, api: Api) -> None:
    project = two_recordings(api)
    page = studio(project=project["id"])
    page.expect_samples(0, 5)
    page.card(0).get_by_test_id("thumbnail").first.get_by_role("button").first.focus()
    page.tab.keyboard.press("Enter")
    box = page.at("lightbox")
    expect(box).to_be_visible()
    # Nothing was trained yet, so there is nobody to ask.
    expect(page.at("lightbox-explain")).to_be_hidden()
    expect(page.at("lightbox-test")).to_be_hidden()
    page.at("lightbox-testing").focus()
    page.tab.keyboard.press("Enter")
    page.tab.keyboard.press("Escape")
    expect(box).to_be_visible()
    page.tab.keyboard.press("Enter")
    page.tab.keyboard.press("ArrowDown")
    expect(page.at("test-these")).to_be_focused()
    page.tab.keyboard.press("Enter")
    expect(page.at("lightbox-test")).to_be_visible()
    assert kept_on_disk(api, project["id"]) == [1, 0]
    page.at("lightbox-testing").click()
    page.at("test-learn").click()
    expect(page.at("lightbox-test")).to_be_hidden()
    assert kept_on_disk(api, project["id"]) == [0, 0]


def test_the_large_view_asks_the_model(studio: Open, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"]).ready_to_predict()
    page.card(0).get_by_test_id("thumbnail").first.get_by_role("button").first.click()
    ask = page.at("lightbox-explain")
    ask.click()
    expect(ask).to_have_attribute("aria-pressed", "true")
    expect(page.at("explain")).to_have_attribute("data-state", "ready")
    expect(page.at("explain-winner")).to_contain_text("Stripes")
    first = page.at("explain-photo").get_attribute("src")
    page.tab.keyboard.press("ArrowRight")
    expect(page.at("explain-photo")).not_to_have_attribute("src", first or "")
    expect(page.at("explain")).to_have_attribute("data-state", "ready")
    ask.click()
    expect(page.at("explain")).to_have_count(0)
