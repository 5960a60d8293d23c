"""The programs for a model: run exactly as they are shown, and labels that cannot break out of them."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import debian
import npm
import onnxruntime
import pytest
from programming import (
    LABELS,
    PHOTO,
    RUNTIME_NODE,
    SHARP,
    assert_printed,
    bring,
    model,
    picture,
    prepare,
    program,
    said,
    sideways,
    upright,
)

from teachable.exporting import programs
from teachable.resources import assets

RUN_SECONDS = 300
ORDER = ["python", "classifier", "javascript", "page", "p5", "node", "pi", "android", "ios", "csharp", "cpp"]
TESTED = {"python", "classifier", "javascript", "page", "p5", "node", "cpp"}
# What ends a text, starts a place in it, is no letter, steers the writing, or is two units long in UTF-16.
HOSTILE = (
    *LABELS,
    *("", "'", '"', "\\", '\\"', "\\\\", "\\n", "\n", "\r\n", "\t", "\x00a", "\x7f9", "\x1b[31m", "\x85"),
    *("\u2028f", "\u2029", "\ufeff", "\u200d", "\u00ad", "\u202eabc\u2066", "e\u0301", "\u0301x", "\U0010ffff"),
    *("${1+1}", "$x", "`${alert(1)}`", "\\(1)", "{0}{{", "%d", "\\u0041", "\\x41", "\\101", "@@labels@@", "@@file@@"),
    *("</script>", "</SCRIPT >", "<!--", "-->", "]]>", "<?php", "/*", "*/", "//", "#", "'''", '"""', "??/", "???"),
    *("é", "日本", "🍎", "👩🏽\u200d🚀"),
)


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a program away from this checkout and return what it printed."""
    kept = {key: value for key, value in os.environ.items() if key not in {"NODE_PATH", "PYTHONPATH"}}
    kept |= {"PYTHONUTF8": "1", **environment}
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


# The list


@pytest.mark.parametrize("below", [None, 0.0, 0.05])
def test_every_program_has_its_words_its_tab_and_its_file(below: float | None) -> None:
    found = programs.programs(replace(model()[1], unknown_below=below), "model.onnx")
    assert [one.id for one in found] == ORDER
    assert {one.id for one in found if one.tested} == TESTED
    assert len({one.title for one in found}) == len(found)
    for one in found:
        assert one.about.endswith(".")
        assert one.install
        assert "@@" not in one.code
        assert max(map(len, one.code.splitlines())) <= 100, one.id
    assert {path.stem for path in (assets() / "programs").glob("*.txt")} == set(ORDER)


def test_the_name_of_the_file_is_in_every_program() -> None:
    for one in programs.programs(model()[1], "model-half.onnx"):
        assert "model-half.onnx" in one.code
        assert "model.onnx" not in one.code


def test_the_labels_are_in_every_program_that_needs_them() -> None:
    for one in programs.programs(replace(model()[1], labels=("Häschen", "犬")), "model.onnx"):
        # What loads a model with Teachable gets the labels from the model.
        assert ('"Häschen", "犬"' in one.code) == (one.id != "classifier")


def test_programs_are_not_sure_only_where_the_model_can_tell() -> None:
    without = programs.programs(model()[1], "model.onnx")
    with_it = programs.programs(replace(model()[1], unknown_below=0.05), "model.onnx")
    for one, other in zip(without, with_it, strict=True):
        assert "familiarity" not in one.code
        assert "Not sure" not in one.code
        assert "familiarity" in other.code
        assert "Not sure" in other.code


@pytest.mark.parametrize(
    ("below", "written"), [(0.0, "0.0"), (0.05, "0.05"), (0.5, "0.5"), (1e-7, "0.0000001"), (0.125, "0.125")]
)
def test_the_threshold_is_written_as_every_language_reads_it(below: float, written: str) -> None:
    for one in programs.programs(replace(model()[1], unknown_below=below), "model.onnx"):
        if one.id != "classifier":
            assert re.search(rf"(<|>=) {re.escape(written)}(?![\d.e])", one.code), one.id


def test_a_thousand_classes_take_few_lines() -> None:
    labels = tuple(f"Kind {number}" for number in range(1000))
    for one in programs.programs(replace(model()[1], labels=labels), "model.onnx"):
        lines = one.code.splitlines()
        assert len(lines) < 250
        assert max(map(len, lines)) <= 100
        if one.id != "classifier":
            assert '"Kind 999"' in one.code


def test_a_very_long_label_stays_whole() -> None:
    labels = ("a" * 300, "b" * 300)
    assert all(f'"{label}",' in program("python", labels).code for label in labels)


# Labels, read by the real languages


def test_python_reads_every_label_as_it_is() -> None:
    texts = [*HOSTILE, "\ud800", "a\udfff"]
    for text in texts:
        written = programs._python(text)
        assert eval(written) == text
        assert all(letter.isprintable() for letter in written)


def test_javascript_reads_every_label_as_it_is_and_a_page_does_too(tmp_path: Path) -> None:
    written = [programs._javascript(text) for text in HOSTILE]
    assert not any("<" in one for one in written)
    (tmp_path / "labels.mjs").write_text(f"console.log(JSON.stringify([{','.join(written)}]));", encoding="utf-8")
    assert json.loads(run([npm.node(), "labels.mjs"], tmp_path)) == list(HOSTILE)
    assert (
        json.loads(run([npm.node(), "-p", f"JSON.stringify({programs._javascript(chr(0xD800))})"], tmp_path))
        == "\ud800"
    )


def test_cpp_reads_every_label_as_it_is(tmp_path: Path) -> None:
    compiler = needed("g++")
    # A text of C ends at its first zero.
    texts = [text for text in HOSTILE if "\x00" not in text]
    written = ",\n".join(programs._cpp(text) for text in texts)
    (tmp_path / "labels.cpp").write_text(
        f"#include <cstdio>\nconst char* all[] = {{{written}}};\nint main() {{ for (auto one : all) std::puts(one); }}",
        encoding="utf-8",
    )
    # With trigraphs, as compilers had them before 2017.
    run([compiler, "-std=c++11", "-Werror", "-Wall", "labels.cpp", "-o", "labels"], tmp_path)
    assert run([str(tmp_path / "labels")], tmp_path) == "".join(f"{text}\n" for text in texts)
    assert programs._cpp("\ud800") == '"\\357\\277\\275"'


def decoded(written: str, escapes: dict[str, str], number: Callable[[str], tuple[str, str]]) -> str:
    """Read a text as a language does whose escapes are these; whatever is not allowed fails.

    Args:
        written: with its quotes.
        escapes: what stands behind a backslash, and what it means.
        number: takes what follows `\\u` and returns the character and the rest.
    """
    assert written[0] == written[-1] == '"'
    rest, out = written[1:-1], ""
    while rest:
        letter, rest = rest[0], rest[1:]
        assert letter != '"'
        assert letter.isprintable()
        if letter == "\\":
            letter, rest = rest[0], rest[1:]
            if letter == "u":
                letter, rest = number(rest)
            else:
                letter = escapes[letter]
        out += letter
    return out.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def four(rest: str) -> tuple[str, str]:
    assert len(rest) >= 4
    return chr(int(rest[:4], 16)), rest[4:]


def braced(rest: str) -> tuple[str, str]:
    digits, closed, after = rest[1:].partition("}")
    assert rest[0] == "{"
    assert closed
    assert 1 <= len(digits) <= 8
    value = int(digits, 16)
    assert not 0xD800 <= value <= 0xDFFF
    return chr(value), after


ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}


def test_kotlin_swift_and_csharp_would_read_every_label_as_it_is() -> None:
    """By the rules of their languages: there is no compiler of theirs here."""
    for text in HOSTILE:
        assert decoded(programs._kotlin(text), {**ESCAPES, "$": "$"}, four) == text
        assert decoded(programs._csharp(text), ESCAPES, four) == text
        assert decoded(programs._swift(text), ESCAPES, braced) == text
        # A template of Kotlin starts with a dollar that no backslash stands before.
        assert "$" not in programs._kotlin(text).replace("\\\\", "").replace("\\$", "")
    assert programs._swift("\ud800") == '"\\u{FFFD}"'
    assert programs._kotlin("🍎\ud800") == '"🍎\\ud800"'


# Programs, run as they are shown


SURENESS = [None, True, False]
"""Models that cannot say whether a photo is familiar, one that finds all of them so, and one that finds none."""


@pytest.mark.parametrize("id_", ["python", "classifier"])
@pytest.mark.parametrize(("seed", "familiar"), list(enumerate(SURENESS)))
def test_the_python_programs_run_as_shown(tmp_path: Path, id_: str, seed: int, familiar: bool | None) -> None:
    expected = sideways(tmp_path / PHOTO, seed)
    shown = prepare(id_, tmp_path, familiar)
    assert_printed(run([sys.executable, shown.file], tmp_path), expected, familiar)


def test_the_node_program_runs_as_shown(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    bring(npm.packages(pytestconfig, RUNTIME_NODE, SHARP), tmp_path)
    for seed, familiar in enumerate(SURENESS):
        shown = prepare("node", tmp_path, familiar)
        expected = sideways(tmp_path / PHOTO, seed)
        assert_printed(run([npm.node(), shown.file], tmp_path), expected, familiar)


def test_the_node_program_takes_photos_without_colour(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    bring(npm.packages(pytestconfig, RUNTIME_NODE, SHARP), tmp_path)
    shown = prepare("node", tmp_path)
    for kind in ("L", "RGBA"):
        picture(1).convert(kind).save(tmp_path / PHOTO, "PNG")
        assert_printed(run([npm.node(), shown.file], tmp_path), said(tmp_path / PHOTO))


CAMERA = '''"""Stands in for the camera module of a Raspberry Pi: a photo, again and again, and then Ctrl+C."""
import numpy as np
from PIL import Image

class Picamera2:
    def create_video_configuration(self, main):
        assert main == {"size": (640, 480), "format": "BGR888"}
        return main

    def configure(self, video):
        self.frames = 0

    def start(self):
        assert self.frames == 0

    def capture_array(self):
        self.frames += 1
        if self.frames > 3:
            raise SystemExit
        return np.asarray(Image.open("photo.jpg").convert("RGB"))
'''


@pytest.mark.parametrize("familiar", SURENESS)
def test_the_program_for_the_raspberry_pi_prints_what_a_camera_sees(tmp_path: Path, familiar: bool | None) -> None:
    """Not its camera, which is not to be had here; so the program is not said to be tested."""
    expected = upright(tmp_path / PHOTO)
    shown = prepare("pi", tmp_path, familiar)
    (tmp_path / "picamera2.py").write_text(CAMERA)
    printed = run([sys.executable, shown.file], tmp_path)
    lines = printed.splitlines(keepends=True)
    assert len(lines) == 3
    for line in lines:
        assert_printed(line, expected, familiar)


@pytest.mark.parametrize("familiar", SURENESS)
def test_the_cpp_program_runs_as_shown(tmp_path: Path, headers: list[str], familiar: bool | None) -> None:
    shown = prepare("cpp", tmp_path, familiar)
    # The library is the one that comes with the Python package; the commands name where Debian has the headers.
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    (tmp_path / "libonnxruntime.so").symlink_to(library)
    (tmp_path / "libonnxruntime.so.1").symlink_to(library)
    build = next(line for line in shown.install.splitlines() if line.startswith("g++ ")).split()
    build = [part for part in build if not part.startswith("-I")] + [f"-I{folder}" for folder in headers]
    run([*build, f"-L{tmp_path}"], tmp_path)
    for seed in range(2):
        expected = upright(tmp_path / PHOTO, seed)
        assert_printed(run(["./predict"], tmp_path, LD_LIBRARY_PATH=str(tmp_path)), expected, familiar)
    (tmp_path / PHOTO).write_bytes(b"no photo")
    with pytest.raises(AssertionError, match=r"photo\.jpg cannot be read"):
        run(["./predict"], tmp_path, LD_LIBRARY_PATH=str(tmp_path))


@pytest.fixture
def headers(pytestconfig: pytest.Config) -> list[str]:
    """Folders of the headers that the C++ program needs: those installed, or else those of Debian."""
    needed("g++")
    folders = [Path("/usr/include/onnxruntime"), Path("/usr/include/stb")]
    if not all(folder.is_dir() for folder in folders):
        root = debian.packages(pytestconfig, "libonnxruntime-dev", "libstb-dev")
        folders = [root / folder.relative_to("/") for folder in folders]
    return [str(folder) for folder in folders]


def needed(program: str) -> str:
    found = shutil.which(program)
    if not found:
        pytest.skip(f"There is no {program} here.")
    return found
