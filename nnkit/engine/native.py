"""The native engine: small networks of dense layers, trained by the C kernel without torch.

It computes what ``GradientPhase`` computes, by the same formulas in another order of additions, so the two agree to
float32 rounding; their states are the same, so one goes on where the other stopped.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnkit.engine.order import RowDraws, RowOrder
from nnkit.engine.scoring import Scoring, mean_loss
from nnkit.engine.state import Arrays, Tree

Floats: TypeAlias = NDArray[np.float32]

CHUNK_SECONDS = 0.05
"""Steps that are made at once take about so long: a signal waits no longer."""
CHUNK_VALUES = 2**24
"""Random numbers that are drawn at once."""
CONSTANTS, OPTIONS = 4, 12
"""As in native/program.h."""


def kernel() -> ModuleType | None:
    """Return the compiled module, or None where nnkit was installed without it."""
    try:
        from nnkit import _native
    except ImportError:
        return None
    return _native


@dataclass(frozen=True)
class Op:
    """One thing that the kernel does to rows: ``kind`` is one of its layers, weights have names."""

    kind: str
    inputs: int
    outputs: int
    weights: tuple[str, ...] = ()
    """Of dense kernel and bias; of batch_norm gamma, beta, mean and variance; "" where there is none."""
    activation: str = "linear"
    constants: tuple[float, ...] = ()
    trained: bool = False
    name: str = ""
    """Who draws, for layers that do."""

    @property
    def draws(self) -> bool:
        """Whether the layer needs random numbers in training."""
        return self.kind in ("dropout", "input_dropout", "alpha_dropout")


@dataclass(frozen=True)
class Rule:
    """A loss or an optimizer of the kernel: its name, its options in the kernel's order."""

    name: str
    options: tuple[float, ...] = ()
    fused: bool = False
    """Of a loss: whether it takes the values before the activation at the end."""
    slots: tuple[str, ...] = ()
    """Of an optimizer: torch's names of its running values."""
    start: float = 0.0
    """What the running values start from."""


NO_OPTIMIZER = Rule("sgd", (0.0,))


class NativeNetwork:
    """A chain of ops with their weights, which lie one behind the other in one array."""

    def __init__(self, ops: Sequence[Op], arrays: Mapping[str, NDArray[Any]]) -> None:
        module = kernel()
        assert module is not None  # noqa: S101 - nobody asks for a network that cannot run
        self.kernel = module
        self.ops = tuple(ops)
        names = [name for op in ops for name in op.weights if name]
        ends = np.cumsum([0, *(arrays[name].size for name in names)]).tolist()
        self._places = {
            name: (slice(begin, end), arrays[name].shape)
            for name, begin, end in zip(names, ends, ends[1:], strict=False)
        }
        self.flat = np.concatenate([np.ravel(arrays[name]) for name in names]).astype(np.float32)
        self.layers = np.array([self._layer(op) for op in ops], dtype=np.int32)
        self.constants = np.array([_filled(op.constants, CONSTANTS) for op in ops], dtype=np.float64)

    def _layer(self, op: Op) -> list[int]:
        begins = [self._places[name][0].start if name else -1 for name in op.weights[:3]]
        places = begins + [-1] * (3 - len(begins))
        kind, activation = self.kernel.LAYERS[op.kind], self.kernel.ACTIVATIONS[op.activation]
        return [kind, activation, op.inputs, op.outputs, int(op.trained), *places]

    def view(self, flat: Floats, name: str) -> Floats:
        """Return the part of ``flat``, which is laid out as the weights are, that belongs to one weight."""
        place, shape = self._places[name]
        return flat[place].reshape(shape)

    def arrays(self) -> Arrays:
        """Return copies of the weights by name."""
        flat = self.flat.copy()
        return {name: self.view(flat, name) for name in self._places}

    def set_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Copy values into the weights."""
        for name, (_, shape) in self._places.items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} is {arrays[name].shape}, expected {shape}")
            self.view(self.flat, name)[...] = arrays[name]

    @property
    def trained(self) -> list[str]:
        """The weights that training changes, in torch's order."""
        statistics = {name for op in self.ops if op.kind == "batch_norm" for name in op.weights[2:]}
        return [name for op in self.ops if op.trained for name in op.weights if name and name not in statistics]

    def outputs(self, x: Floats) -> Floats:
        """Compute the outputs [n, outputs] of rows [n, inputs]; a row's do not depend on the rows beside it."""
        return self.evaluate(Rule("mean_squared_error"), x, None, None)[2]

    def evaluate(
        self, loss: Rule, x: Floats, y: NDArray[Any] | None, weights: Floats | None
    ) -> tuple[float, Floats, Floats]:
        """Return the penalty of the weights, the loss of each row (where there are targets) and the outputs."""
        losses = np.zeros(len(x) if y is not None else 0, np.float32)
        outputs = np.empty((len(x), self.ops[-1].outputs), np.float32)
        none = np.empty(0, np.float32)
        program = self.program(loss, NO_OPTIMIZER, np.zeros(2), none, np.zeros(2))
        rows = min(max(len(x), 1), EVALUATION_ROWS)
        penalty = self.kernel.evaluate(
            program, (x, y, weights, None, None, None, losses, outputs, np.empty(0)), rows, rows
        )
        return penalty, losses, outputs

    def program(
        self, loss: Rule, optimizer: Rule, clip: NDArray[np.float64], slots: Floats, clock: NDArray[np.float64]
    ) -> tuple[Any, ...]:
        """Return the first argument of the kernel's functions."""
        chosen = [self.kernel.LOSSES[loss.name], *_filled((*loss.options,), OPTIONS - 1), float(loss.fused)]
        rule = [self.kernel.OPTIMIZERS[optimizer.name], *_filled(optimizer.options, OPTIONS)]
        return (self.layers, self.constants, np.array(chosen), np.array(rule), clip, self.flat, slots, clock)


