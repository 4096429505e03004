"""Autoencoders: a network that makes a code of a row, and one that makes the row of the code."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.errors import Path, Problem, SpecError
from nnkit.layers.node import Node
from nnkit.models.base import MODELS, Model
from nnkit.models.layout import lay_out
from nnkit.models.plan import PartedPlan
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    from nnkit.data.pipeline import Pipeline

ENCODER, DECODER = "encoder", "decoder"
CODE = "code"
"""What the decoder's layers read, as ``input.code``."""
PLACES: dict[str, Path] = {part: ("model", part) for part in (ENCODER, DECODER)}


@MODELS.register("autoencoder")
class Autoencoder(Model):
    """An encoder that makes a code of each row, and a decoder that makes the row of its code.

    The data has one input; the decoder gives its shape.
    """

    encoder: list[Node] = Field(min_length=1, description="The layers from the input to the code.")
    decoder: list[Node] = Field(min_length=1, description="The layers from the code to the input's shape.")

    def plan(self, inputs: Mapping[str, Shape], vocabularies: Mapping[str, int] | None = None) -> PartedPlan:
        """Lay both networks out; raises ``SpecError`` with every mistake."""
        if len(inputs) > 1:
            message = f"autoencoder takes one input, found {', '.join(inputs)}: leave data.inputs out"
            raise SpecError([Problem(("data", "inputs"), message)])
        [shape] = inputs.values()
        encoder = lay_out(self.encoder, inputs, vocabularies or {}, PLACES[ENCODER])
        decoder = lay_out(self.decoder, {CODE: encoder.output_shape}, {}, PLACES[DECODER])
        if decoder.output_shape != shape:
            last = decoder.nodes[-1]
            message = (
                f"the last layer, {last.name}, gives {show(decoder.output_shape)}; a row of the data is {show(shape)}"
            )
            raise SpecError([Problem(last.path, message)])
        return PartedPlan.of({ENCODER: encoder, DECODER: decoder}, inputs)

    def plan_for(self, pipeline: "Pipeline") -> PartedPlan:
        """Lay the model out for a run's data; raises ``SpecError`` with every mistake."""
        super().plan_for(pipeline)
        return self.plan(pipeline.input_shapes, pipeline.vocabularies)
