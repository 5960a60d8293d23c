"""Every state the export dialog can show, the seldom ones too: the server's answers about exports are made up here."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from pages import Open, Studio
from playwright.sync_api import Locator, expect
from shelf import Json, Shelf, check, done, form, made, model
from test_page_export import CLIPBOARD, card, choose, copied, open_dialog
from test_page_look import PHONE, assert_fits, assert_readable

from teachable.words import say

SLOW: Json = {"quick": False}
COMMAND = "pip install 'teachable[tflite]'"
QR = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9"/></svg>'
Visit = Callable[..., tuple[Studio, Shelf]]


@pytest.fixture
def visit(studio: Open, trained: dict[str, Any]) -> Visit:
    """Opens the dialog over formats that are given; `before` sees the shelf first."""

    def opened(*formats: Json, before: Callable[[Shelf], None] | None = None, **options: Any) -> tuple[Studio, Shelf]:
        page = studio(project=trained["id"], **{"color_scheme": "light", **options})
        shelf = Shelf(page.tab, *formats)
        if before:
            before(shelf)
        # The words in the switch of the camera are not there to be read.
        page.ready_to_predict().at("source-file").check(force=True)
        return open_dialog(page), shelf

    return opened


def settle(page: Studio) -> None:
    """Let the page ask for the status of the project twice: what it asks for often would have been asked for."""
    for _ in range(2):
        with page.tab.expect_response("**/status"):
            pass


def slow(**values: Any) -> tuple[Json, Json]:
    return model(), form("web", "For your own website", made("full", "Exact model", "web.zip", **SLOW, **values))


# Preparing


@pytest.mark.thorough
def test_a_slow_file_is_made_when_it_is_asked_for(visit: Visit) -> None:
    page, shelf = visit(*slow())
    body = choose(page, "web")
    prepare = body.get_by_test_id("export-prepare")
    expect(body.get_by_test_id("export-wait")).to_have_text(say("page.export.slow"))
    expect(body.get_by_test_id("download-model")).to_be_hidden()
    settle(page)
    assert shelf.asked == ["GET "]

    prepare.press("Enter")
    cancel = body.get_by_test_id("export-cancel")
    expect(cancel).to_be_focused()
    expect(body.get_by_test_id("export-doing")).to_have_text(say("page.export.preparing"))
    shelf.file("web", "full")["fraction"] = 0.43
    expect(body.locator("progress")).to_have_js_property("value", 0.43)
    expect(card(page, "web")).to_contain_text("43%")

    shelf.file("web", "full").update(done("full", "Exact model", "web.zip", 7_300_000))
    download = body.get_by_test_id("download-model")
    expect(download).to_be_focused()
    expect(download).to_have_attribute("href", re.compile(r"/exports/web/full/file$"))
    expect(body.get_by_test_id("model-file")).to_have_text("web.zip, 7.3 MB")
    expect(body.get_by_test_id("export-spoken")).to_have_text(say("page.export.ready", file="web.zip"))
    words = say("page.export.checked", agreeing=60, total=60, difference=say("page.export.difference_least"))
    expect(body.get_by_test_id("agreement")).to_have_text(words)
    expect(card(page, "web").get_by_test_id("format-mark")).to_have_text(say("page.export.mark_ready"))

    # Nothing moves any more, so nothing is asked.
    asked = list(shelf.asked)
    settle(page)
    assert shelf.asked == asked
    assert shelf.count("POST") == 1


def test_a_quick_file_is_asked_for_once_and_may_have_to_wait(visit: Visit) -> None:
    others = made("half", "Half-size model", "a.zip"), made("full", "Exact model", "b.zip")

    def first(shelf: Shelf) -> None:
        shelf.start = {"state": "waiting"}

    page, shelf = visit(model(), form("web", "For your own website", *others), before=first)
    body = choose(page, "web")
    expect(body.get_by_test_id("export-doing")).to_have_text(say("page.export.waiting"))
    expect(body.locator("progress")).to_have_js_property("position", -1)
    shelf.expect_orders("POST /web/half")
    shelf.start = {"state": "none"}
    choose(page, "web", "full")
    settle(page)
    shelf.expect_orders("POST /web/half", "POST /web/full")


def test_a_file_that_was_cancelled_is_made_again_only_when_asked(visit: Visit) -> None:
    page, shelf = visit(model(), form("web", "For your own website", made("half", "Half-size model", "a.zip")))
    body = choose(page, "web")
    body.get_by_test_id("export-cancel").press("Enter")
    expect(body.get_by_test_id("export-prepare")).to_be_focused()
    expect(body.get_by_test_id("export-wait")).to_have_text(say("page.export.cancelled"))
    orders = ["POST /web/half", "DELETE /web/half"]
    shelf.expect_orders(*orders)
    choose(page, "onnx")
    choose(page, "web")
    settle(page)
    shelf.expect_orders(*orders)
    body.get_by_test_id("export-prepare").click()
    expect(body.get_by_test_id("export-progress")).to_be_visible()
    shelf.expect_orders(*orders, "POST /web/half")


def test_closing_the_dialog_cancels_nothing(visit: Visit) -> None:
    page, shelf = visit(*slow())
    body = choose(page, "web")
    body.get_by_test_id("export-prepare").click()
    expect(body.get_by_test_id("export-progress")).to_contain_text(say("page.export.goes_on"))
    shelf.file("web", "full")["fraction"] = 0.5
    page.tab.keyboard.press("Escape")
    expect(page.at("export-dialog")).to_have_count(0)
    # What was asked before has come by then.
    settle(page)
    asked = list(shelf.asked)
    settle(page)
    assert shelf.asked == asked
    assert shelf.count("DELETE") == 0
    open_dialog(page)
    expect(card(page, "web")).to_have_attribute("aria-expanded", "true")
    expect(card(page, "web")).to_contain_text("50%")
    expect(choose(page, "web").locator("progress")).to_have_js_property("value", 0.5)


def test_it_opens_where_it_was_left_or_on_what_is_being_prepared(visit: Visit) -> None:
    light, whole = made("half", "Half-size model", "a.zip", **SLOW), made("full", "Exact model", "b.zip", **SLOW)
    other = form("python", "Python folder", made("full", "Exact model", "c.zip", **SLOW))
    page, shelf = visit(model(), form("web", "For your own website", light, whole), other)
    choose(page, "web", "full")
    choose(page, "python")
    reopen(page)
    expect(card(page, "python")).to_have_attribute("aria-expanded", "true")
    expect(choose(page, "web").get_by_test_id("variant-full")).to_be_checked()
    choose(page, "python")
    shelf.file("web", "half").update(state="running", fraction=0.2)
    reopen(page)
    expect(card(page, "web")).to_have_attribute("aria-expanded", "true")
    expect(page.at("format-body").get_by_test_id("variant-half")).to_be_checked()
    assert shelf.count("POST") == 0


def reopen(page: Studio) -> None:
    page.at("export-close").click()
    expect(page.at("export-dialog")).to_have_count(0)
    open_dialog(page)


def test_a_long_preparation_says_so_all_the_time_and_how_long_it_has_been(visit: Visit) -> None:
    page, shelf = visit(*slow(state="running", fraction=0.1, seconds=4.9))
    body = page.at("format-body")
    expect(body.get_by_test_id("export-long")).to_contain_text(say("page.export.slow"))
    expect(body.get_by_test_id("export-progress")).to_contain_text("10%")
    expect(body.get_by_test_id("export-progress")).not_to_contain_text("·")
    shelf.file("web", "full")["seconds"] = 65.7
    expect(body.get_by_test_id("export-progress")).to_contain_text(say("page.export.elapsed", seconds=65) + " · 10%")


def test_why_a_file_has_to_be_made_again_is_said_beside_the_button(visit: Visit) -> None:
    why = say("error.export_renewed")
    page, _ = visit(*slow(key="export_renewed", message=why))
    body = choose(page, "web")
    expect(body.get_by_test_id("export-wait")).to_have_text(f"{why} {say('page.export.slow')}")
    expect(body.get_by_test_id("export-prepare")).to_be_visible()


def test_while_the_model_is_checked_nothing_is_begun(visit: Visit) -> None:
    def first(shelf: Shelf) -> None:
        shelf.checking = True

    formats = model(), form("web", "For your own website", made("half", "Half-size model", "a.zip"))
    page, shelf = visit(*formats, before=first)
    body = choose(page, "web")
    expect(body.get_by_test_id("export-wait")).to_have_text(say("page.export.checking"))
    expect(body.get_by_test_id("export-prepare")).to_be_hidden()
    assert shelf.count("POST") == 0
    shelf.checking = False
    expect(body.get_by_test_id("export-progress")).to_be_visible()
    shelf.expect_orders("POST /web/half")


# What is known of a file


def test_a_lighter_file_that_gets_fewer_right_says_so(visit: Visit) -> None:
    figures = {"held_out": 60, "correct": 49, "correct_full": 58}
    warning = say("error.export_loses", total=60, fewer=9)
    light = {"check": check(54, 60, 0.31, **figures), "loses": True, "message": warning}
    page, _ = visit(model(done("quarter", "Quarter-size model", "model-quarter.onnx", 2_900_000, **light)))
    body = choose(page, "onnx", "quarter")
    expect(body.get_by_test_id("agreement")).to_have_text(
        say("page.export.checked", agreeing=54, total=60, difference=say("page.export.difference", percent="31"))
    )
    expect(body.get_by_test_id("export-figures")).to_have_text(
        say("page.export.figures", correct=49, total=60, full=58)
    )
    expect(body.get_by_test_id("export-loses")).to_have_text(warning)
    expect(body.get_by_role("radio", name="Quarter-size model")).to_be_checked()
    expect(body.locator("label", has_text="Quarter-size model")).to_contain_text("2.9 MB" + "9 fewer right")
    expect(body.get_by_test_id("download-model")).to_be_visible()
    # What is compared with the exact model says nothing about that one.
    expect(body.locator("label", has_text="Exact model")).not_to_contain_text("right")
    choose(page, "onnx", "full")
    expect(body.get_by_test_id("export-loses")).to_be_hidden()


def test_what_a_size_costs_is_said_beside_it_and_how_that_is_known_below(visit: Visit) -> None:
    light = done("half", "Half-size model", "half.onnx", check=check(held_out=60, correct=58, correct_full=58))
    page, shelf = visit(model(light, made("quarter", "Quarter-size model", "quarter.onnx", **SLOW)))
    body = page.at("format-body")
    half = body.locator("label", has_text="Half-size model")
    expect(half).to_have_text("Half-size model" + "5.4 MB" + "as many right")
    expect(page.at("export-tested")).to_have_text(say("page.export.tested", count=60))
    for title in ("Exact model", "Quarter-size model"):
        expect(body.locator("label", has_text=title)).not_to_contain_text("right")
    shelf.file("onnx", "half")["check"] = check(held_out=1, correct=1, correct_full=0)
    reopen(page)
    expect(half).to_contain_text("1 more right")
    expect(page.at("export-tested")).to_have_text(say("page.export.tested", count=1))
    # Where nothing could be measured honestly, nothing is said of it.
    shelf.file("onnx", "half")["check"] = check()
    reopen(page)
    expect(half).to_have_text("Half-size model" + "5.4 MB")
    expect(page.at("export-tested")).to_be_hidden()


def test_what_could_not_be_compared_is_said(visit: Visit) -> None:
    looked_at = done("full", "Exact model", "model.zip", ran=False, check=None, held_out=False)
    page, _ = visit(model(), form("coreml", "iPhone and Mac", looked_at))
    body = choose(page, "coreml")
    expect(body.get_by_test_id("agreement")).to_have_text(say("page.export.not_run"))
    expect(body.get_by_test_id("export-compared-only")).to_be_hidden()
    expect(body.get_by_test_id("download-model")).to_be_visible()


def test_an_old_model_can_still_be_taken_away(visit: Visit) -> None:
    def first(shelf: Shelf) -> None:
        shelf.stale = True

    page, _ = visit(model(), before=first)
    expect(page.at("export-stale")).to_have_text(say("page.export.stale"))
    expect(page.at("download-model")).to_be_visible()


# What cannot be had


def test_a_refused_file_is_not_handed_out(visit: Visit) -> None:
    why = "It gives the answer of the preview for 12 of 60 photos. Take another choice."
    page, shelf = visit(*slow(message=why, key="export_disagrees", state="refused"))
    body = choose(page, "web")
    expect(body.get_by_test_id("export-problem")).to_contain_text(why)
    for testid in ("download-model", "export-again", "export-prepare", "agreement"):
        expect(body.get_by_test_id(testid)).to_be_hidden()
    expect(card(page, "web").get_by_test_id("format-mark")).to_have_text(say("page.export.mark_trouble"))
    assert shelf.asked == ["GET "]


def test_a_file_that_failed_can_be_tried_again(visit: Visit) -> None:
    page, shelf = visit(*slow(message="The disk is full. Make room.", key="disk_full", state="failed"))
    body = choose(page, "web")
    expect(body.get_by_test_id("export-problem")).to_contain_text("The disk is full. Make room.")
    expect(body.get_by_test_id("download-model")).to_be_hidden()
    body.get_by_test_id("export-again").press("Enter")
    expect(body.get_by_test_id("export-cancel")).to_be_focused()
    shelf.expect_orders("POST /web/full")


def test_a_press_that_is_refused_says_why(visit: Visit) -> None:
    page, shelf = visit(*slow())
    page.watch.allow(r"^answered 409: POST |^console: .*409 \(Conflict\)")
    shelf.refusal = 409, {"error": {"key": "export_closing", "values": {}, "message": "?"}}
    body = choose(page, "web")
    body.get_by_test_id("export-prepare").click()
    expect(body.get_by_test_id("export-problem")).to_contain_text(say("error.export_closing"))
    body.get_by_test_id("export-again").click()
    expect(body.get_by_test_id("export-progress")).to_be_visible()


def test_what_cannot_be_had_on_this_computer_is_said(visit: Visit) -> None:
    lite = form("coreml", "iPhone", made("half", "Half-size model", "model.mlpackage"), fits=False)
    page, shelf = visit(model(), lite)
    body = choose(page, "coreml")
    expect(body.get_by_test_id("export-problem")).to_contain_text(say("page.export.unfit"))
    expect(card(page, "coreml").get_by_test_id("format-lacks")).to_have_text(say("page.export.mark_unfit"))
    for hidden in ("export-prepare", "export-again", "export-missing", "export-download"):
        expect(body.get_by_test_id(hidden)).to_be_hidden()
    assert shelf.asked == ["GET "]


def test_what_has_to_be_installed_is_said_with_the_command(visit: Visit) -> None:
    lite = form("tflite", "Android", made("float", "Exact model", "model.tflite"), command=COMMAND)
    page, shelf = visit(model(), lite, permissions=CLIPBOARD)
    body = choose(page, "tflite")
    expect(body.get_by_test_id("export-missing")).to_contain_text(say("page.export.missing"))
    expect(body.get_by_test_id("export-prepare")).to_be_hidden()
    expect(card(page, "tflite").get_by_test_id("format-lacks")).to_have_text(say("page.export.mark_missing"))
    expect(card(page, "onnx").get_by_test_id("format-lacks")).to_be_hidden()
    assert copied(page, body.get_by_test_id("copy-export-command")) == COMMAND
    assert shelf.asked == ["GET "]


def test_without_an_answer_the_dialog_can_ask_again(visit: Visit, studio: Open, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"])
    page.watch.allow(r"^answered 500: GET |^console: .*500 ")
    page.tab.route("**/exports", lambda route: route.fulfill(status=500, body="?"))
    open_dialog(page)
    expect(page.at("export-trouble")).to_contain_text(say("page.error.unexpected"))
    page.tab.unroute("**/exports")
    Shelf(page.tab, model())
    page.at("export-reload").click()
    expect(page.at("export-trouble")).to_be_hidden()
    expect(page.at("download-model")).to_be_visible()


# A phone


def test_a_phone_finds_the_page_by_a_picture_or_a_link(visit: Visit) -> None:
    variants = done("half", "Half-size model", "page.html"), done("full", "Exact model", "page-full.html")
    page, shelf = visit(model(), form("page", "A page that works offline", *variants), permissions=CLIPBOARD)
    address = "http://192.168.1.5:7860/api/v1/pages/abc"
    shelf.phone = 200, {"address": address, "qr": QR}
    body = choose(page, "page")
    body.get_by_test_id("phone-open").click()
    link = body.get_by_test_id("phone-link")
    expect(link).to_have_attribute("href", address)
    expect(link).to_have_text(address)
    assert copied(page, body.get_by_test_id("copy-phone")) == address
    picture = body.get_by_test_id("phone-code")
    expect(picture).to_have_attribute("alt", say("page.export.phone_code"))
    page.tab.wait_for_function("picture => picture.naturalWidth > 0", arg=picture.element_handle())
    assert shelf.asked[-1] == "POST /page/half/phone"
    # The link leads to the page of one size.
    choose(page, "page", "full")
    expect(body.get_by_test_id("phone-found")).to_be_hidden()


# By keyboard, on a phone, and in the dark


def test_everything_goes_by_keyboard(visit: Visit) -> None:
    first, second = made("full", "Exact model", "a.zip", **SLOW), made("half", "Half-size model", "b.zip", **SLOW)
    page, shelf = visit(model(), form("web", "For your own website", first, second))
    keys = page.tab.keyboard
    tab_to(page, page.at("export-tab-take"))
    keys.press("ArrowRight")
    expect(page.at("export-tab-code")).to_be_focused()
    expect(page.at("code-panel")).to_be_visible()
    keys.press("ArrowLeft")
    expect(page.at("take-panel")).to_be_visible()
    tab_to(page, card(page, "web"))
    keys.press("Enter")
    expect(card(page, "web")).to_be_focused()
    body = page.at("format-body")
    keys.press("Tab")
    expect(body.get_by_test_id("variant-full")).to_be_focused()
    keys.press("ArrowRight")
    expect(body.get_by_test_id("variant-half")).to_be_checked()
    tab_to(page, body.get_by_test_id("export-prepare"))
    keys.press("Enter")
    expect(body.get_by_test_id("export-cancel")).to_be_focused()
    shelf.expect_orders("POST /web/half")
    keys.press("Escape")
    expect(page.at("export-dialog")).to_have_count(0)
    expect(page.at("export-button")).to_be_focused()


def tab_to(page: Studio, wanted: Locator) -> None:
    """Press Tab until something has the focus."""
    for _ in range(20):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.tab.keyboard.press("Tab")
    raise AssertionError("Tab does not lead there.")


def shop() -> tuple[Json, ...]:
    figures = check(54, 60, 0.31, held_out=60, correct=49, correct_full=58)
    long = "Stops with a word-that-is-far-too-long-to-stand-on-a-line-of-a-telephone, and a reason. Do something."
    return (
        model(done("quarter", "Quarter-size model", "model-quarter.onnx", check=figures, message="It loses. Mind it.")),
        form("page", "A page that works offline", done("half", "Half-size model", "page.html", held_out=False)),
        form("web", "For your own website", made("half", "Half-size model", "web.zip", "running", fraction=0.43)),
        form("python", "Python folder", made("full", "Full", "python.zip", "failed", message=long)),
        form("tflite", "Android and microcontrollers", made("float", "Full", "model.tflite"), command=COMMAND * 2),
        form("coreml", "iPhone and Mac", done("full", "Full", "core.zip", ran=False, check=None)),
        form("rest", "Something else", made("full", "Full", "rest.zip", **SLOW)),
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_fits_on_a_phone_and_can_be_read(visit: Visit, theme: str) -> None:
    def first(shelf: Shelf) -> None:
        shelf.stale = True
        shelf.phone = 200, {"address": "http://192.168.100.100:17860/api/v1/pages/" + "a" * 22, "qr": QR}

    page, shelf = visit(*shop(), before=first, color_scheme=theme, reduced_motion="reduce", **PHONE)
    choose(page, "onnx", "quarter")
    for format_ in shelf.formats:
        body = choose(page, format_["id"])
        if format_["id"] == "page":
            body.get_by_test_id("phone-open").click()
            expect(body.get_by_test_id("phone-found")).to_be_visible()
        expect(page.at("export-tab-take")).to_be_in_viewport()
        assert_inside(page)
        assert_readable(page, 12)
    page.at("export-tab-code").click()
    expect(page.at("code-panel")).to_have_attribute("data-ready", "true")
    assert_inside(page)
    assert_readable(page, 12)


def assert_inside(page: Studio) -> None:
    """Nothing but code has to be scrolled sideways."""
    assert_fits(page)
    panels = page.at("export-dialog").get_by_role("tabpanel").filter(visible=True)
    assert panels.evaluate_all("found => found.length && found.every((one) => one.scrollWidth <= one.clientWidth)")


def test_a_card_stays_under_the_finger_when_another_closes_above(visit: Visit) -> None:
    page, _ = visit(*shop(), reduced_motion="reduce", **PHONE)
    control = card(page, "web")
    control.scroll_into_view_if_needed()
    before = control.bounding_box()
    choose(page, "web")
    after = control.bounding_box()
    assert before
    assert after
    assert after["y"] <= before["y"] + 1
    expect(control).to_be_in_viewport()
    expect(page.at("export-progress")).to_be_in_viewport()
