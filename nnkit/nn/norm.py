"""Modules that normalize, over the batch or over a row."""

import torch
from torch import Tensor, nn

from nnkit.nn.basic import empty
from nnkit.nn.sequence import Lengths, SequenceModule, first, inside, zeroed


class BatchNorm(SequenceModule):
    """Normalizes each feature (the last axis) over the batch in training, by moving averages afterwards.

    Ioffe and Szegedy, 2015. As in Keras, ``momentum`` is the share of the moving average that stays, and the moving
    variance is of the biased kind; a batch of one row has variance 0 and gives ``beta``.
    """

    moving_mean: Tensor
    moving_variance: Tensor

    def __init__(self, features: int, momentum: float, epsilon: float, center: bool, scale: bool) -> None:
        super().__init__()
        self.gamma = empty(features) if scale else None
        self.beta = empty(features) if center else None
        self.register_buffer("moving_mean", torch.zeros(features))
        self.register_buffer("moving_variance", torch.ones(features))
        self.momentum = momentum
        self.epsilon = epsilon

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Normalize [n, ..., features]; what lies behind the ends of rows is no part of the batch."""
        ends = first(lengths)
        if ends is None or not self.training:
            return self._normalized(x)
        real, y = inside(ends, x.shape[1]), zeroed(x, torch.zeros_like(ends))
        if bool(real.any()):
            y[real] = self._normalized(x[real])
        return y

    def _normalized(self, x: Tensor) -> Tensor:
        # torch computes [n, c, 1, m] in its channels_last format in half the time of [n * m, c], and alike.
        rows = x if x.dim() == 2 else x.flatten(1, -2).unsqueeze(1).permute(0, 3, 1, 2)
        y = self._by_batch(rows) if self.training else self._by_averages(rows)
        return y if x.dim() == 2 else y.permute(0, 2, 3, 1).reshape(x.shape)

    def _by_batch(self, rows: Tensor) -> Tensor:
        # torch.nn.functional.batch_norm refuses a single row, and would keep the unbiased variance.
        y, mean, inverse = torch.native_batch_norm(
            rows, self.gamma, self.beta, None, None, True, 1 - self.momentum, self.epsilon
        )
        with torch.no_grad():
            variance = inverse.pow(-2).sub_(self.epsilon).clamp_(min=0)
            self.moving_mean.lerp_(mean.to(self.moving_mean), 1 - self.momentum)
            self.moving_variance.lerp_(variance.to(self.moving_variance), 1 - self.momentum)
        return y

    def _by_averages(self, rows: Tensor) -> Tensor:
        mean, variance = self.moving_mean, self.moving_variance
        return nn.functional.batch_norm(rows, mean, variance, self.gamma, self.beta, eps=self.epsilon)


class LayerNorm(nn.Module):
    """Normalizes the features (the last axis) of each row (Ba and others, 2016)."""

    def __init__(self, features: int, epsilon: float, center: bool, scale: bool) -> None:
        super().__init__()
        self.gamma = empty(features) if scale else None
        self.beta = empty(features) if center else None
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalize [n, ..., features]."""
        return nn.functional.layer_norm(x, x.shape[-1:], self.gamma, self.beta, self.epsilon)


class GroupNorm(nn.Module):
    """Normalizes groups of features over a row and its axes: [n, ..., features] (Wu and He, 2018)."""

    def __init__(self, features: int, groups: int, epsilon: float, center: bool, scale: bool) -> None:
        super().__init__()
        self.gamma = empty(features) if scale else None
        self.beta = empty(features) if center else None
        self.groups = groups
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalize [n, ..., features]."""
        gamma: Tensor | None = self.gamma
        beta: Tensor | None = self.beta
        if gamma is None and beta is not None:  # torch's backward pass fails where it has one of the two
            gamma = torch.ones_like(beta)
        elif beta is None and gamma is not None:
            beta = torch.zeros_like(gamma)
        # nn.functional.group_norm refuses a single value, which gives beta.
        y = torch.group_norm(x.movedim(-1, 1), self.groups, gamma, beta, self.epsilon)
        return y.movedim(1, -1).contiguous()
