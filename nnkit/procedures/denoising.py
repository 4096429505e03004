"""Denoising: a diffusion model learns to tell the noise in rows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from nnkit.data.augmentations import augmenter
from nnkit.data.pipeline import Pipeline
from nnkit.errors import Path, Problem, UsageError
from nnkit.models.base import Model
from nnkit.models.diffusion import DiffusionPlan
from nnkit.models.plan import Plan
from nnkit.models.rows import LABEL, ROWS
from nnkit.optimizers import OPTIMIZERS, OptimizerChoice
from nnkit.predictions import OutputColumn
from nnkit.procedures.base import PROCEDURES, Arrays, Forward, Loop, Place, Sampler, Work
from nnkit.procedures.forward import BlockForward
from nnkit.procedures.generative import (
    Conditioned,
    Generative,
    chosen_labels,
    data_bounds,
    factor_of,
    first_input,
    labelled,
    network_of,
)
from nnkit.procedures.outputs import step_options, to_float64
from nnkit.procedures.unlabelled import Goal, row_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.prepare import Prepared
    from nnkit.engine.denoising import Noising
    from nnkit.engine.phase import Phase
    from nnkit.nn.graph import GraphNetwork

ERROR = "error"
PROCEDURE: Path = ("training", "procedure")
PROBES = 10
"""Steps, spread over all, at which the error of a row is taken."""
WIDE = 4.0
"""A size of values that rows of unit scale hardly have."""


@PROCEDURES.register("denoising")
class Denoising(Generative):
    """Trains a diffusion model: to tell the noise in rows to which a random share of it was added (Ho, 2020).

    The loss is the mean squared error of the noise. Samples are made of nothing but noise in `sample_steps` steps.
    """

    models = ("diffusion",)

    optimizer: OptimizerChoice = Field(
        default_factory=lambda: OPTIMIZERS.decode("adam"), description="How gradients change the weights."
    )
    sampling: Literal["ddim", "ddpm"] = Field(
        default="ddim",
        description="How samples are made: `ddim` (Song, 2021) goes the same way for the same noise and needs few "
        "steps, `ddpm` (Ho, 2020) adds noise on the way and is best with all steps.",
    )
    sample_steps: int = Field(default=50, gt=0, description="Steps in which samples are made, of the model's `steps`.")

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit: more steps than the model has."""
        if not isinstance(plan, DiffusionPlan):
            return []  # The model does not fit, which is told by itself.
        found = super().problems(plan, pipeline, loop)
        if self.sample_steps > plan.noise_steps:
            message = f"the model has {plan.noise_steps} steps, and samples take {self.sample_steps} of them; set fewer"
            found.append(Problem((*PROCEDURE, "sample_steps"), message))
        return found

    def notes(self, plan: Plan, prepared: "Prepared") -> list[str]:
        """Return whether the data is as large as the noise."""
        assert isinstance(plan, DiffusionPlan)  # noqa: S101 - the model was checked
        low, high = data_bounds(prepared)
        if plan.data_range is None:
            if max(-low, high) <= 10 * WIDE:
                return []
            return [
                f"the data lies from {low:.4g} to {high:.4g}, and the noise mostly from -2 to 2: scale the data by "
                "standard_scale, or set model.data_range"
            ]
        if low >= plan.data_range[0] and high <= plan.data_range[1]:
            return []
        least, largest = plan.data_range
        return [
            f"model.data_range is {least:g} to {largest:g}, and the data lies from {low:.4g} to {high:.4g}: samples "
            "never reach beyond the range; widen it"
        ]

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield the one phase."""
        import torch

        from nnkit.engine.batches import RowBatches
        from nnkit.engine.denoising import DenoisingObjective, DenoisingPhase
        from nnkit.engine.draws import draws_on

        plan, network, loop = cast(DiffusionPlan, work.plan), cast("GraphNetwork", work.network), work.loop
        train, validation, conditional = work.prepared.train, work.prepared.validation, plan.classes is not None
        draws, options = draws_on(torch.device(work.device), work.seed, self.type_name), step_options(work)
        network.set_draws(draws)
        order = row_order(train, loop, work.seed, self.type_name)
        schedule = self.optimizer.schedule
        phase = DenoisingPhase(
            name=self.type_name,
            epochs=loop.epochs,
            network=network,
            objective=DenoisingObjective(network, noising(plan), torch.device(work.device), options.dtype),
            optimizer=self.optimizer.build([weight for weight in network.parameters() if weight.requires_grad]),
            data=RowBatches(labelled(train, work, conditional), loop.batch_size * loop.accumulate, order),
            validation=labelled(validation, work, conditional) if validation else None,
            options=options,
            draws=draws,
            lr_factor=factor_of(schedule, loop.epochs),
            lr_per_step=schedule is not None and schedule.per == "step",
            augment=augmenter(work.prepared.augment, {ROWS: plan.row}),
            noising=noising(plan),
            average=self.ema,
            seed=work.seed,
            sample_steps=self.sample_steps,
            fresh=self.sampling == "ddpm",
        )
        yield phase
        phase.finish()

    def columns(self, model: Model, pipeline: Pipeline) -> list[OutputColumn]:
        """Return the mean squared error of the noise found in a row, over ten shares of noise."""
        return [OutputColumn(ERROR)]

    def forward(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what computes the errors of rows, always with the same noise."""
        assert isinstance(plan, DiffusionPlan)  # noqa: S101 - the model was checked
        from nnkit.engine.denoising import probed

        how = noising(plan)

        def errors(network: Any, inputs: Any) -> "NDArray[np.float64]":
            return to_float64(probed(network, how, inputs[ROWS], inputs.get(LABEL), PROBES).unsqueeze(1))

        return Conditioned(BlockForward(plan, weights, place, errors), first_input(pipeline), plan.classes)

    def goals(self) -> dict[str, Goal]:
        """Return the mean error."""
        return {ERROR: "min"}

    def scores(
        self, pipeline: Pipeline, outputs: "NDArray[np.float64]", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return the mean error."""
        return {ERROR: float(outputs.mean())}

    def sampler(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Sampler:
        """Return what makes rows of noise."""
        assert isinstance(plan, DiffusionPlan)  # noqa: S101 - the model was checked
        return _DiffusionSampler(self, plan, weights, pipeline, place)


def noising(plan: DiffusionPlan) -> "Noising":
    """Return how rows of a plan become noise."""
    from nnkit.engine.denoising import Noising

    return Noising(plan.row, plan.noise_steps, plan.schedule, plan.data_range, plan.classes)


class _DiffusionSampler:
    """Makes rows of noise."""

    def __init__(self, said: Denoising, plan: DiffusionPlan, weights: Arrays, pipeline: Pipeline, place: Place) -> None:
        self._network, self._like = network_of(plan, weights, place)
        self._said = said
        self._plan = plan
        self._classes = pipeline.classes if plan.classes is not None else []
        self._name = first_input(pipeline)

    def sample(self, count: int, seed: int, label: str | None, steps: int | None) -> "dict[str, NDArray[np.float32]]":
        """Return rows by input [count, ...]; raises ``UsageError`` for a label or steps that the model has not."""
        from nnkit.engine.denoising import made_rows
        from nnkit.engine.gradient import to_array

        if steps is not None and not 0 < steps <= self._plan.noise_steps:
            raise UsageError(f"--steps {steps}: expected 1 to {self._plan.noise_steps}, the steps of the model")
        rows = made_rows(
            self._network,
            noising(self._plan),
            count,
            seed,
            steps or self._said.sample_steps,
            self._said.sampling == "ddpm",
            chosen_labels(count, label, self._classes),
            self._like,
        )
        return {self._name: to_array(rows.float())}
