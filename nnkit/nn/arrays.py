"""Modules whose weights come from arrays and become arrays, by name."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn


class ArraysModule(nn.Module):
    """A module that takes its weights from arrays."""

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Copy arrays into the weights of the same names; raises ``ValueError`` where names or shapes differ."""
        # load_state_dict would take time in the square of the number of layers.
        weights = self.state_dict()
        given = {name: array.shape for name, array in arrays.items()}
        needed = {name: tuple(weight.shape) for name, weight in weights.items()}
        if given != needed:
            names = sorted(name for name in given | needed if given.get(name) != needed.get(name))
            raise ValueError(f"these arrays are missing, unknown or of other shapes: {', '.join(names)}")
        for name, array in arrays.items():
            weights[name].copy_(torch.tensor(array))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return copies of the weights by name."""
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in self.state_dict().items()}
