"""The networks of this computer: the built-in one, and those in a folder that were fetched or imported.

It owns that folder: `ID.json` and `ID.onnx` for each network, and the lock that lets one installation run at a time
across processes. Choices and speeds beside them are kept by `teachable.notes`; fetching and converting is
`teachable.installer`.

A network is there when its record is. The graph is put in place before the record and taken away after it, so a process
that is killed at any moment leaves a network that is whole, or none.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable import backbones, official, words
from teachable.errors import Conflict, ModelFileError, NotFound
from teachable.notes import Choices, Notes, Speed, as_json, writing
from teachable.official import Official
from teachable.projects.files import sync_folder, write_whole
from teachable.resources import assets
from teachable.types import BackboneRecord
from teachable.words import say

if TYPE_CHECKING:
    from filelock import FileLock

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
# What is no network although it lies in the folder, and what Windows lets nobody call a file.
_TAKEN = frozenset(
    {"choices", "speeds", "lock", "partial", "con", "prn", "aux", "nul"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_LARGEST_RECORD = 2**20

_State = dict[str, tuple[int, int]]


class Library:
    """The networks of one folder and the built-in one; safe to use from any thread and several processes.

    Args:
        folder: of the networks; made when the first one comes.
        catalogue: the official networks; torchvision's if not given.
    """

    def __init__(self, folder: Path, catalogue: Sequence[Official] | None = None) -> None:
        self.folder = folder
        self._catalogue = None if catalogue is None else tuple(catalogue)
        self._notes = Notes(folder)
        self._guard = threading.RLock()
        self._seen: _State | None = None
        self._installed: tuple[BackboneRecord, ...] = ()
        # States of files: complained about, found to be what their record says, and found not to be.
        self._told: set[tuple[str, tuple[int, int] | None]] = set()
        self._sound: dict[str, tuple[str, tuple[int, int]]] = {}
        self._damaged: _State = {}

    @property
    def catalogue(self) -> tuple[Official, ...]:
        """The official networks, whether they are here or not."""
        return official.catalogue() if self._catalogue is None else self._catalogue

    @property
    def recommended(self) -> Official:
        """The network that new projects use once it is here."""
        return next(one for one in self.catalogue if one.recommended)

    def known(self, id_or_architecture: str) -> Official | None:
        """Return the official network of this id, or of this name in torchvision, written as people write names."""
        return official.find(id_or_architecture, self.catalogue)

    # What is here

    def present(self) -> tuple[BackboneRecord, ...]:
        """Return the networks that can be used: built-in, official, imported.

        It looks at names, sizes and times in the folder and reads what changed; it can be asked many times a second. A
        record that is damaged or without its graph is left out and logged once.
        """
        with self._guard:
            found = self._scan()
            if found != self._seen:
                self._installed = tuple(sorted(self._load(found), key=self._order))
                self._seen = found
            return (self.builtin(), *self._installed)

    def builtin(self) -> BackboneRecord:
        """Return the network that comes with the program."""
        return self._builtin

    @cached_property
    def _builtin(self) -> BackboneRecord:
        return backbones.builtin()

    def default(self) -> BackboneRecord:
        """Return the network new projects use: the recommended one if it is here, otherwise the built-in one."""
        wanted = self.recommended.id
        return next((one for one in self.present() if one.id == wanted), self.builtin())

    def find(self, id_or_fingerprint: str) -> BackboneRecord:
        """Return a network that is here; official ones also go by their name in torchvision, as people write names.

        Raises:
            NotFound: it is not here; the words tell one that could be from one that nobody knows.
        """
        present, known = self.present(), self.known(id_or_fingerprint)
        exactly = (one for one in present if id_or_fingerprint in (one.id, one.fingerprint))
        wanted = official.plain(known.id if known else id_or_fingerprint)
        nearly = (one for one in present if one.origin == "official" and official.plain(one.id) == wanted)
        found = next(exactly, None) or next(nearly, None)
        if found:
            return found
        if known:
            raise NotFound("network_absent", network=self.title(known.id))
        raise NotFound("network_unknown", network=id_or_fingerprint)

    def path(self, record: BackboneRecord) -> Path:
        """Return where the graph of a network is."""
        folder = assets() / "backbones" if record.origin == "builtin" else self.folder
        return folder / record.file

    def read(self, record: BackboneRecord) -> bytes:
        """Return the graph of a network. It is hashed when it is first read, and again when the file changed.

        Raises:
            NotFound: it is not here any more.
            ModelFileError: the file is damaged; from then on the network does not count as present.
            InstallationError: the same of the built-in network.
        """
        if record.origin == "builtin":
            return backbones.read(record)
        path = self.path(record)
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                data = file.read()
        except OSError as error:
            raise NotFound("network_absent", network=self.title(record.id)) from error
        state = (stat.st_size, stat.st_mtime_ns)
        with self._guard:
            if self._sound.get(record.file) == (record.fingerprint, state):
                return data
        if hashlib.sha256(data).hexdigest() == record.fingerprint:
            with self._guard:
                self._sound[record.file] = (record.fingerprint, state)
            return data
        if record not in self.present():
            # Somebody put another network of this name in its place.
            raise NotFound("network_absent", network=self.title(record.id))
        log.warning("the file %s is not the one its record was written for", path)
        with self._guard:
            self._damaged[record.file] = state
            self._seen = None
        raise ModelFileError("network_damaged", network=record.title)

    def title(self, id: str) -> str:
        """Return what a network is called, in words; one that nobody knows is called by its id."""
        if f"network.{id}.title" in words.catalogue():
            return say(f"network.{id}.title")
        return next((one.title for one in self.present() if one.id == id), id)

    def description(self, id: str) -> str:
        """Return what a network is good for, in words, empty for one that nobody knows."""
        if f"network.{id}.description" in words.catalogue():
            return say(f"network.{id}.description")
        return next((one.description for one in self.present() if one.id == id), "")

    # Changing what is here

    def add(self, entry: Mapping[str, Any], graph: Path) -> BackboneRecord:
        """Put a network in place, instead of the one of the same id if there is one.

        Args:
            entry: contents of its record file.
            graph: the ONNX file; it is moved and must be on the same disk.

        Raises:
            ModelFileError: the entry does not describe this file.
            InstallationError: the folder cannot be written.
        """
        try:
            record = _record(entry)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError("network_entry", network=str(graph.name)) from error
        if record.id == self.builtin().id or _sha256(graph) != record.fingerprint:
            raise ModelFileError("network_entry", network=record.title)
        written = {**entry, "format_version": FORMAT_VERSION, "builtin": False}
        note = self.folder / f"{record.id}.json"
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            # Before others are kept waiting: a slow disk takes seconds for it.
            with graph.open("rb+") as file:
                os.fsync(file.fileno())
        with self._guard, writing(self.folder):
            note.unlink(missing_ok=True)
            placed = graph.replace(self.folder / record.file)
            try:
                sync_folder(self.folder)
                write_whole(note, as_json(written))
            except BaseException:
                placed.unlink(missing_ok=True)
                raise
            self._damaged.pop(record.file, None)
            self._seen = None
        return record

    def remove(self, id: str) -> None:
        """Remove a network, a damaged one too.

        Raises:
            Conflict: it is the built-in one.
            NotFound: it is not here.
            InstallationError: the folder cannot be written.
        """
        id = self.removable(id)
        if id == self.builtin().id:
            raise Conflict("network_builtin", network=self.title(id))
        note, graph = self.folder / f"{id}.json", self.folder / f"{id}.onnx"
        with self._guard, writing(self.folder):
            note.unlink(missing_ok=True)
            self._seen = None
            try:
                graph.unlink(missing_ok=True)
            except PermissionError:
                # On Windows nobody can remove what another program has open. Without its record it counts for nothing.
                log.warning("%s is in use and stays; it can be deleted later", graph)
            self._notes.forget_speed(id)

    def removable(self, name: str) -> str:
        """Return the id of a network that is here, or of one that left its files here.

        Raises:
            NotFound: there is neither.
        """
        known = self.known(name)
        id = known.id if known else name
        left_over = _is_id(id) and (self.folder / f"{id}.onnx").exists()
        return id if left_over else self.find(id).id

    def free_id(self, name: str) -> str:
        """Return an id for a network that comes from a file of this name, unlike that of any other network."""
        stem = re.sub(r"[^a-z0-9]+", "-", Path(name).stem.lower()).strip("-")[:50].strip("-") or "network"
        taken = {one.id for one in self.present()} | _TAKEN
        number, id = 1, stem
        while id in taken or self.known(id) or (self.folder / f"{id}.onnx").exists():
            number += 1
            id = f"{stem}-{number}"
        return id

    def lock(self) -> "FileLock":
        """Return the lock that whoever installs holds; one installation at a time, across processes.

        Raises:
            InstallationError: the folder cannot be written.
        """
        from filelock import FileLock

        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    # Choices and speeds

    def choices(self) -> Choices:
        """Return what the person decided."""
        return self._notes.choices()

    def choose(self, *, automatic: bool) -> None:
        """Keep what the person decided.

        Raises:
            InstallationError: the folder cannot be written.
        """
        self._notes.choose(automatic=automatic)

    def speeds(self) -> Mapping[str, Speed]:
        """Return how quick networks were measured to be, by id."""
        return self._notes.speeds()

    def note_speed(self, id: str, *, native_ms: float | None = None, browser_ms: float | None = None) -> None:
        """Keep how long a network takes for one photo; what is not given stays.

        Raises:
            NotFound: no such network is here.
            InvalidInput: this is no time.
            InstallationError: the folder cannot be written.
        """
        self._notes.note_speed(self.find(id).id, native_ms=native_ms, browser_ms=browser_ms)

    def seconds_per_photo(self, id: str) -> float | None:
        """Return how long a network takes for one photo in this program: as measured, or else as can be expected."""
        speeds = self.speeds()
        measured = speeds.get(id, Speed()).native_ms
        if measured is not None:
            return measured / 1000
        known, builtin = self.known(id), speeds.get(self.builtin().id, Speed()).native_ms
        return builtin * known.native_factor / 1000 if known and builtin is not None else None

    # Files

    def _scan(self) -> _State:
        """Return size and time of every file of the folder that can belong to a network."""
        found: _State = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith((".json", ".onnx")) and entry.is_file():
                        with contextlib.suppress(FileNotFoundError):  # another process just removed it
                            stat = entry.stat()
                            found[entry.name] = (stat.st_size, stat.st_mtime_ns)
        except FileNotFoundError:
            return {}
        except OSError:
            self._tell_once(str(self.folder), None, "the folder of networks %s cannot be read", self.folder)
            return {}
        return found

    def _load(self, found: _State) -> Iterator[BackboneRecord]:
        """Yield the records that are sound, log what is not."""
        records = {name.removesuffix(".json") for name in found if name.endswith(".json")} - _TAKEN
        for id in records:
            name = f"{id}.json"
            try:
                if found[name][0] > _LARGEST_RECORD:
                    raise ValueError("far too long for a record")
                record = _record(json.loads((self.folder / name).read_text(encoding="utf-8")))
                if record.id != id or id == self.builtin().id:
                    raise ValueError(f"a record of {record.id}")
                graph = found.get(record.file)
                if graph is None or graph[0] != record.size_bytes:
                    raise ValueError(f"{record.file} is missing or has another size")
            except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
                self._tell_once(name, found[name], "%s is left out of the networks: %r", self.folder / name, error)
                continue
            if self._damaged.get(record.file) != graph:
                yield record
        for name, state in found.items():
            if name.endswith(".onnx") and name.removesuffix(".onnx") not in records:
                self._tell_once(name, state, "%s has no record and is left out of the networks", self.folder / name)

    def _order(self, record: BackboneRecord) -> tuple[int, int, str]:
        """Order official networks as in the catalogue, then other official ones, then imported ones."""
        places = {one.id: place for place, one in enumerate(self.catalogue)}
        return int(record.origin == "imported"), places.get(record.id, len(places)), record.id

    def _tell_once(self, name: str, state: tuple[int, int] | None, message: str, *values: object) -> None:
        with self._guard:
            if (name, state) in self._told:
                return
            self._told.add((name, state))
        log.warning(message, *values)


def _record(entry: Mapping[str, Any]) -> BackboneRecord:
    """Return the record of a record file.

    Raises:
        KeyError, TypeError, ValueError: it is not one that a network in the folder can have.
    """
    record = BackboneRecord(**entry["record"])
    texts = (record.title, record.description, record.licence, record.source, record.id, record.file)
    counts = (record.size_bytes, record.embedding_width, record.input_size)
    sound = (
        entry.get("format_version", FORMAT_VERSION) == FORMAT_VERSION
        and all(isinstance(text, str) for text in texts)
        and all(type(count) is int and count > 0 for count in counts)
        and _is_id(record.id)
        and record.file == f"{record.id}.onnx"
        and _FINGERPRINT.fullmatch(record.fingerprint)
        and record.origin in {"official", "imported"}
    )
    if not sound:
        raise ValueError("no record of a network that was fetched or imported")
    return record


def _is_id(id: str) -> bool:
    """Tell whether an id is a safe file name on every system."""
    return bool(_ID.fullmatch(id)) and id not in _TAKEN


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
