"""What the two procedures have in common that train restricted Boltzmann machines."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nnkit.config.piece import Options
from nnkit.data.pipeline import Pipeline
from nnkit.errors import Problem
from nnkit.layers.boltzmann import Visible
from nnkit.optimizers import Share
from nnkit.procedures.base import Loop
from nnkit.schedules import ScheduleChoice
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.data.prepare import Prepared
    from nnkit.engine.batches import Batch
    from nnkit.engine.contrastive import Contrast
    from nnkit.engine.draws import PhaseDraws
    from nnkit.nn.rbm import Draws, Machine

USUAL_STEPS = 1000
MOST_AT_ONCE = 1000
"""Rows that are drawn at once."""


class Momentum(Options):
    """A share of the last change that rises once."""

    initial: Share = Field(default=0.5, description="The share at first.")
    final: Share = Field(default=0.9, description="The share afterwards.")
    epochs: int = Field(default=5, gt=0, description="Epochs with the initial share.")


class Sparsity(Options):
    """What pulls the means of hidden units to a small number (Lee and others, 2008; Hinton, 2012)."""

    target: float = Field(gt=0, lt=1, description="The mean that each hidden unit should have.")
    cost: float = Field(default=0.1, gt=0, description="How hard it is pulled there: its part of the statistics.")


class ContrastOptions(Options):
    """How the statistics of a machine change its weights."""

    k: int = Field(default=1, gt=0, description="Times that visible values are drawn anew in each step, as in CD-k.")
    persistent: bool = Field(
        default=False,
        description="Go on with the draws of the step before instead of starting at the rows (Tieleman, 2008): a "
        "better model of the data, to be had with a smaller learning rate. There is a chain for each row of a batch.",
    )
    lr: float = Field(default=0.05, gt=0, description="Learning rate before any schedule, of the mean over a batch.")
    schedule: ScheduleChoice | None = Field(default=None, description="Factor on the learning rate over the epochs.")
    momentum: Share | Momentum = Field(
        default=0.0, description="Share of the last change that is made again; a mapping for one that rises."
    )
    weight_decay: float = Field(default=0.0, ge=0, description="Factor of the kernel that is taken off its change.")
    sparsity: Sparsity | None = Field(default=None, description="Keep most hidden units off most of the time.")

    def contrast(self) -> "Contrast":
        """Return the options as the engine takes them."""
        from nnkit.engine.contrastive import Contrast

        return Contrast(
            lr=self.lr,
            steps=self.k,
            persistent=self.persistent,
            momentum=self._share,
            weight_decay=self.weight_decay,
            sparsity=None if self.sparsity is None else (self.sparsity.target, self.sparsity.cost),
        )

    def _share(self, epoch: int) -> float:
        if isinstance(self.momentum, Momentum):
            return self.momentum.initial if epoch < self.momentum.epochs else self.momentum.final
        return self.momentum

    def lr_factor(self, epochs: int) -> Callable[[float], float]:
        """Return the factor on the learning rate by how many of ``epochs`` epochs are over."""
        schedule = self.schedule
        return lambda epoch: schedule.factor(epoch, epochs) if schedule else 1.0

    @property
    def lr_per_step(self) -> bool:
        """Whether the rate changes with each step."""
        return self.schedule is not None and self.schedule.per == "step"


def useless(loop: Loop, why: str, clipping: bool = True) -> list[Problem]:
    """Return the options of training that do nothing where there are no gradients."""
    said = {
        "clip_norm": loop.clip_norm if clipping else None,
        "clip_value": loop.clip_value if clipping else None,
        "accumulate": loop.accumulate if loop.accumulate > 1 else None,
        "compile": loop.compile or None,
        "precision": loop.precision if loop.precision in ("bfloat16", "float16") else None,
    }
    return [
        Problem(("training", option), f"{why}, so that {option}: {value} does nothing; leave it out")
        for option, value in said.items()
        if value is not None
    ]


def out_of_range(prepared: "Prepared", visible: Visible) -> list[Problem]:
    """Return that Bernoulli units cannot have the values of the training rows, where that is so."""
    import numpy as np

    if visible == "gaussian":
        return []
    [(name, rows)] = prepared.train.inputs.items()
    if not isinstance(rows, np.ndarray) or rows.dtype == np.uint8:
        return []  # Pictures, from 0 to 1.
    flat = rows.reshape(len(rows), -1)
    low, high = float(flat.min()), float(flat.max())
    if low >= 0 and high <= 1:
        return []
    column = int((flat.argmin() if low < 0 else flat.argmax()) % flat.shape[1])
    message = (
        f"bernoulli units take values from 0 to 1, and the training rows have {low:g} to {high:g}, as "
        f"in {_title(prepared.pipeline, name, column)}: scale them by min_max_scale, or set visible: gaussian"
    )
    return [Problem(("model", "visible"), message)]


def _title(pipeline: Pipeline, name: str, column: int) -> str:
    names = pipeline.feature_names[name]
    return names[column] if column < len(names) > 1 else names[0]


def mean_seen(rows: "Batch", see: "Callable[[Batch, PhaseDraws | None], torch.Tensor]") -> "torch.Tensor":
    """Return the mean of what is seen of rows [visible]."""
    import torch

    from nnkit.engine.contrastive import PART

    with torch.no_grad():
        sums = [see(part, None).double().sum(0) for part in rows.split(PART)]
        return torch.stack(sums).sum(0) / len(rows)


class GibbsSampler:
    """Draws rows from a stack of machines, the lowest first, of which rows have the shape ``shape``."""

    def __init__(self, stages: "Sequence[Machine]", mean: "torch.Tensor", name: str, shape: Shape) -> None:
        """``mean`` [top visible] is that of what the top machine has learned from."""
        self._stages = stages
        self._mean = mean
        self._name = name
        self._shape = shape

    def sample(self, count: int, seed: int, label: str | None, steps: int | None) -> "dict[str, NDArray[np.float32]]":
        """Return ``count`` rows after ``steps`` steps of Gibbs sampling, 1,000 where that is None."""
        import numpy as np
        import torch

        from nnkit.errors import UsageError
        from nnkit.nn.random import GeneratorDraws

        if label is not None:
            raise UsageError(f"--label {label}: a Boltzmann machine knows no labels; leave it out")
        kernel = self._stages[0].kernel
        draws = GeneratorDraws(torch.Generator(kernel.device).manual_seed(seed))
        sizes = [min(MOST_AT_ONCE, count - start) for start in range(0, count, MOST_AT_ONCE)]
        parts = [self._draw(size, steps or USUAL_STEPS, draws).float().cpu().numpy() for size in sizes]
        rows = np.concatenate(parts) if parts else np.empty((0, kernel.shape[0]), np.float32)
        return {self._name: rows.reshape(-1, *(axis or 0 for axis in self._shape))}

    def _draw(self, count: int, steps: int, draws: "Draws") -> "torch.Tensor":
        from nnkit.nn.rbm import dreamt

        return dreamt(self._stages, self._mean, count, steps, draws)


def floats_of(rows: "Batch", dtype: "torch.dtype") -> "torch.Tensor":
    """Return the only input of rows on its device [n, ...]."""
    values: Any
    [values] = rows.floats(dtype).values()
    tensor: torch.Tensor = values
    return tensor


def take(rows: "Dataset", chosen: "NDArray[np.int64]") -> "Dataset":
    """Return some of the rows, by their places."""
    from dataclasses import replace

    return replace(
        rows,
        inputs={name: values[chosen] for name, values in rows.inputs.items()},
        rows=rows.rows[chosen],
        truth=None if rows.truth is None else rows.truth[chosen],
        targets=None if rows.targets is None else rows.targets[chosen],
        weights=None if rows.weights is None else rows.weights[chosen],
    )
