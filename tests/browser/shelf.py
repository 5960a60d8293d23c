"""Exports as the server reports them, made up: the states that a real one is in seldom, or only for a moment."""

import json
import time
from typing import Any

from pages import WAIT_SECONDS
from playwright.sync_api import Page, Route

Json = dict[str, Any]


def check(agreeing: int = 60, total: int = 60, difference: float = 2e-4, **values: Any) -> Json:
    """Return what running a file over photos showed; `held_out`, `correct` and `correct_full` as they are given."""
    said = {"agreeing": agreeing, "total": total, "same_class": agreeing, "largest_difference": difference}
    return {**said, "held_out": 0, "correct": None, "correct_full": None, **values}


def made(id_: str, title: str, file: str, state: str = "none", **values: Any) -> Json:
    """Return one file and how it stands."""
    nothing = {"fraction": 0.0, "size_bytes": None, "seconds": None, "check": None, "ran": None, "held_out": True}
    said = {"id": id_, "title": title, "file": file, "quick": True, "state": state, "loses": False}
    return {**said, **nothing, "key": None, "message": None, **values}


def done(id_: str, title: str, file: str, size: int = 5_400_000, **values: Any) -> Json:
    """Return a file that is there, and agreed."""
    return made(
        id_, title, file, "done", **{"fraction": 1.0, "size_bytes": size, "check": check(), "ran": True, **values}
    )


def form(
    id_: str, title: str, *variants: Json, about: str = "What it is for.", command: str | None = None, fits: bool = True
) -> Json:
    """Return a format."""
    extra = "extra" if command else None
    said = {"id": id_, "title": title, "about": about, "media_type": "application/zip"}
    return {**said, "extra": extra, "command": command, "fits": fits, "variants": list(variants)}


def model(*others: Json) -> Json:
    """Return the format of the model file, whose first variant is there."""
    return form("onnx", "The model file", done("full", "Exact model", "model.onnx"), *others)


class Shelf:
    """Answers what a page asks about exports, in place of the server.

    Args:
        page: whose requests are answered.
        formats: what there is to take away.

    Attributes:
        formats: the same; a test changes them to say how things go on.
        asked: the requests that came, method and the path after `exports`, in turn.
        start: state that a file has when it was asked for.
        refusal: status and body of the answer to the next POST, where it is refused.
    """

    def __init__(self, page: Page, *formats: Json) -> None:
        self.formats = formats
        self.asked: list[str] = []
        self.start: Json = {"state": "running", "fraction": 0.0}
        self.refusal: tuple[int, Json] | None = None
        self.phone: tuple[int, Json] | None = None
        self.stale = False
        self.checking = False
        self._page = page
        page.route("**/api/v1/projects/*/exports**", self._answer)

    def file(self, format_: str, variant: str) -> Json:
        """Return a file, to be changed."""
        (found,) = (one for one in self.formats if one["id"] == format_)
        file: Json
        (file,) = (one for one in found["variants"] if one["id"] == variant)
        return file

    def count(self, method: str) -> int:
        """Return how often something was asked with a method."""
        return sum(one.startswith(f"{method} ") for one in self.asked)

    def expect_orders(self, *wanted: str) -> None:
        """Wait until this was asked for, and nothing else: what may take a moment until it comes here."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (found := [one for one in self.asked if one != "GET "]) != list(wanted):
            assert time.monotonic() < deadline, found
            # Requests come through to here only while the page is asked something.
            self._page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")

    def _answer(self, route: Route) -> None:
        method = route.request.method
        path = route.request.url.partition("/exports")[2]
        self.asked.append(f"{method} {path}")
        if path.endswith("/phone"):
            assert self.phone is not None
            status, body = self.phone
        elif method == "POST" and self.refusal:
            (status, body), self.refusal = self.refusal, None
        else:
            if method != "GET":
                _, format_, variant = path.split("/")
                self.file(format_, variant).update(self.start if method == "POST" else {"state": "cancelled"})
            status = 202 if method == "POST" else 200
            body = {"model": "m", "stale": self.stale, "checking": self.checking, "formats": self.formats}
        route.fulfill(status=status, content_type="application/json", body=json.dumps(body))
