"""Batches of rows: slices of a permutation of data that lies in memory as tensors on the device."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnkit.engine.order import RowOrder

GATHER_LIMIT = 256 * 2**20
"""Up to this many bytes a whole epoch is put into order at once, which spares each step its own gathering."""


class Stored(Protocol):
    """Rows that stay where they are, as on a disk, until some are asked for: uint8 [n, ...]."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all axes."""

    def __len__(self) -> int:
        """How many rows there are."""

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        """Return some rows, by a slice or by their numbers."""


Input: TypeAlias = Tensor | Stored
"""Rows of one input; uint8 stands for the numbers from 0 to 1, in steps of 1 / 255."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows: inputs by name [n, ...], targets [n, ...] and, where rows weigh differently, weights [n]."""

    inputs: Mapping[str, Input]
    targets: Tensor
    weights: Tensor | None = None

    steps: ClassVar[int] = 1

    def __len__(self) -> int:
        return len(self.targets)

    def split(self, rows: int) -> "Iterator[Batch]":
        """Yield the batch in parts of at most ``rows`` rows."""
        if len(self) <= rows:
            yield self
            return
        columns = zip(*(_parts(values, rows) for values in self.inputs.values()), strict=True)
        targets = torch.split(self.targets, rows)
        weights = [None] * len(targets) if self.weights is None else torch.split(self.weights, rows)
        for parts, target, weight in zip(columns, targets, weights, strict=True):
            yield Batch(dict(zip(self.inputs, parts, strict=True)), target, weight)

    def at(self, index: Tensor) -> "Batch":
        """Return the rows that ``index`` names, in its order."""
        inputs = {name: _at(values, index) for name, values in self.inputs.items()}
        return Batch(inputs, self.targets[index], None if self.weights is None else self.weights[index])

    @property
    def apart(self) -> int:
        """How far apart the random numbers of two rows begin."""
        return 1

    def floats(self, dtype: torch.dtype) -> dict[str, Any]:
        """Return the inputs as a network takes them: on the device of the targets, pixels as numbers from 0 to 1."""
        return {name: as_floats(_tensor(values), self.targets.device, dtype) for name, values in self.inputs.items()}

    @property
    def in_memory(self) -> bool:
        """Whether all inputs are in memory."""
        return all(isinstance(values, Tensor) for values in self.inputs.values())

    @property
    def bytes(self) -> int:
        """The memory that the tensors take."""
        tensors = [values for values in (*self.inputs.values(), self.targets) if isinstance(values, Tensor)]
        return sum(tensor.nbytes for tensor in tensors)


def as_floats(values: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return values on ``device`` as floats, uint8 as numbers from 0 to 1."""
    moved = values.to(device)
    return moved.to(dtype).div_(255) if moved.dtype == torch.uint8 else moved.to(dtype)


def _tensor(values: Input) -> Tensor:
    return values if isinstance(values, Tensor) else torch.from_numpy(values[:])


def _at(values: Input, index: Tensor) -> Tensor:
    return values[index] if isinstance(values, Tensor) else torch.from_numpy(values[index.cpu().numpy()])


def _parts(values: Input, rows: int) -> Iterator[Input]:
    if isinstance(values, Tensor):
        yield from torch.split(values, rows)
    else:
        yield from (torch.from_numpy(values[start : start + rows]) for start in range(0, len(values), rows))


class RowBatches:
    """Training batches: the rows in each epoch's order, cut into steps."""

    def __init__(self, rows: Batch, size: int, order: RowOrder) -> None:
        self.rows = rows
        self.size = size
        self.steps = -(-len(rows) // size)
        self._order = order

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the row numbers of the 0-based ``epoch`` in the order in which training takes them."""
        return self._order.of(epoch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of the 0-based ``epoch`` from the one with the number ``start``."""
        if start >= self.steps:
            return
        order = torch.from_numpy(self.order(epoch)[start * self.size :]).to(self.rows.targets.device)
        if self.rows.in_memory and self.rows.bytes <= GATHER_LIMIT:
            yield from self.rows.at(order).split(self.size)
        else:
            yield from (self.rows.at(part) for part in torch.split(order, self.size))


def to_batch(
    inputs: Mapping[str, "NDArray[np.generic] | Stored"],
    targets: NDArray[np.generic],
    weights: NDArray[np.float64] | None,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Batch:
    """Put arrays on ``device``, but for what is stored; floating-point ones become ``dtype``."""

    def tensor(array: NDArray[np.generic]) -> Tensor:
        value = torch.from_numpy(np.ascontiguousarray(array))
        return value.to(device, dtype if value.is_floating_point() else None)

    return Batch(
        {name: tensor(rows) if isinstance(rows, np.ndarray) else rows for name, rows in inputs.items()},
        tensor(targets),
        None if weights is None else tensor(weights),
    )
