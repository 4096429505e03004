"""Inference: what a run's network says of rows, the same for a row however the rows are cut into chunks."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.data.pipeline import Pipeline
from nnkit.engines import stays_native
from nnkit.errors import Problem, RunError, SpecError
from nnkit.models.clusters import Clusters
from nnkit.models.plan import Plan
from nnkit.predictions import Layout, OutputColumn, Predictions
from nnkit.procedures.base import Arrays, Forward, Place, Procedure, Sampler
from nnkit.procedures.forward import BlockForward, in_float64
from nnkit.procedures.language import window
from nnkit.procedures.outliers import Detecting, Flagging
from nnkit.procedures.outputs import to_float64
from nnkit.procedures.tagging import TagForward
from nnkit.procedures.unlabelled import Unlabelled
from nnkit.runs.folder import RunFolder
from nnkit.spec import Experiment, unfit_pair

TREES = 256
"""Trees that go through a network at once."""

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.engine.reading import Reader
    from nnkit.engine.scoring import Finish

    Floats: TypeAlias = NDArray[np.float64]


def plan_of(run: RunFolder, experiment: Experiment, pipeline: Pipeline) -> Plan:
    """Return the plan of the run's network; raises ``RunError`` where its pipeline is not one that it can work with."""
    procedure = experiment.training.procedure
    try:
        plan = experiment.model.plan_for(pipeline)
        problems = unfit_pair(experiment) or procedure.problems(plan, pipeline, experiment.training)
        wanted = "multiclass" if pipeline.task in ("next", "tagging") else pipeline.task
        if procedure.task(len(pipeline.targets)) != wanted:
            problems = [Problem((), f"its loss is not one for {pipeline.task}"), *problems]
        if problems:
            raise SpecError(problems)
    except SpecError as error:
        raise RunError(
            f"{run.path}: its pipeline and network do not fit: {error}; copy the run folder again"
        ) from error
    return plan


def layout_of(experiment: Experiment, pipeline: Pipeline) -> Layout:
    """Return what the predictions of a run are of, with the columns that its procedure gives of unlabelled data."""
    procedure = experiment.training.procedure
    if not isinstance(procedure, Unlabelled):
        return pipeline.layout
    return replace(pipeline.layout, columns=procedure.written(experiment.model, pipeline))


class Predictor:
    """A run's network, loaded from its folder and ready to predict, by the engine that trained it.

    ``device`` is auto, cpu, cuda or mps, or None for auto; only torch has others than the CPU. ``experiment`` and
    ``pipeline`` are the run's, where they are at hand and need not be read. Raises ``RunError`` and
    ``ResourceError``.
    """

    def __init__(
        self,
        run: RunFolder,
        device: str | None = None,
        experiment: Experiment | None = None,
        pipeline: Pipeline | None = None,
    ) -> None:
        experiment = experiment or run.experiment()
        self.pipeline = pipeline or run.pipeline()
        plan = plan_of(run, experiment, self.pipeline)
        procedure = experiment.training.procedure
        weights = run.weights(procedure.trained(plan))
        self.layout = layout_of(experiment, self.pipeline)
        self._double = experiment.training.precision == "float64"
        self._experiment, self._plan, self._weights = experiment, plan, weights
        self._place = place = Place(device or "auto", run.manifest.threads, self._double)
        native = stays_native(run.manifest.engine, device, procedure, plan, experiment.training)
        self._network = _forward(procedure, plan, weights, self.pipeline, place, native)
        if isinstance(procedure, Detecting) and procedure.outliers is not None:
            self._network = Flagging(self._network, partial(procedure.unusual, experiment.model), run.threshold())

    def outputs(self, rows: "Dataset", start: int = 0) -> "Floats":
        """Return the outputs for ``rows`` as an array of ``nnkit.tasks``, regression in the target's own units.

        ``start`` is the number of the first of ``rows`` in the stream that they are a part of. The values are
        those of a float32, unless the run's precision is float64.
        """
        import numpy as np

        restored: Floats = self.pipeline.restore_target(self._network.outputs(rows, start))
        if not self._double:
            with np.errstate(over="ignore"):
                restored = restored.astype(np.float32).astype(np.float64)
        return restored

    def pictures(self, rows: "Dataset") -> dict[str, bytes]:
        """Return what the procedure draws of a model of unlabelled data, by the files' names."""
        procedure = self._experiment.training.procedure
        if not isinstance(procedure, Unlabelled):
            return {}
        return procedure.pictures(self._plan, self._weights, self.pipeline, self._place, rows)

    @property
    def has_codes(self) -> bool:
        """Whether the model has codes."""
        return bool(self._experiment.training.procedure.code_columns(self._plan))

    def code_axes(self) -> list[str]:
        """Return the names of a code's numbers: of codes that are columns those of the columns."""
        procedure = self._experiment.training.procedure
        names = procedure.code_names(self._plan)
        plain = isinstance(self._experiment.model, Clusters) and not self._experiment.model.layers
        columns = [name for names in self.pipeline.feature_names.values() for name in names]
        return columns if plain and len(columns) == len(names) else names

    def encoder(self) -> tuple[Forward, list[OutputColumn]]:
        """Return what gives codes of rows, and a code's columns; raises ``UsageError`` without any."""
        procedure = self._experiment.training.procedure
        forward = procedure.encoder(self._plan, self._weights, self.pipeline, self._place)
        return forward, procedure.code_columns(self._plan)

    def sampler(self) -> Sampler:
        """Return what draws rows from the model; raises ``UsageError`` where it is not a generative one."""
        procedure = self._experiment.training.procedure
        return procedure.sampler(self._plan, self._weights, self.pipeline, self._place)

    def reader(self) -> "Reader":
        """Return what reads a text token by token, for a run whose task is ``next``."""
        assert isinstance(self._network, TextForward)  # noqa: S101 - the caller looked at the task
        return self._network.reader(len(self.pipeline.classes), window(self.pipeline))

    def predictions(self, rows: "Dataset", start: int = 0) -> Predictions:
        """Return what ``outputs`` does beside the truth of ``rows``, of trees also for each node.

        Of a text there is a row for each step, and of sentences whose words have tags a row for each word.
        """
        import numpy as np

        if self.pipeline.task == "unlabelled":
            truth = np.full(len(rows), -1) if rows.truth is None else rows.truth
            return Predictions(rows.rows, truth, self.outputs(rows, start), rows.weights)
        assert rows.truth is not None  # noqa: S101 - the caller looked
        if self.pipeline.task == "next":
            outputs = self.outputs(rows, start)
            return Predictions(np.arange(len(outputs)), rows.truth.flat(), outputs)
        if self.pipeline.task == "tagging":
            numbers = np.repeat(rows.rows, rows.lengths)
            return Predictions(numbers, rows.truth.flat(), self.outputs(rows, start), marks=rows.marks)
        if rows.trees is None:
            naive = rows.yardstick.forecasts if rows.yardstick else {}
            outputs = self.outputs(rows, start)
            return Predictions(rows.rows, rows.truth, outputs, rows.weights, marks=rows.marks, naive=naive)
        assert rows.nodes is not None  # noqa: S101 - trees with a truth have one at every node
        trees, outputs = rows.trees[1], self.node_outputs(rows)
        nodes = Predictions(np.repeat(rows.rows, trees.sizes), rows.nodes, outputs)
        return Predictions(rows.rows, rows.truth, outputs[trees.roots], rows.weights, nodes)

    def node_outputs(self, rows: "Dataset") -> "Floats":
        """Return the outputs for all nodes of ``rows``, which are trees: [nodes, classes]."""
        import numpy as np

        assert isinstance(self._network, TreeForward)  # noqa: S101 - the caller looked
        outputs = self._network.node_outputs(rows)
        return outputs if self._double else outputs.astype(np.float32).astype(np.float64)


