"""Random trainings that both engines can do, and what comes of them."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnkit.data.dataset import Dataset
from nnkit.data.prepare import Prepared
from nnkit.engine.native import NativeNetwork
from nnkit.engine.phase import Phase
from nnkit.models.base import MODELS
from nnkit.models.native import native_ops
from nnkit.models.plan import Plan
from nnkit.procedures.base import PROCEDURES, Loop, Procedure, Work

Json = dict[str, Any]

ACTIVATIONS: list[Any] = [
    *("linear", "relu", "relu6", "selu", "silu", "mish", "sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu", "tanh"),
    *("hard_tanh", "tanh_shrink", "softplus", "softsign", "exponential", "softmax", "log_softmax", "gelu", "elu"),
    {"type": "relu", "negative_slope": 0.1, "max_value": 1.5, "threshold": 0.2},
    {"type": "leaky_relu", "negative_slope": 0.3},
    {"type": "elu", "alpha": 0.7},
    {"type": "celu", "alpha": 1.3},
    {"type": "gelu", "approximate": True},
    {"type": "hard_shrink", "threshold": 0.3},
    {"type": "soft_shrink", "threshold": 0.2},
    {"type": "threshold", "threshold": 0.1, "value": -0.4},
    {"type": "squareplus", "b": 2.0},
]
LOSSES: dict[str, list[tuple[Any, str]]] = {
    "binary": [
        *(("binary_cross_entropy", "sigmoid"), ("binary_focal", "sigmoid"), ("hinge", "linear"), ("hinge", "tanh")),
        ({"type": "binary_cross_entropy", "pos_weight": 2.5, "label_smoothing": 0.2}, "sigmoid"),
        ({"type": "binary_focal", "gamma": 1.5, "alpha": 0.3, "label_smoothing": 0.1}, "sigmoid"),
        ("squared_hinge", "linear"),
    ],
    "multiclass": [
        *(("categorical_cross_entropy", "softmax"), ("categorical_focal", "softmax"), ("categorical_hinge", "softmax")),
        ({"type": "categorical_cross_entropy", "label_smoothing": 0.3}, "softmax"),
        ({"type": "categorical_focal", "gamma": 0.7, "alpha": 0.6, "label_smoothing": 0.1}, "softmax"),
    ],
    "regression": [
        *(("mean_squared_error", "linear"), ("mean_absolute_error", "tanh"), ("log_cosh", "linear")),
        *(("mean_absolute_percentage_error", "linear"), ("mean_squared_logarithmic_error", "softplus")),
        *(({"type": "huber", "delta": 0.5}, "linear"), ({"type": "quantile", "quantile": 0.2}, "linear")),
        *(("poisson", "exponential"), ("poisson", "softplus"), ("cosine_similarity", "linear")),
        ("kl_divergence", "softmax"),
    ],
}
OPTIMIZERS: list[Json] = [
    {"type": "sgd", "lr": 0.05},
    {"type": "sgd", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.01},
    {"type": "sgd", "lr": 0.02, "momentum": 0.8, "nesterov": True},
    {"type": "adam", "lr": 0.01, "eps": 1e-4},
    {"type": "adam", "lr": 0.01, "eps": 1e-4, "amsgrad": True, "weight_decay": 0.02, "betas": [0.8, 0.95]},
    {"type": "adamw", "lr": 0.01, "eps": 1e-4, "weight_decay": 0.1},
    {"type": "adamax", "lr": 0.01, "eps": 1e-3, "weight_decay": 0.01},
    {"type": "nadam", "lr": 0.01, "eps": 1e-4, "weight_decay": 0.01, "momentum_decay": 0.01},
    {"type": "rmsprop", "lr": 0.005, "eps": 1e-3},
    {"type": "rmsprop", "lr": 0.005, "eps": 1e-2, "momentum": 0.8, "centered": True, "weight_decay": 0.01},
    {"type": "adagrad", "lr": 0.05, "eps": 1e-3, "lr_decay": 0.1, "initial_accumulator_value": 0.1},
    {"type": "adadelta", "lr": 1.0, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.01},
]
SCHEDULES: list[Any] = [None, None, "cosine", {"type": "linear", "per": "step", "warmup": 0.5}]


@dataclass(frozen=True)
class Case:
    """A training: layers, procedure, loop, the seed of its data, and the sizes of that."""

    layers: list[Json]
    procedure: Json
    loop: Json
    task: str
    inputs: int
    outputs: int
    rows: int
    seed: int
    weighted: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a training."""
    task = draw(st.sampled_from(sorted(LOSSES)))
    loss, head = draw(st.sampled_from(LOSSES[task]))
    outputs = {"binary": draw(st.sampled_from([1, 1, 3])), "multiclass": draw(st.integers(2, 9))}.get(task, 1)
    if loss in ("cosine_similarity", "kl_divergence"):
        outputs = draw(st.integers(2, 6))
    elif task == "regression":
        outputs = draw(st.integers(1, 4))
    layers = [layer for _ in range(draw(st.integers(0, 3))) for layer in draw(hidden())]
    layers.append({"type": "dense", "units": outputs, "activation": head})
    # Two or three rows are often nearly alike, and normalizing then makes a rounding a thousand times larger.
    normalizes = any(layer["type"] == "batch_norm" for layer in layers)
    batch = draw(st.integers(6 if normalizes else 2, 13))
    loop = {"epochs": 2, "batch_size": batch, "accumulate": draw(st.sampled_from([1, 1, 1, 3]))}
    loop |= draw(st.sampled_from([{}, {}, {"clip_norm": 0.5}, {"clip_value": 0.05}]))
    optimizer = dict(draw(st.sampled_from(OPTIMIZERS)), schedule=draw(st.sampled_from(SCHEDULES)))
    return Case(
        layers,
        {"type": "supervised", "loss": loss, "optimizer": optimizer},
        loop,
        task,
        inputs=draw(st.integers(1, 20)),
        outputs=outputs,
        rows=draw(st.integers(14, 50)),
        seed=draw(st.integers(0, 10**6)),
        weighted=draw(st.booleans()),
    )


