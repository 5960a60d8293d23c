"""The server goes away and comes back; the page is left in the middle of things. Nothing is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import Open
from playwright.sync_api import expect
from scenes import photos
from serving import Api, Server

from teachable.words import say


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server of this test alone, to be killed."""
    made = Server(tmp_path / "home", tmp_path / "log")
    made.start()
    yield made
    made.stop()


def sample_ids(api: Api, project: str) -> set[int]:
    (label, *_) = api.ask("GET", f"/projects/{project}")["classes"]
    page = api.ask("GET", f"/projects/{project}/classes/{label['id']}/samples?limit=500")
    return {sample["id"] for sample in page["samples"]}


def test_a_killed_server_loses_nothing_of_a_recording(studio: Open, mortal: Server) -> None:
    api = Api(mortal)
    page = studio("stripes", at=mortal)
    page.watch.allow("ERR_(CONNECTION|EMPTY|INCOMPLETE|SOCKET)|Failed to load resource|Connection errored out")
    record = page.camera(0)
    record.hover()
    page.tab.mouse.down()
    page.expect_samples(0, 20)
    stored = sample_ids(api, page.project)
    api.close()
    mortal.kill()
    # Recording goes on: the page keeps the frames and says that they are not saved.
    expect(page.at("upload-problem")).to_contain_text(say("page.error.offline"))
    before = page.count(0)
    page.expect_samples(0, before + 5)
    page.tab.mouse.up()
    expect(record).not_to_have_attribute("data-recording", "")
    held = page.count(0)
    waiting = page.card(0).locator("[data-testid=thumbnail][data-sending]").count()
    assert waiting >= 5

    mortal.start()
    again = page.at("try-again")
    again.click()
    expect(page.at("upload-problem")).to_be_hidden()
    assert page.settled(0) >= held
    api = Api(mortal)
    try:
        assert stored <= sample_ids(api, page.project)
        assert api.counts(page.project)["Class 1"] == page.count(0) >= held
    finally:
        api.close()
    # The page goes on as if nothing had been.
    assert page.hold_again(record, 0, held + 3) >= held + 3
    page.reload()
    assert page.settled(0) >= held + 3


def test_leaving_in_the_middle_of_training_loses_nothing(studio: Open, api: Api) -> None:
    project = api.project("Stripes", "Dots")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 4), "one")
        api.add(project, number, photos(scene, 4, first=4), "two")
    # Long enough to be left.
    api.ask("PATCH", f"/projects/{project['id']}", {"settings": {"epochs": 1000}})
    page = studio(project=project["id"])
    page.train.click()
    expect(page.at("train-status")).to_have_attribute("data-state", "running")
    expect(page.train).to_be_disabled()
    page.reload()
    expect(page.at("train-seconds")).to_be_visible()
    expect(page.at("preview-empty")).to_be_hidden()
    page.ready_to_predict()


def test_training_can_be_cancelled(studio: Open, api: Api) -> None:
    project = api.project("Stripes", "Dots")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 4), "one")
    api.ask("PATCH", f"/projects/{project['id']}", {"settings": {"epochs": 10_000}})
    page = studio(project=project["id"])
    page.train.click()
    page.at("train-cancel").click()
    expect(page.at("train-status")).to_have_attribute("data-state", "cancelled")
    expect(page.train).to_be_enabled()
    expect(page.at("preview-empty")).to_be_visible()
