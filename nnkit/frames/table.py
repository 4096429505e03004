"""Tables: raw cells as a file has them, and typed columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.ragged import Ragged
from nnkit.frames.cells import Text, Words
from nnkit.frames.lists import Lists, joined
from nnkit.frames.pictures import Pictures
from nnkit.frames.trees import Trees, concatenate
from nnkit.signs import one_line

Cells: TypeAlias = Any
"""Raw cells of a column: ``Text``, a list of text or JSON values, ``Pictures``, ``Ragged`` sounds, ``Trees``,
``Lists``, or an array [n, ...] with a type."""


@dataclass(frozen=True)
class BadRow:
    """A row that is not like the others: its line in the file (from 1), what is wrong, and its text."""

    line: int
    reason: str
    text: str
    place: str = ""
    """What messages call the row, where that is not the line of a file."""
    skip: bool = False
    """Whether the spec says to go on without it."""


@dataclass
class Raw:
    """Some rows of a source: raw cells by column, the line of each row, and the rows that could not be read."""

    cells: dict[str, Cells]
    lines: Sequence[int]
    bad: list[BadRow] = field(default_factory=list)
    complete: bool = True
    """Whether these are all columns of the source; in JSON Lines a later row may have more."""
    hashes: dict[str, str] | None = None
    """The SHA-256 of each file, where it was found while reading."""
    notes: list[str] = field(default_factory=list)
    """What a person should know of the reading."""
    places: Sequence[str] = ()
    """What messages call the rows of a part, where that is not a line of a file."""

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(frozen=True)
class Column:
    """Cells: float64 [n] with NaN where missing, an array [n, ...], or one of the classes for all others.

    Those are ``Words``, ``Pictures``, ``Ragged``, ``Trees`` and ``Lists``.
    """

    values: Any
    source: str
    """The column of the source that the values come from."""

    @property
    def is_text(self) -> bool:
        """Whether the cells are text."""
        return isinstance(self.values, Words)

    @property
    def is_tree(self) -> bool:
        """Whether the cells are trees."""
        return isinstance(self.values, Trees)

    @property
    def is_list(self) -> bool:
        """Whether the cells are lists of texts."""
        return isinstance(self.values, Lists)

    @property
    def labels_inside(self) -> list[str]:
        """The labels that nodes of trees have."""
        return self.values.used if isinstance(self.values, Trees) else []

    @property
    def gaps(self) -> NDArray[np.bool_]:
        """Which cells are missing; an array is if any of its numbers is, a whole one never."""
        if isinstance(self.values, Words):
            return self.values.codes < 0
        if self.is_whole:
            return np.zeros(len(self.values), dtype=bool)
        missing: NDArray[np.bool_] = np.isnan(self.values).any(axis=tuple(range(1, self.values.ndim)))
        return missing

    @property
    def is_picture(self) -> bool:
        """Whether the cells are pictures, whose values are bytes."""
        return isinstance(self.values, Pictures)

    @property
    def is_sequence(self) -> bool:
        """Whether the cells are sequences of several lengths."""
        return isinstance(self.values, Ragged)

    @property
    def is_whole(self) -> bool:
        """Whether each cell is a picture, sequence, tree or list, which lacks nothing and stands beside no other."""
        return self.is_picture or self.is_sequence or self.is_tree or self.is_list

    @property
    def numbers(self) -> Any:
        """The values to compute with: of pictures as a network sees them, float32 from 0 to 1."""
        return self.values.floats() if isinstance(self.values, Pictures) else self.values

    def take(self, rows: NDArray[np.int64]) -> "Column":
        """Return some rows, in the order of ``rows``."""
        taken = self.values.take(rows) if isinstance(self.values, Pictures) else self.values[rows]
        return Column(taken, self.source)


Frame: TypeAlias = dict[str, Column]
"""Typed columns by name, all of one length."""


def take(frame: Mapping[str, Column], rows: NDArray[np.int64]) -> Frame:
    """Return some rows of a frame, in the order of ``rows``."""
    return {name: column.take(rows) for name, column in frame.items()}


def join(parts: Iterable[Raw]) -> Raw:
    """Put the parts of a source together."""
    pieces = list(parts)
    if len(pieces) == 1:
        return pieces[0]
    names = dict.fromkeys(name for piece in pieces for name in piece.cells)
    return Raw(
        {name: _concatenate([_cells(piece, name) for piece in pieces]) for name in names},
        [line for piece in pieces for line in piece.lines],
        [bad for piece in pieces for bad in piece.bad],
    )


def _cells(part: Raw, name: str) -> Cells:
    """Return a column of a part; one that no row of the part has is missing throughout."""
    return part.cells.get(name, [None] * len(part))


def _concatenate(pieces: list[Cells]) -> Cells:
    if isinstance(pieces[0], np.ndarray | Pictures):
        return np.concatenate(pieces)
    if isinstance(pieces[0], Trees):
        return concatenate(pieces)
    if isinstance(pieces[0], Ragged):
        return Ragged.joined(pieces)
    if isinstance(pieces[0], Lists):
        return joined(pieces)
    if all(isinstance(piece, Text) for piece in pieces):
        return Text([part for piece in pieces for part in piece.pieces])
    return [cell for piece in pieces for cell in piece]


SHOWN = 20
"""Rows that a message names, of those that could not be read."""


def listing(bad: Sequence[BadRow], title: str) -> list[str]:
    """Return a line for each of the first rows that could not be read, and one that counts the others."""
    lines = [one_line(f"{row.place or f'{title}:{row.line}'}: {row.reason}") for row in bad[:SHOWN]]
    return lines + ([f"and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else [])


def pick(raw: Raw, rows: NDArray[np.int64]) -> Raw:
    """Return some raw rows, in the order of ``rows``."""
    return replace(
        raw,
        cells={name: _picked(cells, rows) for name, cells in raw.cells.items()},
        lines=[raw.lines[row] for row in rows.tolist()],
        places=[raw.places[row] for row in rows.tolist()] if raw.places else (),
    )


def _picked(cells: Cells, rows: NDArray[np.int64]) -> Cells:
    if isinstance(cells, Text | Pictures):
        return cells.take(rows)
    return [cells[row] for row in rows.tolist()] if isinstance(cells, list) else cells[rows]


def in_chunks(raw: Raw, rows: int) -> Iterator[Raw]:
    """Cut rows that are in memory into parts of at most ``rows``; nothing comes of an empty table but its columns."""
    for start in range(0, max(len(raw), 1), rows):
        part = slice(start, start + rows)
        yield Raw(
            {name: cells[part] for name, cells in raw.cells.items()}, raw.lines[part], raw.bad if start == 0 else []
        )


def flat_columns(frame: Mapping[str, Column]) -> list[tuple[str, NDArray[np.float64], Sequence[str] | None]]:
    """Return names, numbers and words of columns, numbers being the places of words where there are some.

    Of arrays there is a column for each of their numbers, ``name_0``, ``name_1``, ...
    """
    found: list[tuple[str, NDArray[np.float64], Sequence[str] | None]] = []
    for name, column in frame.items():
        values = column.values
        if isinstance(values, Words):
            found.append((name, values.codes.astype(np.float64), values.words))
        elif values.ndim == 1:
            found.append((name, values, None))
        else:
            numbers = int(np.prod(values.shape[1:]))
            flat = values.reshape(len(values), numbers)
            found += [(f"{name}_{number}", flat[:, number], None) for number in range(numbers)]
    return found
