"""The web bundle as an archive: what is in it, that nothing in a name becomes markup, and that it opens again."""

import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from teachable.browser_runtime import PAGE_FILES, runtime_folder
from teachable.errors import ModelFileError
from teachable.exporting import bundle
from teachable.exporting.formats.web_bundle import EXPORTER
from teachable.metadata import ModelMetadata
from teachable.resources import assets
from teachable.runtime import Classifier
from tests.graphing import scene
from tests.sourcing import HOSTILE, model_of, model_that_knows, source_of, watch
from tests.test_offline_page import Elements

HALF, FULL, QUARTER = EXPORTER.variants
PAGES = ("index.html", "example-plain.html", "example-p5.html")


@pytest.fixture(scope="module")
def hostile() -> tuple[ModelMetadata, bytes]:
    return model_of(HOSTILE, project=HOSTILE[2])


@pytest.fixture(scope="module")
def archive(hostile: tuple[ModelMetadata, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("web") / HALF.file
    EXPORTER.write(source_of(*hostile), HALF, target, watch())
    return target


def files(archive: Path) -> dict[str, bytes]:
    return bundle.read_files(archive)


def test_the_same_model_gives_the_same_bytes(
    hostile: tuple[ModelMetadata, bytes], archive: Path, tmp_path: Path
) -> None:
    EXPORTER.write(source_of(*hostile), HALF, tmp_path / "again.zip", watch())
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_everything_the_pages_need_is_in_it(archive: Path) -> None:
    found = files(archive)
    assert {"model.onnx", "app.js", "README.md", "labels.txt", "signature.json", *PAGES} <= found.keys()
    assert found["onnxruntime-web/LICENSE.txt"]
    for name in PAGE_FILES:
        assert found[f"onnxruntime-web/{name}"] == (runtime_folder() / name).read_bytes()
    for page in PAGES:
        for tag, attributes in Elements(found[page].decode()).tags:
            address = attributes.get("src") or attributes.get("href")
            # The examples name one file that is not ours to give away; the README says how to get it.
            assert address is None or address in found or (tag, address) == ("script", "p5.min.js")
    assert "p5.min.js" in found["README.md"].decode()
    assert found["labels.txt"].decode().count("\n") == len(HOSTILE)
    assert json.loads(found["signature.json"])["labels"] == list(HOSTILE)


def test_its_pages_may_load_nothing_from_elsewhere(archive: Path) -> None:
    found = files(archive)
    for page in PAGES:
        elements = Elements(found[page].decode())
        (policy,) = [a["content"] or "" for _, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self';")
        assert ("style-src 'self' 'unsafe-inline';" in policy) == (page == "example-p5.html")
        assert policy.count("unsafe-inline") == (page == "example-p5.html")
        assert [name for name, _ in elements.inside] == ["title"]
    ours = [text.decode() for name, text in found.items() if name.endswith((".js", ".css", ".html"))]
    assert not [text for text in ours if re.search(r"https?://", text)]


def test_names_are_text_and_never_markup(hostile: tuple[ModelMetadata, bytes], archive: Path, tmp_path: Path) -> None:
    EXPORTER.write(source_of(*model_of(["a"] * len(HOSTILE))), HALF, tmp_path / "tame.zip", watch())
    tame, nasty = files(tmp_path / "tame.zip"), files(archive)
    for name in PAGES:
        assert [tag for tag, _ in Elements(nasty[name].decode()).tags] == [
            tag for tag, _ in Elements(tame[name].decode()).tags
        ]
    for name in ("app.js", "index.js", "example-plain.js", "example-p5.js"):
        assert nasty[name] == tame[name]


def test_what_makes_it_unsure_is_stated_where_the_model_can_be(archive: Path, tmp_path: Path) -> None:
    known = [[scene(60, 80, seed) for seed in range(first, first + 24)] for first in (0, 100)]
    metadata, model = model_that_knows(("one", "two"), known)
    EXPORTER.write(source_of(metadata, model), HALF, tmp_path / "unsure.zip", watch())
    stated = json.loads(files(tmp_path / "unsure.zip")["signature.json"])
    assert stated["familiarity"] == {"below": 0.05, "held_out": 48}
    assert [port["name"] for port in stated["outputs"]] == ["probabilities", "familiarity"]
    assert "familiarity" not in json.loads(files(archive)["signature.json"])


def test_its_bars_have_the_colours_the_person_chose(tmp_path: Path) -> None:
    source = replace(source_of(*model_of(["a", "b"])), colors=("#123456", "#654321"))
    EXPORTER.write(source, HALF, tmp_path / "chosen.zip", watch())
    tags = Elements(files(tmp_path / "chosen.zip")["index.html"].decode()).tags
    assert [a["data-colors"] for _, a in tags if "data-colors" in a] == ["#123456 #654321"]


def test_it_answers_as_the_model_inside_it_does(hostile: tuple[ModelMetadata, bytes], archive: Path) -> None:
    photos = [scene(60, 80, 1), scene(90, 50, 2)]
    expected = Classifier.load(source_of(*hostile).at("half", watch())).probabilities(photos)
    np.testing.assert_allclose(EXPORTER.open(archive, HALF)(photos).probabilities, expected, atol=1e-5)


def test_an_archive_with_a_changed_or_missing_file_is_refused(archive: Path, tmp_path: Path) -> None:
    found = files(archive)
    for name in ("app.js", "signature.json", "model.onnx"):
        for change in (lambda data: data + b" ", None):
            if name == "signature.json" and change:
                continue
            with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
                for other, data in found.items():
                    if other != name:
                        bad.writestr(f"model-web/{other}", data)
                    elif change:
                        bad.writestr(f"model-web/{other}", change(data))
            with pytest.raises(ModelFileError, match=name.replace(".", r"\.")):
                EXPORTER.open(tmp_path / "bad.zip", HALF)
    (tmp_path / "bad.zip").write_bytes(archive.read_bytes()[:-1000])
    with pytest.raises(ModelFileError):
        EXPORTER.open(tmp_path / "bad.zip", HALF)


def test_the_module_can_be_read_in_a_minute() -> None:
    text = (assets() / "web" / "app.js").read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if line.strip() and not re.match(r"\s*(//|/\*\*|\*)", line)]
    assert len(code) <= 28
