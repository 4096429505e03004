"""Tables written as text, by compiled code where it is there."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnkit.frames import cells
from nnkit.frames.cells import Offsets, Piece, Words

Written: TypeAlias = NDArray[np.float64] | Words | Piece
"""A column to write: numbers [n]; texts [n], none of which is missing; or cells of a file, as cells of CSV."""


def texts(column: NDArray[np.float64] | Words) -> list[str]:
    """Return a column as text: numbers with the fewest digits that give them back, a float32's where it is one.

    They are laid out as Python writes a float: 0.0001, 1e-05, 1000000.0, 1e+16.
    """
    if isinstance(column, Words):
        words = column.words
        return [words[code] for code in column.codes.tolist()]
    exact = is_float32(column)
    with np.errstate(over="ignore"):
        short = column.astype(np.float32)
    # numpy finds the digits of a float32; how it lays them out has changed from release to release.
    return [
        repr(float(str(narrow)) if fits else wide)
        for narrow, wide, fits in zip(short, column.tolist(), exact, strict=True)
    ]


def is_float32(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which numbers are those of a float32."""
    with np.errstate(over="ignore"):
        exact: NDArray[np.bool_] = values.astype(np.float32) == values
    return exact


def written(columns: Sequence[Written], between: Sequence[str]) -> str:
    """Return a table as text: in each row a text of ``between`` before each cell, and the last one at the end."""
    if cells.compiled is None:
        # Without the compiled part, there are no pieces.
        return _row_by_row([column for column in columns if not isinstance(column, Piece)], between)
    fixed = [text.encode() for text in between]
    return cells.compiled.lines(len(columns[0]), fixed, list(map(_plain, columns)))


def _plain(column: Written) -> tuple[NDArray[Any], list[bytes]] | tuple[bytes | bytearray, Offsets, Offsets]:
    if isinstance(column, Piece):
        return column.data, column.starts, column.ends
    if isinstance(column, Words):
        return np.ascontiguousarray(column.codes), [word.encode() for word in column.words]
    return np.ascontiguousarray(column, dtype=np.float64), []


def _row_by_row(columns: Sequence[NDArray[np.float64] | Words], between: Sequence[str]) -> str:
    template = "%s".join(text.replace("%", "%%") for text in between)
    return "".join(template % row for row in zip(*map(texts, columns), strict=True))
