"""A real Chromium with a fake camera, opened on the page of a server."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream"),
    "--use-fake-device-for-media-stream",
)
FRAMES = 60
"""Frames a second of a smooth page."""

_PARTS = 4
"""Columns and header of the page; each says when it is ready."""


@contextmanager
def chromium(camera: Path | None = None) -> Iterator[Browser]:
    """Run the system's Chromium, or Playwright's own where there is none.

    Args:
        camera: file of JPEGs that the camera shows.
    """
    flags = [*_FLAGS, *([f"--use-file-for-fake-video-capture={camera}"] if camera else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        try:
            yield browser
        finally:
            browser.close()


def context(browser: Browser, address: str) -> BrowserContext:
    """Return a browser that knows nothing yet, may use the camera, and is being watched."""
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    made.grant_permissions(["camera"], origin=address)
    made.add_init_script(path=Path(__file__).with_name("probe.js"))
    return made


def ready(page: Page, address: str) -> Page:
    """Open the page and wait until every part of it can be used."""
    page.goto(address)
    page.wait_for_function(f"document.querySelectorAll('[data-ready=true]').length >= {_PARTS}", timeout=60_000)
    return page


def warm(page: Page) -> None:
    """Wait until the runtime in the page is loaded, as it is by the time somebody has taken photos."""
    page.wait_for_function("probe.prepared.length > 0", timeout=60_000)


def rate(frames: list[float]) -> float:
    """Return frames a second, of the milliseconds at which each was drawn."""
    return 1000 * (len(frames) - 1) / (frames[-1] - frames[0])


def longest_gap(frames: list[float]) -> float:
    """Return the milliseconds of the longest wait for a frame."""
    return float(max(np.diff(frames)))


def is_smooth(rate: float) -> bool:
    """Say whether that many frames a second are all; Chromium's clock gives 59.9 as often as 60."""
    return rate >= 0.97 * FRAMES
