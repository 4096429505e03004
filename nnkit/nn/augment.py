"""Augmentation: the pictures of a whole batch are changed at random, each row by draws of its own.

Pictures are floats [n, height, width, channels]. Nothing here has a state: every number comes from the draws.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from nnkit.nn.random import Draws
from nnkit.nn.warp import Move, Warp, in_warps
from nnkit.shapes import pixels

REACH = 4
"""Deviations beyond which a Gaussian is nothing."""


class Change:
    """A change of each picture by itself, with a probability.

    ``name`` says who draws; pictures of other inputs in the same row are changed by the same draws.
    """

    values = 1
    """Draws from 0 to 1 for a row, besides the one for the probability."""

    def __init__(self, name: str, probability: float) -> None:
        self.name = name
        self.probability = probability

    def __call__(self, x: Tensor, draws: Draws, picture: str) -> Tensor:
        """Return pictures [n, h, w, c] of the input ``picture``, some of them changed."""
        drawn = draws.uniform(self.name, x, 1 + self.values)
        changed = self.changed(x, drawn[:, 1:, None, None, None], draws, picture)
        return changed if self.probability == 1 else torch.where(_wide(drawn[:, 0] < self.probability), changed, x)

    def changed(self, x: Tensor, drawn: Tensor, draws: Draws, picture: str) -> Tensor:
        """Return every picture changed; ``drawn`` is [n, values, 1, 1, 1]."""
        raise TypeError(f"{type(self).__name__} does not say how it changes")


def _wide(rows: Tensor) -> Tensor:
    return rows[:, None, None, None]


class Brightness(Change):
    """Adds a number between -factor and factor to pictures of values from 0 to 1, and keeps them in that range."""

    def __init__(self, name: str, probability: float, factor: float) -> None:
        super().__init__(name, probability)
        self.factor = factor

    def changed(self, x: Tensor, drawn: Tensor, draws: Draws, picture: str) -> Tensor:
        """Make pictures brighter or darker."""
        return (x + self.factor * (2 * drawn[:, 0] - 1)).clamp_(0, 1)


class Contrast(Change):
    """Moves values from 0 to 1 away from their channel's mean, or towards it, by 1 - factor to 1 + factor."""

    def __init__(self, name: str, probability: float, factor: float) -> None:
        super().__init__(name, probability)
        self.factor = factor

    def changed(self, x: Tensor, drawn: Tensor, draws: Draws, picture: str) -> Tensor:
        """Give pictures more or less contrast."""
        mean = x.mean(dim=(1, 2), keepdim=True)
        return torch.lerp(mean, x, 1 + self.factor * (2 * drawn[:, 0] - 1)).clamp_(0, 1)


class Noise(Change):
    """Adds to each value from 0 to 1 a draw from N(0, stddev), and keeps it in that range."""

    values = 0

    def __init__(self, name: str, probability: float, stddev: float) -> None:
        super().__init__(name, probability)
        self.stddev = stddev

    def changed(self, x: Tensor, drawn: Tensor, draws: Draws, picture: str) -> Tensor:
        """Add noise, which is another one for each picture of a row."""
        noise = draws.normal(f"{self.name}.{picture}", x)
        return torch.add(x, noise, alpha=self.stddev).clamp_(0, 1)


class Blur(Change):
    """Takes a Gaussian mean of the pixels around, of a deviation between low and high pixels.

    At the border the weights of the pixels that are there are scaled up to a sum of 1.
    """

    def __init__(self, name: str, probability: float, low: float, high: float) -> None:
        super().__init__(name, probability)
        self.low, self.high = low, high

    def changed(self, x: Tensor, drawn: Tensor, draws: Draws, picture: str) -> Tensor:
        """Blur along the height, then along the width."""
        sigma = (self.low + (self.high - self.low) * drawn[:, 0]).flatten(1)
        for axis in (1, 2):
            x = _blurred(x, sigma, axis, min(math.ceil(REACH * self.high), x.shape[axis] - 1))
        return x


def _blurred(x: Tensor, sigma: Tensor, axis: int, reach: int) -> Tensor:
    """Return means along an axis of the pixels up to ``reach`` away, in the weights of a Gaussian [n, 1]."""
    size = x.shape[axis]
    offsets = torch.arange(-reach, reach + 1, device=x.device)
    places = torch.arange(size, device=x.device)[:, None] + offsets
    powers = -offsets.square() / (2 * sigma.square())
    there = (places >= 0) & (places < size)
    weights = powers[:, None].where(there, -math.inf).softmax(2)
    padded = functional.pad(x, (0, 0, 0, 0, reach, reach) if axis == 1 else (0, 0, reach, reach))
    total = torch.zeros_like(x)
    for number, weight in enumerate(weights.unbind(2)):
        total.addcmul_(
            padded.narrow(axis, number, size), weight[:, :, None, None] if axis == 1 else weight[:, None, :, None]
        )
    return total


