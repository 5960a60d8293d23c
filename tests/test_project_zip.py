import json
from dataclasses import replace
from typing import Any

import pytest

from teachable import project_zip
from teachable.errors import InvalidInput, TeachableError, TooLarge
from teachable.project_zip import Packed, PackedClass, PackedPhoto, PackedVersion
from teachable.scores import Evaluation
from teachable.types import ModelRecord, ProjectNetwork, TrainSettings

CLASS = PackedClass("a" * 32, "Cat “1”", "#112233", True, "Cat")
PHOTO = PackedPhoto("photos/Cat/00000.jpg", 3, CLASS.id, "1" * 64, "2" * 64, "day 1", 640, 480, 1.25, True)
RECORD = ModelRecord(
    *(
        "model-0001",
        5.5,
        (CLASS.id, "b" * 32),
        ("Cat", "Dog"),
        "f" * 64,
        "slim-v1",
        TrainSettings(seed=7),
        "digest",
        9,
        0.5,
    ),
    Evaluation(None, None, None, 0, 0, (), (), (0, 1), ()),
)
VERSION = PackedVersion(2, "best", True, RECORD, "models/0002.onnx", "models/0002.npz", None)
WHOLE = Packed(
    *("Pets", 1.5, 2.5, TrainSettings(epochs=3), ProjectNetwork("slim-v1", "f" * 64, builtin=True), 0.1),
    (CLASS,),
    (PHOTO, replace(PHOTO, number=8, sha256="3" * 64)),
    (VERSION,),
    ("4" * 64,),
)


def changed(path: str, value: object) -> bytes:
    """The description with one thing in it another."""
    found: Any = json.loads(project_zip.write(WHOLE, "1.0"))
    *way, last = path.split(".")
    place = found
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = value
    return json.dumps(found).encode()


def test_what_is_written_is_read_the_same() -> None:
    assert project_zip.read(project_zip.write(WHOLE, "1.0")) == WHOLE
    bare = replace(WHOLE, network=None, classes=(), photos=(), versions=(), kept=())
    assert project_zip.read(project_zip.write(bare, "1.0")) == bare


def test_fields_of_a_program_that_knows_more_are_left_out() -> None:
    found = json.loads(changed("teachable_version", "9.9"))
    found["weather"] = {"rain": True}
    found["photos"][0]["sound"] = [1, 2]
    assert project_zip.read(json.dumps(found).encode()) == WHOLE


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 200_000, b'{"format": "teachable-project"}'],
    ids=["empty", "null", "list", "object", "no text", "deep", "bare"],
)
def test_what_is_no_description_is_said_to_be_damaged(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        project_zip.read(data)


def test_a_newer_format_asks_for_a_newer_program() -> None:
    with pytest.raises(InvalidInput) as caught:
        project_zip.read(changed("format_version", 2))
    assert caught.value.key == "project_zip_newer"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "  "),
        ("created", float("nan")),
        ("updated", -1),
        ("unknown_below", 0.9),
        ("settings.epochs", 10**9),
        ("settings.epochs", "3"),
        ("network.fingerprint", "../../x"),
        ("classes.0.id", "../../etc"),
        ("classes.0.name", "a\nb"),
        ("classes.0.color", "red"),
        ("photos.0.class_id", "c" * 32),
        ("photos.0.sha256", "1" * 63 + "/"),
        ("photos.0.number", 8),
        ("photos.0.number", 0),
        ("photos.0.number", 2**70),
        ("photos.0.recording", ""),
        ("photos.0.recording", "x" * 1000),
        ("photos.0.width", -5),
        ("photos.1.sha256", "1" * 64),
        ("photos.0", 7),
        ("versions.0.record.id", "../model"),
        ("versions.0.record.class_ids", []),
        ("versions.0.record.evaluation", None),
        ("versions.0.number", 0),
        ("versions.0.name", "x" * 1000),
        ("versions.0.current", False),
        ("kept.0", "/etc/passwd"),
        ("photos", None),
    ],
)
def test_what_no_project_could_say_is_refused(path: str, value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        project_zip.read(changed(path, value))
    assert caught.value.key == "project_zip_damaged"
    assert "damaged" in str(caught.value)


def test_more_than_a_project_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    many = replace(WHOLE, classes=tuple(replace(CLASS, id=f"{n:032x}", name=f"{n}") for n in range(300)))
    with pytest.raises(TooLarge):
        project_zip.read(project_zip.write(many, "1.0"))
    monkeypatch.setattr(project_zip, "LARGEST_DESCRIPTION", 10)
    with pytest.raises(TooLarge):
        project_zip.read(project_zip.write(WHOLE, "1.0"))


def test_folder_names_are_safe_everywhere_and_unlike_each_other() -> None:
    names = [
        "Cat",
        "cat",
        "../../etc",
        "CON",
        "com1.txt",
        " . ",
        "a/b\\c",
        "a_b_c",
        "__MACOSX",
        "é" * 100,
        "\u0065\u0301",
        "\u00e9",
    ]
    found = project_zip.folder_names(names)
    assert found[0] == "Cat"
    assert len({one.casefold() for one in found}) == len(found)
    for one in found:
        assert one.strip(". ") == one
        assert one
        assert not set(one) & set('/\\:*?"<>|')
        assert len(one.encode()) <= 200
        assert one.split(".")[0].lower() not in {"con", "com1", "__macosx"}


def test_every_refusal_is_one_a_person_can_read() -> None:
    for path in ("name", "classes", "photos.0.file", "versions.0.model"):
        with pytest.raises(TeachableError):
            project_zip.read(changed(path, {"a": 1}))
