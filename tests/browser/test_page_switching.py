"""Another project is opened while something of the one before is on its way: each keeps what is its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from making import becomes
from pages import Open, Studio
from playwright.sync_api import Route, expect
from scenes import photos
from serving import Api


def there(page: Studio, name: str) -> None:
    """Wait until a project is shown."""
    expect(page.at("project-name")).to_have_value(name)


@contextmanager
def slow(page: Studio, address: str, method: str) -> Iterator[Callable[[], None]]:
    """Hold the answers to one kind of question back until what is given is called."""
    held: list[Route] = []
    late = True

    def hold(route: Route) -> None:
        if late and route.request.method == method:
            held.append(route)
        else:
            route.fallback()

    def let_go() -> None:
        nonlocal late
        late = False
        for route in held:
            with page.tab.expect_response(route.request.url):
                route.continue_()

    page.tab.route(address, hold)
    yield let_go
    page.tab.unroute(address, hold)


def pair(api: Api) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two projects with a photo in each class; the photos have the same numbers."""
    made = (api.project("Cat", "Dog", name="Pets"), api.project("Rose", "Lily", name="Plants"))
    for project in made:
        for number, scene in enumerate(("stripes", "dots")):
            api.add(project, number, photos(scene, 1), "one")
    return made


def test_photos_on_their_way_arrive_when_another_project_is_opened(studio: Open, api: Api) -> None:
    pets, plants = pair(api)
    page = studio(project=pets["id"])
    files = [{"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in photos("dots", 20, first=5)]
    with slow(page, "**/samples", "POST") as let_go:
        with page.tab.expect_request("**/samples"):
            page.card(0).get_by_test_id("upload-input").set_input_files(files)
        page.go_to(plants["id"])
        there(page, "Plants")
        let_go()
    becomes(lambda: api.counts(pets["id"]), {"Cat": 21, "Dog": 1})
    assert api.counts(plants["id"]) == {"Rose": 1, "Lily": 1}
    page.go_to(pets["id"])
    expect(page.card(0).get_by_test_id("thumbnail")).to_have_count(21)


def test_an_answer_about_the_project_before_changes_nothing_of_this_one(studio: Open, api: Api) -> None:
    pets, plants = pair(api)
    page = studio(project=pets["id"])
    for gesture, address, method in (
        (lambda: page.rename(0, "Tiger"), "**/classes/*", "PATCH"),
        (lambda: page.at("add-class").click(), "**/classes", "POST"),
        (lambda: page.at("project-name").fill("Beasts"), f"**/projects/{pets['id']}", "PATCH"),
    ):
        with slow(page, address, method) as let_go:
            gesture()
            page.go_to(plants["id"])
            there(page, "Plants")
            let_go()
        expect(page.at("project-name")).to_have_value("Plants")
        expect(page.at("class-name").nth(0)).to_have_value("Rose")
        expect(page.at("class-card")).to_have_count(2)
        with page.tab.expect_response(f"**/projects/{pets['id']}"):
            page.go_to(pets["id"])
    there(page, "Beasts")
    # The name was being written when the other project was opened: it is of the project that it was written for.
    assert api.ask("GET", f"/projects/{pets['id']}")["name"] == "Beasts"
    assert api.ask("GET", f"/projects/{plants['id']}")["name"] == "Plants"
    assert list(api.counts(pets["id"])) == ["Tiger", "Dog", "Class 3"]


def test_of_two_projects_that_are_opened_the_later_one_is_shown(studio: Open, api: Api) -> None:
    pets, plants = pair(api)
    page = studio(project=api.project(name="Empty")["id"])
    with slow(page, f"**/projects/{pets['id']}", "GET") as let_go:
        page.go_to(pets["id"])
        page.go_to(plants["id"])
        there(page, "Plants")
        let_go()
    expect(page.at("project-name")).to_have_value("Plants")
    assert page.project == plants["id"]


def test_undo_of_the_project_before_takes_back_its_own_change(studio: Open, api: Api) -> None:
    pets, plants = pair(api)
    page = studio(project=pets["id"])
    page.menu(0, "class-clear")
    undo = page.at("undo")
    expect(undo).to_be_visible()
    page.go_to(plants["id"])
    there(page, "Plants")
    undo.click()
    becomes(lambda: api.counts(pets["id"]), {"Cat": 1, "Dog": 1})
    expect(page.at("project-name")).to_have_value("Plants")
    expect(page.tab.locator(".t-toast-problem")).to_have_count(0)


def test_a_dialog_about_photos_goes_with_its_project(studio: Open, api: Api) -> None:
    pets, plants = pair(api)
    page = studio(project=pets["id"])
    page.card(0).get_by_test_id("thumbnail").get_by_role("button").first.click()
    expect(page.at("lightbox")).to_be_visible()
    page.go_to(plants["id"])
    there(page, "Plants")
    expect(page.at("lightbox")).to_have_count(0)


def test_what_is_pressed_twice_is_done_once(studio: Open, api: Api) -> None:
    project = api.project(name="Pets")["id"]
    page = studio(project=project)
    with slow(page, "**/classes", "POST") as let_go:
        page.at("add-class").click(click_count=2)
        let_go()
    expect(page.at("class-card")).to_have_count(3)
    page.shelf()
    known = len(api.ask("GET", "/projects")["projects"])
    with slow(page, "**/api/v1/projects", "POST") as let_go:
        page.at("shelf-new").click(click_count=2)
        let_go()
    expect(page.at("shelf")).to_have_count(0)
    assert (len(api.counts(project)), len(api.ask("GET", "/projects")["projects"])) == (3, known + 1)


def test_a_map_on_its_way_does_not_come_to_another_project(studio: Open, api: Api, trained: dict[str, Any]) -> None:
    other = api.project(name="Plants")["id"]
    page = studio(project=trained["id"])
    with slow(page, "**/report/map?**", "GET") as let_go:
        with page.tab.expect_request("**/report/map?**"):
            page.hood()
        page.go_to(other)
        there(page, "Plants")
        let_go()
    expect(page.at("report-more")).to_be_hidden()
    # Its photos have numbers that others have here.
    assert page.at("sample-map").evaluate("map => map.hidden")
