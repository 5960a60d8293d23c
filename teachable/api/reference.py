"""The description of the API: what is said about it as a whole, and the words of each field.

Fields of records are documented once, under `Attributes:` in their docstrings; they are read from there.
"""

import inspect
import re
from dataclasses import is_dataclass
from typing import Any, TypeGuard

from fastapi import FastAPI

from teachable import arrivals, comparison, installer, report, scores, shelf, status, types, versions, workflow
from teachable.api import problems, records, rooms
from teachable.classroom import records as classroom
from teachable.exporting import checking
from teachable.importing import plan
from teachable.projects import storage

INTRODUCTION = """
Everything the page does can be done by a program: make a project, add photos to its classes, train, ask, download the
model. Nothing leaves this computer, and there is no account: who knows the id of a project can use it.

Requests must be sent to a name of this computer (`127.0.0.1`, `localhost`, or one listed in `TEACHABLE_ALLOWED_HOSTS`),
and not by a page of another site. Times are seconds since 1970. Every refusal has the form
`{"error": {"key", "message", "values"}}`.
""".strip()

TAGS = [
    {"name": "server", "description": "The program itself."},
    {"name": "projects", "description": "One project holds classes, photos, settings and models."},
    {"name": "shelf", "description": "All projects at a glance, the bin, duplicates, and room on the disk."},
    {"name": "classes", "description": "What the computer learns to tell apart."},
    {"name": "samples", "description": "The photos of a class."},
    {"name": "training", "description": "From photos to a model."},
    {"name": "model", "description": "The trained model: ask it, or take it away."},
    {"name": "versions", "description": "Every training is kept: compare two, go back to one."},
    {"name": "report", "description": "How good the model is, why, and what would help."},
    {"name": "exports", "description": "The model in other forms: each is run and compared before it is handed over."},
    {"name": "imports", "description": "Files that become photos or projects: shown before anything is made of them."},
    {"name": "networks", "description": "What sees under every model: the networks of this computer."},
    {"name": "classroom", "description": "Many people on one computer: joining, and what a teacher sees and decides."},
]

# Those that define or import the records of the description.
_MODULES = (
    *(types, scores, report, records, problems, status, workflow, installer, comparison, checking, rooms, classroom),
    *(versions, arrivals, plan, shelf, storage),
)
_FIELD = re.compile(r"^(\w+): (.+(?:\n[ ]+.+)*)", re.MULTILINE)


def install(app: FastAPI) -> None:
    """Make `app` describe the fields of records in its `openapi.json`."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            for name, schema in document["components"]["schemas"].items():
                _describe(schema, _records().get(name))
        return plain()

    app.openapi = described  # type: ignore[method-assign]


def _records() -> dict[str, type]:
    return {name: found for module in _MODULES for name, found in vars(module).items() if _is_record(found)}


def _is_record(found: object) -> TypeGuard[type]:
    return isinstance(found, type) and is_dataclass(found)


def _describe(schema: dict[str, Any], record: type | None) -> None:
    if record is None:
        return
    text, _, attributes = inspect.cleandoc(record.__doc__ or "").partition("\nAttributes:\n")
    schema["description"] = text.strip()
    said = {name: " ".join(words.split()) for name, words in _FIELD.findall(inspect.cleandoc(attributes))}
    for name, field in schema.get("properties", {}).items():
        if name in said:
            field["description"] = said[name][0].upper() + said[name][1:]
