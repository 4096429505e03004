"""Batches of rows: slices of a permutation of data that lies in memory as tensors on the device."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnkit.engine.order import RowOrder
from nnkit.engine.ragged import Ragged
from nnkit.nn.sequence import Padded, inside

CPU = torch.device("cpu")
GATHER_LIMIT = 256 * 2**20
"""Up to this many bytes a whole epoch is put into order at once, which spares each step its own gathering."""


class Stored(Protocol):
    """Rows that stay where they are, as in a file, until some are asked for: uint8 [n, ...]."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all axes."""

    @property
    def in_memory(self) -> bool:
        """Whether the rows are in memory, and so may be put on a device as a whole."""

    def __len__(self) -> int:
        """How many rows there are."""

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        """Return some rows, by a slice or by their numbers."""


Input: TypeAlias = Tensor | Stored | Ragged
"""Rows of one input; uint8 stands for the numbers from 0 to 1, in steps of 1 / 255."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows: inputs by name [n, ...], targets [n, ...] and, where rows weigh differently, weights [n].

    Where each step of a sequence has a target of its own, the targets are ragged.
    """

    inputs: Mapping[str, Input]
    targets: Tensor | Ragged
    weights: Tensor | None = None
    device: torch.device = CPU
    """Where the network is."""

    steps: ClassVar[int] = 1

    def __len__(self) -> int:
        return len(self.targets)

    def split(self, rows: int) -> "Iterator[Batch]":
        """Yield the batch in parts of at most ``rows`` rows."""
        if len(self) <= rows:
            yield self
            return
        columns = zip(*(_parts(values, rows) for values in self.inputs.values()), strict=True)
        targets = list(_parts(self.targets, rows))
        weights = [None] * len(targets) if self.weights is None else torch.split(self.weights, rows)
        for parts, target, weight in zip(columns, targets, weights, strict=True):
            yield Batch(dict(zip(self.inputs, parts, strict=True)), _kept(target), weight, self.device)

    def at(self, index: Tensor) -> "Batch":
        """Return the rows that ``index`` names, in its order."""
        inputs = {name: _at(values, index) for name, values in self.inputs.items()}
        weights = None if self.weights is None else self.weights[index]
        return Batch(inputs, _kept(_at(self.targets, index)), weights, self.device)

    @property
    def apart(self) -> int:
        """How far apart the random numbers of two rows begin."""
        return 1

    def floats(self, dtype: torch.dtype) -> dict[str, Tensor | Padded]:
        """Return the inputs as a network takes them: on its device, pixels as numbers from 0 to 1."""
        return {name: floats(values, self.device, dtype) for name, values in self.inputs.items()}

    @property
    def count(self) -> int:
        """How many targets there are: one a row, or one for each step of a row."""
        return int(self.targets.lengths.sum()) if isinstance(self.targets, Ragged) else len(self.targets)

    def aligned(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return outputs, targets and weights with a row for each target; ``outputs`` [n, ...] are the network's.

        Of outputs [n, longest, ...] for ragged targets, those behind the end of a row are left out.
        """
        if isinstance(self.targets, Tensor):
            return outputs, self.targets, self.weights
        lengths = torch.from_numpy(np.ascontiguousarray(self.targets.lengths)).to(self.device)
        flat = outputs[inside(lengths, outputs.shape[1])]
        targets = torch.from_numpy(self.targets.flat()).to(self.device)
        return flat, targets, None if self.weights is None else self.weights.repeat_interleave(lengths)

    @property
    def in_memory(self) -> bool:
        """Whether all inputs are in memory."""
        return all(isinstance(values, Tensor) for values in (*self.inputs.values(), self.targets))

    @property
    def bytes(self) -> int:
        """The memory that the tensors take."""
        tensors = [values for values in (*self.inputs.values(), self.targets) if isinstance(values, Tensor)]
        return sum(tensor.nbytes for tensor in tensors)


def as_floats(values: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return values on ``device`` as floats, uint8 as numbers from 0 to 1."""
    moved = values.to(device)
    return moved.to(dtype).div_(255) if moved.dtype == torch.uint8 else moved.to(dtype)


def floats(values: "Input | NDArray[Any]", device: torch.device, dtype: torch.dtype) -> Tensor | Padded:
    """Return rows of one input as a network on ``device`` takes them: pixels as numbers from 0 to 1."""
    if isinstance(values, Ragged):
        return padded(values, device, dtype)
    return as_floats(values if isinstance(values, Tensor) else torch.from_numpy(values[:]), device, dtype)


def _kept(values: Input) -> Tensor | Ragged:
    """Return targets, which are never in a file."""
    assert isinstance(values, Tensor | Ragged)  # noqa: S101 - only inputs are
    return values


def padded(rows: Ragged, device: torch.device, dtype: torch.dtype) -> Tensor | Padded:
    """Return ragged rows on ``device`` as floats, with their lengths where these differ."""
    values = as_floats(torch.from_numpy(rows.padded()), device, dtype)
    if len(rows) and rows.lengths.min() == rows.lengths.max():
        return values
    return Padded(values, torch.from_numpy(np.ascontiguousarray(rows.lengths)).to(device))


def _at(values: Input, index: Tensor) -> Input:
    if isinstance(values, Tensor):
        return values[index]
    taken = values[index.cpu().numpy()]
    return taken if isinstance(taken, Ragged) else torch.from_numpy(taken)


def _parts(values: Input, rows: int) -> Iterator[Input]:
    if isinstance(values, Tensor):
        yield from torch.split(values, rows)
        return
    for start in range(0, len(values), rows):
        taken = values[start : start + rows]
        yield taken if isinstance(taken, Ragged) else torch.from_numpy(taken)


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
        order = torch.from_numpy(self.order(epoch)[start * self.size :]).to(self.rows.device)
        if self.rows.in_memory and self.rows.bytes <= GATHER_LIMIT:
            yield from self.rows.at(order).split(self.size)
        else:
            yield from (self.rows.at(part) for part in torch.split(order, self.size))


def to_batch(
    inputs: Mapping[str, "NDArray[np.generic] | Stored | Ragged"],
    targets: NDArray[np.generic] | Ragged,
    weights: NDArray[np.float64] | None,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Batch:
    """Put arrays on ``device``; floating-point ones become ``dtype``.

    Ragged rows and those in a file stay where they are, and so does what the CPU can read where it is.
    """

    def tensor(array: NDArray[np.generic]) -> Tensor:
        value = torch.from_numpy(np.ascontiguousarray(array))
        return value.to(device, dtype if value.is_floating_point() else None)

    def placed(rows: "NDArray[np.generic] | Stored | Ragged") -> Input:
        if isinstance(rows, np.ndarray):
            return tensor(rows)
        if isinstance(rows, Ragged) or device.type == "cpu" or not rows.in_memory:
            return rows
        return tensor(rows[:])

    return Batch(
        {name: placed(rows) for name, rows in inputs.items()},
        targets if isinstance(targets, Ragged) else tensor(targets),
        None if weights is None else tensor(weights),
        device,
    )
