"""Settings, networks and model records as JSON text in the database, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from teachable.scores import Calibration, CalibrationBin, ClassScore, EpochPoint, Evaluation, TestScore
from teachable.types import Agreement, Before, ModelRecord, ProjectNetwork, TrainSettings


def settings_text(settings: TrainSettings) -> str:
    """Return settings as JSON."""
    return json.dumps(asdict(settings))


def settings_from(text: str) -> TrainSettings:
    """Read settings; those that did not exist when they were written get their default."""
    return _settings(json.loads(text))


def network_text(network: ProjectNetwork) -> str:
    """Return what a project notes of its network as JSON."""
    return json.dumps(asdict(network))


def network_from(text: str) -> ProjectNetwork:
    """Read what a project notes of its network."""
    return ProjectNetwork(**json.loads(text))


def model_text(record: ModelRecord) -> str:
    """Return a model record as JSON."""
    return json.dumps(asdict(record))


def model_from(text: str) -> ModelRecord:
    """Read a model record."""
    found: dict[str, Any] = json.loads(text)
    agreement, before = found["agreement"], found.get("before")
    found |= {
        "class_ids": tuple(found["class_ids"]),
        "labels": tuple(found["labels"]),
        "settings": _settings(found["settings"]),
        "evaluation": evaluation_from(found["evaluation"]),
        "agreement": None if agreement is None else Agreement(**agreement),
        "before": None if before is None else Before(**before),
    }
    return ModelRecord(**found)


def evaluation_from(found: Mapping[str, Any]) -> Evaluation:
    """Rebuild an evaluation from what `dataclasses.asdict` made of it, also after a trip through JSON."""
    calibration, test = found.get("calibration"), found.get("test")
    parts: dict[str, Any] = {
        **found,
        **_counts(found),
        "unjudged": tuple(found["unjudged"]),
        "merged": tuple(found.get("merged", ())),
        "history": tuple(EpochPoint(**point) for point in found["history"]),
        "calibration": None if calibration is None else _calibration(calibration),
        "test": None if test is None else TestScore(**{**test, **_counts(test), "ranges": _ranges(test)}),
    }
    return Evaluation(**parts)


def _counts(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results of the classes and the confusion of a test."""
    return {
        "per_class": tuple(ClassScore(**score) for score in found["per_class"]),
        "confusion": tuple(tuple(row) for row in found["confusion"]),
    }


def _ranges(found: Mapping[str, Any]) -> tuple[tuple[float, float] | None, ...]:
    """Return the intervals of the classes of a test set, none of a model of before."""
    return tuple(None if one is None else (one[0], one[1]) for one in found.get("ranges", ()))


def _calibration(found: Mapping[str, Any]) -> Calibration:
    return Calibration(**{**found, "bins": tuple(CalibrationBin(**one) for one in found["bins"])})


def _settings(found: dict[str, Any]) -> TrainSettings:
    known = {field.name for field in fields(TrainSettings)}
    return TrainSettings(**{name: value for name, value in found.items() if name in known})
