"""Ragged arrays: rows of several lengths, one behind the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """Rows [length, ...] of several lengths in one array [total, ...]: row i lies from ``ends[i] - lengths[i]`` on."""

    values: NDArray[Any]
    lengths: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[NDArray[Any]]) -> "Ragged":
        """Put rows together, of which there is one at least."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return cls(np.concatenate(list(rows)), lengths, lengths.cumsum())

    @classmethod
    def joined(cls, parts: "Sequence[Ragged]") -> "Ragged":
        """Put the rows of parts together, of which there is one at least."""
        starts = np.cumsum([0, *(len(part.values) for part in parts[:-1])])
        ends = [part.ends + start for part, start in zip(parts, starts, strict=True)]
        lengths = np.concatenate([part.lengths for part in parts])
        return cls(np.concatenate([part.values for part in parts]), lengths, np.concatenate(ends))

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def ndim(self) -> int:
        """The number of axes of the rows together."""
        return self.values.ndim + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The rows, the longest length, and the axes of a place."""
        return (len(self), int(self.lengths.max(initial=0)), *self.values.shape[1:])

    def __getitem__(self, rows: Any) -> "Ragged":
        """Return some rows, by a slice or by their numbers; the values stay where they are."""
        return Ragged(self.values, self.lengths[rows], self.ends[rows])

    def row(self, number: int) -> NDArray[Any]:
        """Return the values [length, ...] of one row."""
        end = int(self.ends[number])
        row: NDArray[Any] = self.values[end - int(self.lengths[number]) : end]
        return row

    def padded(self) -> NDArray[Any]:
        """Return the rows as one array [n, longest, ...], with 0 behind the end of each."""
        places = np.arange(self.shape[1])
        inside = places < self.lengths[:, None]
        result = np.zeros((*inside.shape, *self.values.shape[1:]), self.values.dtype)
        result[inside] = self.values[((self.ends - self.lengths)[:, None] + places)[inside]]
        return result

    def flat(self) -> NDArray[Any]:
        """Return the values of all rows, one behind the other [total, ...]."""
        places = np.repeat(self.ends - self.lengths.cumsum(), self.lengths) + np.arange(self.lengths.sum())
        values: NDArray[Any] = self.values[places]
        return values

    def filled(self, size: int, before: int) -> "Ragged":
        """Return ``size`` rows: these behind ``before`` empty ones, and empty ones up to the end."""
        lengths, ends = np.zeros(size, np.int64), np.zeros(size, np.int64)
        lengths[before : before + len(self)], ends[before : before + len(self)] = self.lengths, self.ends
        return Ragged(self.values, lengths, ends)
