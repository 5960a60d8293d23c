"""Takes the pictures of the page that the README shows: `uv run --group dev python -m tests.readme_picture`.

Everything in it is real but the photos, which are drawn here: a real server, a real training, and live predictions in
Chromium from a camera that plays a drawn film. It is run by hand when the look of the page changes.
"""

import io
import math
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "readme"
CAMERA = "--use-fake-ui-for-media-stream --use-fake-device-for-media-stream --use-file-for-fake-video-capture={film}"
QUIET = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update"
# Colour of the wall, of what stands before it, and of its grain: recordings are made in different places.
PLACES = (
    ((206, 196, 182), (150, 118, 92), (138, 107, 82)),
    ((228, 226, 214), (92, 128, 108), (112, 150, 128)),
    ((168, 196, 220), (214, 208, 198), (236, 236, 232)),
)
Draw = Callable[[ImageDraw.ImageDraw, float, float, float], None]


def lemon(draw: ImageDraw.ImageDraw, x: float, y: float, size: float) -> None:
    draw.ellipse((x - 1.15 * size, y - 0.18 * size, x + 1.15 * size, y + 0.18 * size), fill="#d9a400")
    draw.ellipse((x - size, y - 0.72 * size, x + size, y + 0.72 * size), fill="#f2c413")
    draw.ellipse((x - 0.75 * size, y - 0.6 * size, x + 0.35 * size, y + 0.1 * size), fill="#f8d94f")


def mug(draw: ImageDraw.ImageDraw, x: float, y: float, size: float) -> None:
    draw.ellipse(
        (x + 0.35 * size, y - 0.5 * size, x + 1.25 * size, y + 0.45 * size), outline="#1f5f8b", width=int(size / 5)
    )
    draw.rounded_rectangle((x - 0.75 * size, y - 0.9 * size, x + 0.75 * size, y + 0.9 * size), size / 5, fill="#2878ad")
    draw.ellipse((x - 0.75 * size, y - 1.1 * size, x + 0.75 * size, y - 0.7 * size), fill="#d8e6ef")
    draw.ellipse((x - 0.62 * size, y - 1.04 * size, x + 0.62 * size, y - 0.76 * size), fill="#4a2c1a")


def leaf(draw: ImageDraw.ImageDraw, x: float, y: float, size: float) -> None:
    edge = [(x + 1.3 * size * (t / 20 - 1), y + 0.6 * size * math.sin(math.pi * t / 40)) for t in range(41)]
    back = [(px, y - 0.6 * size * math.sin(math.pi * t / 40)) for t, (px, _) in enumerate(edge)]
    draw.polygon([*edge, *reversed(back)], fill="#3f8f3a")
    draw.line((x - 1.5 * size, y, x + 1.2 * size, y), fill="#cfe8b0", width=max(2, int(size / 14)))


def scene(what: Draw, rng: random.Random, sway: float = 0.0, place: int = 0) -> Image.Image:
    """Return one thing somewhere, 480 x 480, a little different each time."""
    wall, top, grain = PLACES[place]
    warm = rng.randint(0, 18)
    picture = Image.new("RGB", (480, 480), (wall[0] + warm, wall[1] + warm // 2, wall[2]))
    draw = ImageDraw.Draw(picture)
    edge = (300, 240, 370)[place]
    draw.rectangle((0, edge, 480, 480), fill=(top[0] + warm, top[1] + warm // 2, top[2]))
    for _ in range(14):
        if place == 1:
            x = rng.randint(0, 480)
            draw.line((x, edge, x + rng.randint(-60, 60), 480), fill=grain, width=5)
        else:
            y = rng.randint(edge + 4, 480)
            draw.line((0, y, 480, y + rng.randint(-6, 6)), fill=grain, width=2)
    if place == 2:
        draw.rectangle((60, -5, 76, 370), fill=grain)
        draw.rectangle((330, -5, 346, 370), fill=grain)
    x, y, size = 240 + rng.uniform(-50, 50) + sway, 260 + rng.uniform(-25, 25), rng.uniform(95, 130)
    draw.ellipse((x - 1.1 * size, y + 0.62 * size, x + 1.2 * size, y + size), fill=tuple(part * 3 // 4 for part in top))
    what(draw, x, y, size)
    turned = picture.rotate(rng.uniform(-9, 9), Image.Resampling.BICUBIC, fillcolor=(wall[0] + warm, wall[1], wall[2]))
    return turned.filter(ImageFilter.GaussianBlur(1.2))


def jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def film(path: Path) -> None:
    """Write what the camera sees: a mug that sways a little."""
    frames = [scene(mug, random.Random(3), 20 * math.sin(2 * math.pi * step / 30)) for step in range(30)]
    wide = []
    for frame in frames:
        canvas = Image.new("RGB", (640, 480), frame.getpixel((2, 2)))
        canvas.paste(frame, (80, 0))
        wide.append(jpeg(canvas))
    path.write_bytes(b"".join(wide))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        film(folder / "camera.mjpeg")
        command = [
            sys.executable,
            "-m",
            "teachable",
            "serve",
            "--offline",
            "--no-browser",
            "--port",
            "0",
            "--home",
            str(folder / "home"),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            ready = next(line for line in server.stdout if "http://" in line)
            address = "http://" + ready.split("http://")[1].split()[0]
            try:
                take(address, folder / "camera.mjpeg")
            finally:
                server.terminate()


def take(address: str, camera: Path) -> None:
    flags = f"{QUIET} {CAMERA.format(film=camera)}".split()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 760}, device_scale_factor=1.5)
        page.goto(address)
        page.wait_for_selector('[data-ready="true"]')
        page.get_by_test_id("add-class").click()
        for index, (name, what) in enumerate({"Lemon": lemon, "Mug": mug, "Leaf": leaf}.items()):
            card = page.get_by_test_id("class-card").nth(index)
            title = card.get_by_test_id("class-name")
            title.click()
            page.keyboard.press("Control+A")
            page.keyboard.type(name)
            page.keyboard.press("Enter")
            for upload in range(3):
                rng = random.Random(f"{name}{upload}")
                photos = [
                    {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": jpeg(scene(what, rng, place=upload))}
                    for number in range(8)
                ]
                if (name, upload) == ("Leaf", 0):
                    # Somebody was not paying attention, and the report finds it.
                    photos[3]["buffer"] = jpeg(scene(mug, rng, place=upload))
                card.locator('input[type="file"]').first.set_input_files(photos)
                count = card.get_by_test_id("sample-count").filter(has_text=str(8 * (upload + 1)))
                count.wait_for()
        page.locator("#train-button").click()
        page.locator('[data-state="live"]').first.wait_for(timeout=30_000)
        page.wait_for_timeout(1500)
        FOLDER.mkdir(exist_ok=True)
        page.mouse.move(0, 0)
        shoot(page, "page.png")
        page.get_by_test_id("train-why").click()
        page.locator('[data-testid="report"][data-state="done"]').wait_for(timeout=60_000)
        page.wait_for_timeout(1500)
        page.locator("#under-the-hood").evaluate("(section) => window.scrollTo(0, section.offsetTop - 12)")
        page.mouse.move(0, 0)
        shoot(page, "report.png")
        browser.close()


def shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(500)
    page.screenshot(path=FOLDER / name)
    with Image.open(FOLDER / name) as picture:
        picture.quantize(255, dither=Image.Dither.NONE).save(FOLDER / name, optimize=True)


if __name__ == "__main__":
    main()