def _forward(
    procedure: Procedure, plan: Plan, weights: Arrays, pipeline: Pipeline, place: Place, native: bool
) -> Forward:
    """Return what computes the outputs of rows."""
    if isinstance(procedure, Unlabelled):
        return procedure.forward(plan, weights, pipeline, place)
    trained = procedure.trained(plan)
    if pipeline.task == "next":
        return TextForward(trained, weights, place)
    finish = procedure.finish(plan, pipeline.task)
    if pipeline.tree_input is not None:
        return TreeForward(trained, weights, finish, place)
    if pipeline.task == "tagging":
        return TagForward(trained, weights, finish, place)
    if native:
        return NativeForward(trained, weights, finish)
    return BlockForward(trained, weights, place, lambda network, inputs: finish(network(inputs)))


class TreeForward:
    """A torch network of trees.

    The last bits of a matrix product depend on how many rows it has, which are here the nodes of one height in whatever
    trees come together. So it computes in float64, of which predictions keep the digits of a float32.
    """

    def __init__(self, plan: Plan, weights: Arrays, finish: "Finish", place: Place) -> None:
        self._finish = finish
        self._device, self._network = in_float64(plan, weights, place)

    def outputs(self, rows: "Dataset", start: int) -> "Floats":
        """Return the finished outputs for the roots of ``rows``."""
        assert rows.trees is not None  # noqa: S101 - the run's data is trees
        roots: Floats = self.node_outputs(rows)[rows.trees[1].roots]
        return roots

    def node_outputs(self, rows: "Dataset") -> "Floats":
        """Return the finished outputs for all nodes of ``rows``."""
        import numpy as np
        import torch

        from nnkit.engine.forest import forest

        assert rows.trees is not None  # noqa: S101 - the run's data is trees
        name, trees = rows.trees[0], rows.trees[1].coded
        parts = []
        with torch.inference_mode():
            for start in range(0, max(len(trees), 1), TREES):
                inputs: dict[str, Any] = {name: forest(trees[start : start + TREES], self._device)}
                parts.append(self._finish(self._network(inputs)))
        return np.concatenate(parts)


class NativeForward:
    """The native engine's network: what it gives for a row never depends on the rows beside it."""

    def __init__(self, plan: Plan, weights: Arrays, finish: "Finish") -> None:
        from nnkit.engine.native import NativeNetwork
        from nnkit.models.native import native_ops

        self._finish = finish
        self._network = NativeNetwork(native_ops(plan), weights)

    def outputs(self, rows: "Dataset", start: int) -> "Floats":
        """Return the finished outputs for ``rows``."""
        [x] = rows.inputs.values()
        return self._finish(self._network.outputs(x))


class TextForward(BlockForward):
    """A language model, which is asked at every step of a text what comes next."""

    def __init__(self, plan: Plan, weights: Arrays, place: Place) -> None:
        super().__init__(plan, weights, place, lambda network, inputs: to_float64(network(inputs)))
        self._carries = plan.stateful is not None

    def outputs(self, rows: "Dataset", start: int) -> "Floats":
        """Return what the network says of each step of a text, whose windows are the ``rows``."""
        from nnkit.engine.reading import INPUT, foretold

        text, targets = rows.inputs[INPUT], rows.targets
        return foretold(self._network, text, targets, self._block, self._carries, self._device, self._dtype)

    def reader(self, tokens: int, window: int) -> "Reader":
        """Return what reads a text token by token."""
        from nnkit.engine.reading import Reader

        return Reader(self._network, tokens, window, self._device, self._dtype)
