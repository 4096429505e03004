"""Schedules that stay where they are for some epochs, then jump."""

from bisect import bisect_right
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from nnkit.schedules import SCHEDULES, Schedule

Epoch = Annotated[float, Field(gt=0)]
GAMMA = Field(default=0.1, gt=0, description="The rate is multiplied by this.")


@SCHEDULES.register("constant")
class Constant(Schedule):
    """The same rate all the time; useful with a warm-up."""

    def curve(self, epoch: float, epochs: float) -> float:
        """Return 1."""
        return 1.0


@SCHEDULES.register("step")
class Step(Schedule):
    """Multiplies the rate after every so many epochs. torch's StepLR, Keras' ExponentialDecay with ``staircase``."""

    step_size: float = Field(gt=0, description="Epochs from one change to the next.")
    gamma: float = GAMMA

    def curve(self, epoch: float, epochs: float) -> float:
        """Return gamma to the power of the changes so far."""
        return float(self.gamma ** (epoch // self.step_size))


def rising(name: str, epochs: list[float]) -> None:
    """Raise ``ValueError`` unless each number is larger than the one before."""
    for earlier, later in pairwise(epochs):
        if later <= earlier:
            raise ValueError(f"expected {name} that rise, found {later:g} after {earlier:g}")


@SCHEDULES.register("multi_step")
class MultiStep(Schedule):
    """Multiplies the rate at the given epochs. torch's MultiStepLR."""

    milestones: list[Epoch] = Field(min_length=1, description="Epochs after which the rate changes, rising.")
    gamma: float = GAMMA

    @model_validator(mode="after")
    def _rising(self) -> Self:
        rising("milestones", self.milestones)
        return self

    def curve(self, epoch: float, epochs: float) -> float:
        """Return gamma to the power of the milestones passed."""
        return float(self.gamma ** bisect_right(self.milestones, epoch))


@SCHEDULES.register("piecewise")
class Piecewise(Schedule):
    """The given factors one after the other. Keras' PiecewiseConstantDecay, whose values are rates.

    At a boundary itself the next factor holds; Keras still has the one before.
    """

    boundaries: list[Epoch] = Field(min_length=1, description="Epochs after which the next factor holds, rising.")
    factors: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=2, description="A factor for the time before the first boundary and for the time after each."
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        rising("boundaries", self.boundaries)
        if len(self.factors) != len(self.boundaries) + 1:
            expected = f"expected {len(self.boundaries) + 1} factors for {len(self.boundaries)} boundaries"
            raise ValueError(f"{expected}, found {len(self.factors)}")
        return self

    def curve(self, epoch: float, epochs: float) -> float:
        """Return the factor of the stretch that ``epoch`` is in."""
        return self.factors[bisect_right(self.boundaries, epoch)]
