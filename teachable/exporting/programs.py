"""Complete small programs that use a model file, each in a language of its own, with the real labels in them.

It owns the list of programs and how a label is written in each language. The programs themselves are in
`assets/programs`: `@@labels@@` stands for a list of labels and `@@file@@` for the name of the model file, both written
as the language writes text.
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

    def fill(self, labels: Sequence[str], file: str) -> str:
        """Return the program with labels and file name in it."""
        text = (assets() / "programs" / f"{self.id}.txt").read_text(encoding="utf-8")
        values = {"file": self.literal(file), "path": self.literal(f"./{file}")}

        def value(found: re.Match[str]) -> str:
            if found["name"] != "labels":
                return found["before"] + values[found["name"]]
            return found["before"] + _listed([self.literal(label) for label in labels], found["before"], self.brackets)

        # All places in one go: a label that looks like a place is left alone.
        return re.sub(r"(?P<before>[^\n]*?)@@(?P<name>labels|file|path)@@", value, text)


def programs(metadata: ModelMetadata, file: str) -> tuple[Program, ...]:
    """Return the programs for a model, in the order of their tabs.

    Args:
        metadata: of the model, for its labels.
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
            code=one.fill(metadata.labels, file),
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


def _python(text: str) -> str:
    return _quoted(text, {'"': '\\"'}, _python_escape)


def _quoted(text: str, special: dict[str, str], escape: Literal) -> str:
    """Return a text between double quotes, with everything escaped that is special or cannot be seen.

    Letters of all scripts and emoji stay as they are, so that people find their labels. What steers the direction of
    writing does not: it could make a program read differently from what it does.

    Args:
        text: to be written.
        special: characters that mean something inside the quotes, and what to write for them; the backslash is one in
            all languages.
        escape: writes any character by its number.
    """
    known = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", **special}
    letters = (known.get(letter) or (letter if letter.isprintable() else escape(letter)) for letter in text)
    return f'"{"".join(letters)}"'


def _python_escape(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


_TEMPLATES = (
    _Template(
        "python", "python", "predict.py", "pip install onnxruntime pillow numpy\npython predict.py", _python, True
    ),
)
