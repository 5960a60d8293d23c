"""What a project held when a model was trained: read as it was written, small, and nothing that was tampered with."""

import gzip
import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from teachable.projects import snapshots
from teachable.projects.snapshots import Snapshot
from teachable.types import ClassInfo, Sample

Json = dict[str, Any]


def label(number: int, samples: int = 0, tests: int = 0, *, disabled: bool = False) -> ClassInfo:
    return ClassInfo(f"{number:032x}", f"Class {number}", "#E67701", number, disabled, samples, tests)


def sample(number: int, place: int, *, test: bool = False) -> Sample:
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    return Sample(number, f"{place:032x}", sha256, f"press {number // 3} “é”", 640, 480, 1.7e9 + number / 7, test)


def held() -> Snapshot:
    samples = (sample(2, 0), sample(3, 1, test=True), sample(4, 1), sample(9, 2))
    return Snapshot((label(0, 1), label(1, 2, 1), label(2, 1, disabled=True)), samples)


def changed(change: Callable[[Json, Json], object]) -> bytes:
    """A snapshot of which something was written otherwise."""
    head, body = (json.loads(line) for line in gzip.decompress(snapshots.pack(held())).split(b"\n"))
    change(head, body)
    return gzip.compress("\n".join(json.dumps(part) for part in (head, body)).encode())


def test_it_is_read_as_it_was_written() -> None:
    data = snapshots.pack(held())
    assert snapshots.unpack(data) == held()
    assert snapshots.classes_of(data) == held().classes
    assert snapshots.hashes(data) == [one.sha256 for one in held().samples]
    assert snapshots.pack(held()) == data


def test_samples_are_counted_anew() -> None:
    """While photos come in, the classes may have been counted a moment before the photos were read."""
    early = Snapshot((label(0, 7, 7), label(1), label(2, disabled=True)), held().samples)
    assert snapshots.unpack(snapshots.pack(early)) == held()


def test_an_empty_one() -> None:
    nothing = Snapshot((), ())
    assert snapshots.unpack(snapshots.pack(nothing)) == nothing


def test_tests_and_disabled_classes_are_not_learned() -> None:
    assert [one.id for one in held().learned] == [2, 4]


def test_fifty_thousand_photos_take_less_than_three_megabytes() -> None:
    chance, time, samples = random.Random(0), 1.7e9, []
    for number in range(1, 50_001):
        time += chance.random()
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        group = hashlib.sha256(str(number // 20).encode()).hexdigest()[:24]
        samples.append(Sample(number, f"{number % 10:032x}", sha256, group, 640, 480, time))
    data = snapshots.pack(Snapshot(tuple(label(place) for place in range(10)), tuple(samples)))
    assert len(data) < 3e6
    found = snapshots.unpack(data)
    assert found is not None
    assert found.samples == tuple(samples)


DAMAGE: list[Callable[[Json, Json], object]] = [
    lambda head, body: head.update(format_version=2),
    lambda head, body: head.pop("classes"),
    lambda head, body: head.update(classes={"a": 1}),
    lambda head, body: head["classes"][0].update(id="../../x"),
    lambda head, body: head["classes"][0].update(color="red; x: url(y)"),
    lambda head, body: head["classes"][0].update(name=" "),
    lambda head, body: head["classes"][0].update(name=7),
    lambda head, body: head["classes"][0].update(name="CLASS 1"),
    lambda head, body: head["classes"][0].update(position=5),
    lambda head, body: head["classes"][0].update(disabled="no"),
    lambda head, body: head["classes"][0].update(samples=None),
    lambda head, body: head["classes"][0].update(extra=1),
    lambda head, body: head["classes"].append(head["classes"][0]),
    lambda head, body: body.pop("samples"),
    lambda head, body: body["samples"]["id"].pop(),
    lambda head, body: body["samples"]["id"].__setitem__(0, 2**64),
    lambda head, body: body["samples"]["id"].__setitem__(0, -1),
    lambda head, body: body["samples"]["id"].__setitem__(1, 0),
    lambda head, body: body["samples"]["id"].__setitem__(1, "1"),
    lambda head, body: body["samples"]["class"].__setitem__(0, -1),
    lambda head, body: body["samples"]["class"].__setitem__(0, 3),
    lambda head, body: body["samples"]["group"].__setitem__(0, -2),
    lambda head, body: body["samples"]["sha256"].__setitem__(0, "../" * 20),
    lambda head, body: body["samples"]["sha256"].__setitem__(2, body["samples"]["sha256"][1]),
    lambda head, body: body["samples"]["width"].__setitem__(0, 0),
    lambda head, body: body["samples"]["created"].__setitem__(0, float("nan")),
    lambda head, body: body["samples"]["created"].__setitem__(0, "now"),
    lambda head, body: body["samples"]["test"].__setitem__(0, 2),
    lambda head, body: body["samples"]["test"].__setitem__(0, True),
    lambda head, body: body.update(groups=["\0"] * 9),
]


@pytest.mark.parametrize("change", DAMAGE)
def test_what_is_not_sound_is_as_good_as_none(change: Callable[[Json, Json], object]) -> None:
    assert snapshots.unpack(changed(change)) is None


# A packed file tells the time, so it cannot be its own name.
@pytest.mark.parametrize(
    "data",
    [b"", b"no zip", gzip.compress(b""), gzip.compress(b"[]\n[]"), snapshots.pack(held())[:-30]],
    ids=["nothing", "no zip", "nothing packed", "lists", "cut"],
)
def test_a_damaged_file_is_as_good_as_none(data: bytes) -> None:
    assert snapshots.unpack(data) is None
    assert snapshots.hashes(data) == []


def test_classes_of_a_damaged_file_are_unknown() -> None:
    for data in (b"", b"no zip", gzip.compress(b"[]\n[]"), gzip.compress(b"no line"), gzip.compress(b"x" * 2**21)):
        assert snapshots.classes_of(data) is None


def test_a_file_made_to_fill_the_memory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LARGEST", 1000)
    assert snapshots.unpack(snapshots.pack(held())) is None
    assert snapshots.hashes(snapshots.pack(held())) == []
