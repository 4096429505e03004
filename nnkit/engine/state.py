"""State as a tree: nested dicts and lists of plain values and arrays, packed into arrays and JSON and back."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Arrays: TypeAlias = dict[str, NDArray[Any]]
"""Arrays in memory, by name."""
Tree: TypeAlias = Any
"""None, bool, int, float, str, an array, or a list or string-keyed dict of trees."""

_ARRAY = "$array"


def pack(tree: Tree) -> tuple[Tree, Arrays]:
    """Split ``tree`` into JSON-able values and named arrays; ``unpack`` puts it together again, bit for bit."""
    arrays: Arrays = {}

    def visit(node: Tree) -> Tree:
        if isinstance(node, np.ndarray):
            name = f"{len(arrays):06d}"
            arrays[name] = node
            return {_ARRAY: name}
        if isinstance(node, Mapping):
            return {key: visit(child) for key, child in node.items()}
        if isinstance(node, list | tuple):
            return [visit(child) for child in node]
        return node

    return visit(tree), arrays


def unpack(tree: Tree, arrays: Mapping[str, NDArray[Any]]) -> Tree:
    """Put the arrays of ``pack`` back into their places; raises ``KeyError`` for a missing array."""
    if isinstance(tree, dict):
        if set(tree) == {_ARRAY}:
            return np.array(arrays[tree[_ARRAY]])
        return {key: unpack(child, arrays) for key, child in tree.items()}
    if isinstance(tree, list):
        return [unpack(child, arrays) for child in tree]
    return tree
