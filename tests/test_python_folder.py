"""The Python folder: unpacked far from this checkout, its programs say what the preview says."""

import json
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from graphing import scene
from PIL import Image
from programming import LABELS, TOLERANCE, assert_printed, model, picture, program, said, sideways, upright

from teachable.errors import Cancelled, ModelFileError
from teachable.exporting import bundle
from teachable.exporting.exporter import Precision, Source, Watch
from teachable.exporting.formats.python_folder import EXPORTER
from teachable.resources import assets
from teachable.runtime import Classifier

RUN_SECONDS = 300
FULL = EXPORTER.variants[0]


def watch() -> Watch:
    return Watch(lambda part: None, threading.Event())


def source(familiar: bool | None = None) -> Source:
    data, metadata = model(familiar)

    def at(precision: Precision, watch: Watch) -> bytes:
        # Which precision was asked for can be read in the file.
        proto = onnx.ModelProto.FromString(data)
        proto.doc_string = precision
        return bytes(proto.SerializeToString(deterministic=True))

    def photos() -> Iterator[np.ndarray]:
        yield scene(50, 60)

    return Source(metadata, at, photos)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("python") / FULL.file
    EXPORTER.write(source(), FULL, target, watch())
    return target


@pytest.fixture
def folder(archive: Path, tmp_path: Path) -> Path:
    """The archive, unpacked."""
    with zipfile.ZipFile(archive) as files:
        files.extractall(tmp_path)
    return tmp_path / "model-python"


def run(folder: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-X", "utf8", *map(str, arguments)],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
    )


def test_the_archive_has_all_it_needs_and_the_same_bytes_every_time(archive: Path, tmp_path: Path) -> None:
    files = bundle.read_files(archive)
    assert list(files) == [
        *("README.md", "labels.txt", "live.py", "model.onnx", "predict.py", "requirements.txt", "signature.json"),
        "webcam.py",
    ]
    described = json.loads(files["signature.json"])
    needed = files["requirements.txt"].decode()
    readme = files["README.md"].decode()
    assert files["live.py"].decode() == program("pi").code
    assert described["labels"] == list(LABELS)
    assert described["inputs"] == [{"name": "image", "type": "uint8", "shape": ["batch", "height", "width", 3]}]
    for package in ("numpy", "onnxruntime", "pillow", "opencv-python"):
        assert re.search(rf"^{package}>=\d", needed, re.MULTILINE)
    for named in ("predict.py", "webcam.py", "live.py", "sudo apt install python3-picamera2"):
        assert named in readme
    EXPORTER.write(source(), FULL, tmp_path / "again.zip", watch())
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_the_ports_in_the_signature_are_those_of_the_file(archive: Path) -> None:
    described = json.loads(bundle.read_archive(archive, "signature.json"))
    graph = onnx.ModelProto.FromString(bundle.read_archive(archive, "model.onnx")).graph
    assert [port["name"] for port in described["inputs"]] == [port.name for port in graph.input]
    assert [port["name"] for port in described["outputs"]] == [port.name for port in graph.output]
    for port, real in zip(described["outputs"], graph.output, strict=True):
        assert len(port["shape"]) == len(real.type.tensor_type.shape.dim)


@pytest.mark.parametrize("variant", EXPORTER.variants, ids=lambda variant: variant.id)
def test_each_variant_holds_the_model_at_its_precision(tmp_path: Path, variant: object) -> None:
    assert variant in EXPORTER.variants
    chosen = next(one for one in EXPORTER.variants if one is variant)
    EXPORTER.write(source(), chosen, tmp_path / chosen.file, watch())
    model = bundle.read_archive(tmp_path / chosen.file, "model.onnx")
    assert onnx.ModelProto.FromString(model).doc_string == chosen.id


def test_it_answers_as_the_preview_does(archive: Path) -> None:
    runner = EXPORTER.open(archive, FULL)
    photos = [scene(120, 160, 1), scene(301, 97, 2), scene(480, 640, 3)]
    answers = runner(photos)
    np.testing.assert_allclose(answers.probabilities, Classifier.load(model()[0]).probabilities(photos), atol=1e-6)
    assert answers.embeddings is not None
    assert answers.embeddings.shape[0] == 3
    assert runner([]).probabilities.shape == (0, len(LABELS))


def test_a_damaged_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.zip").write_bytes(archive.read_bytes()[:-500])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as files:
        files.writestr("model-python/model.onnx", b"no model")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as files:
        files.writestr("model-python/README.md", b"")
    for name in ("cut.zip", "other.zip", "empty.zip"):
        with pytest.raises(ModelFileError):
            EXPORTER.open(tmp_path / name, FULL)


