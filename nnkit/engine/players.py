"""What a game of two networks is made of: a network that learns, its noise, its draws, and sums over an epoch."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnkit.engine.draws import PhaseDraws
from nnkit.engine.gradient import norms_of
from nnkit.engine.state import Tree
from nnkit.engine.tuning import bare_step
from nnkit.nn.graph import GraphNetwork
from nnkit.seeds import generator


@dataclass(frozen=True)
class Noise:
    """What a generator makes rows of: so many numbers, normal or uniform from -1 to 1."""

    size: int
    distribution: Literal["normal", "uniform"] = "normal"

    def of(self, seed: int, count: int) -> NDArray[np.float32]:
        """Return the noise of ``count`` samples of a seed [count, size]: of fewer samples the first of these."""
        draw = generator(seed, "samples")
        if self.distribution == "normal":
            return draw.standard_normal((count, self.size), np.float32)
        return 2 * draw.random((count, self.size), np.float32) - 1


@dataclass(frozen=True)
class Learner:
    """An optimizer, and what its schedule makes of the learning rate."""

    optimizer: torch.optim.Optimizer
    lr_factor: Callable[[float], float]
    per_step: bool = False


class Player:
    """A network with what it learns by."""

    def __init__(self, network: GraphNetwork, learner: Learner) -> None:
        self.learner = learner
        self._network = network
        self._step = bare_step(learner.optimizer)
        self._base_lr = [float(group["lr"]) for group in learner.optimizer.param_groups]
        named = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
        self._weights = list(named.values())
        self._layers = [name.partition(".")[0] for name in named]

    @property
    def lr(self) -> float:
        """The learning rate as it is now."""
        return float(self.learner.optimizer.param_groups[0]["lr"])

    def set_lr(self, position: float, scale: float) -> None:
        """Set the learning rate to what the schedule says at ``position``, in epochs, times ``scale``."""
        factor = self.learner.lr_factor(position) * scale
        for group, base in zip(self.learner.optimizer.param_groups, self._base_lr, strict=True):
            group["lr"] = base * factor

    def learn(self, loss: Tensor, clip_norm: float | None, clip_value: float | None) -> None:
        """Take one step down the gradient of ``loss`` and the network's own penalties."""
        penalty = self._network.penalty()
        self.learner.optimizer.zero_grad(set_to_none=True)
        (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        if clip_value is not None:
            torch.nn.utils.clip_grad_value_(self._weights, clip_value)
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._weights, clip_norm)
        self._step()
        self._network.constrain()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Let no gradient come to the network's weights, only through them."""
        for weight in self._weights:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in self._weights:
                weight.requires_grad_(True)

    def norms(self) -> dict[str, float | None]:
        """Return the norm of each layer's last gradient, None where there was none."""
        found: dict[str, list[float]] = {layer: [] for layer in self._layers}
        gradients = [weight.grad for weight in self._weights]
        for layer, gradient, norm in zip(self._layers, gradients, norms_of(gradients), strict=True):
            if gradient is not None:
                found[layer].append(norm)
        return {layer: float(np.hypot.reduce(norms)) if norms else None for layer, norms in found.items()}


class Turns:
    """Draws of the same places, other ones each time that a network is asked: for ``turn``, which the phase sets."""

    def __init__(self, draws: PhaseDraws) -> None:
        self._draws = draws
        self.turn = ""

    def kept(self, name: str, x: Tensor, rate: float) -> Tensor:
        """Return ones and zeros [like x], a zero with probability ``rate``."""
        return self._draws.kept(f"{self.turn}/{name}", x, rate)

    def normal(self, name: str, x: Tensor) -> Tensor:
        """Return normal draws [like x]."""
        return self._draws.normal(f"{self.turn}/{name}", x)

    def uniform(self, name: str, x: Tensor, values: int) -> Tensor:
        """Return draws from 0 to 1 [n, values] for the n rows of ``x``."""
        return self._draws.uniform(f"{self.turn}/{name}", x, values)


@dataclass
class Sums:
    """Means over the rows of an epoch, by name."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, mean: Tensor, rows: int) -> None:
        """Take in the mean of so many rows."""
        total = mean.detach().double() * rows
        self.sums[name] = self.sums[name] + total if name in self.sums else total
        self.rows[name] = self.rows.get(name, 0) + rows

    def means(self) -> dict[str, float]:
        """Return the mean of each value."""
        return {name: float(total) / self.rows[name] for name, total in self.sums.items()}

    def state(self) -> Tree:
        """Return what ``load`` needs."""
        return {"sums": {name: float(total) for name, total in self.sums.items()}, "rows": dict(self.rows)}

    @classmethod
    def of(cls, state: Mapping[str, Mapping[str, float]], device: torch.device) -> "Sums":
        """Go on from a ``state``."""
        sums = {name: torch.tensor(total, dtype=torch.float64, device=device) for name, total in state["sums"].items()}
        return cls(sums, {name: int(rows) for name, rows in state["rows"].items()})
