"""The arithmetic of codes: distributions over them, codebooks, and penalties on them."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from nnkit.nn.basic import empty
from nnkit.nn.random import RandomModule

LOG_TWO_PI = math.log(2 * math.pi)
DEAD = 0.05
"""Rows a batch, in the moving mean, below which a vector of a codebook is taken for unused."""
SMOOTHING = 1e-5
LEAST = 1e-6
"""The least mean activation whose logarithm is taken."""


def moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two halves of the last axis: means and log variances, [n, ..., size] each."""
    mean, log_variance = values.chunk(2, -1)
    return mean, log_variance


def drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Return codes of these distributions by normal ``noise``, through which gradients pass (Kingma, Welling, 2014)."""
    return mean + (0.5 * log_variance).exp() * noise


def kl_to_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the divergence in nats of normal distributions [n, ...] from the standard one, for each row [n]."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)


def log_normal(values: Tensor, mean: Tensor | float, log_variance: Tensor | float) -> Tensor:
    """Return the log density in nats of values [n, ...] under independent normal distributions, for each row [n]."""
    log_variance = torch.as_tensor(log_variance, dtype=values.dtype, device=values.device)
    terms = (values - mean).square() * (-log_variance).exp() + log_variance + LOG_TWO_PI
    return -0.5 * terms.flatten(1).sum(1)


def log_bernoulli(logits: Tensor, rows: Tensor) -> Tensor:
    """Return the log probability in nats of rows [n, ...] of numbers from 0 to 1, for each row [n].

    A number between is taken for that share of a 1, as is usual with pictures in grey.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, rows, reduction="none")
    return -losses.flatten(1).sum(1)


class Quantised(NamedTuple):
    """Vectors of a codebook for values [n, ..., size]: those themselves, their numbers [n, ...], what rows cost [n]."""

    vectors: Tensor
    numbers: Tensor
    commitment: Tensor
    codebook: Tensor


class Codebook(RandomModule):
    """Takes for each vector the nearest of a learned list (van den Oord and others, 2017).

    Gradients pass straight through. With ``decay`` the list follows the moving mean of what it stands for, and a vector
    that hardly any row takes starts again at a vector of the batch; without it, the list is a weight like any other.
    """

    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int, size: int, decay: float | None) -> None:
        super().__init__()
        self.decay = decay
        if decay is None:
            self.vectors: Tensor = empty(codes, size)
            return
        self.register_buffer("vectors", torch.zeros(codes, size))
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, size))

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors [n, ..., size]."""
        return self.quantise(x).vectors

    def quantise(self, x: Tensor) -> Quantised:
        """Return the vectors for values [n, ..., size], and learn from them in training."""
        flat = x.detach().reshape(-1, x.shape[-1])
        learns = self.training and self.decay is not None
        if learns:
            self._revive(flat)
        numbers = self.nearest(flat)
        found = self.vectors[numbers].view_as(x)
        if learns:
            self._follow(flat, numbers)
        commitment = (x - found.detach()).square().flatten(1).mean(1)
        codebook = (x.detach() - found).square().flatten(1).mean(1)
        return Quantised(x + (found - x).detach(), numbers.view(x.shape[:-1]), commitment, codebook)

    def nearest(self, flat: Tensor) -> Tensor:
        """Return the number of the nearest vector for each of [m, size]."""
        vectors = self.vectors.detach()
        return (vectors.square().sum(1) - 2 * flat @ vectors.T).argmin(1)

    @torch.no_grad()
    def _revive(self, flat: Tensor) -> None:
        dead = self.counts < DEAD
        if not dead.any():
            return
        places = (self.draws.uniform(self.name, flat[:1], len(dead))[0] * len(flat)).long()
        chosen = flat[places.clamp(max=len(flat) - 1)]
        self.vectors[dead] = chosen[dead]
        self.sums[dead] = chosen[dead]
        self.counts[dead] = 1

    @torch.no_grad()
    def _follow(self, flat: Tensor, numbers: Tensor) -> None:
        assert self.decay is not None  # noqa: S101 - the caller looked
        taken = functional.one_hot(numbers, len(self.counts)).to(flat.dtype)
        self.counts.mul_(self.decay).add_(taken.sum(0), alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(taken.T @ flat, alpha=1 - self.decay)
        total = self.counts.sum()
        smooth = (self.counts + SMOOTHING) / (total + len(self.counts) * SMOOTHING) * total
        self.vectors.copy_(self.sums / smooth[:, None])


class Scalar(nn.Module):
    """One learned number."""

    def __init__(self) -> None:
        super().__init__()
        self.value = empty()

    def forward(self, x: Tensor) -> Tensor:
        """Return the number."""
        return self.value


def sparsity(codes: Tensor, rho: float) -> Tensor:
    """Return the divergence of Bernoulli(rho) from the batch's mean activations, summed over the units [1] (Ng, 2011).

    ``codes`` [n, ...] are from 0 to 1.
    """
    mean = codes.flatten(1).mean(0).clamp(LEAST, 1 - LEAST)
    terms = rho * (math.log(rho) - mean.log()) + (1 - rho) * (math.log(1 - rho) - (1 - mean).log())
    return terms.sum()


def jacobian_norm(codes: Tensor, rows: Tensor) -> Tensor:
    """Return the squared Frobenius norm of the derivative of ``codes`` [n, ...] by ``rows`` [n, ...], for each row [n].

    It is exact: a pass backwards for each number of a code, all at once (Rifai and others, 2011). Rows must not depend
    on each other.
    """
    flat = codes.flatten(1)
    units = torch.eye(flat.shape[1], dtype=flat.dtype, device=flat.device)
    directions = units[:, None].expand(-1, len(flat), -1)
    [slopes] = torch.autograd.grad(flat, rows, directions, create_graph=True, is_grads_batched=True)
    return slopes.square().transpose(0, 1).flatten(1).sum(1)
