"""What the two players of an adversarial net lose, as functions of what the discriminator says."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

AdversarialLoss: TypeAlias = Literal["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"]


def discriminator_losses(loss: AdversarialLoss, real: Tensor, generated: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the discriminator's loss of each pair of a real and a generated row [n], from its scores of them [n].

    ``minimax`` and ``non_saturating`` (Goodfellow and others, 2014): the cross entropy of sigmoid(score), with a target
    of 1 - ``smoothing`` for real rows (Salimans and others, 2016). ``least_squares`` (Mao and others, 2017): half the
    squares of the distances to 1 - ``smoothing`` and 0. ``hinge`` (Lim and Ye, 2017): what a real score lacks of 1 and
    a generated one is above -1. ``wasserstein`` (Arjovsky and others, 2017): the difference of the scores.
    """
    if loss in ("minimax", "non_saturating"):
        return softplus(-real) + smoothing * real + softplus(generated)
    if loss == "least_squares":
        return ((real - 1 + smoothing).square() + generated.square()) / 2
    if loss == "hinge":
        return relu(1 - real) + relu(1 + generated)
    return generated - real


def generator_losses(loss: AdversarialLoss, generated: Tensor) -> Tensor:
    """Return the generator's loss of each generated row [n], from the discriminator's scores of them [n]."""
    if loss == "minimax":
        return -softplus(generated)
    if loss == "non_saturating":
        return softplus(-generated)
    if loss == "least_squares":
        return (generated - 1).square() / 2
    return -generated


def gradient_penalties(score: Callable[[Tensor], Tensor], real: Tensor, generated: Tensor, shares: Tensor) -> Tensor:
    """Return (the length of the score's gradient - 1) squared at a point between each pair of rows [n].

    ``shares`` [n, 1] from 0 to 1 says where: the share of the real row (Gulrajani and others, 2017).
    """
    share = shares.view(len(real), *[1] * (real.dim() - 1))
    between = (share * real + (1 - share) * generated).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    # The root of 0 has no slope, and a discriminator that is flat somewhere would give NaN.
    return ((gradient.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square()


def threshold(loss: AdversarialLoss, real: Tensor, generated: Tensor) -> Tensor:
    """Return the score above which the discriminator takes a row for a real one.

    A critic of ``wasserstein`` knows none: the middle between its means of real and generated rows stands for it.
    """
    if loss == "wasserstein":
        return (real.mean() + generated.mean()) / 2
    return torch.full((), 0.5 if loss == "least_squares" else 0.0, dtype=real.dtype, device=real.device)
