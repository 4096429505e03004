"""The module of what is fitted and not trained by gradients: it keeps arrays behind the network that makes codes."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Kept(nn.Module):
    """Gives rows [n, ...] flat [n, values], and keeps arrays of these shapes by name."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))

    def forward(self, rows: Tensor) -> Tensor:
        """Return the rows flat."""
        return rows.flatten(1)
