"""Contrastive divergence: a restricted Boltzmann machine learns how likely rows are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from nnkit.config.piece import Options
from nnkit.data.pipeline import Pipeline
from nnkit.data.visible import picture_shapes, shades
from nnkit.errors import Problem
from nnkit.layers.boltzmann import Rbm
from nnkit.models.base import Model
from nnkit.models.plan import Plan
from nnkit.models.rbm import NAME, RestrictedBoltzmann
from nnkit.predictions import OutputColumn
from nnkit.procedures.base import PROCEDURES, Arrays, Forward, Loop, Place, Sampler, Stage, Work
from nnkit.procedures.contrast import (
    ContrastOptions,
    GibbsSampler,
    floats_of,
    mean_seen,
    out_of_range,
    useless,
)
from nnkit.procedures.forward import BlockForward
from nnkit.procedures.outputs import to_float64
from nnkit.procedures.unlabelled import Goal, Unlabelled, placed, row_order

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.data.prepare import Prepared
    from nnkit.engine.batches import Batch
    from nnkit.engine.draws import PhaseDraws
    from nnkit.engine.phase import Phase
    from nnkit.nn import rbm

PHASE, PARTITION = "contrastive_divergence", "partition"
ERROR, FREE_ENERGY, LOG_LIKELIHOOD = "error", "free_energy", "log_likelihood"
PSEUDO_LIKELIHOOD = "pseudo_likelihood"
DRAWN = 64
"""Samples in the run folder's picture."""
FILTERS = 100


class Partition(Options):
    """How the partition function is estimated."""

    chains: int = Field(default=100, gt=1, description="Chains, of which the estimate is a mean.")
    steps: int = Field(default=1000, gt=0, description="Steps of each, from independent units to the machine.")


