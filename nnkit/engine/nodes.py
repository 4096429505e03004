"""The nodes of binary trees, flat in arrays."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int32]

LEAF = -1
"""What stands for the children of a leaf, and for the word of a node that is none."""


@dataclass(frozen=True)
class Nodes:
    """Binary trees [n], the nodes of each in one stretch of the arrays [nodes]: children first, the root last."""

    starts: NDArray[np.int64]
    """Where each tree begins [n + 1]; the last is the number of nodes."""
    left: Numbers
    """The children's places, counted from the tree's first node."""
    right: Numbers
    words: Numbers
    """The number of a leaf's word."""
    heights: Numbers
    """0 for a leaf, and for others one more than the higher child's."""

    by_node: ClassVar[tuple[str, ...]] = ("left", "right", "words", "heights")

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The nodes of each tree [n]."""
        return np.diff(self.starts)

    @property
    def roots(self) -> NDArray[np.int64]:
        """The root of each tree, by its place among all nodes [n]."""
        return self.starts[1:] - 1

    def nodes_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the nodes of some trees, tree after tree."""
        sizes = self.sizes[rows]
        ends = np.cumsum(sizes)
        return np.repeat(self.starts[:-1][rows] - (ends - sizes), sizes) + np.arange(sizes.sum())

    def __getitem__(self, rows: Any) -> Self:
        """Return some trees, by a slice, a mask or their numbers."""
        chosen = np.arange(len(self))[rows]
        nodes = self.nodes_of(chosen)
        arrays = {name: getattr(self, name)[nodes] for name in self.by_node}
        return replace(self, starts=starts_of(self.sizes[chosen]), **arrays)


def starts_of(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where trees of these sizes [n] begin, and where the last one ends: [n + 1]."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
