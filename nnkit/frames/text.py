"""Delimited text, read exactly: every row with its line, and a clear error for whatever is not a table."""

import bz2
import codecs
import csv
import gzip
import io
import json
import os
import re
import stat
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from nnkit.errors import DataError
from nnkit.frames.table import BadRow, Raw

LINE_LIMIT = 16 * 2**20
FIELD_LIMIT = 1024 * 1024

DAMAGED = (OSError, EOFError, zlib.error)
"""What reading and unpacking raise."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Dialect:
    """How a table is written as text."""

    delimiter: str = ","
    quote: str | None = '"'
    encoding: str = "utf-8"
    header: bool = True
    columns: Sequence[str] | None = None
    """Names of the columns where there is no header, or instead of it."""


def open_plain(path: Path) -> BinaryIO:
    """Open a plain file for reading; raises ``DataError`` for what is missing, a folder, a pipe or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # A pipe must not make us wait.
    except OSError as error:
        reason = "not found" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise DataError(f"{path}: {reason}") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        way_out = "give a file in it" if stat.S_ISDIR(mode) else "to read from a pipe, use - and redirect it"
        raise DataError(f"{path}: {'a folder' if stat.S_ISDIR(mode) else 'not a plain file'}; {way_out}")
    return os.fdopen(descriptor, "rb")


@contextmanager
def reading(place: str) -> Iterator[None]:
    """Turn what goes wrong while bytes are read or unpacked into a ``DataError`` that begins with ``place``."""
    try:
        yield
    except DAMAGED as error:
        raise DataError(f"{place}: cannot be read on: {error}; the file is cut short or damaged") from error


def unpacked(file: BinaryIO, name: str = "standard input") -> BinaryIO:
    """Return ``file``, unpacked where it begins as gzip or bzip2 files do; raises ``DataError``."""
    if isinstance(file, gzip.GzipFile | bz2.BZ2File):
        return file
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, file))
    with reading(name):
        start = buffered.peek(3)[:3]
    if start[:2] == b"\x1f\x8b":
        return cast(BinaryIO, gzip.GzipFile(fileobj=buffered))
    if start == b"BZh":
        return cast(BinaryIO, bz2.BZ2File(buffered))
    return buffered


def text_lines(file: BinaryIO, encoding: str, name: str) -> Iterator[str]:
    """Yield the lines of a text with their line breaks; raises ``DataError`` with the line of what is not text."""
    start = io.BufferedReader(cast(io.RawIOBase, file)) if not hasattr(file, "peek") else file
    wrapper = io.TextIOWrapper(start, encoding=encoding, newline="")
    number = 0
    try:
        _refuse_utf16(start, encoding, name)
        while line := wrapper.readline(LINE_LIMIT):
            number += 1
            line = line.removeprefix("\ufeff") if number == 1 else line
            if "\0" in line:
                raise DataError(f"{name}:{number}: a NUL byte: this is not text, or not in {encoding}")
            if len(line) == LINE_LIMIT:
                raise DataError(f"{name}:{number}: a line of more than {LINE_LIMIT} characters; this is no table")
            yield line
    except UnicodeDecodeError as error:
        before, byte = error.object[: error.start], error.object[error.start]
        place = number + 1 + (before.count(b"\n") or before.count(b"\r"))
        raise DataError(
            f"{name}:{place}: the byte 0x{byte:02x} is not {encoding} text; set the source's encoding, "
            "such as latin-1 or cp1252"
        ) from error
    except UnicodeError as error:
        raise DataError(f"{name}:{number + 1}: not {encoding} text ({error}); set the source's encoding") from error
    except DAMAGED as error:
        raise DataError(f"{name}:{number + 1}: cannot be read on: {error}; the file is cut short or damaged") from error
    finally:
        with suppress(ValueError):  # The file may be closed by whoever opened it.
            wrapper.detach()


def _refuse_utf16(file: BinaryIO, encoding: str, name: str) -> None:
    start: bytes = file.peek(2)[:2] if hasattr(file, "peek") else b""
    if start in _UTF16 and not encoding.lower().replace("-", "").replace("_", "").startswith(("utf16", "utf32")):
        raise DataError(f"{name}:1: UTF-16 text; set the source's encoding: utf-16")


class Rows:
    """The records of a delimited text, each with the line that it begins in."""

    def __init__(self, file: BinaryIO, dialect: Dialect, name: str) -> None:
        csv.field_size_limit(FIELD_LIMIT)
        self.name = name
        self._reader = csv.reader(
            text_lines(unpacked(file, name), dialect.encoding, name),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            strict=True,
        )

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        reader = self._reader
        while True:
            line = reader.line_num + 1
            try:
                for row in reader:
                    if row:
                        yield line, row
                    line = reader.line_num + 1
            except csv.Error as error:
                raise self._mistake(line, str(error)) from error
            return

    def _mistake(self, line: int, reason: str) -> DataError:
        if "unexpected end of data" in reason:
            reason = "a quote opened in this row is never closed"
        elif "field larger" in reason:
            reason = f"a cell of more than {FIELD_LIMIT} characters, as where a quote is never closed"
        way_out = "mend the row, or set the source's quoting: false"
        return DataError(f"{self.name}:{line}: {reason}; {way_out}")


def read_text(file: BinaryIO, dialect: Dialect, name: str, chunk_rows: int) -> Iterator[Raw]:
    """Yield the rows of a delimited text in chunks; the first comes even where there are no rows."""
    rows = iter(Rows(file, dialect, name))
    header = header_of(rows, dialect, name)
    first = True
    while True:
        chunk = _chunk(rows, header, dialect, chunk_rows)
        if first or len(chunk) or chunk.bad:
            yield chunk
        if len(chunk) + len(chunk.bad) < chunk_rows:
            return
        first = False


def header_of(rows: Iterator[tuple[int, list[str]]], dialect: Dialect, name: str) -> list[str]:
    """Return the names of the columns; raises ``DataError`` where there are none or two are the same."""
    if not dialect.header:
        assert dialect.columns is not None  # noqa: S101 - the source sees to it
        return list(dialect.columns)
    line, header = next(rows, (1, []))
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


def _chunk(rows: Iterator[tuple[int, list[str]]], header: list[str], dialect: Dialect, count: int) -> Raw:
    width, lines, kept, bad = len(header), [], [], []
    for line, row in rows:
        if len(row) == width:
            lines.append(line)
            kept.append(row)
        else:
            reason = f"{len(row)} cells, and the header has {width}"
            bad.append(BadRow(line, reason, dialect.delimiter.join(row)))
        if len(lines) + len(bad) == count:
            break
    columns = map(list, zip(*kept, strict=True)) if kept else ([] for _ in header)
    return Raw(dict(zip(header, columns, strict=True)), lines, bad)
