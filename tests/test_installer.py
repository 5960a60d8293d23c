"""The installer: what is seen of it, cancelling, what comes unasked, and the whole way with the real conversion."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import weights_server as ws
from making import DEADLINE, becomes, tiny_network, until
from weights_server import WeightsServer, random_weights

from teachable import conversion, installation, official
from teachable import installer as installer_module
from teachable.errors import Cancelled, Conflict, NotFound, TeachableError
from teachable.installation import Phase, Watch
from teachable.installer import Installation, Installer
from teachable.library import Library
from teachable.official import Official
from teachable.types import BackboneRecord

BEST = official.recommended()
SMALL = next(one for one in official.catalogue() if one.id == "mobilenet-v3-small")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives up waits until that is over, however slow this computer is; what is never over takes longer."""
    monkeypatch.setattr(installer_module, "_PATIENCE_SECONDS", DEADLINE)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "networks")


@pytest.fixture
def installer(library: Library) -> Iterator[Installer]:
    made = Installer(library, offline=False)
    yield made
    made.close()


class Steps:
    """Stands in for the work: goes on when it is told to.

    Attributes:
        asked: what was fetched or imported.
        go: set it to let the work end; with `error` set, badly.
    """

    def __init__(self, tmp_path: Path) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.error: Exception | None = None
        self._folder = tmp_path

    def fetch(self, library: Library, name: str, watch: Watch, cancelled: threading.Event) -> BackboneRecord:
        self.asked.append(name)
        watch("fetching", 3, 10)
        self.wait(cancelled)
        watch("converting", 0, 0)
        known = library.known(name)
        id = known.id if known else name
        return library.add(*tiny_network(self._folder, id, np.eye(3, dtype=np.float32), "official"))

    def install(
        self, library: Library, copy: Path, name: str, watch: Watch, cancelled: threading.Event
    ) -> BackboneRecord:
        self.asked.append(name)
        watch("converting", 0, 0)
        copy.unlink()
        self.wait(cancelled)
        return library.add(*tiny_network(self._folder, library.free_id(name)))

    def wait(self, cancelled: threading.Event) -> None:
        until(lambda: self.go.is_set() or cancelled.is_set())
        if cancelled.is_set():
            raise Cancelled
        if self.error is not None:
            raise self.error


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    made = Steps(tmp_path)
    monkeypatch.setattr(installation, "fetch", made.fetch)
    monkeypatch.setattr(installation, "install", made.install)
    yield made
    made.go.set()


def present(installer: Installer) -> set[str]:
    return {one.id for one in installer.networks().networks if one.present}


# What a person sees


def test_every_network_there_is_can_be_seen(installer: Installer, library: Library, tmp_path: Path) -> None:
    library.add(*tiny_network(tmp_path, SMALL.id, np.eye(3, dtype=np.float32), "official"))
    library.add(*tiny_network(tmp_path, "resnet34", np.ones((4, 3), np.float32), "official"))
    library.add(*tiny_network(tmp_path, "mine"))
    library.note_speed(SMALL.id, native_ms=2.5)
    installer.note_browser_speed("slim-v1", 20)
    found = installer.networks()
    assert [one.id for one in found.networks] == [
        "slim-v1",
        *(one.id for one in official.catalogue()),
        "resnet34",
        "mine",
    ]
    by_id = {one.id: one for one in found.networks}
    assert {id for id, one in by_id.items() if one.present} == {"slim-v1", SMALL.id, "resnet34", "mine"}
    assert [id for id, one in by_id.items() if one.recommended] == [found.recommended] == [BEST.id]
    assert (found.offline, found.automatic, found.installation) == (False, True, Installation())
    small = by_id[SMALL.id]
    assert small.fingerprint == library.find(SMALL.id).fingerprint
    assert (small.native_ms, small.browser_ms, small.embedding_width) == (2.5, None, 3)
    assert (small.accuracy, small.file, small.download_bytes) == (SMALL.accuracy, SMALL.file, SMALL.download_bytes)
    assert (small.title, small.origin) == (library.title(SMALL.id), "official")
    builtin = by_id["slim-v1"]
    assert (builtin.native_factor, builtin.browser_factor, builtin.browser_ms) == (1.0, 1.0, 20)
    assert (builtin.origin, builtin.download_bytes, builtin.file, builtin.accuracy) == ("builtin", 0, "", None)
    best = by_id[BEST.id]
    assert (best.fingerprint, best.size_bytes, best.native_factor) == (None, BEST.size_bytes, BEST.native_factor)
    mine = by_id["mine"]
    assert (mine.title, mine.origin, mine.native_factor, mine.file) == ("Tiny mine", "imported", None, "")


