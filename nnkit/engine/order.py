"""What is random about training batches, the same in every engine: the order of rows, and which values drop out.

All of it follows from the seed, the phase and the place alone, so a resumed run draws again what the killed one drew.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nnkit.seeds import bits, generator

SLAB_ROWS = 1024
SLAB_VALUES = 2**20
"""Rows whose numbers are drawn at once, and how many numbers these may be."""
BUCKET = 50
"""Batches among which rows are sorted by length."""
LEVELS = 2**16
"""A value is dropped where its number, of 0 to 65,535, is below the rate's share of these; the error is below 1e-5."""


@dataclass(frozen=True)
class RowOrder:
    """The order in which each epoch takes ``rows`` rows.

    ``chances`` [rows] draws rows with replacement in proportion to it instead of taking each row once. With
    ``lengths`` [rows] rows of about one length come together: the shuffled rows are sorted by it in stretches of
    ``BUCKET`` batches of ``batch`` rows, whose batches are then shuffled. With ``streams`` nothing is shuffled: row j
    of a batch is the one that follows row j of the batch before, as a network that carries its state needs them.
    """

    rows: int
    seed: int
    phase: str
    chances: NDArray[np.float64] | None = None
    lengths: NDArray[np.int64] | None = None
    batch: int = 1
    streams: bool = False

    def of(self, epoch: int) -> NDArray[np.int64]:
        """Return the row numbers of the 0-based ``epoch`` in the order in which training takes them."""
        if self.streams:
            return in_streams(self.rows, self.batch)
        order = self._drawn(epoch)
        return order if self.lengths is None else self._bucketed(order, self.lengths, epoch)

    def _bucketed(self, order: NDArray[np.int64], lengths: NDArray[np.int64], epoch: int) -> NDArray[np.int64]:
        stretch = BUCKET * self.batch
        parts = [order[start : start + stretch] for start in range(0, len(order), stretch)]
        by_length = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in parts])
        whole, last = np.split(by_length, [len(order) - len(order) % self.batch])
        batches = whole.reshape(-1, self.batch)
        mixed = batches[generator(self.seed, "batches", self.phase, epoch).permutation(len(batches))]
        return np.concatenate([mixed.ravel(), last])

    def _drawn(self, epoch: int) -> NDArray[np.int64]:
        if self.chances is None:
            return shuffled(bits(self.seed, "order", self.phase, epoch), self.rows)
        draw = generator(self.seed, "order", self.phase, epoch)
        return draw.choice(self.rows, self.rows, p=self.chances / self.chances.sum())


def in_streams(rows: int, batch: int) -> NDArray[np.int64]:
    """Return the numbers of ``rows`` rows, cut into ``batch`` streams that go on from batch to batch.

    Rows beyond the last whole batch are left for a smaller one at the end.
    """
    steps = rows // batch
    streams = np.arange(steps * batch, dtype=np.int64).reshape(batch, steps)
    return np.concatenate([streams.T.ravel(), np.arange(steps * batch, rows, dtype=np.int64)])


def shuffled(source: np.random.BitGenerator, rows: int) -> NDArray[np.int64]:
    """Return the numbers below ``rows`` in a random order, in half the time of numpy's permutation.

    They stand in the last bits of random numbers, which are sorted; two that are alike before those bits, as hardly
    happens below a million rows, keep their order.
    """
    last = np.uint64((1 << max(rows - 1, 1).bit_length()) - 1)
    keys: NDArray[np.uint64] = source.random_raw(rows)
    keys &= ~last
    keys |= np.arange(rows, dtype=np.uint64)
    keys.sort()
    keys &= last
    return keys.view(np.int64)


@dataclass
class RowDraws:
    """Random numbers for the rows of an epoch, by the name of what draws and the row's place in the epoch's order."""

    seed: int
    phase: str
    _slabs: dict[str, tuple[tuple[int, int, int], NDArray[np.uint16]]] = field(default_factory=dict, init=False)

    def numbers(self, name: str, epoch: int, start: int, rows: int, values: int) -> NDArray[np.uint16]:
        """Return numbers from 0 to 65,535 [rows, values] for the rows of ``epoch`` from the place ``start`` on."""
        size = max(1, min(SLAB_ROWS, SLAB_VALUES // max(1, values)))
        parts = []
        for slab in range(start // size, -(-(start + rows) // size)):
            first, last = max(start - slab * size, 0), min(start + rows - slab * size, size)
            parts.append(self._slab(name, epoch, slab, size, values)[first:last])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _slab(self, name: str, epoch: int, slab: int, size: int, values: int) -> NDArray[np.uint16]:
        kept = self._slabs.get(name)
        if kept is not None and kept[0] == (epoch, slab, values):
            return kept[1]
        source = bits(self.seed, "draws", self.phase, name, epoch, slab)
        raw = source.random_raw(-(-size * values // 4)).astype("<u8", copy=False)
        numbers = raw.view("<u2")[: size * values].reshape(size, values).astype(np.uint16, copy=False)
        self._slabs[name] = (epoch, slab, values), numbers
        return numbers

    def normal(self, name: str, epoch: int, start: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return normal draws [rows, ...] for the rows of ``epoch`` from the place ``start`` on, drawn together."""
        return generator(self.seed, "normal", self.phase, name, epoch, start).standard_normal(shape, np.float32)


def threshold(rate: float) -> int:
    """Return the number below which a value drops out with the probability ``rate``."""
    return int(rate * LEVELS + 0.5)
