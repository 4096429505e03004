"""Schedules: how the learning rate changes while training goes on."""

from typing import Annotated, TypeAlias

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry


class Schedule(Piece):
    """A factor on the learning rate, as a plain function of how far training has come (no state to save)."""

    def factor(self, epoch: float, epochs: int) -> float:
        """Return the factor after ``epoch`` of ``epochs`` epochs; fractions where it is applied at every step."""
        raise TypeError(f"{type(self).__name__} does not say its factor")


SCHEDULES = Registry("schedules", "schedule", Schedule, home="nnkit.schedules")
ScheduleChoice: TypeAlias = Annotated[Schedule, SCHEDULES]
