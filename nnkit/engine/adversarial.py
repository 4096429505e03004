"""The phase of adversarial nets: a generator and a discriminator, each with a loss and an optimizer of its own."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from nnkit.engine.average import MovingAverage
from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.draws import PhaseDraws
from nnkit.engine.gradient import load_optimizer_state, optimizer_state, set_arrays, to_array, weights_of
from nnkit.engine.players import Learner, Noise, Player, Sums, Turns
from nnkit.engine.state import Arrays, Tree
from nnkit.nn.adversarial import (
    AdversarialLoss,
    discriminator_losses,
    generator_losses,
    gradient_penalties,
    threshold,
)
from nnkit.nn.augment import Augmented
from nnkit.nn.graph import GraphNetwork
from nnkit.nn.random import Draws

COMPARED = 512
"""Rows, real and generated ones, whose spread is compared after each epoch."""
PART = 256
"""Rows that go through a network at once where there are no gradients."""
TINY = 1e-12


class Game(Protocol):
    """The two networks as the phase sees them; names of weights are ``generator/...`` and ``discriminator/...``."""

    parts: dict[str, GraphNetwork]

    def train(self, mode: bool = True) -> object:
        """Switch dropout and batch statistics on or off."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return the live parameters and buffers by name."""

    def set_draws(self, draws: Draws) -> None:
        """Let every random module draw from ``draws``."""


@dataclass(frozen=True)
class AdversarialOptions:
    """How the two play against each other."""

    loss: AdversarialLoss
    noise: Noise
    seed: int = 0
    """Of the noise of samples that are compared from epoch to epoch."""
    smoothing: float = 0.0
    """How far the discriminator's target for real rows is below 1."""
    penalty: float = 0.0
    """Factor of the gradient penalty."""
    discriminator_steps: int = 1
    """Batches on which the discriminator learns for each on which the generator learns too."""
    average: float | None = None
    """Decay of the moving average of the generator's weights."""
    classes: int | None = None
    """How many labels there are, where both networks read one."""
    clip_norm: float | None = None
    clip_value: float | None = None
    dtype: torch.dtype = torch.float32


