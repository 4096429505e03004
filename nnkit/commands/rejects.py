"""Rows that cannot be read: an error, or lines of a file that somebody can look at."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from nnkit.errors import DataError
from nnkit.files import disk_errors
from nnkit.predictions import csv_line

if TYPE_CHECKING:
    from nnkit.data.chunk import Chunk
    from nnkit.frames.table import BadRow

    Write: TypeAlias = Callable[[Sequence[BadRow]], None]

HEADER = ("line", "reason", "row")


class Rejects:
    """Takes rows that cannot be used: gives them to ``write``, or else raises ``DataError``.

    Rows that the run's spec says to skip are counted and kept as notes where nothing writes them. ``name`` is the
    input's, and ``way_out`` ends the message.
    """

    def __init__(self, name: str, write: "Write | None" = None, way_out: str = "") -> None:
        self.count = 0
        self._name = name
        self._write = write
        self._way_out = way_out
        self._skipped: list[BadRow] = []

    def take(self, chunk: "Chunk", later: "Iterable[Chunk]") -> None:
        """Take the rejected rows of a chunk; where they are an error, those of files ``later`` are told too."""
        self.count += len(chunk.rejected)
        if self._write is not None:
            self._write(chunk.rejected)
            return
        bad = [row for row in chunk.rejected if not row.skip]
        if any(row.place for row in bad):
            bad += [row for other in later for row in other.rejected if not row.skip]
        if bad:
            raise DataError("\n".join([*_listing(bad, self._name), *([self._way_out] if self._way_out else [])]))
        self._skipped += chunk.rejected

    def take_rows(self, rejected: "Sequence[BadRow]") -> None:
        """Take rejected rows that are in no chunk."""
        self.count += len(rejected)
        if self._write is not None:
            self._write(rejected)
        elif rejected:
            raise DataError("\n".join([*_listing(rejected, self._name), *([self._way_out] if self._way_out else [])]))

    @property
    def notes(self) -> Sequence[str]:
        """Which rows were skipped, as lines for people."""
        if not self._skipped:
            return ()
        return (
            f"files that are skipped: {len(self._skipped)}",
            *_listing(self._skipped, self._name),
        )


def _listing(bad: "Sequence[BadRow]", name: str) -> list[str]:
    from nnkit.frames.table import listing

    return listing(bad, name)


@contextmanager
def rejects_to(path: Path | None, name: str) -> Iterator[Rejects]:
    """Give what takes rejected rows: it writes them to ``path`` as CSV; without a path it raises ``DataError``.

    Raises ``ResourceError`` where the file cannot be written.
    """
    if path is None:
        yield Rejects(name, way_out="--rejects FILE writes there what cannot be read, and goes on")
        return
    with disk_errors(path):
        file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")

    def write(rejected: "Sequence[BadRow]") -> None:
        with disk_errors(path):
            file.writelines(csv_line((str(row.line), row.reason, row.text)) for row in rejected)

    try:
        with disk_errors(path):
            file.write(csv_line(HEADER))
        yield Rejects(name, write)
    finally:
        with disk_errors(path):
            file.close()
