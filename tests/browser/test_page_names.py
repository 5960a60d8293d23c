"""A project whose every name is an attack: wherever it is shown, it is text, and nothing of it becomes an element."""

import io
import re
import zipfile
from typing import Any

import pytest
from pages import Open, Studio
from playwright.sync_api import expect
from scenes import photos
from serving import Api

from teachable.words import say

ATTACK = '<img src=x onerror="window.hit=1"><svg onload=window.hit=1>'
CLASSES = (f"A{ATTACK}", f"B\"'><script>window.hit=1</script>{ATTACK}")

# Elements that no page of ours has, and marks of those that would have been made.
FOUND = """() => [...document.querySelectorAll("*")].filter((one) =>
    [...one.attributes].some((made) => /^on(error|load)$/.test(made.name) || /^javascript:/i.test(made.value))
    || (one.matches("script") && one.textContent.includes("window.hit"))).map((one) => one.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def evil(api: Api) -> dict[str, Any]:
    project = api.project(*CLASSES, name=f"P{ATTACK}")
    for number, scene in enumerate(("stripes", "dots")):
        for group in range(2):
            files = [(f"{ATTACK}.jpg", data) for _, data in photos(scene, 8, first=20 * group, place=group)]
            api.add(project, number, files, f"{ATTACK[:40]}{group}")
        api.add(project, number, [(f"{ATTACK}.svg", b"<svg onload=alert(1)>"), *photos(scene, 1, first=90)], "x")
    api.train(project["id"])
    api.ask("POST", f"/projects/{project['id']}/undo", {})
    return project


def clean(page: Studio) -> None:
    """Nothing came to life."""
    assert page.tab.evaluate("() => window.hit === undefined")
    assert page.tab.evaluate(FOUND) == []


def test_every_name_is_only_text(studio: Open, api: Api, evil: dict[str, Any]) -> None:
    page = studio(project=evil["id"])
    dialogs: list[str] = []
    page.tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    expect(page.at("bar-label").nth(0)).to_have_text(CLASSES[0])
    clean(page)
    page.hood()
    clean(page)
    page.shelf()
    expect(page.at("shelf").get_by_role("textbox", name=say("page.project.name")).first).to_have_value(f"P{ATTACK}")
    clean(page)
    page.tab.keyboard.press("Escape")
    # The way back is a step in the history of the tab: an address that is opened meanwhile would be given up.
    expect(page.tab).not_to_have_url(re.compile("projects"))
    page.open(evil["id"])
    clean(page)
    assert not dialogs


def test_what_is_taken_away_holds_the_names_as_text(api: Api, evil: dict[str, Any]) -> None:
    answer = api._client.get(f"/projects/{evil['id']}/archive")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert ATTACK not in archive.read("README.md").decode()
        assert all(not set('<>"|?*\\:') & set(name) and ".." not in name for name in archive.namelist())
    for sample in (1, 2):
        for kind in ("photo", "thumbnail"):
            given = api._client.get(f"/projects/{evil['id']}/samples/{sample}/{kind}")
            assert (given.headers["content-type"], given.headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
