"""What the trainer needs of a phase, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from torch import Tensor

from nnkit.engine.state import Tree

Logs: TypeAlias = Mapping[str, Tensor]
"""What a step reports, ``loss`` at least; tensors stay on the device until the epoch is over."""


class Phase(Protocol):
    """A stretch of training: so many epochs of one kind of step."""

    name: str
    epochs: int
    steps: int
    """Steps in an epoch."""
    lr_scale: float
    """A factor on the learning rate that hooks may change."""

    def batches(self, epoch: int, start: int) -> Iterator[Any]:
        """Yield the batches of the 0-based ``epoch`` from number ``start``."""

    def step(self, batch: Any) -> Logs:
        """Change the weights once."""

    def summary(self, epoch: int, logs: Sequence[Logs]) -> dict[str, float]:
        """Return the epoch's values from the logs of all its steps, validation included."""

    def weights(self) -> dict[str, Tensor]:
        """Return the live weights by name."""

    def state(self) -> Tree:
        """Return all that a later ``load`` needs to go on bit for bit."""

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
