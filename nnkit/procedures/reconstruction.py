"""Reconstruction: an autoencoder learns to give back the rows that it gets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from nnkit.data.augmentations import augmenter
from nnkit.data.pipeline import Pipeline
from nnkit.losses import LOSSES, LossChoice
from nnkit.models.autoencoder import CODE, DECODER, ENCODER
from nnkit.models.base import Model
from nnkit.models.plan import PartedPlan, Plan
from nnkit.optimizers import OPTIMIZERS, OptimizerChoice
from nnkit.predictions import OutputColumn
from nnkit.procedures.base import PROCEDURES, Arrays, Forward, Place, Work
from nnkit.procedures.forward import BlockForward
from nnkit.procedures.outliers import Detecting
from nnkit.procedures.outputs import step_options, to_float64
from nnkit.procedures.unlabelled import Goal, placed, row_order
from nnkit.shapes import size

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.engine.objective import Seen
    from nnkit.engine.phase import Phase
    from nnkit.nn.parts import PartedNetwork

ERROR = "error"


@PROCEDURES.register("reconstruction")
class Reconstruction(Detecting):
    """Trains an autoencoder to give back each row from its code."""

    models = ("autoencoder",)

    loss: LossChoice = Field(
        default_factory=lambda: LOSSES.decode("mean_squared_error"),
        description="How far what is given back is from the row, a mean over its numbers.",
    )
    optimizer: OptimizerChoice = Field(
        default_factory=lambda: OPTIMIZERS.decode("adam"), description="How gradients change the weights."
    )

    def columns(self, model: Model, pipeline: Pipeline) -> list[OutputColumn]:
        """Return the mean squared error of a row, and the numbers that are given back."""
        [shape] = pipeline.input_shapes.values()
        [names] = pipeline.feature_names.values()
        if len(names) < size(shape):
            names = [f"{names[0]}_{number}" for number in range(size(shape))]
        return [OutputColumn(ERROR), *(OutputColumn(f"reconstruction_{name}") for name in names)]

    def forward(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what computes errors and reconstructions."""
        return BlockForward(plan, weights, place, _judged)

    def code_names(self, plan: Plan) -> list[str]:
        """Return the names of a code's numbers."""
        assert isinstance(plan, PartedPlan)  # noqa: S101 - the model was checked
        return [f"code_{number}" for number in range(size(plan.parts[ENCODER].output_shape))]

    def encoder(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what gives the codes of rows."""
        return BlockForward(plan, weights, place, _encoded)

    def goals(self) -> dict[str, Goal]:
        """Return the mean squared error."""
        return {ERROR: "min"}

    def scores(
        self, pipeline: Pipeline, outputs: "NDArray[np.float64]", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return the mean squared error."""
        return {ERROR: float(outputs[:, 0].mean())}

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
            objective=_Objective(network, self.loss),
            optimizer=self.optimizer.build([weight for weight in network.parameters() if weight.requires_grad]),
            data=RowBatches(placed(work.prepared.train, work), loop.batch_size * loop.accumulate, order),
            validation=placed(validation, work) if validation else None,
            options=step_options(work),
            draws=draws,
            lr_factor=lambda epoch: schedule.factor(epoch, loop.epochs) if schedule else 1.0,
            lr_per_step=schedule is not None and schedule.per == "step",
            augment=augmenter(work.prepared.augment, work.plan.inputs),
        )


class _Objective:
    """The loss between rows and what is given back."""

    def __init__(self, network: "PartedNetwork", loss: LossChoice) -> None:
        self._network = network
        self._loss = loss.build(fused=False)

    def __call__(self, seen: "Seen") -> "dict[str, torch.Tensor]":
        rows: Any
        [rows] = seen.inputs.values()
        given = _given_back(self._network, rows)
        return {"loss": self._loss(given.flatten(1), rows.flatten(1))}


def _given_back(network: "PartedNetwork", rows: Any) -> "torch.Tensor":
    given: torch.Tensor = network.parts[DECODER]({CODE: _code(network, rows)})
    return given


def _code(network: "PartedNetwork", rows: Any) -> "torch.Tensor":
    encoder = network.parts[ENCODER]
    code: torch.Tensor = encoder({encoder.inputs[0]: rows})
    return code


def _judged(network: Any, inputs: Any) -> "NDArray[np.float64]":
    """Return the error of each row and what is given back [n, 1 + numbers]."""
    import torch

    [rows] = inputs.values()
    given = _given_back(network, rows).flatten(1)
    errors = (given - rows.flatten(1)).square().mean(1, keepdim=True)
    return to_float64(torch.cat([errors, given], 1))


def _encoded(network: Any, inputs: Any) -> "NDArray[np.float64]":
    [rows] = inputs.values()
    return to_float64(_code(network, rows).flatten(1))
