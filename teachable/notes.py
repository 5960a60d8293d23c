"""What is kept beside the networks: what the person decided about fetching, and how quick each network was measured.

It owns `choices.json` and `speeds.json` in the folder of the networks. The networks themselves are `teachable.library`.
"""

import errno
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from teachable.errors import InstallationError, InvalidInput, StorageFull
from teachable.projects.files import write_whole

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
_SLOWEST_MS = 1e6


@dataclass(frozen=True)
class Choices:
    """What a person decided about networks.

    Attributes:
        automatic: the recommended network is fetched when the program starts.
    """

    automatic: bool = True


@dataclass(frozen=True)
class Speed:
    """How long a network takes for one photo on this computer, as far as it was measured.

    Attributes:
        native_ms: milliseconds in this program.
        browser_ms: milliseconds in a browser.
    """

    native_ms: float | None = None
    browser_ms: float | None = None


class Notes:
    """Both files of one folder; safe to use from any thread. Of two processes that write at once, one wins.

    Args:
        folder: of the networks; made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._told: set[str] = set()

    def choices(self) -> Choices:
        """Return what the person decided. A file that cannot be read means no: better asked than fetched unasked."""
        path = self._folder / "choices.json"
        try:
            stated = json.loads(path.read_text(encoding="utf-8"))["automatic"]
        except FileNotFoundError:
            return Choices()
        except (KeyError, OSError, RecursionError, TypeError, ValueError):
            self._tell_once("%s cannot be read; nothing is fetched by itself", path)
            return Choices(automatic=False)
        return Choices(automatic=stated is True)

    def choose(self, *, automatic: bool) -> None:
        """Keep what the person decided.

        Raises:
            InstallationError: the folder cannot be written.
        """
        self._write("choices.json", asdict(Choices(automatic)))

    def speeds(self) -> Mapping[str, Speed]:
        """Return what was measured, by id of the network; a file that cannot be read is as good as none."""
        path = self._folder / "speeds.json"
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            return {id: Speed(_time(one["native_ms"]), _time(one["browser_ms"])) for id, one in entry["speeds"].items()}
        except FileNotFoundError:
            return {}
        except (AttributeError, InvalidInput, KeyError, OSError, RecursionError, TypeError, ValueError):
            self._tell_once("%s cannot be read; speeds are measured again", path)
            return {}

    def note_speed(self, id: str, *, native_ms: float | None = None, browser_ms: float | None = None) -> None:
        """Keep how long a network takes for one photo; what is not given stays.

        Raises:
            InvalidInput: this is no time.
            InstallationError: the folder cannot be written.
        """
        given = {"native_ms": _time(native_ms), "browser_ms": _time(browser_ms)}
        measured = {key: value for key, value in given.items() if value is not None}
        with self._guard:
            speeds = self.speeds()
            self._write_speeds({**speeds, id: replace(speeds.get(id, Speed()), **measured)})

    def forget_speed(self, id: str) -> None:
        """Forget what was measured of a network.

        Raises:
            InstallationError: the folder cannot be written.
        """
        with self._guard:
            speeds = self.speeds()
            if id in speeds:
                self._write_speeds({other: speed for other, speed in speeds.items() if other != id})

    def _write_speeds(self, speeds: Mapping[str, Speed]) -> None:
        self._write("speeds.json", {"speeds": {id: asdict(speed) for id, speed in speeds.items()}})

    def _write(self, name: str, entry: Mapping[str, Any]) -> None:
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._folder / name, as_json({"format_version": FORMAT_VERSION, **entry}))

    def _tell_once(self, message: str, path: Path) -> None:
        if message not in self._told:
            self._told.add(message)
            log.warning(message, path)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in words that the folder of the networks cannot be written, or that its disk is full.

    Raises:
        InstallationError: it cannot be written.
        StorageFull: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull("storage_full") from error
        raise InstallationError("networks_folder", folder=folder, reason=error.strerror) from error


def as_json(entry: Mapping[str, Any]) -> bytes:
    """Return an entry as people can read it."""
    return (json.dumps(entry, indent=2, ensure_ascii=False) + "\n").encode()


def _time(milliseconds: float | None) -> float | None:
    """Return a measured time.

    Raises:
        InvalidInput: it is none.
    """
    if milliseconds is None:
        return None
    number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
    if not number or not 0 < milliseconds < _SLOWEST_MS:
        raise InvalidInput("network_speed", milliseconds=milliseconds)
    return float(milliseconds)
