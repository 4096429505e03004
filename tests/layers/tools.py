"""What the tests of layers share."""

from typing import Any

import torch
from torch import Tensor, nn

from nnkit.layers.base import LAYERS
from nnkit.nn.random import GeneratorDraws, RandomModule
from nnkit.shapes import Shape


def build(options: dict[str, Any] | str, *shapes: Shape, **weights: Tensor) -> nn.Module:
    """Build a layer with these weights; a random one draws from a generator of its own."""
    module = LAYERS.decode(options).build(*shapes)
    module.load_state_dict(weights)
    if isinstance(module, RandomModule):
        module.draws = GeneratorDraws(torch.Generator().manual_seed(3))
    return module
