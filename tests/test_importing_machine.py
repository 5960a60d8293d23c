"""Projects of Teachable Machine open in the order they were made in."""

import io
import json
import zipfile
from pathlib import Path

import bringing
import numpy as np
import PIL.Image
import pytest

from teachable.errors import InvalidInput
from teachable.importing import Options, open_source
from teachable.types import TrainSettings


def read(path: Path, tmp_path: Path, key: str = "c0", options: Options | None = None) -> list[tuple[str, bytes]]:
    with open_source(path, path.name, tmp_path) as source:
        return [(item.group, item.data) for item in source.items(key, options)]


def test_classes_come_in_their_order_and_photos_in_the_order_they_were_taken(tmp_path: Path) -> None:
    photos = [bringing.jpeg(seed) for seed in range(12)]
    # Index 10 sorts behind 9, not behind 1; the blocks are not in the order of the alphabet.
    samples = [*((f"Zebra-!-{at}.jpg", photos[at]) for at in (0, 1, 10, 2, 9)), ("ant-!-0.jpg", photos[11])]
    path = bringing.machine(tmp_path / "Animals.tm", samples)
    with open_source(path, "Animals.tm", tmp_path) as source:
        assert source.plan.kind == "teachable-machine"
        assert source.plan.title == "Animals"
        assert [(one.name, one.photos) for one in source.plan.classes] == [("Zebra", 5), ("ant", 1)]
        assert source.plan.options == ("unmirror",)
        assert source.plan.settings == TrainSettings(50, 16, 0.001)
        taken = [item.data for item in source.items("c0")]
    assert taken == [photos[at] for at in (10, 9, 2, 1, 0)]


def test_photos_that_look_alike_one_after_the_other_are_one_recording(tmp_path: Path) -> None:
    looks = [(1, 0), (1, 5), (1, 9), (2, 0), (2, 4), (3, 0)]  # newest first
    samples = [(f"a-!-{at}.jpg", bringing.jpeg(seed, 224, shift)) for at, (seed, shift) in enumerate(looks)]
    samples.insert(4, ("a-!-6.jpg", b"\xff\xd8\xffbroken"))
    path = bringing.machine(tmp_path / "x.tm", samples)
    groups = [group for group, _ in read(path, tmp_path)]
    assert groups == [
        "recording 1",
        "recording 1",
        "recording 2",
        "recording 2",
        "recording 3",
        "recording 3",
        "recording 3",
    ]
    with open_source(path, "x.tm", tmp_path) as source:
        assert source.plan.classes[0].groups == 3


def test_names_are_labels_and_never_places(tmp_path: Path) -> None:
    labels = ["../../etc/passwd", "a-!-b", "C:\\x", "고양이", "кошка ", "dogs!", "x" * 300]
    path = bringing.machine(tmp_path / "x.tm", [(f"{label}-!-0.jpg", bringing.jpeg(1)) for label in labels])
    before = sorted(tmp_path.iterdir())
    with open_source(path, "x.tm", tmp_path) as source:
        assert [one.name for one in source.plan.classes] == [*labels[:4], "кошка", "dogs!", "x" * 100]
        assert all(item.data for one in source.plan.classes for item in source.items(one.key))
    assert sorted(tmp_path.iterdir()) == before


def test_two_classes_of_one_name_stay_two(tmp_path: Path) -> None:
    names = ["a-!-0.jpg", "a-!-1.jpg", "b-!-0.jpg", "a-!-0.jpg"]
    with pytest.warns(UserWarning, match="Duplicate"):
        path = bringing.machine(tmp_path / "x.tm", [(name, bringing.jpeg(at)) for at, name in enumerate(names)])
    with open_source(path, "x.tm", tmp_path) as source:
        assert [(one.name, one.photos) for one in source.plan.classes] == [("a", 2), ("b", 1), ("a (2)", 1)]
        assert [item.data for item in source.items("c2")] == [bringing.jpeg(3)]


def test_photos_can_be_turned_back_class_by_class(tmp_path: Path) -> None:
    left = np.zeros((32, 32, 3), np.uint8)
    left[:, :16] = 255
    photo = bringing.encoded(PIL.Image.fromarray(left), "JPEG", quality=95)
    path = bringing.machine(tmp_path / "x.tm", [("a-!-0.jpg", photo), ("b-!-0.jpg", photo)])
    options = Options(unmirror=frozenset({"c0"}))
    assert read(path, tmp_path, "c1", options) == [("recording 1", photo)]
    ((_, turned),) = read(path, tmp_path, "c0", options)
    assert np.abs(bringing.pixels(turned).astype(int) - left[:, ::-1]).mean() < 3


