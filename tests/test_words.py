"""Every text that is asked for exists, every text that exists is asked for, and every place in a text is filled."""

import ast
import json
import re
import string
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import npm
import numpy as np
import pytest

from teachable import words
from teachable.exporting import programs
from teachable.exporting.exporter import exporters
from teachable.metadata import ModelMetadata
from teachable.scores import ClassScore, Evaluation
from teachable.types import TrainSettings
from teachable.words import catalogue, end, listed, percent, probability, say

ROOT = Path(__file__).resolve().parent.parent
TEXTS = catalogue()


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def named(key: str) -> list[str]:
    """The texts a key may lead to: itself, or its counted forms."""
    return [key] if key in TEXTS else [found for found in (f"{key}.one", f"{key}.other") if found in TEXTS]


# The function


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    texts = {"plain": "Hello", "named": "“{name}” is here", "n.one": "{count} photo", "n.other": "{count} photos"}
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "en.json").write_text(json.dumps(texts), encoding="utf-8")
    monkeypatch.setattr(words, "assets", lambda: tmp_path)
    monkeypatch.setattr(words, "catalogue", words.catalogue.__wrapped__)


@pytest.mark.usefixtures("small")
def test_places_are_filled_and_values_are_taken_as_they_are() -> None:
    assert say("plain") == "Hello"
    assert say("named", name="{count} {0} %s <b>") == "“{count} {0} %s <b>” is here"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 photos"), (1, "1 photo"), (2, "2 photos"), (999, "999 photos"), (50_000, "50,000 photos")],
)
def test_counted_texts(count: int, text: str) -> None:
    assert say("n", count=count) == text


@pytest.mark.usefixtures("small")
def test_a_missing_text_or_value_is_a_key_error() -> None:
    for call in (lambda: say("unknown"), lambda: say("named"), lambda: say("unknown", count=1)):
        with pytest.raises(KeyError):
            call()


def test_an_unknown_locale_is_said() -> None:
    with pytest.raises(FileNotFoundError):
        say("app.title", "xx")


def test_a_value_may_be_called_like_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "catalogue", lambda locale="en": {"x": "{key} {locale}"})
    assert say("x", key=1, locale=2) == "1 2"


# The catalogue


# Lists and figures


def test_only_what_is_counted_gets_a_comma() -> None:
    share = say("cli.report.share", correct=50_000, total=51_200, percent=98, low=97, high=99)
    assert share.startswith("50,000 of 51,200")
    assert "7860" in say("error.port_taken", port=7860)


def test_names_in_a_sentence() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "“a”"
    assert listed(["a", "b"]) == "“a” and “b”"
    assert listed(["a", "b", "c"]) == "“a”, “b” and “c”"
    assert listed(["a", "b", "c", "d"]) == "“a”, “b” and 2 more"


def test_a_half_per_cent_goes_up_as_on_the_page() -> None:
    assert percent(174 / 240) == "73"  # 72.5 %
    assert percent(0.285) == "29"  # 100 * 0.285 is a little less than 28.5
    assert [percent(share) for share in (0, 0.005, 0.994, 1)] == ["0", "1", "99", "100"]
    assert percent(np.float32(0.5)) == "50"


# Shares that rounding alone would make certain, and how each is told: as a figure, and as an end of an interval.
NEARLY = [
    *((0, "0", "0"), (0.00001, "under 1", "1"), (0.00499, "under 1", "1"), (0.005, "1", "1")),
    *((0.9949, "99", "99"), (0.995, "over 99", "99"), (0.9967, "over 99", "99"), (0.9998, "over 99", "99")),
    (1, "100", "100"),
]


def test_what_is_not_certain_is_never_rounded_up_to_it() -> None:
    for share, figure, limit in NEARLY:
        assert (percent(share), end(share)) == (figure, limit), share
        # A model is never certain, not even where its numbers have no room for a doubt.
        assert probability(share) == {"0": "under 1", "100": "over 99"}.get(figure, figure)


