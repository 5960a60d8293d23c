"""The main job in a real browser: record two classes, train, watch, take the file away."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from making import becomes
from pages import Open, Studio
from PIL import Image
from playwright.sync_api import expect
from serving import Api

from teachable.runtime import Classifier
from teachable.words import say

SAMPLES = 12


def grab(page: Studio) -> bytes:
    """Return what the camera of the preview shows now, as the bytes of a PNG."""
    address = page.at("preview-camera").evaluate(
        """(video) => {
            const canvas = Object.assign(document.createElement("canvas"), {
                width: video.videoWidth, height: video.videoHeight });
            canvas.getContext("2d").drawImage(video, 0, 0);
            return canvas.toDataURL("image/png");
        }"""
    )
    return base64.b64decode(address.partition(",")[2])


def shares(page: Studio) -> dict[str, int]:
    """Return the percentages that the bars show, by class name."""
    names = page.at("bar-label").all_inner_texts()
    values = page.at("bar-value").all_inner_texts()
    return {name: int(value.rstrip("%")) for name, value in zip(names, values, strict=True)}


def ask_about(page: Studio, name: str, data: bytes) -> dict[str, int]:
    """Give the preview a photo and return what the bars show for it."""
    page.look_at_photos({"name": name, "mimeType": "image/png", "buffer": data})
    return shares(page)


def test_two_classes_by_webcam_to_a_model_file(studio: Open, api: Api, tmp_path: Path) -> None:
    # The camera sees stripes.
    page = studio("stripes", project=api.project()["id"])
    project = page.project
    expect(page.at("preview-empty")).to_have_text(say("page.preview.train_first"))
    expect(page.train).to_be_disabled()
    page.rename(0, "Stripes")
    stripes = page.hold(0, SAMPLES)
    assert stripes >= SAMPLES
    becomes(lambda: api.counts(project).get("Stripes"), stripes)

    # Another browser, whose camera sees dots, goes on with the same project.
    page = studio("dots", project=project)
    expect(page.card(0).get_by_test_id("class-name")).to_have_value("Stripes")
    assert page.settled(0) == stripes
    page.rename(1, "Dots")
    dots = page.hold(1, SAMPLES)
    becomes(lambda: api.counts(project), {"Stripes": stripes, "Dots": dots})

    page.train.click()
    expect(page.at("train-seconds")).to_be_visible()
    page.live()
    expect(page.at("winner")).to_have_text("Dots")
    frame = grab(page)
    shown = ask_about(page, "frame.png", frame)

    # The file that the page hands out says the same of the same frame.
    page.at("export-button").click()
    expect(page.at("agreement")).to_have_text(re.compile(rf"\b{stripes + dots}\b.*\b{stripes + dots}\b"))
    with page.tab.expect_download() as started:
        page.at("download-model").click()
    file = tmp_path / started.value.suggested_filename
    started.value.save_as(file)
    assert file.name == "model.onnx"
    assert_agrees(Classifier.load(file), frame, shown)
    page.at("export-close").click()

    # A reload keeps everything, and the model is there at once.
    page.reload()
    assert [page.settled(0), page.settled(1)] == [stripes, dots]
    page.live()
    expect(page.at("winner")).to_have_text("Dots")

    # The other scene has the other name.
    page = studio("stripes", project=project).live()
    expect(page.at("winner")).to_have_text("Stripes")
    frame = grab(page)
    assert_agrees(Classifier.load(file), frame, ask_about(page, "frame.png", frame))


def assert_agrees(classifier: Classifier, frame: bytes, shown: dict[str, int]) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(frame)).convert("RGB"))
    (prediction,) = classifier.predict([pixels])
    said: dict[str, Any] = prediction.probabilities
    assert shown.keys() == said.keys()
    # The page rounds to whole percents.
    assert all(abs(said[name] * 100 - shown[name]) <= 0.5 + 1e-2 for name in said), (said, shown)
