"""Embeddings do not depend on company, and the cache survives restarts, damage, threads and full disks."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from teachable import backbones
from teachable.embeddings import BATCH, LOOKUP, Embedder, EmbeddingCache
from teachable.types import Image

FINGERPRINT = "a" * 64


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(backbones.read(backbones.builtin()))


def picture(seed: int, height: int, width: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def vector(seed: int, width: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=width).astype(np.float32)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[EmbeddingCache]:
    with closing(EmbeddingCache(tmp_path, FINGERPRINT)) as opened:
        yield opened


# The network


def test_one_photo_and_many_give_the_same(embedder: Embedder) -> None:
    images = [picture(seed, 120, 160) for seed in range(BATCH + 3)]
    together = embedder.embed(images)
    assert together.shape == (len(images), embedder.width)
    assert together.dtype == np.float32
    for image, row in zip(images, together, strict=True):
        np.testing.assert_allclose(embedder.embed([image])[0], row, atol=1e-5)


def test_mixed_sizes_keep_their_order(embedder: Embedder) -> None:
    sizes = [(64, 64), (120, 160), (64, 64), (160, 120), (120, 160), (1, 1)]
    images = [picture(seed, *size) for seed, size in enumerate(sizes)]
    together = embedder.embed(images)
    alone = np.concatenate([embedder.embed([image]) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert not np.allclose(together[0], together[2])


def test_no_photos_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.width)


def test_width_is_the_one_of_the_record(embedder: Embedder) -> None:
    assert embedder.width == backbones.builtin().embedding_width


def test_threads_share_one_network(embedder: Embedder) -> None:
    images = [picture(seed, 64, 64) for seed in range(6)]
    expected = [embedder.embed([image]) for image in images]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda image: embedder.embed([image]), images))
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))


# The cache


def test_what_was_put_is_found_again_in_the_order_asked(tmp_path: Path) -> None:
    vectors = {f"{seed:064x}": vector(seed) for seed in range(5)}
    with closing(EmbeddingCache(tmp_path, FINGERPRINT)) as cache:
        cache.put(vectors)
    with closing(EmbeddingCache(tmp_path, FINGERPRINT)) as cache:
        order = [*reversed(vectors), next(iter(vectors))]
        np.testing.assert_array_equal(cache.get(order), np.stack([vectors[sha] for sha in order]))
        assert cache.missing(vectors) == []


def test_missing_names_each_once_in_order(cache: EmbeddingCache) -> None:
    cache.put({"b": vector(0)})
    assert cache.missing(["c", "b", "a", "c"]) == ["c", "a"]


def test_get_of_an_unknown_photo_is_a_key_error(cache: EmbeddingCache) -> None:
    cache.put({"a": vector(0)})
    with pytest.raises(KeyError):
        cache.get(["a", "b"])


def test_get_of_nothing_is_empty(cache: EmbeddingCache) -> None:
    assert cache.get([]).shape[0] == 0


def test_more_photos_than_one_query_takes(cache: EmbeddingCache) -> None:
    vectors = {f"{seed:064x}": vector(seed, 2) for seed in range(2 * LOOKUP + 7)}
    cache.put(vectors)
    np.testing.assert_array_equal(cache.get(list(vectors)), np.stack(list(vectors.values())))


def test_photos_asked_for_twice_are_given_twice(cache: EmbeddingCache) -> None:
    cache.put({"b": np.float32([1, 2]), "a": np.float32([3, 4])})
    np.testing.assert_array_equal(cache.get(["b", "a", "b"]), np.float32([[1, 2], [3, 4], [1, 2]]))


def test_a_vector_of_another_width_counts_as_missing(cache: EmbeddingCache) -> None:
    cache.put({"a": np.float32([1, 2]), "b": np.float32([1, 2, 3])})
    with pytest.raises(KeyError, match="b"):
        cache.get(["a", "b"])
    assert cache.missing(["a", "b"]) == ["b"]


def test_changes_are_counted(cache: EmbeddingCache) -> None:
    before = cache.changes
    cache.put({"a": np.float32([1, 2])})
    assert cache.changes > before
    before = cache.changes
    cache.get(["a"])
    assert cache.changes == before
    with pytest.raises(KeyError):
        cache.get(["none"])
    assert cache.changes > before


def test_embeddings_can_be_put_twice(cache: EmbeddingCache) -> None:
    cache.put({"a": vector(0)})
    cache.put({"a": vector(1)})
    np.testing.assert_array_equal(cache.get(["a"])[0], vector(1))


def test_another_network_has_another_file(tmp_path: Path, cache: EmbeddingCache) -> None:
    cache.put({"a": vector(0)})
    with closing(EmbeddingCache(tmp_path, "b" * 64)) as other:
        assert other.path != cache.path
        assert other.missing(["a"]) == ["a"]


def test_threads_put_and_get_at_once(cache: EmbeddingCache) -> None:
    def work(seed: int) -> bool:
        sha = f"{seed:064x}"
        cache.put({sha: vector(seed)})
        return bool(np.array_equal(cache.get([sha])[0], vector(seed))) and not cache.missing([sha])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(80)))


def test_two_processes_worth_of_caches_share_a_file(tmp_path: Path, cache: EmbeddingCache) -> None:
    with closing(EmbeddingCache(tmp_path, FINGERPRINT)) as other:
        cache.put({"a": vector(0)})
        other.put({"b": vector(1)})
        np.testing.assert_array_equal(other.get(["a", "b"]), np.stack([vector(0), vector(1)]))


# Damage


def filled(folder: Path, count: int = 200) -> Path:
    with closing(EmbeddingCache(folder, FINGERPRINT)) as cache:
        cache.put({f"{seed:064x}": vector(seed, 1280) for seed in range(count)})
        return cache.path


@pytest.mark.parametrize("content", [b"", b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_made_anew(tmp_path: Path, content: bytes) -> None:
    path = filled(tmp_path, 3)
    path.write_bytes(content)
    with closing(EmbeddingCache(tmp_path, FINGERPRINT)) as cache:
        assert cache.missing([f"{0:064x}"]) == [f"{0:064x}"]
        cache.put({"a": vector(0)})
        np.testing.assert_array_equal(cache.get(["a"])[0], vector(0))


def test_damage_inside_the_file_found_at_opening_makes_it_anew(tmp_path: Path) -> None:
    path = filled(tmp_path)
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xee" * (len(data) - 8192)
    path.write_bytes(data)
    with closing(EmbeddingCache(tmp_path, FINGERPRINT)) as cache:
        known = [f"{seed:064x}" for seed in range(200)]
        assert cache.missing(known) == known
        cache.put({known[0]: vector(0, 1280)})
        np.testing.assert_array_equal(cache.get(known[:1])[0], vector(0, 1280))


def test_damage_found_while_reading_makes_it_anew(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(EmbeddingCache(tmp_path, FINGERPRINT)) as cache:
        known = [f"{seed:064x}" for seed in range(200)]
        assert cache.missing(known) == []
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xee" * (path.stat().st_size - 4096))
        with pytest.raises(KeyError):
            cache.get(known)
        assert cache.missing(known) == known
        cache.put({known[0]: vector(0, 1280)})
        np.testing.assert_array_equal(cache.get(known[:1])[0], vector(0, 1280))


def test_a_vector_cut_short_counts_as_missing(cache: EmbeddingCache) -> None:
    cache.put({"a": vector(0), "b": vector(1)})
    with closing(sqlite3.connect(cache.path)) as other:
        other.execute("UPDATE embeddings SET vector = x'0000' WHERE sha256 = 'b'")
        other.commit()
    with pytest.raises(KeyError):
        cache.get(["a", "b"])
    assert cache.missing(["a", "b"]) == ["b"]


def test_a_cache_of_another_format_is_made_anew(tmp_path: Path) -> None:
    path = filled(tmp_path, 3)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
    with closing(EmbeddingCache(tmp_path, FINGERPRINT)) as cache:
        assert cache.missing([f"{0:064x}"]) == [f"{0:064x}"]


def test_a_cache_that_is_merely_busy_is_not_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path, 3)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("teachable.embeddings.WAIT", 0.01)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            EmbeddingCache(tmp_path, FINGERPRINT)
    with closing(EmbeddingCache(tmp_path, FINGERPRINT)) as cache:
        assert cache.missing([f"{0:064x}"]) == []


def test_a_full_disk_keeps_what_was_there(cache: EmbeddingCache) -> None:
    cache.put({"a": vector(0)})
    cache._connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        cache.put({f"{seed:064x}": vector(seed, 1280) for seed in range(50)})
    assert cache.missing(["a", f"{0:064x}"]) == [f"{0:064x}"]
    np.testing.assert_array_equal(cache.get(["a"])[0], vector(0))
    cache._connection.execute("PRAGMA max_page_count = 1000000")
    cache.put({"b": vector(1)})
    assert cache.missing(["b"]) == []


def test_closing_waits_for_a_call_in_progress(cache: EmbeddingCache) -> None:
    closed = threading.Event()
    thread = threading.Thread(target=lambda: (cache.close(), closed.set()))
    with cache._lock:
        thread.start()
        assert not closed.is_set()
    thread.join()
    assert closed.is_set()
    cache.close()
