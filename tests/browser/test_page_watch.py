"""The tests' own guard: a watched page cannot go wrong, or talk to others, unnoticed."""

import pytest
from pages import Open
from playwright.sync_api import Error


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        ("() => console.error('a broken thing')", "console: a broken thing"),
        ("() => void setTimeout(() => { throw new Error('not caught') })", "page: .*not caught"),
        ("() => fetch('/api/v1/nothing')", "answered 404"),
        ("() => fetch('http://teachable.invalid/').catch(() => 0)", "left the computer: http://teachable.invalid/"),
        ("() => void (new Image().src = 'http://127.0.0.1:9/x.png')", "left the computer: http://127.0.0.1:9/x.png"),
    ],
)
def test_trouble_in_a_page_is_seen(studio: Open, script: str, seen: str) -> None:
    page = studio()
    assert not page.watch.problems
    page.tab.evaluate(script)
    page.watch.wait(seen)
    page.watch.allow(".")


def test_a_page_leaves_the_computer_by_no_link(studio: Open) -> None:
    page = studio()
    page.watch.allow("teachable.invalid")
    with pytest.raises(Error, match="ERR_FAILED"):
        page.tab.goto("http://teachable.invalid/")
