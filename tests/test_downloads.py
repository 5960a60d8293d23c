"""Fetching from a real server on this computer: whole, cut, changed, lying, endless, silent, gone, cancelled."""

import errno
import hashlib
import json
import os
import random
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import weights_server as ws
from making import DEADLINE, until
from small_disks import small_disk
from weights_server import Stall, WeightsServer

from teachable import downloads
from teachable.downloads import fetch
from teachable.errors import Cancelled, NotFound, StorageFull, TeachableError, TooLarge
from teachable.transfer import Answer

DATA = random.Random(0).randbytes(1_000_000)
MIDDLE = 400_000


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy between the test and its server, and no waiting before a connection is taken up again."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def server() -> Iterator[WeightsServer]:
    with WeightsServer() as made:
        yield made


class Fetch:
    """One file of the server and what is asked for it."""

    def __init__(self, server: WeightsServer, folder: Path, data: bytes = DATA) -> None:
        self.server = server
        self.name = server.add("network", data)
        self.target = folder / self.name
        self.part = folder / f"{self.name}.part"
        self.note = folder / f"{self.name}.part.json"
        self.cancelled = threading.Event()
        self.seen: list[tuple[int, int]] = []

    def __call__(self, **changed: Any) -> None:
        given: dict[str, Any] = {
            "url": self.server.address(self.name),
            "target": self.target,
            "sha256_prefix": self.name[-12:-4],
            "expected_bytes": len(DATA),
            "on_progress": lambda done, total: self.seen.append((done, total)),
            "cancelled": self.cancelled,
            "timeout": DEADLINE,
        }
        fetch(**{**given, **changed})

    def ranges(self) -> list[str | None]:
        return [one.range for one in self.server.asked]

    def is_whole(self) -> bool:
        """The file is there, and nothing else."""
        return self.target.read_bytes() == DATA and list(self.target.parent.iterdir()) == [self.target]

    def left(self) -> int:
        """Bytes kept for the next time."""
        assert not self.target.exists()
        return self.part.stat().st_size if self.part.exists() else 0


@pytest.fixture
def one(server: WeightsServer, tmp_path: Path) -> Fetch:
    return Fetch(server, tmp_path)


def in_background(call: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


# Whole


@pytest.mark.parametrize("expected", [len(DATA), int(len(DATA) * 0.95), int(len(DATA) * 1.05), None])
def test_a_file_arrives_whole_and_progress_ends_at_its_size(one: Fetch, expected: int | None) -> None:
    one(expected_bytes=expected)
    assert one.is_whole()
    assert one.seen[0] == (0, len(DATA))
    assert one.seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in one.seen] == sorted(done for done, _ in one.seen)
    assert one.ranges() == [None]


def test_a_file_that_is_there_is_not_fetched_again(one: Fetch) -> None:
    one.target.write_bytes(DATA)
    one()
    assert one.server.asked == []
    assert one.seen == [(len(DATA), len(DATA))]


def test_a_file_that_is_there_and_wrong_is_fetched(one: Fetch) -> None:
    one.target.write_bytes(DATA[1:])
    one()
    assert one.is_whole()


def test_a_server_that_says_no_length(one: Fetch) -> None:
    one.server.faults.append(ws.stated(None))
    one()
    assert one.is_whole()
    assert one.seen[0] == (0, len(DATA))


def test_a_redirect_is_followed(one: Fetch) -> None:
    one.server.faults.append(ws.status(302, Location=f"{one.server.url}/elsewhere/{one.name}"))
    one()
    assert one.is_whole()


def test_a_fetch_without_a_hash_is_a_mistake(one: Fetch) -> None:
    with pytest.raises(ValueError, match="hash"):
        one(sha256_prefix="")


# Broken and resumed


def test_a_broken_connection_is_taken_up_where_it_broke(one: Fetch) -> None:
    one.server.faults.extend([ws.cut(MIDDLE), ws.cut(2 * MIDDLE)])
    one()
    assert one.is_whole()
    assert one.ranges() == [None, f"bytes={MIDDLE}-", f"bytes={2 * MIDDLE}-"]
    assert [asked.if_range for asked in one.server.asked] == [None, ws.tag(DATA), ws.tag(DATA)]


