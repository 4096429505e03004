"""The phase of what learns without targets: an objective says by itself what each row costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.draws import PhaseDraws
from nnkit.engine.gradient import GradientPhase, StepOptions, Trainable, to_array
from nnkit.engine.scoring import Scoring
from nnkit.engine.state import Tree
from nnkit.nn.augment import Augmented
from nnkit.nn.random import Draws
from nnkit.nn.sequence import Padded

Inputs: TypeAlias = Mapping[str, Tensor | Padded]


@dataclass(frozen=True)
class Seen:
    """What an objective is asked about: inputs by name [n, ...], and the rows' places in their split [n]."""

    inputs: Inputs
    rows: Tensor
    draws: Draws
    epoch: int
    """The 0-based epoch, the one that is over where rows are only judged."""


class Objective(Protocol):
    """Says what rows cost."""

    def __call__(self, seen: Seen) -> dict[str, Tensor]:
        """Return values of each row [n] by name: ``loss`` is what training makes small, others are only told."""


class ObjectivePhase(GradientPhase):
    """Epochs of: objective, backward, optimizer step; computed by torch.

    The history has the mean of each of the objective's values, as ``train_loss``, ``validation_loss``, ...
    """

    def __init__(
        self,
        name: str,
        epochs: int,
        network: Trainable,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        data: RowBatches,
        validation: Batch | None,
        options: StepOptions,
        draws: PhaseDraws,
        lr_factor: Callable[[float], float],
        lr_per_step: bool = False,
        augment: Callable[[Mapping[str, Any], Draws], Augmented] | None = None,
    ) -> None:
        """Make a phase; the targets of ``data`` and ``validation`` are the places of their rows [n]."""
        super().__init__(
            name, epochs, network, _no_loss, optimizer, data, validation, NO_SCORING, options, draws, lr_factor,
            lr_per_step, augment=augment,
        )  # fmt: skip
        self._objective = objective
        self._sums: dict[str, Tensor] = {}
        self._epoch = 0

    def _train_losses(self, part: Batch, seen: Augmented) -> Tensor:
        self._epoch = self._place[0]
        values = self._values(part, seen.inputs)
        for name, value in values.items():
            if name != "loss":
                total = value.detach().double().sum()
                self._sums[name] = self._sums[name] + total if name in self._sums else total
        return _weighed(values["loss"], part.weights)

    def _values(self, part: Batch, inputs: Inputs) -> dict[str, Tensor]:
        assert isinstance(part.targets, Tensor)  # noqa: S101 - they are the places of rows
        with self._autocast():
            values = self._objective(Seen(inputs, part.targets, self._draws, self._epoch))
        return {name: value.float() if self._options.autocast else value for name, value in values.items()}

    def _train_values(self, epoch: int) -> dict[str, float]:
        values = {f"train_{name}": float(total) / len(self._data.rows) for name, total in self._sums.items()}
        self._sums, self._epoch = {}, epoch
        return values

    def _validation_values(self, rows: Batch) -> dict[str, float]:
        self.network.train(False)
        found: dict[str, list[Tensor]] = {}
        place = 0
        with torch.inference_mode():
            for part in rows.split(self._options.evaluation_part):
                # The same draws after each epoch, so that these do not differ by them.
                self._draws.seek(0, place)
                values = self._values(part, part.floats(self._options.dtype))
                values["loss"] = _weighed(values["loss"], part.weights)
                for name, value in values.items():
                    found.setdefault(name, []).append(value.double())
                place += len(part)
            penalty = self.network.penalty()
        means = {f"validation_{name}": float(torch.cat(parts).mean()) for name, parts in found.items()}
        if penalty is not None:
            means["validation_loss"] += float(penalty)
        return means

    def state(self) -> Tree:
        """Return what ``GradientPhase.state`` does, and the sums of the epoch so far."""
        return super().state() | {"sums": {name: to_array(total) for name, total in self._sums.items()}}

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        super().load(state)
        self._sums = {name: torch.from_numpy(np.array(total)).to(self._device) for name, total in state["sums"].items()}


def _weighed(losses: Tensor, weights: Tensor | None) -> Tensor:
    return losses if weights is None else losses * weights


def _no_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    raise TypeError("an objective says by itself what rows cost")


NO_SCORING = Scoring(score=None, finish=to_array, truth=np.empty(0), validation_truth=None)
"""No outputs are kept, and nothing is compared with a truth."""
