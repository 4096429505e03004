"""Schedules that let the rate fall, or rise and fall, in a smooth curve."""

import math

from pydantic import Field

from nnkit.schedules import END, SCHEDULES, Schedule, progress


def cosine_between(start: float, end: float, part: float) -> float:
    """Return what is between ``start`` (part 0) and ``end`` (part 1) on half a wave of the cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


@SCHEDULES.register("linear")
class Linear(Schedule):
    """A straight line over the whole training.

    torch's LinearLR, which by default rises from 1/3 to 1 in five epochs; Keras' PolynomialDecay.
    """

    start: float = Field(default=1.0, ge=0, description="The factor at the start.")
    end: float = END

    def curve(self, epoch: float, epochs: float) -> float:
        """Return the point of the line."""
        return self.start + (self.end - self.start) * progress(epoch, epochs)


@SCHEDULES.register("polynomial")
class Polynomial(Schedule):
    """(1 - part of the epochs that is over) ^ power, down to a last factor.

    torch's PolynomialLR, Keras' PolynomialDecay. torch always ends at 0; Keras' default end is a rate of 0.0001.
    """

    power: float = Field(default=1.0, gt=0, description="1 is a straight line; larger ones fall early.")
    end: float = END

    def curve(self, epoch: float, epochs: float) -> float:
        """Return the point of the curve."""
        return self.end + (1 - self.end) * float((1 - progress(epoch, epochs)) ** self.power)


@SCHEDULES.register("exponential")
class Exponential(Schedule):
    """Multiplies the rate by the same number every epoch. torch's ExponentialLR, Keras' ExponentialDecay."""

    gamma: float = Field(default=0.95, gt=0, description="The rate is multiplied by this every epoch.")

    def curve(self, epoch: float, epochs: float) -> float:
        """Return gamma to the power of the epochs so far."""
        return float(self.gamma**epoch)


@SCHEDULES.register("inverse_time")
class InverseTime(Schedule):
    """1 / (1 + rate * epochs so far). Keras' InverseTimeDecay; torch has none."""

    rate: float = Field(default=1.0, gt=0, description="At 1 the learning rate is half its size after one epoch.")

    def curve(self, epoch: float, epochs: float) -> float:
        """Return the point of the curve."""
        return 1 / (1 + self.rate * epoch)


@SCHEDULES.register("cosine")
class Cosine(Schedule):
    """Half a wave of the cosine from 1 to a last factor (Loshchilov and Hutter, 2017).

    torch's CosineAnnealingLR, whose ``eta_min`` is a rate; Keras' CosineDecay, whose ``alpha`` is ``end`` here.
    """

    end: float = END

    def curve(self, epoch: float, epochs: float) -> float:
        """Return the point of the wave."""
        return cosine_between(1.0, self.end, progress(epoch, epochs))


@SCHEDULES.register("cosine_restarts")
class CosineRestarts(Schedule):
    """Cosine waves one after the other, each back at the top (SGDR: Loshchilov and Hutter, 2017).

    torch's CosineAnnealingWarmRestarts, with its ``T_0`` and ``T_mult`` as ``period`` and ``growth``; Keras'
    CosineDecayRestarts, whose ``t_mul`` is 2 by default, with its ``m_mul`` as ``damping``.
    """

    period: float = Field(gt=0, description="Epochs of the first wave.")
    growth: float = Field(default=1.0, ge=1, description="Each wave is so many times as long as the one before.")
    damping: float = Field(default=1.0, gt=0, le=1, description="Each wave starts at this part of the one before.")
    end: float = Field(default=0.0, ge=0, le=1, description="The factor at the foot of each wave.")

    def curve(self, epoch: float, epochs: float) -> float:
        """Return the point of the wave that ``epoch`` is in."""
        wave, part = self._wave(epoch)
        return cosine_between(max(self.damping**wave, self.end), self.end, part)

    def _wave(self, epoch: float) -> tuple[int, float]:
        """Return how many waves are over, and which part of the present one."""
        periods = epoch / self.period
        if self.growth == 1:
            return int(periods), periods % 1
        # The first n waves last (growth^n - 1) / (growth - 1) periods.
        wave = int(math.log(1 + periods * (self.growth - 1), self.growth) + 1e-12)
        before = (self.growth**wave - 1) / (self.growth - 1)
        return wave, max((periods - before) / self.growth**wave, 0.0)


@SCHEDULES.register("one_cycle")
class OneCycle(Schedule):
    """Up to the optimizer's rate, then down to almost nothing, on two half waves of the cosine (Smith, 2018).

    torch's OneCycleLR with its defaults, without the cycle of the momentum, and best with `per: step`; Keras has none.
    """

    rising: float = Field(default=0.3, gt=0, lt=1, description="Part of the epochs in which the rate rises.")
    start: float = Field(default=0.04, gt=0, le=1, description="The factor at the start.")
    end: float = Field(default=4e-6, ge=0, le=1, description="The factor at the end.")

    def curve(self, epoch: float, epochs: float) -> float:
        """Return the point of the wave."""
        part = progress(epoch, epochs)
        if part < self.rising:
            return cosine_between(self.start, 1.0, part / self.rising)
        return cosine_between(1.0, self.end, (part - self.rising) / (1 - self.rising))
