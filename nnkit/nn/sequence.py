"""Sequences of several lengths in one batch: padded values, and modules that must know where a row ends."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

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


def first(lengths: Lengths) -> Tensor | None:
    """Return the lengths of the first input that has some, or None."""
    return next((known for known in lengths if known is not None), None)


def inside(lengths: Tensor, size: int) -> Tensor:
    """Return which places of a padded axis of ``size`` lie before the ends [n] of their rows, as booleans [n, size]."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def zeroed(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return ``x`` [n, steps, ...] with zeros behind the ends of its rows."""
    if lengths is None:
        return x
    mask = inside(lengths, x.shape[1])
    return x * mask.view(*mask.shape, *(1,) * (x.dim() - 2)).to(x.dtype)
