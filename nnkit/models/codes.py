"""Codes: what an autoencoder makes of its encoder's output before the decoder reads it."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.errors import Path, Problem, SpecError
from nnkit.layers.base import Layer, ShapeError
from nnkit.layers.dense import Dense
from nnkit.layers.latent import CodebookLayer
from nnkit.layers.node import Node
from nnkit.models.likelihoods import LikelihoodChoice
from nnkit.models.plan import Plan, PlannedNode
from nnkit.shapes import Shape, show

PLACE: Path = ("model", "code")
HIDDEN = "hidden"
"""What the layers of a code read: the encoder's output."""
MOMENTS, NUMBER, CODEBOOK = "moments", "log_stddev", "codebook"


class Code(Piece):
    """A kind of code."""

    told: ClassVar[tuple[str, ...]] = ()
    """The values that training with such a code tells, beside the loss."""

    def plan(self, shape: Shape) -> Plan | None:
        """Return the layers of the code for an encoder's output of ``shape``; None where it has none."""
        return None

    def shape(self, shape: Shape) -> Shape:
        """Return the shape of a code."""
        return shape


CODES = Registry("codes", "code", Code, home="nnkit.models.codes")
CodeChoice: TypeAlias = Annotated[Code, CODES]


@CODES.register("plain")
class PlainCode(Code):
    """The code is the encoder's output itself."""


@CODES.register("variational")
class VariationalCode(Code):
    """The code is drawn from a normal distribution that the encoder's output says (Kingma and Welling, 2014).

    A dense layer `moments` gives mean and log variance of each number of the code. Training makes the bound on the log
    likelihood of rows large: the log likelihood by the decoder, minus `beta` times the divergence of the code's
    distribution from the standard normal one. The history has both parts and the `bound` (with a factor of 1), in nats
    a row. `nnkit generate` draws codes from the standard normal distribution. The loss of the procedure is not used.
    """

    told = ("bound", "reconstruction", "kl")

    size: int = Field(gt=0, description="Numbers of a code (at each place, where the encoder gives several axes).")
    likelihood: LikelihoodChoice = Field(description="What the decoder's output says of the chance of a row.")
    beta: float = Field(
        default=1.0, ge=0, description="Factor on the divergence in the loss; above 1, codes come apart more."
    )
    warm_up: int = Field(
        default=0,
        ge=0,
        description="Epochs in which the factor grows from 0 to `beta`; for validation rows it is `beta`.",
    )
    importance: int | None = Field(
        default=None,
        gt=0,
        description="Draws of each code, from which predict and evaluate estimate the log likelihood of a row (Burda "
        "and others, 2016) beside the bound, which is below it; null: none.",
    )

    def plan(self, shape: Shape) -> Plan:
        """Return the dense layer of means and log variances, and the likelihood's number."""
        nodes = [_node(MOMENTS, Dense(units=2 * self.size), shape)]
        if self.likelihood.number is not None:
            nodes.append(_node(NUMBER, self.likelihood.number, shape))
        return Plan(tuple(nodes), {HIDDEN: shape})

    def shape(self, shape: Shape) -> Shape:
        """Return the encoder's axes, the last one of ``size``."""
        return (*shape[:-1], self.size)

    def factor(self, epoch: int) -> float:
        """Return the factor on the divergence in the 0-based ``epoch``."""
        return self.beta * (min(1.0, epoch / self.warm_up) if self.warm_up else 1.0)


@CODES.register("vector_quantised")
class QuantisedCode(Code):
    """The code is, at each place, the nearest of a learned list of vectors (van den Oord and others, 2017).

    Vectors are the last axis of the encoder's output, so several axes give several numbers of vectors: those are what
    `nnkit encode` prints. Gradients go from the decoder straight to the encoder.
    """

    told = ("reconstruction", "commitment")

    codes: int = Field(gt=1, le=2**16, description="Length of the list.")
    commitment: float = Field(
        default=0.25, ge=0, description="Factor on how far the encoder's output is from its vector, in the loss."
    )
    update: Literal["moving_mean", "gradient"] = Field(
        default="moving_mean",
        description="How the list learns: it follows the mean of what each vector stands for, and unused vectors start "
        "again at rows of the batch; or by the gradient of its distance.",
    )
    decay: float = Field(default=0.99, gt=0, lt=1, description="Share of the moving mean that a batch leaves as it is.")

    def plan(self, shape: Shape) -> Plan:
        """Return the list."""
        decay = self.decay if self.update == "moving_mean" else None
        return Plan((_node(CODEBOOK, CodebookLayer(codes=self.codes, decay=decay), shape),), {HIDDEN: shape})


def _node(name: str, layer: Layer, shape: Shape) -> PlannedNode:
    try:
        output, weights = layer.out_shape(shape), layer.weights(shape)
    except ShapeError as error:
        raise SpecError([Problem(PLACE, f"reads {show(shape)} of the encoder: {error}")]) from error
    value = f"input.{HIDDEN}"
    return PlannedNode(name, Node(layer=layer, name=name), (value,), (shape,), output, PLACE, weights)
