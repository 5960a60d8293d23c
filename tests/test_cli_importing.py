"""`teachable import` and `teachable pack`, as they are typed."""

import zipfile
from pathlib import Path

import pytest
from bringing import video
from commanding import teachable
from making import photo

RED, BLUE = (220, 60, 60), (60, 60, 220)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    folder = tmp_path / "Pets"
    for place, name in enumerate(("Cat", "Dog")):
        (folder / name / "day 1").mkdir(parents=True)
        for number in range(3):
            data = photo(100 * place + number, (RED, BLUE)[place])
            (folder / name / ("day 1" if number else "") / f"{number}.jpg").write_bytes(data)
    (folder / "Dog" / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    return folder


def test_a_folder_becomes_a_project_that_can_be_packed_and_imported(pets: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    looked = teachable("import", pets, "--dry-run", "--home", home)
    assert looked.exit_code == 0
    assert "Cat: 3 photos, 2 recordings" in looked.stdout
    assert "Nothing was added" in looked.stdout
    assert "Nothing" not in teachable("projects", "--home", home).stdout

    made = teachable("import", pets, "--home", home)
    assert made.exit_code == 1
    assert "6 photos were added." in made.stdout
    assert "broken.jpg" in made.stderr
    (pets / "Dog" / "broken.jpg").unlink()
    again = teachable("import", pets, "--home", home, "--project", "Pets")
    assert again.exit_code == 0
    assert "0 photos were added." in again.stdout
    assert "6 photos were there already." in again.stdout

    target = tmp_path / "out.zip"
    packed = teachable("pack", "pets", "--out", target, "--home", home)
    assert packed.exit_code == 0
    assert str(target) in packed.stdout
    assert teachable("pack", "Pets", "--out", target, "--home", home).exit_code == 2
    assert teachable("pack", "Pets", "--out", target, "--photos", "--force", "--quiet", "--home", home).stdout == ""
    with zipfile.ZipFile(target) as archive:
        assert sorted(archive.namelist())[0] == "Cat/00000.jpg"
        assert len(archive.namelist()) == 6
    assert teachable("pack", "Pets", "--out", target, "--force", "--quiet", "--home", home).exit_code == 0
    other = tmp_path / "other"
    opened = teachable("import", target, "--quiet", "--home", other)
    assert (opened.exit_code, opened.stdout) == (0, "")
    assert "Cat (3), Dog (3)" in teachable("projects", "--home", other).stdout
    # Called the same as one that is here, it is numbered, from a folder as from a packed project.
    assert teachable("import", target, "--home", other).exit_code == 0
    assert teachable("import", pets, "--home", other).exit_code == 0
    listed = teachable("projects", "--home", other).stdout
    assert all(f"{name}: " in listed for name in ("Pets", "Pets (2)", "Pets (3)"))
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".new")] == []


def test_a_zip_is_trained_on_as_the_folder_in_it_would_be(pets: Path, tmp_path: Path) -> None:
    from teachable.runtime import Classifier

    file, out = tmp_path / "Pets.zip", tmp_path / "pets.onnx"
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(pets.rglob("*.jpg")):
            archive.write(path, path.relative_to(tmp_path).as_posix())
    made = teachable("train", file, "--out", out, "--epochs", "5")
    assert made.exit_code == 0, made.stderr
    assert "broken.jpg" in made.stderr
    assert "2 classes, 6 photos" in made.stdout
    assert Classifier.load(out).labels == ("Cat", "Dog")
    (tmp_path / "letter.txt").write_text("hello")
    wrong = teachable("train", tmp_path / "letter.txt", "--out", tmp_path / "none.onnx")
    assert wrong.exit_code == 2
    assert "letter.txt" in wrong.stderr


def test_what_cannot_be_imported_is_said(pets: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "letter.txt").write_text("hello")
    for wrong in (tmp_path / "letter.txt", tmp_path / "none.zip"):
        result = teachable("import", wrong, "--home", home)
        assert result.exit_code == 2
        assert wrong.name in result.stderr
    assert teachable("import", pets, "--home", home, "--project", "Nobody").exit_code == 2
    turned = teachable("import", pets, "--home", home, "--unmirror")
    assert turned.exit_code == 2
    assert "Teachable Machine" in turned.stderr
    assert teachable("pack", "Nobody", "--home", home).exit_code == 2


def test_what_is_shown_of_a_video_counts_the_photos_at_the_rate(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mp4", frames=40, fps=10)
    shown = teachable("import", clip, "--rate", "1", "--dry-run", "--home", tmp_path / "home")
    assert "clip: 4 photos, 1 recording" in shown.stdout


def test_what_is_left_out_is_named_before_anything_is_made_and_counts_in_the_end(pets: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (pets / "Dog" / "broken.jpg").unlink()
    (pets / "Dog" / "clip.mp4").write_bytes(video(tmp_path / "clip.mp4").read_bytes()[:300])
    for more in (["--dry-run"], []):
        done = teachable("import", pets, *more, "--home", home)
        assert done.exit_code == 1
        assert "clip.mp4 is damaged" in done.stderr


def test_a_rate_that_cannot_be_is_refused_before_the_video_is_looked_at(tmp_path: Path) -> None:
    done = teachable("import", video(tmp_path / "clip.mp4"), "--rate", "100", "--home", tmp_path / "home")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "100" in done.stderr
