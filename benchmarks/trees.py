"""Trees height by height against a recursive loop over the same weights: ``python -m benchmarks.trees``.

Both compute outputs and gradients of the same trees on one thread; the table has the nodes a second of each.
"""

import time
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from nnkit.engine.forest import forest
from nnkit.engine.nodes import LEAF, Nodes, starts_of
from nnkit.nn.tree import Composition, Matrix, TensorMatrix, TreeLstm, Words

KINDS: dict[str, type[Matrix] | type[TensorMatrix] | type[TreeLstm]] = {
    "tensor": TensorMatrix,
    "matrix": Matrix,
    "tree_lstm": TreeLstm,
}
UNITS, TREES, WORDS, LEAVES = 30, 64, 1000, 19
SECONDS = 3.0

State: TypeAlias = tuple[Tensor, Tensor | None]
"""The vector of a node, and the memory of one that has it."""


def random_trees(count: int, leaves: int, words: int, seed: int = 0) -> Nodes:
    """Return binary trees of up to ``2 * leaves`` leaves each, of any shape, with random words."""
    draw = np.random.default_rng(seed)
    nodes: list[tuple[int, int, int, int]] = []
    sizes = []
    for _ in range(count):
        tree: list[tuple[int, int, int, int]] = []
        _grow(tree, int(draw.integers(1, 2 * leaves + 1)), words, draw)
        nodes += tree
        sizes.append(len(tree))
    left, right, word, heights = np.array(nodes, np.int32).T.copy()
    return Nodes(starts_of(np.array(sizes, np.int64)), left, right, word, heights)


def _grow(tree: list[tuple[int, int, int, int]], leaves: int, words: int, draw: np.random.Generator) -> int:
    """Add a subtree of so many leaves, children first; return the place of its root."""
    if leaves == 1:
        tree.append((LEAF, LEAF, int(draw.integers(words)), 0))
    else:
        first = int(draw.integers(1, leaves))
        left, right = _grow(tree, first, words, draw), _grow(tree, leaves - first, words, draw)
        tree.append((left, right, LEAF, 1 + max(tree[left][3], tree[right][3])))
    return len(tree) - 1


def recursive(composition: Composition, words: Words, trees: Nodes) -> Tensor:
    """Return the vectors of all nodes [nodes, units] by a recursive loop, written out from the papers' formulas."""
    steps: dict[type, Callable[..., State]] = {TensorMatrix: _tensor, Matrix: _matrix, TreeLstm: _lstm}
    step = steps[type(composition)]
    rows: list[Tensor] = []
    for start, end in zip(trees.starts[:-1].tolist(), trees.starts[1:].tolist(), strict=True):
        found: dict[int, Tensor] = {}

        def visit(node: int, start: int = start, found: dict[int, Tensor] = found) -> State:
            left, right = int(trees.left[start + node]), int(trees.right[start + node])
            if left == LEAF:
                state = step(composition, words.embeddings[int(trees.words[start + node])], None, None)
            else:
                state = step(composition, None, visit(left), visit(right))
            found[node] = state[0]
            return state

        visit(end - start - 1)
        rows += [found[node] for node in range(end - start)]
    return torch.stack(rows)


def _matrix(c: Matrix, word: Tensor | None, left: State | None, right: State | None) -> State:
    if left is None or right is None:
        assert word is not None  # noqa: S101 - a leaf has one
        return torch.tanh(word), None
    return torch.tanh(torch.cat((left[0], right[0])) @ c.kernel + c.bias), None


def _tensor(c: TensorMatrix, word: Tensor | None, left: State | None, right: State | None) -> State:
    if left is None or right is None:
        return _matrix(c, word, None, None)
    x = torch.cat((left[0], right[0]))
    product = x @ (x @ c.tensor.view(len(x), -1)).view(len(x), c.units)
    return torch.tanh(product + x @ c.kernel + c.bias), None


def _lstm(c: TreeLstm, word: Tensor | None, left: State | None, right: State | None) -> State:
    d = c.units
    if left is None or right is None:
        assert word is not None  # noqa: S101 - a leaf has one
        enter, out, candidate = (word @ c.leaf_kernel + c.leaf_bias).split(d)  # type: ignore[no-untyped-call]
        memory = torch.sigmoid(enter) * torch.tanh(candidate)
        return torch.sigmoid(out) * torch.tanh(memory), memory
    assert left[1] is not None  # noqa: S101 - an LSTM has a memory
    assert right[1] is not None  # noqa: S101 - an LSTM has a memory
    values = torch.cat((left[0], right[0])) @ c.kernel + c.bias
    enter, first, second, out, candidate = values.split(d)  # type: ignore[no-untyped-call]
    memory = torch.sigmoid(enter) * torch.tanh(candidate)
    memory = memory + torch.sigmoid(first) * left[1] + torch.sigmoid(second) * right[1]
    return torch.sigmoid(out) * torch.tanh(memory), memory


def modules(kind: str, units: int, words: int, seed: int = 0) -> tuple[Composition, Words]:
    """Return a composition and word vectors with random weights."""
    draw = torch.Generator().manual_seed(seed)
    composition, vectors = KINDS[kind](units, torch.tanh), Words(words, units)
    with torch.no_grad():
        for weight in (*composition.parameters(), *vectors.parameters()):
            weight.normal_(0, 0.3 / units**0.5, generator=draw)
    return composition, vectors


def by_height(composition: Composition, words: Words, trees: Nodes) -> Tensor:
    """Return the vectors of all nodes [nodes, units] as nnkit computes them, the cutting into heights included."""
    batch = forest(trees, torch.device("cpu"))
    vectors: Tensor = composition(batch, words(batch))
    return vectors


def nodes_a_second(compute: Callable[[], Tensor], nodes: int, seconds: float = SECONDS) -> float:
    """Return how many nodes go forward and backward in a second, the best of several passes."""
    best, until = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < until:
        began = time.perf_counter()
        compute().square().mean().backward()  # type: ignore[no-untyped-call]
        best = min(best, time.perf_counter() - began)
    return nodes / best


def main() -> None:
    """Measure each composition and print a table."""
    torch.set_num_threads(1)
    trees = random_trees(TREES, LEAVES, WORDS)
    nodes = len(trees.left)
    print(f"{TREES} trees, {nodes} nodes, {UNITS} units, forward and backward, one thread")
    for kind in KINDS:
        parts = modules(kind, UNITS, WORDS)
        speeds = [
            nodes_a_second(lambda way=way, parts=parts: way(*parts, trees), nodes)  # type: ignore[misc]
            for way in (by_height, recursive)
        ]
        fast, slow = speeds
        print(f"{kind:10} by height {fast:10,.0f} nodes/s   recursive {slow:8,.0f} nodes/s   {fast / slow:.0f} times")


if __name__ == "__main__":
    main()
