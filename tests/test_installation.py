"""The steps of an installation, with a stand-in for the conversion; the real one is in `test_installer`."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import weights_server as ws
from making import DEADLINE, until
from weights_server import WeightsServer

from teachable import contract, conversion, downloads, official
from teachable.errors import Cancelled, Conflict, InstallationError, ModelFileError, NotFound, StorageFull, TooLarge
from teachable.installation import fetch, install, take_in
from teachable.library import Library
from teachable.official import Described, Official

WEIGHTS = b"weights " * 10_000
SMALL = next(one for one in official.catalogue() if one.id == "mobilenet-v3-small")


class Workshop:
    """A library, a server, a conversion that copies, and what they were asked."""

    def __init__(self, folder: Path, server: WeightsServer) -> None:
        self.server = server
        self.file = server.add(SMALL.architecture, WEIGHTS)
        self.known = replace(SMALL, file=self.file, download_bytes=len(WEIGHTS), recommended=True)
        self.library = Library(folder / "networks", (self.known,))
        self.cancelled = threading.Event()
        self.seen: list[tuple[str, int, int]] = []
        self.described: list[str] = []
        self.converted: list[tuple[str, str | None]] = []
        self.origin = "official"
        self.before: Callable[[], None] = lambda: None

    def watch(self, phase: str, done: int, total: int) -> None:
        self.seen.append((phase, done, total))

    def phases(self) -> list[str]:
        return list(dict.fromkeys(phase for phase, _, _ in self.seen))

    def fetch(self, name: str = SMALL.id) -> Any:
        return fetch(self.library, name, self.watch, self.cancelled)

    def install(self, path: Path, name: str | None = None) -> Any:
        name = name or path.name
        return install(self.library, take_in(self.library, path, name), name, self.watch, self.cancelled)

    def describe(self, name: str, *_: object, **__: object) -> Described:
        self.described.append(name)
        if name not in {"resnet34", SMALL.id, SMALL.architecture}:
            raise NotFound("network_unknown", network=name)
        name = SMALL.architecture if name == SMALL.id else name
        return Described(name, self.server.address(self.file), self.file, len(WEIGHTS), 70.0, "MIT", "a test")

    def convert(
        self, source: Path, out: Path, *, architecture: str | None, cancelled: threading.Event, name: str | None = None
    ) -> conversion.Converted:
        self.converted.append((name or source.name, architecture))
        self.before()
        if cancelled.is_set():
            raise conversion.Cancelled
        data = b"graph of " + source.read_bytes()
        out.write_bytes(data)
        known = official.find(architecture) if architecture else None
        id = known.id if known else architecture or "unnamed"
        record = {
            "id": id,
            "title": "Converted",
            "description": "",
            "file": f"{id}.onnx",
            "size_bytes": len(data),
            "embedding_width": 3,
            "input_size": 32,
            "licence": "MIT",
            "source": "a test",
            "fingerprint": hashlib.sha256(data).hexdigest(),
            "origin": self.origin,
        }
        return conversion.Converted(entry={"format_version": 1, "builtin": False, "record": record})

    def partial(self) -> list[str]:
        return sorted(path.name for path in (self.library.folder / "partial").iterdir())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with WeightsServer() as server:
        made = Workshop(tmp_path, server)
        monkeypatch.setattr(conversion, "describe", made.describe)
        monkeypatch.setattr(conversion, "convert", made.convert)
        yield made


# Fetching


def test_what_was_fetched_is_converted_put_in_place_and_deleted(shop: Workshop) -> None:
    record = shop.fetch()
    assert shop.library.read(record) == b"graph of " + WEIGHTS
    assert shop.library.find(SMALL.id) == record
    assert shop.partial() == []
    assert shop.phases() == ["fetching", "converting"]
    assert ("fetching", len(WEIGHTS), len(WEIGHTS)) in shop.seen
    assert shop.converted == [(shop.file, SMALL.architecture)]


def test_a_mirror_needs_no_description(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHABLE_WEIGHTS_URL", shop.server.url + "/")
    shop.fetch()
    assert shop.described == []
    assert [one.name for one in shop.server.asked] == [shop.file]


def test_networks_outside_the_catalogue_are_described_and_may_be_on_the_mirror(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHABLE_WEIGHTS_URL", shop.server.url)
    assert shop.fetch("resnet34").id == "resnet34"
    assert shop.described == ["resnet34"]
    with pytest.raises(NotFound, match="no network called"):
        shop.fetch("nonsense")
    assert len(shop.server.asked) == 1


def test_a_file_that_could_not_be_checked_is_not_fetched(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    described = Described("resnet34", shop.server.url + "/x.pth", "resnet34.pth", 10, 70.0, "MIT", "a test")
    monkeypatch.setattr(conversion, "describe", lambda *_: described)
    with pytest.raises(ModelFileError, match="without a hash"):
        shop.fetch("resnet34")
    assert shop.server.asked == []


def test_a_network_that_came_while_waiting_is_not_fetched_again(shop: Workshop) -> None:
    first = shop.fetch()
    assert shop.fetch() == first
    assert len(shop.server.asked) == 1


def test_weights_that_are_of_no_use_are_deleted(shop: Workshop) -> None:
    def refuse() -> None:
        raise ModelFileError("network_without_map", network="x")

    shop.before = refuse
    with pytest.raises(ModelFileError):
        shop.fetch()
    assert shop.partial() == []
    assert shop.library.present() == (shop.library.builtin(),)


def test_weights_that_there_was_no_room_to_convert_are_kept(shop: Workshop) -> None:
    def full() -> None:
        raise StorageFull("storage_full")

    shop.before = full
    with pytest.raises(StorageFull):
        shop.fetch()
    assert shop.partial() == [shop.file]
    shop.before = lambda: None
    shop.fetch()
    assert len(shop.server.asked) == 1


@pytest.mark.parametrize("error", [OSError(28, os.strerror(28)), OSError(5, os.strerror(5))])
def test_trouble_with_the_disk_is_said(shop: Workshop, error: OSError) -> None:
    def fail() -> None:
        raise error

    shop.before = fail
    with pytest.raises(StorageFull if error.errno == 28 else InstallationError):
        shop.fetch()


def cancel_at(shop: Workshop, done: int) -> None:
    until(lambda: shop.seen[-1:] == [("fetching", done, len(WEIGHTS))])
    shop.cancelled.set()


def test_giving_up_keeps_what_was_fetched(shop: Workshop) -> None:
    for when in ("fetching", "converting"):
        shop.cancelled = threading.Event()
        if when == "fetching":
            shop.server.faults.append(ws.Stall(50_000))
            giving_up = threading.Thread(target=cancel_at, args=(shop, 50_000))
            giving_up.start()
        else:
            shop.before = shop.cancelled.set
        with pytest.raises(Cancelled):
            shop.fetch()
        kept = shop.library.folder / "partial" / (shop.file + (".part" if when == "fetching" else ""))
        assert kept.stat().st_size == (50_000 if when == "fetching" else len(WEIGHTS))
    giving_up.join()
    shop.cancelled = threading.Event()
    shop.before = lambda: None
    shop.fetch()
    assert [one.range for one in shop.server.asked] == [None, "bytes=50000-"]
    assert shop.partial() == []


def test_giving_up_after_the_conversion_installs_nothing(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(*arguments: Any, **options: Any) -> conversion.Converted:
        made = shop.convert(*arguments, **options)
        shop.cancelled.set()
        return made

    monkeypatch.setattr(conversion, "convert", convert)
    with pytest.raises(Cancelled):
        shop.fetch()
    assert shop.library.present() == (shop.library.builtin(),)
    assert shop.partial() == [shop.file]


# Importing


@pytest.mark.parametrize("name", ["stick.onnx", "Stick.ONNX", "stick.safetensors", "stick.pth"])
def test_a_file_is_taken_in_and_left_alone(shop: Workshop, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"my own network")
    shop.origin = "imported"
    record = shop.install(path)
    assert (record.id, record.origin) == ("stick", "imported")
    assert shop.library.read(record) == b"graph of my own network"
    assert path.read_bytes() == b"my own network"
    assert shop.partial() == []
    assert shop.phases() == ["converting"]
    assert shop.converted == [(name, None)]


def test_official_weights_are_recognised_whatever_they_are_called(shop: Workshop, tmp_path: Path) -> None:
    path = tmp_path / "download (1).pth"
    path.write_bytes(WEIGHTS)
    record = shop.install(path)
    assert (record.id, record.origin) == (SMALL.id, "official")
    assert shop.converted[0][1] == SMALL.architecture
    with pytest.raises(Conflict, match="already"):
        shop.install(path)


def test_two_files_of_one_name_are_two_networks(shop: Workshop, tmp_path: Path) -> None:
    shop.origin = "imported"
    path = tmp_path / "mine.onnx"
    for number in range(3):
        path.write_bytes(bytes([number]))
        shop.install(path)
    assert [one.id for one in shop.library.present()] == ["slim-v1", "mine", "mine-2", "mine-3"]
    path.write_bytes(bytes([1]))
    with pytest.raises(Conflict, match=r"“again\.onnx” holds the network “Converted”"):
        shop.install(path, "again.onnx")
    assert len(shop.library.present()) == 4
    assert shop.partial() == []


def test_what_is_no_file_is_not_taken_in(shop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    for name in ("folder.onnx", "gone.onnx"):
        with pytest.raises(NotFound, match=f"no file “{name}”"):
            shop.install(tmp_path / name)
    assert not (shop.library.folder / "partial").exists()


def test_what_is_larger_than_any_network_is_neither_taken_in_nor_fetched(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.onnx"
    path.write_bytes(b"x" * 3_000_000)
    monkeypatch.setattr(contract, "LARGEST_BYTES", 2_000_000)
    with pytest.raises(TooLarge, match="3 MB, and 2 MB is the most"):
        take_in(shop.library, path, path.name)
    shop.known = replace(shop.known, download_bytes=3_000_000)
    shop.library = Library(shop.library.folder, (shop.known,))
    monkeypatch.setenv("TEACHABLE_WEIGHTS_URL", shop.server.url)
    with pytest.raises(TooLarge):
        shop.fetch()
    assert shop.server.asked == []


def test_a_file_there_is_no_room_for_is_not_taken_in(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"x" * 1000)

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(StorageFull):
            take_in(shop.library, path, path.name)
    usage = shutil.disk_usage(tmp_path)._replace(free=downloads.SPARE_BYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(StorageFull, match="Make room"):
        take_in(shop.library, path, path.name)
    assert shop.partial() == []


def test_a_network_that_is_refused_leaves_nothing(shop: Workshop, tmp_path: Path) -> None:
    def refuse() -> None:
        raise ModelFileError("network_without_map", network="x")

    path = tmp_path / "mine.onnx"
    path.write_bytes(b"x")
    shop.before = refuse
    with pytest.raises(ModelFileError):
        shop.install(path)
    shop.before = shop.cancelled.set
    with pytest.raises(Cancelled):
        shop.install(path)
    assert shop.partial() == []
    assert path.exists()


def test_what_a_killed_program_left_behind_is_swept_in_time(shop: Workshop) -> None:
    partial = shop.library.folder / "partial"
    partial.mkdir(parents=True)
    names = ["import-1.pth", "abc.onnx", "abc.onnx.tmp", "weights-1234.pth.part", "import-2.pth", "def.onnx"]
    for name in names:
        (partial / name).write_bytes(b"x")
    for name in names[:4]:
        os.utime(partial / name, (time.time() - 10**6,) * 2)
    shop.fetch()
    assert shop.partial() == sorted(names[3:])


# One at a time

HOLD = """
import sys
from pathlib import Path
from teachable.library import Library
library = Library(Path(sys.argv[1]))
with library.lock():
    print("held", flush=True)
    sys.stdin.readline()
    if len(sys.argv) > 2:
        import json
        library.add(json.loads(sys.argv[2]), Path(sys.argv[3]))
