"""Networks in the page: which one is in use, fetching a better one, switching to it, and when it cannot be had."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import weights_server as ws
from making import becomes, tiny_network, until
from pages import Open, Studio
from playwright.sync_api import Locator, expect
from scenes import photos
from serving import Api, Server
from test_page_look import PHONE, assert_fits, assert_readable
from weights_server import Stall, WeightsServer, random_weights

from teachable import backbones
from teachable.library import Library
from teachable.words import say

BUILTIN = backbones.builtin()
SMALL = "mobilenet-v3-small"
SMALL_TITLE = say(f"network.{SMALL}.title")
UNTRAINED = str(Path(__file__).with_name("untrained.py"))
# Turning real weights into a network takes a child process that loads torch.
PATIENCE_MS = 120_000
SEES_COLOURS = np.eye(3, dtype=np.float32)
SEES_NOTHING = np.zeros((2, 3), np.float32)


class School:
    """A server with a folder of networks of its own, and another that hands out weights.

    Attributes:
        server: of the page.
        weights: where it fetches from.
        file: name of the weights of the small network.
        library: the networks of the server, as a test puts them there.
        api: to prepare projects with.
    """

    def __init__(self, folder: Path, weights: WeightsServer, *, automatic: bool) -> None:
        data = random_weights("mobilenet_v3_small")
        self.weights = weights
        self.file = weights.add("mobilenet_v3_small", data)
        self.library = Library(folder / "networks")
        self.library.choose(automatic=automatic)
        environment = {
            "TEACHABLE_NETWORKS": str(self.library.folder),
            "TEACHABLE_OFFLINE": "0",
            "TEACHABLE_WEIGHTS_URL": weights.url,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        program = (UNTRAINED, json.dumps({SMALL: [self.file, len(data)]}))
        self.server = Server(folder / "home", folder / "log", program, environment)
        self.server.start()
        self.api = Api(self.server)
        self._folder = folder

    def close(self) -> None:
        self.api.close()
        self.server.stop()

    def install(self, id_: str, weights: np.ndarray = SEES_COLOURS, origin: str = "official") -> str:
        """Put a tiny network among those of this computer; return its title in the page."""
        self.library.add(*tiny_network(self._folder, id_, weights, origin))
        return self.library.title(id_)

    def clear(self) -> None:
        """Leave only the built-in network, and nothing on its way."""
        self.weights.faults.clear()
        failed = self.api.ask("DELETE", "/networks/installation")["installation"]["id"]
        if failed and failed not in {one.id for one in self.library.present()}:
            # With the network goes what is known of bringing it.
            self.install(failed)
        for network in self.api.ask("GET", "/networks")["networks"]:
            if network["present"] and network["origin"] != "builtin":
                self.api.ask("DELETE", f"/networks/{network['id']}?force=true")

    def project(self, *, train: bool, name: str | None = None) -> str:
        made = self.api.project("Stripes", "Dots", name=name)
        for number, scene in enumerate(("stripes", "dots")):
            for group in range(2):
                self.api.add(made, number, photos(scene, 4, first=4 * group, place=group), f"{scene}{group}")
        if train:
            self.api.train(made["id"])
        return str(made["id"])


@pytest.fixture(scope="module")
def stick() -> Iterator[WeightsServer]:
    with WeightsServer() as made:
        yield made


@pytest.fixture(scope="module")
def shared(chromium: str, stick: WeightsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    made = School(tmp_path_factory.mktemp("school"), stick, automatic=False)
    yield made
    made.close()


@pytest.fixture
def school(shared: School) -> Iterator[School]:
    yield shared
    shared.clear()


@pytest.fixture
def visit(studio: Open, school: School) -> Callable[..., Studio]:
    """Opens a page of the school in a context of its own."""

    def opened(project: str, **options: Any) -> Studio:
        return studio(project=project, at=school.server, **{"color_scheme": "light", **options})

    return opened


def top(element: Locator) -> float:
    box = element.bounding_box()
    assert box
    return box["y"]


def used(page: Studio) -> Locator:
    return page.at("network-in-use")


# The first day


def test_a_fresh_start_fetches_a_stronger_network_and_offers_it(studio: Open, tmp_path: Path) -> None:
    with WeightsServer() as weights:
        held = Stall(4_000_000)
        weights.faults.append(held)
        school = School(tmp_path, weights, automatic=True)
        try:
            the_first_day(studio, school, held)
        finally:
            school.close()


def the_first_day(studio: Open, school: School, held: Stall) -> None:
    project = school.project(train=False)
    page = studio(project=project, at=school.server, color_scheme="light")
    # It comes while the page works with the network that is there.
    expect(page.at("network-notice")).to_contain_text(say("page.network.fetching_stronger", title=SMALL_TITLE))
    expect(page.at("network-bytes")).to_have_text(re.compile(r"^\d of 10 MB$"))
    expect(used(page)).to_have_text(BUILTIN.title)
    page.train.click()
    expect(page.at("train-network")).to_have_text(say("page.train.network", title=BUILTIN.title))
    expect(page.at("network-notice")).to_have_attribute("data-progress", "")

    held.go.set()
    offer = page.at("network-switch")
    expect(offer).to_be_visible(timeout=PATIENCE_MS)
    expect(page.at("network-notice")).to_contain_text(say("page.network.offer", title=SMALL_TITLE))
    expect(offer).to_have_text(re.compile("^Switch and retrain"))
    expect(used(page)).to_have_text(BUILTIN.title)

    offer.press("Enter")
    expect(page.at("network-change")).to_be_focused()
    # Trained again, which may be over before anybody looks.
    expect(page.at("network-before")).to_be_visible()
    assert_told(page, school.api.ask("GET", f"/projects/{project}/status")["model"])
    expect(used(page)).to_have_text(SMALL_TITLE)
    expect(page.at("network-notice")).to_be_hidden()
    page.ready_to_predict()
    expect(page.at("stale")).to_be_hidden()

    # There is a way back, and what was new before is then the one before.
    page.at("switch-back").press("Enter")
    expect(page.at("network-change")).to_be_focused()
    expect(used(page)).to_have_text(BUILTIN.title)
    expect(page.at("network-before")).to_contain_text(SMALL_TITLE)
    # Who has just left a network is not told that it is stronger.
    expect(page.at("train-status")).to_have_attribute("data-state", "done")
    expect(page.at("network-notice")).to_be_hidden()
    page.reload()
    expect(used(page)).to_have_text(BUILTIN.title)
    expect(page.at("network-notice")).to_be_hidden()
    assert school.api.ask("POST", "/projects", {})["network"]["id"] == SMALL


def assert_told(page: Studio, model: dict[str, Any]) -> None:
    """The page says of both networks what is known, whichever was better."""
    before = model["before"]
    for testid, one, title in (("before", before, BUILTIN.title), ("now", model, SMALL_TITLE)):
        values = {"percent": f"{one['accuracy']:.0%}", "title": title}
        words = say(f"page.network.{testid}", correct=one["correct"], total=one["held_out"], **values)
        expect(page.at(f"network-{testid}")).to_have_text(words)
    expect(page.at("network-verdict")).not_to_be_empty()


# Notices


@pytest.mark.thorough
def test_an_offer_moves_nothing_and_is_not_made_again_when_it_was_declined(
    school: School, visit: Callable[..., Studio]
) -> None:
    project, other = school.project(train=False), school.project(train=False)
    page = visit(project)
    below = page.tab.get_by_role("button", name=say("page.advanced.title"))
    # Nothing moves any more when all is known and every photo was looked at.
    expect(page.train).to_be_enabled()
    expect(page.at("embedding")).to_be_empty()
    before = [top(page.train), top(below), top(page.at("network-change"))]
    title = school.install(SMALL)
    expect(page.at("network-notice")).to_contain_text(say("page.network.offer", title=title))
    expect(page.at("network-switch")).to_have_text(say("page.network.use_it"))
    assert [top(page.train), top(below), top(page.at("network-change"))] == before
    page.at("network-later").click()
    expect(page.at("network-notice")).to_be_hidden()
    expect(page.at("network-change")).to_be_focused()
    page.reload()
    expect(used(page)).to_have_text(BUILTIN.title)
    expect(page.at("network-notice")).to_be_hidden()

    # Another project is another question; without a model the answer takes no training.
    page = visit(other)
    page.at("network-switch").click()
    expect(used(page)).to_have_text(title)
    expect(page.at("network-notice")).to_be_hidden()


@pytest.mark.thorough
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_offer_can_be_read_under_the_mouse(school: School, visit: Callable[..., Studio], theme: str) -> None:
    page = visit(school.project(train=True), color_scheme=theme, reduced_motion="reduce")
    page.ready_to_predict()
    page.at("source-file").check(force=True)
    school.install(SMALL)
    page.at("network-switch").hover()
    assert_readable(page, 12)


@pytest.mark.thorough
def test_a_network_that_cannot_be_fetched_is_said_once(school: School, visit: Callable[..., Studio]) -> None:
    school.weights.faults.append(ws.status(404))
    page = visit(school.project(train=False), reduced_motion="reduce")
    school.api.ask("POST", f"/networks/{SMALL}/fetch")
    page.reload()
    notice = page.at("network-notice")
    expect(notice).to_contain_text(say("page.network.failed_stronger", title=SMALL_TITLE))
    expect(notice).to_contain_text(say("page.network.uses", title=BUILTIN.title))
    expect(notice).to_contain_text(school.file)
    assert_readable(page, 12)
    page.at("network-ok").click()
    expect(notice).to_be_hidden()
    page.reload()
    expect(used(page)).to_have_text(BUILTIN.title)
    expect(notice).to_be_hidden()

    # What fails while the list is open is said there, with a way on, and not again when it is closed.
    card = page.networks().network("resnet-18")
    card.get_by_test_id("network-fetch").click()
    expect(card.get_by_test_id("network-problem")).to_be_visible()
    expect(card.get_by_test_id("network-fetch")).to_contain_text(say("page.network.fetch_again"))
    page.at("networks-close").click()
    expect(page.at("networks-dialog")).to_have_count(0)
    expect(notice).to_be_hidden()


@pytest.mark.thorough
def test_a_notice_waits_until_the_mouse_is_elsewhere(school: School, visit: Callable[..., Studio]) -> None:
    # The preview stands below the training, and would be pushed down.
    page = visit(school.project(train=True), viewport={"width": 1000, "height": 900})
    page.ready_to_predict()
    page.at("preview").hover()
    school.install(SMALL)
    until(lambda: school.api.ask("GET", f"/projects/{page.project}/status")["network"]["offer"])
    # The first may have been asked before.
    for _ in range(2):
        with page.tab.expect_response("**/status"):
            pass
    expect(page.at("network-notice")).to_be_hidden()
    page.train.hover()
    expect(page.at("network-notice")).to_be_visible()


@pytest.mark.thorough
def test_fetching_can_be_cancelled_and_does_not_begin_again_by_itself(
    school: School, visit: Callable[..., Studio]
) -> None:
    held = Stall(2_000_000)
    school.weights.faults.append(held)
    school.api.ask("PATCH", "/networks", {"automatic": True})
    page = visit(school.project(train=False)).networks()
    expect(page.at("networks-automatic")).to_be_checked()
    page.network(SMALL).get_by_test_id("network-fetch").click()
    other = page.network("resnet-18").get_by_test_id("network-fetch")
    expect(other).to_be_disabled()
    expect(other).to_have_attribute("title", say("page.network.busy", title=SMALL_TITLE))
    page.at("networks-close").click()
    expect(page.at("network-notice").get_by_test_id("network-bytes")).to_have_text("2 of 10 MB")
    page.at("network-cancel").click()
    expect(page.at("toasts")).to_contain_text(say("page.network.cancelled"))
    expect(page.at("network-notice")).to_be_hidden()
    page.networks()
    expect(other).to_be_enabled()
    expect(page.at("networks-automatic")).not_to_be_checked()
    held.go.set()


def test_a_renewed_network_is_noted_until_it_is_read(school: School, visit: Callable[..., Studio]) -> None:
    project = school.project(train=True)
    database = school.server.home / "projects" / project / "project.sqlite"
    old = json.dumps({"id": "slim-v0", "fingerprint": "0" * 64, "builtin": True, "renewed": False})
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE project SET network = ?, updated = updated + 1", (old,))
        connection.commit()
    page = visit(project)
    expect(page.at("network-notice")).to_contain_text(say("page.network.renewed", title=BUILTIN.title))
    expect(page.at("network-notice")).to_contain_text(say("page.network.renewed_model"))
    page.at("network-ok").click()
    expect(page.at("network-notice")).to_be_hidden()
    becomes(lambda: school.api.ask("GET", f"/projects/{project}/status")["network"]["renewed"], False)


# The dialog


def test_offline_it_is_said_how_a_network_can_come(studio: Open, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"], **PHONE)
    expect(page.at("network-notice")).to_be_hidden()
    page.networks()
    expect(page.at("networks-offline")).to_have_text(say("page.network.offline"))
    assert page.at("network").count() > 5
    expect(page.at("network-fetch").locator("visible=true")).to_have_count(0)
    expect(page.network("resnet-50").get_by_test_id("network-file")).to_have_text(re.compile(r"^resnet50-\w{8}\.pth$"))
    assert_fits(page)


def test_the_dialog_works_by_keyboard_and_gives_the_focus_back(studio: Open, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"])
    page.at("network-change").focus()
    page.tab.keyboard.press("Enter")
    expect(page.at("networks-dialog")).to_have_attribute("data-ready", "true")
    page.at("networks-tab-list").focus()
    page.tab.keyboard.press("ArrowRight")
    expect(page.at("networks-tab-compare")).to_be_focused()
    expect(page.at("compare-panel")).to_be_visible()
    page.tab.keyboard.press("Escape")
    expect(page.at("networks-dialog")).to_have_count(0)
    expect(page.at("network-change")).to_be_focused()


def test_a_network_is_brought_by_file_and_used(school: School, visit: Callable[..., Studio], tmp_path: Path) -> None:
    page = visit(school.project(train=False)).networks()
    page.at("network-input").set_input_files({"name": "holiday.pth", "mimeType": "", "buffer": b"PK\3\4 no network"})
    expect(page.at("network-report")).to_have_class(re.compile("problem"), timeout=PATIENCE_MS)

    # Files can be dropped too, but a network is one file.
    page.at("networks-dialog").evaluate(
        """(dialog) => {
            const dataTransfer = new DataTransfer();
            for (const name of ["one.onnx", "two.onnx"]) dataTransfer.items.add(new File(["x"], name));
            dialog.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.at("network-report")).to_contain_text(say("error.one_network_file"))

    _, graph = tiny_network(tmp_path, "own")
    page.at("network-input").set_input_files({"name": "Our own.onnx", "mimeType": "", "buffer": graph.read_bytes()})
    report = page.at("network-report")
    expect(report).to_have_text(re.compile("on this computer now"), timeout=PATIENCE_MS)
    (brought,) = [one for one in school.api.ask("GET", "/networks")["networks"] if one["origin"] == "imported"]
    expect(report).to_contain_text(brought["title"])
    card = page.network(brought["id"])
    card.get_by_test_id("network-use").click()
    expect(card.get_by_text(say("page.network.in_use"), exact=True)).to_be_visible()
    page.at("networks-close").click()
    expect(used(page)).to_have_text(brought["title"])


