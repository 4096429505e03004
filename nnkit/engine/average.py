"""Moving averages of weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from nnkit.engine.gradient import to_array
from nnkit.engine.state import Tree


class MovingAverage:
    """Keeps a moving average of weights and buffers: each update leaves ``decay`` of what it was.

    The first updates leave less, (1 + updates) / (10 + updates), so that the beginning is soon forgotten.
    """

    def __init__(self, weights: Mapping[str, Tensor], decay: float) -> None:
        self._live = dict(weights)
        self._decay = decay
        self._updates = 0
        self._means = {name: tensor.detach().clone() for name, tensor in weights.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        for name, mean in self._means.items():
            mean.lerp_(self._live[name], 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the weights be the averages for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, mean in self._means.items():
            live = self._live[name]
            kept = live.detach().clone()
            live.copy_(mean)
            mean.copy_(kept)

    @torch.no_grad()
    def settle(self) -> None:
        """Let the weights be the averages for good."""
        for name, mean in self._means.items():
            self._live[name].copy_(mean)

    @torch.no_grad()
    def restart(self) -> None:
        """Let the averages be the weights as they are now."""
        for name, mean in self._means.items():
            mean.copy_(self._live[name])

    def state(self) -> Tree:
        """Return the averages and how often they were updated."""
        return {"means": {name: to_array(mean).copy() for name, mean in self._means.items()}, "updates": self._updates}

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        for name, mean in self._means.items():
            mean.copy_(torch.from_numpy(state["means"][name]))
        self._updates = int(state["updates"])
