"""One model file, two runtimes: ONNX Runtime on this computer and in the browser say the same about the same pixels."""

import base64
from typing import Any

import numpy as np
import onnxruntime
from pages import Open
from scenes import frame
from serving import Api

TOLERANCE = 1e-4
OUTPUTS = ("probabilities", "logits", "heatmap")
SIZES = ((1, 1), (97, 61), (61, 97), (224, 224), (333, 517), (640, 480))
"""Width and height of the photos; hardly any is what the network takes."""

IN_THE_BROWSER = """async ({ model, width, height, pixels, outputs }) => {
    const studio = document.querySelector("link[href$='/studio/main.js']").href;
    const folder = new URL("../ort/", studio).href;
    const ort = await import(`${folder}ort.wasm.min.mjs`);
    ort.env.wasm.wasmPaths = folder;
    ort.env.wasm.numThreads = 1;
    const file = new Uint8Array(await (await fetch(model)).arrayBuffer());
    window.session ??= await ort.InferenceSession.create(file);
    const rgb = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
    const answer = await session.run({ image: new ort.Tensor("uint8", rgb, [1, height, width, 3]) });
    return outputs.map((name) => ({ data: [...answer[name].data], dims: answer[name].dims }));
}"""

BY_THE_PAGE = """async ({ width, height, pixels }) => {
    const studio = document.querySelector("link[href$='/studio/main.js']").href;
    const { predictHere } = await import(new URL("predictor.js", studio).href);
    const rgb = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
    const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
    for (let at = 0; at < width * height; at += 1) rgba.set(rgb.subarray(3 * at, 3 * at + 3), 4 * at);
    return (await predictHere(new ImageData(rgba, width, height))).probabilities;
}"""


def test_browser_and_computer_agree_on_every_output(studio: Open, api: Api, trained: dict[str, Any]) -> None:
    page = studio(project=trained["id"]).ready_to_predict()
    native = onnxruntime.InferenceSession(api.model(trained["id"]), providers=["CPUExecutionProvider"])
    largest = dict.fromkeys(OUTPUTS, 0.0)
    for number, size in enumerate(SIZES):
        pixels = frame(("stripes", "dots")[number % 2], number, size)
        question = {
            "model": f"/api/v1/projects/{trained['id']}/model.onnx",
            "width": size[0],
            "height": size[1],
            "pixels": base64.b64encode(pixels.tobytes()).decode(),
            "outputs": OUTPUTS,
        }
        here = dict(zip(OUTPUTS, native.run(OUTPUTS, {"image": pixels[None]}), strict=True))
        there = page.tab.evaluate(IN_THE_BROWSER, question)
        for name, answer in zip(OUTPUTS, there, strict=True):
            assert tuple(answer["dims"]) == here[name].shape
            values = np.array(answer["data"], np.float32).reshape(here[name].shape)
            assert np.isfinite(values).all()
            largest[name] = max(largest[name], float(np.abs(values - here[name]).max()))
        # The page's own worker, which gets its pixels from a canvas.
        shown = np.array(page.tab.evaluate(BY_THE_PAGE, question), np.float32)
        assert np.abs(shown - here["probabilities"][0]).max() <= TOLERANCE
    print("largest difference between native and wasm:", {name: f"{value:.2e}" for name, value in largest.items()})
    assert max(largest.values()) <= TOLERANCE, largest
