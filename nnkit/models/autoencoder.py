"""Autoencoders: a network that makes a code of a row, and one that makes the row of the code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from nnkit.activations import ACTIVATIONS, Activation, ActivationChoice
from nnkit.errors import Path, Problem, SpecError
from nnkit.layers.base import Activated
from nnkit.layers.node import Node
from nnkit.layers.reshape import Flatten, Reshape
from nnkit.models.base import MODELS, Model
from nnkit.models.codes import CODES, Code, CodeChoice, PlainCode, VariationalCode
from nnkit.models.layout import lay_out
from nnkit.models.mirror import as_nodes, mirrored
from nnkit.models.plan import PartedPlan, Plan, PlannedNode
from nnkit.models.tied import TiedPlan, without_kernels
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    from nnkit.data.pipeline import Pipeline

ENCODER, CODE_PART, DECODER = "encoder", "code", "decoder"
CODE = "code"
"""What the decoder's layers read, as ``input.code``."""
PLACES: dict[str, Path] = {part: ("model", part) for part in (ENCODER, DECODER)}


@dataclass(frozen=True)
class AutoencoderPlan(TiedPlan):
    """The networks of an autoencoder, and what kind of code is between them."""

    code: Code = field(default_factory=PlainCode)

    @property
    def end(self) -> PlannedNode:
        """The decoder's last layer that changes values, and not only their shape."""
        nodes = self.parts[DECODER].nodes
        return next((node for node in reversed(nodes) if not isinstance(node.layer, Flatten | Reshape)), nodes[-1])

    @property
    def head(self) -> Activation | None:
        """The activation that the decoder ends in, if it is not linear."""
        layer = self.end.layer
        if isinstance(layer, Activated) and layer.activation.type_name != "linear":
            return layer.activation
        return None

    def without_head(self) -> "AutoencoderPlan":
        """Return the plan without the activation at the decoder's end; its weights are the same."""
        layer, name = self.end.layer, self.end.name
        if not isinstance(layer, Activated):
            return self
        bare = {"layer": layer.linear()}
        decoder = self.parts[DECODER]
        nodes = tuple(
            replace(node, node=node.node.model_copy(update=bare)) if node.name == name else node
            for node in decoder.nodes
        )
        parts = {**self.parts, DECODER: replace(decoder, nodes=nodes)}
        return replace(self, nodes=PartedPlan.of(parts, self.inputs).nodes, parts=parts)


@MODELS.register("autoencoder")
class Autoencoder(Model):
    """An encoder that makes a code of each row, and a decoder that makes the row of its code.

    Without `decoder` it is the encoder's mirror: dense undoes dense, conv2d_transpose conv2d, upsample max_pool,
    reshape flatten, and a recurrent layer gives back the steps that one has read. Each mirrored layer has the
    activation of the layer whose output it gives back; the last, which gives back the row, has `output_activation`.
    The data has one input, of which the decoder gives the shape. `code` makes the autoencoder variational or
    vector-quantised.
    """

    encoder: list[Node] = Field(min_length=1, description="The layers from the input to the code.")
    code: CodeChoice = Field(
        default_factory=lambda: CODES.decode("plain"), description="What becomes of the encoder's output."
    )
    decoder: list[Node] | None = Field(
        default=None,
        min_length=1,
        description="The layers from the code to the input's shape; null: the encoder's mirror.",
    )
    output_activation: ActivationChoice | None = Field(
        default=None, description="Of a mirrored decoder's last layer; null: sigmoid for bernoulli, else linear."
    )
    tied: bool = Field(
        default=False,
        description="Let a mirrored decoder's dense and convolution layers share the kernels of those they undo.",
    )

    @model_validator(mode="after")
    def _only_mirrored(self) -> Self:
        if self.decoder is not None and self.tied:
            raise ValueError(
                "tied is for a mirrored decoder, whose layers undo the encoder's; leave out decoder or tied"
            )
        if self.decoder is not None and self.output_activation is not None:
            raise ValueError("output_activation is for a mirrored decoder; set activation on the decoder's last layer")
        return self

    @property
    def told(self) -> Sequence[str]:
        """Those of the code."""
        return self.code.told

    def plan(
        self, inputs: Mapping[str, Shape], vocabularies: Mapping[str, int] | None = None, sample_rate: int | None = None
    ) -> AutoencoderPlan:
        """Lay all networks out; raises ``SpecError`` with every mistake."""
        shape = _row(inputs)
        encoder = lay_out(self.encoder, inputs, vocabularies or {}, PLACES[ENCODER], sample_rate=sample_rate)
        code, latent = self.code.plan(encoder.output_shape), self.code.shape(encoder.output_shape)
        decoder, ties = self._decoder(encoder, latent)
        if decoder.output_shape != shape:
            raise SpecError([_other_shape(decoder, shape, self.decoder is None)])
        parts = {ENCODER: encoder, **({CODE_PART: code} if code else {}), DECODER: decoder}
        named = {f"{DECODER}/{name}": f"{ENCODER}/{source}" for name, source in ties.items()}
        return AutoencoderPlan(
            PartedPlan.of(parts, inputs).nodes, dict(inputs), encoder.steps, parts=parts, ties=named, code=self.code
        )

    def _decoder(self, encoder: Plan, latent: Shape) -> tuple[Plan, dict[str, str]]:
        """Return the decoder, and by its nodes those of the encoder whose kernels they have."""
        if self.decoder is not None:
            return lay_out(self.decoder, {CODE: latent}, {}, PLACES[DECODER]), {}
        mirror = mirrored(encoder, self._output, latent)
        decoder = lay_out(as_nodes(mirror), {CODE: latent}, {}, PLACES[ENCODER])
        return without_kernels(decoder, mirror) if self.tied else (decoder, {})

    @property
    def _output(self) -> Activation:
        if self.output_activation is not None:
            return self.output_activation
        return ACTIVATIONS.decode(_fused(self.code) or "linear")

    def plan_for(self, pipeline: "Pipeline") -> AutoencoderPlan:
        """Lay the model out for a run's data; raises ``SpecError`` with every mistake."""
        super().plan_for(pipeline)
        return self.plan(pipeline.input_shapes, pipeline.vocabularies, pipeline.known.sample_rate)


def _fused(code: Code) -> str | None:
    """Return the activation that a decoder must end in."""
    return code.likelihood.fused if isinstance(code, VariationalCode) else None


def _row(inputs: Mapping[str, Shape]) -> Shape:
    """Return the shape of a row; raises ``SpecError`` where there are several inputs, or rows of several lengths."""
    if len(inputs) > 1:
        message = f"autoencoder takes one input, found {', '.join(inputs)}: leave data.inputs out"
        raise SpecError([Problem(("data", "inputs"), message)])
    [shape] = inputs.values()
    if None in shape:
        message = f"autoencoder takes rows of one shape, found {show(shape)}: cut or pad them to one length"
        raise SpecError([Problem(("model", "type"), message)])
    return shape


def _other_shape(decoder: Plan, shape: Shape, is_mirror: bool) -> Problem:
    last = decoder.nodes[-1]
    which = "the mirrored decoder's last layer" if is_mirror else "the last layer"
    message = f"{which}, {last.name}, gives {show(decoder.output_shape)}; a row of the data is {show(shape)}"
    return Problem(PLACES[ENCODER] if is_mirror else last.path, message)
