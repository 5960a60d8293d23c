"""The preview: where the model looks, when it is not sure, and how strict that is."""

import base64
import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
from pages import Open, Studio
from playwright.sync_api import FilePayload, Route, expect
from scenes import frame, photo
from serving import Api

from teachable.runtime import Classifier
from teachable.words import say

SIZES = ((160, 120), (320, 240), (480, 360))
"""Of the recordings of a scene: their patterns are as unlike as their sizes, so that each is a recording of its own."""
NOT_SURE = say("page.preview.not_sure")


DRAWN = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return { width, height, reds: [...data].filter((_, at) => at % 4 === 0) };
}"""
FAMILIARITY = """async ({ width, height, pixels }) => {
    const studio = document.querySelector("link[href$='/studio/main.js']").href;
    const { predictHere } = await import(new URL("predictor.js", studio).href);
    const rgb = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
    const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
    for (let at = 0; at < width * height; at += 1) rgba.set(rgb.subarray(3 * at, 3 * at + 3), 4 * at);
    return (await predictHere(new ImageData(rgba, width, height))).familiarity;
}"""
NO_RUNTIME = """globalThis.Worker = class extends Worker {
    postMessage(data, ...more) { super.postMessage({ ...data, task: "nothing" }, ...more); }
};"""


def strange() -> bytes:
    """A picture of something that is in no class."""
    y, x = np.mgrid[0:240, 0:320].astype(np.float64)
    picture = np.stack([120 + 100 * np.sin(x / 60), 200 - y / 2, 80 + 60 * np.cos(y / 50)], axis=-1)
    picture[(x - 160) ** 2 + (y - 120) ** 2 < 72**2] = (240, 200, 190)
    file = io.BytesIO()
    PIL.Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def file(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": data}


@pytest.fixture(scope="module")
def knowing(api: Api) -> dict[str, Any]:
    """A project with a model that can be unsure. Tests that change it put it back."""
    project = api.project("Stripes", "Dots", name="Knowing")
    for number, scene in enumerate(("stripes", "dots")):
        for group, size in enumerate(SIZES):
            shots = [(f"{scene}-{shot}.png", photo(scene, shot, "PNG", size)) for shot in range(10)]
            api.add(project, number, shots, f"{scene}{group}")
    assert api.train(project["id"])["model"]["familiar"] >= 20
    return project


@pytest.fixture
def strictness(api: Api, knowing: dict[str, Any]) -> Any:
    """Tells what is stored, and puts it back when the test ends."""
    path = f"/projects/{knowing['id']}"
    yield lambda: api.ask("GET", path)["unknown_below"]
    api.ask("PATCH", path, {"unknown_below": 0.05})


def heat(page: Studio) -> Any:
    return page.at("preview").get_by_test_id("heat").filter(visible=True)


def test_what_is_in_no_class_gets_not_sure(studio: Open, api: Api, knowing: dict[str, Any]) -> None:
    page = studio(project=knowing["id"])
    page.look_at_photos(file("strange.png", strange()))
    expect(page.at("not-sure")).to_have_text(NOT_SURE)
    expect(page.at("winner-spoken").first).to_have_text(say("page.preview.winner_unsure"))
    expect(page.at("preview").locator("[data-testid=bar][data-best]")).to_have_count(0)
    classifier = Classifier.load(api.model(knowing["id"]))
    (said,) = classifier.predict(strange())
    assert said.known is False
    page.look_at_photos(file("dots.png", photo("dots", 4, "PNG", SIZES[1])))
    expect(page.at("not-sure")).to_be_hidden()
    expect(page.at("preview").locator("[data-testid=bar][data-best]")).to_contain_text("Dots")
    names = page.at("preview-results").locator(".t-result-name")
    expect(names).to_have_text(["Dots", NOT_SURE])


def test_browser_and_computer_agree_on_familiarity(studio: Open, api: Api, knowing: dict[str, Any]) -> None:
    page = studio(project=knowing["id"]).ready_to_predict()
    classifier = Classifier.load(api.model(knowing["id"]))
    for pixels in (
        *(frame(scene, 5, size) for scene in ("stripes", "dots") for size in SIZES),
        frame("dots", 3, (61, 97)),
    ):
        height, width, _ = pixels.shape
        question = {"width": width, "height": height, "pixels": base64.b64encode(pixels.tobytes()).decode()}
        (native,) = classifier.predict(pixels)
        assert page.tab.evaluate(FAMILIARITY, question) == pytest.approx(native.familiarity, abs=1e-3)


def test_the_slider_acts_at_once_and_is_kept(
    studio: Open, knowing: dict[str, Any], strictness: Callable[[], float]
) -> None:
    page = studio(project=knowing["id"])
    page.look_at_photos(file("strange.png", strange()))
    expect(page.at("not-sure")).to_be_visible()
    slider = page.at("strictness")
    expect(slider).to_have_value("5")
    held: list[Route] = []
    late = True
    address = f"**/projects/{knowing['id']}"
    page.tab.route(address, lambda route: held.append(route) if late else route.continue_())
    with page.tab.expect_request(lambda asked: asked.method == "PATCH"):
        slider.focus()
        page.tab.keyboard.press("Home")
    # Before anything is saved.
    expect(page.at("not-sure")).to_be_hidden()
    late = False
    with page.tab.expect_response(lambda answer: answer.request.method == "PATCH") as saving:
        for route in held:
            route.continue_()
    assert saving.value.ok
    expect(page.at("strictness-about")).to_have_text(say("page.preview.strict_never"))
    assert strictness() == 0
    page.reload()
    # It has its value before it is shown: that waits until the model can be asked.
    expect(page.at("strictness")).to_be_visible()
    expect(page.at("strictness")).to_have_value("0")
    with page.tab.expect_response(lambda answer: answer.request.method == "PATCH"):
        page.at("strictness").focus()
        page.tab.keyboard.press("End")
    assert strictness() == 0.5
    expect(page.at("strictness")).to_have_attribute("aria-valuetext", say("page.preview.strict_about", count=50))


def test_where_it_looks_lies_over_a_photo(studio: Open, api: Api, knowing: dict[str, Any]) -> None:
    page = studio(project=knowing["id"])
    wide = photo("dots", 4, "PNG", (320, 160))
    page.look_at_photos(file("dots.png", photo("dots", 4, "PNG", SIZES[1])), file("wide.png", wide))
    expect(heat(page)).to_have_count(0)
    page.at("heat-switch").check(force=True)
    expect(heat(page)).to_have_count(1)
    expect(page.at("heat-about")).to_contain_text(say("page.preview.look_about", name="Dots"))
    # One that was answered before it was asked for.
    page.at("preview-result").nth(1).get_by_role("button").click()
    expect(page.at("preview-photo")).to_have_attribute("alt", "wide.png")
    expect(page.at("heat-about")).to_contain_text(say("page.preview.look_edge"))
    expect(page.at("preview").get_by_test_id("outside").filter(visible=True)).to_have_count(1)
    photo_box, heat_box = page.at("preview-photo").bounding_box(), heat(page).bounding_box()
    assert photo_box is not None
    assert heat_box is not None
    assert heat_box["width"] == pytest.approx(heat_box["height"], abs=1)
    assert heat_box["height"] == pytest.approx(photo_box["height"], abs=1)
    assert heat_box["x"] + heat_box["width"] / 2 == pytest.approx(photo_box["x"] + photo_box["width"] / 2, abs=1)
    # What is drawn is the output of the file.
    explanation = Classifier.load(api.model(knowing["id"])).explain(wide)
    drawn = heat(page).evaluate(DRAWN)
    expected = explanation.heatmap[int(explanation.probabilities.argmax())]
    assert (drawn["height"], drawn["width"]) == expected.shape
    shares = np.clip(expected / expected.max(), 0, None).ravel()
    # Canvases keep colours multiplied by their opacity, which costs a step or two.
    np.testing.assert_allclose(drawn["reds"], 12 + 243 * shares, atol=4)
    page.at("heat-switch").uncheck(force=True)
    expect(heat(page)).to_have_count(0)


def test_where_it_looks_lies_over_the_camera_and_is_mirrored_with_it(studio: Open, knowing: dict[str, Any]) -> None:
    page = studio("dots", project=knowing["id"]).live()
    page.at("heat-switch").check(force=True)
    expect(heat(page)).to_have_count(1)
    mirror = "element => new DOMMatrix(getComputedStyle(element).transform).a"
    assert page.at("preview-camera").evaluate(mirror) == -1
    assert heat(page).evaluate(f"canvas => ({mirror})(canvas.parentElement)") == -1
    # What is drawn changes with the picture.
    first = heat(page).evaluate("canvas => canvas.toDataURL()")
    page.tab.wait_for_function(
        "([canvas, first]) => canvas.toDataURL() !== first", arg=[heat(page).element_handle(), first]
    )
    page.at("preview-toggle").uncheck(force=True)
    expect(heat(page)).to_have_count(0)


def test_the_server_says_not_sure_too(studio: Open, knowing: dict[str, Any]) -> None:
    page = studio(project=knowing["id"], script=NO_RUNTIME)
    expect(page.at("preview-problem")).to_be_visible()
    page.at("use-server").click()
    page.look_at_photos(file("strange.png", strange()))
    expect(page.at("not-sure")).to_be_visible()
    expect(page.at("strictness")).to_be_visible()
    # Maps are for the browser that runs the model itself.
    expect(page.at("heat-switch")).to_be_hidden()


def test_a_model_that_cannot_be_unsure_says_so(studio: Open, api: Api) -> None:
    project = api.project("Stripes", "Dots", name="One recording each")
    for number, scene in enumerate(("stripes", "dots")):
        api.add(project, number, [(f"{scene}.png", photo(scene, shot, "PNG")) for shot in range(3)], scene)
    assert api.train(project["id"])["model"]["familiar"] == 0
    page = studio(project=project["id"])
    page.look_at_photos(file("strange.png", strange()))
    expect(page.at("no-familiarity")).to_have_text(say("page.preview.cannot_be_unsure"))
    expect(page.at("strictness")).to_be_hidden()
    expect(page.at("not-sure")).to_be_hidden()
    expect(page.at("heat-switch")).to_be_attached()


EXPLAIN = """async ([sample, classes, trained]) => {
    const studio = document.querySelector("link[href$='/studio/main.js']").href;
    const { explainPhoto } = await import(new URL("explain-photo.js", studio).href);
    const dialog = document.createElement("dialog");
    dialog.className = "t-root t-dialog";
    dialog.append(explainPhoto({ sample, classes, trained }));
    document.body.append(dialog);
    dialog.showModal();
}"""


def explained(page: Studio, api: Api, project: dict[str, Any], *, trained: bool = False) -> Any:
    sample = next(iter(api.stored(project["id"], 1)))
    page.tab.evaluate(EXPLAIN, [sample, [label["id"] for label in project["classes"]], trained])
    return page.at("explain")


def test_a_stored_photo_is_explained(studio: Open, api: Api, knowing: dict[str, Any]) -> None:
    page = studio(project=knowing["id"])
    element = explained(page, api, knowing, trained=True)
    expect(element).to_have_attribute("data-state", "ready")
    expect(element.get_by_test_id("explain-winner")).to_have_text(re.compile(r"Dots, \d+%"))
    expect(element.get_by_text(say("page.explain.trained"))).to_be_visible()
    pressed = element.locator("[data-testid=bar][aria-pressed=true]")
    expect(pressed).to_contain_text("Dots")
    expect(element.get_by_test_id("heat")).to_be_visible()
    before = element.get_by_test_id("heat").evaluate("canvas => canvas.toDataURL()")
    # The map of another class, by keyboard.
    element.get_by_test_id("bar").first.focus()
    page.tab.keyboard.press("Enter")
    expect(pressed).to_contain_text("Stripes")
    expect(element.get_by_test_id("explain-about")).to_contain_text(say("page.preview.look_about", name="Stripes"))
    assert element.get_by_test_id("heat").evaluate("canvas => canvas.toDataURL()") != before
    element.get_by_test_id("explain-heat").uncheck(force=True)
    expect(element.get_by_test_id("heat")).to_be_hidden()
    # And so it stays, for the next photo.
    element.evaluate("element => element.closest('dialog').remove()")
    element = explained(page, api, knowing)
    expect(element).to_have_attribute("data-state", "ready")
    expect(element.get_by_test_id("heat")).to_be_hidden()


def test_a_photo_that_cannot_be_explained_says_why(studio: Open, api: Api) -> None:
    project = api.project()
    api.add(project, 1, [("dots.png", photo("dots", 0, "PNG"))], "dots")
    page = studio(project=project["id"])
    page.watch.allow("/prediction|Failed to load resource")
    element = explained(page, api, project)
    expect(element).to_have_attribute("data-state", "problem")
    expect(element.get_by_test_id("explain-problem")).not_to_be_empty()
    expect(element.get_by_role("button", name=say("page.try_again"))).to_be_visible()


def test_a_model_that_did_not_come_is_not_one_that_cannot_run(studio: Open, trained: dict[str, Any]) -> None:
    page = studio()
    page.watch.allow("ERR_FAILED")
    page.tab.context.route("**/model.onnx*", lambda route: route.abort())
    with page.watch.leaving():
        page.tab.goto(f"{page.address}/?project={trained['id']}")
    expect(page.at("preview-problem")).to_contain_text(say("page.error.offline"))
    page.tab.context.unroute("**/model.onnx*")
    expect(page.at("preview-problem")).to_be_hidden()
    page.ready_to_predict()


def test_a_runtime_that_did_not_come_is_fetched_again(studio: Open, trained: dict[str, Any]) -> None:
    page = studio()
    page.watch.allow("ERR_FAILED|wasm")
    # It is asked for ahead, and then twice by the runtime itself.
    page.tab.context.route("**/*.wasm", lambda route: route.abort(), times=3)
    with page.watch.leaving(), page.tab.context.expect_event("requestfailed", lambda asked: ".wasm" in asked.url):
        page.tab.goto(f"{page.address}/?project={trained['id']}")
    page.ready().ready_to_predict()
    expect(page.at("preview-problem")).to_be_hidden()