def test_it_can_be_given_up(tmp_path: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        EXPORTER.write(source(), FULL, tmp_path / "one.zip", Watch(lambda part: None, cancelled))


# The programs in it


def test_predict_takes_files_and_folders(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more" / "deeper").mkdir(parents=True)
    photos = [tmp_path / "one.jpg", tmp_path / "more" / "a.PNG", tmp_path / "more" / "deeper" / "b.jpeg"]
    expected = {photos[0]: sideways(photos[0])}
    picture(1).save(photos[1], "PNG")
    picture(2).convert("L").save(photos[2], "JPEG")
    expected |= {photo: said(photo) for photo in photos[1:]}
    (tmp_path / "more" / "notes.txt").write_text("no photo")

    # Isolated: nothing but what is installed and the folder itself.
    done = run(folder, "-I", folder / "predict.py", photos[0], tmp_path / "more")
    assert done.returncode == 0, done.stderr
    # Labels may hold line breaks, names of photos may not.
    found = re.split(rf"^(?={re.escape(str(tmp_path))})", done.stdout, flags=re.MULTILINE)[1:]
    assert len(found) == 3
    for text, photo in zip(found, photos, strict=True):
        assert text.startswith(f"{photo}: ")
        assert_printed(text.removeprefix(f"{photo}: "), expected[photo])


@pytest.mark.parametrize("familiar", [True, False])
def test_predict_says_when_it_is_not_sure(tmp_path: Path, familiar: bool) -> None:
    EXPORTER.write(source(familiar), FULL, tmp_path / FULL.file, watch())
    with zipfile.ZipFile(tmp_path / FULL.file) as files:
        files.extractall(tmp_path)
    described = json.loads((tmp_path / "model-python" / "signature.json").read_text(encoding="utf-8"))
    assert described["familiarity"] == {"below": 0.25, "held_out": 100}
    assert described["outputs"][-1] == {"name": "familiarity", "type": "float32", "shape": ["batch"]}
    expected = upright(tmp_path / "one.jpg")
    done = run(tmp_path, "-I", tmp_path / "model-python" / "predict.py", tmp_path / "one.jpg")
    assert done.returncode == 0, done.stderr
    assert_printed(done.stdout.removeprefix(f"{tmp_path / 'one.jpg'}: "), expected, familiar)


def test_predict_says_how_to_use_it(folder: Path) -> None:
    done = run(folder, "-I", folder / "predict.py")
    assert done.returncode == 1
    assert "python predict.py photo.jpg" in done.stderr
    assert not done.stdout


def test_predict_skips_what_is_no_photo_and_goes_on(folder: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"no photo")
    upright(photos / "b.jpg")
    (photos / "c.jpg").write_bytes((photos / "b.jpg").read_bytes()[:300])
    done = run(folder, "-I", folder / "predict.py", photos, photos / "mistyped.jpg")
    assert done.returncode == 1
    assert_printed(done.stdout.removeprefix(f"{photos / 'b.jpg'}: "), said(photos / "b.jpg"))
    assert done.stderr.splitlines() == [
        f"Skipped {photos / 'a.jpg'}: it is no photo that can be read.",
        f"Skipped {photos / 'c.jpg'}: it is no photo that can be read.",
        f"Skipped {photos / 'mistyped.jpg'}: there is no such file.",
    ]


def test_predict_is_35_lines() -> None:
    text = (assets() / "programs" / "folder" / "predict.py.txt").read_text(encoding="utf-8")
    assert sum(bool(line.strip()) for line in text.splitlines()) <= 35


CAMERA = '''"""Stands in for OpenCV: a camera that shows a photo, and a window that keeps what it was shown."""
import numpy as np
from PIL import Image

COLOR_BGR2RGB, COLOR_RGB2BGR = object(), object()
shown = []

def cvtColor(pixels, code):
    assert code in (COLOR_BGR2RGB, COLOR_RGB2BGR)
    return np.ascontiguousarray(pixels[..., ::-1])

class VideoCapture:
    def __init__(self, number):
        self.number, self.read_so_far = number, 0

    def isOpened(self):
        return self.number in (0, 1)

    def read(self):
        self.read_so_far += 1
        if self.number == 1 and self.read_so_far > 3:
            return False, None
        return True, cvtColor(np.asarray(Image.open("camera.png").convert("RGB")), COLOR_RGB2BGR)

    def release(self):
        print("released")

def imshow(title, pixels):
    shown.append(pixels)
    Image.fromarray(cvtColor(pixels, COLOR_BGR2RGB)).save("shown.png")

def setWindowTitle(title, text):
    assert title == "Camera"
    with open("title", "w", encoding="utf-8") as file:
        file.write(text)

def waitKey(milliseconds):
    return ord("q") if len(shown) == 2 else -1

def destroyAllWindows():
    print(len(shown), "shown")
'''


def test_the_webcam_program_shows_what_it_sees(folder: Path, tmp_path: Path) -> None:
    """With a stand-in for camera and window, which are not to be had here."""
    (folder / "cv2.py").write_text(CAMERA)
    picture(1, 320, 240).save(tmp_path / "camera.png")
    done = run(folder, folder / "webcam.py")
    assert (done.returncode, done.stdout) == (0, "released\n2 shown\n"), done.stderr
    before, after = (np.asarray(Image.open(tmp_path / name), np.int16) for name in ("camera.png", "shown.png"))
    changed = np.abs(after - before).max(axis=2) > 0
    # The answer stands at the top, the rest of the picture is as it was, and in its own colours.
    assert changed[:48].any()
    assert not changed[100:].any()
    # A window says it in every script, in whole per cents.
    label, _, percent = (tmp_path / "title").read_text(encoding="utf-8").rpartition(" ")
    expected = said(tmp_path / "camera.png")
    assert label == expected.label
    assert abs(float(percent.rstrip("%")) - expected.percent) <= 0.5 + TOLERANCE
    done = run(folder, folder / "webcam.py", "1")
    assert done.returncode == 0, done.stderr
    done = run(folder, folder / "webcam.py", "7")
    assert done.returncode == 1
    assert "no such camera" in done.stderr


def test_what_predict_offers_to_programs_is_what_the_preview_says(folder: Path, tmp_path: Path) -> None:
    picture(1).save(tmp_path / "one.png")
    (folder / "own.py").write_text(
        "from PIL import Image\nfrom predict import classify\nprint(ascii(classify(Image.open('one.png'))))\n"
    )
    done = run(folder, folder / "own.py")
    label, probability = eval(done.stdout)
    assert label == said(tmp_path / "one.png").label
    assert abs(100 * probability - said(tmp_path / "one.png").percent) < TOLERANCE
