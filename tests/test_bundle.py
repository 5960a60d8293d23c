"""Archives: the same bytes for the same model, and what a stranger needs to know inside."""

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from teachable.exporting import bundle
from teachable.metadata import ModelMetadata
from teachable.scores import ClassScore, Evaluation
from teachable.types import TrainSettings

NASTY = ('say "hi"', "two\nlines", "🍎 </script>", "a,b;c", "`x` *y* [z](w)", "${1+1} {{x}} %s \\")
PORTS = {"inputs": [{"name": "image"}], "outputs": [{"name": "probabilities"}]}


@pytest.fixture
def metadata() -> ModelMetadata:
    scores = (ClassScore(1, 2),) * len(NASTY)
    return ModelMetadata(
        labels=NASTY,
        project="My # project",
        created=1_750_000_000.0,
        backbone_id="slim-v1",
        backbone_fingerprint="f" * 64,
        settings=TrainSettings(),
        evaluation=Evaluation(0.5, 0.25, 0.75, 12, 6, scores, ((0,) * len(NASTY),) * len(NASTY), (), ()),
    )


def test_the_same_model_gives_the_same_bytes(tmp_path: Path, metadata: ModelMetadata) -> None:
    for name in ("one.zip", "two.zip"):
        bundle.write_archive(tmp_path / name, metadata, {"b.bin": b"b", "a.txt": b"a"}, PORTS, "folder")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    bundle.write_archive(tmp_path / "later.zip", replace(metadata, created=0.0), {"a.txt": b"a"}, PORTS, "folder")
    assert zipfile.ZipFile(tmp_path / "later.zip").infolist()[0].date_time[0] == 1980


def test_the_bytes_are_those_of_every_system(
    tmp_path: Path, metadata: ModelMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.write_archive(tmp_path / "here.zip", metadata, {"a.txt": b"a"}, PORTS, "folder")
    for system in ("linux", "win32"):
        monkeypatch.setattr(zipfile.sys, "platform", system)  # type: ignore[attr-defined]
        bundle.write_archive(tmp_path / "there.zip", metadata, {"a.txt": b"a"}, PORTS, "folder")
        assert (tmp_path / "there.zip").read_bytes() == (tmp_path / "here.zip").read_bytes()


def test_figures_of_the_full_model_are_not_passed_off_as_those_of_a_smaller_one(metadata: ModelMetadata) -> None:
    smaller = "for the exact size"
    assert smaller in bundle.readme(metadata, "x", "quarter").decode()
    assert smaller not in bundle.readme(metadata, "x").decode()
    unknown = replace(metadata, evaluation=replace(metadata.evaluation, accuracy=None, low=None, high=None))
    assert smaller not in bundle.readme(unknown, "x", "quarter").decode()


def test_the_readme_says_what_the_model_makes_of_things_it_has_never_seen(metadata: ModelMetadata) -> None:
    never, sure = "always picks one of the classes", "it is not sure"
    text = bundle.readme(metadata, "x").decode()
    assert never in text
    assert sure not in text
    knowing = replace(metadata, unknown_below=0.07, familiar=90)
    text = bundle.readme(knowing, "x").decode()
    assert never not in text
    assert "Below 0.07 the answer is “not sure”" in text
    assert " 7 % of the photos" in text
    text = bundle.readme(knowing, "x", unsure=False).decode()
    assert never in text
    assert "files for phones cannot" in text
    assert "familiarity" not in text


def test_ports_name_familiarity_only_where_the_model_has_it(metadata: ModelMetadata) -> None:
    def names(ports: dict[str, Any]) -> list[str]:
        return [port["name"] for port in ports["outputs"]]

    plain = bundle.photo_ports(metadata)
    assert names(plain) == ["probabilities", "logits", "heatmap"]
    assert "familiarity" not in plain
    knowing = bundle.photo_ports(replace(metadata, unknown_below=0.07, familiar=90))
    assert names(knowing) == ["probabilities", "logits", "heatmap", "familiarity"]
    assert knowing["familiarity"] == {"below": 0.07, "held_out": 90}


def test_the_signature_names_labels_ports_and_digests(tmp_path: Path, metadata: ModelMetadata) -> None:
    bundle.write_archive(tmp_path / "one.zip", metadata, {"a/b.bin": b"weights"}, PORTS, "folder")
    described = json.loads(bundle.read_archive(tmp_path / "one.zip", "signature.json"))
    assert described["labels"] == list(NASTY)
    assert described["inputs"] == PORTS["inputs"]
    assert described["files"]["a/b.bin"] == hashlib.sha256(b"weights").hexdigest()
    assert described["files"].keys() == {"a/b.bin", "labels.txt"}


def test_labels_stand_one_to_a_line_with_their_number(metadata: ModelMetadata) -> None:
    lines = bundle.labels_text(metadata.labels).decode().splitlines()
    assert lines[:2] == ['0 say "hi"', "1 two lines"]
    assert len(lines) == len(NASTY)


def test_the_readme_says_how_good_it_is_and_nothing_in_a_name_is_markup(metadata: ModelMetadata) -> None:
    text = bundle.readme(metadata, "How to use it.").decode()
    assert text.startswith("# My \\# project\n")
    assert "they named 6 of 12 right, which is 50 %." in text
    assert "2. 🍎 \\</script\\>" in text
    assert "\\`x\\` \\*y\\* \\[z\\]\\(w\\)" in text
    unknown = replace(metadata.evaluation, accuracy=None, low=None, high=None)
    assert "not known" in bundle.readme(replace(metadata, evaluation=unknown), "x").decode()


def test_the_readme_says_which_classes_the_figure_leaves_out(metadata: ModelMetadata) -> None:
    assert " classes. The true figure" not in bundle.readme(metadata, "x").decode()
    some = replace(metadata.evaluation, accuracy=0.998, high=0.9998, unjudged=(2, 99))
    text = bundle.readme(replace(metadata, evaluation=some), "x").decode()
    assert f"for {len(NASTY) - 1} of {len(NASTY)} classes. The true figure for these" in text
    assert "“🍎 \\</script\\>” could not be tested, because there was only one recording of it to learn from." in text
    assert "right, which is over 99 %," in text
    assert "25 % and 99 %" in text
