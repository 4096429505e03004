"""Modules that tell steps their places, or make one vector of all steps."""

import torch
from torch import Tensor, nn

from nnkit.errors import DataError
from nnkit.nn.attention import rotated, wave_angles
from nnkit.nn.basic import empty
from nnkit.nn.sequence import Lengths, SequenceModule, at_end, first, together


class PositionEmbedding(nn.Module):
    """Adds a learned vector for each place of [n, steps, size]; raises ``DataError`` beyond the last place."""

    def __init__(self, places: int, size: int) -> None:
        super().__init__()
        self.embeddings = empty(places, size)

    def forward(self, x: Tensor) -> Tensor:
        """Add the vectors."""
        places, steps = len(self.embeddings), x.shape[1]
        if steps > places:
            raise DataError(
                f"position_embedding knows {places} places, and a row has {steps} steps; set max_length to the longest "
                f"row's, or cut the rows"
            )
        return x + self.embeddings[:steps]


class SinusoidalPosition(nn.Module):
    """Adds sines and cosines of each place, of many wavelengths (Vaswani and others, 2017)."""

    def __init__(self, longest: float) -> None:
        super().__init__()
        self.longest = longest

    def forward(self, x: Tensor) -> Tensor:
        """Add sines to values of even number and cosines to those of odd."""
        steps, size = x.shape[1:]
        angles = wave_angles(steps, size, self.longest, x.device)
        waves = torch.stack((angles.sin(), angles.cos()), -1).flatten(1)[:, :size]
        return x + waves.to(x.dtype)


class RotaryPosition(nn.Module):
    """Turns pairs of values by an angle that grows with the place (Su and others, 2021)."""

    def forward(self, x: Tensor) -> Tensor:
        """Turn [n, steps, size]."""
        return rotated(x)


class LastStep(SequenceModule):
    """The last step of each row: [n, steps, ...] -> [n, ...]; zeros for a row without steps."""

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Take the steps."""
        return at_end(x, first(lengths))


class SequencePool(SequenceModule):
    """Mean, maximum or sum over the steps of each row: [n, steps, ...] -> [n, ...]; zeros for a row without steps."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute the layer."""
        return together(x, first(lengths), self.mode)
