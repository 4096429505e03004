"""The phase that most procedures use: one network, one loss, one optimizer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.phase import Logs
from nnkit.engine.state import Tree, load_optimizer_state, optimizer_state

EVALUATION_ROWS = 4096


class Trainable(Protocol):
    """A network as the phase sees it."""

    def __call__(self, inputs: dict[str, Tensor]) -> Tensor:
        """Compute the outputs [n, ...] of the inputs by name [n, ...]."""

    def train(self, mode: bool = True) -> object:
        """Switch dropout and batch statistics on or off."""

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """Iterate over the parameters."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return the live parameters and buffers by name."""

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> object:
        """Copy values into the parameters and buffers."""

    def penalty(self) -> Tensor | None:
        """Return the sum of the layers' own penalties, if there are any."""

    def constrain(self) -> None:
        """Apply the layers' constraints after a step."""


@dataclass(frozen=True)
class StepOptions:
    """How a step treats its batch and its gradients."""

    part: int
    """Rows that go through the network at once; a larger batch accumulates the gradients of its parts."""
    clip_norm: float | None = None
    clip_value: float | None = None
    autocast: torch.dtype | None = None


Score = Callable[[NDArray[np.generic], NDArray[np.float64]], dict[str, float]]
"""f(truth, outputs) -> values; both in the arrays of ``nnkit.tasks``."""


@dataclass(frozen=True)
class Scoring:
    """How outputs become values of the history: ``finish`` turns raw outputs into predictions, ``score`` counts."""

    score: Score
    finish: Callable[[Tensor], NDArray[np.float64]]
    truth: NDArray[np.generic]
    validation: Batch | None
    validation_truth: NDArray[np.generic] | None


class GradientPhase:
    """Epochs of: forward, loss, backward, optimizer step."""

    def __init__(
        self,
        name: str,
        epochs: int,
        network: Trainable,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        data: RowBatches,
        scoring: Scoring,
        options: StepOptions,
        generator: torch.Generator,
        lr_factor: Callable[[float], float],
        lr_per_step: bool = False,
    ) -> None:
        self.name = name
        self.epochs = epochs
        self.steps = data.steps
        self.lr_scale = 1.0
        self.network = network
        self._loss = loss
        self._optimizer = optimizer
        self._data = data
        self._scoring = scoring
        self._options = options
        self._generator = generator
        self._lr_factor = lr_factor
        self._lr_per_step = lr_per_step
        self._base_lr = [float(group["lr"]) for group in optimizer.param_groups]
        self._parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._device = data.rows.targets.device
        self._scaler = torch.amp.GradScaler(self._device.type) if options.autocast == torch.float16 else None

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """Yield the epoch's batches and keep the learning rate at what the schedule says."""
        self.network.train()
        self._set_lr(float(epoch))
        for number, batch in enumerate(self._data.epoch(epoch, start), start):
            if self._lr_per_step:
                self._set_lr(epoch + number / self.steps)
            yield batch

    def _set_lr(self, position: float) -> None:
        factor = self._lr_factor(position) * self.lr_scale
        for group, base in zip(self._optimizer.param_groups, self._base_lr, strict=True):
            group["lr"] = base * factor

    def step(self, batch: Batch) -> Logs:
        """Change the weights once; logs the batch's mean loss and its outputs."""
        self._optimizer.zero_grad(set_to_none=True)
        parts = batch.split(self._options.part)
        logs = [self._backward(part, len(part) / len(batch)) for part in parts]
        self._clip()
        if self._scaler is None:
            self._optimizer.step()
        else:
            self._scaler.step(self._optimizer)
            self._scaler.update()
        self.network.constrain()
        if len(logs) == 1:
            return logs[0]
        return {
            "loss": torch.stack([log["loss"] for log in logs]).sum(),
            "outputs": torch.cat([log["outputs"] for log in logs]),
        }

    def _backward(self, part: Batch, share: float) -> dict[str, Tensor]:
        with self._autocast():
            outputs = self.network(part.inputs)
        losses = self._loss(outputs.float() if self._options.autocast else outputs, part.targets)
        if part.weights is not None:
            losses = losses * part.weights
        loss = losses.mean() if share == 1 else losses.mean() * share
        penalty = self.network.penalty()
        total = loss if penalty is None else loss + penalty * share
        (total if self._scaler is None else self._scaler.scale(total)).backward()  # type: ignore[no-untyped-call]
        return {"loss": total.detach(), "outputs": outputs.detach()}

    def _autocast(self) -> AbstractContextManager[object]:
        if self._options.autocast is None:
            return nullcontext()
        return torch.autocast(self._device.type, self._options.autocast)

    def _clip(self) -> None:
        if self._options.clip_norm is None and self._options.clip_value is None:
            return
        if self._scaler is not None:
            self._scaler.unscale_(self._optimizer)
        if self._options.clip_value is not None:
            torch.nn.utils.clip_grad_value_(self._parameters, self._options.clip_value)
        if self._options.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._options.clip_norm)

    def summary(self, epoch: int, logs: Sequence[Logs]) -> dict[str, float]:
        """Return train and validation values, the learning rate and the norm of the last gradient."""
        losses = torch.stack([log["loss"] for log in logs]).double().cpu()
        sizes = torch.tensor([len(log["outputs"]) for log in logs], dtype=torch.float64)
        values = {"train_loss": float((losses * sizes).sum() / sizes.sum())}
        outputs = self._scoring.finish(torch.cat([log["outputs"] for log in logs]))
        truth = self._scoring.truth[self._data.order(epoch)]
        values |= {f"train_{key}": value for key, value in self._scoring.score(truth, outputs).items()}
        values |= self._validate()
        return values | {"lr": float(self._optimizer.param_groups[0]["lr"]), "gradient_norm": self._gradient_norm()}

    def _validate(self) -> dict[str, float]:
        scoring = self._scoring
        if scoring.validation is None or scoring.validation_truth is None:
            return {}
        losses, outputs = self._evaluate(scoring.validation)
        values = {"loss": losses} | scoring.score(scoring.validation_truth, scoring.finish(outputs))
        return {f"validation_{key}": value for key, value in values.items()}

    def _evaluate(self, rows: Batch) -> tuple[float, Tensor]:
        self.network.train(False)
        losses, outputs = [], []
        with torch.inference_mode():
            for part in rows.split(EVALUATION_ROWS):
                with self._autocast():
                    output = self.network(part.inputs)
                outputs.append(output.float() if self._options.autocast else output)
                loss = self._loss(outputs[-1], part.targets)
                losses.append(loss if part.weights is None else loss * part.weights)
            penalty = self.network.penalty()
        mean = torch.cat(losses).double().mean()
        return float(mean if penalty is None else mean + penalty), torch.cat(outputs)

    def _gradient_norm(self) -> float:
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0
        return norm if self._scaler is None else norm / float(self._scaler.get_scale())

    def weights(self) -> dict[str, Tensor]:
        """Return the live parameters and buffers by name."""
        return self.network.state_dict()

    def state(self) -> Tree:
        """Return weights, optimizer, generator and learning-rate scale."""
        return {
            "weights": self.weights(),
            "optimizer": optimizer_state(self._optimizer),
            "generator": self._generator.get_state(),
            "lr_scale": self.lr_scale,
            "scaler": None if self._scaler is None else self._scaler.state_dict(),
        }

    def load(self, state: Tree) -> None:
        """Go on from a ``state``."""
        self.network.load_state_dict(state["weights"])
        load_optimizer_state(self._optimizer, state["optimizer"])
        self._generator.set_state(state["generator"])
        self.lr_scale = state["lr_scale"]
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])
