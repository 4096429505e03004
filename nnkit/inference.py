"""Inference: what a run's network says of rows, the same for a row however the rows are cut into chunks."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.data.pipeline import Pipeline
from nnkit.engines import stays_native
from nnkit.errors import Problem, RunError, SpecError
from nnkit.models.plan import STEPS, Plan
from nnkit.predictions import Predictions
from nnkit.procedures.language import window
from nnkit.runs.folder import RunFolder
from nnkit.spec import Experiment

TREES = 256
"""Trees that go through a network at once."""

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.engine.reading import Reader
    from nnkit.engine.scoring import Finish
    from nnkit.nn.graph import GraphNetwork
    from nnkit.nn.sequence import Padded

    Floats: TypeAlias = NDArray[np.float64]


def plan_of(run: RunFolder, experiment: Experiment, pipeline: Pipeline) -> Plan:
    """Return the plan of the run's network; raises ``RunError`` where its pipeline is not one that it can work with."""
    procedure = experiment.training.procedure
    try:
        plan = experiment.model.plan_for(pipeline)
        problems = procedure.problems(plan, pipeline, experiment.training)
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
        procedure, weights = experiment.training.procedure, run.weights(plan)
        trained = procedure.trained(plan)
        finish = procedure.finish(plan, self.pipeline.task)
        self._double = experiment.training.precision == "float64"
        self._network: NativeForward | TorchForward | TreeForward | TagForward
        if self.pipeline.task == "next":
            self._network = TextForward(trained, weights, device or "auto", run.manifest.threads, self._double)
        elif self.pipeline.tree_input is not None:
            self._network = TreeForward(trained, weights, finish, device or "auto", run.manifest.threads)
        elif self.pipeline.task == "tagging":
            self._network = TagForward(trained, weights, finish, device or "auto", run.manifest.threads)
        elif stays_native(run.manifest.engine, device, procedure, plan, experiment.training):
            self._network = NativeForward(trained, weights, finish)
        else:
            self._network = TorchForward(trained, weights, finish, device or "auto", run.manifest.threads, self._double)

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

    def reader(self) -> "Reader":
        """Return what reads a text token by token, for a run whose task is ``next``."""
        assert isinstance(self._network, TextForward)  # noqa: S101 - the caller looked at the task
        return self._network.reader(len(self.pipeline.classes), window(self.pipeline))

    def predictions(self, rows: "Dataset", start: int = 0) -> Predictions:
        """Return what ``outputs`` does beside the truth of ``rows``, of trees also for each node.

        Of a text there is a row for each step, and of sentences whose words have tags a row for each word.
        """
        import numpy as np

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


class TreeForward:
    """A torch network of trees.

    The last bits of a matrix product depend on how many rows it has, which are here the nodes of one height in whatever
    trees come together. So it computes in float64, of which predictions keep the digits of a float32.
    """

    def __init__(
        self, plan: Plan, weights: "Mapping[str, NDArray[Any]]", finish: "Finish", device: str, threads: int
    ) -> None:
        self._finish = finish
        self._device, self._network = _in_float64(plan, weights, device, threads)

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


class TagForward:
    """A torch network that gives the tags of a sentence's words.

    It computes in float64, of which predictions keep the digits of a float32: so a sentence has the same tags whatever
    sentences go through the network beside it, and these can be of about one length.
    """

    def __init__(
        self, plan: Plan, weights: "Mapping[str, NDArray[Any]]", finish: "Finish", device: str, threads: int
    ) -> None:
        self._finish = finish
        self._device, self._network = _in_float64(plan, weights, device, threads)
        self._words = plan.block_rows * STEPS
        self._tags = plan.output_shape[-1] or 0

    def outputs(self, rows: "Dataset", start: int) -> "Floats":
        """Return the finished outputs for the words of all ``rows``, sentence after sentence: [words, tags]."""
        import numpy as np
        import torch

        from nnkit.engine.batches import floats
        from nnkit.engine.ragged import Ragged

        lengths = rows.lengths
        if not len(lengths):
            return np.empty((0, self._tags))
        order = np.argsort(lengths, kind="stable")
        parts = []
        with torch.inference_mode():
            for part in _together(order, lengths, self._words):
                inputs = {name: floats(x[part], self._device, torch.float64) for name, x in rows.inputs.items()}
                outputs = self._network(inputs)
                inside = np.arange(outputs.shape[1]) < lengths[part][:, None]
                parts.append(self._finish(outputs[torch.from_numpy(inside).to(self._device)]))
        sorted_lengths = lengths[order]
        ends = np.empty_like(lengths)
        ends[order] = sorted_lengths.cumsum()
        flat: Floats = Ragged(np.concatenate(parts), lengths, ends).flat()
        return flat


