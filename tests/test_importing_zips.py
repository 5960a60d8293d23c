"""No zip file, however it was built, makes us write outside, or take more memory or time than photos need."""

import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bringing
import pytest

from teachable.errors import InvalidInput, NotFound, TeachableError, TooLarge
from teachable.importing import open_source, zips
from teachable.importing.zips import Archive
from teachable.settings import Limits

PHOTO = bringing.jpeg(1)


def names(path: Path) -> list[str]:
    archive = Archive(path, "x.zip")
    archive.close()
    return [entry.name for entry in archive.entries]


def flagless(path: Path, raw: bytes, extra: bytes = b"") -> Path:
    """A zip with one photo, whose name is written without saying how."""
    name = "n" * len(raw)
    info = zipfile.ZipInfo(name)
    info.extra = extra
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, PHOTO)
    path.write_bytes(path.read_bytes().replace(name.encode(), raw))
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "a/../../evil.jpg",
        "/etc/evil.jpg",
        "C:/evil.jpg",
        "c:evil.jpg",
        "\\\\host\\share\\e.jpg",
        "..\\e.jpg",
    ],
)
def test_names_that_lead_outside_are_left_out_and_told(tmp_path: Path, name: str) -> None:
    path = bringing.zipped(tmp_path / "x.zip", {name: PHOTO, "Cats/1.jpg": PHOTO})
    before = sorted(tmp_path.parent.rglob("*"))
    with open_source(path, "x.zip", tmp_path) as source:
        assert [one.key for one in source.plan.skipped] == ["archive_entry_place"]
        assert [item.name for one in source.plan.classes for item in source.items(one.key)] == ["Cats/1.jpg"]
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_file_without_a_name_is_left_out_and_told(tmp_path: Path) -> None:
    path = bringing.zipped(tmp_path / "x.zip", {"Cats/1.jpg": PHOTO})
    with zipfile.ZipFile(path, "a") as archive:
        nameless = zipfile.ZipInfo("x")
        nameless.filename = nameless.orig_filename = ""
        archive.writestr(nameless, PHOTO)
    with open_source(path, "x.zip", tmp_path) as source:
        assert [one.key for one in source.plan.skipped] == ["archive_entry_place"]


def test_links_are_left_out_and_told(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("Cats/link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("Cats/1.jpg", PHOTO)
    with open_source(tmp_path / "x.zip", "x.zip", tmp_path) as source:
        assert [one.key for one in source.plan.skipped] == ["archive_entry_link"]
        assert source.plan.classes[0].photos == 1


def test_names_are_read_in_whichever_way_they_were_written(tmp_path: Path) -> None:
    assert names(bringing.zipped(tmp_path / "u.zip", {"강아지/ü.jpg": PHOTO})) == ["강아지/ü.jpg"]
    assert names(flagless(tmp_path / "8.zip", "кот.jpg".encode())) == ["кот.jpg"]
    assert names(flagless(tmp_path / "c.zip", "für.jpg".encode("cp437"))) == ["für.jpg"]
    raw = b"\xff\xfe.jpg"
    field = struct.pack("<BL", 1, zlib.crc32(raw)) + "ねこ.jpg".encode()
    stated = struct.pack("<HH", 0x7075, len(field)) + field
    assert names(flagless(tmp_path / "s.zip", raw, stated)) == ["ねこ.jpg"]


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = bytes(2**20)
    path = bringing.zipped(tmp_path / "x.zip", {f"a/{number}.jpg": zeros for number in range(9)}, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zips.Archive, "open", lambda *_: pytest.fail("something was unpacked"))
    monkeypatch.setattr(zips, "HARMLESS_BYTES", 8 * 2**20)
    with pytest.raises(TooLarge, match="unpack to far more"):
        open_source(path, "x.zip", tmp_path)


def test_one_large_file_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "limits", lambda: Limits(photo_bytes=len(PHOTO)))
    path = bringing.zipped(tmp_path / "x.zip", {"a/1.jpg": PHOTO + b"x", "a/2.jpg": PHOTO}, zipfile.ZIP_DEFLATED)
    with open_source(path, "x.zip", tmp_path) as source:
        items = list(source.items("c0"))
    assert isinstance(items[0].error, TooLarge)
    assert items[1].data == PHOTO


def test_files_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    """The same packed bytes under many names: a few kilobytes that unpack to petabytes."""
    path = bringing.zipped(tmp_path / "x.zip", {"a/1.jpg": PHOTO, "a/2.jpg": PHOTO})
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, second + 42, 0)
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match="damaged"):
        Archive(path, "x.zip")


def test_too_many_files_are_refused_before_they_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MOST_ENTRIES", 20)
    path = bringing.zipped(tmp_path / "x.zip", {f"a/{number}.jpg": b"" for number in range(21)})
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda self: pytest.fail("the list was made"))
    with pytest.raises(TooLarge, match="more than 20 files"):
        Archive(path, "x.zip")


