"""The tests' own guard: a watched page cannot go wrong, or talk to others, unnoticed."""

import pytest
from pages import Open
from playwright.sync_api import Error
from scenes import photos
from serving import Api

TROUBLE = {
    "() => console.error('a broken thing')": "console: a broken thing",
    "() => void setTimeout(() => { throw new Error('not caught') })": "page: .*not caught",
    "() => void Promise.reject(new Error('nobody cares'))": "page: .*nobody cares",
    "() => fetch('/api/v1/nothing')": "answered 404",
    "() => fetch('http://teachable.invalid/').catch(() => 0)": "left the computer: http://teachable.invalid/",
    "() => fetch('http://192.0.2.1/').catch(() => 0)": "failed: GET http://192.0.2.1/ net::ERR_NAME_NOT_RESOLVED",
    "() => void (new Image().src = 'http://127.0.0.1:9/x.png')": "left the computer: http://127.0.0.1:9/x.png",
    "() => void new Worker('data:text/javascript,fetch(`http://teachable.invalid/work`)')": "invalid/work",
}


def test_trouble_in_a_page_is_seen(studio: Open) -> None:
    # A context of its own, because this page ends elsewhere.
    page = studio(color_scheme="light")
    assert not page.watch.problems
    for script, seen in TROUBLE.items():
        page.tab.evaluate(script)
        page.watch.wait(seen)
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.tab.goto("http://teachable.invalid/elsewhere")
    assert page.watch.unexpected
    page.watch.allow(".")


def test_only_what_is_gone_may_be_missing(studio: Open, api: Api) -> None:
    project = api.project("Stripes", "Dots")
    api.add(project, 0, photos("stripes", 1), "one")
    (sample,) = api.stored(project["id"], 0)
    page = studio(project=project["id"])
    path = f"/projects/{project['id']}/samples/{sample}/thumbnail"
    page.tab.route(f"**{path}?missing", lambda route: route.fulfill(status=404))
    page.tab.evaluate("(path) => fetch(`/api/v1${path}?missing`)", path)
    page.watch.wait("answered 404")
    assert page.watch.unexpected
    api.ask("POST", f"/projects/{project['id']}/samples/delete", {"ids": [sample]})
    assert not page.watch.unexpected
    api.ask("POST", f"/projects/{project['id']}/undo", {})
    assert not page.watch.unexpected
