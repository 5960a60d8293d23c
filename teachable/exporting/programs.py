"""Complete small programs that use a model file, each in a language of its own, with the real labels in them.

It owns the list of programs and how a label is written in each language. The programs themselves are in
`assets/programs`, one file each: `@@labels@@` stands for a list of the labels, `@@file@@` for the name of the model
file, `@@path@@` and `@@url@@` for the same as Node and bundlers want it, all written as the language writes text.
Lines that begin with `@@known@@` are for models that can say "not sure", those with `@@plain@@` for models that cannot;
`@@below@@` is the familiarity below which they do.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from teachable.metadata import ModelMetadata
from teachable.resources import assets
from teachable.words import say

# A line of a program is not made longer than this, so that it can be read without scrolling sideways.
LINE = 88

Literal = Callable[[str], str]
"""How a language writes a text, with its quotes."""


@dataclass(frozen=True)
class Program:
    """A complete program for one language or platform.

    Attributes:
        id: short name, `python` for one.
        title: of its tab.
        about: what it is for, one sentence.
        language: of the code, as highlighters call it.
        file: name to save the code under.
        install: the command lines that bring what it needs and start it.
        code: the whole program.
        tested: our tests run it exactly as it is shown.
    """

    id: str
    title: str
    about: str
    language: str
    file: str
    install: str
    code: str
    tested: bool


@dataclass(frozen=True)
class _Template:
    id: str
    language: str
    file: str
    install: str
    literal: Literal
    tested: bool
    brackets: str = "[]"

    def fill(self, labels: Sequence[str], file: str, below: float | None) -> str:
        """Return the program with labels and file name in it, and what it is not sure of, if it can tell."""
        text = (assets() / "programs" / f"{self.id}.txt").read_text(encoding="utf-8")
        left_out, kept = ("@@known@@", "@@plain@@") if below is None else ("@@plain@@", "@@known@@")
        lines = text.splitlines(keepends=True)
        text = "".join(line.removeprefix(kept) for line in lines if not line.startswith(left_out))
        values = {
            # Seven digits at most, and never an exponent, which not every language reads as a float.
            "below": f"{below or 0:.7f}".rstrip("0").ljust(3, "0"),
            "file": self.literal(file),
            "path": self.literal(f"./{file}"),
            "url": self.literal(f"./{file}?url"),
        }

        def value(found: re.Match[str]) -> str:
            if found["name"] != "labels":
                return found["before"] + values[found["name"]]
            return found["before"] + _listed([self.literal(label) for label in labels], found["before"], self.brackets)

        # All places in one go: a label that looks like a place is left alone.
        return re.sub(r"(?P<before>[^\n]*?)@@(?P<name>labels|file|path|url|below)@@", value, text)


def programs(metadata: ModelMetadata, file: str) -> tuple[Program, ...]:
    """Return the programs for a model, in the order of their tabs.

    Args:
        metadata: of the model, for its labels and whether it can say "not sure".
        file: name of the model file they read.
    """
    return tuple(
        Program(
            id=one.id,
            title=say(f"program.{one.id}.title"),
            about=say(f"program.{one.id}.about"),
            language=one.language,
            file=one.file,
            install=one.install,
            code=one.fill(metadata.labels, file, metadata.unknown_below),
            tested=one.tested,
        )
        for one in _TEMPLATES
    )


def _listed(items: Sequence[str], before: str, brackets: str) -> str:
    """Return a list on one line, or, where it is too long for that, on as few lines as hold it.

    Args:
        items: as the language writes them.
        before: what stands on the line already; further lines are indented like it, and a bit more.
        brackets: around the list.
    """
    whole = ", ".join(items)
    if len(before) + len(whole) <= LINE:
        return f"{brackets[0]}{whole}{brackets[1]}"
    margin = before[: len(before) - len(before.lstrip())]
    lines = [f"{margin}    {items[0]},"]
    for item in items[1:]:
        if len(lines[-1]) + len(item) + 2 <= LINE:
            lines[-1] += f" {item},"
        else:
            lines.append(f"{margin}    {item},")
    return "\n".join([brackets[0], *lines, margin + brackets[1]])


def _quoted(text: str, special: dict[str, str], escape: Literal) -> str:
    """Return a text between double quotes, with everything escaped that is special or cannot be seen.

    Letters of all scripts and emoji stay as they are, so that people find their labels. What steers the direction of
    writing does not: it could make a program read differently from what it does.

    Args:
        text: to be written.
        special: characters that mean something inside the quotes of this language only, and what to write for them.
        escape: writes any character by its number.
    """
    known = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", **special}
    letters = (known.get(letter) or (letter if letter.isprintable() else escape(letter)) for letter in text)
    return f'"{"".join(letters)}"'


def _by_code_point(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _by_utf16(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _in_braces(letter: str) -> str:
    # Half of a surrogate pair is no character to Swift.
    return f"\\u{{{ord(_whole(letter)):X}}}"


def _by_bytes(letter: str) -> str:
    # Octal, of three digits at most: a letter behind a hexadecimal number would be read as part of it.
    return "".join(f"\\{byte:03o}" for byte in _whole(letter).encode())


def _whole(letter: str) -> str:
    return "\ufffd" if "\ud800" <= letter <= "\udfff" else letter


def _python(text: str) -> str:
    return _quoted(text, {}, _by_code_point)


def _javascript(text: str) -> str:
    """Return a text as JavaScript writes it, also within a page, where `</script>` would end the program."""
    return _quoted(text, {"<": "\\u003c"}, _by_utf16)


def _kotlin(text: str) -> str:
    return _quoted(text, {"$": "\\$"}, _by_utf16)


def _swift(text: str) -> str:
    return _quoted(text, {}, _in_braces)


def _csharp(text: str) -> str:
    return _quoted(text, {}, _by_utf16)


def _cpp(text: str) -> str:
    """Return a text as C++ writes it; two question marks in a row begin a trigraph for older compilers."""
    return re.sub(r"(?<=\?)\?", r"\\?", _quoted(text, {}, _by_bytes))


_TEMPLATES = (
    _Template(
        id="python",
        language="python",
        file="predict.py",
        install="pip install onnxruntime pillow numpy\npython predict.py",
        literal=_python,
        tested=True,
    ),
    _Template(
        id="classifier",
        language="python",
        file="predict.py",
        install="uv run python predict.py",
        literal=_python,
        tested=True,
    ),
    _Template(
        id="javascript",
        language="javascript",
        file="main.js",
        install="npm install onnxruntime-web vite\nnpx vite",
        literal=_javascript,
        tested=True,
    ),
    _Template(
        id="page",
        language="html",
        file="index.html",
        install="npm install onnxruntime-web\npython -m http.server --bind 127.0.0.1",
        literal=_javascript,
        tested=True,
    ),
    _Template(
        id="p5",
        language="html",
        file="index.html",
        install="npm install p5 onnxruntime-web\npython -m http.server --bind 127.0.0.1",
        literal=_javascript,
        tested=True,
    ),
    _Template(
        id="node",
        language="javascript",
        file="predict.mjs",
        install="npm install --ignore-scripts onnxruntime-node sharp\nnode predict.mjs",
        literal=_javascript,
        tested=True,
    ),
    _Template(
        id="pi",
        language="python",
        file="live.py",
        install=(
            "sudo apt install python3-picamera2\n"
            "python3 -m venv --system-site-packages env\n"
            "env/bin/pip install onnxruntime\n"
            "env/bin/python live.py"
        ),
        literal=_python,
        tested=False,
    ),
    _Template(
        id="android",
        language="kotlin",
        file="MainActivity.kt",
        install=(
            'implementation("com.microsoft.onnxruntime:onnxruntime-android:1.20.0")\n'
            'implementation("androidx.activity:activity-ktx:1.9.3")'
        ),
        literal=_kotlin,
        tested=False,
        brackets="()",
    ),
    _Template(
        id="ios",
        language="swift",
        file="ClassifierApp.swift",
        install="Xcode: File > Add Package Dependencies > microsoft/onnxruntime-swift-package-manager (GitHub)",
        literal=_swift,
        tested=False,
    ),
    _Template(
        id="csharp",
        language="csharp",
        file="Program.cs",
        install=(
            "dotnet new console\n"
            "dotnet add package Microsoft.ML.OnnxRuntime\n"
            'dotnet add package SixLabors.ImageSharp --version "3.*"\n'
            "dotnet run"
        ),
        literal=_csharp,
        tested=False,
        brackets="{}",
    ),
    _Template(
        id="cpp",
        language="cpp",
        file="predict.cpp",
        install=(
            "sudo apt install libonnxruntime-dev libstb-dev\n"
            "g++ -std=c++17 -I/usr/include/onnxruntime -I/usr/include/stb predict.cpp -lonnxruntime -o predict\n"
            "./predict"
        ),
        literal=_cpp,
        tested=True,
        brackets="{}",
    ),
)
