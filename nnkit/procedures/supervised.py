"""Supervised training: a network learns to give the targets of rows that have them."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nnkit.data.pipeline import Pipeline
from nnkit.errors import Path, Problem, SpecError
from nnkit.losses import LossChoice
from nnkit.metrics import compute_all
from nnkit.models.plan import Plan
from nnkit.optimizers import OPTIMIZERS, OptimizerChoice
from nnkit.procedures.base import PROCEDURES, Loop, Procedure, Work
from nnkit.shapes import Shape, show
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.engine.batches import Batch, RowBatches
    from nnkit.engine.gradient import Scoring, StepOptions
    from nnkit.engine.phase import Phase

LOSS: Path = ("training", "procedure", "loss")
DTYPES = {"bfloat16": "bfloat16", "float16": "float16"}


@PROCEDURES.register("supervised")
class Supervised(Procedure):
    """Trains a network on rows with targets, by gradients of a loss."""

    models = ("network",)

    loss: LossChoice = Field(description="What training makes small.")
    optimizer: OptimizerChoice = Field(
        default_factory=lambda: OPTIMIZERS.decode("adam"), description="How gradients change the weights."
    )
    class_weights: Literal["balanced"] | dict[str, float] | None = Field(
        default=None,
        description="Factor on the loss of a class by its label, or `balanced`: rows / (classes * rows of the class).",
    )
    sampling: Literal["uniform", "balanced"] = Field(
        default="uniform",
        description="`uniform` takes each row once an epoch; `balanced` draws with replacement, each class as often.",
    )

    def task(self, targets: int) -> Task:
        """Return what the loss means with so many targets; raises ``SpecError`` where it takes only one."""
        if targets == 1:
            return self.loss.single
        if self.loss.several is None:
            raise SpecError([Problem(LOSS, f"{self.loss.type_name} takes one target; data.target names {targets}")])
        return self.loss.several

    def problems(self, plan: Plan, pipeline: Pipeline, loop: Loop) -> list[Problem]:
        """Return what does not fit: output shape, output activation, metrics, class weights, batches of one."""
        found = [
            self._output_problem(plan, pipeline),
            self._head_problem(plan),
            self._weights_problem(pipeline),
            _batch_problem(plan, loop),
            _frozen_problem(plan),
        ]
        metrics = [
            Problem(
                ("training", "metrics", index),
                f"{metric.key} is for {' and '.join(sorted(metric.tasks))}; this experiment is {pipeline.task}",
            )
            for index, metric in enumerate(loop.metrics)
            if pipeline.task not in metric.tasks
        ]
        return [problem for problem in (*found, *metrics) if problem]

    def _output_problem(self, plan: Plan, pipeline: Pipeline) -> Problem | None:
        wanted, why = expected_output(pipeline)
        if plan.output_shape == wanted:
            return None
        last, given, needed = plan.nodes[-1], show(plan.output_shape), show(wanted)
        message = f"the last layer, {last.name}, gives {given}; {self.loss.type_name} needs {needed} for {why}"
        return Problem(last.path, message)

    def _head_problem(self, plan: Plan) -> Problem | None:
        head = plan.head.type_name if plan.head else "linear"
        if not self.loss.needs_fused or head in self.loss.fused:
            return None
        last = plan.nodes[-1]
        return Problem(
            last.path,
            f"{self.loss.type_name} needs probabilities, but the last layer, {last.name}, ends in {head}; "
            f"set activation: {self.loss.fused[0]} on it",
        )

    def _weights_problem(self, pipeline: Pipeline) -> Problem | None:
        path = ("training", "procedure", "class_weights")
        if self.class_weights is None and self.sampling == "uniform":
            return None
        if pipeline.task not in ("binary", "multiclass"):
            place = path if self.class_weights else (*path[:-1], "sampling")
            return Problem(
                place, f"classes weigh only in binary and multiclass experiments; this one is {pipeline.task}"
            )
        if isinstance(self.class_weights, dict) and set(self.class_weights) != set(pipeline.classes):
            classes = ", ".join(pipeline.classes)
            return Problem(path, f"expected a weight for each class ({classes}), found {', '.join(self.class_weights)}")
        return None

    def trained(self, plan: Plan) -> Plan:
        """Return the plan without an output activation that the loss absorbs."""
        return plan.without_head() if self._fuses(plan) else plan

    def _fuses(self, plan: Plan) -> bool:
        return plan.head is not None and plan.head.type_name in self.loss.fused

    def finish(self, plan: Plan, task: Task) -> "Callable[[torch.Tensor], NDArray[np.float64]]":
        """Return what applies the absorbed activation and gives float64 arrays."""
        head = plan.head.build() if plan.head and self._fuses(plan) else None

        def finished(outputs: "torch.Tensor") -> "NDArray[np.float64]":
            values = self.loss.probabilities(outputs if head is None else head(outputs)).double().cpu().numpy()
            return values[:, 0] if task == "binary" else values

        return finished

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield the one phase of supervised training."""
        import torch

        from nnkit.engine.gradient import GradientPhase

        generator = torch.Generator(work.device).manual_seed(work.seed)
        work.network.set_generator(generator)
        schedule, epochs = self.optimizer.schedule, work.loop.epochs
        yield GradientPhase(
            name="supervised",
            epochs=epochs,
            network=work.network,
            loss=self.loss.build(self._fuses(work.plan)),
            optimizer=self.optimizer.build([p for p in work.network.parameters() if p.requires_grad]),
            data=self._batches(work),
            scoring=self._scoring(work),
            options=step_options(work.loop),
            generator=generator,
            lr_factor=lambda epoch: schedule.factor(epoch, epochs) if schedule else 1.0,
            lr_per_step=schedule is not None and schedule.per == "step",
        )

    def _batches(self, work: Work) -> "RowBatches":
        from nnkit.engine.batches import RowBatches

        train = work.prepared.train
        chances = None
        if self.sampling == "balanced":
            assert train.truth is not None  # noqa: S101 - supervised data always has it
            chances = balanced(train.truth)[train.truth]
        rows = self._to_batch(train, work)
        return RowBatches(rows, work.loop.batch_size * work.loop.accumulate, work.seed, "supervised", chances)

    def _to_batch(self, rows: "Dataset", work: Work) -> "Batch":
        import torch

        from nnkit.engine.batches import to_batch

        dtype = torch.float64 if work.loop.precision == "float64" else torch.float32
        assert rows.targets is not None  # noqa: S101 - supervised data always has them
        return to_batch(rows.inputs, rows.targets, self._row_weights(rows, work), work.device, dtype)

    def _row_weights(self, rows: "Dataset", work: Work) -> "NDArray[np.float64] | None":
        if self.class_weights is None or rows.truth is None:
            return rows.weights
        import numpy as np

        if self.class_weights == "balanced":
            assert work.prepared.train.truth is not None  # noqa: S101 - supervised data always has it
            by_class = balanced(work.prepared.train.truth)
        else:
            by_class = np.array([self.class_weights[label] for label in work.prepared.pipeline.classes])
        weights: NDArray[np.float64] = by_class[rows.truth]
        return weights if rows.weights is None else weights * rows.weights

    def _scoring(self, work: Work) -> "Scoring":
        from nnkit.engine.gradient import Scoring

        pipeline, validation = work.prepared.pipeline, work.prepared.validation
        finish, metrics = self.finish(work.plan, pipeline.task), work.loop.metrics

        def score(truth: "NDArray[np.generic]", outputs: "NDArray[np.float64]") -> dict[str, float]:
            return compute_all(metrics, truth, outputs, pipeline.task)

        assert work.prepared.train.truth is not None  # noqa: S101 - supervised data always has it
        return Scoring(
            score=score,
            finish=lambda outputs: pipeline.restore_target(finish(outputs)),
            truth=work.prepared.train.truth,
            validation=self._to_batch(validation, work) if validation else None,
            validation_truth=validation.truth if validation else None,
        )


