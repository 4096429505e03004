"""From outputs to the values of the history, the same in every engine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.nodes import Nodes

Score: TypeAlias = Callable[[NDArray[np.generic], NDArray[np.float64]], dict[str, float]]
"""f(truth, outputs) -> values; both in the arrays of ``nnkit.tasks``."""
NodeScore: TypeAlias = Callable[[NDArray[np.generic], NDArray[np.float64], NDArray[np.int64]], dict[str, float]]
"""f(truth of all nodes, outputs of all nodes, places of the roots among them) -> values."""
Finish: TypeAlias = Callable[[Any], NDArray[np.float64]]
"""What turns an engine's raw outputs [n, ...] into predictions."""


@dataclass(frozen=True)
class Scoring:
    """How outputs become values: ``finish`` makes predictions of them, ``score`` compares these with the truth."""

    score: Score | None
    """None where no values are asked for, and outputs need not be finished."""
    finish: Finish
    truth: NDArray[np.generic]
    validation_truth: NDArray[np.generic] | None

    def train(self, outputs: Any, order: NDArray[np.int64]) -> dict[str, float]:
        """Return the values of an epoch's outputs, which stand in its ``order``."""
        if self.score is None:
            return {}
        return {f"train_{key}": value for key, value in self.score(self.truth[order], self.finish(outputs)).items()}

    def validation(self, loss: float, outputs: Any) -> dict[str, float]:
        """Return the values of validation rows, whose loss is known."""
        if self.validation_truth is None:
            return {}
        values = {"loss": loss}
        if self.score is not None:
            values |= self.score(self.validation_truth, self.finish(outputs))
        return {f"validation_{key}": value for key, value in values.items()}


@dataclass(frozen=True)
class TreeScoring(Scoring):
    """Scoring of trees: truth and outputs are those of all nodes, tree after tree."""

    nodes: Nodes
    validation_nodes: Nodes | None
    score_nodes: NodeScore | None

    def train(self, outputs: Any, order: NDArray[np.int64]) -> dict[str, float]:
        """Return the values of an epoch's outputs; the trees stand in its ``order``."""
        if self.score_nodes is None:
            return {}
        truth, roots = self.truth[self.nodes.nodes_of(order)], np.cumsum(self.nodes.sizes[order]) - 1
        values = self.score_nodes(truth, self.finish(outputs), roots)
        return {f"train_{key}": value for key, value in values.items()}

    def validation(self, loss: float, outputs: Any) -> dict[str, float]:
        """Return the values of validation trees, whose loss is known."""
        if self.validation_truth is None or self.validation_nodes is None:
            return {}
        values = {"loss": loss}
        if self.score_nodes is not None:
            values |= self.score_nodes(self.validation_truth, self.finish(outputs), self.validation_nodes.roots)
        return {f"validation_{key}": value for key, value in values.items()}


def mean_loss(losses: NDArray[np.float32], size: int, rows: int) -> float:
    """Return the mean over ``rows`` rows of the losses of steps of ``size`` rows, of which the last may be smaller."""
    last = rows - size * (len(losses) - 1)
    before = float(losses[:-1].sum(dtype=np.float64))
    return (before * size + float(losses[-1]) * last) / rows
