"""What the trainer needs of a phase, and nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.state import Arrays, Tree


class Steps(Protocol):
    """What a phase takes at once: the rows of one step, or of several that follow each other."""

    @property
    def steps(self) -> int:
        """How many steps these are."""

    def __len__(self) -> int:
        """How many rows these are."""


class Phase(Protocol):
    """A stretch of training: so many epochs of one kind of step. Arrays are numpy's, whatever computes."""

    name: str
    epochs: int
    steps: int
    """Steps in an epoch."""
    lr_scale: float
    """A factor on the learning rate that hooks may change."""

    def batches(self, epoch: int, start: int) -> Iterator[Steps]:
        """Yield the steps of the 0-based ``epoch`` from number ``start``."""

    def step(self, batch: Any) -> None:
        """Change the weights, and keep what the epoch's values are made of."""

    def losses(self) -> NDArray[np.float32]:
        """Return the loss of each step of this epoch so far."""

    def summary(self, epoch: int) -> dict[str, float]:
        """Return the epoch's values from all its steps, validation included, and forget the steps."""

    def gradient_norms(self) -> dict[str, float]:
        """Return the norm of the last step's gradient, as the optimizer got it, by layer, from the input upwards.

        Layers without trained weights are left out.
        """

    def weights(self) -> Arrays:
        """Return copies of the weights by name."""

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Go on with other values of the weights."""

    def state(self) -> Tree:
        """Return all that a later ``load`` needs to go on bit for bit, also in the middle of an epoch."""

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
