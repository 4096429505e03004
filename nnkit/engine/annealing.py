"""The phase that estimates the partition function of a trained machine, so that it can say how likely rows are."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from nnkit.engine.batches import Batch
from nnkit.engine.contrastive import PART, Network
from nnkit.engine.draws import PhaseDraws
from nnkit.engine.gradient import set_arrays, to_array, weights_of
from nnkit.engine.state import Arrays, Tree
from nnkit.nn.rbm import Annealing, Rbm, odds


@dataclass(frozen=True)
class Cooling:
    """One of the steps from independent units to the machine."""

    number: int
    chains: int

    steps: ClassVar[int] = 1

    def __len__(self) -> int:
        return self.chains


class PartitionPhase:
    """One epoch of annealed importance sampling, after which the layer knows its log partition function."""

    epochs = 1

    def __init__(
        self,
        name: str,
        layer: Rbm,
        network: Network,
        chains: int,
        steps: int,
        rows: Mapping[str, Batch],
        see: Callable[[Batch, PhaseDraws | None], torch.Tensor],
        draws: PhaseDraws,
    ) -> None:
        """Make a phase of ``steps`` steps; it tells the mean log-likelihood of ``rows`` by their names."""
        self.name = name
        self.steps = steps
        self.lr_scale = 1.0
        self._layer = layer
        self._network = network
        self._rows = rows
        self._see = see
        self._draws = draws
        self._count = chains
        self._done = 0
        self._annealing: Annealing | None = None

    @torch.no_grad()
    def batches(self, epoch: int, start: int) -> Iterator[Cooling]:
        """Yield the steps from the one with the number ``start``."""
        if self._annealing is None:
            self._seek(0)
            base = odds(self._layer.visible_mean, self._layer.kinds[0])
            self._annealing = Annealing.start(self._layer.machine, base, self._count, self._draws)
        for number in range(start, self.steps):
            yield Cooling(number, self._count)

    def _seek(self, number: int) -> None:
        self._draws.seek(0, number * self._count)

    @torch.no_grad()
    def step(self, batch: Cooling) -> None:
        """Move the chains."""
        assert self._annealing is not None  # noqa: S101 - batches has made it
        self._seek(batch.number + 1)
        self._annealing.step(batch.number / self.steps, (batch.number + 1) / self.steps, self._draws)
        self._done += 1

    def losses(self) -> NDArray[np.float32]:
        """Return a zero for each step: there is no loss."""
        return np.zeros(self._done, np.float32)

    @torch.no_grad()
    def summary(self, epoch: int) -> dict[str, float]:
        """Return the log partition function, its standard error, and the mean log-likelihoods in nats."""
        assert self._annealing is not None  # noqa: S101 - batches has made it
        known, error = self._annealing.result()
        self._layer.log_partition.fill_(known)
        self._done = 0
        values = {"log_partition": known, "log_partition_error": error}
        for name, rows in self._rows.items():
            parts = [self._layer.machine.free_energy(self._see(part, None)) for part in rows.split(PART)]
            values[f"{name}_log_likelihood"] = -float(torch.cat(parts).double().mean()) - known
        return values

    def gradient_norms(self) -> dict[str, float]:
        """Return nothing: there are no gradients."""
        return {}

    def weights(self) -> Arrays:
        """Return copies of the network's weights by name."""
        return weights_of(self._network)

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Copy values into the network's weights."""
        set_arrays(self._network, weights)

    def state(self) -> Tree:
        """Return weights, chains and draws."""
        annealing = self._annealing
        return {
            "weights": self.weights(),
            "chains": None if annealing is None else to_array(annealing.chains).copy(),
            "log_weights": None if annealing is None else to_array(annealing.log_weights).copy(),
            "draws": self._draws.state(),
            "lr_scale": self.lr_scale,
            "done": self._done,
        }

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self.set_weights(state["weights"])
        layer = self._layer
        if state["chains"] is not None:
            base = odds(layer.visible_mean, layer.kinds[0])
            chains = torch.from_numpy(state["chains"]).to(base.device, base.dtype)
            self._annealing = Annealing(
                layer.machine, base, chains, torch.from_numpy(state["log_weights"]).to(base.device)
            )
        self._draws.load(state["draws"])
        self.lr_scale = state["lr_scale"]
        self._done = state["done"]