def _together(order: "NDArray[np.int64]", lengths: "NDArray[np.int64]", most: int) -> "Iterator[NDArray[np.int64]]":
    """Yield rows in ``order``, which is by length, in parts of ``most`` steps with padding, one row at least."""
    start = 0
    while start < max(len(order), 1):
        end = start + 1
        while end < len(order) and (end + 1 - start) * int(lengths[order[end]]) <= most:
            end += 1
        yield order[start:end]
        start = end


def _in_float64(
    plan: Plan, weights: "Mapping[str, NDArray[Any]]", device: str, threads: int
) -> "tuple[torch.device, GraphNetwork]":
    """Return a network that predicts in float64, and the device that it is on."""
    import torch

    from nnkit.engine.device import pick, use_threads

    where = pick(device)
    if where.type == "mps":  # It has no float64.
        where = torch.device("cpu")
    use_threads(threads)
    network = plan.build()
    network.load_arrays(weights)
    network.to(where, torch.float64).eval()
    return where, network


class NativeForward:
    """The native engine's network: what it gives for a row never depends on the rows beside it."""

    def __init__(self, plan: Plan, weights: "Mapping[str, NDArray[Any]]", finish: "Finish") -> None:
        from nnkit.engine.native import NativeNetwork
        from nnkit.models.native import native_ops

        self._finish = finish
        self._network = NativeNetwork(native_ops(plan), weights)

    def outputs(self, rows: "Dataset", start: int) -> "Floats":
        """Return the finished outputs for ``rows``."""
        [x] = rows.inputs.values()
        return self._finish(self._network.outputs(x))


class TorchForward:
    """A torch network.

    The last bits of a matrix product depend on how many rows it has and on where a row stands among them. So the
    network always gets blocks of one size, and a row stands in its block where its number in the stream says: blocks
    that are not full are padded.
    """

    def __init__(
        self,
        plan: Plan,
        weights: "Mapping[str, NDArray[Any]]",
        finish: "Finish",
        device: str,
        threads: int,
        double: bool,
    ) -> None:
        import torch

        from nnkit.engine.device import pick, use_threads

        self._finish = finish
        self._device = pick(device)
        use_threads(threads)
        self._dtype = torch.float64 if double else torch.float32
        self._network = plan.build()
        self._network.load_arrays(weights)
        self._network.to(self._device, self._dtype).eval()
        self._block = plan.block_rows

    def outputs(self, rows: "Dataset", start: int) -> "Floats":
        """Return the finished outputs for ``rows``, the first of which has the number ``start``."""
        import numpy as np

        begins = range(-(start % self._block), max(len(rows), 1), self._block)
        return np.concatenate([self._outputs(rows, begin) for begin in begins])

    def _outputs(self, rows: "Dataset", begin: int) -> "Floats":
        """Return the outputs for the block that begins at row ``begin``, which is negative before the first row."""
        import torch

        first, last = max(begin, 0), min(begin + self._block, len(rows))
        inputs = {name: self._padded(array[first:last], first - begin) for name, array in rows.inputs.items()}
        with torch.inference_mode():
            outputs = self._finish(self._network(inputs))
        return outputs[first - begin : last - begin]

    def _padded(self, rows: Any, before: int) -> "torch.Tensor | Padded":
        import torch

        from nnkit.engine.batches import as_floats, padded
        from nnkit.engine.ragged import Ragged

        if isinstance(rows, Ragged):
            return padded(rows.filled(self._block, before), self._device, self._dtype)
        given = torch.from_numpy(rows)
        block = torch.zeros((self._block, *rows.shape[1:]), dtype=given.dtype)
        block[before : before + len(rows)] = given
        return as_floats(block, self._device, self._dtype)


class TextForward(TorchForward):
    """A language model, which is asked at every step of a text what comes next."""

    def __init__(
        self, plan: Plan, weights: "Mapping[str, NDArray[Any]]", device: str, threads: int, double: bool
    ) -> None:
        super().__init__(plan, weights, lambda outputs: outputs, device, threads, double)
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
