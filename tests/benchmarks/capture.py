"""Holding the record button: are all frames taken, shown and stored, and how late?"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.benchmarks import browser, scene, server
from tests.benchmarks.table import Row

RATE, SECONDS = 10, 10


def measure() -> list[Row]:
    """Hold the button of the first class for ten seconds, with a camera whose frames all differ."""
    with tempfile.TemporaryDirectory() as folder:
        camera = scene.camera_file(Path(folder) / "camera.mjpeg", seconds=1.5 * SECONDS)
        with (
            server.running(Path(folder) / "home") as served,
            served.client() as client,
            browser.chromium(camera) as chromium,
            browser.context(chromium, served.address) as context,
        ):
            project: dict[str, Any] = client.post("/projects", json={}).raise_for_status().json()
            page = browser.ready(context.new_page(), f"{served.address}/?project={project['id']}")
            browser.warm(page)
            times = _hold(page)
            samples = f"/projects/{project['id']}/classes/{project['classes'][0]['id']}/samples"
            stored = int(client.get(samples).raise_for_status().json()["total"])
    return _rows(times, stored)


def _hold(page: Page) -> dict[str, Any]:
    card = page.get_by_test_id("class-card").first
    card.get_by_test_id("webcam").click()
    record = card.get_by_test_id("record")
    page.wait_for_selector("[data-testid=record]:enabled")
    page.wait_for_function("document.querySelector('[data-testid=camera]').videoWidth > 0")
    page.evaluate("probe.watchCapture()")
    record.hover()
    page.mouse.down()
    page.wait_for_timeout(SECONDS * 1000)
    page.mouse.up()
    page.wait_for_function("!document.querySelector('[data-sending]')", timeout=30_000)
    found: dict[str, Any] = page.evaluate("probe.capture")
    return found


def _rows(times: dict[str, Any], stored: int) -> list[Row]:
    held = times["released"] - times["pressed"]
    expected = int(held * RATE / 1000) + 1
    # Frame n is due n tenths of a second after the press; thumbnails appear in that order.
    delays = [at - times["pressed"] - number * 1000 / RATE for number, at in enumerate(times["shown"])]
    kept = [at - times["pressed"] - number * 1000 / RATE for number, at in enumerate(times["stored"])]
    what = f"held for {held / 1000:.1f} s at {RATE} frames/s"
    return [
        Row(
            "Capture: frames stored",
            "nothing dropped",
            f"{stored} of {expected}",
            how=f"{what}; {len(delays)} thumbnails shown",
            met=stored >= expected and len(delays) >= expected,
        ),
        Row(
            "Capture: frame due to thumbnail",
            "",
            f"worst {max(delays):.0f} ms",
            how=f"median {statistics.median(delays):.0f} ms, the first {delays[0]:.0f} ms after the press",
        ),
        Row(
            "Capture: frame due to stored",
            "",
            f"worst {max(kept):.0f} ms",
            how=f"median {statistics.median(kept):.0f} ms; the page sends {server.BATCH} frames at a time",
        ),
    ]