def test_the_page_never_rounds_up_to_certainty_either() -> None:
    """The page's own module tells every share as Python does; its catalogue comes from the disk here."""
    module = (ROOT / "assets/studio/words.js").as_uri()
    shares = [share for share, _, _ in NEARLY] + [correct / 240 for correct in range(241)]
    code = (
        "import { readFile } from 'node:fs/promises';"
        "globalThis.fetch = async (url) => ({ json: async () => JSON.parse(await readFile(url, 'utf-8')) });"
        f"const {{ end, probability, ready, stated }} = await import({json.dumps(module)});"
        "await ready;"
        f"console.log(JSON.stringify({json.dumps(shares)}.map((share) =>"
        " [stated(share), end(share), probability(share)])));"
    )
    done = subprocess.run(
        [npm.node(), "--input-type=module", "-e", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert json.loads(done.stdout) == [[f"{tell(share)}%" for tell in (percent, end, probability)] for share in shares]


def test_the_page_rounds_every_share_in_the_same_way() -> None:
    shares = [correct / total for total in (7, 8, 200, 240, 1000) for correct in range(total + 1)]
    shares = [share for share in shares if share in (0, 1) or 0.005 <= share < 0.995]
    code = (
        'const format = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });'
        f"console.log(JSON.stringify({json.dumps(shares)}.map((share) => format.format(share))));"
    )
    done = subprocess.run([npm.node(), "-e", code], capture_output=True, text=True, check=True)
    assert [f"{percent(share)}%" for share in shares] == json.loads(done.stdout)


def test_the_catalogue_is_sorted_and_whole() -> None:
    raw = (ROOT / "assets/locales/en.json").read_text(encoding="utf-8")
    pairs = json.loads(raw, object_pairs_hook=list)
    keys = [key for key, _ in pairs]
    assert keys == sorted(set(keys))
    assert all(isinstance(text, str) and text.strip() and text == text.rstrip() for _, text in pairs)


def test_counted_texts_come_in_pairs_with_the_same_places() -> None:
    for key in TEXTS:
        if key.endswith((".one", ".other")):
            stem = key.rpartition(".")[0]
            assert stem not in TEXTS
            assert len(named(stem)) == 2, stem
            one, other = (places(TEXTS[found]) for found in named(stem))
            assert one | {"count"} == other | {"count"}, stem


def test_errors_say_what_to_do() -> None:
    """Two sentences, or one with two halves, at least: what happened, and what now."""
    for key, text in TEXTS.items():
        if key.startswith("error.") and key not in SHORT:
            assert re.search(r"[.:;,?] ", text), f"{key}: {text}"
            assert text.endswith((".", "}", "?")), f"{key}: {text}"


SHORT = {"error.wrong_method"}


# Use in Python


@dataclass(frozen=True)
class Use:
    where: str
    key: str
    values: frozenset[str] | None  # None where they cannot be read off the code


def raised_names() -> set[str]:
    from teachable import errors

    return {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


def literals(node: ast.expr) -> list[str]:
    """The texts an expression can be, as far as it says so."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*literals(node.body), *literals(node.orelse)]
    return []


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call in Python that names a text: where, what is put before the key, and the call."""
    errors = raised_names()
    for path in sorted((ROOT / "teachable").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if name == "say" or name in errors:
                    yield f"{path.name}:{node.lineno}", "" if name == "say" else "error.", node


def python_uses() -> Iterator[Use]:
    for where, prefix, call in calls():
        given = [keyword.arg for keyword in call.keywords]
        values = None if None in given else frozenset(one for one in given if one)
        for key in literals(call.args[0]):
            yield Use(where, prefix + key, values)


def python_shapes() -> Iterator[str]:
    """Patterns of the keys that are put together: `say(f"page.advanced.{name}.help")`."""
    for _, prefix, call in calls():
        for node in ast.walk(call.args[0]):
            if isinstance(node, ast.JoinedStr):
                parts = [re.escape(one.value) if isinstance(one, ast.Constant) else r"[\w.-]+" for one in node.values]
                yield re.escape(prefix) + "".join(parts)


def test_every_text_python_asks_for_exists_and_is_filled() -> None:
    uses = list(python_uses())
    assert len(uses) > 100
    wrong = []
    for use in uses:
        found = named(use.key)
        if not found:
            wrong.append(f"{use.where}: {use.key} is not in the catalogue")
        elif use.values is not None:
            needed = set().union(*(places(TEXTS[key]) for key in found))
            if missing := needed - use.values:
                wrong.append(f"{use.where}: {use.key} gets no {sorted(missing)}")
    assert not wrong, "\n".join(wrong)


# Use in the page


FOLDERS = {"studio": "", "classroom": "", "report": "", "api": "api.", "page": "offline.", "web": "web."}
"""Where the pages are, and what is put before the keys they use."""


def scripts() -> Iterator[tuple[str, str, str]]:
    """Name, prefix of the keys and text of every file of the pages."""
    for folder, prefix in FOLDERS.items():
        for path in sorted((ROOT / "assets" / folder).rglob("*")):
            if path.suffix in {".js", ".mjs", ".html"}:
                yield path.name, prefix, path.read_text(encoding="utf-8")


def template_keys() -> Iterator[tuple[str, str]]:
    """Name of a template and key of each text that is put into it; places called `page_…` are filled with other things.

    The other pages fill in nothing of that kind, or what Python gives them.
    """
    for folder in ("page", "web"):
        for path in sorted((ROOT / "assets" / folder).rglob("*")):
            if path.suffix in {".html", ".json", ".md", ".js", ".mjs", ".txt"}:
                for name in re.findall(r"\{\{([\w.]+)\}\}", path.read_text(encoding="utf-8")):
                    if not name.startswith("page_"):
                        yield path.name, FOLDERS[folder] + name


def test_every_text_the_pages_ask_for_exists() -> None:
    wrong, count = [], 0
    for name, prefix, script in scripts():
        for arguments in re.findall(r"\bsay\(([^()]*)", script):
            # What stands before the values: one key, or a choice between two.
            # What is compared with is no key.
            chosen = re.sub(r'[!=]==\s*"[^"]*"', "", arguments.split("{")[0])
            asked = [prefix + key for key in re.findall(r'"([a-z0-9_.]+)"', chosen)]
            count += len(asked)
            wrong += [f"{name}: {key}" for key in asked if not named(key)]
    wrong += [f"{name}: {key}" for name, key in template_keys() if not named(key)]
    assert count > 50
    assert not wrong, "\n".join(wrong)


def test_every_place_the_page_fills_is_in_the_text() -> None:
    wrong = []
    for name, prefix, script in scripts():
        for bare, values in re.findall(r'\bsay\("([\w.-]+)",\s*\{([^{}]*)\}', script):
            key = prefix + bare
            given = {part.split(":")[0].strip() for part in re.split(r",(?![^(\[]*[)\]])", values) if part.strip()}
            needed = set().union(*(places(TEXTS[found]) for found in named(key))) if named(key) else set()
            if needed - given:
                wrong.append(f"{name}: {key} gets {sorted(given)}, needs {sorted(needed)}")
    assert not wrong, "\n".join(wrong)


# Formats and programs, whose words are found by their ids


def words_of_exports() -> set[str]:
    """The texts of every format: what it is called and for, and its choices where there are several."""
    found: set[str] = set()
    for one in exporters():
        found |= {f"export.{one.id}.title", f"export.{one.id}.about"}
        if len(one.variants) > 1:
            found |= {f"export.{one.id}.{variant.id}" for variant in one.variants}
    return found


def words_of_programs() -> set[str]:
    known = programs.programs(ModelMetadata(("a", "b"), "P", 0.0, "x", "f", TrainSettings(), NOTHING), "model.onnx")
    return {f"program.{one.id}.{part}" for one in known for part in ("title", "about")}


NOTHING = Evaluation(None, None, None, 0, 0, (ClassScore(0, 0),) * 2, ((0, 0),) * 2, (0, 1), ())
DYNAMIC = re.compile(r"(export|program)\\\.")


def test_every_format_and_every_program_has_its_words() -> None:
    assert not (words_of_exports() | words_of_programs()) - TEXTS.keys()


def test_ids_of_formats_and_choices_say_one_thing_each() -> None:
    ids = [one.id for one in exporters()]
    assert len(set(ids)) == len(ids)
    assert len({one.place for one in exporters()}) == len(ids)
    files = [variant.file for one in exporters() for variant in one.variants]
    assert len(set(files)) == len(files), "a download is called differently from any other"
    for one in exporters():
        choices = [variant.id for variant in one.variants]
        assert len(set(choices)) == len(choices)
        assert not {"title", "about", "readme"} & set(choices), "those are names of texts"
        for name in (one.id, *choices):
            assert re.fullmatch(r"[a-z][a-z0-9-]*", name)


# Use at all


def test_every_text_is_used_somewhere() -> None:
    shapes = list(python_shapes())
    literal: set[str] = set()
    for path in (ROOT / "teachable").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        literal |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for _, prefix, script in scripts():
        literal |= {prefix + key for key in re.findall(r"""["'`>]([a-z0-9_.]+)["'`<]""", script)}
        # Template literals of which a part is put in, `page.camera.${trouble}`.
        for template in re.findall(r"`([\w.]*\$\{[^{}`]+\}[\w.]*)`", script):
            shapes.append(re.escape(prefix) + r"[\w.-]+".join(map(re.escape, re.split(r"\$\{[^{}]+\}", template))))
    # The page can say any error in its own language, `error.${key}`, but it is Python that raises them.
    literal |= words_of_exports() | words_of_programs() | {key for _, key in template_keys()}
    matches = [
        re.compile(shape)
        for shape in shapes
        if shape != r"error\.[\w.-]+" and not shape.startswith("[") and not DYNAMIC.match(shape)
    ]
    unused = []
    for key in TEXTS:
        stem = re.sub(r"\.(one|other)$", "", key)
        # What the offline page shares with the Studio asks for `page.camera.busy` and gets `offline.camera.busy`.
        shared = re.sub(r"^offline\.", "page.", stem)
        used = literal & {key, stem, stem.removeprefix("error."), shared}
        if not used and not any(shape.fullmatch(stem) or shape.fullmatch(shared) for shape in matches):
            unused.append(key)
    assert not unused, "\n".join(unused)
