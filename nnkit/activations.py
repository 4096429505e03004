"""Activations: functions of a layer's values, without weights."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


class Activation(Piece):
    """A function of a layer's values that keeps their shape."""

    def build(self) -> "Callable[[Tensor], Tensor]":
        """Return the function as torch computes it."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")


ACTIVATIONS = Registry("activations", "activation", Activation, home="nnkit.activations")
ActivationChoice: TypeAlias = Annotated[Activation, ACTIVATIONS]
