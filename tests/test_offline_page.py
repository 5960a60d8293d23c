"""The offline page as a file: what is in it, that nothing in a name becomes markup, and that it opens again."""

import base64
import json
import re
import threading
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from teachable.errors import Cancelled, ModelFileError
from teachable.exporting.exporter import Watch
from teachable.exporting.formats import _pages
from teachable.exporting.formats.offline_page import EXPORTER
from teachable.metadata import ModelMetadata
from teachable.projects.classes import COLORS
from teachable.runtime import Classifier
from teachable.words import catalogue
from tests.graphing import scene
from tests.sourcing import HOSTILE, model_of, source_of, watch

HALF, FULL, QUARTER = EXPORTER.variants


class Elements(HTMLParser):
    """The elements of a page in their order, and what the title, the scripts and the style hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        self._holding: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in {"script", "style", "title"} and "src" not in dict(attrs):
            self._holding = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        self._holding = None

    def handle_data(self, data: str) -> None:
        if self._holding:
            self.inside.append((self._holding, data))


@pytest.fixture(scope="module")
def hostile() -> tuple[ModelMetadata, bytes]:
    return model_of(HOSTILE, project=HOSTILE[2])


@pytest.fixture(scope="module")
def page(hostile: tuple[ModelMetadata, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / HALF.file
    EXPORTER.write(source_of(*hostile), HALF, target, watch())
    return target


def test_the_same_model_gives_the_same_bytes(hostile: tuple[ModelMetadata, bytes], page: Path, tmp_path: Path) -> None:
    EXPORTER.write(source_of(*hostile), HALF, tmp_path / "again.html", watch())
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_with_the_half_size_model_it_is_smaller_than_eight_megabytes(page: Path) -> None:
    assert page.stat().st_size < 8_000_000


def test_it_answers_as_the_model_inside_it_does(hostile: tuple[ModelMetadata, bytes], page: Path) -> None:
    photos = [scene(60, 80, 1), scene(90, 50, 2)]
    expected = Classifier.load(source_of(*hostile).at("half", watch())).probabilities(photos)
    answers = EXPORTER.open(page, HALF)(photos)
    assert answers.embeddings is not None
    assert answers.embeddings.shape[0] == 2
    np.testing.assert_allclose(answers.probabilities, expected, atol=1e-5)


def test_names_are_text_and_never_markup(hostile: tuple[ModelMetadata, bytes], page: Path, tmp_path: Path) -> None:
    EXPORTER.write(source_of(*model_of(["a"] * len(HOSTILE))), HALF, tmp_path / "tame.html", watch())
    tame = Elements((tmp_path / "tame.html").read_text(encoding="utf-8"))
    nasty = Elements(page.read_text(encoding="utf-8"))
    assert [tag for tag, _ in nasty.tags] == [tag for tag, _ in tame.tags]
    stated = json.loads(dict(nasty.inside)["about"])
    assert stated["labels"] == list(HOSTILE)
    assert stated["project"] == dict(nasty.inside)["title"] == HOSTILE[2]
    assert len(stated["colors"]) == len(HOSTILE)
    assert stated["view"] == 1


def test_the_bars_have_the_colours_the_person_chose(tmp_path: Path) -> None:
    source = source_of(*model_of(["a", "b"]))
    stated = []
    for name, one in (("chosen", replace(source, colors=("#123456", "#654321"))), ("given", source)):
        EXPORTER.write(one, HALF, tmp_path / name, watch())
        page = Elements((tmp_path / name).read_text(encoding="utf-8"))
        stated.append(json.loads(dict(page.inside)["about"])["colors"])
    assert stated == [["#123456", "#654321"], list(COLORS[:2])]


def test_it_may_run_its_own_scripts_only_and_names_nothing_outside(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = Elements(text)
    (policy,) = [a["content"] or "" for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy"]
    rules = {name: rest.split() for name, _, rest in (rule.partition(" ") for rule in policy.split("; "))}
    hashes = {
        f"'sha256-{base64.b64encode(sha256(data.encode()).digest()).decode()}'"
        for name, data in found.inside
        if name in {"script", "style"}
    }
    assert len(hashes) == 3
    assert hashes | {"'wasm-unsafe-eval'", "blob:"} == {*rules["script-src"], *rules["style-src"]}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert "connect-src" not in rules
    assert "'unsafe" not in policy
    addresses = [a[key] or "" for _, a in found.tags for key in ("src", "href") if key in a]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    before = text.index("Content-Security-Policy")
    assert text.index("<script") > before
    assert text.index("<style") > before


def test_the_worker_needs_no_import(page: Path) -> None:
    """In the worker of a page that was opened as a file, Safari imports nothing, not even from the page itself."""
    inside = dict(Elements(page.read_text(encoding="utf-8")).inside)
    runtime = _pages.unpack(inside["runtime"], page.name).decode()
    assert "globalThis.ort = {InferenceSession: " in runtime
    assert not re.search(r"\bexport\s*\{|\bimport\.meta", runtime)
    assert "await import(" not in json.loads(inside["about"])["worker"]


def test_it_is_written_in_the_language_of_its_words(page: Path) -> None:
    found = Elements(page.read_text(encoding="utf-8"))
    assert ("html", {"lang": "en"}) in found.tags
    assert json.loads(dict(found.inside)["about"])["texts"]["winner"] == catalogue()["offline.winner"]


def test_a_damaged_page_is_refused(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    start = text.index('id="model">') + len('id="model">')
    for damaged in (text[:start], text[:start] + "</script>", text[: start + 999] + "#" + text[start + 1000 :]):
        (tmp_path / "bad.html").write_text(damaged, encoding="utf-8")
        with pytest.raises(ModelFileError, match=r"bad\.html"):
            EXPORTER.open(tmp_path / "bad.html", HALF)


def test_who_gives_up_leaves_no_file(hostile: tuple[ModelMetadata, bytes], tmp_path: Path) -> None:
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(Cancelled):
        EXPORTER.write(source_of(*hostile), FULL, tmp_path / "x.html", Watch(lambda part: None, given_up))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [*range(12), 4096, 65537])
def test_bytes_as_letters_come_back(length: int) -> None:
    data = np.random.default_rng(length).integers(0, 256, length, np.uint8).tobytes()
    assert _pages.unpack(_pages.pack(data), "x") == data
    assert not set(_pages.letters(data * 40)) & set("\"&'-/<>\\` \n")


def test_what_is_known_about_accuracy_is_said(hostile: tuple[ModelMetadata, bytes]) -> None:
    metadata = hostile[0]
    assert "not known" in _pages.goodness(metadata, "half")
    score = replace(metadata.evaluation, accuracy=0.9, low=0.8, high=0.95, held_out=50, correct=45, unjudged=())
    known = replace(metadata, evaluation=score)
    assert "90\u202f% of their photos were named correctly (45 of 50)" in _pages.goodness(known, "half")
    half_way = replace(metadata, evaluation=replace(score, accuracy=0.725))
    assert "73\u202f% of their photos" in _pages.goodness(half_way, "half")
    part = _pages.goodness(replace(known, evaluation=replace(score, unjudged=(0,))), "half")
    assert f"for {len(known.labels) - 1} of {len(known.labels)} classes. The true figure for these" in part
    assert f"“{known.labels[0]}” could not be tested, because there was only one recording of it" in part
    assert "could not be tested" not in _pages.goodness(known, "half")
    assert "quarter" not in _pages.goodness(known, "half")
    assert "quarter of the size" in _pages.goodness(known, "quarter")
    assert "always picks" in _pages.goodness(known, "half")
    assert "always picks" not in _pages.goodness(replace(known, unknown_below=0.05), "half")


# The script


def test_modules_become_one_script(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "own/main.js").write_text(
        'import { twice } from "../shared/maths.js";\nimport { say } from "./words.js";\n'
    )
    (tmp_path / "shared/maths.js").write_text('import { say } from "./words.js";\nexport function twice(x) {}\n')
    (tmp_path / "shared/words.js").write_text("export const say = 1;\n")
    (tmp_path / "own/words.js").write_text("export const say = 2;\nexport class Word {}\n")
    made = _pages.script(tmp_path / "own/main.js", tmp_path / "own", tmp_path / "shared")
    assert made.count("say = 2") == 1
    assert "say = 1" not in made
    assert made.index("say = 2") < made.index("function twice") < made.index("const { twice } = $maths;")
    assert "return { say, Word };" in made
    assert not re.search(r"^\s*(import|export) ", made, re.MULTILINE)
