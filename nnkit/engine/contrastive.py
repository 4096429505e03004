"""The phase that trains a restricted Boltzmann machine by its statistics, without gradients of any loss."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.draws import PhaseDraws
from nnkit.engine.gradient import set_arrays, to_array, weights_of
from nnkit.engine.state import Arrays, Tree
from nnkit.nn.rbm import Machine
from nnkit.seeds import generator

MONITORED = 5000
"""Rows at most, evenly spaced, by which the values of an epoch are computed."""
PART = 1024
MEMORY = 0.9
"""What the running mean of hidden units keeps of itself in a step (Hinton, 2012)."""


class Network(Protocol):
    """The network that a machine is a part of, as the phase sees it."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return the live weights by name."""


@dataclass(frozen=True)
class Contrast:
    """How a machine's weights follow from the statistics of a step."""

    lr: float
    steps: int = 1
    """Times that visible values are drawn anew."""
    persistent: bool = False
    """Whether these begin where the step before ended, and not at the rows."""
    momentum: Callable[[int], float] = lambda epoch: 0.0
    """The share of the last change that is made again, by the 0-based epoch."""
    weight_decay: float = 0.0
    sparsity: tuple[float, float] | None = None
    """The mean that hidden units should have, and how hard they are pulled there."""


@dataclass
class _Step:
    """What a step has seen: visible values [rows + chains, visible], and the signed shares of their hidden ones."""

    visible: Tensor
    hidden: Tensor
    signs: Tensor


