"""A training that is over before the page has asked about it: the page says so at once."""

from typing import Any

import pytest
from pages import Open
from playwright.sync_api import Route, expect
from scenes import photos
from serving import Api


@pytest.mark.parametrize("before", [0, 1], ids=["first model", "second model"])
def test_a_training_that_ends_between_two_questions_is_shown(studio: Open, api: Api, before: int) -> None:
    project: dict[str, Any] = api.project("Stripes", "Dots")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 4), "one")
    for _ in range(before):
        api.train(project["id"])
    page = studio(project=project["id"])
    if before:
        page.ready_to_predict()
    expect(page.at("train-status")).to_have_attribute("data-can-train", "true")

    # As on a busy machine, no answer about the status comes back until the training is over.
    held: list[Route] = []
    over = False
    page.tab.route("**/status", lambda route: route.continue_() if over else held.append(route))
    page.train.click()
    model = api.ask("GET", f"/projects/{project['id']}/status")["model"]
    page.tab.wait_for_function(
        """async ([address, before]) => {
          const { model } = await (await fetch(address)).json();
          return model && model.id !== before;
        }""",
        arg=[f"/api/v1/projects/{project['id']}/status?page=no", model["id"] if model else None],
    )
    # Sooner than the page would give up waiting for the training to begin, which takes 8 seconds.
    over = True
    for route in held:
        route.continue_()
    expect(page.at("train-status")).to_have_attribute("data-state", "done", timeout=6000)
