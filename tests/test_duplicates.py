"""Nearly the same pictures make one recording, what merely shows the same thing does not, and it is found in time."""

import io
import time
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest

from teachable import backbones, duplicates, looks
from teachable.duplicates import Photos
from teachable.embeddings import Embedder
from teachable.types import Embeddings, Image, Labels

Hashes = duplicates.Hashes


def far(count: int, seed: int = 0) -> tuple[Embeddings, Hashes]:
    """Make embeddings and hashes that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 64)).astype(np.float32), rng.integers(0, 2**64, count, dtype=np.uint64)


def flip(value: np.uint64, bits: int) -> np.uint64:
    return value ^ np.uint64(2**bits - 1)


def ones(count: int) -> Labels:
    return np.zeros(count, np.int64)


def test_recordings_with_the_same_picture_become_the_first_of_them() -> None:
    embeddings, hashes = far(6)
    embeddings[5], hashes[5] = embeddings[0] * 1.5, flip(hashes[0], duplicates.BITS)
    groups = ["a", "a", "b", "b", "c", "c"]
    assert duplicates.join(embeddings, hashes, ones(6), groups) == ["a", "a", "b", "b", "a", "a"]
    embeddings[4], hashes[4] = embeddings[3], hashes[3]
    assert duplicates.join(embeddings, hashes, ones(6), groups) == ["a"] * 6


def test_both_network_and_pixels_must_agree() -> None:
    embeddings, hashes = far(2)
    same = np.repeat(embeddings[:1], 2, axis=0)
    assert duplicates.join(same, np.array([hashes[0], flip(hashes[0], duplicates.BITS + 1)]), ones(2), ["a", "b"]) == [
        "a",
        "b",
    ]
    assert duplicates.join(embeddings, np.repeat(hashes[:1], 2), ones(2), ["a", "b"]) == ["a", "b"]
    assert duplicates.join(same, np.repeat(hashes[:1], 2), ones(2), ["a", "b"]) == ["a", "a"]
    assert duplicates.join(same, None, ones(2), ["a", "b"]) == ["a", "a"]


@pytest.mark.parametrize(("angle", "joined"), [(0.9, True), (1.1, False)])
def test_the_angle_is_what_counts_not_the_length(angle: float, joined: bool) -> None:
    cosine = 1 - angle * duplicates.ANGLE
    rows = np.array([[1, 0], [3 * cosine, 3 * np.sqrt(1 - cosine**2)]], np.float32)
    assert (duplicates.join(rows, None, ones(2), ["a", "b"]) == ["a", "a"]) == joined


def test_the_same_picture_in_another_class_joins_nothing_and_is_a_repeat() -> None:
    embeddings, hashes = far(4)
    embeddings[2], hashes[2] = embeddings[0], hashes[0]
    labels, groups = np.array([0, 0, 1, 1]), ["a", "a", "b", "b"]
    assert duplicates.join(embeddings, hashes, labels, groups) == groups
    assert duplicates.repeats(embeddings, hashes, labels, groups) == ((0, 2),)
    # Also where a photo was moved and kept its recording.
    assert duplicates.repeats(embeddings, hashes, labels, ["a"] * 4) == ((0, 2),)


def test_photos_of_one_recording_are_no_repeats_of_each_other() -> None:
    embeddings, hashes = far(1)
    embeddings, hashes = np.repeat(embeddings, 5, axis=0), np.repeat(hashes, 5)
    assert duplicates.repeats(embeddings, hashes, ones(5), ["a"] * 5) == ()
    assert duplicates.repeats(embeddings, hashes, ones(5), ["a", "a", "b", "c", "c"]) == ((0, 1, 2, 3, 4),)


def test_photos_in_which_a_network_sees_nothing_are_alike() -> None:
    rows = np.zeros((3, 8), np.float32)
    rows[2] = 1
    assert duplicates.join(rows, None, ones(3), ["a", "b", "c"]) == ["a", "a", "c"]


def test_a_test_photo_leaks_by_its_recording_or_as_a_near_copy_of_its_class() -> None:
    embeddings, hashes = far(6)
    trained = Photos(embeddings[:3], hashes[:3], np.array([0, 0, 1]), ["a", "b", "c"])
    tested = Photos(
        np.stack([embeddings[3], embeddings[0], embeddings[0], embeddings[4]]),
        np.stack([hashes[3], hashes[0], hashes[0], hashes[4]]),
        np.array([1, 0, 1, 0]),
        ["b", "x", "y", "z"],
    )
    assert duplicates.leaking(tested, trained).tolist() == [True, True, False, False]
    nothing = Photos(embeddings[:0], hashes[:0], ones(0), [])
    assert duplicates.leaking(nothing, trained).shape == (0,)
    assert duplicates.leaking(tested, nothing).tolist() == [False] * 4


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("alike", [0.0, 0.5, 0.97])
def test_tiles_find_what_comparing_all_with_all_finds(
    hashed: bool, alike: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_TALL", 7)
    monkeypatch.setattr(duplicates, "_WIDE", 11)
    monkeypatch.setattr(duplicates, "_PAIRS", 3)
    rng = np.random.default_rng(4)
    origin = rng.integers(0, 20, 90)
    base, codes = far(20, 1)
    embeddings = (
        base[origin] + rng.normal(size=(90, 64)) * rng.choice([0.05, 1.0], (90, 1), p=[alike, 1 - alike])
    ).astype(np.float32)
    hashes = np.array([flip(codes[one], int(bits)) for one, bits in zip(origin, rng.integers(0, 20, 90), strict=True)])
    labels, groups = rng.integers(0, 2, 90), [str(name) for name in rng.integers(0, 40, 90)]
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    near = unit @ unit.T >= 1 - duplicates.ANGLE
    if hashed:
        near &= np.array([[bin(int(a) ^ int(b)).count("1") <= duplicates.BITS for b in hashes] for a in hashes])
    near &= labels[:, None] == labels[None, :]
    parent = {name: name for name in groups}

    def root(name: str) -> str:
        return name if parent[name] == name else root(parent[name])

    for one, other in np.argwhere(near):
        parent[root(groups[one])] = root(groups[other])
    found = duplicates.join(embeddings, hashes if hashed else None, labels, groups)
    for one in range(90):
        for other in range(90):
            assert (found[one] == found[other]) == (root(groups[one]) == root(groups[other]))


def test_lengths_that_differ_are_refused() -> None:
    embeddings, hashes = far(3)
    for broken in ((hashes[:2], ones(3), ["a"] * 3), (hashes, ones(2), ["a"] * 3), (None, ones(3), ["a"])):
        with pytest.raises(ValueError, match="3 embeddings"):
            duplicates.join(embeddings, *broken)


@pytest.mark.parametrize("kind", ["alike", "unlike"])
def test_ten_thousand_photos_of_a_class_are_compared_in_seconds(kind: str) -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(10_000, 1280)).astype(np.float32)
    hashes = rng.integers(0, 2**64, 10_000, dtype=np.uint64)
    if kind == "alike":
        embeddings[:], hashes[:] = embeddings[0], hashes[0]
    groups = [str(row // 10) for row in range(10_000)]
    start = time.process_time()
    found = duplicates.join(embeddings, hashes, ones(10_000), groups)
    assert len(set(found)) == (1 if kind == "alike" else 1000)
    # Of the cores together, because computers that test are busy; it takes two on one that is not.
    assert time.process_time() - start < 12


def picture(seed: int) -> Image:
    """A scene of coloured shapes, so that networks and hashes have something to look at."""
    from PIL import ImageDraw

    rng = np.random.default_rng(seed)
    canvas = PIL.Image.new("RGB", (320, 240), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(canvas)
    for _ in range(25):
        left, top = rng.integers(-20, 300), rng.integers(-20, 220)
        box = (int(left), int(top), int(left + rng.integers(20, 120)), int(top + rng.integers(20, 90)))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)(box, tuple(rng.integers(0, 256, 3).tolist()))
    return np.asarray(canvas)


def jpeg(photo: Image) -> Image:
    stream = io.BytesIO()
    PIL.Image.fromarray(photo).save(stream, "JPEG", quality=40)
    return np.asarray(PIL.Image.open(stream))


def smaller(photo: Image) -> Image:
    return np.asarray(PIL.Image.fromarray(photo).resize((200, 150)))


def shifted(photo: Image) -> Image:
    return np.ascontiguousarray(photo[3:, :-4])


def brighter(photo: Image) -> Image:
    return np.clip(photo * 1.15, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [jpeg, smaller, shifted, brighter])
def test_a_second_upload_of_the_same_photos_joins_the_first(change: Callable[[Image], Image]) -> None:
    photos = [picture(seed) for seed in range(8)]
    photos += [change(photo) for photo in photos]
    embeddings = Embedder(backbones.read(backbones.builtin())).embed(photos)
    hashes = np.concatenate([looks.measure(photo).hashes for photo in photos])
    groups = [str(row) for row in range(16)]
    assert duplicates.join(embeddings, hashes, ones(16), groups) == groups[:8] * 2
