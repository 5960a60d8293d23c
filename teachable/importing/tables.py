"""Lists of photos with their labels: `metadata.csv` and `metadata.jsonl`, as Hugging Face's ImageFolder has them.

The format: https://huggingface.co/docs/datasets/image_dataset, "ImageFolder". A table names files beside or below
itself in `file_name`. The label is in `label`, or one of a few other names people use. A column `group` of our own says
which photos were taken together. It reads tables; which files there really are is not known here.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from teachable.errors import InvalidInput

NAMES = ("metadata.jsonl", "metadata.csv")
OTHER_NAMES = ("metadata.parquet",)
"""Of tables that we cannot read."""

LARGEST_TABLE = 64 * 2**20
MOST_ROWS = 200_000
_LONGEST_LABEL = 1000
_LABELS = ("label", "labels", "class", "class_name", "category", "target")
_FILES = ("file_name", "filename", "image_file_name", "image")
_GROUPS = ("group", "recording")


@dataclass(frozen=True, slots=True)
class Row:
    """What a table says of one file.

    Attributes:
        label: the class, or None where it does not say.
        group: what it was taken together with, or None.
    """

    label: str | None
    group: str | None


def read_table(data: bytes, name: str) -> Mapping[str, Row]:
    """Return the rows of a table, by the name of the file as it stands there, in order; the last of a name counts.

    Raises:
        InvalidInput: it is damaged, names no files, or is longer than we take.
    """
    try:
        text = data.decode("utf-8-sig")
        lines = _json_lines(text) if name.lower().endswith(".jsonl") else _comma_lines(text)
        rows: dict[str, Row] = {}
        for number, line in enumerate(lines):
            if number >= MOST_ROWS:
                raise InvalidInput("table_long", name=name, allowed=f"{MOST_ROWS:,}")
            file = _first(line, _FILES)
            if file is None:
                raise InvalidInput("table_without_files", name=name)
            rows[file] = Row(_first(line, _LABELS), _first(line, _GROUPS))
    except (ValueError, RecursionError, csv.Error) as error:
        raise InvalidInput("table_damaged", name=name) from error
    return rows


def _json_lines(text: str) -> Iterator[Mapping[str, object]]:
    for line in io.StringIO(text):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("a line is no record")
            yield row


def _comma_lines(text: str) -> Iterator[Mapping[str, object]]:
    # Programs in countries with a decimal comma write semicolons.
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    for row in csv.DictReader(io.StringIO(text), delimiter=delimiter):
        yield {str(key): value for key, value in row.items()}


def _first(row: Mapping[str, object], columns: tuple[str, ...]) -> str | None:
    """Return the first of some columns that says something, as text; the names may be in capitals."""
    lowered = {key.strip().lower(): value for key, value in row.items()}
    for column in columns:
        value = lowered.get(column)
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            continue
        # A number of a million digits would take a while to become text.
        text = value.strip() if isinstance(value, str) else str(value) if abs(value) < 2**63 else ""
        if text:
            return text[:_LONGEST_LABEL]
    return None
