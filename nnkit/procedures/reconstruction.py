"""Reconstruction: an autoencoder learns to give back the rows that it gets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field, field_validator

from nnkit.data.augmentations import augmenter
from nnkit.data.pipeline import Pipeline
from nnkit.errors import Path, Problem, UsageError
from nnkit.layers.base import Layer, LayerChoice
from nnkit.layers.regularize import Noise, Rated
from nnkit.losses import LOSSES, Loss, LossChoice
from nnkit.models.autoencoder import DECODER, ENCODER, Autoencoder, AutoencoderPlan
from nnkit.models.base import Model
from nnkit.models.codes import QuantisedCode, VariationalCode
from nnkit.models.plan import Plan
from nnkit.optimizers import OPTIMIZERS, OptimizerChoice
from nnkit.predictions import OutputColumn
from nnkit.procedures.autoencoders import (
    BOUND,
    ERROR,
    ESTIMATE,
    Judged,
    VariationalSampler,
    encoded,
    given_columns,
    pictures_of,
)
from nnkit.procedures.base import PROCEDURES, Arrays, Forward, Loop, Place, Sampler, Work
from nnkit.procedures.forward import BlockForward
from nnkit.procedures.outliers import Detecting
from nnkit.procedures.outputs import step_options
from nnkit.procedures.penalties import PenaltyChoice
from nnkit.procedures.unlabelled import Goal, placed, row_order
from nnkit.shapes import size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.data.prepare import Prepared
    from nnkit.engine.autoencoding import Objective
    from nnkit.engine.phase import Phase
    from nnkit.nn.parts import PartedNetwork

PLACE: Path = ("training", "procedure")
USUAL_LOSS: Loss = LOSSES.decode("mean_squared_error")


@PROCEDURES.register("reconstruction")
class Reconstruction(Detecting):
    """Trains an autoencoder to give back each row from its code.

    With `noise` it is a denoising one, with `penalty` a sparse or a contractive one. `error`, which is reported, is the
    mean squared one, in the network's units; of a variational autoencoder also the `bound` on the log likelihood, in
    nats a row.
    """

    models = ("autoencoder",)
    rising = (BOUND,)

    loss: LossChoice | None = Field(
        default=None,
        description="How far what is given back is from the row; null: mean_squared_error, and for a variational code "
        "its likelihood.",
    )
    noise: LayerChoice | None = Field(
        default=None,
        description="A layer that disturbs what the encoder sees in training, such as `noise` or `input_dropout` "
        "(masking); the loss compares with the undisturbed row (Vincent and others, 2008).",
    )
    penalty: PenaltyChoice | None = Field(default=None, description="What codes cost.")
    optimizer: OptimizerChoice = Field(
        default_factory=lambda: OPTIMIZERS.decode("adam"), description="How gradients change the weights."
    )

    @field_validator("noise")
    @classmethod
    def _only_disturbs(cls, layer: Layer | None) -> Layer | None:
        if layer is not None and not isinstance(layer, Noise | Rated):
            raise ValueError(
                f"expected a layer that only disturbs, such as noise or input_dropout, found {layer.type_name}"
            )
        return layer

    @property
    def told(self) -> tuple[str, ...]:
        """The penalty, and the loss without it."""
        return ("reconstruction", "penalty") if self.penalty else ()

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit: the loss, the decoder's last activation, penalty and code, stateful layers."""
        if not isinstance(plan, AutoencoderPlan):  # The pair of model and procedure is a mistake, which is told.
            return []
        problems = [
            self._loss_problem(plan),
            self._head_problem(plan),
            self._noise_problem(plan),
            self._penalty_problem(plan),
            _stateful_problem(plan),
        ]
        return [*super().problems(plan, pipeline, loop), *(problem for problem in problems if problem)]

    def _loss_problem(self, plan: AutoencoderPlan) -> Problem | None:
        if self.loss is None:
            return None
        if isinstance(plan.code, VariationalCode):
            message = (
                f"a variational code has a likelihood ({plan.code.likelihood.type_name}) for a loss; leave out loss"
            )
            return Problem((*PLACE, "loss"), message)
        if self.loss.several not in ("regression", "multilabel") or self.loss.quantiles:
            message = f"{self.loss.type_name} does not compare rows of numbers; choose such as mean_squared_error"
            return Problem((*PLACE, "loss"), message)
        return None

    def _head_problem(self, plan: AutoencoderPlan) -> Problem | None:
        """Return why the decoder's output is not what the loss or the likelihood needs."""
        needed, who = self._needs(plan)
        head = plan.head.type_name if plan.head else "linear"
        if needed is None or head == needed:
            return None
        last = plan.end
        way_out = "set activation on it" if last.path[1] == DECODER else "set output_activation"
        return Problem(last.path, f"{who} needs a decoder that ends in {needed}, and {last.name} in {head}; {way_out}")

    def _needs(self, plan: AutoencoderPlan) -> tuple[str | None, str]:
        """Return the activation that the decoder must end in, if there is one, and for whom."""
        if isinstance(plan.code, VariationalCode):
            return plan.code.likelihood.fused, f"the likelihood {plan.code.likelihood.type_name}"
        loss = self.loss or USUAL_LOSS
        return (loss.fused[0] if loss.needs_fused else None), f"the loss {loss.type_name}"

    def _noise_problem(self, plan: AutoencoderPlan) -> Problem | None:
        from nnkit.layers.base import ShapeError

        if self.noise is None:
            return None
        try:
            self.noise.out_shape(*plan.inputs.values())
        except ShapeError as error:
            return Problem((*PLACE, "noise"), str(error))
        return None

    def _penalty_problem(self, plan: AutoencoderPlan) -> Problem | None:
        if self.penalty is None:
            return None
        encoder = plan.parts[ENCODER]
        head = encoder.head.type_name if encoder.head else "linear"
        if self.penalty.activations and (
            head not in self.penalty.activations or isinstance(plan.code, VariationalCode)
        ):
            needed = " or ".join(self.penalty.activations)
            message = f"{self.penalty.type_name} needs a plain code that ends in {needed}, found {plan.code.type_name}"
            return Problem((*PLACE, "penalty"), f"{message} that ends in {head}")
        norms = [node for node in encoder.nodes if node.layer.type_name == "batch_norm"]
        if self.penalty.needs_slopes and norms:
            message = f"{self.penalty.type_name} needs rows that do not depend on each other, as they do by"
            return Problem(norms[0].path, f"{message} {norms[0].name}; take layer_norm, or leave it out")
        return None

    def row_problems(self, plan: Plan, prepared: "Prepared", loop: Loop, seed: int) -> list[Problem]:
        """Return why training rows are not what the loss or the likelihood takes."""
        if not isinstance(plan, AutoencoderPlan):
            return []
        code = plan.code
        path, who = (*PLACE, "loss"), f"the loss {(self.loss or USUAL_LOSS).type_name}"
        if isinstance(code, VariationalCode):
            path, who = ("model", "code", "likelihood"), f"the likelihood {code.likelihood.type_name}"
        if self._needs(plan)[0] != "sigmoid":
            return []
        return [Problem(path, f"{who} takes numbers from 0 to 1, and {found}") for found in _beyond(prepared)]

    def trained(self, plan: Plan) -> AutoencoderPlan:
        """Return the plan without an activation at the decoder's end that the loss or the likelihood absorbs."""
        found = _plan(plan)
        return found.without_head() if self._fuses(found) else found

    def _fuses(self, plan: AutoencoderPlan) -> bool:
        head = plan.head.type_name if plan.head else None
        if isinstance(plan.code, VariationalCode):
            return head is not None and head == plan.code.likelihood.fused
        return head in (self.loss or USUAL_LOSS).fused

    def columns(self, model: Model, pipeline: Pipeline) -> list[OutputColumn]:
        """Return the error of a row, the bound on its log likelihood, and its columns as they are given back."""
        assert isinstance(model, Autoencoder)  # noqa: S101 - the pair was checked
        names = [ERROR]
        if isinstance(model.code, VariationalCode):
            names += [BOUND, *([ESTIMATE] if model.code.importance else [])]
        return [*map(OutputColumn, names), *given_columns(pipeline)]

    def forward(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what computes errors, bounds and what is given back."""
        return Judged(_plan(plan), self.trained(plan), weights, pipeline, place)

    def code_names(self, plan: Plan) -> list[str]:
        """Return the names of a code's numbers."""
        found = _plan(plan)
        shape = found.parts[DECODER].inputs["code"]
        count = size(shape[:-1] if isinstance(found.code, QuantisedCode) else shape)
        return [f"code_{number}" for number in range(count)]

    def code_columns(self, plan: Plan) -> list[OutputColumn]:
        """Return the columns of a code; the numbers of vectors are words."""
        code = _plan(plan).code
        words = list(map(str, range(code.codes))) if isinstance(code, QuantisedCode) else None
        return [OutputColumn(name, words) for name in self.code_names(plan)]

    def encoder(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what gives the codes of rows."""
        return BlockForward(plan, weights, place, encoded)

    def sampler(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Sampler:
        """Return what draws rows; raises ``UsageError`` where the code has no distribution to draw from."""
        found = _plan(plan)
        if not isinstance(found.code, VariationalCode):
            raise UsageError(
                f"an autoencoder with a {found.code.type_name} code draws nothing, since its codes have no known "
                f"distribution; one with code: {{type: variational, ...}} does"
            )
        return VariationalSampler(found, weights, pipeline, place)

    def goals(self) -> dict[str, Goal]:
        """Return the mean squared error, and what is known of the log likelihood."""
        return {ERROR: "min", BOUND: "max", ESTIMATE: "max"}

    def scores(
        self, pipeline: Pipeline, outputs: "NDArray[np.float64]", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return the mean of each column before those that are given back."""
        judged = outputs[:, : outputs.shape[1] - len(given_columns(pipeline))]
        return dict(zip(self.goals(), judged.mean(0).tolist(), strict=False))

    def pictures(
        self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place, rows: "Dataset"
    ) -> dict[str, bytes]:
        """Return pictures beside what is given back, and of a variational autoencoder some that it draws."""
        return pictures_of(_plan(plan), weights, pipeline, place, rows)

    def unusual(self, model: Model, outputs: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the mean squared errors."""
        return outputs[:, 0]

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield the one phase."""
        import torch

        from nnkit.engine.batches import RowBatches
        from nnkit.engine.draws import draws_on
        from nnkit.engine.objective import ObjectivePhase

        network, loop, validation = cast("PartedNetwork", work.network), work.loop, work.prepared.validation
        draws = draws_on(torch.device(work.device), work.seed, self.type_name)
        network.set_draws(draws)
        order = row_order(work.prepared.train, loop, work.seed, self.type_name)
        schedule = self.optimizer.schedule
        yield ObjectivePhase(
            name=self.type_name,
            epochs=loop.epochs,
            network=network,
            objective=self.objective(_plan(work.plan), network),
            optimizer=self.optimizer.build([weight for weight in network.parameters() if weight.requires_grad]),
            data=RowBatches(placed(work.prepared.train, work), loop.batch_size * loop.accumulate, order),
            validation=placed(validation, work) if validation else None,
            options=step_options(work),
            draws=draws,
            lr_factor=lambda epoch: schedule.factor(epoch, loop.epochs) if schedule else 1.0,
            lr_per_step=schedule is not None and schedule.per == "step",
            augment=augmenter(work.prepared.augment, work.plan.inputs),
        )

    def objective(self, plan: AutoencoderPlan, network: "PartedNetwork") -> "Objective":
        """Return what rows cost; ``network`` is built from ``trained(plan)``."""
        from nnkit.engine import autoencoding as kinds

        [shape], code = plan.inputs.values(), plan.code
        loss = self.loss or USUAL_LOSS
        noise = cast(Any, self.noise.build(shape)) if self.noise else None
        if noise is not None:
            noise.name = "noise"
        penalty, weight = (self.penalty.build, self.penalty.weight) if self.penalty else (None, 0.0)
        slopes = self.penalty is not None and self.penalty.needs_slopes
        given = (kinds.Networks(network), loss.build(self._fuses(plan)), noise, penalty, weight, slopes)
        if isinstance(code, VariationalCode):
            return kinds.VariationalObjective(
                *given, likelihood=code.likelihood.log, factor=code.factor, last=code.beta
            )
        if isinstance(code, QuantisedCode):
            return kinds.QuantisedObjective(*given, commitment=code.commitment)
        return kinds.Objective(*given)


def _plan(plan: Plan) -> AutoencoderPlan:
    assert isinstance(plan, AutoencoderPlan)  # noqa: S101 - the pair of model and procedure was checked
    return plan


def _stateful_problem(plan: AutoencoderPlan) -> Problem | None:
    if plan.stateful is None:
        return None
    message = f"{plan.stateful.name} goes on where the batch before ended, and an autoencoder's rows are shuffled"
    return Problem(plan.stateful.path, f"{message}; leave out stateful")


def _beyond(prepared: "Prepared") -> list[str]:
    """Say which training rows have numbers that are not from 0 to 1."""
    import numpy as np

    [(name, rows)] = prepared.train.inputs.items()
    values = np.asarray(rows)
    if values.dtype == np.uint8 or not values.size:
        return []
    names = prepared.pipeline.feature_names[name]
    axes = tuple(range(values.ndim - 1)) if values.shape[-1] == len(names) else None
    low, high = np.atleast_1d(values.min(axes)), np.atleast_1d(values.max(axes))
    wrong = np.flatnonzero((low < 0) | (high > 1))
    if not len(wrong):
        return []
    column = names[wrong[0]] if len(names) == len(low) else names[0]
    more = f" (and {len(wrong) - 1} more columns are beyond)" if len(wrong) > 1 else ""
    return [
        f"{column} goes from {low[wrong[0]]:.4g} to {high[wrong[0]]:.4g}{more}; bring it there, as by min_max_scale"
    ]
