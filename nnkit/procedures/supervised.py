"""Supervised training: a network learns to give the targets of rows that have them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast

from pydantic import Field

from nnkit.data.augmentations import augmenter
from nnkit.data.pipeline import Pipeline
from nnkit.errors import Path, Problem, SpecError
from nnkit.losses import LossChoice
from nnkit.metrics import compute_all
from nnkit.models.native import NotNativeError, native_ops
from nnkit.models.plan import Plan
from nnkit.optimizers import OPTIMIZERS, OptimizerChoice
from nnkit.procedures import language
from nnkit.procedures.base import PROCEDURES, Loop, Procedure, RowLoss, Work
from nnkit.procedures.outputs import apply, expected_output, step_options, to_float64
from nnkit.procedures.tagging import tag_problems, tag_score
from nnkit.procedures.trees import tree_batch, tree_problems, tree_score, truth_of
from nnkit.shapes import show
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.engine.batches import Batch
    from nnkit.engine.native import NativeRows
    from nnkit.engine.order import RowOrder
    from nnkit.engine.phase import Phase
    from nnkit.engine.scoring import Finish, Scoring, Truth
    from nnkit.nn.graph import GraphNetwork

LOSS: Path = ("training", "procedure", "loss")
PHASE = "supervised"

Rates: TypeAlias = Callable[[str], float]
"""The share of the optimizer's learning rate that a weight has, by its name."""


def one(name: str) -> float:
    """Return 1: the whole learning rate for every weight."""
    return 1.0


