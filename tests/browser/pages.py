"""The page as a person sees it: the gestures that many tests share, found by test ids, roles and words only."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import FilePayload, Locator, Page, expect
from watching import Watch

from teachable.words import say

WAIT_SECONDS = 20
REPORT_SECONDS = 60


class Studio:
    """The page as a person sees it, with the few gestures that many tests share.

    Attributes:
        tab: Playwright's own.
        watch: what went wrong in it.
    """

    def __init__(self, tab: Page, watch: Watch, address: str) -> None:
        self.tab = tab
        self.watch = watch
        self.address = address

    def open(self, project: str | None = None) -> "Studio":
        """Open the page and wait until it can be used."""
        with self.watch.leaving():
            self.tab.goto(self.address + (f"/?project={project}" if project else "/"))
        return self.ready()

    def reload(self) -> "Studio":
        with self.watch.leaving():
            self.tab.reload()
        return self.ready()

    def ready(self) -> "Studio":
        for part in ("studio", "train-status", "network-area", "preview"):
            expect(self.at(part)).to_have_attribute("data-ready", "true")
        return self

    def go_to(self, project: str) -> None:
        """Go to another project as the back button of the browser does."""
        self.tab.evaluate(
            """id => {
              history.pushState(null, "", `?project=${id}`);
              dispatchEvent(new PopStateEvent("popstate"));
            }""",
            project,
        )

    def at(self, testid: str) -> Locator:
        return self.tab.get_by_test_id(testid)

    def card(self, number: int) -> Locator:
        return self.at("class-card").nth(number)

    @property
    def train(self) -> Locator:
        return self.tab.get_by_role("button", name=say("page.train.button"), exact=True)

    @property
    def project(self) -> str:
        """The id in the address."""
        found = re.search(r"[?&]project=([^&]+)", self.tab.url)
        assert found, self.tab.url
        return found[1]

    def rename(self, number: int, name: str) -> None:
        field = self.card(number).get_by_test_id("class-name")
        field.fill(name)
        field.press("Enter")

    def camera(self, number: int) -> Locator:
        """Open the camera of a card and return its record button, once there is a picture."""
        card = self.card(number)
        card.get_by_test_id("webcam").click()
        record = card.get_by_test_id("record")
        # It gets the focus when all of it is there and in sight: nothing moves any more under the mouse.
        expect(record).to_be_focused()
        expect(card.get_by_test_id("camera")).to_have_js_property("paused", False)
        self.tab.wait_for_function(
            "video => video.readyState >= 2 && video.videoWidth > 0", arg=card.get_by_test_id("camera").element_handle()
        )
        return record

    def expect_samples(self, number: int, least: int) -> None:
        """Wait until a card counts at least so many samples."""
        count = self.card(number).get_by_test_id("sample-count").element_handle()
        self.tab.wait_for_function(
            "([count, least]) => parseInt(count.textContent) >= least", arg=[count, least], timeout=WAIT_SECONDS * 1000
        )

    def expect_stored(self, number: int, least: int) -> None:
        """Wait until at least so many samples of a card are stored: a frame that the camera gave twice is kept once."""
        # The newest come first, and one on its way has no number yet and says so.
        self.tab.wait_for_function(
            """([card, least]) => {
                const newest = card.querySelector("[data-testid=thumbnail]:not([data-sending])");
                return newest && newest.ariaSetSize - newest.ariaPosInSet + 1 >= least;
            }""",
            arg=[self.card(number).element_handle(), least],
            timeout=WAIT_SECONDS * 1000,
        )

    def count(self, number: int) -> int:
        found = re.match(r"\d+", self.card(number).get_by_test_id("sample-count").inner_text())
        return int(found[0]) if found else 0

    def settled(self, number: int) -> int:
        """Wait until all that was recorded in a card is stored, and return how many samples it counts."""
        # The last frames may still be made into files; one on its way has no number yet and says so.
        expect(self.card(number).locator("[data-recording], [data-finishing]")).to_have_count(0)
        expect(self.card(number).locator("[data-testid=thumbnail][data-sending]")).to_have_count(0)
        return self.count(number)

    def hold(self, number: int, least: int) -> int:
        """Hold the record button with the mouse until so many samples are stored; return how many there are then."""
        return self.hold_again(self.camera(number), number, least)

    def hold_again(self, record: Locator, number: int, least: int) -> int:
        """The same where the camera of the card is open already."""
        record.hover()
        self.tab.mouse.down()
        self.expect_stored(number, least)
        self.tab.mouse.up()
        return self.settled(number)

    def menu(self, number: int, command: str) -> None:
        """Choose a command from the menu of a card."""
        card = self.card(number)
        card.get_by_test_id("class-menu").click()
        card.get_by_test_id(command).click()

    def ready_to_predict(self) -> "Studio":
        """Wait until the model is in the worker."""
        # The button comes to life with the model that is then loaded.
        expect(self.at("export-button")).to_be_enabled()
        expect(self.at("preview-empty")).to_be_hidden()
        expect(self.at("preview")).to_have_attribute("data-state", re.compile("idle|live"))
        return self

    def drop(self, target: Locator, paths: Sequence[Path]) -> None:
        """Drag files or folders from the desktop and let go of them in the middle of an element."""
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box
        session = self.tab.context.new_cdp_session(self.tab)
        for kind in ("dragEnter", "dragOver", "drop"):
            event = {
                "type": kind,
                "x": box["x"] + box["width"] / 2,
                "y": box["y"] + box["height"] / 2,
                "data": {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1},
            }
            session.send("Input.dispatchDragEvent", event)
        session.detach()

    def shelf(self) -> Locator:
        """Open the page of all projects from the menu and return it."""
        self.at("project-menu").click()
        self.at("project-open").click()
        expect(self.at("shelf")).to_have_attribute("data-ready", "true")
        return self.at("shelf")

    def open_file(self, *files: Path) -> Locator:
        """Choose files with “Open a file…” and return the dialog, once it shows what would be made of them."""
        self.at("project-menu").click()
        with self.tab.expect_file_chooser() as opened:
            self.at("project-file").click()
        opened.value.set_files(files)
        return self.planned()

    def planned(self) -> Locator:
        """Wait for the dialog that shows what would be made of a file, and return it."""
        dialog = self.at("import-dialog")
        expect(dialog).to_have_attribute("data-state", "planned")
        return dialog

    def networks(self) -> "Studio":
        """Open the dialog with all networks."""
        self.at("network-change").click()
        expect(self.at("networks-dialog")).to_have_attribute("data-ready", "true")
        return self

    def hood(self) -> Locator:
        """Open “Under the hood”, wait for the report, and return it."""
        self.tab.get_by_role("button", name=say("page.hood.title")).click()
        expect(self.at("report")).to_have_attribute("data-state", "done", timeout=REPORT_SECONDS * 1000)
        return self.at("report")

    def network(self, id_: str) -> Locator:
        """Return the card of a network in that dialog."""
        return self.tab.locator(f"[data-testid=network][data-id={id_}]")

    def look_at_photos(self, *files: FilePayload) -> None:
        """Let the preview name photos instead of what the camera sees."""
        self.ready_to_predict()
        # The input is drawn by its label.
        self.at("source-file").check(force=True)
        self.at("preview-input").set_input_files(files)
        expect(self.at("preview-photo")).to_have_attribute("alt", files[0]["name"])
        expect(self.at("bar-value").first).to_have_text(re.compile("%"))

    def live(self) -> "Studio":
        """Switch the camera of the preview on, where it is not yet, and wait for predictions."""
        self.ready_to_predict()
        switch = self.at("preview-toggle")
        if not switch.is_checked():
            # The input is drawn by its label.
            switch.check(force=True)
        expect(self.at("preview")).to_have_attribute("data-state", "live")
        expect(self.at("winner")).not_to_be_empty()
        return self


Open = Callable[..., Studio]
"""Opens a page that is watched; see the fixture `studio`."""
