"""Greedy training: layers one after the other without labels, then all of them by the labels there are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import Field, model_validator

from nnkit.config.piece import Options
from nnkit.data.pipeline import Pipeline
from nnkit.errors import Path, Problem, UsageError
from nnkit.layers.boltzmann import Stage as StageLayer
from nnkit.models.plan import Plan, PlannedNode
from nnkit.optimizers import OPTIMIZERS, OptimizerChoice
from nnkit.procedures.base import PROCEDURES, Arrays, Forward, Loop, Place, Sampler, Stage, Work
from nnkit.procedures.contrast import ContrastOptions, GibbsSampler, floats_of, mean_seen, out_of_range, take, useless
from nnkit.procedures.forward import BlockForward
from nnkit.procedures.outputs import step_options, to_float64
from nnkit.procedures.supervised import Supervised
from nnkit.procedures.unlabelled import placed, row_order
from nnkit.seeds import generator

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.data.prepare import Prepared
    from nnkit.engine.batches import Batch
    from nnkit.engine.draws import PhaseDraws
    from nnkit.engine.objective import Seen
    from nnkit.engine.phase import Phase
    from nnkit.nn.graph import GraphNetwork
    from nnkit.nn.rbm import Stage as StageModule

FINE_TUNE = "fine_tune"
PROCEDURE: Path = ("training", "procedure")


class AutoencoderOptions(Options):
    """How a layer is trained to give back what it sees, through its hidden units."""

    optimizer: OptimizerChoice = Field(
        default_factory=lambda: OPTIMIZERS.decode("adam"), description="How gradients change the weights."
    )
    corruption: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of what a layer sees that is set to 0, and yet given back (Vincent and others, 2010).",
    )


@PROCEDURES.register("greedy")
class Greedy(Supervised):
    """Trains each layer of a deep belief net on what those below make of all rows, then the net on labelled rows.

    A phase for each layer, from the lowest up: as a restricted Boltzmann machine by contrastive divergence (Hinton,
    Osindero and Teh, 2006), or as an autoencoder (Bengio and others, 2007). What is below it stays as it is. Then the
    phase `fine_tune`, for `training.epochs`, trains all layers and the head, as `supervised` does. Callbacks begin
    anew in each phase.
    """

    models = ("dbn",)

    pretrain_epochs: int = Field(
        default=10, ge=0, description="Epochs for each layer; 0: none, for the same net without pretraining."
    )
    rbm: ContrastOptions | None = Field(
        default=None, description="How layers are trained as Boltzmann machines; so they are by default."
    )
    autoencoder: AutoencoderOptions | None = Field(
        default=None, description="How they are trained as autoencoders, instead."
    )
    labelled: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the training rows of each class whose labels are used; pretraining takes all rows, and "
        "these alike.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.rbm is not None and self.autoencoder is not None:
            raise ValueError("layers are trained either as rbm or as autoencoder; leave out one of both")
        return self

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit, also between classes and ``labelled``."""
        found = super().problems(plan, pipeline, loop)
        if self.labelled < 1 and pipeline.task not in ("binary", "multiclass"):
            message = f"takes a share of each class, and this experiment is {pipeline.task}; leave it out"
            found.append(Problem((*PROCEDURE, "labelled"), message))
        if self.pretrain_epochs and self.autoencoder is None:
            found += useless(loop, "the layers' machines have no gradients", clipping=False)
        return found

    def row_problems(self, plan: Plan, prepared: "Prepared", loop: Loop, seed: int) -> list[Problem]:
        """Return what of the training rows does not fit: values, or classes of which no label is left."""
        if prepared.augment and self.pretrain_epochs:
            return [Problem(("data", "augment"), "layers are pretrained on rows as they are; leave it out")]
        ranges = out_of_range(prepared, _layers(plan)[0].visible) if self.pretrain_epochs else []
        return [*ranges, *self._label_problems(prepared)]

    def _label_problems(self, prepared: "Prepared") -> list[Problem]:
        import numpy as np

        if self.labelled == 1:
            return []
        classes = prepared.pipeline.classes
        counts = np.bincount(prepared.train.truth, minlength=len(classes))
        left = [number for number, count in enumerate(counts) if not kept(int(count), self.labelled)]
        if not left:
            return []
        few = min(left, key=lambda number: int(counts[number]))
        message = (
            f"{self.labelled:g} of the {counts[few]} training rows of the class {classes[few]} is no row; expected "
            f"at least {0.5 / max(int(counts[few]), 1):.2g}, so that each class has a labelled row"
        )
        return [Problem((*PROCEDURE, "labelled"), message)]

    def not_native(self, plan: Plan, loop: Loop) -> str | None:
        """Return that the native engine has one phase only."""
        return f"it has no procedure {self.type_name}"

    def stages(self, plan: Plan, loop: Loop) -> list[Stage]:
        """Return the epochs of each phase, and how many weights it trains."""
        layers = [
            Stage(node.name, self.pretrain_epochs, sum(node.weights[name].size for name in self._moved))
            for node in _planned(plan)
        ]
        trained = sum(row.trainable for row in plan.rows())
        return [*(layers if self.pretrain_epochs else []), Stage(FINE_TUNE, loop.epochs, trained)]

    @property
    def _moved(self) -> Sequence[str]:
        """The weights of a layer that its pretraining changes."""
        if self.autoencoder is None:
            return ("down_kernel", "visible_bias", "hidden_bias")
        return ("kernel", "bias", "down_kernel", "visible_bias")

    def order(self, plan: Plan, train: "Dataset", loop: Loop, seed: int) -> "Any":
        """Return the order of the training rows in each epoch of the first phase."""
        if self.pretrain_epochs:
            return row_order(train, loop, seed, _planned(plan)[0].name)
        return self._order(plan, train, loop, seed, FINE_TUNE)

    def code_names(self, plan: Plan) -> list[str]:
        """Return the names of the top layer's units."""
        return [f"hidden_{number}" for number in range(_layers(plan)[-1].units)]

    def encoder(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what gives the top layer's units."""

        def coded(network: Any, inputs: Any) -> "NDArray[np.float64]":
            [rows] = inputs.values()
            return to_float64(_upwards(_modules(plan, network), rows))

        return BlockForward(plan, weights, place, coded)

    def sampler(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Sampler:
        """Return what draws rows from the top machine, and down from there."""
        if not self.pretrain_epochs:
            raise UsageError("a net without pretraining cannot draw rows: pretrain_epochs was 0")
        if self.autoencoder is not None:
            raise UsageError("layers that were trained as autoencoders cannot draw rows; train them as rbm")
        network = plan.build()
        network.load_arrays(weights)
        [(name, shape)] = plan.inputs.items()
        stages = _modules(plan, network)
        return GibbsSampler([stage.machine for stage in stages], stages[-1].visible_mean, name, shape)

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield a phase for each layer, with what those below have learned, and then the fine-tuning."""
        network = cast("GraphNetwork", work.network)
        if self.pretrain_epochs:
            stages = _modules(work.plan, network)
            for number, node in enumerate(_planned(work.plan)):
                below, see = stages[:number], _see(stages[:number], work)
                stages[number].begin(mean_seen(placed(work.prepared.train, work), see))
                if self.autoencoder is None:
                    yield self._machine_phase(work, node.name, stages[number], see)
                    stages[number].adopt()
                else:
                    network.set_trainable([node.name])
                    stages[number].train_down(True)
                    objective = _GivenBack(stages[number], below, self.autoencoder.corruption)
                    yield self._autoencoder_phase(work, node.name, objective, self.autoencoder.optimizer)
            network.set_trainable([node.name for node in work.plan.nodes if node.node.trainable])
        chosen = work.prepared
        if self.labelled < 1:
            rows = labelled_rows(chosen.train.truth, self.labelled, work.seed)
            chosen = replace(chosen, train=take(chosen.train, rows))
        yield self._torch_phase(replace(work, prepared=chosen), FINE_TUNE, work.loop.epochs)

    def _machine_phase(self, work: Work, name: str, stage: "StageModule", see: "See") -> "Phase":
        import torch

        from nnkit.engine.batches import RowBatches
        from nnkit.engine.contrastive import ContrastivePhase
        from nnkit.engine.draws import draws_on

        options, loop, prepared = self.rbm or ContrastOptions(), work.loop, work.prepared
        order = row_order(prepared.train, loop, work.seed, name)
        return ContrastivePhase(
            name=name,
            epochs=self.pretrain_epochs,
            machine=stage.machine,
            network=cast("Any", work.network),
            layer=name,
            contrast=options.contrast(),
            data=RowBatches(placed(prepared.train, work), loop.batch_size, order),
            validation=placed(prepared.validation, work) if prepared.validation else None,
            see=see,
            draws=draws_on(torch.device(work.device), work.seed, name),
            seed=work.seed,
            lr_factor=options.lr_factor(self.pretrain_epochs),
            lr_per_step=options.lr_per_step,
        )

    def _autoencoder_phase(self, work: Work, name: str, objective: "_GivenBack", optimizer: OptimizerChoice) -> "Phase":
        import torch

        from nnkit.engine.batches import RowBatches
        from nnkit.engine.draws import draws_on
        from nnkit.engine.objective import ObjectivePhase

        network, loop, prepared = cast("GraphNetwork", work.network), work.loop, work.prepared
        schedule = optimizer.schedule
        order = row_order(prepared.train, loop, work.seed, name)
        return ObjectivePhase(
            name=name,
            epochs=self.pretrain_epochs,
            network=network,
            objective=objective,
            optimizer=optimizer.build([weight for weight in network.parameters() if weight.requires_grad]),
            data=RowBatches(placed(prepared.train, work), loop.batch_size * loop.accumulate, order),
            validation=placed(prepared.validation, work) if prepared.validation else None,
            options=step_options(work),
            draws=draws_on(torch.device(work.device), work.seed, name),
            lr_factor=lambda epoch: schedule.factor(epoch, self.pretrain_epochs) if schedule else 1.0,
            lr_per_step=schedule is not None and schedule.per == "step",
        )


See = Callable[..., Any]
"""f(rows of a batch, draws or None) -> what a layer sees of them [n, values]."""


def _see(below: "Sequence[StageModule]", work: Work) -> See:
    """Return what gives what the layers ``below`` make of rows."""
    import torch

    dtype = torch.float64 if work.loop.precision == "float64" else torch.float32

    def see(rows: "Batch", draws: "PhaseDraws | None") -> "torch.Tensor":
        return _upwards(below, floats_of(rows, dtype))

    return see


def _upwards(stages: "Sequence[StageModule]", rows: "torch.Tensor") -> "torch.Tensor":
    """Return what layers make of rows [n, ...], one after the other, without gradients."""
    import torch

    with torch.no_grad():
        x = rows.flatten(1)
        for stage in stages:
            x = stage(x)
    return x


class _GivenBack:
    """The loss between what a layer sees and what it gives back: of Bernoulli units cross-entropy, else squares."""

    def __init__(self, stage: "StageModule", below: "Sequence[StageModule]", corruption: float) -> None:
        self._stage = stage
        self._below = below
        self._corruption = corruption

    def __call__(self, seen: "Seen") -> "dict[str, torch.Tensor]":
        from torch.nn import functional

        rows: Any
        [rows] = seen.inputs.values()
        x = there = _upwards(self._below, rows)
        if self._corruption and self._stage.training:
            there = x * seen.draws.kept("corruption", x, self._corruption)
        y = self._stage.decoded(self._stage(there))
        if self._stage.kinds[0] == "bernoulli":
            return {"loss": functional.binary_cross_entropy_with_logits(y, x, reduction="none").mean(1)}
        return {"loss": (y - x).square().mean(1)}


def _planned(plan: Plan) -> list[PlannedNode]:
    """Return the layers of hidden units, from the lowest up."""
    return [node for node in plan.nodes if isinstance(node.layer, StageLayer)]


def _layers(plan: Plan) -> list[StageLayer]:
    return [cast("StageLayer", node.layer) for node in _planned(plan)]


def _modules(plan: Plan, network: Any) -> "list[StageModule]":
    return [cast("StageModule", network.get_submodule(node.name)) for node in _planned(plan)]


def kept(count: int, share: float) -> int:
    """Return how many of a class's rows keep their labels: the nearest whole number, a half upwards."""
    return int(count * share + 0.5)


def labelled_rows(truth: "NDArray[np.int64]", share: float, seed: int) -> "NDArray[np.int64]":
    """Return the places of the rows whose labels are used, in their order: of each class ``kept`` by chance."""
    import numpy as np

    draw = generator(seed, "labelled")
    chosen = []
    for number in np.unique(truth):
        places = np.flatnonzero(truth == number)
        chosen.append(draw.permutation(places)[: kept(len(places), share)])
    return np.sort(np.concatenate(chosen))
