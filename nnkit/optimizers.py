"""Optimizers: how gradients change weights."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.schedules import ScheduleChoice

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch


class Optimizer(Piece):
    """A rule that changes weights along their gradients."""

    lr: float = Field(default=1e-3, gt=0, description="Learning rate before any schedule.")
    schedule: ScheduleChoice | None = Field(default=None, description="Factor on the learning rate over the epochs.")

    def build(self, parameters: "Iterable[torch.nn.Parameter]") -> "torch.optim.Optimizer":
        """Return torch's optimizer over ``parameters``, fused where torch has that for their device."""
        raise TypeError(f"{type(self).__name__} does not say what it builds")


OPTIMIZERS = Registry("optimizers", "optimizer", Optimizer, home="nnkit.optimizers")
OptimizerChoice: TypeAlias = Annotated[Optimizer, OPTIMIZERS]
