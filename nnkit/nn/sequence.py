"""Sequences of several lengths in one batch: padded values, and modules that must know where a row ends."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self, TypeAlias

import torch
from torch import Tensor, nn


class Padded(NamedTuple):
    """Rows of several lengths as one tensor: values [n, longest, ...] and lengths [n]; what lies behind an end is 0."""

    values: Tensor
    lengths: Tensor


Lengths: TypeAlias = Sequence[Tensor | None]
"""For each input of a module its rows' lengths [n], or None where all rows have the full length; empty if all do."""


class SequenceModule(nn.Module):
    """A module that looks along the first axis of its rows, and so must know how long each of them is.

    ``forward`` takes ``lengths`` by name. What lies behind a row's end may be anything on the way in, and must not
    change what comes out for the row.
    """

    def out_lengths(self, lengths: Lengths) -> Tensor | None:
        """Return the lengths of the outputs of inputs with these lengths."""
        return first(lengths)


class CarryingModule(SequenceModule):
    """A module that can go on where it ended: in training if it is ``stateful``, anywhere while it is ``stepping``."""

    def __init__(self, stateful: bool = False) -> None:
        super().__init__()
        self.stateful = stateful
        self.stepping = False
        self.carrying = True
        """Whether a stateful module carries now: in training, also where it is frozen."""
        self.carried: tuple[Tensor, ...] = ()

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation, which neither reads nor changes what training carries."""
        self.carrying = mode
        return super().train(mode)

    def begin(self, rows: int) -> tuple[Tensor, ...]:
        """Return what the last batch left, or nothing; a batch of another number of rows starts anew."""
        carries = self._carries and self.carried and len(self.carried[0]) == rows
        return self.carried if carries else ()

    def end(self, state: tuple[Tensor, ...]) -> None:
        """Leave a state [n, ...] for the next batch; no gradient flows back through it."""
        if self._carries:
            self.carried = tuple(tensor.detach() for tensor in state)

    @property
    def _carries(self) -> bool:
        return self.stepping or (self.stateful and self.carrying)

    def reset_state(self) -> None:
        """Start the next batch anew."""
        self.carried = ()


def carrying(module: nn.Module) -> Iterator[tuple[str, CarryingModule]]:
    """Yield the modules in ``module`` that can carry a state, with their names."""
    for name, part in module.named_modules():
        if isinstance(part, CarryingModule):
            yield name, part


def first(lengths: Lengths) -> Tensor | None:
    """Return the lengths of the first input that has some, or None."""
    return next((known for known in lengths if known is not None), None)


def inside(lengths: Tensor, size: int) -> Tensor:
    """Return which places of a padded axis of ``size`` lie before the ends [n] of their rows, as booleans [n, size]."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def zeroed(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return ``x`` [n, steps, ...] with zeros behind the ends of its rows, whatever is there."""
    if lengths is None:
        return x
    return x.masked_fill(~beside(inside(lengths, x.shape[1]), x), 0.0)


def beside(mask: Tensor, x: Tensor) -> Tensor:
    """Return a mask of the first axes of ``x`` with axes of 1 for the others."""
    return mask.view(*mask.shape, *(1,) * (x.dim() - mask.dim()))


def at_end(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the last step [n, ...] of each row of ``x`` [n, steps, ...]; zeros for a row without any."""
    if x.shape[1] == 0:
        return x.sum(1)
    if lengths is None:
        return x[:, -1]
    last = x[torch.arange(len(x), device=x.device), (lengths - 1).clamp(min=0)]
    return last.masked_fill(beside(lengths == 0, last), 0.0)


def backwards(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the steps of each row [n, steps, ...] from its own end to its start; what lies behind the end stays."""
    if lengths is None:
        return x.flip(1)
    places = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
    index = torch.where(inside(lengths, x.shape[1]), lengths[:, None] - 1 - places, places)
    return x[torch.arange(len(x), device=x.device)[:, None], index]


def together(x: Tensor, ends: Tensor | None, mode: str) -> Tensor:
    """Return mean, max or sum over the steps of [n, steps, ...] before the ends of its rows; zeros where none is."""
    if not x.shape[1]:
        return x.sum(1)
    if mode == "max":
        return _largest(x, ends)
    total = zeroed(x, ends).sum(1)
    if mode == "sum":
        return total
    return total / (x.shape[1] if ends is None else beside(ends.clamp(min=1), total))


def _largest(x: Tensor, ends: Tensor | None) -> Tensor:
    if ends is None:
        return x.amax(1)
    lowest = torch.finfo(x.dtype).min
    largest = x.masked_fill(~beside(inside(ends, x.shape[1]), x), lowest).amax(1)
    return largest.masked_fill(beside(ends == 0, largest), 0.0)
