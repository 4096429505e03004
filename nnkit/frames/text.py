"""Delimited text, read exactly: every row with its line, and a clear error for whatever is not a table."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from nnkit.errors import DataError
from nnkit.frames import cells
from nnkit.frames.lines import Lines, unpacked
from nnkit.frames.table import BadRow, Raw, in_chunks

FIELD_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Dialect:
    """How a table is written as text."""

    delimiter: str = ","
    quote: str | None = '"'
    encoding: str = "utf-8"
    header: bool = True
    columns: Sequence[str] | None = None
    """Names of the columns where there is no header, or instead of it."""


class Rows(Iterator[tuple[int, list[str]]]):
    """The records of a delimited text, each with the line that it begins in; the record of an empty line is empty."""

    def __init__(self, lines: Lines, dialect: Dialect, name: str) -> None:
        csv.field_size_limit(FIELD_LIMIT)
        self._name = name
        self._lines = lines
        self._reader = csv.reader(
            lines,
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            strict=True,
        )

    def __next__(self) -> tuple[int, list[str]]:
        line = self._lines.number + 1
        try:
            return line, next(self._reader)
        except csv.Error as error:
            raise self._mistake(line, str(error)) from error

    def _mistake(self, line: int, reason: str) -> DataError:
        if "unexpected end of data" in reason:
            reason = "a quote opened in this row is never closed"
        elif "field larger" in reason:
            reason = f"a cell of more than {FIELD_LIMIT} characters, as where a quote is never closed"
        way_out = "mend the row, or set the source's quoting: false"
        return DataError(f"{self._name}:{line}: {reason}; {way_out}")


def read_text(file: BinaryIO, dialect: Dialect, name: str, chunk_rows: int) -> Iterator[Raw]:
    """Yield the rows of a delimited text in chunks, as they come; one at least, also where there are no rows.

    Blocks of plain rows are read in bulk, all others row by row: what comes out is the same.
    """
    lines = Lines(unpacked(file, name), dialect.encoding, name)
    rows = Rows(lines, dialect, name)
    header = header_of(rows, dialect, name)
    some = False
    fault: DataError | None = None
    while fault is None:
        chunk = _in_bulk(lines, header, dialect)
        if chunk is None:
            chunk, fault = _chunk(rows, lines, header, dialect, chunk_rows)
        if chunk is None:
            break
        if len(chunk) or chunk.bad:
            some = True
            yield from in_chunks(chunk, chunk_rows)
    if fault is not None:
        raise fault
    if not some:
        yield Raw({column: [] for column in header}, [])


def header_of(rows: Iterator[tuple[int, list[str]]], dialect: Dialect, name: str) -> list[str]:
    """Return the names of the columns; raises ``DataError`` where there are none or two are the same."""
    if not dialect.header:
        assert dialect.columns is not None  # noqa: S101 - the source sees to it
        return list(dialect.columns)
    line, header = next(((line, row) for line, row in rows if row), (1, []))
    if not header:
        raise DataError(f"{name}: empty; expected a line with the names of the columns")
    other = next((mark for mark in "\t;|" if len(header) == 1 and mark in header[0]), None)
    if other and dialect.columns is None:
        raise DataError(
            f"{name}:{line}: one column, {header[0]!r:.80}; set the source's delimiter: {json.dumps(other)}"
        )
    if dialect.columns is not None:
        if len(dialect.columns) != len(header):
            raise DataError(f"{name}:{line}: {len(header)} columns, and `columns` names {len(dialect.columns)}")
        header = list(dialect.columns)
    _check_names(header, f"{name}:{line}")
    return header


def _check_names(header: Sequence[str], place: str) -> None:
    counts = Counter(header)
    doubles = sorted(column for column, count in counts.items() if count > 1)
    if doubles:
        listed = ", ".join(map(repr, doubles))
        raise DataError(f"{place}: two columns are called {listed}; rename one, or name all in `columns`")
    if all(map(_NUMBER.fullmatch, header)) and not _counted(header):
        raise DataError(
            f"{place}: numbers and no names of columns: name them in `columns`, with header: false if this is a row"
        )


_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


def _counted(header: Sequence[str]) -> bool:
    """Tell whether the names are 0, 1, 2, ... or 1, 2, 3, ...: a table without names that somebody numbered."""
    return list(header) in ([str(index + start) for index in range(len(header))] for start in (0, 1))


def _in_bulk(lines: Lines, header: list[str], dialect: Dialect) -> Raw | None:
    """Return the rows of the next block where they are plain; None where they are not, or there are none."""
    if not cells.is_compiled():
        return None
    block = lines.look()
    columns = cells.split(block, dialect.delimiter, dialect.quote, len(header)) if block else None
    if columns is None:
        return None
    first, count = lines.number + 1, len(columns[0])
    lines.skip(count)
    texts = map(cells.Text, ([column] for column in columns))
    return Raw(dict(zip(header, texts, strict=True)), range(first, first + count))


def _chunk(
    rows: Rows, lines: Lines, header: list[str], dialect: Dialect, count: int
) -> tuple[Raw | None, DataError | None]:
    """Return the next rows, read one by one up to the end of a block, and the fault after them; none at the end."""
    width, starts, bad = len(header), list[int](), list[BadRow]()
    kept: list[list[str]] = []
    fault = None
    try:
        for line, row in rows:
            if len(row) == width:
                starts.append(line)
                kept.append(row)
            elif row:
                reason = f"{len(row)} cells, and the header has {width}"
                bad.append(BadRow(line, reason, dialect.delimiter.join(row)))
            if len(starts) + len(bad) == count or lines.is_between_blocks:
                break
        else:
            if not bad and not kept:
                return None, None
    except DataError as error:
        fault = error
    columns = map(list, zip(*kept, strict=True)) if kept else ([] for _ in header)
    return Raw(dict(zip(header, columns, strict=True)), starts, bad), fault
