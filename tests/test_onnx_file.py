"""The model file and its smaller forms as downloads: what is written, what they answer, and what each is held to."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import shrinking
from shrinking import coloured

from teachable.embeddings import Embedder
from teachable.errors import ModelFileError
from teachable.exporting import checking, precision
from teachable.exporting.checking import Test
from teachable.exporting.exporter import Precision, Source, Variant, Watch, exporters
from teachable.exporting.formats.onnx_file import EXPORTER
from teachable.runtime import Classifier
from teachable.words import say

LABELS = np.arange(40) % 4
BACKBONE = shrinking.network()


def watch(told: list[float] | None = None) -> Watch:
    return Watch((told if told is not None else []).append, threading.Event())


def embedded(seed: int) -> np.ndarray:
    embedder = Embedder(BACKBONE)
    try:
        return embedder.embed(coloured(40, seed=seed))
    finally:
        embedder.close()


@pytest.fixture(scope="module")
def model() -> bytes:
    return shrinking.model(BACKBONE, shrinking.nearest(embedded(0), LABELS, 0.2))


@pytest.fixture(scope="module")
def source(model: bytes) -> Source:
    def at(kind: Precision, watch: Watch) -> bytes:
        if kind == "full":
            return model
        return precision.half(model) if kind == "half" else precision.quarter(model, coloured(40, seed=1), watch)

    return Source(Classifier.load(model).metadata, at, lambda: iter(coloured(40, seed=1)))


@pytest.fixture(params=EXPORTER.variants, ids=lambda variant: variant.id)
def variant(request: pytest.FixtureRequest) -> Variant:
    found: Variant = request.param
    return found


def test_it_is_the_first_format_and_has_words() -> None:
    assert exporters()[0] is EXPORTER
    assert [variant.id for variant in EXPORTER.variants] == ["full", "half", "quarter"]
    assert [variant.quick for variant in EXPORTER.variants] == [True, True, False]
    assert say("export.onnx.title")
    assert say("export.onnx.about")
    assert [say(f"export.onnx.{variant.id}") for variant in EXPORTER.variants]


def test_what_is_written_is_the_model_at_that_precision(source: Source, variant: Variant, tmp_path: Path) -> None:
    told: list[float] = []
    target = tmp_path / variant.file
    EXPORTER.write(source, variant, target, watch(told))
    assert Classifier.load(target).metadata.precision == variant.id
    assert told[-1] == 1
    written = target.read_bytes()
    EXPORTER.write(source, variant, target, watch())
    assert target.read_bytes() == written


def test_an_opened_file_answers_with_probabilities_and_embeddings(
    source: Source, variant: Variant, tmp_path: Path
) -> None:
    target = tmp_path / variant.file
    EXPORTER.write(source, variant, target, watch())
    written = target.read_bytes()
    runner = EXPORTER.open(target, variant)
    photos = coloured(7, seed=3)
    answers = runner(photos)
    np.testing.assert_allclose(answers.probabilities, Classifier.load(target).probabilities(photos), atol=1e-5)
    assert answers.embeddings is not None
    assert answers.embeddings.shape == (7, 64)
    proto = onnx.load_from_string(written)
    assert [port.name for port in proto.graph.output] == ["probabilities", "logits", "heatmap"]
    assert target.read_bytes() == written
    alone = [runner([photo]).probabilities[0] for photo in photos]
    np.testing.assert_allclose(answers.probabilities, alone, atol=1e-5)


def test_the_embeddings_are_those_of_the_backbone(source: Source, tmp_path: Path) -> None:
    full = EXPORTER.variants[0]
    EXPORTER.write(source, full, tmp_path / full.file, watch())
    found = EXPORTER.open(tmp_path / full.file, full)(coloured(40, seed=5)).embeddings
    np.testing.assert_allclose(found, embedded(5), atol=1e-5)


def test_every_variant_passes_its_check(source: Source, model: bytes, variant: Variant, tmp_path: Path) -> None:
    target = tmp_path / variant.file
    EXPORTER.write(source, variant, target, watch())
    photos = coloured(40, seed=8)
    # A head that saw other photos, as the test of a training has it.
    test = Test(shrinking.nearest(embedded(9), LABELS), LABELS, embedded(8))
    expected = Classifier.load(model).probabilities(photos)
    found = checking.check(EXPORTER.open(target, variant), photos, expected, variant, test, watch())
    checking.require(found, variant)
    assert (found.held_out, found.correct_full) == (40, 40)
    assert not checking.loses(found)
    if variant.id == "full":
        assert (found.agreeing, found.same_class) == (40, 40)
        assert found.largest_difference < 1e-5


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\xff" * 99])
def test_a_damaged_file_is_refused_in_words(
    source: Source, variant: Variant, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    target = tmp_path / variant.file
    EXPORTER.write(source, variant, target, watch())
    target.write_bytes(damage(target.read_bytes()))
    with pytest.raises(ModelFileError, match=variant.file.replace(".", r"\.")):
        EXPORTER.open(target, variant)


def test_a_network_alone_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(BACKBONE)
    with pytest.raises(ModelFileError):
        EXPORTER.open(tmp_path / "model.onnx", EXPORTER.variants[0])


def test_a_file_that_fails_on_a_photo_is_said_so(source: Source, tmp_path: Path) -> None:
    full = EXPORTER.variants[0]
    EXPORTER.write(source, full, tmp_path / full.file, watch())
    # This network only takes photos of 4 x 4.
    with pytest.raises(ModelFileError, match=r"model\.onnx"):
        EXPORTER.open(tmp_path / full.file, full)(coloured(1, side=9))
