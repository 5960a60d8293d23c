"""One http request whose answer can be given up at any moment, and every way it can fail in words.

It owns the connection: proxies, certificates, redirects and silence. What is asked for, and what is done with the bytes
that come, is not its business (`teachable.downloads`).
"""

import queue
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from teachable.errors import Cancelled, TeachableError

if TYPE_CHECKING:
    import httpx

_REDIRECTS = 5
_LOOK_SECONDS = 0.1
_QUEUED_CHUNKS = 16


class Interrupted(Exception):  # noqa: N818 - what came until then is good
    """The connection broke or fell silent.

    Attributes:
        error: says it in words.
    """

    def __init__(self, error: TeachableError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True)
class _Head:
    """What a server says before it sends: the status, the headers and the host that answered."""

    status: int
    headers: Mapping[str, str]
    host: str


class Answer:
    """The answer to one request; enter it to make the request.

    The request is made in a thread of its own, so that waiting for a silent server can be given up at once. A thread
    that was given up ends by itself when its connection does; it has nothing to write and nothing to lose.

    Args:
        url: http or https address.
        file: what is fetched, for the words.
        conditions: headers that say which part of the file is wanted.
        timeout: seconds of silence after which a connection counts as broken.
        cancelled: set it to give up.

    Raises:
        Cancelled: on entering or reading: it was given up.
        Interrupted: on entering or reading: the connection broke, or fell silent.
        TeachableError: on entering: the server cannot be reached or trusted, or the address is none.
    """

    def __init__(
        self, url: str, file: str, conditions: Mapping[str, str], timeout: float, cancelled: threading.Event
    ) -> None:
        self._url = url
        self._file = file
        self._conditions = conditions
        self._timeout = timeout
        self._cancelled = cancelled
        self._left = threading.Event()
        self._items: queue.Queue[_Head | bytes | Exception | None] = queue.Queue(_QUEUED_CHUNKS)
        self._head = _Head(0, {}, host_of(url))

    def __enter__(self) -> "Answer":
        threading.Thread(target=self._ask, name="download", daemon=True).start()
        try:
            head = self._next()
        except BaseException:
            self._left.set()
            raise
        if isinstance(head, _Head):
            self._head = head
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._head.status

    @property
    def host(self) -> str:
        """Name of the host that answered."""
        return self._head.host

    @property
    def validator(self) -> str | None:
        """What tells this state of the file from others, if the server says."""
        tag = self._head.headers.get("etag")
        # A weak tag promises the same content, not the same bytes.
        return tag if tag and not tag.startswith("W/") else self._head.headers.get("last-modified")

    @property
    def total(self) -> int | None:
        """Bytes of the whole file, if the server says."""
        if self.status == 206:
            stated = self._head.headers.get("content-range", "").rpartition("/")[2]
        else:
            stated = self._head.headers.get("content-length", "")
        return int(stated) if stated.isascii() and stated.isdecimal() else None

    def begins_at(self, offset: int) -> bool:
        """Return whether the body can be put behind so many bytes; a whole file, which replaces them, always can."""
        return self.status != 206 or self._head.headers.get("content-range", "").startswith(f"bytes {offset}-")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes."""
        while isinstance(chunk := self._next(), bytes):
            yield chunk

    def _next(self) -> "_Head | bytes | None":
        # The connection notices silence by itself; what has no limit of its own is looking up the name of the host.
        end = time.monotonic() + 2 * self._timeout
        while not self._cancelled.is_set():
            try:
                item = self._items.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                if time.monotonic() > end:
                    raise Interrupted(self._error("download_stalled")) from None
                continue
            if isinstance(item, Exception):
                raise self._in_words(item) from item
            return item
        raise Cancelled

    def _ask(self) -> None:
        """Run in the thread: make the request and hand over what comes."""
        try:
            with self._client() as client, closing(self._follow(client)) as response:
                self._put(_Head(response.status_code, response.headers, response.url.host))
                for chunk in response.iter_raw():
                    if not self._put(chunk):
                        return
            self._put(None)
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits for this one
            self._put(error)

    def _put(self, item: "_Head | bytes | Exception | None") -> bool:
        """Hand something over, when there is room; return False if nobody is there to take it."""
        while not self._left.is_set():
            try:
                self._items.put(item, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def _client(self) -> "httpx.Client":
        import httpx

        trusted = httpx.create_ssl_context()
        # Schools and firms that look into encrypted traffic install their certificates in the system.
        trusted.load_default_certs()
        try:
            return httpx.Client(verify=trusted, timeout=self._timeout)
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            # The proxy of the system is no address, or one that needs a package of its own.
            raise self._error("download_proxy") from error

    def _follow(self, client: "httpx.Client") -> "httpx.Response":
        """Return the answer, after redirects; never from encrypted to plain, never to anything but http."""
        # What a server packs for the journey has another length and another hash.
        headers = {**self._conditions, "Accept-Encoding": "identity", "User-Agent": f"teachable/{version('teachable')}"}
        request = client.build_request("GET", self._url, headers=headers)
        if request.url.scheme not in {"http", "https"} or not request.url.host:
            raise self._error("download_address", address=self._url)
        for _ in range(_REDIRECTS):
            response = client.send(request, stream=True)
            if response.next_request is None:
                return response
            response.close()
            allowed = {"https"} if request.url.scheme == "https" else {"http", "https"}
            request = response.next_request
            if request.url.scheme not in allowed:
                break
        raise self._error("download_redirected", address=f"{request.url.scheme}://{request.url.host}")

    def _in_words(self, error: Exception) -> Exception:
        """Return what a person can act on for what went wrong in the thread; a mistake of ours stays what it is."""
        import httpx

        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
            untrusted = any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(error))
            return self._error("download_certificate" if untrusted else "download_unreachable")
        if isinstance(error, httpx.TimeoutException):
            return Interrupted(self._error("download_stalled"))
        if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
            return Interrupted(self._error("download_cut"))
        if isinstance(error, httpx.ProxyError):
            return self._error("download_proxy")
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            return self._error("download_address", address=self._url)
        return error

    def _error(self, key: str, **values: object) -> TeachableError:
        known = {"file": self._file, "host": self.host, "address": public_address(self._url)}
        return TeachableError(key, **{**known, **values})


def host_of(url: str) -> str:
    """Return the host an address names; an address without one stands for itself."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def public_address(url: str) -> str:
    """Return an http address without what opens a private server: names, passwords and what follows the path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
