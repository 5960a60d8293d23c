"""Whatever bytes people or programs make up, readers answer with photos or with words.

As many files as `TEACHABLE_FUZZ` says are tried for each test, 25 unless it is set; these are the same each time.
`python -m tests.fuzz.importing` goes on for as long as one likes.
"""

import io
import json
import os
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import bringing
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import exercise, own_folder

# Of Pillow's, about what we refuse a moment later.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{kind}:PIL") for kind in ("UserWarning", "RuntimeWarning")]

TRIES = int(os.environ.get("TEACHABLE_FUZZ", "25"))
FUZZED = settings(
    max_examples=TRIES,
    derandomize="TEACHABLE_FUZZ" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

PHOTO = bringing.jpeg(1)


@pytest.fixture(scope="module", autouse=True)
def _in_bounded_memory() -> Iterator[None]:
    process = psutil.Process()
    before = process.memory_info().rss
    yield
    assert process.memory_info().rss - before < 600 * 2**20


def made(write: object, **options: object) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder) / "file", **options).read_bytes()  # type: ignore[operator]


def machine() -> bytes:
    samples = [(f"{label}-!-{at}.jpg", bringing.jpeg(at)) for label in ("a", "b") for at in range(2)]
    return made(lambda path: bringing.machine(path, samples))


def folders() -> bytes:
    table = b"file_name,label\nCats/1.jpg,cat\n"
    files = {"w/Cats/1.jpg": PHOTO, "w/Dogs/day/1.jpg": bringing.jpeg(2), "w/metadata.csv": table, "w/x.gif": gif()}
    return made(lambda path: bringing.zipped(path, files, zipfile.ZIP_DEFLATED))


def gif() -> bytes:
    return bringing.gif(["red", "lime", "blue"])


def clip(name: str, codec: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return bringing.video(Path(folder) / name, frames=8, codec=codec).read_bytes()


SEEDS = {
    "machine.tm": machine(),
    "folders.zip": folders(),
    "a.gif": gif(),
    "a.webp": bringing.gif(["red", "lime"], "WEBP", lossless=True),
    "a.png": bringing.gif(["red", "lime"], "PNG"),
    "a.mp4": clip("a.mp4", "libx264"),
    "a.webm": clip("a.webm", "libvpx"),
    "a.avi": clip("a.avi", "mpeg4"),
    "a.ts": clip("a.ts", "mpeg2video"),
}


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """A whole file of which something is changed, cut out, repeated or cut off."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(changed) - 1)))
        size = draw(st.integers(0, 64))
        match draw(st.sampled_from(["set", "large", "cut", "repeat", "end"])):
            case "set":
                some = draw(st.binary(max_size=8))
                changed[at : at + len(some)] = some
            case "large":
                changed[at : at + 4] = struct.pack("<L", draw(st.sampled_from([0, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF])))
            case "cut":
                del changed[at : at + size]
            case "repeat":
                changed[at:at] = changed[at : at + size]
            case "end":
                del changed[at:]
    return bytes(changed)


def check(data: bytes, name: str) -> None:
    with own_folder() as folder:
        exercise(data, name, folder)


@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files_are_answered_in_words(name: str) -> None:
    @FUZZED
    @given(damaged(SEEDS[name]))
    def run(data: bytes) -> None:
        check(data, name)

    check(SEEDS[name], name)
    run()


@FUZZED
@given(st.binary(max_size=200), st.sampled_from(["", "PK\3\4", "PK\5\6", "GIF89a", "\x1aE\xdf\xa3", "\0\0\0\x18ftyp"]))
def test_any_bytes_behind_any_beginning(rest: bytes, beginning: str) -> None:
    check(beginning.encode("latin-1") + rest, "x")


PARTS = st.one_of(
    st.sampled_from(["..", ".", "", "/", "\\", "C:", "train", "test", "val", "__MACOSX", "a-!-0.jpg", "metadata.csv"]),
    st.text(max_size=12),
)
NAMES = st.lists(PARTS, max_size=5).map("/".join).filter(lambda name: len(name.encode("utf-8", "ignore")) < 60_000)
CONTENTS = st.one_of(
    st.sampled_from([PHOTO, gif(), b"", b"PK\3\4", b"<svg/>", b"file_name,label\n1.jpg,x\n"]), st.binary(max_size=40)
)


@FUZZED
@given(
    st.lists(st.tuples(NAMES, CONTENTS, st.integers(0, 2**32 - 1)), max_size=12),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
    st.sampled_from(["x.zip", "x.tm"]),
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zips_of_any_names(files: list[tuple[str, bytes, int]], method: int, name: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for called, data, attributes in files:
            info = zipfile.ZipInfo()
            info.filename = called.encode("utf-8", "ignore").decode() or "x"
            info.external_attr = attributes
            info.compress_type = method
            archive.writestr(info, data)
    check(stream.getvalue(), name)


ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@FUZZED
@given(st.sampled_from(["image", "pose", ""]) | ANY_JSON, ANY_JSON, st.lists(st.text(max_size=20), max_size=6))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_machine_projects_of_anything(kind: object, data: object, labels: list[str]) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for at, label in enumerate(labels):
            name = f"{label}-!-{at % 3}.jpg".encode("utf-8", "ignore").decode().replace("\0", "?")
            archive.writestr(name, PHOTO)
        archive.writestr("manifest.json", json.dumps({"type": kind, "appdata": data}))
    check(stream.getvalue(), "x.tm")


@FUZZED
@given(
    st.dictionaries(st.sampled_from(["trainEpochs", "trainBatchSize", "trainLearningRate", "x"]), ANY_JSON, max_size=4)
)
def test_settings_of_anything(data: dict[str, object]) -> None:
    check(made(lambda path: bringing.machine(path, [("a-!-0.jpg", PHOTO)], appdata=data)), "x.tm")


@FUZZED
@given(st.sampled_from(["metadata.csv", "metadata.jsonl"]), st.text(max_size=200), ANY_JSON, ANY_JSON)
def test_tables_of_anything(name: str, text: str, label: object, file: object) -> None:
    line = json.dumps({"file_name": file, "label": label}) if name.endswith("l") else f'"{text}",{label}'
    table = f"file_name,label\n1.jpg,cat\n{line}\n" if name.endswith("v") else f'{line}\n{{"file_name": "1.jpg"}}\n'
    for whole in (table, text):
        files = {"1.jpg": PHOTO, "b/2.jpg": PHOTO, name: whole.encode("utf-8", "surrogatepass")}
        check(made(lambda path, files=files: bringing.zipped(path, files)), "x.zip")


@FUZZED
@given(ANY_JSON, st.sampled_from(["classes", "photos", "versions", "settings", "network", "name", "created"]))
def test_descriptions_of_projects_of_anything(value: object, field: str) -> None:
    whole = {"format": "teachable-project", "format_version": 1, "name": "x", "created": 1.0, "updated": 1.0}
    whole |= {"settings": {}, "network": None, "classes": [], "photos": [], "versions": []}
    described = json.dumps(whole | {field: value}).encode()
    check(made(lambda path: bringing.zipped(path, {"project.json": described, "a/1.jpg": PHOTO})), "x.zip")