def expected_output(pipeline: Pipeline) -> tuple[Shape, str]:
    """Return the output shape that the task needs, and why, in words."""
    if pipeline.task == "binary":
        return (1,), f"two classes ({' and '.join(pipeline.classes)})"
    if pipeline.task == "multiclass":
        return (len(pipeline.classes),), f"{len(pipeline.classes)} classes"
    targets = len(pipeline.targets)
    return (targets,), f"{targets} target{'s' if targets > 1 else ''} ({', '.join(pipeline.targets)})"


def _batch_problem(plan: Plan, loop: Loop) -> Problem | None:
    norms = [node for node in plan.nodes if node.layer.type_name == "batch_norm"]
    if loop.batch_size > 1 or not norms:
        return None
    message = (
        f"a batch of one row has no statistics, and the layer {norms[0].name} normalizes by them; expected 2 or more"
    )
    return Problem(("training", "batch_size"), message)


def _frozen_problem(plan: Plan) -> Problem | None:
    if any(row.trainable for row in plan.rows()):
        return None
    reason = "every layer is frozen" if plan.weights() else "no layer has weights"
    return Problem(
        ("model", "layers"), f"there is nothing to train: {reason}; add a dense layer, or set trainable: true"
    )


def balanced(truth: "NDArray[np.generic]") -> "NDArray[np.float64]":
    """Return for each class rows / (classes * rows of the class), so that every class weighs the same in sum."""
    import numpy as np

    counts = np.bincount(truth)
    return len(truth) / (len(counts) * np.maximum(counts, 1))


def step_options(loop: Loop) -> "StepOptions":
    """Return the engine's options of a step."""
    import torch

    from nnkit.engine.gradient import StepOptions

    autocast = getattr(torch, DTYPES[loop.precision]) if loop.precision in DTYPES else None
    return StepOptions(loop.batch_size, loop.clip_norm, loop.clip_value, autocast)