@PROCEDURES.register("supervised")
class Supervised(Procedure):
    """Trains a network on rows with targets, by gradients of a loss; of trees, the mean loss over all their nodes."""

    models: ClassVar[tuple[str, ...]] = ("network", "rntn")

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
    root_weight: float = Field(
        default=1.0, gt=0, description="Of trees: factor on the loss of a root, of which there is one among many nodes."
    )

    @property
    def quantiles(self) -> Sequence[float]:
        """Those of the loss."""
        return self.loss.quantiles

    def task(self, targets: int) -> Task:
        """Return what the loss means with so many targets; raises ``SpecError`` where it takes only one."""
        if not targets:
            message = "is missing: name the column to predict, or choose a procedure for unlabelled data"
            raise SpecError([Problem(("data", "target"), message)])
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
            self._stateful_problem(plan, loop),
            *tree_problems(pipeline, loop, self.root_weight),
            *tag_problems(plan, pipeline, loop),
        ]
        if language.is_language(pipeline):
            found += [] if any(found) else language.problems(plan, pipeline, loop)
        metrics = [
            Problem(
                ("training", "metrics", index),
                f"{metric.key} is for {' and '.join(sorted(metric.tasks))}; this experiment is {pipeline.task}",
            )
            for index, metric in enumerate(loop.metrics)
            if pipeline.task not in metric.tasks
        ]
        windows = pipeline.known.windows
        naive = list(windows.options.seasons) if windows else []
        metrics += [
            Problem(("training", "metrics", index), f"{metric.key} {lack}")
            for index, metric in enumerate(loop.metrics)
            if (lack := metric.lacks(naive, pipeline.quantiles))
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

    def _stateful_problem(self, plan: Plan, loop: Loop) -> Problem | None:
        if plan.stateful is None or (loop.accumulate == 1 and self.sampling == "uniform"):
            return None
        place = ("accumulate",) if loop.accumulate > 1 else ("procedure", "sampling")
        message = (
            f"the layer {plan.stateful.name} is stateful: each row goes on where the same row of the batch before "
            f"ended, and {place[-1]} puts other rows there; leave it out"
        )
        return Problem(("training", *place), message)

    def trained(self, plan: Plan) -> Plan:
        """Return the plan without an output activation that the loss absorbs."""
        return plan.without_head() if self._fuses(plan) else plan

    def _fuses(self, plan: Plan) -> bool:
        return plan.head is not None and plan.head.type_name in self.loss.fused

    def not_native(self, plan: Plan, loop: Loop) -> str | None:
        """Return why the native engine cannot train the network, or None where it can."""
        if loop.precision != "float32":
            return f"it computes in float32, and training.precision is {loop.precision}"
        if loop.compile:
            return "training.compile is torch's"
        for piece, rule in (
            (self.loss, self.loss.native(self._fuses(plan))),
            (self.optimizer, self.optimizer.native()),
        ):
            if rule is None:
                return f"it has no {piece.type_name}"
        try:
            native_ops(self.trained(plan))
        except NotNativeError as error:
            return str(error)
        return None

    def finish(self, plan: Plan, task: Task) -> "Finish":
        """Return what applies the absorbed activation and gives float64 arrays."""
        head = plan.head if self._fuses(plan) else None
        if task == "next":
            return to_float64

        def finished(outputs: "Any") -> "NDArray[np.float64]":
            activated = outputs if head is None else apply(head, outputs)
            values = to_float64(self.loss.probabilities(activated))
            return values[:, 0] if task == "binary" else values

        return finished

    def row_loss(self, plan: Plan) -> RowLoss:
        """Return the loss, which takes what is before an activation that it absorbs."""
        return RowLoss(self.loss.type_name, self.loss.build(self._fuses(plan)))

    def phases(self, work: Work) -> "Iterator[Phase]":
        """Yield the one phase of supervised training."""
        from nnkit.engine.native import NativeNetwork

        yield self._native_phase(work) if isinstance(work.network, NativeNetwork) else self._torch_phase(work)

    def _torch_phase(self, work: Work, name: str = PHASE, epochs: int | None = None, rates: Rates = one) -> "Phase":
        """Return a phase that trains all that is not frozen, each weight at its share of the learning rate."""
        import torch

        from nnkit.engine.batches import RowBatches
        from nnkit.engine.draws import draws_on
        from nnkit.engine.gradient import GradientPhase
        from nnkit.engine.tuning import compiled

        options, carries = step_options(work), language.carries(work)
        if carries:
            work, options = language.in_streams(work, options)
        network, validation = cast("GraphNetwork", work.network), work.prepared.validation
        epochs = work.loop.epochs if epochs is None else epochs
        draws = draws_on(torch.device(work.device), work.seed, name)
        network.set_draws(draws)
        size = work.loop.batch_size * work.loop.accumulate
        return GradientPhase(
            name=name,
            epochs=epochs,
            network=network,
            loss=self.loss.build(self._fuses(work.plan)),
            optimizer=self.optimizer.build(self._groups(network, rates)),
            data=RowBatches(
                self._to_batch(work.prepared.train, work),
                size,
                self._order(work.plan, work.prepared.train, work.loop, work.seed, name),
            ),
            validation=self._to_batch(validation, work) if validation else None,
            scoring=self._scoring(work),
            options=options,
            draws=draws,
            lr_factor=self._lr_factor(epochs),
            lr_per_step=self._lr_per_step,
            forward=compiled(network) if work.loop.compile else None,
            augment=augmenter(work.prepared.augment, work.plan.inputs),
            reading=network.stepping if carries else nullcontext,
        )

    def _native_phase(self, work: Work) -> "Phase":
        from nnkit.engine.native import NativeNetwork, NativeOptions, NativePhase
        from nnkit.engine.order import RowDraws

        loop, validation = work.loop, work.prepared.validation
        loss, optimizer = self.loss.native(self._fuses(work.plan)), self.optimizer.native()
        network = cast(NativeNetwork, work.network)
        assert loss is not None  # noqa: S101 - not_native has looked
        assert optimizer is not None  # noqa: S101 - not_native has looked
        options = NativeOptions(
            loop.batch_size * loop.accumulate, loop.batch_size, loop.clip_value or 0.0, loop.clip_norm or 0.0
        )
        return NativePhase(
            name=PHASE,
            epochs=loop.epochs,
            network=network,
            loss=loss,
            optimizer=optimizer,
            base_lr=self.optimizer.lr,
            rows=self._to_rows(work.prepared.train, work),
            validation=self._to_rows(validation, work) if validation else None,
            order=self.order(work.plan, work.prepared.train, work.loop, work.seed),
            draws=RowDraws(work.seed, PHASE),
            scoring=self._scoring(work),
            options=options,
            lr_factor=self._lr_factor(loop.epochs),
            lr_per_step=self._lr_per_step,
        )

    def _groups(self, network: "GraphNetwork", rates: Rates) -> "list[dict[str, Any]] | list[torch.nn.Parameter]":
        """Return the weights that are trained, in a group for each learning rate where there are several."""
        groups: dict[float, list[torch.nn.Parameter]] = {1.0: []}
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                groups.setdefault(rates(name), []).append(parameter)
        if len(groups) == 1:
            return groups[1.0]
        return [{"params": weights, "lr": self.optimizer.lr * rate} for rate, weights in groups.items() if weights]

    def _lr_factor(self, epochs: int) -> Callable[[float], float]:
        schedule = self.optimizer.schedule
        return lambda epoch: schedule.factor(epoch, epochs) if schedule else 1.0

    @property
    def _lr_per_step(self) -> bool:
        return self.optimizer.schedule is not None and self.optimizer.schedule.per == "step"

    def order(self, plan: Plan, train: "Dataset", loop: Loop, seed: int) -> "RowOrder":
        """Return the order of the training rows in each epoch of the first phase."""
        return self._order(plan, train, loop, seed, PHASE)

    def _order(self, plan: Plan, train: "Dataset", loop: Loop, seed: int, phase: str) -> "RowOrder":
        from nnkit.engine.order import RowOrder
        from nnkit.engine.ragged import Ragged

        chances = None
        if self.sampling == "balanced":
            assert train.truth is not None  # noqa: S101 - supervised data always has it
            chances = balanced(train.truth)[train.truth]
        lengths = next((rows.lengths for rows in train.inputs.values() if isinstance(rows, Ragged)), None)
        batch, streams = loop.batch_size * loop.accumulate, plan.stateful is not None
        return RowOrder(len(train), seed, phase, chances, lengths, batch, streams)

    def _to_batch(self, rows: "Dataset", work: Work) -> "Batch":
        import torch

        from nnkit.engine.batches import to_batch

        dtype = torch.float64 if work.loop.precision == "float64" else torch.float32
        if rows.trees is not None:
            by_class = None if self.class_weights is None else self._class_weights(work.prepared.train.nodes, work)
            return tree_batch(rows, by_class, self.root_weight, torch.device(work.device), dtype)
        assert rows.targets is not None  # noqa: S101 - supervised data always has them
        weights = self._row_weights(rows, work)
        return to_batch(rows.inputs, rows.targets, weights, torch.device(work.device), dtype)

    def _to_rows(self, rows: "Dataset", work: Work) -> "NativeRows":
        import numpy as np

        from nnkit.engine.native import NativeRows

        assert rows.targets is not None  # noqa: S101 - supervised data always has them
        [x], weights = rows.inputs.values(), self._row_weights(rows, work)
        kept = None if weights is None else weights.astype(np.float32)
        return NativeRows(np.ascontiguousarray(x), np.ascontiguousarray(rows.targets), kept)

    def _row_weights(self, rows: "Dataset", work: Work) -> "NDArray[np.float64] | None":
        if self.class_weights is None or rows.truth is None:
            return rows.weights
        weights: NDArray[np.float64] = self._class_weights(work.prepared.train.truth, work)[rows.truth]
        return weights if rows.weights is None else weights * rows.weights

    def _class_weights(self, truth: "NDArray[Any] | None", work: Work) -> "NDArray[np.float64]":
        """Return the factor on the loss of each class; ``truth`` are the classes of what trains."""
        import numpy as np

        assert truth is not None  # noqa: S101 - supervised data always has it
        if isinstance(self.class_weights, dict):
            return np.array([self.class_weights[label] for label in work.prepared.pipeline.classes])
        return balanced(truth)

    def _scoring(self, work: Work) -> "Scoring":
        from nnkit.engine.scoring import Scoring, flat

        pipeline, train, validation = work.prepared.pipeline, work.prepared.train, work.prepared.validation
        finish, metrics = self.finish(work.plan, pipeline.task), work.loop.metrics

        def score(truth: "Truth", outputs: "NDArray[np.float64]", yardstick: Any = None) -> dict[str, float]:
            quantiles = pipeline.quantiles
            return compute_all(metrics, flat(truth), outputs, pipeline.task, yardstick=yardstick, quantiles=quantiles)

        of_tags = tag_score(metrics, pipeline) if pipeline.task == "tagging" else score
        chosen = of_tags if train.trees is None else tree_score(metrics, pipeline.task)
        return Scoring(
            score=chosen if metrics else None,
            finish=lambda outputs: pipeline.restore_target(finish(outputs)),
            truth=truth_of(train),
            validation_truth=truth_of(validation) if validation else None,
            keep=language.keep(pipeline),
            yardstick=train.yardstick,
            validation_yardstick=validation.yardstick if validation else None,
        )


def _batch_problem(plan: Plan, loop: Loop) -> Problem | None:
    norms = [node for node in plan.nodes if node.layer.type_name == "batch_norm"]
    if loop.batch_size > 1 or not norms:
        return None
    message = (
        f"a batch of one row has no statistics, and the layer {norms[0].name} normalizes by them; expected 2 or more"
    )
    return Problem(("training", "batch_size"), message)


def _frozen_problem(plan: Plan) -> Problem | None:
    if not plan.weights() or any(row.trainable for row in plan.rows()):
        return None
    message = "there is nothing to train: every layer is frozen; add a dense layer, or set trainable: true"
    return Problem(("model", "layers"), message)


def balanced(truth: "NDArray[np.generic]") -> "NDArray[np.float64]":
    """Return for each class rows / (classes * rows of the class), so that every class weighs the same in sum."""
    import numpy as np

    counts = np.bincount(truth)
    return len(truth) / (len(counts) * np.maximum(counts, 1))
