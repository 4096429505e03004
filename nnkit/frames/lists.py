"""Lists of texts: sentences as their words, or the tags of these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.ragged import Ragged


@dataclass(frozen=True)
class Lists:
    """Lists [n] of texts, of several lengths: ``codes`` (int32) into distinct ``words``; no text is missing."""

    codes: Ragged
    words: Sequence[str]

    ndim = 2

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]]) -> "Lists":
        """Return lists of texts as such, the distinct words in the order in which they first come."""
        index: dict[str, int] = {}
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        codes = (index.setdefault(text, len(index)) for row in rows for text in row)
        values = np.fromiter(codes, np.int32, int(lengths.sum()))
        return cls(Ragged(values, lengths, lengths.cumsum()), list(index))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many texts each list has [n]."""
        return self.codes.lengths

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> "Lists":
        """Return some lists, by a slice, a mask or their numbers."""
        return Lists(self.codes[rows], self.words)

    def counts(self) -> list[int]:
        """Return how often each of the distinct words comes."""
        found: list[int] = np.bincount(self.codes.flat(), minlength=len(self.words)).tolist()
        return found

    def used(self) -> list[str]:
        """Return the words that come in some list."""
        return [word for word, count in zip(self.words, self.counts(), strict=True) if count]

    def numbered(self, number: Callable[[str], Any], width: tuple[int, ...] = ()) -> Ragged:
        """Return a number (int32), or an array of the shape ``width``, for each text: ``number`` of its word."""
        table = np.array([number(word) for word in self.words], np.int32).reshape(len(self.words), *width)
        return Ragged(table[self.codes.values], self.codes.lengths, self.codes.ends)

    def flat(self) -> list[str]:
        """Return all texts, list after list."""
        words = self.words
        return [words[code] for code in self.codes.flat().tolist()]

    def tolist(self) -> list[list[str]]:
        """Return the lists."""
        words = self.words
        return [[words[code] for code in self.codes.row(row).tolist()] for row in range(len(self))]


def joined(pieces: Sequence[Lists]) -> Lists:
    """Put lists behind each other."""
    index: dict[str, int] = {}
    parts = []
    for piece in pieces:
        places = np.array([index.setdefault(word, len(index)) for word in piece.words], np.int32)
        parts.append(places[piece.codes.flat()])
    lengths = np.concatenate([piece.lengths for piece in pieces])
    return Lists(Ragged(np.concatenate(parts), lengths, lengths.cumsum()), list(index))