def activated(name: str, options: Sequence[float], values: Floats) -> Floats:
    """Return an activation of rows [n, values]."""
    module, result = kernel(), np.array(values, dtype=np.float32, order="C")
    assert module is not None  # noqa: S101 - the values come from the kernel
    module.activate(module.ACTIVATIONS[name], np.array(_filled(options, CONSTANTS)), result, result.shape[-1])
    return result


EVALUATION_ROWS = 64
"""Rows that go through the kernel at once in evaluation, so that their values stay in the cache."""


def _filled(values: Sequence[float], size: int) -> list[float]:
    return [*values, *[0.0] * (size - len(values))]


@dataclass(frozen=True)
class NativeRows:
    """Rows as the kernel takes them: x float32 [n, inputs], y float32 [n, k] or int64 [n], weights float32 [n]."""

    x: Floats
    y: NDArray[Any]
    weights: Floats | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class NativeSteps:
    """Steps that follow each other: the number of the first in its epoch, how many, their rows."""

    epoch: int
    first: int
    steps: int
    rows: int

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True)
class NativeOptions:
    """How a step treats its rows and gradients; 0 is no clipping."""

    batch: int
    part: int
    clip_value: float = 0.0
    clip_norm: float = 0.0


@dataclass
class NativePhase:
    """Epochs of: forward, loss, backward, optimizer step; many steps in one call of the kernel."""

    name: str
    epochs: int
    network: NativeNetwork
    loss: Rule
    optimizer: Rule
    base_lr: float
    rows: NativeRows
    validation: NativeRows | None
    order: RowOrder
    draws: RowDraws
    scoring: Scoring
    options: NativeOptions
    lr_factor: Callable[[float], float]
    lr_per_step: bool = False
    lr_scale: float = 1.0
    _chunk: int = field(default=64, init=False)

    def __post_init__(self) -> None:
        self.steps = -(-len(self.rows) // self.options.batch)
        size = len(self.optimizer.slots) * self.network.flat.size
        self._slots = np.full(size, self.optimizer.start, np.float32)
        self._clock = np.array([0.0, 1.0])
        self._losses: list[Floats] = []
        self._outputs: list[Floats] = []
        clip = np.array([self.options.clip_value, self.options.clip_norm])
        self._program = self.network.program(self.loss, self.optimizer, clip, self._slots, self._clock)
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self._lr = self.base_lr
        self._norm, self._norms = 0.0, np.zeros(len(self.network.ops))
        self._learning = {name.rpartition(".")[0] for name in self.network.trained}

    def batches(self, epoch: int, start: int) -> Iterator[NativeSteps]:
        """Yield the epoch's steps, as many at once as take a moment."""
        batch, first = self.options.batch, start
        drawn = sum(op.outputs for op in self.network.ops if op.draws)
        while first < self.steps:
            most = max(1, CHUNK_VALUES // (drawn * batch)) if drawn else self.steps
            steps = min(self._chunk, most, self.steps - first)
            rows = min((first + steps) * batch, len(self.rows)) - first * batch
            began = time.perf_counter()
            yield NativeSteps(epoch, first, steps, rows)
            self._learn_speed(steps, time.perf_counter() - began)
            first += steps

    def _learn_speed(self, steps: int, seconds: float) -> None:
        self._chunk = max(1, min(int(steps * CHUNK_SECONDS / max(seconds, 1e-6)), 64 * steps))

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self.order.of(epoch)
        return self._order[1]

    def _rates(self, batch: NativeSteps) -> NDArray[np.float64]:
        if self.lr_per_step:
            places = [batch.epoch + number / self.steps for number in range(batch.first, batch.first + batch.steps)]
        else:
            places = [float(batch.epoch)]
        rates = [self.base_lr * (self.lr_factor(place) * self.lr_scale) for place in places]
        self._lr = rates[-1]
        return np.array(rates) if self.lr_per_step else np.full(batch.steps, rates[0])

    def _numbers(self, batch: NativeSteps) -> NDArray[np.uint16] | None:
        """Return the random numbers of the steps' rows, layer after layer."""
        start = batch.first * self.options.batch
        parts = [
            self.draws.numbers(op.name, batch.epoch, start, batch.rows, op.outputs).ravel()
            for op in self.network.ops
            if op.draws
        ]
        return np.concatenate(parts) if parts else None

    def step(self, batch: NativeSteps) -> None:
        """Change the weights ``batch.steps`` times."""
        start = batch.first * self.options.batch
        order = self._order_of(batch.epoch)[start : start + batch.rows]
        losses = np.empty(batch.steps, np.float32)
        outputs = np.empty((batch.rows, self.network.ops[-1].outputs), np.float32)
        options, rows = self.options, self.rows
        data = (
            rows.x,
            rows.y,
            rows.weights,
            order,
            self._numbers(batch),
            self._rates(batch),
            losses,
            outputs,
            self._norms,
        )
        self._norm = self.network.kernel.train(self._program, data, options.batch, options.part)
        self._losses.append(losses)
        self._outputs.append(outputs)

    def losses(self) -> Floats:
        """Return the loss of each step of this epoch so far."""
        return np.concatenate(self._losses) if self._losses else np.empty(0, np.float32)

    def summary(self, epoch: int) -> dict[str, float]:
        """Return train and validation values, the learning rate and the norm of the last gradient."""
        outputs = np.concatenate(self._outputs)
        values = {"train_loss": mean_loss(self.losses(), self.options.batch, len(outputs))}
        values |= self.scoring.train(outputs, self._order_of(epoch))
        self._losses, self._outputs = [], []
        if self.validation is not None:
            rows = self.validation
            penalty, losses, outputs = self.network.evaluate(self.loss, rows.x, rows.y, rows.weights)
            values |= self.scoring.validation(float(losses.astype(np.float64).mean() + penalty), outputs)
        return values | {"lr": self._lr, "gradient_norm": self._norm}

    def gradient_norms(self) -> dict[str, float]:
        """Return the norm of the last gradient in each layer that is trained."""
        norms = zip(self.network.ops, self._norms.tolist(), strict=True)
        return {op.name: norm for op, norm in norms if op.trained and op.name in self._learning}

    def weights(self) -> Arrays:
        """Return copies of the weights by name."""
        return self.network.arrays()

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Copy values into the weights."""
        self.network.set_arrays(weights)

    def _running(self) -> Iterator[tuple[str, str, Floats]]:
        """Yield the number of each trained weight, the name of each of its running values, and that itself."""
        for number, name in enumerate(self.network.trained):
            for slot, flat in zip(self.optimizer.slots, self._slots.reshape(-1, self.network.flat.size), strict=False):
                yield str(number), slot, self.network.view(flat, name)

    def state(self) -> Tree:
        """Return weights, the optimizer's running values as torch has them, and what the epoch has so far."""
        optimizer: dict[str, dict[str, Any]] = {}
        if self._clock[0]:
            step, product = (np.array(value, np.float32) for value in self._clock)
            clock = {"step": step, **({"mu_product": product} if self.optimizer.name == "nadam" else {})}
            optimizer = {str(number): dict(clock) for number in range(len(self.network.trained))}
            for number, slot, values in self._running():
                optimizer[number][slot] = values.copy()
        return {
            "weights": self.weights(),
            "optimizer": optimizer,
            "clock": self._clock.copy(),
            "draws": None,
            "lr_scale": self.lr_scale,
            "scaler": None,
            "losses": self.losses(),
            "outputs": np.concatenate(self._outputs) if self._outputs else None,
        }

    def load(self, state: Tree) -> None:
        """Go on from a ``state``, also one of torch's phase."""
        self.set_weights(state["weights"])
        optimizer = state["optimizer"]
        for number, slot, values in self._running():
            stored = optimizer.get(number, {}).get(slot)
            values[...] = self.optimizer.start if stored is None else stored
        first: dict[str, Any] = next(iter(optimizer.values()), {})
        clock = [float(first.get("step", len(optimizer) > 0)), float(first.get("mu_product", 1.0))]
        self._clock[...] = state.get("clock", clock)
        self.lr_scale = state["lr_scale"]
        self._losses = [state["losses"]]
        self._outputs = [] if state["outputs"] is None else [state["outputs"]]
