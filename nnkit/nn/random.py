"""Modules that draw while they train; all draws come from one source, which the network hands them."""

import math
from typing import Protocol

import torch
from torch import Tensor, nn

SELU_LIMIT = -1.7580993408473766
"""What selu tends to far below 0: -alpha * scale."""


class Draws(Protocol):
    """Where random numbers come from; ``name`` says who draws."""

    def kept(self, name: str, x: Tensor, rate: float) -> Tensor:
        """Return ones and zeros [like x], a zero with probability ``rate``."""

    def normal(self, name: str, x: Tensor) -> Tensor:
        """Return normal draws [like x]."""

    def uniform(self, name: str, x: Tensor, values: int) -> Tensor:
        """Return draws from 0 to 1 [n, values] for the n rows of ``x``."""


class GeneratorDraws:
    """Draws from one torch generator, one after the other."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def kept(self, name: str, x: Tensor, rate: float) -> Tensor:
        """Return ones and zeros [like x], a zero with probability ``rate``."""
        return torch.empty_like(x).bernoulli_(1 - rate, generator=self.generator)

    def normal(self, name: str, x: Tensor) -> Tensor:
        """Return normal draws [like x]."""
        return torch.empty_like(x).normal_(generator=self.generator)

    def uniform(self, name: str, x: Tensor, values: int) -> Tensor:
        """Return draws from 0 to 1 [n, values] for the n rows of ``x``."""
        return torch.rand((len(x), values), generator=self.generator, dtype=x.dtype, device=x.device)


class RandomModule(nn.Module):
    """A module with draws of its own; the identity outside of training."""

    draws: Draws
    name = ""

    def forward(self, x: Tensor) -> Tensor:
        """Change ``x`` at random in training."""
        return self.disturb(x) if self.training else x

    def disturb(self, x: Tensor) -> Tensor:
        """Return ``x`` changed at random."""
        raise TypeError(f"{type(self).__name__} does not say how it disturbs")

    def kept(self, x: Tensor, rate: float) -> Tensor:
        """Return ones and zeros [like x], a zero with probability ``rate``."""
        return self.draws.kept(self.name, x, rate)

    def normal(self, x: Tensor) -> Tensor:
        """Return normal draws [like x]."""
        return self.draws.normal(self.name, x)


class Dropout(RandomModule):
    """Zeroes values and scales up the others, so that the mean stays (Srivastava and others, 2014)."""

    def __init__(self, rate: float, rescale: bool = True) -> None:
        super().__init__()
        self.rate = rate
        self.rescale = rescale

    def disturb(self, x: Tensor) -> Tensor:
        """Zero some values."""
        kept = self.kept(x, self.rate)
        return x * (kept.div_(1 - self.rate) if self.rescale else kept)


class SpatialDropout(Dropout):
    """Zeroes whole channels of [n, ..., c] and scales up the others (Tompson and others, 2015)."""

    def disturb(self, x: Tensor) -> Tensor:
        """Zero some channels."""
        channels = x[(slice(None), *[slice(0, 1)] * (x.dim() - 2))]
        return x * self.kept(channels, self.rate).div_(1 - self.rate)


class AlphaDropout(RandomModule):
    """Sets values to selu's limit, then shifts and scales so that mean and variance stay (Klambauer, 2017)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.scale = 1 / math.sqrt((1 - rate) * (1 + rate * SELU_LIMIT**2))
        self.shift = -self.scale * SELU_LIMIT * rate

    def disturb(self, x: Tensor) -> Tensor:
        """Set some values to the limit."""
        kept = self.kept(x, self.rate)
        return (x * kept + SELU_LIMIT * (1 - kept)) * self.scale + self.shift


class GaussianDropout(RandomModule):
    """Multiplies by draws from N(1, sqrt(rate / (1 - rate))) (Srivastava and others, 2014)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.stddev = math.sqrt(rate / (1 - rate))

    def disturb(self, x: Tensor) -> Tensor:
        """Multiply by noise."""
        return x * (1 + self.stddev * self.normal(x))


class GaussianNoise(RandomModule):
    """Adds draws from N(0, stddev)."""

    def __init__(self, stddev: float) -> None:
        super().__init__()
        self.stddev = stddev

    def disturb(self, x: Tensor) -> Tensor:
        """Add noise."""
        return x + self.stddev * self.normal(x)
