"""Fresh rows: which source reads a file or a stream that a run has not seen."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nnkit.data.sources import SOURCES, Source
from nnkit.data.sources.csv import Csv
from nnkit.errors import UsageError

if TYPE_CHECKING:
    from nnkit.frames.table import Raw

SUFFIXES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
SUFFIXES |= {".parquet": "parquet", ".npz": "npz"}


def open_source(
    known: Source, origin: Path | BinaryIO | None, format_name: str | None, columns: list[str] | None, chunk_rows: int
) -> "tuple[Iterator[Raw], str]":
    """Return the chunks of fresh rows and what messages call them.

    Raises ``DataError``, and ``UsageError`` for a format that there is not, or names of columns where they have some.
    """
    if origin is None:
        if columns is not None:
            raise UsageError("--columns is for fresh rows; those of the run's own source have names")
        return known.chunks(chunk_rows), known.title
    if isinstance(origin, Path):
        source = _source(known, format_name or format_for(known, origin), origin)
        _check_columns(columns, source.type_name)
        if columns is None:
            return source.chunks(chunk_rows), str(origin)
        return _named(source, origin, columns, chunk_rows), str(origin)
    from nnkit.frames.lines import unpacked

    file = unpacked(origin)
    source = _source(known, format_name or format_for(known, file), Path("-"))
    _check_columns(columns, source.type_name)
    return source.chunks_of(file, "standard input", chunk_rows, columns), "standard input"


def _check_columns(columns: list[str] | None, format_name: str) -> None:
    if columns is None:
        return
    if format_name != "csv":
        raise UsageError(f"--columns is for CSV; {format_name} data has names of its own: leave it out")
    doubles = sorted({name for name in columns if columns.count(name) > 1})
    if doubles:
        raise UsageError(f"--columns names {', '.join(doubles)} twice")


def _named(source: Source, origin: Path, columns: list[str], chunk_rows: int) -> "Iterator[Raw]":
    from nnkit.frames.lines import open_plain

    with open_plain(origin) as file:
        yield from source.chunks_of(file, str(origin), chunk_rows, columns)


def format_for(known: Source, origin: Path | BinaryIO) -> str:
    """Return the source type that reads fresh rows of a run whose own source is ``known``."""
    if known.own_format:
        return known.type_name
    return format_of(origin) if isinstance(origin, Path) else sniff(origin)


def format_of(path: Path) -> str:
    """Return the source type that a file's name or first character means."""
    from nnkit.frames.lines import open_plain, unpacked

    suffixes = [suffix for suffix in path.suffixes if suffix in SUFFIXES]
    if suffixes:
        return SUFFIXES[suffixes[-1]]
    with open_plain(path) as file:
        return sniff(unpacked(file, str(path)), str(path))


def sniff(file: object, name: str = "standard input") -> str:
    """Return jsonl where the first character that is not blank is a brace, else csv; raises ``DataError``."""
    from nnkit.frames.lines import reading

    with reading(name):
        start: bytes = file.peek(4096) if hasattr(file, "peek") else b""
    return "jsonl" if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "csv"


def _source(known: Source, format_name: str, path: Path) -> Source:
    """Return a source of the format for ``path``, with the options of the run's own source where it is of that type."""
    if format_name not in SOURCES.entries or format_name == "sklearn":
        raise UsageError(f"--format {format_name}: expected csv or jsonl")
    if known.type_name == format_name:
        return known.model_copy(update={"path": path})
    if format_name == "csv" and path.suffix == ".tsv":
        return Csv(path=path, delimiter="\t")
    return SOURCES.decode({"type": format_name, "path": str(path)}, context={"base": Path()})


def row_text(part: "Raw", row: int) -> str:
    """Return a row as text: a line of CSV, or a JSON object where its cells are not all text."""
    from nnkit.frames.trees import Trees

    cells = {
        name: column[row : row + 1].tolist()[0] if isinstance(column, Trees) else column[row]
        for name, column in part.cells.items()
    }
    if not all(isinstance(cell, str) for cell in cells.values()):
        return json.dumps({name: cell for name, cell in cells.items() if cell is not None}, default=str)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(cells.values())
    return text.getvalue()
