"""“Under the hood” where there is little to tell, or something went wrong; and the doctor's one-click mending."""

import json
import re
from typing import Any

import pytest
from making import becomes
from pages import REPORT_SECONDS, Open, Studio
from playwright.sync_api import Route, expect
from scenes import photos
from serving import Api

from teachable.words import say


def opened(page: Studio, state: str) -> Studio:
    page.tab.get_by_role("button", name=say("page.hood.title")).click()
    expect(page.at("report")).to_have_attribute("data-state", state, timeout=REPORT_SECONDS * 1000)
    return page


@pytest.fixture(scope="module")
def single(api: Api) -> dict[str, Any]:
    """A trained project whose classes have one recording each, so that nothing can be tested."""
    project = api.project("Stripes", "Dots", name="Single")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 6), scene)
    api.train(project["id"])
    return project


def test_without_a_model_it_says_what_to_do(studio: Open, api: Api) -> None:
    page = opened(studio(project=api.project()["id"]), "none")
    expect(page.at("report-note")).to_contain_text(say("page.report.none"))
    expect(page.at("report-headline")).to_be_hidden()
    expect(page.at("report-more")).to_be_hidden()
    expect(page.tab.locator("#figure-history")).to_be_hidden()


def test_what_cannot_be_judged_gets_no_figure(studio: Open, single: dict[str, Any]) -> None:
    page = studio(project=single["id"])
    expect(page.at("train-why")).to_have_text(say("page.train.what_now"))
    expect(page.at("train-accuracy")).not_to_contain_text("%")
    opened(page, "done")
    expect(page.at("report-headline")).not_to_contain_text("%")
    expect(page.at("range-honest")).to_be_hidden()
    expect(page.at("report-confusion")).to_be_hidden()
    expect(page.at("report-class").first).to_contain_text(say("page.report.not_tested"))
    expect(page.at("report-no-curve")).to_have_text(say("report.learning.untested"))
    expect(page.tab.locator("#learning-curve")).to_be_hidden()


def test_record_leads_to_the_camera_of_the_class(studio: Open, single: dict[str, Any]) -> None:
    page = opened(studio(project=single["id"]), "done")
    page.at("finding-record").first.click()
    expect(page.tab.locator("[data-testid=webcam]:focus")).to_have_count(1)


@pytest.mark.thorough
def test_a_cancelled_report_can_be_made(studio: Open, api: Api, single: dict[str, Any]) -> None:
    api.train(single["id"])
    api.ask("POST", f"/projects/{single['id']}/report")
    api.ask("DELETE", f"/projects/{single['id']}/report")
    page = opened(studio(project=single["id"]), "cancelled")
    expect(page.at("report-note")).to_contain_text(say("page.report.cancelled"))
    page.at("report-make").click()
    expect(page.at("report")).to_have_attribute("data-state", "done", timeout=REPORT_SECONDS * 1000)
    expect(page.at("report-note")).to_be_hidden()


def change(page: Studio, **fields: Any) -> None:
    """Let the server's reports say something else: a real one is put together only from real trouble."""

    def answer(route: Route) -> None:
        report = route.fetch().json()
        route.fulfill(body=json.dumps({**report, **fields}), content_type="application/json")

    page.tab.route(re.compile(r"/report$"), answer)


