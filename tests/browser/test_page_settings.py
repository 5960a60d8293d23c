"""Fields of the settings, written in quickly: what stands there is stored, with the project it was written for."""

from typing import Any

from making import becomes
from pages import Open, Studio
from playwright.sync_api import Locator, Route, expect
from scenes import photos
from serving import Api

from teachable.words import say


def small(api: Api, name: str, epochs: int) -> str:
    """Return a project that can be trained."""
    project: dict[str, Any] = api.project("Stripes", "Dots", name=name)
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 4), "one")
    api.ask("PATCH", f"/projects/{project['id']}", {"settings": {"epochs": epochs}})
    return str(project["id"])


def epochs(page: Studio) -> Locator:
    """Open the settings and return the field."""
    page.tab.get_by_role("button", name=say("page.advanced.title")).click()
    return page.tab.get_by_label(say("page.advanced.epochs"), exact=True)


def stored(api: Api, project: str) -> int:
    return int(api.ask("GET", f"/projects/{project}")["settings"]["epochs"])


def test_a_number_typed_while_an_answer_is_late_is_stored_with_its_project(studio: Open, api: Api) -> None:
    one, two = small(api, "One", 7), small(api, "Two", 8)
    page = studio(project=one)
    field = epochs(page)
    expect(field).to_have_value("7")
    held: list[Route] = []
    late = True

    def hold(route: Route) -> None:
        if late and route.request.method != "GET":
            held.append(route)
        else:
            route.fallback()

    # As with a slow connection, by whichever way the settings are sent.
    for address in ("**/queue/join*", f"**/projects/{one}"):
        page.tab.route(address, hold)
    field.press("Control+a")
    field.press_sequentially("123")
    page.go_to(two)
    expect(page.at("project-name")).to_have_value("Two")
    late = False
    with page.tab.expect_response(lambda answer: "123" in (answer.request.post_data or "")):
        for route in held:
            route.continue_()
    becomes(lambda: (stored(api, one), stored(api, two)), (123, 8))
    expect(field).to_have_value("8")


def test_train_right_after_reset_trains_with_what_is_shown_then(studio: Open, api: Api) -> None:
    project = small(api, "One", 7)
    page = studio(project=project)
    field = epochs(page)
    expect(field).to_have_value("7")
    held: list[Route] = []
    late = True
    page.tab.route("**/queue/join*", lambda route: held.append(route) if late else route.continue_())
    page.tab.locator("#reset-defaults").click()
    page.train.click()
    expect(page.at("train-status")).to_have_attribute("data-state", "starting")
    late = False
    for route in held:
        route.continue_()
    expect(page.at("train-status")).to_have_attribute("data-state", "done")
    assert api.ask("GET", f"/projects/{project}/training")["epochs"] == stored(api, project) == 50
