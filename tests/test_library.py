"""The folder of networks: what is in it, what is damaged, and that it is whole at any moment."""

import errno
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from making import DEADLINE

from teachable import backbones, library, official, words
from teachable.errors import Conflict, InstallationError, ModelFileError, NotFound, StorageFull
from teachable.library import Library
from teachable.types import BackboneRecord

GRAPH = b"the bytes of a graph"
KNOWN = official.catalogue()
BEST = official.recommended()
SMALL = next(one for one in KNOWN if one.id == "mobilenet-v3-small")


def entry(id: str = "mine", data: bytes = GRAPH, **changed: Any) -> dict[str, Any]:
    """Contents of a record file."""
    record = BackboneRecord(
        id=id,
        title="Mine",
        description="For tests.",
        file=f"{id}.onnx",
        size_bytes=len(data),
        embedding_width=3,
        input_size=32,
        licence="MIT",
        source="a test",
        fingerprint=hashlib.sha256(data).hexdigest(),
        origin="imported",
    )
    return {"format_version": 1, "builtin": False, "record": asdict(replace(record, **changed)), "build": {}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "networks"


@pytest.fixture
def kept(folder: Path) -> Library:
    return Library(folder)


def add(kept: Library, id: str = "mine", data: bytes = GRAPH, **changed: Any) -> BackboneRecord:
    kept.folder.mkdir(parents=True, exist_ok=True)
    graph = kept.folder / "incoming"
    graph.write_bytes(data)
    return kept.add(entry(id, data, **changed), graph)


def ids(kept: Library) -> list[str]:
    return [one.id for one in kept.present()]


# What is here


def test_without_a_folder_there_is_the_builtin_network(kept: Library, folder: Path) -> None:
    assert kept.present() == (backbones.builtin(),)
    assert kept.default() == kept.builtin() == backbones.builtin()
    assert kept.read(kept.builtin()) == backbones.read(backbones.builtin())
    assert kept.path(kept.builtin()).read_bytes() == kept.read(kept.builtin())
    assert not folder.exists()


def test_a_network_that_was_added_is_here_for_every_process(kept: Library, folder: Path) -> None:
    record = add(kept)
    for one in (kept, Library(folder)):
        assert one.present()[1:] == (record,)
        assert one.find("mine") == one.find(record.fingerprint) == record
        assert one.read(record) == GRAPH
        assert one.path(record).read_bytes() == GRAPH
    assert sorted(path.name for path in folder.iterdir()) == ["mine.json", "mine.onnx"]
    written = json.loads((folder / "mine.json").read_text("utf-8"))
    assert (written["format_version"], written["builtin"]) == (1, False)
    assert BackboneRecord(**written["record"]) == record


def test_what_another_process_changes_is_seen(kept: Library, folder: Path) -> None:
    assert ids(kept) == ["slim-v1"]
    other = Library(folder)
    add(other)
    assert ids(kept) == ["slim-v1", "mine"]
    add(other, data=b"another graph")
    assert kept.read(kept.find("mine")) == b"another graph"
    other.remove("mine")
    assert ids(kept) == ["slim-v1"]


def test_the_recommended_network_is_the_default_once_it_is_here(kept: Library) -> None:
    assert kept.recommended == BEST
    add(kept, SMALL.id, origin="official")
    assert kept.default() == kept.builtin()
    record = add(kept, BEST.id, b"best", origin="official")
    assert kept.default() == record


def test_networks_come_in_the_order_of_the_catalogue_and_imported_ones_last(kept: Library) -> None:
    for number, (id, origin) in enumerate(
        [
            ("aaa", "imported"),
            ("resnet34", "official"),
            ("bbb", "imported"),
            (SMALL.id, "official"),
            (BEST.id, "official"),
        ]
    ):
        add(kept, id, bytes([number]), origin=origin)
    assert ids(kept) == ["slim-v1", BEST.id, SMALL.id, "resnet34", "aaa", "bbb"]


def test_another_catalogue_can_be_given(folder: Path) -> None:
    other = replace(SMALL, recommended=True)
    kept = Library(folder, (other,))
    assert kept.catalogue == (other,)
    assert kept.recommended == other
    assert kept.known(SMALL.architecture) == kept.known(SMALL.id) == other
    assert kept.known("resnet18") is None


def test_what_is_not_here_is_told_from_what_nobody_knows(kept: Library) -> None:
    for name in (BEST.id, BEST.architecture):
        with pytest.raises(NotFound) as caught:
            kept.find(name)
        assert caught.value.key == "network_absent"
        assert kept.title(BEST.id) in str(caught.value)
    for name in ("nonsense", "", "../../etc/passwd", "f" * 64):
        with pytest.raises(NotFound) as caught:
            kept.find(name)
        assert caught.value.key == "network_unknown"


def test_official_networks_also_go_by_torchvisions_name(kept: Library) -> None:
    record = add(kept, SMALL.id, origin="official")
    for name in (SMALL.architecture, "MobileNet V3 Small", "MobileNetV3-Small"):
        assert kept.find(name) == record
    kept.remove(SMALL.architecture)
    assert ids(kept) == ["slim-v1"]
    other = add(kept, "efficientnet-v2-s", origin="official")
    for name in ("efficientnet_v2_s", "EfficientNet V2-S"):
        assert kept.find(name) == other
    kept.remove("efficientnet_v2_s")
    assert ids(kept) == ["slim-v1"]


def test_imported_networks_go_by_their_exact_name_and_never_for_official_ones(kept: Library) -> None:
    first, second = add(kept, "my-net", b"one"), add(kept, "mynet", b"two")
    assert (kept.find("my-net"), kept.find("mynet")) == (first, second)
    add(kept, "resnet-101", b"of somebody")
    for name in ("My Net", "resnet101"):
        with pytest.raises(NotFound):
            kept.find(name)
    assert kept.free_id("ResNet18.onnx") == "resnet18-2"


def test_titles_and_descriptions_come_from_the_words_or_the_record(kept: Library) -> None:
    add(kept, "mine")
    for one in KNOWN:
        assert kept.title(one.id) == words.say(f"network.{one.id}.title")
        assert kept.description(one.id) == words.say(f"network.{one.id}.description")
    assert (kept.title("mine"), kept.description("mine")) == ("Mine", "For tests.")
    assert (kept.title("nonsense"), kept.description("nonsense")) == ("nonsense", "")


# Asked often


def test_asking_again_reads_nothing(kept: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    add(kept)
    first = kept.present()

    def fail(*_: object, **__: object) -> str:
        raise AssertionError("read again")

    monkeypatch.setattr(Path, "read_text", fail)
    monkeypatch.setattr(Path, "open", fail)
    assert kept.present() == first


def test_a_file_is_hashed_once_and_again_when_it_changed(kept: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []
    honest = hashlib.sha256
    record = add(kept)
    monkeypatch.setattr(library.hashlib, "sha256", lambda data=b"": hashed.append(1) or honest(data))
    assert [kept.read(record) for _ in range(3)] == [GRAPH] * 3
    assert len(hashed) == 1
    path = kept.path(record)
    os.utime(path, ns=(0, 0))
    assert kept.read(record) == GRAPH
    assert len(hashed) == 2
    path.write_bytes(GRAPH[::-1])
    with pytest.raises(ModelFileError):
        kept.read(record)


# Damage


def test_a_damaged_graph_is_said_once_read_and_then_left_out(kept: Library, folder: Path) -> None:
    record = add(kept)
    kept.path(record).write_bytes(GRAPH[::-1])
    assert ids(kept) == ["slim-v1", "mine"]
    with pytest.raises(ModelFileError, match="damaged"):
        kept.read(record)
    assert ids(kept) == ["slim-v1"]
    assert add(kept) == record
    assert kept.read(record) == GRAPH
    assert ids(kept) == ["slim-v1", "mine"]


def test_a_graph_of_another_length_is_left_out_at_once(kept: Library) -> None:
    record = add(kept)
    kept.path(record).write_bytes(GRAPH[:-1])
    assert ids(kept) == ["slim-v1"]


def test_a_graph_that_is_gone_is_absent(kept: Library) -> None:
    record = add(kept)
    kept.path(record).unlink()
    with pytest.raises(NotFound):
        kept.read(record)
    assert ids(kept) == ["slim-v1"]


def test_a_record_from_before_another_network_took_its_place_is_absent_not_damaged(kept: Library) -> None:
    old = add(kept)
    new = add(kept, data=b"another graph entirely")
    with pytest.raises(NotFound):
        kept.read(old)
    assert kept.read(new) == b"another graph entirely"
    assert ids(kept) == ["slim-v1", "mine"]


def spoiled(**changed: Any) -> str:
    return json.dumps({**entry(), **changed})


RECORD = entry()["record"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "\x00" * 100,
        "[" * 100_000,
        spoiled()[:-20],
        spoiled(format_version=2),
        spoiled(record=None),
        spoiled(record={}),
        spoiled(record={**RECORD, "more": 1}),
        spoiled(record={**RECORD, "id": "other"}),
        spoiled(record={**RECORD, "id": "slim-v1", "file": "slim-v1.onnx"}),
        spoiled(record={**RECORD, "origin": "builtin"}),
        spoiled(record={**RECORD, "file": "../mine.onnx"}),
        spoiled(record={**RECORD, "file": "other.onnx"}),
        spoiled(record={**RECORD, "size_bytes": "20"}),
        spoiled(record={**RECORD, "size_bytes": True}),
        spoiled(record={**RECORD, "embedding_width": 0}),
        spoiled(record={**RECORD, "title": None}),
        spoiled(record={**RECORD, "fingerprint": "x"}),
        spoiled(record={**RECORD, "fingerprint": 3}),
        spoiled(title="x" * 2**20),
    ],
)
def test_a_record_that_is_none_is_left_out_and_logged_once(
    text: str, kept: Library, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(kept, "sound", b"sound")
    (folder / "mine.onnx").write_bytes(GRAPH)
    (folder / "mine.json").write_text(text)
    for _ in range(3):
        assert ids(kept) == ["slim-v1", "sound"]
        (folder / "foreign.txt").touch()
    assert len(caplog.records) == 1
    assert "mine.json" in caplog.text


def test_files_of_others_in_the_folder_disturb_nothing(
    kept: Library, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = add(kept)
    (folder / "model.onnx").write_bytes(b"of somebody")
    (folder / "notes.json").write_text("{}")
    (folder / "bytes.json").write_bytes(b"\xff\xfe")
    (folder / "readme.txt").write_text("hello")
    (folder / "folder.json").mkdir()
    kept.choose(automatic=False)
    kept.note_speed("mine", native_ms=1)
    assert [kept.present()[1:] for _ in range(3)] == [(record,)] * 3
    assert len(caplog.records) == 3
    assert kept.free_id("model.onnx") == "model-2"


def test_a_file_that_goes_while_the_folder_is_looked_at_takes_no_other_with_it(
    kept: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(kept, "stays", b"stays")
    add(kept, "goes", b"goes")
    scandir = os.scandir

    @contextmanager
    def late(path: Path) -> Iterator[list[os.DirEntry[str]]]:
        with scandir(path) as entries:
            found = list(entries)
        for name in ("goes.json", "goes.onnx"):
            (folder / name).unlink()
        yield found

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", late)
        assert ids(kept) == ["slim-v1", "stays"]


def test_a_slow_disk_keeps_nobody_waiting_who_asks_what_is_here(
    kept: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[bool] = []
    fsync = os.fsync

    def slow(handle: int) -> None:
        asking = threading.Thread(target=kept.present)
        asking.start()
        # Only the first is waited for: while the record is written, which is small, they may have to wait.
        asking.join(0 if answered else DEADLINE)
        answered.append(not asking.is_alive())
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", slow)
        add(kept)
    assert answered[0], "the graph is large"
    assert ids(kept) == ["slim-v1", "mine"]


def test_without_room_for_its_record_nothing_of_a_network_stays(
    kept: Library, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    graph = tmp_path / "graph"
    graph.write_bytes(GRAPH)
    with monkeypatch.context() as patch:
        patch.setattr("teachable.library.write_whole", full)
        with pytest.raises(StorageFull):
            kept.add(entry(), graph)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_read_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    kept = Library(tmp_path / "file")
    assert [ids(kept) for _ in range(2)] == [["slim-v1"]] * 2
    assert len(caplog.records) == 1


# Adding and removing


@pytest.mark.parametrize(
    "changed",
    [
        {"fingerprint": "0" * 64},
        {"id": "slim-v1", "file": "slim-v1.onnx"},
        {"id": "../up", "file": "../up.onnx"},
        {"id": "con", "file": "con.onnx"},
        {"id": "choices", "file": "choices.onnx"},
        {"id": "Upper", "file": "Upper.onnx"},
        {"id": "x" * 61, "file": "x" * 61 + ".onnx"},
        {"id": "a/b", "file": "a/b.onnx"},
        {"id": "", "file": ".onnx"},
        {"file": "other.onnx"},
        {"origin": "builtin"},
    ],
)
def test_an_entry_that_does_not_fit_changes_nothing(changed: dict, kept: Library, folder: Path) -> None:
    record = add(kept)
    with pytest.raises(ModelFileError, match="not installed"):
        add(kept, **changed)
    assert kept.present()[1:] == (record,)
    assert sorted(path.name for path in folder.iterdir()) == ["incoming", "mine.json", "mine.onnx"]


@pytest.mark.parametrize("step", ["replace", "write_whole"])
@pytest.mark.parametrize("before", [False, True])
def test_a_process_that_dies_while_adding_leaves_a_whole_network_or_none(
    step: str, before: bool, kept: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    if before:
        add(kept, data=b"the one before")
    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "replace" else library, step, die)
        with pytest.raises(Killed):
            add(kept)
    for one in (kept, Library(folder)):
        assert ids(one) == ["slim-v1"]
    add(kept)
    assert Library(folder).read(kept.find("mine")) == GRAPH


def test_removing_takes_the_files_and_what_was_measured(kept: Library, folder: Path) -> None:
    record = add(kept)
    kept.note_speed("mine", native_ms=2)
    kept.remove("mine")
    assert ids(kept) == ["slim-v1"]
    assert kept.speeds() == {}
    assert [path.name for path in folder.iterdir()] == ["speeds.json"]
    with pytest.raises(NotFound):
        kept.read(record)
    with pytest.raises(NotFound):
        kept.remove("mine")


def test_the_builtin_network_stays(kept: Library) -> None:
    for name in (kept.builtin().id, kept.builtin().fingerprint):
        with pytest.raises(Conflict):
            kept.remove(name)
    assert kept.read(kept.builtin())


@pytest.mark.parametrize("name", ["nonsense", "../x", "", "choices", BEST.id])
def test_what_is_not_here_cannot_be_removed(name: str, kept: Library, folder: Path) -> None:
    kept.choose(automatic=False)
    (folder.parent / "x.onnx").write_text("precious")
    with pytest.raises(NotFound):
        kept.remove(name)
    assert (folder / "choices.json").exists()
    assert (folder.parent / "x.onnx").exists()


def test_a_damaged_network_can_be_removed(kept: Library, folder: Path) -> None:
    add(kept)
    (folder / "mine.json").write_text("{")
    kept.remove("mine")
    assert list(folder.iterdir()) == []


def test_a_graph_that_another_program_has_open_stays_without_its_record(
    kept: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    add(kept)
    unlink = Path.unlink

    def held(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".onnx":
            raise PermissionError(13, "in use")
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", held)
        kept.remove("mine")
    assert ids(kept) == ["slim-v1"]
    assert (folder / "mine.onnx").exists()
    add(kept)
    assert ids(kept) == ["slim-v1", "mine"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    graph = tmp_path / "graph"
    graph.write_bytes(GRAPH)
    kept = Library(tmp_path / "file")
    assert ids(kept) == ["slim-v1"]
    for change in (lambda: kept.add(entry(), graph), kept.lock):
        with pytest.raises(InstallationError, match="cannot be used"):
            change()
    assert graph.exists()


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("My Net.onnx", "my-net"),
        ("../../x.onnx", "x"),
        ("C:\\nets\\Größe 2.onnx", "c-nets-gr-e-2"),
        ("日本.onnx", "network"),
        ("", "network"),
        ("con.onnx", "con-2"),
        ("choices.pth", "choices-2"),
        ("mine.safetensors", "mine-2"),
        (f"{BEST.id}.onnx", f"{BEST.id}-2"),
        ("slim-v1.onnx", "slim-v1-2"),
        ("x" * 300, "x" * 50),
        (".onnx", "onnx"),
    ],
)
def test_every_file_name_gives_a_free_and_safe_id(name: str, id: str, kept: Library) -> None:
    add(kept)
    assert kept.free_id(name) == id
    add(kept, id, b"another")
    assert kept.free_id(name) != id


# One at a time


def test_the_lock_is_held_by_one_at_a_time(kept: Library, folder: Path) -> None:
    from filelock import Timeout

    with kept.lock():
        with pytest.raises(Timeout):
            Library(folder).lock().acquire(timeout=0)
        raised = []

        def other() -> None:
            try:
                kept.lock().acquire(timeout=0)
            except Timeout as error:
                raised.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert raised
    with Library(folder).lock().acquire(timeout=0):
        pass


# Choices and speeds


def test_choices_and_speeds_are_kept_beside_the_networks(kept: Library, folder: Path) -> None:
    add(kept, SMALL.id, origin="official")
    assert kept.choices().automatic
    kept.choose(automatic=False)
    assert not Library(folder).choices().automatic
    kept.note_speed(SMALL.architecture, native_ms=4, browser_ms=30)
    assert Library(folder).speeds()[SMALL.id].browser_ms == 30
    with pytest.raises(NotFound):
        kept.note_speed("nonsense", native_ms=1)


def test_what_was_not_measured_is_reckoned_from_the_builtin_network(kept: Library) -> None:
    assert kept.seconds_per_photo(BEST.id) is None
    kept.note_speed(kept.builtin().id, native_ms=5)
    assert kept.seconds_per_photo(kept.builtin().id) == 0.005
    assert kept.seconds_per_photo(BEST.id) == pytest.approx(0.005 * BEST.native_factor)
    assert kept.seconds_per_photo("nonsense") is None
    add(kept, BEST.id, origin="official")
    kept.note_speed(BEST.id, native_ms=8)
    assert kept.seconds_per_photo(BEST.id) == 0.008