class Cutout(Change):
    """Fills a square, whose middle is any pixel, so that it may reach over the border (DeVries and Taylor, 2017)."""

    values = 2

    def __init__(self, name: str, probability: float, size: float, fill: float) -> None:
        super().__init__(name, probability)
        self.size, self.fill = size, fill

    def changed(self, x: Tensor, drawn: Tensor, draws: Draws, picture: str) -> Tensor:
        """Fill a square of each picture."""
        height, width = x.shape[1:3]
        side = pixels(self.size, min(height, width))
        top, left = ((drawn[:, axis, 0, 0] * size).floor() - side // 2 for axis, size in enumerate((height, width)))
        return x.masked_fill(_boxes(x, (top, left), (top + side, left + side)), self.fill)


def _boxes(x: Tensor, first: Sequence[Tensor], last: Sequence[Tensor]) -> Tensor:
    """Return [n, h, w, 1], true in the box of a row from ``first`` to before ``last``, each y and x [n, 1]."""
    inside = []
    for size, start, end in zip(x.shape[1:3], first, last, strict=True):
        places = torch.arange(size, device=x.device)
        inside.append((places >= start) & (places < end))
    return (inside[0][:, :, None] & inside[1][:, None, :])[..., None]


class Mixed(NamedTuple):
    """What a row's picture is mixed of: ``share`` [n] of it is its own, the rest that of the row ``partner`` [n]."""

    x: Tensor
    share: Tensor
    partner: Tensor


class Mixer:
    """A mixture of each row with another one of its batch, in a share from Beta(alpha, alpha), with a probability."""

    values = 0

    def __init__(self, name: str, probability: float, alpha: float) -> None:
        self.name, self.probability, self.alpha = name, probability, alpha

    def __call__(self, x: Tensor, draws: Draws) -> Mixed:
        """Return pictures [n, h, w, c] mixed with those of other rows; the partners are a permutation of the rows."""
        drawn = draws.uniform(self.name, x, 4 + self.values)
        partner = torch.argsort(drawn[:, 1], stable=True)
        share = symmetric_beta(self.alpha, drawn[:, 2], drawn[:, 3])
        share = torch.where(drawn[:, 0] < self.probability, share, torch.ones_like(share))
        return self.mixed(x, share, partner, drawn[:, 4:])

    def mixed(self, x: Tensor, share: Tensor, partner: Tensor, drawn: Tensor) -> Mixed:
        """Mix; the share that comes back is what the picture has in the end."""
        raise TypeError(f"{type(self).__name__} does not say how it mixes")


def symmetric_beta(alpha: float, u: Tensor, v: Tensor) -> Tensor:
    """Turn two uniform draws into one from Beta(alpha, alpha), exactly and for every alpha.

    Bailey's way to Student's t with 2 alpha degrees of freedom (1994), as a beta by Devroye (1996).
    """
    cosine = torch.cos(2 * math.pi * v)
    odds = torch.expm1((-u.log() / alpha).clamp(max=80)) * cosine.square()
    return 0.5 + 0.5 * torch.copysign((odds / (1 + odds)).sqrt(), cosine)


class Mixup(Mixer):
    """Adds up the pictures of two rows in shares (Zhang and others, 2018)."""

    def mixed(self, x: Tensor, share: Tensor, partner: Tensor, drawn: Tensor) -> Mixed:
        """Return share * x + (1 - share) * x[partner]; a row whose share is 1 stays as it is, bit for bit."""
        return Mixed(torch.lerp(x[partner], x, _wide(share)), share, partner)


class Cutmix(Mixer):
    """Puts a box of another row's picture into a picture; shares are those of the area (Yun and others, 2019)."""

    values = 2

    def mixed(self, x: Tensor, share: Tensor, partner: Tensor, drawn: Tensor) -> Mixed:
        """Return pictures with a box of height and width sqrt(1 - share), cut off at the border."""
        height, width = x.shape[1:3]
        sides = (1 - share).sqrt()
        first, last, area = [], [], torch.ones_like(share)
        for axis, size in enumerate((height, width)):
            middle, half = (drawn[:, axis] * size).floor(), (sides * size).floor() / 2
            first.append((middle - half).floor().clamp(0, size))
            last.append((middle + half).floor().clamp(0, size))
            area = area * (last[-1] - first[-1]) / size
        box = _boxes(x, [start[:, None] for start in first], [end[:, None] for end in last])
        return Mixed(torch.where(box, x[partner], x), 1 - area, partner)


class Part(NamedTuple):
    """A part of what rows are mixed of: the rows [n] whose targets count, and their shares [n]."""

    rows: Tensor
    share: Tensor


@dataclass(frozen=True)
class Augmented:
    """Inputs after augmentation, and where rows were mixed, the parts whose targets the loss takes together.

    Inputs that are no pictures are whatever they were.
    """

    inputs: Mapping[str, Any]
    parts: tuple[Part, ...] | None = None


Step: TypeAlias = Change | Move | Mixer


class Augmenter:
    """Applies steps, one after the other, to those inputs that are pictures; moves that follow each other are one."""

    def __init__(self, steps: Sequence[Step], pictures: Sequence[str]) -> None:
        self._steps: list[Change | Warp | Mixer] = list(in_warps(steps))
        self._pictures = tuple(pictures)

    @torch.no_grad()
    def __call__(self, inputs: Mapping[str, Any], draws: Draws) -> Augmented:
        """Return the inputs [n, ...] by name with their pictures changed."""
        changed = dict(inputs)
        parts: tuple[Part, ...] | None = None
        for step in self._steps:
            for name in self._pictures:
                if isinstance(step, Mixer):
                    changed[name], share, partner = step(changed[name], draws)
                    parts = _mixed(parts, share, partner)
                else:
                    changed[name] = step(changed[name], draws, name)
        return Augmented(changed, parts)


def _mixed(parts: tuple[Part, ...] | None, share: Tensor, partner: Tensor) -> tuple[Part, ...]:
    """Return the parts of rows mixed with others that may be mixed already."""
    if parts is None:
        own = torch.arange(len(partner), device=partner.device)
        return Part(own, share), Part(partner, 1 - share)
    own_parts = [Part(part.rows, part.share * share) for part in parts]
    others = [Part(part.rows[partner], part.share[partner] * (1 - share)) for part in parts]
    return (*own_parts, *others)
