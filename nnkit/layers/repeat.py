"""The layers that stand for a list of layers: written once under a name, or several times."""

from collections.abc import Iterator

from pydantic import Field

from nnkit.layers.base import LAYERS, Example, Layer
from nnkit.layers.node import Node


class Composite(Layer):
    """A layer that is made of others; the network puts them in its place."""

    layers: list[Node] = Field(min_length=1, description="The layers; in them, `input` is what the whole receives.")

    def prefixes(self, name: str) -> Iterator[str]:
        """Yield what the layers' names begin with, each time that the list is written; ``name`` is the composite's."""
        raise TypeError(f"{type(self).__name__} does not say how its layers are called")


@LAYERS.register("repeat")
class Repeat(Composite):
    """Writes a list of layers several times, each time reading what the time before gave.

    In the list, `input` names what one repetition receives, as for a residual connection:
    `{type: add, inputs: [input, last]}`. Other layers read the end of the last repetition by the name of the repeat.
    """

    example = Example({"times": 2, "layers": [{"type": "dense", "units": 8}]})

    times: int = Field(gt=0, le=100_000, description="How many times the list is written.")

    def prefixes(self, name: str) -> Iterator[str]:
        """Yield ``name/1/``, ``name/2/`` and so on."""
        return (f"{name}/{number}/" for number in range(1, self.times + 1))


@LAYERS.register("block")
class Block(Composite):
    """Puts a list of layers under one name: a layer in it is called `block/layer`.

    In the list, `input` names what the block receives. Other layers read its end by the name of the block. What a run
    takes over by `pretrained` is written out as a block.
    """

    example = Example({"layers": [{"type": "dense", "units": 8}]})

    def prefixes(self, name: str) -> Iterator[str]:
        """Yield ``name/``."""
        yield f"{name}/"
