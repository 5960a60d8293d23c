"""Web pages to take away: the templates in `assets`, put together so that nothing in a model's names can become markup.

It owns filling templates, joining JavaScript modules into one script, packing bytes as text, and the policies that say
what a page may do. It is no format itself; `offline_page` and `web_bundle` are.
"""

import base64
import gzip
import hashlib
import html
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from teachable.errors import ModelFileError
from teachable.exporting.bundle import untested
from teachable.exporting.exporter import Precision, Source
from teachable.metadata import ModelMetadata
from teachable.projects.classes import COLORS
from teachable.resources import assets
from teachable.words import catalogue, end, listed, percent, say

LOCALE = "en"

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)
_PLACE = re.compile(r"\{\{([\w.]+)\}\}")

_LETTERS = bytes(code for code in range(33, 127) if chr(code) not in "\"&'-/<>\\`")
"""Printable ASCII without what could mean something to a reader of HTML or JSON: 85 letters."""


def script(entry: Path, *folders: Path) -> str:
    """Return a JavaScript module and all it imports as one script without imports.

    Each module becomes a function that returns what it exports, called once, in the order of their need.

    Args:
        entry: the module that starts everything.
        folders: where an imported module is looked for by its name; the first that has it counts.
    """
    done: dict[str, str] = {}

    def add(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        for _, target in _IMPORT.findall(text):
            name = target.rpartition("/")[2]
            if name not in done:
                done[name] = ""  # a circle is entered once
                add(next(folder / name for folder in folders if (folder / name).is_file()))
        exports = ", ".join(_EXPORT.findall(text))
        body = _EXPORT.sub("", _IMPORT.sub(lambda found: f"const {found[1]} = {_holder(found[2])};\n", text))
        done.pop(path.name, None)
        done[path.name] = f"const {_holder(path.name)} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"

    add(entry)
    return "\n" + "".join(done.values())


def _holder(target: str) -> str:
    return "$" + re.sub(r"\W", "_", target.rpartition("/")[2].removesuffix(".js"))


def fill(template: str, parts: Mapping[str, str], prefix: str) -> str:
    """Put text into the `{{places}}` of a template.

    Args:
        template: HTML or Markdown.
        parts: goes in as it is, where a place has its name.
        prefix: any other place is the name of a text of the catalogue below this one; markup in it is shown as text.
    """

    def found(place: re.Match[str]) -> str:
        name = place[1]
        return parts[name] if name in parts else html.escape(say(f"{prefix}.{name}"))

    return _PLACE.sub(found, template)


def texts(prefix: str) -> dict[str, str]:
    """Return the texts of the catalogue below `prefix`, which their names here are without."""
    start = f"{prefix}."
    return {key.removeprefix(start): text for key, text in catalogue(LOCALE).items() if key.startswith(start)}


def json_text(value: object) -> str:
    """Return JSON in ASCII that can stand inside a script element: no end tag, comment or entity is found in it."""
    plain = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def source_hash(text: str) -> str:
    """Return what a content security policy calls a script or style by."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def pack(data: bytes) -> str:
    """Return bytes, compressed, as text that can stand in HTML.

    The letters of base 64 take a third more than the bytes, these a quarter: half a megabyte less for a page.
    """
    return letters(gzip.compress(data, 6, mtime=0))


def letters(data: bytes) -> str:
    """Return bytes as text, five letters for four bytes, the most significant first, as in base 85 of RFC 1924."""
    missing = -len(data) % 4
    words = np.frombuffer(data + bytes(missing), ">u4").astype(np.uint32)
    digits = np.empty((len(words), 5), np.uint8)
    for place in range(4, -1, -1):
        words, digits[:, place] = np.divmod(words, 85)
    text = np.frombuffer(_LETTERS, np.uint8)[digits].tobytes()
    return text[: len(text) - missing].decode("ascii")


def unpack(text: str, name: str) -> bytes:
    """Return what `pack` was given.

    Args:
        text: what it gave.
        name: what to call the file in an error.

    Raises:
        ModelFileError: it is damaged.
    """
    values = np.full(256, 255, np.uint8)
    values[np.frombuffer(_LETTERS, np.uint8)] = np.arange(85, dtype=np.uint8)
    missing = -len(text) % 5
    digits = values[np.frombuffer(text.encode("latin-1", "replace") + _LETTERS[-1:] * missing, np.uint8)].reshape(-1, 5)
    # In place, because a large network has a hundred million digits. What no page of ours holds overflows, and is no
    # gzip then.
    words = np.zeros(len(digits), np.uint32)
    for place in range(5):
        words *= 85
        words += digits[:, place]
    data = words.astype(">u4").tobytes()
    try:
        return gzip.decompress(data[: len(data) - missing])
    except (OSError, EOFError, zlib.error) as error:
        raise ModelFileError("export_page_damaged", name=name) from error


def colors(source: Source) -> Iterator[str]:
    """Yield the colour of each label: the person's own, or else in the order in which the Studio gives them."""
    for index, _ in enumerate(source.metadata.labels):
        yield source.colors[index] if source.colors else COLORS[index % len(COLORS)]


def goodness(metadata: ModelMetadata, kept: Precision) -> str:
    """Return what is honestly known about how good the model is, in words.

    Args:
        metadata: of the model.
        kept: how its numbers are kept in the file.
    """
    score = metadata.evaluation
    strange = say("offline.good_always" if metadata.unknown_below is None else "offline.good_unsure")
    if score.accuracy is None or score.low is None or score.high is None:
        return f"{say('offline.good_unjudged')} {strange}"
    figures = {"share": percent(score.accuracy), "low": end(score.low), "high": end(score.high)}
    figures |= {"correct": str(score.correct), "count": str(score.held_out)}
    judged = say("offline.good_judged", **figures)
    if names := untested(metadata):
        total = len(metadata.labels)
        left_out = say("offline.good_untested", names=listed(names), count=len(names))
        judged = say("offline.good_judged_some", judged=total - len(names), total=total, untested=left_out, **figures)
    rounded = f" {say('offline.good_quarter')}" if kept == "quarter" else ""
    return f"{judged}{rounded} {strange}"


def gone() -> tuple[str, str]:
    """Return the page for whoever follows a link to a page that is not there any more, and its policy."""
    style = (assets() / "page" / "gone.css").read_text(encoding="utf-8")
    template = (assets() / "page" / "gone.html").read_text(encoding="utf-8")
    page = fill(template, {"page_lang": LOCALE, "page_style": style}, "offline")
    rules = ("default-src 'none'", f"style-src {source_hash(style)}", "base-uri 'none'", "form-action 'none'")
    return page, "; ".join((*rules, "frame-ancestors 'self'"))
