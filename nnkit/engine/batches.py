"""Batches of rows: slices of a permutation of data that lies in memory as tensors on the device."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnkit.engine.order import RowOrder

GATHER_LIMIT = 256 * 2**20
"""Up to this many bytes a whole epoch is put into order at once, which spares each step its own gathering."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows: inputs by name [n, ...], targets [n, ...] and, where rows weigh differently, weights [n]."""

    inputs: dict[str, Tensor]
    targets: Tensor
    weights: Tensor | None = None

    steps: ClassVar[int] = 1

    def __len__(self) -> int:
        return len(self.targets)

    def split(self, rows: int) -> list["Batch"]:
        """Cut the batch into parts of at most ``rows`` rows."""
        if len(self) <= rows:
            return [self]
        names = list(self.inputs)
        columns = zip(*(torch.split(self.inputs[name], rows) for name in names), strict=True)
        targets = torch.split(self.targets, rows)
        weights = [None] * len(targets) if self.weights is None else torch.split(self.weights, rows)
        return [
            Batch(dict(zip(names, parts, strict=True)), target, weight)
            for parts, target, weight in zip(columns, targets, weights, strict=True)
        ]

    def at(self, index: Tensor) -> "Batch":
        """Return the rows that ``index`` names, in its order."""
        inputs = {name: tensor[index] for name, tensor in self.inputs.items()}
        return Batch(inputs, self.targets[index], None if self.weights is None else self.weights[index])

    @property
    def bytes(self) -> int:
        """The memory that the tensors take."""
        return sum(tensor.nbytes for tensor in (*self.inputs.values(), self.targets))


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
        if self.rows.bytes <= GATHER_LIMIT:
            yield from self.rows.at(order).split(self.size)
        else:
            yield from (self.rows.at(part) for part in torch.split(order, self.size))


def to_batch(
    inputs: Mapping[str, Any],
    targets: NDArray[np.generic],
    weights: NDArray[np.float64] | None,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Batch:
    """Put arrays on ``device``; floating-point ones become ``dtype``, and pictures numbers from 0 to 1."""

    def tensor(array: NDArray[np.generic]) -> Tensor:
        value = torch.from_numpy(np.ascontiguousarray(array))
        return value.to(device, dtype if value.is_floating_point() else None)

    def numbers(array: Any) -> Tensor:
        return tensor(array[:]).to(dtype) / 255 if array.dtype == np.uint8 else tensor(array)

    return Batch(
        {name: numbers(array) for name, array in inputs.items()},
        tensor(targets),
        None if weights is None else tensor(weights),
    )