"""


@contextmanager
def holding(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Another program that installs, until it is sent a line."""
    command = [sys.executable, "-c", HOLD, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


class Waiting:
    """A fetch in a thread of its own, which waits for another program by the time it is entered."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self.got: Any = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.got = self._shop.fetch()
        except Cancelled as error:
            self.got = error

    def __enter__(self) -> "Waiting":
        self._thread.start()
        until(lambda: ("waiting", 0, 0) in self._shop.seen)
        return self

    def __exit__(self, *_: object) -> None:
        self._shop.cancelled.set()
        self.join()

    def join(self) -> Any:
        self._thread.join(DEADLINE)
        return self.got


def test_two_programs_install_one_after_the_other(shop: Workshop) -> None:
    with holding(shop.library.folder) as other, Waiting(shop) as waiting:
        assert shop.server.asked == []
        other.communicate("go\n", timeout=DEADLINE)
        assert waiting.join() == shop.library.find(SMALL.id)
    assert shop.phases() == ["waiting", "fetching", "converting"]


def test_what_another_program_fetched_meanwhile_is_used(shop: Workshop, tmp_path: Path) -> None:
    shop.library.folder.mkdir()
    source, graph = tmp_path / "source", shop.library.folder / "theirs"
    source.write_bytes(WEIGHTS)
    entry = shop.convert(source, graph, architecture=SMALL.architecture, cancelled=shop.cancelled).entry
    with holding(shop.library.folder, json.dumps(entry), graph) as other, Waiting(shop) as waiting:
        other.communicate("go\n", timeout=DEADLINE)
        assert waiting.join().id == SMALL.id
    assert shop.server.asked == []


def test_giving_up_does_not_wait_for_another_program(shop: Workshop) -> None:
    with holding(shop.library.folder), Waiting(shop) as waiting:
        shop.cancelled.set()
        assert isinstance(waiting.join(), Cancelled)


def test_a_program_that_is_killed_holds_nobody_up(shop: Workshop) -> None:
    with holding(shop.library.folder) as other:
        other.kill()
        other.wait()
        assert shop.fetch().id == SMALL.id


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    known: Official = replace(SMALL, recommended=True)
    library = Library(tmp_path / "file", (known,))
    with pytest.raises(InstallationError, match="TEACHABLE_NETWORKS"):
        fetch(library, SMALL.id, lambda *_: None, threading.Event())
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"x")
    with pytest.raises(InstallationError):
        take_in(library, path, path.name)
