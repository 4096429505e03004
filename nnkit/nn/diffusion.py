"""Diffusion: rows become noise in many small steps, and a network learns to take the noise away again."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NoiseSchedule: TypeAlias = Literal["linear", "cosine"]
Predict: TypeAlias = Callable[[Tensor, int], Tensor]
"""f(noisy rows [n, ...], the 1-based step) -> the noise that is in them [n, ...]."""

LINEAR = 1e-4, 2e-2
"""The first and the last noise of 1,000 steps of the linear schedule; of fewer steps each has more."""
USUAL_STEPS = 1000
OFFSET = 0.008
LARGEST = 0.999
EARLY_SHARE, EARLY_LIMIT = 0.1, 4.0
"""Where less of the variance is the row's, the mean of all rows that may be meant is hardly larger than the limit."""


def signal_shares(schedule: NoiseSchedule, steps: int) -> NDArray[np.float64]:
    """Return the share of the variance that is still the row's after each step: falling from 1 to about 0 [steps + 1].

    ``linear`` (Ho and others, 2020) adds noise that grows evenly; ``cosine`` (Nichol and Dhariwal, 2021) leaves more of
    the row in the middle.
    """
    if schedule == "linear":
        scale = USUAL_STEPS / steps
        noise = np.linspace(LINEAR[0] * scale, LINEAR[1] * scale, steps)
    else:
        places = np.arange(steps + 1) / steps
        curve = np.cos((places + OFFSET) / (1 + OFFSET) * math.pi / 2) ** 2
        noise = 1 - curve[1:] / curve[:-1]
    return np.concatenate([[1.0], np.cumprod(1 - np.minimum(noise, LARGEST))])


def noised(rows: Tensor, noise: Tensor, shares: Tensor) -> Tensor:
    """Return rows [n, ...] of which ``shares`` [n] of the variance are left, the rest ``noise`` [n, ...]."""
    share = shares.view(len(rows), *[1] * (rows.dim() - 1))
    return share.sqrt() * rows + (1 - share).sqrt() * noise


def chosen_steps(steps: int, count: int) -> list[int]:
    """Return ``count`` of the steps 1 to ``steps``, evenly spread, the last first."""
    return sorted({round(place) for place in np.linspace(steps, 1, count)}, reverse=True)


def denoised(
    predict: Predict,
    noise: Tensor,
    shares: NDArray[np.float64],
    count: int,
    fresh: Callable[[Tensor], Tensor] | None,
    limit: float | None = None,
) -> Tensor:
    """Turn ``noise`` [n, ...] into rows in ``count`` steps of those that ``shares`` [steps + 1] is of.

    With ``fresh``, which draws normal values like a tensor, each step adds some of the noise again: DDPM (Ho and
    others, 2020). Without, the way is the same for the same noise: DDIM (Song and others, 2021). ``limit`` is the
    largest size that values of rows have, to which each step's guess of the row is cut. Where it is not known, rows are
    taken to be of unit scale, and guesses of what is mostly noise are cut to 4: small errors would become huge ones.
    """
    x = noise
    path = [*chosen_steps(len(shares) - 1, count), 0]
    for step, following in pairwise(path):
        now, then = float(shares[step]), float(shares[following])
        found = predict(x, step)
        row = (x - math.sqrt(1 - now) * found) / math.sqrt(now)
        bound = limit if limit is not None else EARLY_LIMIT if now < EARLY_SHARE else None
        if bound is not None:
            row = row.clamp(-bound, bound)
            found = (x - math.sqrt(now) * row) / math.sqrt(1 - now)
        spread = 0.0 if fresh is None else math.sqrt((1 - then) / (1 - now) * (1 - now / then))
        x = math.sqrt(then) * row + math.sqrt(max(1 - then - spread**2, 0.0)) * found
        if fresh is not None and following:
            x = x + spread * fresh(x)
    return x


def time_waves(times: Tensor, size: int) -> Tensor:
    """Return sines and cosines of times from 0 to 1 [n, ..., 1], of many wavelengths: [n, ..., size]."""
    half = -(-size // 2)
    lengths = torch.arange(half, dtype=times.dtype, device=times.device) / max(half - 1, 1)
    angles = 1000 * times * torch.exp(-math.log(10_000) * lengths)
    return torch.cat((angles.sin(), angles.cos()), -1)[..., :size]
