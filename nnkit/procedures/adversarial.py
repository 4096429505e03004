"""Adversarial training: a generator against a discriminator."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from nnkit.activations import Activation
from nnkit.data.augmentations import augmenter
from nnkit.data.pipeline import Pipeline
from nnkit.errors import Path, Problem, UsageError
from nnkit.models.base import Model
from nnkit.models.gan import DISCRIMINATOR, GENERATOR, GanPlan
from nnkit.models.plan import Plan
from nnkit.models.rows import ROWS
from nnkit.optimizers import OPTIMIZERS, Optimizer, OptimizerChoice
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
from nnkit.procedures.outputs import to_float64
from nnkit.procedures.unlabelled import Goal, row_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.prepare import Prepared
    from nnkit.engine.hooks import Hook
    from nnkit.engine.phase import Phase
    from nnkit.engine.players import Learner
    from nnkit.nn.graph import GraphNetwork
    from nnkit.nn.parts import PartedNetwork

SCORE = "score"
PROCEDURE: Path = ("training", "procedure")
BY_CHANCE = ("minimax", "non_saturating")
"""Losses by the chance that a row is real: the sigmoid of what the discriminator gives."""
PENALTY = 10.0
BOUNDS = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0)}
"""Between what the values of activations lie."""
POSITIVE = ("relu", "softplus", "exponential")
NEAR = 1e-3


def gan_adam() -> Optimizer:
    """Return Adam as adversarial nets are usually trained (Radford and others, 2015)."""
    return OPTIMIZERS.decode({"type": "adam", "lr": 2e-4, "betas": [0.5, 0.999]})


@PROCEDURES.register("adversarial")
class Adversarial(Generative):
    """Trains a gan: the discriminator to tell rows that the generator makes from real ones, the generator to deceive.

    Each batch teaches the discriminator, then the generator by the same noise. The history has both losses,
    `train_discriminator_loss` and `train_generator_loss`; the shares of rows that the discriminator takes for what they
    are not, `train_real_error` and `train_generated_error` (`wasserstein` has no threshold: the middle between the mean
    scores stands for it); and `train_sample_spread`, how far samples lie apart as a share of how far real rows do.
    """

    models = ("gan",)

    loss: Literal["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"] = Field(
        default="non_saturating",
        description="`minimax` and `non_saturating` (Goodfellow, 2014), `least_squares` (Mao, 2017), `hinge` (Lim, "
        "2017), `wasserstein` with gradient penalty (Gulrajani, 2017).",
    )
    generator_optimizer: OptimizerChoice = Field(
        default_factory=gan_adam,
        description="How gradients change the generator; default: adam with lr 2e-4 and betas [0.5, 0.999].",
    )
    discriminator_optimizer: OptimizerChoice = Field(
        default_factory=gan_adam, description="How gradients change the discriminator; default: as the generator's."
    )
    discriminator_steps: int = Field(
        default=1, gt=0, description="Batches that teach the discriminator for each that teaches the generator too."
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=0.5, description="How far the discriminator's target for real rows is below 1."
    )
    gradient_penalty: float | None = Field(
        default=None,
        ge=0,
        description="Factor of (length of the discriminator's gradient - 1)^2 between real and generated rows; "
        "default: 10 for wasserstein, else 0.",
    )

    @property
    def penalty(self) -> float:
        """The factor of the gradient penalty."""
        usual = PENALTY if self.loss == "wasserstein" else 0.0
        return usual if self.gradient_penalty is None else self.gradient_penalty

    def history_names(self, loop: Loop, validation: bool) -> list[str]:
        """Return the names of the values that the history will hold for each epoch."""
        names = ["discriminator_loss", "generator_loss", "real_error", "generated_error", "sample_spread"]
        names += ["gradient_penalty"] if self.penalty else []
        return [f"train_{name}" for name in names] + (["validation_real_error"] if validation else [])

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit: the discriminator's end, options that the loss has no use for, half precision."""
        if not isinstance(plan, GanPlan):
            return []  # The model does not fit, which is told by itself.
        found = [*super().problems(plan, pipeline, loop), *self._head_problem(plan)]
        if self.label_smoothing and self.loss in ("hinge", "wasserstein"):
            message = f"{self.loss} has no target to smooth; leave it out, or choose another loss"
            found.append(Problem((*PROCEDURE, "label_smoothing"), message))
        if loop.precision in ("bfloat16", "float16"):
            found.append(Problem(("training", "precision"), "adversarial trains in float32 or float64"))
        if loop.accumulate > 1:
            message = "adversarial changes weights after each batch; make training.batch_size larger instead"
            found.append(Problem(("training", "accumulate"), message))
        if pipeline.known.weight:
            found.append(Problem(("data", "weight"), "adversarial takes all rows alike; leave it out"))
        return found

    def _head_problem(self, plan: GanPlan) -> list[Problem]:
        judge = plan.parts[DISCRIMINATOR]
        if judge.head is None or self._fuses(plan):
            return []
        name, last = judge.head.type_name, judge.nodes[-1]
        way_out = "end in sigmoid or leave it out" if self.loss in BY_CHANCE else "leave it out"
        message = (
            f"the discriminator's last layer, {last.name}, ends in {name}, and {self.loss} bounds no score: {way_out}"
        )
        return [Problem(last.path, message)]

    def _fuses(self, plan: GanPlan) -> bool:
        """Tell whether the discriminator ends in a sigmoid that the loss computes itself."""
        head = plan.parts[DISCRIMINATOR].head
        return head is not None and head.type_name == "sigmoid" and self.loss in BY_CHANCE

    def notes(self, plan: Plan, prepared: "Prepared") -> list[str]:
        """Return whether the generator's values can be those of the data."""
        assert isinstance(plan, GanPlan)  # noqa: S101 - the model was checked
        sentence = _range_note(plan.parts[GENERATOR].head, *data_bounds(prepared))
        return [sentence] if sentence else []

    def trained(self, plan: Plan) -> Plan:
        """Return the plan without a sigmoid that the loss absorbs."""
        assert isinstance(plan, GanPlan)  # noqa: S101 - the model was checked
        if not self._fuses(plan):
            return plan
        parts = {**plan.parts, DISCRIMINATOR: plan.parts[DISCRIMINATOR].without_head()}
        return replace(GanPlan.of(parts, plan.inputs), distribution=plan.distribution)

    def hooks(
        self, pipeline: Pipeline, loop: Loop, write: Callable[[str, bytes], None], note: Callable[[str], None]
    ) -> "list[Hook]":
        """Return what draws samples while training goes on, and says where the game goes wrong."""
        from nnkit.engine.game import GameHealth

        return [*super().hooks(pipeline, loop, write, note), GameHealth(note, self._judges)]

    @property
    def _judges(self) -> bool:
        return self.loss != "wasserstein"

    def findings(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return where the game went wrong."""
        from nnkit.engine.game import course_findings

        return course_findings(records, self._judges)

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield the one phase."""
        import torch

        from nnkit.engine.adversarial import AdversarialOptions, AdversarialPhase
        from nnkit.engine.batches import RowBatches
        from nnkit.engine.draws import draws_on
        from nnkit.engine.players import Noise

        plan, network, loop, prepared = (
            cast(GanPlan, work.plan),
            cast("PartedNetwork", work.network),
            work.loop,
            work.prepared,
        )
        phase = AdversarialPhase(
            name=self.type_name,
            epochs=loop.epochs,
            network=network,
            generator=_learner(self.generator_optimizer, network.parts[GENERATOR], loop),
            discriminator=_learner(self.discriminator_optimizer, network.parts[DISCRIMINATOR], loop),
            data=RowBatches(
                labelled(prepared.train, work, plan.conditional),
                loop.batch_size,
                row_order(prepared.train, loop, work.seed, self.type_name),
            ),
            validation=labelled(prepared.validation, work, plan.conditional) if prepared.validation else None,
            options=AdversarialOptions(
                loss=self.loss,
                noise=Noise(plan.noise, plan.distribution),
                seed=work.seed,
                smoothing=self.label_smoothing,
                penalty=self.penalty,
                discriminator_steps=self.discriminator_steps,
                average=self.ema,
                classes=len(prepared.pipeline.classes) if plan.conditional else None,
                clip_norm=loop.clip_norm,
                clip_value=loop.clip_value,
                dtype=torch.float64 if loop.precision == "float64" else torch.float32,
            ),
            draws=draws_on(torch.device(work.device), work.seed, self.type_name),
            augment=augmenter(prepared.augment, {ROWS: plan.parts[DISCRIMINATOR].inputs[ROWS]}),
        )
        yield phase
        phase.finish()

    def columns(self, model: Model, pipeline: Pipeline) -> list[OutputColumn]:
        """Return the discriminator's score: the chance that a row is real, or of other losses how real it looks."""
        return [OutputColumn(SCORE)]

    def forward(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Forward:
        """Return what computes the scores of rows."""
        assert isinstance(plan, GanPlan)  # noqa: S101 - the model was checked
        classes = len(pipeline.classes) if plan.conditional else None
        trained = self.trained(plan)
        chance = self.loss in BY_CHANCE

        def score(network: Any, inputs: Any) -> "NDArray[np.float64]":
            scores = network.parts[DISCRIMINATOR](inputs)
            return to_float64(scores.double().sigmoid() if chance else scores)

        return Conditioned(BlockForward(trained, weights, place, score), first_input(pipeline), classes)

    def goals(self) -> dict[str, Goal]:
        """Return the mean score."""
        return {SCORE: "max"}

    def scores(
        self, pipeline: Pipeline, outputs: "NDArray[np.float64]", truth: "NDArray[np.int64] | None"
    ) -> dict[str, float]:
        """Return the mean score of rows, all of which are real."""
        return {SCORE: float(outputs.mean())}

    def sampler(self, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place) -> Sampler:
        """Return what draws rows from the generator."""
        assert isinstance(plan, GanPlan)  # noqa: S101 - the model was checked
        return _GanSampler(plan, weights, pipeline, place)


def _learner(optimizer: Optimizer, network: "GraphNetwork", loop: Loop) -> "Learner":
    from nnkit.engine.players import Learner

    weights = [weight for weight in network.parameters() if weight.requires_grad]
    schedule = optimizer.schedule
    per_step = schedule is not None and schedule.per == "step"
    return Learner(optimizer.build(weights), factor_of(schedule, loop.epochs), per_step)


def _range_note(head: Activation | None, low: float, high: float) -> str | None:
    """Say where the generator ends in values that the data has not, or lacks some that it has; None where it fits."""
    if head is None:
        return None
    name = head.type_name
    least, largest = (0.0, math.inf) if name in POSITIVE else BOUNDS.get(name, (-math.inf, math.inf))
    data = f"the data lies from {low:.4g} to {high:.4g}"
    if low < least - NEAR or high > largest + NEAR:
        bounds = f"from {least:g} to {largest:g}" if math.isfinite(largest) else f"of {least:g} and more"
        return (
            f"the generator ends in {name}, which gives values {bounds}, and {data}: it cannot make such rows; scale "
            "the data by a transform, or end the generator without an activation"
        )
    if name == "tanh" and low >= -NEAR:
        return (
            f"the generator ends in tanh, which gives values from -1 to 1, and {data}: half of what it gives is never "
            "right; end it in sigmoid"
        )
    return None


class _GanSampler:
    """Draws rows from a generator."""

    def __init__(self, plan: GanPlan, weights: Arrays, pipeline: Pipeline, place: Place) -> None:
        own = {
            name.removeprefix(f"{GENERATOR}/"): array for name, array in weights.items() if name.startswith(GENERATOR)
        }
        self._network, self._like = network_of(plan.parts[GENERATOR], own, place)
        self._plan = plan
        self._classes = pipeline.classes if plan.conditional else []
        self._name = first_input(pipeline)

    def sample(self, count: int, seed: int, label: str | None, steps: int | None) -> "dict[str, NDArray[np.float32]]":
        """Return rows by input [count, ...]; raises ``UsageError`` for a label that is not known, and for steps."""
        import torch

        from nnkit.engine.adversarial import generated_rows
        from nnkit.engine.gradient import to_array
        from nnkit.engine.players import Noise

        if steps is not None:
            raise UsageError(f"--steps {steps}: a gan makes rows at once; leave --steps out")
        labels = chosen_labels(count, label, self._classes)
        noise = torch.from_numpy(Noise(self._plan.noise, self._plan.distribution).of(seed, count)).to(self._like)
        with torch.inference_mode():
            rows = generated_rows(self._network, noise, labels, len(self._classes))
        return {self._name: to_array(rows.float())}
