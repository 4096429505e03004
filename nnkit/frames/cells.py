"""Cells of plain text in bulk: where they stand in blocks of bytes, and their words and numbers by compiled code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nnkit import _text
else:
    try:
        from nnkit import _text
    except ImportError:  # There was no compiler when nnkit was installed.
        _text = None

compiled = _text

Offsets = NDArray[np.int32]


def is_compiled() -> bool:
    """Tell whether the compiled part is there; without it, Python's own csv module reads all."""
    return compiled is not None


@dataclass(frozen=True)
class Words:
    """Texts [n] as int32 codes [n] into distinct words; the code of a missing one is -1."""

    codes: NDArray[np.int32]
    words: Sequence[str]

    ndim = 1

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> Self:
        """Return texts as words, in the order in which they first come; None is missing."""
        index: dict[str | None, int] = {}
        codes = np.fromiter((index.setdefault(text, len(index)) for text in texts), np.int32, len(texts))
        return cls(codes, [""] * len(index)).mapped(list(index))

    def mapped(self, texts: Sequence[str | None]) -> Self:
        """Return the words with another text for each; those that become the same are one, None is missing."""
        index: dict[str, int] = {}
        places = [-1 if text is None else index.setdefault(text, len(index)) for text in texts]
        return type(self)(np.array([*places, -1], dtype=np.int32)[self.codes], list(index))

    def filled(self, text: str) -> Self:
        """Return the words with a text for the missing ones."""
        index = {word: code for code, word in enumerate(self.words)}
        code = index.setdefault(text, len(index))
        return type(self)(np.where(self.codes < 0, np.int32(code), self.codes), list(index))

    def used(self) -> list[str]:
        """Return the words that some row has."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.words))
        return [self.words[code] for code in np.flatnonzero(counts).tolist()]

    def tolist(self) -> list[str | None]:
        """Return the texts, None where missing."""
        texts = [*self.words, None]
        return [texts[code] for code in self.codes.tolist()]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Self:
        """Return some rows."""
        return type(self)(self.codes[rows], self.words)


@dataclass(frozen=True)
class Piece:
    """Cells [n] of one block of UTF-8: where each starts and ends."""

    data: bytes | bytearray
    starts: Offsets
    ends: Offsets

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, rows: Any) -> "Piece":
        """Return some rows; they may lie apart."""
        pick = np.ascontiguousarray
        return Piece(self.data, pick(self.starts[rows]), pick(self.ends[rows]))

    def texts(self) -> list[str]:
        """Return the cells."""
        return compiled.texts(self.data, self.starts, self.ends)

    def words(self) -> Words:
        """Return the cells as words."""
        codes = np.empty(len(self), dtype=np.int32)
        return Words(codes, compiled.codes(self.data, self.starts, self.ends, codes))

    def numbers(self, point: str, refuse_zeros: bool) -> tuple[NDArray[np.float64], Offsets]:
        """Return the numbers that cells write, NaN for blank ones, and the rows that need a closer look.

        ``point`` is the decimal mark; ``refuse_zeros`` says to look at numbers with leading zeros, too.
        """
        values, odd = np.empty(len(self)), np.empty(len(self), dtype=np.int32)
        found = compiled.numbers(self.data, self.starts, self.ends, ord(point), refuse_zeros, values, odd)
        return values, odd[:found]


def piece(values: Sequence[int]) -> Piece:
    """Return whole numbers as cells, one behind the other."""
    data = "".join(f"{value}\n" for value in values).encode()
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")).astype(np.int32)
    return Piece(data, np.concatenate((np.zeros(1, np.int32), ends + 1))[:-1], ends)


class Text(Sequence[str]):
    """The cells of a column of text, like a list of them but without an object for each."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        self._begins = np.cumsum([0, *map(len, pieces)]).tolist()

    def __len__(self) -> int:
        return int(self._begins[-1])

    @overload
    def __getitem__(self, rows: int) -> str: ...
    @overload
    def __getitem__(self, rows: slice) -> "Text": ...
    def __getitem__(self, rows: int | slice) -> "str | Text":
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            parts = zip(self._begins, self.pieces, strict=False)
            return Text([piece[max(0, start - begin) : max(0, stop - begin)] for begin, piece in parts])
        number = int(np.searchsorted(self._begins, rows, side="right")) - 1
        at = rows - self._begins[number]
        return self.pieces[number][at : at + 1].texts()[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self.tolist() == list(other)

    __hash__ = None  # type: ignore[assignment]

    def tolist(self) -> list[str]:
        """Return the cells as a list."""
        return [text for piece in self.pieces for text in piece.texts()]

    def words(self) -> Words:
        """Return the cells as words."""
        found = [piece.words() for piece in self.pieces]
        index: dict[str, int] = {}
        codes = [np.empty(0, dtype=np.int32)]
        for part in found:
            places = np.array([index.setdefault(word, len(index)) for word in part.words], dtype=np.int32)
            codes.append(places[part.codes])
        return found[0] if len(found) == 1 else Words(np.concatenate(codes), list(index))

    def numbers(self, point: str, refuse_zeros: bool) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the numbers that cells write, NaN for blank ones, and the rows that need a closer look."""
        found = [piece.numbers(point, refuse_zeros) for piece in self.pieces]
        values = [np.empty(0), *(part for part, _ in found)]
        odd = [part + begin for begin, (_, part) in zip(self._begins, found, strict=False)]
        return np.concatenate(values), np.concatenate([np.empty(0, dtype=np.int64), *odd])

    def take(self, rows: NDArray[np.int64]) -> "Text":
        """Return some rows, in ascending order."""
        cuts = np.searchsorted(rows, self._begins)
        parts = zip(self.pieces, self._begins, cuts[:-1], cuts[1:], strict=False)
        return Text([piece[rows[low:high] - begin] for piece, begin, low, high in parts])


def split(data: bytes, delimiter: str, quote: str | None, width: int) -> list[Piece] | None:
    """Return the columns of a block of UTF-8 whose lines are rows of ``width`` cells; None where it is not so plain.

    Where it is, the cells are those that Python's csv module reads.
    """
    if max(map(ord, (delimiter, quote or "\0"))) > 127 or len(data) > 2**31 - 1:
        return None
    block = bytearray(data) if quote is not None and quote.encode() in data else data  # Unescaping is done in place.
    capacity = int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))) + 1
    starts, ends = np.empty((width, capacity), dtype=np.int32), np.empty((width, capacity), dtype=np.int32)
    rows = compiled.split(block, ord(delimiter), -1 if quote is None else ord(quote), width, starts, ends)
    if rows < 0:
        return None
    return [Piece(block, starts[index, :rows], ends[index, :rows]) for index in range(width)]
