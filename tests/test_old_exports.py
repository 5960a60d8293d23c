"""Model files of every format version there ever was load, run, and say what they said when they were written."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from old_exports import make

from teachable.exporting.formats.onnx_file import EXPORTER
from teachable.metadata import FORMAT_VERSION
from teachable.runtime import Classifier

FOLDERS = sorted(path for path in make.HERE.iterdir() if path.name.isdecimal())


@pytest.fixture(params=FOLDERS, ids=lambda path: f"format {path.name}")
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture(params=["full", "half", "quarter"])
def precision(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def expected(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return found


def test_a_file_of_every_format_version_is_kept() -> None:
    assert [int(path.name) for path in FOLDERS] == list(range(1, FORMAT_VERSION + 1))


def test_a_kept_file_is_the_one_that_was_written(folder: Path, precision: str, expected: dict[str, Any]) -> None:
    data = (folder / f"{precision}.onnx").read_bytes()
    assert hashlib.sha256(data).hexdigest() == expected["files"][precision]["sha256"]
    assert len(data) < 30_000


def test_an_old_file_says_what_it_said(folder: Path, precision: str, expected: dict[str, Any]) -> None:
    classifier = Classifier.load(folder / f"{precision}.onnx")
    assert list(classifier.labels) == expected["labels"]
    assert classifier.metadata.precision == precision
    wanted = np.array(expected["files"][precision]["probabilities"])
    # Whole numbers are rounded elsewhere on other processors.
    atol = 0.02 if precision == "quarter" else 1e-4
    np.testing.assert_allclose(classifier.probabilities(make.photos()), wanted, atol=atol)
    assert len(set(wanted.argmax(axis=1).tolist())) > 1


def test_an_old_file_can_be_asked_for_embeddings(folder: Path, precision: str) -> None:
    variant = EXPORTER.variant(precision)
    assert variant is not None
    answers = EXPORTER.open(folder / f"{precision}.onnx", variant)(make.photos())
    assert answers.embeddings is not None
    assert len(answers.embeddings) == len(make.photos())