def test_the_token_of_whoever_published_it_is_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = {"publishResults": {"x": {"token": "s3cr3t-credential"}}, "trainEpochs": 7}
    path = bringing.machine(tmp_path / "x.tm", [("a-!-0.jpg", bringing.jpeg(1))], appdata=data)
    with caplog.at_level(0), open_source(path, "x.tm", tmp_path) as source:
        assert source.plan.settings == TrainSettings(7, 16, 0.001)
        told = repr(source.plan) + "".join(note.text for note in source.plan.notes) + repr(vars(source))
        told += "".join(repr(item) for item in source.items("c0"))
    assert "s3cr3t" not in told + caplog.text


def test_settings_nothing_could_be_trained_with_are_said_and_left(tmp_path: Path) -> None:
    data = {"trainEpochs": 1e9, "trainBatchSize": 32.0, "trainLearningRate": "much"}
    path = bringing.machine(tmp_path / "x.tm", [("a-!-0.jpg", bringing.jpeg(1))], appdata=data)
    with open_source(path, "x.tm", tmp_path) as source:
        assert source.plan.settings == TrainSettings(50, 32, 0.001)
        texts = [note.text for note in source.plan.notes]
    assert sum("training setting" in text for text in texts) == 2


@pytest.mark.parametrize(("kind", "key"), [("pose", "machine_pose"), ("audio", "machine_audio"), ("x", "machine_kind")])
def test_other_kinds_are_refused_in_words_and_the_file_stays(tmp_path: Path, kind: str, key: str) -> None:
    path = bringing.machine(tmp_path / "x.tm", [("a-!-0.jpg", bringing.jpeg(1))], type=kind)
    before = path.read_bytes()
    with pytest.raises(InvalidInput) as error:
        open_source(path, "x.tm", tmp_path)
    assert error.value.key == key
    assert "stays as it is" in str(error.value)
    assert path.read_bytes() == before


def test_an_empty_project_and_one_with_other_files_open(tmp_path: Path) -> None:
    with open_source(bringing.machine(tmp_path / "x.tm", []), "x.tm", tmp_path) as source:
        assert source.plan.classes == ()
        assert [note.key for note in source.plan.notes] == ["note.import.machine_empty"]
    png = bringing.encoded(PIL.Image.new("RGB", (8, 8)), "PNG")
    samples = [("a-!-0.jpg", b"text"), ("readme.txt", b"hello"), ("a-!-1", png)]
    with open_source(bringing.machine(tmp_path / "y.tm", samples), "y.tm", tmp_path) as source:
        assert [(one.name, one.photos) for one in source.plan.classes] == [("a", 1)]
        assert [one.name for one in source.plan.skipped] == ["a-!-0.jpg", "readme.txt"]


def test_files_of_other_programs_with_the_same_ending_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "memory.tm"
    text.write_bytes(b"<tmx>translation memory</tmx>")
    other = bringing.zipped(tmp_path / "other.tm", {"a/b.jpg": bringing.jpeg(1)})
    for path in (text, other):
        with pytest.raises(InvalidInput, match="no project of Teachable Machine"):
            open_source(path, path.name, tmp_path)


def test_a_small_picture_is_a_square_jpeg(tmp_path: Path) -> None:
    samples = [(f"a-!-{at}.jpg", bringing.jpeg(at, 64)) for at in range(9)]
    with open_source(bringing.machine(tmp_path / "x.tm", samples), "x.tm", tmp_path) as source:
        assert source.plan.classes[0].previews == (0, 1, 2, 3)
        for number in source.plan.classes[0].previews:
            with PIL.Image.open(io.BytesIO(source.preview(number))) as small:
                assert (small.format, small.size) == ("JPEG", (128, 128))


def test_a_manifest_that_is_nothing_makes_an_ordinary_zip(tmp_path: Path) -> None:
    for number, manifest in enumerate([b"{", b"[]", b"\xff", json.dumps({"type": 3}).encode(), b"[" * 100_000]):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("manifest.json", manifest)
            archive.writestr("cats/1.jpg", bringing.jpeg(1))
        with open_source(path, path.name, tmp_path) as source:
            assert source.plan.kind == "folder"
