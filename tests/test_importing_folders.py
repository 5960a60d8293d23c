"""Folders of photos, on this computer or in a zip, become classes and recordings whatever they are wrapped in."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import bringing
import PIL.Image
import pytest

from teachable.errors import InvalidInput, NotFound, TooLarge
from teachable.importing import Options, Source, open_source
from teachable.settings import Limits

A, B, C, D = (bringing.jpeg(seed) for seed in range(4))


def opened(tmp_path: Path, files: Mapping[str, bytes], name: str = "Pets.zip") -> Source:
    return open_source(bringing.zipped(tmp_path / "file", files), name, tmp_path)


def classes(source: Source, options: Options | None = None) -> dict[str, list[tuple[str, str, bool]]]:
    """Name, group and mark of all photos, by class."""
    return {
        one.name: [(item.name, item.group, item.test) for item in source.items(one.key, options)]
        for one in source.plan.classes
    }


def test_a_folder_is_a_class_and_a_folder_inside_it_a_recording(tmp_path: Path) -> None:
    files = {"Dogs/2.jpg": A, "Dogs/10.jpg": B, "Dogs/park/a/1.jpg": C, "Dogs/park/2.jpg": D, "Cats/1.JPG": A}
    with opened(tmp_path, files) as source:
        assert source.plan.kind == "folder"
        assert source.plan.title == "Pets"
        assert source.plan.options == ("independent",)
        assert [(one.name, one.photos, one.groups, one.bytes) for one in source.plan.classes] == [
            ("Cats", 1, 1, len(A)),
            ("Dogs", 4, 2, len(A + B + C + D)),
        ]
        dogs = classes(source)["Dogs"]
        assert [name for name, _, _ in dogs] == ["Dogs/2.jpg", "Dogs/10.jpg", "Dogs/park/2.jpg", "Dogs/park/a/1.jpg"]
        assert [group for _, group, _ in dogs] == ["Dogs", "Dogs", "Dogs/park", "Dogs/park"]
        assert len({group for _, group, _ in classes(source, Options(independent=True))["Dogs"]}) == 4


def test_a_folder_on_this_computer_reads_like_the_same_in_a_zip(tmp_path: Path) -> None:
    files = {"w/Dogs/2.jpg": A, "w/Dogs/10.jpg": B, "w/Dogs/park/1.jpg": C, "w/Cats/1.jpg": D, "w/Cats/note.txt": b"x"}
    folder = tmp_path / "Pets"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "w/Cats/again").symlink_to(folder)
    with opened(tmp_path, files) as packed, open_source(folder, "Pets", tmp_path) as local:
        assert local.plan == packed.plan
        assert classes(local) == classes(packed)
        assert [item.data for item in local.items("c1", start=1)] == [B, C]


@pytest.mark.parametrize("wrap", ["", "data/", "a/b/c/"])
def test_folders_around_everything_are_looked_through(tmp_path: Path, wrap: str) -> None:
    with opened(tmp_path, {f"{wrap}Cats/1.jpg": A, f"{wrap}Dogs/1.jpg": B}) as source:
        assert list(classes(source)) == ["Cats", "Dogs"]


def test_photos_in_one_folder_or_in_none_are_one_class(tmp_path: Path) -> None:
    with opened(tmp_path, {"x/Cats/1.jpg": A, "x/Cats/2.jpg": B}) as source:
        assert {name: len(items) for name, items in classes(source).items()} == {"Cats": 2}
    with opened(tmp_path, {"1.jpg": A, "2.jpg": B, "Dogs/1.jpg": C}) as source:
        assert {name: len(items) for name, items in classes(source).items()} == {"Pets": 2, "Dogs": 1}


def test_what_systems_leave_behind_is_not_told_but_other_files_are(tmp_path: Path) -> None:
    litter = ["__MACOSX/Cats/._1.jpg", "Cats/.DS_Store", "Cats/Thumbs.db", "Cats/desktop.ini", ".git/x.jpg"]
    others = {
        "Cats/page.html": b"<html>",
        "Cats/drawing.svg": b"<svg onload='x'/>",
        "more.zip": b"PK\3\4",
        "a": b"text",
    }
    with opened(tmp_path, {**dict.fromkeys(litter, b"x"), **others, "Cats/1.jpg": A, "Cats/2": B}) as source:
        assert {one.name: one.reason for one in source.plan.skipped}.keys() == others.keys()
        assert source.plan.skipped_total == 4
        assert "Unpack it first" in next(one.reason for one in source.plan.skipped if one.name == "more.zip")
        assert [name for name, _, _ in classes(source)["Cats"]] == ["Cats/1.jpg", "Cats/2"]


def test_only_the_first_of_many_files_left_out_are_named(tmp_path: Path) -> None:
    with opened(tmp_path, {"a/1.jpg": A, **{f"a/{number}.txt": b"x" for number in range(30)}}) as source:
        assert (len(source.plan.skipped), source.plan.skipped_total) == (20, 30)


def test_parts_of_a_data_set_are_put_together_and_its_test_is_only_tested_with(tmp_path: Path) -> None:
    files = {"set/train/cat/1.jpg": A, "set/test/Cat/1.jpg": B, "set/val/cat/2.jpg": C, "set/train/dog/1.jpg": D}
    with opened(tmp_path, files) as source:
        assert source.plan.kind == "imagefolder"
        assert [(one.name, one.photos, one.tests) for one in source.plan.classes] == [("Cat", 3, 1), ("dog", 1, 0)]
        (items, _) = classes(source).values()
        assert {name: test for name, _, test in items} == {
            "set/train/cat/1.jpg": False,
            "set/test/Cat/1.jpg": True,
            "set/val/cat/2.jpg": False,
        }
        assert len({group for _, group, _ in items}) == 3
        assert source.plan.notes[0].text


def test_without_a_test_part_validation_is_tested_with(tmp_path: Path) -> None:
    with opened(tmp_path, {"train/a/1.jpg": A, "train/b/1.jpg": B, "val/a/1.jpg": C}) as source:
        assert sum(one.tests for one in source.plan.classes) == 1


@pytest.mark.parametrize(
    "names", [("train/1.jpg", "test/1.jpg"), ("train/1.jpg", "bus/1.jpg"), ("val/a/1.jpg", "test/a/1.jpg")]
)
def test_classes_may_be_called_like_parts(tmp_path: Path, names: tuple[str, ...]) -> None:
    with opened(tmp_path, dict.fromkeys(names, A)) as source:
        assert {name.split("/")[0] for name in names} == set(classes(source))
        assert source.plan.kind == "folder"


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("metadata.csv", "file_name,label,group\n1.jpg,cat,one\nsub/2.jpg,dog,\n3.jpg,cat,two\ngone.jpg,cat,\n"),
        (
            "metadata.csv",
            "\ufeffFile_Name;Label;group\r\n1.jpg;cat;one\r\nsub/2.jpg;dog;\r\n3.jpg;cat;two\r\ngone.jpg;cat;\r\n",
        ),
        (
            "metadata.jsonl",
            "".join(
                json.dumps({"file_name": file, "label": label, "group": group}) + "\n"
                for file, label, group in [
                    ("1.jpg", "cat", "one"),
                    ("sub/2.jpg", "dog", None),
                    ("3.jpg", "cat", "two"),
                    ("gone.jpg", "cat", None),
                ]
            ),
        ),
    ],
)
def test_a_table_says_the_classes(tmp_path: Path, name: str, table: str) -> None:
    files = {"set/1.jpg": A, "set/sub/2.jpg": B, "set/3.jpg": C, "set/4.jpg": D, f"set/{name}": table.encode()}
    with opened(tmp_path, files) as source:
        assert source.plan.kind == "imagefolder"
        assert classes(source) == {
            "cat": [("set/1.jpg", "one", False), ("set/3.jpg", "two", False)],
            "dog": [("set/sub/2.jpg", "sub", False)],
        }
        assert {one.name for one in source.plan.skipped} == {"gone.jpg", "set/4.jpg"}


def test_tables_in_parts_and_labels_that_are_numbers(tmp_path: Path) -> None:
    files = {
        "train/img/1.jpg": A,
        "train/metadata.jsonl": b'{"file_name": "img/1.jpg", "label": 10}\n',
        "test/img/2.jpg": B,
        "test/metadata.jsonl": b'\n{"file_name": "img/2.jpg", "label": 9}\n',
    }
    with opened(tmp_path, files) as source:
        found = classes(source)
        assert list(found) == ["9", "10"]
        assert [test for items in found.values() for _, _, test in items] == [True, False]


@pytest.mark.parametrize(
    "table", [b"\xff\xfe", b"[1]\n", b"{", b'{"x": 1}', b"[" * 200_000, b'{"file_name": ["1.jpg"]}']
)
def test_a_table_that_cannot_be_read_is_told_and_folders_count(tmp_path: Path, table: bytes) -> None:
    with opened(tmp_path, {"Cats/1.jpg": A, "Dogs/1.jpg": B, "metadata.jsonl": table}) as source:
        assert list(classes(source)) == ["Cats", "Dogs"]
        assert [one.name for one in source.plan.skipped] == ["metadata.jsonl"]


def test_reading_goes_on_wherever_it_stopped(tmp_path: Path) -> None:
    with opened(tmp_path, {f"a/{number}.jpg": bringing.jpeg(number) for number in range(9)}) as source:
        whole = list(source.items("c0"))
        assert [item.index for item in whole] == list(range(9))
        assert source.total("c0") == 9
        for start in (0, 1, 5, 8, 9, 100):
            assert list(source.items("c0", start=start)) == whole[start:]


def test_a_photo_that_went_meanwhile_does_not_end_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "Pets"
    (folder / "Cats").mkdir(parents=True)
    for number in range(3):
        (folder / f"Cats/{number}.jpg").write_bytes(A)
    with open_source(folder, "Pets", tmp_path) as source:
        (folder / "Cats/1.jpg").unlink()
        items = list(source.items("c0"))
    assert [item.data for item in items] == [A, b"", A]
    assert [item.index for item in items] == [0, 1, 2]
    assert isinstance(items[1].error, NotFound)


def test_a_file_of_nothing_is_an_error_of_its_own(tmp_path: Path) -> None:
    with opened(tmp_path, {"a/1.jpg": b"", "a/2.jpg": A}) as source:
        empty, whole = source.items("c0")
    assert empty.error is not None
    assert (empty.error.key, whole.data) == ("photo_empty", A)


def test_an_animation_in_a_folder_gives_all_its_frames(tmp_path: Path) -> None:
    still = bringing.encoded(PIL.Image.new("RGB", (9, 9), "red"), "GIF")
    files = {
        "a/moving.gif": bringing.gif(["red", "lime", "blue"]),
        "a/still.gif": still,
        "a/moving.webp": bringing.gif(["red", "blue"], "WEBP", lossless=True),
    }
    with opened(tmp_path, files) as source:
        (one,) = source.plan.classes
        assert (one.photos, one.groups, one.bytes) == (6, 3, None)
        items = list(source.items("c0"))
        assert [item.name for item in items] == ["a/moving.gif"] * 3 + ["a/moving.webp"] * 2 + ["a/still.gif"]
        assert list(source.items("c0", start=1)) == items[1:]


def test_names_no_project_takes_become_some_that_it_does(tmp_path: Path) -> None:
    files = {"\u200b/1.jpg": A, "a\nb/1.jpg": B, "y" * 150 + "/1.jpg": C, "y" * 160 + "/1.jpg": D}
    with opened(tmp_path, files) as source:
        names = [one.name for one in source.plan.classes]
    assert names == ["ab", "y" * 100, "y" * 96 + " (2)", "Class 4"]
    assert all(len(name) <= 100 and name.isprintable() for name in names)


def test_groups_fit_a_project_whatever_folders_are_called(tmp_path: Path) -> None:
    deep = "d" * 200
    files = {f"a/{deep}1/1.jpg": A, f"a/{deep}2/1.jpg": B, "a/\x07/1.jpg": C, "b/1.jpg": D}
    with opened(tmp_path, files) as source:
        groups = [group for _, group, _ in classes(source)["a"]]
    assert len(set(groups)) == 3
    assert all(0 < len(group) <= 60 and group.isprintable() for group in groups)


def test_files_without_photos_and_single_photos_are_refused_in_words(tmp_path: Path) -> None:
    for files, key in (
        ({}, "source_empty"),
        ({"a/readme.txt": b"x"}, "source_empty"),
        ({"inner.zip": b"PK\3\4rest"}, "archive_in_archive"),
        ({"Ada.zip": b"PK\3\4rest", "Ben.zip": b"PK\3\4rest"}, "archive_of_archives"),
    ):
        with pytest.raises(InvalidInput) as error:
            opened(tmp_path, files)
        assert error.value.key == key
    for data, key in (
        (A, "source_photo"),
        (bringing.encoded(PIL.Image.new("RGB", (9, 9)), "PNG"), "source_photo"),
        (b"hello", "source_unknown"),
        (b"", "source_unknown"),
        (b"Rar!\x1a\x07rest", "archive_kind"),
    ):
        path = tmp_path / "x"
        path.write_bytes(data)
        with pytest.raises(InvalidInput) as error:
            open_source(path, "x", tmp_path)
        assert error.value.key == key
    with pytest.raises(NotFound):
        open_source(tmp_path / "gone", "gone", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="holds no photos"):
        open_source(tmp_path / "empty", "empty", tmp_path)


def test_more_classes_than_a_project_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("teachable.importing.folders.limits", lambda: Limits(classes=2))
    with pytest.raises(TooLarge):
        opened(tmp_path, {f"{name}/1.jpg": A for name in "abc"})


def test_questions_about_what_is_not_there_get_an_answer(tmp_path: Path) -> None:
    with opened(tmp_path, {"a/1.jpg": A}) as source:
        for number in (-1, 1):
            with pytest.raises(NotFound):
                source.preview(number)
        with pytest.raises(NotFound):
            source.items("c1")
        for rate in (0, -1, 31, float("nan"), float("inf")):
            with pytest.raises(InvalidInput):
                source.items("c0", Options(rate=rate))
        assert io.BytesIO(source.preview(0)).read(2) == b"\xff\xd8"
