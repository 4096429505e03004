"""Batches of trees: as rows they are trees, to the network all their nodes, with a target for each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnkit.engine.batches import Batch
from nnkit.engine.nodes import Nodes
from nnkit.nn.tree import Forest, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeBatch(Batch):
    """Some trees, whose words have codes: targets and weights are those of their nodes, tree after tree."""

    name: str
    """The input that the trees are."""
    trees: Nodes
    largest: int
    """Nodes of the largest tree of all."""

    def __len__(self) -> int:
        return len(self.trees)

    @property
    def apart(self) -> int:
        """How far apart the random numbers of two trees begin: each of its nodes has its own."""
        return self.largest

    def split(self, rows: int) -> "Iterator[TreeBatch]":
        """Yield the batch in parts of at most ``rows`` trees."""
        for start in range(0, len(self), rows):
            part = slice(start, start + rows)
            cuts = self.trees.starts[start : start + rows + 1]
            yield self._part(self.trees[part], slice(int(cuts[0]), int(cuts[-1])))

    def at(self, index: Tensor) -> "TreeBatch":
        """Return the trees that ``index`` names, in its order."""
        rows = index.cpu().numpy()
        nodes = torch.from_numpy(self.trees.nodes_of(rows)).to(self.device)
        return self._part(self.trees[rows], nodes)

    def _part(self, trees: Nodes, nodes: Any) -> "TreeBatch":
        weights = None if self.weights is None else self.weights[nodes]
        return replace(self, targets=self.targets[nodes], weights=weights, trees=trees)

    def floats(self, dtype: torch.dtype) -> dict[str, Any]:
        """Return the trees as a network takes them."""
        return {self.name: forest(self.trees, self.device)}

    @property
    def bytes(self) -> int:
        """The memory that nodes and targets take."""
        arrays = (getattr(self.trees, name) for name in self.trees.by_node)
        assert isinstance(self.targets, Tensor)  # noqa: S101 - those of nodes lie flat
        return int(self.targets.nbytes + sum(array.nbytes for array in arrays))


def forest(trees: Nodes, device: torch.device) -> Forest:
    """Return trees as tensors, their nodes by height."""
    begins = np.repeat(trees.starts[:-1], trees.sizes)
    left, right = trees.left + begins, trees.right + begins
    order = np.argsort(trees.heights, kind="stable")
    cuts = np.cumsum(np.bincount(trees.heights)) if len(order) else np.zeros(1, np.int64)

    def tensor(numbers: NDArray[Any]) -> Tensor:
        return torch.from_numpy(numbers).to(device)

    leaves = order[: cuts[0]]
    levels = []
    for first, last in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        nodes = order[first:last]
        levels.append(Level(tensor(nodes), tensor(left[nodes]), tensor(right[nodes])))
    return Forest(len(order), tensor(leaves), tensor(trees.words[leaves]), levels)


def to_tree_batch(
    name: str,
    trees: Nodes,
    targets: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> TreeBatch:
    """Return trees as a batch; targets are the classes of their nodes."""
    kept = None if weights is None else torch.from_numpy(weights).to(device, dtype)
    largest = int(trees.sizes.max()) if len(trees) else 1
    return TreeBatch({}, torch.from_numpy(targets).to(device), kept, device, name=name, trees=trees, largest=largest)
