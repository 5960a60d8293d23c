"""The page of a model server in a real browser: it lists what can be asked, and answers about a photo."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pages import WAIT_SECONDS
from playwright.sync_api import Browser, Page, expect
from scenes import photo
from watching import Watch

from teachable.runtime import Classifier
from teachable.words import say
from tests.sourcing import HOSTILE, model_of

RUN = "from teachable.model_server import main; main()"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(model_of(HOSTILE, project="</title><script>alert(1)</script>")[1])
    return path


@pytest.fixture(scope="module")
def address(model: Path) -> Iterator[str]:
    command = [sys.executable, "-c", RUN, str(model), "--port", "0"]
    with subprocess.Popen(command, text=True, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found
        yield found[0]
        process.terminate()


@pytest.fixture
def opened(browsers: Callable[[str], Browser], address: str) -> Iterator[tuple[Page, Watch]]:
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
