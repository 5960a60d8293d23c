"""A training that is over before the page has asked about it: the page says so at once."""

from typing import Any

import pytest
from pages import Open
from playwright.sync_api import Route, expect
from scenes import photos
from serving import Api

PATIENT = """
    const plain = window.setTimeout;
    window.setTimeout = (then, wait, ...more) => plain(then, wait >= 5000 ? 2 ** 30 : wait, ...more);
"""
"""The page does not give up waiting for a training to begin, by which it would find out as well."""


@pytest.mark.parametrize("before", [0, 1], ids=["first model", "second model"])
def test_a_training_that_ends_between_two_questions_is_shown(studio: Open, api: Api, before: int) -> None:
    project: dict[str, Any] = api.project("Stripes", "Dots")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 4), "one")
    for _ in range(before):
        api.train(project["id"])
    page = studio(project=project["id"], script=PATIENT)
    if before:
        page.ready_to_predict()
    expect(page.at("train-status")).to_have_attribute("data-can-train", "true")

    # As on a busy machine, no answer about the status comes back until the training is over.
    held: list[Route] = []
    over = False
    page.tab.route("**/status", lambda route: route.continue_() if over else held.append(route))
    model = api.ask("GET", f"/projects/{project['id']}/status")["model"]
    page.train.click()
    page.tab.wait_for_function(
        """async ([address, before]) => {
          const { model } = await (await fetch(address)).json();
          return model && model.id !== before;
        }""",
        arg=[f"/api/v1/projects/{project['id']}/status?page=no", model["id"] if model else None],
    )
    over = True
    for route in held:
        route.continue_()
    expect(page.at("train-status")).to_have_attribute("data-state", "done")


def small(api: Api, epochs: int) -> str:
    """Return a project that can be trained, so long, and has not been yet."""
    project: dict[str, Any] = api.project("Stripes", "Dots")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 4), "one")
    api.ask("PATCH", f"/projects/{project['id']}", {"settings": {"epochs": epochs}})
    return str(project["id"])


def test_train_waits_until_the_settings_are_those_of_the_project(studio: Open, api: Api) -> None:
    project = small(api, epochs=7)
    page = studio()

    # As with a slow connection, what the page asks Python comes late.
    held: list[Route] = []
    late = True
    page.tab.route("**/queue/join*", lambda route: held.append(route) if late else route.continue_())
    with page.watch.leaving(), page.tab.expect_response(f"**/{project}/status"):
        page.tab.goto(f"{page.address}/?project={project}")
    page.ready()
    expect(page.card(1).get_by_test_id("thumbnail")).to_have_count(4)
    expect(page.train).to_be_disabled()
    expect(page.at("train-status")).to_have_attribute("data-can-train", "false")
    late = False
    for route in held:
        route.continue_()
    page.train.click()
    expect(page.at("train-status")).to_have_attribute("data-state", "done")
    status = api.ask("GET", f"/projects/{project}/training")
    assert (status["state"], status["epochs"]) == ("done", 7)


def test_settings_that_did_not_come_are_asked_for_again(studio: Open, api: Api) -> None:
    project = small(api, epochs=7)
    page = studio()
    page.watch.allow("503|queue/join|Unexpected|Connection")
    page.tab.route("**/queue/join*", lambda route: route.fulfill(status=503))
    with page.watch.leaving(), page.tab.expect_response("**/queue/join*"):
        page.tab.goto(f"{page.address}/?project={project}")
    page.ready()
    page.tab.unroute("**/queue/join*")
    page.train.click()
    expect(page.at("train-status")).to_have_attribute("data-state", "done")
    assert api.ask("GET", f"/projects/{project}/training")["epochs"] == 7
