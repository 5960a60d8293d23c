"""Pages that are watched: whatever goes wrong in them, or leaves this computer, fails the test."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

WAIT_SECONDS = 20
THERE = r"http\S+/(?:samples/\d+/(?:thumbnail|photo)|previews/\d+|classes/\w+/samples|model\.onnx)(?:\?[^\s)]*)?"
GONE = re.compile(rf"\b404\b.* \(?({THERE})\)?$")
LEFT = re.compile("^console: (AbortError: signal is aborted|Unexpected error Connection errored out)")


class Watch:
    """Everything that happened in one browser context and should not have.

    Args:
        context: to be watched.
        address: of the server, the only one that pages may talk to.
    """

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.problems: list[str] = []
        self.context = context
        self._home = f"{address}/"
        self._allowed: list[re.Pattern[str]] = []
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    def allow(self, pattern: str) -> None:
        """Accept problems that a test brings about on purpose."""
        self._allowed.append(re.compile(pattern))

    def wait(self, pattern: str) -> None:
        """Wait until such a problem was seen."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not any(re.search(pattern, problem) for problem in self.problems):
            assert time.monotonic() < deadline, f"{pattern} was not seen, but {self.problems}"
            # Each question to the page lets what happened in it through to here.
            self.context.pages[0].evaluate("() => new Promise((done) => requestAnimationFrame(done))")

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Accept, while a page is left, what Gradio writes then if it was waiting for an answer."""
        before = len(self.problems)
        yield
        self.problems[before:] = [problem for problem in self.problems[before:] if not LEFT.search(problem)]

    def forget(self) -> None:
        """Begin anew for another test."""
        self.problems.clear()
        self._allowed.clear()

    @property
    def unexpected(self) -> list[str]:
        return [
            problem
            for problem in self.problems
            if not any(known.search(problem) for known in self._allowed) and not self._gone(problem)
        ]

    def _gone(self, problem: str) -> bool:
        """Whether a page asked for a picture, a model or the photos of a class that were taken away in that moment.

        It cannot know before it is told. What is there after all was refused by mistake, unless it was brought back.
        """
        asked = GONE.search(problem)
        if asked is None:
            return False
        return self.context.request.get(asked[1]).status == 404 or self._undone(asked[1])

    def _undone(self, address: str) -> bool:
        """Whether the last that happened to the project of an address is that something was undone."""
        project = re.match(r".*/projects/\w+(?=/)", address)
        return project is not None and self.context.request.get(project[0]).json().get("redo") is not None

    def _stays(self, url: str) -> bool:
        return url.startswith((self._home, "blob:", "data:", "about:"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text} ({message.location.get('url')})")

    def _error(self, error: WebError) -> None:
        self.problems.append(f"page: {error.error}")

    def _request(self, request: Request) -> None:
        if not self._stays(request.url):
            self.problems.append(f"left the computer: {request.url}")

    def _failed(self, request: Request) -> None:
        # Aborted is what becomes of pictures and event streams when a page is left, and of downloads.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"failed: {request.method} {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"answered {response.status}: {response.request.method} {response.url}")
