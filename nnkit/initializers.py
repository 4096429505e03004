"""Initializers: how weights are drawn before training."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Initializer(Piece):
    """Draws the first values of a weight; the same generator state gives the same values on every machine."""

    def sample(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, generator: "np.random.Generator"
    ) -> "NDArray[np.float32]":
        """Draw an array of ``shape``; ``fan_in`` and ``fan_out`` count the inputs and outputs a weight connects."""
        raise TypeError(f"{type(self).__name__} does not say how it samples")


INITIALIZERS = Registry("initializers", "initializer", Initializer, home="nnkit.initializers")
InitializerChoice: TypeAlias = Annotated[Initializer, INITIALIZERS]