def test_removing_a_network_that_is_used_names_the_projects_and_can_be_mended(
    school: School, visit: Callable[..., Studio]
) -> None:
    title = school.install("resnet-18")
    project = school.project(train=True, name="Leaves")
    school.api.ask("PUT", f"/projects/{project}/network", {"network": "resnet-18"})
    until(lambda: school.api.ask("GET", f"/projects/{project}/status")["network"]["id"] == "resnet-18")
    page = visit(project).networks()
    card = page.network("resnet-18")
    card.get_by_test_id("network-remove").click()
    card.get_by_test_id("network-keep").click()
    expect(card.get_by_test_id("network-remove")).to_be_focused()
    card.get_by_test_id("network-remove").click()
    page.watch.allow("409")
    card.get_by_test_id("network-remove-yes").click()
    expect(card.get_by_test_id("network-sure")).to_contain_text("Leaves")
    card.get_by_test_id("network-remove-yes").click()
    expect(card.get_by_text(say("page.network.absent_mark"))).to_be_visible()
    page.at("networks-close").click()

    expect(page.train).to_be_disabled()
    expect(page.at("network-notice")).to_contain_text(say("page.network.missing", title=title))
    # Nothing looks at photos that are added now.
    school.api.add(school.api.ask("GET", f"/projects/{project}"), 0, photos("stripes", 2, first=20), "later")
    expect(page.at("sample-count").first).to_contain_text("10")
    expect(page.at("embedding")).to_be_empty()
    page.ready_to_predict()
    page.at("network-instead").click()
    expect(used(page)).to_have_text(BUILTIN.title)
    expect(page.at("train-network")).to_have_text(say("page.train.network", title=BUILTIN.title))
    expect(page.train).to_be_enabled()


