"""No camera, or none allowed: the page says so in words and everything else goes on."""

import pytest
from making import becomes
from pages import Open
from playwright.sync_api import expect
from scenes import photo
from serving import Api

from teachable.words import say


@pytest.mark.parametrize("camera", ["refused", "missing"])
def test_a_camera_that_does_not_come_is_explained(studio: Open, api: Api, camera: str) -> None:
    page = studio(camera, project=api.project()["id"])
    card = page.card(0)
    card.get_by_test_id("webcam").click()
    expect(card.get_by_role("alert")).to_contain_text(say(f"page.camera.{camera}"))
    expect(card.get_by_test_id("record")).to_be_hidden()
    # The same again after another try, and photos can be added all the same.
    card.get_by_role("button", name=say("page.try_again")).click()
    expect(card.get_by_role("alert")).to_contain_text(say(f"page.camera.{camera}"))
    card.get_by_test_id("camera-close").click()
    card.get_by_test_id("upload-input").set_input_files(
        {"name": "one.jpg", "mimeType": "image/jpeg", "buffer": photo("dots", 0)}
    )
    page.expect_samples(0, 1)
    becomes(lambda: api.counts(page.project)["Class 1"], 1)


@pytest.mark.parametrize("camera", ["refused", "missing"])
def test_the_preview_explains_it_too(studio: Open, trained: dict[str, str], camera: str) -> None:
    page = studio(camera, project=trained["id"]).ready_to_predict()
    page.at("preview-toggle").click(force=True)
    expect(page.at("preview").get_by_role("alert")).to_contain_text(say(f"page.camera.{camera}"))
    expect(page.at("preview-toggle")).not_to_be_checked()


def test_a_camera_that_is_pulled_out_is_explained(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"])
    record = page.camera(0)
    record.hover()
    page.tab.mouse.down()
    page.expect_stored(0, 3)
    page.card(0).get_by_test_id("camera").evaluate(
        "(video) => video.srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))"
    )
    expect(page.card(0).get_by_role("alert")).to_contain_text(say("page.camera.lost"))
    page.tab.mouse.up()
    # What was recorded until then is stored.
    assert page.settled(0) == api.counts(page.project)["Class 1"] >= 3
    page.card(0).get_by_role("button", name=say("page.try_again")).click()
    expect(record).to_be_enabled()
