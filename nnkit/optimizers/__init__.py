"""Optimizers: how gradients change weights."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.schedules import ScheduleChoice

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

    from nnkit.engine.native import Rule

    Parameters: TypeAlias = Iterable[torch.nn.Parameter] | Iterable[dict[str, Any]]


class Optimizer(Piece):
    """A rule that changes weights along their gradients.

    Options and defaults are torch's; where Keras' defaults differ, each optimizer says which. ``weight_decay`` is
    torch's too: but for `adamw`, `adafactor` and `muon` it is added to the gradient, whereas Keras always takes it off
    the weights themselves.
    """

    torch_name: ClassVar[str] = ""
    """The class in ``torch.optim`` that this is; its arguments are the piece's options."""
    fused_on: ClassVar[tuple[str, ...]] = ()
    """The kinds of device for which torch has it as one kernel for all weights."""

    lr: float = Field(default=1e-3, gt=0, description="Learning rate before any schedule.")
    schedule: ScheduleChoice | None = Field(default=None, description="Factor on the learning rate over the epochs.")

    def build(self, parameters: "Parameters") -> "torch.optim.Optimizer":
        """Return torch's optimizer over ``parameters``, fused where torch has that for their device.

        Those may come in groups that differ in an option, as torch takes them: ``{"params": [...], "lr": 0.1}``.
        """
        import torch

        kind: type[torch.optim.Optimizer] = getattr(torch.optim, self.torch_name)
        groups: Any = list(parameters)
        fused: dict[str, Any] = {"fused": True} if can_fuse(groups, self.fused_on) else {}
        return kind(groups, **self.arguments(), **fused)

    def native(self) -> "Rule | None":
        """Return the rule as the native kernel takes it, or None where it lacks it."""
        return None

    def arguments(self) -> dict[str, Any]:
        """Return the options as torch's class takes them."""
        return self.model_dump(exclude={"schedule"})


def can_fuse(parameters: "Parameters", devices: tuple[str, ...]) -> bool:
    """Return whether all weights, in groups or not, are on the given kinds of device."""
    groups = [group["params"] if isinstance(group, dict) else [group] for group in parameters]
    return all(parameter.device.type in devices for group in groups for parameter in group)


OPTIMIZERS = Registry("optimizers", "optimizer", Optimizer, home="nnkit.optimizers")
OptimizerChoice: TypeAlias = Annotated[Optimizer, OPTIMIZERS]

Share: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
"""A number from 0 to less than 1, as the factor of a running mean."""

EPSILON = "Added to the denominator, so that it is never 0."
WEIGHT_DECAY = "Factor of the weights that is added to their gradients."