@pytest.mark.parametrize(
    ("options", "theme"),
    [
        pytest.param({}, "light", id="desktop"),
        pytest.param(PHONE, "dark", id="dark phone", marks=pytest.mark.thorough),
    ],
)
def test_networks_are_compared_on_the_photos_of_the_project(
    school: School, visit: Callable[..., Studio], options: dict[str, Any], theme: str
) -> None:
    blind = school.install("blind", SEES_NOTHING, "imported")
    sighted = school.install("resnet-18", SEES_COLOURS)
    page = visit(school.project(train=True), **options, color_scheme=theme, reduced_motion="reduce")
    page.ready_to_predict()
    # The input is drawn by its label; the switch of the camera has no words whose contrast could be measured.
    page.at("source-file").check(force=True)
    page.networks()
    assert_readable(page, 40)
    page.at("networks-tab-compare").click()
    page.at("compare-start").click()
    expect(page.at("compare-table")).to_be_visible()
    browser = page.at("compare-row").locator("[data-column=browser]")
    expect(browser).to_have_text([re.compile(r"\d ms$")] * 3, timeout=PATIENCE_MS)
    rows = {row.get_attribute("data-id"): row.inner_text() for row in page.at("compare-row").all()}
    assert set(rows) == {BUILTIN.id, "blind", "resnet-18"}
    assert blind in rows["blind"]
    assert sighted in rows["resnet-18"]
    expect(page.at("compare-advice")).not_to_be_empty()
    expect(page.at("compare-photos")).to_contain_text("16")
    kept = {one["id"]: one["browser_ms"] for one in school.api.ask("GET", "/networks")["networks"] if one["present"]}
    assert all(milliseconds > 0 for milliseconds in kept.values()), kept
    assert_readable(page, 20)
    if options:
        assert_fits(page)


def test_a_comparison_that_cannot_be_made_says_why(school: School, visit: Callable[..., Studio]) -> None:
    page = visit(school.api.project()["id"]).networks()
    page.at("networks-tab-compare").click()
    expect(page.at("compare-start")).to_be_disabled()
    expect(page.at("compare-reason")).not_to_be_empty()
