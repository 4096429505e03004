"""Schedules: how the learning rate changes while training goes on."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry


class Schedule(Piece):
    """A factor on the learning rate, as a plain function of how far training has come (no state to save).

    Options count in epochs, and factors are of the optimizer's learning rate, so that a schedule does not change with
    the batch size or the rate. After a warm-up, a schedule has the epochs that are left as if they were all.
    """

    per: Literal["epoch", "step"] = Field(
        default="epoch",
        description="When the rate changes: with each epoch, or with each step, by fractions of epochs.",
    )
    warmup: float = Field(
        default=0.0,
        ge=0,
        description="Epochs at the start in which the rate rises in a straight line to its full size.",
    )
    warmup_start: float = Field(default=0.1, ge=0, le=1, description="The factor that the warm-up starts from.")

    def factor(self, epoch: float, epochs: int) -> float:
        """Return the factor after ``epoch`` of ``epochs`` epochs; fractions where it is applied at every step."""
        if epoch < self.warmup:
            return self.warmup_start + (self.curve(0.0, epochs) - self.warmup_start) * epoch / self.warmup
        return self.curve(epoch - self.warmup, epochs - self.warmup)

    def curve(self, epoch: float, epochs: float) -> float:
        """Return the factor after ``epoch`` of ``epochs`` epochs, where there is no warm-up."""
        raise TypeError(f"{type(self).__name__} does not say its factor")


def progress(epoch: float, epochs: float) -> float:
    """Return which part of ``epochs`` is over, from 0 to 1."""
    return min(epoch / epochs, 1.0) if epochs > 0 else 1.0


SCHEDULES = Registry("schedules", "schedule", Schedule, home="nnkit.schedules")
ScheduleChoice: TypeAlias = Annotated[Schedule, SCHEDULES]

END = Field(default=0.0, ge=0, le=1, description="The factor at the end.")