def test_the_next_call_goes_on_from_what_is_kept(one: Fetch) -> None:
    one.server.faults.extend([ws.cut(MIDDLE), ws.status(503)])
    with pytest.raises(TeachableError):
        one()
    assert one.left() == MIDDLE
    one.server.asked.clear()
    one.seen.clear()
    one()
    assert one.is_whole()
    assert one.ranges() == [f"bytes={MIDDLE}-"]
    assert one.seen[0] == (MIDDLE, len(DATA))


def test_a_connection_that_breaks_again_and_again_is_given_up(one: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "ATTEMPTS", 3)
    one.server.faults.extend([ws.cut(1000 * turn) for turn in range(1, 9)])
    with pytest.raises(TeachableError, match="broke before") as caught:
        one()
    assert caught.value.key == "download_cut"
    assert len(one.server.asked) == 3
    assert one.left() == 3000


def test_a_connection_that_brings_nothing_is_given_up_at_once(one: Fetch) -> None:
    one.server.faults.extend([ws.cut(0)] * 9)
    with pytest.raises(TeachableError) as caught:
        one()
    assert caught.value.key == "download_cut"
    assert len(one.server.asked) == 1


def test_a_server_that_knows_no_ranges_sends_everything_again(one: Fetch) -> None:
    one.server.faults.extend([ws.cut(MIDDLE), ws.without_ranges])
    one()
    assert one.is_whole()
    assert (0, len(DATA)) in one.seen[2:]


@pytest.mark.parametrize("tags", [True, False])
def test_a_file_that_changed_between_is_fetched_from_the_start(one: Fetch, tags: bool) -> None:
    """With tags the server sends it whole; without, the length or in the end the hash tells."""
    one.server.sends_tags = tags
    for older in (DATA[::-1], DATA[::-1] + b"longer"):
        one.server.files[one.name] = older
        one.server.faults.extend([ws.cut(MIDDLE), ws.status(500)])
        with pytest.raises(TeachableError):
            one()
        assert one.left() == MIDDLE
        one.server.files[one.name] = DATA
        one()
        assert one.is_whole()
        one.target.unlink()


@pytest.mark.parametrize("note", ["", "[]", "{", '{"url": 3, "validator": 4, "total": "x"}', None])
def test_a_part_without_a_sound_note_is_used(one: Fetch, note: str | None) -> None:
    one.part.write_bytes(DATA[:MIDDLE])
    if note is not None:
        one.note.write_text(note)
    one()
    assert one.is_whole()
    assert one.ranges()[0] == f"bytes={MIDDLE}-"
    assert one.server.asked[0].if_range is None


def test_what_another_server_said_of_the_file_is_not_asked_of_this_one(one: Fetch) -> None:
    one.part.write_bytes(DATA[:MIDDLE])
    one.note.write_text(json.dumps({"url": "http://other.invalid/x", "validator": '"other"', "total": len(DATA)}))
    one()
    assert one.is_whole()
    assert one.ranges() == [f"bytes={MIDDLE}-"]


def test_a_whole_part_needs_no_request(one: Fetch) -> None:
    one.part.write_bytes(DATA)
    one.note.write_text(json.dumps({"total": len(DATA)}))
    one()
    assert one.is_whole()
    assert one.server.asked == []


@pytest.mark.parametrize("extra", [b"", b"more"])
def test_a_part_that_is_as_long_as_the_file_or_longer(one: Fetch, extra: bytes) -> None:
    one.part.write_bytes(DATA + extra)
    one()
    assert one.is_whole()
    assert one.ranges() == [f"bytes={len(DATA + extra)}-", None]


