"""The programs for browsers, run in Chromium exactly as they are shown, with packages from npm."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import npm
import numpy as np
import psutil
import pytest
from making import until
from pages import WAIT_SECONDS
from playwright.sync_api import Browser, Page, expect
from programming import NOT_SURE, P5, PHOTO, RUNTIME_WEB, VITE, Said, assert_printed, bring, model, prepare, sideways
from watching import Watch

from teachable.runtime import Classifier

START_SECONDS = 60
Visit = Callable[..., Page]


# The one that shows most always, the others where there is time.
FAMILIAR = [
    True,
    pytest.param(None, marks=pytest.mark.thorough),
    pytest.param(False, marks=pytest.mark.thorough),
]


def end(process: subprocess.Popen[str]) -> None:
    """End a process and all it started: the Node of a wheel, for one, is a program that starts the real one."""
    try:
        whole = psutil.Process(process.pid)
        family = [whole, *whole.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    until(lambda: all(map(has_ended, family)), "the end")


def has_ended(process: psutil.Process) -> bool:
    # What its parent did not wait for stays in the list of the system, but does nothing any more.
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def started(command: list[str], folder: Path, log: Path) -> Iterator[str]:
    """Run a web server in a folder, and give its address."""
    with log.open("w") as errors:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True)
    # Reading a line cannot be given a time limit, but a process that takes too long can be ended.
    limit = threading.Timer(START_SECONDS, end, [process])
    limit.start()
    try:
        assert process.stdout is not None
        plain = (re.sub(r"\x1b\[[\d;]*m", "", line) for line in process.stdout)
        address = next((found[0] for line in plain if (found := re.search(r"http://127\.0\.0\.1:\d+", line))), None)
        assert address, f"The server did not start:\n{log.read_text()}"
        yield address
    finally:
        limit.cancel()
        end(process)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def visit(browsers: Callable[[str], Browser]) -> Iterator[Visit]:
    """Opens a watched page; when the test ends, nothing may have gone wrong in it or left this computer."""
    opened: list[Watch] = []

    def open_page(address: str, camera: str = "missing") -> Page:
        context = browsers(camera).new_context(viewport={"width": 800, "height": 700})
        context.set_default_timeout(WAIT_SECONDS * 1000)
        watch = Watch(context, address)
        watch.allow(r"favicon\.ico")
        opened.append(watch)
        page = context.new_page()
        page.goto(f"{address}/")
        return page

    yield open_page
    problems = [problem for watch in opened for problem in watch.unexpected]
    for watch in opened:
        watch.context.close()
    assert not problems, "\n".join(problems)


def plain_server(folder: Path) -> list[str]:
    return [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0", "--directory", str(folder)]


def running(command: list[str]) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == command]


def test_a_server_that_another_program_started_ends_with_it(tmp_path: Path) -> None:
    server = plain_server(tmp_path)
    launch = f"import subprocess; subprocess.run({server!r})"
    with started([sys.executable, "-c", launch], tmp_path, tmp_path / "log"):
        assert len(running(server)) == 1
    # Asked of the processes and not of the port, which the system may have given to another program by now.
    until(lambda: not running(server), "the end of the server")


def assert_names_photos(page: Page, folder: Path, familiar: bool | None = None) -> None:
    """Choose two photos, one after the other, in the only file input of a page, and compare with the model."""
    for seed in range(2):
        # The same file again would be no change to a browser.
        expected = sideways(folder / f"{seed}-{PHOTO}", seed)
        page.locator("input[type=file]").set_input_files(folder / f"{seed}-{PHOTO}")
        said = NOT_SURE if familiar is False else expected.label.replace("\t", " ")
        expect(page.locator("output")).to_contain_text(said)
        assert_printed(page.locator("output").evaluate("(output) => output.textContent"), expected, familiar)


@pytest.mark.parametrize("familiar", FAMILIAR)
def test_the_web_page_runs_as_shown(
    visit: Visit, tmp_path: Path, pytestconfig: pytest.Config, familiar: bool | None
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    bring(npm.packages(pytestconfig, RUNTIME_WEB), folder)
    prepare("page", folder, familiar)
    with started(plain_server(folder), folder, tmp_path / "log") as address:
        assert_names_photos(visit(address), tmp_path, familiar)


@pytest.mark.parametrize("familiar", FAMILIAR)
def test_the_npm_program_runs_as_shown(
    visit: Visit, tmp_path: Path, pytestconfig: pytest.Config, familiar: bool | None
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    bring(npm.packages(pytestconfig, RUNTIME_WEB, VITE), folder)
    shown = prepare("javascript", folder, familiar)
    (line,) = re.findall(r"^// In index\.html: (.*)$", shown.code, re.MULTILINE)
    (folder / "index.html").write_text(line)
    vite = [npm.node(), "node_modules/vite/bin/vite.js", "--host", "127.0.0.1", "--port", "0"]
    with started(vite, folder, tmp_path / "log") as address:
        assert_names_photos(visit(address), tmp_path, familiar)


def test_the_npm_program_can_be_built(visit: Visit, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    bring(npm.packages(pytestconfig, RUNTIME_WEB, VITE), folder)
    prepare("javascript", folder)
    (folder / "index.html").write_text('<script type="module" src="main.js"></script>')
    vite = [npm.node(), "node_modules/vite/bin/vite.js", "build", "--logLevel", "error"]
    done = subprocess.run(vite, cwd=folder, capture_output=True, text=True, timeout=START_SECONDS)
    assert done.returncode == 0, done.stderr
    with started(plain_server(folder / "dist"), folder, tmp_path / "log") as address:
        assert_names_photos(visit(address), tmp_path)


# The film of the camera goes on; one picture of it is held still, and said again twice: the first answer may be that of
# the picture before.
STILL = """async () => {
    video.pause();
    for (let time = 0; time < 2; time++) {
        answer = "";
        while (!answer) await new Promise((done) => requestAnimationFrame(done));
    }
    const pixels = [...video.pixels];
    return { answer, width: video.width, height: video.height, pixels };
}"""


@pytest.mark.parametrize("familiar", FAMILIAR[:2])
def test_the_p5_sketch_runs_as_shown(
    visit: Visit, tmp_path: Path, pytestconfig: pytest.Config, familiar: bool | None
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    bring(npm.packages(pytestconfig, RUNTIME_WEB, P5), folder)
    prepare("p5", folder, familiar)
    classifier = Classifier.load(model()[0])
    with started(plain_server(folder), folder, tmp_path / "log") as address:
        page = visit(address, "stripes")
        page.wait_for_function("() => answer.endsWith('%')")
        held = page.evaluate(STILL)
        seen = np.array(held["pixels"], np.uint8).reshape(held["height"], held["width"], 4)[..., :3].copy()
        (prediction,) = classifier.predict(seen)
        assert_printed(held["answer"], Said(prediction.label, 100 * prediction.probability))
        # It is the warm picture of the camera, and not an empty one, on which anything would agree.
        red, _, blue = seen.mean((0, 1))
        assert red > blue + 100
        # And it is on the canvas, with the answer below it.
        colour = page.evaluate("() => get(320, 240).slice(0, 3)")
        assert np.abs(np.array(colour, np.float64) - seen[held["height"] // 2, held["width"] // 2]).max() < 60


def test_the_p5_sketch_is_not_sure_of_what_is_unfamiliar(
    visit: Visit, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    bring(npm.packages(pytestconfig, RUNTIME_WEB, P5), folder)
    prepare("p5", folder, familiar=False)
    with started(plain_server(folder), folder, tmp_path / "log") as address:
        page = visit(address, "stripes")
        page.wait_for_function("(said) => answer === said", arg=NOT_SURE)
