"""Restricted Boltzmann machines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nnkit.errors import Problem, SpecError
from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.boltzmann import Hidden, Rbm, Threshold, Visible
from nnkit.layers.node import Node
from nnkit.models.base import MODELS, Model
from nnkit.models.plan import Plan, PlannedNode, value_name
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    from nnkit.data.pipeline import Pipeline

NAME = "rbm"
"""What the machine is called among the weights."""


@MODELS.register("rbm")
class RestrictedBoltzmann(Model):
    """A layer of hidden units beside the values of a row: each says how likely the other's values are.

    The data has one input, of numbers or pictures, whose values are taken one beside the other. Weights: `rbm.kernel`
    (values x units), `rbm.visible_bias`, `rbm.hidden_bias`; of the training rows `rbm.visible_mean`; and
    `rbm.log_partition`, 0 until the partition function is known.
    """

    units: int = Field(gt=0, description="Number of hidden units.")
    visible: Visible = Field(
        default="bernoulli",
        description="`bernoulli` for values from 0 to 1, those between taken for chances; `gaussian` for any numbers, "
        "with a variance of 1: scale them by standard_scale.",
    )
    hidden: Hidden = Field(
        default="bernoulli", description="`bernoulli`: 0 or 1; `rectified`: numbers from 0 on (Nair and Hinton, 2010)."
    )
    binarise: Threshold | Literal["sample"] | None = Field(
        default=None,
        description="Make each value 0 or 1: by a threshold, from which on it is 1; or `sample`, anew in each step of "
        "training with the value as its chance, and by the threshold 0.5 elsewhere.",
    )
    init: InitializerChoice = Field(
        default=INITIALIZERS.decode({"type": "normal", "stddev": 0.01}),
        description="How the kernel is drawn before training.",
    )

    def plan(
        self, inputs: Mapping[str, Shape], vocabularies: Mapping[str, int] | None = None, sample_rate: int | None = None
    ) -> Plan:
        """Lay the machine out; raises ``SpecError`` for inputs that it cannot take."""
        [(name, shape)] = only_numbers(self.type_name, inputs, vocabularies or {}).items()
        if self.binarise is not None and self.visible == "gaussian":
            message = "makes values 0 or 1, and gaussian visible units are for other numbers; leave out one of both"
            raise SpecError([Problem(("model", "binarise"), message)])
        layer = Rbm(units=self.units, visible=self.visible, hidden=self.hidden, binarise=self.binarise, init=self.init)
        node, output, weights = Node(layer=layer, name=NAME), layer.out_shape(shape), layer.weights(shape)
        planned = PlannedNode(NAME, node, (value_name(name),), (shape,), output, ("model",), weights)
        return Plan((planned,), {name: shape})

    def plan_for(self, pipeline: "Pipeline") -> Plan:
        """Lay the machine out for a run's data; raises ``SpecError`` for inputs that it cannot take."""
        super().plan_for(pipeline)
        return self.plan(pipeline.input_shapes, pipeline.vocabularies)


def only_numbers(model: str, inputs: Mapping[str, Shape], vocabularies: Mapping[str, int]) -> Mapping[str, Shape]:
    """Return the inputs, which must be one of numbers or pictures; raises ``SpecError``."""
    place = ("model", "type")
    if len(inputs) > 1:
        message = f"{model} takes one input, found {', '.join(inputs)}: leave data.inputs out"
        raise SpecError([Problem(place, message)])
    [(name, shape)] = inputs.items()
    if None in shape or vocabularies:
        what = "tokens" if vocabularies else f"sequences of several lengths ({show(shape)})"
        message = f"{model} takes numbers or pictures, as many for each row, and the data gives {what}"
        raise SpecError([Problem(place, message)])
    return {name: shape}
