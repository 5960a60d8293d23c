"""Bringing networks to this computer: fetching official ones, importing files, one at a time and in the background.

It owns the state a person watches, the thread that does the work, and when a network is fetched without being asked
for. The steps of the work are `teachable.installation`, what is on this computer `teachable.library`.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from teachable import installation
from teachable.errors import Cancelled, Conflict, NotFound, TeachableError
from teachable.library import Library
from teachable.notes import Speed
from teachable.official import Official, network_id
from teachable.types import BackboneRecord, NetworkInfo

log = logging.getLogger(__name__)

State = Literal["idle", "waiting", "fetching", "converting", "done", "failed", "cancelled"]

# Longer than anything that looks whether it was cancelled takes to look.
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Installation:
    """How the present or last installation stands.

    Attributes:
        state: idle, waiting (for an installation of another program), fetching, converting, done, failed or cancelled.
        id: of the network, None if there was no installation, or for a file until it is known what it holds.
        title: of the network, in words, or the name of the file.
        done: bytes that were fetched.
        total: bytes to be fetched; 0 while that is not known, and for files.
        automatic: it was begun by the program, not by a person.
        key: of the error text after a failure.
        message: what went wrong, in words, after a failure.
        started: seconds since 1970; tells one installation from the next. 0 if there was none.
    """

    state: State = "idle"
    id: str | None = None
    title: str | None = None
    done: int = 0
    total: int = 0
    automatic: bool = False
    key: str | None = None
    message: str | None = None
    started: float = 0.0

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.state in {"waiting", "fetching", "converting"}


@dataclass(frozen=True)
class Networks:
    """Every network there is to choose from, and how bringing another one stands.

    Attributes:
        networks: the built-in one, official ones in the order of the catalogue, others that are here, imported ones.
        installation: the present or last one.
        offline: nothing may be fetched.
        automatic: the recommended network is fetched when the program starts.
        recommended: its id.
    """

    networks: tuple[NetworkInfo, ...]
    installation: Installation
    offline: bool
    automatic: bool
    recommended: str


class Installer:
    """Installs one network at a time; safe to use from any thread.

    Args:
        library: where they go.
        offline: whether nothing may be fetched.
    """

    def __init__(self, library: Library, offline: bool) -> None:
        self._library = library
        self._offline = offline
        self._guard = threading.Lock()
        self._state = Installation()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._closed = False

    # What there is

    @property
    def state(self) -> Installation:
        """How the present or last installation stands."""
        return self._state

    def networks(self) -> Networks:
        """Return everything a person chooses from."""
        library, speeds = self._library, self._library.speeds()
        here = {record.id: record for record in library.present()}
        builtin = here.pop(library.builtin().id)
        infos = [self._info(builtin, None, speeds.get(builtin.id))]
        infos += [self._info(here.pop(one.id, None), one, speeds.get(one.id)) for one in library.catalogue]
        infos += [self._info(record, None, speeds.get(record.id)) for record in here.values()]
        return Networks(tuple(infos), self._state, self._offline, library.choices().automatic, library.recommended.id)

    def _info(self, record: BackboneRecord | None, known: Official | None, speed: Speed | None) -> NetworkInfo:
        facts = record or known
        if facts is None:
            raise ValueError("a network is here, or official, or both")
        builtin = record is not None and record.origin == "builtin"
        return NetworkInfo(
            id=facts.id,
            title=self._library.title(facts.id),
            description=self._library.description(facts.id),
            origin=record.origin if record else "official",
            recommended=facts.id == self._library.recommended.id,
            present=record is not None,
            fingerprint=record.fingerprint if record else None,
            download_bytes=known.download_bytes if known else 0,
            size_bytes=facts.size_bytes,
            embedding_width=facts.embedding_width,
            input_size=facts.input_size,
            accuracy=known.accuracy if known else None,
            native_factor=known.native_factor if known else 1.0 if builtin else None,
            browser_factor=known.browser_factor if known else 1.0 if builtin else None,
            native_ms=speed.native_ms if speed else None,
            browser_ms=speed.browser_ms if speed else None,
            licence=facts.licence,
            source=facts.source,
            file=known.file if known else "",
        )

    def default(self) -> BackboneRecord:
        """Return the network new projects use."""
        return self._library.default()

    def file(self, id: str) -> Path:
        """Return where the graph of a network is.

        Raises:
            NotFound: no such network is here.
        """
        return self._library.path(self._library.find(id))

    # Beginning and ending

    def fetch(self, name: str, automatic: bool = False) -> None:
        """Fetch an official network in the background.

        Args:
            name: id in the catalogue, or the name of any classifier of torchvision.
            automatic: the program begins it, not a person.

        Raises:
            Conflict: the network is here, another installation runs, or nothing may be fetched.
        """
        known = self._library.known(name)
        id = known.id if known else network_id(name)
        with contextlib.suppress(NotFound):
            raise Conflict("network_present", network=self._library.title(self._library.find(id).id))
        if self._offline:
            raise Conflict("network_offline")
        size = known.download_bytes if known else 0
        begun = Installation("fetching", id, self._library.title(id), 0, size, automatic)
        self._begin(begun, lambda cancelled: installation.fetch(self._library, name, self._watch, cancelled))

    def import_file(self, path: Path, name: str) -> None:
        """Install a network from a file in the background; when this returns, the file itself is not needed any more.

        Args:
            path: official weights as `.pth`, or an ONNX or safetensors network that keeps the contract.
            name: what the person calls it.

        Raises:
            NotFound: there is no such file.
            TooLarge: no network may be that large.
            StorageFull: there is no room to copy it.
            Conflict: another installation runs.
        """
        with self._guard:
            self._require_idle()
        copy = installation.take_in(self._library, path, name)
        try:
            begun = Installation("converting", None, Path(name).stem)
            self._begin(
                begun, lambda cancelled: installation.install(self._library, copy, name, self._watch, cancelled)
            )
        except BaseException:
            copy.unlink(missing_ok=True)
            raise

    def start_automatic(self) -> bool:
        """Fetch the recommended network, unless it is here, unwanted, or nothing may be fetched.

        Returns:
            Whether that was begun. It may have ended by now.
        """
        wanted = self._library.recommended.id
        if self._offline or not self._library.choices().automatic:
            return False
        try:
            self.fetch(wanted, automatic=True)
        except Conflict:
            return False  # it is here, or an installation was begun in this moment: then there is nothing to do
        return True

    def cancel(self) -> None:
        """Give up a running installation, and wait until it has; what was fetched of it is kept for the next time.

        Who gives up the recommended network is not sent it again by itself.
        """
        given_up = self._stop()
        late = self._state.state == "done"
        if given_up is not None and not late and given_up.id == self._library.recommended.id:
            self._library.choose(automatic=False)

    def wait(self, timeout: float | None = None) -> Installation:
        """Wait until the running installation has ended, or for `timeout` seconds; return how it stands."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return self._state

    def remove(self, id: str) -> None:
        """Remove a network from this computer. Who removes the recommended one is not sent it again by itself.

        Raises:
            Conflict: it is the built-in one, or being installed.
            NotFound: it is not here.
        """
        known = self._library.known(id)
        id = known.id if known else id
        with self._guard:
            if self._state.running and self._state.id == id:
                raise Conflict("network_busy", network=self._state.title)
            self._library.remove(id)
            if self._state.id == id:
                self._state = Installation()
        if id == self._library.recommended.id:
            self._library.choose(automatic=False)

    def choose(self, *, automatic: bool) -> None:
        """Keep whether the recommended network is fetched when the program starts."""
        self._library.choose(automatic=automatic)

    def note_browser_speed(self, id: str, milliseconds: float) -> None:
        """Keep how long a network takes for one photo in a browser of this computer.

        Raises:
            NotFound: no such network is here.
            InvalidInput: this is no time.
        """
        self._library.note_speed(id, browser_ms=milliseconds)

    def close(self) -> None:
        """Give up what runs; the next start goes on with what was fetched."""
        with self._guard:
            self._closed = True
        self._stop()

    # The thread

    def _require_idle(self) -> None:
        if self._closed:
            raise Conflict("network_closing")
        if self._state.running:
            raise Conflict("network_busy", network=self._state.title)

    def _begin(self, begun: Installation, work: Callable[[threading.Event], BackboneRecord]) -> None:
        with self._guard:
            self._require_idle()
            self._state = replace(begun, started=time.time())
            self._cancelled = threading.Event()
            arguments = (work, self._cancelled)
            self._thread = threading.Thread(target=self._run, args=arguments, name="install", daemon=True)
            self._thread.start()

    def _stop(self) -> Installation | None:
        """Cancel what runs and wait until it has ended; return what it was, or None if nothing ran."""
        with self._guard:
            state, thread = self._state, self._thread
            if not state.running or thread is None:
                return None
            self._cancelled.set()
        thread.join(_PATIENCE_SECONDS)
        return state

    def _run(self, work: Callable[[threading.Event], BackboneRecord], cancelled: threading.Event) -> None:
        """Do the work and note how it ended."""
        try:
            record = work(cancelled)
            self._end("done", id=record.id, title=self._library.title(record.id))
        except Cancelled:
            self._end("cancelled")
        except TeachableError as error:
            # Whatever breaks on the way out is no failure.
            if cancelled.is_set():
                self._end("cancelled")
            else:
                self._end("failed", key=error.key, message=str(error))
        except Exception:
            log.exception("installing %s failed", self._state.title)
            failed = TeachableError("network_failed")
            self._end("failed", key=failed.key, message=str(failed))

    def _watch(self, phase: installation.Phase, done: int, total: int) -> None:
        with self._guard:
            now = self._state
            fetched = (done, total or now.total) if phase == "fetching" else (now.done, now.total)
            self._state = replace(now, state=phase, done=fetched[0], total=fetched[1])

    def _end(self, state: State, **changed: Any) -> None:
        with self._guard:
            self._state = replace(self._state, state=state, **changed)
