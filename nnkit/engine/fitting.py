"""The phase of what is fitted at once: each step begins anew, and the best of all is kept."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.state import Arrays, Tree


class Keeper(Protocol):
    """A network that what is fitted is kept in."""

    def arrays(self) -> Arrays:
        """Return copies of the weights by name."""

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Copy arrays into the weights of the same names."""


@dataclass(frozen=True)
class Begin:
    """A step: the number of the fit, and how many rows it sees."""

    number: int
    rows: int
    steps: int = 1

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True)
class Fitted:
    """What one fit gives: weights by name, and what it made small."""

    arrays: Arrays
    loss: float
    told: Mapping[str, float]
    """More values for the history, by name."""


class FitPhase:
    """One epoch of several fits, each of which sees all rows; the weights become those of the least loss."""

    epochs = 1

    def __init__(
        self,
        name: str,
        network: Keeper,
        rows: int,
        fits: int,
        fit: Callable[[int], Fitted],
        summarize: Callable[[Mapping[str, NDArray[Any]]], dict[str, float]],
    ) -> None:
        """Make a phase; ``fit(number)`` depends on the number alone, ``summarize(weights)`` gives the last values."""
        self.name = name
        self.steps = fits
        self.lr_scale = 1.0
        self._network = network
        self._rows = rows
        self._fit = fit
        self._summarize = summarize
        self._losses: list[float] = []
        self._told: dict[str, float] = {}

    def batches(self, epoch: int, start: int) -> Iterator[Begin]:
        """Yield the fits from number ``start``."""
        for number in range(start, self.steps):
            yield Begin(number, self._rows)

    def step(self, batch: Begin) -> None:
        """Fit anew, and keep what came out where it is better than all before."""
        fitted = self._fit(batch.number)
        if fitted.loss < min(self._losses, default=float("inf")):
            self._network.load_arrays(self._network.arrays() | fitted.arrays)
            self._told = dict(fitted.told)
        self._losses.append(fitted.loss)

    def losses(self) -> NDArray[np.float32]:
        """Return the loss of each fit so far."""
        return np.array(self._losses, dtype=np.float32)

    def summary(self, epoch: int) -> dict[str, float]:
        """Return the least loss, what its fit told, and what there is to say of the weights."""
        values = {"train_loss": min(self._losses)} | {f"train_{name}": value for name, value in self._told.items()}
        self._losses = []
        return values | self._summarize(self.weights())

    def gradient_norms(self) -> dict[str, float]:
        """Return nothing: there are no gradients."""
        return {}

    def weights(self) -> Arrays:
        """Return copies of the weights by name."""
        return self._network.arrays()

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Go on with other values of the weights."""
        self._network.load_arrays(weights)

    def state(self) -> Tree:
        """Return the weights, the losses of all fits, and what the best one told."""
        return {"weights": self.weights(), "losses": np.array(self._losses), "told": self._told}

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self.set_weights(state["weights"])
        self._losses = state["losses"].tolist()
        self._told = {str(name): float(value) for name, value in state["told"].items()}