def test_default_and_file_follow_the_library(installer: Installer, library: Library, tmp_path: Path) -> None:
    assert installer.default() == library.builtin()
    library.add(*tiny_network(tmp_path, BEST.id, origin="official"))
    assert installer.default().id == BEST.id
    assert installer.file(BEST.id).read_bytes() == library.read(installer.default())
    assert installer.file("slim-v1").exists()
    with pytest.raises(NotFound):
        installer.file(SMALL.id)


def test_a_fetch_can_be_watched_to_its_end(installer: Installer, library: Library, steps: Steps) -> None:
    before = time.time()
    installer.fetch(SMALL.architecture)
    until(lambda: installer.state.done == 3)
    now = installer.networks().installation
    assert (now.state, now.id, now.done, now.total, now.automatic) == ("fetching", SMALL.id, 3, 10, False)
    assert now.title == library.title(SMALL.id)
    assert now.running
    assert now.started >= before
    assert installer.wait(0).state == "fetching"
    steps.go.set()
    ended = installer.wait(DEADLINE)
    assert (ended.state, ended.id, ended.running, ended.message) == ("done", SMALL.id, False, None)
    assert present(installer) == {"slim-v1", SMALL.id}


def test_the_size_is_known_before_anything_comes(installer: Installer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Installation] = []

    def fetch(library: Library, name: str, watch: Callable[[Phase, int, int], None], cancelled: Any) -> None:
        seen.append(installer.state)
        watch("fetching", 0, 0)
        seen.append(installer.state)
        raise Cancelled

    monkeypatch.setattr(installation, "fetch", fetch)
    installer.fetch(BEST.id)
    installer.wait(DEADLINE)
    assert [one.total for one in seen] == [BEST.download_bytes] * 2


@pytest.mark.parametrize("error", [TeachableError("download_stalled", file="f", host="h"), RuntimeError("a mistake")])
def test_a_failure_is_said_in_words_and_another_attempt_is_possible(
    installer: Installer, steps: Steps, error: Exception
) -> None:
    steps.error = error
    steps.go.set()
    installer.fetch(SMALL.id)
    ended = installer.wait(DEADLINE)
    assert ended.state == "failed"
    assert ended.key == ("download_stalled" if isinstance(error, TeachableError) else "network_failed")
    assert ended.message
    assert "mistake" not in ended.message
    assert present(installer) == {"slim-v1"}
    steps.error = None
    installer.fetch(SMALL.id)
    again = installer.wait(DEADLINE)
    assert (again.state, again.key, again.message) == ("done", None, None)


# Refused


def test_offline_nothing_is_fetched(library: Library, steps: Steps, tmp_path: Path) -> None:
    installer = Installer(library, offline=True)
    with pytest.raises(Conflict, match="offline"):
        installer.fetch(SMALL.id)
    installer.start_automatic()
    assert steps.asked == []
    assert installer.networks().offline
    steps.go.set()
    (tmp_path / "mine.onnx").write_bytes(b"x")
    installer.import_file(tmp_path / "mine.onnx", "mine.onnx")
    assert installer.wait(DEADLINE).state == "done"


def test_what_is_here_is_not_fetched(installer: Installer, library: Library, steps: Steps, tmp_path: Path) -> None:
    library.add(*tiny_network(tmp_path, SMALL.id, origin="official"))
    library.add(*tiny_network(tmp_path, "efficientnet-v2-s", np.ones((4, 3), np.float32), "official"))
    for name in (SMALL.id, SMALL.architecture, "slim-v1", "efficientnet_v2_s"):
        with pytest.raises(Conflict) as caught:
            installer.fetch(name)
        assert caught.value.key == "network_present"
    assert steps.asked == []


def test_one_installation_at_a_time(installer: Installer, steps: Steps, tmp_path: Path) -> None:
    installer.fetch(SMALL.id)
    (tmp_path / "mine.onnx").write_bytes(b"x")
    for begin in (
        lambda: installer.fetch(BEST.id),
        lambda: installer.fetch(SMALL.id),
        lambda: installer.import_file(tmp_path / "mine.onnx", "mine.onnx"),
        lambda: installer.remove(SMALL.id),
    ):
        with pytest.raises(Conflict) as caught:
            begin()
        assert caught.value.key == "network_busy"
    installer.start_automatic()
    steps.go.set()
    installer.wait(DEADLINE)
    assert steps.asked == [SMALL.id]
    assert not (tmp_path / "networks" / "partial").exists()


