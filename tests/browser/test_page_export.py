"""Taking a model away from the page: files that are really made, downloaded and handed to a phone, and programs."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pages import Open, Studio
from playwright.sync_api import Locator, expect
from scenes import photos
from serving import Api, Server

from teachable.words import say

CLIPBOARD = ["clipboard-read", "clipboard-write"]
ONNX, PAGE = "onnx", "page"


@pytest.fixture
def dialog(studio: Open, trained: dict[str, Any]) -> Callable[..., Studio]:
    """Opens the page of a trained project, and its export dialog."""

    def opened(project: str = trained["id"], **options: Any) -> Studio:
        return open_dialog(studio(project=project, **options))

    return opened


def open_dialog(page: Studio) -> Studio:
    """Open the dialog and wait until it shows what there is."""
    page.ready_to_predict()
    page.at("export-button").click()
    expect(page.at("export-dialog")).to_have_attribute("data-ready", "true")
    return page


def card(page: Studio, format_: str) -> Locator:
    """Return the card of a format."""
    return page.tab.locator(f"[data-testid=export-format][data-id={format_}]")


def choose(page: Studio, format_: str, variant: str | None = None) -> Locator:
    """Choose a format, and one of its sizes; return what belongs to it."""
    card(page, format_).click()
    expect(card(page, format_)).to_have_attribute("aria-expanded", "true")
    body = page.at("format-body")
    if variant:
        # The input is drawn by its label.
        body.get_by_test_id(f"variant-{variant}").check(force=True)
        expect(body.get_by_test_id("export-file")).to_have_attribute("data-variant", variant)
    return body


def saved(page: Studio, link: Locator) -> tuple[str, bytes]:
    """Press a link and return the name and the bytes of what was downloaded."""
    with page.tab.expect_download() as started:
        link.click()
    return started.value.suggested_filename, started.value.path().read_bytes()


def copied(page: Studio, button: Locator) -> str:
    """Press a button that copies, and return what is on the clipboard."""
    page.tab.evaluate("() => navigator.clipboard.writeText('')")
    button.click()
    expect(button).to_have_text(say("page.export.copied"))
    # That may still be said of what was copied before.
    page.tab.wait_for_function("async () => await navigator.clipboard.readText() !== ''")
    return str(page.tab.evaluate("() => navigator.clipboard.readText()"))


def stored(server: Server, project: str, format_: str, variant: str) -> bytes:
    """Return an exported file as the API gives it."""
    path = f"/api/v1/projects/{project}/exports/{format_}/{variant}/file"
    answer = httpx.get(server.address + path, trust_env=False)
    answer.raise_for_status()
    return answer.content


def test_the_model_file_is_there_at_once_and_is_not_made_again(studio: Open, api: Api, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"])
    asked: list[str] = []
    page.tab.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    open_dialog(page)
    expect(card(page, ONNX)).to_have_attribute("aria-expanded", "true")
    body = page.at("format-body")
    agreement = api.ask("GET", f"/projects/{trained['id']}/status")["model"]["agreement"]
    assert agreement["largest_difference"] < 0.001
    values = {"agreeing": agreement["agreeing"], "total": agreement["total"]}
    words = say("page.export.checked", difference=say("page.export.difference_least"), **values)
    expect(body.get_by_test_id("agreement")).to_have_text(words)
    model = api.model(trained["id"])
    expect(body.get_by_test_id("model-file")).to_have_text(re.compile(r"^model\.onnx, \d+(\.\d)? MB$"))
    assert saved(page, body.get_by_test_id("download-model")) == ("model.onnx", model)
    assert [one.partition(" ")[0] for one in asked if "/exports" in one] == ["GET"]


def test_a_quick_file_is_made_when_it_is_chosen(
    dialog: Callable[..., Studio], api: Api, server: Server, trained: dict[str, Any]
) -> None:
    page = dialog()
    body = choose(page, ONNX, "half")
    name, data = saved(page, body.get_by_test_id("download-model"))
    assert name == "model-half.onnx"
    assert data == stored(server, trained["id"], ONNX, "half")
    assert len(data) < 0.7 * len(api.model(trained["id"]))
    expect(body.get_by_test_id("agreement")).to_contain_text(re.compile(r"same answer as the preview for (\d+) of \1 "))
    expect(body.get_by_test_id("export-figures")).to_contain_text(re.compile(r"trained without \d+ photos"))
    expect(body.get_by_test_id("export-compared-only")).to_have_text(say("page.export.compared_only"))
    expect(page.at("export-spoken").and_(page.tab.locator(":not(:empty)"))).to_have_text(
        say("page.export.ready", file=name)
    )

    # What it costs stands beside its name, and the dialog is opened again where it was left.
    expect(body.locator("label", has_text="Half-size model")).to_contain_text(re.compile(r" right$"))
    expect(body.get_by_test_id("export-tested")).to_be_visible()
    page.at("export-close").click()
    body = open_dialog(page).at("format-body")
    expect(body.get_by_test_id("variant-half")).to_be_checked()
    expect(body.get_by_test_id("download-model")).to_be_visible()


def test_the_offline_page_is_downloaded_but_no_phone_reaches_this_computer(
    dialog: Callable[..., Studio], server: Server, trained: dict[str, Any]
) -> None:
    page = dialog(permissions=CLIPBOARD)
    page.watch.allow(r"^answered 409: POST .*/phone$|^console: .*409 \(Conflict\)")
    body = choose(page, PAGE)
    name, data = saved(page, body.get_by_test_id("download-model"))
    assert name == "teachable-page.html"
    assert data == stored(server, trained["id"], PAGE, "half")

    body.get_by_test_id("phone-open").click()
    problem = body.get_by_test_id("phone-reason")
    expect(problem).to_have_text(say("error.phone_loopback").replace("`", ""))
    expect(body.get_by_test_id("phone-found")).to_be_hidden()
    command = body.get_by_test_id("phone-command").inner_text()
    assert command == "uv run app.py --host 0.0.0.0"
    assert copied(page, body.get_by_test_id("copy-phone-command")) == command


def test_programs_are_what_the_server_writes(dialog: Callable[..., Studio], api: Api, trained: dict[str, Any]) -> None:
    page = dialog(permissions=CLIPBOARD)
    expect(choose(page, ONNX, "half").get_by_test_id("download-model")).to_be_visible()
    page.at("export-tab-code").click()
    expect(page.at("code-panel")).to_have_attribute("data-ready", "true")
    # They read the file that was chosen.
    expect(page.at("code-file")).to_have_text(say("page.export.code_about", file="model-half.onnx"))
    programs = api.ask("GET", f"/projects/{trained['id']}/programs?file=model-half.onnx")["programs"]
    assert {"python", "javascript", "android"} <= {program["id"] for program in programs}
    for program in programs:
        page.at(f"tab-{program['id']}").click()
        expect(page.at("program-about")).to_have_text(program["about"])
        expect(page.at("program-badge")).to_have_text(
            say("page.export.run" if program["tested"] else "page.export.not_run_here")
        )
        assert copied(page, page.at("copy-snippet")) == program["code"]
        assert page.at("snippet").inner_text() == program["code"]
        if program["install"]:
            assert copied(page, page.at("copy-install")) == program["install"]
        assert saved(page, page.at("download-program")) == (program["file"], program["code"].encode())

    page.at("export-tab-take").click()
    choose(page, ONNX, "full")
    page.at("export-tab-code").click()
    expect(page.at("code-file")).to_have_text(say("page.export.code_about", file="model.onnx"))
    expect(page.at("snippet")).to_contain_text("model.onnx")


def test_a_training_that_ends_meanwhile_and_a_new_name_are_noticed(
    dialog: Callable[..., Studio], api: Api, trained: dict[str, Any]
) -> None:
    project = api.project("Stripes", "Dots")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 6), scene)
    api.train(project["id"])
    page = dialog(project["id"])
    body = choose(page, ONNX, "half")
    expect(body.get_by_test_id("download-model")).to_be_visible()
    # There is nothing to measure a loss with, and no figure is made up.
    expect(body.get_by_test_id("agreement")).to_contain_text(re.compile(r"\b12 of 12\b"))
    expect(body.get_by_test_id("export-figures")).to_be_hidden()
    expect(body.get_by_test_id("export-tested")).to_be_hidden()

    api.add(project, 0, photos("stripes", 2, first=20), "more")
    expect(page.at("export-stale")).to_be_visible()
    expect(body.get_by_test_id("download-model")).to_be_visible()
    api.train(project["id"])
    expect(page.at("export-stale")).to_be_hidden()
    # A second recording of one class: a model could be trained without its two photos.
    expect(body.get_by_test_id("agreement")).to_contain_text(re.compile(r"\b2 of 2\b"))
    expect(body.get_by_test_id("export-figures")).to_contain_text("without 2 photos")

    label = project["classes"][1]["id"]
    page.at("export-tab-code").click()
    expect(page.at("snippet")).to_contain_text("Stripes")
    api.ask("PATCH", f"/projects/{project['id']}/classes/{label}", {"name": "Points </script>"})
    page.at("tab-javascript").click()
    expect(page.at("snippet")).to_contain_text(re.compile("Points"))
