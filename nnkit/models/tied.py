"""Tied weights: a mirrored decoder's layers that share the kernels of the layers that they undo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nnkit.errors import Problem, SpecError
from nnkit.layers.dense import Dense
from nnkit.models.mirror import Mirrored
from nnkit.models.plan import PartedPlan, Plan

if TYPE_CHECKING:
    from nnkit.nn.parts import PartedNetwork

KERNEL = "kernel"


@dataclass(frozen=True)
class TiedPlan(PartedPlan):
    """A plan of several networks, some of whose layers have no kernel of their own."""

    ties: Mapping[str, str] = field(default_factory=dict)
    """The node whose kernel a node has, both as ``part/node``."""

    def build(self) -> "PartedNetwork":  # type: ignore[override]
        """Return the torch networks, joined."""
        from nnkit.nn.ties import share

        network = super().build()
        share(network, {name: (source, self._is_turned(name)) for name, source in self.ties.items()})
        return network

    def _is_turned(self, name: str) -> bool:
        """Tell whether a layer has the other's kernel with its axes exchanged, as convolutions do not."""
        return any(node.name == name and isinstance(node.layer, Dense) for node in self.nodes)


def without_kernels(decoder: Plan, mirror: Sequence[Mirrored]) -> tuple[Plan, dict[str, str]]:
    """Return the decoder of a mirror without kernels of its own, and by node that of the encoder whose it has.

    Raises ``SpecError`` at each layer of the encoder whose mirror has another kernel.
    """
    nodes, ties, problems = [], {}, []
    for node, mirrored in zip(decoder.nodes, mirror, strict=True):
        source = mirrored.of
        if source is None and KERNEL in node.weights:
            message = f"the mirrored decoder's layer {node.name} ({node.layer.type_name}) has a kernel of its own"
            problems.append(Problem(("model", "tied"), f"{message}, so the weights cannot be tied; leave out tied"))
        elif source is not None:
            ties[node.name] = source.name
            node = replace(node, weights={name: weight for name, weight in node.weights.items() if name != KERNEL})
        nodes.append(node)
    if problems:
        raise SpecError(problems)
    return replace(decoder, nodes=tuple(nodes)), ties