class ContrastivePhase:
    """Epochs of contrastive divergence (Hinton, 2002), or with persistent chains of Tieleman's (2008).

    The change of the kernel is one product: of the rows and what was drawn, one above the other, with the means of
    their hidden units, those of draws negative. The last draw's visible values are samples, its hidden ones means.
    """

    def __init__(
        self,
        name: str,
        epochs: int,
        machine: Machine,
        network: Network,
        layer: str,
        contrast: Contrast,
        data: RowBatches,
        validation: Batch | None,
        see: Callable[[Batch, PhaseDraws | None], Tensor],
        draws: PhaseDraws,
        seed: int,
        lr_factor: Callable[[float], float] = lambda epoch: 1.0,
        lr_per_step: bool = False,
    ) -> None:
        """Make a phase from its parts.

        ``see`` gives the visible values [n, visible] of rows, in training with what it may draw from. ``machine`` is
        the part ``layer`` of ``network``, whose weights are all kept in checkpoints.
        """
        self.name = name
        self.epochs = epochs
        self.steps = data.steps
        self.lr_scale = 1.0
        self._machine = machine
        self._network = network
        self._layer = layer
        self._contrast = contrast
        self._data = data
        self._see = see
        self._draws = draws
        self._lr_factor = lr_factor
        self._lr_per_step = lr_per_step
        self._lr = contrast.lr
        self._momentum = 0.0
        self._place = (0, 0)
        self._losses: list[Tensor] = []
        self._last: _Step | None = None
        self._norm = 0.0
        weights = (machine.kernel, machine.visible_bias, machine.hidden_bias)
        self._changes = [torch.zeros_like(weight) for weight in weights]
        self._mean = torch.full_like(machine.hidden_bias, contrast.sparsity[0] if contrast.sparsity else 0.0)
        self._chains = self._first_chains(min(data.size, len(data.rows)))
        self._watched = {"train": _evenly(data.rows)} | ({} if validation is None else {"validation": validation})
        self._flips = {
            name: generator(seed, "flips", name).integers(0, len(machine.visible_bias), len(rows))
            for name, rows in self._watched.items()
        }

    def _first_chains(self, count: int) -> Tensor | None:
        if not self._contrast.persistent:
            return None
        self._draws.seek(self.epochs, 0)  # Where no epoch draws.
        x = self._machine.hidden_bias.expand(count, -1).contiguous()
        return self._machine.hidden_sample(x, self._draws, "chains")

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """Yield the epoch's batches and keep the learning rate at what the schedule says."""
        self._momentum = self._contrast.momentum(epoch)
        self._set_lr(float(epoch))
        for number, batch in enumerate(self._data.epoch(epoch, start), start):
            if self._lr_per_step:
                self._set_lr(epoch + number / self.steps)
            self._place = (epoch, number * self._data.size)
            yield batch

    def _set_lr(self, position: float) -> None:
        self._lr = self._contrast.lr * (self._lr_factor(position) * self.lr_scale)

    @torch.no_grad()
    def step(self, batch: Batch) -> None:
        """Change the weights once."""
        self._draws.seek(*self._place)
        seen = self._sampled(self._see(batch, self._draws))
        if self._momentum:
            self._move(seen)
        else:
            self._jump(seen)
        self._last = seen
        self._losses.append(self._machine.hidden_bias.sum())

    def _sampled(self, rows: Tensor) -> _Step:
        """Draw from the machine, and return the rows and the draws with their hidden means."""
        machine, draws, chains = self._machine, self._draws, self._chains
        count = len(rows)
        given = None if chains is not None else machine.hidden_input(rows)
        h = machine.hidden_sample(given, draws, "hidden") if given is not None else chains
        assert h is not None  # noqa: S101 - one of both is there
        v = machine.visible_sample(h, draws, "visible")
        for number in range(1, self._contrast.steps):
            h = machine.hidden_sample(machine.hidden_input(v), draws, f"hidden_{number}")
            v = machine.visible_sample(h, draws, f"visible_{number}")
        visible = torch.cat((rows, v))
        x = machine.hidden_input(visible) if given is None else torch.cat((given, machine.hidden_input(v)))
        if chains is not None:
            self._chains = machine.hidden_sample(x[count:], draws, "chains")
        hidden = machine.hidden_mean(x)
        if self._contrast.sparsity is not None:
            self._pull(hidden[:count])
        signs = torch.cat((rows.new_full((count,), 1 / count), rows.new_full((len(v),), -1 / len(v))))
        return _Step(visible, hidden.mul_(signs[:, None]), signs)

    def _pull(self, hidden: Tensor) -> None:
        """Move the hidden means of rows [n, hidden], in place, towards the mean they should have."""
        assert self._contrast.sparsity is not None  # noqa: S101 - the caller looked
        target, cost = self._contrast.sparsity
        self._mean.lerp_(hidden.mean(0), 1 - MEMORY)
        hidden += cost * (target - self._mean)

    def _jump(self, seen: _Step) -> None:
        machine, lr = self._machine, self._lr
        kept = 1 - lr * self._contrast.weight_decay
        machine.kernel.addmm_(seen.visible.t(), seen.hidden, beta=kept, alpha=lr)
        machine.visible_bias.addmv_(seen.visible.t(), seen.signs, alpha=lr)
        machine.hidden_bias.add_(seen.hidden.sum(0), alpha=lr)

    def _move(self, seen: _Step) -> None:
        machine, lr, momentum = self._machine, self._lr, self._momentum
        kernel, visible, hidden = self._changes
        kernel.addmm_(seen.visible.t(), seen.hidden, beta=momentum, alpha=lr)
        if self._contrast.weight_decay:
            kernel.sub_(machine.kernel, alpha=lr * self._contrast.weight_decay)
        visible.addmv_(seen.visible.t(), seen.signs, beta=momentum, alpha=lr)
        hidden.mul_(momentum).add_(seen.hidden.sum(0), alpha=lr)
        for weight, change in zip(
            (machine.kernel, machine.visible_bias, machine.hidden_bias), self._changes, strict=True
        ):
            weight.add_(change)

    def losses(self) -> NDArray[np.float32]:
        """Return a number for each step of this epoch so far that is finite while the weights are."""
        return to_array(torch.stack(self._losses).float()) if self._losses else np.empty(0, np.float32)

    @torch.no_grad()
    def summary(self, epoch: int) -> dict[str, float]:
        """Return the values of some training rows and of the validation rows, and what differs between both.

        ``error`` is the mean squared error of a reconstruction without draws.
        """
        values = {
            f"{name}_{key}": value for name, rows in self._watched.items() for key, value in self._values(name, rows)
        }
        if "validation" in self._watched:
            values["free_energy_gap"] = values["validation_free_energy"] - values["train_free_energy"]
        self._losses = []
        if self._last is not None:
            statistics = self._last.visible.t() @ self._last.hidden
            self._norm, self._last = float(torch.linalg.vector_norm(statistics)), None
        return values | {"lr": self._lr, "gradient_norm": self._norm}

    def _values(self, name: str, rows: Batch) -> Iterator[tuple[str, float]]:
        """Yield the means over rows of their reconstruction error, free energy and pseudo-likelihood."""
        machine = self._machine
        flips = torch.from_numpy(self._flips[name]).to(machine.kernel.device)
        columns: dict[str, list[Tensor]] = {"error": [], "free_energy": []}
        if machine.visible == "bernoulli":
            columns["pseudo_likelihood"] = []
        for part, flipped in zip(rows.split(PART), torch.split(flips, PART), strict=True):
            v = self._see(part, None)
            columns["error"].append((v - machine.reconstructed(v)).square().mean(1))
            columns["free_energy"].append(machine.free_energy(v))
            if machine.visible == "bernoulli":
                columns["pseudo_likelihood"].append(machine.pseudo_likelihood(v, flipped))
        for key, parts in columns.items():
            yield key, float(torch.cat(parts).double().mean())

    def gradient_norms(self) -> dict[str, float]:
        """Return the norm of the last step's statistics of the kernel."""
        return {self._layer: self._norm}

    def weights(self) -> Arrays:
        """Return copies of the network's weights by name."""
        return weights_of(self._network)

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Copy values into the network's weights."""
        set_arrays(self._network, weights)

    def state(self) -> Tree:
        """Return weights, momentum, chains and draws."""
        return {
            "weights": self.weights(),
            "changes": [to_array(change).copy() for change in self._changes],
            "mean": to_array(self._mean).copy(),
            "chains": None if self._chains is None else to_array(self._chains).copy(),
            "draws": self._draws.state(),
            "lr_scale": self.lr_scale,
            "losses": self.losses(),
        }

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self.set_weights(state["weights"])
        for change, array in zip(self._changes, state["changes"], strict=True):
            change.copy_(torch.from_numpy(array))
        self._mean.copy_(torch.from_numpy(state["mean"]))
        if self._chains is not None:
            self._chains.copy_(torch.from_numpy(state["chains"]))
        self._draws.load(state["draws"])
        self.lr_scale = state["lr_scale"]
        self._losses = list(torch.from_numpy(state["losses"]).to(self._mean.device))


def _evenly(rows: Batch) -> Batch:
    """Return at most ``MONITORED`` rows, evenly spaced."""
    every = -(-len(rows) // MONITORED)
    return rows if every == 1 else rows.at(torch.arange(0, len(rows), every, device=rows.device))
