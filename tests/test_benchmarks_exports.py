"""The measurements of exports: how sets are cut, what the table says, and one small run of files and formats."""

from pathlib import Path

import numpy as np
import pytest

from teachable import backbones
from teachable.errors import TeachableError
from teachable.exporting.checking import Check
from teachable.exporting.exporter import Exporter, Extra, Runner, Source, Variant, Watch
from teachable.exporting.formats import onnx_file
from teachable.exporting.onnx_runner import OnnxRunner
from tests.benchmarks import exports, scene
from tests.benchmarks.exports import File, Files, Halves


def small() -> Halves:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 6)
    photos = [scene.picture(int(label), generator, 48, 64) for label in labels]
    return exports.halves("small", ["a", "b"], photos, labels)


def invented() -> Files:
    return {
        "full": File(b"1" * 1000, 0.25, Check(40, 40, 40, 0.0, 40, 32, 32), 0.0),
        "half": File(b"1" * 500, 1.5, Check(40, 40, 40, 0.01, 40, 32, 32), 0.001),
        "quarter": File(b"1" * 250, 2.0, Check(36, 40, 36, 0.2, 40, 30, 32), 0.05),
    }


@pytest.fixture(scope="module")
def measured() -> tuple[Halves, Files]:
    given = small()
    return given, exports.files_of(given, backbones.read(backbones.builtin()))


def test_every_class_is_cut_in_its_middle_and_learned_in_turn() -> None:
    photos = [np.full((1, 1, 3), number, np.uint8) for number in range(7)]
    found = exports.halves("x", ["a", "b"], photos, np.array([0, 0, 0, 0, 1, 1, 1]))
    assert [int(photo[0, 0, 0]) for photo in found.learned] == [0, 4, 1]
    assert found.learned_labels.tolist() == [0, 1, 0]
    assert [int(photo[0, 0, 0]) for photo in found.held_out] == [2, 3, 5, 6]
    assert found.labels.tolist() == [0, 0, 1, 1]


def test_rows_state_ratios_to_the_full_file_and_whether_targets_are_met() -> None:
    rows = exports.rows_of(small(), invented())
    assert [row.name for row in rows] == ["small: full", "small: half", "small: quarter"]
    assert [row.met for row in rows] == [True, False, True]
    assert rows[2].compared == "25% of full; 30 of 40 right, -5.0 points"
    assert rows[2].how.startswith("same name for 36 of 40 photos held out; a probability is off by 0.0500 on average")
    speeds = exports.speed_rows("Native", {"full": [4, 2, 9], "half": [2, 2.5], "quarter": [1, 3]}, "fastest")
    assert [row.compared for row in speeds] == ["1.00 x full", "1.00 x full", "0.50 x full"]


def test_files_of_every_precision_are_made_and_checked(measured: tuple[Halves, Files]) -> None:
    _, files = measured
    assert list(files) == ["full", "half", "quarter"]
    sizes = [len(file.data) for file in files.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert files["full"].check.agreeing == files["full"].check.total == files["full"].check.held_out == 6


class Copy(Exporter):
    """A format that is the model file."""

    id = "copy"
    place = 1
    variants = (Variant("full", "copy.onnx"),)

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        target.write_bytes(source.at("full", watch))

    def open(self, path: Path, variant: Variant) -> Runner:
        return OnnxRunner(path.read_bytes(), variant.file)


class Unable(Copy):
    id = "unable"

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        raise TeachableError("export_no_photos")


class Missing(Copy):
    id = "missing"
    extra = Extra("rare", ("no_such_module_anywhere",))


def test_every_format_has_a_row(measured: tuple[Halves, Files], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "exporters", lambda: (onnx_file.EXPORTER, Copy(), Unable(), Missing()))
    rows = exports.format_rows(*measured)
    assert [row.name for row in rows] == ["Format: copy full", "Format: unable full", "Format: missing"]
    assert rows[0].how.startswith("agrees on 6 of 6 photos")
    assert rows[0].compared == "1.00 x the full model file"
    assert (rows[1].measured, rows[1].met) == ("refused", False)
    assert rows[2].measured == "not installed"


def test_a_folder_without_sets_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        exports.main([str(tmp_path / "nowhere")])
    assert "no folder" in capsys.readouterr().err
