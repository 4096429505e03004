"""From outputs to the values of the history, the same in every engine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.ragged import Ragged

Truth: TypeAlias = NDArray[np.generic] | Ragged
"""The truth of rows; ragged where each step of a sequence or each node of a tree has an output of its own."""
Score: TypeAlias = Callable[..., dict[str, float]]
"""f(truth, outputs) -> values; both in the arrays of ``nnkit.tasks``, outputs flat where the truth is ragged; of
forecasts f(truth, outputs, yardstick)."""
Keep: TypeAlias = Callable[[Any, Any], Any]
"""f(outputs, targets), both with a row for each target, -> what is kept of them until the end of the epoch."""
Finish: TypeAlias = Callable[[Any], NDArray[np.float64]]
"""What turns an engine's raw outputs [n, ...] into predictions."""


@dataclass(frozen=True)
class Scoring:
    """How outputs become values: ``finish`` makes predictions of them, ``score`` compares these with the truth."""

    score: Score | None
    """None where no values are asked for, and outputs need not be finished."""
    finish: Finish
    truth: Truth
    validation_truth: Truth | None
    keep: Keep | None = None
    """What of a step's outputs is kept for ``finish``, where that is not the outputs themselves."""
    yardstick: Any = None
    """What the forecasts of rows are measured against, to be indexed as the truth is; None where there is none."""
    validation_yardstick: Any = None

    def kept(self, outputs: Any, targets: Any) -> Any:
        """Return what is kept of outputs until the end of the epoch."""
        return outputs if self.keep is None else self.keep(outputs, targets)

    def train(self, outputs: Any, order: NDArray[np.int64]) -> dict[str, float]:
        """Return the values of an epoch's outputs, which stand in its ``order``."""
        if self.score is None:
            return {}
        measures = () if self.yardstick is None else (self.yardstick[order],)
        values = self.score(self.truth[order], self.finish(outputs), *measures)
        return {f"train_{key}": value for key, value in values.items()}

    def validation(self, loss: float, outputs: Any) -> dict[str, float]:
        """Return the values of validation rows, whose loss is known."""
        if self.validation_truth is None:
            return {}
        values = {"loss": loss}
        if self.score is not None:
            measures = () if self.validation_yardstick is None else (self.validation_yardstick,)
            values |= self.score(self.validation_truth, self.finish(outputs), *measures)
        return {f"validation_{key}": value for key, value in values.items()}


def flat(truth: Truth) -> NDArray[np.generic]:
    """Return the truth with a row for each output."""
    return truth.flat() if isinstance(truth, Ragged) else truth


def mean_loss(losses: NDArray[np.float32], size: int, rows: int, counts: NDArray[np.int64] | None = None) -> float:
    """Return the mean over ``rows`` rows of the losses of steps of ``size`` rows, of which the last may be smaller.

    Where a row has several targets, ``counts`` says how many each step has, and the mean is over these.
    """
    if counts is not None:
        return float((losses.astype(np.float64) * counts).sum() / counts.sum())
    last = rows - size * (len(losses) - 1)
    before = float(losses[:-1].sum(dtype=np.float64))
    return (before * size + float(losses[-1]) * last) / rows
