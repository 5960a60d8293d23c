"""The server goes away and comes back; the page is left in the middle of things. Nothing is lost."""

import base64
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pages import Open
from playwright.sync_api import expect
from scenes import photos
from serving import TRAIN_SECONDS, Api, Server

from teachable.images import prepare
from teachable.words import say


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server of this test alone, to be killed."""
    made = Server(tmp_path / "home", tmp_path / "log")
    made.start()
    yield made
    made.stop()


AWAY = "ERR_(CONNECTION|EMPTY|INCOMPLETE|SOCKET)|Failed to (load|fetch)|Connection errored out|network error|app_id"
"""What pages say while there is no server, and where Gradio gave up."""

TAKEN = """
    window.taken = [];
    const encode = HTMLCanvasElement.prototype.toBlob;
    HTMLCanvasElement.prototype.toBlob = function (done, ...how) {
        encode.call(this, (blob) => {
            window.taken.push(blob.arrayBuffer());
            done(blob);
        }, ...how);
    };
"""
"""Remembers every frame that the page makes a file of."""

ALL_TAKEN = """async () => (await Promise.all(window.taken)).map(
    (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))))"""


def test_a_killed_server_loses_nothing_of_a_recording(studio: Open, mortal: Server) -> None:
    page = studio("stripes", at=mortal, script=TAKEN)
    page.watch.allow(AWAY)
    record = page.camera(0)
    record.hover()
    page.tab.mouse.down()
    page.expect_stored(0, 20)
    with closing(Api(mortal)) as api:
        stored = api.stored(page.project, 0)
    assert len(stored) >= 20
    mortal.kill()

    # Recording goes on: the page keeps the frames and says that they are not saved.
    expect(page.at("upload-problem")).to_contain_text(say("page.error.offline"))
    page.expect_samples(0, page.count(0) + 5)
    page.tab.mouse.up()
    expect(record).not_to_have_attribute("data-recording", "")
    expect(page.card(0).locator("[data-testid=thumbnail][data-sending]").nth(4)).to_be_visible()

    mortal.start()
    page.at("try-again").click()
    expect(page.at("upload-problem")).to_be_hidden()
    count = page.settled(0)
    with closing(Api(mortal)) as api:
        now = api.stored(page.project, 0)
        # Every frame the camera gave is stored, and none twice; what was stored before is still itself.
        taken = [prepare(base64.b64decode(frame)).sha256 for frame in page.tab.evaluate(ALL_TAKEN)]
        assert [number for number, digest in enumerate(taken) if digest not in now.values()] == []
        assert len(now) == len(set(taken))
        assert stored.items() <= now.items()
        assert count == len(now)
        # The page goes on as if nothing had been.
        more = page.hold_again(record, 0, count + 3)
        page.reload()
        assert page.settled(0) == more == len(api.stored(page.project, 0))


def test_a_page_that_was_open_trains_with_a_server_that_was_started_again(studio: Open, mortal: Server) -> None:
    with closing(Api(mortal)) as api:
        project = api.project("Stripes", "Dots")
        for number, scene in enumerate(("stripes", "dots")):
            api.add(project, number, photos(scene, 4), "one")
        api.ask("PATCH", f"/projects/{project['id']}", {"settings": {"epochs": 7}})
    page = studio(project=project["id"], at=mortal)
    expect(page.train).to_be_enabled()
    # The runtime of the preview may still be on its way.
    page.watch.allow(f"{AWAY}|ERR_CONTENT_LENGTH|wasm")
    mortal.kill()
    mortal.start()
    page.train.click()
    # The new server has a network to load first.
    expect(page.at("train-status")).to_have_attribute("data-state", "done", timeout=TRAIN_SECONDS * 1000)
    with closing(Api(mortal)) as api:
        assert api.ask("GET", f"/projects/{project['id']}/training")["epochs"] == 7


def test_a_page_whose_controls_gave_up_is_loaded_anew_when_nothing_is_lost_by_it(studio: Open, api: Api) -> None:
    project = api.project("Stripes", "Dots")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 4), "one")
    page = studio(project=project["id"])
    expect(page.train).to_be_enabled()
    page.watch.allow(f"{AWAY}|ERR_FAILED")
    name = page.card(0).get_by_test_id("class-name")
    name.fill("Strip")
    # The connection breaks while Gradio waits for an answer.
    page.tab.route("**/queue/data*", lambda route: route.abort())
    with page.tab.expect_request("**/gradio_api/app_id"):
        page.tab.evaluate("document.getElementById('train-button').click()")
    page.tab.unroute("**/queue/data*")
    # Nothing is taken away from who is writing.
    with page.tab.expect_response("**/status"):
        pass
    with page.tab.expect_response("**/status"):
        pass
    expect(name).to_have_value("Strip")
    with page.tab.expect_event("domcontentloaded"):
        name.press("Enter")
    page.ready()
    expect(name).to_have_value("Strip")
    page.train.click()
    expect(page.at("train-status")).to_have_attribute("data-state", "done")


def test_leaving_in_the_middle_of_training_loses_nothing(studio: Open, api: Api) -> None:
    project = api.project("Stripes", "Dots")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 4), "one")
        api.add(project, number, photos(scene, 4, first=4), "two")
    # Long enough to be left.
    api.ask("PATCH", f"/projects/{project['id']}", {"settings": {"epochs": 1000}})
    page = studio(project=project["id"])
    page.train.click()
    # From here on the server has it: only the press itself needs the page.
    expect(page.at("train-status")).to_have_attribute("data-state", re.compile("running|done"))
    page.reload()
    expect(page.at("train-seconds")).to_be_visible()
    expect(page.at("preview-empty")).to_be_hidden()
    page.ready_to_predict()


ENDLESS = {"epochs": 1000, "batch_size": 1, "hidden_units": 1000}
"""A training of minutes."""


def test_training_can_be_cancelled(studio: Open, api: Api) -> None:
    project = api.project("Stripes", "Dots")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, photos(scene, 40), "one")
    api.ask("PATCH", f"/projects/{project['id']}", {"settings": ENDLESS})
    page = studio(project=project["id"])
    page.train.click()
    expect(page.train).to_be_disabled()
    page.at("train-cancel").click()
    expect(page.at("train-status")).to_have_attribute("data-state", "cancelled")
    expect(page.train).to_be_enabled()
    expect(page.train).to_be_focused()
    expect(page.at("preview-empty")).to_be_visible()


CUT = """
    const plain = window.fetch;
    let cut = false;
    window.fetch = async (path, how) => {
        const answer = await plain(path, how);
        if (cut || how?.method !== "POST" || !String(path).endsWith("/samples")) return answer;
        cut = true;
        const broken = new ReadableStream({ start: (body) => body.error(new TypeError("network error")) });
        return new Response(broken, { status: answer.status });
    };
"""
"""Ends a connection in the middle of the answer to the first upload."""


def test_an_answer_that_breaks_off_is_asked_for_again(studio: Open, api: Api) -> None:
    project = api.project("Stripes", "Dots")
    page = studio(project=project["id"], script=CUT)
    files = [{"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in photos("stripes", 3)]
    page.card(0).get_by_test_id("upload-input").set_input_files(files)
    expect(page.at("upload-problem")).to_contain_text(say("page.error.offline"))
    page.at("try-again").click()
    expect(page.at("upload-problem")).to_be_hidden()
    page.expect_samples(0, 3)
    assert page.settled(0) == len(api.stored(project["id"], 0)) == 3
