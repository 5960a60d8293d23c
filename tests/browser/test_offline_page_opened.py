"""The offline page in a real browser: opened as a file, with the network off, by mouse, keyboard, camera and photos."""

import base64
import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import PIL.Image
import pytest
from pages import WAIT_SECONDS
from playwright.sync_api import Browser, FilePayload, Locator, Page, Playwright, expect
from scenes import frame, photo
from watching import Watch

from teachable.exporting.formats.offline_page import EXPORTER
from teachable.runtime import Classifier
from teachable.words import say
from tests.browser.conftest import ALLOWED, FLAGS
from tests.sourcing import HOSTILE, model_of, source_of, watch

LABELS = ("Stripes", "Dots", "Neither")
SIZES = {"stripes": (200, 150), "dots": (90, 160)}
Opened = Callable[..., Page]


@pytest.fixture(scope="module")
def model() -> bytes:
    return model_of(LABELS, project="My page")[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("offline")


@pytest.fixture(scope="module")
def made(folder: Path) -> Callable[..., Path]:
    """Writes a page with these labels, once."""

    def write(labels: tuple[str, ...] = LABELS, project: str = "My page", kept: str = "full") -> Path:
        path = folder / f"{abs(hash((labels, project)))}-{kept}.html"
        variant = EXPORTER.variant(kept)
        assert variant is not None
        if not path.exists():
            EXPORTER.write(source_of(*model_of(labels, project)), variant, path, watch())
        return path

    return write


@pytest.fixture
def opened(browsers: Callable[[str], Browser], made: Callable[..., Path]) -> Iterator[Opened]:
    """Opens pages offline. When the test ends nothing may have gone wrong in any, nor a dialog have opened."""
    watches: list[Watch] = []

    def open_page(
        camera: str = "missing",
        path: Path | None = None,
        script: str | None = None,
        state: str | None = "ready",
        allowed: str | None = None,
        browser: Browser | None = None,
        **options: Any,
    ) -> Page:
        path = path or made()
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        context = (browser or browsers(camera)).new_context(**options)
        context.set_default_timeout(WAIT_SECONDS * 1000)
        context.set_offline(True)
        context.route(re.compile("^https?:"), lambda route: route.abort())
        if camera == "refused":
            context.grant_permissions([])
        if script:
            context.add_init_script(script)
        seen = Watch(context, f"file://{path.parent}")
        if allowed:
            seen.allow(allowed)
        watches.append(seen)
        tab = context.new_page()
        tab.on("dialog", lambda dialog: (seen.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.goto(path.as_uri())
        if state:
            expect(tab.locator("body")).to_have_attribute("data-state", state)
        return tab

    yield open_page
    problems = [problem for one in watches for problem in one.unexpected]
    for one in watches:
        one.context.close()
    assert not problems, "\n".join(problems)


def png(scene: str, number: int = 0) -> FilePayload:
    data = photo(scene, number, "PNG", SIZES[scene])
    return {"name": f"{scene}-{number}.png", "mimeType": "image/png", "buffer": data}


def choose(tab: Page, *files: FilePayload) -> None:
    tab.get_by_test_id("chooser").set_input_files(list(files))


def shares(tab: Page) -> list[float]:
    """What the bars show, exactly, once there is an answer."""
    expect(tab.locator("[data-testid=bar][data-best]")).to_have_count(1)
    return [
        float(share) for share in tab.locator("[data-testid=bar]").evaluate_all("all => all.map(e => e.dataset.share)")
    ]


def heat(tab: Page) -> Locator:
    """The heat map that is shown, if there is one."""
    return tab.get_by_test_id("heat").filter(visible=True)


def finished(tab: Page) -> None:
    expect(tab.get_by_test_id("progress")).to_be_hidden()


# Photos


def test_a_photo_is_named_as_the_runtime_names_it(opened: Opened, model: bytes) -> None:
    tab = opened()
    classifier = Classifier.load(model)
    for scene in ("stripes", "dots"):
        file = png(scene, 3)
        choose(tab, file)
        expect(tab.get_by_test_id("photo")).to_have_attribute("alt", file["name"])
        (expected,) = classifier.predict(file["buffer"])
        np.testing.assert_allclose(shares(tab), list(expected.probabilities.values()), atol=1e-3)
        expect(tab.get_by_test_id("winner")).to_have_text(expected.label)
        shown = tab.get_by_test_id("bar-value").all_inner_texts()
        assert shown == [f"{round(100 * p)}\u202f%" for p in expected.probabilities.values()]


@pytest.mark.parametrize(("kept", "tolerance"), [("half", 1e-3), ("quarter", 0.05)])
def test_smaller_models_say_in_a_browser_what_they_say_natively(
    opened: Opened, made: Callable[..., Path], kept: str, tolerance: float
) -> None:
    path, variant = made(kept=kept), EXPORTER.variant(kept)
    assert variant is not None
    native = EXPORTER.open(path, variant)
    tab = opened(path=path)
    for scene in ("stripes", "dots"):
        file = png(scene, 3)
        choose(tab, file)
        expect(tab.get_by_test_id("photo")).to_have_attribute("alt", file["name"])
        pixels = np.asarray(PIL.Image.open(io.BytesIO(file["buffer"])))
        # Processors round products of bytes differently.
        np.testing.assert_allclose(shares(tab), native([pixels]).probabilities[0], atol=tolerance)


def test_a_photo_is_turned_upright(opened: Opened, model: bytes) -> None:
    tab = opened()
    file = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(frame("stripes", 1, (160, 120))).save(file, "JPEG", quality=100, subsampling=0, exif=exif)
    choose(tab, {"name": "phone.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()})
    expected = Classifier.load(model).probabilities(file.getvalue())[0]
    # Decoders of JPEG differ by a step of 255 here and there.
    np.testing.assert_allclose(shares(tab), expected, atol=5e-3)


def test_transparent_parts_are_shown_on_white(opened: Opened, model: bytes) -> None:
    tab = opened()
    pixels = np.dstack([frame("dots", 1, (120, 120)), np.full((120, 120), 255, np.uint8)])
    pixels[30:90, 30:90, 3] = 0
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    choose(tab, {"name": "hole.png", "mimeType": "image/png", "buffer": file.getvalue()})
    np.testing.assert_allclose(shares(tab), Classifier.load(model).probabilities(file.getvalue())[0], atol=1e-3)


def test_many_photos_become_a_table_and_a_file(opened: Opened, model: bytes) -> None:
    tab = opened()
    files = [png(scene, number) for number in range(3) for scene in ("stripes", "dots")]
    files[0]["name"] = '=HYPERLINK("x"),.png'
    broken: FilePayload = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"not a photo"}
    choose(tab, *files, broken)
    finished(tab)
    rows = tab.get_by_test_id("row")
    expect(rows).to_have_count(7)
    expect(rows.last).to_contain_text(say("offline.unreadable", name="broken.jpg"))
    title = "6 photos, 1 could not be read"
    expect(tab.get_by_role("heading", name=title)).to_be_visible()
    expect(tab.get_by_test_id("jump")).to_have_text(say("offline.batch.jump", photos=title))
    expect(tab.locator("[data-testid=row] img")).to_have_count(6)
    with tab.expect_download() as waiting:
        tab.get_by_test_id("csv").click()
    text = waiting.value.path().read_bytes().decode("utf-8")
    assert text.startswith("\ufeff")
    assert text.endswith("\r\n")
    head, *lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    assert head == ["file", "label", "probability", *LABELS, "note"]
    assert lines[0][0] == '\'=HYPERLINK("x"),.png'
    classifier = Classifier.load(model)
    for file, line in zip(files, lines, strict=False):
        (expected,) = classifier.predict(file["buffer"])
        assert line[1] == expected.label
        np.testing.assert_allclose([float(n) for n in line[3:6]], list(expected.probabilities.values()), atol=1e-3)
        assert float(line[2]) == max(float(n) for n in line[3:6])
    assert lines[6][1:] == ["", "", "", "", "", say("offline.unreadable", name="broken.jpg")]
    rows.nth(1).get_by_role("button").click()
    expect(tab.get_by_test_id("photo")).to_have_attribute("alt", files[1]["name"])
    expect(rows.nth(1).get_by_role("button")).to_have_attribute("aria-current", "true")
    rows.last.get_by_role("button").click()
    expect(tab.get_by_test_id("problem")).to_have_text(say("offline.unreadable", name="broken.jpg"))
    rows.nth(3).get_by_role("cell").nth(1).click()
    expect(tab.get_by_test_id("photo")).to_have_attribute("alt", files[3]["name"])
    tab.get_by_test_id("clear").click()
    expect(tab.get_by_test_id("batch")).to_be_hidden()
    expect(tab.get_by_test_id("jump")).to_be_hidden()
    expect(tab.get_by_test_id("welcome")).to_be_visible()


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_on_a_phone_one_gets_to_the_table_and_back_to_the_photo(opened: Opened, motion: str) -> None:
    tab = opened(viewport={"width": 390, "height": 700}, reduced_motion=motion)
    choose(tab, *(png("dots", number) for number in range(12)))
    finished(tab)
    row = tab.get_by_test_id("row").nth(1)
    expect(row).not_to_be_in_viewport()
    tab.get_by_test_id("jump").click()
    expect(row).to_be_in_viewport()
    row.get_by_role("cell").last.click()
    expect(tab.get_by_test_id("photo")).to_have_attribute("alt", "dots-1.png")
    expect(tab.get_by_test_id("photo")).to_be_in_viewport(ratio=0.9)


def test_a_long_file_name_keeps_its_end(opened: Opened) -> None:
    tab = opened(viewport={"width": 390, "height": 844})
    files = [png("dots", 0), png("dots", 1)]
    files[0]["name"] = "e\u0301 " * 40 + "_0042.jpg"
    choose(tab, *files)
    finished(tab)
    start, end = tab.locator("[data-testid=row] .o-file").first.locator("span").all()
    assert start.evaluate("e => e.scrollWidth > e.clientWidth")
    expect(end).to_have_text("_0042.jpg")
    assert end.evaluate("e => e.scrollWidth <= e.clientWidth || e.clientWidth === 0")


def test_the_buttons_keep_their_place(opened: Opened) -> None:
    tab = opened()
    before = tab.get_by_test_id("choose").bounding_box()
    for size in ((40, 30), (900, 200), (300, 1200)):
        choose(tab, {"name": f"{size}.png", "mimeType": "image/png", "buffer": photo("dots", 0, "PNG", size)})
        expect(tab.get_by_test_id("photo")).to_have_attribute("alt", f"{size}.png")
        shares(tab)
        assert tab.get_by_test_id("choose").bounding_box() == before


def test_photos_can_be_dropped_and_pasted(opened: Opened) -> None:
    tab = opened()
    for number, (kind, event) in enumerate(
        (("dataTransfer", "DragEvent('drop'"), ("clipboardData", "ClipboardEvent('paste'"))
    ):
        tab.evaluate(
            f"""([data, name]) => {{
                const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
                const carried = new DataTransfer();
                carried.items.add(new File([bytes], name, {{ type: "image/png" }}));
                document.body.dispatchEvent(new {event}, {{ {kind}: carried, bubbles: true, cancelable: true }}));
            }}""",
            [base64.b64encode(png("dots", number)["buffer"]).decode(), f"{number}.png"],
        )
        expect(tab.get_by_test_id("photo")).to_have_attribute("alt", f"{number}.png")
        shares(tab)
    expect(tab.get_by_test_id("row")).to_have_count(2)


def test_a_huge_photo_is_made_smaller_and_that_is_said(opened: Opened) -> None:
    tab = opened()
    file = io.BytesIO()
    PIL.Image.new("RGB", (5000, 3400), (200, 120, 60)).save(file, "PNG", compress_level=1)
    choose(tab, {"name": "huge.png", "mimeType": "image/png", "buffer": file.getvalue()})
    shares(tab)
    expect(tab.get_by_test_id("note")).to_have_text(say("offline.reduced", name="huge.png", megapixels=16))


def test_hundreds_of_photos_are_listed_page_by_page(opened: Opened) -> None:
    tab = opened()
    small = photo("dots", 0, "PNG", (24, 24))
    choose(tab, *({"name": f"{n}.png", "mimeType": "image/png", "buffer": small} for n in range(120)))
    finished(tab)
    expect(tab.get_by_test_id("row")).to_have_count(50)
    tab.get_by_test_id("more").click()
    tab.get_by_test_id("more").click()
    expect(tab.get_by_test_id("row")).to_have_count(120)
    expect(tab.get_by_test_id("more")).to_be_hidden()


# Heat map


def test_the_heat_map_is_that_of_the_winner(opened: Opened, model: bytes) -> None:
    tab = opened()
    file = png("dots")
    choose(tab, file)
    shares(tab)
    expect(heat(tab)).to_have_count(0)
    tab.get_by_test_id("heat-switch").check()
    expect(heat(tab)).to_be_visible()
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    pixels = np.asarray(PIL.Image.open(io.BytesIO(file["buffer"])))[None]
    found, maps = session.run(["probabilities", "heatmap"], {"image": pixels})
    winner = int(found[0].argmax())
    expect(tab.get_by_test_id("heat-about")).to_have_text(
        f"{say('offline.heat_about', name=LABELS[winner])} {say('offline.heat_edge')}"
    )
    expect(tab.get_by_test_id("outside").filter(visible=True)).to_have_count(1)
    expected = np.maximum(maps[0, winner] / maps[0, winner].max(), 0)
    drawn = heat(tab).evaluate(
        "c => [c.width, c.height, [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]]"
    )
    assert drawn[:2] == list(expected.shape[::-1])
    reds = np.array(drawn[2]).reshape(*expected.shape, 4)[..., 0]
    np.testing.assert_allclose((reds - 12) / 243, expected, atol=0.03)
    # The square in the middle of a photo higher than wide, where the model looks.
    picture, square = tab.get_by_test_id("photo").bounding_box(), heat(tab).bounding_box()
    assert picture is not None
    assert square is not None
    assert square["width"] == pytest.approx(picture["width"], abs=1)
    assert square["height"] == pytest.approx(picture["width"], abs=1)
    assert square["y"] + square["height"] / 2 == pytest.approx(picture["y"] + picture["height"] / 2, abs=1)
    tab.get_by_test_id("heat-switch").uncheck()
    expect(heat(tab)).to_have_count(0)
    expect(tab.get_by_test_id("heat-about")).to_be_hidden()


# Camera


def test_the_camera_starts_shows_answers_and_stops(opened: Opened) -> None:
    tab = opened("stripes")
    tab.evaluate("""() => {
        const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wish) => (window.stream = await get(wish));
    }""")
    tab.get_by_test_id("power").click()
    shares(tab)
    expect(tab.get_by_test_id("camera")).to_be_visible()
    expect(tab.get_by_test_id("power")).to_have_text(say("offline.stop"))
    # Only the picture is a mirror, and it is one for a camera that looks at the person.
    assert (
        tab.get_by_test_id("camera")
        .evaluate("v => getComputedStyle(v.parentElement).transform")
        .startswith("matrix(-1")
    )
    tab.get_by_test_id("heat-switch").check()
    expect(heat(tab)).to_have_count(1)
    tab.get_by_test_id("power").click()
    expect(tab.get_by_test_id("camera")).to_be_hidden()
    expect(tab.get_by_test_id("welcome")).to_be_visible()
    expect(tab.locator("[data-testid=bar][data-best]")).to_have_count(0)
    assert tab.evaluate("() => stream.getTracks().every((track) => track.readyState === 'ended')")


def test_choosing_a_photo_stops_the_camera(opened: Opened) -> None:
    tab = opened("dots")
    tab.get_by_test_id("power").click()
    shares(tab)
    choose(tab, png("stripes"))
    expect(tab.get_by_test_id("photo")).to_be_visible()
    expect(tab.get_by_test_id("camera")).to_be_hidden()
    expect(tab.get_by_test_id("power")).to_have_text(say("offline.start"))


def test_front_and_rear_camera_can_be_switched(opened: Opened, playwright: Playwright, chromium: str) -> None:
    browser = playwright.chromium.launch(
        executable_path=chromium, args=[*FLAGS, ALLOWED, "--use-fake-device-for-media-stream=device-count=2"]
    )
    tab = opened(browser=browser)
    tab.get_by_test_id("power").click()
    shares(tab)
    device = "v => v.srcObject.getVideoTracks()[0].getSettings().deviceId"
    first = tab.get_by_test_id("camera").evaluate(device)
    tab.get_by_test_id("switch").click()
    tab.wait_for_function(f"first => ({device})(document.querySelector('video')) !== first", arg=first)
    expect(tab.get_by_test_id("camera")).to_be_visible()
    shares(tab)


@pytest.mark.parametrize(
    ("camera", "key"),
    [
        ("missing", "missing"),
        ("refused", "refused"),
    ],
)
def test_without_a_camera_the_page_says_so_and_photos_work(opened: Opened, camera: str, key: str) -> None:
    tab = opened(camera)
    tab.get_by_test_id("power").click()
    expect(tab.get_by_test_id("problem")).to_have_text(say(f"offline.camera.{key}"))
    choose(tab, png("dots"))
    shares(tab)
    expect(tab.get_by_test_id("problem")).to_be_hidden()


NO_CAMERA = "Object.defineProperty(Navigator.prototype, 'mediaDevices', { get: () => undefined });"


@pytest.mark.parametrize(("touch", "first", "hint"), [(True, "take", "hint_take"), (False, "choose", "hint_photos")])
@pytest.mark.parametrize(("secure", "key"), [(True, "no_live"), (False, "camera.insecure")])
def test_where_browsers_give_no_camera_photos_come_first(
    opened: Opened, touch: bool, first: str, hint: str, secure: bool, key: str
) -> None:
    script = NO_CAMERA + f"Object.defineProperty(window, 'isSecureContext', {{ get: () => {str(secure).lower()} }});"
    tab = opened(script=script, has_touch=touch, is_mobile=touch)
    expect(tab.locator(".t-primary")).to_have_count(1)
    expect(tab.locator(".t-primary")).to_have_attribute("data-testid", first)
    expect(tab.get_by_test_id("power")).to_have_count(0)
    expect(tab.get_by_test_id("welcome")).to_contain_text(say(f"offline.{hint}"))
    expect(tab.get_by_test_id("no-live")).to_have_text(say(f"offline.{key}"))
    expect(tab.get_by_test_id("save")).to_have_count(0)
    expect(tab.get_by_test_id("taker")).to_have_attribute("capture", "environment")
    tab.get_by_test_id("taker").set_input_files([png("dots")])
    shares(tab)


@pytest.mark.parametrize("host", ["http://192.168.7.5:7860", "http://localhost:7860"])
def test_a_page_from_a_server_can_be_saved(
    browsers: Callable[[str], Browser], made: Callable[..., Path], host: str
) -> None:
    context = browsers("missing").new_context(accept_downloads=True)
    context.set_default_timeout(WAIT_SECONDS * 1000)
    body = made().read_bytes()
    context.route(f"{host}/**", lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8"))
    tab = context.new_page()
    tab.goto(f"{host}/pages/token")
    expect(tab.locator("body")).to_have_attribute("data-state", "ready")
    insecure = "192" in host
    expect(tab.get_by_test_id("no-live")).to_be_visible(visible=insecure)
    expect(tab.get_by_test_id("power")).to_have_count(0 if insecure else 1)
    save = tab.get_by_test_id("save")
    expect(save).to_have_attribute("href", f"{host}/pages/token")
    expect(save).to_have_attribute("download", "teachable-page.html")
    context.close()


# Names


def test_hostile_names_are_shown_as_text(opened: Opened, made: Callable[..., Path]) -> None:
    tame = opened(path=made(tuple("abcdefghi")))
    tab = opened(path=made(HOSTILE, HOSTILE[2]))
    elements = "() => document.querySelectorAll('*').length"
    assert tab.evaluate(elements) == tame.evaluate(elements)
    distinct = list(dict.fromkeys(HOSTILE))
    assert tab.get_by_test_id("bar-label").evaluate_all("all => all.map((e) => e.textContent)") == distinct
    expect(tab.get_by_role("heading", level=1)).to_have_text(HOSTILE[2])
    assert tab.title() == HOSTILE[2]
    files = [png("dots"), png("stripes")]
    choose(tab, *files)
    finished(tab)
    # Outputs of one name count as one, as in the runtime.
    expected = Classifier.load(model_of(HOSTILE)[1]).predict(files[0]["buffer"])[0].probabilities
    np.testing.assert_allclose(shares(tab), list(expected.values()), atol=1e-3)
    with tab.expect_download() as waiting:
        tab.get_by_test_id("csv").click()
    text = waiting.value.path().read_bytes().decode("utf-8-sig")
    head = next(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [name.removeprefix("'") for name in head[3:-1]] == distinct
    assert not [name for name in head if re.match(r"\s*[=+@-]", name)]


def test_of_many_classes_the_most_probable_are_shown(opened: Opened, made: Callable[..., Path]) -> None:
    labels = tuple(f"class {number}" for number in range(1000))
    tab = opened(path=made(labels))
    choose(tab, png("dots"), png("stripes"))
    finished(tab)
    values = shares(tab)
    assert len(values) == 10
    assert values == sorted(values, reverse=True)
    expect(tab.get_by_test_id("answer")).to_contain_text("990")
    with tab.expect_download() as waiting:
        tab.get_by_test_id("csv").click()
    rows = list(csv.reader(io.StringIO(waiting.value.path().read_text(encoding="utf-8-sig"), newline="")))
    assert [len(row) for row in rows] == [1004] * 3


# Other browsers


def test_without_workers_it_runs_in_the_page_and_says_so(opened: Opened, model: bytes) -> None:
    tab = opened(script="window.Worker = class { constructor() { throw new Error('no workers here'); } };")
    expect(tab.get_by_test_id("note")).to_have_text(say("offline.background"))
    file = png("stripes")
    choose(tab, file)
    np.testing.assert_allclose(shares(tab), Classifier.load(model).probabilities(file["buffer"])[0], atol=1e-3)


@pytest.mark.parametrize(
    "script",
    ["delete window.DecompressionStream;", "WebAssembly.validate = () => false;", "delete window.OffscreenCanvas;"],
)
def test_an_old_browser_is_told(opened: Opened, script: str) -> None:
    tab = opened(script=script, state=None)
    expect(tab.get_by_text(say("offline.too_old"))).to_be_visible()
    expect(tab.get_by_text(say("offline.starting"))).to_be_hidden()
    expect(tab.get_by_test_id("power")).to_have_count(0)


def test_a_damaged_file_says_so(opened: Opened, made: Callable[..., Path], folder: Path) -> None:
    text = made().read_text(encoding="utf-8")
    place = text.index('id="model">') + 5000
    (folder / "damaged.html").write_text(text[:place] + "!!!!!" + text[place + 5 :], encoding="utf-8")
    tab = opened(path=folder / "damaged.html", state="failed")
    expect(tab.get_by_test_id("failed")).to_have_text(say("offline.cannot_start"))


# Everyone


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_scrolls_sideways_and_text_can_be_read(opened: Opened, scheme: str, width: int) -> None:
    # Without motion, so that no colour is met half way to another.
    tab = opened(
        "stripes",
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": width, "height": 844},
        has_touch=width == 390,
    )
    assert tab.locator("body").inner_text().count(say("offline.private")) == 1
    overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert tab.evaluate(overflow) == 0
    tab.get_by_test_id("power").click()
    shares(tab)
    assert tab.evaluate(overflow) == 0
    choose(tab, png("dots"), png("stripes"), {"name": "x" * 90 + ".jpg", "mimeType": "image/jpeg", "buffer": b""})
    finished(tab)
    assert tab.evaluate(overflow) == 0
    colours = tab.evaluate(CONTRASTS)
    assert len(colours) > 20
    assert {text: ratio for text, ratio in colours if ratio < 4.5} == {}
    assert (tab.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(19, 21, 26)") == (
        scheme == "dark"
    )
    expect(tab.get_by_test_id("take")).to_be_visible(visible=width == 390)


CONTRASTS = """() => {
  const channels = (css) => (css.match(/[\\d.]+/g) ?? []).map(Number);
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => [0.2126, 0.7152, 0.0722].reduce((sum, part, at) => sum + part * linear(rgb[at] / 255), 0);
  function ground(element) {
    for (let at = element; at; at = at.parentElement) {
      const rgb = channels(getComputedStyle(at).backgroundColor);
      if (rgb.length === 3) return rgb;
    }
    return [255, 255, 255];
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.matches("script, .t-spoken")) continue;
    const [one, other] = [light(channels(getComputedStyle(element).color)), light(ground(element))];
    found.push([node.data.trim(), (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)]);
  }
  return found;
}"""


def test_the_keyboard_reaches_everything(opened: Opened) -> None:
    tab = opened("stripes")
    # From the first listener on the browser hands its dialogs to us; on a busy machine that takes a moment.
    tab.on("filechooser", lambda chooser: None)
    tab.keyboard.press("Tab")
    expect(tab.get_by_text(say("offline.skip"))).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.get_by_test_id("answer")).to_be_focused()
    tab.keyboard.press("Shift+Tab")
    expect(tab.get_by_test_id("heat-switch")).to_be_focused()
    tab.keyboard.press("Space")
    expect(tab.get_by_test_id("heat-switch")).to_be_checked()
    tab.keyboard.press("Shift+Tab")
    expect(tab.get_by_test_id("choose")).to_be_focused()
    with tab.expect_file_chooser() as waiting:
        tab.keyboard.press("Enter")
    waiting.value.set_files([png("dots"), png("stripes")])
    finished(tab)
    tab.keyboard.press("Shift+Tab")
    expect(tab.get_by_test_id("power")).to_be_focused()
    tab.keyboard.press("Space")
    expect(tab.get_by_test_id("camera")).to_be_visible()
    tab.keyboard.press("Space")
    expect(tab.get_by_test_id("camera")).to_be_hidden()
    tab.get_by_test_id("row").nth(1).get_by_role("button").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_test_id("photo")).to_have_attribute("alt", "stripes-0.png")


def test_the_winner_is_spoken_at_most_once_a_second(opened: Opened) -> None:
    tab = opened()
    choose(tab, *(png(scene, number) for number in range(2) for scene in ("stripes", "dots")))
    finished(tab)
    spoken = tab.get_by_test_id("spoken")
    expect(spoken).to_have_attribute("role", "status")
    spoken.evaluate("""spoken => {
        window.times = [];
        new MutationObserver(() => times.push(performance.now())).observe(spoken, { childList: true });
    }""")
    for turn in range(12):
        tab.get_by_test_id("row").nth(turn % 4).get_by_role("button").click()
    tab.get_by_test_id("row").nth(2).get_by_role("button").click()
    expect(spoken).to_have_text(re.compile(r"^stripes-1\.png: "))
    times = json.loads(tab.evaluate("() => JSON.stringify(times)"))
    assert times
    assert all(later - earlier > 950 for earlier, later in itertools.pairwise(times))


def test_every_bar_says_its_class_and_share_without_colour(opened: Opened) -> None:
    tab = opened()
    choose(tab, png("dots"))
    values = shares(tab)
    for label, share in zip(LABELS, values, strict=True):
        meter = tab.get_by_role("meter", name=label)
        expect(meter).to_have_attribute("aria-valuenow", str(round(100 * share)))
        expect(meter).to_have_attribute("aria-valuetext", f"{round(100 * share)}\u202f%")
    assert (
        len(
            set(
                tab.locator("[data-testid=bar]").evaluate_all(
                    "all => all.map(e => e.style.getPropertyValue('--class'))"
                )
            )
        )
        == 3
    )
    expect(tab.locator("[data-testid=bar] .t-icon:visible")).to_have_count(1)