@st.composite
def hidden(draw: st.DrawFn) -> list[Json]:
    """Draw a hidden dense layer with what may stand around it."""
    dense: Json = {"type": "dense", "units": draw(st.integers(1, 19)), "use_bias": draw(st.integers(0, 4)) > 0}
    dense |= draw(st.sampled_from([{}, {}, {}, {"l1": 0.01}, {"l2": 0.02}, {"max_norm": 0.5}, {"trainable": False}]))
    activation = draw(st.sampled_from(ACTIVATIONS))
    apart = draw(st.booleans())
    found = [dense] if apart else [dense | {"activation": activation}]
    norm = {"type": "batch_norm", "momentum": 0.9, "center": draw(st.booleans()), "scale": draw(st.booleans())}
    if draw(st.integers(0, 3)) == 0:
        found.append(norm | draw(st.sampled_from([{}, {}, {"trainable": False}])))
    if apart:
        found.append({"type": "activation", "activation": activation})
    if draw(st.integers(0, 3)) == 0:
        kind = draw(st.sampled_from(["dropout", "input_dropout", "alpha_dropout"]))
        found.append({"type": kind, "rate": draw(st.sampled_from([0.0, 0.1, 0.5]))})
    return found


@dataclass(frozen=True)
class _Pipeline:
    """As much of a pipeline as a procedure asks for."""

    task: str
    classes: list[str]

    def restore_target(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        return outputs


def dataset(case: Case, rows: int, seed: int) -> Dataset:
    """Make rows whose targets follow from their inputs, with noise."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, case.inputs)).astype(np.float32)
    signal = x @ draw.normal(size=(case.inputs, case.outputs)) + draw.normal(size=(rows, case.outputs))
    weights = draw.uniform(0.5, 2, rows) if case.weighted else None
    if case.task == "multiclass":
        truth = signal.argmax(axis=1)
        return Dataset({"input": x}, np.arange(rows), truth, truth, weights)
    if case.task == "binary":
        targets = (signal > 0).astype(np.float32)
        return Dataset({"input": x}, np.arange(rows), targets[:, 0].astype(np.int64), targets, weights)
    values = np.abs(signal) + 0.1
    if case.procedure["loss"] == "kl_divergence":
        values /= values.sum(axis=1, keepdims=True)
    return Dataset({"input": x}, np.arange(rows), values, values.astype(np.float32), weights)


@dataclass(frozen=True)
class Made:
    """The pieces of a case."""

    case: Case
    plan: Plan
    procedure: Procedure
    prepared: Prepared

    @classmethod
    def of(cls, case: Case) -> "Made":
        """Make the pieces."""
        plan = MODELS.decode({"type": "network", "layers": case.layers}).plan({"input": (case.inputs,)})
        pipeline = cast(Any, _Pipeline(case.task, ["a", "b"]))
        prepared = Prepared(dataset(case, case.rows, case.seed), dataset(case, 11, case.seed + 1), None, pipeline, {})
        return cls(case, plan, PROCEDURES.decode(case.procedure), prepared)

    def phase(self, engine: str, precision: str = "float32") -> Phase:
        """Return the training's one phase."""
        loop = Loop.model_validate(self.case.loop | {"precision": precision})
        trained, weights = self.procedure.trained(self.plan), self.plan.initial_weights(self.case.seed)
        if engine == "native":
            assert self.procedure.not_native(self.plan, loop) is None
            network: Any = NativeNetwork(native_ops(trained), weights)
        else:
            network = trained.build()
            network.load_arrays(weights)
            network.to("cpu", getattr(torch, precision))
        [phase] = self.procedure.phases(Work(self.plan, network, self.prepared, loop, self.case.seed, "cpu"))
        return phase


@dataclass(frozen=True)
class Result:
    """The losses of all steps, the values of the history and the weights of a training."""

    losses: NDArray[np.float64]
    values: dict[str, float]
    weights: dict[str, NDArray[np.float64]]


def result(phase: Phase) -> Result:
    """Train."""
    losses, values = [], {}
    for epoch in range(phase.epochs):
        for batch in phase.batches(epoch, 0):
            phase.step(batch)
        losses.append(phase.losses().astype(np.float64))
        values = phase.summary(epoch) | {f"norm of {name}": norm for name, norm in phase.gradient_norms().items()}
    weights = {name: array.astype(np.float64) for name, array in phase.weights().items()}
    return Result(np.concatenate(losses), values, weights)
