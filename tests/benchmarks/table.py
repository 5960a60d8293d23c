"""Rows of figures and how they are printed. It owns no measurement."""

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("measurement", "target", "measured", "compared with", "how")


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: what was measured.
        target: what the design asks for, or empty where it asks for nothing.
        measured: the figure with its unit.
        compared: a peer measured in the same run and the ratio to it, so that a busy computer does not mislead.
        how: in a few words.
        met: whether the target was reached; None where there is none.
    """

    name: str
    target: str
    measured: str
    compared: str = ""
    how: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the columns."""
        mark = {True: " ✓", False: " ✗", None: ""}[self.met]
        return (self.name, self.target, self.measured + mark, self.compared, self.how)


def render(rows: Sequence[Row], width: int | None = None) -> str:
    """Return rows as a text table whose last column wraps.

    Args:
        rows: in their order.
        width: characters of a line; those of the terminal if not given.
    """
    width = width or shutil.get_terminal_size((170, 24)).columns
    table = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(COLUMNS) - 1)]
    left = sum(widths) + 2 * len(widths)
    last = max(24, width - left)
    lines = []
    for number, line in enumerate(table):
        wrapped = textwrap.wrap(line[-1], last) or [""]
        start = "  ".join(cell.ljust(size) for cell, size in zip(line, widths, strict=False))
        lines.append(f"{start}  {wrapped[0]}".rstrip())
        lines += [" " * left + more for more in wrapped[1:]]
        if number == 0:
            lines.append("  ".join("─" * size for size in [*widths, last]))
    return "\n".join(lines)
