"""The live preview: predictions per second, and whether the page stays smooth meanwhile."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime as ort
from playwright.sync_api import Page

from tests.benchmarks import browser, scene, server
from tests.benchmarks.table import Row

SECONDS, PREDICTIONS = 5, 15
HEAT_MS, HEAT_ROUNDS = 3, 100
FRAME_SIDE = 256
"""Pixels of each side of a frame of the preview."""
STUDIO = "() => document.querySelector('link[href$=\"/studio/main.js\"]').href.replace('/main.js', '')"


def measure() -> list[Row]:
    """Count in a bare page with the camera, in ours without and with the preview; then run the file natively."""
    with tempfile.TemporaryDirectory() as folder:
        camera = scene.camera_file(Path(folder) / "camera.mjpeg", seconds=3)
        with (
            server.running(Path(folder) / "home") as served,
            served.client() as client,
            browser.chromium(camera) as chromium,
            browser.context(chromium, served.address) as context,
        ):
            project = server.fill(client, classes=2, each=20)
            _train(client, project)
            alone = _camera_alone(context.new_page(), served.address)
            page = browser.ready(context.new_page(), f"{served.address}/?project={project}")
            page.wait_for_function("probe.prepared.length >= 2", timeout=60_000)
            still = _count(page)
            task = {"studio": page.evaluate(STUDIO), "rounds": HEAT_ROUNDS, "side": FRAME_SIDE}
            turns = page.evaluate("task => probe.takeTurns(task)", task)
            page.evaluate("probe.answers = []")
            page.get_by_test_id("preview-toggle").check(force=True)
            page.wait_for_function("probe.answers.length > 5", timeout=30_000)
            moving = _count(page)
            model = client.get(f"/projects/{project}/model.onnx").raise_for_status().content
    return [*_rows(browser.rate(alone["frames"]), browser.rate(still["frames"]), moving, _native(model)), _heat(turns)]


def _train(client: httpx.Client, project: str) -> None:
    client.post(f"/projects/{project}/training", json={"epochs": 5}).raise_for_status()
    while server.status(client, project)["training"]["state"] == "running":
        time.sleep(0.1)
    while (model := server.status(client, project)["model"]) and model["checking"]:
        time.sleep(0.1)


def _camera_alone(page: Page, address: str) -> dict[str, Any]:
    """Count in a page that only shows the camera: what the browser itself costs on this computer."""
    page.goto(f"{address}/api/v1/health")
    page.evaluate("probe.showCamera()")
    found = _count(page)
    page.close()
    return found


def _count(page: Page) -> dict[str, Any]:
    page.evaluate("probe.count()")
    page.wait_for_timeout(SECONDS * 1000)
    found: dict[str, Any] = page.evaluate("(probe.counting = false, { frames: probe.frames, answers: probe.answers })")
    return found


def _native(model: bytes, runs: int = 40) -> float:
    """Return milliseconds of one prediction on one thread, as the page has one."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    frame = scene.picture(0, np.random.default_rng(0))[None]
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        session.run(["probabilities"], {"image": frame})
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def _rows(alone: float, still: float, moving: dict[str, Any], native: float) -> list[Row]:
    predictions = len(moving["answers"]) / SECONDS
    wasm = statistics.median(answer["milliseconds"] for answer in moving["answers"])
    during = browser.rate(moving["frames"])
    gap = browser.longest_gap(moving["frames"])
    what = f"{SECONDS} s, camera of {scene.CAMERA[1]}x{scene.CAMERA[0]} at {scene.CAMERA_RATE} frames/s"
    return [
        Row(
            "Live preview: predictions",
            f">= {PREDICTIONS}/s",
            f"{predictions:.1f}/s",
            f"the model's own time allows {1000 / wasm:.0f}/s",
            f"{what}; each waits for a fresh frame",
            met=predictions >= PREDICTIONS,
        ),
        Row(
            "Live preview: page",
            f"{browser.FRAMES} frames/s",
            f"{during:.1f} frames/s",
            f"a bare page with the camera {alone:.1f}: {during / alone:.0%}",
            f"animation frames; {still:.1f} before the preview was on; longest gap {gap:.0f} ms",
            met=browser.is_smooth(during),
        ),
        Row(
            "One prediction in the browser",
            "",
            f"{wasm:.1f} ms",
            f"native, one thread {native:.1f} ms: {wasm / native:.1f} x",
            "median, from pixels to probabilities; native in the same run after the page was closed",
        ),
    ]


def _heat(turns: dict[str, list[float]]) -> Row:
    """Return what a heat map costs a frame: asking for it, and drawing it."""
    plain = statistics.median(turns["plain"])
    # Frame by frame, so that a busy computer slows both.
    pairs = zip(turns["heat"], turns["plain"], turns["drawing"], strict=True)
    cost = statistics.median(heat - without + drawing for heat, without, drawing in pairs)
    drawing = statistics.median(turns["drawing"])
    return Row(
        "Heat map over the live preview",
        f"< {HEAT_MS} ms a frame",
        f"{cost:.2f} ms",
        f"plain prediction in turns {plain:.1f} ms: {(plain + cost) / plain:.2f} x",
        f"median of {len(turns['heat'])} frames of {FRAME_SIDE}x{FRAME_SIDE}; of it {drawing:.2f} ms drawing",
        met=cost < HEAT_MS,
    )
