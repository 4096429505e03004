"""Channels last outside, torch's order inside; and the modules that stretch the axes of space.

A contiguous [n, h, w, c] seen as [n, c, h, w] is torch's ``channels_last`` memory format, in which convolutions and
pools are quickest on a CPU, so no values move on the way. Series become pictures with a height of 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnkit.errors import DataError
from nnkit.nn.sequence import Lengths, SequenceModule, first, zeroed

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def channels_first(x: Tensor) -> Tensor:
    """Return a view of [n, *axes, c] in torch's order; [n, steps, c] becomes [n, c, 1, steps]."""
    return (x.unsqueeze(1) if x.dim() == 3 else x).movedim(-1, 1)


def channels_last(y: Tensor, rank: int) -> Tensor:
    """Return [n, *axes, c] of what has torch's order, contiguous; ``rank`` is the number of axes."""
    y = y.movedim(1, -1).contiguous()
    return y.squeeze(1) if rank == 1 else y


def planar(values: Sequence[int], fill: int = 1) -> tuple[int, ...]:
    """Return a number for each axis of ``channels_first``: one more for the height of series."""
    return (fill, *values) if len(values) == 1 else tuple(values)


def pad(x: Tensor, pads: Sequence[tuple[int, int]]) -> Tensor:
    """Put zeros before and after the last ``len(pads)`` axes."""
    return nn.functional.pad(x, [amount for pair in reversed(pads) for amount in pair])


def lengthened(x: Tensor, steps: int) -> Tensor:
    """Return ``x`` [n, steps, ...] with zeros behind its steps, so that there are ``steps``."""
    return pad(x, [(0, steps - x.shape[1]), *[(0, 0)] * (x.dim() - 2)])


def check_room(sizes: Sequence[int], windows: Sequence[int]) -> None:
    """Raise ``DataError`` where a batch's axes are shorter than windows, as only axes of varying length can be."""
    if any(size < window for size, window in zip(sizes, windows, strict=True)):
        found, needed = (" x ".join(map(str, values)) for values in (sizes, windows))
        raise DataError(
            f"rows of {found} values along their axes are shorter than the {needed} that a layer needs; "
            f"leave such rows out, or put zeros around them by zero_pad"
        )


class Upsample(SequenceModule):
    """Stretches the axes of [n, *axes, c] by whole factors: values repeated, or between their neighbours."""

    def __init__(self, factors: Sequence[int], bilinear: bool) -> None:
        super().__init__()
        self.factors = tuple(factors)
        self.mode = "bilinear" if bilinear else "nearest-exact"

    def out_lengths(self, lengths: Lengths) -> Tensor | None:
        """Return the longer rows' lengths."""
        ends = first(lengths)
        return None if ends is None else ends * self.factors[0]

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Stretch."""
        factors = [float(factor) for factor in planar(self.factors)]
        y = nn.functional.interpolate(channels_first(x), scale_factor=factors, mode=self.mode)
        return channels_last(y, len(self.factors))


class Pad(SequenceModule):
    """Puts zeros around the axes of [n, *axes, c], or takes values off where a number is negative."""

    def __init__(self, pads: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.pads = tuple(pads)

    def out_lengths(self, lengths: Lengths) -> Tensor | None:
        """Return the lengths of the rows with what was put around them, or taken off."""
        ends = first(lengths)
        return None if ends is None else (ends + sum(self.pads[0])).clamp(min=0)

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Pad or crop; raises ``DataError`` where nothing would be left."""
        x = zeroed(x, first(lengths))
        check_room(x.shape[1:-1], [1 - sum(pair) for pair in self.pads])
        return pad(x, [*self.pads, (0, 0)])
