"""Rows that cannot be read: an error, or lines of a file that somebody can look at."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from nnkit.errors import DataError
from nnkit.files import disk_errors
from nnkit.predictions import csv_line

if TYPE_CHECKING:
    from nnkit.data.pipeline import Rejected

    Refuse: TypeAlias = Callable[[Sequence[Rejected]], None]

SHOWN = 10
HEADER = ("line", "reason", "row")


def refuse(name: str, rejected: "Sequence[Rejected]") -> None:
    """Raise ``DataError`` with the place of each rejected row, if there are any; ``name`` is the input's."""
    lines = [f"{name}:{row.line}: {row.reason}" for row in rejected]
    if len(lines) > SHOWN:
        lines[SHOWN:] = [f"and {len(lines) - SHOWN} more rows"]
    if lines:
        raise DataError("\n".join(lines))


@contextmanager
def rejects_to(path: Path | None, name: str) -> "Iterator[Refuse]":
    """Give what takes rejected rows: it writes them to ``path`` as CSV; without a path it raises ``DataError``.

    Raises ``ResourceError`` where the file cannot be written.
    """
    if path is None:
        yield lambda rejected: refuse(name, rejected)
        return
    with disk_errors(path):
        file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")

    def write(rejected: "Sequence[Rejected]") -> None:
        with disk_errors(path):
            file.writelines(csv_line((str(row.line), row.reason, row.text)) for row in rejected)

    try:
        with disk_errors(path):
            file.write(csv_line(HEADER))
        yield write
    finally:
        with disk_errors(path):
            file.close()
