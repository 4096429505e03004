"""The phase that most procedures use: one network, one loss, one optimizer."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnkit.engine.batches import Batch, RowBatches
from nnkit.engine.draws import PhaseDraws
from nnkit.engine.scoring import Scoring, mean_loss
from nnkit.engine.state import Arrays, Tree
from nnkit.engine.tuning import bare_step
from nnkit.nn.augment import Augmented
from nnkit.nn.random import Draws
from nnkit.nn.sequence import Padded


class Trainable(Protocol):
    """A network as the phase sees it."""

    def __call__(self, inputs: Mapping[str, Tensor | Padded]) -> Tensor:
        """Compute the outputs [n, ...] of the inputs by name [n, ...]."""

    def train(self, mode: bool = True) -> object:
        """Switch dropout and batch statistics on or off."""

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Iterate over the parameters, from the input upwards, with their names, ``layer.weight``."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return the live parameters and buffers by name."""

    def penalty(self) -> Tensor | None:
        """Return the sum of the layers' own penalties, if there are any."""

    def constrain(self) -> None:
        """Apply the layers' constraints after a step."""

    def carried(self) -> dict[str, Tensor]:
        """Return what the next batch goes on from, by name."""

    def set_carried(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``carried`` returned."""

    def clear_carried(self) -> None:
        """Start the next batch anew."""


@dataclass(frozen=True)
class StepOptions:
    """How a step treats its batch and its gradients."""

    part: int
    """Rows that go through the network at once; a larger batch accumulates the gradients of its parts."""
    evaluation_part: int = 1024
    """Rows that go through it at once where there are no gradients."""
    clip_norm: float | None = None
    clip_value: float | None = None
    autocast: torch.dtype | None = None
    dtype: torch.dtype = torch.float32


class GradientPhase:
    """Epochs of: forward, loss, backward, optimizer step; computed by torch."""

    def __init__(
        self,
        name: str,
        epochs: int,
        network: Trainable,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        data: RowBatches,
        validation: Batch | None,
        scoring: Scoring,
        options: StepOptions,
        draws: PhaseDraws,
        lr_factor: Callable[[float], float],
        lr_per_step: bool = False,
        forward: Callable[[Mapping[str, Tensor | Padded]], Tensor] | None = None,
        augment: Callable[[Mapping[str, Any], Draws], Augmented] | None = None,
        reading: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Make a phase from its parts.

        ``forward`` computes the network's outputs in training where that is not the network itself; ``augment``
        changes the inputs of training rows; validation rows go through the network within ``reading``.
        """
        self.name = name
        self.epochs = epochs
        self.steps = data.steps
        self.lr_scale = 1.0
        self.network = network
        self._forward = forward or network
        self._augment = augment
        self._reading = reading
        self._loss = loss
        self._optimizer = optimizer
        self._data = data
        self._validation = validation
        self._scoring = scoring
        self._options = options
        self._draws = draws
        self._lr_factor = lr_factor
        self._lr_per_step = lr_per_step
        self._base_lr = [float(group["lr"]) for group in optimizer.param_groups]
        named = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
        self._parameters = list(named.values())
        self._layers = [name.partition(".")[0] for name in named]
        self._norms = dict.fromkeys(self._layers, 0.0)
        self._device = data.rows.device
        self._scaler = torch.amp.GradScaler(self._device.type) if options.autocast == torch.float16 else None
        self._step = bare_step(optimizer)
        self._place = (0, 0)
        self._losses: list[Tensor] = []
        self._outputs: list[Tensor] = []

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """Yield the epoch's batches and keep the learning rate at what the schedule says."""
        self.network.train()
        if start == 0:
            self.network.clear_carried()
        self._set_lr(float(epoch))
        for number, batch in enumerate(self._data.epoch(epoch, start), start):
            if self._lr_per_step:
                self._set_lr(epoch + number / self.steps)
            self._place = (epoch, number * self._data.size)
            yield batch

    def _set_lr(self, position: float) -> None:
        factor = self._lr_factor(position) * self.lr_scale
        for group, base in zip(self._optimizer.param_groups, self._base_lr, strict=True):
            group["lr"] = base * factor

    def step(self, batch: Batch) -> None:
        """Change the weights once; keeps the batch's mean loss and its outputs."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._backward_parts(batch)
        self._clip()
        if self._scaler is None:
            self._step()
        else:
            self._scaler.step(self._optimizer)
            self._scaler.update()
        self.network.constrain()
        self._losses.append(loss)

    def _backward_parts(self, batch: Batch) -> Tensor:
        """Add up the gradients of the batch's parts; returns the loss."""
        epoch, row = self._place
        total = None
        for part in batch.split(self._options.part):
            self._draws.seek(epoch, row * part.apart)
            loss = self._backward(part, part.count / batch.count)
            total = loss if total is None else total + loss
            row += len(part)
        assert total is not None  # noqa: S101 - a batch has rows
        return total

    def _backward(self, part: Batch, share: float) -> Tensor:
        inputs = part.floats(self._options.dtype)
        seen = Augmented(inputs) if self._augment is None else self._augment(inputs, self._draws)
        losses = self._train_losses(part, seen)
        loss = losses.mean() if share == 1 else losses.mean() * share
        penalty = self.network.penalty()
        total = loss if penalty is None else loss + penalty * share
        (total if self._scaler is None else self._scaler.scale(total)).backward()  # type: ignore[no-untyped-call]
        return total.detach()

    def _train_losses(self, part: Batch, seen: Augmented) -> Tensor:
        """Return the loss of each target of a part of a batch, and keep its outputs."""
        with self._autocast():
            outputs = self._forward(seen.inputs)
        outputs, targets, weights = part.aligned(outputs.float() if self._options.autocast else outputs)
        if self._scoring.score is not None:
            self._outputs.append(self._scoring.kept(outputs.detach(), targets))
        return self._row_losses(outputs, targets, weights, seen)

    def _row_losses(self, outputs: Tensor, targets: Tensor, weights: Tensor | None, seen: Augmented) -> Tensor:
        """Return the loss of each row; of a mixed row those of all rows in it, each with its weight, in shares."""
        if seen.parts is None:
            losses = self._loss(outputs, targets)
            return losses if weights is None else losses * weights
        total = torch.zeros((), device=outputs.device)
        for rows, share in seen.parts:
            weight = share if weights is None else share * weights[rows]
            total = total + weight * self._loss(outputs, targets[rows])
        return total

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

    def losses(self) -> NDArray[np.float32]:
        """Return the loss of each step of this epoch so far."""
        return to_array(torch.stack(self._losses).float()) if self._losses else np.empty(0, np.float32)

    def summary(self, epoch: int) -> dict[str, float]:
        """Return train and validation values, the learning rate and the norm of the last gradient."""
        data = self._data
        values = {"train_loss": mean_loss(self.losses(), data.size, len(data.rows), data.counts(epoch))}
        values |= self._train_values(epoch)
        self._losses, self._outputs = [], []
        if self._validation is not None:
            values |= self._validation_values(self._validation)
        self._norms = self._layer_norms()
        norm = math.hypot(*self._norms.values())
        return values | {"lr": float(self._optimizer.param_groups[0]["lr"]), "gradient_norm": norm}

    def _train_values(self, epoch: int) -> dict[str, float]:
        """Return what the steps of an epoch have kept, beside their loss."""
        return self._scoring.train(torch.cat(self._outputs), self._data.order(epoch)) if self._outputs else {}

    def _validation_values(self, rows: Batch) -> dict[str, float]:
        """Return the loss of validation rows and what else there is to say of them."""
        return self._scoring.validation(*self._evaluate(rows))

    def _evaluate(self, rows: Batch) -> tuple[float, Tensor | None]:
        self.network.train(False)
        losses, outputs = [], []
        with torch.inference_mode(), self._reading():
            for part in rows.split(self._options.evaluation_part):
                inputs = part.floats(self._options.dtype)
                with self._autocast():
                    output = self.network(inputs)
                output, targets, weights = part.aligned(output.float() if self._options.autocast else output)
                if self._scoring.score is not None:
                    outputs.append(self._scoring.kept(output, targets))
                loss = self._loss(output, targets)
                losses.append(loss if weights is None else loss * weights)
            penalty = self.network.penalty()
        mean = torch.cat(losses).double().mean()
        return float(mean if penalty is None else mean + penalty), torch.cat(outputs) if outputs else None

    def _layer_norms(self) -> dict[str, float]:
        gradients = [parameter.grad for parameter in self._parameters]
        scale = 1.0 if self._scaler is None else float(self._scaler.get_scale())
        layers: dict[str, list[float]] = {}
        for layer, norm in zip(self._layers, norms_of(gradients), strict=True):
            layers.setdefault(layer, []).append(norm)
        return {layer: math.hypot(*norms) / scale for layer, norms in layers.items()}

    def gradient_norms(self) -> dict[str, float]:
        """Return the norm of the epoch's last gradient in each layer, after clipping."""
        return self._norms

    def weights(self) -> Arrays:
        """Return copies of the parameters and buffers by name."""
        return weights_of(self.network)

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Copy values into the parameters and buffers."""
        set_arrays(self.network, weights)

    def state(self) -> Tree:
        """Return weights, optimizer, draws, carried state, learning-rate scale and what the epoch has so far."""
        return {
            "weights": self.weights(),
            "optimizer": optimizer_state(self._optimizer),
            "draws": self._draws.state(),
            "carried": {name: to_array(tensor).copy() for name, tensor in self.network.carried().items()},
            "lr_scale": self.lr_scale,
            "scaler": None if self._scaler is None else self._scaler.state_dict(),
            "losses": self.losses(),
            "outputs": to_array(torch.cat(self._outputs)) if self._outputs else None,
        }

    def load(self, state: Tree) -> None:
        """Go on from a ``state``, also one of the native engine."""
        self.set_weights(state["weights"])
        load_optimizer_state(self._optimizer, state["optimizer"])
        self._draws.load(state["draws"])
        carried = state.get("carried", {})  # The native engine carries nothing.
        self.network.set_carried({name: torch.from_numpy(array).to(self._device) for name, array in carried.items()})
        self.lr_scale = state["lr_scale"]
        if self._scaler is not None and state["scaler"] is not None:
            self._scaler.load_state_dict(state["scaler"])
        self._losses = list(torch.from_numpy(state["losses"]).to(self._device))
        self._outputs = [] if state["outputs"] is None else [torch.from_numpy(state["outputs"]).to(self._device)]


class HasWeights(Protocol):
    """A network whose weights go by name."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return the live parameters and buffers by name."""


def weights_of(network: HasWeights) -> Arrays:
    """Return copies of a network's parameters and buffers by name."""
    return {name: to_array(tensor).copy() for name, tensor in network.state_dict().items()}


def set_arrays(network: HasWeights, weights: Mapping[str, NDArray[Any]]) -> None:
    """Copy values into a network's parameters and buffers; raises ``ValueError`` for one of another shape."""
    for name, tensor in network.state_dict().items():
        if weights[name].shape != tuple(tensor.shape):
            raise ValueError(f"{name} is {weights[name].shape}, expected {tuple(tensor.shape)}")
        tensor.copy_(torch.from_numpy(np.asarray(weights[name])))


def norms_of(gradients: Sequence[Tensor | None]) -> list[float]:
    """Return the norm of each gradient, 0 for one that is missing; the squares of tiny values do not become 0."""
    there = [gradient for gradient in gradients if gradient is not None]
    if not there:
        return [0.0] * len(gradients)
    dtype = torch.float32 if there[0].device.type == "mps" else torch.float64
    norms = iter(torch.stack([torch.linalg.vector_norm(gradient, dtype=dtype) for gradient in there]).tolist())
    return [0.0 if gradient is None else next(norms) for gradient in gradients]


def to_array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor's values in memory; numpy has no bfloat16, so that becomes float32."""
    tensor = tensor.detach().cpu()
    array: NDArray[Any] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def optimizer_state(optimizer: torch.optim.Optimizer) -> Tree:
    """Return an optimizer's running values as a tree, by the number of the weight as text."""
    state = optimizer.state_dict()["state"]
    return {str(key): {name: _plain(value) for name, value in values.items()} for key, values in state.items()}


def load_optimizer_state(optimizer: torch.optim.Optimizer, tree: Tree) -> None:
    """Give an optimizer the running values that ``optimizer_state`` returned; its options are the spec's."""
    state = {int(key): {name: _tensor(value) for name, value in values.items()} for key, values in tree.items()}
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _plain(value: Any) -> Any:
    return to_array(value).copy() if isinstance(value, Tensor) else value


def _tensor(value: Any) -> Any:
    return torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value
