"""Penalties on codes: what makes an autoencoder learn more than to copy, though its code is large."""

from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from pydantic import Field

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


class Penalty(Piece):
    """What codes cost, beside what the rows that come of them do."""

    needs_slopes: ClassVar[bool] = False
    """Whether it is computed from the code's derivative by the row."""
    activations: ClassVar[tuple[str, ...]] = ()
    """The activations that the encoder may end in; nothing where any will do."""

    weight: float = Field(gt=0, description="Factor on the penalty in the loss.", examples=[1e-3])

    def build(self, codes: "Tensor", rows: "Tensor") -> "Tensor":
        """Return the penalty on codes [n, ...], made of rows [n, ...], for each row [n], or one for all."""
        raise TypeError(f"{type(self).__name__} does not say what codes cost")


PENALTIES = Registry("penalties", "penalty", Penalty, home="nnkit.procedures.penalties")
PenaltyChoice: TypeAlias = Annotated[Penalty, PENALTIES]


@PENALTIES.register("l1")
class L1(Penalty):
    """The sum of the code's absolute values: few of its numbers are far from 0 (a sparse autoencoder)."""

    def build(self, codes: "Tensor", rows: "Tensor") -> "Tensor":
        """Return the sum for each row."""
        return codes.abs().flatten(1).sum(1)


@PENALTIES.register("kl")
class KullbackLeibler(Penalty):
    """The divergence of a unit's mean activation in the batch from `rho`, summed over the units (Ng, 2011).

    So each unit is active for few rows. The encoder ends in `sigmoid`; the penalty of a row is that of its batch.
    """

    activations = ("sigmoid",)

    rho: float = Field(default=0.05, gt=0, lt=1, description="The mean activation that is wanted.")

    def build(self, codes: "Tensor", rows: "Tensor") -> "Tensor":
        """Return the divergence for the batch."""
        from nnkit.nn.codes import sparsity

        return sparsity(codes, self.rho)


@PENALTIES.register("contractive")
class Contractive(Penalty):
    """The squared Frobenius norm of the code's derivative by the row (Rifai and others, 2011).

    The code then hardly changes with small changes of the row. It is exact, and takes a pass backwards through the
    encoder for each number of the code; the encoder's rows must not depend on each other, as by batch_norm.
    """

    needs_slopes = True

    def build(self, codes: "Tensor", rows: "Tensor") -> "Tensor":
        """Return the norm for each row."""
        from nnkit.nn.codes import jacobian_norm

        return jacobian_norm(codes, rows)
