import ast
import json
from dataclasses import replace

import pytest

from teachable import metadata
from teachable.errors import ModelFileError
from teachable.metadata import ModelMetadata, from_entries, to_entries
from teachable.scores import ClassScore, EpochPoint, Evaluation
from teachable.types import Agreement, TrainSettings

HOSTILE = (
    "cat",
    "it's",
    'say "hi"',
    "{0: 'x'}",
    "{name}",
    "a, b: c",
    "back\\slash\\n",
    "🐈‍⬛",
    "חתול",
    "<script>alert(1)</script>",
    "../../x",
    "日本語",
    "e\u0301",
    "cat",
)


def example(labels: tuple[str, ...] = HOSTILE, agreement: Agreement | None = None) -> ModelMetadata:
    classes = len(labels)
    evaluation = Evaluation(
        accuracy=0.875,
        low=0.53,
        high=0.98,
        held_out=8,
        correct=7,
        per_class=tuple(ClassScore(index % 2, 1) for index in range(classes)),
        confusion=tuple(tuple(int(row == column) for column in range(classes)) for row in range(classes)),
        unjudged=(classes - 1,),
        history=(EpochPoint(1, 0.5, 0.75),),
    )
    settings = TrainSettings(epochs=7, batch_size=3, learning_rate=0.0123456789, hidden_units=100, seed=5)
    return ModelMetadata(
        labels, "Cats & “dogs”", 1_700_000_000.123456, "net", "f" * 64, settings, evaluation, agreement, "1.2"
    )


@pytest.mark.parametrize("agreement", [None, Agreement(119, 120, 0.0012345)])
def test_everything_but_the_history_comes_back(agreement: Agreement | None) -> None:
    written = example(agreement=agreement)
    read = from_entries(to_entries(written), "model.onnx")
    assert read == replace(written, evaluation=replace(written.evaluation, history=()))


def test_model_that_could_not_be_judged_comes_back() -> None:
    unjudged = Evaluation(None, None, None, 0, 0, (ClassScore(0, 0),) * 2, ((0, 0), (0, 0)), (0, 1), ())
    written = replace(example(("a", "b")), evaluation=unjudged)
    assert from_entries(to_entries(written), "model.onnx") == written


@pytest.mark.parametrize("precision", ["half", "quarter", "something of a later version"])
def test_the_precision_comes_back_and_only_where_it_is_not_full(precision: str) -> None:
    assert "precision" not in to_entries(example())
    assert from_entries(to_entries(example()), "model.onnx").precision == metadata.FULL
    assert from_entries(to_entries(replace(example(), precision=precision)), "model.onnx").precision == precision


def test_labels_are_strict_json_and_names_are_a_python_dict() -> None:
    entries = to_entries(example())
    assert json.loads(entries["labels"]) == list(HOSTILE)
    assert ast.literal_eval(entries["names"]) == dict(enumerate(HOSTILE))


def test_entries_state_versions_and_pixels() -> None:
    entries = to_entries(example())
    assert entries["format_version"] == str(metadata.FORMAT_VERSION)
    assert entries["teachable_version"] == "1.2"
    assert entries["created"] == "2023-11-14T22:13:20.123456+00:00"
    assert entries["Image.BitmapPixelFormat"] == "Rgb8"
    assert entries["Image.NominalPixelRange"] == "NominalRange_0_255"
    assert "agreement" not in entries


def test_entry_without_our_version_is_foreign() -> None:
    with pytest.raises(ModelFileError, match="not made by Teachable") as caught:
        from_entries({"names": "{0: 'person'}", "format_version": "9"}, "yolo.onnx")
    assert caught.value.key == "model_foreign"


def test_newer_format_says_to_update() -> None:
    entries = {**to_entries(example()), "format_version": str(metadata.FORMAT_VERSION + 1), "labels": "not yet known"}
    with pytest.raises(ModelFileError, match="Update Teachable"):
        from_entries(entries, "model.onnx")