def test_an_answer_that_begins_elsewhere_is_not_put_behind_the_part(one: Fetch) -> None:
    def elsewhere(handler: ws.Handler, data: bytes) -> None:
        handler.begin(206, len(data), {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"})
        handler.send(data)

    one.part.write_bytes(DATA[:MIDDLE])
    one.server.faults.append(elsewhere)
    one()
    assert one.is_whole()
    assert one.ranges() == [f"bytes={MIDDLE}-", None]


# Wrong


def test_a_wrong_hash_is_refused_and_nothing_is_kept(one: Fetch) -> None:
    one.server.faults.append(ws.damaged)
    with pytest.raises(TeachableError, match="thrown away") as caught:
        one()
    assert caught.value.key == "download_damaged"
    assert list(one.target.parent.iterdir()) == []
    assert len(one.server.asked) == 1


def test_a_wrong_hash_after_a_resume_is_tried_once_more_from_the_start(one: Fetch) -> None:
    one.part.write_bytes(bytes(MIDDLE))
    one()
    assert one.is_whole()
    assert one.ranges() == [f"bytes={MIDDLE}-", None]


def test_a_wrong_hash_twice_is_refused(one: Fetch) -> None:
    one.part.write_bytes(bytes(MIDDLE))
    one.server.faults.extend([ws.without_ranges, ws.damaged])
    one.server.files[one.name] = DATA[::-1]
    with pytest.raises(TeachableError) as caught:
        one()
    assert caught.value.key == "download_damaged"
    assert list(one.target.parent.iterdir()) == []


@pytest.mark.parametrize("length", [len(DATA) - 10, len(DATA) + 10])
def test_a_length_that_lies_a_little(one: Fetch, length: int) -> None:
    """Too short, and the hash is wrong; too long, and the rest never comes."""
    one.server.faults.append(ws.stated(length))
    if length > len(DATA):
        one()
        assert one.is_whole()
        return
    with pytest.raises(TeachableError) as caught:
        one()
    assert caught.value.key == "download_damaged"
    assert one.left() == 0


@pytest.mark.parametrize("length", [1, len(DATA) // 2, 2 * len(DATA), 10**15])
def test_a_length_that_lies_a_lot_is_refused_before_anything_is_fetched(one: Fetch, length: int) -> None:
    one.server.faults.append(ws.stated(length))
    with pytest.raises(TeachableError, match="is not network-") as caught:
        one()
    assert caught.value.key == "download_wrong_file"
    assert one.left() == 0


def test_a_login_page_is_not_taken_for_the_file(one: Fetch) -> None:
    one.server.faults.append(ws.page)
    with pytest.raises(TeachableError, match="log in") as caught:
        one()
    assert caught.value.key == "download_wrong_file"


@pytest.mark.parametrize("instead", [ws.page, ws.stated(10**15)])
def test_a_login_page_costs_nothing_of_what_came_before(one: Fetch, instead: ws.Fault) -> None:
    one.server.faults += [ws.cut(len(DATA) // 2), ws.status(503)]
    with pytest.raises(TeachableError):
        one()
    kept = one.left()
    assert kept > 0
    one.server.faults.append(instead)
    with pytest.raises(TeachableError) as caught:
        one()
    assert caught.value.key == "download_wrong_file"
    assert one.left() == kept
    one()
    assert one.is_whole()
    assert one.ranges()[-1] == f"bytes={kept}-"


def test_a_login_page_of_a_file_of_unknown_size_has_the_wrong_hash(one: Fetch) -> None:
    one.server.faults.append(ws.page)
    with pytest.raises(TeachableError) as caught:
        one(expected_bytes=None)
    assert caught.value.key == "download_damaged"


def test_an_endless_body_is_cut_off(one: Fetch) -> None:
    one.server.faults.append(ws.endless)
    with pytest.raises(TooLarge, match="far more"):
        one()
    assert list(one.target.parent.iterdir()) == []
    assert one.seen[-1][0] <= 1.1 * len(DATA)


def test_an_endless_body_of_unknown_size_is_cut_off(one: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "LARGEST_BYTES", 3 * len(DATA))
    one.server.faults.append(ws.endless)
    with pytest.raises(TooLarge):
        one(expected_bytes=None)
    assert one.left() == 0


# Refused


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (404, "download_missing"),
        (410, "download_missing"),
        (403, "download_refused"),
        (304, "download_refused"),
        (416, "download_refused"),
        (500, "download_server"),
        (503, "download_server"),
        (429, "download_server"),
    ],
)
def test_a_server_that_says_no(one: Fetch, code: int, key: str) -> None:
    one.server.faults.append(ws.status(code))
    with pytest.raises(TeachableError) as caught:
        one()
    assert caught.value.key == key
    assert isinstance(caught.value, NotFound) == (key == "download_missing")
    assert len(one.server.asked) == 1


def test_every_refusal_says_both_ways_out(one: Fetch) -> None:
    for code in (404, 403, 500):
        one.server.faults.append(ws.status(code))
        with pytest.raises(TeachableError) as caught:
            one()
        assert "etch again" in str(caught.value)
        assert f"bring {one.name} on a stick and import it" in str(caught.value)
        assert "127.0.0.1" in str(caught.value)


def test_a_server_in_trouble_leaves_the_part_alone(one: Fetch) -> None:
    one.part.write_bytes(DATA[:MIDDLE])
    one.server.faults.append(ws.status(500))
    with pytest.raises(TeachableError):
        one()
    assert one.left() == MIDDLE


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "file:///etc/hostname", "nothing", "http://", ""])
def test_only_http_addresses_are_asked(one: Fetch, address: str) -> None:
    with pytest.raises(TeachableError) as caught:
        one(url=address)
    assert caught.value.key == "download_address"


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/x", "file:///etc/hostname"])
def test_a_redirect_to_anything_but_http_is_refused(one: Fetch, location: str) -> None:
    one.server.faults.append(ws.status(302, Location=location))
    with pytest.raises(TeachableError) as caught:
        one()
    assert caught.value.key == "download_redirected"


def test_redirects_in_a_circle_are_refused(one: Fetch) -> None:
    one.server.faults.extend([ws.status(302, Location=one.server.address(one.name))] * 20)
    with pytest.raises(TeachableError) as caught:
        one()
    assert caught.value.key == "download_redirected"
    assert len(one.server.asked) < 10


def test_nobody_at_the_address(one: Fetch) -> None:
    # It is held, so that nobody else gets it, but nothing listens there.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(TeachableError, match="could not be reached") as caught:
            one(url=f"http://teacher:secret@127.0.0.1:{port}/{one.name}?token=secret")
    assert caught.value.key == "download_unreachable"
    # Another computer can fetch it from there; what opens the mirror of a school is nobody else's business.
    assert f" http://127.0.0.1:{port}/{one.name} " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_host_that_does_not_exist(one: Fetch) -> None:
    with pytest.raises(TeachableError) as caught:
        one(url=f"http://no-such-host.invalid/{one.name}")
    assert caught.value.key == "download_unreachable"
    assert "no-such-host.invalid" in str(caught.value)


def test_something_that_does_not_speak_http(one: Fetch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def greet() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(TeachableError) as caught:
            one(url=f"http://127.0.0.1:{plain.getsockname()[1]}/{one.name}")
        thread.join()
    assert caught.value.key == "download_cut"


@pytest.mark.parametrize("proxy", ["socks9://127.0.0.1:9", "nonsense://x", "http://[", "http://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_said(one: Fetch, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(TeachableError) as caught:
        one(url=f"http://files.invalid/{one.name}")
    assert caught.value.key in {"download_proxy", "download_unreachable"}
    assert "etch again" in str(caught.value)


# Silence and cancelling


@pytest.mark.parametrize("fault", [ws.silent, Stall(MIDDLE)])
def test_silence_ends_in_words(one: Fetch, fault: ws.Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    one.server.faults.append(fault)
    with pytest.raises(TeachableError, match="stopped sending") as caught:
        one(timeout=0.2)
    assert caught.value.key == "download_stalled"
    assert one.left() == (one.seen[-1][0] if one.seen else 0)


def test_a_connection_that_fell_silent_is_taken_up_again(one: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    def patient(
        url: str, file: str, conditions: Mapping[str, str], timeout: float, cancelled: threading.Event
    ) -> Answer:
        return Answer(url, file, conditions, DEADLINE if conditions else timeout, cancelled)

    monkeypatch.setattr(downloads, "Answer", patient)
    one.server.faults.append(Stall(MIDDLE))
    one(timeout=1.0)
    assert one.is_whole()
    # Nothing that came is asked for again.
    whole, rest = one.ranges()
    assert whole is None
    assert [done for done, _ in one.seen].count(int(str(rest).removeprefix("bytes=").removesuffix("-"))) == 2


def test_a_slow_server_is_waited_for(one: Fetch) -> None:
    slow = Stall(MIDDLE)
    one.server.faults.append(slow)
    thread, raised = in_background(one)
    assert slow.reached.wait(DEADLINE)
    slow.go.set()
    thread.join(DEADLINE)
    assert raised == []
    assert one.is_whole()
    assert one.ranges() == [None]


@pytest.mark.parametrize("fault", [ws.silent, Stall(MIDDLE), ws.endless], ids=["before", "within", "while"])
def test_cancelling_is_prompt_and_keeps_what_came(one: Fetch, fault: ws.Fault) -> None:
    one.server.faults.append(fault)
    # Silence would end it much later.
    thread, raised = in_background(lambda: one(expected_bytes=None, timeout=10 * DEADLINE))
    if isinstance(fault, Stall):
        until(lambda: bool(one.seen) and one.seen[-1][0] == MIDDLE)
    else:
        until(lambda: bool(one.server.asked) and (fault is ws.silent or len(one.seen) > 3))
    one.cancelled.set()
    thread.join(DEADLINE)
    assert [type(error) for error in raised] == [Cancelled]
    assert one.left() == (one.seen[-1][0] if one.seen else 0)


def test_cancelling_while_the_pause_before_another_attempt_lasts(one: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 2 * DEADLINE)
    one.server.faults.append(ws.cut(MIDDLE))
    thread, raised = in_background(one)
    until(lambda: one.seen and one.seen[-1][0] == MIDDLE)
    one.cancelled.set()
    thread.join(DEADLINE)
    assert [type(error) for error in raised] == [Cancelled]
    assert one.left() == MIDDLE


def test_what_was_cancelled_before_it_began_asks_nobody(one: Fetch) -> None:
    one.cancelled.set()
    with pytest.raises(Cancelled):
        one()
    assert one.left() == 0


def test_cancelling_while_the_hash_is_computed(one: Fetch) -> None:
    one.part.write_bytes(DATA)
    one.note.write_text(json.dumps({"total": len(DATA)}))
    one.cancelled.set()
    with pytest.raises(Cancelled):
        one()
    assert one.left() == len(DATA)


# Full


def test_too_little_room_is_said_before_anything_is_fetched(one: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(one.target.parent)._replace(free=downloads.SPARE_BYTES + len(DATA) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageFull, match="needs 35 MB, and 34 MB are free"):
        one()
    assert one.seen == []
    one.part.write_bytes(DATA[:MIDDLE])
    one()
    assert one.is_whole()


def test_a_disk_that_is_full_in_the_middle(one: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came goes, because projects need the room more; every other error of the disk stays what it is."""
    for code, kind in ((errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, OSError)):

        def fail(done: int, total: int, code: int = code) -> None:
            if done:
                raise OSError(code, os.strerror(code))

        with pytest.raises(kind):
            one(on_progress=fail)
        assert (one.left() > 0) == (code == errno.EIO)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte."""
    with small_disk(tmp_path / "disk", "512k") as folder:
        yield folder


def test_a_real_disk_that_is_full(server: WeightsServer, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Fetch(server, tiny_disk)
    with pytest.raises(StorageFull):
        one()
    monkeypatch.setattr(downloads, "SPARE_BYTES", 0)
    with pytest.raises(StorageFull):
        one()
    assert one.seen == []
    # A server that says no length gets as far as the disk does.
    server.faults.append(ws.stated(None))
    with pytest.raises(StorageFull, match="no room"):
        one(expected_bytes=None)
    assert one.seen[-1][0] > 0
    assert list(tiny_disk.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error_of_the_disk(one: Fetch) -> None:
    with pytest.raises(OSError, match="No such file"):
        one(target=one.target.parent / "missing" / one.name)


def test_the_hash_is_that_of_the_file_on_the_disk(one: Fetch) -> None:
    one()
    assert hashlib.sha256(one.target.read_bytes()).hexdigest().startswith(one.name[-12:-4])
