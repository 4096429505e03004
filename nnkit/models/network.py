"""The network: any chain or graph of layers."""

from collections.abc import Mapping

from pydantic import Field

from nnkit.layers.node import Node
from nnkit.models.base import MODELS, Model
from nnkit.models.layout import lay_out
from nnkit.models.plan import Plan
from nnkit.shapes import Shape


@MODELS.register("network")
class Network(Model):
    """A list of layers, each reading the one above or, by `inputs`, any that are higher up; the last gives the output.

    The data is read as `input`, or as `input.NAME` where `data.inputs` names several inputs.
    """

    layers: list[Node] = Field(min_length=1, description="The layers, from input to output.")

    def plan(
        self,
        inputs: Mapping[str, Shape],
        vocabularies: Mapping[str, int] | None = None,
        sample_rate: int | None = None,
    ) -> Plan:
        """Lay the network out; raises ``SpecError`` with every mistake."""
        return lay_out(self.layers, inputs, vocabularies or {}, sample_rate=sample_rate)
