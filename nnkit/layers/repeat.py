"""The layer that stands for a list of layers, written several times."""

from pydantic import Field

from nnkit.layers.base import LAYERS, Example, Layer
from nnkit.layers.node import Node


class Composite(Layer):
    """A layer that is made of others; the network puts them in its place."""

    layers: list[Node] = Field(min_length=1, description="The layers; in them, `input` is what the whole receives.")


@LAYERS.register("repeat")
class Repeat(Composite):
    """Writes a list of layers several times, each time reading what the time before gave.

    In the list, `input` names what one repetition receives, as for a residual connection:
    `{type: add, inputs: [input, last]}`. Other layers read the end of the last repetition by the name of the repeat.
    """

    example = Example({"times": 2, "layers": [{"type": "dense", "units": 8}]})

    times: int = Field(gt=0, le=100_000, description="How many times the list is written.")