def test_a_list_of_files_that_says_it_is_huge_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "LARGEST_LIST", 70_000)
    path = tmp_path / "x.zip"
    size = 100_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, 4, 0)
    path.write_bytes(b"PK\x03\x04" + bytes(size) + end)
    with pytest.raises(TooLarge):
        Archive(path, "x.zip")


def test_a_file_that_lies_about_its_size_is_damaged_and_the_others_are_not(tmp_path: Path) -> None:
    path = bringing.zipped(tmp_path / "x.zip", {"a/1.jpg": PHOTO, "a/2.jpg": PHOTO}, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, first + 24, len(PHOTO) // 2)
    path.write_bytes(data)
    with open_source(path, "x.zip", tmp_path) as source:
        items = list(source.items("c0"))
    assert isinstance(items[0].error, InvalidInput)
    assert items[1].data == PHOTO


def test_a_damaged_photo_in_a_zip_does_not_end_the_rest(tmp_path: Path) -> None:
    path = bringing.zipped(tmp_path / "x.zip", {f"a/{number}.jpg": bringing.jpeg(number, 64) for number in range(3)})
    data = bytearray(path.read_bytes())
    data[data.index(b"a/1.jpg") + 100] ^= 255
    path.write_bytes(data)
    with open_source(path, "x.zip", tmp_path) as source:
        assert [item.error is None for item in source.items("c0")] == [True, False, True]


def test_locked_files_are_refused_in_words(tmp_path: Path) -> None:
    path = bringing.zipped(tmp_path / "x.zip", {"a/1.jpg": PHOTO, "a/2.jpg": PHOTO})
    whole = path.read_bytes()
    headers = [at for at in range(len(whole)) if whole[at : at + 4] == b"PK\x01\x02"]

    def locked(*places: int) -> None:
        data = bytearray(whole)
        for at in places:
            data[at + 8] |= 1
        path.write_bytes(data)

    locked(*headers)
    with pytest.raises(InvalidInput, match="password"):
        open_source(path, "x.zip", tmp_path)
    locked(headers[0])
    with open_source(path, "x.zip", tmp_path) as source:
        errors = [item.error for item in source.items("c0")]
    assert errors[0] is not None
    assert "password" in str(errors[0])
    assert errors[1] is None


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_bounds_are_not_used(tmp_path: Path, method: int) -> None:
    path = bringing.zipped(tmp_path / "x.zip", {"a/1.jpg": PHOTO}, method)
    with open_source(path, "x.zip", tmp_path) as source:
        (item,) = source.items("c0")
    assert item.error is not None
    assert item.error.key == "archive_entry_method"


def test_large_archives_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZIP64, as programs write it for archives of more than four gigabytes or 65,535 files."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(4):
            with archive.open(f"Cats/{number}.jpg", "w", force_zip64=True) as file:
                file.write(PHOTO)
    assert b"PK\x06\x06" in path.read_bytes()
    with open_source(path, "x.zip", tmp_path) as source:
        assert [item.data for item in source.items("c0")] == [PHOTO] * 4


@pytest.mark.parametrize("cut", [1, 21, 60, 200])
def test_half_a_zip_is_damaged(tmp_path: Path, cut: int) -> None:
    path = bringing.zipped(tmp_path / "x.zip", {"a/1.jpg": PHOTO})
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(InvalidInput, match="damaged"):
        open_source(path, "x.zip", tmp_path)
    path.unlink()  # nothing holds it open, which Windows would mind


def test_any_file_of_a_zip_can_be_had_by_its_name(tmp_path: Path) -> None:
    archive = Archive(bringing.zipped(tmp_path / "x.zip", {"a": b"1", "b": b"22"}), "x.zip")
    assert archive.read(archive.find("b")) == b"22"
    with pytest.raises(TooLarge):
        archive.read(archive.find("b"), 1)
    with pytest.raises(NotFound):
        archive.find("c")
    archive.close()


def test_every_error_is_one_a_person_can_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(TeachableError, match="holds no photos"):
        open_source(path, "x.zip", tmp_path)


def test_pictures_can_be_asked_for_while_photos_are_read(tmp_path: Path) -> None:
    photos = [bringing.jpeg(seed, 96) for seed in range(40)]
    path = bringing.zipped(
        tmp_path / "x.zip", {f"a/{at}.jpg": data for at, data in enumerate(photos)}, zipfile.ZIP_DEFLATED
    )
    with open_source(path, "x.zip", tmp_path) as source, ThreadPoolExecutor(4) as threads:
        numbers = source.plan.classes[0].previews
        expected = [source.preview(number) for number in numbers]
        reading = [threads.submit(lambda: [item.data for item in source.items("c0")]) for _ in range(2)]
        looking = [threads.submit(lambda: [source.preview(number) for number in numbers]) for _ in range(4)]
        assert all(one.result() == photos for one in reading)
        assert all(one.result() == expected for one in looking)
