"""The page of a model server in a real browser: it lists what can be asked, and answers about a photo."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pages import WAIT_SECONDS
from playwright.sync_api import Browser, Page, expect
from programming import model as familiar_model
from scenes import photo
from watching import Watch

from teachable.runtime import Classifier
from teachable.words import say
from tests.sourcing import HOSTILE, model_of

START_SECONDS = 60
RUN = "from teachable.model_server import main; main()"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(model_of(HOSTILE, project="</title><script>alert(1)</script>")[1])
    return path


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """Serve a model, and give the address."""
    command = [sys.executable, "-c", RUN, str(model), "--port", "0"]
    with subprocess.Popen(command, text=True, stderr=subprocess.PIPE) as process:
        # Reading a line cannot be given a time limit, but a process that takes too long can be ended.
        limit = threading.Timer(START_SECONDS, process.kill)
        limit.start()
        try:
            assert process.stderr is not None
            address = next((found[0] for line in process.stderr if (found := re.search(r"http://\S+", line))), None)
            assert address, "The server did not start."
            limit.cancel()
            yield address
        finally:
            limit.cancel()
            process.terminate()


@pytest.fixture(scope="module")
def address(model: Path) -> Iterator[str]:
    with serving(model) as found:
        yield found


@pytest.fixture
def opened(browsers: Callable[[str], Browser], address: str) -> Iterator[tuple[Page, Watch]]:
    with visiting(browsers, address) as found:
        yield found


@contextmanager
def visiting(browsers: Callable[[str], Browser], address: str) -> Iterator[tuple[Page, Watch]]:
    """Open the page on a phone; when it is closed, nothing may have gone wrong in it."""
    context = browsers("missing").new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(WAIT_SECONDS * 1000)
    watch = Watch(context, address)
    tab = context.new_page()
    tab.goto(f"{address}/")
    yield tab, watch
    problems = watch.unexpected
    context.close()
    assert not problems, "\n".join(problems)


def test_the_page_lists_every_route(opened: tuple[Page, Watch]) -> None:
    tab, _ = opened
    expect(tab.get_by_role("heading", level=1)).to_contain_text("<script>alert(1)</script>")
    expect(tab.locator("dt")).to_have_text(
        [
            "POST /v1/predict",
            "POST /v1/predict/{id}",
            "POST /v1/predict-many",
            "GET /labels",
            "GET /health",
        ]
    )
    expect(tab.locator("#example")).to_contain_text("curl -F image=@photo.jpg http://127.0.0.1:")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_photo_is_answered_as_by_the_runtime(opened: tuple[Page, Watch], model: Path) -> None:
    tab, watch = opened
    data = photo("dots", 1, "PNG", (120, 90))
    chosen = tab.get_by_label(say("api.server.choose"))
    chosen.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": data})
    (wanted,) = Classifier.load(model).predict(data)
    rows = tab.locator("#answer li")
    expect(rows).to_have_count(len(set(HOSTILE)))
    assert rows.first.locator("span").text_content() == wanted.label
    expect(rows.first.locator("b")).to_have_text(f"{100 * wanted.probability:.1f} %")
    # And what is no photo gets the reason, in words.
    watch.allow("422")
    chosen.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"nothing"})
    expect(rows).to_have_text([say("error.photo_unknown", name="photo")])


@pytest.mark.parametrize("familiar", [True, False])
def test_a_strange_photo_gets_a_guess_that_is_called_one(
    browsers: Callable[[str], Browser], tmp_path: Path, familiar: bool
) -> None:
    (tmp_path / "model.onnx").write_bytes(familiar_model(familiar)[0])
    with serving(tmp_path / "model.onnx") as found, visiting(browsers, found) as (tab, _):
        data = photo("dots", 1, "PNG", (120, 90))
        chosen = tab.get_by_label(say("api.server.choose"))
        chosen.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": data})
        rows = tab.locator("#answer li")
        expect(rows).to_have_count(len(familiar_model(familiar)[1].labels) + (not familiar))
        first = rows.first
        if familiar:
            expect(first.locator("meter")).to_be_visible()
        else:
            expect(first).to_have_text(say("api.server.unsure"))
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
