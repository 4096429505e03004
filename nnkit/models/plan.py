"""The plan of a network: what reads what, every shape and every weight, in plain Python until it is built."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self, cast

from nnkit.activations import Activation
from nnkit.errors import Path, Problem, SpecError
from nnkit.layers.base import Activated, Layer, Weight
from nnkit.layers.node import Node
from nnkit.layers.pool import MaxPool
from nnkit.seeds import generator
from nnkit.shapes import Shape, size

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.nn.graph import GraphNetwork
    from nnkit.nn.parts import PartedNetwork
    from nnkit.nn.sequence import SequenceModule

BLOCK_ROWS = 1024
BLOCK_VALUES = 2**24
"""Rows that go through the network at once, and how many values all its layers may then have (64 MiB)."""
RISING = ("relu", "relu6")
"""Activations that may change places with a maximum: no larger value becomes a smaller one, and torch keeps to it."""
STEPS = 256
SECONDS = 4
"""What an axis that varies is taken for, and how long a sound."""
FLOAT_BYTES = 4
COPIES = 4
"""Arrays of each weight in training: itself, its gradient, and two of Adam's."""


def value_name(name: str) -> str:
    """Return what layers call an input of the data: `input` where it is the only one without a name of its own."""
    return name if name == "input" else f"input.{name}"


@dataclass(frozen=True)
class PlannedNode:
    """A layer at its place: its full name, what it reads, the shapes of that and of its output, its weights."""

    name: str
    node: Node
    reads: tuple[str, ...]
    inputs: tuple[Shape, ...]
    output: Shape
    path: Path
    weights: Mapping[str, Weight]
    steps: int = STEPS
    """How long the output's axis is taken for, where it varies."""

    @property
    def layer(self) -> Layer:
        """The layer itself."""
        return self.node.layer

    @property
    def values(self) -> int:
        """The number of values in a row of the output."""
        return usual_size(self.output, self.steps)


