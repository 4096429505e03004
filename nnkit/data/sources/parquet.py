"""Parquet files, by pyarrow."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource
from nnkit.errors import DataError, ResourceError

if TYPE_CHECKING:
    from nnkit.frames.table import Raw


@SOURCES.register("parquet")
class Parquet(FileSource):
    """Reads a Parquet file with columns of numbers, text, true and false; needs `pip install 'nnkit[parquet]'`."""

    def chunks_of(
        self, file: BinaryIO, name: str, chunk_rows: int = CHUNK_ROWS, columns: list[str] | None = None
    ) -> "Iterator[Raw]":
        """Yield the rows of an open file."""
        parquet = _pyarrow()
        from nnkit.frames.table import Raw

        try:
            table = parquet.ParquetFile(file)
            yield Raw({column: [] for column in table.schema_arrow.names}, [])
            row = 0
            for batch in table.iter_batches(batch_size=chunk_rows):
                cells = {column: batch.column(column).to_pylist() for column in batch.schema.names}
                yield Raw(cells, list(range(row + 1, row + len(batch) + 1)))
                row += len(batch)
        except (OSError, ValueError) as error:
            raise DataError(f"{name}: not a Parquet file that can be read ({error})") from error


def _pyarrow() -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ResourceError("a parquet source needs pyarrow; run: pip install 'nnkit[parquet]'") from error
    return parquet
