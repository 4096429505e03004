"""From the plan of a network to the ops of the native engine."""

from dataclasses import replace
from typing import TYPE_CHECKING

from nnkit.models.plan import Plan, PlannedNode

if TYPE_CHECKING:
    from nnkit.engine.native import Op


class NotNativeError(Exception):
    """The native engine cannot compute a network; the message says why, as the end of a sentence."""


def native_ops(plan: Plan) -> "list[Op]":
    """Return the ops of a chain of layers over rows of numbers; raises ``NotNativeError``."""
    if len(plan.inputs) > 1:
        raise NotNativeError("it has no graphs, and this network has several inputs")
    above = "input"
    ops: list[Op] = []
    for node in plan.nodes:
        if node.reads != (above,):
            raise NotNativeError(f"it has no graphs, and the layer {node.name} reads {' and '.join(node.reads)}")
        if any(len(shape) != 1 for shape in (*node.inputs, node.output)):
            raise NotNativeError(f"it takes rows of numbers, and the layer {node.name} has more than one axis")
        ops += _ops(node)
        above = node.name
    return ops


def _ops(node: PlannedNode) -> "list[Op]":
    from nnkit.engine.native import kernel

    module, found = kernel(), node.layer.native(*node.inputs)
    if found is None:
        raise NotNativeError(f"it has no {node.layer.type_name}, as the layer {node.name} is")
    for op in found:
        if module is not None and op.activation not in module.ACTIVATIONS:
            raise NotNativeError(f"it has no {op.activation}, as the layer {node.name} uses")
    return [_placed(node, op) for op in found if node.node.trainable or not op.draws]


def _placed(node: PlannedNode, op: "Op") -> "Op":
    """Return an op with full names, and with what the node asks for: regularization, frozen weights."""
    weights = tuple(name and f"{node.name}.{name}" for name in op.weights)
    constants = op.constants
    if op.kind == "dense":
        constants = (node.node.l1, node.node.l2, node.node.max_norm or 0.0)
    return replace(op, weights=weights, constants=constants, trained=op.trained and node.node.trainable, name=node.name)
