"""The web bundle in a real browser: unpacked below a path of a plain file server, nothing else to be had."""

import base64
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pages import WAIT_SECONDS
from playwright.sync_api import Browser, Page, expect
from scenes import photo
from serving import plain_files
from watching import Watch

from teachable.exporting import bundle
from teachable.exporting.formats.web_bundle import EXPORTER
from teachable.projects.classes import COLORS
from teachable.runtime import Classifier
from teachable.words import say
from tests.npm import packages
from tests.programming import P5
from tests.sourcing import HOSTILE, model_of, source_of, watch

P5S = ("p5@1.11.10", P5)
"""Of both kinds that are in use: many sketches are still of the first."""
PLACE = f"some/where/{bundle.folder_of(EXPORTER.variants[1])}"
Opened = Callable[..., Page]


@pytest.fixture(scope="module")
def model() -> bytes:
    return model_of(HOSTILE, project="Web & page")[1]


@pytest.fixture(scope="module")
def site(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, unpacked below a path of a site."""
    root = tmp_path_factory.mktemp("site")
    metadata, _ = model_of(HOSTILE, project="Web & page")
    EXPORTER.write(source_of(metadata, model), EXPORTER.variants[1], root / "model.zip", watch())
    with zipfile.ZipFile(root / "model.zip") as archive:
        archive.extractall(root / "some" / "where")
    return root


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with plain_files(site) as host:
        yield f"{host}/{PLACE}"


@pytest.fixture
def opened(browsers: Callable[[str], Browser], address: str) -> Iterator[Opened]:
    """Opens pages of the bundle. When the test ends nothing may have gone wrong in any."""
    watches: list[Watch] = []

    def open_page(page: str, camera: str = "missing", allowed: str | None = None) -> Page:
        context = browsers(camera).new_context(viewport={"width": 390, "height": 844})
        context.set_default_timeout(WAIT_SECONDS * 1000)
        seen = Watch(context, address)
        if allowed:
            seen.allow(allowed)
        watches.append(seen)
        tab = context.new_page()
        tab.goto(f"{address}/{page}")
        return tab

    yield open_page
    problems = [problem for one in watches for problem in one.unexpected]
    for one in watches:
        one.context.close()
    assert not problems, "\n".join(problems)


def ready(tab: Page) -> Page:
    expect(tab.locator("body")).to_have_attribute("data-state", "ready")
    return tab


@pytest.mark.parametrize("kind", ["image", "canvas", "bitmap", "pixels"])
def test_the_module_says_what_the_runtime_says(opened: Opened, address: str, model: bytes, kind: str) -> None:
    tab = ready(opened("index.html"))
    data = photo("dots", 1, "PNG", (120, 90))
    answers = tab.evaluate(
        """async ([address, data, kind]) => {
            const { load, predict } = await import(`${address}/app.js`);
            await load();
            const image = new Image();
            image.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))]));
            await image.decode();
            if (kind === "image") return await predict(image);
            const { width, height } = image;
            const canvas = Object.assign(document.createElement("canvas"), { width, height });
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            if (kind === "canvas") return await predict(canvas);
            if (kind === "bitmap") return await predict(await createImageBitmap(image));
            return await predict(context.getImageData(0, 0, width, height));
        }""",
        [address, base64.b64encode(data).decode(), kind],
    )
    expected = Classifier.load(model).predict(data)[0].probabilities
    shares = [answer["probability"] for answer in answers]
    assert shares == sorted(shares, reverse=True)
    assert {answer["label"] for answer in answers} == expected.keys()
    np.testing.assert_allclose(shares, [expected[answer["label"]] for answer in answers], atol=1e-3)


def test_the_page_names_a_photo_and_shows_names_as_text(opened: Opened, model: bytes) -> None:
    tab = ready(opened("index.html"))
    data = photo("stripes", 1, "PNG", (90, 120))
    tab.locator("#files").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": data})
    (expected,) = Classifier.load(model).predict(data)
    expect(tab.locator("#winner")).to_have_text(expected.label, use_inner_text=False)
    names = tab.locator("#bars li > span:first-child").evaluate_all("all => all.map((e) => e.textContent)")
    assert names == list(expected.probabilities)
    values = tab.get_by_role("meter").evaluate_all("all => all.map((e) => Number(e.getAttribute('aria-valuenow')))")
    np.testing.assert_allclose(np.array(values) / 100, list(expected.probabilities.values()), atol=1e-3)
    assert tab.title() == "Web & page"
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= 390
    broken = {"name": "b.png", "mimeType": "image/png", "buffer": b"no"}
    tab.locator("#files").set_input_files(broken)
    expect(tab.get_by_text(say("web.unreadable"))).to_be_visible()


def test_bars_have_the_colours_of_their_classes(opened: Opened) -> None:
    tab = ready(opened("index.html"))
    colours = tab.locator("#bars li").evaluate_all("all => all.map((e) => e.style.getPropertyValue('--class'))")
    assert colours == list(COLORS[: len(set(HOSTILE))])
    assert tab.locator(".track i").first.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(230, 119, 1)"
    tops = tab.locator(".tools > :not([hidden])").evaluate_all("all => all.map((e) => [e.offsetTop, e.offsetHeight])")
    assert len({tuple(top) for top in tops}) == 1


def test_of_many_classes_the_most_probable_come_first(opened: Opened, site: Path) -> None:
    metadata, model = model_of([f"class {number}" for number in range(14)])
    EXPORTER.write(source_of(metadata, model), EXPORTER.variants[1], site / "many.zip", watch())
    with zipfile.ZipFile(site / "many.zip") as archive:
        archive.extractall(site / PLACE / "many")
    tab = ready(opened(f"many/{bundle.folder_of(EXPORTER.variants[1])}/index.html"))
    expect(tab.locator("#others")).to_have_text(say("web.others", count=4))
    data = photo("stripes", 1, "PNG", (90, 120))
    tab.locator("#files").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": data})
    expected = Classifier.load(model).predict(data)[0]
    expect(tab.locator("#winner")).to_have_text(expected.label)
    shown = sorted(expected.probabilities.values(), reverse=True)[:10]
    values = tab.get_by_role("meter").evaluate_all("all => all.map((e) => Number(e.getAttribute('aria-valuenow')))")
    np.testing.assert_allclose(np.array(values) / 100, shown, atol=1e-3)


def test_the_page_watches_the_camera_and_stops(opened: Opened) -> None:
    tab = ready(opened("index.html", "stripes"))
    tab.get_by_role("button", name=say("web.start")).click()
    expect(tab.locator("#winner")).not_to_be_empty()
    tab.get_by_role("button", name=say("web.stop")).click()
    expect(tab.locator("#camera")).to_be_hidden()
    assert tab.evaluate("() => document.getElementById('camera').srcObject") is None


def test_the_page_says_when_there_is_no_camera(opened: Opened) -> None:
    tab = ready(opened("index.html"))
    tab.get_by_role("button", name=say("web.start")).click()
    expect(tab.get_by_text(say("web.camera_trouble"))).to_be_visible()


def test_opened_by_double_click_it_says_that_it_needs_a_server(browsers: Callable[[str], Browser], site: Path) -> None:
    context = browsers("missing").new_context()
    tab = context.new_page()
    tab.goto((site / PLACE / "index.html").as_uri())
    expect(tab.locator("#waiting")).to_have_text(say("web.waiting"))
    expect(tab.locator("#ready")).to_be_hidden()
    context.close()


def test_the_plain_example_names_a_photo(opened: Opened, model: bytes) -> None:
    tab = ready(opened("example-plain.html"))
    data = photo("stripes", 1, "PNG")
    tab.locator("#files").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": data})
    (expected,) = Classifier.load(model).predict(data)
    expect(tab.locator("#result")).to_contain_text(f"{round(100 * expected.probability)}\u202f%")
    assert tab.locator("#result").inner_text().startswith(expected.label)


def test_the_p5_example_says_what_is_missing(opened: Opened) -> None:
    tab = opened("example-p5.html", allowed="p5.min.js|404")
    expect(tab.get_by_text(say("web.p5_missing"))).to_be_visible()


@pytest.mark.parametrize("spec", P5S)
def test_the_p5_example_runs_with_the_real_library(
    opened: Opened, site: Path, request: pytest.FixtureRequest, spec: str
) -> None:
    library = packages(request.config, spec) / "node_modules/p5/lib/p5.min.js"
    copy = site / PLACE / "p5.min.js"
    shutil.copy(library, copy)
    try:
        tab = opened("example-p5.html", "stripes")
        expect(tab.locator("body")).to_have_attribute("data-answer", re.compile("."))
        expect(tab.locator("canvas")).to_be_visible()
    finally:
        copy.unlink()
