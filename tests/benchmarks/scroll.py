"""Scrolling through many photos: whether the page stays smooth, and how many pictures there are at a time."""

import tempfile
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, Page

from tests.benchmarks import browser, server
from tests.benchmarks.table import Row

CLASSES, EACH, MANY = 26, 200, 5000
PACE, SECONDS = 1500, 4
"""Pixels a second, as a flick of a finger scrolls, and for how long."""
_PICTURES = "document.querySelectorAll('[data-testid=thumbnail]').length"
_VIEW = "[data-testid=samples-view]"


def measure() -> list[Row]:
    """Scroll a page of 26 classes, and one class of 5,000 photos, beside a plain list of the same pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        server.running(Path(folder) / "home") as served,
        served.client() as client,
        browser.chromium() as chromium,
        browser.context(chromium, served.address) as context,
    ):
        wide = server.fill(client, CLASSES, EACH)
        (opening, down), here = _visit(context, f"{served.address}/?project={wide}", "html", "html")
        deep = server.fill(client, 1, MANY)
        (inside,), few = _visit(context, f"{served.address}/?project={deep}", _VIEW)
        bare = context.new_page()
        bare.goto(f"{served.address}/api/v1/health")
        bare.evaluate("addresses => probe.listAll(addresses)", _addresses(client, deep))
        plain = _glide(bare, "#all")
    loading = f"the same while it still loads {browser.rate(opening):.1f}"
    beside = f"a plain list of all {browser.rate(plain):.1f}: {browser.rate(inside) / browser.rate(plain):.0%}"
    return [
        _row(
            f"Scrolling a page of {CLASSES} classes of {EACH}",
            down,
            f"{loading}, longest gap {browser.longest_gap(opening):.0f} ms",
            f"{here} of {CLASSES * EACH:,} pictures exist",
        ),
        _row(
            f"Scrolling a class of {MANY:,}",
            inside,
            f"{beside}, longest gap {browser.longest_gap(plain):.0f} ms",
            f"{few} pictures exist, in the plain list {MANY:,}",
        ),
    ]


def _addresses(client: httpx.Client, project: str) -> list[str]:
    """Return where the small pictures of the first class are."""
    label = client.get(f"/projects/{project}").raise_for_status().json()["classes"][0]["id"]
    numbers = client.get(f"/projects/{project}/classes/{label}/samples/ids").raise_for_status().json()["ids"]
    return [f"/api/v1/projects/{project}/samples/{number}/thumbnail" for number in numbers]


def _visit(context: BrowserContext, address: str, *of: str) -> tuple[list[list[float]], int]:
    """Open the page, scroll these parts of it, and return the frames of each and how many pictures there are then."""
    page = browser.ready(context.new_page(), address)
    browser.warm(page)
    page.wait_for_selector("[data-testid=thumbnail]")
    frames = [_glide(page, one) for one in of]
    pictures = int(page.evaluate(_PICTURES))
    page.close()
    return frames, pictures


def _glide(page: Page, of: str) -> list[float]:
    """Scroll, and return when each frame was drawn."""
    found: list[float] = page.evaluate("task => probe.glide(task)", {"of": of, "pace": PACE, "seconds": SECONDS})
    return found


def _row(name: str, frames: list[float], compared: str, how: str) -> Row:
    rate = browser.rate(frames)
    return Row(
        name,
        f"{browser.FRAMES} frames/s",
        f"{rate:.1f} frames/s",
        compared,
        f"{PACE} pixels a second for {SECONDS} s; longest gap {browser.longest_gap(frames):.0f} ms; {how}",
        met=browser.is_smooth(rate),
    )
