"""The key of exports: another one exactly when the files would be others."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from teachable import jobs
from teachable.exporting import keys
from teachable.exporting.keys import key_of
from teachable.scores import Evaluation
from teachable.types import Agreement, ModelRecord, ProjectInfo, TrainSettings

RECORD = ModelRecord(
    id="a" * 16,
    created=1_750_000_000.0,
    class_ids=("1", "2"),
    labels=("one", "two"),
    backbone="f" * 64,
    backbone_id="slim-v1",
    settings=TrainSettings(),
    trained_on="d",
    samples=2,
    seconds=1.0,
    evaluation=Evaluation(None, None, None, 0, 0, (), (), (), ()),
)


def key(
    record: ModelRecord = RECORD,
    labels: tuple[str, ...] = ("one", "two"),
    project: str = "P",
    unknown_below: float = 0.05,
) -> str:
    info = ProjectInfo("p" * 32, project, 1.0, 2.0, (), TrainSettings(), unknown_below=unknown_below)
    return key_of(record, jobs.metadata(record, labels, info))


def test_what_says_the_same_has_the_same_key() -> None:
    assert key() == key(replace(RECORD, labels=("old", "names"), seconds=2.0))
    assert len(key()) == 32


@pytest.mark.parametrize(
    "other",
    [
        lambda: key(labels=("one", "three")),
        lambda: key(labels=("two", "one")),
        lambda: key(labels=("one,two", "")),
        lambda: key(project="Q"),
        lambda: key(replace(RECORD, id="b" * 16)),
        lambda: key(replace(RECORD, agreement=Agreement(2, 2, 0.0))),
        lambda: key(replace(RECORD, familiar=40)),
    ],
)
def test_what_says_something_else_has_another_key(other: Callable[[], str]) -> None:
    assert other() != key()


def test_how_strict_not_sure_is_matters_where_a_file_can_say_it() -> None:
    assert key(unknown_below=0.2) == key()
    able = replace(RECORD, familiar=40)
    assert key(able, unknown_below=0.2) != key(able)


def test_an_update_of_the_program_changes_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr(keys, "_program", lambda: "another program")
    assert key() != before
