"""Recursive networks over trees: a batch of trees is computed height by height, all nodes of one height at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nnkit.nn.basic import empty

Function = Callable[[Tensor], Tensor]

MOST_VALUES = 2**22
"""Products of two children's values that are in memory at once."""


@dataclass(frozen=True)
class Level:
    """All nodes of one height above 0, by their numbers among the nodes of a batch, and their children: each [n]."""

    nodes: Tensor
    left: Tensor
    right: Tensor


@dataclass(frozen=True)
class Forest:
    """A batch of trees: the number of all nodes, the leaves [n] and the code of the word of each [n], the levels."""

    size: int
    leaves: Tensor
    words: Tensor
    levels: Sequence[Level]


class Words(nn.Module):
    """A learned vector for the word of each leaf: forest -> [leaves, units]."""

    def __init__(self, count: int, units: int) -> None:
        super().__init__()
        self.embeddings = empty(count, units)

    def forward(self, forest: Forest) -> Tensor:
        """Look the vectors up."""
        return nn.functional.embedding(forest.words, self.embeddings)


class Composition(nn.Module):
    """Vectors of all nodes from those of the leaves: forest, [leaves, units] -> [nodes, units].

    A node's state is what its parent reads of it; the first ``units`` values of it are the node's vector.
    """

    state: int

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units

    def leaf(self, words: Tensor) -> Tensor:
        """Return the states of leaves [n, state] from their word vectors [n, units]."""
        raise TypeError(f"{type(self).__name__} does not say what a leaf is")

    def compose(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the states of nodes [n, state] from those of their children."""
        raise TypeError(f"{type(self).__name__} does not say how it composes")

    def forward(self, forest: Forest, words: Tensor) -> Tensor:
        """Compute the vectors, height by height."""
        leaves = self.leaf(words)
        # No copy of it is needed before a level is written: what reads it keeps only the numbers of the nodes it read.
        states = leaves.new_zeros(forest.size, leaves.shape[1]).index_copy_(0, forest.leaves, leaves)
        for level in forest.levels:
            composed = self.compose(states.index_select(0, level.left), states.index_select(0, level.right))
            states.index_copy_(0, level.nodes, composed)
        return states[:, : self.units]


class Matrix(Composition):
    """activation([left, right] @ kernel + bias): the recursive network (Socher and others, 2011)."""

    def __init__(self, units: int, activation: Function) -> None:
        super().__init__(units)
        self.kernel = empty(2 * units, units)
        self.bias = empty(units)
        self.activation = activation

    def leaf(self, words: Tensor) -> Tensor:
        """Return the activated word vectors."""
        return self.activation(words)

    def compose(self, left: Tensor, right: Tensor) -> Tensor:
        """Return activation(x @ kernel + bias) of x = [left, right]."""
        return self.activation(self.linear(torch.cat((left, right), dim=1)))

    def linear(self, x: Tensor) -> Tensor:
        """Return x @ kernel + bias."""
        return torch.addmm(self.bias, x, self.kernel)


class TensorMatrix(Matrix):
    """activation(x @ tensor[..., k] @ x + (x @ kernel)[k] + bias[k]): the RNTN (Socher and others, 2013)."""

    def __init__(self, units: int, activation: Function) -> None:
        super().__init__(units, activation)
        self.tensor = empty(2 * units, 2 * units, units)

    def linear(self, x: Tensor) -> Tensor:
        """Return the matrix' part and the tensor's, of as many nodes at once as memory should be taken for."""
        rows = max(1, MOST_VALUES // (2 * self.units) // self.units)
        parts = [self._products(part) for part in x.split(rows)]  # type: ignore[no-untyped-call]
        return super().linear(x) + (parts[0] if len(parts) == 1 else torch.cat(parts))

    def _products(self, x: Tensor) -> Tensor:
        size, units = x.shape[1], self.units
        products = (x @ self.tensor.view(size, size * units)).view(-1, size, units)
        return (x.unsqueeze(2) * products).sum(1)


class TreeLstm(Composition):
    """The binary Tree-LSTM (Tai and others, 2015): a gate to forget for each child; its state is vector and memory.

    ``kernel`` and ``bias`` have, in this order, the units of the input gate, the forget gates of left and right child,
    the output gate and the candidate; those of a leaf the same without forget gates.
    """

    def __init__(self, units: int, activation: Function) -> None:
        super().__init__(units)
        self.leaf_kernel = empty(units, 3 * units)
        self.leaf_bias = empty(3 * units)
        self.kernel = empty(2 * units, 5 * units)
        self.bias = empty(5 * units)
        self.activation = activation

    def leaf(self, words: Tensor) -> Tensor:
        """Return vector and memory of a word."""
        values = torch.addmm(self.leaf_bias, words, self.leaf_kernel)
        enter, out = values[:, : -self.units].sigmoid().chunk(2, dim=1)
        candidate = values[:, -self.units :]
        return self._state(enter * self.activation(candidate), out)

    def compose(self, left: Tensor, right: Tensor) -> Tensor:
        """Return vector and memory of a node from those of its children."""
        units = self.units
        x = torch.cat((left[:, :units], right[:, :units]), dim=1)
        values = torch.addmm(self.bias, x, self.kernel)
        enter, keep_left, keep_right, out = values[:, :-units].sigmoid().chunk(4, dim=1)
        memory = (
            enter * self.activation(values[:, -units:]) + keep_left * left[:, units:] + keep_right * right[:, units:]
        )
        return self._state(memory, out)

    def _state(self, memory: Tensor, out: Tensor) -> Tensor:
        return torch.cat((out * self.activation(memory), memory), dim=1)
