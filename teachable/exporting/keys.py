"""The key of exported files: equal as long as they would be made the same, another one as soon as they would not."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import teachable
from teachable.metadata import ModelMetadata, to_entries
from teachable.resources import assets
from teachable.types import ModelRecord

_INSIDE = ("page", "web", "programs", "server", "studio", "locales")
"""Folders of assets whose files become parts of exports."""


def key_of(record: ModelRecord, metadata: ModelMetadata, colors: Sequence[str] = ()) -> str:
    """Return the key of the files made from a model that says this about itself, 32 hexadecimal digits."""
    says = to_entries(replace(metadata, teachable_version=teachable.__version__))
    return hashlib.sha256(json.dumps([record.id, _program(), says, list(colors)]).encode()).hexdigest()[:32]


@cache
def _program() -> str:
    """Return a digest of the program that makes the files: after an update none of the old ones is handed out."""
    code = Path(teachable.__file__).parent.rglob("*.py")
    parts = (path for name in _INSIDE for path in (assets() / name).rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in (*sorted(code), *sorted(parts)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
