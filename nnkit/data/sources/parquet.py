"""Parquet files, by pyarrow."""

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource
from nnkit.errors import DataError, ResourceError
from nnkit.signs import one_line

if TYPE_CHECKING:
    from nnkit.frames.table import Raw


@SOURCES.register("parquet")
class Parquet(FileSource):
    """Reads a Parquet file with columns of numbers, text, dates and booleans; needs `pip install 'nnkit[parquet]'`."""

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the rows of an open file."""
        pyarrow, parquet = _pyarrow()
        from nnkit.frames.table import Raw

        if not file.seekable():
            raise DataError(f"{name}: a Parquet file is read from its end; give a file, or CSV or JSON Lines")
        try:
            table = parquet.ParquetFile(file)
            yield Raw({column: [] for column in table.schema_arrow.names}, [])
            row = 0
            for batch in table.iter_batches(batch_size=chunk_rows):
                cells = {column: _cells(batch.column(column)) for column in batch.schema.names}
                yield Raw(cells, list(range(row + 1, row + len(batch) + 1)))
                row += len(batch)
        except (OSError, ValueError, LookupError, pyarrow.ArrowException) as error:
            raise DataError(f"{name}: not a Parquet file that can be read ({one_line(str(error))})") from error


def _cells(column: Any) -> list[Any]:
    """Return an Arrow column as cells: exact decimals become numbers, dates and times their ISO text."""
    cells: list[Any] = column.to_pylist()
    if str(column.type).startswith("decimal"):
        return [None if cell is None else float(cell) for cell in cells]
    return [cell.isoformat() if isinstance(cell, datetime.date | datetime.time) else cell for cell in cells]


def _pyarrow() -> Any:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ResourceError("a parquet source needs pyarrow; run: pip install 'nnkit[parquet]'") from error
    return pyarrow, parquet
