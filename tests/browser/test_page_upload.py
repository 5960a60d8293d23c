"""Photos that come as files: chosen, dropped or pasted, good and bad."""

import base64
import io
from pathlib import Path

from making import becomes
from pages import Open, Studio
from PIL import Image
from playwright.sync_api import FilePayload, expect
from scenes import photo, photos
from serving import Api

from teachable.words import say


def payload(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}


def choose(page: Studio, number: int, files: list[tuple[str, bytes]]) -> None:
    """Press Upload and choose files in the dialog that opens."""
    with page.tab.expect_file_chooser() as opened:
        page.card(number).get_by_test_id("upload").click()
    assert opened.value.is_multiple()
    opened.value.set_files([payload(name, data) for name, data in files])


def bomb() -> bytes:
    """Return a small file that unfolds into more pixels than are accepted."""
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    return file.getvalue()


def test_chosen_photos_of_several_kinds_are_added(studio: Open, api: Api) -> None:
    page = studio(project=api.project()["id"])
    kinds = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
    choose(page, 1, [(f"{kind}.{kind.lower()}", photo("dots", at, kind)) for at, kind in enumerate(kinds)])
    page.expect_samples(1, len(kinds))
    expect(page.card(1).get_by_test_id("thumbnail")).to_have_count(len(kinds))
    # Nothing went wrong, so there is nothing to report.
    expect(page.card(1).get_by_test_id("upload-report")).to_be_hidden()
    becomes(lambda: api.counts(page.project), {"Class 1": 0, "Class 2": len(kinds)})


def test_bad_files_are_explained_and_good_ones_kept(studio: Open, api: Api) -> None:
    page = studio(project=api.project()["id"])
    good = photo("dots", 0)
    bad = {
        "cut.jpg": (good[: len(good) // 2], "photo_truncated"),
        "nothing.jpg": (b"", "photo_empty"),
        "letter.jpg": (b"Dear Sir or Madam, this is no photo.\n" * 50, "photo_unknown"),
        "bomb.png": (bomb(), "photo_pixels"),
    }
    files = [("good.jpg", good), *((name, data) for name, (data, _) in bad.items()), ("better.jpg", photo("dots", 1))]
    choose(page, 0, files)
    reasons = page.card(0).get_by_test_id("rejected").get_by_role("listitem")
    expect(reasons).to_have_count(len(bad))
    for name, (_, key) in bad.items():
        words = say(f"error.{key}", name=name, megapixels=81, allowed=64)
        expect(reasons.filter(has_text=name)).to_have_text(words)
    expect(page.card(0).get_by_test_id("upload-report")).to_contain_text(say("page.upload.rejected", count=len(bad)))
    expect(page.card(0).get_by_test_id("thumbnail")).to_have_count(2)
    becomes(lambda: api.counts(page.project)["Class 1"], 2)


def test_repeats_are_skipped_and_counted(studio: Open, api: Api) -> None:
    page = studio(project=api.project()["id"])
    same = photo("stripes", 0)
    choose(page, 0, [("a.jpg", same), ("b.jpg", same), ("c.jpg", photo("stripes", 1))])
    expect(page.card(0).get_by_test_id("repeats")).to_have_text(say("page.upload.repeats", count=1))
    choose(page, 0, [("d.jpg", same), ("e.jpg", photo("stripes", 1))])
    expect(page.card(0).get_by_test_id("repeats")).to_have_text(say("page.upload.repeats", count=2))
    assert page.count(0) == api.counts(page.project)["Class 1"] == 2


def test_photos_dropped_on_a_card_go_there(studio: Open, api: Api, tmp_path: Path) -> None:
    page = studio(project=api.project()["id"])
    files = []
    for name, data in photos("dots", 3):
        (tmp_path / name).write_bytes(data)
        files.append(tmp_path / name)
    page.drop(page.card(1), files)
    page.expect_samples(1, 3)
    becomes(lambda: api.counts(page.project), {"Class 1": 0, "Class 2": 3})


def test_a_pasted_picture_goes_to_the_class_last_used(studio: Open, api: Api) -> None:
    page = studio(project=api.project()["id"], permissions=["clipboard-read", "clipboard-write"])
    page.tab.evaluate(
        """async (data) => {
            const picture = await (await fetch(`data:image/png;base64,${data}`)).blob();
            await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
        }""",
        base64.b64encode(photo("dots", 0, "PNG")).decode(),
    )
    page.card(1).get_by_test_id("upload").focus()
    page.tab.keyboard.press("ControlOrMeta+v")
    page.expect_samples(1, 1)
    expect(page.at("toasts")).to_contain_text(say("page.paste.done", count=1, name="Class 2"))
    becomes(lambda: api.counts(page.project), {"Class 1": 0, "Class 2": 1})


def test_the_preview_names_chosen_photos(studio: Open, trained: dict[str, str]) -> None:
    page = studio(project=trained["id"])
    page.look_at_photos(
        *(
            payload(f"{scene}.{kind}", photo(scene, 40, kind))
            for kind in ("jpeg", "png")
            for scene in ("stripes", "dots")
        )
    )
    results = page.at("preview-result")
    for kind in ("jpeg", "png"):
        expect(results.filter(has_text=f"stripes.{kind}")).to_contain_text("Stripes")
        expect(results.filter(has_text=f"dots.{kind}")).to_contain_text("Dots")
