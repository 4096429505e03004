"""State as a tree: nested dicts and lists of plain values and tensors, packed into arrays and JSON and back."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

Tree: TypeAlias = Any
"""None, bool, int, float, str, a tensor, or a list or string-keyed dict of trees."""

_ARRAY = "$array"


def pack(tree: Tree) -> tuple[Tree, dict[str, NDArray[Any]]]:
    """Split ``tree`` into JSON-able values and named arrays; ``unpack`` puts it together again, bit for bit."""
    arrays: dict[str, NDArray[Any]] = {}

    def visit(node: Tree) -> Tree:
        if isinstance(node, torch.Tensor):
            name = f"{len(arrays):06d}"
            arrays[name] = node.detach().cpu().numpy()
            return {_ARRAY: name}
        if isinstance(node, Mapping):
            return {key: visit(child) for key, child in node.items()}
        if isinstance(node, list | tuple):
            return [visit(child) for child in node]
        return node

    return visit(tree), arrays


def unpack(tree: Tree, arrays: Mapping[str, NDArray[Any]]) -> Tree:
    """Put the arrays of ``pack`` back into their places as CPU tensors; raises ``KeyError`` for a missing array."""
    if isinstance(tree, dict):
        if set(tree) == {_ARRAY}:
            return torch.from_numpy(np.array(arrays[tree[_ARRAY]]))
        return {key: unpack(child, arrays) for key, child in tree.items()}
    if isinstance(tree, list):
        return [unpack(child, arrays) for child in tree]
    return tree


def optimizer_state(optimizer: torch.optim.Optimizer) -> Tree:
    """Return an optimizer's state as a tree with string keys."""
    state = optimizer.state_dict()
    return {**state, "state": {str(key): value for key, value in state["state"].items()}}


def load_optimizer_state(optimizer: torch.optim.Optimizer, tree: Tree) -> None:
    """Give an optimizer the state that ``optimizer_state`` returned."""
    optimizer.load_state_dict({**tree, "state": {int(key): value for key, value in tree["state"].items()}})
