"""What is done to install one network: fetch or take in its weights, make the graph, put it in place.

It owns the order of these steps and the unfinished files in the folder `partial`. Who runs them, when, and what a
person sees meanwhile is `teachable.installer`.
"""

import contextlib
import hashlib
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from teachable import contract, conversion, downloads, settings
from teachable.errors import Cancelled, Conflict, ModelFileError, NotFound, StorageFull, TeachableError, TooLarge
from teachable.library import Library
from teachable.notes import writing
from teachable.official import Official, hash_prefix
from teachable.types import BackboneRecord

Phase = Literal["waiting", "fetching", "converting"]
Watch = Callable[[Phase, int, int], None]
"""Told the phase, and of fetching the bytes there are and the bytes there will be, 0 while that is not known."""

_HASHED = re.compile(r".+-[0-9a-f]{8,64}\.pth")
_LOOK_SECONDS = 0.1
_STALE_SECONDS = 24 * 3600
_MB = 1e6


@dataclass(frozen=True)
class _Source:
    """Where the weights of an official network are.

    Attributes:
        architecture: name of torchvision's builder.
        url: of the file.
        file: its name.
        size: of the file, nearly.
    """

    architecture: str
    url: str
    file: str
    size: int


def take_in(library: Library, path: Path, name: str) -> Path:
    """Copy a file that is to be imported, so that the stick can be pulled out while it is worked on.

    Args:
        library: where the network will go.
        path: of the file.
        name: what the person calls it.

    Returns:
        Where the copy is.

    Raises:
        NotFound: there is no such file.
        TooLarge: no network may be that large.
        StorageFull: there is no room for the copy.
        InstallationError: it cannot be read, or the folder not written.
    """
    if not path.is_file():
        raise NotFound("network_file_missing", name=name)
    size = path.stat().st_size
    _require_size(name, size)
    copy = _partial(library) / f"import-{secrets.token_hex(8)}"
    try:
        with writing(copy.parent):
            free, needed = shutil.disk_usage(copy.parent).free, size + downloads.SPARE_BYTES
            if needed > free:
                raise StorageFull("download_no_space", file=name, needed=_mb(needed), free=int(free // _MB))
            shutil.copyfile(path, copy)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    return copy


def fetch(library: Library, name: str, watch: Watch, cancelled: threading.Event) -> BackboneRecord:
    """Fetch an official network and put it in place.

    Args:
        library: where it goes.
        name: id in the catalogue, or the name of a classifier of torchvision.
        watch: told how it goes on.
        cancelled: set it to give up.

    Raises:
        Cancelled: it was given up.
        TeachableError: it cannot be had, for any of many reasons.
    """
    with _turn(library, watch, cancelled):
        watch("fetching", 0, 0)
        known = library.known(name)
        with contextlib.suppress(NotFound):
            # Another program had it come while this one waited.
            return library.find(name)
        source = _source(name, known, cancelled)
        _require_size(source.file, source.size)
        if not _HASHED.fullmatch(source.file):
            raise ModelFileError("network_unhashed", network=name, file=source.file)
        weights = _partial(library) / source.file
        watch("fetching", 0, source.size)
        downloads.fetch(
            source.url,
            weights,
            sha256_prefix=hash_prefix(source.file),
            expected_bytes=source.size,
            on_progress=lambda done, total: watch("fetching", done, total),
            cancelled=cancelled,
        )
        watch("converting", 0, 0)
        try:
            record = _convert(library, weights, source.architecture, None, cancelled)
        except TeachableError as error:
            if not isinstance(error, StorageFull):
                weights.unlink(missing_ok=True)
            raise
        weights.unlink(missing_ok=True)
        return record


def install(library: Library, copy: Path, name: str, watch: Watch, cancelled: threading.Event) -> BackboneRecord:
    """Put the network of a file that was taken in in place; the copy is used up, whatever comes.

    Args:
        library: where it goes.
        copy: what `take_in` returned.
        name: what the person calls the file.
        watch: told how it goes on.
        cancelled: set it to give up.

    Raises:
        Cancelled: it was given up.
        TeachableError: it is no network that can be used; the words name what was expected and what came.
    """
    try:
        with _turn(library, watch, cancelled):
            watch("converting", 0, 0)
            return _convert(library, copy, _recognise(library, copy), name, cancelled)
    finally:
        copy.unlink(missing_ok=True)


@contextlib.contextmanager
def _turn(library: Library, watch: Watch, cancelled: threading.Event) -> Iterator[None]:
    """Hold the lock of the folder, and speak with one voice about its troubles."""
    from filelock import Timeout

    with writing(library.folder), contextlib.ExitStack() as held:
        lock, patience = library.lock(), 0.0
        while not cancelled.is_set():
            try:
                held.enter_context(lock.acquire(timeout=patience, poll_interval=_LOOK_SECONDS / 2))
                break
            except Timeout:
                watch("waiting", 0, 0)
                patience = _LOOK_SECONDS
        if cancelled.is_set():
            raise Cancelled
        _sweep(library)
        yield


def _source(name: str, known: Official | None, cancelled: threading.Event) -> _Source:
    """Return where the weights are: on the mirror that was set, or where torchvision says."""
    mirror = settings.weights_url()
    if known and mirror:
        return _Source(known.architecture, f"{mirror}/{known.file}", known.file, known.download_bytes)
    found = conversion.describe(name, cancelled)
    url = f"{mirror}/{found.file}" if mirror else found.url
    return _Source(found.architecture, url, found.file, found.download_bytes)


def _recognise(library: Library, copy: Path) -> str | None:
    """Return which official network of the catalogue a weights file holds, whatever it is called."""
    with copy.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return next((one.architecture for one in library.catalogue if digest.startswith(one.hash_prefix)), None)


def _convert(
    library: Library, weights: Path, architecture: str | None, name: str | None, cancelled: threading.Event
) -> BackboneRecord:
    """Make a graph of a weights file and put it in place; `name` is that of a file that was imported."""
    graph = _partial(library) / f"{secrets.token_hex(8)}.onnx"
    try:
        made = conversion.convert(weights, graph, architecture=architecture, cancelled=cancelled, name=name)
        entry = made.entry
        record: Mapping[str, Any] = entry["record"]
        for one in library.present():
            if one.fingerprint == record["fingerprint"]:
                raise Conflict("network_twice", name=name or weights.name, network=library.title(one.id))
        if name is not None and record["origin"] == "imported":
            id = library.free_id(name)
            record = {**record, "id": id, "file": f"{id}.onnx"}
        if cancelled.is_set():
            raise Cancelled
        return library.add({**entry, "record": record}, graph)
    finally:
        graph.unlink(missing_ok=True)


def _partial(library: Library) -> Path:
    """Return the folder of what is not finished."""
    folder = library.folder / "partial"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _sweep(library: Library) -> None:
    """Remove what programs that were killed left behind; unfinished downloads stay, to be gone on with."""
    for path in _partial(library).iterdir():
        left = ".onnx" in path.suffixes or path.name.startswith("import-")
        if left and time.time() - path.stat().st_mtime > _STALE_SECONDS:
            path.unlink(missing_ok=True)


def _require_size(name: str, size: int) -> None:
    """Refuse what the conversion would refuse, before it is copied or fetched."""
    limit = contract.LARGEST_BYTES
    if size > limit:
        raise TooLarge("network_file_large", name=name, size=_mb(size), limit=int(limit // _MB))


def _mb(count: int) -> int:
    return -int(-count // _MB)