class AdversarialPhase:
    """Epochs of: the discriminator learns to tell real rows from generated ones, the generator to deceive it.

    The targets of ``data`` and ``validation`` are labels [n] where ``options.classes`` says how many there are. A
    generated row has the label of the real one beside it.
    """

    def __init__(
        self,
        name: str,
        epochs: int,
        network: Game,
        generator: Learner,
        discriminator: Learner,
        data: RowBatches,
        validation: Batch | None,
        options: AdversarialOptions,
        draws: PhaseDraws,
        augment: Callable[[Mapping[str, Any], Draws], Augmented] | None = None,
    ) -> None:
        """Make a phase from its parts; ``augment`` changes real training rows."""
        self.name = name
        self.epochs = epochs
        self.steps = data.steps
        self.lr_scale = 1.0
        self.network = network
        self._generator, self._discriminator = network.parts["generator"], network.parts["discriminator"]
        self._data = data
        self._validation = validation
        self._options = options
        self._draws = draws
        self._turns = Turns(draws)
        network.set_draws(self._turns)
        self._augment = augment
        self._deceiver, self._judge = Player(self._generator, generator), Player(self._discriminator, discriminator)
        self._device = data.rows.device
        decay = options.average
        self._average = None if decay is None else MovingAverage(self._generator.state_dict(), decay)
        self._input = next(iter(data.rows.inputs))
        self._place = (0, 0)
        self._losses: list[Tensor] = []
        self._sums = Sums()
        self._known_norms: dict[str, float] = {}
        self._norms = self._layer_norms()
        self._real_spread = self._spread_of_real()

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """Yield the epoch's batches and keep the learning rates at what their schedules say."""
        self.network.train()
        for player in (self._deceiver, self._judge):
            player.set_lr(float(epoch), self.lr_scale)
        for number, batch in enumerate(self._data.epoch(epoch, start), start):
            for player in (self._deceiver, self._judge):
                if player.learner.per_step:
                    player.set_lr(epoch + number / self.steps, self.lr_scale)
            self._place = (epoch, number)
            yield batch

    def step(self, batch: Batch) -> None:
        """Let the discriminator learn, and then the generator where it is its turn."""
        epoch, number = self._place
        self._draws.seek(epoch, number * self._data.size)
        real, label = self._seen(batch), self._label(batch)
        generates = (epoch * self.steps + number + 1) % self._options.discriminator_steps == 0
        with torch.set_grad_enabled(generates):
            generated = self._generator(given(self._fresh_noise(len(real)), label))
        loss = self._teach_discriminator(real, generated.detach(), label)
        if generates:
            loss = loss + self._teach_generator(generated, label)
        self._losses.append(loss)

    def _seen(self, batch: Batch) -> Tensor:
        """Return the batch's rows as training sees them."""
        rows = self._still(batch)
        if self._augment is None:
            return rows
        self._turns.turn = "real"
        seen: Tensor = self._augment({self._input: rows}, self._turns).inputs[self._input]
        return seen

    def _still(self, batch: Batch) -> Tensor:
        rows = batch.floats(self._options.dtype)[self._input]
        assert isinstance(rows, Tensor)  # noqa: S101 - all rows have one shape
        return rows

    def _label(self, batch: Batch) -> Tensor | None:
        """Return the rows' labels, a one among zeros for each [n, classes]."""
        if self._options.classes is None:
            return None
        assert isinstance(batch.targets, Tensor)  # noqa: S101 - a label for each row
        return one_hot(batch.targets, self._options.classes).to(self._options.dtype)

    def _fresh_noise(self, count: int) -> Tensor:
        noise = self._options.noise
        self._turns.turn = "generated"
        like = torch.empty(count, noise.size, dtype=self._options.dtype, device=self._device)
        if noise.distribution == "normal":
            return self._turns.normal("noise", like)
        return 2 * self._turns.uniform("noise", like, noise.size) - 1

    def _score(self, rows: Tensor, label: Tensor | None, turn: str = "") -> Tensor:
        """Return what the discriminator says of rows [n]."""
        self._turns.turn = turn
        scores: Tensor = self._discriminator(given(rows, label))
        return scores.flatten()

    def _teach_discriminator(self, real: Tensor, generated: Tensor, label: Tensor | None) -> Tensor:
        options, count = self._options, len(real)
        of_real, of_generated = self._score(real, label, "real"), self._score(generated, label, "generated")
        loss = discriminator_losses(options.loss, of_real, of_generated, options.smoothing).mean()
        self._sums.add("discriminator_loss", loss, count)
        if options.penalty:
            penalty = self._penalty(real, generated, label)
            self._sums.add("gradient_penalty", penalty, count)
            loss = loss + options.penalty * penalty
        self._judge.learn(loss, options.clip_norm, options.clip_value)
        limit = threshold(options.loss, of_real.detach(), of_generated.detach())
        self._sums.add("real_error", (of_real <= limit).double().mean(), count)
        self._sums.add("generated_error", (of_generated > limit).double().mean(), count)
        return loss.detach()

    def _penalty(self, real: Tensor, generated: Tensor, label: Tensor | None) -> Tensor:
        self._turns.turn = "between"
        shares = self._turns.uniform("share", real, 1)
        return gradient_penalties(lambda rows: self._score(rows, label, "between"), real, generated, shares).mean()

    def _teach_generator(self, generated: Tensor, label: Tensor | None) -> Tensor:
        options = self._options
        with self._judge.resting():
            loss = generator_losses(options.loss, self._score(generated, label, "deceiving")).mean()
            self._deceiver.learn(loss, options.clip_norm, options.clip_value)
        if self._average:
            self._average.update()
        self._sums.add("generator_loss", loss, len(generated))
        return loss.detach()

    def losses(self) -> NDArray[np.float32]:
        """Return the sum of both losses of each step of this epoch so far."""
        return to_array(torch.stack(self._losses).float()) if self._losses else np.empty(0, np.float32)

    def summary(self, epoch: int) -> dict[str, float]:
        """Return both losses, the error rates, the spread of samples, the learning rates and the gradient's norm.

        The error rates are shares of rows that the discriminator takes for what they are not. The spread is that of
        samples as a share of real rows'. A generator that has learned in no step has no loss: NaN.
        """
        means = {"generator_loss": math.nan} | self._sums.means()
        values = {f"train_{name}": mean for name, mean in means.items()}
        self._losses, self._sums = [], Sums()
        if self._validation is not None:
            values["validation_real_error"] = self._validation_error(self._validation)
        values["train_sample_spread"] = self._spread_of_samples() / self._real_spread
        self._norms = self._known_norms = self._layer_norms()
        lr = {"lr": self._deceiver.lr, "discriminator_lr": self._judge.lr}
        return values | lr | {"gradient_norm": math.hypot(*self._norms.values())}

    @torch.no_grad()
    def _validation_error(self, rows: Batch) -> float:
        """Return the share of rows that the discriminator never learned from and takes for generated ones."""
        self.network.train(False)
        real, generated, place = [], [], 0
        noise = self._fixed_noise(len(rows))
        for part in rows.split(PART):
            label = self._label(part)
            real.append(self._score(self._still(part), label))
            made = self._generator(given(noise[place : place + len(part)], label))
            generated.append(self._score(made, label))
            place += len(part)
        limit = threshold(self._options.loss, torch.cat(real), torch.cat(generated))
        return float((torch.cat(real) <= limit).double().mean())

    def _fixed_noise(self, count: int) -> Tensor:
        noise = torch.from_numpy(self._options.noise.of(self._options.seed, count))
        return noise.to(self._device, self._options.dtype)

    @torch.no_grad()
    def samples(self, count: int) -> NDArray[np.float32]:
        """Return ``count`` rows of the generator [count, ...], by its averaged weights, always of the same noise.

        Of several labels each comes in its turn.
        """
        self.network.train(False)
        labels = turns(count, self._options.classes)
        with self._averaged():
            made = generated_rows(self._generator, self._fixed_noise(count), labels, self._options.classes or 0)
        return to_array(made.float())

    def _spread_of_samples(self) -> float:
        return spread(self.samples(COMPARED), turns(COMPARED, self._options.classes))

    def _spread_of_real(self) -> float:
        rows = self._data.rows
        places = torch.linspace(0, len(rows) - 1, min(COMPARED, len(rows))).long().to(self._device)
        some = rows.at(places)
        labels = None if self._options.classes is None else to_array(some.targets)  # type: ignore[arg-type]
        return max(spread(to_array(self._still(some)), labels), TINY)

    def _averaged(self) -> AbstractContextManager[None]:
        """Return a context in which the generator has its averaged weights."""
        return self._average.in_place() if self._average else nullcontext()

    def _layer_norms(self) -> dict[str, float]:
        players = {"generator": self._deceiver, "discriminator": self._judge}
        norms = {f"{part}/{layer}": norm for part, player in players.items() for layer, norm in player.norms().items()}
        return {name: self._known_norms.get(name, 0.0) if norm is None else norm for name, norm in norms.items()}

    def gradient_norms(self) -> dict[str, float]:
        """Return the norm of each layer's last gradient in the epoch, after clipping, the generator's first."""
        return self._norms

    def weights(self) -> Arrays:
        """Return copies of the weights by name, of the generator the averaged ones, which make the samples."""
        with self._averaged():
            return weights_of(self.network)

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Go on with other values of the weights, of the generator also as their average."""
        set_arrays(self.network, weights)
        if self._average:
            self._average.restart()

    def finish(self) -> None:
        """Leave the averaged weights in the generator, where the phase is over."""
        if self._average:
            self._average.settle()

    def state(self) -> Tree:
        """Return weights, their average, both optimizers, draws, learning-rate scale and what the epoch has so far."""
        return {
            "weights": weights_of(self.network),
            "average": self._average.state() if self._average else None,
            "optimizers": [optimizer_state(player.learner.optimizer) for player in (self._deceiver, self._judge)],
            "draws": self._draws.state(),
            "lr_scale": self.lr_scale,
            "losses": self.losses(),
            "sums": self._sums.state(),
            "norms": self._layer_norms(),
        }

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self.set_weights(state["weights"])
        if self._average:
            self._average.load(state["average"])
        for player, tree in zip((self._deceiver, self._judge), state["optimizers"], strict=True):
            load_optimizer_state(player.learner.optimizer, tree)
        self._draws.load(state["draws"])
        self.lr_scale = state["lr_scale"]
        self._losses = list(torch.from_numpy(state["losses"]).to(self._device))
        self._sums = Sums.of(state["sums"], self._device)
        self._known_norms = {str(layer): float(norm) for layer, norm in state["norms"].items()}


def given(rows: Tensor, label: Tensor | None) -> dict[str, Tensor]:
    """Return the inputs of a generator or a discriminator."""
    return {"input": rows} if label is None else {"input": rows, "label": label}


def turns(count: int, classes: int | None) -> NDArray[np.int64] | None:
    """Return labels [count], each in its turn, where there are any."""
    return None if classes is None else np.arange(count) % classes


def generated_rows(network: GraphNetwork, noise: Tensor, labels: NDArray[np.int64] | None, classes: int = 0) -> Tensor:
    """Return what a generator makes of noise [n, size] and labels [n]: [n, ...]."""
    label = None if labels is None else one_hot(torch.from_numpy(labels).to(noise.device), classes).to(noise.dtype)
    parts = [slice(start, start + PART) for start in range(0, len(noise), PART)]
    return torch.cat([network(given(noise[part], None if label is None else label[part])) for part in parts])


def spread(rows: NDArray[Any], labels: NDArray[Any] | None = None) -> float:
    """Return the root mean square distance of rows [n, ...] from their mean, or from that of their label [n]."""
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    groups = [flat] if labels is None else [flat[labels == label] for label in np.unique(labels)]
    squares = sum(float(np.square(group - group.mean(0)).sum()) for group in groups)
    return math.sqrt(squares / len(flat))
