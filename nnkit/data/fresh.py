"""Fresh rows: which source reads a file or a stream that a run has not seen."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from nnkit.data.sources import SOURCES, Source
from nnkit.data.sources.csv import Csv
from nnkit.data.sources.documents import Documents
from nnkit.data.sources.idx import Idx
from nnkit.data.sources.images import PICTURE, Images, is_picture_file
from nnkit.errors import DataError, UsageError
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    from nnkit.frames.table import Raw

SUFFIXES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
SUFFIXES |= {".parquet": "parquet", ".npz": "npz"}


def open_source(
    known: Source,
    origin: Path | BinaryIO | None,
    format_name: str | None,
    columns: list[str] | None,
    chunk_rows: int,
    labelled: bool,
    shapes: Mapping[str, Shape],
) -> "tuple[Iterator[Raw], str]":
    """Return the chunks of fresh rows and what messages call them; ``labelled`` says whether they need the target.

    ``shapes`` are those of the columns of pictures that the model takes.
    Raises ``DataError``, and ``UsageError`` for a format that there is not, or names of columns where they have some.
    """
    if origin is None:
        if columns is not None:
            raise UsageError("--columns is for fresh rows; those of the run's own source have names")
        return known.fresh(None, labelled, shapes).chunks(chunk_rows), known.title
    if isinstance(origin, Path):
        source = _source(known, format_name or format_for(known, origin), origin, labelled, shapes)
        _check_columns(columns, source.type_name)
        if columns is None:
            return source.chunks(chunk_rows), str(origin)
        return _named(source, origin, columns, chunk_rows), str(origin)
    from nnkit.frames.lines import unpacked

    file = unpacked(origin)
    source = _source(known, format_name or format_for(known, file), Path("-"), labelled, shapes)
    _check_columns(columns, source.type_name)
    return source.chunks_of(file, "standard input", chunk_rows, columns), "standard input"


def _check_columns(columns: list[str] | None, format_name: str) -> None:
    if columns is None:
        return
    if format_name not in ("csv", "conll"):
        raise UsageError(f"--columns is for CSV and CoNLL; {format_name} data has names of its own: leave it out")
    doubles = sorted({name for name in columns if columns.count(name) > 1})
    if doubles:
        raise UsageError(f"--columns names {', '.join(doubles)} twice")


def _named(source: Source, origin: Path, columns: list[str], chunk_rows: int) -> "Iterator[Raw]":
    from nnkit.frames.lines import open_plain

    with open_plain(origin) as file:
        yield from source.chunks_of(file, str(origin), chunk_rows, columns)


def format_for(known: Source, origin: Path | BinaryIO) -> str:
    """Return the source type that reads fresh rows of a run whose own source is ``known``."""
    if isinstance(known, Documents):
        return _format_beside(known, origin)
    if known.own_format:
        return known.type_name
    return format_of(origin) if isinstance(origin, Path) else sniff(origin)


def _format_beside(known: Documents, origin: Path | BinaryIO) -> str:
    """Return the type of rows for a run that learned from documents: tables where that is what the rows are called."""
    if not isinstance(origin, Path):
        return "jsonl" if sniff(origin) == "jsonl" else known.type_name
    suffix = origin.suffix.lower()
    is_table = suffix in SUFFIXES and suffix not in (known.suffix, ".txt") and not origin.is_dir()
    return SUFFIXES[suffix] if is_table else known.type_name


def format_of(path: Path) -> str:
    """Return the source type that a file's name or its first bytes mean."""
    from nnkit.frames.lines import open_plain, unpacked

    suffixes = [suffix for suffix in path.suffixes if suffix in SUFFIXES]
    if suffixes:
        return SUFFIXES[suffixes[-1]]
    if path.is_dir() or is_picture_file(path):
        return "images"
    with open_plain(path) as file:
        return sniff(unpacked(file, str(path)), str(path))


def sniff(file: object, name: str = "standard input") -> str:
    """Return the type that a file's first bytes mean, csv where they mean nothing; raises ``DataError``."""
    from nnkit.frames.albums import looks_like_picture
    from nnkit.frames.lines import reading

    with reading(name):
        start: bytes = file.peek(4096) if hasattr(file, "peek") else b""
    if start[:2] == b"\0\0":
        return "idx"
    if looks_like_picture(start):
        return "images"
    return "jsonl" if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "csv"


def _source(known: Source, format_name: str, path: Path, labelled: bool, shapes: Mapping[str, Shape]) -> Source:
    """Return a source of the format for ``path``, with the options of the run's own source where it is of that type."""
    if format_name not in SOURCES.entries or format_name == "sklearn":
        raise UsageError(f"--format {format_name}: expected csv or jsonl")
    if known.type_name == format_name or (isinstance(known, Images) and format_name == "csv"):
        return known.fresh(path, labelled, shapes)
    if format_name == "idx":
        return Idx(images=path).fresh(path, labelled, shapes)
    if format_name == "images":
        return _pictures(path, shapes).fresh(path, labelled, shapes)
    if format_name == "csv" and path.suffix == ".tsv":
        return Csv(path=path, delimiter="\t")
    return SOURCES.decode({"type": format_name, "path": str(path)}, context={"base": Path()})


def _pictures(path: Path, shapes: Mapping[str, Shape]) -> Images:
    """Return a source that brings picture files to what a model takes that learned from pictures of another source."""
    height, width, channels = shapes.get(PICTURE, (None, None, None))
    modes: dict[int | None, Literal["grey", "RGB", "RGBA"]] = {1: "grey", 3: "RGB", 4: "RGBA"}
    if height is None or width is None or channels not in modes:
        what = f"{PICTURE} of {show(shapes[PICTURE])}" if PICTURE in shapes else f"no pictures in a column {PICTURE!r}"
        raise DataError(f"{path}: {'a folder' if path.is_dir() else 'a picture'}, and the model takes {what}")
    return Images(path=path, size=[height, width], mode=modes[channels])


def row_text(part: "Raw", row: int) -> str:
    """Return a row as text: a line of CSV, or a JSON object where not all are text; but pictures and sounds."""
    from nnkit.frames.kinds import is_whole

    cells = {name: _cell(column, row) for name, column in part.cells.items() if not is_whole(column)}
    if not all(isinstance(cell, str) for cell in cells.values()):
        return json.dumps({name: cell for name, cell in cells.items() if cell is not None}, default=str)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(cells.values())
    return text.getvalue()


def _cell(column: Any, row: int) -> Any:
    from nnkit.frames.lists import Lists
    from nnkit.frames.trees import Trees

    return column[row : row + 1].tolist()[0] if isinstance(column, Trees | Lists) else column[row]
