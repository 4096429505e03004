"""Tables as text: drawn on a terminal, plainly aligned in a pipe."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from nnkit.signs import one_line

MOST_ROWS = 100
"""Rows of a table on a terminal."""


@dataclass(frozen=True)
class Table:
    """A table of text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int | None = None
    """The first column of those that are aligned to the right; None where there are none."""

    def __post_init__(self) -> None:
        """Keep names and labels in their cells, whatever signs they have."""
        object.__setattr__(self, "columns", [one_line(cell) for cell in self.columns])
        object.__setattr__(self, "rows", [[one_line(cell) for cell in row] for row in self.rows])

    def right(self, column: int) -> bool:
        """Return whether a column is aligned to the right."""
        return self.numbers is not None and column >= self.numbers


def number(value: float | int | None) -> str:
    """Write a number for people: whole ones with their thousands apart, others to four digits."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def shortened(table: Table, most: int) -> Table:
    """Return a table of at most ``most`` rows, 3 or more: of a longer one both ends, and how many are left out."""
    if len(table.rows) <= most:
        return table
    last = (most - 1) // 2
    first = most - 1 - last
    left_out = f"... {len(table.rows) - first - last:,} more rows: see all through a pipe, as | less ..."
    gap = (left_out, *("" for _ in table.columns[1:]))
    return Table(table.columns, [*table.rows[:first], gap, *table.rows[-last:]], table.numbers)


def plain(table: Table) -> str:
    """Return the table as aligned columns with two blanks between them."""
    lines = [list(table.columns), *(list(row) for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(f"{_aligned(table, line, widths)}\n" for line in lines)


def _aligned(table: Table, line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if table.right(column) else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def drawn(table: Table, width: int) -> str:
    """Return the table with lines and colours for a terminal of ``width`` columns; honours ``NO_COLOR``.

    A long one is shortened: no terminal keeps a thousand rows in sight, and a pipe gets them all.
    """
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawing = RichTable()
    for place, column in enumerate(table.columns):
        drawing.add_column(Text(column), justify="right" if table.right(place) else "left")
    for row in shortened(table, MOST_ROWS).rows:
        drawing.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    with console.capture() as capture:
        console.print(drawing)
    return capture.get()
