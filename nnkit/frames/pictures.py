"""Pictures: many of one size, as bytes in memory or in a file, of which rows are taken without copying any."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
WHITE = 255
"""The largest value of a pixel; a network sees values from 0 to 1."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Some pictures uint8 [n, height, width, channels] of a store, in any order.

    The store is an array, in memory or mapped from a file, and is never copied: an index or a slice reads the rows that
    it names, as an array of its own.
    """

    store: Pixels
    rows: NDArray[np.int64] | None = None
    """The places of the pictures in the store; None for all of them in its order."""

    ndim: ClassVar[int] = 4
    dtype: ClassVar[np.dtype[np.uint8]] = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pictures, height, width, channels."""
        return (len(self), *self.store.shape[1:])

    @property
    def nbytes(self) -> int:
        """The bytes that all pixels take."""
        return len(self) * int(np.prod(self.store.shape[1:]))

    @property
    def in_memory(self) -> bool:
        """Whether the pixels are in memory, and not mapped from a file."""
        return not isinstance(self.store, np.memmap)

    def __len__(self) -> int:
        return len(self.store) if self.rows is None else len(self.rows)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Pixels:
        """Return the pixels of some pictures [n, height, width, channels]."""
        chosen = self.store[rows] if self.rows is None else self.store[self.rows[rows]]
        return np.asarray(chosen)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all pixels, for numpy's own functions."""
        return np.array(self[:], dtype=dtype, copy=copy)

    def take(self, rows: NDArray[np.int64]) -> "Pictures":
        """Return some of the pictures, in the order of ``rows``, without reading any."""
        return Pictures(self.store, np.asarray(rows, dtype=np.int64) if self.rows is None else self.rows[rows])

    def floats(self) -> NDArray[np.float32]:
        """Return all pixels as float32 from 0 to 1."""
        values: NDArray[np.float32] = self[:].astype(np.float32)
        values /= np.float32(WHITE)
        return values
