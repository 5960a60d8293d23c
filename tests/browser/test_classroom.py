"""A lesson as people see it: joining with a phone, the teacher's page beside it, and what each tells the other."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pages import WAIT_SECONDS, Studio
from playwright.sync_api import Browser, Locator, Page, Route, expect
from scenes import photo
from watching import Watch

from teachable.words import say
from tests.benchmarks import classroom
from tests.benchmarks.classroom import PASSWORD, Classroom

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@dataclass(frozen=True)
class Device:
    """A browser of its own, with one page open."""

    page: Page
    watch: Watch
    address: str

    def at(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    def go(self, path: str) -> "Device":
        with self.watch.leaving():
            self.page.goto(self.address + path)
        return self

    def state(self, name: str) -> "Device":
        """Wait until a page of the classroom is in a state."""
        expect(self.page.locator("#page")).to_have_attribute("data-state", name)
        return self

    def studio(self) -> Studio:
        """Wait until the Studio can be used."""
        return Studio(self.page, self.watch, self.address).ready()

    def fits(self) -> bool:
        """Say whether nothing is wider than the screen."""
        return bool(self.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"))


Enter = Callable[..., Device]


@pytest.fixture(scope="module")
def room(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classroom]:
    with classroom.running(tmp_path_factory.mktemp("classroom") / "home") as opened:
        yield opened


@pytest.fixture
def enter(browsers: Callable[[str], Browser], room: Classroom) -> Iterator[Enter]:
    """Opens pages of the classroom, each in a browser of its own. In the end, nothing may have gone wrong in any."""
    devices: list[Device] = []

    def open_page(path: str, **options: Any) -> Device:
        context = browsers("missing").new_context(ignore_https_errors=True, **options)
        context.set_default_timeout(WAIT_SECONDS * 1000)
        device = Device(context.new_page(), Watch(context, room.address), room.address)
        devices.append(device)
        return device.go(path)

    yield open_page
    problems = [problem for device in devices for problem in device.watch.unexpected]
    for device in devices:
        device.page.context.close()
    assert not problems, "\n".join(problems)


def join(device: Device, name: str) -> Studio:
    """Write a name, press the button, and wait for the Studio."""
    device.state("form")
    device.at("join-name").fill(name)
    device.at("join-name-send").click()
    studio = device.studio()
    expect(device.at("visitor-name")).to_have_text(name)
    return studio


def sign_in(enter: Enter) -> Device:
    teacher = enter("/classroom").state("password")
    teacher.at("password").fill(PASSWORD)
    teacher.at("password").press("Enter")
    return teacher.state("room")


def card(teacher: Device, name: str) -> Locator:
    return teacher.at("pupil").filter(has=teacher.page.get_by_role("heading", name=name, exact=True))


def command(teacher: Device, testid: str) -> None:
    """Choose something from the teacher's menu."""
    teacher.at("room-menu").click()
    teacher.at(testid).click()


def open_file(device: Device, name: str, data: bytes) -> None:
    """Choose a file in the menu of a project."""
    device.at("project-menu").click()
    with device.page.expect_file_chooser() as chooser:
        device.at("project-file").click()
    chooser.value.set_files([{"name": name, "mimeType": "application/octet-stream", "buffer": data}])


