"""Recording: every way to hold the button, and every way in which a hold ends."""

import time

import pytest
from making import becomes
from pages import WAIT_SECONDS, Open, Studio
from playwright.sync_api import CDPSession, Locator, expect
from serving import Api

from teachable.words import say

FEW = 4
FRAMES = """() => new Promise((done) => {
    let left = 30;
    const next = () => (left-- ? requestAnimationFrame(next) : done());
    next();
})"""
PHONE = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 844}}


def expect_stopped(page: Studio, record: Locator, api: Api) -> None:
    """Recording has ended: all that was taken is stored, and nothing more comes."""
    expect(record).not_to_have_attribute("data-recording", "")
    counts = [-1, page.settled(0)]
    deadline = time.monotonic() + WAIT_SECONDS
    # The last frame may still be on its way into a file. Some frame intervals later there is the same number.
    while counts[-1] != counts[-2]:
        assert time.monotonic() < deadline, "it goes on recording"
        page.tab.evaluate(FRAMES)
        counts.append(page.settled(0))
    # On a busy machine the camera gives a frame twice, which is kept once.
    assert counts[-1] == api.counts(page.project)["Class 1"] >= FEW // 2


@pytest.mark.parametrize("key", ["Space", "Enter"])
def test_a_key_held_records(studio: Open, api: Api, key: str) -> None:
    page = studio("stripes", project=api.project()["id"])
    record = page.camera(0)
    # Whoever opened the camera can hold the key at once.
    expect(record).to_be_focused()
    page.tab.keyboard.down(key)
    expect(record).to_have_attribute("data-recording", "")
    page.expect_samples(0, FEW)
    page.tab.keyboard.up(key)
    expect_stopped(page, record, api)


def touch(session: CDPSession, kind: str, record: Locator) -> None:
    box = record.bounding_box()
    assert box
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else [point]})


def test_a_finger_held_records(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"], **PHONE)
    record = page.camera(0)
    record.scroll_into_view_if_needed()
    session = page.tab.context.new_cdp_session(page.tab)
    touch(session, "touchStart", record)
    expect(record).to_have_attribute("data-recording", "")
    # Longer than what browsers take for a long press.
    page.expect_samples(0, 2 * FEW)
    expect(record).to_have_attribute("data-recording", "")
    touch(session, "touchEnd", record)
    expect_stopped(page, record, api)


def test_the_pointer_may_slide_off_the_button(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"])
    record = page.camera(0)
    record.hover()
    page.tab.mouse.down()
    page.tab.mouse.move(5, 5)
    page.expect_samples(0, FEW)
    expect(record).to_have_attribute("data-recording", "")
    page.tab.mouse.up()
    expect_stopped(page, record, api)


def test_a_class_deleted_elsewhere_while_it_is_recorded_is_told(studio: Open, api: Api) -> None:
    project = api.project("Red", "Blue")
    page = studio("stripes", project=project["id"])
    page.watch.allow("404")
    page.camera(0).hover()
    page.tab.mouse.down()
    page.expect_samples(0, FEW)
    api.ask("DELETE", f"/projects/{project['id']}/classes/{project['classes'][0]['id']}")
    expect(page.at("toasts")).to_contain_text(say("page.class.gone", name="Red"))
    expect(page.at("class-card")).to_have_count(1)
    page.tab.mouse.up()
    # Nothing is left to be sent again, and the other class records.
    page.hold(0, FEW)
    expect(page.at("upload-problem")).to_be_hidden()
    becomes(lambda: list(api.counts(project["id"])), ["Blue"])


def test_leaving_the_window_ends_a_recording(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"])
    record = page.camera(0)
    record.hover()
    page.tab.mouse.down()
    page.expect_samples(0, FEW)
    page.tab.evaluate("() => dispatchEvent(new Event('blur'))")
    expect_stopped(page, record, api)
    page.tab.mouse.up()


def test_timed_recording_starts_and_ends_by_itself(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"])
    record = page.camera(0)
    page.card(0).get_by_test_id("camera-gear").click()
    page.card(0).get_by_test_id("camera-hold").uncheck(force=True)
    for field, value in (("camera-delay", "0"), ("camera-duration", "1"), ("camera-rate", "10")):
        page.card(0).get_by_test_id(field).fill(value)
        page.card(0).get_by_test_id(field).press("Tab")
    record.click()
    expect(record).to_have_attribute("data-recording", "")
    expect_stopped(page, record, api)
    # Ten a second for one second, give or take what a busy machine does to a clock.
    assert 5 <= page.count(0) <= 12


def test_only_one_card_has_the_camera(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"])
    page.camera(0)
    page.camera(1)
    expect(page.card(0).get_by_test_id("webcam-panel")).to_be_hidden()
    page.card(1).get_by_test_id("camera-close").click()
    expect(page.card(1).get_by_test_id("webcam")).to_be_focused()