@PROCEDURES.register("contrastive_divergence")
class ContrastiveDivergence(Unlabelled, ContrastOptions):
    """Trains a restricted Boltzmann machine by what differs between the rows and its own draws (Hinton, 2002).

    After the training, a phase of its own estimates the partition function by annealed importance sampling, so that
    log-likelihoods are known, in nats. The history has of up to 5,000 training rows and of the validation rows, after
    each epoch: `error`, the mean squared error of a reconstruction without draws; `free_energy`, and as
    `free_energy_gap` by how much it is higher for validation rows, which grows with overfitting; and of Bernoulli
    visible units `pseudo_likelihood`, in nats.
    """

    models = ("rbm",)
    rising = (PSEUDO_LIKELIHOOD,)

    partition: Partition | None = Field(
        default_factory=Partition,
        description="How the partition function is estimated; null: not at all. There is no such estimate of machines "
        "with rectified hidden units.",
    )

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit: options that need gradients."""
        return [*super().problems(plan, pipeline, loop), *useless(loop, f"{self.type_name} has no gradients")]

    def row_problems(self, plan: Plan, prepared: "Prepared", loop: Loop, seed: int) -> list[Problem]:
        """Return what of the training rows does not fit: values that the visible units cannot have."""
        if prepared.augment:
            return [Problem(("data", "augment"), f"{self.type_name} takes rows as they are; leave it out")]
        if prepared.train.weights is not None:
            return [Problem(("data", "weight"), f"{self.type_name} takes all rows alike; leave it out")]
        layer = _layer(plan)
        return [] if isinstance(layer.binarise, float) else out_of_range(prepared, layer.visible)

    def stages(self, plan: Plan, loop: Loop) -> list[Stage]:
        """Return both phases."""
        trained = sum(row.trainable for row in plan.rows())
        return [Stage(PHASE, loop.epochs, trained), *([Stage(PARTITION, 1, 0)] if self._anneals(plan) else [])]

    def _anneals(self, plan: Plan) -> bool:
        return self.partition is not None and _layer(plan).hidden == "bernoulli"

    def history_names(self, loop: Loop, validation: bool) -> list[str]:
        """Return the names of the values that each epoch has, whatever the visible units are."""
        splits = ("train", "validation") if validation else ("train",)
        told = [f"{split}_{name}" for split in splits for name in (ERROR, FREE_ENERGY, PSEUDO_LIKELIHOOD)]
        return [*told, *(["free_energy_gap"] if validation else [])]

    def columns(self, model: Model, pipeline: Pipeline) -> list[OutputColumn]:
        """Return the reconstruction error of a row, its free energy and, where that is known, its log-likelihood."""
        assert isinstance(model, RestrictedBoltzmann)  # noqa: S101 - the model was checked
        known = self.partition is not None and model.hidden == "bernoulli"
        return [OutputColumn(name) for name in (ERROR, FREE_ENERGY, *([LOG_LIKELIHOOD] if known else []))]

    def forward(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what computes them."""
        return BlockForward(plan, weights, place, _judged if self._anneals(plan) else _judged_alone)

    def goals(self) -> dict[str, Goal]:
        """Return what is reported: means of the columns."""
        known: dict[str, Goal] = {} if self.partition is None else {LOG_LIKELIHOOD: "max"}
        return {ERROR: "min", FREE_ENERGY: "min", **known}

    def scores(
        self, pipeline: Pipeline, outputs: "NDArray[np.float64]", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return the means of the columns; log-likelihoods in nats."""
        names = (ERROR, FREE_ENERGY, LOG_LIKELIHOOD)
        return {name: float(values.mean()) for name, values in zip(names, outputs.T, strict=False)}

    def code_names(self, plan: Plan) -> list[str]:
        """Return the names of the hidden units."""
        return [f"hidden_{number}" for number in range(_layer(plan).units)]

    def encoder(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what gives the means of hidden units: of Bernoulli ones their chances."""
        return BlockForward(plan, weights, place, lambda network, inputs: to_float64(network(inputs)))

    def sampler(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Sampler:
        """Return what draws rows by Gibbs sampling."""
        network = plan.build()
        network.load_arrays(weights)
        [(name, shape)] = plan.inputs.items()
        module = _module(network)
        return GibbsSampler([module.machine], module.visible_mean, name, shape)

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield the training, and then what estimates the partition function."""
        import torch

        from nnkit.engine.batches import RowBatches
        from nnkit.engine.contrastive import ContrastivePhase
        from nnkit.engine.draws import draws_on

        module, loop, prepared = _module(work.network), work.loop, work.prepared
        train = placed(prepared.train, work)
        validation = placed(prepared.validation, work) if prepared.validation else None
        module.begin(mean_seen(train, _see(module)))
        yield ContrastivePhase(
            name=PHASE,
            epochs=loop.epochs,
            machine=module.machine,
            network=cast("Any", work.network),
            layer=NAME,
            contrast=self.contrast(),
            data=RowBatches(train, loop.batch_size, row_order(prepared.train, loop, work.seed, PHASE)),
            validation=validation,
            see=_see(module),
            draws=draws_on(torch.device(work.device), work.seed, PHASE),
            seed=work.seed,
            lr_factor=self.lr_factor(loop.epochs),
            lr_per_step=self.lr_per_step,
        )
        if self._anneals(work.plan):
            yield self._partition_phase(work, {"train": train, **({"validation": validation} if validation else {})})

    def _partition_phase(self, work: Work, rows: "dict[str, Batch]") -> "Phase":
        import torch

        from nnkit.engine.annealing import PartitionPhase
        from nnkit.engine.draws import draws_on

        assert self.partition is not None  # noqa: S101 - the caller looked
        module, network = _module(work.network), cast("Any", work.network)
        draws = draws_on(torch.device(work.device), work.seed, PARTITION)
        partition = self.partition
        return PartitionPhase(PARTITION, module, network, partition.chains, partition.steps, rows, _see(module), draws)

    def pictures(
        self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place, rows: "Dataset"
    ) -> "dict[str, bytes]":
        """Return, where rows are pictures, those of the kernel's columns and of samples."""
        shapes = picture_shapes(pipeline)
        if not shapes:
            return {}
        import numpy as np

        [shape] = shapes.values()

        kernel = np.asarray(weights[f"{NAME}.kernel"])[:, :FILTERS].T
        scale = 2 * np.abs(kernel).max(1, keepdims=True).clip(1e-12)
        filters = (kernel / scale + 0.5).reshape(-1, *shape)
        [drawn] = self.sampler(plan, weights, pipeline, place).sample(DRAWN, 0, None, None).values()
        return {
            "filters.png": _grid(filters, f"what {len(filters)} of {plan.nodes[0].output[0]} hidden units look for"),
            "samples.png": _grid(shades(drawn, shape), f"{DRAWN} samples"),
        }


def _grid(pictures: "NDArray[np.floating]", title: str) -> bytes:
    """Draw pictures [n, h, w, channels] in about a square."""
    from nnkit.figures.pictures import Tile, picture_grid

    side = round(len(pictures) ** 0.5)
    tiles = [Tile(values) for values in pictures]
    return picture_grid([tiles[start : start + side] for start in range(0, len(tiles), side)], (), title)


def _layer(plan: Plan) -> Rbm:
    layer = plan.nodes[0].layer
    assert isinstance(layer, Rbm)  # noqa: S101 - the model was checked
    return layer


def _module(network: "Any") -> "rbm.Rbm":
    return cast("rbm.Rbm", network.get_submodule(NAME))


def _see(module: "rbm.Rbm") -> "Any":
    """Return what gives the visible values [n, visible] of rows: in training with draws, else without."""

    def see(rows: "Batch", draws: "PhaseDraws | None") -> "torch.Tensor":
        values = floats_of(rows, module.kernel.dtype)
        return module.binarise(values) if draws is None else module.binarise.drawn(values, draws)

    return see


def _judged_alone(network: "Any", inputs: "Any") -> "NDArray[np.float64]":
    """Return the reconstruction error and the free energy of each row [n, 2]."""
    import torch

    module = _module(network)
    [rows] = inputs.values()
    v, machine = module.binarise(rows), module.machine
    errors = (v - machine.reconstructed(v)).square().mean(1)
    return to_float64(torch.stack((errors, machine.free_energy(v)), 1))


def _judged(network: "Any", inputs: "Any") -> "NDArray[np.float64]":
    """Return the log-likelihood of each row as well [n, 3]."""
    import numpy as np

    outputs = _judged_alone(network, inputs)
    known = float(_module(network).log_partition)
    return np.column_stack((outputs, -outputs[:, 1] - known))