def test_a_pupil_joins_and_the_teacher_sees_helps_pauses_and_removes(enter: Enter, room: Classroom) -> None:
    teacher = enter("/classroom").state("password")
    teacher.watch.allow("40[13]")
    teacher.at("password").fill("three")
    teacher.at("password-send").click()
    expect(teacher.at("problem")).not_to_be_empty()
    teacher.at("password").fill(PASSWORD)
    teacher.at("password").press("Enter")
    teacher.state("room")
    expect(teacher.at("room-empty")).to_be_visible()
    expect(teacher.at("qr")).not_to_have_js_property("naturalWidth", 0)
    expect(teacher.at("address")).to_have_text(re.compile(r":\d+$"))

    phone = enter("/join", **PHONE).state("form")
    assert phone.fits()
    studio = join(phone, "Ada")
    expect(phone.at("privacy")).to_have_text(say("page.visitor.privacy"))
    assert phone.fits()
    files = [
        {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": photo("dots", number)} for number in range(3)
    ]
    studio.card(0).get_by_test_id("upload-input").set_input_files(files)
    studio.expect_samples(0, 3)

    ada = card(teacher, "Ada")
    expect(ada.get_by_test_id("pupil-photos")).to_contain_text(say("page.room.photos", count=3))
    expect(ada.locator("img:visible")).not_to_have_count(0)
    phone.at("hand").click()
    expect(phone.at("hand")).to_have_attribute("aria-pressed", "true")
    expect(ada.get_by_test_id("pupil-state")).to_have_text(say("page.room.state.hand"))
    expect(teacher.at("help-only")).to_contain_text(say("page.room.need_help", count=1))
    ada.get_by_test_id("pupil-helped").click()
    expect(ada.get_by_test_id("pupil-helped")).to_be_hidden()
    expect(phone.at("hand")).to_have_attribute("aria-pressed", "false")

    # Paused: the page says so and holds still, and so does the server where the page does not.
    ada.get_by_test_id("pupil-lock").click()
    expect(phone.at("visitor-locked")).to_contain_text(say("page.visitor.locked"))
    expect(phone.page.locator("#studio-classes")).to_have_attribute("inert", "")
    phone.watch.allow("423")
    path = f"/api/v1/projects/{studio.project}/classes"
    refused = phone.page.evaluate("async path => (await fetch(path, {method: 'POST'})).status", path)
    assert refused == 423
    ada.get_by_test_id("pupil-lock").click()
    expect(phone.page.locator("#studio-classes")).not_to_have_attribute("inert", "")
    expect(phone.at("visitor-locked")).to_have_attribute("data-empty", "true")

    # The teacher opens the same project, and finds the way back.
    ada.get_by_test_id("pupil-open").click()
    teacher.studio()
    expect(teacher.at("helping")).to_have_text(say("page.visitor.helping", name="Ada"))
    with teacher.watch.leaving():
        teacher.at("to-room").click()
    teacher.state("room")

    card(teacher, "Ada").get_by_test_id("pupil-remove").click()
    expect(teacher.at("pupil")).to_have_count(0)
    # The offer stays as long as the mouse is on it.
    teacher.at("undo").hover()
    # What the phone asks about in the meantime is not there; it says so, and goes on by itself.
    phone.watch.allow("40[34]")
    expect(phone.at("to-join")).to_be_visible()
    teacher.at("undo").click()
    expect(teacher.at("pupil")).to_have_count(1)
    teacher.at("room-menu").click()
    expect(teacher.at("bring-back")).to_have_count(0)
    teacher.page.keyboard.press("Escape")
    # The menu offers it longer than the message does. What was paused does not hold still the way back into the class.
    teacher.at("lock-all").click()
    expect(phone.page.locator("#studio-classes")).to_have_attribute("inert", "")
    card(teacher, "Ada").get_by_test_id("pupil-remove").click()
    expect(teacher.at("pupil")).to_have_count(0)
    expect(phone.at("to-join")).to_be_visible()
    expect(phone.page.locator("#studio-classes")).not_to_have_attribute("inert", "")
    expect(phone.at("visitor-locked")).to_have_attribute("data-empty", "true")
    expect(phone.at("hand")).to_be_hidden()
    teacher.at("lock-all").click()
    command(teacher, "bring-back")
    expect(card(teacher, "Ada").get_by_test_id("pupil-photos")).to_contain_text(say("page.room.photos", count=3))
    expect(phone.at("to-join")).to_be_hidden()
    studio.expect_samples(0, 3)

    # What somebody took home goes into the project they have here; a file that is too large is not even sent.
    packed = phone.page.request.get(f"{room.address}/api/v1/projects/{studio.project}/archive").body()
    open_file(phone, "mine.zip", packed)
    expect(phone.at("import-dialog")).to_have_attribute("data-state", "planned")
    expect(phone.at("plan-class")).to_have_count(2)
    phone.at("import-start").click()
    expect(phone.at("import-dialog")).to_have_attribute("data-state", "done")
    expect(phone.at("import-end")).to_contain_text(say("page.import.repeats", count=3))
    phone.at("import-finish").click()
    phone.page.evaluate("() => Object.defineProperty(File.prototype, 'size', {value: 3 * 2 ** 30})")
    open_file(phone, "long.mp4", b"x")
    expect(phone.at("import-problem")).to_have_text(say("error.visitor_file", allowed="1,024"))


def test_a_lost_answer_does_not_hide_whose_page_it_is(enter: Enter) -> None:
    pupil = enter("/join")
    join(pupil, "Lior")
    pupil.watch.allow("ERR_FAILED")
    lost: list[Route] = []

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            route.abort()
            lost.append(route)

    pupil.page.route("**/room/me*", lose)
    with pupil.watch.leaving():
        pupil.page.reload()
    pupil.studio()
    assert lost
    expect(pupil.at("visitor-name")).to_have_text("Lior")
    expect(pupil.at("privacy")).to_have_text(say("page.visitor.privacy"))


def test_who_is_back_goes_on_and_a_closed_class_opens_by_itself(enter: Enter) -> None:
    teacher = sign_in(enter)
    tablet = enter("/join", color_scheme="dark")
    project = join(tablet, "Ben").project
    tablet.go("/join").state("back")
    tablet.at("go-on").click()
    assert tablet.studio().project == project
    # Who deleted all they had is given a new one.
    tablet.watch.allow("404")
    tablet.page.evaluate("path => fetch(path, {method: 'DELETE'})", f"/api/v1/projects/{project}")
    tablet.go("/join").state("back").at("go-on").click()
    assert tablet.studio().project != project
    tablet.go("/join").state("back").at("somebody-else").click()
    other = join(tablet, "Zoë").project
    assert other != project

    command(teacher, "room-open")
    expect(teacher.at("door")).to_have_attribute("data-open", "false")
    late = enter("/join", **PHONE).state("closed")
    assert late.fits()
    command(teacher, "room-open")
    late.state("form")

    # A project to start from: who is in is asked, who joins has it.
    path = "/api/v1/projects"
    teacher.page.evaluate(
        """async path => fetch(path, {
            method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({name: "Fruit"})
        })""",
        path,
    )
    command(teacher, "room-starter-choose")
    teacher.at("starter-row").filter(has_text="Fruit").click()
    expect(teacher.at("room-starter")).to_contain_text("Fruit")
    tablet.at("starter-take").click()
    expect(tablet.at("visitor-starter")).to_have_attribute("data-empty", "true")
    expect(tablet.page).not_to_have_url(re.compile(other))
    expect(tablet.at("project-name")).to_have_value(re.compile(r"Zoë.*\(2\)"))

    # Everybody is paused at once, and everything is taken home.
    teacher.at("lock-all").click()
    expect(teacher.at("lock-all")).to_have_text(say("page.room.unlock_all"))
    expect(tablet.at("visitor-locked")).to_contain_text(say("page.visitor.locked"))
    teacher.at("lock-all").click()
    expect(teacher.at("lock-all")).to_have_text(say("page.room.lock_all"))
    with teacher.page.expect_download() as download:
        teacher.at("collect").click()
    assert download.value.suggested_filename.endswith(".zip")

    teacher.at("large").click()
    expect(teacher.at("large-count")).to_contain_text(re.compile(r"\d"))
    expect(teacher.at("large-address")).to_have_text(teacher.at("address").inner_text())
    teacher.page.keyboard.press("Escape")
    expect(teacher.at("beamer")).to_have_count(0)
    command(teacher, "sign-out")
    teacher.state("password")


def test_in_the_next_lesson_the_teacher_gives_places_back(enter: Enter) -> None:
    teacher = sign_in(enter)
    old = enter("/join", **PHONE)
    mias = join(old, "Mia").project
    tom = enter("/join").state("form")
    toms = tom.page.evaluate(
        """async () => (await (await fetch("/api/v1/room/join", {
            method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({name: "Tom"})
        })).json()).project"""
    )
    # One browser has forgotten who it was, by keyboard; the other pupil sits at another device.
    tom.page.context.clear_cookies()
    mia = enter("/join", color_scheme="dark", **PHONE)
    for device, name in ((tom, "tom"), (mia, "Mia")):
        device.watch.allow("409")
        device.go("/join").state("form")
        device.at("join-name").fill(name)
        device.at("join-name").press("Enter")
        device.state("known")
        expect(device.page.get_by_role("heading")).to_be_focused()
        assert device.fits()
    expect(tom.at("join-other")).to_contain_text("tom 2")
    tom.page.keyboard.press("Tab")
    tom.page.keyboard.press("Enter")
    tom.state("asked")
    expect(tom.page.get_by_role("status")).to_have_text(say("page.join.asked.text", name="Tom"))
    expect(teacher.at("claim")).to_have_count(1)
    expect(teacher.at("claims-all")).to_be_hidden()
    mia.at("join-back").click()
    mia.state("asked")
    expect(teacher.at("claims-title")).to_have_text(say("page.claims.title", count=2))
    expect(teacher.at("claim-name")).to_have_text(["Tom", "Mia"])
    # A server that was started anew knows of nobody who waits: the page asks again by itself.
    with mia.page.expect_response("**/room/me"):
        pass
    anew = {"classroom": True, "name": "", "open": True, "teacher": False, "visitor": None, "claim": None}
    with mia.page.expect_response("**/room/join") as again:
        mia.page.route("**/room/me", lambda route: route.fulfill(json=anew), times=1)
    assert again.value.json() == {"project": None, "waiting": True}

    # What the class sees on the wall says nothing of it.
    teacher.at("large").click()
    expect(teacher.at("beamer")).to_be_visible()
    covered = """one => {
        const box = one.getBoundingClientRect();
        return Boolean(document.elementFromPoint(box.x + box.width / 2, box.y + 9).closest("dialog"));
    }"""
    assert teacher.at("claims").evaluate(covered)
    teacher.page.keyboard.press("Escape")

    # By keyboard, and the answer stays where it was pressed.
    refuse = teacher.at("claim").nth(1).get_by_test_id("claim-refuse")
    refuse.focus()
    refuse.press("Enter")
    expect(teacher.at("claim-outcome").nth(1)).to_have_text(say("page.claims.refused"))
    expect(teacher.at("claim-allow").first).to_be_focused()
    mia.state("refused")
    expect(mia.page.get_by_role("heading")).to_be_focused()
    assert mia.fits()
    mia.at("join-again").click()
    mia.state("asked")
    expect(teacher.at("claims-title")).to_have_text(say("page.claims.title", count=2))
    old.watch.allow("40[34]")
    teacher.at("claims-all").click()
    expect(teacher.at("claims")).to_be_hidden()
    assert tom.studio().project == toms
    assert mia.studio().project == mias
    expect(mia.at("visitor-name")).to_have_text("Mia")

    # The device that had the place is out, and another pupil can use it.
    expect(old.at("to-join")).to_be_visible()
    with old.watch.leaving():
        old.at("to-join").click()
        old.state("form")


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_the_warning_of_each_browser_is_explained_in_words_and_pictures(enter: Enter, options: dict[str, Any]) -> None:
    device = enter("/join/help", **options).state("help")
    for name in ("chrome", "safari", "firefox", "edge"):
        tab = device.at(f"warn-{name}")
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        steps = device.at("steps").get_by_role("listitem")
        expect(steps).to_have_count(3 if name == "safari" else 2)
        expect(device.at("steps").locator("svg .d-ring")).to_have_count(steps.count())
        # Words beside each picture; no picture's words are cut.
        for text in device.at("steps").locator("svg text").all():
            box, drawing = text.bounding_box(), text.locator("xpath=ancestor::*[name()='svg']").bounding_box()
            assert box is not None
            assert drawing is not None
            assert drawing["x"] <= box["x"]
            assert box["x"] + box["width"] <= drawing["x"] + drawing["width"]
        assert device.fits()
    device.page.keyboard.press("ArrowRight")
    expect(device.at("warn-chrome")).to_be_focused()
    expect(device.at("warn-chrome")).to_have_attribute("aria-selected", "true")
