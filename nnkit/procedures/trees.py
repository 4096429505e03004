"""What supervised training does otherwise where rows are trees: a target, a loss and outputs for every node."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nnkit.data.pipeline import Pipeline
from nnkit.errors import Problem
from nnkit.metrics import Metric, compute_all
from nnkit.procedures.base import Loop
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.dataset import Dataset
    from nnkit.engine.batches import Batch
    from nnkit.engine.scoring import Score, Truth

PRECISIONS = ("float32", "float64")


def tree_problems(pipeline: Pipeline, loop: Loop, root_weight: float) -> list[Problem]:
    """Return what trees cannot have, or only trees can."""
    found = []
    if pipeline.tree_input is None:
        found = [
            Problem(("training", "metrics", index), f"{metric.key} is for trees, and these rows are none")
            for index, metric in enumerate(loop.metrics)
            if metric.of_nodes
        ]
        if root_weight != 1:
            message = "is for trees, and these rows are none; leave it out"
            found.append(Problem(("training", "procedure", "root_weight"), message))
        return found
    if loop.compile:
        found.append(Problem(("training", "compile"), "is not for trees, each batch of which is another computation"))
    if loop.precision not in PRECISIONS:
        message = f"expected float32 or float64, the precisions that trees are computed in; found {loop.precision}"
        found.append(Problem(("training", "precision"), message))
    return found


def tree_batch(
    rows: "Dataset",
    by_class: "NDArray[np.float64] | None",
    root_weight: float,
    device: "torch.device",
    dtype: "torch.dtype",
) -> "Batch":
    """Return a batch of trees, whose nodes weigh by their classes (None: all the same) and roots by a factor more."""
    import numpy as np

    from nnkit.engine.forest import to_tree_batch

    assert rows.trees is not None  # noqa: S101 - the caller looked
    assert rows.nodes is not None  # noqa: S101 - supervised data always has them
    name, trees = rows.trees
    weights = None
    if by_class is not None or root_weight != 1:
        weights = np.ones(len(rows.nodes)) if by_class is None else by_class[rows.nodes]
        weights[trees.roots] *= root_weight
    return to_tree_batch(name, trees.coded, rows.nodes, weights, device, dtype)


def truth_of(rows: "Dataset") -> "Truth":
    """Return the truth of each output: of rows, or the classes of the nodes of each tree."""
    from nnkit.engine.ragged import Ragged

    if rows.trees is None:
        truth: Truth = rows.truth
        return truth
    assert rows.nodes is not None  # noqa: S101 - supervised data always has them
    trees = rows.trees[1]
    return Ragged(rows.nodes, trees.sizes, trees.starts[1:])


def tree_score(metrics: Sequence[Metric], task: Task) -> "Score":
    """Return what makes values of roots and of all nodes."""
    from nnkit.engine.ragged import Ragged

    def score(truth: "Truth", outputs: "NDArray[np.float64]") -> dict[str, float]:
        assert isinstance(truth, Ragged)  # noqa: S101 - truth_of gives one of trees
        nodes, roots = truth.flat(), truth.lengths.cumsum() - 1
        return compute_all(metrics, nodes[roots], outputs[roots], task, nodes=(nodes, outputs))

    return score
