"""Models that part rows into groups: centres, mixtures of Gaussians, dense regions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field

from nnkit.errors import Path, Problem, SpecError
from nnkit.initializers import INITIALIZERS
from nnkit.layers.base import Layer, Weight
from nnkit.layers.node import Node
from nnkit.models.base import Model
from nnkit.models.layout import lay_out
from nnkit.models.plan import Plan, PlannedNode, value_name
from nnkit.predictions import OutputColumn
from nnkit.shapes import Shape, show, size

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nnkit.data.pipeline import Pipeline
    from nnkit.frames.clusters import Fit, State

    Floats: TypeAlias = NDArray[np.float64]
    Numbers: TypeAlias = NDArray[np.int64]

NAME = "clusters"
"""The node that keeps what was fitted."""
CLUSTER = "cluster"
Goal: TypeAlias = Literal["max", "min"]


class Clusters(Model):
    """Rows, or the codes that layers make of them, in groups."""

    layers: list[Node] = Field(
        default=[],
        description="Layers that rows go through first, such as `pretrained` ones that make codes; none of them is "
        "trained here. Default: the columns themselves.",
    )

    @property
    def wanted(self) -> tuple[str, int]:
        """The option that says how many rows there must be at least, and the number."""
        raise TypeError(f"{type(self).__name__} does not say how many rows it needs")

    @property
    def fits(self) -> int:
        """How often fitting begins anew."""
        return 1

    @property
    def in_passes(self) -> bool:
        """Whether fitting goes over the rows again and again, so that `training.epochs` bounds it."""
        return True

    def shapes(self, values: int, rows: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what is fitted, for rows of so many values."""
        raise TypeError(f"{type(self).__name__} does not say what it keeps")

    def columns(self, rows: int) -> list[OutputColumn]:
        """Return what is told of a row, the cluster first; ``rows`` are those that were fitted."""
        raise TypeError(f"{type(self).__name__} does not say what it tells")

    def fit(self, points: "Floats", passes: int, seed: int) -> "tuple[Fit, dict[str, float]]":
        """Fit once, and return more values for the history; raises ``nnkit.frames.clusters.FitError``."""
        raise TypeError(f"{type(self).__name__} does not say how it is fitted")

    def judge(self, points: "Floats", state: "State") -> "Floats":
        """Return the ``columns`` of points [n, k]."""
        raise TypeError(f"{type(self).__name__} does not say how it judges")

    def clusters_of(self, outputs: "Floats") -> "Numbers":
        """Return the cluster of each row by its ``columns``, -1 for noise."""
        return outputs[:, 0].astype("int64")

    def unusual(self, outputs: "Floats") -> "Floats":
        """Return how unusual rows are [n] by their ``columns``: the last of them, a distance."""
        return outputs[:, -1]

    def loss(self, outputs: "Floats") -> float:
        """Return what fitting makes small, by the ``columns`` of rows."""
        raise TypeError(f"{type(self).__name__} does not say its loss")

    def reported(self, outputs: "Floats") -> dict[str, float]:
        """Return what is reported of rows by their ``columns``."""
        raise TypeError(f"{type(self).__name__} does not say what it reports")

    @classmethod
    def goals(cls) -> dict[str, Goal]:
        """Return the names of what is ``reported``, and whether larger or smaller is better."""
        raise TypeError(f"{cls.__name__} does not say what it reports")

    def plan(
        self, inputs: Mapping[str, Shape], vocabularies: Mapping[str, int] | None = None, sample_rate: int | None = None
    ) -> Plan:
        """Refuse inputs without rows: what is kept of them follows from how many there are."""
        raise TypeError("clusters are laid out for data and its rows: use plan_for")

    def plan_for(self, pipeline: "Pipeline") -> Plan:
        """Lay the layers out, and behind them what is fitted; raises ``SpecError`` with every mistake."""
        self.refuse_trees(pipeline)
        inputs, rows = pipeline.input_shapes, pipeline.known.rows
        self._check_enough(rows)
        if self.layers:
            before = lay_out(self.layers, inputs, pipeline.vocabularies)
            self._check_names(before)
            return self._kept_behind(before.nodes, before.nodes[-1].name, before.output_shape, inputs, rows)
        if len(inputs) > 1:
            message = f"{self.type_name} takes one input, found {', '.join(inputs)}: leave data.inputs out"
            raise SpecError([Problem(("data", "inputs"), message)])
        [(name, shape)] = inputs.items()
        return self._kept_behind((), value_name(name), shape, inputs, rows)

    def _check_enough(self, rows: int) -> None:
        option, least = self.wanted
        if least > rows:
            message = f"{option} needs {least:,} rows at least, and {rows:,} rows train; make it smaller"
            raise SpecError([Problem(("model", option.partition(":")[0]), message)])

    def _check_names(self, before: Plan) -> None:
        taken = next((node for node in before.nodes if node.name == NAME), None)
        if taken is not None:
            message = f"the name {NAME} is that of what {self.type_name} keeps; call the layer something else"
            raise SpecError([Problem(taken.path, message)])

    def _kept_behind(
        self, nodes: Sequence[PlannedNode], above: str, shape: Shape, inputs: Mapping[str, Shape], rows: int
    ) -> Plan:
        path: Path = ("model", "layers") if nodes else ("model",)
        if None in shape:
            message = f"{self.type_name} takes rows of as many values each, found {show(shape)}: pool the steps first"
            raise SpecError([Problem(path, message)])
        layer = Keep(of=self, rows=rows)
        node = Node(layer=layer, name=NAME, trainable=True)
        kept = PlannedNode(NAME, node, (above,), (shape,), layer.out_shape(shape), path, layer.weights(shape))
        return Plan((*nodes, kept), inputs)


class Keep(Layer):
    """Keeps what is fitted to the rows that come to it, and gives them flat."""

    type_name = NAME

    of: Clusters = Field(description="What is fitted.")
    rows: int = Field(ge=0, description="Rows that are fitted.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the number of values of a row."""
        return (size(inputs[0]),)

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return what is fitted."""
        zeros = INITIALIZERS.decode("zeros")
        shapes = self.of.shapes(size(inputs[0]), self.rows).items()
        return {name: Weight(shape, zeros, 1, 1) for name, shape in shapes}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn.kept import Kept

        return Kept(self.of.shapes(size(inputs[0]), self.rows))


def algorithm(plan: Plan) -> Clusters:
    """Return the model that a plan was laid out for."""
    layer = plan.nodes[-1].layer
    assert isinstance(layer, Keep)  # noqa: S101 - the procedure trains no other models
    return layer.of


def state_of(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was fitted, by its own names."""
    return {name.removeprefix(f"{NAME}."): array for name, array in weights.items() if name.startswith(f"{NAME}.")}


def named(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was fitted as weights of the network."""
    return {f"{NAME}.{name}": array for name, array in state.items()}


def numbers(count: int) -> list[str]:
    """Return the names of so many clusters."""
    return [str(number) for number in range(count)]
