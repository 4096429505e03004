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
    for part in module.modules():
        if isinstance(part, RandomModule):
            part.draws = GeneratorDraws(torch.Generator().manual_seed(3))
    return module


def drawn(options: dict[str, Any] | str, *shapes: Shape, seed: int = 0) -> nn.Module:
    """Build a layer with weights from a normal distribution."""
    source = torch.Generator().manual_seed(seed)
    weights = LAYERS.decode(options).weights(*shapes)
    return build(
        options, *shapes, **{name: torch.randn(weight.shape, generator=source) for name, weight in weights.items()}
    )


def gradients(output: Tensor, *tensors: Tensor) -> list[Tensor]:
    """Return the gradients of a sum of an output's values, each with a factor of its own."""
    factors = torch.linspace(-1, 1, output.numel()).reshape(output.shape).to(output)
    return list(torch.autograd.grad((output * factors).sum(), tensors))
