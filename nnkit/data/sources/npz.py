"""Numpy archives, never with pickled objects."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nnkit.data.sources.base import CHUNK_ROWS, SOURCES, FileSource
from nnkit.errors import DataError

if TYPE_CHECKING:
    from nnkit.frames.table import Raw


@SOURCES.register("npz")
class Npz(FileSource):
    """Reads the arrays of a numpy archive as columns, a row for each entry of their first axis.

    An array with more axes is one column whose cells are arrays. Bytes (uint8) with two or three axes a cell are
    pictures, height x width and height x width x channels; the former get an axis of one channel. A network sees the
    values of pictures from 0 to 1. Archives with pickled objects are refused.
    """

    arrays: list[str] | None = Field(default=None, min_length=1, description="Arrays to read; default: all.")

    def chunks(self, chunk_rows: int = CHUNK_ROWS) -> "Iterator[Raw]":
        """Yield the rows."""
        from nnkit.frames.arrays import read_arrays
        from nnkit.frames.table import Raw, in_chunks

        arrays = read_arrays(Path(self.path), self.arrays)
        scalars = [name for name, array in arrays.items() if array.ndim == 0]
        if scalars:
            raise DataError(f"{self.path}: {', '.join(scalars)} have no rows; leave them out by `arrays`")
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise DataError(f"{self.path}: the arrays have different numbers of rows: {listed}")
        rows = next(iter(lengths.values()), 0)
        return in_chunks(
            Raw({name: _cells(array) for name, array in arrays.items()}, list(range(1, rows + 1))), chunk_rows
        )

    def whole(self) -> "Raw":
        """Return all rows as they were loaded, without a copy."""
        [raw] = self.chunks(sys.maxsize)
        return raw


def _cells(array: Any) -> Any:
    """Return an array's rows as cells: numbers stay an array, text becomes a list, true and false in arrays 1 and 0.

    Bytes [n, height, width] become pictures of one channel.
    """
    if array.dtype.kind == "b" and array.ndim > 1:
        return array.astype("float32")
    if array.dtype == "uint8" and array.ndim == 3:
        return array[..., None]
    return array if array.dtype.kind in "fiu" else array.tolist()
