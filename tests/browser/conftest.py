"""A server, browsers with and without a camera, and watched pages."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import WAIT_SECONDS, Open, Studio
from playwright.sync_api import Browser, Playwright, expect, sync_playwright
from scenes import film, photos
from serving import Api, Server
from watching import Watch

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    # Nothing can leave this computer; what tries to is seen by `Watch`.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
LONGEST = ("test_page_networks.py", "test_classroom.py", "test_page_interrupted.py")
"""Files of few tests that take long."""

ALLOWED = "--use-fake-ui-for-media-stream"
CAMERA = "--use-fake-device-for-media-stream"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the browser tests and put them last: Playwright keeps an event loop running until the session ends."""
    here = Path(__file__).parent
    driven = [item for item in items if here in item.path.parents]
    for item in driven:
        item.add_marker(pytest.mark.browser)
    # The longest files first, so that two processes end at about the same time.
    tests = Counter(item.path for item in driven)
    driven.sort(key=lambda item: (item.path.name not in LONGEST, -tests[item.path], item.path))
    items[:] = [item for item in items if here not in item.path.parents] + driven


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser."""
    named = os.environ.get("TEACHABLE_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    message = "No Chromium was found. Install it, or name it in TEACHABLE_CHROMIUM, to run the browser tests."
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def playwright(chromium: str) -> Iterator[Playwright]:
    expect.set_options(timeout=WAIT_SECONDS * 1000)
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="session")
def browsers(
    playwright: Playwright, chromium: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Browser]]:
    """A browser by what its camera sees: "stripes", "dots", or "refused" or "missing"; each is started once."""
    folder = tmp_path_factory.mktemp("films")
    started: dict[str, Browser] = {}

    def browser(camera: str) -> Browser:
        if camera not in started:
            flags = list(FLAGS)
            if camera != "refused":
                flags.append(ALLOWED)
            if camera != "missing":
                flags.append(CAMERA)
            if camera in {"stripes", "dots"}:
                flags.append(f"--use-file-for-fake-video-capture={film(camera, folder / f'{camera}.mjpeg')}")
            started[camera] = playwright.chromium.launch(executable_path=chromium, args=flags)
        return started[camera]

    yield browser
    for one in started.values():
        one.close()


@pytest.fixture(scope="session")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    made = Server(folder / "home", folder / "log")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[Api]:
    made = Api(server)
    yield made
    made.close()


@pytest.fixture(scope="session")
def trained(api: Api) -> dict[str, Any]:
    """A project with a model of the two scenes. Tests that change it put it back."""
    project = api.project("Stripes", "Dots", name="Two scenes")
    for number, scene in enumerate(("stripes", "dots")):
        for group in range(2):
            api.add(project, number, photos(scene, 8, first=8 * group, place=group), f"{scene}{group}")
    api.train(project["id"])
    return project


@pytest.fixture(scope="session")
def kept() -> dict[str, Watch]:
    """Watched contexts by camera, for the next test that wants nothing special: pages open in half the time."""
    return {}


@pytest.fixture
def studio(browsers: Callable[[str], Browser], kept: dict[str, Watch], server: Server) -> Iterator[Open]:
    """Opens watched pages: `studio("stripes", project=id)`. When the test ends, nothing may have gone wrong in any."""
    opened: list[Studio] = []
    own: list[Watch] = []

    def watched(camera: str, address: str, script: str | None, options: dict[str, Any]) -> Watch:
        context = browsers(camera).new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(WAIT_SECONDS * 1000)
        if camera == "refused":
            context.grant_permissions([])
        if script:
            context.add_init_script(script)
        return Watch(context, address)

    def open_page(
        camera: str = "missing",
        project: str | None = None,
        at: Server = server,
        script: str | None = None,
        **options: Any,
    ) -> Studio:
        if at is server and not script and not options:
            watch = kept[camera] = kept.get(camera) or watched(camera, at.address, None, {})
        else:
            watch = watched(camera, at.address, script, options)
            own.append(watch)
        made = Studio(watch.context.new_page(), watch, at.address)
        opened.append(made)
        return made.open(project)

    yield open_page
    problems = [problem for watch in {one.watch for one in opened} for problem in watch.unexpected]
    for one in opened:
        # What a page remembers in the browser is not for the next test.
        if one.watch not in own:
            one.tab.evaluate("() => localStorage.clear()")
        one.tab.close()
        one.watch.forget()
    for watch in own:
        watch.context.close()
    assert not problems, "\n".join(problems)