# Importing


def test_a_file_is_not_needed_any_more_when_importing_begins(
    installer: Installer, steps: Steps, tmp_path: Path
) -> None:
    path = tmp_path / "My net.onnx"
    path.write_bytes(b"x")
    installer.import_file(path, path.name)
    path.unlink()
    now = installer.state
    assert (now.state, now.id, now.title, now.total) == ("converting", None, "My net", 0)
    steps.go.set()
    ended = installer.wait(DEADLINE)
    assert (ended.state, ended.id, ended.title) == ("done", "my-net", "Tiny my-net")


def test_a_file_that_cannot_be_imported_is_refused_at_once(installer: Installer, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        installer.import_file(tmp_path / "gone.onnx", "gone.onnx")
    assert installer.state == Installation()


# Cancelling, removing, closing


@pytest.mark.parametrize("name", [SMALL.id, BEST.id])
def test_who_cancels_the_recommended_network_is_not_sent_it_again(
    installer: Installer, steps: Steps, name: str
) -> None:
    installer.fetch(name)
    installer.cancel()
    ended = installer.state
    assert (ended.state, ended.key, ended.message) == ("cancelled", None, None)
    assert installer.networks().automatic == (name != BEST.id)
    assert installer.start_automatic() == (name == SMALL.id)
    becomes(lambda: steps.asked, [SMALL.id, BEST.id] if name == SMALL.id else [BEST.id])


def test_cancelling_too_late_decides_nothing(
    installer: Installer, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(library: Library, name: str, watch: Watch, cancelled: threading.Event) -> BackboneRecord:
        cancelled.wait(DEADLINE)
        return library.add(*tiny_network(tmp_path, BEST.id, np.eye(3, dtype=np.float32), "official"))

    monkeypatch.setattr(installation, "fetch", fetch)
    installer.fetch(BEST.id)
    installer.cancel()
    assert installer.state.state == "done"
    assert installer.networks().automatic


def test_cancelling_nothing_is_nothing(installer: Installer) -> None:
    installer.cancel()
    assert installer.state == Installation()
    assert installer.networks().automatic


def test_what_breaks_on_the_way_out_is_no_failure(installer: Installer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(library: Library, name: str, watch: Watch, cancelled: threading.Event) -> None:
        cancelled.wait(DEADLINE)
        raise TeachableError("download_cut", file="f", host="h")

    monkeypatch.setattr(installation, "fetch", fetch)
    installer.fetch(SMALL.id)
    installer.cancel()
    assert installer.state.state == "cancelled"


def test_removing(installer: Installer, library: Library, steps: Steps) -> None:
    steps.go.set()
    for name in (SMALL.id, BEST.id):
        installer.fetch(name)
        installer.wait(DEADLINE)
        installer.remove(name)
        assert present(installer) == {"slim-v1"}
        # "Done" would say that it is here.
        assert installer.state == Installation()
        assert library.choices().automatic == (name != BEST.id)
    installer.choose(automatic=True)
    assert installer.networks().automatic
    for name in (BEST.id, "nonsense"):
        with pytest.raises(NotFound):
            installer.remove(name)
    with pytest.raises(Conflict):
        installer.remove("slim-v1")
    assert installer.networks().automatic


def test_closing_gives_up_promptly_and_decides_nothing(installer: Installer, library: Library, steps: Steps) -> None:
    installer.start_automatic()
    until(lambda: steps.asked)
    installer.close()
    assert installer.state.state == "cancelled"
    assert library.choices().automatic
    with pytest.raises(Conflict, match="closing"):
        installer.fetch(SMALL.id)
    installer.start_automatic()
    assert steps.asked == [BEST.id]
    installer.close()


# By itself


def test_the_recommended_network_comes_by_itself(installer: Installer, library: Library, steps: Steps) -> None:
    steps.go.set()
    installer.start_automatic()
    ended = installer.wait(DEADLINE)
    assert (ended.state, ended.id, ended.automatic) == ("done", BEST.id, True)
    assert installer.default().id == BEST.id
    installer.start_automatic()
    assert steps.asked == [BEST.id]
    assert installer.state == ended


def test_what_is_not_wanted_does_not_come_by_itself(installer: Installer, steps: Steps) -> None:
    installer.choose(automatic=False)
    installer.start_automatic()
    assert steps.asked == []
    steps.go.set()
    installer.fetch(BEST.id)
    assert installer.wait(DEADLINE).automatic is False
    assert installer.default().id == BEST.id


# The whole way, with the real download and the real conversion


def served(server: WeightsServer, known: Official) -> Official:
    """The entry of a network of the catalogue whose weights were never trained, on a server of ours."""
    data = random_weights(known.architecture)
    return replace(known, file=server.add(known.architecture, data), download_bytes=len(data))


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def run(library: Library, id: str) -> np.ndarray:
    """The embeddings of two photos by a network that is here."""
    import onnxruntime

    session = onnxruntime.InferenceSession(library.read(library.find(id)), providers=["CPUExecutionProvider"])
    photos = np.random.default_rng(0).integers(0, 255, (2, 48, 64, 3), np.uint8)
    embedding: np.ndarray = session.run(["embedding"], {"image": photos})[0]
    return embedding


@pytest.mark.usefixtures("direct")
def test_the_recommended_network_is_fetched_broken_off_resumed_converted_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WeightsServer() as server:
        monkeypatch.setenv("TEACHABLE_WEIGHTS_URL", server.url)
        best = served(server, BEST)
        library = Library(tmp_path / "networks", (best, SMALL))
        first = Installer(library, offline=False)
        stall = ws.Stall(5_000_000)
        server.faults.append(stall)
        first.start_automatic()
        until(lambda: first.state.done == 5_000_000)
        first.close()
        assert (first.state.state, first.default().id) == ("cancelled", "slim-v1")

        again = Installer(library, offline=False)
        again.start_automatic()
        ended = again.wait(3 * DEADLINE)  # it is really converted
        assert (ended.state, ended.message) == ("done", None)
        assert [one.range for one in server.asked] == [None, "bytes=5000000-"]
    record = again.default()
    assert (record.id, record.origin, record.embedding_width) == (BEST.id, "official", BEST.embedding_width)
    assert record.size_bytes == pytest.approx(BEST.size_bytes, rel=0.01)
    assert record.input_size == BEST.input_size
    assert run(library, BEST.id).shape == (2, BEST.embedding_width)
    left = {path.name for path in library.folder.iterdir()}
    assert left == {f"{BEST.id}.json", f"{BEST.id}.onnx", "lock", "partial"}
    assert list((library.folder / "partial").iterdir()) == []


@pytest.mark.thorough
def test_weights_from_a_stick_and_a_graph_are_imported_offline(tmp_path: Path) -> None:
    data = random_weights(SMALL.architecture)
    digest = hashlib.sha256(data).hexdigest()
    small = replace(SMALL, file=f"{SMALL.architecture}-{digest[:8]}.pth", download_bytes=len(data))
    library = Library(tmp_path / "networks", (small, BEST))
    installer = Installer(library, offline=True)
    stick = tmp_path / "whatever it is called"
    stick.write_bytes(data)
    installer.import_file(stick, stick.name)
    stick.unlink()
    ended = installer.wait(DEADLINE)
    assert (ended.state, ended.id, ended.message) == ("done", SMALL.id, None)
    record = library.find(SMALL.id)
    assert (record.origin, record.embedding_width) == ("official", SMALL.embedding_width)
    embedded = run(library, SMALL.id)

    graph = library.path(record)
    installer.import_file(graph, "copy.onnx")
    ended = installer.wait(DEADLINE)
    assert (ended.state, ended.key) == ("failed", "network_twice")
    other = Library(tmp_path / "other", (small, BEST))
    installer = Installer(other, offline=True)
    installer.import_file(graph, "copy.onnx")
    assert installer.wait(DEADLINE).id == "copy"
    assert other.find("copy").origin == "imported"
    np.testing.assert_array_equal(run(other, "copy"), embedded)
    for folder in (library.folder, other.folder):
        assert list((folder / "partial").iterdir()) == []


@pytest.mark.usefixtures("direct")
def test_converting_is_cancelled_promptly_and_leaves_only_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WeightsServer() as server:
        monkeypatch.setenv("TEACHABLE_WEIGHTS_URL", server.url)
        small = served(server, SMALL)
        library = Library(tmp_path / "networks", (small, BEST))
        installer = Installer(library, offline=False)
        installer.fetch(SMALL.id)
        until(lambda: installer.state.state == "converting")
        installer.cancel()
    assert installer.state.state == "cancelled"
    assert library.present() == (library.builtin(),)
    assert [path.name for path in (library.folder / "partial").iterdir()] == [small.file]


def test_describing_asks_torchvision_itself() -> None:
    found = conversion.describe(SMALL.architecture)
    assert found.file == SMALL.file
    assert found.url.startswith("https://")
    assert found.url.endswith(f"/{SMALL.file}")