def test_a_failed_report_says_why_and_can_be_tried_again(studio: Open, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"])
    change(page, state="failed", message="The disk is full. Make room and try again.")
    opened(page, "failed")
    expect(page.at("report-note")).to_contain_text("The disk is full.")
    page.tab.unroute_all()
    page.at("report-make").click()
    expect(page.at("report")).to_have_attribute("data-state", "done", timeout=REPORT_SECONDS * 1000)


def test_a_report_that_is_made_shows_how_far_it_is_and_can_be_cancelled(studio: Open, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"])

    def answer(route: Route) -> None:
        # The real one of so few photos is there before anyone could press.
        state = "cancelled" if route.request.method == "DELETE" else "running"
        report = route.fetch(method="GET").json()
        route.fulfill(body=json.dumps({**report, "state": state, "fraction": 0.4}), content_type="application/json")

    page.tab.route(re.compile(r"/report$"), answer)
    opened(page, "running")
    expect(page.at("report-progress")).to_contain_text("40%")
    # What is known already is shown meanwhile.
    expect(page.at("report-headline")).to_contain_text("%")
    expect(page.at("report-download")).to_be_hidden()
    expect(page.at("report-findings")).to_be_hidden()
    page.at("report-cancel").click()
    expect(page.at("report")).to_have_attribute("data-state", "cancelled")
    expect(page.at("report-progress")).to_be_hidden()
    expect(page.at("report-make")).to_be_visible()
    page.tab.unroute_all()


def finding(ids: list[int], label: str) -> dict[str, Any]:
    actions = [
        {"kind": kind, "text": kind, "class_id": label if kind == "move" else None, "samples": ids}
        for kind in ("move", "delete", "test")
    ]
    about = {"id": "f", "kind": "blurred", "title": "Blurred", "text": "They are."}
    return {**about, "class_ids": [label], "samples": ids, "actions": actions}


@pytest.mark.parametrize("kind", ["move", "delete", "test"])
def test_a_finding_is_mended_with_one_press_and_undone(
    studio: Open, api: Api, trained: dict[str, Any], kind: str
) -> None:
    project = trained["id"]
    before = api.ask("GET", f"/projects/{project}")["classes"]
    ids = sorted(api.stored(project, 0))[:2]
    page = studio(project=project)
    change(page, state="done", findings=[finding(ids, before[1]["id"])])
    opened(page, "done")
    page.at(f"finding-{kind}").click()
    expect(page.at("undo")).to_be_visible()
    now = api.ask("GET", f"/projects/{project}")["classes"]
    moved = (before[0]["samples"] - now[0]["samples"], now[1]["samples"] - before[1]["samples"], now[0]["tests"])
    # With photos kept for testing go the others of their recording.
    assert moved == {"move": (2, 2, 0), "delete": (2, 0, 0), "test": (0, 0, 8)}[kind]
    page.at("undo").click()
    expect(page.at("undo")).to_have_count(0)
    expect(page.card(0).get_by_test_id("sample-count")).to_contain_text(str(before[0]["samples"]))
    becomes(lambda: api.ask("GET", f"/projects/{project}")["classes"], before)


def test_photos_of_a_finding_open_at_the_one_pressed(studio: Open, api: Api, trained: dict[str, Any]) -> None:
    ids = sorted(api.stored(trained["id"], 0))[:3]
    page = studio(project=trained["id"])
    change(page, state="done", findings=[finding(ids, trained["classes"][1]["id"])])
    opened(page, "done")
    page.at("finding-photo").nth(1).click()
    expect(page.at("photos-thumb").nth(1)).to_have_attribute("aria-current", "true")
    expect(page.at("photos-move")).to_have_text(say("page.report.move_to_class", name="Dots"))
    expect(page.at("explain")).to_have_attribute("data-state", "ready")


def test_many_classes_are_shown_by_and_by(studio: Open, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"])

    def answer(route: Route) -> None:
        report = route.fetch().json()
        classes = [{**report["classes"][n % 2], "id": f"c{n}", "name": f"Class {n}"} for n in range(200)]
        confusion = [[5 if given == said else int(given == said + 1) for said in range(200)] for given in range(200)]
        report |= {"state": "done", "classes": classes, "confusion": confusion}
        route.fulfill(body=json.dumps(report), content_type="application/json")

    page.tab.route(re.compile(r"/report$"), answer)
    opened(page, "done")
    expect(page.at("report-class")).to_have_count(12)
    page.at("report-all-classes").click()
    expect(page.at("report-class")).to_have_count(200)
    expect(page.at("report-confusion").locator("tbody tr")).to_have_count(40)
    expect(page.tab.get_by_text(say("page.report.confusion_some", count=40, total=200))).to_be_visible()


def test_what_could_not_be_mended_can_be_pressed_again(studio: Open, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"])
    page.watch.allow("ERR_FAILED")
    change(page, state="done", findings=[finding([1, 2], trained["classes"][1]["id"])])
    page.hood()
    page.tab.route("**/samples/delete", lambda route: route.abort())
    page.at("finding-delete").click()
    expect(page.at("toasts")).to_contain_text(say("page.error.offline"))
    expect(page.at("finding-delete")).to_be_enabled()
    expect(page.at("finding-done")).to_be_empty()


def test_a_report_is_not_shown_for_another_project(studio: Open, api: Api, trained: dict[str, Any]) -> None:
    other = api.project("Rose", "Lily", name="Plants")
    page = studio(project=trained["id"])
    change(page, state="done", findings=[finding([1, 2], trained["classes"][1]["id"])])
    page.hood()
    expect(page.at("finding-delete")).to_be_visible()
    # As with a slow connection, how the other project stands is not known for a while.
    page.tab.route(f"**/projects/{other['id']}/status", lambda route: None)
    page.go_to(other["id"])
    expect(page.at("project-name")).to_have_value("Plants")
    # At once: numbers of photos are of other photos here.
    assert page.at("finding-delete").is_hidden()
    assert page.at("train-result").is_hidden()
