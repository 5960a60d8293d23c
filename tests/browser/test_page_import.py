"""Files that hold many photos: shown before anything is made of them, taken in with progress, and taken back."""

import io
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from bringing import gif, jpeg, machine, video, zipped
from making import becomes
from pages import Open, Studio
from PIL import Image
from playwright.sync_api import Locator, Route, expect
from scenes import photo, photos
from serving import Api

from teachable.words import say

MANY = 2500
"""Photos of an import that is still running when somebody pauses it."""


AT_ONCE = """(button) => {
    new MutationObserver((_, observer) => {
        if (button.hidden || button.disabled) return;
        observer.disconnect();
        button.click();
    }).observe(button, { attributes: true });
}"""
"""Presses a button as soon as it can be pressed: on a quick server nobody else is quick enough."""


def fill(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def scene(folder: str, name: str, count: int, first: int = 0) -> dict[str, bytes]:
    """Return photos of a scene by their names in a folder."""
    return {f"{folder}/{file}": data for file, data in photos(name, count, first=first)}


def row(dialog: Locator, number: int) -> Locator:
    """Return one class of a plan."""
    return dialog.get_by_test_id("plan-class").nth(number)


def finished(page: Studio) -> Locator:
    """Wait until everything was taken in, and return what is said about it."""
    expect(page.at("import-dialog")).to_have_attribute("data-state", "done")
    return page.at("import-end")


def test_a_folder_of_folders_is_shown_before_its_photos_are_sent(studio: Open, api: Api, tmp_path: Path) -> None:
    project = api.project("stripes", "Old dots")
    page = studio(project=project["id"])
    files = scene("all/stripes", "stripes", 2) | scene("all/dots/first", "dots", 2)
    files |= scene("all/dots/second", "dots", 1, first=5) | {"all/.DS_Store": b"x", "all/readme.txt": b"Hello."}
    page.drop(page.at("add-class"), [fill(tmp_path, files) / "all"])
    dialog = page.planned()
    about = say(
        "page.import.about_folder", photos=say("page.photos", count=5), classes=say("page.shelf.classes", count=2)
    )
    expect(page.at("import-about")).to_have_text(about)
    expect(row(dialog, 0).get_by_test_id("plan-name")).to_have_value("dots")
    expect(row(dialog, 0).get_by_test_id("plan-counts")).to_contain_text(say("page.import.recordings", count=2))
    expect(row(dialog, 0).locator("img")).to_have_count(3)
    # A class of that name is there already.
    expect(row(dialog, 1).get_by_test_id("plan-into")).to_have_value(project["classes"][0]["id"])
    expect(page.at("plan-skipped")).to_contain_text(say("page.import.no_photo", name="readme.txt"))
    becomes(lambda: api.counts(page.project), {"stripes": 0, "Old dots": 0})

    row(dialog, 0).get_by_test_id("plan-into").select_option(label=say("page.import.into_class", name="Old dots"))
    expect(row(dialog, 0).get_by_test_id("plan-name")).to_be_hidden()
    expect(page.at("import-start")).to_have_text(say("page.import.start_photos", count=5))
    page.at("import-start").click()
    expect(finished(page)).to_contain_text(say("page.import.done_classes", photos=say("page.photos", count=5), count=2))
    becomes(lambda: api.counts(page.project), {"stripes": 2, "Old dots": 3})
    page.at("import-undo").click()
    expect(dialog).to_be_hidden()
    expect(page.card(1).get_by_test_id("thumbnail")).to_have_count(0)
    becomes(lambda: api.counts(page.project), {"stripes": 0, "Old dots": 0})


def test_folders_for_training_and_testing_become_the_same_classes(studio: Open, api: Api, tmp_path: Path) -> None:
    page = studio(project=api.project()["id"])
    files = scene("set/train/dots", "dots", 2) | scene("set/train/stripes", "stripes", 2)
    files |= scene("set/test/dots", "dots", 1, first=9)
    page.drop(page.at("add-class"), [fill(tmp_path, files) / "set"])
    dialog = page.planned()
    expect(row(dialog, 0).get_by_test_id("plan-counts")).to_contain_text(say("page.import.tests", count=1))
    row(dialog, 1).get_by_test_id("plan-into").select_option(label=say("page.import.leave_out"))
    row(dialog, 0).get_by_test_id("plan-name").fill("Round")
    page.at("import-start").click()
    expect(finished(page)).to_be_visible()
    page.at("import-finish").click()
    expect(page.at("import-chip")).to_have_count(0)
    # The empty class that nobody named took the name.
    becomes(lambda: api.counts(page.project), {"Round": 3, "Class 2": 0})
    becomes(lambda: api.ask("GET", f"/projects/{page.project}")["classes"][0]["tests"], 1)


def test_a_folder_with_videos_is_looked_into_by_the_server(studio: Open, api: Api, tmp_path: Path) -> None:
    page = studio(project=api.project()["id"])
    fill(tmp_path, scene("Klasse/Straße", "dots", 2) | scene("Klasse/วิดีโอ", "stripes", 1))
    video(tmp_path / "Klasse" / "วิดีโอ" / "film.mp4", frames=20, fps=10)
    page.drop(page.at("add-class"), [tmp_path / "Klasse"])
    dialog = page.planned()
    expect(dialog.get_by_test_id("plan-name")).to_have_count(2)
    expect(row(dialog, 0).get_by_test_id("plan-name")).to_have_value("Straße")
    expect(row(dialog, 1).get_by_test_id("plan-counts")).to_contain_text(say("page.import.about_photos", count=5))
    page.at("import-start").click()
    expect(finished(page)).to_be_visible()
    becomes(lambda: api.counts(page.project), {"Straße": 2, "วิดีโอ": 5})


def with_room_for_six(route: Route) -> None:
    answer = route.fetch()
    said = answer.json()
    route.fulfill(response=answer, json=said if said.get("room") is None else {**said, "room": 6})


def test_a_zip_is_merged_into_classes_and_taken_back(studio: Open, api: Api, tmp_path: Path) -> None:
    project = api.project("Dots", "Stripes")
    api.add(project, 0, photos("dots", 1, first=50), "before")
    page = studio(project=project["id"])
    page.watch.allow("previews")  # of the photo that is cut off there is no picture
    files = scene("things/dots", "dots", 3) | scene("things/stripes", "stripes", 2)
    files |= scene("things/odd", "dots", 1, first=20)
    cut = photo("dots", 30)
    files |= {"things/dots/cut.jpg": cut[: len(cut) // 2], "things/notes.txt": b"Hello."}
    dialog = page.open_file(zipped(tmp_path / "things.zip", files))
    expect(dialog.get_by_test_id("plan-class")).to_have_count(3)
    # The dialog may be closed, and a reload finds the file again.
    expect(row(dialog, 1).get_by_test_id("plan-name")).to_have_value("odd")
    page.at("import-close").click()
    expect(dialog).to_have_count(0)
    page.tab.route(re.compile(r"/imports/[^/]+$"), with_room_for_six)
    page.reload()
    page.at("import-chip").click()
    dialog = page.planned()
    expect(page.at("import-room")).to_contain_text(say("page.photos", count=6))
    row(dialog, 1).get_by_test_id("plan-into").select_option(label=say("page.import.leave_out"))
    expect(page.at("import-room")).to_be_hidden()
    expect(dialog.get_by_test_id("plan-class").locator("img").first).to_have_js_property("complete", True)
    becomes(lambda: api.counts(page.project), {"Dots": 1, "Stripes": 0})

    page.at("import-start").click()
    expect(finished(page)).to_contain_text(say("page.import.rejected", count=1))
    expect(page.at("import-rejected")).to_contain_text("cut.jpg")
    becomes(lambda: api.counts(page.project), {"Dots": 4, "Stripes": 2})
    expect(page.card(0).get_by_test_id("thumbnail")).to_have_count(4)
    page.at("import-undo").click()
    expect(page.card(0).get_by_test_id("thumbnail")).to_have_count(1)
    becomes(lambda: api.counts(page.project), {"Dots": 1, "Stripes": 0})
    expect(page.at("import-chip")).to_have_count(0)


def test_a_long_import_is_paused_survives_a_reload_and_goes_on(studio: Open, api: Api, tmp_path: Path) -> None:
    page = studio(project=api.project()["id"])
    many = {f"many/{number}.jpg": jpeg(number, 24) for number in range(MANY)}
    page.open_file(zipped(tmp_path / "many.zip", many))
    page.at("import-pause").evaluate(AT_ONCE)
    page.at("import-start").click()
    dialog = page.at("import-dialog")
    expect(dialog).to_have_attribute("data-state", "paused")
    page.tab.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.reload()
    chip = page.at("import-chip")
    expect(chip).to_have_attribute("data-state", "paused")
    expect(chip).to_have_text(re.compile("many.zip"))
    chip.click()
    page.at("import-resume").click()
    page.at("import-close").click()
    # It ends unseen, so it is told with a way back.
    toast = page.at("toasts")
    expect(toast).to_contain_text(f"{MANY:,} photos", timeout=60_000)
    becomes(lambda: api.counts(page.project), {"many": MANY, "Class 2": 0})
    toast.get_by_test_id("undo").click()
    expect(page.card(0).get_by_test_id("thumbnail")).to_have_count(0)
    becomes(lambda: sum(api.counts(page.project).values()), 0)


def test_a_teachable_machine_project_is_turned_around(studio: Open, api: Api, tmp_path: Path) -> None:
    half = np.zeros((32, 32, 3), np.uint8)
    half[:, :16] = 220
    picture = io.BytesIO()
    Image.fromarray(half).save(picture, "PNG")
    file = machine(tmp_path / "hands.tm", [("Rock-!-0.png", picture.getvalue()), ("Paper-!-0.jpg", jpeg(4))])
    page = studio(project=api.project()["id"])
    dialog = page.open_file(file)
    expect(dialog.get_by_test_id("plan-name").first).to_have_value("Rock")
    page.at("import-fresh").check()
    page.at("import-unmirror").check(force=True)
    expect(dialog.get_by_test_id("plan-classes")).to_have_attribute("data-turned", "")
    page.at("import-start").click()
    expect(finished(page)).to_be_visible()
    page.at("import-visit").click()
    expect(dialog).to_have_count(0)
    expect(page.card(0).get_by_test_id("class-name")).to_have_value("Rock")
    expect(page.card(0).get_by_test_id("thumbnail")).to_have_count(1)
    (sample,) = api.stored(page.project, 0)
    answer = page.tab.request.get(f"{page.address}/api/v1/projects/{page.project}/samples/{sample}/photo")
    stored = np.asarray(Image.open(io.BytesIO(answer.body())).convert("L"), np.int16)
    assert stored[:, 20:].mean() > 150 > stored[:, :12].mean()


def test_a_video_and_an_animation_dropped_on_a_class_go_there(studio: Open, api: Api, tmp_path: Path) -> None:
    project = api.project("Dots", "Stripes")
    page = studio(project=project["id"])
    page.drop(page.card(1), [video(tmp_path / "film.mp4", frames=40, fps=10)])
    dialog = page.planned()
    expect(dialog.get_by_test_id("plan-into")).to_have_value(project["classes"][1]["id"])
    expect(page.at("import-start")).to_have_text(say("page.import.start_about", count=8))
    page.at("import-rate").fill("")
    expect(page.at("import-start")).to_be_disabled()
    page.at("import-rate").fill("1")
    expect(page.at("import-start")).to_have_text(say("page.import.start_about", count=4))
    page.at("import-start").click()
    expect(finished(page)).to_be_visible()
    page.at("import-finish").click()
    becomes(lambda: api.counts(project["id"])["Stripes"], 4)
    (tmp_path / "blink.gif").write_bytes(gif(["red", "lime", "blue"], duration=500))
    page.drop(page.card(0), [tmp_path / "blink.gif"])
    page.planned()
    page.at("import-cancel").click()
    expect(dialog).to_have_count(0)
    expect(page.at("import-chip")).to_have_count(0)
    becomes(lambda: api.counts(project["id"])["Dots"], 0)


def test_a_file_that_cannot_be_used_says_why(studio: Open, api: Api, tmp_path: Path) -> None:
    page = studio(project=api.project()["id"])
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 this is no zip at all")
    page.at("project-menu").click()
    with page.tab.expect_file_chooser() as opened:
        page.at("project-file").click()
    opened.value.set_files(tmp_path / "bad.zip")
    expect(page.at("import-dialog")).to_have_attribute("data-state", "failed")
    expect(page.at("import-end")).to_contain_text("bad.zip")
    page.at("import-finish").click()
    expect(page.at("import-chip")).to_have_count(0)


def test_a_downloaded_project_opens_as_a_project_of_its_own(studio: Open, api: Api, tmp_path: Path) -> None:
    project = api.project("Dots", "Stripes", name="To take home")
    api.add(project, 0, photos("dots", 2), "a")
    page = studio(project=project["id"])
    page.at("project-menu").click()
    with page.tab.expect_download() as begun:
        page.at("project-download").click()
    begun.value.save_as(tmp_path / "home.zip")
    dialog = page.open_file(tmp_path / "home.zip")
    about = {"photos": say("page.photos", count=2), "classes": say("page.shelf.classes", count=2)}
    expect(page.at("import-about")).to_have_text(say("page.import.about_project", title="To take home", **about))
    page.at("import-start").click()
    expect(finished(page)).to_contain_text(say("page.import.project_done", count=2))
    page.at("import-visit").click()
    expect(dialog).to_have_count(0)
    expect(page.card(0).get_by_test_id("thumbnail")).to_have_count(2)
    assert page.project != project["id"]
