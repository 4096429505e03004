"""Likelihoods: what a decoder's output says of the chance of a row."""

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.layers.base import Layer
from nnkit.layers.latent import ScalarLayer

if TYPE_CHECKING:
    from torch import Tensor


class Likelihood(Piece):
    """The distribution of a row's numbers, all independent, given its code."""

    fused: ClassVar[str | None] = None
    """The activation that the decoder must end in, which the likelihood absorbs."""
    low: ClassVar[float | None] = None
    high: ClassVar[float | None] = None
    """Between which a row's numbers must be."""

    @property
    def number(self) -> Layer | None:
        """The layer of a number that is learned beside the networks, if there is one."""
        return None

    def log(self, outputs: "Tensor", rows: "Tensor", number: "Tensor | None") -> "Tensor":
        """Return the log likelihood in nats of rows [n, ...] by what a decoder gives [n, ...], for each row [n].

        ``outputs`` are before the activation that is absorbed; ``number`` is the one that is learned.
        """
        raise TypeError(f"{type(self).__name__} does not say how likely rows are")


LIKELIHOODS = Registry("likelihoods", "likelihood", Likelihood, home="nnkit.models.likelihoods")
LikelihoodChoice: TypeAlias = Annotated[Likelihood, LIKELIHOODS]


@LIKELIHOODS.register("bernoulli")
class Bernoulli(Likelihood):
    """Numbers are 0 or 1; one between, such as a grey pixel, counts for that share of a 1. The decoder ends in sigmoid.

    The log likelihood is minus the binary cross-entropy, summed over a row's numbers.
    """

    fused = "sigmoid"
    low, high = 0.0, 1.0

    def log(self, outputs: "Tensor", rows: "Tensor", number: "Tensor | None") -> "Tensor":
        """Return the log probability."""
        from nnkit.nn.codes import log_bernoulli

        return log_bernoulli(outputs, rows)


@LIKELIHOODS.register("gaussian")
class Gaussian(Likelihood):
    """Numbers are normal around what the decoder gives, all with one standard deviation."""

    stddev: Annotated[float, Field(gt=0)] | Literal["learned"] = Field(
        default="learned", description="Standard deviation; `learned`: a weight like others, from 1 on."
    )

    @property
    def number(self) -> Layer | None:
        """The logarithm of the standard deviation, where it is learned."""
        return ScalarLayer(start=0.0) if self.stddev == "learned" else None

    def log(self, outputs: "Tensor", rows: "Tensor", number: "Tensor | None") -> "Tensor":
        """Return the log density."""
        from nnkit.nn.codes import log_normal

        if number is not None:
            return log_normal(rows, outputs, 2 * number)
        assert not isinstance(self.stddev, str)  # noqa: S101 - else there is a number
        return log_normal(rows, outputs, 2 * math.log(self.stddev))
