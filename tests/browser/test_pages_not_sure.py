"""Pages to take away, of a model that can be unsure and at every precision: they say so when the file inside does."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from pages import WAIT_SECONDS
from playwright.sync_api import Browser, FilePayload, Page, expect
from scenes import frame, photo
from serving import plain_files
from watching import Watch

from teachable.exporting import bundle
from teachable.exporting.formats import offline_page, web_bundle
from teachable.metadata import ModelMetadata
from teachable.runtime import Classifier
from teachable.words import say
from tests.sourcing import model_of, model_that_knows, source_of, watch

LABELS = ("Stripes", "Dots")
NOT_SURE = say("offline.not_sure")
Model = tuple[ModelMetadata, bytes]
Opened = Callable[[str], Page]


@pytest.fixture(scope="module")
def model() -> Model:
    known = [[frame(scene, number) for number in range(40)] for scene in ("stripes", "dots")]
    return model_that_knows(LABELS, known)


def picture(name: str, data: bytes) -> FilePayload:
    return {"name": f"{name}.png", "mimeType": "image/png", "buffer": data}


@pytest.fixture(scope="module")
def strange() -> FilePayload:
    file = io.BytesIO()
    shades = np.linspace(0, 255, 120 * 160).reshape(120, 160, 1).repeat(3, axis=2)
    PIL.Image.fromarray(shades.astype(np.uint8)).save(file, "PNG")
    return picture("strange", file.getvalue())


@pytest.fixture(scope="module")
def familiar() -> FilePayload:
    return picture("dots", photo("dots", 11, "PNG"))


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The offline page and the unpacked bundle of this model, and the page of one that cannot be unsure."""
    made = tmp_path_factory.mktemp("pages")
    page, web = offline_page.EXPORTER, web_bundle.EXPORTER
    for variant in page.variants:
        page.write(source_of(*model), variant, made / f"{variant.id}.html", watch())
    page.write(source_of(*model_of(LABELS)), page.variants[1], made / "older.html", watch())
    web.write(source_of(*model), web.variants[1], made / "web.zip", watch())
    with zipfile.ZipFile(made / "web.zip") as archive:
        archive.extractall(made)
    (made / bundle.folder_of(web.variants[1])).rename(made / "web")
    return made


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with plain_files(folder) as host:
        yield host


@pytest.fixture
def opened(browsers: Callable[[str], Browser], address: str, folder: Path) -> Iterator[Opened]:
    """Opens an offline page as a file, by its name, and what is in the bundle by its path."""
    watches: list[Watch] = []

    def open_page(name: str) -> Page:
        served = "/" in name
        context = browsers("missing").new_context(viewport={"width": 1280, "height": 900}, offline=not served)
        context.set_default_timeout(WAIT_SECONDS * 1000)
        watches.append(Watch(context, address if served else folder.as_uri()))
        tab = context.new_page()
        tab.goto(f"{address}/{name}" if served else (folder / name).as_uri())
        expect(tab.locator("body")).to_have_attribute("data-state", "ready")
        return tab

    yield open_page
    problems = [problem for one in watches for problem in one.unexpected]
    for one in watches:
        one.context.close()
    assert not problems, "\n".join(problems)


def test_the_pictures_are_what_the_tests_take_them_for(
    model: Model, strange: FilePayload, familiar: FilePayload
) -> None:
    classifier = Classifier.load(model[1])
    assert [one.known for one in classifier.predict([strange["buffer"], familiar["buffer"]])] == [False, True]


@pytest.mark.parametrize("kept", ["full", "half", "quarter"])
def test_the_offline_page_is_not_sure_of_what_it_does_not_know(
    opened: Opened, strange: FilePayload, familiar: FilePayload, kept: str
) -> None:
    tab = opened(f"{kept}.html")
    tab.get_by_test_id("chooser").set_input_files([strange, familiar])
    expect(tab.get_by_test_id("progress")).to_be_hidden()
    expect(tab.get_by_test_id("winner")).to_have_text(NOT_SURE)
    expect(tab.locator("[data-testid=bar][data-best]")).to_have_count(0)
    expect(tab.get_by_test_id("spoken")).to_have_text(say("offline.winner_photo_unsure", file="strange.png"))
    rows = tab.get_by_test_id("row")
    expect(rows.first).to_contain_text(NOT_SURE)
    expect(rows.last).not_to_contain_text(NOT_SURE)
    with tab.expect_download() as waiting:
        tab.get_by_test_id("csv").click()
    said = list(csv.reader(io.StringIO(waiting.value.path().read_text("utf-8-sig"))))
    assert said[1][:2] == ["strange.png", NOT_SURE]
    assert said[2][1] in LABELS
    expect(tab.get_by_text(say("offline.good_unsure"))).to_be_visible()


def test_its_slider_judges_everything_anew_by_keyboard(
    opened: Opened, strange: FilePayload, familiar: FilePayload
) -> None:
    tab = opened("full.html")
    tab.get_by_test_id("chooser").set_input_files([strange, familiar])
    expect(tab.get_by_test_id("progress")).to_be_hidden()
    slider = tab.get_by_test_id("strictness")
    expect(slider).to_have_value("5")
    slider.focus()
    tab.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", say("offline.strict_never"))
    expect(tab.get_by_test_id("winner")).not_to_have_text(NOT_SURE)
    expect(tab.get_by_test_id("table")).not_to_contain_text(NOT_SURE)
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    expect(tab.get_by_test_id("winner")).to_have_text(NOT_SURE)
    expect(tab.get_by_test_id("strictness-about")).to_have_text(say("offline.strict_about", count=5))


def test_a_model_that_cannot_be_unsure_always_answers(opened: Opened, strange: FilePayload) -> None:
    tab = opened("older.html")
    tab.get_by_test_id("chooser").set_input_files([strange])
    expect(tab.locator("[data-testid=bar][data-best]")).to_have_count(1)
    expect(tab.get_by_test_id("strictness")).to_be_hidden()
    expect(tab.get_by_text(say("offline.good_always"))).to_be_visible()


def test_the_bundle_is_not_sure_of_what_it_does_not_know(
    opened: Opened, strange: FilePayload, familiar: FilePayload
) -> None:
    tab = opened("web/index.html")
    tab.locator("#files").set_input_files(strange)
    expect(tab.locator("#winner")).to_have_text(say("web.not_sure"))
    expect(tab.locator("#bars .best")).to_have_count(0)
    tab.locator("#files").set_input_files(familiar)
    expect(tab.locator("#winner")).not_to_have_text(say("web.not_sure"))
    expect(tab.locator("#bars .best")).to_have_count(1)
    tab = opened("web/example-plain.html")
    tab.locator("#files").set_input_files(strange)
    expect(tab.locator("#result")).to_contain_text(f"{say('web.not_sure')}\n")
    tab.locator("#files").set_input_files(familiar)
    expect(tab.locator("#result")).not_to_contain_text(say("web.not_sure"))
