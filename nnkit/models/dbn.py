"""Deep belief nets."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.activations import ACTIVATIONS
from nnkit.config.piece import Options
from nnkit.errors import Path, Problem, SpecError
from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.boltzmann import Hidden, Stage, Visible
from nnkit.layers.dense import Dense
from nnkit.layers.node import Node
from nnkit.layers.regularize import Dropout
from nnkit.models.base import MODELS, Model
from nnkit.models.layout import lay_out
from nnkit.models.plan import Plan
from nnkit.models.rbm import only_numbers
from nnkit.shapes import Shape

if TYPE_CHECKING:
    from nnkit.data.pipeline import Pipeline


class HiddenLayer(Options):
    """A layer of a deep belief net."""

    units: int = Field(gt=0, description="Number of hidden units.")
    hidden: Hidden = Field(
        default="bernoulli",
        description="`bernoulli`: 0 or 1, in fine-tuning their chance, a sigmoid; `rectified`: numbers from 0 on, in "
        "fine-tuning a relu. The layer above one of these has gaussian visible units.",
    )


@MODELS.register("dbn")
class DeepBelief(Model):
    """Layers of hidden units that are trained one after the other without labels, and a head for the classes.

    The data has one input, of numbers or pictures. Layers are called `layer_1`, `layer_2`, ... Weights of each:
    `kernel` and `bias` upwards, which fine-tuning changes; and `down_kernel`, `visible_bias`, `hidden_bias` and
    `visible_mean` as pretraining left them, by which `nnkit generate` draws (Hinton, Osindero and Teh, 2006).
    """

    layers: list[HiddenLayer] = Field(
        min_length=1, description="The layers of hidden units, from the lowest up.", examples=[[{"units": 8}]]
    )
    visible: Visible = Field(
        default="bernoulli",
        description="`bernoulli` for values from 0 to 1, those between taken for chances; `gaussian` for any numbers, "
        "with a variance of 1: scale them by standard_scale.",
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Share of each layer's outputs dropped in fine-tuning.")
    head: list[Node] | None = Field(
        default=None,
        min_length=1,
        description="Layers above those of hidden units; default: a dense layer for the classes or numbers to predict.",
    )
    init: InitializerChoice = Field(
        default=INITIALIZERS.decode("glorot_uniform"), description="How kernels are drawn before pretraining."
    )

    def plan(
        self, inputs: Mapping[str, Shape], vocabularies: Mapping[str, int] | None = None, sample_rate: int | None = None
    ) -> Plan:
        """Lay the net out, by its own head; raises ``SpecError`` with every mistake."""
        if self.head is None:
            raise TypeError("the head of a dbn follows from the classes: use plan_for")
        return self._laid_out(only_numbers(self.type_name, inputs, vocabularies or {}), self.head)

    def plan_for(self, pipeline: "Pipeline") -> Plan:
        """Lay the net out for a run's data; raises ``SpecError`` with every mistake."""
        inputs = only_numbers(self.type_name, pipeline.input_shapes, pipeline.vocabularies)
        return self._laid_out(inputs, self.head or [usual_head(pipeline)])

    def _laid_out(self, inputs: Mapping[str, Shape], head: list[Node]) -> Plan:
        nodes, paths = list[Node](), list[Path]()
        for number in range(len(self.layers)):
            path = ("model", "layers", number)
            nodes.append(Node(layer=self._stage(number), name=f"layer_{number + 1}"))
            paths.append(path)
            if self.dropout:
                nodes.append(Node(layer=Dropout(rate=self.dropout)))
                paths.append(path)
        nodes += head
        paths += [("model", "head", number) for number in range(len(head))]
        try:
            plan = lay_out(nodes, inputs)
        except SpecError as error:
            raise SpecError([Problem(_at(paths, each.path), each.message) for each in error.problems]) from None
        return replace(plan, nodes=tuple(replace(node, path=_at(paths, node.path)) for node in plan.nodes))

    def _stage(self, number: int) -> Stage:
        """Return a layer; what it sees are the hidden units of the one below."""
        layer = self.layers[number]
        below = self.visible if not number else _seen(self.layers[number - 1].hidden)
        return Stage(units=layer.units, visible=below, hidden=layer.hidden, init=self.init)


def _seen(hidden: Hidden) -> Visible:
    return "bernoulli" if hidden == "bernoulli" else "gaussian"


def _at(paths: list[Path], path: Path) -> Path:
    """Return the path in the spec of what is at ``path`` in the list of all layers."""
    root, rest = path[:2], path[2:]
    if root != ("model", "layers") or not rest or not isinstance(rest[0], int):
        return path
    return (*paths[rest[0]], *rest[1:])


def usual_head(pipeline: "Pipeline") -> Node:
    """Return the dense layer that the classes, or the numbers to predict, need."""
    if pipeline.task == "multiclass":
        return Node(layer=Dense(units=len(pipeline.classes), activation=ACTIVATIONS.decode("softmax")), name="head")
    if pipeline.task == "regression":
        units = len(pipeline.targets) * (len(pipeline.quantiles) or 1)
        return Node(layer=Dense(units=units), name="head")
    units = 1 if pipeline.task == "binary" else len(pipeline.targets)
    return Node(layer=Dense(units=units, activation=ACTIVATIONS.decode("sigmoid")), name="head")
