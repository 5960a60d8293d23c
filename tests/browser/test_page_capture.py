"""Recording: every way to hold the button, and every way in which a hold ends."""

import pytest
from making import becomes
from pages import Open, Studio
from playwright.sync_api import CDPSession, Locator, expect
from serving import Api

from teachable.words import say

FEW = 4
FRAMES = """() => new Promise((done) => {
    let left = 30;
    const next = () => (left-- ? requestAnimationFrame(next) : done());
    next();
})"""
"""Longer than from one photo to the next."""
TAKEN = """
    window.taken = 0;
    const encode = HTMLCanvasElement.prototype.toBlob;
    HTMLCanvasElement.prototype.toBlob = function (...how) {
        window.taken += 1;
        encode.apply(this, how);
    };
"""
"""Counts the frames that the page makes a file of."""
PHONE = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 844}}


def expect_stopped(page: Studio, record: Locator, api: Api, least: int = FEW) -> None:
    """Recording has ended: all that was taken is stored, and nothing more comes."""
    expect(record).not_to_have_attribute("data-recording", "")
    count = page.settled(0)
    taken = page.tab.evaluate("window.taken")
    assert count == api.counts(page.project)["Class 1"] >= least
    page.tab.evaluate(FRAMES)
    assert page.tab.evaluate("window.taken") == taken


LATE = """
    window.taken = window.made = 0;
    const encode = HTMLCanvasElement.prototype.toBlob;
    HTMLCanvasElement.prototype.toBlob = function (done, ...how) {
        window.taken += 1;
        const late = window.taken > 8 ? 500 : 0;
        encode.call(this, (blob) => setTimeout(() => {
            window.made += 1;
            done(blob);
        }, late), ...how);
    };
"""
"""All frames but those of the first batch are made into files late, as on a busy machine."""


def test_the_last_frames_come_after_the_button_was_let_go(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"], script=LATE)
    record = page.camera(0)
    record.hover()
    page.tab.mouse.down()
    page.expect_stored(0, FEW)
    page.tab.wait_for_function("() => taken > 8")
    page.tab.mouse.up()
    count = page.settled(0)
    assert page.tab.evaluate("taken === made")
    assert count == page.settled(0) == api.counts(page.project)["Class 1"]


@pytest.mark.parametrize("key", ["Space", "Enter"])
def test_a_key_held_records(studio: Open, api: Api, key: str) -> None:
    page = studio("stripes", project=api.project()["id"], script=TAKEN)
    record = page.camera(0)
    # Whoever opened the camera can hold the key at once.
    expect(record).to_be_focused()
    page.tab.keyboard.down(key)
    expect(record).to_have_attribute("data-recording", "")
    page.expect_stored(0, FEW)
    page.tab.keyboard.up(key)
    expect_stopped(page, record, api)


def touch(session: CDPSession, kind: str, record: Locator) -> None:
    box = record.bounding_box()
    assert box
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else [point]})


def test_a_finger_held_records(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"], script=TAKEN, **PHONE)
    record = page.camera(0)
    record.scroll_into_view_if_needed()
    session = page.tab.context.new_cdp_session(page.tab)
    touch(session, "touchStart", record)
    expect(record).to_have_attribute("data-recording", "")
    # Longer than what browsers take for a long press.
    page.expect_stored(0, 2 * FEW)
    expect(record).to_have_attribute("data-recording", "")
    touch(session, "touchEnd", record)
    expect_stopped(page, record, api)


def test_the_pointer_may_slide_off_the_button(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"], script=TAKEN)
    record = page.camera(0)
    record.hover()
    page.tab.mouse.down()
    page.tab.mouse.move(5, 5)
    page.expect_stored(0, FEW)
    expect(record).to_have_attribute("data-recording", "")
    page.tab.mouse.up()
    expect_stopped(page, record, api)


def test_a_class_deleted_elsewhere_while_it_is_recorded_is_told(studio: Open, api: Api) -> None:
    project = api.project("Red", "Blue")
    page = studio("stripes", project=project["id"])
    page.watch.allow("404")
    page.camera(0).hover()
    page.tab.mouse.down()
    page.expect_stored(0, FEW)
    api.ask("DELETE", f"/projects/{project['id']}/classes/{project['classes'][0]['id']}")
    expect(page.at("toasts")).to_contain_text(say("page.class.gone", name="Red"))
    expect(page.at("class-card")).to_have_count(1)
    page.tab.mouse.up()
    # Nothing is left to be sent again, and the other class records.
    page.hold(0, FEW)
    expect(page.at("upload-problem")).to_be_hidden()
    becomes(lambda: list(api.counts(project["id"])), ["Blue"])


def test_leaving_the_window_ends_a_recording(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"], script=TAKEN)
    record = page.camera(0)
    record.hover()
    page.tab.mouse.down()
    page.expect_stored(0, FEW)
    page.tab.evaluate("() => dispatchEvent(new Event('blur'))")
    expect_stopped(page, record, api)
    page.tab.mouse.up()


def test_timed_recording_starts_and_ends_by_itself(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"], script=TAKEN)
    record = page.camera(0)
    page.card(0).get_by_test_id("camera-gear").click()
    page.card(0).get_by_test_id("camera-hold").uncheck(force=True)
    for field, value in (("camera-delay", "0"), ("camera-duration", "2"), ("camera-rate", "10")):
        page.card(0).get_by_test_id(field).fill(value)
        page.card(0).get_by_test_id(field).press("Tab")
    record.click()
    # It may be over before anybody looks.
    page.expect_samples(0, 1)
    expect_stopped(page, record, api, least=1)
    # Ten a second for two seconds, give or take what a busy machine does to a clock.
    assert 5 <= page.tab.evaluate("window.taken") <= 22


def test_only_one_card_has_the_camera(studio: Open, api: Api) -> None:
    page = studio("stripes", project=api.project()["id"])
    page.camera(0)
    page.camera(1)
    expect(page.card(0).get_by_test_id("webcam-panel")).to_be_hidden()
    page.card(1).get_by_test_id("camera-close").click()
    expect(page.card(1).get_by_test_id("webcam")).to_be_focused()