@pytest.mark.parametrize("version", ["", "0", "-1", "1.0", "one", "¹", "9" * 5000])
def test_version_that_is_no_number_is_damage(version: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        from_entries({**to_entries(example()), "format_version": version}, "model.onnx")
    assert caught.value.values["entry"] == "format_version"


@pytest.mark.parametrize(
    "labels", ["", "{", "['a', 'b']", '{"0": "a"}', "[]", '["a", 1]', '["a", null]', "[" * 100_000]
)
def test_labels_that_are_no_json_list_of_strings_are_refused(labels: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        from_entries({**to_entries(example()), "labels": labels}, "model.onnx")
    assert caught.value.values["entry"] == "labels"


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("backbone", "[]"),
        ("backbone", "net"),
        ("created", "yesterday"),
        ("created", "9999999-01-01"),
        ("settings", "[1]"),
        ("settings", '{"epochs": "many"}'),
        ("settings", '{"epochs": true}'),
        ("settings", '{"learning_rate": NaN}'),
        ("settings", '{"learning_rate": 1e999}'),
        ("evaluation", "{}"),
        ("evaluation", "null"),
        ("evaluation", json.dumps({"accuracy": 1.5})),
        ("agreement", "{}"),
        ("agreement", '{"agreeing": 1, "total": "x", "largest_difference": 0}'),
    ],
)
def test_damaged_entry_is_named(entry: str, value: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        from_entries({**to_entries(example()), entry: value}, "model.onnx")
    assert caught.value.values == {"name": "model.onnx", "entry": entry}


@pytest.mark.parametrize(
    "change", [{"accuracy": "high"}, {"accuracy": -0.1}, {"per_class": 3}, {"confusion": [[None]]}]
)
def test_damaged_evaluation_is_refused(change: dict[str, object]) -> None:
    entries = to_entries(example())
    entries["evaluation"] = json.dumps({**json.loads(entries["evaluation"]), **change})
    with pytest.raises(ModelFileError):
        from_entries(entries, "model.onnx")


@pytest.mark.parametrize("entry", ["labels", "created", "backbone", "settings", "evaluation"])
def test_missing_entry_is_named(entry: str) -> None:
    entries = to_entries(example())
    del entries[entry]
    with pytest.raises(ModelFileError) as caught:
        from_entries(entries, "model.onnx")
    assert caught.value.values["entry"] == entry


def test_threshold_of_not_sure_comes_back() -> None:
    written = replace(example(), unknown_below=0.125, familiar=321)
    found = from_entries(to_entries(written), "model.onnx")
    assert (found.unknown_below, found.familiar) == (0.125, 321)


def test_file_without_familiarity_says_nothing_of_it() -> None:
    entries = to_entries(example())
    assert "familiarity" not in entries
    found = from_entries(entries, "model.onnx")
    assert (found.unknown_below, found.familiar) == (None, 0)


@pytest.mark.parametrize(
    "value",
    [
        "0.7",
        "{}",
        '{"below": null, "held_out": 3}',
        '{"below": "x", "held_out": 3}',
        '{"below": 1.5, "held_out": 3}',
        '{"below": -0.1, "held_out": 3}',
        '{"below": 0.1}',
        '{"below": 0.1, "held_out": -1}',
        '{"below": 0.1, "held_out": true}',
        '{"below": 0.1, "held_out": 2.5}',
        '{"below": NaN, "held_out": 2}',
    ],
)
def test_damaged_threshold_is_named(value: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        from_entries({**to_entries(example()), "familiarity": value}, "model.onnx")
    assert caught.value.values["entry"] == "familiarity"


def test_what_a_later_version_adds_is_no_harm() -> None:
    written = example()
    entries = {**to_entries(written), "added_later": "0.7"}
    for entry in ("settings", "evaluation", "backbone"):
        entries[entry] = json.dumps({**json.loads(entries[entry]), "added_later": [1, 2]})
    assert from_entries(entries, "model.onnx").settings == written.settings