@dataclass(frozen=True)
class Row:
    """A line of the layer table."""

    name: str
    type: str
    inputs: tuple[str, ...]
    shape: Shape
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Plan:
    """A network laid out for inputs of known shapes; the last node is the output."""

    nodes: tuple[PlannedNode, ...]
    inputs: Mapping[str, Shape]
    steps: int = STEPS
    """How long axes of inputs are taken for that vary."""

    @property
    def output_shape(self) -> Shape:
        """The shape of a row of the output."""
        return self.nodes[-1].output

    @property
    def stateful(self) -> PlannedNode | None:
        """The first layer that carries its state from batch to batch in training, if there is one."""
        return next((node for node in self.nodes if node.layer.carries), None)

    def weights(self) -> dict[str, Weight]:
        """Return every weight by its full name, ``node.weight``."""
        return {f"{node.name}.{name}": weight for node in self.nodes for name, weight in node.weights.items()}

    def initial_weights(self, seed: int) -> "dict[str, NDArray[np.float32]]":
        """Draw every weight from a stream of its own, or take what the spec sets by hand."""
        import numpy as np

        arrays = {}
        for node in self.nodes:
            by_hand = node.node.weights or {}
            for name, weight in node.weights.items():
                full = f"{node.name}.{name}"
                if name in by_hand:
                    arrays[full] = np.array(by_hand[name], dtype=np.float32).reshape(weight.shape)
                else:
                    draw = generator(seed, "weights", full)
                    arrays[full] = weight.initializer.sample(weight.shape, weight.fan_in, weight.fan_out, draw)
        return arrays

    @property
    def head(self) -> Activation | None:
        """The activation that the network ends in, if it is not linear."""
        layer = self.nodes[-1].layer
        if isinstance(layer, Activated) and layer.activation.type_name != "linear":
            return layer.activation
        return None

    def without_head(self) -> "Plan":
        """Return the plan without the activation at its end; its weights are the same."""
        *before, last = self.nodes
        layer = last.layer
        if not isinstance(layer, Activated):
            return self
        node = last.node.model_copy(update={"layer": layer.linear()})
        return replace(self, nodes=(*before, replace(last, node=node)))

    def build(self) -> "GraphNetwork":
        """Return the torch network; its weights are allocated and not yet drawn."""
        from nnkit.nn.graph import GraphNetwork, Step

        names = (*map(value_name, self.inputs), *(node.name for node in self.nodes))
        numbers = {name: number for number, name in enumerate(names)}
        modules = self._modules()
        steps = [
            Step(
                name=node.name,
                module=modules[node.name],
                reads=tuple(numbers[value] for value in node.reads),
                trainable=node.node.trainable,
                l1=node.node.l1,
                l2=node.node.l2,
                max_norm=node.node.max_norm,
                kernels=node.layer.kernels,
                varies=bool(node.output) and node.output[0] is None,
            )
            for node in self.nodes
        ]
        return GraphNetwork(steps, list(self.inputs))

    def _modules(self) -> "dict[str, torch.nn.Module]":
        """Return each layer's module. A relu that only a max pool reads acts behind it instead, on fewer values.

        The largest value of relu(x) is relu of the largest x, bit for bit, and so are the gradients.
        """
        from nnkit.nn.basic import Then

        nodes, readers = {node.name: node for node in self.nodes}, Counter(name for n in self.nodes for name in n.reads)
        modules = {name: node.layer.build(*node.inputs) for name, node in nodes.items()}
        for pool in self.nodes:
            above = nodes.get(pool.reads[0])
            if not isinstance(pool.layer, MaxPool) or above is None or readers[above.name] > 1:
                continue
            if isinstance(above.layer, Activated) and above.layer.activation.type_name in RISING:
                modules[above.name] = above.layer.linear().build(*above.inputs)
                modules[pool.name] = Then(cast("SequenceModule", modules[pool.name]), above.layer.activation.build())
        return modules

    def rows(self) -> list[Row]:
        """Return a line for each layer."""
        return [
            Row(
                name=node.name,
                type=node.layer.type_name,
                inputs=node.reads,
                shape=node.output,
                parameters=sum(weight.size for weight in node.weights.values()),
                trainable=sum(
                    weight.size for weight in node.weights.values() if weight.trained and node.node.trainable
                ),
            )
            for node in self.nodes
        ]

    @property
    def block_rows(self) -> int:
        """How many rows go through the network at once outside of training: a power of two that follows from it."""
        values = sum(node.values for node in self.nodes) + (self.input_values if self.steps > STEPS else 0)
        most = max(1, min(BLOCK_ROWS, BLOCK_VALUES // max(1, values)))
        return 1 << (most.bit_length() - 1)

    @property
    def input_values(self) -> int:
        """The number of values in a row of all inputs."""
        return sum(usual_size(shape, self.steps) for shape in self.inputs.values())

    def multiplications(self) -> int:
        """Estimate the multiplications of a row's forward pass: those of each weight at each place of the output."""
        return sum(
            weight.size * usual_size(node.output[:-1], node.steps)
            for node in self.nodes
            for weight in node.weights.values()
        )

    def memory(self, batch_size: int) -> int:
        """Estimate the bytes that training takes: weights, gradients, Adam's state, and each layer's values twice."""
        parameters = sum(weight.size for weight in self.weights().values())
        values = sum(node.values for node in self.nodes) + self.input_values
        return FLOAT_BYTES * (COPIES * parameters + 2 * batch_size * values)


@dataclass(frozen=True)
class PartedPlan(Plan):
    """Several networks of one model, such as an encoder and a decoder: all their nodes, as ``part/node``."""

    parts: Mapping[str, Plan] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Mapping[str, Plan], inputs: Mapping[str, Shape]) -> Self:
        """Return the plan of ``parts`` in the order in which they are listed; ``inputs`` are the data's."""
        nodes = tuple(_in_part(name, node, part) for name, part in parts.items() for node in part.nodes)
        return cls(nodes, dict(inputs), next(iter(parts.values())).steps, dict(parts))

    def build(self) -> "PartedNetwork":  # type: ignore[override]
        """Return the torch networks; their weights are allocated and not yet drawn."""
        from nnkit.nn.parts import PartedNetwork

        return PartedNetwork({name: part.build() for name, part in self.parts.items()})


def _in_part(part: str, node: PlannedNode, plan: Plan) -> PlannedNode:
    """Return a node under its name among those of all parts."""
    own = {other.name for other in plan.nodes}
    reads = tuple(f"{part}/{name}" if name in own else name for name in node.reads)
    return replace(node, name=f"{part}/{node.name}", reads=reads)


def usual_size(shape: Shape, steps: int) -> int:
    """Return the number of values in a row of ``shape``, an axis that varies taken for ``steps`` long."""
    return size(shape) * (steps if None in shape else 1)


def check_memory(plan: Plan, batch_size: int, available: int) -> None:
    """Raise ``SpecError`` with the estimate where training would take more than ``available`` bytes."""
    needed = plan.memory(batch_size)
    if needed <= available:
        return
    largest = max(plan.nodes, key=lambda node: _node_bytes(node, batch_size))
    raise SpecError(
        [
            Problem(
                largest.path,
                f"training would take about {human_bytes(needed)}, and this machine has {human_bytes(available)}; "
                f"the largest part is the layer {largest.name}: make it or training.batch_size smaller",
            )
        ]
    )


def _node_bytes(node: PlannedNode, batch_size: int) -> int:
    parameters = sum(weight.size for weight in node.weights.values())
    return FLOAT_BYTES * (COPIES * parameters + 2 * batch_size * node.values)


def human_bytes(count: float) -> str:
    """Write a number of bytes as people read it: ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.4g} PiB"
