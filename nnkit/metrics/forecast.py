"""Metrics of forecasts: beside naive ones, and of quantiles."""

from collections.abc import Collection, Sequence
from typing import Literal

from pydantic import Field

from nnkit.metrics import METRICS, Metric
from nnkit.metrics.sample import Sample
from nnkit.metrics.yardstick import over_horizon

NAN = float("nan")


class _AgainstNaive(Metric):
    """A metric that compares with a naive forecast."""

    against: Literal["naive", "seasonal_naive"] = Field(
        default="naive",
        description="The forecast to compare with: the last value, or that of a season (`data.windows.season`) before.",
    )

    tasks = frozenset({"regression"})
    goal = "min"

    def lacks(self, naive: Collection[str], quantiles: Sequence[float]) -> str | None:
        """Return that there are no windows, or no season, in words."""
        if not naive:
            return "compares with a naive forecast, which only data.windows have"
        return None if self.against in naive else "needs the length of a season; set data.windows.season"


@METRICS.register("mase")
class MASE(_AgainstNaive):
    """Mean size of the error in units of what the naive forecast errs on the training rows of the row's series.

    Hyndman and Koehler (2006), whose unit is the error one season ahead, a season of `naive` being one step. By that a
    good forecast of many steps can be above 1; with `steps: horizon` below 1 is better than naive.
    """

    steps: Literal["one", "horizon"] = Field(
        default="one",
        description="The unit: the naive forecast's error one season ahead, or its mean error over all steps of the "
        "horizon.",
    )

    def value(self, sample: Sample) -> float:
        """Return the mean over rows and targets."""
        if sample.yardstick is None:
            return NAN
        sizes = abs(sample.outputs - sample.truth.astype("float64"))
        unit = self.against if self.steps == "one" else over_horizon(self.against)
        return float(sample.mean(sizes / sample.yardstick.scales[unit]).mean())


@METRICS.register("relative_mae")
class RelativeMAE(_AgainstNaive):
    """Mean size of the error as a fraction of that of the naive forecast of the same rows: below 1 beats it.

    The relative MAE of Hyndman and Koehler (2006); of several targets and steps the errors are added up first.
    """

    of_naive = False

    def value(self, sample: Sample) -> float:
        """Return the model's mean error over the naive one."""
        if sample.yardstick is None:
            return NAN
        truth = sample.truth.astype("float64")
        naive = sample.mean(abs(sample.yardstick.forecasts[self.against] - truth)).mean()
        return float(sample.mean(abs(sample.outputs - truth)).mean() / naive)


@METRICS.register("scaled_mse")
class ScaledMSE(Metric):
    """Mean square of the error of forecasts, in units of the standard deviation of the training rows.

    What papers on long forecasts report: the mean square where all values are scaled to mean 0 and deviation 1 by the
    training rows (of a series, where there are several).
    """

    tasks = frozenset({"regression"})
    goal = "min"

    def lacks(self, naive: Collection[str], quantiles: Sequence[float]) -> str | None:
        """Return that there are no windows, in words."""
        return None if naive else "is of forecasts, which only data.windows make; use mse with a target_transform"

    def value(self, sample: Sample) -> float:
        """Return the mean over rows and targets."""
        if sample.yardstick is None:
            return NAN
        errors = sample.outputs - sample.truth.astype("float64")
        return float(sample.mean((errors / sample.yardstick.scales["deviation"]) ** 2).mean())


class _OfQuantiles(Metric):
    """A metric of several quantiles."""

    tasks = frozenset({"regression"})
    of_naive = False

    def lacks(self, naive: Collection[str], quantiles: Sequence[float]) -> str | None:
        """Return that there are no quantiles, in words."""
        return None if quantiles else "is of quantiles; set the loss to {type: quantile, quantile: [0.1, 0.5, 0.9]}"


@METRICS.register("pinball")
class Pinball(_OfQuantiles):
    """Mean pinball loss over all quantiles and targets, in the targets' units: smaller is better."""

    goal = "min"

    def value(self, sample: Sample) -> float:
        """Return the mean of scikit-learn's mean_pinball_loss of each quantile."""
        import numpy as np

        if sample.spread is None:
            return NAN
        above = sample.truth.astype(np.float64)[..., None] - sample.spread
        return float(sample.mean(np.array(sample.quantiles) * above + np.maximum(-above, 0)).mean())


@METRICS.register("coverage")
class Coverage(_OfQuantiles):
    """Share of the truth that lies between the lowest quantile and the highest, which should be what they promise."""

    goal = "max"

    def value(self, sample: Sample) -> float:
        """Return the share over rows and targets."""
        if sample.spread is None:
            return NAN
        low, high = sample.spread.min(axis=-1), sample.spread.max(axis=-1)
        return float(sample.mean((low <= sample.truth) & (sample.truth <= high)).mean())
